# Memory does not grow: of the worker from pass to pass, and of a session from
# call to call, not even where calls fail.
#
# Once everything has been done some times, PostgreSQL's memory contexts must stay
# as they are, and so must what OpenSSL gets from malloc(), which only the size of
# the process shows.
#
#	MEMORY_ROUNDS=2    so many rounds (default 40)
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $rounds = $ENV{MEMORY_ROUNDS} // 40;

# What may come on top in all rounds, in bytes.  A certificate lost in each round
# is more.
my $CONTEXTS = 4096;
my $PROCESS = 256 * 1024;

my $server = SSLPolicy::Server->new('memory', conf => "sslpolicy.recheck_policy = terminate\n");
my $node = $server->node;
my $certs = $server->certs;
$certs->client($_, issuer => 'root', subject => '/CN=app') for qw(app revoked);
my $crl_path = PostgreSQL::Test::Utils::tempdir() . '/crl.pem';
$node->append_conf('postgresql.conf', "sslpolicy.crl_file = '$crl_path'");
my @crls = map { make_crl($certs, 'root', $_ + 1, revoked => ['revoked'], fill => 50) } 0 .. 2 * $rounds + 1;
write_file($crl_path, $crls[0]);
$server->start;
$server->sql('CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE grp; GRANT grp TO app');
my @sessions = map { $server->background(cert => 'app') } 1 .. 3;

# In bytes: what is in use in memory contexts, and the anonymous memory of the
# process.
sub memory
{
	my ($pid) = @_;
	my $offset = $server->log_offset;
	$server->sql("SELECT pg_log_backend_memory_contexts($pid)");
	my $log = $server->wait_for_log(qr/\[$pid\].*Grand total:/, $offset);
	my ($used) = $log =~ /\[$pid\].*Grand total: .*; (\d+) used/;
	my ($process) = slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m;
	return ($used, $process * 1024);
}

# Do the same rounds again, and compare: do(from, to).
sub stays
{
	my ($what, $pid, $do) = @_;
	$do->(1, $rounds);
	my ($contexts, $process) = memory($pid);
	$do->($rounds + 1, 2 * $rounds);
	my ($contexts_after, $process_after) = memory($pid);
	note(sprintf '%s: contexts %d, then %+d; process %d, then %+d bytes', $what, $contexts,
		$contexts_after - $contexts, $process, $process_after - $process);
	cmp_ok($contexts_after - $contexts, '<=', $CONTEXTS, "$what: memory contexts");
	# that of valgrind tells nothing
	cmp_ok($process_after - $process, '<=', $PROCESS, "$what: memory of the process") unless $ENV{UNDER_VALGRIND};
	return;
}

# The worker: labels and memberships, settings, TLS files, CRLs; of sessions that
# comply.
my $worker = $server->sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'sslpolicy'});
stays('worker', $worker, sub {
	my ($from, $to) = @_;
	for my $round ($from .. $to)
	{
		my @modes = $round % 2 ? qw(require verify-ca) : qw(verify-ca require);
		# every fifth is not taken
		write_file($crl_path, $round % 5 ? $crls[$round] : "nothing of a CRL\n");
		$server->sql(qq{SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=$modes[0]';
			SECURITY LABEL FOR sslpolicy ON ROLE grp IS 'sslmode=$modes[1]';
			SELECT sslpolicy.reload()});
	}
});
write_file($crl_path, $crls[-2]);
is($server->sql('SELECT count(*) FROM sslpolicy.sessions s JOIN pg_stat_activity a USING (pid) WHERE a.usename = $$app$$'), scalar @sessions, 'all sessions comply');
is($server->sql('SELECT pid FROM pg_stat_activity WHERE backend_type = $$sslpolicy$$'), $worker, 'the worker is the same');
ok(!$server->login(cert => 'revoked')->{ok}, 'and it has read the CRLs');
eval { $_->quit } for @sessions;

# The postmaster, which reads the CAs of each load, and has to forget those of the one before.
my $cas = $certs->bundle('many.crt', 'root', map { $certs->ca("ca$_", subject => "/CN=CA $_", key_name => 'root'); "ca$_" } 1 .. 80);
$server->set(ssl_ca_file => $cas);
my $postmaster = slurp_file($node->data_dir . '/postmaster.pid') =~ s/\n.*//sr;
sub postmaster_memory { return 1024 * (slurp_file("/proc/$postmaster/status") =~ /^RssAnon:\s+(\d+) kB/m)[0] }
sub loads
{
	for (1 .. $rounds)
	{
		my $before = $server->sql('SELECT max(generation) FROM sslpolicy.material_status');
		$server->sql('SELECT pg_reload_conf()');
		$node->poll_query_until('postgres', "SELECT max(generation) > $before FROM sslpolicy.material_status") or die 'not loaded';
	}
	return postmaster_memory();
}
my $first = loads();
my $growth = loads() - $first;
note("postmaster: $first, then $growth bytes more");
cmp_ok($growth, '<=', $PROCESS, 'postmaster: its memory from load to load') unless $ENV{UNDER_VALGRIND};
ok($server->login(cert => 'app')->{ok}, 'and it lets in by the CAs that it has loaded last');

# A session that asks; an error is caught, so that it can go on.
my $session = $node->background_psql('postgres');
my $pid = $session->query('SELECT pg_backend_pid()');
chomp $pid;
my %pem = map { $_ => $server->literal(slurp_file($certs->get($_)->{chain})) } qw(app revoked);
my $half = $server->literal(substr slurp_file($certs->get('app')->{chain}), 0, 300);
my %calls = (
	'explain()' => [ "sslpolicy.explain('app', 'postgres', '127.0.0.1', certificate => $pem{app})", '00000' ],
	'explain() of a broken certificate' => [ "sslpolicy.explain('app', certificate => $half)", '22023' ],
	'verify_certificate()' => [ "sslpolicy.verify_certificate($pem{revoked})", '00000' ],
	'verify_certificate() of nothing' => [ "sslpolicy.verify_certificate('nothing')", '22023' ],
	'check_policy()' => [ q{sslpolicy.check_policy('address=10.0.0.0/8 san=uri:/^spiffe://bank/%u$; sslmode=verify-full')}, '00000' ],
	'check_policy() of an error' => [ q{sslpolicy.check_policy('sslmode=perfer')}, '22023' ],
	'certificates and crls' => [ 'sslpolicy.certificates, sslpolicy.crls', '00000' ],
	'lint()' => [ 'sslpolicy.lint()', '00000' ],
	'install_ca() of nothing, dry run' => [ q{sslpolicy.install_ca('nothing', dry_run => true)}, '22023' ],
	'client_settings()' => [ q{sslpolicy.client_settings('app')}, '00000' ],
	'client_bundle()' => [ q{sslpolicy.client_bundle('app')}, '00000' ]);
for my $name (sort keys %calls)
{
	my ($sql, $state) = @{ $calls{$name} };
	stays($name, $pid, sub {
		my ($from, $to) = @_;
		$session->query_safe("DO \$do\$ DECLARE state text; BEGIN FOR i IN $from..$to LOOP
			BEGIN
				state := '00000'; PERFORM * FROM $sql;
			EXCEPTION WHEN OTHERS THEN
				state := SQLSTATE;
			END;
			IF state <> '$state' THEN RAISE 'SQLSTATE %', state; END IF; END LOOP; END \$do\$");
	});
}
# not allowed in a transaction
my $install = 'SELECT count(*) FROM sslpolicy.install_crl(' . $server->literal($crls[-1]) . ', dry_run => true)';
stays('install_crl(), dry run', $pid, sub { $session->query_safe($install) for $_[0] .. $_[1] });
$session->quit;
$server->stop;
done_testing();
