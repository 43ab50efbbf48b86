# What installation refuses and what it warns of, each by its own input, and
# kinds of certificates that it must take.
#
# 1. CAs: no CA, too weak, expired, v1, duplicates, intermediates, damaged text
# 2. CAs of one DN, cross-signed, renewed; RSA, RSA-PSS, Ed25519
# 3. CRLs: expired, delta, indirect, partitioned, unknown critical extensions,
#    too large, DER; ssl_crl_dir
# 4. server certificates: order, completeness, expiry, small keys, encrypted keys
# 5. places: symbolic link, read-only directory, no file set, command line
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Math::BigInt;
use Test::More;
use MIME::Base64 ();
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('refusals');
my $certs = $server->certs;
my $node = $server->node;
my $dir = $certs->{dir};
my $DAY = 86400;

sub pem { return join '', map { slurp_file("$dir/$_.crt") } @_ }
sub row { return $server->sql("SELECT $_[0] FROM sslpolicy.$_[1]") }

# The error of a call, or its row.
sub try
{
	my ($call) = @_;
	my (undef, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT 'installed ' || installed || ' ' || warnings::text || ' ' || affected::text FROM sslpolicy.$call;");
	return $err . $out;
}
sub logs_in { return $server->login(cert => $_[0], user => $_[1] // 'app', sslmode => 'require')->{ok} }

$certs->client('app', issuer => 'root', subject => '/CN=app');
$certs->ca('expired', not_before => time - 20 * $DAY, not_after => time - $DAY);
$certs->ca('weak', key => 'RSA:1024');
$certs->ca('old', version => 1);
$certs->intermediate('int', issuer => 'root', subject => '/CN=Int');
$certs->client('leaf', issuer => 'int', subject => '/CN=app');
$certs->ca('far');
$certs->intermediate('lonely', issuer => 'far', subject => '/CN=Lonely');
$certs->ca("kind$_->[0]", key => $_->[1], subject => "/CN=kind$_->[0]") for [ 1, 'RSA:2048' ], [ 2, 'ED25519' ], [ 3, 'EC:P-384' ];
my $ca_path = $certs->bundle('trusted.crt', 'root');
$node->append_conf('postgresql.conf', "ssl_ca_file = '$ca_path'");
$server->start;
$server->sql("CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=verify-full'");

# 1
my $old = slurp_file($ca_path);
for my $case (
	[ 'app', qr/22023.*certificate "CN=app" is not a CA.*HINT/s, 'a certificate that is no CA' ],
	[ 'weak', qr/22023.*CA "CN=weak" is too weak.*security level/s, 'a key too weak for the security level' ],
	[ 'expired', qr/22023.*no usable CA would remain.*CA "CN=expired" expired on/s, 'no usable CA' ],
	[ 'lonely', qr/22023.*no usable CA would remain.*issuer of CA "CN=Lonely", "CN=far", is missing/s, 'an intermediate alone' ])
{
	my ($name, $error, $title) = @$case;
	like(try("install_ca('" . pem($name) . "')"), $error, "install_ca: $title");
	is(slurp_file($ca_path), $old, "$title: changes nothing");
	like(try("install_ca('" . pem($name) . "', force => true)"), $error, "$title: not by force either");
}
like(try("install_ca('')"), qr/22023.*no certificate in the text/s, 'no certificate');
like(try("install_ca('hello')"), qr/22023.*no certificate in the text/s, 'no PEM');
like(try("install_ca(NULL)"), qr/22004.*pem must not be null/s, 'NULL');
like(try("install_ca('" . substr(pem('root'), 0, 200) . "')"), qr/22023.*PEM block 1 is damaged/s, 'a text that is cut');
like(try("install_ca('" . pem('root') . "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')"), qr/22023.*PEM block 2 is not a valid CERTIFICATE/s, 'a damaged block, by its number');
like(try("remove_ca('abc')"), qr/22023.*"abc" is not a SHA-256 fingerprint/s, 'no fingerprint');
like(try("remove_ca('" . '0' x 64 . "')"), qr/42704.*no CA in ssl_ca_file/s, 'a fingerprint that is not there');
like(try("remove_ca('" . $certs->get('root')->{fingerprint} . "', force => true)"), qr/22023.*no usable CA would remain/s, 'the last CA');
like(try("add_ca('noise\n" . pem('expired') . " noise\n" . pem('root') . "', dry_run => true)"), qr/^installed false .*is there already.*"CN=expired\\?" expired on/s, 'expired members and duplicates are warnings; noise is ignored');
like(try("add_ca('" . pem('old') . "', dry_run => true)"), qr/^installed false .*X\.509 v1/, 'v1 is a warning');
like(try("rollback('key')"), qr/22023.*unknown kind.*ca, crl or server/s, 'an unknown kind');
is(slurp_file($ca_path), $old, 'nothing has changed');

# 2
like(try("install_ca('" . pem('int', 'root') . "')"), qr/^installed true \{\} \[\]/, 'an intermediate and its root');
ok(logs_in('leaf'), 'a client of the intermediate');
$certs->ca('twin', subject => '/CN=Test Root/O=Acme');
$certs->client('twinapp', issuer => 'twin', subject => '/CN=app');
ok(!logs_in('twinapp'), 'a CA of the same DN and another key is another CA');
like(try("add_ca('" . pem('twin') . "')"), qr/^installed true \{\} \[\]/, 'two CAs of one DN');
ok(logs_in($_), "client $_ of one DN") for qw(app twinapp);
my $held = $server->background(user => 'app', cert => 'app', sslmode => 'require');
$certs->ca('renewed', subject => '/CN=Test Root/O=Acme', key_name => 'root');
like(try("install_ca('" . pem('renewed') . "')"), qr/^installed true \{\} \[\]/, 'a renewed CA has the same clients: nobody is affected');
ok(logs_in('app'), 'and they are let in');
like(try("install_ca('" . pem('twin') . "')"), qr/55006.*1 live session could not log in again.*is missing/s, 'one of the same DN has not');
$held->quit;
like(try("install_ca('" . pem(qw(renewed kind1 kind2 kind3)) . "')"), qr/^installed true \{\} \[\]/, 'RSA, Ed25519, P-384');
$certs->client("client$_", issuer => "kind$_", subject => '/CN=app', key_name => 'app') for 1 .. 3;
ok(logs_in("client$_"), "a client of kind $_") for 1 .. 3;
system("openssl req -x509 -newkey rsa-pss -pkeyopt rsa_keygen_bits:2048 -nodes -days 30 -subj /CN=PSS -keyout $dir/pss.key -out $dir/pss.crt 2>/dev/null") == 0 or die;
like(try("add_ca('" . pem('pss') . "')"), qr/^installed true/, 'RSA-PSS');
$certs->intermediate('cross', issuer => 'root', subject => '/CN=far', key_name => 'far');
$certs->client('crossed', issuer => 'far', subject => '/CN=app');
like(try("install_ca('" . pem('root', 'cross') . "')"), qr/^installed true \{\} \[\]/, 'a cross-signed CA');
ok(logs_in('crossed'), 'verifies clients of the CA that it crosses');
like(try("install_ca('" . pem('cross') . "')"), qr/22023.*no usable CA/s, 'but not without its issuer');
my $names = join '', map { $certs->ca("long$_", key_name => 'far', subject => [ [ CN => "long$_" ], map { [ OU => sprintf '%064d', $_ ] } 1 .. 60 ]); pem("long$_") } 1 .. 18;
like(try("install_ca('$names')"), qr/22023.*names of the CAs are too long/s, 'names that no handshake has room for');
like(try("install_ca('" . 'x' x 17_000_000 . "')"), qr/54000.*text is too long/s, 'a text that is too long');
like(try("install_ca('" . pem('root', 'int') . "')"), qr/^installed true/, 'back');

# 3
sub crl
{
	my ($ca, $number, %opt) = @_;
	open my $fh, '>', "$dir/crl.cnf" or die $!;
	print $fh "[ca]\ndefault_ca=d\n[d]\ndatabase=$dir/index.txt\ncrlnumber=$dir/crlnumber\ndefault_md=sha256\ncrl_extensions=x\n[x]\nauthorityKeyIdentifier=keyid\n", $opt{extensions} // '', "\n";
	close $fh;
	open $fh, '>', "$dir/crlnumber" or die $!; printf $fh "%02X\n", $number; close $fh;
	open $fh, '>', "$dir/index.txt" or die $!;
	my $n = 0;
	printf $fh "R\t391231000000Z\t250101000000Z\t%s\tunknown\t/CN=x\n", $_ for map { my $hex = Math::BigInt->new($_)->as_hex =~ s/^0x//r; uc(length($hex) % 2 ? "0$hex" : $hex) } @{ $opt{revoked} // [] };
	close $fh;
	my $dates = $opt{dates} // '-crldays 30';
	my $pem = `openssl ca -gencrl -config $dir/crl.cnf $dates -cert $dir/$ca.crt -keyfile $dir/$ca.key 2>/dev/null`;
	die "no CRL: $ca" unless $pem;
	return $pem;
}
my $root_crl = crl('root', 5);
my $int_crl = crl('int', 5);
my $idp = "issuingDistributionPoint=critical,\@idp\n[idp]\n";
for my $case (
	[ crl('root', 5, dates => '-crl_lastupdate 20200101000000Z -crl_nextupdate 20200201000000Z'), qr/expired on/, 'expired' ],
	[ crl('root', 5, dates => '-crl_lastupdate 20900101000000Z -crl_nextupdate 20910201000000Z'), qr/is not valid before/, 'not valid yet' ],
	[ crl('root', 5, extensions => '2.5.29.27=critical,DER:020101'), qr/it is a delta CRL/, 'delta' ],
	[ crl('root', 5, extensions => "${idp}indirectCRL=TRUE"), qr/it is an indirect CRL/, 'indirect' ],
	[ crl('root', 5, extensions => "${idp}onlyuser=TRUE"), qr/every client certificate would be refused.*different scope/s, 'for users only, where core wants one for the root itself' ],
	[ crl('root', 5, extensions => "${idp}fullname=URI:http://x/1.crl"), qr/every client certificate would be refused.*different scope/s, 'for a distribution point' ],
	[ crl('root', 5, extensions => '1.2.3.4=critical,DER:0500'), qr/unknown critical extension 1\.2\.3\.4/, 'unknown critical extension' ],
	[ crl('twin', 5), qr/is not signed by a CA in ssl_ca_file/, 'a CA of the same DN' ],
	[ 'hello', qr/there is no CRL in the text/, 'no CRL' ])
{
	my ($crl, $error, $title) = @$case;
	like(try("install_crl('$crl')"), qr/22023.*$error/s, "install_crl: $title");
}
like(try("install_crl('\\x" . unpack('H*', MIME::Base64::decode_base64(pem('root') =~ s/-----[^-]+-----//gr)) . "'::bytea)"), qr/22023.*there is no CRL in the text/s, 'a certificate in DER');
like(try("install_crl('\\x3000'::bytea)"), qr/22023.*there is no CRL in the text/s, 'no DER');
like(try("install_crl('" . $root_crl . pem('root') . "', dry_run => true)"), qr/^installed false/, 'a certificate beside it, which is known already');
$server->set('sslpolicy.max_crl_size' => 1);
like(try("install_crl('" . crl('root', 5, revoked => [ 1 .. 100 ]) . "')"), qr/54000.*larger than sslpolicy\.max_crl_size/s, 'too large');
$server->set('sslpolicy.max_crl_size' => undef);
is($server->sql('SHOW ssl_crl_file'), '', 'nothing was installed');
like(try("install_crl('$int_crl')"), qr/22023.*every client certificate would be refused.*no CRL of CA "O=Acme,CN=Test Root"/s, 'a CRL of the intermediate alone would lock everybody out');
my $der = unpack 'H*', MIME::Base64::decode_base64($int_crl =~ s/-----[^-]+-----//gr);
like(try("install_crl('$root_crl')"), qr/55006.*this material would refuse clients that can log in now.*CA "CN=Int": every certificate of the CA would be refused: there is no CRL of CA "CN=Int"/s, 'the one of the root alone would lock out whom the intermediate verifies');
like(try("install_crl('$root_crl', dry_run => true)"), qr/^installed false .*certificates of CA.*CN=Int.*are refused.*/, 'a dry run says so, too');
like(try("install_crl('$root_crl', force => true)"), qr/^installed true .*certificates of CA.*CN=Int.*are refused/, 'force installs it');
like(try("install_crl('\\x$der'::bytea)"), qr/^installed true/, 'DER');
ok(logs_in($_), "$_ is let in") for qw(app leaf);
like(try("install_crl('" . crl('int', 6, dates => '-crl_lastupdate 20250101000000Z -crl_nextupdate 20990101000000Z') . "', dry_run => true)"), qr/^installed false \{\}/, 'a higher number with an earlier thisUpdate is newer');
like(try("install_crl('$int_crl')"), qr/^installed true .*already holds just this/, 'the same again is nothing new');
my $session = $server->background(user => 'app', cert => 'leaf', sslmode => 'require');
like(try("install_crl('" . crl('int', 6, revoked => [ $certs->get('leaf')->{serial} ]) . "')"), qr/^installed true .*"reason": "certificate .*is revoked"/, 'a live session is named, and does not stand in the way');
$session->quit;
ok(!logs_in('leaf'), 'its certificate is refused from now on');
like(try("install_crl('" . crl('int', 7, revoked => [ $certs->get('app')->{serial} ]) . "')"), qr/^installed true/, 'a serial of another issuer');
ok(logs_in($_), "$_ is let in again") for qw(app leaf);
$server->sql('ALTER ROLE app SUPERUSER');
my $own = $server->login(user => 'app', cert => 'leaf', sslmode => 'require', sql => "SELECT sslpolicy.install_crl('" . crl('int', 8, revoked => [ $certs->get('leaf')->{serial} ]) . "')");
like($own->{err}, qr/your own connection would be refused/, 'one\'s own connection stands in the way');
$server->sql('ALTER ROLE app NOSUPERUSER');

$server->sql("ALTER SYSTEM RESET ssl_crl_file");
mkdir "$dir/crls";
for my $ca (qw(root int))
{
	my $hash = `openssl x509 -in $dir/$ca.crt -noout -subject_hash`;
	chomp $hash;
	append_to_file("$dir/crls/$hash.r0", $ca eq 'root' ? $root_crl : crl('int', 9, revoked => [ $certs->get('leaf')->{serial} ]));
}
append_to_file("$dir/crls/misnamed.pem", $root_crl);
$server->sql("ALTER SYSTEM SET ssl_crl_dir = '$dir/crls'");
is(row('loaded, error IS NULL', 'reload()'), 't|t', 'ssl_crl_dir');
ok(logs_in('app'), 'a client');
ok(!logs_in('leaf'), 'a revoked one');
is(row('string_agg(in_force || coalesce(left(error, 15), $$$$), $$,$$ ORDER BY in_force, error)', 'crls'), 'falseOpenSSL looks f,true,true', 'crls shows which OpenSSL finds');
is(row('revoked', "verify_certificate('" . pem('leaf', 'int') . "')"), 't', 'verify_certificate looks there, too');
$server->sql("ALTER SYSTEM RESET ssl_crl_dir");
is(row('loaded', 'reload()'), 't', 'back');

# 4
$certs->server('s1', issuer => 'int', subject => '/CN=s1');
$certs->server('sx', issuer => 'int', subject => '/CN=sx', not_before => time - 20 * $DAY, not_after => time - $DAY);
$certs->server('sr', issuer => 'root', subject => '/CN=sr', key => 'RSA:1024');
$certs->server('sl', issuer => 'lonely', subject => '/CN=sl');
$certs->server('sn', issuer => 'root', subject => '/CN=sn', san => undef);
sub key { return slurp_file("$dir/$_[0].key") }
sub identity { my ($name, @chain) = @_; return "install_server_certificate('" . pem(@chain) . "', '" . key($name) . "')" }
like(try(identity('s1', 'root', 's1', 'int')), qr/^installed true/, 'a chain in any order');
is(row('string_agg(subject_dn, $$;$$ ORDER BY position)', "certificates WHERE kind = 'server' AND in_force"), 'CN=s1;CN=Int;O=Acme,CN=Test Root', 'is put in the right one');
my $pem = slurp_file($node->data_dir . '/sslpolicy/server.pem');
for my $case (
	[ identity('s1', 's1'), qr/chain is not complete: the certificate of "CN=Int" is missing/, 'an incomplete chain' ],
	[ identity('sl', 'sl', 'lonely'), qr/chain is not complete: the certificate of "CN=far" is missing/, 'a root that nobody knows' ],
	[ identity('sx', 'sx', 'int'), qr/certificate "CN=sx" expired on/, 'expired' ],
	[ identity('sr', 'sr'), qr/RSA key of certificate "CN=sr" has 1024 bits/, 'RSA below 2048' ],
	[ identity('s1', 'sn', 'root'), qr/private key does not belong to certificate "CN=sn"/, 'a key of another' ],
	[ "install_server_certificate('" . pem('sn') . "')", qr/there is no private key for this certificate/, 'no key' ],
	[ "install_server_certificate('')", qr/there is no certificate in the text/, 'no certificate' ],
	[ "add_ca('/etc/ssl/ca.crt')", qr/there is no certificate in the text.*HINT: .* not the name of their file/s, 'the name of a file, for CAs' ],
	[ "add_ca('" . pem('kind1') =~ s/^(-----BEGIN .*\n)/$1Proc-Type: 4,MIC-CLEAR\n\n/r . "')", qr/pem cannot be used.*PEM block 1 has a header/s, 'a header' ])
{
	my ($call, $error, $title) = @$case;
	like(try($call), qr/22023.*$error/s, "refused: $title");
}
for my $case (
	[ '/etc/ssl/app.crt', qr/HINT: .* not the name of its file/s, 'the name of a file' ],
	[ scalar(`openssl pkey -in $dir/s1.key -pubout`), qr/DETAIL: .*"PUBLIC KEY"/s, 'a public key' ])
{
	my ($text, $error, $title) = @$case;
	like(($node->psql('postgres', "SELECT sslpolicy.verify_certificate('$text')"))[2], qr/there is no certificate in the text.*$error/s, "no client certificate: $title");
}
my $encrypted = `openssl pkey -in $dir/s1.key -aes256 -passout pass:secret`;
like(try("install_server_certificate('" . pem('s1', 'int') . "', '$encrypted')"), qr/22023.*cannot be used: it is encrypted.*HINT/s, 'an encrypted key');
is(slurp_file($node->data_dir . '/sslpolicy/server.pem'), $pem, 'nothing has changed');
like(try(identity('sn', 'sn')), qr/^installed true .*no subject alternative name.*also named dns:localhost/s, 'no SAN is a warning, and lost names are');
$certs->server('again', issuer => 'root', subject => '/CN=again', key_name => 'sn');
like(try("install_server_certificate('" . pem('again') . "')"), qr/^installed true/, 'a renewal for the same key needs no key');
for my $type ('EC P-256', 'EC P-384', 'EC P-521', 'RSA 2048', 'ED25519')
{
	like($server->sql("SELECT sslpolicy.create_server_key('CN=x', ARRAY['dns:x','ip:::1'], '$type')"), qr/BEGIN CERTIFICATE REQUEST/, "a key of type $type");
}
{
	# as large as a CA takes it, and not as large as to keep a backend busy
	my $names = sub { "ARRAY(SELECT 'dns:' || i || '.example.com' FROM generate_series(1, $_[0]) i)" };
	like($server->sql("SELECT sslpolicy.create_server_key(repeat('OU=a,', 63) || 'CN=x', @{[ $names->(1000) ]})"), qr/BEGIN CERTIFICATE REQUEST/, 'a large request');
	my %too_large = (
		"repeat('OU=a,', 64) || 'CN=x', NULL" => qr/the subject has 65 attributes.*At most 64 are accepted/s,
		"repeat('CN=a+', 64) || 'CN=x', NULL" => qr/the subject has 65 attributes/,
		"repeat('CN=a,', 100000) || 'CN=x', NULL" => qr/the subject has 500004 bytes.*At most 4096 are accepted/s,
		"'CN=x', @{[ $names->(1001) ]}" => qr/there are 1001 names.*At most 1000 are accepted/s,
		"'CN=x', ARRAY['dns:' || repeat('a', 3000)]" => qr/a name has 3004 bytes.*At most 2048 are accepted/s);
	for my $call (sort keys %too_large)
	{
		my (undef, undef, $err) = $node->psql('postgres', "SELECT sslpolicy.create_server_key($call)");
		like($err, $too_large{$call}, 'one that is too large: ' . substr $call, 0, 40);
	}
}
sub key_error { my (undef, $out, $err) = $node->psql('postgres', "SELECT sslpolicy.create_server_key($_[0])"); return $err . $out }
like(key_error("'CN=x', NULL, 'DSA'"), qr/unknown type of key "DSA".*Accepted is one of: EC P-256/s, 'an unknown type of key');
like(key_error("'x', NULL"), qr/invalid subject "x": "=" is missing/, 'a subject that is none');
like(key_error("'', NULL"), qr/invalid subject "": it is empty/, 'an empty subject');
like(key_error("'QQ=x', NULL"), qr/attribute "QQ" with value "x"/, 'an unknown attribute');
like(key_error("'$_->[0]', NULL"), qr/invalid subject "\Q$_->[0]\E": $_->[1]/, "no subject: $_->[0]")
  for [ 'CN=Acme, Inc.', qr/"=" is missing after "Inc\."/ ], [ 'CN=a+b', qr/"=" is missing after "b"/ ], [ 'C = DE, CN = x', qr/there is a space before "="/ ],
  [ '/C=DE/CN=x', qr/it begins with a slash/ ], [ 'CN=x\\', qr/"\\" is not followed by a character/ ], [ 'CN=x\\00y', qr/the value of "CN" has a NUL byte/ ];
# a policy takes those that a certificate can have as they are written; DER has an order of its
# own in an RDN
for my $case ([ 'CN=a, O=b', 'CN=a,O=b' ], [ 'CN=a+O=b', 'O=b+CN=a' ], [ 'CN=a + OU=b\\, c,  O=d', 'OU=b\\, c+CN=a\\ ,O=d' ], [ 'CN=a\\2Cb,', 'CN=a\\,b' ])
{
	my ($dn, $printed) = @$case;
	my $request = $server->sql("SELECT sslpolicy.create_server_key('$dn', NULL)");
	open my $csr, '>', "$certs->{dir}/subject.csr" or die $!; print $csr $request; close $csr or die $!;
	is(`openssl req -noout -subject -nameopt RFC2253 -in $certs->{dir}/subject.csr`, "subject=$printed\n", "the subject $dn");
	my (undef, $policy, $error) = $node->psql('postgres', 'SELECT sslpolicy.check_policy($$dn=\'' . $dn =~ s/\\/\\\\/gr . '\'$$)');
	like("$policy$error", $dn =~ /,$|\+ / ? qr/no certificate has a name.*HINT/s : qr/^sslmode=verify-full dn=/, 'and in a policy');
}
like(key_error("'CN=x', ARRAY['x']"), qr/invalid name "x": it does not say of which type/, 'a name without a type');
like(key_error("'CN=x', ARRAY['ip:x']"), qr/invalid name "ip:x"/, 'an address that is none');
my @kept = glob($node->data_dir . '/sslpolicy/server.*.pem');
is(scalar @kept, 2, 'of the server, the version in place and one before are kept') or diag("@kept");

# a session that a key of another kind would leave without a cipher
my $tls12 = $server->background(user => 'app', cert => 'app', sslmode => 'require', extra => 'ssl_max_protocol_version=TLSv1.2');
$certs->server('rsa', issuer => 'root', subject => '/CN=rsa', key => 'RSA:2048');
like(try(identity('rsa', 'rsa')), qr/55006.*1 live session could not log in again.*cipher ECDHE-ECDSA\S+ needs a server certificate with another kind of key/s, 'a TLS 1.2 session stands in the way of an RSA certificate');
like(try(identity('rsa', 'rsa') =~ s/\)$/, dry_run => true)/r), qr/^installed false .*ECDHE-ECDSA/, 'and a dry run shows it');
like(try(identity('rsa', 'rsa') =~ s/\)$/, force => true)/r), qr/^installed true .*ECDHE-ECDSA/, 'force installs it');
$tls12->quit;
ok($server->login(cert => 'app', sslmode => 'require', extra => 'ssl_max_protocol_version=TLSv1.2')->{ok}, 'and clients come in by RSA');
like(try("rollback('server')"), qr/^installed true/, 'back');

# a stored version that is no longer good enough
my $short = $certs->server('short', issuer => 'root', subject => '/CN=short', not_before => time - 86400, not_after => time + 4);
like(try(identity('short', 'short')), qr/^installed true/, 'a certificate that expires soon');
like(try(identity('sn', 'sn')), qr/^installed true/, 'and is replaced');
$node->poll_query_until('postgres', "SELECT error ~ 'expired' FROM sslpolicy.verify_certificate('" . pem('short') . "')") or die;
like(try("rollback('server')"), qr/22023.*"CN=short" expired on/s, 'rollback does not bring an expired one back');
like(try("rollback('server', force => true)"), qr/^installed true .*expired on/, 'but for a superuser, by force');
like(try(identity('sn', 'sn')), qr/^installed true/, 'good again');

# 5
mkdir "$dir/real";
rename $ca_path, "$dir/real/ca.crt";
symlink "$dir/real/ca.crt", $ca_path;
like(try("add_ca('" . pem('twin') . "')"), qr/^installed true/, 'a symbolic link');
ok(-l $ca_path, 'stays one');
is((stat "$dir/real/ca.crt")[2] & 07777, 0600, 'and leads to the new file');
chmod 0500, "$dir/real";
like(try("add_ca('" . pem('kind1') . "')"), qr/42501.*cannot be replaced.*folder "[^"]*real": Permission denied\. The folder belongs to user .* mode 0500; .*HINT: .*kept in sslpolicy\.directory/s, 'a directory that cannot be written');
chmod 0700, "$dir/real";
$node->stop;
$node->append_conf('postgresql.conf', "ssl_ca_file = ''\n");
$node->start;
like(try("install_ca('" . pem('root') . "', dry_run => true)"), qr/^installed false/, 'no file is set: dry run');
is($server->sql('SHOW ssl_ca_file'), '', 'sets none');
like(try("install_ca('" . pem('root') . "')"), qr/^installed true/, 'no file is set');
is($server->sql('SHOW ssl_ca_file'), 'sslpolicy/ca.pem', 'one of our own');
ok(logs_in('app'), 'and a client');
like(try("rollback('ca')"), qr/^installed true/, 'rollback');
is($server->sql('SHOW ssl_ca_file'), '', 'to none');
$node->stop;
PostgreSQL::Test::Utils::system_or_bail('pg_ctl', '-s', '-w', '-D', $node->data_dir, '-l', $node->logfile, '-o', "-c ssl_ca_file=", 'start');
$node->_update_pid(1);
like(try("install_ca('" . pem('root') . "')"), qr/55000.*command line of the server has the last word/s, 'the command line');

unlike($server->log_since(0), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$server->stop;
done_testing();
