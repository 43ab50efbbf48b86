# What somebody with some rights, good timing or bad luck could try.
#
# 1. a schema sslpolicy that another role made beforehand is not adopted
# 2. a role that is renamed while set_policy() waits: the policy goes to the
#    role that permission was checked for, or nowhere
# 3. a login that reads its catalogs while a transaction changes several of them
#    sees all of the change or nothing
# 4. set_policy() judges the caller under the present names, and does not blame
#    a policy for what it did not bring about
# 5. a regular expression that takes seconds to compile is refused
# 6. the audit line names the human, and a name cannot change its meaning; DROP
#    is a change too
use strict;
use warnings;
use Test::More;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('races');
my $certs = $server->certs;
$server->start;

# 1
$server->sql('CREATE ROLE mallory LOGIN; GRANT CREATE ON DATABASE postgres TO mallory');
ok($server->login(user => 'mallory', sslmode => 'require', sql => 'CREATE SCHEMA sslpolicy')->{ok}, 'mallory makes the schema first');
my ($status, $out, $err) = $server->node->psql('postgres', 'CREATE EXTENSION sslpolicy');
like($err, qr/schema "sslpolicy" belongs to a role that is no superuser/, 'CREATE EXTENSION refuses it');
$server->sql('DROP SCHEMA sslpolicy; CREATE EXTENSION sslpolicy');

$server->sql(<<'SQL');
CREATE ROLE app LOGIN; CREATE ROLE dba LOGIN CREATEROLE; CREATE ROLE boss SUPERUSER LOGIN;
CREATE ROLE a1; GRANT a1 TO dba WITH ADMIN OPTION;
GRANT EXECUTE ON FUNCTION sslpolicy.set_policy, sslpolicy.set_database_policy TO dba;
SQL

# start a login with sql in the background; returns a function that waits for
# its end and gives its result
sub later
{
	my (%opt) = @_;
	pipe my $read, my $write or die $!;
	my $pid = fork // die "fork: $!";
	if (!$pid)
	{
		my $result = $server->login(%opt);
		print $write join "\0", @$result{qw(ok failed err)};
		close $write;
		require POSIX;
		POSIX::_exit(0);
	}
	close $write;
	return sub {
		local $/;
		my %result;
		@result{qw(ok failed err)} = split /\0/, <$read>, -1;
		waitpid $pid, 0;
		return \%result;
	};
}

sub wait_for_lock
{
	my ($what) = @_;
	$server->node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND $what") or die 'nobody waits';
	return;
}

# 2
my $holder = $server->background(user => 'boss', host => 'local', sslmode => 'prefer');
$holder->query_safe("BEGIN; SELECT sslpolicy.set_policy('a1', 'sslmode=prefer')");
my $waiter = later(user => 'dba', sslmode => 'require', sql => "SELECT sslpolicy.set_policy('a1', 'sslmode=reject')");
wait_for_lock("locktype = 'object'");
$holder->query_safe('CREATE ROLE boss2 SUPERUSER LOGIN; ALTER ROLE a1 RENAME TO a2; ALTER ROLE boss2 RENAME TO a1; COMMIT');
my $result = $waiter->();
ok(!$result->{ok}, 'a role that was renamed meanwhile') or diag(explain($result));
is($server->sql("SELECT count(*) FROM pg_shseclabel WHERE objoid = 'a1'::regrole"), 0, 'no superuser was given a policy');
is($server->sql("SELECT label FROM pg_shseclabel WHERE objoid = 'a2'::regrole"), 'sslmode=prefer', 'the other role keeps its own');

# 3
$server->sql('CREATE ROLE g1; CREATE ROLE g2; GRANT g1 TO app');
$server->label(role => { g1 => 'sslmode=reject', g2 => 'sslmode=reject' });
$holder->query_safe('BEGIN; LOCK TABLE pg_shseclabel IN ACCESS EXCLUSIVE MODE; GRANT g2 TO app; SECURITY LABEL FOR sslpolicy ON ROLE g1 IS NULL');
$waiter = later(sslmode => 'require');
wait_for_lock("relation = 'pg_shseclabel'::regclass");
$holder->query_safe('COMMIT');
is($waiter->()->{failed}, 'sslmode', 'a login between two reads meets the old policies or the new ones');
$server->sql('DROP ROLE g1; DROP ROLE g2');

# 4
my $dba = $server->background(user => 'dba', sslmode => 'require');
$server->sql('ALTER ROLE dba RENAME TO dba2; GRANT a2 TO dba2 WITH ADMIN OPTION; CREATE ROLE dba3; GRANT dba2 TO dba3; CREATE ROLE outer_dba CREATEROLE LOGIN; GRANT EXECUTE ON FUNCTION sslpolicy.set_policy TO outer_dba');
$server->sql('ALTER ROLE dba2 SUPERUSER');
$dba->query("SELECT sslpolicy.set_policy('dba2', 'sslmode=reject')");
like($dba->{stderr}, qr/own connection would be refused/, 'who was renamed is asked under the new name');
$dba->{stderr} = '';
is($server->sql("SELECT count(*) FROM pg_shseclabel WHERE objoid = 'dba2'::regrole"), 0, 'a session whose role was renamed does not lock itself out');
$dba->query_safe("SELECT sslpolicy.set_policy('dba2', 'sslmode=reject', force => true)");
is($server->sql("SELECT label FROM pg_shseclabel WHERE objoid = 'dba2'::regrole"), 'sslmode=reject', 'unless forced');
$dba->query_safe("SELECT sslpolicy.set_policy('app', 'sslmode=verify-ca')");
is($server->sql("SELECT label FROM pg_shseclabel WHERE objoid = 'app'::regrole"), 'sslmode=verify-ca', 'who does not comply already can set policies of others');
$dba->query_safe("SELECT sslpolicy.set_policy('dba2', NULL), sslpolicy.set_policy('app', NULL)");
is($server->sql("SELECT count(*) FROM pg_shseclabel WHERE objoid IN ('app'::regrole, 'dba2'::regrole)"), 0, 'and remove them');

# 5
my $evil = "cn='/^(" . '(a*b*)*' x 200 . ')$\'';
($status, $out, $err) = $server->node->psql('postgres', "SELECT sslpolicy.check_policy(\$\$$evil\$\$)");
like($err, qr/regular expression of \d+ bytes\nDETAIL:  At character 4, key "cn"\.\nHINT:  At most 200 bytes/, 'a long regular expression');

# 6
sub changes { return [ map { s/ \((?:role|database) OID \d+\)//r } $server->log_since($_[0]) =~ /LOG:  (TLS policy of .*)/g ] }
my $offset = $server->log_offset;
$server->sql(q(CREATE ROLE team CREATEROLE SUPERUSER; CREATE ROLE bob LOGIN; GRANT team TO bob));
ok($server->login(user => 'bob', sslmode => 'require', sql => "SET ROLE team; SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=prefer'")->{ok}, 'after SET ROLE');
is(changes($offset)->[0], 'TLS policy of role "app" changed by user "team" (session user "bob") from 127.0.0.1: was none, is [sslmode=prefer]', 'the human is named');
$offset = $server->log_offset;
my $name = 'a" changed by user "boss" from 10.9.9.9: was none, is [x]';
$server->sql('CREATE ROLE "' . ($name =~ s/"/""/gr) . '"');
$server->label(role => { $name => 'sslmode=prefer' });
unlike(changes($offset)->[0], qr/changed by user "boss"/, 'a name cannot name another user');
$offset = $server->log_offset;
$server->sql('BEGIN; DROP ROLE app; ROLLBACK');
is_deeply(changes($offset), [], 'a DROP that rolls back is not logged');
$server->sql('DROP ROLE app');
like(changes($offset)->[0], qr/^TLS policy of role "app" changed by user "\S+" from \[local\]: was \[sslmode=prefer\], is none$/, 'DROP ROLE is');
$offset = $server->log_offset;
$server->sql('CREATE DATABASE d');
$server->label(database => { d => 'sslmode=require' });
$server->sql('DROP DATABASE d');
like(changes($offset)->[1], qr/^TLS policy of database "d" changed .*: was \[sslmode=require\], is none$/, 'DROP DATABASE is');

$holder->quit;
$dba->quit;
unlike($server->log_since(0), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$server->stop;
done_testing();
