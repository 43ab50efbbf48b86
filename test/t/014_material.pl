# TLS material by SQL: what real clients see of it.
#
# 1. inventory: certificates, material_status, in_force and drift
# 2. install_ca, add_ca, remove_ca, rollback: new logins, and the old
#    certificate refused
# 3. install_crl, and rollback of it
# 4. create_server_key and install_server_certificate
# 5. reload: a garbage file, a good one, ssl off
# 6. what is refused: privileges, transaction blocks, settings
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Math::BigInt;
use Test::More;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('material');
my $certs = $server->certs;
my $node = $server->node;
my $dir = $certs->{dir};
$certs->ca('second', subject => '/CN=Second Root/O=Acme');
$certs->client('app', issuer => 'root', subject => '/CN=app');
$certs->client('app2', issuer => 'second', subject => '/CN=app');
$certs->server('plain', issuer => 'root', san => ['dns:localhost', 'ip:127.0.0.1']);

sub pem { return slurp_file("$dir/$_[0].crt") }
sub row { return $server->sql("SELECT $_[0] FROM sslpolicy.$_[1]") }

sub error
{
	my ($sql, $user) = @_;
	my (undef, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql", on_error_stop => 0, extra_params => $user ? [ '-U', $user ] : []);
	return $err . $out;
}
sub logs_in { my $r = $server->login(cert => $_[0], user => 'app', sslmode => 'require'); diag($r->{err}) if $ENV{VERBOSE}; return $r->{ok} }

# not the clients' own copy
my $ca_path = $certs->bundle('trusted.crt', 'root');
$node->append_conf('postgresql.conf', "ssl_ca_file = '$ca_path'");
$server->start;
$server->sql(q{CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=verify-full';
	CREATE ROLE dba LOGIN; CREATE ROLE monitor LOGIN; GRANT pg_monitor TO monitor});

# 1
is(row('string_agg(kind || position || subject_dn || in_force, $$;$$ ORDER BY kind)', 'certificates'),
	'ca1O=Acme,CN=Test Roottrue;server1CN=servertrue', 'the certificates, in force');
is(row('string_agg(generation::text, $$,$$)', 'material_status'), '1,1,1', 'the first load');
like(error('SELECT * FROM sslpolicy.certificates', 'app'), qr/42501/, 'not for everybody');
unlike(error('SELECT count(*) FROM sslpolicy.certificates, sslpolicy.material_status, sslpolicy.crls, sslpolicy.material_history', 'monitor'), qr/ERROR/, 'but for pg_monitor');
ok(logs_in('app'), 'a client of the first CA');
ok(!logs_in('app2'), 'none of the second');
is(row('ok', 'verify_certificate($$' . pem('app') . '$$)'), 't', 'verify_certificate agrees');
like(row('ok || error', 'verify_certificate($$' . pem('app2') . '$$)'), qr/^false.*issuer/, 'and says why not');

# 2
my $before = slurp_file($ca_path);
is(row('installed', "add_ca(\$\$" . pem('second') . "\$\$, dry_run => true)"), 'f', 'dry run');
is(slurp_file($ca_path), $before, 'which changes nothing');
ok(!-e "$ca_path.sslpolicy.tmp", 'nor leaves a file');
is(row("installed, generation, changes->'added'->0->>'subject', warnings", "add_ca(\$\$" . pem('second') . "\$\$)"),
	't|2|O=Acme,CN=Second Root|{}', 'add_ca');
my $superuser = $server->sql("SELECT current_user");
like($server->log_since(0), qr/LOG:  TLS material "ca" changed by user "$superuser" from \[local\]: add_ca\(\), version 2, generation 2\n.*DETAIL:  Now: \[O=Acme,CN=Test Root\] [0-9a-f]{64}, \[O=Acme,CN=Second Root\] [0-9a-f]{64}\./, 'the log says what, by whom, and fingerprints');
ok(logs_in($_), "client $_ is let in") for qw(app app2);
my $fingerprint = $certs->get('second')->{fingerprint};
my $held = $server->background(user => 'app', cert => 'app2', sslmode => 'require');
like(error("SELECT sslpolicy.remove_ca('$fingerprint')"), qr/55006.*1 live session.*CA "O=Acme,CN=Second Root" is missing/s, 'remove_ca names the session that it would hurt');
is(row("jsonb_array_length(affected)", "remove_ca('$fingerprint', force => true)"), 1, 'and does it when forced');
$held->quit;
ok(logs_in('app'), 'the first CA is still there');
ok(!logs_in('app2'), 'the second is not');
is(row('installed', "rollback('ca')"), 't', 'rollback');
ok(logs_in('app2'), 'brings it back');
is(row('installed', "rollback('ca')"), 't', 'rollback again');
ok(!logs_in('app2'), 'to what the server had at first');
is(slurp_file($ca_path), $before, 'to the byte');
like(error("SELECT sslpolicy.rollback('ca')"), qr/42704.*no earlier version/s, 'not further');
is(row('string_agg(action || version || state, $$,$$)', 'material_history'),
	'found1installed,add_ca2installed,remove_ca3installed,rollback2installed,rollback1installed', 'the history');
is(row('installed', "install_ca(\$\$" . pem('second') . pem('root') . "\$\$)"), 't', 'install_ca');
ok(logs_in($_), "client $_ is let in") for qw(app app2);

is(row('ok', "verify_certificate(\$\$" . pem('app') . "\$\$, now() + interval '10 years')"), 'f', 'verify_certificate for a time in the future');
like(row('error', "verify_certificate(\$\$" . pem('app') . "\$\$, now() + interval '10 years')"), qr/certificate has expired \(CN=app\)/, 'when it has expired');
my $both = slurp_file($ca_path);
is(row('installed', "$_"), 'f', 'dry run: ' . substr($_, 0, 10)) for "remove_ca('$fingerprint', true, true)", "install_ca(\$\$" . pem('root') . "\$\$, true)", "rollback('ca', true, true)";
is(slurp_file($ca_path), $both, 'changes nothing');
is(row('count(*)', "material_history WHERE kind = 'ca'"), 6, 'nor the history');

# 3
sub crl
{
	my ($ca, $number, $days, @revoked) = @_;
	my $conf = "$dir/crl.cnf";
	open my $fh, '>', $conf or die $!;
	print $fh "[ca]\ndefault_ca=d\n[d]\ndatabase=$dir/index.txt\ncrlnumber=$dir/crlnumber\ndefault_md=sha256\n";
	close $fh;
	open $fh, '>', "$dir/crlnumber" or die $!; printf $fh "%02X\n", $number; close $fh;
	open $fh, '>', "$dir/index.txt" or die $!;
	printf $fh "R\t391231000000Z\t250101000000Z\t%s\tunknown\t/CN=x\n", uc(Math::BigInt->new($certs->get($_)->{serial})->as_hex =~ s/^0x//r =~ s/^(.(?:..)*)$/0$1/r) for @revoked;
	close $fh;
	my $pem = `openssl ca -gencrl -config $conf -crldays $days -cert $dir/$ca.crt -keyfile $dir/$ca.key 2>&1`;
	return $pem;
}
my $root = crl('root', 5, 30, 'app');
my $second = crl('second', 1, 30);
like(row('warnings', "install_crl(\$\$$root\$\$, dry_run => true)"), qr/Second Root.*there is no CRL/, 'a CA without a CRL is a warning');
is($server->sql('SHOW ssl_crl_file'), '', 'and nothing is set yet');
is(row('installed', "install_crl(\$\$$root$second\$\$)"), 't', 'install_crl where no file is set');
is($server->sql('SHOW ssl_crl_file'), 'sslpolicy/crl.pem', 'sets one');
ok(!logs_in('app'), 'the revoked certificate is refused');
ok(logs_in('app2'), 'the other one is not');
is(row('revoked, revoked_since IS NOT NULL', 'verify_certificate($$' . pem('app') . '$$)'), 't|t', 'verify_certificate says so');
is(row('count(*), bool_and(in_force), sum(entries), count(error)', 'crls'), '2|t|1|0', 'crls');
like(error("SELECT sslpolicy.install_crl(\$\$" . crl('root', 4, 30) . "\$\$)"), qr/22023.*older than the one in place/s, 'an older CRL is refused');
like(error("SELECT sslpolicy.install_crl(\$\$" . pem('root') . "\$\$)"), qr/22023.*there is no CRL in the text/s, 'a certificate alone is refused');
$certs->ca('third', subject => '/CN=Third');
like(error("SELECT sslpolicy.install_crl(\$\$" . crl('third', 9, 30) . "\$\$)"), qr/22023.*not signed by a CA/s, 'a CRL of a stranger is refused');
is(row('installed', "install_crl(\$\$" . crl('root', 6, 30) . "\$\$)"), 't', 'a newer one is not');
ok(logs_in('app'), 'and lets the certificate in again');
like(error("SELECT sslpolicy.rollback('crl')"), qr/42501.*older CRL/s, 'rollback of a CRL wants force');
is(row('installed', "rollback('crl', force => true)"), 't', 'rollback by force');
ok(!logs_in('app'), 'revoked again');
is(row('installed', "rollback('crl', force => true)"), 't', 'rollback to no CRL at all');
is($server->sql('SHOW ssl_crl_file'), '', 'unsets the file');
ok(logs_in('app'), 'and lets everybody in');

# 4
my $csr = $server->sql(q{SELECT sslpolicy.create_server_key('CN=db.example.com,O=Acme\, Inc', ARRAY['dns:localhost','ip:127.0.0.1'])});
open my $fh, '>', "$dir/new.csr" or die $!; print $fh $csr; close $fh;
my $issued = `openssl x509 -req -in $dir/new.csr -CA $dir/root.crt -CAkey $dir/root.key -CAcreateserial -days 30 -copy_extensions copy 2>/dev/null`;
like(`openssl req -in $dir/new.csr -noout -text`, qr/Extended Key Usage:\s+TLS Web Server Authentication\n/, 'the request is for a server alone');
is(row('installed', "install_server_certificate(\$\$$issued\$\$, dry_run => true)"), 'f', 'dry run');
is($server->sql('SHOW ssl_cert_file'), "$dir/server.crt", 'changes nothing');
ok(-e $node->data_dir . '/sslpolicy/pending.key', 'and keeps the pending key');
is(row('installed', "install_server_certificate(\$\$$issued\$\$)"), 't', 'install_server_certificate with the pending key');
is(row('subject_dn || in_force', "certificates WHERE kind = 'server'"), 'O=Acme\, Inc,CN=db.example.comtrue' =~ s/^(.*),(CN=.*com)true/$2,${1}true/r, 'in force');
ok($server->login(cert => 'app', sslmode => 'verify-full', extra => 'host=localhost')->{ok}, 'a client that verifies the server') ;
is($server->sql('SHOW ssl_cert_file') . $server->sql('SHOW ssl_key_file'), 'sslpolicy/server.pem' x 2, 'one file for both');
is((stat($node->data_dir . '/sslpolicy/server.pem'))[2] & 07777, 0600, 'for the server alone');
ok(!-e $node->data_dir . '/sslpolicy/pending.key', 'the pending key is pending no longer');
$node->restart;
ok(logs_in('app'), 'the server starts with it');
is(row('installed', "rollback('server')"), 't', 'rollback of the server certificate');
is(row('subject_dn || in_force', "certificates WHERE kind = 'server'"), 'CN=servertrue', 'the one before is in force');
my $key = slurp_file("$dir/plain.key");
my $offset = $server->log_offset;
# the server's log has each statement (log_statement = all)
like(error("SELECT sslpolicy.install_server_certificate(\$\$$issued\$\$, \$\$$key\$\$)"), qr/22023.*does not belong/s, 'a key of another certificate');
like(error("SELECT sslpolicy.install_ca(\$\$$key\$\$)"), qr/22023.*private key in the text/s, 'a key for a CA');
my ($secret) = $key =~ /-----\n(.{40})/;
unlike($server->log_since($offset), qr/\Q$secret\E/, 'no key in the log');
like($server->log_since($offset), qr/LOG:  statement: SELECT.*PRIVATE KEY-----\s+\*{20,}/s, 'where it would have been');
# errors before the function has begun: the server would add the statement
$offset = $server->log_offset;
my $install = "sslpolicy.install_server_certificate(\$\$$issued\$\$, \$\$$key\$\$)";
like(error("SELEC $install"), qr/syntax error/, 'a syntax error');
like(error("SET ROLE app; SELECT $install"), qr/permission denied/, 'no permission');
like(error("BEGIN; SELECT $install"), qr/transaction block/, 'in a transaction block');
like($server->log_since($offset), qr/ERROR:  syntax error.*ERROR:  permission denied/s, 'all are logged');
unlike($server->log_since($offset), qr/\Q$secret\E/, 'without the key');
$server->set(log_min_duration_statement => 0, log_statement => 'none');
is(row('installed', "install_server_certificate(\$\$" . pem('plain') . "\$\$, \$\$$key\$\$)"), 't', 'certificate and key');
is(row('subject_dn || in_force', "certificates WHERE kind = 'server'"), 'CN=plaintrue', 'in force');

# 5
is(row('loaded, error IS NULL', 'reload()'), 't|t', 'reload');
my $ca_file = slurp_file($ca_path);
append_to_file($ca_path, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
like(row("loaded || error", 'reload()'), qr/^false.*could not load root certificate file/, 'a garbage file is not loaded');
like(row("loaded || error", 'reload(force => true)'), qr/^false.*could not load root certificate file/, 'not by force either');
ok(logs_in($_), "the old material still serves $_") for qw(app app2);
like(row('last_error', "material_status WHERE kind = 'ca'"), qr/could not load root certificate file/, 'material_status knows');
open $fh, '>', $ca_path or die $!; print $fh pem('second'); close $fh;
like(error("SELECT ok FROM sslpolicy.verify_certificate(\$\$" . pem('app2') . "\$\$)"), qr/NOTICE.*has not loaded its files as they are now.*t$/s, 'verify_certificate says that it speaks of the files');
unlike(error("SELECT ok FROM sslpolicy.verify_certificate(\$\$" . pem('app2') . "\$\$)"), qr/ERROR/, 'and answers');
is(row('string_agg(in_force::text, $$$$)', "certificates WHERE kind = 'ca'"), 'true', 'a CA in the file that is loaded is in force');
open $fh, '>', $ca_path or die $!; print $fh $ca_file; close $fh;
is(row('loaded', 'reload()'), 't', 'and mended');
unlike(error("SELECT ok FROM sslpolicy.verify_certificate(\$\$" . pem('app2') . "\$\$)"), qr/NOTICE/, 'the files are what is loaded');
append_to_file($node->data_dir . '/postgresql.conf', "nonsense\n");
like(row("loaded || error", 'reload()'), qr/^false.*postgresql\.conf", line \d+: syntax error/, 'a syntax error in postgresql.conf');
my $conf = slurp_file($node->data_dir . '/postgresql.conf');
open $fh, '>', $node->data_dir . '/postgresql.conf' or die $!; print $fh $conf =~ s/nonsense\n//r; close $fh;
is(row('loaded', 'reload()'), 't', 'mended');
$server->sql("ALTER SYSTEM SET ssl_min_protocol_version = 'TLSv1.3'");
$server->sql("ALTER SYSTEM SET ssl_max_protocol_version = 'TLSv1.2'");
my $kept = slurp_file($ca_path);
like(error("SELECT sslpolicy.add_ca(\$\$" . pem('third') . "\$\$)"), qr/F0000.*did not load the new material, and the old one was put back.*DETAIL:  The error was: could not set SSL protocol version range/s, 'what the server refuses for a reason of its own');
is(slurp_file($ca_path), $kept, 'is put back');
is(join(' ', glob("$dir/*.tmp")), '', 'without a temporary file');
is(row('state', "material_history WHERE kind = 'ca' ORDER BY version DESC LIMIT 1"), 'failed', 'and the history says so');
ok(logs_in($_), "the old material still serves $_") for qw(app app2);
my $server_pem = slurp_file($node->data_dir . '/sslpolicy/server.pem');
like(error("SELECT sslpolicy.rollback('server')"), qr/F0000.*put back/s, 'likewise the server certificate');
is(slurp_file($node->data_dir . '/sslpolicy/server.pem'), $server_pem, 'is put back');
$server->sql('ALTER SYSTEM RESET ssl_min_protocol_version');
$server->sql('ALTER SYSTEM RESET ssl_max_protocol_version');
is(row('loaded', 'reload()'), 't', 'mended');
$server->set(ssl => 'off');
like(error('SELECT sslpolicy.reload()'), qr/55000.*ssl is off/s, 'ssl off');
$server->sql('ALTER SYSTEM SET ssl = on');
is(row('loaded, error IS NULL', 'reload()'), 't|t', 'switched on by reload, which proves it');
ok(logs_in('app'), 'and by a login');

# 6
my $unchanged = slurp_file($ca_path);
my $call = "sslpolicy.install_ca(\$a\$" . pem('second') . "\$a\$)";
for my $case (
	[ "BEGIN; SELECT $call; ROLLBACK", 'a transaction block that is rolled back' ],
	[ "BEGIN; SELECT 1/0; SELECT $call; ROLLBACK", 'one that is aborted', qr/25P02/ ],
	[ "BEGIN; SAVEPOINT s; SELECT $call; COMMIT", 'a savepoint' ],
	[ "SELECT 1\\; SELECT $call", 'one of several statements' ],
	[ "DO \$\$ BEGIN PERFORM $call; EXCEPTION WHEN division_by_zero THEN NULL; END \$\$", 'a block with EXCEPTION' ],
	[ "BEGIN; SELECT sslpolicy.create_server_key('CN=x', NULL); ROLLBACK", 'for a key, too' ])
{
	my ($sql, $name, $code) = @$case;
	like(error("$sql;"), $code // qr/25001.*cannot run inside a transaction block/s, "not inside $name");
	is(slurp_file($ca_path), $unchanged, "$name: nothing has changed");
}

# NULL for every argument of every function: an error or an answer, no crash
for my $f ((split /\n/, $server->sql("SELECT oid::regproc || '(' || rtrim(repeat('NULL,', pronargs), ',') || ')' FROM pg_proc WHERE pronamespace = 'sslpolicy'::regnamespace AND proname <> 'install_crl' ORDER BY 1")),
	'sslpolicy.install_crl(NULL::text, NULL, NULL)', 'sslpolicy.install_crl(NULL::bytea, NULL, NULL)')
{
	unlike(error("SELECT * FROM $f;"), qr/server closed|terminating connection/, "$f");
}
like(error('SELECT sslpolicy.reload(NULL)'), qr/22004.*timeout must not be null/s, 'reload: a timeout of NULL');
like(error("SELECT sslpolicy.reload('0')"), qr/22023.*more than zero/s, 'reload: no time at all');
like(error("SELECT sslpolicy.$_", 'dba'), qr/42501/, "not for everybody: $_") for "install_ca('')", 'reload()', "rollback('ca')", "create_server_key('CN=x', NULL)";
$server->sql('GRANT EXECUTE ON FUNCTION sslpolicy.add_ca TO dba; GRANT USAGE ON SCHEMA sslpolicy TO dba');
like(error("SELECT installed FROM sslpolicy.add_ca(\$\$" . pem('third') . "\$\$)", 'dba'), qr/^t$/m, 'but grantable');
$server->set_hba('hostssl all all all cert');
like(error("SELECT sslpolicy.add_ca(\$\$" . pem('third') . "\$\$)", 'dba'), qr/42501.*could log in as superuser/s, 'unless a CA could become a superuser');
for my $make ('CREATE ROLE powerful SUPERUSER NOLOGIN; GRANT powerful TO app', 'REVOKE powerful FROM app; GRANT pg_execute_server_program TO app', 'REVOKE pg_execute_server_program FROM app; ALTER ROLE app REPLICATION')
{
	$server->sql($make);
	$server->set_hba('hostssl all app all cert');
	like(error("SELECT sslpolicy.add_ca(\$\$" . pem('third') . "\$\$)", 'dba'), qr/42501.*could log in as superuser or privileged role "app"/s, "nor as much as one: $make");
}
$server->label(role => { app => "sslmode=verify-full ca_fingerprint=" . $certs->get('root')->{fingerprint} });
like(error("SELECT installed FROM sslpolicy.add_ca(\$\$" . pem('third') . "\$\$)", 'dba'), qr/^t$/m, 'unless its policy pins the CA');
append_to_file($node->data_dir . '/pg_hba.conf', "nonsense\n");
like(error("SELECT sslpolicy.add_ca(\$\$" . pem('third') . "\$\$)", 'dba'), qr/42501.*pg_hba\.conf has an error/s, 'nor while pg_hba.conf has an error');
$server->set_hba;
$server->sql("ALTER SYSTEM SET ssl_crl_file = '$ca_path'");
like(error("SELECT sslpolicy.add_ca(\$\$" . pem('third') . "\$\$)"), qr/55000.*cannot be replaced.*DETAIL:  It is ssl_crl_file as well\./s, 'nor into a file that is another one as well');
$server->sql('ALTER SYSTEM RESET ssl_crl_file');
SKIP:
{
	skip 'allow_alter_system came with 17', 3 if $server->sql('SHOW server_version_num') < 170000;
	append_to_file($node->data_dir . '/postgresql.conf', "ssl_ca_file = ''\nallow_alter_system = off\n");
	is(row('loaded', 'reload(force => true)'), 't', 'allow_alter_system off');
	like(error("SELECT sslpolicy.install_ca(\$\$" . pem('root') . "\$\$)"), qr/0A000.*ALTER SYSTEM is not allowed/s, 'a setting cannot be changed');
	is($server->sql("SELECT count(*) FROM pg_ls_dir('sslpolicy') f WHERE f ~ 'tmp\$|^ca.pem'"), 0, 'and nothing was written');
}
append_to_file($node->data_dir . '/postgresql.conf', "sslpolicy.install = off\n");
$server->sql('SELECT pg_reload_conf()');
$node->poll_query_until('postgres', "SELECT setting = 'off' FROM pg_settings WHERE name = 'sslpolicy.install'");
like(error("SELECT sslpolicy.add_ca(\$\$" . pem('third') . "\$\$)"), qr/55000.*turned off/s, 'install off');

unlike($server->log_since(0), qr/\Q$secret\E/, 'no key in the log, by log_min_duration_statement either');
like($server->log_since(0), qr/duration: [\d.]+ ms.*install_server_certificate.*\*{20,}/s, 'which has logged the statement');
unlike($server->log_since(0), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$server->stop;
done_testing();
