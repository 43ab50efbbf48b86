# A login reads the labels that it needs in the way that costs least: one by one, in
# ranges, or a whole catalog.  Whichever it is, the same policies bind.
#
# 1. members of many groups, made one after the other or far apart, at several depths,
#    with few labels and with many, in a catalog of labels that is mostly empty, with many
#    grants, and without system indexes: a login is refused by the same policies, in the
#    same order, and each is parsed as what it is; a recheck says the same
# 2. a label changed between two logins of one second binds the second one, in two
#    databases, by SECURITY LABEL, by COMMIT PREPARED, and written into the catalog itself
use strict;
use warnings;
use Test::More;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('labels', conf => "max_prepared_transactions = 2\nautovacuum = off\nsslpolicy.recheck_policy = log\n");
$server->start;

my %plain = (sslmode => 'disable');

# 1: groups near1 to near400 have oids 200001, ...; far1 to far400, 300000, 300100, ...; and
# some of those are members of groups, which are members of others
sub roles
{
	my ($name, $count, $first, $step) = @_;
	return <<"SQL";
INSERT INTO pg_authid (oid, rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls, rolconnlimit)
SELECT $first + i * $step, '$name' || i, false, true, false, false, false, false, false, -1 FROM generate_series(1, $count) i;
SQL
}

sub grant
{
	my ($role, $to, $condition) = @_;
	return "DO \$\$ BEGIN FOR i IN 1..400 LOOP IF $condition THEN EXECUTE format('GRANT %I TO %I', $role, $to); END IF; END LOOP; END \$\$;\n";
}

sub labels
{
	my ($name, $count, $condition, $label) = @_;
	return "INSERT INTO pg_shseclabel SELECT ('$name' || i)::regrole, 'pg_authid'::regclass, 'sslpolicy', $label FROM generate_series(1, $count) i WHERE $condition;\n";
}

$server->sql(join '',
	"CREATE EXTENSION sslpolicy; CREATE DATABASE db1; CREATE DATABASE db2;\n",
	map({ "CREATE ROLE \"$_\" LOGIN;\n" } qw(one near far both free)),
	"CREATE ROLE single;\n",
	roles(near => 400, 200000, 1), roles(far => 400, 300000, 100), roles(deep => 400, 400000, 7), roles(deeper => 400, 500000, 3),
	"GRANT single TO one;\n",
	grant("'near' || i", "'near'", 'true'),
	grant("'far' || i", "'far'", 'true'),
	grant("'near' || i", "'both'", 'i % 3 = 0'),
	grant("'far' || i", "'both'", 'i % 5 = 0'),
	grant("'deep' || i", "'far' || i", 'i % 4 <> 0'),
	grant("'deeper' || i", "'deep' || i", 'i % 6 = 1'));
# of equal policies some follow one another, some do not; one in three has LOGIN
$server->sql(join '',
	"SECURITY LABEL FOR sslpolicy ON ROLE single IS 'sslmode=require';\n",
	labels(near => 400, 'i < 60', q('sslmode=require')),
	labels(near => 400, 'i >= 60 AND i % 5 = 0', q('min_protocol=TLSv1.' || 1 + i % 3)),
	labels(near => 400, 'i = 399', q('sslmode=perfer')),
	labels(far => 400, 'i IN (1, 200, 400) OR i % 17 = 0', q('sslmode=' || CASE i % 3 WHEN 0 THEN 'require' WHEN 1 THEN 'prefer' ELSE 'verify-ca' END)),
	labels(deep => 400, 'i % 30 = 1', q('sslmode=require')),
	labels(deeper => 400, 'i % 18 = 1', q('sslmode=verify-full')),
	"UPDATE pg_authid SET rolcanlogin = true WHERE rolname IN ('near12', 'near65', 'far17', 'deep31');\n",
	"SECURITY LABEL FOR sslpolicy ON DATABASE db1 IS 'sslmode=require';\n");

# the groups whose policies refuse a session without TLS
sub expected
{
	my ($user) = @_;
	return [ sort split /\n/, $server->sql(<<"SQL") ];
WITH RECURSIVE groups AS (
	SELECT '$user'::regrole::oid AS role
	UNION SELECT roleid FROM groups JOIN pg_auth_members ON member = role)
SELECT DISTINCT rolname FROM groups JOIN pg_authid ON pg_authid.oid = role JOIN pg_shseclabel ON objoid = role AND provider = 'sslpolicy'
WHERE NOT rolcanlogin AND label <> 'sslmode=prefer';
SQL
}

# what a login without TLS is refused by, as the log has it
sub required
{
	my ($user, $db) = @_;
	my $offset = $server->log_offset;
	my $result = $server->login(%plain, user => $user, db => $db);
	return $result->{err} || 'in' if $result->{ok} || $result->{err} !~ /does not meet its TLS policy/;
	return $server->log_since($offset) =~ /; required: (.*)\.$/m ? $1 : 'nothing in the log';
}

my @users = qw(one near far both free);
my %first;
my %moments = (
	'1 few labels' => sub { },
	'2 many labels' => sub {
		$server->sql(roles(other => 30000, 600000, 1) . labels(other => 30000, 'true', q('sslmode=reject')));
	},
	'3 a catalog of labels that is mostly empty' => sub {
		$server->sql("DELETE FROM pg_shseclabel WHERE objoid >= 600000 AND objoid < 629999");
		$server->sql('VACUUM pg_shseclabel');
	},
	'4 many grants' => sub {
		$server->sql('GRANT near1 TO other1');
		$server->sql("INSERT INTO pg_auth_members SELECT (jsonb_populate_record(m, jsonb_build_object('member', (600000 + i)::text"
			  . ($server->sql("SELECT count(*) FROM pg_attribute WHERE attrelid = 'pg_auth_members'::regclass AND attname = 'oid'") ? ", 'oid', (700000 + i)::text" : '')
			  . "))).* FROM pg_auth_members m, generate_series(2, 20000) i WHERE m.member = 'other1'::regrole");
	},
	'5 without system indexes' => sub {
		$server->node->append_conf('postgresql.conf', 'ignore_system_indexes = on');
		$server->restart;
	});
for my $moment (sort keys %moments)
{
	$moments{$moment}->();
	for my $user (@users)
	{
		for my $db ('postgres', 'db1')
		{
			my $required = required($user, $db);
			my %named = map { $_ => 1 } $required =~ /\(policy of role "(\w+)"/g;
			my @groups = sort keys %named;
			is_deeply(\@groups, expected($user), "$moment: $user in $db: " . @groups . ' policies of groups')
			  or diag($required);
			is(scalar(() = $required =~ /policy of database "db1"/g), $db eq 'db1' ? 1 : 0, "$moment: $user in $db: the policy of the database");
			is($required, $first{$user}{$db} //= $required, "$moment: $user in $db: each as it was, in the same order");
		}
	}
}
$server->node->append_conf('postgresql.conf', 'ignore_system_indexes = off');
$server->restart;

# a recheck reads what live sessions need: the same policies
$server->set('sslpolicy.enforcement' => 'log');
my %held = map { $_ => $server->background(%plain, user => $_, db => 'db1') } @users;
my %pid = map { $_ => scalar $held{$_}->query('SELECT pg_backend_pid()') } @users;
for my $user (@users)
{
	my $reasons = $server->sql("SELECT array_to_string(reasons, ', ') FROM sslpolicy.recheck(dry_run => true) WHERE pid = $pid{$user}");
	is($reasons, $first{$user}{db1}, "a recheck of a session of $user says what the login said");
}
$_->quit for values %held;
$server->set('sslpolicy.enforcement' => undef);

# 2
$server->sql('CREATE ROLE app LOGIN');
my $label = 'SECURITY LABEL FOR sslpolicy ON ROLE app IS';
my $row = q('app'::regrole, 'pg_authid'::regclass, 'sslpolicy');
my $where = q(objoid = 'app'::regrole AND classoid = 'pg_authid'::regclass AND provider = 'sslpolicy');
my @changes = (
	[ 'a label', 'db1', "$label 'sslmode=reject'", '' ],
	[ 'its removal', 'db2', "$label NULL", 1 ],
	[ 'a prepared label', 'db1', "BEGIN; $label 'sslmode=require'; PREPARE TRANSACTION 'p'", 1 ],
	[ 'COMMIT PREPARED', 'db1', "COMMIT PREPARED 'p'", '' ],
	[ 'another label', 'db2', "$label 'sslmode=prefer'", 1 ],
	[ 'a row changed by hand', 'db1', "UPDATE pg_shseclabel SET label = 'sslmode=reject' WHERE $where", '' ],
	[ 'a row deleted by hand', 'db2', "DELETE FROM pg_shseclabel WHERE $where", 1 ],
	[ 'a row inserted by hand', 'db1', "INSERT INTO pg_shseclabel VALUES ($row, 'sslmode=verify-ca')", '' ],
	[ 'one that cannot be read', 'db2', "UPDATE pg_shseclabel SET label = 'sslmode=perfer' WHERE $where", '' ],
	[ 'a label instead', 'db1', "$label 'sslmode=prefer'", 1 ]);
$server->label(database => { db1 => undef });
for my $change (@changes)
{
	my ($name, $db, $sql, $in) = @$change;
	$server->login(%plain, db => $_) for qw(db1 db2);
	$server->sql($sql, $db);
	is($server->login(%plain, db => $_)->{ok} ? 1 : '', $in, "$name, from $db: the next login to $_") for qw(db1 db2);
}
$server->stop;
done_testing();
