# Policies on a hot standby, which has them through WAL.
#
# 1. the standby itself streams through TLS, under a policy of its role
# 2. the first logins after the standby has started, before there is a relcache
#    init file, meet the labels of role, group and database
# 3. a label set, changed or removed on the primary, in a transaction, by
#    COMMIT PREPARED or rolled back, or written into the catalog itself, is in force on
#    the standby once replayed, without a restart and without a reload
# 4. RENAME, DROP ROLE, GRANT and REVOKE on the primary, likewise
# 5. nothing can be set on the standby, and core says why; its settings are its
#    own
# 6. sslpolicy.policies and sslpolicy.sessions work on the standby
# 7. after promotion the policies are still in force, and can be changed
use strict;
use warnings;
use Test::More;
use SSLPolicy::Server;

my $primary = SSLPolicy::Server->new(
	'primary',
	init => { allows_streaming => 1 },
	conf => "max_prepared_transactions = 2\n");
my $certs = $primary->certs;
$certs->client('app', issuer => 'root', subject => '/CN=app');
$certs->client($_, issuer => 'root', subject => "/CN=$_", key_name => 'app') for qw(bob rep);
$primary->start;
$primary->sql(<<'SQL');
CREATE EXTENSION sslpolicy;
CREATE ROLE rep LOGIN REPLICATION; CREATE ROLE app LOGIN; CREATE ROLE member LOGIN;
CREATE ROLE plain LOGIN; CREATE ROLE gone LOGIN;
CREATE ROLE grp; CREATE ROLE grp2; GRANT grp TO member;
CREATE DATABASE db1;
SQL
$primary->label(
	role => {
		rep => 'sslmode=verify-full',
		app => 'sslmode=verify-full',
		grp => 'sslmode=require'
	},
	database => { db1 => 'min_protocol=TLSv1.3' });

my $standby = $primary->standby('standby');
my $upstream = $primary->conninfo(user => 'rep', cert => 'rep', db => 'replication') =~ s/'/''/gr;
$standby->node->append_conf('postgresql.conf', "primary_conninfo = '$upstream'");

my %plain = (sslmode => 'disable');
my %tls = (sslmode => 'require');
my %tls12 = (%tls, extra => 'ssl_max_protocol_version=TLSv1.2');

# A login to the standby, and what should come of it.
sub check
{
	my ($name, $to, $expect) = @_;
	my $result = $standby->login(%$to);
	is($result->{ok} ? 'in' : $result->{failed}, $expect, $name) or diag($result->{err});
	return;
}

# SQL on the primary, replayed on the standby when this returns.
sub replay
{
	my ($sql) = @_;
	$primary->sql($sql);
	$primary->node->wait_for_catchup($standby->node);
	return;
}

sub label_and_replay
{
	$primary->label(@_);
	$primary->node->wait_for_catchup($standby->node);
	return;
}

# 1, 2
$standby->start;
my $init_file = $standby->node->data_dir . '/global/pg_internal.init';
ok(!-e $init_file, 'a fresh standby has no relcache init file');
check('first login of all: wrong certificate', { cert => 'bob' }, 'cn');
check('first logins: group', { user => 'member', %plain }, 'sslmode');
check('first logins: database', { user => 'plain', db => 'db1', %tls12 }, 'min_protocol');
ok(!-e $init_file, 'logins that were refused have not made the file');
check('first login that is let in', { cert => 'app' }, 'in');
ok(-e $init_file, 'which makes the file');
check('with the file: wrong certificate', { cert => 'bob' }, 'cn');
check('with the file: group', { user => 'member', %plain }, 'sslmode');
check('with the file: database', { user => 'plain', db => 'db1', %tls12 }, 'min_protocol');
check('no label', { user => 'plain', %plain }, 'in');

$primary->node->wait_for_catchup($standby->node);
is($primary->sql("SELECT usename, client_dn, verified, datname FROM sslpolicy.sessions WHERE usename = 'rep'"),
	'rep|CN=rep|t|', 'the standby streams through TLS, with its certificate');

# 3
label_and_replay(role => { plain => 'sslmode=require' });
check('label set', { user => 'plain', %plain }, 'sslmode');
check('label set, and met', { user => 'plain', %tls }, 'in');
label_and_replay(role => { plain => 'sslmode=verify-ca' });
check('label changed', { user => 'plain', %tls }, 'sslmode');
label_and_replay(role => { plain => undef });
check('label removed', { user => 'plain', %plain }, 'in');
label_and_replay(database => { db1 => 'sslmode=require' });
check('label of a database changed', { user => 'plain', db => 'db1', %tls12 }, 'in');
label_and_replay(database => { db1 => undef });
check('label of a database removed', { user => 'plain', db => 'db1', %plain }, 'in');

replay("BEGIN; SECURITY LABEL FOR sslpolicy ON ROLE plain IS 'sslmode=reject'; ROLLBACK");
check('label rolled back', { user => 'plain', %plain }, 'in');
replay("BEGIN; SECURITY LABEL FOR sslpolicy ON ROLE plain IS 'sslmode=require'; PREPARE TRANSACTION 'p'");
check('label in a prepared transaction', { user => 'plain', %plain }, 'in');
replay("COMMIT PREPARED 'p'");
check('label after COMMIT PREPARED', { user => 'plain', %plain }, 'sslmode');
my $row = q(objoid = 'plain'::regrole AND provider = 'sslpolicy');
replay("UPDATE pg_shseclabel SET label = 'sslmode=prefer' WHERE $row");
check('label changed in the catalog itself', { user => 'plain', %plain }, 'in');
replay("DELETE FROM pg_shseclabel WHERE $row; INSERT INTO pg_shseclabel VALUES ('plain'::regrole, 'pg_authid'::regclass, 'sslpolicy', 'sslmode=require')");
check('label inserted into the catalog itself', { user => 'plain', %plain }, 'sslmode');

# 4
replay('ALTER ROLE plain RENAME TO simple');
check('role renamed', { user => 'simple', %plain }, 'sslmode');
like($standby->login(user => 'plain', %tls)->{err}, qr/role "plain" does not exist/,
	'the old name is gone');
replay('CREATE ROLE plain LOGIN');
check('a new role of the old name has no label', { user => 'plain', %plain }, 'in');
label_and_replay(database => { db1 => 'sslmode=require' });
replay('ALTER DATABASE db1 RENAME TO db2');
check('database renamed', { user => 'plain', db => 'db2', %plain }, 'sslmode');
label_and_replay(role => { gone => 'sslmode=reject' });
check('role to be dropped', { user => 'gone', %plain }, 'sslmode');
replay('DROP ROLE gone');
like($standby->login(user => 'gone', %plain)->{err}, qr/role "gone" does not exist/, 'role dropped');
is($standby->sql("SELECT count(*) FROM sslpolicy.policies WHERE object_name = 'gone'"), 0,
	'its label went with it');
replay('GRANT grp TO grp2; GRANT grp2 TO plain');
check('member by GRANT', { user => 'plain', %plain }, 'sslmode');
replay('REVOKE grp2 FROM plain');
check('member no more by REVOKE', { user => 'plain', %plain }, 'in');

# 5
for my $statement (
	"SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=prefer'",
	'SECURITY LABEL FOR sslpolicy ON ROLE app IS NULL',
	"SELECT sslpolicy.set_policy('app', 'sslmode=prefer')",
	"SELECT sslpolicy.set_database_policy('db2', NULL)")
{
	my ($status, undef, $err) =
	  $standby->node->psql('postgres', "\\set VERBOSITY verbose\n$statement;");
	is($status, 3, "on the standby, $statement fails");
	like($err, qr/ERROR:  25006: cannot execute SECURITY LABEL (?:during recovery|in a read-only transaction)/,
		'with the error of core');
}
check('and the label is still in force', { cert => 'bob' }, 'cn');
$standby->set('sslpolicy.minimum_policy' => 'min_protocol=TLSv1.3');
check('a setting of the standby is in force there', { user => 'plain', %tls12 }, 'min_protocol');
ok($primary->login(user => 'plain', %tls12)->{ok}, 'and not on the primary');
$standby->set('sslpolicy.minimum_policy' => undef);

# 6
my $policies = 'SELECT * FROM sslpolicy.policies ORDER BY 1, 2, 3';
my $expected = $primary->sql($policies);
is($standby->sql($policies), $expected, 'sslpolicy.policies says the same as on the primary');
like($expected, qr/^role\|simple\|.*\bsslmode=require\b/m, 'which is not empty');
is( $standby->login(
		cert => 'app',
		sql => 'SELECT usename, datname, client_dn, auth_method, compliant FROM sslpolicy.sessions WHERE pid = pg_backend_pid()'
	)->{out},
	'app|postgres|CN=app|trust|t', 'sslpolicy.sessions shows a session on the standby');
is($standby->sql('SELECT count(*) FROM sslpolicy.sessions s LEFT JOIN pg_stat_activity a USING (pid) WHERE a.pid IS NULL'),
	0, 'and none that is not there');

# 7
my $kept = $standby->background(user => 'app', cert => 'app');
$primary->stop;
$standby->node->promote;
$standby->node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
check('promoted: wrong certificate', { cert => 'bob' }, 'cn');
check('promoted: right certificate', { cert => 'app' }, 'in');
check('promoted: group', { user => 'member', %plain }, 'sslmode');
check('promoted: database', { user => 'plain', db => 'db2', %plain }, 'sslmode');
is($kept->query('SELECT usename, compliant FROM sslpolicy.sessions WHERE pid = pg_backend_pid()'),
	'app|t', 'a session lives through the promotion, and is still shown');
$kept->quit;
is($standby->sql($policies), $expected, 'promoted: the same policies');
$standby->label(role => { app => 'sslmode=require', plain => 'sslmode=reject' }, database => { db2 => undef });
check('promoted: label changed', { cert => 'bob' }, 'in');
check('promoted: label set', { user => 'plain', %tls }, 'sslmode');
$standby->sql("SELECT sslpolicy.set_policy('plain', NULL)");
check('promoted: label removed by set_policy', { user => 'plain', %plain }, 'in');
$standby->restart;
check('promoted, restarted: label changed', { %plain }, 'sslmode');

$standby->stop;
done_testing();
