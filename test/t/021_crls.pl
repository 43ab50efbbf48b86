# CRLs that sslpolicy checks itself: what real clients see of them.
#
# 1. a client, an intermediate and a live session; revoked()
# 2. what is missing or has expired
# 3. what is not taken: garbage, older, foreign, empty, half written
# 4. the index: truncated, flipped, removed, of other settings
# 5. install_crl, rollback, reload
# 6. a directory; DER; enforcement and sslmode
# 7. ssl_crl_file: live sessions
use strict;
use warnings;
use File::Basename qw(dirname);
use File::Temp ();
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('crls');
my $certs = $server->certs;
my $node = $server->node;
my $dir = $certs->{dir};
$certs->ca('other', subject => '/CN=Other Root');
$certs->ca('twin', subject => '/CN=Test Root/O=Acme');
$certs->intermediate('inner', issuer => 'root', subject => '/CN=Inner');
$certs->client($_, issuer => 'root', subject => '/CN=app') for qw(app app2);
$certs->client('deep', issuer => 'inner', subject => '/CN=app');
$certs->client('stranger', issuer => 'other', subject => '/CN=app');
$certs->client('double', issuer => 'twin', subject => '/CN=app', serial => $certs->get('app')->{serial});
my $ca_path = $certs->bundle('trusted.crt', qw(root twin inner other));
my $own = PostgreSQL::Test::Utils::tempdir();
my $crl_path = "$own/revoked.pem";
$node->append_conf('postgresql.conf', "ssl_ca_file = '$ca_path'");
$server->start;
$server->sql(q{CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE monitor LOGIN; GRANT pg_monitor TO monitor});
my $index = $node->data_dir . '/sslpolicy/crl.index';

sub crl { my ($ca, $number, @revoked) = @_; return make_crl($certs, $ca, $number, revoked => \@revoked) }
sub logs_in { return $server->login(cert => $_[0], user => 'app', sslmode => 'require')->{ok} }
sub refusal { return $server->login(cert => $_[0], user => 'app', sslmode => 'require')->{err} }
sub row { return $server->sql("SELECT $_[0] FROM sslpolicy.$_[1]") }
sub why { return $server->sql("SELECT coalesce(string_agg(error, ';'), '') FROM sslpolicy.crls WHERE NOT in_force") }

# the CRLs whose verified_by is the fingerprint of the CA that they name
sub signers { return $server->sql(q{SELECT count(*) FROM sslpolicy.crls r JOIN sslpolicy.certificates c ON c.fingerprint_sha256 = r.verified_by AND c.subject_dn = r.issuer_dn WHERE kind = 'ca'}) }

# Write the file, and wait until it is in force, or until it is known why not.
sub take
{
	write_file($crl_path, @_);
	return $server->sql(q{SELECT coalesce(error, 'ok') FROM sslpolicy.reload()});
}

my %live;
sub open_session
{
	my ($name, %opt) = @_;
	my $session = $server->background(user => 'app', sslmode => 'require', cert => $name, %opt);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	chomp $pid;
	$live{$name} = { session => $session, pid => $pid };
	return;
}
sub is_live { return $server->sql("SELECT count(*) FROM pg_stat_activity WHERE pid = $live{$_[0]}{pid}") }
sub is_ended
{
	my ($name) = @_;
	my $ended = $node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $live{$name}{pid}");
	my $cause = $server->sql("SELECT cause FROM sslpolicy.ended_sessions WHERE pid = $live{$name}{pid}");
	eval { delete($live{$name})->{session}->quit };
	return $ended ? $cause : 'still there';
}

# 1
my %good = (root => crl('root', 5), twin => crl('twin', 5), inner => crl('inner', 5), other => crl('other', 5));
write_file($crl_path, values %good);
ok(logs_in($_), "without CRLs: $_") for qw(app app2 deep stranger double);
$server->sql("ALTER SYSTEM SET sslpolicy.crl_file = '$own/new.pem'");
like(row('loaded || error', 'reload()'), qr/^falsecould not open "\S*new\.pem", which sslpolicy\.crl_file names now: No such file/, 'reload() does not take a file that is not there');
is($server->sql('SHOW sslpolicy.crl_file'), '', 'nor has the server');
for my $case ([ crl_file => $own, 'Is a directory' ], [ crl_dir => $crl_path, 'Not a directory' ])
{
	my ($name, $path, $error) = @$case;
	$server->sql("ALTER SYSTEM RESET sslpolicy.crl_file; ALTER SYSTEM SET sslpolicy.$name = '$path'");
	like(row('loaded || error', 'reload()'), qr/^falsecould not open "\S+", which sslpolicy\.$name names now: $error/, "nor a $name of the wrong kind");
	$server->sql("ALTER SYSTEM RESET sslpolicy.$name");
}
$server->sql("ALTER SYSTEM SET sslpolicy.crl_file = '$own/new.pem'");
like(row('loaded || error', 'reload(force => true)'), qr/^falsecould not open file/, 'but by force');
like(refusal('app'), qr/cannot be checked for revocation/, 'and then refuses everybody');
is(row('installed', 'install_crl($$' . join('', values %good) . '$$)'), 't', 'install_crl() makes the file');
ok(logs_in($_), "and lets them in: $_") for qw(app app2 deep stranger double);
unlink "$own/new.pem" or die;
like(row('installed, warnings', 'install_crl($$' . $good{root} . '$$)'), qr/^t\|.*it is recreated with the CRLs that were in force from it/, 'a file that has gone, while its CRLs are in force: is made anew');
is(scalar(() = slurp_file("$own/new.pem") =~ /BEGIN X509 CRL/g), 4, 'with all that it held');
$server->set('sslpolicy.crl_file' => $crl_path);
is($server->sql(q{SELECT coalesce(error, 'ok') FROM sslpolicy.reload()}), 'ok', 'the CRLs are read');
is(signers(), '4', 'which CA has signed each');
is(row('count(*), bool_and(in_force), sum(entries), count(error)', 'crls'), '4|t|0|0', 'and shown');
open_session($_) for qw(app app2 deep double);
ok(logs_in($_), "nobody is revoked: $_") for qw(app app2 deep stranger double);

my $offset = $server->log_offset;
$good{root} = crl('root', 6, 'app');
is(take(values %good), 'ok', 'a CRL that revokes one');
is(is_ended('app'), 'revoked', 'its session is ended');
ok(is_live($_), "$_ stays") for qw(app2 deep double);
like(refusal('app'), qr/FATAL:  client certificate of role "app" is revoked\n.*HINT:  Set sslcert/s, 'and it cannot log in again');
ok(logs_in($_), "others can: $_") for qw(app2 deep stranger double);
my $log = $server->log_since($offset);
like($log, qr/LOG:  session of role "app" \(PID \d+\) ended: its client certificate, or one that verified it, is revoked\n.*; certificate "CN=app", serial \d+, was revoked at 2025-01-01 .* \(keyCompromise\); changed: .*revocation lists/, 'the log says why');
like($log, qr/FATAL:  client certificate of role "app" is revoked\n.*DETAIL:  Refused: role="app".*; certificate "CN=app", serial \d+, was revoked at 2025/, 'also of the refusal');
my $serial = Math::BigInt->new($certs->get('app')->{serial})->bstr;
is(row('revoked, since, reason, crl_issuer', "revoked($serial, 'O=Acme,CN=Test Root')"), 't|2025-01-01 00:00:00+00|keyCompromise|O=Acme,CN=Test Root', 'revoked()') or diag $serial;
is(row('revoked, since, reason, crl_issuer', "revoked(12345, 'CN=Inner')"), 'f|||CN=Inner', 'not revoked');
is(row('revoked, since, reason, crl_issuer', "revoked(12345, 'CN=Nobody')"), '|||', 'not known');
like(($node->psql('postgres', "SELECT sslpolicy.revoked(1.5, 'x')"))[2], qr/a serial number must be a whole number/, 'no serial');
like(($node->psql('postgres', "SELECT sslpolicy.revoked(1, 'x')", extra_params => [ '-U', 'app' ]))[2], qr/permission denied/, 'not for everybody');
is(($node->psql('postgres', "SELECT count(*) FROM sslpolicy.crls", extra_params => [ '-U', 'monitor' ]))[1], '4', 'but for pg_monitor');

$good{root} = crl('root', 7, qw(app inner));
is(take(values %good), 'ok', 'a CRL that revokes an intermediate');
is(is_ended('deep'), 'revoked', 'its client is ended');
like(refusal('deep'), qr/is revoked/, 'and refused');
ok(logs_in('app2') && is_live('app2'), 'others are not');
$good{root} = crl('root', 8, qw(app));
is(take(values %good), 'ok', 'a CRL that revokes it no longer');
is(refusal('deep'), '', 'one that is no longer revoked');

# 2
is(take(@good{qw(root twin inner)}), 'ok', 'no CRL of one CA');
like(refusal('stranger'), qr/FATAL:  client certificate of role "app" cannot be checked for revocation: a certificate revocation list is missing\nDETAIL:  There is none of a CA that issued the certificate\./, 'its clients are refused');
ok(logs_in('app2'), 'others are not');
$server->set('sslpolicy.crl_missing' => 'accept');
ok(logs_in('stranger'), 'crl_missing = accept');
like(refusal('app'), qr/is revoked/, 'lets no revoked one in');
$server->set('sslpolicy.crl_missing' => undef);

my $soon = time + 8;
$good{other} = make_crl($certs, 'other', 6, next => $soon);
is(take(values %good), 'ok', 'a CRL that expires soon');
open_session('stranger');
$node->poll_query_until('postgres', "SELECT now() > to_timestamp($soon)") or die;
like(refusal('stranger'), qr/cannot be checked for revocation: a certificate revocation list has expired\nDETAIL:  It is the list of a CA that issued the certificate\./, 'its clients are refused');
ok(is_live('stranger'), 'and none is ended');
like(row('error', "crls WHERE issuer_dn = 'CN=Other Root'"), qr/it has expired: every certificate/, 'the view says so');
$server->set('sslpolicy.crl_expired' => 'accept');
ok(logs_in('stranger'), 'crl_expired = accept');
$server->set('sslpolicy.crl_expired' => undef);

# 3
$good{other} = crl('other', 7);
is(take(values %good), 'ok', 'a new one');
ok(logs_in('stranger'), 'lets its clients in again');
my %bad = (
	'garbage' => ['garbage', qr/file ".*revoked\.pem": /],
	'an empty file' => ['', qr/it is empty/],
	'an older CRL' => [join('', crl('root', 3), @good{qw(twin inner other)}), qr/the CRL of "O=Acme,CN=Test Root" is older than the one in force/],
	'a CRL of a stranger' => [join('', values %good, do { $certs->ca('third', subject => '/CN=Third'); crl('third', 9) }), qr/the CRL of "CN=Third" is not signed by a CA in ssl_ca_file/],
	'an expired CRL' => [join('', make_crl($certs, 'root', 99, next => time - 10), @good{qw(twin inner other)}), qr/has expired, and the one in force has not/],
	'a truncated one' => [substr($good{root}, 0, -30), qr/file ".*revoked\.pem"/],
	'a certificate' => [slurp_file("$dir/app.crt"), qr/there is no CRL in it/],
	'a flipped bit' => [do { my $pem = crl('root', 50); $pem =~ s{^(\S+)\n(-----END)}{($1 =~ tr/a-zA-Z/b-zaB-ZA/r) . "\n$2"}me; $pem }, qr/file ".*revoked\.pem"/],
);
for my $what (sort keys %bad)
{
	my ($text, $error) = @{ $bad{$what} };
	$offset = $server->log_offset;
	like(take($text), $error, "$what is not taken");
	like(why(), $error, "$what: the view says why");
	like($server->log_since($offset), qr/LOG:  CRLs of sslpolicy.crl_file and crl_dir are not in force: .*\n.*DETAIL:  Those that were read before, if any, stay in force\./, "$what: the log, too");
	like(refusal('app'), qr/is revoked/, "$what: the old ones stay in force");
	ok(logs_in('app2'), "$what: for all");
}
unlink $crl_path;
like($server->sql(q{SELECT error FROM sslpolicy.reload()}), qr/could not open file/, 'a file that is gone');
like(refusal('app'), qr/is revoked/, 'the old ones stay in force');

# a new file is noticed without being told; one half of it is not taken
my $new = join '', @good{qw(twin inner other)}, crl('root', 60, qw(app app2));
open my $fh, '>', $crl_path or die; $fh->autoflush(1); print $fh substr($new, 0, length($new) - 300);
ok(logs_in('app2'), 'a file that is being written');
print $fh substr($new, -300); close $fh;
is(is_ended('app2'), 'revoked', 'is taken when it is whole');
is(why(), '', 'and all is well');

# 4
$good{root} = crl('root', 70, 'app');
take(values %good);
ok(logs_in('app2'), 'before the index is damaged');
my $whole = slurp_file($index);
my $damage = sub {
	my ($what, $bytes) = @_;
	$offset = $server->log_offset;
	open my $f, '+<', $index or die; binmode $f; print $f $bytes; truncate $f, length $bytes; close $f;
	# whoever logs in at once is refused, or the worker was faster
	my $r = refusal('app');
	like($r, qr/is revoked|cannot be checked for revocation/, "$what: no revoked one gets in");
	$server->wait_for_log(qr/the index of revoked certificates is not usable, and is built anew/, $offset);
	$node->poll_query_until('postgres', "SELECT revoked FROM sslpolicy.revoked($serial, 'O=Acme,CN=Test Root')") or die;
	ok(logs_in('app2'), "$what: it is built anew");
};
$damage->('an empty index', '');
for (my $cut = 4096; $cut < length $whole; $cut += 4096)
{
	$damage->("index cut at $cut", substr($whole, 0, $cut));
}
for my $block (0 .. length($whole) / 4096 - 1)
{
	my $flipped = $whole;
	substr($flipped, $block * 4096 + 100, 1) ^= "\x10";
	$damage->("a bit flipped in block $block", $flipped);
}
$damage->('a foreign file', "\x7fELF" . 'x' x 8192);
unlink $index;
ok(refusal('app') =~ /is revoked|cannot be checked/, 'index removed: no revoked one gets in');
$node->poll_query_until('postgres', "SELECT count(*) = 4 FROM sslpolicy.crls WHERE in_force") or die;
ok(logs_in('app2'), 'and it is built anew');
# a directory in its place is not
$server->stop;
unlink $index; mkdir $index;
$server->start;
like(refusal('app2'), qr/cannot be checked for revocation: the certificate revocation lists cannot be read/, 'no index: refused');
ok($server->login(user => 'app', host => 'local', sslmode => 'disable')->{ok}, 'but through the socket');
ok($server->login(user => 'app', sslmode => 'require')->{ok}, 'and without a certificate');
rmdir $index;
$node->poll_query_until('postgres', "SELECT count(*) = 4 FROM sslpolicy.crls WHERE in_force") or die;
ok(logs_in('app2'), 'it is built when it can be');
# It says what is in the way, and goes on when that is gone: not after the minute that
# an attempt takes which nothing has changed for.
my $folder = dirname($index);
my @obstacles = (
	[ 'a folder in its place', sub { unlink $index; mkdir $index }, sub { rmdir $index }, qr/could not open file .*crl\.index.*Is a directory/ ],
	[ 'a folder that cannot be written', sub { chmod 0500, $folder }, sub { chmod 0700, $folder }, qr/could not create file .*crl_copies\.pem.*Permission denied/ ],
	[ 'no folder', sub { rename $folder, "$folder.away"; write_file($folder, '') }, sub { unlink $folder; rename "$folder.away", $folder }, qr/could not create .*sslpolicy.*(?:Not a directory|File exists)/ ]);
my $number = 70;
for (@obstacles)
{
	my ($what, $obstruct, $repair, $error) = @$_;
	$number++;
	$obstruct->();
	$good{root} = crl('root', $number, 'app');
	like(take(values %good), $error, "$what: reload() says so");
	like(why(), $error, "$what: and crls");
	$offset = $server->log_offset;
	$repair->();
	my $repaired = time;
	$node->poll_query_until('postgres', "SELECT count(*) = 4 AND bool_or(crl_number = $number) FROM sslpolicy.crls WHERE in_force AND error IS NULL") or die;
	cmp_ok(time - $repaired, '<', 30, "$what: the index is built as soon as that is gone");
	ok(logs_in('app2'), "$what: and certificates are accepted");
}

# an index that is there after a restart is not built anew
my $inode = (stat $index)[1];
$server->restart;
is(take(values %good), 'ok', 'reload after a restart');
is((stat $index)[1], $inode, 'the index is the same');

# 5
%live = ();
open_session($_) for qw(app2 stranger);
is(row('installed, warnings', 'install_crl($$' . crl('root', 80, qw(app app2)) . '$$)'), 't|{}', 'install_crl');
is(is_ended('app2'), 'revoked', 'which ends the session');
ok(is_live('stranger'), 'the others stay');
is($server->sql('SHOW ssl_crl_file'), '', 'ssl_crl_file is not touched');
like(refusal('app2'), qr/is revoked/, 'and refuses the next');
is(row('count(*), sum(entries)', 'crls'), '4|2', 'the others are still there');
is(row('state, action', "material_history WHERE kind = 'crl' ORDER BY version DESC LIMIT 1"), 'installed|install_crl', 'the history');
like(($node->psql('postgres', 'SELECT sslpolicy.install_crl($$' . crl('root', 79) . '$$)'))[2], qr/older than the one in place/, 'an older one is refused');
like(($node->psql('postgres', 'SELECT sslpolicy.install_crl($$' . make_crl($certs, 'root', 81, next => time - 5) . '$$)'))[2], qr/expired on/, 'an expired one as well');
$server->set('sslpolicy.crl_expired' => 'accept');
like(($node->psql('postgres', 'SELECT sslpolicy.install_crl($$' . make_crl($certs, 'inner', 81, next => time - 1) . '$$, dry_run => true)'))[2], qr/would not come into force.*has expired, and the one in force has not/s, 'also with crl_expired = accept, in place of one that is current');
$server->set('sslpolicy.crl_expired' => undef);
is(row('installed', "rollback('crl', force => true)"), 't', 'rollback');
ok(logs_in('app2'), 'gives access back');
is(row('installed', "install_crl(decode('" . do { my $c = crl('root', 90, qw(app)); my ($b) = $c =~ /-----BEGIN X509 CRL-----\n(.*)-----END/s; $b } . "', 'base64'))"), 't', 'DER');

# 6
my $crl_dir = "$own/crls";
mkdir $crl_dir;
write_file("$crl_dir/$_", $good{$_}) for qw(twin inner other);
system('openssl', 'crl', '-outform', 'DER', '-in', $crl_path, '-out', "$crl_dir/root.crl") == 0 or die;
write_file("$crl_dir/root.crl", do { my $c = crl('root', 91, qw(app2)); my ($b) = $c =~ /-----BEGIN X509 CRL-----\n(.*)-----END/s; require MIME::Base64; MIME::Base64::decode_base64($b) });
$server->set('sslpolicy.crl_file' => undef, 'sslpolicy.crl_dir' => $crl_dir);
is($server->sql(q{SELECT coalesce(error, 'ok') FROM sslpolicy.reload()}), 'ok', 'a directory');
like(refusal('app2'), qr/is revoked/, 'a CRL in DER');
ok(logs_in('app'), 'is the one that counts');
write_file("$crl_dir/README", 'hello');
like($server->sql(q{SELECT error FROM sslpolicy.reload()}), qr/README/, 'a file that is no CRL');
unlink "$crl_dir/README";
for my $enforcement (qw(log off))
{
	$server->set('sslpolicy.enforcement' => $enforcement);
	like(refusal('app2'), qr/is revoked/, "enforcement = $enforcement");
}
$server->set('sslpolicy.enforcement' => undef);
$server->label(role => { app => 'sslmode=prefer' });
like(refusal('app2'), qr/is revoked/, 'whatever the policy asks');
$server->label(role => { app => undef });
$server->set('sslpolicy.recheck_revoked' => 'log');
open_session('app');
$offset = $server->log_offset;
write_file("$crl_dir/root.crl", crl('root', 92, qw(app app2)));
$server->wait_for_log(qr/session of role "app" \(PID $live{app}{pid}\) would be ended: its client certificate, or one that verified it, is revoked/, $offset);
ok(is_live('app'), 'recheck_revoked = log');
is(row('compliant', "sessions WHERE pid = $live{app}{pid}"), 'f', 'it does not comply');
$server->set('sslpolicy.recheck_revoked' => undef);
is(is_ended('app'), 'revoked', 'recheck_revoked = terminate');
$server->set('sslpolicy.crl_dir' => undef);
ok(logs_in('app'), 'no CRLs any more');
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM sslpolicy.crls") or die;

# 7
open_session($_) for qw(app stranger);
is(row('installed', 'install_crl($$' . join('', crl('root', 100, 'app'), @good{qw(twin inner other)}) . '$$, force => true)'), 't', 'ssl_crl_file');
is(is_ended('app'), 'revoked', 'it ends sessions, too');
is(signers(), '4', 'which CA has signed each');
ok(is_live('stranger'), 'others stay');
is(row('revoked, crl_issuer', "revoked($serial, 'O=Acme,CN=Test Root')"), 't|O=Acme,CN=Test Root', 'revoked()');

# lists that take the worker some time to read: who comes in by a new one is not ended by the old one
sub long_list { my ($number, @revoked) = @_; return make_crl($certs, 'root', $number, revoked => \@revoked, fill => 300_000) . join '', @good{qw(twin inner other)} }
my @long = (long_list(102, 'app'), long_list(103, 'app2'));
my $list = $node->data_dir . '/' . $server->sql('SHOW ssl_crl_file');
write_file($list, crl('root', 101), @good{qw(twin inner other)});
$server->sql('SELECT sslpolicy.reload(force => true)');
open_session($_) for qw(app app2);
write_file($list, $long[0]);
$server->sql('SELECT sslpolicy.reload(force => true)');
is(is_ended('app'), 'revoked', 'a long list');
write_file($list, $long[1]);
$server->sql('SELECT pg_reload_conf()');
1 until logs_in('app');
open_session('app');
is(is_ended('app2'), 'revoked', 'the next long one');
ok(is_live('app'), 'who comes in by it meanwhile stays');

done_testing();
