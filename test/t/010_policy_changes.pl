# Changing policies.
#
# 1. a label binds from its commit on, and not before; ROLLBACK, ROLLBACK TO
#    and an error leave the old one; PREPARE binds at COMMIT PREPARED
# 2. one LOG line for each change, at commit and only then: object, old, new,
#    by whom, from where; it stays one line whatever the policy holds
# 3. set_policy and set_database_policy refuse what would refuse the caller's
#    own connection, unless forced; whatever the enforcement
# 4. a grantee acts on their own roles and databases only, through the real
#    SECURITY LABEL statement, and is the one whom the log names
# 5. changes that race with each other and with logins
# 6. no message of a change can end a session, or more, at its commit
# 7. the log names the object by the name under which the change is committed
# 8. predefined roles
# 9. each change of the regression test of that name, in order, and nothing else
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('policy_changes', conf => "max_prepared_transactions = 5\nlog_statement = ddl\n");
$server->certs->client($_, issuer => 'root', subject => "/CN=$_") for qw(app dba);
$server->start;
$server->sql(<<'SQL');
CREATE EXTENSION sslpolicy;
CREATE ROLE app LOGIN; CREATE ROLE dba LOGIN CREATEROLE; CREATE ROLE nobody LOGIN; CREATE ROLE stranger;
CREATE ROLE boss SUPERUSER LOGIN;
GRANT app TO dba WITH ADMIN OPTION;
GRANT EXECUTE ON FUNCTION sslpolicy.set_policy, sslpolicy.set_database_policy TO dba, nobody;
CREATE DATABASE owned OWNER dba;
SQL

my %plain = (sslmode => 'disable');
sub in { return $server->login(%plain, @_)->{ok} }

# what the log says of policy changes since an offset
sub changes
{
	my ($offset) = @_;
	return [ map { s/ \((?:role|database) OID \d+\)//r } $server->log_since($offset) =~ /LOG:  (TLS policy of .*)/g ];
}

# 1 and 2
my $label = 'SECURITY LABEL FOR sslpolicy ON ROLE app IS';
my $offset = $server->log_offset;
$server->sql("BEGIN; $label 'sslmode=reject'; ROLLBACK");
ok(in(), 'a label that rolled back does not bind');
is_deeply(changes($offset), [], 'and is not logged');

$offset = $server->log_offset;
$server->sql("BEGIN; $label 'sslmode=prefer'; SAVEPOINT a; $label 'sslmode=reject'; SAVEPOINT b; $label 'sslmode=disable'; RELEASE b; ROLLBACK TO a; COMMIT");
ok(in(), 'a label that rolled back to a savepoint does not bind');
is_deeply(changes($offset), ['TLS policy of role "app" changed by user "' . $server->sql('SELECT current_user') . '" from [local]: was none, is [sslmode=prefer]'],
	'and only the other one is logged');

$offset = $server->log_offset;
$server->sql("BEGIN; SAVEPOINT a; $label 'sslmode=require'; RELEASE a; COMMIT");
ok(!in(), 'a label of a released savepoint binds');
like(changes($offset)->[0], qr/was \[sslmode=prefer\], is \[sslmode=require\]$/, 'and is logged with old and new');

$offset = $server->log_offset;
$server->sql("BEGIN; $label 'sslmode=reject'; PREPARE TRANSACTION 'p'");
ok(!in() && in(sslmode => 'require'), 'a prepared label does not bind yet');
like(changes($offset)->[0], qr/is \[sslmode=reject\] \(in a prepared transaction, effective when that commits\)$/, 'it is logged as prepared');
$server->sql("COMMIT PREPARED 'p'");
ok(!in(sslmode => 'require'), 'at COMMIT PREPARED it binds');
$server->sql("BEGIN; $label NULL; PREPARE TRANSACTION 'p'; ROLLBACK PREPARED 'p'");
ok(!in(sslmode => 'require'), 'ROLLBACK PREPARED leaves the old one');

$offset = $server->log_offset;
$server->sql("$label NULL");
is(changes($offset)->[0] =~ s/.*: //r, 'was [sslmode=reject], is none', 'removal is logged');
$offset = $server->log_offset;
$server->sql("$label NULL");
is_deeply(changes($offset), [], 'removal of nothing is not');

$server->sql("BEGIN; $label NULL; SAVEPOINT a; $label 'sslmode=reject'; ROLLBACK TO a; COMMIT");
ok(in(), 'nor does it get in the way of a savepoint');
$offset = $server->log_offset;
$server->sql("$label E'cn=''x\nLOG:  forged'''");
is(changes($offset)->[0] =~ s/.*?: //r, q(was none, is [cn='x\0ALOG:  forged']), 'a policy cannot forge a log line');
$server->sql("$label NULL");

$offset = $server->log_offset;
$server->sql("SECURITY LABEL FOR sslpolicy ON DATABASE owned IS 'sslmode=require'; SECURITY LABEL FOR sslpolicy ON DATABASE owned IS NULL");
is(scalar(@{ changes($offset) }), 2, 'databases are logged as well');
like(changes($offset)->[0], qr/^TLS policy of database "owned" changed/, 'by name');

# 3
my %dba = (user => 'dba', sslmode => 'require', cert => 'dba');
my $result = $server->login(%dba, sql => "SELECT sslpolicy.set_database_policy('owned', 'sslmode=reject')");
ok($result->{ok}, 'a policy of another database does not concern the caller') or diag($result->{err});
$result = $server->login(%dba, db => 'postgres', sql => "SELECT sslpolicy.set_database_policy('owned', NULL)");
ok($result->{ok}, 'and can be removed');
my %owned = (%dba, db => 'owned');
$server->sql('CREATE EXTENSION sslpolicy; GRANT EXECUTE ON FUNCTION sslpolicy.set_policy, sslpolicy.set_database_policy TO dba', 'owned');
$result = $server->login(%owned, sql => "SELECT sslpolicy.set_database_policy('owned', 'sslmode=reject')");
like($result->{err}, qr/own connection would be refused\nDETAIL:  Not met: sslmode \(no connection is accepted\)\.\nHINT:  .*force => true/, 'what would refuse the caller is refused');
ok($server->login(%owned)->{ok}, 'and not set');
$result = $server->login(%owned, sql => "SELECT sslpolicy.set_database_policy('owned', 'sslmode=reject', force => true)");
ok($result->{ok}, 'unless forced');
ok(!$server->login(%owned)->{ok}, 'then it is set');
$server->sql("SECURITY LABEL FOR sslpolicy ON DATABASE owned IS NULL");
$server->set('sslpolicy.enforcement' => 'log');
$result = $server->login(%owned, sql => "SELECT sslpolicy.set_database_policy('owned', 'sslmode=disable')");
like($result->{err}, qr/own connection would be refused/, 'also where it is not enforced now');
$server->set('sslpolicy.enforcement' => undef, 'sslpolicy.default_policy' => 'sslmode=reject');
$server->label(role => { boss => 'sslmode=require' });
$result = $server->login(user => 'boss', sslmode => 'require', sql => "SELECT sslpolicy.set_policy('boss', NULL)");
like($result->{err}, qr/own connection would be refused/, 'removal that brings in a stricter default policy is refused as well');
$server->set('sslpolicy.default_policy' => undef);
$result = $server->login(user => 'boss', sslmode => 'require', sql => "SELECT sslpolicy.set_policy('boss', 'sslmode=verify-full')");
like($result->{err}, qr/Not met: sslmode \(the client presented no certificate\), cn\./, 'a superuser is asked as well');
$result = $server->login(user => 'boss', host => 'local', sslmode => 'prefer', sql => "SELECT sslpolicy.set_policy('boss', 'sslmode=verify-full')");
ok($result->{ok}, 'who comes through the Unix socket is not concerned');
$server->label(role => { boss => undef });

# 4
$offset = $server->log_offset;
$result = $server->login(%dba, sql => "SELECT sslpolicy.set_policy('app', 'cn=app')");
ok($result->{ok}, 'a grantee sets the policy of a role of theirs') or diag($result->{err});
like(changes($offset)->[0], qr/^TLS policy of role "app" changed by user "dba" from 127\.0\.0\.1: was none, is \[cn=app\]$/, 'the log names them and their address');
ok(!in() && in(sslmode => 'require', cert => 'app'), 'it is enforced');
for my $case (
	[ nobody => "set_policy('app', NULL)", qr/permission denied to set the TLS policy of role "app"/, 'without the right on the role' ],
	[ dba => "set_policy('boss', NULL)", qr/Only superusers set the policy of a superuser/, 'on a superuser' ],
	[ dba => "set_policy('pg_monitor', 'sslmode=reject')", qr/Only superusers set the policy of a predefined role/, 'on a predefined role' ],
	[ dba => "set_database_policy('postgres', 'sslmode=reject')", qr/You must own the database/, 'on a database of others' ],
	[ nobody => "set_database_policy('owned', 'sslmode=reject')", qr/You must own the database/, 'on a database of others, with EXECUTE' ],
	[ app => "set_policy('app', NULL)", qr/permission denied for function set_policy/, 'without EXECUTE' ])
{
	my ($user, $call, $error, $name) = @$case;
	$result = $server->login(user => $user, sslmode => 'require', cert => 'app', sql => "SELECT sslpolicy.$call");
	like($result->{err}, $error, "refused $name");
}
$server->set('sslpolicy.reserved_roles' => 'app');
$result = $server->login(%dba, sql => "SELECT sslpolicy.set_policy('app', NULL)");
like($result->{err}, qr/one of sslpolicy\.reserved_roles/, 'refused on a reserved role');
$server->set('sslpolicy.reserved_roles' => undef);
$result = $server->login(%dba, sql => "$label NULL");
like($result->{err}, qr/must be superuser to set a TLS policy with SECURITY LABEL/, 'SECURITY LABEL itself is for superusers');
$result = $server->login(%dba, sql => q(SELECT sslpolicy.set_policy('app', 'cn=x'); SELECT current_user; SELECT pg_reload_conf()));
like($result->{err}, qr/permission denied for function pg_reload_conf/, 'the superuser rights of set_policy end with it');
$result = $server->login(%dba, sql => q(DO $$ BEGIN PERFORM sslpolicy.set_policy('app', 'cn='); EXCEPTION WHEN OTHERS THEN NULL; END $$; SELECT current_user, current_setting('is_superuser')));
is($result->{out}, 'dba|off', 'also when it fails');

# 5
$server->label(role => { app => 'sslmode=prefer' });
my @children;
for my $n (1 .. 3)
{
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		# setters and a login loop; _exit, so that the server is not stopped here
		my $bad = 0;
		for my $i (1 .. 15)
		{
			if ($n < 3)
			{
				$server->node->psql('postgres', "$label 'sslmode=prefer cipher=TLS_AES_256_GCM_SHA384'" =~ s/prefer cipher/require cipher/r);
			}
			else
			{
				my $r = $server->login(sslmode => 'require');
				$bad++ unless $r->{ok};
			}
		}
		require POSIX;
		POSIX::_exit($bad ? 1 : 0);
	}
	push @children, $pid;
}
my $bad = 0;
for my $pid (@children) { waitpid $pid, 0; $bad++ if $? }
is($bad, 0, 'logins go on while policies change, and each meets the old or the new one');
is($server->sql("SELECT count(*) FROM pg_shseclabel WHERE objoid = 'app'::regrole"), 1, 'one label is left');

unlike($server->log_since(0), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');

# 6. A client that wants to see the log, in an encoding that cannot express the line;
# the new policy and a name have the letter in question.
my $up = $server->sql('SELECT pg_postmaster_start_time()');
$server->sql(q{DROP TABLE IF EXISTS kept; CREATE TABLE kept (i int); GRANT ALL ON kept TO PUBLIC; CREATE ROLE wide LOGIN; GRANT wide TO dba WITH ADMIN OPTION});
my $encoding = 'SET client_min_messages = debug5; SET client_encoding = LATIN1;';
my %wide = (
	'set_policy()' => [ 'dba', q{SELECT sslpolicy.set_policy('wide', U&'cn=\20AC')} ],
	'SECURITY LABEL' => [ 'boss', q{SECURITY LABEL FOR sslpolicy ON ROLE wide IS U&'cn=\20AC'} ],
	'set_database_policy()' => [ 'dba', q{SELECT sslpolicy.set_database_policy('owned', U&'issuer=''CN=\20AC''')} ],
	'DROP ROLE' => [ 'dba', q{DROP ROLE U&"\20AC"}, q{CREATE ROLE "€"; GRANT "€" TO dba WITH ADMIN OPTION; SECURITY LABEL FOR sslpolicy ON ROLE "€" IS 'sslmode=prefer'} ],
	'DROP DATABASE' => [ 'dba', q{DROP DATABASE U&"\20AC"}, 'CREATE DATABASE "€" OWNER dba', q{SECURITY LABEL FOR sslpolicy ON DATABASE "€" IS 'sslmode=prefer'} ]);
for my $what (sort keys %wide)
{
	my ($user, $sql, @before) = @{ $wide{$what} };
	$server->sql($_) for @before;
	$offset = $server->log_offset;
	if ($what eq 'DROP DATABASE')
	{
		$server->login(%plain, user => $user, sql => $sql, extra => "client_encoding=LATIN1 options='-c client_min_messages=debug5'");
	}
	else
	{
		$server->login(%plain, user => $user, sql => "BEGIN;\n$encoding\nINSERT INTO kept VALUES (1);\n$sql;\nCOMMIT");
	}
	is(scalar @{ changes($offset) }, 1, "$what, by a client that cannot read the line: it is logged");
	next if $what eq 'DROP DATABASE' || $what eq 'SECURITY LABEL';
	$server->sql($_) for map { /^CREATE ROLE/ ? $_ : () } @before;
	my $name = $what =~ s/\W+/_/gr;
	$offset = $server->log_offset;
	$server->login(%plain, user => $user, sql => "BEGIN;\nINSERT INTO kept VALUES (2);\n" . ($sql =~ s/(cn|issuer)=/sslmode=verify-full $1=/r) . ";\n$encoding\nPREPARE TRANSACTION '$name'");
	is($server->sql("SELECT count(*) FROM pg_prepared_xacts WHERE gid = '$name'"), 1, "$what: it can be prepared");
	$server->sql("COMMIT PREPARED '$name'");
	is(scalar @{ changes($offset) }, 1, 'and is logged once');
}
is($server->sql('SELECT count(*) FILTER (WHERE i = 1), count(*) FILTER (WHERE i = 2) FROM kept'), '4|3', 'no row of any of them is lost');
is($server->sql('SELECT pg_postmaster_start_time()'), $up, 'the server is the same');
unlike($server->log_since(0), qr/PANIC|reinitializing/, 'and nothing has crashed');

# 7
$server->sql('CREATE ROLE decoy LOGIN; GRANT decoy TO dba WITH ADMIN OPTION');
$server->label(role => { app => 'sslmode=prefer' });
my $oid = $server->sql(q{SELECT 'app'::regrole::oid});
for my $to ('NULL', q{'sslmode=prefer'})
{
	$offset = $server->log_offset;
	ok($server->login(%plain, user => 'dba', sql => "BEGIN; ALTER ROLE decoy RENAME TO x1; ALTER ROLE app RENAME TO decoy; SELECT sslpolicy.set_policy('decoy', $to); ALTER ROLE decoy RENAME TO app; ALTER ROLE x1 RENAME TO decoy; COMMIT")->{ok}, 'names that change within a transaction');
	like(changes($offset)->[0], qr/^TLS policy of role "app" changed by user "dba" /, 'the log has the one that is committed');
	like($server->log_since($offset), qr/is .* \(role OID $oid\)$/m, 'and the OID');
}
$offset = $server->log_offset;
$server->login(%plain, user => 'dba', sql => "BEGIN; ALTER ROLE decoy RENAME TO x1; ALTER ROLE app RENAME TO decoy; DROP ROLE decoy; ALTER ROLE x1 RENAME TO app; COMMIT");
like($server->log_since($offset), qr/TLS policy of role .* is none \(role OID $oid\)$/m, 'one that is dropped can be told by it');
is($server->sql(q{SELECT count(*) FROM sslpolicy.policies WHERE object_name IN ('app', 'decoy')}), 0, 'it has gone');

# 8
my ($code, $out, $err) = $server->node->psql('postgres', q{SECURITY LABEL FOR sslpolicy ON ROLE pg_database_owner IS 'sslmode=reject'});
like($err, qr/ERROR:  a TLS policy of role "pg_database_owner" would bind nobody/, 'pg_database_owner has no policy');
($code, $out, $err) = $server->node->psql('postgres', q{SELECT sslpolicy.set_policy('pg_database_owner', 'sslmode=reject')});
like($err, qr/ERROR:  a TLS policy of role "pg_database_owner" would bind nobody/, 'set_policy() says the same');
$server->sql('SECURITY LABEL FOR sslpolicy ON ROLE pg_database_owner IS NULL');
for my $role (qw(pg_monitor pg_read_all_data))
{
	($code, $out, $err) = $server->node->psql('postgres', "SECURITY LABEL FOR sslpolicy ON ROLE $role IS 'sslmode=prefer'");
	like($err, qr/WARNING:  the TLS policy of role "$role" gets lost in pg_dumpall and pg_upgrade/, "of $role it is warned");
	is($code, 0, 'but it is set');
	($code, $out, $err) = $server->node->psql('postgres', "SECURITY LABEL FOR sslpolicy ON ROLE $role IS NULL");
	is($err, '', 'and goes without a word');
}

# 9
$server->sql('CREATE DATABASE audit');
$offset = $server->log_offset;
$server->node->psql('audit', slurp_file('sql/audit.sql'), on_error_stop => 0);
is(join("\n", grep { / changed by / } @{ changes($offset) }), <<'LINES' =~ s/\n$//r =~ s/user "postgres"/'user "' . $server->sql('SELECT current_user') . '"'/er, 'all lines');
TLS policy of role "regress_sslpolicy_app" changed by user "regress_sslpolicy_super" from [local]: was none, is [sslmode=require]
TLS policy of role "regress_sslpolicy_app" changed by user "regress_sslpolicy_super" from [local]: was [sslmode=require], is [min_protocol=TLSv1.3]
TLS policy of role "regress_sslpolicy_app" changed by user "regress_sslpolicy_super" from [local]: was [min_protocol=TLSv1.3], is [min_protocol=TLSv1.3]
TLS policy of role "regress_sslpolicy_app" changed by user "regress_sslpolicy_super" from [local]: was [min_protocol=TLSv1.3], is none
TLS policy of database "regress_sslpolicy_db" changed by user "regress_sslpolicy_super" from [local]: was none, is [sslmode=require]
TLS policy of database "regress_sslpolicy_db" changed by user "regress_sslpolicy_super" from [local]: was [sslmode=require], is none
TLS policy of role "regress_sslpolicy \22quoted\22" changed by user "regress_sslpolicy_super" from [local]: was none, is [sslmode=verify-full\0A\09cn='a\0ALOG:  TLS policy of nobody\0D']
TLS policy of role "regress_sslpolicy \22quoted\22" changed by user "regress_sslpolicy_super" from [local]: was [sslmode=verify-full\0A\09cn='a\0ALOG:  TLS policy of nobody\0D'], is none
TLS policy of role "regress_sslpolicy_app" changed by user "regress_sslpolicy_dba" from [local]: was none, is [sslmode=require]
TLS policy of database "regress_sslpolicy_db" changed by user "regress_sslpolicy_dba" from [local]: was none, is [sslmode=prefer]
TLS policy of role "regress_sslpolicy_app" changed by user "regress_sslpolicy_dba" from [local]: was [sslmode=require], is none
TLS policy of database "regress_sslpolicy_db" changed by user "regress_sslpolicy_dba" from [local]: was [sslmode=prefer], is none
TLS policy of role "regress_sslpolicy_app" changed by user "regress_sslpolicy_super" from [local]: was none, is [sslmode=require]
TLS policy of role "regress_sslpolicy_app" changed by user "regress_sslpolicy_super" from [local]: was [sslmode=require], is [sslmode=verify-ca]
TLS policy of role "regress_sslpolicy_app" changed by user "regress_sslpolicy_super" from [local]: was [sslmode=verify-ca], is [sslmode=cert]
TLS policy of database "regress_sslpolicy_db" changed by user "regress_sslpolicy_super" from [local]: was none, is [sslmode=require]
TLS policy of role "regress_sslpolicy_app" changed by user "regress_sslpolicy_super" from [local]: was [sslmode=cert], is [sslmode=allow]
TLS policy of role "regress_sslpolicy_app" changed by user "regress_sslpolicy_super" from [local]: was [sslmode=allow], is none
TLS policy of database "regress_sslpolicy_db" changed by user "postgres" from [local]: was [sslmode=require], is none
LINES
$server->stop;
done_testing();
