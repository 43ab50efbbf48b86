# PEM as people have it: escaped, pasted, encoded, as DER.  What is unambiguous is taken, by
# every function that takes certificates and CRLs; what is written is PEM as OpenSSL writes
# it; everything else is told exactly.  How each form is read: unit/test_givenpem.
#
# 1. what is taken, and what is written
# 2. what is told
# 3. private keys: line breaks alone, and nothing of them in the log
# 4. files are read as OpenSSL reads them
# 5. settings that no longer name what another program renews
use strict;
use warnings;
use File::Copy qw(copy);
use MIME::Base64 qw(encode_base64 decode_base64);
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('pem_forms');
my ($certs, $node) = ($server->certs, $server->node);
my ($dir, $data) = ($certs->{dir}, $node->data_dir);
$certs->ca('two', subject => '/CN=Two');
$certs->client('app', issuer => 'root', subject => '/CN=app');
$certs->server('new', issuer => 'root', subject => '/CN=localhost');
my $ca_file = $certs->bundle('trusted.crt', 'root');
$node->append_conf('postgresql.conf', "ssl_ca_file = '$ca_file'");
$server->start;
$server->sql('CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN');

sub pem { return join '', map { slurp_file("$dir/$_.crt") } @_ }
sub der { return decode_base64($_[0] =~ s/-----[^-]+-----//gr) }
sub bytea { return "'\\x" . unpack('H*', $_[0]) . "'::bytea" }
sub text { return $server->literal($_[0]) }

# The error of a call, or its row.
sub try
{
	my ($call) = @_;
	my (undef, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT 'installed ' || installed || ' ' || warnings::text FROM sslpolicy.$call;");
	return $err . $out;
}
sub breaks { my ($text, $break) = @_; return $text =~ s/\n/$break/gr }

###############################################################################
# 1. Taken

my $two = pem('two');
my $both = pem('root', 'two');
my $crl = make_crl($certs, 'root', 1);
for my $case (
	[ text(breaks($both, '\n')), 'escaped line breaks' ],
	[ text(breaks($both, '\r\n') =~ s{/}{\\/}gr), 'JSON' ],
	[ text(breaks($both, ' ')), 'blanks for line breaks' ],
	[ text(breaks($both, '')), 'no line breaks' ],
	[ text(breaks($both, "\r")), 'CR alone' ],
	[ text("\x{EF}\x{BB}\x{BF}" . breaks($both, "\n  ")), 'a byte order mark, and indented' ],
	[ text('> ' . breaks($both, "\n> ")), 'quoted in a mail' ],
	[ text($both =~ s/=/=3D/gr), 'quoted-printable' ],
	[ text($both =~ s/-----/\x{E2}\x{80}\x{93}\x{E2}\x{80}\x{93}-/gr), 'dashes of a word processor' ],
	[ text(encode_base64(der(pem('root')) . der($two))), 'base64 of DER' ],
	[ text(encode_base64($both, '')), 'base64 of PEM, as Kubernetes has it' ],
	[ text('\x' . unpack 'H*', der(pem('root')) . der($two)), 'DER as PostgreSQL shows bytea' ],
	[ bytea(der(pem('root')) . der($two)), 'DER' ],
	[ bytea($both), 'PEM as bytea' ],
	[ bytea("\xFF\xFE" . join '', map { "$_\0" } split //, $both), 'UTF-16' ])
{
	my ($given, $title) = @$case;
	write_file($ca_file, pem('root'));
	chown((getpwnam('postgres'))[ 2, 3 ], $ca_file) if $> == 0;
	like(try("install_ca($given)"), qr/^installed true/, "install_ca: $title");
	is(slurp_file($ca_file), $both, "$title: what is written is as OpenSSL writes it");
}
like(try('add_ca(' . text(breaks($two, '\n')) . ', dry_run => true)'), qr/^installed false .*is there already/, 'add_ca');
like(try('install_crl(' . text(breaks($crl, '\n')) . '::text, dry_run => true, force => true)'), qr/^installed false/, 'install_crl');
like(try('install_crl(' . text(encode_base64(der($crl))) . '::text, dry_run => true, force => true)'), qr/^installed false/, 'install_crl: base64 of DER');
like(try('install_crl(' . bytea(der($crl)) . ', dry_run => true, force => true)'), qr/^installed false/, 'install_crl: DER');
for my $given (text(breaks(pem('app'), '\n')), text(encode_base64(der(pem('app')))), bytea(der(pem('app'))))
{
	is($server->sql("SELECT ok, cn FROM sslpolicy.verify_certificate($given)"), 't|app', 'verify_certificate: ' . substr $given, 0, 30);
}
is($server->sql("SELECT count(*) FROM sslpolicy.explain('app', certificate => " . text(breaks(pem('app'), '\n')) . ')'), $server->sql("SELECT count(*) FROM sslpolicy.explain('app', certificate => " . text(pem('app')) . ')'), 'explain');

###############################################################################
# 2. Told

my $p12 = do { system("openssl pkcs12 -export -in $dir/app.crt -inkey $dir/app.key -passout pass:x -out $dir/app.p12") == 0 or die; slurp_file("$dir/app.p12") };
my $p7 = `openssl crl2pkcs7 -nocrl -certfile $dir/root.crt`;
my $damaged = $two =~ s/\A(.*\n.{10})./$1*/r;
for my $case (
	[ text($damaged), qr/pem cannot be used.*PEM block 1 is damaged: character 11 of line 2 is "\*", which is not base64.*HINT:  Give the whole PEM text, from -----BEGIN/s, 'a character' ],
	[ text(substr breaks($two, '\n'), 0, 300), qr/PEM block 1 is damaged: what begins at character 6 of line 1 has no END/, 'cut off' ],
	[ text(substr(breaks($two, '\n'), 0, 101) . substr breaks($two, '\n'), 105), qr/PEM block 1 is damaged: it has \d+ bytes, but its first ones announce \d+.*plus signs/s, 'characters that are lost' ],
	[ text(pem('root') . substr breaks($two, '\n'), 0, 300), qr/PEM block 2 is damaged/, 'the second one' ],
	[ text(encode_base64($p12)), qr/it is PKCS#12.*openssl pkcs12 -in file\.p12 -nokeys/s, 'base64 of PKCS#12' ],
	[ bytea($p12), qr/der cannot be used.*it is PKCS#12.*openssl pkcs12 -in file\.p12 -nokeys/s, 'PKCS#12' ],
	[ text($p7), qr/it is PKCS#7.*openssl pkcs7 -in file\.p7b -print_certs/s, 'PKCS#7' ],
	[ bytea(der($p7)), qr/it is PKCS#7/, 'PKCS#7 in DER' ],
	[ bytea(substr der($two), 0, 200), qr/a part is missing/, 'DER that is cut' ],
	[ bytea("\x30\x82junk"), qr/der cannot be used/s, 'no DER' ],
	[ text('hello'), qr/there is no certificate in the text/, 'no PEM' ],
	[ text("$dir/root.crt"), qr/there is no certificate in the text.*not the name of their file/s, 'the name of a file' ])
{
	my ($given, $error, $title) = @$case;
	like(try("install_ca($given)"), qr/22023.*$error/s, "told: $title");
}
is(slurp_file($ca_file), $both, 'nothing has changed');

###############################################################################
# 3. Private keys

my $key = slurp_file("$dir/new.key");
my $secret = substr $key, 100, 60;
my $der = `openssl pkey -in $dir/new.key -outform DER | openssl base64 -A`;
my $offset = $server->log_offset;
$server->set(log_statement => 'none');
for my $case (
	[ 'install_ca(' . text(breaks($key, '\n')) . ')', qr/there is a private key in the text/, 'as a CA' ],
	[ 'install_ca(' . text(encode_base64($key, '')) . ')', qr/there is a private key in the text/, 'as a CA, base64 of PEM' ],
	[ "install_ca('$der')", qr/there is a private key in the text/, 'as a CA, base64 of DER' ],
	[ 'install_ca(' . bytea(decode_base64($der)) . ')', qr/there is a private key in the text/, 'as a CA, DER' ],
	[ 'install_server_certificate(' . text(pem('new')) . ", '$der')", qr/private key cannot be used: it is a private key.*openssl pkey -inform DER/s, 'in DER' ],
	[ 'install_server_certificate(' . bytea(der(pem('new'))) . ', ' . bytea(decode_base64($der)) . ')', qr/private key cannot be used: it is a private key.*openssl pkey -inform DER/s, 'in DER, as bytea' ],
	[ 'install_server_certificate(' . text(pem('new')) . ', ' . text(encode_base64($key, '')) . ')', qr/private key cannot be used: it is not PEM, but base64 of it.*base64 -d/s, 'base64 of PEM' ],
	[ 'install_server_certificate(' . text(pem('new')) . ', ' . text(encode_base64($p12, '')) . ')', qr/private key cannot be used: it is PKCS#12.*-nocerts/s, 'PKCS#12' ],
	[ 'install_server_certificate(' . text(pem('new')) . ', ' . text($key =~ s/\n/<br>/gr) . ')', qr/private key cannot be used: PEM block 1 is damaged: character \d+ of line 1 is not base64/, 'HTML' ])
{
	my ($call, $error, $title) = @$case;
	like(try($call), qr/22023.*$error/s, "a key is refused: $title");
}
my $log = $server->log_since($offset);
ok(index($log, $secret) < 0 && index($log, substr $der, 100, 60) < 0 && index($log, substr unpack('H*', decode_base64($der)), 100, 60) < 0 && index($log, substr encode_base64($key, ''), 100, 60) < 0, 'the log has nothing of the key');
for my $break ('\n', ' ', "\r")
{
	like(try('install_server_certificate(' . text(breaks(pem('new'), $break)) . ', ' . text(breaks($key, $break)) . ', dry_run => true)'), qr/^installed false/, 'a key with its line breaks put right: ' . unpack 'H*', $break);
}
like(try('install_server_certificate(' . bytea(der(pem('new'))) . ', ' . bytea($key) . ', dry_run => true)'), qr/^installed false/, 'a certificate in DER, and its key as the bytes of a file');

###############################################################################
# 4. Files

write_file("$dir/escaped.crt", breaks($both, '\n'));
chmod 0644, "$dir/escaped.crt";
$server->set(ssl_ca_file => "$dir/escaped.crt");
is($server->sql("SELECT loaded FROM sslpolicy.reload(force => true)"), 'f', 'a file is not repaired: the server cannot read it');
like(try('add_ca(' . text($two) . ')'), qr/ERROR|installed false/, 'and what it does not read is not taken for CAs');
is($server->sql("SELECT count(*) FROM sslpolicy.certificates WHERE kind = 'ca'"), '0', 'the view sees what the server would');
$server->set(ssl_ca_file => $ca_file);

###############################################################################
# 5. Settings that no longer name what another program renews

my $mount = "$dir/mount";
mkdir $_ or die for $mount, "$mount/..1", "$mount/live";
copy("$dir/server.$_", "$mount/..1/tls.$_") or die for qw(crt key);
symlink '..1', "$mount/..data" or die;
symlink "..data/tls.$_", "$mount/tls.$_" or die for qw(crt key);
copy("$dir/server.$_", "$mount/live/tls.$_") or die for qw(crt key);
copy("$dir/server.$_", "$data/plain.$_") or die for qw(crt key);
for my $path ("$mount/..1/tls", "$mount/live/tls", "$data/plain")
{
	chmod 0600, "$path.key";
	chown((getpwnam('postgres'))[ 2, 3 ], "$path.crt", "$path.key") if $> == 0;
}
symlink "$mount/live/tls.$_", "$data/link.$_" or die for qw(crt key);

sub moved
{
	my ($path) = @_;
	$server->sql("ALTER SYSTEM SET ssl_cert_file = '$path.crt'");
	$server->sql("ALTER SYSTEM SET ssl_key_file = '$path.key'");
	my $loaded = $server->sql('SELECT loaded FROM sslpolicy.reload()');
	my ($first, $second) = map { try('install_server_certificate(' . text(pem('new')) . ', ' . text($key) . ", dry_run => $_)") } 'true', 'false';
	is($loaded, 't', "$path: the server uses it");
	is($first =~ s/^installed false/installed true/r, $second, "$path: a dry run says the same");
	return $second =~ s/\\"/"/gr;
}
like(moved($_), qr/^installed true .*ssl_cert_file moves from \"\Q$_\E\.crt\" to \".*server\.pem\": the server no longer reads the old file, which a program such as .* may renew\. Have that program call sslpolicy\.install_server_certificate\(\).*ssl_key_file moves from \"\Q$_\E\.key/, "a warning: $_")
  for "$mount/live/tls", "$mount/tls", "$data/link";
unlike(moved($_), qr/moves from/, "no warning: $_") for 'plain', "$data/plain";
unlike(try('install_server_certificate(' . text(pem('new')) . ', ' . text($key) . ')'), qr/moves from/, 'no warning where nothing moves');

done_testing();
