# What is installed must let ordinary clients in: before it is put in place, a client in
# memory makes a handshake with it, with each of TLS 1.2 and 1.3.  (All of this runs with
# an openssl.cnf with which clients of this machine would be anything but ordinary.)
#
# 1. kinds of server keys: which are installed, which only by force, and what the
#    error says
# 2. rollback, and renewal of what clients cannot use already
# 3. settings that only the next reload finds: for each kind of material
# 4. reload() and auto_reload
# 5. names of CAs, and chains, that are too long for some clients
# 6. weak signatures
# 7. who may force what, and lint()
# 8. ssl off
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('handshake', conf => "ssl_min_protocol_version = 'TLSv1.2'\n");
my ($certs, $node) = ($server->certs, $server->node);
my ($dir, $data) = ($certs->{dir}, $node->data_dir);

# A client that took this as its defaults could use P-224, and no EC key with TLS 1.2.
my $odd = "$dir/openssl.cnf";
write_file($odd, <<'CNF');
openssl_conf = init
[init]
ssl_conf = ssl
[ssl]
system_default = odd
[odd]
Groups = secp224r1:brainpoolP256r1:secp256k1:P-256
CipherString = AES128-SHA:@SECLEVEL=0
CNF

my %keys = (
	p256 => 'EC:P-256', p384 => 'EC:P-384', p521 => 'EC:P-521', rsa => 'RSA:2048', ed25519 => 'ED25519',
	p224 => 'EC:P-224', brainpool => 'EC:brainpoolP256r1', k1 => 'EC:secp256k1', ed448 => 'ED448');
$certs->server($_, issuer => 'root', key => $keys{$_}, subject => "/CN=$_") for sort keys %keys;
$certs->server('p224again', issuer => 'root', key_name => 'p224', subject => '/CN=p224again');
$certs->server('p256again', issuer => 'root', key => 'EC:P-256', subject => '/CN=p256again');
for my $made ([ dsa => "openssl genpkey -genparam -algorithm DSA -pkeyopt dsa_paramgen_bits:2048 -out $dir/dsa.par && openssl genpkey -paramfile $dir/dsa.par" ],
	[ pss => 'openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048' ])
{
	system("($made->[1] -out $dir/$made->[0].key) 2>/dev/null") == 0 or die "no key: $made->[0]";
	$certs->server($made->[0], issuer => 'root', key_name => $made->[0], subject => "/CN=$made->[0]");
}
$certs->ca('second', subject => '/CN=Second');
$certs->client('app', issuer => 'root', subject => '/CN=app');
my $ca_path = $certs->bundle('trusted.crt', 'root');
$node->append_conf('postgresql.conf', "ssl_ca_file = '$ca_path'");
{
	local $ENV{OPENSSL_CONF} = $odd;
	$server->start;
}
$server->sql('CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE dba LOGIN; GRANT USAGE ON SCHEMA sslpolicy TO dba;
	GRANT EXECUTE ON FUNCTION sslpolicy.install_server_certificate(text, text, boolean, boolean) TO dba');

sub pem { return join '', map { slurp_file("$dir/$_.crt") } @_ }

# The error of a call, or its row.
sub try
{
	my ($call, $user) = @_;
	my (undef, $out, $err) = $node->psql('postgres',
		"\\set VERBOSITY verbose\nSELECT 'installed ' || installed || ' ' || warnings::text FROM sslpolicy.$call;",
		extra_params => $user ? [ '-U', $user ] : []);
	return $err . $out;
}

sub install
{
	my ($name, $more) = @_;
	return "install_server_certificate(\$\$@{[ pem($name) ]}\$\$, \$\$@{[ slurp_file(\"$dir/$name.key\") ]}\$\$" . ($more // '') . ')';
}

sub connects
{
	my ($version) = @_;
	return $server->login(user => 'app', sslmode => 'require', extra => "ssl_min_protocol_version=$version ssl_max_protocol_version=$version")->{ok};
}
sub findings { return $server->sql("SELECT severity, object, finding FROM sslpolicy.lint() WHERE code = '$_[0]'") }
sub in_place { return slurp_file("$data/sslpolicy/server.pem") }

# As they stand in the file, without a reload.
sub configure
{
	my (%settings) = @_;
	for my $name (sort keys %settings)
	{
		$server->sql(defined $settings{$name} ? "ALTER SYSTEM SET $name = '$settings{$name}'" : "ALTER SYSTEM RESET $name");
	}
	return;
}

subtest 'kinds of keys' => sub {
	for my $name (qw(p384 p521 rsa ed25519 p256))
	{
		like(try(install($name)), qr/^installed true/, "$name is installed");
		ok(connects($_), "and a client connects by $_") for qw(TLSv1.2 TLSv1.3);
	}
	my $before = in_place();
	for my $case (
		[ p224 => 'EC on secp224r1' ], [ brainpool => 'EC on brainpoolP256r1' ], [ k1 => 'EC on secp256k1' ],
		[ dsa => 'DSA with 2048 bits' ], [ ed448 => 'ED448 with 456 bits' ], [ pss => 'RSA-PSS with 2048 bits' ])
	{
		my ($name, $key) = @$case;
		my $error = try(install($name));
		like($error, qr/55006: with this material no ordinary client could connect by TLS\n/, "$name is refused");
		like($error, qr/DETAIL:  Because: the handshake of TLSv1\.2 fails \(no shared cipher\), and that of TLSv1\.3 fails \((?:no suitable signature algorithm|unsupported protocol)\); the key of the server's certificate is $key\./, "$name: why");
		like($error, qr/HINT:  Accepted is a certificate with an RSA key, an EC key on P-256, P-384 or P-521, or an Ed25519 key.*force => true/, "$name: what is accepted");
		like(try(install($name, ', dry_run => true')), qr/55006: with this material no ordinary client/, "$name: a dry run says so");
		is(in_place(), $before, "$name: nothing has changed");
		ok(!-e "$data/sslpolicy/server.pem.sslpolicy.tmp", "$name: and no temporary file is left");
	}
	ok(connects($_), "a client connects by $_") for qw(TLSv1.2 TLSv1.3);
	like(try(install('p224', ', dry_run => true, force => true')), qr/^installed false .*no ordinary client could connect by TLS: the handshake of TLSv1\.2 fails/, 'with force a dry run has a warning');
	like(try(install('p224', ', force => true')), qr/^installed true .*no ordinary client could connect by TLS: the handshake of TLSv1\.2 fails/, 'and so has the installation');
	ok(!connects($_), "which is true: a client does not connect by $_") for qw(TLSv1.2 TLSv1.3);
};

# In force is P-224, before that P-256.
subtest 'rollback and renewal' => sub {
	like(try(install('brainpool')), qr/55006: with this material no ordinary client could connect by TLS\n/, 'another that nobody can use is refused');
	like(try("add_ca(\$\$@{[ pem('second') ]}\$\$)"), qr/^installed true .*no ordinary client could connect by TLS, as is the case already: the handshake of TLSv1\.2 fails/, 'a CA is installed: it makes nothing worse');
	like(try("rollback('ca')"), qr/^installed true .*as is the case already/, 'and so is the rollback of it');
	like(try("rollback('server')"), qr/^installed true \{\}/, 'rollback to what clients can use');
	ok(connects($_), "a client connects by $_") for qw(TLSv1.2 TLSv1.3);
	my $before = in_place();
	like(try("rollback('server')"), qr/55006: with this material no ordinary client could connect by TLS\n.*EC on secp224r1/s, 'rollback to what they cannot is refused');
	is(in_place(), $before, 'and changes nothing');
	like(try("rollback('server', force => true)"), qr/^installed true .*no ordinary client/, 'but not by force');
	like(try("rollback('server')"), qr/^installed true \{\}/, 'back');
};

# P-256 is in force.  What must be refused, for each kind of material, with these settings
# in the file; and what is said where the server has them in force already.
my $crl = make_crl($certs, 'root', 1);
my %calls = (
	'a server certificate' => install('p256again'),
	'a CA' => "add_ca(\$\$@{[ pem('second') ]}\$\$)",
	'a CRL' => "install_crl(\$\$$crl\$\$)");
subtest 'settings to come' => sub {
	for my $case (
		[ { ssl_ciphers => 'ECDHE-RSA-AES256-GCM-SHA384' }, qr/ordinary clients could not connect by TLSv1\.2\n.*the handshake of TLSv1\.2 fails \(no shared cipher\); the key of the server's certificate is EC on prime256v1\./s, 'ciphers for RSA alone' ],
		[ { ssl_ciphers => 'ECDHE-ECDSA-CAMELLIA256-SHA384' }, qr/ordinary clients could not connect by TLSv1\.2\n.*no shared cipher/s, 'ciphers that clients do not have' ],
		[ { ssl_ecdh_curve => 'brainpoolP256r1' }, qr/no ordinary client could connect by TLS\n.*TLSv1\.2 fails \(no shared cipher\), and that of TLSv1\.3 fails \(no suitable key share\)/s, 'a group that clients do not have' ],
		[ { ssl_min_protocol_version => 'TLSv1', ssl_max_protocol_version => 'TLSv1.1' }, qr/no ordinary client could connect by TLS\n.*neither TLSv1\.2 nor TLSv1\.3 is allowed/s, 'old versions alone' ],
		[ { ssl_max_protocol_version => 'tlsv1.2', ssl_ciphers => 'ECDHE-RSA-AES256-GCM-SHA384' }, qr/no ordinary client could connect by TLS\n.*TLSv1\.2 fails \(no shared cipher\); the key/s, 'TLS 1.2 alone, and no cipher for it' ])
	{
		my ($settings, $error, $title) = @$case;
		configure(%$settings);
		like(try($calls{$_}), qr/55006: with this material $error/, "$title: $_ is refused") for sort keys %calls;
		like($server->sql('SELECT loaded, error FROM sslpolicy.reload()'), qr/^f\|(no ordinary client|ordinary clients) could not|^f\|no ordinary client could/, "$title: so is reload()");
		ok(connects($_), "$title: a client connects by $_") for qw(TLSv1.2 TLSv1.3);
		configure(map { $_ => undef } keys %$settings);
	}
	is(slurp_file($ca_path), pem('root'), 'no CA was installed');
	is($server->sql('SHOW ssl_crl_file'), '', 'and no CRL');

	# other settings that leave clients a way
	for my $settings ({ ssl_min_protocol_version => 'TLSv1.3' }, { ssl_max_protocol_version => 'TLSv1.2' }, { ssl_ecdh_curve => 'secp384r1' },
		{ ssl_ciphers => 'ECDHE-ECDSA-AES128-SHA' }, { ssl_min_protocol_version => 'TLSv1.3', ssl_ciphers => 'ECDHE-RSA-AES256-GCM-SHA384' })
	{
		configure(%$settings);
		like(try('add_ca($$' . pem('second') . '$$, dry_run => true)'), qr/^installed false \{\}/, 'not refused: ' . join ', ', %$settings);
		configure(map { $_ => undef } keys %$settings);
	}

	# in force: not worse than before
	$server->set(ssl_ciphers => 'ECDHE-RSA-AES256-GCM-SHA384');
	ok(!connects('TLSv1.2'), 'with ciphers for RSA alone in force');
	for my $kind ([ 'a server certificate', 'server' ], [ 'a CRL', 'crl' ], [ 'a CA', 'ca' ])
	{
		like(try($calls{ $kind->[0] }), qr/^installed true .*ordinary clients could not connect by TLSv1\.2, as is the case already: the handshake of TLSv1\.2 fails \(no shared cipher\)/, "$kind->[0] is installed");
		ok(connects('TLSv1.3'), 'a client connects by TLSv1.3');
		like(try("rollback('$kind->[1]', force => true)"), qr/^installed true .*as is the case already/, 'and it is rolled back');
	}
	configure(ssl_ecdh_curve => 'brainpoolP256r1');
	like(try('add_ca($$' . pem('second') . '$$)'), qr/55006: with this material no ordinary client/, 'but the last version must not go');
	configure(ssl_ecdh_curve => undef);
	$server->set(ssl_ciphers => undef);
	ok(connects('TLSv1.2'), 'back');

	# a line that the server rejects leaves the value before
	$node->append_conf('postgresql.conf', "ssl_max_protocol_version = 'TLSv9'");
	like(try('add_ca($$' . pem('second') . '$$, dry_run => true)'), qr/^installed false/, 'a value that is rejected counts as the one before');
	$node->append_conf('postgresql.conf', "ssl_max_protocol_version = ''");

	# ciphers that do not exist are told before anything is changed
	configure(ssl_ciphers => 'NONSENSE');
	like(try('add_ca($$' . pem('second') . '$$)'), qr/F0000: the server could not load this material\n.*could not set the cipher list "NONSENSE"/s, 'ciphers that there are not');
	configure(ssl_ciphers => undef);
};

# What is in the files when clients could use it no longer.
subtest 'reload and auto_reload' => sub {
	my @files = map { $server->sql("SHOW $_") =~ s/^(?!\/)/$data\//r } qw(ssl_cert_file ssl_key_file);
	is($files[0], $files[1], 'one file');
	my $good = slurp_file($files[0]);
	my $replace = sub { write_file($files[0], $_[0]); chmod 0600, $files[0] };
	$replace->(pem('p224') . slurp_file("$dir/p224.key"));
	like($server->sql('SELECT loaded, error FROM sslpolicy.reload()'), qr/^f\|no ordinary client could connect by TLS: the handshake of TLSv1\.2 fails/, 'reload() refuses a file that was replaced');
	like(try('add_ca($$' . pem('second') . '$$)'), qr/55006: with this material no ordinary client/, 'an installation, which would load it, too');
	ok(connects($_), "a client connects by $_") for qw(TLSv1.2 TLSv1.3);
	is($server->sql('SELECT loaded FROM sslpolicy.reload(force => true)'), 't', 'but not by force');
	ok(!connects('TLSv1.3'), 'which nobody can use');
	is($server->sql('SELECT loaded FROM sslpolicy.reload()'), 't', 'then a reload makes nothing worse');
	$replace->($good);
	is($server->sql('SELECT loaded FROM sslpolicy.reload()'), 't', 'mended');
	ok(connects('TLSv1.3'), 'a client connects');
	$server->set('sslpolicy.auto_reload' => 'on');
	my $offset = $server->log_offset;
	# first one that the worker loads, so that it is known to look
	$replace->($good . "\n");
	$server->wait_for_log(qr/TLS files have changed, and are loaded/, $offset);
	$offset = $server->log_offset;
	$replace->(pem('p224') . slurp_file("$dir/p224.key"));
	$server->wait_for_log(qr/changed TLS files are not loaded: no ordinary client could connect by TLS: the handshake of TLSv1\.2 fails/, $offset);
	ok(connects('TLSv1.3'), 'auto_reload leaves such a file alone');
	$replace->($good);
	$server->wait_for_log(qr/TLS files have changed, and are loaded/, $offset);
	$server->set(ssl_ciphers => 'ECDHE-RSA-AES256-GCM-SHA384');
	$offset = $server->log_offset;
	$replace->(pem('p256again') . slurp_file("$dir/p256again.key"));
	$server->wait_for_log(qr/TLS files have changed, and are loaded/, $offset);
	unlike($server->log_since($offset), qr/changed TLS files are not loaded/, 'but loads one with which no more fails than before');
	$replace->($good);
	$server->set('sslpolicy.auto_reload' => undef, ssl_ciphers => undef);
	is($server->sql('SELECT loaded FROM sslpolicy.reload()'), 't', 'back');
};

# What Java would refuse is a warning; clients here are let in.
subtest 'names of CAs, and chains' => sub {
	# a name of 20 times 64 bytes and more takes about 1,540
	my $names = sub { my ($name, $n) = @_; return $certs->ca($name, key_name => 'root', subject => [ [ CN => $name ], map { [ OU => sprintf '%064d', $_ ] } 1 .. $n ]) };
	$names->("long$_", 20) for 1 .. 22;
	my $many = sub { return pem('root', map { "long$_" } 1 .. $_[0]) };
	my $text = qr/the names of the CAs take (\d+) bytes in each handshake: clients in Java refuse messages of more than 32768 \(jdk\.tls\.maxHandshakeMessageSize\), and could not connect/;
	my $most = try('install_ca($$' . $many->(22) . '$$, dry_run => true)');
	like($most, qr/^installed false .*$text/, 'a list of CAs that is too long: a dry run');
	my ($bytes) = $most =~ $text;
	my $each = int($bytes / 22);
	my $fit = int(32640 / $each) - ($each * int(32640 / $each) + 40 > 32640 ? 1 : 0);
	unlike(try('install_ca($$' . $many->($fit) . '$$)'), qr/in each handshake/, "$fit names fit");
	$certs->ca('same', key_name => 'root', subject => '/CN=Test Root/O=Acme');
	unlike(try('add_ca($$' . pem('same') . '$$)'), qr/in each handshake/, 'a name that is there is sent once');
	like(try('install_ca($$' . $many->($fit + 1) . '$$)'), qr/^installed true .*$text/, 'one more does not');
	ok(connects($_), "a client connects by $_") for qw(TLSv1.2 TLSv1.3);
	like(findings('ca_names_too_long'), qr/^warning\|setting ssl_ca_file\|Of ssl_ca_file, $text/, 'lint() finds it');
	unlike(try(install('p256')), qr/in each handshake: clients in Java/, 'a server certificate is not warned of for that');
	like(try("rollback('ca')"), qr/^installed true/, 'back');
	is(findings('ca_names_too_long'), '', 'lint() finds nothing');

	$certs->intermediate("int$_", issuer => $_ > 1 ? 'int' . ($_ - 1) : 'root') for 1 .. 10;
	$certs->server('nine', issuer => 'int9');
	$certs->server('ten', issuer => 'int10');
	my $chain = sub { my ($name, $n) = @_; return "install_server_certificate(\$\$" . pem($name, map { "int$_" } 1 .. $n) . "\$\$, \$\$" . slurp_file("$dir/$name.key") . "\$\$)" };
	my $length = qr/the chain has 11 certificates: clients in Java refuse more than 10 \(jdk\.tls\.maxCertificateChainLength\)/;
	unlike(try($chain->('nine', 9)), qr/clients in Java|ERROR/, 'a chain of 10');
	is(findings('server_chain_too_long'), '', 'lint() finds nothing');
	like(try($chain->('ten', 10)), qr/^installed true .*$length/, 'a chain of 11');
	like(findings('server_chain_too_long'), qr/^warning\|setting ssl_cert_file\|Of ssl_cert_file, $length/, 'lint() finds it');
	$certs->server('wide', issuer => 'root', san => [ map { sprintf 'dns:%060d.example.com', $_ } 1 .. 460 ]);
	like(try(install('wide')), qr/^installed true .*the certificate and its chain take \d+ bytes in each handshake: clients in Java refuse messages of more than 32768/, 'a certificate with many names');
	$certs->server('wider', issuer => 'root', san => [ map { sprintf 'dns:%060d.example.com', $_ } 1 .. 1500 ]);
	like(try(install('wider')), qr/55006: with this material no ordinary client could connect by TLS\n.*excessive message size/s, 'with more than any client takes');
	like(try(install('p256')), qr/^installed true/, 'back');
};

# The server takes these because of its openssl.cnf: clients that verify nothing connect.
subtest 'weak signatures' => sub {
	$certs->ca('rsaroot', key => 'RSA:2048', subject => '/CN=RSA');
	for my $digest (qw(sha1 md5))
	{
		system("openssl req -new -key $dir/p256.key -subj /CN=$digest -out $dir/$digest.csr && openssl x509 -req -in $dir/$digest.csr -CA $dir/rsaroot.crt -CAkey $dir/rsaroot.key -set_serial 77 -days 30 -$digest -out $dir/$digest.crt 2>/dev/null") == 0 or die;
		like(try("install_server_certificate(\$\$@{[ pem($digest, 'rsaroot') ]}\$\$, \$\$@{[ slurp_file(\"$dir/p256.key\") ]}\$\$, dry_run => true)"),
			qr/^installed false .*the signature of certificate \\"CN=$digest\\" is weak \(\U$digest\E\): clients that verify the server will refuse it/, "$digest is a warning");
	}
};

subtest 'who may force what' => sub {
	like(try(install('p224'), 'dba'), qr/55006: with this material no ordinary client/, 'a grantee is refused');
	like(try(install('p224', ', force => true'), 'dba'), qr/42501: permission denied to install material with which no ordinary client could connect by TLS\n.*DETAIL:  Because: the handshake of.*HINT:  A superuser can/s, 'and may not shut all clients out by force');
	ok(connects('TLSv1.3'), 'nothing has changed');
	configure(ssl_ciphers => 'ECDHE-ECDSA-AES256-GCM-SHA384');
	like(try(install('rsa'), 'dba'), qr/55006: with this material ordinary clients could not connect by TLSv1\.2\n/, 'a certificate that does not fit the ciphers is refused');
	like(try(install('rsa', ', force => true'), 'dba'), qr/^installed true .*ordinary clients could not connect by TLSv1\.2: the handshake/, 'but not by force');
	ok(connects('TLSv1.3') && !connects('TLSv1.2'), 'with what was said');
	like(findings('handshake_fails'), qr/^warning\|TLS files and settings\|Ordinary clients cannot connect by one of the TLS versions.*the handshake of TLSv1\.2 fails \(no shared cipher\)/, 'lint() finds it');
	$server->set(ssl_ciphers => undef);
	is(findings('handshake_fails'), '', 'and nothing when it is mended');
	like(try(install('p224', ', force => true')), qr/^installed true/, 'a superuser may');
	like(findings('handshake_fails'), qr/^error\|TLS files and settings\|No ordinary client can connect by TLS.*EC on secp224r1\./, 'lint() finds it');
	like(try(install('p256')), qr/^installed true \{/, 'and it is mended without force');
	configure(ssl_ecdh_curve => 'brainpoolP256r1');
	like(findings('handshake_fails'), qr/^error.*no suitable key share/, 'lint() finds it in settings that are not in force yet');
	configure(ssl_ecdh_curve => undef);
};

# A certificate that waits for ssl to be turned on.
subtest 'ssl off' => sub {
	$server->set(ssl => 'off');
	like(try(install('p224')), qr/55006: with this material no ordinary client/, 'a server certificate is refused');
	like(try('add_ca($$' . pem('second') . '$$)'), qr/^installed true .*ssl is off/, 'a CA is not tried');
	like(try(install('p256again')), qr/^installed true .*ssl is off/, 'nor a good certificate refused');
	$server->set(ssl => 'on');
	ok(connects($_), "a client connects by $_") for qw(TLSv1.2 TLSv1.3);
};

done_testing();
