# Test of SSLPolicy::Certs: is every certificate it makes what it claims to be?
#
# This file is responsible for making each ordinary and each hostile kind of
# certificate and asking openssl, not the module that encoded it, what is in it
# and whether the chain verifies.  It needs no server:
#
#   prove -I test/lib test/lib/certs_selftest.pl
use strict;
use warnings FATAL => 'all';

use File::Temp qw(tempdir);
use IPC::Run qw(run);
use Math::BigInt;
use MIME::Base64 qw(decode_base64);
use Test::More;
use Time::HiRes ();

use SSLPolicy::Certs;

my $openssl = $ENV{OPENSSL} || 'openssl';
my $day     = 24 * 3600;
my $c       = SSLPolicy::Certs->new(dir => tempdir(CLEANUP => 1) . '/certs');
my $ca      = $c->ca('root', subject => '/CN=Test CA');
my $shared  = $c->client('shared', issuer => $ca);

# Standard output and error of openssl, whatever its exit status.
sub openssl
{
	my @arg = @_;
	run [ $openssl, @arg ], '<', \undef, '>', \my $out, '2>&1';
	return $out;
}

sub slurp
{
	open my $fh, '<', $_[0] or die "open $_[0]: $!";
	local $/;
	return <$fh>;
}

sub text { return openssl('x509', '-in', $_[0]{cert}, '-noout', '-text'); }

sub asn1 { return openssl('asn1parse', '-in', $_[0]{cert}); }

# The subject with each value as the hexadecimal of its DER, string type and
# length included: "CN=#0C0161".
sub subject_der
{
	my $out = openssl('x509', '-in', $_[0]{cert}, '-noout', '-subject', '-nameopt',
		'RFC2253,dump_all,dump_der');
	$out =~ s/\Asubject=\s*//;
	chomp $out;
	return $out;
}

# The DER of the subjectAltName extension, in hexadecimal.
sub san_der
{
	return asn1($_[0]) =~
	  /X509v3 Subject Alternative Name\n(?:.*BOOLEAN.*\n)?.*\[HEX DUMP\]:([0-9A-F]+)/
	  ? $1
	  : '';
}

sub verifies
{
	my ($cert, $name, @arg) = @_;
	@arg = ('-CAfile', $ca->{cert}) unless @arg;
	like(openssl('verify', @arg, $cert->{cert}), qr/: OK$/, "$name: verifies");
	return;
}

# A client certificate with the shared key that verifies and has this serial.
sub client
{
	my ($name, %opt) = @_;
	my $cert = $c->client($name, issuer => $ca, key_name => 'shared', %opt);
	verifies($cert, $name);
	return $cert;
}

sub dies
{
	my ($like, $name, $code) = @_;
	eval { $code->(); 1 } and return fail($name);
	like($@, $like, $name);
	return;
}

note openssl('version');

subtest 'root' => sub {
	like(text($ca), qr/Basic Constraints: critical\s+CA:TRUE/, 'is a CA');
	like(text($ca), qr/Key Usage: critical\s+Certificate Sign, CRL Sign\n/, 'usage');
	like(text($ca), qr/Subject Key Identifier/, 'key identifier');
	is($ca->{subject}, 'CN=Test CA', 'subject');
	verifies($ca, 'root');
};

subtest 'server' => sub {
	my $cert = $c->server('server', issuer => $ca);
	for my $check ([ -verify_hostname => 'localhost' ], [ -verify_ip => '127.0.0.1' ],
		[ -verify_ip => '::1' ])
	{
		verifies($cert, "@$check", '-CAfile', $ca->{cert}, '-purpose', 'sslserver',
			@$check);
	}
	unlike(text($cert), qr/CA:TRUE/, 'no CA');
	like(text($cert), qr/Extended Key Usage: \n +TLS Web Server Authentication\n/, 'for servers alone');
};

subtest 'result' => sub {
	my $cert = client('result', subject => '/CN=app/O=Acme', serial => 42);
	is($cert->{subject}, 'O=Acme,CN=app', 'subject');
	is($cert->{serial}, '42', 'serial');
	my $print = openssl('x509', '-in', $cert->{cert}, '-noout', '-fingerprint', '-sha256');
	chomp $print;
	$print =~ s/.*=//;
	$print =~ s/://g;
	is($cert->{fingerprint}, lc $print, 'fingerprint');
	is($c->fingerprint($cert->{cert}), lc $print, 'fingerprint of a file');
	is($cert->{key}, $shared->{key}, 'key is shared');
	is((stat $cert->{key})[2] & 07777, 0600, 'mode of the key');
	is($c->get('result'), $cert, 'get');
	my $bundle = $c->bundle('bundle.pem', 'root', $cert);
	is(() = slurp($bundle) =~ /BEGIN CERTIFICATE/g, 2, 'bundle');
	is(slurp($cert->{chain}), slurp($cert->{cert}), 'chain has no root');
	is((stat $c->{dir})[2] & 07777, 0700, 'mode of the directory');
};

subtest 'intermediates' => sub {
	my $one  = $c->intermediate('one', issuer => $ca);
	my $two  = $c->intermediate('two', issuer => 'one', subject => '/CN=Two');
	my $leaf = $c->client('deep', issuer => $two);
	verifies($leaf, 'leaf', '-CAfile', $ca->{cert}, '-untrusted', $leaf->{chain});
	unlike(openssl('verify', '-CAfile', $ca->{cert}, $leaf->{cert}), qr/: OK$/,
		'not without the chain');
	is(slurp($leaf->{chain}), join('', map { slurp($_->{cert}) } $leaf, $two, $one),
		'chain');
};

subtest 'keys' => sub {
	my %like = (
		'EC:P-384' => qr/secp384r1/,
		'RSA:2048' => qr/2048 bit/,
		'ED25519'  => qr/Public Key Algorithm: ED25519/i,
		'ED448'    => qr/Public Key Algorithm: ED448/i);
	for my $spec (sort keys %like)
	{
		(my $name = $spec) =~ s/://;
		my $root = $c->ca("ca-$name", key => $spec);
		my $leaf = $c->client("leaf-$name", issuer => $root, key => $spec);
		verifies($leaf, $spec, '-CAfile', $root->{cert});
		like(text($leaf), $like{$spec}, $spec);
	}
};

subtest 'extended key usage and other extensions' => sub {
	my $cert = client('eku', eku => ['clientAuth'],
		extensions => [ [ '1.3.6.1.4.1.55555.1', 0, "\x05\x00" ] ]);
	like(text($cert), qr/TLS Web Client Authentication\n/, 'clientAuth');
	like(text($cert), qr/1\.3\.6\.1\.4\.1\.55555\.1:/, 'private extension');
	verifies($cert, 'as client', '-CAfile', $ca->{cert}, '-purpose', 'sslclient');
	my $unknown = $c->client('critical', issuer => $ca, key_name => 'shared',
		extensions => [ [ '1.3.6.1.4.1.55555.1', 1, "\x05\x00" ] ]);
	like(openssl('verify', '-CAfile', $ca->{cert}, $unknown->{cert}),
		qr/error 34 at 0 depth/, 'unknown critical extension');
};

subtest 'subjects' => sub {
	my $long = 'x' x 300;
	# Name, subject, and the values as subject_der shows them (last RDN first).
	my @case = (
		[ 'several CNs', [ map { [ CN => $_ ] } 'a', 'b', 'c' ],
			'CN=#0C0163,CN=#0C0162,CN=#0C0161' ],
		[ 'multi-valued RDN', [ [ CN => 'a', OU => 'b' ] ],
			'OU=#0C0162+CN=#0C0161' ],
		[ 'no CN', '/O=Acme', 'O=#0C0441636D65' ],
		[ 'escaped slash', '/CN=a\/b', 'CN=#0C03612F62' ],
		[ 'empty subject', [], '' ],
		[ 'empty CN', '/CN=', 'CN=#0C00' ],
		[ 'BMPString', [ [ CN => { bmp => "caf\x{e9}" } ] ],
			'CN=#1E0800630061006600E9' ],
		[ 'UniversalString', [ [ CN => { universal => 'a' } ] ], 'CN=#1C0400000061' ],
		[ 'UTF8String', [ [ CN => "caf\x{e9}\x{1f418}" ] ],
			'CN=#0C09636166C3A9F09F9098' ],
		[ 'T61String', [ [ CN => { t61 => "caf\xe9" } ] ], 'CN=#1404636166E9' ],
		[ 'PrintableString', [ [ CN => { printable => 'app' } ] ], 'CN=#1303617070' ],
		[ 'default types', '/C=CH/emailAddress=a@b',
			'emailAddress=#1603614062,C=#13024348' ],
		[ 'NUL', [ [ CN => "admin\0.evil" ] ], 'CN=#0C0B61646D696E002E6576696C' ],
		[ 'NUL in a BMPString', [ [ CN => { bmp => "a\0b" } ] ],
			'CN=#1E06006100000062' ],
		[ 'control characters', [ [ CN => "a\nLOG:  \e[2J\r\t\x7f" ] ],
			'CN=#0C0F610A4C4F473A20201B5B324A0D097F' ],
		[ 'invalid UTF-8 in an IA5String', [ [ CN => { ia5 => "a\xff\xc0\x80" } ] ],
			'CN=#160461FFC080' ],
		[ 'invalid UTF-8 in a PrintableString', [ [ CN => { printable => "\xff" } ] ],
			'CN=#1301FF' ],
		[ 'invalid UTF-8 in a T61String', [ [ CN => { t61 => "\xc3" } ] ],
			'CN=#1401C3' ],
		[ 'long value', [ [ CN => $long ] ], 'CN=#0C82012C' . '78' x 300 ]);
	for my $case (@case)
	{
		my ($name, $subject, $der) = @$case;
		(my $file = $name) =~ s/\W+/-/g;
		my $cert = client($file, subject => $subject);
		is(subject_der($cert), $der, $name);
		unlike($cert->{subject}, qr/[^ -~]/, "$name: printable when RFC 2253");
	}
	like($c->get('control-characters')->{subject}, qr/\\0A.*\\1B.*\\0D/, 'escapes');
};

subtest 'huge DN' => sub {
	my $cert = client('huge', subject =>
		  [ [ CN => 'app' ], map { [ OU => sprintf '%064d', $_ ] } 1 .. 64 ]);
	cmp_ok(length $cert->{subject}, '>', 4096, 'more than 4 kB as a string');
	is(() = $cert->{subject} =~ /OU=/g, 64, 'OU entries');
	$cert = client('huge-value', subject => [ [ CN => 'x' x 5000 ] ]);
	is($cert->{subject}, 'CN=' . 'x' x 5000, 'single value of 5000 characters');
};

subtest 'malformed strings' => sub {
	my %value = (
		'invalid UTF-8 in a UTF8String' => { raw_utf8      => "a\xff\xfe" },
		'odd BMPString'                 => { raw_bmp       => "\0a\0" },
		'odd UniversalString'           => { raw_universal => 'abc' });
	for my $name (sort keys %value)
	{
		(my $file = $name) =~ s/\W+/-/g;
		my @arg = ($file, issuer => $ca, subject => [ [ CN => $value{$name} ] ]);
		my $cert = $c->client(@arg, malformed => 1);
		# The library refuses the name when it decodes it, so no such
		# certificate gets as far as a server's own code.
		is($cert->{subject}, undef, "$name: does not parse");
		my ($type) = $name =~ /(\w+)\z/;
		like(asn1($cert), qr/commonName\n.*commonName\s.*\b$type\b/is, "$name: type");
		my ($bytes) = values %{ $value{$name} };
		my ($der) = slurp($cert->{cert}) =~ /-\n(.*?)\n-/s;
		cmp_ok(index(decode_base64($der), $bytes), '>', 0, "$name: bytes");
		unlike(openssl('verify', '-CAfile', $ca->{cert}, $cert->{cert}), qr/: OK$/,
			"$name: does not verify");
		dies(qr/ x509 .*wait status/s, "$name: must be announced",
			sub { $c->client(@arg) });
	}
};

subtest 'SANs' => sub {
	my $cert = client('san', subject => [], san => [
		'dns:app.example.com', 'email:a@b', 'uri:spiffe://bank/db/app', 'ip:10.0.0.1',
		'ip:::1', 'dirname:/CN=dir', 'rid:1.2.3.4', 'othername:1.3.6.1.4.1.311.20.2.3;u@d' ]);
	my $text = text($cert);
	like($text, qr/Subject Alternative Name: critical/, 'critical without a subject');
	like($text, qr/\Q$_\E/, $_)
	  for 'DNS:app.example.com', 'email:a@b', 'URI:spiffe://bank/db/app',
	  'IP Address:10.0.0.1', 'IP Address:0:0:0:0:0:0:0:1', 'Registered ID:1.2.3.4';
	like($text, qr/DirName:\W*CN\s*=\s*dir/, 'DirName');
	like($text, qr/othername:/i, 'othername');

	$cert = client('san-hundred', san => [ map { "dns:h$_.example.com" } 1 .. 100 ]);
	is(() = text($cert) =~ /DNS:h\d+\.example\.com/g, 100, 'a hundred');

	$cert = client('san-nul', san => [ "dns:good.example\0.evil" ]);
	like(san_der($cert), qr/8212676F6F642E6578616D706C65002E6576696C\z/, 'NUL in dns');
	$cert = client('san-bytes', san => [ "uri:spiffe://x\n\xff", [ dns => '' ] ]);
	like(san_der($cert), qr/860C7370696666653A2F2F780AFF8200\z/, 'any bytes');
	$cert = client('san-rawip', san => [ [ rawip => "\1\2\3" ] ]);
	like(san_der($cert), qr/8703010203\z/, 'address of the wrong length');
};

subtest 'serials' => sub {
	# The option and what openssl prints.
	my %serial = (
		'0'                => '00',
		'127'              => '7F',
		'128'              => '80',
		'-1'               => '-01',
		'-128'             => '-80',
		'-129'             => '-81',
		'-0x1000000000000' => '-01000000000000',
		'0x' . '7f' x 20   => '7F' x 20,
		'0x' . 'ff' x 20   => 'FF' x 20,
		'-0x' . 'ab' x 20  => '-' . 'AB' x 20,
		'1461501637330902918203684832716283019655932542975' => 'FF' x 20);
	my $n = 0;
	for my $serial (sort keys %serial)
	{
		my $cert = client('serial' . $n++, serial => $serial);
		my $out = openssl('x509', '-in', $cert->{cert}, '-noout', '-serial');
		like($out, qr/\Aserial=$serial{$serial}\s*\z/, "serial $serial");
		(my $hex = $serial{$serial}) =~ s/\A(-?)/${1}0x/;
		is($cert->{serial}, Math::BigInt->new($hex)->bstr, 'returned in decimal');
	}
	isnt(client('random1')->{serial}, client('random2')->{serial}, 'random by default');
};

subtest 'X.509 v1' => sub {
	my $cert = client('v1', version => 1);
	like(text($cert), qr/Version: 1 \(0x0\)/, 'version');
	unlike(text($cert), qr/X509v3/, 'no extensions');
};

subtest 'validity' => sub {
	my $now = time;
	my %case = (
		expired   => [ 10, not_after  => $now - $day ],
		yesterday => [ 10, days       => -1 ],
		future    => [ 9,  not_before => $now + $day ],
		ancient   => [ 10, not_before => -631152000, not_after => -631151999 ]);
	for my $name (sort keys %case)
	{
		my ($error, @opt) = @{ $case{$name} };
		my $cert = $c->client($name, issuer => $ca, key_name => 'shared', @opt);
		like(openssl('verify', '-CAfile', $ca->{cert}, $cert->{cert}),
			qr/error $error at 0 depth/, "$name: error $error");
		verifies($cert, "$name: signature", '-CAfile', $ca->{cert}, '-no_check_time');
	}
	my $cert = client('dates', not_before => 1000000000, not_after => 2900000000);
	like(text($cert), qr/Not Before: Sep  9 01:46:40 2001 GMT/, 'UTCTime');
	like(text($cert), qr/Not After : Nov 23 19:33:20 2061 GMT/, 'GeneralizedTime');
	my $old = $c->ca('old-root', not_after => $now - $day);
	like(openssl('verify', '-CAfile', $old->{cert}, $c->client('under-old',
			issuer => $old)->{cert}), qr/error 10 at 1 depth/, 'expired root');
};

subtest 'self-signed leaf' => sub {
	my $cert = $c->client('self', issuer => 'self', subject => '/CN=Test CA');
	unlike(text($cert), qr/CA:TRUE/, 'not a CA');
	unlike(openssl('verify', '-CAfile', $ca->{cert}, $cert->{cert}), qr/: OK$/,
		'not trusted for the name of the root');
	verifies($cert, 'trusted itself', '-CAfile', $cert->{cert});
};

subtest 'mistakes' => sub {
	my @case = (
		[ qr/unknown option sna/,       sna     => [] ],
		[ qr/no certificate is named/,  issuer  => 'nobody' ],
		[ qr/bad subject/,              subject => 'CN=app' ],
		[ qr/bad OID/,                  subject => '/XX=app' ],
		[ qr/unknown string type/,      subject => [ [ CN => { utf9 => 'a' } ] ] ],
		[ qr/not bytes/,                subject => [ [ CN => { t61 => "\x{100}" } ] ] ],
		[ qr/bad address/,              san     => ['ip:localhost'] ],
		[ qr/unknown type of SAN/,      san     => ['foo:bar'] ],
		[ qr/bad serial/,               serial  => 'abc' ],
		[ qr/needs version 3/,          version => 1, san => ['dns:a'] ],
		[ qr/unknown kind of key/,      key     => 'DSA' ],
		[ qr/wait status.*error.*curve/is, key  => 'EC:no-such-curve' ]);
	for my $case (@case)
	{
		my ($like, @opt) = @$case;
		dies($like, "$like", sub { $c->client('bad', issuer => $ca, @opt) });
	}
	like($@, qr/certs_selftest/, 'the test is blamed');
	dies(qr/issuer is missing/, 'no issuer', sub { $c->client('bad') });
	local $c->{openssl} = '/nonexistent/openssl';
	dies(qr/No such file/, 'no openssl', sub { $c->client('bad', issuer => $ca) });
};

my $start = Time::HiRes::time();
$c->client("timed$_", issuer => $ca) for 1 .. 10;
note sprintf '%.0f ms a certificate', (Time::HiRes::time() - $start) * 100;

done_testing();
