# Installations that are killed: at each step, the backend and the whole server.
#
# 1. add_ca: the file is the old or the new one, to the byte; the server starts;
#    no temporary file is left; a client is let in; the next installation works
# 2. the first install_server_certificate, which changes two settings as well:
#    the same, and the server's certificate is the old or the new one
# 3. cancelled, terminated, or out of time: the same, without a restart
# 4. two at once: the second one waits, and can be cancelled
# 5. the first CA, where no file is set yet; and a setting that cannot be written
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('crashes', conf => "restart_after_crash = on\n");
my $certs = $server->certs;
my $node = $server->node;
my $dir = $certs->{dir};
my $own = $node->data_dir . '/sslpolicy';
$certs->ca('second', subject => '/CN=Second');
$certs->client('app', issuer => 'root', subject => '/CN=app');
$certs->server('new', issuer => 'root');
my $ca_path = $certs->bundle('trusted.crt', 'root');
$node->append_conf('postgresql.conf', "ssl_ca_file = '$ca_path'");
$server->start;
$server->sql('CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN');
mkdir $own, 0700;
my ($uid, $gid) = (stat $node->data_dir)[4, 5];
chown $uid, $gid, $own;

my $second = slurp_file("$dir/second.crt");
my $add = "SELECT sslpolicy.add_ca('$second')";
my $fingerprint = $certs->get('second')->{fingerprint};
my $old = slurp_file($ca_path);

sub touch { open my $fh, '>', $_[0] or die "$_[0]: $!"; close $fh }

# Wait for something; not for a time.
sub wait_until
{
	my ($what, $test) = @_;
	for (1 .. 30000)
	{
		return if $test->();
		usleep 2000;
	}
	die "gave up waiting for: $what";
}

# Start a statement that stops at a step; returns the psql and its backend.
sub stopped_at
{
	my ($step, $sql, $options, @more) = @_;
	touch("$own/stop.$step");
	my ($in, $out, $err) = ('', '', '');
	my $psql = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres') . ($options ? " options='$options'" : ''), map { ('-c', $_) } $sql, @more ], '<', \$in, '>', \$out, '2>', \$err);
	wait_until("step $step", sub { -e "$own/at.$step" });
	my $pid = $server->sql("SELECT pid FROM pg_stat_activity WHERE query ~ '^(SELECT sslpolicy|<statement with a private key>)' AND pid <> pg_backend_pid() AND state = 'active'");
	return { psql => $psql, pid => $pid, step => $step, err => \$err, out => \$out };
}

sub go_on
{
	my ($stopped) = @_;
	unlink "$own/at.$stopped->{step}";
	return;
}

sub leftovers { return join ' ', glob("$dir/*.tmp $own/*.tmp") }

sub check
{
	my ($name) = @_;
	is(leftovers(), '', "$name: no temporary file is left");
	ok($server->login(cert => 'app', user => 'app', sslmode => 'verify-full', extra => 'host=localhost')->{ok}, "$name: a client is let in");
	return;
}

sub kill_backend
{
	my ($stopped) = @_;
	kill 'KILL', $stopped->{pid};
	wait_until('the crash', sub { !kill 0, $stopped->{pid} });
	$stopped->{psql}->finish;
	go_on($stopped);
	$node->poll_query_until('postgres', 'SELECT true') or die 'no recovery';
	return;
}

sub kill_server
{
	my ($stopped) = @_;
	$node->kill9;
	kill 'KILL', $stopped->{pid};
	$stopped->{psql}->finish;
	go_on($stopped);
	wait_until('the end of all backends', sub { !kill 0, $stopped->{pid} });
	$node->start;
	return;
}

my %victims = (backend => \&kill_backend, server => \&kill_server);

# 1
for my $victim (sort keys %victims)
{
	for my $step (qw(written started renamed in_place reloaded recorded))
	{
		my $name = "$victim killed, $step";
		$victims{$victim}->(stopped_at($step, $add));
		my $now = slurp_file($ca_path);
		my $is_new = $now ne $old;
		is($is_new ? 1 : 0, $step =~ /written|started/ ? 0 : 1, "$name: the file is the " . ($is_new ? 'new' : 'old') . ' one');
		is($now =~ s/\s+//gr, ($is_new ? $old . $second : $old) =~ s/\s+//gr, "$name: and whole");
		check($name);
		# the worker sees to it, since a crash restart loads nothing
		$node->poll_query_until('postgres', 'SELECT bool_and(in_force) FROM sslpolicy.certificates') or die;
		ok(1, "$name: it is in force");
		is($server->sql("SELECT state FROM sslpolicy.material_history WHERE kind = 'ca' ORDER BY at DESC LIMIT 1"), $is_new ? 'installed' : 'unfinished', "$name: the history says how it ended") unless $step eq 'written';
		is($server->sql("SELECT installed FROM sslpolicy." . ($is_new ? "remove_ca('$fingerprint')" : "add_ca('$second')")), 't', "$name: the next installation works");
		$server->sql("SELECT sslpolicy.remove_ca('$fingerprint')") unless $is_new;
		$old = slurp_file($ca_path);
	}
}

# What is in place and not loaded is not called installed; without the worker nothing is.
{
	my $stopped = stopped_at('in_place', $add);
	like($server->sql("SELECT state FROM sslpolicy.material_history WHERE kind = 'ca' ORDER BY at DESC LIMIT 1"), qr/^unfinished$/, 'what is in place, and not loaded, is not called installed');
	my $generation = $server->sql('SELECT max(generation) FROM sslpolicy.material_status');
	kill_backend($stopped);
	$node->poll_query_until('postgres', "SELECT max(generation) > $generation FROM sslpolicy.material_status") or die;
	is($server->sql("SELECT state FROM sslpolicy.material_history WHERE kind = 'ca' ORDER BY at DESC LIMIT 1"), 'installed', 'it is when the worker has had it loaded');
	is($server->sql("SELECT installed FROM sslpolicy.remove_ca('$fingerprint')"), 't', 'a CA is removed');
	# the other way round: a removed CA lets nobody in any more
	$server->sql("SELECT sslpolicy.add_ca('$second')");
	kill_backend(stopped_at('in_place', "SELECT sslpolicy.remove_ca('$fingerprint', force => true)"));
	$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM sslpolicy.certificates WHERE kind = 'ca' AND in_force AND fingerprint_sha256 = '$fingerprint'") or die;
	ok(1, 'a CA whose removal was interrupted is not in force');
	is($server->sql("SELECT state FROM sslpolicy.material_history WHERE kind = 'ca' ORDER BY at DESC LIMIT 1"), 'installed', 'and the history says so');
	$old = slurp_file($ca_path);
}

cmp_ok($server->sql("SELECT count(DISTINCT version) FROM sslpolicy.material_history WHERE kept AND kind = 'ca'"), '>=', 6, 'five earlier versions at least are kept');
cmp_ok($server->sql("SELECT count(DISTINCT version) FROM sslpolicy.material_history WHERE kept AND kind = 'ca'"), '<=', 11, 'and not all');

# 2
my $install = "SELECT sslpolicy.install_server_certificate('" . slurp_file("$dir/new.crt") . "', '" . slurp_file("$dir/new.key") . "')";
sub served { return $server->sql("SELECT string_agg(subject_dn, ',') FROM sslpolicy.certificates WHERE kind = 'server' AND in_force") }
for my $victim (sort keys %victims)
{
	for my $step (qw(written started migrated setting1 setting2 renamed in_place reloaded recorded))
	{
		my $name = "server certificate, $victim killed, $step";
		$server->sql("ALTER SYSTEM RESET ssl_cert_file");
		$server->sql("ALTER SYSTEM RESET ssl_key_file");
		is($server->sql('SELECT loaded FROM sslpolicy.reload()'), 't', "$name: two files again");
		$victims{$victim}->(stopped_at($step, $install =~ s/^SELECT/SELECT/r));
		check($name);
		is($server->sql('SELECT loaded FROM sslpolicy.reload()'), 't', "$name: it can be loaded");
		is(served(), $step =~ /renamed|in_place|reloaded|recorded/ ? 'CN=new' : 'CN=server', "$name: one or the other");
	}
}
$server->sql("ALTER SYSTEM RESET ssl_cert_file");
$server->sql("ALTER SYSTEM RESET ssl_key_file");
$server->sql('SELECT sslpolicy.reload()');

# 3
for my $step (qw(written renamed in_place reloaded))
{
	for my $how ('pg_cancel_backend', 'pg_terminate_backend')
	{
		my $name = "$how at $step";
		my $stopped = stopped_at($step, $add);
		$server->sql("SELECT $how($stopped->{pid})");
		# while interrupts are held it goes on only when it may
		go_on($stopped) unless $step eq 'written';
		$stopped->{psql}->finish;
		go_on($stopped);
		wait_until('the end of the backend', sub { !kill 0, $stopped->{pid} });
		my $is_new = slurp_file($ca_path) ne $old;
		is($is_new ? 1 : 0, $step eq 'written' ? 0 : 1, "$name: old or new");
		check($name);
		is($server->sql('SELECT bool_and(in_force) FROM sslpolicy.certificates'), 't', "$name: in force");
		$server->sql("SELECT sslpolicy.remove_ca('$fingerprint')") if $is_new;
	}
}

# 4
my $first = stopped_at('written', $add);
my (undef, undef, $err) = $node->psql('postgres', "SET statement_timeout = '200ms'; SELECT sslpolicy.remove_ca('$fingerprint')");
like($err, qr/canceling statement due to statement timeout/, 'the second one waits, and can be cancelled');
my ($in, $out) = ('', '');
my $waiting = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-c', "SELECT installed FROM sslpolicy.remove_ca('$fingerprint')" ], '<', \$in, '>', \$out, '2>', \$err);
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'advisory'") or die 'does not wait';
go_on($first);
$first->{psql}->finish;
$waiting->finish;
is($out, "t\n", 'then it finds what the first one has installed');
is(slurp_file($ca_path), $old, 'and undoes it');

# out of time in the middle
my $late = stopped_at('written', $add, '-c statement_timeout=5s');
$late->{psql}->finish;
go_on($late);
like(${ $late->{err} }, qr/canceling statement due to statement timeout/, 'statement_timeout in the middle');
check('statement_timeout');
is(slurp_file($ca_path), $old, 'leaves the old one');

# 5
$server->sql("ALTER SYSTEM SET ssl_ca_file = ''");
like($server->sql('SELECT loaded || error FROM sslpolicy.reload()'), qr/^falsessl_ca_file is empty now: no client certificate would be verified/, 'no CA');
is($server->sql('SELECT loaded FROM sslpolicy.reload(force => true)'), 't', 'no CA, by force');
my $first_ca = "SELECT sslpolicy.install_ca('" . slurp_file("$dir/root.crt") . "')";
for my $victim (sort keys %victims)
{
	for my $step (qw(renamed setting1 in_place reloaded recorded))
	{
		my $name = "first CA, $victim killed, $step";
		$victims{$victim}->(stopped_at($step, $first_ca));
		is(leftovers(), '', "$name: no temporary file is left");
		is($server->sql('SELECT loaded FROM sslpolicy.reload()'), 't', "$name: the server can load what there is");
		is($server->sql('SHOW ssl_ca_file'), $step eq 'renamed' ? '' : 'sslpolicy/ca.pem', "$name: the setting is the old or the new one");
		$server->sql("ALTER SYSTEM SET ssl_ca_file = ''");
		$server->sql('SELECT sslpolicy.reload(force => true)');
	}
}
SKIP:
{
	skip 'prlimit is not there', 9 if system('prlimit --version >/dev/null 2>&1');
	$server->sql("ALTER SYSTEM SET cluster_name = '" . 'x' x 700 . "'");
	my $full = stopped_at('renamed', $first_ca, undef, 'SET statement_timeout = 1000', 'SELECT pg_sleep(60)');
	# a limit on the size of files stands for a full disk
	system("prlimit --fsize=300 --pid $full->{pid}") == 0 or die;
	go_on($full);
	$full->{psql}->finish;
	like(${ $full->{err} }, qr/ERROR:  could not write to file "postgresql\.auto\.conf\.tmp"/, 'a setting that cannot be written: an error, and no deadlock');
	like(${ $full->{err} }, qr/canceling statement due to statement timeout/, 'the session can still be interrupted');
	unlike($server->sql('SELECT pg_read_file($$postgresql.auto.conf$$)'), qr/ca\.pem/, 'is not written');
	is(leftovers(), '', 'and no temporary file is left');
	$server->sql('ALTER SYSTEM RESET cluster_name');
	is($server->sql('SELECT installed FROM sslpolicy.' . ($first_ca =~ s/^SELECT sslpolicy\.//r)), 't', 'the next installation works');

	# the history cannot be written, after the server has loaded the new material
	$full = stopped_at('reloaded', $add, undef, 'SET statement_timeout = 1000', 'SELECT pg_sleep(60)');
	system("prlimit --fsize=300 --pid $full->{pid}") == 0 or die;
	go_on($full);
	$full->{psql}->finish;
	like(${ $full->{out} }, qr/material_history does not have it: the server log says why/, 'a history that cannot be written is a warning');
	like(${ $full->{err} }, qr/canceling statement due to statement timeout/, 'the session can be interrupted then, too');
	like(${ $full->{out} }, qr/^\(t,/, 'since the material is in force');
	is($server->sql("SELECT state FROM sslpolicy.material_history WHERE kind = 'ca' ORDER BY version DESC LIMIT 1"), 'installed', 'and the history is told by the file');
}

unlike($server->log_since(0), qr/PANIC|TRAP|signal 11|signal 6/, 'nothing crashed by itself');
$server->stop;
done_testing();
