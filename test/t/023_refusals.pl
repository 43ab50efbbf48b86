# Refusals, would-be refusals and ended sessions, with counters:
# sslpolicy.rejections, statistics, reset_statistics().
#
# 1. refused by policy, by blocked_fingerprints, by a CRL of sslpolicy's
# 2. would-be refusals: action=log, enforcement=log
# 3. live sessions that the recheck ends
# 4. what PostgreSQL itself refuses: pg_hba.conf, passwords, certificates, roles
# 5. failed handshakes; whoever speaks no TLS at all
# 6. statistics; restart, crash, reset; privileges
# 7. texts that clients make up
# 8. clients that try again at once in another way, and are let in
use strict;
use warnings;
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('refusals', init => { allows_streaming => 1 },
	conf => "restart_after_crash = on\nsslpolicy.recheck_policy = terminate\nsslpolicy.terminate_grace = 0\n",
	hba => [
		'host all pwuser all scram-sha-256', 'hostssl all certuser all cert',
		'hostssl all needscert all trust clientcert=verify-ca', 'host all rejected all reject',
		'hostnossl all tlsonly all reject' ]);
my ($certs, $node) = ($server->certs, $server->node);
my $dir = $certs->{dir};
my $root = $certs->get('root');
$certs->client($_, issuer => $root, subject => '/CN=app/O=Acme') for qw(app app2 app3);
$certs->ca('unknown', subject => '/CN=Unknown CA');
$certs->client('by_unknown', issuer => 'unknown', subject => '/CN=app');
$certs->client('expired', issuer => $root, subject => '/CN=app', not_before => time - 20 * 86400, not_after => time - 86400);
$certs->client('evil', issuer => $root, subject => [ [ CN => "evil\n2026-01-01 LOG:  forged" ] ]);
$certs->client('long', issuer => $root, subject => [ [ CN => 'l' ], map { [ OU => "$_" x 60 ] } 1 .. 9, 'a' .. 'e' ]);
$server->start;
$server->sql(q{CREATE EXTENSION sslpolicy; CREATE ROLE monitor LOGIN; GRANT pg_monitor TO monitor; CREATE ROLE rep LOGIN REPLICATION;
	CREATE ROLE app LOGIN; CREATE ROLE pwuser LOGIN PASSWORD 'secret'; CREATE ROLE certuser LOGIN; CREATE ROLE needscert LOGIN; CREATE ROLE grp;
	CREATE ROLE rejected LOGIN; CREATE ROLE tlsonly LOGIN; CREATE ROLE cannot NOLOGIN; CREATE DATABASE db1});

my $columns = 'count, role, database, address, would_be, source, tls_version, client_dn, client_serial, fingerprint_sha256';

# rejections that a condition is true of, once there are any
sub rejections
{
	my ($where, $what, $expected) = @_;
	$expected //= 1;
	$node->poll_query_until('postgres', "SELECT count(*) >= $expected FROM sslpolicy.rejections WHERE $where")
	  or diag $server->sql('SELECT * FROM sslpolicy.rejections');
	return $server->sql("SELECT $what FROM sslpolicy.rejections WHERE $where ORDER BY role, at");
}

sub reset_all { $server->sql('SELECT sslpolicy.reset_statistics()'); return }
sub all_rows { return $server->sql("SELECT $columns, reasons FROM sslpolicy.rejections ORDER BY at") }

# of a login that must fail, the row
sub refused
{
	my ($name, $pattern, %opt) = @_;
	my $where = delete $opt{where} // 'true';
	reset_all();
	my $login = $server->login(sslmode => 'require', %opt);
	ok(!$login->{ok}, "$name: refused");
	my $row = rejections($where, "$columns, reasons");
	like($row, $pattern, "$name: and noted") or diag all_rows() . "\n$login->{err}";
	is($server->sql('SELECT count(*) FROM sslpolicy.rejections'), '1', "$name: once");
	return;
}
sub then_admitted { return $server->sql("SELECT count, then_admitted FROM sslpolicy.rejections WHERE $_[0] ORDER BY at") }
my $app = 'O=Acme,CN=app|' . Math::BigInt->new($certs->get('app')->{serial})->bstr . '|' . $certs->get('app')->{fingerprint};

# 1
is($server->sql('SELECT count(*) FROM sslpolicy.rejections'), '0', 'nobody was refused yet');
$server->label(role => { app => 'cn=somebody min_protocol=TLSv1.2' });
refused('policy', qr/^1\|app\|postgres\|127\.0\.0\.1\|f\|policy\|TLSv1\.3\|\Q$app\E\|\{"cn=somebody \(policy of role \\"app\\", rule 1\)"\}$/, cert => 'app');
refused('policy, without TLS', qr/^1\|app\|postgres\|::1\|f\|policy\|\|\|\|\|\{"sslmode=verify-full \(policy of role \\"app\\", rule 1\)","?min_protocol=TLSv1.2 \(policy of role \\"app\\", rule 1\)"?,"cn=somebody .*"\}$/, sslmode => 'disable', host => '::1');
$server->login(user => 'app', sslmode => 'disable', host => '::1') for 1 .. 3;
is($server->sql('SELECT count, at > first_at FROM sslpolicy.rejections'), '4|t', 'repeats are one row');
$server->login(user => 'app', sslmode => 'disable', host => '::1', db => 'db1');
is($server->sql('SELECT count(*), sum(count) FROM sslpolicy.rejections'), '2|5', 'another database is another row');
$server->label(role => { app => undef });
is($server->sql("SELECT allowed, refused, logged, ended, last_refused = (SELECT max(at) FROM sslpolicy.rejections), last_allowed, earliest_expiry IS NULL FROM sslpolicy.statistics WHERE role = 'app'"), '0|5|0|0|t||t', 'and counted');

$server->set('sslpolicy.blocked_fingerprints' => $certs->get('app')->{fingerprint});
refused('blocked', qr/^1\|app\|postgres\|127\.0\.0\.1\|f\|blocked\|TLSv1\.3\|\Q$app\E\|\{"client certificate is in sslpolicy.blocked_fingerprints"\}$/, cert => 'app');
is($server->sql("SELECT refused FROM sslpolicy.statistics WHERE role = 'app'"), '1', 'counted for the role');
$server->set('sslpolicy.blocked_fingerprints' => undef);

my $crl = $node->data_dir . '/our.crl';
write_file($crl, make_crl($certs, 'root', 1, revoked => ['app']));
$server->set('sslpolicy.crl_file' => $crl);
is($server->sql(q{SELECT coalesce(error, 'ok') FROM sslpolicy.reload()}), 'ok', 'a CRL');
refused('revoked', qr/^1\|app\|postgres\|127\.0\.0\.1\|f\|revocation\|TLSv1\.3\|\Q$app\E\|\{"certificate \\"O?=?.*CN=app\\", serial \d+, was revoked at .*"\}$/, cert => 'app');
$server->set('sslpolicy.crl_file' => undef);

$server->set('sslpolicy.minimum_policy' => 'sslmode=verify-ca');
refused('a role that does not exist, by policy', qr/^1\|nobody\|postgres\|127\.0\.0\.1\|f\|policy\|TLSv1\.3\|\|\|\|/, user => 'nobody');
is($server->sql("SELECT role, refused FROM sslpolicy.statistics WHERE refused > 0"), '|1', 'is counted among those without a name');
refused('physical replication', qr/^1\|rep\|\|127\.0\.0\.1\|f\|policy\|/, user => 'rep', extra => 'replication=true');

# 2
reset_all();
$server->set('sslpolicy.enforcement' => 'log');
ok($server->login(user => 'app', sslmode => 'require')->{ok}, 'enforcement = log lets in');
is(rejections('true', "$columns, reasons"), '1|app|postgres|127.0.0.1|t|policy|TLSv1.3||||{"sslmode=verify-ca (policy of sslpolicy.minimum_policy)"}' =~ s/\)"\}/, rule 1)"}/r, 'and notes the would-be refusal');
$server->set('sslpolicy.enforcement' => undef, 'sslpolicy.minimum_policy' => undef);
$server->label(role => { app => 'min_protocol=TLSv1.3 action=log; sslmode=require' });
ok($server->login(user => 'app', sslmode => 'require', extra => 'ssl_max_protocol_version=TLSv1.2')->{ok}, 'action=log lets in');
like(rejections("tls_version = 'TLSv1.2'", "$columns, reasons"), qr/^1\|app\|postgres\|127\.0\.0\.1\|t\|policy\|TLSv1\.2\|\|\|\|\{.*min_protocol=TLSv1\.3 \(policy of role \\"app\\", rule 1\).*\}$/, 'and notes it, too');
is($server->sql("SELECT allowed, refused, logged, last_logged IS NOT NULL FROM sslpolicy.statistics WHERE role = 'app'"), '2|0|2|t', 'both are counted as allowed and as logged');
$server->label(role => { app => undef });

# 3
reset_all();
my $live = $server->background(user => 'app', cert => 'app', sslmode => 'require');
my $pid = $live->query_safe('SELECT pg_backend_pid()');
$server->label(role => { app => 'cn=other' });
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid") or die;
eval { $live->quit };
is(rejections('true', "$columns, reasons"), "1|app|postgres|127.0.0.1|f|recheck|TLSv1.3|$app|" . '{"cn=other (policy of role \"app\", rule 1)"}', 'a session that the recheck has ended');
is($server->sql("SELECT allowed, refused, ended, last_ended IS NOT NULL FROM sslpolicy.statistics WHERE role = 'app'"), '1|0|1|t', 'is counted as ended');
$server->label(role => { app => undef });
$server->set('sslpolicy.recheck_policy' => 'log');
reset_all();
$live = $server->background(user => 'app', cert => 'app', sslmode => 'require');
$live->query_safe('SELECT 1');
$server->label(role => { app => 'cn=other' });
is(rejections('would_be', 'source, count'), 'recheck|1', 'one that would be is noted as such');
is($server->sql("SELECT ended FROM sslpolicy.statistics WHERE role = 'app'"), '0', 'and not counted');
$live->quit;
$server->label(role => { app => undef });

# 4
refused('a line with reject', qr/^1\|rejected\|postgres\|127\.0\.0\.1\|f\|server\|TLSv1\.3\|\|\|\|\{"pg_hba\.conf rejects connection for host \\"127\.0\.0\.1\\", user \\"rejected\\", database \\"postgres\\", SSL encryption"\}$/, user => 'rejected');
refused('a line with reject, with certificate', qr/^1\|rejected\|postgres\|127\.0\.0\.1\|f\|server\|TLSv1\.3\|\Q$app\E\|/, user => 'rejected', cert => 'app');
refused('without TLS', qr/^1\|tlsonly\|postgres\|127\.0\.0\.1\|f\|server\|\|\|\|\|\{"pg_hba\.conf rejects connection .*no encryption"\}$/, user => 'tlsonly', sslmode => 'disable');
refused('no client certificate, by clientcert', qr/^1\|needscert\|postgres\|127\.0\.0\.1\|f\|server\|TLSv1\.3\|\|\|\|\{"connection requires a valid client certificate"\}$/, user => 'needscert');
refused('another name, by method cert', qr/^1\|certuser\|postgres\|127\.0\.0\.1\|f\|server\|TLSv1\.3\|\Q$app\E\|\{"certificate authentication failed for user \\"certuser\\"","Connection matched /, user => 'certuser', cert => 'app');
refused('a wrong password', qr/^1\|pwuser\|postgres\|127\.0\.0\.1\|f\|server\|TLSv1\.3\|\|\|\|\{"password authentication failed for user \\"pwuser\\"","Connection matched .*scram-sha-256.*"\}$/, user => 'pwuser', env => { PGPASSWORD => 'wrong' });
is($server->sql("SELECT refused, allowed FROM sslpolicy.statistics WHERE role = 'pwuser'"), '1|0', 'counted for the role');
ok($server->login(user => 'pwuser', sslmode => 'require', env => { PGPASSWORD => 'secret' })->{ok}, 'the right one');
is($server->sql("SELECT refused, allowed FROM sslpolicy.statistics WHERE role = 'pwuser'"), '1|1', 'is counted as well');
refused('a role that does not exist', qr/^1\|nobody\|postgres\|127\.0\.0\.1\|f\|server\|TLSv1\.3\|\|\|\|\{"role \\"nobody\\" does not exist"\}$/, user => 'nobody');
is($server->sql("SELECT coalesce(role, 'NULL'), refused, allowed FROM sslpolicy.statistics WHERE refused > 0"), 'NULL|1|0', 'counted once, and not as let in');
refused('a role without LOGIN', qr/^1\|cannot\|postgres\|127\.0\.0\.1\|f\|server\|TLSv1\.3\|\|\|\|\{"role \\"cannot\\" is not permitted to log in"\}$/, user => 'cannot');
{
	open my $fh, '>', $node->data_dir . '/pg_hba.conf' or die;
	print $fh "local all all trust\nhost all rep all trust\n";
	close $fh;
	$server->sql('SELECT pg_reload_conf()');
	$node->poll_query_until('postgres', "SELECT count(*) = 2 FROM pg_hba_file_rules");
	reset_all();
	$server->login(user => 'app', sslmode => 'require');
	is(rejections('true', "$columns, reasons"), '1|app|postgres|127.0.0.1|f|server|TLSv1.3||||{"no pg_hba.conf entry for host \"127.0.0.1\", user \"app\", database \"postgres\", SSL encryption"}', 'no line in pg_hba.conf');
	$server->set_hba('host all pwuser all scram-sha-256');
	$server->sql('SELECT pg_reload_conf()');
	$node->poll_query_until('postgres', "SELECT count(*) > 2 FROM pg_hba_file_rules");
}

# 5
sub handshake
{
	my ($name, $pattern, %opt) = @_;
	reset_all();
	ok(!$server->login(user => 'app', sslmode => 'require', %opt)->{ok}, "$name: no connection");
	like(rejections('true', 'count, role IS NULL, database IS NULL, address, would_be, source, tls_version, client_dn IS NULL, reasons'), $pattern, "$name: noted");
	is($server->sql("SELECT coalesce(role, 'NULL'), refused FROM sslpolicy.statistics WHERE refused > 0"), 'NULL|1', "$name: counted");
	return;
}
handshake('an expired certificate', qr/^1\|t\|t\|127\.0\.0\.1\|f\|server\|TLSv1\.3\|t\|\{"could not accept SSL connection: certificate verify failed"/, cert => 'expired');
handshake('an unknown CA', qr/^1\|t\|t\|127\.0\.0\.1\|f\|server\|TLSv1\.3\|t\|\{"could not accept SSL connection: certificate verify failed"/, cert => 'by_unknown');
write_file("$dir/core.crl", make_crl($certs, 'root', 2, revoked => ['app']));
$server->set('ssl_crl_file' => "$dir/core.crl");
handshake('revoked by ssl_crl_file', qr/^1\|t\|t\|127\.0\.0\.1\|f\|server\|TLSv1\.3\|t\|\{"could not accept SSL connection: certificate verify failed"/, cert => 'app');
$server->set('ssl_crl_file' => undef);

sub garbage
{
	my (@bytes) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $node->port) or die $!;
	for my $bytes (@bytes)
	{
		print $socket $bytes;
		sysread $socket, my $answer, 1 if $bytes eq pack('NN', 8, 80877103);
	}
	$socket->shutdown(1);
	local $SIG{ALRM} = sub { die 'the server does not hang up' };
	alarm 30;
	1 while sysread $socket, my $rest, 1000;
	alarm 0;
	return;
}
reset_all();
garbage("GET / HTTP/1.0\r\n\r\n") for 1 .. 3;
garbage('');
garbage(pack('NN', 8, 80877103), "GET / HTTP/1.0\r\n\r\n") for 1 .. 20;
like(rejections('true', 'count, role IS NULL, address, source, tls_version IS NULL'), qr/^20\|t\|127\.0\.0\.1\|server\|t$/, 'garbage in place of a handshake is one row');
is($server->sql("SELECT refused FROM sslpolicy.statistics WHERE role IS NULL"), '20', 'however often');
garbage(pack('NN', 8, 80877103), "\x16\x03\x01" . "\xff" x 500, map { chr } 1 .. 200);
ok($server->sql('SELECT count(*) <= 3 FROM sslpolicy.rejections') eq 't', 'other garbage is few');

SKIP:
{
	skip 'direct TLS came with 17', 3 if $server->sql('SHOW server_version_num') < 170000;
	reset_all();
	ok($server->login(user => 'app', sslmode => 'require', extra => 'sslnegotiation=direct')->{ok}, 'direct TLS, with ALPN');
	my ($out, $err) = run_command([ 'openssl', 's_client', '-connect', '127.0.0.1:' . $node->port ]);
	like(rejections('true', 'count, role IS NULL, address, would_be, source, tls_version, reasons'),
		qr/^1\|t\|127\.0\.0\.1\|f\|server\|TLSv1\.3\|\{"received direct SSL connection request without ALPN/, 'direct TLS without ALPN: noted');
	is($server->sql("SELECT coalesce(role, 'NULL'), refused FROM sslpolicy.statistics WHERE refused > 0"), 'NULL|1', 'direct TLS without ALPN: counted');
}

# 6
reset_all();
$server->login(user => 'app', cert => 'app', sslmode => 'require') for 1 .. 3;
$server->login(user => 'pwuser', sslmode => 'require', env => { PGPASSWORD => 'wrong' });
$server->login(user => 'nobody', sslmode => 'require');
rejections('true', '1', 2);
my $counted = "SELECT coalesce(role, 'NULL'), allowed, refused, logged, ended, last_allowed IS NULL, last_refused IS NULL, last_logged IS NULL, earliest_expiry IS NULL
	FROM sslpolicy.statistics WHERE role IS NULL OR role <> current_user ORDER BY role";
my $expected = "app|3|0|0|0|f|t|t|f\npwuser|0|1|0|0|t|f|t|t\nNULL|0|1|0|0|t|f|t|t";
is($server->sql($counted), $expected, 'counters of three kinds');
my $expiry = $server->sql("SELECT min(not_after) FROM sslpolicy.recent_logins WHERE role = 'app'");
is($server->sql("SELECT earliest_expiry FROM sslpolicy.statistics WHERE role = 'app'"), $expiry, 'and when the first certificate expires');
my $rows = all_rows();
$server->restart;
is($server->sql($counted), $expected, 'a restart keeps counters');
is(all_rows(), $rows, 'and refusals');
$server->sql('ALTER ROLE pwuser RENAME TO pwuser2');
is($server->sql("SELECT refused FROM sslpolicy.statistics WHERE role = 'pwuser2'"), '1', 'counters are shown by the name of now');
$server->sql(q{DROP ROLE pwuser2; CREATE ROLE pwuser LOGIN PASSWORD 'secret'});
is($server->sql("SELECT count(*) FROM sslpolicy.statistics WHERE role LIKE 'pwuser%'"), '0', 'and not of a role that was dropped');
my $psql = sub { return ($node->psql('postgres', $_[1], extra_params => [ '-U', $_[0] ])) };
for my $view (qw(rejections statistics))
{
	is(($psql->('monitor', "SELECT count(*) > 0 FROM sslpolicy.$view"))[1], 't', "pg_monitor may read $view");
	like(($psql->('app', "SELECT * FROM sslpolicy.$view"))[2], qr/permission denied for view $view/, 'others may not');
	like(($psql->('app', "SELECT * FROM sslpolicy.get_$view()"))[2], qr/permission denied for function get_$view/, 'by no means');
}
like(($psql->($_, 'SELECT sslpolicy.reset_statistics()'))[2], qr/permission denied for function reset_statistics/, "$_ may not reset") for qw(app monitor);
my $logins = $server->sql("SELECT count(*) FROM sslpolicy.recent_logins WHERE role = 'app'");
reset_all();
is($server->sql('SELECT count(*) FROM sslpolicy.rejections'), '0', 'reset forgets refusals');
is($server->sql("SELECT count(*) FROM sslpolicy.statistics WHERE role = 'app' OR role IS NULL"), '0', 'and counters');
is($server->sql("SELECT count(*) FROM sslpolicy.recent_logins WHERE role = 'app'"), $logins, 'but not recent logins');

$server->login(user => 'nobody', sslmode => 'require');
rejections('true', '1');
$server->stop('immediate');
$server->start;
is($server->sql('SELECT count(*) FROM sslpolicy.rejections'), '0', 'an immediate stop forgets refusals');
$server->login(user => 'nobody', sslmode => 'require');
rejections('true', '1');
my $victim = $server->background(user => 'app', sslmode => 'require');
$pid = $victim->query_safe('SELECT pg_backend_pid()');
kill 'KILL', $pid;
eval { $victim->quit };
$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM sslpolicy.rejections') or die;
$server->login(user => 'nobody', sslmode => 'require');
is(rejections('true', 'role, count'), 'nobody|1', 'so does a crash, and all goes on');

# 7
refused('a name with a line break', qr/^1\|no\nbody\|postgres\|.*\{"role \\"no\\\\0Abody\\" does not exist"\}$/s, user => "no\nbody");
refused('a name that is no UTF-8', qr/^1\|no\\E9body\|postgres\|.*does not exist/, user => "no\xe9body");
$server->label(role => { app => 'sslmode=reject' });
refused('a certificate with a line break', qr/^1\|app\|postgres\|127\.0\.0\.1\|f\|policy\|TLSv1\.3\|CN=evil\\0A2026-01-01 LOG:  forged\|/, cert => 'evil');
refused('a certificate with a long name', qr/^1\|app\|postgres\|127\.0\.0\.1\|f\|policy\|TLSv1\.3\|\S{480,510}\[cut\]\|\d+\|[0-9a-f]{64}\|/, cert => 'long');
$server->label(role => { app => join ' ', map { "cn=somebody-with-a-long-name-$_" } 1 .. 40 });
refused('long reasons', qr/\[cut\]"\}$/, cert => 'app');
$server->label(role => { app => undef });
$server->login(user => 'x' x 200, sslmode => 'require');
is(rejections("role LIKE 'xx%'", 'length(role)'), '63', 'a name that is too long');

# 8
reset_all();
$server->label(role => { app => 'sslmode=require' });
ok($server->login(user => 'app', sslmode => 'allow')->{ok}, 'sslmode=allow gets in') for 1 .. 3;
is(then_admitted('true'), '3|3', 'each of its logins leaves a refusal, which is marked');
ok($server->login(user => 'app', sslmode => 'require')->{ok}, 'another login');
is(then_admitted('true'), '3|3', 'marks none of them again');
ok(!$server->login(user => 'app', sslmode => 'disable')->{ok}, 'a client that does not try again');
$server->login(user => 'app', sslmode => 'require', host => '::1');
$server->login(user => 'app', sslmode => 'require', db => 'db1');
$server->login(user => 'pwuser', sslmode => 'require', env => { PGPASSWORD => 'secret' });
is(then_admitted('true'), '4|3', 'is not marked, whoever else comes');
sleep 2;
$server->login(user => 'app', sslmode => 'require');
is(then_admitted('true'), '4|3', 'nor is one that comes later');
reset_all();
$server->label(role => { app => 'sslmode=disable' });
ok($server->login(user => 'app', sslmode => 'prefer')->{ok}, 'sslmode=prefer gets in where TLS is refused');
is(then_admitted('true'), '1|1', 'and its refusal is marked');
reset_all();
$server->label(role => { app => 'sslmode=require action=log; sslmode=prefer' });
$server->login(user => 'app', sslmode => 'disable') for 1 .. 2;
is(then_admitted('would_be'), '2|0', 'a would-be refusal is none');
$server->label(role => { app => undef });
$rows = $server->sql('SELECT count, then_admitted, would_be FROM sslpolicy.rejections');
$server->restart;
is($server->sql('SELECT count, then_admitted, would_be FROM sslpolicy.rejections'), $rows, 'all of it is kept over a restart');

$server->stop;
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$server->start;
like(($node->psql('postgres', "SELECT * FROM sslpolicy.$_"))[2], qr/ERROR:  sslpolicy is not preloaded/, "without preloading: $_") for qw(rejections statistics);
like(($node->psql('postgres', 'SELECT sslpolicy.reset_statistics()'))[2], qr/ERROR:  sslpolicy is not preloaded/, 'without preloading: reset');
$server->stop;

done_testing();
