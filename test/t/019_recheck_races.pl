# Logins, changes of policy and the worker that rechecks sessions, all at once.
#
# 1. a thousand logins race with the commit of a label that refuses them, and a
#    thousand with its removal
# 2. logins that are held up at each catalog that the hook reads, while the label
#    is committed; a login that began before a setting was changed
# 3. a session whose place in the table another one has taken
# 4. sessions come and go while policies change: nobody is ended who complies,
#    no entry of the table is left over, and the worker does not grow
#    (CHURN_SECONDS, CHURN_CLIENTS)
# 5. errors in the worker: it goes on, and forgets nothing
# 6. shutdowns while the worker waits for a lock, kill -9 of the postmaster
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep time);
use SSLPolicy::Server;

my $churn_seconds = $ENV{CHURN_SECONDS} // 10;
my $churn_clients = $ENV{CHURN_CLIENTS} // 200;

my $server = SSLPolicy::Server->new('racing', conf => <<"CONF");
sslpolicy.recheck_policy = terminate
max_connections = @{[ $churn_clients + 50 ]}
max_prepared_transactions = 5
restart_after_crash = on
CONF
my $node = $server->node;
$server->start;
$server->sql('CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE other LOGIN; CREATE ROLE boss SUPERUSER LOGIN');
$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE other IS 'sslmode=prefer'});

my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
my $clients = PostgreSQL::Test::Utils::tempdir('clients') . '/clients';
chomp(my ($include, $lib) = map { `$pg_config --$_` } qw(includedir libdir));
system("gcc -O1 -I$include test/modules/clients.c -o $clients -L$lib -lpq") == 0 or die 'clients does not compile';

my $worker_sql = q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'sslpolicy'};
my %plain = (sslmode => 'disable', extra => 'gssencmode=disable');
my $admin = $server->conninfo(%plain, host => 'local', user => 'boss');

# Run the clients, and return the numbers that they print by their names.
sub run_clients
{
	my (@args) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ $clients, @args ], '<', \undef, '>', \$out, '2>', \$err) or die "clients: $err";
	note($out);
	diag($err) if $err;
	return split ' ', $out;
}

# A client that logs in in the background; returns a function that waits for
# what becomes of it.
sub hold
{
	my (%opt) = @_;
	my ($out, $err) = ('', '');
	my $run = IPC::Run::start([ $clients, 'hold', $server->conninfo(%plain, %opt) ], '<', \undef, '>', \$out, '2>', \$err);
	return sub { $run->finish; return $out };
}

# Ask a session again and again, where no other can log in.
sub wait_until
{
	my ($session, $sql) = @_;
	for (1 .. 1500)
	{
		return 1 if $session->query_safe($sql) =~ /^t$/m;
		usleep(20_000);
	}
	die "never true: $sql";
}

sub background
{
	my (%opt) = @_;
	my $session = $server->background(%plain, %opt);
	$session->set_query_timer_restart;
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	chomp $pid;
	return ($session, $pid);
}

sub label { return $server->label(role => { app => $_[0] }) }
sub is_gone { return $node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $_[0]") }
sub is_live { return $server->sql("SELECT count(*) FROM pg_stat_activity WHERE pid = $_[0]") }

# The table has the sessions that there are, and no others.
sub table_is_right
{
	return $node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM
		(SELECT pid FROM sslpolicy.sessions) s FULL JOIN
		(SELECT pid FROM pg_stat_activity WHERE backend_type IN ('client backend', 'walsender')) a USING (pid)
		WHERE s.pid IS NULL OR a.pid IS NULL});
}

# What is not a client, by its pid.
sub servants
{
	return $server->sql(q{SELECT string_agg(backend_type || ' ' || pid, ', ' ORDER BY pid) FROM pg_stat_activity
		WHERE backend_type NOT IN ('client backend', 'autovacuum worker', 'parallel worker', 'io worker')});
}

my $servants = servants();

# 1
my %race = run_clients('race', 64, 16, $admin, $server->conninfo(%plain), 'app');
label(undef);
is($race{missed}, 0, 'a label that is committed during a login: nobody is missed');
is($race{refused} + $race{ended}, 1024, 'each of them is refused or ended');
cmp_ok($race{refused}, '>', 50, 'some are refused');
cmp_ok($race{ended}, '>', 50, 'some are ended');
is($race{wrong}, 0, 'a label that is removed during a login: nobody is ended who was let in');
cmp_ok($race{stayed}, '>', 50, 'some are let in');

# 2.  Whoever waits for the lock on pg_database has taken its snapshot of the
# labels already, and the worker does not need that lock.
my ($holder) = background(host => 'local', user => 'boss');
my ($dba) = background(host => 'local', user => 'boss');
my $label = q{SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=require'};
$dba->query_safe("$label; SECURITY LABEL FOR sslpolicy ON ROLE app IS NULL");
for my $catalog (qw(pg_shseclabel pg_authid pg_database))
{
	$holder->query_safe("BEGIN; LOCK TABLE $catalog IN ACCESS EXCLUSIVE MODE");
	my $result = hold();
	wait_until($holder, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = '$catalog'::regclass");
	$holder->query_safe("$label; COMMIT");
	like($result->(), qr/^(?:refused|ended) /, "a login that waits for $catalog while the label is committed");
	label(undef);
}
for my $how ('COMMIT', 'COMMIT PREPARED')
{
	my ($early, $early_pid) = background();
	my $offset = $server->log_offset;
	$dba->query_safe("BEGIN; $label; PREPARE TRANSACTION 'label'") if $how eq 'COMMIT PREPARED';
	$holder->query_safe('BEGIN; LOCK TABLE pg_database IN ACCESS EXCLUSIVE MODE');
	my $result = hold();
	wait_until($holder, q{SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'pg_database'::regclass});
	$dba->query_safe($how eq 'COMMIT' ? $label : q{COMMIT PREPARED 'label'});
	$server->wait_for_log(qr/\(PID $early_pid\) ended/, $offset);
	$holder->query_safe('COMMIT');
	like($result->(), qr/^ended FATAL:  terminating connection due to administrator command/,
		"$how: a login that read the labels before, and comes in after the recheck, is ended");
	eval { $early->quit };
	label(undef);
}

# the process of a connection has the settings of the moment when it was made
{
	$server->set(log_connections => 'on');
	my $offset = $server->log_offset;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $node->port) or die $!;
	$server->wait_for_log(qr/connection received: host=127\.0\.0\.1/, $offset);
	$server->set(log_connections => 'off');
	my ($early, $early_pid) = background(user => 'other');
	$server->set('sslpolicy.minimum_policy' => 'sslmode=require');
	is_gone($early_pid) or die;
	eval { $early->quit };
	my $startup = pack 'N a*', 196608, "user\0app\0database\0postgres\0\0";
	$socket->syswrite(pack('N', 4 + length $startup) . $startup);
	my ($answer, $is_over) = ('', 0);
	while (!$is_over && IO::Select->new($socket)->can_read(3))
	{
		$is_over = !$socket->sysread($answer, 8192, length $answer);
	}
	ok($is_over, 'a connection that was made before minimum_policy was set does not survive');
	$socket->close;
	$server->set('sslpolicy.minimum_policy' => undef);
}

# nobody is ended for a policy that was in force before the login
{
	$server->label(role => { app => 'sslmode=reject' });
	$holder->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
	label(undef);
	my ($late, $late_pid) = background();
	$holder->query_safe('SELECT count(*) FROM sslpolicy.recheck(); COMMIT');
	is($server->sql("SELECT count(*) FROM sslpolicy.ended_sessions WHERE pid = $late_pid"), '0',
		'recheck() in a transaction with an old snapshot');
	eval { $late->quit };
}

# 3.  The worker knows of a session that it has to end, and waits for a lock
# meanwhile.
{
	my ($leaving, $leaving_pid) = background();
	my $offset = $server->log_offset;
	$holder->query_safe('BEGIN; LOCK TABLE pg_auth_members IN ACCESS EXCLUSIVE MODE');
	$dba->query_safe($label);
	wait_until($holder, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'pg_auth_members'::regclass AND pid = ($worker_sql)");
	$leaving->quit;
	wait_until($holder, "SELECT pg_stat_clear_snapshot() IS NOT NULL AND count(*) = 0 FROM pg_stat_activity WHERE pid = $leaving_pid");
	# the last place that became free is the first that is taken
	my @taken = map { [ background(host => 'local') ] } 1 .. 5;
	$holder->query_safe('COMMIT');
	# until the worker has been through
	my ($early, $early_pid) = background(user => 'other');
	$server->label(role => { other => 'sslmode=reject' });
	ok(is_gone($early_pid), 'the worker goes on');
	eval { $early->quit };
	$server->label(role => { other => 'sslmode=prefer' });
	is(join(' ', map { is_live($_->[1]) } @taken), '1 1 1 1 1', 'whoever has taken the place of a session stays');
	unlike($server->log_since($offset), qr/\(PID $leaving_pid\) ended/, 'who has left by itself was not ended');
	$_->[0]->quit for @taken;
	label(undef);
}
ok(table_is_right(), 'the table has the sessions that there are');

# 4
my @kinds = ($server->conninfo(%plain), $server->conninfo(%plain, user => 'other'),
	$server->conninfo(%plain, host => 'local'));

# kB of memory of its own; Linux tells
sub memory_of
{
	my ($pid) = @_;
	return -r "/proc/$pid/status" && slurp_file("/proc/$pid/status") =~ /^RssAnon:\s*(\d+) kB/m ? $1 : undef;
}

# bytes in use in its memory contexts
sub contexts_of
{
	my ($pid) = @_;
	my $offset = $server->log_offset;
	$server->sql("SELECT pg_log_backend_memory_contexts($pid)");
	return $server->wait_for_log(qr/Grand total: .* \d+ used/, $offset) =~ /Grand total: .* (\d+) used/ ? $1 : undef;
}

my $worker = $server->sql($worker_sql);
my $since = $server->sql('SELECT now()');
my ($out, $err) = ('', '');
my $run = IPC::Run::start([ $clients, 'churn', $churn_seconds, $churn_clients, $admin, 'app', @kinds ], '<', \undef, '>', \$out, '2>', \$err);
$run->pump until $out =~ /full/;
my $before = memory_of($worker);
my $used_before = contexts_of($worker);
$run->finish or die "clients: $err";
note($out);
is($err, '', 'the clients have nothing to complain about');
my %churn = split ' ', $out;
label(undef);
my $after = memory_of($worker);
my $used_after = contexts_of($worker);
is($churn{wrong}, 0, 'no session is ended or refused that complies, or that came through a Unix socket');
cmp_ok($churn{live}, '>', $churn_clients * 0.5, 'there were many sessions');
cmp_ok($churn{ended}, '>', 0, 'some were ended');
cmp_ok($churn{refused}, '>', 0, 'some were refused');
is($server->sql("SELECT DISTINCT usename, cause, reasons FROM sslpolicy.ended_sessions WHERE at > '$since'"),
	'app|policy|{"sslmode=require (policy of role \"app\", rule 1)"}', 'the notes name no others');
ok(table_is_right(), 'no entry of the table is left over');
is($server->sql($worker_sql), $worker, 'the worker is the same');
is(servants(), $servants, 'and so are all other processes of the server');
SKIP:
{
	skip 'no RssAnon here', 1 unless defined $after;
	skip 'a sanitizer keeps what is freed', 1 if $ENV{ASAN_OPTIONS};
	note("memory of the worker: $before kB, then $after kB");
	cmp_ok($after - $before, '<', 3000, 'the worker does not grow');
}
{
	# a recheck may be under way at one of the two moments
	note("memory contexts of the worker: $used_before bytes, then $used_after bytes");
	cmp_ok($used_after - $used_before, '<', 20_000, 'nor do its memory contexts');
}

# 5.  The label is committed, and the worker is interrupted while it looks.
for my $error ('pg_cancel_backend')
{
	my ($plain, $plain_pid) = background();
	my ($tls, $tls_pid) = background(sslmode => 'require');
	my $offset = $server->log_offset;
	$holder->query_safe('BEGIN; LOCK TABLE pg_auth_members IN ACCESS EXCLUSIVE MODE');
	$dba->query_safe($label);
	if ($error eq 'pg_cancel_backend')
	{
		wait_until($holder, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND pid = $worker");
		$holder->query_safe("SELECT pg_cancel_backend($worker)");
	}
	$server->wait_for_log(qr/ERROR:  canceling statement due to user request/, $offset);
	wait_until($holder, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND pid = $worker");
	ok(1, "$error: the worker tries again");
	$holder->query_safe('COMMIT');
	ok(is_gone($plain_pid), "$error: and ends the session");
	is(is_live($tls_pid), 1, "$error: but not the one beside it");
	is($server->sql($worker_sql), $worker, "$error: the worker is the same");
	unlike($server->log_since($offset), qr/WARNING|FATAL:  (?!terminating connection)/, "$error: it has left nothing behind");
	eval { $plain->quit };
	$tls->quit;
	label(undef);
}

# while it has nothing to do
{
	my ($plain, $plain_pid) = background();
	$server->sql("SELECT pg_cancel_backend($worker)");
	label('sslmode=require');
	ok(is_gone($plain_pid), 'a worker that is cancelled between two rechecks');
	eval { $plain->quit };
	label(undef);
}

# deadlock: somebody takes the catalogs in the other order
{
	my ($plain, $plain_pid) = background();
	my $offset = $server->log_offset;
	$holder->query_safe('BEGIN; LOCK TABLE pg_auth_members IN ACCESS EXCLUSIVE MODE');
	$dba->query_safe($label);
	wait_until($holder, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND pid = ($worker_sql)");
	$holder->query_safe('LOCK TABLE pg_shseclabel, pg_authid IN ACCESS EXCLUSIVE MODE; COMMIT');
	ok(is_gone($plain_pid), 'a worker that waits holds nothing that others want');
	unlike($server->log_since($offset), qr/deadlock/, 'no deadlock');
	eval { $plain->quit };
	label(undef);
}

# 6.  Without a session that policies apply to it would not read any.
sub worker_waits
{
	my ($concerned) = background();
	my ($session) = background(host => 'local', user => 'boss');
	$session->query_safe('BEGIN; LOCK TABLE pg_auth_members IN ACCESS EXCLUSIVE MODE');
	label('sslmode=require');
	wait_until($session, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND pid = ($worker_sql)");
	return ($session, $concerned);
}

sub process_ends
{
	my ($pid) = @_;
	for (1 .. 1000)
	{
		return 1 unless kill 0, $pid;
		usleep(20_000);
	}
	return 0;
}

$holder->quit;
$dba->quit;
for my $mode (qw(fast immediate))
{
	my @sessions = worker_waits();
	my $begin = time;
	$server->stop($mode);
	cmp_ok(time - $begin, '<', 10, "$mode shutdown while the worker waits");
	for my $session (@sessions) { eval { $session->quit } }
	$server->start;
	ok(!$server->login(%plain)->{ok}, 'the label is in force after the start');
	label(undef);
}
my @sessions = worker_waits();
my @all = split /\n/, $server->sql('SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()');
cmp_ok(scalar(@all), '>', 3, 'processes');
$node->kill9;
is(scalar(grep { !process_ends($_) } @all), 0, 'kill -9 of the postmaster while the worker waits: all processes end');
for my $session (@sessions) { eval { $session->quit } }
$server->start;
my ($plain, $plain_pid) = background(user => 'other');
$server->label(role => { other => 'sslmode=require' });
ok(is_gone($plain_pid), 'the worker works again');
eval { $plain->quit };
ok(table_is_right(), 'the table is right');
unlike($server->log_since(0), qr/PANIC|TRAP|terminated by signal (?!9)/, 'nothing crashed');

$server->stop;
done_testing();
