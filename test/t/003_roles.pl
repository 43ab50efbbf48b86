# Which roles' labels bind a login.
#
# 1. chains of memberships, long and branched, and cycles in a damaged catalog
# 2. superusers, and reserved roles, are bound by their own label, the default
#    and the minimum only: a labelled role granted to one cannot lock it out
# 3. since 16: grants with INHERIT or SET bind, grants with ADMIN alone do not
# 4. labels follow RENAME, go with DROP, and do not pass to a new role of the
#    old name
# 5. a role that becomes LOGIN binds its members no more, and the other way
# 6. a stored label that is not a policy denies, and says why only in the log
use strict;
use warnings;
use Test::More;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('roles');
$server->certs->client('app', issuer => 'root', subject => '/CN=app');
$server->start;
my $version = $server->sql("SELECT current_setting('server_version_num')::int / 10000");

my %plain = (sslmode => 'disable');

sub refused
{
	my ($to, $failed, $name) = @_;
	my $result = $server->login(%plain, %$to);
	is($result->{ok} ? 'in' : $result->{failed}, $failed, $name) or diag($result->{err});
	return $result;
}

sub admitted { return refused($_[0], 'in', $_[1]) }

# 1
$server->sql(<<'SQL');
CREATE ROLE app LOGIN;
DO $$ BEGIN
	CREATE ROLE g0; GRANT g0 TO app;
	FOR i IN 1..50 LOOP
		EXECUTE format('CREATE ROLE g%s; GRANT g%s TO g%s', i, i, i - 1);
	END LOOP;
	CREATE ROLE top;
	FOR i IN 0..50 LOOP EXECUTE format('GRANT top TO g%s', i); END LOOP;
END $$;
SQL
admitted({}, 'a chain of groups without labels');
$server->label(role => { g50 => 'sslmode=require' });
refused({}, 'sslmode', 'a label 50 memberships away');
$server->label(role => { g50 => undef, top => 'sslmode=require' });
my $result = refused({}, 'sslmode', 'a group reached by many ways');
is(() = $result->{err} =~ /sslmode \(/g, 1, 'is reported once');
$server->label(role => { top => undef });
$server->sql('REVOKE g0 FROM app');
$server->label(role => { g1 => 'sslmode=reject' });
admitted({}, 'a revoked membership binds no more');
$server->sql('GRANT g0 TO app');
refused({}, 'sslmode', 'and binds when it is granted again');
$server->label(role => { g1 => undef });

# GRANT refuses cycles, but a damaged catalog can have one
$server->sql(<<'SQL');
CREATE ROLE c1; CREATE ROLE c2; CREATE ROLE c3; CREATE ROLE bystander;
GRANT c1 TO app; GRANT c2 TO c1; GRANT c3 TO c2; GRANT c1 TO bystander;
SQL
$server->sql("UPDATE pg_auth_members SET member = 'c3'::regrole WHERE roleid = 'c1'::regrole AND member = 'bystander'::regrole");
admitted({}, 'a cycle of memberships ends');
$server->label(role => { c3 => 'sslmode=require' });
refused({}, 'sslmode', 'a label in a cycle binds');
$server->sql('REVOKE c1 FROM app');

# 2
$server->sql(<<'SQL');
CREATE ROLE root SUPERUSER LOGIN; CREATE ROLE breakglass LOGIN; CREATE ROLE trap;
GRANT trap TO root, breakglass, app;
CREATE DATABASE db1;
SQL
$server->label(role => { trap => 'sslmode=reject' }, database => { db1 => 'sslmode=reject' });
admitted({ user => 'root' }, 'a superuser is not bound by groups');
admitted({ user => 'root', db => 'db1' }, 'a superuser is not bound by databases');
refused({ user => 'breakglass' }, 'sslmode', 'others are bound by groups');
refused({ user => 'breakglass', db => 'db1' }, 'sslmode', 'others are bound by databases');
$server->set('sslpolicy.reserved_roles' => 'breakglass');
admitted({ user => 'breakglass' }, 'a reserved role is not bound by groups');
admitted({ user => 'breakglass', db => 'db1' }, 'a reserved role is not bound by databases');
refused({ user => 'app' }, 'sslmode', 'a role that is not reserved still is');
$server->label(role => { root => 'sslmode=require', breakglass => 'sslmode=require' });
refused({ user => 'root' }, 'sslmode', 'its own label binds a superuser');
refused({ user => 'breakglass' }, 'sslmode', 'its own label binds a reserved role');
$server->label(role => { root => undef, breakglass => undef });
$server->set('sslpolicy.default_policy' => 'sslmode=require');
refused({ user => 'root' }, 'sslmode', 'the default policy binds a superuser');
refused({ user => 'breakglass' }, 'sslmode', 'the default policy binds a reserved role');
$server->set('sslpolicy.default_policy' => undef, 'sslpolicy.minimum_policy' => 'sslmode=require');
refused({ user => 'root' }, 'sslmode', 'the minimum policy binds a superuser');
refused({ user => 'breakglass' }, 'sslmode', 'the minimum policy binds a reserved role');
admitted({ user => 'root', host => 'local', sslmode => 'prefer' }, 'through the Unix socket the superuser comes in all the same');
$server->set('sslpolicy.minimum_policy' => undef, 'sslpolicy.reserved_roles' => undef);
$server->sql('REVOKE trap FROM app');

# 3
SKIP:
{
	skip 'grants have no options before 16', 4 if $version < 16;
	$server->sql('CREATE ROLE opt; CREATE ROLE m LOGIN');
	$server->label(role => { opt => 'sslmode=require' });
	for my $case (
		[ 'INHERIT TRUE, SET FALSE', 'sslmode' ],
		[ 'INHERIT FALSE, SET TRUE', 'sslmode' ],
		[ 'ADMIN TRUE, INHERIT FALSE, SET FALSE', 'in' ],
		[ 'INHERIT FALSE, SET FALSE', 'in' ])
	{
		my ($options, $expect) = @$case;
		$server->sql("REVOKE opt FROM m; GRANT opt TO m WITH $options");
		refused({ user => 'm' }, $expect, "membership with $options");
	}
}

# 4
$server->label(role => { app => 'sslmode=verify-full' }, database => { db1 => 'sslmode=require' });
$server->sql('ALTER ROLE app RENAME TO app2; ALTER DATABASE db1 RENAME TO db2');
refused({ user => 'app2' }, 'sslmode cn', 'a label follows its role through RENAME');
refused({ user => 'app2', sslmode => 'require', cert => 'app' }, 'cn', 'and asks for the new name');
$server->sql('CREATE ROLE app LOGIN; CREATE DATABASE db1');
admitted({}, 'a new role of the old name has no label');
admitted({ db => 'db1' }, 'a new database of the old name has no label');
refused({ db => 'db2' }, 'sslmode', 'the renamed database has it');
$server->sql('DROP ROLE app2; DROP DATABASE db2');
is($server->sql("SELECT count(*) FROM pg_shseclabel WHERE label IN ('sslmode=verify-full', 'sslmode=require') AND (classoid = 'pg_database'::regclass OR objoid NOT IN (SELECT oid FROM pg_authid))"),
	0, 'DROP takes the label along');
$server->sql('CREATE ROLE app2 LOGIN');
admitted({ user => 'app2' }, 'a new role of the dropped name has no label');

# 5
$server->sql('CREATE ROLE g LOGIN; GRANT g TO app');
$server->label(role => { g => 'sslmode=require' });
admitted({}, 'a LOGIN role does not bind its members');
refused({ user => 'g' }, 'sslmode', 'but itself');
$server->sql('ALTER ROLE g NOLOGIN');
refused({}, 'sslmode', 'as NOLOGIN it does');
$server->sql('REVOKE g FROM app');

# 6
$server->label(role => { app => 'sslmode=prefer' });
my $offset = $server->log_offset;
$server->sql("UPDATE pg_shseclabel SET label = 'sslmode=perfer' WHERE objoid = 'app'::regrole");
$result = refused({}, 'sslmode', 'a label that is not a policy denies');
like($result->{err}, qr/policy cannot be read/, 'the client learns that much');
unlike($result->{err}, qr/perfer/, 'and no more');
like($server->log_since($offset), qr/required: a policy that can be read: invalid value "perfer" for key "sslmode" \(policy of role "app"\)/,
	'the log says why');
$server->sql("UPDATE pg_shseclabel SET label = repeat('x', 5000) WHERE objoid = 'app'::regrole");
refused({}, 'sslmode', 'a label that is too long denies');
$server->label(role => { app => undef });
admitted({}, 'and can be removed');

unlike($server->log_since(0), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$server->stop;
done_testing();
