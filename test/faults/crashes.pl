# kill -9 of random processes of the server, while clients log in, policies
# change and TLS material is installed.
#
# 1. each login meets what was acknowledged before it began, or what was being
#    changed while it lasted, and never anything else: a transaction that changes
#    three policies binds as a whole (chaos.c)
# 2. after each recovery every policy that was acknowledged is stored, none that
#    was rolled back or never committed is, and one whose acknowledgement was lost
#    is stored as a whole or not at all (actors.c)
# 3. with the postmaster gone, files of TLS material are the old or the new ones,
#    to the byte, and the server starts from them, each time
# 4. in the end the catalog says what the ledger says; files, inventory and
#    history agree; nothing is left over; nothing crashed that was not killed
#
# DURATION seconds (600).  SEED makes the same decisions again; when exactly the
# kills hit is up to the machine.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $duration = $ENV{DURATION} // 600;
my $seed = $ENV{SEED} // int(rand(1_000_000));
my ($cells, $clients) = (6, 16);
srand($seed);
note("SEED=$seed DURATION=$duration");

my $server = SSLPolicy::Server->new('crashes', conf => <<'CONF');
restart_after_crash = on
max_prepared_transactions = 20
checkpoint_timeout = 30s
sslpolicy.recheck_policy = terminate
sslpolicy.terminate_grace = 1
# certificates of the CA that comes and goes have no list
sslpolicy.crl_missing = accept
CONF
my $node = $server->node;
my $certs = $server->certs;
my $folder = $certs->{dir};
my $own = PostgreSQL::Test::Utils::tempdir('material');
my ($ca_path, $crl_path) = ("$own/ca.pem", "$own/own.crl");

$certs->ca('second', subject => '/CN=second');
$certs->server("server$_", issuer => 'root') for 0, 1;
for my $n (0 .. $cells - 1)
{
	$certs->client("app$n", issuer => 'root', subject => "/CN=app$n");
	$certs->client("rev$n", issuer => 'root', subject => "/CN=app$n", key_name => "app$n");
	$certs->client("sec$n", issuer => 'second', subject => "/CN=app$n", key_name => "app$n");
	# libpq wants a file of its own beside each certificate
	write_file("$folder/$_$n.key", slurp_file("$folder/app$n.key")) for qw(rev sec);
	chmod 0600, "$folder/$_$n.key" for qw(rev sec);
}
$certs->bundle('both.crt', 'root', 'second');
write_file("$folder/second.fingerprint", $certs->get('second')->{fingerprint});
# odd ones revoke
for my $n (1 .. $duration + 60)
{
	write_file("$folder/crl.$n.pem",
		make_crl($certs, 'root', $n, revoked => $n % 2 ? [ map { "rev$_" } 0 .. $cells - 1 ] : []));
}
write_file($ca_path, slurp_file("$folder/root.crt"));
write_file($crl_path, slurp_file("$folder/crl.1.pem"));
$node->append_conf('postgresql.conf', "ssl_ca_file = '$ca_path'\nsslpolicy.crl_file = '$crl_path'");
$server->start;
$server->sql('CREATE EXTENSION sslpolicy');
for my $n (0 .. $cells - 1)
{
	$server->sql("CREATE ROLE app$n LOGIN; CREATE ROLE grp$n; GRANT grp$n TO app$n");
	$server->sql("CREATE DATABASE db$n");
}
is($server->sql("SELECT installed FROM sslpolicy.install_server_certificate("
	  . $server->literal(slurp_file("$folder/server0.crt")) . ', '
	  . $server->literal(slurp_file("$folder/server0.key")) . ')'), 't', 'a server certificate is installed');
is($server->sql('SELECT installed FROM sslpolicy.install_crl(pem => ' . $server->literal(slurp_file("$folder/crl.1.pem")) . '::text)'),
	't', 'and a CRL');

# White space is no difference.
sub squeezed { return join '', map { s/\s+//gr } @_ }
my %ca_content = map { squeezed(slurp_file("$folder/$_.crt")) => $_ } qw(root both);
my $server_path = $node->data_dir . '/sslpolicy/server.pem';
my %server_content = map { squeezed(map { slurp_file($_) } "$folder/server$_.crt", "$folder/server$_.key") => "server$_" } 0, 1;

# Processes of the server: pid and title of each child of the postmaster.
sub children
{
	my ($postmaster) = @_;
	my %found;
	for my $stat (glob '/proc/[0-9]*/stat')
	{
		open my $fh, '<', $stat or next;
		my $line = <$fh> // next;
		my ($pid, $parent) = $line =~ /^(\d+) \(.*\) \S (\d+)/ or next;
		next unless $parent == $postmaster;
		open my $cmdline, '<', "/proc/$pid/cmdline" or next;
		$found{$pid} = (<$cmdline> // '') =~ s/\0.*//sr;
	}
	return \%found;
}

# Anything that still has the data folder as its own.
sub remains
{
	my $data = $node->data_dir;
	return grep { (readlink("$_/cwd") // '') eq $data } glob '/proc/[0-9]*';
}

sub wait_until
{
	my ($what, $seconds, $test) = @_;
	my $end = time + $seconds;
	while (time < $end)
	{
		return 1 if $test->();
		sleep 0.02;
	}
	return 0;
}

sub answers
{
	my ($in, $out, $err) = ('', '', '');
	IPC::Run::run([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-c',
			q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sslpolicy'} ],
		'<', \$in, '>', \$out, '2>', \$err);
	return $out eq "1\n";
}

my $postmaster = slurp_file($node->data_dir . '/postmaster.pid') =~ s/\n.*//sr;
my @victims = (
	[ 30, 'login', qr/^postgres: .*(?:127\.0\.0\.1|authentication)/ ],
	[ 15, 'change', qr/^postgres: .*\[local\]/ ],
	[ 15, 'sslpolicy', qr/^postgres: .*\bsslpolicy\b/ ],
	[ 8, 'checkpointer', qr/^postgres: .*checkpointer/ ],
	[ 8, 'walwriter', qr/^postgres: .*walwriter/ ],
	[ 4, 'background writer', qr/^postgres: .*background writer/ ],
	[ 2, 'startup', qr/^postgres: .*startup/ ],
	[ 18, 'postmaster' ]);
my (%killed, %trouble, $longest);
my $starts = 0;

sub choose
{
	my $n = rand(100);
	for my $victim (@victims)
	{
		return @$victim[ 1, 2 ] if ($n -= $victim->[0]) < 0;
	}
	return 'postmaster';
}

# The server is dead, and nobody else writes into these files.
sub check_files
{
	wait_until('the end of all processes', 60, sub { !remains() })
	  or $trouble{'processes outlive the postmaster by a minute'}++;
	$trouble{"half a CA file"}++ unless $ca_content{ squeezed(slurp_file($ca_path)) };
	$trouble{"half a server certificate"}++ unless $server_content{ squeezed(slurp_file($server_path)) };
	my $crl = squeezed(slurp_file($crl_path));
	my ($number) = `openssl crl -in $crl_path -noout -crlnumber` =~ /0x([0-9A-F]+)/i;
	$trouble{"half a CRL"}++
	  unless defined $number && $crl eq squeezed(slurp_file("$folder/crl." . hex($number) . '.pem'));
	return;
}

sub start_again
{
	check_files();
	my $ok = wait_until('the start', 120, sub {
		system('pg_ctl', '-s', '-w', '-t', '60', '-D', $node->data_dir, '-l', $node->logfile, 'start') == 0;
	});
	$starts++;
	$trouble{'the server does not start'}++ unless $ok;
	$postmaster = slurp_file($node->data_dir . '/postmaster.pid') =~ s/\n.*//sr if $ok;
	return $ok;
}

# Kill somebody; false if the server could not be brought back.
sub one_kill
{
	my ($what, $title) = choose();
	my $pid = $postmaster;
	if ($title)
	{
		my $children = children($postmaster);
		my @found = sort { $a <=> $b } grep { $children->{$_} =~ $title } keys %$children;
		return 1 unless @found;
		$pid = $found[ rand @found ];
	}
	kill 'KILL', $pid or return 1;
	$killed{$what}++;
	# now and then another one, while it recovers; without a postmaster nothing does
	return 1 if rand(10) < 1 && $pid != $postmaster;
	my $began = time;
	if ($pid == $postmaster || !wait_until('the end of the process', 30, sub { !-e "/proc/$pid" }))
	{
		wait_until('the end of the postmaster', 30, sub { !kill 0, $postmaster });
	}
	my $ok = wait_until('recovery', 180, sub {
		return answers() if kill 0, $postmaster;
		start_again() or die 'the server does not start';
		return answers();
	});
	$trouble{'no recovery within three minutes'}++ unless $ok;
	$longest = time - $began if !defined $longest || time - $began > $longest;
	return $ok;
}

my ($report, $complaints) = map { PostgreSQL::Test::Utils::tempdir('chaos') . "/$_" } qw(report complaints);
my $chaos = IPC::Run::start(
	[ "$ENV{FAULTS_BIN}/chaos", $seed, $clients, $cells, $folder,
		$node->connstr('postgres') . ' application_name=chaos', 'host=127.0.0.1 connect_timeout=60 port=' . $node->port ],
	'<', \undef, '>', $report, '2>', $complaints);
my $end = time + $duration;
while (time < $end)
{
	sleep 0.2 + rand(3);
	last unless eval { one_kill() };
}
# where the last one was killed during a recovery
my $alive = wait_until('the server', 180, sub { return 1 if answers(); start_again() unless kill 0, $postmaster; return 0 });
ok($alive, 'the server runs in the end');
$node->_update_pid(1);
$chaos->signal('TERM');
my $finished = eval { $chaos->finish; 1 };
ok($finished, 'all changes come to their end') or diag($@);

my $text = slurp_file($report);
my $said = slurp_file($complaints);
diag(substr $said, 0, 10000) if $said;
my %n = split /[ \n]+/, $text =~ s/\n.*//sr;
my $killed = join ', ', map { "$_ $killed{$_}" } sort keys %killed;
my $recoveries = () = slurp_file($node->logfile) =~ /automatic recovery in progress/g;
my $summary = "killed: $killed; starts $starts, recoveries $recoveries, longest " . sprintf('%.1f', $longest // 0) . " s\n"
  . join ' ', map { "$_=" . ($n{$_} // '?') } qw(let_in policy revoked ca interrupted sharp_in sharp_refused
  acknowledged undone lost lost_old lost_new resolved);
note($summary);

# 1
is($n{wrong_in}, 0, 'nobody was let in whom a policy, a CRL or the CAs in force refuse');
is($n{wrong_refused}, 0, 'nobody was refused whom they admit');
is($n{wrong_server}, 0, 'everybody met the server certificate in force');
is($n{undecided}, 0, 'in the end every client has a verdict');
cmp_ok($n{$_}, '>', $duration / 2, "the load was real: $_ $n{$_}") for qw(sharp_in sharp_refused acknowledged);
cmp_ok($n{$_}, '>', 0, "and of all kinds: $_ $n{$_}") for qw(undone lost policy revoked ca);

# 2
is($n{wrong_stored}, 0, 'what is stored after each recovery is what was acknowledged');
cmp_ok($n{resolved}, '>=', $recoveries, 'which was asked after each');
is($n{errors}, 0, 'no change has failed with an error');

# 3
is_deeply(\%trouble, {}, 'the server starts each time, from whole files');
cmp_ok($recoveries, '>', $duration / 20, "it had to recover: $recoveries");
cmp_ok($starts, '>=', $duration < 120 ? 0 : 5, "or to be started: $starts");

# 4
my %stored = map { /^(\w+ \w+)\|(.*)/ } split /\n/, $server->sql(<<'SQL');
SELECT objtype || ' ' || objname, label FROM pg_seclabels WHERE provider = 'sslpolicy'
SQL
for my $n (0 .. $cells - 1)
{
	my ($expected) = $text =~ /^cell $n (.*)/m;
	is(join('|', map { $stored{"$_$n"} // '' } 'role app', 'role grp', 'database db'), $expected, "cell $n: the catalog");
}
is($server->sql('SELECT count(*) FROM pg_prepared_xacts'), 0, 'no transaction is left prepared');

my ($crl, $ca, $served) = map { $text =~ /^$_ (\d+)/m } qw(crl ca server);
is($server->sql('SELECT loaded FROM sslpolicy.reload()'), 't', 'the server loads what there is');
is(squeezed(slurp_file($crl_path)), squeezed(slurp_file("$folder/crl.$crl.pem")), 'the file of the CRL');
is($ca_content{ squeezed(slurp_file($ca_path)) }, $ca ? 'both' : 'root', 'the file of the CAs');
is($server_content{ squeezed(slurp_file($server_path)) }, "server$served", 'the file of the server');
is($server->sql('SELECT bool_and(in_force) FROM sslpolicy.certificates'), 't', 'the inventory: certificates are in force');
is($server->sql('SELECT bool_and(in_force) FROM sslpolicy.crls'), 't', 'the inventory: so is the CRL');
for ([ ca => $ca_path ], [ server => $server_path ], [ crl => $crl_path ])
{
	my ($kind, $path) = @$_;
	my $sha = sha256_hex(slurp_file($path));
	# what was interrupted before it changed anything may stand behind
	is($server->sql("SELECT sha256 FROM sslpolicy.material_history WHERE kind = '$kind' AND state = 'installed' ORDER BY at DESC, version DESC LIMIT 1"),
		$sha, "the history: $kind");
	is($server->sql("SELECT count(*) FROM sslpolicy.material_history WHERE kind = '$kind' AND state = 'failed'"), 0, "no installation of $kind was put back");
}
is(join(' ', glob("$own/*.tmp $own/*.old " . $node->data_dir . '/sslpolicy/*.tmp')), '', 'no temporary file is left');
is($server->sql('SELECT count(*) FROM sslpolicy.sessions s LEFT JOIN pg_stat_activity a USING (pid) WHERE a.pid IS NULL'),
	0, 'no session is shown that is not there');
$server->restart;
is($server->sql('SELECT loaded FROM sslpolicy.reload()'), 't', 'and it starts once more');

my $log = slurp_file($node->logfile);
# a recovery that was killed and begins again says that something may be corrupt
$log =~ s/.*HINT:  This probably means that some data is corrupted.*//g;
my @bad = $log =~ /(.*(?:PANIC|TRAP|terminated by signal (?!9\b)\d+|invalid memory|corrupt|could not read).*)/g;
is(join("\n", @bad), '', 'nothing has crashed by itself');
$server->stop;
done_testing();
