# ssl_sni (PostgreSQL 19): a certificate and a CA for each host name.
#
# 1. ssl_sni = on without lines in pg_hosts.conf: the settings count, and what
#    reload() and installations say is as good as without it
# 2. pg_hosts.conf with several hosts: each has its certificate and its CA, and
#    every login meets its policy, whichever host it asked for
# 3. reload() tells a load that took from one that did not, and why
# 4. what depends on ssl_cert_file and ssl_ca_file says that they are not in force
# 5. back to ssl_sni = off, and on again
# 6. hosts that change while clients are there: after the handshake, and live sessions
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Server;
use SSLPolicy::Stalled;

my $server = SSLPolicy::Server->new('sni', conf => "ssl_sni = on\nsslpolicy.recheck_policy = terminate\n");
my $certs = $server->certs;
my $node = $server->node;
my $dir = $certs->{dir};
my ($version) = qx("$ENV{PG_CONFIG}" --version) =~ /(\d+)/;
plan skip_all => 'ssl_sni came with PostgreSQL 19' if $version < 19;

$certs->ca('second', subject => '/CN=Second Root/O=Acme');
$certs->server($_, issuer => 'root', san => ["dns:$_"]) for qw(one.test two.test other.test);
$certs->client('app', issuer => 'root', subject => '/CN=app');
$certs->client('app2', issuer => 'second', subject => '/CN=app');
my $hosts = $node->data_dir . '/pg_hosts.conf';

sub pem { return slurp_file("$dir/$_[0].crt") }
sub row { return $server->sql("SELECT $_[0] FROM sslpolicy.$_[1]") }

sub error
{
	my (undef, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$_[0]", on_error_stop => 0);
	return $err . $out;
}

# name, certificate, CA ('' for none), ...
sub set_hosts
{
	my (@lines) = @_;
	open my $fh, '>', $hosts or die "$hosts: $!";
	print $fh "$_->[0] $dir/$_->[1].crt $dir/$_->[1].key", ($_->[2] ? " $dir/$_->[2].crt" : ''), "\n" for @lines;
	close $fh;
	return;
}

# to a host, whose name the client verifies; '' sends none
sub login
{
	my ($host, %opt) = @_;
	return $server->login(host => $host || '127.0.0.1', sslmode => $host ? 'verify-full' : 'require',
		%opt, extra => join ' ', 'hostaddr=127.0.0.1', $host ? () : 'sslsni=0', $opt{extra} // ());
}

# 1
$certs->bundle('trusted.crt', 'root');
$node->append_conf('postgresql.conf', "ssl_ca_file = '$dir/trusted.crt'");
open my $empty, '>', $hosts or die "$hosts: $!";
close $empty;
$server->start;
$server->sql(q{CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=verify-full';
	CREATE ROLE plain LOGIN; SECURITY LABEL FOR sslpolicy ON ROLE plain IS 'sslmode=require'});
unlike($server->log_since(0), qr/TLS init hook/, 'the log has no warning about the hook, which is not needed');
is(row('generation, loaded, error', 'reload()'), '2|t|', 'reload() has its proof');
is(row('string_agg(in_force::text, $$,$$)', 'certificates'), 'true,true', 'what the server has loaded is known');
is(row("installed, generation", "add_ca(\$\$" . pem('second') . "\$\$)"), 't|3', 'an installation has its proof');
ok($server->login(cert => 'app2', sslmode => 'require')->{ok}, 'and is in force');
is(row("installed, generation", "rollback('ca')"), 't|4', 'rollback');
ok(!$server->login(cert => 'app2', sslmode => 'require')->{ok}, 'is in force as well');
like(row('value', "version() WHERE item = 'proof of loaded material'"), qr/^number and content$/, 'version() says so');
write_garbage("$dir/trusted.crt");
like(row('loaded, error', "reload(force => true)"), qr/^f\|.*could not load root certificate file/, 'a load that fails is told, and why');
is(row('string_agg(DISTINCT generation::text, $$,$$)', 'material_status'), '4', 'the one before is in force');
$certs->bundle('trusted.crt', 'root');
is(row('generation, loaded', 'reload()'), '6|t', 'mended');

# 2
set_hosts(['one.test', 'one.test', 'root'], ['two.test', 'two.test', 'second'], ['"/no_sni/"', 'other.test', 'root']);
is(row('generation, loaded, error', 'reload()'), '7|t|', 'hosts are loaded');
for my $case (
	# host, certificate, let in, what is not met
	['one.test', 'app', 1, ''],
	['one.test', undef, 0, 'sslmode cn'],
	['two.test', 'app2', 1, ''],
	['two.test', undef, 0, 'sslmode cn'],
	['', 'app', 1, ''],
	['', undef, 0, 'sslmode cn'])
{
	my ($host, $cert, $ok, $failed) = @$case;
	my $login = login($host, cert => $cert);
	is("$login->{ok} $login->{failed}", "$ok $failed",
		($host || 'no host') . ', ' . ($cert ? "certificate $cert" : 'no certificate'));
}
for my $case (['one.test', 'app2'], ['two.test', 'app'])
{
	my $login = login($case->[0], cert => $case->[1]);
	ok(!$login->{ok}, "$case->[0] does not accept certificate $case->[1]: its CA is another host's");
}
ok(login('one.test', user => 'plain')->{ok}, 'sslmode=require is met by each host');
ok(!login('other.test', user => 'plain')->{ok}, 'a host that no line is for');
ok(!$server->login(user => 'plain', sslmode => 'disable')->{ok}, 'without SSL the policy refuses');
like(login('two.test', cert => 'app2', sql => 'SELECT issuer_dn FROM sslpolicy.connection()')->{out},
	qr/CN=Second Root/, 'a session knows the CA of its host');
my $sessions = $server->background(user => 'app', cert => 'app2', host => 'two.test', extra => 'hostaddr=127.0.0.1');
is($sessions->query('SELECT 1'), '1', 'a session of two.test');
$server->sql(q{SELECT sslpolicy.set_policy('app', 'sslmode=verify-full ca_fingerprint=} . $certs->get('root')->{fingerprint} . q{')});
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'app'"),
	'a policy that it does not meet ends it');
eval { $sessions->quit };
ok(!login('two.test', cert => 'app2')->{ok}, 'nor lets it in again');
ok(login('one.test', cert => 'app')->{ok}, 'another host of the wanted CA does');
$server->label(role => { app => 'sslmode=verify-full' });

# 3
my $before = $server->sql('SELECT max(generation) FROM sslpolicy.material_status');
for my $case (
	['a syntax error', sub { append_to_file($hosts, "one.test\n") }, qr/could not load file .*pg_hosts\.conf/],
	['a host twice', sub { append_to_file($hosts, "two.test $dir/two.test.crt $dir/two.test.key\n") }, qr/multiple entries for host/],
	['a host twice in one line', sub { append_to_file($hosts, "a.test,a.test $dir/two.test.crt $dir/two.test.key\n") }, qr/multiple entries for host/],
	['a key of another', sub { append_to_file($hosts, "a.test $dir/two.test.crt $dir/one.test.key\n") }, qr/key/],
	['a missing CA', sub { append_to_file($hosts, "a.test $dir/two.test.crt $dir/two.test.key $dir/nothing.crt\n") }, qr/root certificate file/])
{
	my ($name, $break, $error) = @$case;
	my $good = slurp_file($hosts);
	$break->();
	my $result = row('loaded, generation, error', "reload(timeout => '20 s')");
	like($result, qr/^f\|$before\|.*$error/s, "$name: not loaded, and why");
	ok(login('two.test', cert => 'app2')->{ok}, "$name: the hosts from before are in force");
	like(row("string_agg(finding, '')", "lint() WHERE code = 'reload_failed'"), $error, "$name: lint knows");
	open my $fh, '>', $hosts or die;
	print $fh $good;
	close $fh;
	like(row('loaded, error', 'reload()'), qr/^t\|$/, "$name: mended");
	$before = $server->sql('SELECT max(generation) FROM sslpolicy.material_status');
}
set_hosts(['one.test', 'one.test', 'root']);
is(row('loaded', 'reload()'), 't', 'one host less');
ok(!login('two.test', cert => 'app2')->{ok}, 'which is gone');

# 4
for my $call ("install_ca(\$\$" . pem('second') . "\$\$)", "add_ca(\$\$" . pem('second') . "\$\$)",
	"install_server_certificate(\$\$" . pem('server') . "\$\$)", "rollback('ca')")
{
	my ($function) = $call =~ /^(\w+)/;
	like(error("SELECT * FROM sslpolicy.$call"), qr/55000.*ssl_sni is on, and the server takes certificates and CAs from pg_hosts\.conf/s, "$function refuses");
}
is(slurp_file("$dir/trusted.crt"), pem('root'), 'and has changed nothing');
like(error('SELECT sslpolicy.server_ca()'), qr/ssl_sni is on: the server has a certificate for each host name/, 'server_ca() says that it cannot tell');
like(row('value, note', "client_settings('plain') WHERE setting = 'PGSSLMODE'"), qr/^require\|with this the client does not verify the server.*set verify-full.*pg_hosts\.conf/, 'client_settings() too, and what to do');
is(row('value', "version() WHERE item = 'proof of loaded material'"), 'number', 'version() says what the proof is worth');
is(row('severity', "lint() WHERE code = 'certificates_by_host'"), 'warning', 'lint says what it does not look at');

# 5
$server->set(ssl_sni => 'off');
is(row('loaded', 'reload()'), 't', 'ssl_sni = off');
ok($server->login(cert => 'app', sslmode => 'require')->{ok}, 'the settings are in force');
is(row("installed", "add_ca(\$\$" . pem('second') . "\$\$)"), 't', 'an installation');
ok($server->login(cert => 'app2', sslmode => 'require')->{ok}, 'is in force');
$server->set(ssl_sni => 'on');
is(row('loaded', 'reload()'), 't', 'ssl_sni = on');
ok(!$server->login(cert => 'app2', host => 'one.test', sslmode => 'require', extra => 'hostaddr=127.0.0.1')->{ok}, 'the hosts are in force again');
$server->set(ssl => 'off');
like(error('SELECT * FROM sslpolicy.reload()'), qr/ssl is off/, 'ssl = off');
$server->set(ssl => 'on');
is(row('loaded', 'reload()'), 't', 'ssl = on again');
ok(login('one.test', cert => 'app')->{ok}, 'and serves');
# 6
$server->sql(q{CREATE ROLE bob LOGIN PASSWORD 'secret'; SELECT sslpolicy.set_policy('bob', 'sslmode=verify-ca')});
$server->set_hba('hostssl all bob all password');
set_hosts(['one.test', 'one.test', 'root'], ['two.test', 'two.test', 'second']);
is(row('loaded', 'reload()'), 't', 'two hosts');
my $client = stalled($server, user => 'bob', cert => 'app2', host => 'two.test');
is(password($client), 'in', 'a client that takes its time is let in');
leave($client);
$client = stalled($server, user => 'bob', cert => 'app2', host => 'two.test');
is(row('loaded', 'reload()'), 't', 'it takes more time than a reload');
is(password($client), 'client certificate of role "bob" is not accepted any more: CAs or certificate revocation lists have changed since the TLS handshake', 'and is refused, since the CA of its host is not read again');
leave($client);

$server->sql(q{SELECT sslpolicy.set_policy('app', 'sslmode=verify-ca')});
my %live = map { $_->[0] => $server->background(user => 'app', cert => $_->[1], host => $_->[0], extra => 'hostaddr=127.0.0.1') } ['one.test', 'app'], ['two.test', 'app2'];
my %pid = map { my $pid = $live{$_}->query('SELECT pg_backend_pid()'); $_ => $pid } keys %live;
is(row('loaded', 'reload()'), 't', 'nothing changes for live sessions');
set_hosts(['one.test', 'one.test', 'root'], ['two.test', 'two.test', 'root']);
is(row('loaded', 'reload()'), 't', 'another CA for a host');
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid{'two.test'}"), 'a session whose CA no host has any more is ended');
is($server->sql("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid{'one.test'}"), '1', 'the other one stays');
eval { $_->quit } for values %live;
unlike($server->log_since(0), qr/TLS init hook|PANIC|terminated by signal/, 'nothing untoward in the log');

$server->stop;
done_testing();

sub write_garbage
{
	open my $fh, '>', $_[0] or die "$_[0]: $!";
	print $fh "garbage\n";
	close $fh;
	return;
}
