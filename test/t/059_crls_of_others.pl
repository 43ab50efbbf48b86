# CRLs as other CAs and programs make them, and what becomes of those in force.
#
# 1. version 1; byte order marks; numbers and dates
# 2. distribution points: shards, users and CAs, a root without a CRL for itself
# 3. an intermediate CA that only clients send
# 4. a bad CRL, a bad file: nobody else is touched
# 5. a file that has gone: what was in force stays, is restored, or is missed
# 6. a file that has never been read, and sslpolicy.crl_missing
# 7. recheck_revoked = log speaks for sessions that did not comply before
# 8. ssl_crl_file: the server checks what sslpolicy cannot verify; given its CA, sslpolicy can
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Certs::DER qw(tlv);
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('crls_of_others');
my $certs = $server->certs;
my $node = $server->node;
my $dir = $certs->{dir};

# a CRL distribution point with these URIs
sub points { return [ '2.5.29.31', 0, tlv(0x30, join '', map { tlv(0x30, tlv(0xA0, tlv(0xA0, tlv(0x86, $_)))) } @_) ] }

$certs->ca('other', subject => '/CN=Other Root');
$certs->client($_, issuer => 'root', subject => '/CN=app') for qw(app app2);
$certs->client("$_->[0]", issuer => 'root', subject => '/CN=app', extensions => [ points(@{$_}[ 1 .. $#$_ ]) ])
  for [ shard1 => 'http://crl/1' ], [ shard2 => 'http://crl/2' ], [ both => 'http://crl/9', 'http://crl/1' ];
$certs->intermediate('inner', issuer => 'root', subject => '/CN=Inner');
$certs->intermediate('inmost', issuer => 'inner', subject => '/CN=Inmost');
$certs->client($_, issuer => 'inner', subject => '/CN=app') for qw(deep deep2);
$certs->intermediate('fresh', issuer => 'root', subject => '/CN=Fresh');
$certs->client('fresh_app', issuer => 'fresh', subject => '/CN=app');
$certs->client('deepest', issuer => 'inmost', subject => '/CN=app');
$certs->client('stranger', issuer => 'other', subject => '/CN=app');
my $ca_path = $certs->bundle('trusted.crt', qw(root other));
my $own = PostgreSQL::Test::Utils::tempdir();
my $crl_path = "$own/revoked.pem";
my $data = $node->data_dir;
$node->append_conf('postgresql.conf', "ssl_ca_file = '$ca_path'");
$server->start;
$server->sql(q{CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE installer LOGIN; GRANT USAGE ON SCHEMA sslpolicy TO installer; GRANT EXECUTE ON FUNCTION sslpolicy.install_crl(text, boolean, boolean) TO installer});

sub crl { my ($ca, $number, $revoked, %opt) = @_; return make_crl($certs, $ca, $number, revoked => $revoked // [], %opt) }
sub logs_in { return $server->login(cert => $_[0], user => 'app', sslmode => 'require')->{ok} }
sub refusal { return $server->login(cert => $_[0], user => 'app', sslmode => 'require')->{err} }
sub row { return $server->sql("SELECT $_[0] FROM sslpolicy.$_[1]") }
sub install { my ($text, $options) = @_; return row('installed', "install_crl(\$\$$text\$\$" . ($options ? ", $options" : '') . ')') }
sub install_error { my ($text, $options, @user) = @_; return ($node->psql('postgres', "SELECT installed FROM sslpolicy.install_crl(\$\$$text\$\$" . ($options ? ", $options" : '') . ')', @user))[2] }
sub pem { return join '', map { slurp_file("$dir/$_.crt") } @_ }
sub reload { return $server->sql(q{SELECT coalesce(error, 'ok') FROM sslpolicy.reload()}) }

# Write the file, and wait until it is in force, or until it is known why not.
sub take { write_file($crl_path, @_); return reload() }

# Begin anew: what was in force is forgotten with the settings.  Says what reload() does.
sub use_files
{
	my (%settings) = @_;
	$server->set('sslpolicy.crl_file' => undef, 'sslpolicy.crl_dir' => undef);
	$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM sslpolicy.crls') or die;
	$server->set(map { ("sslpolicy.$_" => $settings{$_}) } keys %settings);
	return reload();
}

my $other = crl('other', 5);

# 1
write_file($crl_path, crl('root', undef, ['app']), $other);
is(use_files(crl_file => $crl_path), 'ok', 'a CRL of version 1');
like(refusal('app'), qr/is revoked/, 'revokes');
ok(logs_in('app2'), 'and lets others in');
my $first = crl('root', undef, ['app2']);
for my $dry ('true', 'false')
{
	is(install($first, "dry_run => $dry"), $dry eq 'true' ? 'f' : 't', "install_crl takes one, dry_run => $dry");
}
like(refusal('app2'), qr/is revoked/, 'which revokes');
is(take("\xEF\xBB\xBF" . crl('root', 10, ['app']), "\xEF\xBB\xBF" . $other), 'ok', 'byte order marks where OpenSSL takes them');
like(refusal('app'), qr/is revoked/, 'are no obstacle');
like(take("text\n\xEF\xBB\xBF" . crl('root', 11), $other), qr/PEM block 1 comes after a byte order mark that has text before it/, 'elsewhere they are');
like(refusal('app'), qr/is revoked/, 'and the CRL in force stays so');

my $now = time;
use_files(crl_file => $crl_path);
is(take(crl('root', 20, ['app'], issued => $now - 3000), crl('root', undef, ['app2'], issued => $now - 2000, extension => 1), $other),
	'ok', 'two CRLs of one CA, one of which has no number');
like(refusal('app2'), qr/is revoked/, 'the later one counts');
ok(logs_in('app'), 'and the other one does not');
is(install(crl('root', 21, ['app'], issued => $now - 1000)), 't', 'a later one with a number replaces it');
like(refusal('app'), qr/is revoked/, 'and revokes');
like(install_error(crl('root', undef, [], issued => $now - 1500, extension => 1)), qr/is older than the one in place/, 'an earlier one does not');
is(install(crl('root', 22, ['app2'], issued => $now - 1200)), 't', 'of two numbers the higher one counts, whatever the date');
ok(logs_in('app'), 'and is in force');
for my $order (0, 1)
{
	my @same = map { crl('root', undef, [$_], issued => $now - 500) } qw(app app2);
	is(take(@same[ $order, 1 - $order ], $other), 'ok', 'two CRLs of the same second');
	like(refusal($_), qr/is revoked/, "count both: $_") for qw(app app2);
}
unlink $crl_path or die;
like(reload(), qr/could not open file/, 'their file is gone');
like(refusal($_), qr/is revoked/, "both count on: $_") for qw(app app2);
like(take(crl('root', undef, [], issued => $now - 600), $other), qr/is older than the one in force/, 'an earlier one');
like(refusal($_), qr/is revoked/, "takes the place of neither: $_") for qw(app app2);

# 2
my %shard = map { my $n = $_; ($n => sub { crl('root', $_[0], $_[1], point => "fullname=URI:http://crl/$n") }) } 1, 2;
write_file($crl_path, $shard{1}->(30), $other);
is(use_files(crl_file => $crl_path), 'ok', 'a CRL with a distribution point');
ok(logs_in('shard1'), 'covers certificates that name it');
ok(logs_in('both'), 'or name it among others');
like(refusal($_), qr/revocation/, "but not $_") for qw(shard2 app);
like($server->log_since(0), qr/no CRL of CA "\S*CN=Test Root" covers certificate "\S*" \(different scope\)/, 'and the log says why');
is(row('scope', 'crls WHERE scope IS NOT NULL'), 'http://crl/1', 'the view shows its scope');
is(install($shard{2}->(7, ['shard2'])), 't', 'another shard, with a lower number');
is(row('count(*)', q{crls WHERE issuer_dn LIKE '%Test Root'}), '2', 'is beside the first');
ok(logs_in('shard1'), 'which covers what it did');
like(refusal('shard2'), qr/is revoked/, 'and revokes');
is(install($shard{2}->(8, ['both'])), 't', 'its successor');
ok(logs_in('shard2'), 'takes its place');
like(refusal('both'), qr/is revoked/, 'what any CRL of the issuer lists is revoked');
is(install($shard{1}->(31)), 't', 'and so does that of the first');
is(row('count(*), count(DISTINCT scope)', q{crls WHERE issuer_dn LIKE '%Test Root'}), '2|2', 'there are two');
like(install_error($shard{2}->(7)), qr/is older than the one in place/, 'an older one of a scope is refused');
$server->set('sslpolicy.crl_missing' => 'accept');
ok(logs_in('app'), 'crl_missing = accept lets in whom no CRL covers');
$server->set('sslpolicy.crl_missing' => undef);
is(take(crl('root', 40, [], point => 'onlyuser=TRUE'), $other), 'ok', 'a CRL of user certificates');
ok(logs_in($_), "covers all of them: $_") for qw(app shard1);
like(refusal('deep'), qr/revocation/, 'but no CA');
is(take(crl('root', 41, [], point => 'onlyuser=TRUE'), crl('root', 41, [], point => 'onlyCA=TRUE'), $other), 'ok', 'and one of CAs');
ok(logs_in('app'), 'goes with it');
my %refused = (
	"onlysomereasons=keyCompromise\nfullname=URI:http://crl/1" => 'for some reasons only',
	"indirectCRL=TRUE" => 'an indirect CRL',
	"onlyAA=TRUE" => 'attribute certificates only');
for my $point (sort keys %refused)
{
	like(take(crl('root', 50, ['app'], point => $point), $other), qr/cannot be used: .*$refused{$point}/, "refused: $refused{$point}");
	like(install_error(crl('root', 50, [], point => $point), 'dry_run => true'), qr/$refused{$point}/, 'and by install_crl');
	ok(logs_in('app'), 'what is in force stays so');
}

write_file($crl_path, $shard{1}->(55), $other);
is(use_files(crl_file => $crl_path), 'ok', 'one shard');
is(install($shard{2}->(55)), 't', 'and the other');
my $held = $server->background(user => 'app', sslmode => 'require', cert => 'shard2');
like(row('affected', q{rollback('crl', dry_run => true, force => true)}), qr/no CRL of CA .* covers the certificate \(different scope\)/, 'going back would refuse a live session that it covers');
$held->quit;

# 3
write_file($crl_path, crl('root', 60), $other);
is(use_files(crl_file => $crl_path), 'ok', 'begin anew');
like(refusal('deep'), qr/revocation/, 'a certificate of an intermediate CA without a CRL');
my $inner = crl('inner', 1, ['deep2']);
like(install_error($inner), qr/is not signed by a CA in ssl_ca_file.*HINT:.*give its certificate along/s, 'whose certificate is not known');
like(install_error(pem('stranger') . $inner), qr/is not signed by a CA in ssl_ca_file/, 'another certificate does not help');
is(install(pem('inner') . $inner), 't', 'given along, it is taken');
ok(logs_in('deep'), 'lets its client in');
like(refusal('deep2'), qr/is revoked/, 'and keeps the revoked one out');
unlike(slurp_file($crl_path), qr/BEGIN CERTIFICATE/, 'the file has no certificate, which core would trust');
is(install(crl('inner', 2)), 't', 'and from then on without it');
ok(logs_in('deep2'), 'is in force');
is(install(pem('inner', 'inmost') . crl('inmost', 1, ['deepest'])), 't', 'two in a row');
like(refusal('deepest'), qr/is revoked/, 'are verified');
like(install_error(do { my $c = SSLPolicy::Certs->new(dir => PostgreSQL::Test::Utils::tempdir()); $c->ca('false', subject => '/CN=False'); slurp_file($c->get('false')->{cert}) . make_crl($c, 'false', 1) }),
	qr/does not verify against ssl_ca_file as a CA that may sign CRLs/, 'a CA of nobody is refused');
like(row('warnings', 'install_crl($$' . pem('app') . crl('inner', 3) . '$$, dry_run => true)'), qr/has signed none of these CRLs/, 'one that is not needed is left out');
is(take(crl('root', 61), $other, pem('inner'), crl('inner', 4, ['deep'])), 'ok', 'a certificate in the file of sslpolicy.crl_file');
like(refusal('deep'), qr/is revoked/, 'serves as well');
is(take(crl('root', 62), $other, crl('inner', 5, ['deep2'])), 'ok', 'and is kept');
like(refusal('deep2'), qr/is revoked/, 'for the next one');
$node->restart;
like(refusal('deep2'), qr/is revoked/, 'also after a restart');

# 4
write_file($crl_path, crl('root', 70, ['app']), $other);
is(use_files(crl_file => $crl_path), 'ok', 'begin anew');
like(take(crl('root', 71, [ 'app', 'app2' ]), substr($other, 0, 150), "\n"), qr/CRL 2/, 'a file with a good CRL and one that is cut');
like(refusal('app2'), qr/is revoked/, 'the good one is in force');
ok(logs_in('stranger'), 'the other one is, as it was before');
like(take(substr(crl('root', 72), 0, 150), "\n", crl('other', 6, ['stranger'])), qr/CRL 1/, 'the other way round');
like(refusal('stranger'), qr/is revoked/, 'the good one is in force');
like(refusal('app2'), qr/is revoked/, 'and so is what was before');
is(take(crl('root', 73), crl('other', 7)), 'ok', 'good ones again');
ok(logs_in($_), "for $_") for qw(app2 stranger);
my $crl_dir = "$own/crls";
mkdir $crl_dir;
write_file("$crl_dir/root", crl('root', 80, ['app']));
write_file("$crl_dir/garbage", 'garbage');
write_file("$crl_dir/other", crl('other', 80));
like(use_files(crl_dir => $crl_dir), qr/garbage/, 'a directory with a file that is none');
like(refusal('app'), qr/is revoked/, 'does not keep the others out');
ok(logs_in($_), "nor their clients: $_") for qw(app2 stranger);
$server->set('sslpolicy.crl_file' => $crl_path);
is(install(crl('root', 81, ['app2']), 'force => true'), 't', 'nor is it in the way of install_crl');
like(refusal('app2'), qr/is revoked/, 'which is in force');

# 5
write_file($crl_path, crl('root', 90, ['app']), $other);
is(use_files(crl_file => $crl_path), 'ok', 'begin anew');
unlink $crl_path or die;
like(reload(), qr/could not open file/, 'a file that is gone');
like(refusal('app'), qr/is revoked/, 'what was in force is');
like(row('error', q{crls WHERE in_force AND issuer_dn LIKE '%Test Root'}), qr/it stays in force until/, 'and the view says so');
like(take(crl('other', 8)), qr/^ok$/, 'a file that lacks one of them');
like(refusal('app'), qr/is revoked/, 'does not withdraw what was kept');
$node->restart;
like(refusal('app'), qr/is revoked/, 'nor does a restart');
is(take(crl('root', 91), crl('other', 8)), 'ok', 'a newer one');
ok(logs_in('app'), 'does');
is(take(crl('other', 8)), 'ok', 'what is taken out of a good file');
like(refusal('app'), qr/revocation/, 'is out of force');
is(take(crl('root', 92, ['app']), crl('other', 9)), 'ok', 'both again');
unlink $crl_path or die;
like(row('installed, warnings', 'install_crl($$' . crl('other', 10, ['stranger']) . '$$)'), qr/^t\|.*is recreated with the CRLs/, 'install_crl makes the file anew');
like(refusal($_), qr/is revoked/, "with all that was in force: $_") for qw(app stranger);
write_file($crl_path, 'garbage');
like(install_error(crl('other', 11)), qr/cannot be replaced.*HINT:.*move this one away/s, 'a file with something else is not replaced');
write_file($crl_path, '');
like(row('installed, warnings', 'install_crl($$' . crl('other', 11) . '$$)'), qr/^t\|.*is recreated with the CRLs/, 'an empty one is made anew');
like(refusal('app'), qr/is revoked/, 'keeps what was in force');
unlink $crl_path, "$data/sslpolicy/crl_copies.pem" or die;
like(reload(), qr/copies.*missing or damaged/, 'file and copies are gone');
like(refusal('app'), qr/is revoked/, 'what was in force is, still');
like(install_error(crl('other', 12)), qr/CRLs that are in force would be lost.*Test Root.*HINT:.*force/s, 'install_crl names what would be lost');
like(install_error(crl('other', 12), 'force => true', extra_params => [ '-U', 'installer' ]), qr/would be lost/, 'others than superusers cannot force it');
like(refusal('app'), qr/is revoked/, 'nothing has changed');
like(install_error(crl('other', 12) . crl('root', 91, []), undef, extra_params => [ '-U', 'installer' ]), qr/is older than the one in force|would not come into force/, 'an older one in their place is refused');
is(row('installed', 'install_crl($$' . crl('other', 12) . crl('root', 92, ['app']) . '$$, dry_run => true)'), 'f', 'those that are given are not lost');
like(row('installed, warnings', 'install_crl($$' . crl('other', 12) . '$$, force => true)'), qr/^t\|.*Test Root.*are lost/, 'a superuser can');
like(refusal('app'), qr/revocation/, 'the issuer has no CRL then');
is(install(crl('root', 93)), 't', 'until it is installed');
ok(logs_in($_), "all is well: $_") for qw(app stranger);
unlink "$data/sslpolicy/crl_copies.pem" or die;
$node->poll_query_until('postgres', q{SELECT (pg_stat_file('sslpolicy/crl_copies.pem', true)).size IS NOT NULL}) or die;
ok(1, 'copies that are gone are made anew');

# 6
$server->set('sslpolicy.crl_missing' => 'accept');
unlink glob "$crl_dir/*";
write_file("$crl_dir/root", crl('root', 100));
is(use_files(crl_dir => $crl_dir), 'ok', 'crl_missing = accept');
ok(logs_in('stranger'), 'lets in whose CA has no CRL');
write_file("$crl_dir/unknown", substr(crl('other', 100, ['stranger']), 0, 150));
like(reload(), qr/unknown/, 'a file that has never been read');
like(refusal('stranger'), qr/revocation/, 'might be its CRL');
ok(logs_in('app'), 'others are not touched');
write_file("$crl_dir/unknown", crl('other', 100, [], delta => 3));
like(reload(), qr/a delta CRL/, 'a CRL that cannot be used');
like(refusal('stranger'), qr/revocation/, 'is about its issuer');
write_file("$crl_dir/unknown", crl('other', 101));
is(reload(), 'ok', 'a good one');
ok(logs_in('stranger'), 'lets in');
ok(logs_in('fresh_app'), 'an intermediate CA that only clients send has no CRL');
write_file("$crl_dir/unknown", crl('fresh', 1, ['fresh_app']));
like(reload(), qr/is not signed by a CA in ssl_ca_file/, 'a CRL of a CA that is not known');
like(refusal('fresh_app'), qr/revocation/, 'is about those whose issuer has its name');
ok(logs_in($_), "and nobody else: $_") for qw(app stranger);
unlink "$crl_dir/unknown" or die;
is(reload(), 'ok', 'without it');
ok(logs_in('fresh_app'), 'they are let in');
$server->set('sslpolicy.crl_missing' => undef);

# 7
$server->set('sslpolicy.enforcement' => 'log', 'sslpolicy.recheck_revoked' => 'log');
$server->label(role => { app => 'sslmode=cert cn=somebody' });
my $session = $server->background(user => 'app', sslmode => 'require', cert => 'app');
my $pid = $session->query_safe('SELECT pg_backend_pid()');
chomp $pid;
is(row('compliant', "sessions WHERE pid = $pid"), 'f', 'a session that does not comply');
my $offset = $server->log_offset;
write_file("$crl_dir/root", crl('root', 102, ['app']));
is(reload(), 'ok', 'and is revoked then');
ok($server->wait_for_log(qr/\(PID $pid\) would be ended: its client certificate, or one that verified it, is revoked/, $offset), 'is spoken of');
$offset = $server->log_offset;
write_file("$crl_dir/root", crl('root', 103, [ 'app', 'app2' ]));
is(reload(), 'ok', 'another CRL');
$server->set('sslpolicy.recheck_revoked' => undef);
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid") or die;
unlike($server->log_since($offset), qr/\(PID $pid\) would be ended/, 'once');
eval { $session->quit };

# 8
$server->label(role => { app => undef });
$server->set('sslpolicy.enforcement' => undef, 'sslpolicy.crl_dir' => undef, 'sslpolicy.crl_file' => undef);
unlink map { "$data/sslpolicy/$_" } qw(crl_issuers.pem crl_copies_issuers.pem);
my $core_path = "$own/core.pem";
write_file($core_path, crl('root', 200), crl('other', 200), crl('inner', 200, ['deep2']));
$server->sql("ALTER SYSTEM SET ssl_crl_file = '$core_path'");
is(reload(), 'ok', 'ssl_crl_file with the CRL of an intermediate CA that only clients send');
ok(logs_in('deep'), 'lets its clients in');
ok(!logs_in('deep2'), 'but the revoked one');
is(row('count(*)', q{lint() WHERE finding ~ 'revokes nothing' OR remedy ~ 'take the CRL out'}), '0', 'lint() does not advise against it');
is(row('severity', q{lint() WHERE code = 'crl_issuer_unknown'}), 'info', 'and says what sslpolicy cannot do');
$session = $server->background(user => 'app', sslmode => 'require', cert => 'deep');
$pid = $session->query_safe('SELECT pg_backend_pid()');
chomp $pid;
is(install(pem('inner') . crl('inner', 201, [ 'deep', 'deep2' ])), 't', 'its CA given along, install_crl renews it');
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), 'a live session ends');
is(row('cause', "ended_sessions WHERE pid = $pid"), 'revoked', 'because it is revoked');
unlike(slurp_file($core_path), qr/BEGIN CERTIFICATE/, 'the file has no certificate, which the server would trust');
is(row('count(*)', q{lint() WHERE code = 'crl_issuer_unknown'}), '0', 'lint() is satisfied');
eval { $session->quit };

done_testing();
