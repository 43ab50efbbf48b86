# How far a client can verify the server, and what it needs for that.
#
# 1. The host name: whatever names the server's certificate has, or has not.
# 2. server_ca(): every way in which the root is known, or is not.
use strict;
use warnings;
use File::Copy qw(copy);
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Client;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('client_server_ca',
	conf => "ssl_min_protocol_version = 'TLSv1.2'\n");
my $node = $server->node;
my $certs = $server->certs;
my $root = $certs->get('root');
my $dir = $certs->{dir};
my $int = $certs->intermediate('int', issuer => $root, subject => '/CN=Test Intermediate');
$server->start;
$server->sql('CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN');

###############################################################################
# 1

# a server certificate with these options in force, which clients verify as expected
my $made = 0;
sub with_server_certificate
{
	my ($name, $options, $expect, %more) = @_;
	my $cert = $certs->server('server_' . ++$made, issuer => $root, key_name => 'server', %$options);
	copy($cert->{chain}, "$dir/server.crt") or die $!;
	like($server->sql('SELECT loaded, error FROM sslpolicy.reload(force => true)'), qr/^t/, "$name: loaded");
	my $told = settings_of($server, no_address => 1, %more);
	my %got = map { $_ => value($told, $_) } keys %$expect;
	is_deeply(\%got, $expect, "$name: what is told");
	return $told;
}
$server->label(role => { app => 'sslmode=require' });
my $told;
$told = with_server_certificate('a DNS name', { san => [ 'ip:127.0.0.1', 'dns:localhost', 'dns:db.example.com', 'dns:*.example.com' ] },
	{ PGHOST => 'db.example.com', PGSSLMODE => 'verify-full' });
like(note_of($told, 'PGHOST'), qr/also there: 127\.0\.0\.1, localhost, \*\.example\.com$/, 'a DNS name: the others are told');
with_server_certificate('a client on this host', { san => [ 'dns:db.example.com', 'dns:localhost' ] }, { PGHOST => 'localhost' }, no_address => 0, address => '127.0.0.1');
$told = with_server_certificate('a wildcard alone', { san => ['dns:*.example.com'] }, { PGHOST => 'HOST.example.com', PGSSLMODE => 'verify-full' });
like(note_of($told, 'conninfo'), qr/in place of HOST/, 'a wildcard alone: what to replace');
$told = with_server_certificate('a common name alone', { subject => '/CN=localhost', san => undef },
	{ PGHOST => 'localhost', PGSSLMODE => 'verify-full' });
gets_in(new_client($server, $told, 'a common name alone'), 'app', 'a common name alone');
$told = with_server_certificate('no host name', { subject => '/CN=The Server', san => undef }, { PGHOST => 'HOST', PGSSLMODE => 'verify-ca' });
my $nameless = new_client($server, $told, 'no host name', host => '127.0.0.1');
gets_in($nameless, 'app', 'no host name');
like(by_bundle({ %$nameless, host => undef }, 'dash')->{err}, qr/^sslpolicy: set PGHOST to the name or the address of this server$/m, 'no host name: the bundle asks for it');
unlike(by_bundle($nameless, 'dash')->{err}, qr/sslpolicy:/, 'no host name: unless it is there');
like(by_environment($nameless, PGSSLMODE => 'verify-full')->{err}, qr/does not match host name/, 'no host name: verify-full does not work');
$told = with_server_certificate('expired', { not_after => time - 86400, days => undef }, { PGSSLMODE => 'require', PGSSLROOTCERT => undef });
like(note_of($told, 'PGSSLMODE'), qr/cannot verify the server.*expired/, 'expired: why');
gets_in(new_client($server, $told, 'expired'), 'app', 'expired');
$told = with_server_certificate('for clients only', { eku => ['clientAuth'] }, { PGSSLMODE => 'require' });

###############################################################################
# 2

my $folder = PostgreSQL::Test::Utils::tempdir('pem');
sub ca_subjects
{
	my $pem = $server->sql('SELECT sslpolicy.server_ca()');
	my @subjects;
	while ($pem =~ /(-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----)/gs)
	{
		spew("$folder/one.pem", "$1\n");
		push @subjects, run_in($folder, {}, 'openssl', 'x509', '-in', 'one.pem', '-noout', '-subject', '-nameopt', 'RFC2253')->{out} =~ s/^subject=//r;
	}
	unlike($pem, qr/PRIVATE KEY/, 'server_ca: no key');
	return \@subjects;
}
sub server_ca_works
{
	my ($name, $subjects) = @_;
	is_deeply(ca_subjects(), $subjects, "server_ca: $name");
	my $told = settings_of($server);
	is(value($told, 'PGSSLMODE'), 'verify-full', "server_ca: $name: the client can verify the server") or diag(note_of($told, 'PGSSLMODE'));
	gets_in(new_client($server, $told, $name), 'app', "server_ca: $name") if value($told, 'PGSSLMODE') eq 'verify-full';
	return;
}
# files => { server: names of certificates in ssl_cert_file, ca: in ssl_ca_file }
sub install
{
	my ($chain, $cas) = @_;
	$certs->bundle('server.crt', @$chain);
	$certs->bundle('trusted.crt', @$cas);
	$server->set(ssl_ca_file => "$dir/trusted.crt");
	my $loaded = $server->sql('SELECT loaded, error FROM sslpolicy.reload(force => true)');
	like($loaded, qr/^t\|/, 'the server has loaded it') or diag($loaded);
	return;
}
my $sans = { san => [ 'dns:localhost', 'ip:127.0.0.1', 'ip:::1' ], key_name => 'server' };
my $other = $certs->ca('other', subject => '/CN=Other Root');
my $other_int = $certs->intermediate('other_int', issuer => $other, subject => '/CN=Other Intermediate');
my $cross = $certs->intermediate('cross', issuer => $other, subject => '/CN=Test Intermediate', key_name => 'int');
$certs->server('by_root', issuer => $root, %$sans);
$certs->server('by_int', issuer => $int, %$sans);
$certs->server('by_other_int', issuer => $other_int, %$sans);
$certs->server('self', issuer => 'self', subject => '/CN=localhost', %$sans);

install(['by_root'], ['root']);
server_ca_works('root in ssl_ca_file', ['O=Acme,CN=Test Root']);
install([ 'by_int', 'int' ], ['root']);
server_ca_works('root above an intermediate', ['O=Acme,CN=Test Root']);
install([ 'by_other_int', 'other_int', 'other' ], ['root']);
server_ca_works('root in the chain of ssl_cert_file', ['CN=Other Root']);
install(['self'], ['root']);
server_ca_works('self-signed', ['CN=localhost']);
install(['by_int'], [ 'root', 'int' ]);
is_deeply([ sort @{ ca_subjects() } ], [ 'CN=Test Intermediate', 'O=Acme,CN=Test Root' ], 'server_ca: an intermediate that the server does not send');
gets_in(new_client($server, settings_of($server), 'not sent'), 'app', 'server_ca: an intermediate that the server does not send');
install([ 'by_int', 'int', 'cross', 'other' ], ['root']);
is_deeply([ sort @{ ca_subjects() } ], [ 'CN=Other Root', 'O=Acme,CN=Test Root' ], 'server_ca: both roots of a cross-signed CA');
gets_in(new_client($server, settings_of($server), 'cross'), 'app', 'server_ca: both roots of a cross-signed CA');
install([ 'by_other_int', 'other_int' ], ['root']);
my (undef, undef, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT sslpolicy.server_ca()");
like($err, qr/ERROR:  55000: the root certificate .* "CN=Other Root", which issued "CN=Other Intermediate", .*\nHINT:  Append the certificate of that CA/, 'server_ca: a root that is nowhere');
$told = settings_of($server);
is(value($told, 'PGSSLMODE'), 'require', 'a root that is nowhere: the client cannot verify the server');
my $rootless = new_client($server, $told, 'a root that is nowhere');
gets_in($rootless, 'app', 'a root that is nowhere');
unlike($rootless->{bundle}, qr/BEGIN|PGSSLROOTCERT=/, 'a root that is nowhere: none in the bundle');
like(by_bundle($rootless, 'dash')->{err}, qr/^sslpolicy: the client cannot verify the server, .*"CN=Other Root"/, 'a root that is nowhere: the bundle says so');
install([ 'by_root' ], ['root']);

# what is in force counts, not what the file holds meanwhile
copy($certs->get('self')->{cert}, "$dir/server.crt");
is_deeply(ca_subjects(), ['O=Acme,CN=Test Root'], 'server_ca: a file that has not been loaded does not count');
spew("$dir/server.crt", "nonsense\n");
is_deeply(ca_subjects(), ['O=Acme,CN=Test Root'], 'server_ca: nor one that cannot be');
install([ 'by_root' ], ['root']);

$server->stop;
done_testing();
