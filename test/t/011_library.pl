# The library itself: where it is loaded, how often, and by what kind of server.
#
# 1. not preloaded: nothing is enforced; connection() works over TLS; what
#    needs preloading raises 55000 and says so, also with
#    session_preload_libraries = 'sslpolicy'
# 2. a function that is declared with other columns than the library returns
#    raises 55000
# 3. shared_preload_libraries = 'sslpolicy, sslpolicy': once is enough
# 4. a copy under another name preloaded as well: one warning, one enforcement
#    preloaded by a path that dynamic_library_path does not lead to: the workers run; the file
#    goes away: they are not started again and again
# 5. a copy loaded into a session beside the preloaded one: 55000
# 6. binary upgrade mode: labels can be set and are kept, nothing is enforced
# 7. single-user mode: a way out when everybody is locked out
use strict;
use warnings;
use File::Copy qw(copy);
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('library', preload => '');
my $node = $server->node;
my $app = $server->certs->client('app', issuer => 'root', subject => '/CN=app', san => ['dns:app']);
my %plain = (sslmode => 'disable');
$server->start;

# The library's file, as the server finds it.
sub library_file
{
	my ($default) = run_command([ $ENV{PG_CONFIG} // 'pg_config', '--pkglibdir' ]);
	for my $folder (split /:/, $server->sql('SHOW dynamic_library_path'))
	{
		$folder =~ s/^\$libdir/$default/;
		return "$folder/sslpolicy.so" if -e "$folder/sslpolicy.so";
	}
	die 'the library is not installed';
}

my $copy = PostgreSQL::Test::Utils::tempdir('library') . '/another.so';
copy(library_file(), $copy) or die "$copy: $!";
chmod 0755, $copy;

# The error of a statement, with its code.
sub psql_error
{
	my ($sql, $db) = @_;
	my (undef, undef, $err) = $node->psql($db // 'postgres', "\\set VERBOSITY verbose\n$sql;");
	return $err;
}

# Restart with a list of libraries; returns what was logged meanwhile.
sub restart_with
{
	my ($libraries) = @_;
	my $offset = $server->log_offset;
	$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "'$libraries'");
	$server->restart;
	return $server->log_since($offset);
}

# The library enforces the label of a role, once.
sub enforces
{
	my ($name) = @_;
	my $offset = $server->log_offset;
	$server->label(role => { app => 'sslmode=verify-full' });
	is($server->login(%plain)->{failed}, 'sslmode cn', "$name: a policy is enforced");
	my @refused = $server->log_since($offset) =~ /Refused: /g;
	is(scalar @refused, 1, "$name: the refusal is logged once");
	ok($server->login(cert => 'app')->{ok}, "$name: who meets it is let in");
	$offset = $server->log_offset;
	$server->label(role => { app => 'sslmode=require action=log; sslmode=prefer' });
	ok($server->login(%plain)->{ok}, "$name: a rule with action=log lets in");
	my @logged = $server->log_since($offset) =~ /would be refused/g;
	is(scalar @logged, 1, "$name: and logs once");
	my @changes = $server->log_since($offset) =~ /TLS policy of role "app" changed/g;
	is(scalar @changes, 1, "$name: the change of the policy is logged once");
	$server->label(role => { app => undef });
	return;
}

# 1
$server->sql('CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN');
my $columns = join ', ', qw(ssl version client_cn client_dn client_sans issuer_dn
  fingerprint_sha256 key_algorithm verified auth_method);
my $not_preloaded = qr/ERROR:  55000: sslpolicy is not preloaded\nHINT:  Add sslpolicy to shared_preload_libraries and restart the server\./;
for my $session ('', 'sslpolicy')
{
	my $name = $session ? 'loaded into each session' : 'not preloaded';
	$server->set(session_preload_libraries => $session) if $session;
	is( $server->login(cert => 'app', sql => "SELECT $columns FROM sslpolicy.connection()")->{out},
		"t|TLSv1.3|app|CN=app|{dns:app}|O=Acme,CN=Test Root|$app->{fingerprint}|EC|t|",
		"$name: connection() over TLS with a certificate");
	is($server->login(sslmode => 'require', sql => 'SELECT ssl, client_dn, verified, auth_method FROM sslpolicy.connection()')->{out},
		't||f|', "$name: connection() over TLS without one");
	is($server->login(%plain, sql => 'SELECT ssl, version, verified, auth_method FROM sslpolicy.connection()')->{out},
		'f||f|', "$name: connection() over plain text");
	is($server->sql("SELECT sslpolicy.check_policy('cn = app')"), 'sslmode=verify-full cn=app',
		"$name: check_policy() works");
	like(psql_error($_), $not_preloaded, "$name: $_")
	  for 'TABLE sslpolicy.sessions', 'TABLE sslpolicy.policies', "SELECT sslpolicy.set_policy('app', 'sslmode=require')",
	  "SELECT sslpolicy.set_database_policy('postgres', NULL)";
	like(psql_error("SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=require'"),
		qr/22023: security label provider "sslpolicy" is not loaded/, "$name: no label can be set");
}

# labels that are there from another time
restart_with('sslpolicy');
$server->label(role => { app => 'sslmode=reject' });
restart_with('');
is($server->sql('SHOW session_preload_libraries'), 'sslpolicy', 'still loaded into each session');
ok($server->login(%plain)->{ok}, 'loaded into each session it enforces nothing');
like($server->login(%plain, sql => "LOAD 'sslpolicy'")->{err}, qr/access to library "sslpolicy" is not allowed/,
	'an ordinary role cannot LOAD it');
is($server->sql("LOAD 'sslpolicy'; SELECT 1"), 1, 'superusers can, to no effect');
$server->set(session_preload_libraries => undef);

# 2
my %wrong = (
	sslpolicy_get_sessions => 'RETURNS TABLE (pid int, usesysid oid)',
	sslpolicy_get_policies => 'RETURNS TABLE (object_type text, object_name text, rule int)',
	sslpolicy_connection => '(OUT ssl bool, OUT version text) RETURNS record');
restart_with('sslpolicy');
for my $function (sort keys %wrong)
{
	my $declared = $wrong{$function} =~ /^\(/ ? $wrong{$function} : "() $wrong{$function}";
	$server->sql("CREATE FUNCTION wrong_$function$declared AS 'sslpolicy', '$function' LANGUAGE c");
	like(psql_error("SELECT * FROM wrong_$function()"),
		qr/ERROR:  55000: the SQL objects of sslpolicy belong to another version than its library\nDETAIL:  The library is version [\d.]+; it returns \d+ columns where [23] are expected\.\nHINT:  Run ALTER EXTENSION sslpolicy UPDATE/,
		"$function with other columns");
	$server->sql("CREATE FUNCTION one_$function() RETURNS int AS 'sslpolicy', '$function' LANGUAGE c");
	like(psql_error("SELECT one_$function()"), qr/ERROR:  /, "$function that returns no row");
}
is($server->sql('SELECT count(*) > 0 FROM sslpolicy.sessions'), 't', 'the server lives');
$server->sql('DROP EXTENSION sslpolicy');
is($server->login(%plain)->{failed}, 'sslmode', 'without the extension policies are in force');
$server->sql('CREATE EXTENSION sslpolicy');
is($server->sql("SELECT policy FROM sslpolicy.policies WHERE object_name = 'app'"), 'sslmode=reject',
	'with the extension again, they are shown again');
enforces('preloaded');

# 3
unlike(restart_with('sslpolicy, sslpolicy'), qr/WARNING|preloaded twice/, 'named twice: no warning');
enforces('named twice');

# 4
my $another_copy = qr/ERROR:  55000: the server runs another copy of sslpolicy\nDETAIL:  .*\nHINT:  /;
my $log = restart_with("sslpolicy, $copy");
my @warnings = $log =~ /(WARNING: .*)/g;
is_deeply(\@warnings, ['WARNING:  sslpolicy is preloaded twice'], 'preloaded with a copy: one warning');
like($log, qr/HINT:  Remove one of the entries from shared_preload_libraries/, 'preloaded with a copy: what to do');
enforces('preloaded with a copy');
is($server->sql('SELECT count(*) > 0 FROM sslpolicy.sessions'), 't', 'preloaded with a copy: sessions works');
restart_with($copy);
enforces('preloaded under another name');
like(psql_error('TABLE sslpolicy.sessions'), $another_copy, 'preloaded under another name: the SQL functions are those of the other one');

my $path = $server->sql('SHOW dynamic_library_path');
$node->append_conf('postgresql.conf', "dynamic_library_path = '/nowhere'\nallow_system_table_mods = on");
my $since = $server->log_offset;
restart_with($copy);
my $worker = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sslpolicy'};
ok($node->poll_query_until('postgres', $worker, '1'), 'found by its path alone: the worker runs');
rename($copy, "$copy.gone") or die;
my $ca = $server->sql(q{SELECT pg_read_file(current_setting('ssl_ca_file'))});
my $before = $server->log_offset;
$server->sql("INSERT INTO pg_shseclabel VALUES (10, 'pg_authid'::regclass, 'sslpolicy_ca', '$ca')");
$server->wait_for_log(qr/LOG: .*(?:replicated|installed)/, $before);
is($server->sql($worker), '1', 'the package is removed: what runs goes on');
rename("$copy.gone", $copy) or die;
unlike($server->log_since($since), qr/could not access file/, 'and no process is started in vain');
$server->sql("DELETE FROM pg_shseclabel WHERE provider = 'sslpolicy_ca'");
$node->append_conf('postgresql.conf', "dynamic_library_path = '$path'\nallow_system_table_mods = off");

# 5
restart_with('sslpolicy');
my $functions = <<"SQL";
CREATE SCHEMA other;
CREATE FUNCTION other.set_policy(regrole, text, bool) RETURNS void AS '$copy', 'sslpolicy_set_policy' LANGUAGE c;
CREATE FUNCTION other.connection() RETURNS text AS '$copy', 'sslpolicy_connection' LANGUAGE c;
SQL
for my $name (qw(sessions policies))
{
	$functions .= "CREATE FUNCTION other.get_$name(" . $server->sql(<<"SQL") . ") RETURNS SETOF record AS '$copy', 'sslpolicy_get_$name' LANGUAGE c;\n";
SELECT pg_get_function_arguments('sslpolicy.get_$name'::regproc)
SQL
}
$server->sql($functions);
for my $call ('SELECT * FROM other.get_sessions()', 'SELECT * FROM other.get_policies()',
	"SELECT other.set_policy('app', 'sslmode=reject', true)")
{
	like(psql_error($call), $another_copy, "another copy in the session: $call");
}
is($server->sql("SELECT count(*) FROM sslpolicy.policies WHERE object_type = 'role'"), 0, 'nothing was set by it');
enforces('another copy in a session');
$server->sql('DROP SCHEMA other CASCADE');

# 6
$server->label(role => { app => 'sslmode=reject' });
$server->set('sslpolicy.minimum_policy' => 'sslmode=require');
$server->sql('CREATE ROLE boss LOGIN SUPERUSER; CREATE ROLE other LOGIN');
$server->stop;
my @pg_ctl = ('pg_ctl', '-w', '-D', $node->data_dir, '-l', $node->logfile);
my $offset = $server->log_offset;
system_or_bail(@pg_ctl, '-o', '-b', 'start');
ok($server->login(user => 'boss', %plain)->{ok}, 'binary upgrade: superusers log in, whatever the policy');
$server->label(role => { boss => 'sslmode=reject', other => 'sslmode=require' }, database => { postgres => 'sslmode=require' });
ok($server->login(user => 'boss', %plain)->{ok}, 'binary upgrade: a policy is set, and not enforced');
like(psql_error("SECURITY LABEL FOR sslpolicy ON ROLE other IS 'verify-full'"), qr/22023: invalid TLS policy/,
	'binary upgrade: what is no policy is refused');
# OpenSSL may have dropped it since it was set
$server->label(role => { other => 'sslmode=require cipher=RC4-MD5-FORGOTTEN' });
is($server->sql('SELECT count(*) FROM sslpolicy.sessions'), 0, 'binary upgrade: sessions works, and has none');
is($server->sql('SELECT auth_method IS NULL FROM sslpolicy.connection()'), 't', 'binary upgrade: connection() works');
like($server->login(%plain)->{err}, qr/must be superuser to connect in binary upgrade mode/,
	'binary upgrade: others meet the error of core');
unlike($server->log_since($offset), qr/TLS policy of|Refused|WARNING|PANIC/, 'binary upgrade: nothing of ours in the log');
system_or_bail(@pg_ctl, '-m', 'fast', 'stop');
$server->start;
is($server->login(user => 'boss', sslmode => 'require')->{failed}, 'sslmode', 'after binary upgrade: policies are in force');
is($server->login(user => 'other', sslmode => 'require')->{failed}, 'cipher', 'after binary upgrade: one with an unknown cipher too');
is($server->login(user => 'boss', %plain)->{failed}, 'sslmode sslmode', 'after binary upgrade: so are settings');
is($server->sql("SELECT policy FROM sslpolicy.policies WHERE object_name IN ('app', 'boss') ORDER BY object_name"),
	"sslmode=reject\nsslmode=reject", 'after binary upgrade: labels are kept');

# 7
$server->stop;
my ($out, $err) = run_single_user(
	"SECURITY LABEL FOR sslpolicy ON ROLE boss IS NULL\n"
	  . "ALTER SYSTEM RESET sslpolicy.minimum_policy\n"
	  . "SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=require'\n"
	  . "SECURITY LABEL FOR sslpolicy ON ROLE other IS 'nonsense'\n"
	  . "SELECT count(*) AS policies FROM sslpolicy.policies\n"
	  . "SELECT count(*) AS sessions FROM sslpolicy.sessions\n"
	  . "SELECT ssl, auth_method FROM sslpolicy.connection()\n"
	  . "SELECT sslpolicy.set_database_policy('postgres', NULL)\n"
	  . "SELECT sslpolicy.reload()\n"
	  . "SELECT sslpolicy.add_ca('')\n"
	  . "SELECT sslpolicy.rollback('ca')\n");
like($err, qr/LOG: .*TLS policy of role "boss" changed by user "\S+" from \[local\]: was \[sslmode=reject\], is none/,
	'single-user mode: a label is removed, and the log says so');
like($err, qr/ERROR: .*invalid TLS policy/, 'single-user mode: what is no policy is refused');
my @errors = $err =~ /(?:ERROR|FATAL|PANIC): /g;
my $not_there = () = $err =~ /ERROR:  TLS material cannot be loaded in single-user mode\n/g;
is($not_there, 3, 'single-user mode: what needs the server is refused') or diag($err);
is(scalar @errors, 4, 'single-user mode: nothing else fails') or diag($err);
like($out, qr/policies = "4"/, 'single-user mode: policies works');
like($out, qr/sessions = "0"/, 'single-user mode: sessions works');
like($out, qr/ssl = "f"/, 'single-user mode: connection works');
$server->start;
ok($server->login(user => 'boss', %plain)->{ok}, 'after single-user mode: the superuser gets in');
is($server->login(%plain)->{failed}, 'sslmode', 'after single-user mode: what was set is in force');
$server->stop;

# Run statements, one a line, in single-user mode.
sub run_single_user
{
	my ($in) = @_;
	my ($stdout, $stderr);
	my ($bindir) = run_command([ $ENV{PG_CONFIG} // 'pg_config', '--bindir' ]);
	ok( IPC::Run::run([ "$bindir/postgres", '--single', '-F', '-D', $node->data_dir, 'postgres' ],
			'<', \$in, '>', \$stdout, '2>', \$stderr),
		'single-user mode starts with the library preloaded');
	return ($stdout, $stderr);
}

done_testing();
