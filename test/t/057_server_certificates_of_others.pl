# Certificates as public CAs, renewal programs and other people's PKI make them.
#
# 1. a server certificate whose signature has no digest: SCRAM fails in libpq
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('others');
my ($certs, $node) = ($server->certs, $server->node);
my ($dir, $data) = ($certs->{dir}, $node->data_dir);
my $day = 24 * 3600;
# so that it can be changed
my $ca_path = $certs->bundle('trusted.crt', 'root');
$node->append_conf('postgresql.conf', "ssl_ca_file = '$ca_path'");
$certs->client('app', issuer => 'root', subject => '/CN=app');
$server->start;
$server->sql(q{CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN PASSWORD 'secret'});

sub pem { return join '', map { slurp_file("$dir/$_.crt") } @_ }

# The error of a call, or its row.
sub try
{
	my ($call, $columns) = @_;
	my (undef, $out, $err) = $node->psql('postgres',
		"\\set VERBOSITY verbose\nSELECT " . ($columns // 'installed, warnings::text') . " FROM sslpolicy.$call;");
	return $err . $out;
}

# Install a server's certificate with the rest of its chain.
sub install
{
	my ($name, $chain, $more) = @_;
	return try("install_server_certificate(\$\$@{[ pem($name, @{ $chain // [] }) ]}\$\$, \$\$@{[ slurp_file($certs->get($name)->{key}) ]}\$\$" . ($more // '') . ')');
}

sub reload { return $server->sql('SELECT loaded, error FROM sslpolicy.reload()') }
sub findings { return $server->sql("SELECT severity, object, finding FROM sslpolicy.lint() WHERE code = '$_[0]'") }

sub trust
{
	my (@names) = @_;
	$certs->bundle('trusted.crt', @names);
	is(reload(), 't|', "trusted: @names");
	return;
}

subtest 'signatures without a digest' => sub {
	my $login = sub {
		my ($binding) = @_;
		return $server->login(user => 'app', sslmode => 'require', env => { PGPASSWORD => 'secret' }, extra => "channel_binding=$binding sslrootcert=none");
	};
	$server->set_hba('hostssl all app all scram-sha-256');
	$certs->ca('edca', key => 'ED25519', subject => '/CN=Ed CA');
	$certs->ca('ed4ca', key => 'ED448', subject => '/CN=Ed4 CA');
	$certs->ca('rsaca', key => 'RSA:2048', subject => '/CN=RSA CA');
	$certs->intermediate('inner', issuer => 'edca', subject => '/CN=Inner');
	$certs->server('byed', issuer => 'edca', subject => '/CN=byed');
	$certs->server('byed4', issuer => 'ed4ca', subject => '/CN=byed4');
	$certs->server('byinner', issuer => 'inner', subject => '/CN=byinner');
	$certs->server('edkey', issuer => 'root', key => 'ED25519', subject => '/CN=edkey');
	$certs->server('bypss', issuer => 'rsaca', key => 'RSA:2048', subject => '/CN=bypss');
	system("openssl req -new -key $dir/bypss.key -subj /CN=bypss -out $dir/bypss.csr 2>/dev/null && echo subjectAltName=DNS:localhost,IP:127.0.0.1 >$dir/bypss.ext"
		  . " && echo extendedKeyUsage=serverAuth >>$dir/bypss.ext && openssl x509 -req -in $dir/bypss.csr -CA $dir/rsaca.crt -CAkey $dir/rsaca.key -CAcreateserial -days 90"
		  . " -sigopt rsa_padding_mode:pss -extfile $dir/bypss.ext -out $dir/bypss.crt 2>/dev/null") == 0 or die 'no certificate signed with RSA-PSS';

	for my $case ([ byed => 'edca', 'ED25519' ], [ byed4 => 'ed4ca', 'ED448' ])
	{
		my ($name, $ca, $algorithm) = @$case;
		like(install($name, [$ca], ', dry_run => true'), qr/^f\|.*certificate \\"CN=$name\\": it is signed with $algorithm, an algorithm without a digest for channel binding: password logins by SCRAM fail in libpq/, "$algorithm: a dry run says so");
		like(install($name, [$ca]), qr/^t\|.*is signed with $algorithm, an algorithm without a digest/, "$algorithm: it is installed with a warning");
		like($login->('prefer')->{err}, qr/could not find digest/, "$algorithm: which is true");
		ok($login->('disable')->{ok}, "$algorithm: without channel binding a password is enough");
		like(findings('server_certificate_without_digest'), qr/^error\|server certificate "CN=$name"\|For SCRAM, it is signed with $algorithm, /, "$algorithm: lint finds it");
	}
	$server->set_hba('hostssl all app all trust');
	like(findings('server_certificate_without_digest'), qr/^warning\|/, 'no line asks for a password: a warning');
	$server->set_hba('hostssl all app all scram-sha-256');

	for my $case ([ byinner => [ 'inner', 'edca' ], 'Ed25519 further up' ], [ edkey => [], 'an Ed25519 key' ], [ bypss => ['rsaca'], 'RSA-PSS' ])
	{
		my ($name, $chain, $title) = @$case;
		my $result = install($name, $chain);
		like($result, qr/^t\|/, "$title: installed");
		unlike($result, qr/digest/, "$title: without a warning");
		ok($login->($_)->{ok}, "$title: a password with channel_binding=$_") for qw(prefer require);
		is(findings('server_certificate_without_digest'), '', "$title: lint finds nothing");
	}
	$server->set_hba;
	$server->sql('SELECT pg_reload_conf()');
};

unlike($server->log_since(0), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$server->stop;
done_testing();
