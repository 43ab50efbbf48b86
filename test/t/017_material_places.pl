# TLS material where the server is not at its simplest.
#
# 1. a standby: its own files, its own history; and after promotion
# 2. a key with a passphrase: reload with and without ssl_passphrase_command
# 3. a disk that is full
# 4. no background worker to be had
# 5. ssl off: material is put in place for later
# 6. reload() and material that would lock clients out
# 7. another module's openssl_tls_init_hook, before and behind ours
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('places', init => { allows_streaming => 1 });
my $certs = $server->certs;
my $node = $server->node;
my $dir = $certs->{dir};
$certs->client('app', issuer => 'root', subject => '/CN=app');
$certs->ca('second', subject => '/CN=Second');
$certs->ca('expired', not_before => time - 20 * 86400, not_after => time - 86400);
$certs->client('app2', issuer => 'second', subject => '/CN=app');
$certs->server('new', issuer => 'root', subject => '/CN=new');
my $ca_path = $certs->bundle('trusted.crt', 'root');
$node->append_conf('postgresql.conf', "ssl_ca_file = '$ca_path'");
sub pem { return slurp_file("$dir/$_[0].crt") }
sub put { my ($path, $text) = @_; open my $fh, '>', $path or die $!; print $fh $text; close $fh }
sub logs_in { my ($s, $cert) = @_; return $s->login(cert => $cert, user => 'app', sslmode => 'require')->{ok} }
sub error { my ($s, $sql) = @_; my (undef, $out, $err) = $s->node->psql('postgres', "\\set VERBOSITY verbose\n$sql"); return $err . $out }
$server->start;
$server->sql('CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN');

# 1
$server->node->safe_psql('postgres', 'CHECKPOINT');
my $standby = $server->standby('places_standby');
$standby->node->append_conf('postgresql.conf', "ssl_ca_file = ''");
$standby->start;
is($standby->sql("SELECT installed FROM sslpolicy.install_ca('" . pem('second') . "')"), 't', 'a standby: install_ca');
is($standby->sql('SHOW ssl_ca_file'), 'sslpolicy/ca.pem', 'sets its own file');
ok(logs_in($standby, 'app2'), 'and its own clients come in');
ok(!logs_in($server, 'app2'), 'the primary has not changed');
is($standby->sql('SELECT count(*) FROM sslpolicy.material_history'), 1, 'it has a history of its own');
is($server->sql('SELECT count(*) FROM sslpolicy.material_history'), 0, 'and the primary none');
$standby->node->promote;
is($standby->sql("SELECT installed FROM sslpolicy.add_ca('" . pem('root') . "')"), 't', 'after promotion');
$standby->stop;

# 2
system("openssl pkey -in $dir/server.key -aes256 -passout pass:secret -out $dir/locked.key") == 0 or die;
$server->sql("ALTER SYSTEM SET ssl_key_file = '$dir/locked.key'");
like($server->sql('SELECT loaded || error FROM sslpolicy.reload()'), qr/^false.*passphrase/, 'a key with a passphrase, and no command');
ok(logs_in($server, 'app'), 'the old key still serves');
$server->sql("ALTER SYSTEM SET ssl_passphrase_command = 'echo secret'");
$server->sql('SELECT pg_reload_conf()');
$node->poll_query_until('postgres', "SELECT current_setting('ssl_passphrase_command') = 'echo secret'");
like($server->sql('SELECT loaded || error FROM sslpolicy.reload()'), qr/^false.*ssl_passphrase_command_supports_reload is off/, 'a command that does not support reload');
$server->sql('ALTER SYSTEM SET ssl_passphrase_command_supports_reload = on');
$server->sql('SELECT pg_reload_conf()');
$node->poll_query_until('postgres', "SELECT current_setting('ssl_passphrase_command_supports_reload') = 'on'");
is($server->sql('SELECT loaded, error IS NULL FROM sslpolicy.reload()'), 't|t', 'one that does');
is($server->sql("SELECT installed FROM sslpolicy.add_ca('" . pem('second') . "')"), 't', 'installation beside such a key');
is($server->sql("SELECT installed FROM sslpolicy.rollback('ca')"), 't', 'and back');
$node->restart;
ok(logs_in($server, 'app'), 'after a restart');
is($server->sql("SELECT installed FROM sslpolicy.install_server_certificate('" . pem('new') . "', '" . slurp_file("$dir/new.key") . "')"), 't', 'a new key without one');
is($server->sql("SELECT installed FROM sslpolicy.rollback('server')"), 't', 'and back');
ok(logs_in($server, 'app'), 'to the locked one');
$server->sql("ALTER SYSTEM RESET $_") for qw(ssl_key_file ssl_cert_file ssl_passphrase_command ssl_passphrase_command_supports_reload);
is($server->sql('SELECT loaded FROM sslpolicy.reload()'), 't', 'as it was');

# 3
SKIP:
{
	skip 'prlimit is not there', 4 if system('prlimit --version >/dev/null 2>&1');
	my $old = slurp_file($ca_path);
	my $psql = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $psql->query_safe('SELECT pg_backend_pid()');
	# a limit on the size of its files stands for a full disk
	system("prlimit --fsize=700 --pid $pid") == 0 or die;
	$psql->query("SELECT sslpolicy.add_ca('" . pem('second') . "')");
	# (the limit holds for its log as well)
	like($psql->{stderr}, qr/ERROR:  could not write file ".*": File too large/, 'a file that cannot be written whole');
	$psql->quit;
	is(slurp_file($ca_path), $old, 'leaves the old one');
	is(join(' ', glob("$dir/*.tmp")), '', 'and no temporary file');
	ok(logs_in($server, 'app'), 'a client');
}

# 4
# the server's own launcher and sslpolicy's two workers take them all
$server->sql('ALTER SYSTEM SET max_worker_processes = 3');
$node->restart;
is($server->sql('SELECT loaded FROM sslpolicy.reload()'), 't', 'without a background worker the numbers are proof');
is($server->sql("SELECT installed FROM sslpolicy.add_ca('" . pem('second') . "')"), 't', 'for installation, too');
is($server->sql("SELECT installed FROM sslpolicy.rollback('ca')"), 't', 'and back');
$server->sql('ALTER SYSTEM RESET max_worker_processes');
$node->restart;

# 5
$server->sql('ALTER SYSTEM SET ssl = off');
$node->restart;
is($server->sql("SELECT installed, warnings::text ~ 'ssl is off' FROM sslpolicy.install_server_certificate('" . pem('new') . "', '" . slurp_file("$dir/new.key") . "')"), 't|t', 'ssl off: a certificate for later');
is($server->sql('SELECT bool_or(in_force) FROM sslpolicy.certificates'), 'f', 'nothing is in force');
$server->sql('ALTER SYSTEM SET ssl = on');
is($server->sql('SELECT loaded FROM sslpolicy.reload()'), 't', 'switched on');
is($server->sql("SELECT subject_dn FROM sslpolicy.certificates WHERE kind = 'server' AND in_force"), 'CN=new', 'with it');

# 6
my $good = slurp_file($ca_path);
put($ca_path, pem('expired'));
like($server->sql('SELECT loaded || error FROM sslpolicy.reload()'), qr/^false.*no usable CA would remain/, 'reload: no usable CA');
ok(logs_in($server, 'app'), 'the server was not told');
like($server->sql('SELECT loaded FROM sslpolicy.reload(force => true)'), qr/^t/, 'by force it is');
ok(!logs_in($server, 'app'), 'as it was wanted');
put($ca_path, $good);
is($server->sql('SELECT loaded FROM sslpolicy.reload()'), 't', 'mended');
open my $conf, '>', "$dir/crl.cnf" or die $!;
print $conf "[ca]\ndefault_ca=d\n[d]\ndatabase=$dir/index.txt\ndefault_md=sha256\n";
close $conf;
put("$dir/index.txt", '');
system("openssl ca -gencrl -config $dir/crl.cnf -crl_lastupdate 20200101000000Z -crl_nextupdate 20200201000000Z -cert $dir/root.crt -keyfile $dir/root.key -out $dir/expired.crl 2>/dev/null") == 0 or die;
$server->sql("ALTER SYSTEM SET ssl_crl_file = '$dir/expired.crl'");
like($server->sql('SELECT loaded || error FROM sslpolicy.reload()'), qr/^false.*CRL of "O=Acme,CN=Test Root" is not current/, 'reload: an expired CRL');
ok(logs_in($server, 'app'), 'the server was not told');
$server->sql("ALTER SYSTEM SET ssl_crl_file = '$dir/root.crt'");
like($server->sql('SELECT loaded || error FROM sslpolicy.reload()'), qr/^false.*holds no CRL/, 'reload: a certificate as ssl_crl_file');
ok(logs_in($server, 'app'), 'the server was not told');
$server->sql('ALTER SYSTEM RESET ssl_crl_file');
is($server->sql('SELECT loaded FROM sslpolicy.reload()'), 't', 'mended');

# 7
my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
my $folder = PostgreSQL::Test::Utils::tempdir('tls_hook');
chomp(my $include = `$pg_config --includedir-server`);
chomp(my $cppflags = `$pg_config --cppflags`);
system("gcc -shared -fPIC -O1 $cppflags -I$include -I$include/../internal -o $folder/tls_hook.so test/modules/tls_hook.c") == 0 or die 'tls_hook does not compile';
$server->sql("ALTER SYSTEM SET ssl_key_file = '$dir/locked.key'");
$server->sql("ALTER SYSTEM SET ssl_cert_file = '$dir/server.crt'");
for my $libraries ("sslpolicy,$folder/tls_hook", "$folder/tls_hook,sslpolicy")
{
	my $name = $libraries =~ /^sslpolicy/ ? 'a hook behind ours' : 'a hook before ours';
	$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "'$libraries'");
	$node->restart;
	ok(logs_in($server, 'app'), "$name: gives the passphrase at start");
	is($server->sql('SELECT loaded, error IS NULL FROM sslpolicy.reload()'), 't|t', "$name: and at reload");
	is($server->sql("SELECT installed FROM sslpolicy.add_ca('" . pem('second') . "')"), 't', "$name: and at an installation");
	ok(logs_in($server, 'app2'), "$name: which took");
	is($server->sql("SELECT installed FROM sslpolicy.rollback('ca')"), 't', "$name: and back");
}

unlike($server->log_since(0), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$server->stop;
done_testing();
