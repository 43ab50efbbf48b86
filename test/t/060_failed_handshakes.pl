# Why the TLS handshake did not accept a client's certificate.
#
# 1. each certificate has the same verdict, and the same alert, with the library and
#    without it, by TLS 1.2 and 1.3
# 2. with the library the log and sslpolicy.rejections say why, at which certificate of
#    the chain, and whose it was (PostgreSQL 16 and later have their own words for it)
# 3. names and numbers that a stranger has made up
# 4. repeats are one row; made-up certificates do not push out other clients' rows
# 5. log files in CSV and JSON
# 6. another module that verifies certificates keeps its verdict, whichever comes first
use strict;
use warnings;
use Math::BigInt;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Certs::DER qw(bit_string integer oid seq tlv true);
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my ($version) = qx("$ENV{PG_CONFIG}" --version) =~ /(\d+)/;
my $ours = $version < 16;
# at debug4 the log has the alerts that the server writes; whether a client reads them
# before the server hangs up is a matter of luck
my $server = SSLPolicy::Server->new('handshakes', conf => "log_min_messages = debug4\nsslpolicy.max_rejections = 40\n");
my ($certs, $node) = ($server->certs, $server->node);
my $dir = $certs->{dir};
my $yesterday = time - 86400;
my @past = (not_before => $yesterday - 20 * 86400, not_after => $yesterday);

# a certificate that says what it wants of itself
sub odd
{
	my ($name, $issuer, @extensions) = @_;
	return $certs->client($name, issuer => $issuer, extensions => \@extensions);
}
sub is_ca { return ([ '2.5.29.19', 1, seq(true(), @_) ], key_usage("\x06")) }
sub key_usage { return [ '2.5.29.15', 1, tlv(0x03, "\x01" . $_[0]) ] }

# a certificate that openssl signs as it is told
sub signed_with
{
	my ($name, $ca, $digest) = @_;
	my $request = "$dir/$name.csr";
	system('openssl', 'req', '-new', '-key', $certs->get('app')->{key}, '-subj', "/CN=$name", '-out', $request) == 0 or die;
	system("openssl x509 -req -in $request -CA $dir/$ca.crt -CAkey $dir/$ca.key -$digest -set_serial 77 -days 30 -out $dir/$name.crt 2>/dev/null") == 0 or die;
	return { chain => "$dir/$name.crt", key => $certs->get('app')->{key}, serial => 77, subject => "CN=$name" };
}

$certs->ca('rsa_root', key => 'RSA:2048');
$certs->ca('unknown', subject => '/CN=Unknown CA');
$certs->intermediate($_, issuer => 'root') for qw(between between2);
$certs->intermediate('old_between', issuer => 'root', @past);
odd('short_path', 'root', is_ca(integer(Math::BigInt->new(0))));
$certs->intermediate('below_short_path', issuer => 'short_path');
odd('constrained', 'root', is_ca(), [ '2.5.29.30', 1, seq(tlv(0xa0, seq(tlv(0x82, 'allowed.test')))) ]);
$certs->client('app', issuer => 'root', subject => '/CN=app/O=Acme');
$certs->client($_, issuer => 'root') for qw(other banned);
$certs->client('by_between', issuer => 'between');
$certs->client('by_unknown', issuer => 'unknown');
$certs->client('expired', issuer => 'root', @past);
$certs->client('early', issuer => 'root', not_before => time + 86400);
$certs->client('self_signed', issuer => 'self');
$certs->client('of_a_server', issuer => 'root', eku => ['serverAuth']);
$certs->client('of_a_client', issuer => 'root', eku => ['clientAuth']);
$certs->client('version1', issuer => 'root', version => 1);
$certs->client('by_old', issuer => 'old_between');
$certs->client('by_a_client', issuer => 'other');
$certs->client('too_deep', issuer => 'below_short_path');
$certs->client('in_name', issuer => 'constrained', san => ['dns:a.allowed.test']);
$certs->client('out_of_name', issuer => 'constrained', san => ['dns:a.forbidden.test']);
$certs->client('weak', issuer => 'root', key => 'RSA:1024');
odd('signs_crls', 'root', key_usage("\x02"));
odd('critical', 'root', [ '1.2.3.4', 1, seq() ]);
my %made = (
	sha1 => signed_with('sha1', 'rsa_root', 'sha1'),
	md5 => signed_with('md5', 'rsa_root', 'md5'),
	alone => { %{ $certs->get('by_between') }, chain => $certs->get('by_between')->{cert} });

# one bit of a signature turned
{
	my $der = MIME::Base64::decode_base64(slurp_file("$dir/app.crt") =~ s/-----.*?-----//gr);
	substr($der, -1) ^= "\1";
	write_file("$dir/bad.crt", "-----BEGIN CERTIFICATE-----\n" . MIME::Base64::encode_base64($der) . "-----END CERTIFICATE-----\n");
	$made{bad_signature} = { %{ $certs->get('app') }, chain => "$dir/bad.crt" };
}

# a client that is not more careful than an attacker
write_file("$dir/client.cnf", "openssl_conf=a\n[a]\nssl_conf=b\n[b]\nsystem_default=c\n[c]\nCipherString=DEFAULT\@SECLEVEL=0\n");
my %client = (user => 'app', sslmode => 'require', env => { OPENSSL_CONF => "$dir/client.cnf" });
$certs->bundle('trusted.crt', 'root', 'rsa_root');
$node->append_conf('postgresql.conf', "ssl_ca_file = '$dir/trusted.crt'");
write_file("$dir/all.crl", map { make_crl($certs, $_->[0], 1, revoked => $_->[1]) } ['root', ['other', 'between2']], [ 'between', [] ], [ 'between2', [] ], [ 'rsa_root', [] ]);
$certs->client('by_revoked', issuer => 'between2');
write_file("$dir/root_only.crl", make_crl($certs, 'root', 1));
write_file("$dir/expired.crl", make_crl($certs, 'root', 1, next => $yesterday));

# CRL ('' for none), certificate, alert ('' if it is accepted), OpenSSL's reason, depth,
# and the certificate at that depth, if it is another one
my @cases = (
	[ '', undef, '' ],
	[ '', 'app', '' ],
	[ '', 'by_between', '' ],
	[ '', 'of_a_client', '' ],
	[ '', 'version1', '' ],
	[ '', 'in_name', '' ],
	[ '', 'alone', '0230', 'unable to get local issuer certificate', 0 ],
	[ '', 'by_unknown', '0230', 'unable to get local issuer certificate', 0 ],
	[ '', 'self_signed', '0230', 'self-signed certificate', 0 ],
	[ '', 'expired', '022d', 'certificate has expired', 0 ],
	[ '', 'early', '022a', 'certificate is not yet valid', 0 ],
	[ '', 'by_old', '022d', 'certificate has expired', 1, 'old_between' ],
	[ '', 'of_a_server', '022b', 'unsuitable certificate purpose', 0 ],
	[ '', 'signs_crls', '022b', 'unsuitable certificate purpose', 0 ],
	[ '', 'by_a_client', '0230', 'invalid CA certificate', 1, 'other' ],
	[ '', 'too_deep', '0230', 'path length constraint exceeded', 2, 'short_path' ],
	[ '', 'out_of_name', '022e', 'permitted subtree violation', 0 ],
	[ '', 'bad_signature', '0233', 'certificate signature failure', 0 ],
	[ '', 'weak', '022a', 'EE certificate key too weak', 0 ],
	[ '', 'sha1', '022a', 'CA signature digest algorithm too weak', 0 ],
	[ '', 'md5', '022a', 'CA signature digest algorithm too weak', 0 ],
	[ '', 'critical', '022e', 'unhandled critical extension', 0 ],
	[ 'all', 'app', '' ],
	[ 'all', 'by_between', '' ],
	[ 'all', 'other', '022c', 'certificate revoked', 0 ],
	[ 'all', 'by_revoked', '022c', 'certificate revoked', 1, 'between2' ],
	[ 'root_only', 'app', '' ],
	[ 'root_only', 'by_between', '0230', 'unable to get certificate CRL', 0 ],
	[ 'expired', 'app', '022d', 'CRL has expired', 0 ],
	[ 'expired', undef, '' ]);

# What the server makes of a certificate: whether it lets in, the fatal alert that it
# writes and its message; and the rest of what it logs.
sub shake_hands
{
	my ($cert, %opt) = @_;
	my $offset = $server->log_offset;
	my $login = $server->login(%client, cert => $cert && ($made{$cert} // $cert), %opt);
	my $log = $login->{ok} ? $server->log_since($offset) : $server->wait_for_log(qr/could not accept SSL connection.*?\n(?=.*(?:server process|client backend) \(PID)/s, $offset);
	my ($alert) = $log =~ /SSL: write alert \(0x(02..)\)/;
	my ($message) = $log =~ /LOG:  (could not accept SSL connection.*)/;
	unlike($login->{err}, qr/serial|depth|issuer/, 'the client is not told more');
	return (join('|', $login->{ok}, $alert // '', $message // ''), $log);
}

sub each_case
{
	my (%logs, %verdicts);
	for my $crl ('', 'all', 'root_only', 'expired')
	{
		$server->set('ssl_crl_file' => $crl ? "$dir/$crl.crl" : undef);
		for my $case (grep { $_->[0] eq $crl } @cases)
		{
			for my $tls ('TLSv1.2', 'TLSv1.3')
			{
				my $name = ($case->[1] // 'none') . ($crl && " ($crl.crl)") . ", $tls";
				($verdicts{$name}, $logs{$name}) = shake_hands($case->[1],
					extra => "ssl_min_protocol_version=$tls ssl_max_protocol_version=$tls");
			}
		}
	}
	$server->set('ssl_crl_file' => undef);
	return (\%verdicts, \%logs);
}

sub facts_of
{
	my ($name) = @_;
	my $cert = $made{$name} // $certs->get($name);
	return 'serial=' . Math::BigInt->new($cert->{serial})->bstr . qq( subject="$cert->{subject}" issuer=");
}

# 1
$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "''");
$server->start;
$server->sql('CREATE ROLE app LOGIN');
my ($without) = each_case();
$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "'sslpolicy'");
$server->restart;
$server->sql('CREATE EXTENSION sslpolicy');
my ($with, $logs) = each_case();
is_deeply($with, $without, 'verdicts, alerts and messages are the same with the library');
for my $case (@cases)
{
	my ($crl, $cert, $alert, $reason, $depth, $culprit) = @$case;
	for my $tls ('TLSv1.2', 'TLSv1.3')
	{
		my $name = ($cert // 'none') . ($crl && " ($crl.crl)") . ", $tls";
		is($without->{$name} =~ s/\|could not.*/|/r, $alert ? "0|$alert|" : '1||', "$name: what the server makes of it");
		next unless $ours;

		# 2
		my ($detail) = $logs->{$name} =~ /could not accept SSL connection.*\n.*?DETAIL:  (.*)/;
		my $facts = $alert ? "Certificate not accepted: $reason; depth=$depth " . facts_of($culprit // $cert) : '';
		is(substr($detail // '', 0, length $facts), $facts, "$name: the log says why");
	}
}

# 3
sub reasons { return $server->sql("SELECT count, reasons[2] FROM sslpolicy.rejections WHERE $_[0] ORDER BY at DESC LIMIT 1") }
my %hostile = (
	line_break => [ '[^\n]*subject="CN=evil\\\\0A2026-01-01 LOG:  forged" issuer=', subject => [ [ CN => "evil\n2026-01-01 LOG:  forged" ] ] ],
	nul => [ 'serial=\d+ subject="CN=app\\\\00.evil" issuer=', subject => [ [ CN => "app\0.evil" ] ] ],
	quote => [ 'subject="CN=a\\\\" issuer=\\\\"CN=root" issuer="CN=Unknown CA"', subject => [ [ CN => 'a" issuer="CN=root' ] ] ],
	long => [ 'serial=\d+ subject=".{100,160}\[cut\]" issuer="CN=Unknown CA"', subject => [ map { [ OU => "$_" x 64 ] } ('a' .. 'z') x 2 ] ],
	long_serial => [ 'serial=\[unreadable\] subject="CN=x"', subject => '/CN=x', serial => '0x' . '7f' x 200 ],
	not_short_serial => [ 'serial=\d{50,60}\[cut\] subject="CN=x"', subject => '/CN=x', serial => '0x' . '7f' x 100 ],
	empty => [ 'subject="" issuer="CN=Unknown CA"', subject => [], san => ['dns:x'] ],
	bmp => [ 'subject="CN=\\\\C3\\\\9C" issuer="CN=Unknown CA"', subject => [ [ CN => { bmp => "\xdc" } ] ] ],
	high => [ 'subject="CN=#130361F6..".*issuer="CN=Unknown CA"', subject => [ [ CN => { printable => "a\xf6b" } ] ] ]);
for my $name (sort keys %hostile)
{
	my ($expected, %how) = @{ $hostile{$name} };
	$server->sql('SELECT sslpolicy.reset_statistics()');
	$certs->client($name, issuer => 'unknown', %how);
	my ($verdict, $log) = shake_hands($name);
	like($verdict, qr/^0\|0230\|/, "$name: refused");
	next unless $ours;
	like($log, qr/DETAIL:  Certificate not accepted: .*; depth=0 .*$expected/, "$name: in the log");
	$node->poll_query_until('postgres', 'SELECT count(*) > 0 FROM sslpolicy.rejections') or die;
	like(reasons('true'), qr/^1\|Certificate not accepted: .*issuer="CN=Unknown CA"\.$/, "$name: all of it is in sslpolicy.rejections");
}

# 4
sub rows { return $server->sql("SELECT count(*) FROM sslpolicy.rejections WHERE $_[0]") }
$server->sql('SELECT sslpolicy.reset_statistics()');
shake_hands('expired', host => '::1') for 1 .. 3;
shake_hands('by_unknown', host => '::1');
$node->poll_query_until('postgres', 'SELECT sum(count) = 4 FROM sslpolicy.rejections') or die;
is($server->sql(q{SELECT string_agg(count || coalesce(role, '') || (client_dn IS NULL), ',' ORDER BY count) FROM sslpolicy.rejections}), '1true,3true',
	'a row for each certificate, with no name that is not proved');
like(reasons('count = 3'), qr/has expired.*subject.*CN=expired/, 'which says why');
for my $number (1 .. 30)
{
	$certs->client("made_up_$number", issuer => 'self', key_name => 'app');
	shake_hands("made_up_$number");
}
$node->poll_query_until('postgres', "SELECT count(*) > 0 FROM sslpolicy.rejections WHERE reasons::text LIKE '%made_up_30%'") or die;
is(rows(q{address = '::1'}), 2, 'made-up certificates do not push out what came from elsewhere');
cmp_ok(rows(q{address = '127.0.0.1'}), '<=', 18, 'of which there is not more than the table holds');

# 5
$node->append_conf('postgresql.conf', "log_destination = 'csvlog,jsonlog'\nlogging_collector = on\nlog_directory = 'log'\nlog_filename = 'l.log'");
$server->restart;
$server->login(%client, cert => 'expired');
$node->poll_query_until('postgres', "SELECT count(*) > 0 FROM sslpolicy.rejections WHERE at > pg_postmaster_start_time()") or die;
like(slurp_file($node->data_dir . '/log/l.csv'), qr/could not accept SSL connection[^\n]*,"[^\n]*certificate has expired(?s:.{1,200})CN=expired/, 'CSV has the reason');
like(slurp_file($node->data_dir . '/log/l.json'), qr/could not accept SSL connection[^\n]*"detail":"[^\n]*certificate has expired[^\n]*CN=expired/, 'JSON has the reason');
$node->append_conf('postgresql.conf', "log_destination = 'stderr'\nlogging_collector = off");

# 6
my $folder = PostgreSQL::Test::Utils::tempdir('verify');
chomp(my $include = qx("$ENV{PG_CONFIG}" --includedir-server));
chomp(my $cppflags = qx("$ENV{PG_CONFIG}" --cppflags));
for my $first (0, 1)
{
	system("gcc -shared -fPIC -O1 -DFIRST=$first $cppflags -I$include -I$include/../internal -o $folder/verify$first.so test/modules/verify.c") == 0
	  or die 'verify does not compile';
	for my $libraries ("sslpolicy,$folder/verify$first", "$folder/verify$first,sslpolicy")
	{
		my $name = ($libraries =~ /^sslpolicy/ ? 'after' : 'before') . ' ours, its callback set ' . ($first ? 'first' : 'last');
		$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "'$libraries'");
		$server->restart;
		like((shake_hands('app'))[0], qr/^1/, "a module $name: a certificate that it accepts");
		like((shake_hands('expired'))[0], qr/^0\|022d/, "$name: one that nobody accepts");
		my ($verdict, $log) = shake_hands('banned');
		like($verdict, qr/^0/, "$name: one that it refuses");
		like($log, qr/Certificate not accepted: application verification failure; depth=0 .*CN=banned/, "$name: and the log says so") if $ours;
	}
}

unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$server->stop;
done_testing();
