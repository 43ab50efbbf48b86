# Refusals by the thousand: what is kept stays small, what concerns real roles
# stays, and nothing is lost without being counted.
#
# 1. made-up role names, many at once
# 2. processes that die while they write down a refusal
# 3. smaller tables, none; damaged numbers of rows
# 4. a standby
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('bounded', init => { allows_streaming => 1 },
	conf => "max_connections = 60\nsslpolicy.max_rejections = 50\nlog_min_messages = log\n",
	hba => ['host all pwuser all scram-sha-256']);
my ($certs, $node) = ($server->certs, $server->node);
$server->start;
$server->sql(q{CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE pwuser LOGIN PASSWORD 'secret'});
$server->label(role => { app => 'sslmode=verify-full' });

sub startup_packet
{
	my ($user, $database) = @_;
	my $body = pack('N', 3 << 16) . join('', map { "$_\0" } user => $user, database => $database) . "\0";
	return pack('N', 4 + length $body) . $body;
}

# Connections with these packets, 20 at a time; until the server hangs up.
sub flood
{
	my ($s, @packets) = @_;
	my $select = IO::Select->new;
	while (@packets || $select->count)
	{
		while (@packets && $select->count < 20)
		{
			my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $s->node->port) or die $!;
			$socket->syswrite(shift @packets);
			$select->add($socket);
		}
		for my $socket ($select->can_read(60))
		{
			next if $socket->sysread(my $answer, 8192);
			$select->remove($socket);
			close $socket;
		}
	}
	return;
}

# A connection that asks for TLS, and speaks none.
sub no_tls
{
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $node->port) or die $!;
	$socket->syswrite(pack('NN', 8, 80877103));
	sysread $socket, my $answer, 1;
	$socket->syswrite("GET / HTTP/1.0\r\n\r\n");
	return $socket;
}

sub row { return $server->sql("SELECT $_[0] FROM sslpolicy.$_[1]") }

# 1
my $N = $ENV{SSLPOLICY_FLOOD} // 3000;
ok(!$server->login(user => 'app', sslmode => 'require')->{ok}, 'one of a real role');
ok(!$server->login(user => 'pwuser', sslmode => 'require', env => { PGPASSWORD => 'wrong' })->{ok}, 'another, by PostgreSQL');
$node->poll_query_until('postgres', 'SELECT count(*) = 2 FROM sslpolicy.rejections') or die;
my $real = row("string_agg(role || ' ' || source || ' ' || count, ', ' ORDER BY role)", "rejections WHERE role IN ('app', 'pwuser')");
is($real, 'app policy 1, pwuser server 1', 'are there');
for (1 .. 5)
{
	my $socket = no_tls();
	1 while sysread $socket, my $rest, 1000;
}
flood($server, map { startup_packet("made-up-$_", 'postgres') } 1 .. $N);
$node->poll_query_until('postgres', "SELECT refused >= $N FROM sslpolicy.statistics WHERE role IS NULL") or die;
is(row('refused, allowed', 'statistics WHERE role IS NULL'), $N + 5 . '|0', 'all of them are counted, each once');
is(row("string_agg(role || ' ' || source || ' ' || count, ', ' ORDER BY role)", "rejections WHERE role IN ('app', 'pwuser')"), $real, 'the rows of real roles are as they were');
is(row("count(*)", "rejections WHERE role LIKE 'made-up-%'"), '20', 'of made-up names the last few are kept');
is(row("count(*) <= 3", "rejections WHERE role IS NULL"), 't', 'those without a name have a place of their own');
is(row('count(*)', 'statistics'), '4', 'statistics have a row for each real role, and one for all others');
flood($server, map { startup_packet('app', "made-up-$_") } 1 .. 200);
$node->poll_query_until('postgres', "SELECT refused = 201 FROM sslpolicy.statistics WHERE role = 'app'");
is(row('refused', "statistics WHERE role = 'app'"), '201', 'a real role with made-up databases is counted');
is(row("count(*)", "rejections WHERE database LIKE 'made-up-%'"), '5', 'and gets a quarter of that room');
is(row("string_agg(role || ' ' || source || ' ' || count, ', ' ORDER BY role)", "rejections WHERE database = 'postgres' AND role IN ('app', 'pwuser')"), $real, 'the others are as they were');
$server->login(user => 'app', sslmode => 'disable') for 1 .. 3;
is(row('count', "rejections WHERE role = 'app' AND tls_version IS NULL AND database = 'postgres'"), '3', 'new ones of real roles are noted all the time');
my $before = row('count(*)', 'rejections');
$server->restart;
is(row('count(*)', 'rejections'), $before, 'a restart keeps them all');
is(row('refused', "statistics WHERE role = 'app'"), '204', 'and the counters');

# 2
SKIP:
{
	my $stop = $node->data_dir . '/sslpolicy/stop.letter';
	my $at = $node->data_dir . '/sslpolicy/at.letter';
	my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
	skip 'no /proc', 3 unless -e "/proc/$postmaster/task/$postmaster/children";
	my $children = sub { return { map { $_ => 1 } split ' ', slurp_file("/proc/$postmaster/task/$postmaster/children") } };
	mkdir $node->data_dir . '/sslpolicy';
	$server->sql('SELECT sslpolicy.reset_statistics()');
	my $died = 0;
	for my $i (1 .. 140)
	{
		my $others = $children->();
		open my $fh, '>', $stop or die;
		close $fh;
		my $socket = no_tls();
		my $wait = 0;
		until (-e $at) { select undef, undef, undef, 0.002; die 'it does not stop' if $wait++ > 10000 }
		# it writes a letter, and dies of a signal as a client's process does
		my @new = grep { !$others->{$_} } keys %{ $children->() };
		kill 'TERM', @new if @new == 1;
		$wait = 0;
		while ($children->()->{ $new[0] // 0 }) { select undef, undef, undef, 0.002; die 'it does not die' if $wait++ > 10000 }
		unlink $at;
		$died++ if @new == 1;
	}
	cmp_ok($died, '>', 128, 'more processes than there is room for die while they write');
	flood($server, map { startup_packet("later-$_", 'postgres') } 1 .. 3);
	$node->poll_query_until('postgres', "SELECT count(*) = 3 FROM sslpolicy.rejections WHERE role LIKE 'later-%'");
	is(row('count(*)', "rejections WHERE role LIKE 'later-%'"), '3', 'those that come later are noted all the same');
	is(row('count(*)', 'rejections'), '3', 'and nothing was lost or made up');
}

# 3
flood($server, map { startup_packet("again-$_", 'postgres') } 1 .. 30);
$node->poll_query_until('postgres', "SELECT refused >= 30 FROM sslpolicy.statistics WHERE role IS NULL") or die;
$server->login(user => 'app', sslmode => 'require');
$server->stop;
$node->append_conf('postgresql.conf', 'sslpolicy.max_rejections = 1');
$server->start;
is(row('role', "rejections WHERE role !~ '^(again|later)'"), 'app', 'a table of one row');
$server->login(user => 'pwuser', sslmode => 'require', env => { PGPASSWORD => 'wrong' });
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM sslpolicy.rejections WHERE role = 'pwuser'") or die;
is(row('count(*)', "rejections WHERE role = 'app'"), '1', 'what PostgreSQL itself refuses has a place of its own');
$server->sql(q{CREATE ROLE second LOGIN});
$server->label(role => { second => 'sslmode=verify-full' });
$server->login(user => 'second', sslmode => 'require');
is(row("string_agg(role, ',')", "rejections WHERE source = 'policy'"), 'second', 'has room for one');
$server->stop;
$node->append_conf('postgresql.conf', 'sslpolicy.max_rejections = 0');
$server->start;
is(row('count(*)', 'rejections'), '0', 'none at all');
ok(!$server->login(user => 'app', sslmode => 'require')->{ok}, 'refusals go on');
$server->login(user => 'pwuser', sslmode => 'require', env => { PGPASSWORD => 'wrong' });
$node->poll_query_until('postgres', "SELECT refused = 2 FROM sslpolicy.statistics WHERE role = 'pwuser'");
is(row('refused', "statistics WHERE role = 'pwuser'"), '2', 'and are counted');
is(row('count(*)', 'rejections'), '0', 'but not kept');
$server->stop;
$node->append_conf('postgresql.conf', 'sslpolicy.max_rejections = 100');
$server->start;

# 4
my $standby = $server->standby('bounded_standby');
$standby->start;
ok(!$standby->login(user => 'app', sslmode => 'require')->{ok}, 'a refusal on a standby');
flood($standby, startup_packet('nobody', 'postgres'));
$standby->node->poll_query_until('postgres', "SELECT count(*) = 2 FROM sslpolicy.rejections") or die;
is($standby->sql('SELECT role, source FROM sslpolicy.rejections ORDER BY role'), "app|policy\nnobody|server", 'is noted there');
is($standby->sql("SELECT coalesce(role, 'NULL'), refused FROM sslpolicy.statistics WHERE refused > 0 ORDER BY role"), "app|1\nNULL|1", 'and counted');
$standby->restart;
is($standby->sql('SELECT role, source FROM sslpolicy.rejections ORDER BY role'), "app|policy\nnobody|server", 'a restart of the standby keeps it');
$standby->sql('SELECT sslpolicy.reset_statistics()');
is($standby->sql('SELECT count(*) FROM sslpolicy.rejections'), '0', 'it can be reset there');
$standby->stop;
$server->stop;

done_testing();
