# What standbys have of a node, what they make anew, and whose keys they hold.
#
# 1. pg_basebackup copies sslpolicy.directory with everything in it: the server's
#    private key, a pending key, versions, history, the index of CRLs; and no
#    counters, refusals or recent logins. With the directory elsewhere it copies no key
# 2. the copied index of CRLs is not used where sslpolicy.crl_file is another one
# 3. a node installs a key of its own, and its history goes on from the copied one
# 4. a cascading standby, which streams through TLS under a policy, has the policies
#    of the primary, and ends sessions by them
# 5. promotion while clients log in: no wrong verdict, nobody is sent away; the
#    cascading standby follows
# 6. pg_rewind of the old primary, which has changed policies and installed
#    material after the promotion: the policies of the new primary bind from the
#    first login on; files, keys and settings are those of the new primary, its
#    own counters are gone
#
# What a plain standby has of policies is in t/005_standby.pl and
# t/020_recheck_standby.pl.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use File::Basename qw(basename);
use File::Find ();
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $first = SSLPolicy::Server->new('node_a', init => { allows_streaming => 1 }, conf => <<'CONF');
wal_log_hints = on
wal_keep_size = 256MB
wal_retrieve_retry_interval = 200ms
sslpolicy.recheck_policy = terminate
max_connections = 50
CONF
my $certs = $first->certs;
my $folder = $certs->{dir};
my $own = PostgreSQL::Test::Utils::tempdir('own');
$certs->server("node-$_", issuer => 'root') for qw(a a2 b c);
$certs->client('app', issuer => 'root', subject => '/CN=app');
$certs->client($_, issuer => 'root', subject => '/CN=app', key_name => 'app') for qw(app1 app2);
$certs->client('rep', issuer => 'root', subject => '/CN=rep', key_name => 'app');
write_file("$own/a.crl", make_crl($certs, 'root', 100, revoked => ['app1']));
write_file("$own/b.crl", make_crl($certs, 'root', 50, revoked => ['app2']));
$first->node->append_conf('postgresql.conf', "ssl_ca_file = ''\nsslpolicy.crl_file = '$own/a.crl'");
$first->start;
$first->sql(<<'SQL');
CREATE EXTENSION sslpolicy;
CREATE ROLE rep LOGIN REPLICATION; CREATE ROLE app LOGIN; CREATE ROLE free LOGIN; CREATE ROLE late LOGIN;
SQL
$first->label(role => { rep => 'database=replication sslmode=verify-full; sslmode=reject', app => 'sslmode=verify-full' });

my %plain = (sslmode => 'disable', extra => 'gssencmode=disable');

sub install_server
{
	my ($server, $name) = @_;
	return $server->sql('SELECT installed FROM sslpolicy.install_server_certificate('
		  . join(', ', map { $server->literal(slurp_file("$folder/$name.$_")) } qw(crt key)) . ')');
}

# Whose certificate a server shows.
sub served
{
	my ($server) = @_;
	my $port = $server->node->port;
	my $text = `openssl s_client -starttls postgres -connect 127.0.0.1:$port </dev/null 2>/dev/null | openssl x509 -noout -subject`;
	return $text =~ /CN *= *(\S+)/ ? $1 : $text;
}

# Files of sslpolicy.directory and what they hold.
sub own_files
{
	my ($server) = @_;
	my $dir = $server->node->data_dir . '/sslpolicy';
	return { map { basename($_) => sha256_hex(slurp_file($_)) } glob "$dir/*" };
}

sub verdict
{
	my ($server, %to) = @_;
	my $result = $server->login(%to);
	return 'in' if $result->{ok};
	return $result->{failed} if $result->{failed};
	return $result->{err} =~ /is revoked/ ? 'revoked' : $result->{err};
}

sub crl_in_force
{
	my ($server, $number) = @_;
	return $server->node->poll_query_until('postgres', "SELECT count(*) = 1 FROM sslpolicy.crls WHERE in_force AND crl_number = $number");
}

# The tests' own copy of a backup knows no modes, and a server takes no key that
# others can read.
sub standby_of
{
	my ($upstream, $name) = @_;
	my $standby = $upstream->standby($name);
	chmod 0600, glob $standby->node->data_dir . '/sslpolicy/*';
	return $standby;
}

# Wait until a standby has replayed what the other has written.
sub replayed
{
	my ($from, $standby) = @_;
	my $lsn = $from->sql('SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END');
	$standby->node->poll_query_until('postgres', "SELECT pg_last_wal_replay_lsn() >= '$lsn'") or die "not replayed: $lsn";
	return;
}

sub follow
{
	my ($standby, $upstream) = @_;
	my $conninfo = $upstream->conninfo(user => 'rep', cert => 'rep', db => 'replication') =~ s/'/''/gr;
	$standby->node->append_conf('postgresql.conf', "primary_conninfo = '$conninfo'");
	return;
}

my $ledger = q{SELECT (SELECT count(*) FROM sslpolicy.rejections) || ' ' || (SELECT count(*) FROM sslpolicy.recent_logins WHERE address IS NOT NULL)
	|| ' ' || (SELECT coalesce(sum(allowed + refused), 0) FROM sslpolicy.statistics WHERE role IN ('app', 'free'))};

# 1
is($first->sql('SELECT installed FROM sslpolicy.install_ca(' . $first->literal(slurp_file("$folder/root.crt")) . ')'), 't', 'a CA in the data folder');
is(install_server($first, 'node-a'), 't', 'and a server certificate');
like($first->sql("SELECT sslpolicy.create_server_key('CN=next', '{dns:localhost}')"), qr/CERTIFICATE REQUEST/, 'and a key that waits for its certificate');
crl_in_force($first, 100) or die 'no CRL';
is(verdict($first, cert => 'app1'), 'revoked', 'the CRL of the primary');
is(verdict($first, cert => 'app'), 'in', 'one who complies');
is($first->sql($ledger), '1 1 2', 'the primary has written that down');

my $second = standby_of($first, 'node_b');
my $copied = own_files($second);
is_deeply($copied, own_files($first), 'pg_basebackup copies all files of sslpolicy.directory');
is(join(' ', sort keys %$copied), 'ca.1.pem ca.pem crl.index crl_copies.pem history pending.key server.1.pem server.2.pem server.pem',
	'which are these') or diag(explain($copied));
is($copied->{'server.pem'}, sha256_hex(slurp_file("$folder/node-a.crt") . slurp_file("$folder/node-a.key")), 'the private key of the primary among them')
  or diag(slurp_file($second->node->data_dir . '/sslpolicy/server.pem') =~ s/(KEY-----).*?(-----)/$1 ... $2/sr);
is(sprintf('%o', (stat $first->node->backup_dir . "/node_b/sslpolicy/$_")[2] & 0777), '600', "$_: for the server alone") for qw(server.pem pending.key);
ok(!-e $second->node->data_dir . '/pg_stat/sslpolicy.stat', 'tables of a running server are in no file');

# 2
follow($second, $first);
$second->node->append_conf('postgresql.conf', "sslpolicy.crl_file = '$own/b.crl'");
$second->start;
isnt(verdict($second, cert => 'app2'), 'in', 'the first login of all: the CRL of the standby is not that of the primary');
ok(crl_in_force($second, 50), 'an index of its own is built, although its CRL number is lower');
is(verdict($second, cert => 'app2'), 'revoked', 'by which one is revoked');
is(verdict($second, cert => 'app1'), 'in', 'and the other is not');
is(verdict($first, cert => 'app2'), 'in', 'as on the primary the other way round');
is($second->sql($ledger) =~ /^(\d+)/ ? $1 : '', 1, 'refusals of the primary are not on the standby');
is($second->sql("SELECT count(*) FROM sslpolicy.recent_logins WHERE client_dn = 'CN=app' AND last_login < pg_postmaster_start_time()"), 0, 'nor are its logins');
unlink $second->node->data_dir . '/sslpolicy/crl.index' or die;
$second->sql('SELECT sslpolicy.reload()');
ok(crl_in_force($second, 50) && -e $second->node->data_dir . '/sslpolicy/crl.index', 'an index that is missing is built anew');

# 3
is(served($second), 'node-a', 'the standby serves with the key of the primary');
is(install_server($second, 'node-b'), 't', 'until one of its own is installed');
is(served($second), 'node-b', 'which it serves with');
is(served($first), 'node-a', 'and the primary does not');
is($second->sql(q{SELECT string_agg(kind || ' ' || version || ' ' || action, ', ' ORDER BY at) FROM sslpolicy.material_history}),
	$first->sql(q{SELECT string_agg(kind || ' ' || version || ' ' || action, ', ' ORDER BY at) FROM sslpolicy.material_history})
	  . ', server 3 install_server_certificate', 'its history goes on from that of the primary');

# with the directory elsewhere
{
	my $elsewhere = PostgreSQL::Test::Utils::tempdir('elsewhere');
	my $d = SSLPolicy::Server->new('node_d', init => { allows_streaming => 1 }, conf => "sslpolicy.directory = '$elsewhere'\n");
	$d->start;
	$d->sql('CREATE EXTENSION sslpolicy');
	is($d->sql('SELECT installed FROM sslpolicy.install_server_certificate('
			  . join(', ', map { $d->literal(slurp_file("$d->{certs}{dir}/server.$_")) } qw(crt key)) . ')'), 't', 'sslpolicy.directory elsewhere');
	like(slurp_file("$elsewhere/server.pem"), qr/PRIVATE KEY/, 'has the key');
	$d->node->backup('copy');
	my @with_key;
	File::Find::find(sub { push @with_key, $_ if -f && slurp_file($_) =~ /PRIVATE KEY-----/ }, $d->node->backup_dir . '/copy');
	is_deeply(\@with_key, [], 'and pg_basebackup copies none');
	$d->stop;
}

# 4
my $third = standby_of($second, 'node_c');
follow($third, $second);
$third->start;
$second->node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM sslpolicy.sessions WHERE usename = 'rep' AND client_dn = 'CN=rep' AND compliant AND datname IS NULL})
  or die 'does not stream';
ok(1, 'the cascading standby streams through TLS, with its certificate');
is(served($third), 'node-b', 'it was copied from the standby, key included');
is(verdict($third, %plain), 'sslmode cn', 'a policy of the primary binds on it');
my $session = $third->background(user => 'free', %plain);
$session->query_safe('SELECT 1');
my $upstream = $second->sql('SELECT status FROM pg_stat_wal_receiver');
is($upstream, 'streaming', 'whose upstream is a standby itself');
$first->label(role => { free => 'sslmode=require' });
ok($third->node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM sslpolicy.sessions WHERE usename = 'free'}), 'a policy that is set on the primary ends a session there');
eval { $session->quit };
is(verdict($third, user => 'free', %plain), 'sslmode', 'and keeps it out');
like(($third->node->psql('postgres', q{SELECT sslpolicy.set_policy('free', NULL)}))[2], qr/read-only transaction|during recovery/, 'none can be set there');
$first->sql(q{BEGIN; SECURITY LABEL FOR sslpolicy ON ROLE free IS NULL; ROLLBACK});
$first->label(role => { late => 'sslmode=verify-full' });
replayed($first, $third);
is(verdict($third, user => 'free', %plain), 'sslmode', 'what is rolled back changes nothing there');

# 5
my $kinds = "$own/kinds";
write_file($kinds, map { "$_->[0] " . $second->conninfo(%{ $_->[1] }, extra => 'gssencmode=disable') . "\n" }
	  [ let_in => { user => 'app', cert => 'app' } ], [ let_in => { user => 'free', sslmode => 'require' } ],
	[ policy => { user => 'app', sslmode => 'disable' } ], [ policy => { user => 'app', sslmode => 'require', cert => 'rep' } ],
	[ policy => { user => 'free', sslmode => 'disable' } ], [ revoked => { user => 'app', cert => 'app2' } ]);
my $logins = 800;
my ($out, $wrong) = ('', '');
my $count = q{SELECT coalesce(sum(allowed + refused), 0) FROM sslpolicy.statistics WHERE role IN ('app', 'free')};
$second->sql('SELECT sslpolicy.reset_statistics()');
my $storm = IPC::Run::start([ "$ENV{FAULTS_BIN}/storm", $logins, 8, 1, $kinds ], '<', \undef, '>', \$out, '2>', \$wrong);
$second->node->poll_query_until('postgres', "SELECT ($count) >= 100") or die;
# from the first one on it is another primary
$second->sql('SELECT pg_promote()');
my $at_promotion = $second->sql($count);
cmp_ok($at_promotion, '<', $logins - 100, "promotion while clients log in ($at_promotion of $logins were through)");
$second->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE late IS 'sslmode=reject'});
cmp_ok($second->sql($count), '<', $logins, 'and a policy is set while they do');
$storm->finish;
is(substr($wrong, 0, 3000), '', 'no wrong verdict, and nobody was sent away');
my @counts = $out =~ /logins (\d+)/g;
is($second->sql($count), $logins, 'all were counted');
is(scalar @counts, 6, 'all kinds of them');
replayed($second, $third);
is(verdict($third, user => 'late', cert => 'app'), 'sslmode', 'the cascading standby follows the new primary');
is($third->sql('SELECT received_tli FROM pg_stat_wal_receiver'), 2, 'to its timeline');

# 6
# the old primary has not noticed
$first->sql('CREATE ROLE ghost LOGIN');
$first->label(role => { app => 'sslmode=disable', free => undef, late => undef, ghost => 'sslmode=reject' });
is(verdict($first, %plain), 'in', 'the old primary goes another way');
is(install_server($first, 'node-a2'), 't', 'installs something');
is(verdict($first, user => 'ghost', %plain), 'sslmode', 'and refuses somebody');
$second->label(role => { app => 'sslmode=verify-full min_protocol=TLSv1.3' });
$second->sql('CHECKPOINT');
$first->stop;
my $stat = $first->node->data_dir . '/pg_stat/sslpolicy.stat';
ok(-e $stat, 'it keeps its tables over the shutdown');
my ($in, $err) = ('', '');
ok(IPC::Run::run([ 'pg_rewind', '--no-sync', '--target-pgdata', $first->node->data_dir, '--source-server', $second->node->connstr('postgres') ],
		'<', \$in, '>', \$out, '2>', \$err), 'pg_rewind') or diag($err);
is_deeply(own_files($first), own_files($second), 'pg_rewind makes sslpolicy.directory that of the new primary');
ok(!-e $stat, 'and removes the tables that were kept');
like(slurp_file($first->node->data_dir . '/postgresql.conf'), qr/\Q$own\E\/b\.crl/, 'settings are those of the new primary');
$first->node->append_conf('postgresql.conf', 'port = ' . $first->node->port . "\nsslpolicy.crl_file = '$own/a.crl'");
follow($first, $second);
$first->node->set_standby_mode;
$first->start;
is(verdict($first, user => 'ghost', %plain) =~ /role "ghost" does not exist/ ? 1 : 0, 1, 'the first login: what the old primary did is gone');
is(verdict($first, %plain), 'sslmode min_protocol cn', 'the policy of the new primary binds');
is(verdict($first, cert => 'app', extra => 'ssl_max_protocol_version=TLSv1.2'), 'min_protocol', 'as it was set last');
is(verdict($first, user => 'free', %plain), 'sslmode', 'one that the old primary has removed');
is(verdict($first, user => 'late', cert => 'app'), 'sslmode', 'one that was set after the promotion');
isnt(verdict($first, cert => 'app1'), 'in', 'the copied index of CRLs is not used for another CRL');
ok(crl_in_force($first, 100), 'but built anew');
is(verdict($first, cert => 'app1'), 'revoked', 'by the CRL of this node');
is(verdict($first, cert => 'app2'), 'in', 'and by no other');
is($first->sql(q{SELECT count(*) FROM sslpolicy.rejections WHERE at < pg_postmaster_start_time()}), 0, 'refusals of before are forgotten');
is(served($first), 'node-b', 'it serves with the key of the new primary');
is(install_server($first, 'node-a'), 't', 'until its own is installed again');
is(served($first), 'node-a', 'which it serves with');
is(served($second), 'node-b', 'and the new primary does not');
$second->label(role => { free => 'sslmode=reject' });
replayed($second, $first);
is(verdict($first, user => 'free', sslmode => 'require'), 'sslmode', 'policies of the new primary come through WAL');
is($first->sql('SELECT * FROM sslpolicy.policies ORDER BY 1, 2, 3'), $second->sql('SELECT * FROM sslpolicy.policies ORDER BY 1, 2, 3'), 'and are all the same');

unlike(join('', map { slurp_file($_->node->logfile) } $first, $second, $third), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$_->stop for $third, $first, $second;
done_testing();
