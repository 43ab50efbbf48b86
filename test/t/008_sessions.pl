# The TLS state of sessions by SQL.
#
# 1. connection() and sessions say the same of a TLS session, and agree with
#    pg_stat_ssl; all columns are checked against what openssl says
# 2. who sees what
# 3. compliant, under each enforcement
# 4. a slot goes with its backend: at disconnection, pg_terminate_backend,
#    kill -9 (crash restart), a login that fails after the hook
# 5. large certificates: whole up to the limit, marked beyond it, memory
#    returned
# 6. a crowd of sessions is complete
use strict;
use warnings;
use Test::More;
use IPC::Run;
use PostgreSQL::Test::Utils;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('sessions', conf => "max_connections = 60\nrestart_after_crash = on\n",
	hba => ['hostssl all certuser all cert']);
my $certs = $server->certs;
my $root = $certs->get('root');
my $int = $certs->intermediate('int', issuer => $root, subject => '/CN=Test Intermediate/O=Acme');
my $cert = $certs->client('certuser', issuer => $int, subject => '/O=Acme/CN=certuser', serial => '0x0123456789abcdef0123456789abcdef01234567',
	not_before => 1700000000, not_after => 4000000000,
	san => [ 'dns:a.example.com', 'uri:spiffe://bank/db/app', 'ip:10.0.0.1' ]);
my $many = $certs->client('many', issuer => $root, subject => '/CN=app', san => [ map { sprintf 'dns:host-%04d.example.com', $_ } 1 .. 1200 ]);
$server->start;
$server->sql("CREATE EXTENSION sslpolicy; CREATE ROLE certuser LOGIN; CREATE ROLE app LOGIN; CREATE ROLE other LOGIN; CREATE ROLE watcher LOGIN; GRANT pg_read_all_stats TO watcher");

# a psql that stays connected; returns a handle with run(sql) and end()
sub session
{
	my (%opt) = @_;
	my %s = (in => '', out => '', err => '');
	local %ENV = %ENV;
	delete @ENV{ grep { /^PG(?!_REGRESS|_CONFIG)/ } keys %ENV };
	$s{timer} = IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default);
	$s{h} = IPC::Run::start([ 'psql', '-XqAt', '-d', $server->conninfo(%opt) ],
		'<', \$s{in}, '>', \$s{out}, '2>', \$s{err}, $s{timer});
	return bless \%s, 'Session';
}

sub Session::run
{
	my ($s, $sql) = @_;
	$s->{out} = '';
	$s->{in} .= "$sql;\n\\echo =done=\n";
	$s->{h}->pump until $s->{out} =~ s/=done=\n$//;
	chomp(my $out = $s->{out});
	return $out;
}

sub Session::end { $_[0]{h}->finish; return }

# waits until the table has (or has no) session of a backend
sub wait_gone
{
	my ($pid, $name) = @_;
	ok($server->node->poll_query_until('postgres', "SELECT count(*) = 0 FROM sslpolicy.sessions WHERE pid = $pid"), $name);
	return;
}

# 1
my @columns = qw(ssl version cipher bits key_exchange client_cn client_dn client_sans issuer_dn client_serial fingerprint_sha256
  ca_fingerprint_sha256 not_before not_after key_algorithm key_bits signature_algorithm verified auth_method);
my $columns = join ', ', @columns;
my $s = session(user => 'certuser', cert => 'certuser', extra => "options='-c TimeZone=UTC'");
my $pid = $s->run('SELECT pg_backend_pid()');
my $own = $s->run("SELECT $columns FROM sslpolicy.connection()");
is($s->run("SELECT $columns FROM sslpolicy.sessions WHERE pid = pg_backend_pid()"), $own, 'connection() and sessions agree');
my %own;
@own{@columns} = split /\|/, $own, -1;
is($own{client_dn}, 'CN=certuser,O=Acme', 'client_dn is in RFC 2253 form');
is($own{issuer_dn}, 'O=Acme,CN=Test Intermediate', 'issuer_dn');
is($own{client_cn}, 'certuser', 'client_cn');
is($own{client_sans}, '{dns:a.example.com,uri:spiffe://bank/db/app,ip:10.0.0.1}', 'client_sans');
is($own{client_serial}, $cert->{serial}, 'client_serial');
is($own{fingerprint_sha256}, $cert->{fingerprint}, 'fingerprint_sha256');
is($own{ca_fingerprint_sha256}, $root->{fingerprint}, 'ca_fingerprint_sha256 is that of the root');
is($own{not_before}, '2023-11-14 22:13:20+00', 'not_before');
is($own{not_after}, '2096-10-02 07:06:40+00', 'not_after');
is("$own{key_algorithm} $own{key_bits} $own{signature_algorithm}", 'EC 256 ecdsa-with-SHA256', 'algorithms');
is("$own{ssl} $own{verified} $own{auth_method}", 't t cert', 'ssl, verified, auth_method');
like($own{key_exchange}, qr/^(X25519|x25519|secp256r1|prime256v1|X25519MLKEM768)$/, 'key_exchange is a group');
is($s->run('SELECT (c.version, c.cipher, c.bits, c.client_serial) = (p.version, p.cipher, p.bits, p.client_serial) FROM sslpolicy.connection() c, pg_stat_ssl p WHERE pid = pg_backend_pid()'),
	't', 'pg_stat_ssl agrees');
is($s->run("SELECT usename, datname, client_addr, backend_start = (SELECT backend_start FROM pg_stat_activity a WHERE a.pid = s.pid), compliant FROM sslpolicy.sessions s WHERE pid = $pid"),
	'certuser|postgres|127.0.0.1|t|t', 'who and where, as in pg_stat_activity');
my $tls12 = $server->login(sslmode => 'require', extra => 'ssl_max_protocol_version=TLSv1.2', sql => 'SELECT version, key_exchange IS NOT NULL, client_dn IS NULL, verified FROM sslpolicy.connection()');
is($tls12->{out}, 'TLSv1.2|t|t|f', 'TLS 1.2 without a certificate');
is($server->login(sslmode => 'disable', sql => "SELECT ssl, verified, auth_method, num_nulls($columns) FROM sslpolicy.connection()")->{out},
	'f|f|trust|16', 'without TLS all else is null');

# 2
my $count = "SELECT count(*), count(client_dn), count(client_addr), count(ssl), count(compliant), count(usename) FROM sslpolicy.sessions WHERE pid = $pid";
is($server->login(user => 'other', sql => $count)->{out}, '1|0|0|0|0|1', 'others see that there is a session, and whose');
is($server->login(user => 'watcher', sql => $count)->{out}, '1|1|1|1|1|1', 'pg_read_all_stats sees all of it');
is($s->run($count), '1|1|1|1|1|1', 'its own role sees all of it');
$server->sql('GRANT certuser TO other');
is($server->login(user => 'other', sql => $count)->{out}, '1|1|1|1|1|1', 'so does a member of that role');
is($server->sql('SELECT count(*) FROM sslpolicy.sessions WHERE pid NOT IN (SELECT pid FROM pg_stat_activity)'), 0, 'no session that pg_stat_activity has not');

# 3
my $compliant = 'SELECT compliant FROM sslpolicy.sessions WHERE pid = pg_backend_pid()';
$server->label(role => { app => 'sslmode=require' });
is($server->login(sslmode => 'require', sql => $compliant)->{out}, 't', 'compliant');
$server->set('sslpolicy.enforcement' => 'log');
is($server->login(sslmode => 'disable', sql => $compliant)->{out}, 'f', 'let in by enforcement = log: not compliant');
is($server->login(sslmode => 'require', sql => $compliant)->{out}, 't', 'enforcement = log: compliant');
$server->set('sslpolicy.enforcement' => 'off');
is($server->login(sslmode => 'disable', sql => $compliant)->{out}, '', 'enforcement = off: not known');
$server->set('sslpolicy.enforcement' => undef);
is($server->login(host => 'local', sslmode => 'prefer', sql => $compliant)->{out}, 't', 'Unix socket: compliant');
$server->label(role => { app => 'sslmode=verify-full action=log; sslmode=prefer' });
is($server->login(sslmode => 'disable', sql => $compliant)->{out}, 't', 'action=log: compliant, since the deciding rule is met');
$server->label(role => { app => undef });

# 4
$s->end;
wait_gone($pid, 'disconnection clears the slot');
$s = session(user => 'certuser', cert => 'certuser');
$pid = $s->run('SELECT pg_backend_pid()');
$server->sql("SELECT pg_terminate_backend($pid)");
wait_gone($pid, 'pg_terminate_backend clears the slot');
$s->end;
$server->login(db => 'nonexistent');
$server->sql('ALTER ROLE other CONNECTION LIMIT 0');
$server->login(user => 'other');
is($server->sql("SELECT count(*) FROM sslpolicy.sessions WHERE usename IN ('other', 'app')"), 0, 'a login that fails after the hook leaves no slot');

$s = session(user => 'certuser', cert => 'certuser');
my $other = session(user => 'app', cert => 'many');
$pid = $s->run('SELECT pg_backend_pid()');
$other->run('SELECT 1');
kill 9, $pid;
$server->node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die;
$s->end;
$other->end;
is($server->sql("SELECT count(*) FROM sslpolicy.sessions WHERE pid <> pg_backend_pid()"), 0, 'after kill -9 of a backend the table is empty');
is($server->sql("SELECT count(*) FROM sslpolicy.sessions"), 1, 'and takes new sessions');

# 5
my $sans = 'SELECT cardinality(client_sans), client_sans[1200], client_sans[cardinality(client_sans)] FROM';
my $whole = '1200|dns:host-1200.example.com|dns:host-1200.example.com';
is($server->login(cert => 'many', sql => "$sans sslpolicy.connection()")->{out}, $whole, 'connection() shows every name');
like($server->login(cert => 'many', sql => "$sans sslpolicy.sessions WHERE pid = pg_backend_pid()")->{out},
	qr/^\d{3}\|\|.*\[cut\]$/, 'beyond the limit sessions says what was cut');
$server->set('sslpolicy.max_certificate_text' => '64');
is($server->login(cert => 'many', sql => "$sans sslpolicy.sessions WHERE pid = pg_backend_pid()")->{out}, $whole, 'with a higher limit it shows every name');
$server->label(role => { app => 'san=dns:host-1200.example.com' });
$server->set('sslpolicy.max_certificate_text' => '1');
is($server->login(cert => 'many', sql => "$sans sslpolicy.connection()")->{out}, $whole, 'the limit has no part in the decision');
$server->label(role => { app => undef });
$server->set('sslpolicy.max_certificate_text' => '128');
for (1 .. 30) { $server->login(cert => 'many') }
is($server->sql("SELECT count(*) FROM sslpolicy.sessions"), 1, 'thirty sessions with large certificates left none behind');

# 6
my @crowd = map { session(user => 'app', ($_ % 3 == 0 ? (cert => 'many') : $_ % 3 == 1 ? (cert => 'certuser') : (sslmode => 'disable'))) } 1 .. 40;
my %pids = map { $_->run('SELECT pg_backend_pid()') => 1 } @crowd;
is($server->sql('SELECT count(*), count(*) FILTER (WHERE ssl), count(*) FILTER (WHERE cardinality(client_sans) = 1200), count(*) FILTER (WHERE cardinality(client_sans) = 3) FROM sslpolicy.sessions WHERE usename = \'app\''),
	'40|27|13|14', 'every session of a crowd is there, with its own certificate');
is($server->sql('SELECT count(*) FROM sslpolicy.sessions s JOIN pg_stat_ssl p USING (pid) WHERE s.ssl IS DISTINCT FROM p.ssl OR s.version IS DISTINCT FROM p.version OR s.client_serial IS DISTINCT FROM p.client_serial'),
	0, 'and pg_stat_ssl agrees on each');
$_->end for @crowd;
ok($server->node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM sslpolicy.sessions'), 'they leave nothing behind');

$server->stop;
unlike($server->log_since(0), qr/PANIC|TRAP/, 'no assertion failed');
done_testing();
