# A CA is its key and its name as RFC 5280 (section 7.1) compares names, however its
# certificates and its CRLs spell the one and encode the other.
#
# 1. what it revokes is revoked under each spelling, with crl_missing = accept as well;
#    what is another name is another CA
# 2. its CRL may have any spelling, from crl_file, crl_dir and install_crl(), where the
#    newest takes the place of the one before; revoked(), lint, ssl_crl_file
# 3. live sessions under all spellings end, and install_crl() names them before
# 4. a root that is spelled anew goes on to verify its sessions
# 5. an index that was made by another notion of a CA is never read, nor is a file of
#    recent logins
use strict;
use warnings;
use File::Copy qw(copy);
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('spellings', conf => "sslpolicy.crl_missing = accept\n");
my ($certs, $node) = ($server->certs, $server->node);
my $dir = $certs->{dir};
my $own = PostgreSQL::Test::Utils::tempdir();

# an RDN of two attributes, and a letter that is not ASCII
my $ltd = "Caf\x{e9} Ltd";
my @ops = (CN => 'Sub CA', OU => 'Ops');
my %same = (
	'case' => [ [ O => "CAF\x{e9} LTD" ], [ CN => 'sub ca', OU => 'oPS' ] ],
	'spaces' => [ [ O => "  Caf\x{e9}   Ltd" ], [ CN => "Sub\t CA", OU => 'Ops ' ] ],
	'printable' => [ [ O => $ltd ], [ CN => { printable => 'Sub CA' }, OU => { printable => 'Ops' } ] ],
	'ia5' => [ [ O => $ltd ], [ CN => { ia5 => 'Sub CA' }, OU => 'Ops' ] ],
	't61' => [ [ O => { t61 => "Caf\xe9 Ltd" } ], [@ops] ],
	'bmp' => [ [ O => { bmp => $ltd } ], [ CN => { bmp => 'SUB CA' }, OU => 'Ops' ] ],
	'universal' => [ [ O => { universal => $ltd } ], [@ops] ],
	'order' => [ [ O => $ltd ], [ OU => 'Ops', CN => 'Sub CA' ] ]);
my %other = (
	'accent' => [ [ O => "Caf\x{c9} Ltd" ], [@ops] ],
	'nospace' => [ [ O => $ltd ], [ CN => 'SubCA', OU => 'Ops' ] ],
	'split' => [ [ O => $ltd ], [ CN => 'Sub CA' ], [ OU => 'Ops' ] ],
	'numeric' => [ [ O => $ltd ], [ CN => { numeric => 'Sub CA' }, OU => 'Ops' ] ]);

$certs->intermediate('sub', issuer => 'root', subject => [ [ O => $ltd ], [@ops] ]);
for my $name (sort keys %same, keys %other)
{
	$certs->intermediate($name, issuer => 'root', key_name => 'sub', subject => $same{$name} // $other{$name});
	copy("$dir/sub.key", "$dir/$name.key") or die;
}
# the same key, its point compressed; who has no key identifier of the issuer fits both
system('openssl', 'ec', '-in', "$dir/sub.key", '-conv_form', 'compressed', '-out', "$dir/compressed.key") == 0 or die;
$certs->intermediate('compressed', issuer => 'root', key_name => 'compressed', subject => $same{case});
my @spellings = ('sub', sort(keys %same), 'compressed');
$certs->client($_, issuer => 'sub', subject => "/CN=$_", version => 1) for qw(alice bob carol);
my $serial = Math::BigInt->new($certs->get('bob')->{serial})->bstr;
$certs->client("bob_$_", issuer => $_, subject => '/CN=bob', serial => $certs->get('bob')->{serial}) for keys %other;

sub pems { return join '', map { slurp_file("$dir/$_.crt") } @_ }
sub crl { my ($ca, $number, @revoked) = @_; return make_crl($certs, $ca, $number, revoked => \@revoked) }

# a client that sends this certificate of its CA
sub via
{
	my ($who, $ca) = @_;
	write_file("$dir/$who-$ca.pem", pems($who, $ca));
	return { chain => "$dir/$who-$ca.pem", key => $certs->get($who)->{key} };
}
sub refusal { my ($who, $ca) = @_; return $server->login(cert => via($who, $ca), user => $who, sslmode => 'require')->{err} }
sub row { return $server->sql("SELECT $_[0] FROM sslpolicy.$_[1]") }
sub reload { return row(q{coalesce(error, 'ok')}, 'reload()') }
sub install { my ($crl, %opt) = @_; return 'install_crl($$' . $crl . '$$' . ($opt{dry_run} ? ', dry_run => true' : '') . ')' }

my $cas = "$own/cas.crt";
my $crl_path = "$own/crl.pem";
sub cas_are { write_file($cas, pems(@_)); return }
# A CA in the file would stand in the chain in place of the one that a client sends.  So
# it is there while CRLs are read, which it has signed, and not when clients come.
sub with_sub { cas_are('root', 'sub'); is(reload(), 'ok', 'the CA is in ssl_ca_file'); return }
sub only_root { cas_are('root'); is(reload(), 'ok', 'it is not, and sslpolicy knows it still'); return }
cas_are('root', 'sub');
my $root_crl = crl('root', 1);
write_file($crl_path, $root_crl, crl('sub', 1, 'bob'));
$node->append_conf('postgresql.conf', "ssl_ca_file = '$cas'\nsslpolicy.crl_file = '$crl_path'\n");
$server->start;
$server->sql('CREATE EXTENSION sslpolicy; CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE carol LOGIN');

# 1
is(reload(), 'ok', 'a CRL of the CA');
only_root();
like(refusal('bob', $_), qr/is revoked/, "revoked, with the CA as $_") for @spellings;
is(refusal('alice', $_), '', "not revoked, with the CA as $_") for @spellings;
for my $name (sort keys %other)
{
	is($server->login(cert => "bob_$name", user => 'bob', sslmode => 'require')->{err}, '', "$name is another CA, of which there is no CRL");
}
$server->set('sslpolicy.crl_missing' => 'reject');
is(refusal('alice', $_), '', "there is a CRL of the CA as $_") for @spellings;
like(refusal('bob', 'case'), qr/is revoked/, 'and the revoked one stays so');
for my $name (sort keys %other)
{
	like($server->login(cert => "bob_$name", user => 'bob', sslmode => 'require')->{err}, qr/cannot be checked for revocation: a certificate revocation list is missing/, "and none of $name");
}

# 2
my $number = 1;
for my $name ('case', 't61', 'order', 'spaces')
{
	$number++;
	with_sub();
	is(row('installed', install(crl($name, $number, $number % 2 ? 'bob' : qw(bob carol)))), 't', "install_crl() of a CRL of $name");
	is(row('count(*), bool_and(in_force)', 'crls'), '2|t', 'in the place of the one before');
	only_root();
	like(refusal('bob', $_), qr/is revoked/, "it revokes for $_") for qw(sub bmp);
	my $carol = refusal('carol', 'printable');
	ok($number % 2 ? $carol eq '' : $carol =~ /is revoked/, 'and it alone counts');
}
with_sub();
like(($node->psql('postgres', 'SELECT sslpolicy.' . install(crl('bmp', $number - 1))))[2], qr/older than the one in place/, 'an older one is refused, whatever its spelling');
write_file($crl_path, $root_crl, crl('printable', $number - 1));
like(reload(), qr/is older than the one in force/, 'also from the file');
write_file($crl_path, $root_crl, crl('universal', $number + 1, 'bob'), crl('case', $number));
is(reload(), 'ok', 'two in one file');
is(row('count(*)', 'crls WHERE in_force'), '2', 'are of one CA');
only_root();
like(refusal('bob', 't61'), qr/is revoked/, 'and the newer one counts');

my @asked = ("CN=Sub CA+OU=Ops,O=Caf\\C3\\A9 Ltd", "OU=OPS + CN=sub  ca, O=CAF\\c3\\a9 ltd");
is(row('revoked, reason', "revoked($serial, '$_')"), 't|keyCompromise', "revoked(): $_") for @asked;
is(row('revoked', "revoked(12345, '$asked[1]')"), 'f', 'revoked() of another serial');
is(row('revoked', "revoked($serial, '$_')"), '', "revoked(): $_ is not known") for "CN=Sub CA+OU=Ops,O=Caf\\C3\\89 Ltd", 'CN=Sub CA,OU=Ops,O=Caf\\C3\\A9 Ltd', 'CN=SubCA', 'no name';
cas_are('root', 'sub', 'case', 'compressed');
is(reload(), 'ok', 'the CA three times in the file');
is(row('count(*)', "lint() WHERE code = 'ca_without_crl'"), '0', 'none is without a CRL');
is(row('count(*)', 'crls WHERE in_force'), '2', 'and it is still one');
like(refusal('bob', $_), qr/is revoked/, "revoked as before: $_") for qw(sub case t61 compressed);
cas_are('root', 'case');
is(reload(), 'ok', 'only the other spelling in ssl_ca_file');
like(refusal('bob', $_), qr/is revoked/, "revoked all the same: $_") for qw(sub case t61);
with_sub();

my $crl_dir = "$own/crls";
mkdir $crl_dir or die;
write_file("$crl_dir/a.crl", $root_crl);
write_file("$crl_dir/b.crl", crl('t61', 30, 'bob'));
write_file("$crl_dir/c.crl", crl('sub', 29));
$server->set('sslpolicy.crl_file' => '', 'sslpolicy.crl_dir' => $crl_dir);
is(reload(), 'ok', 'a directory');
is(row('count(*)', 'crls WHERE in_force'), '2', 'with two CRLs of one CA');
only_root();
like(refusal('bob', $_), qr/is revoked/, "of which the newer revokes: $_") for qw(sub case bmp);
$server->set('sslpolicy.crl_file' => $crl_path, 'sslpolicy.crl_dir' => undef);

# 3
my %live;
sub session
{
	my ($who, $ca) = @_;
	my $session = $server->background(cert => via($who, $ca), user => $who, sslmode => 'require');
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	chomp $pid;
	$live{$ca} = [ $session, $pid ];
	return;
}
sub all_end
{
	my ($what) = @_;
	for my $ca (sort keys %live)
	{
		my ($session, $pid) = @{ delete $live{$ca} };
		ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), "$what: $ca");
		is($server->sql("SELECT cause FROM sslpolicy.ended_sessions WHERE pid = $pid"), 'revoked', 'as revoked');
		eval { $session->quit };
	}
	return;
}
write_file($crl_path, $root_crl, crl('sub', 40, 'bob'));
with_sub();
only_root();
session('alice', $_) for @spellings;
with_sub();
my $next = crl('bmp', 41, qw(bob alice));
my $affected = row('affected', install($next, dry_run => 1));
like($affected, qr/"pid": $live{$_}[1]\b/, "install_crl() says that it hits the session by $_") for @spellings;
is(row('installed', install($next)), 't', 'a CRL in another spelling');
all_end('the session is ended');

# the server's own CRLs: what a handshake refuses ends sessions as well
only_root();
session('carol', $_) for qw(case compressed);
with_sub();
$server->set('sslpolicy.crl_missing' => 'reject', 'sslpolicy.crl_file' => '');
write_file("$own/core.pem", $root_crl, crl('spaces', 42, qw(bob carol)));
$server->set('ssl_crl_file' => "$own/core.pem");
all_end('ssl_crl_file: the session is ended');
is(row('revoked', "revoked($serial, '$asked[1]')"), 't', 'and revoked() knows it');
$server->set('sslpolicy.crl_file' => $crl_path, 'sslpolicy.crl_missing' => 'accept', 'ssl_crl_file' => '');

# 4
$certs->ca('ROOT', subject => '/CN=test root/O=ACME', key_name => 'root');
$server->label(role => { carol => 'sslmode=verify-ca' });
is(reload(), 'ok', 'before the root is spelled anew');
session('carol', 'case');
$server->set('sslpolicy.recheck_policy' => 'terminate');
cas_are('ROOT', 'sub');
is(reload(), 'ok', 'the root in another spelling');
is(row('ok', "recheck() WHERE pid = $live{case}[1]"), 't', 'its session stays');
is(row('compliant', "sessions WHERE pid = $live{case}[1]"), 't', 'and meets its policy');
(delete $live{case})->[0]->quit;
like(refusal('bob', 'sub'), qr/is revoked/, 'and what was revoked stays so');
cas_are('root', 'sub');

# 5
my $index = $node->data_dir . '/sslpolicy/crl.index';
sub crc32c
{
	my ($crc) = (0xFFFFFFFF);
	for my $byte (unpack 'C*', $_[0])
	{
		$crc ^= $byte;
		$crc = $crc & 1 ? $crc >> 1 ^ 0x82F63B78 : $crc >> 1 for 1 .. 8;
	}
	return $crc ^ 0xFFFFFFFF;
}
sub index_of_version
{
	my ($bytes, $version) = @_;
	substr($bytes, 8, 8) = pack 'LL', 0, $version;
	substr($bytes, 8, 4) = pack 'L', crc32c(substr $bytes, 0, 4096);
	return $bytes;
}
is(reload(), 'ok', 'the index is in place');
my $whole = slurp_file($index);
my $version = unpack 'L', substr $whole, 12, 4;
is(index_of_version($whole, $version), $whole, 'the test knows its checksum');
is($server->sql('SELECT count(*) > 0 FROM sslpolicy.recent_logins'), 't', 'there are recent logins');
$server->stop;
# a folder in place of the file of CRLs: nothing can be built anew
rename $crl_path, "$crl_path.away" or die;
mkdir $crl_path or die;
write_file($index, index_of_version($whole, 1));
my $stat = $node->data_dir . '/pg_stat/sslpolicy.stat';
my $kept = slurp_file($stat);
ok($kept =~ s/(sslpolicy \S+) \d+\0/$1 3\0/, 'the format of the file');
substr($kept, -4) = pack 'L', crc32c(substr $kept, 0, -4);
write_file($stat, $kept);
my $offset = $server->log_offset;
$server->start;
like($server->wait_for_log(qr/CRLs of sslpolicy\.crl_file and crl_dir are not in force/, $offset), qr/is not usable, and is built anew: .*it is of format 1, not $version/, 'an old index is not used');
like(refusal($_, 'sub'), qr/cannot be checked for revocation/, "nor read, even with crl_missing = accept: $_") for qw(bob carol);
like($server->log_since($offset), qr/ignoring file "pg_stat\/sslpolicy\.stat": another version has written it/, 'nor is the old file of recent logins');
rmdir $crl_path or die;
rename "$crl_path.away", $crl_path or die;
is(reload(), 'ok', 'the file is back');
is(unpack('L', substr slurp_file($index), 12, 4), $version, 'and the index is built anew');
like(refusal('bob', 'case'), qr/is revoked/, 'with which all is as before');
is(refusal('carol', 'case'), '', 'for everybody');

done_testing();
