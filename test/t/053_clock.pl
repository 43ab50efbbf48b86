# The clock of the machine is set, forward and back: what lasts, lasts as long as it
# should, and what has changed is noticed.
#
# Each with a clock that is right, half an hour behind, half an hour ahead:
# 1. a session may finish its transaction for terminate_grace, and meanwhile nobody is
#    rechecked
# 2. reload() waits as long as it is told to: for the server, and for the worker
# 3. whoever has begun to log in before a setting has changed is judged by the new one;
#    whoever logs in afterwards costs nobody a recheck
# 4. likewise with a CRL of ssl_crl_dir
# 5. a session whose CA has gone is found
# 6. what was installed is called installed, also after a crash
# 7. a certificate that has expired by the new clock ends its session
use strict;
use warnings;
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;
use SSLPolicy::Stalled;

my $folder = PostgreSQL::Test::Utils::tempdir('clock');
system("gcc -shared -fPIC -O1 -Wall -Werror -o $folder/clock.so test/modules/clock.c -ldl") == 0 or die 'clock does not compile';
my $clock = "$folder/seconds";
write_file($clock, pack 'q', 0);

sub set_clock
{
	my ($seconds) = @_;
	open my $fh, '+<:raw', $clock or die "$clock: $!";
	syswrite $fh, pack('q', $seconds) or die "$clock: $!";
	close $fh;
	return;
}
my @clocks = ([ 0, 'a clock that is right' ], [ -1800, 'a clock that is set back' ], [ 1800, 'a clock that is set forward' ]);
sub monotonic { return Time::HiRes::clock_gettime(Time::HiRes::CLOCK_MONOTONIC()) }

my $grace = 3;
my $server = SSLPolicy::Server->new('clock', conf => <<"CONF", hba => [ 'host all slow all password' ]);
restart_after_crash = on
sslpolicy.recheck_policy = terminate
sslpolicy.terminate_grace = ${grace}s
sslpolicy.recheck_interval = 10min
CONF
my ($node, $certs) = ($server->node, $server->certs);
my $dir = $certs->{dir};
$certs->ca('old', subject => '/CN=Old CA');
$certs->client('app', issuer => 'root', subject => '/CN=app');
$certs->client('old_app', issuer => 'old', subject => '/CN=app');
$certs->client('slow', issuer => 'root', subject => '/CN=slow');
$certs->client('brief', issuer => 'root', subject => '/CN=app', not_before => time - 3 * 3600, not_after => time + 900);
sub pems { return join '', map { slurp_file("$dir/$_.crt") } @_ }
my $cas = "$dir/cas.crt";
write_file($cas, pems('root', 'old'));
mkdir "$dir/crls" or die $!;
mkdir "$dir/own" or die $!;
$node->append_conf('postgresql.conf', "ssl_ca_file = '$cas'\nsslpolicy.crl_file = '$dir/own/root.crl'\nsslpolicy.crl_missing = accept\n");

# a CRL that is from now by the clock that is set
sub crl
{
	local $ENV{LD_PRELOAD} = "$folder/clock.so";
	local $ENV{TEST_CLOCK} = $clock;
	return make_crl($certs, @_);
}
set_clock(-1800);
write_file("$dir/own/root.crl", crl('root', 1));
set_clock(0);
{
	local $ENV{LD_PRELOAD} = join ':', grep { defined && length } $ENV{LD_PRELOAD}, "$folder/clock.so";
	local $ENV{TEST_CLOCK} = $clock;
	$server->start;
}
$server->sql(q{CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE slow LOGIN PASSWORD 'secret'; CREATE ROLE boss SUPERUSER LOGIN});
my $own = $node->data_dir . '/sslpolicy';
-d $own or mkdir $own, 0700 or die "$own: $!";

$server->label(role => { app => 'sslmode=prefer' });

sub ends { my ($pid) = @_; return $node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid") }
sub worker { return $server->sql(q(SELECT pid FROM pg_stat_activity WHERE backend_type = 'sslpolicy')) }

# A session, and the pid of its process.
sub session
{
	my (%opt) = @_;
	my $session = $server->background(sslmode => 'require', %opt);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	chomp $pid;
	return ($session, $pid);
}

# The next recheck stops at this session, until go_on().
sub stop_recheck { my ($pid) = @_; append_to_file("$own/stop.recheck_$pid", ''); return }
sub is_rechecked { my ($pid) = @_; return -e "$own/at.recheck_$pid" }
sub wait_for_recheck { my ($pid) = @_; until (is_rechecked($pid)) { usleep(5_000) } return }
sub go_on { my ($pid) = @_; unlink "$own/at.recheck_$pid"; return }

# not by a login each time: one during which a recheck begins has another one begin
my $admin = $server->background(host => 'local', sslmode => 'prefer', user => scalar getpwuid $>);
sub is_compliant { my ($pid) = @_; return $admin->query_safe("SELECT compliant FROM sslpolicy.sessions WHERE pid = $pid") =~ /^t/ }

###############################################################################
# 1. terminate_grace

for (@clocks)
{
	my ($seconds, $name) = @$_;
	my ($session, $pid) = session();
	$session->query_safe('BEGIN; SELECT 1');
	stop_recheck($pid);
	$server->label(role => { app => 'sslmode=reject' });
	wait_for_recheck($pid);
	my $start;
	# the first one can be from before the policy
	do
	{
		$start = monotonic();
		stop_recheck($pid);
		go_on($pid);
		usleep(5_000) until is_rechecked($pid) || !is_compliant($pid);
	} while (is_compliant($pid));
	set_clock($seconds);
	wait_for_recheck($pid);
	# if the policy came while a recheck was under way, one more was due, and no more
	if (monotonic() - $start < $grace)
	{
		stop_recheck($pid);
		go_on($pid);
		wait_for_recheck($pid);
	}
	my $waited = monotonic() - $start;
	go_on($pid);
	cmp_ok($waited, '>=', $grace, "$name: nobody is rechecked during the grace");
	cmp_ok($waited, '<', 60, "$name: it does not last longer");
	ok(ends($pid), "$name: then the session is ended");
	is($server->sql("SELECT changed FROM sslpolicy.ended_sessions WHERE pid = $pid"), 'roles or their policies', "$name: for what had changed before it waited");
	set_clock(0);
	$server->label(role => { app => 'sslmode=prefer' });
	eval { $session->quit };
}

###############################################################################
# 2. How long reload() waits

my ($inside) = session(user => 'boss', host => 'local', sslmode => 'prefer');
my ($caller, $caller_pid) = session(user => 'boss', host => 'local', sslmode => 'prefer');
my %held_up = (
	'the server' => [ $node->{_pid}, 'the server has not loaded it within 1000 ms' ],
	'the worker' => [ worker(), 'the CRLs have not been read within 1000 ms' ]);

# reload() has begun to wait, and the clock is set: what it says
sub reloaded
{
	my ($pid, $timeout, $seconds, $go_on) = @_;
	kill STOP => $pid;
	$caller->query_until(qr/begun/, "\\echo begun\nSELECT coalesce(error, 'loaded') FROM sslpolicy.reload('$timeout');\n");
	until ($inside->query_safe("SELECT count(*) FROM pg_stat_activity WHERE pid = $caller_pid AND wait_event_type = 'Extension'") =~ /1/) { usleep(10_000) }
	set_clock($seconds);
	if ($go_on)
	{
		usleep(200_000);
		kill CONT => $pid;
	}
	my $result = $caller->query('SELECT');
	kill CONT => $pid;
	set_clock(0);
	return $result =~ s/\A\s+|\s+\z//gr;
}
for my $who (sort keys %held_up)
{
	my ($pid, $error) = @{ $held_up{$who} };
	for (@clocks)
	{
		my ($seconds, $name) = @$_;
		like(reloaded($pid, '1s', $seconds, 0), qr/$error/, "$who is held up, $name: reload() waits no longer than it is told to");
		like(reloaded($pid, '60s', $seconds, 1), qr/loaded\z/, "$who is held up, $name: and no shorter");
	}
}

###############################################################################
# 3. Settings

my ($live, $live_pid) = session();
for (@clocks)
{
	my ($seconds, $name) = @$_;

	# no TLS: it has nothing that it could have been numbered by
	my $client = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $node->port) or die $!;
	my $startup = pack('N', 3 << 16) . "user\0slow\0database\0postgres\0\0";
	print $client pack('N', 4 + length $startup) . $startup;
	$client->flush;
	read $client, my $asked, 9;
	is($asked, "R\0\0\0\x08\0\0\0\x03", "$name: a client is asked for its password") or next;
	set_clock($seconds);
	stop_recheck($live_pid);
	$server->set('sslpolicy.default_policy' => 'sslmode=require');
	wait_for_recheck($live_pid);
	go_on($live_pid);
	print $client 'p' . pack('N', 4 + 7) . "secret\0";
	$client->flush;
	my $answer = do { local $/; local $SIG{ALRM} = sub { die 'it stays' }; alarm $PostgreSQL::Test::Utils::timeout_default; my $all = eval { <$client> }; alarm 0; $all };
	like($answer // '', qr/terminating connection|does not meet its TLS policy/, "$name: who logs in by settings from before is ended");
	close $client;

	# the recheck that this login has asked for is over, and so are others
	set_clock(0);
	$server->set('sslpolicy.default_policy' => undef);
	is($server->sql(q(SELECT coalesce(error, 'loaded') FROM sslpolicy.reload())), 'loaded', 'as before') for 1 .. 2;
	set_clock($seconds);
	usleep(300_000);
	stop_recheck($live_pid);
	ok($server->login(user => 'app', sslmode => 'require')->{ok}, "$name: a login");
	usleep(300_000);
	ok(!is_rechecked($live_pid), "$name: it costs nobody a recheck");
	unlink "$own/stop.recheck_$live_pid";
	go_on($live_pid);
	set_clock(0);
}

###############################################################################
# 4. CRLs of ssl_crl_dir

sub crls_are
{
	my ($number, @revoked) = @_;
	write_file("$dir/crls/root.pem", crl('root', $number, revoked => \@revoked));
	write_file("$dir/crls/old.pem", crl('old', $number));
	system('openssl', 'rehash', "$dir/crls") == 0 or die 'openssl rehash';
	return;
}
for (@clocks)
{
	my ($seconds, $name) = @$_;
	set_clock(-1800);
	crls_are(1);
	set_clock(0);
	$server->set(ssl_crl_dir => "$dir/crls");
	is($server->sql(q(SELECT coalesce(error, 'loaded') FROM sslpolicy.reload())), 'loaded', "$name: CRLs in ssl_crl_dir");
	my $client = stalled($server, user => 'slow', cert => 'slow', version => '-tls1_3');
	set_clock($seconds);
	stop_recheck($live_pid);
	crls_are(2, 'slow');
	wait_for_recheck($live_pid);
	go_on($live_pid);
	is(password($client), 'in', "$name: its handshake was by the CRL from before");
	ok(is_ended($client), "$name: who is revoked since the handshake is ended");
	set_clock(0);
	$server->set(ssl_crl_dir => undef);
}

###############################################################################
# 5. CAs

$server->label(role => { app => 'sslmode=verify-ca' });
for (@clocks)
{
	my ($seconds, $name) = @$_;
	my ($session, $pid) = session(cert => 'old_app');
	set_clock($seconds);
	write_file($cas, pems('root'));
	$server->sql('SELECT pg_reload_conf()');
	ok(ends($pid), "$name: a session whose CA has gone is ended");
	eval { $session->quit };
	set_clock(0);
	write_file($cas, pems('root', 'old'));
	is($server->sql(q(SELECT coalesce(error, 'loaded') FROM sslpolicy.reload())), 'loaded', 'as before');
}

###############################################################################
# 6. An installation whose process is killed

my $n = 0;
for (@clocks)
{
	my ($seconds, $name) = @$_;
	set_clock($seconds);
	my $ca = $certs->ca('more' . ++$n, subject => "/CN=More CA $n");
	my ($installer, $pid) = session(user => 'boss', host => 'local', sslmode => 'prefer');
	append_to_file("$own/stop.in_place", '');
	$installer->query_until(qr/begun/, "\\echo begun\nSELECT installed FROM sslpolicy.add_ca('" . pems("more$n") . "');\n");
	until (-e "$own/at.in_place") { usleep(10_000) }
	kill KILL => $pid;
	usleep(10_000) while kill 0, $pid;
	unlink "$own/at.in_place";
	$node->poll_query_until('postgres', q(SELECT true)) or die 'no crash restart';
	ok($node->poll_query_until('postgres', q(SELECT state = 'installed' FROM sslpolicy.material_history ORDER BY version DESC LIMIT 1)),
		"$name: what was put in place before a crash, and loaded after it, is called installed");
	eval { $installer->quit };
	set_clock(0);
}

###############################################################################
# 7. What is about the time of day

$server->label(role => { app => 'sslmode=verify-ca on_expiry=end' });
my ($brief, $brief_pid) = session(cert => 'brief');
set_clock(1800);
ok(ends($brief_pid), 'a certificate that has expired by the new clock ends its session');
eval { $brief->quit };
set_clock(0);

unlike($server->log_since(0), qr/PANIC|TRAP/, 'nothing crashed');
eval { $_->quit } for $live, $inside, $caller;
$server->stop;
done_testing();
