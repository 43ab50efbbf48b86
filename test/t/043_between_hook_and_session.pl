# Between the login hook and the session: core looks up role and database by their
# names after the hook has, and may find others.  The process is stopped at two
# points of the hook: when it has found role and database, and when it has let the
# session in.
#
# 1. a role or a database that is created while somebody logs in as that role, or to
#    that database: refused as core refuses it, and noted once
# 2. roles that change their names while somebody logs in: the session is judged by
#    the policy of the role that it is, and ended, whatever recheck_policy says
# 3. databases that change their names, likewise
# 4. who turns out to meet its policy stays, as the role that it is; who is refused
#    with enforcement=log, or through a Unix socket, stays
# 5. a role that is dropped and made anew under the same name
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('between', init => { allows_streaming => 1 },
	conf => "sslpolicy.recheck_policy = terminate\n");
my $node = $server->node;
$server->start;
$server->sql(q{CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN REPLICATION; CREATE ROLE other LOGIN;
	CREATE ROLE free LOGIN REPLICATION; CREATE ROLE bound LOGIN REPLICATION; CREATE DATABASE db_free; CREATE DATABASE db_bound});
my $own = $node->data_dir . '/sslpolicy';
-d $own or mkdir $own or die "$own: $!";
chmod 0700, $own;

my %plain = (sslmode => 'disable', extra => 'gssencmode=disable');
# all that is asked while a login is stopped: the next login would be stopped as well
my $admin = $server->background(host => 'local', sslmode => 'prefer', user => scalar getpwuid $>);
$admin->set_query_timer_restart;
sub ask { my $out = $admin->query_safe($_[0]); chomp $out; return $out }

sub await
{
	my ($what, $condition) = @_;
	for (1 .. $PostgreSQL::Test::Utils::timeout_default * 100)
	{
		return 1 if $condition->();
		usleep(10_000);
	}
	die "$what: waited in vain";
}
sub await_sql { my ($sql) = @_; return await($sql, sub { ask($sql) eq 't' }) }

my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
my $clients = PostgreSQL::Test::Utils::tempdir('clients') . '/clients';
chomp(my ($include, $lib) = map { `$pg_config --$_` } qw(includedir libdir));
system("gcc -O1 -I$include test/modules/clients.c -o $clients -L$lib -lpq") == 0 or die 'clients does not compile';

# A client that does nothing, whatever becomes of it.
sub idle
{
	my (%opt) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ $clients, 'hold', $server->conninfo(%opt) ], '<', \undef, '>', \$out, '2>', \$err);
	return { ok => $out =~ /^alive/ ? 1 : 0, out => $out, err => "$out$err" };
}

# Log in as %opt, stop at the point, do what there is to do, and go on.  Returns a
# function that waits for the end of the client, and its backend's pid.
sub login_stopped_at
{
	my ($point, $meanwhile, %opt) = @_;
	append_to_file("$own/stop.$point", '');
	pipe my $read, my $write or die $!;
	my $pid = fork // die "fork: $!";
	if (!$pid)
	{
		my $result = $opt{idle} ? idle(%plain, %opt) : $server->login(%plain, sql => 'SELECT pg_sleep(600)', %opt);
		print $write join "\0", @$result{qw(ok out err)};
		close $write;
		require POSIX;
		POSIX::_exit(0);
	}
	close $write;
	await("a login at $point", sub { -e "$own/at.$point" });
	$meanwhile->();
	unlink "$own/at.$point" or die $!;
	return sub {
		local $/;
		my %result;
		@result{qw(ok out err)} = split /\0/, <$read>, -1;
		waitpid $pid, 0;
		return \%result;
	};
}

sub fatal { my ($result) = @_; return $result->{err} =~ s/\A.*?(FATAL: .*?)\n.*/$1/sr }

###############################################################################
# 1. What the hook does not find

my $label = q{SECURITY LABEL FOR sslpolicy ON ROLE newcomer IS 'sslmode=verify-full'};
my %kinds = (
	'without TLS' => [],
	'with TLS' => [ sslmode => 'require' ],
	'through a Unix socket' => [ host => 'local' ],
	'physical replication' => [ extra => 'replication=true', sql => 'IDENTIFY_SYSTEM' ],
	'logical replication' => [ extra => 'replication=database', sql => 'IDENTIFY_SYSTEM' ]);
for my $enforcement ('enforce', 'log', 'off')
{
	$server->set('sslpolicy.enforcement' => $enforcement);
	for my $kind (sort keys %kinds)
	{
		my $name = "enforcement=$enforcement, $kind";
		ask('SELECT sslpolicy.reset_statistics()');
		my $result = login_stopped_at('login_found', sub { ask("BEGIN; CREATE ROLE newcomer LOGIN REPLICATION; $label; COMMIT") },
			user => 'newcomer', @{ $kinds{$kind} })->();
		is(fatal($result), 'FATAL:  role "newcomer" does not exist', "$name: a role that is being created");
		await_sql(q(SELECT count(*) > 0 FROM sslpolicy.rejections));
		is(ask('SELECT count(*), sum(count), min(source), min(reasons::text) FROM sslpolicy.rejections'),
			'1|1|server|{"role \"newcomer\" does not exist"}', "$name: noted once, as core's");
		is(ask('SELECT sum(refused), sum(allowed) FROM sslpolicy.statistics'), '1|0', "$name: and counted once");
		is(ask(q(SELECT count(*) FROM sslpolicy.sessions WHERE pid <> pg_backend_pid())), '0', "$name: it is no session");
		ask('DROP ROLE newcomer');
		next if $kind eq 'physical replication';

		$result = login_stopped_at('login_found', sub { ask('CREATE DATABASE new_db') }, db => 'new_db', @{ $kinds{$kind} })->();
		is(fatal($result), 'FATAL:  database "new_db" does not exist', "$name: a database that is being created");
		is(ask(q(SELECT count(*) FROM sslpolicy.sessions WHERE pid <> pg_backend_pid())), '0', "$name: it is no session, either");
		ask('DROP DATABASE new_db');
	}
	ok($server->login(%plain, extra => 'gssencmode=disable replication=true', sql => 'IDENTIFY_SYSTEM', db => 'nowhere')->{ok}, "enforcement=$enforcement: physical replication needs no database");
}
$server->set('sslpolicy.enforcement' => undef);
$server->set('sslpolicy.default_policy' => 'sslmode=require');
like(fatal(login_stopped_at('login_found', sub { ask('CREATE ROLE newcomer LOGIN') }, user => 'newcomer')->()),
	qr/connection of role "newcomer" does not meet its TLS policy/, 'policies come first, and say nothing of whether there is the role');
ask('DROP ROLE newcomer');
$server->set('sslpolicy.default_policy' => undef);

###############################################################################
# 2, 3. Others of the same name

$server->label(role => { bound => 'sslmode=require', other => 'sslmode=prefer' }, database => { db_bound => 'sslmode=require' });

sub swap
{
	my ($type, $from, $to) = @_;
	return ask("ALTER $type $from RENAME TO aside; ALTER $type $to RENAME TO $from; ALTER $type aside RENAME TO $to");
}

# Returns a function that waits until the worker has looked at all sessions: at one
# that does not comply any more it says so.
sub witness
{
	my $witness = $server->background(%plain, user => 'other');
	my $pid = $witness->query_safe('SELECT pg_backend_pid()');
	chomp $pid;
	return sub {
		my $offset = $server->log_offset;
		$server->label(role => { other => 'sslmode=reject' });
		$server->wait_for_log(qr/session of role "other" \(PID $pid\) (?:would be )?ended/, $offset);
		$server->label(role => { other => 'sslmode=prefer' });
		eval { $witness->quit };
		return;
	};
}
sub worker_has_looked { return witness()->() }

my $ended = qr/LOG:  session of role "free" \(PID \d+\) ended: its login was judged for another role or database, and it does not meet its TLS policy\n.*?required: sslmode=require \(policy of role "free", rule 1\)/s;
for my $point ('login_found', 'login_admitted')
{
	for my $recheck ('off', 'log', 'terminate')
	{
		$server->set('sslpolicy.recheck_policy' => $recheck);
		for my $kind ('without TLS', 'physical replication', 'logical replication')
		{
			my $name = "$point, recheck_policy=$recheck, $kind";
			my $offset = $server->log_offset;
			# a transaction does not keep it
			my $witness = $recheck eq 'off' ? sub { } : witness();
			# the worker has seen that roles have changed, and the session's is not known yet
			my $wait = login_stopped_at($point, sub { swap('ROLE', 'free', 'bound'); $witness->() }, @{ $kinds{$kind} }, user => 'free',
				$kind eq 'physical replication' ? (idle => 1) : (sql => 'SELECT pg_sleep(600)'));
			$server->wait_for_log($ended, $offset);
			my $result = $wait->();
			ok(!$result->{ok}, "$name: a role that takes the name of another meanwhile is ended") or diag($result->{out});
			is(ask(q(SELECT usename, cause FROM sslpolicy.ended_sessions ORDER BY at DESC LIMIT 1)), 'free|policy', "$name: and noted");
			swap('ROLE', 'free', 'bound');
		}
		my $name = "$point, recheck_policy=$recheck";
		my $offset = $server->log_offset;
		my $witness = $recheck eq 'off' ? sub { } : witness();
		my $wait = login_stopped_at($point, sub { swap('DATABASE', 'db_free', 'db_bound'); $witness->() }, db => 'db_free');
		$server->wait_for_log(qr/LOG:  session of role "app" \(PID \d+\) ended: its login was judged for another role or database/, $offset);
		like($wait->()->{err}, qr/terminating connection|server closed/, "$name: a database that takes the name of another meanwhile");
		await_sql(q(SELECT count(*) = 0 FROM pg_stat_activity WHERE datname LIKE 'db\_%'));
		swap('DATABASE', 'db_free', 'db_bound');
	}
}

###############################################################################
# 4. Who stays

# log in as a role whose name changes hands, and return the pid
sub session_swapped
{
	my ($point, %opt) = @_;
	my $wait = login_stopped_at($point, sub { swap('ROLE', 'free', 'bound') }, user => 'free', %opt);
	await_sql(q(SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%pg\_sleep(600)' AND state = 'active'));
	return ($wait, ask(q(SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg\_sleep(600)')));
}

sub end_it
{
	my ($wait, $pid) = @_;
	ask("SELECT pg_terminate_backend($pid)");
	$wait->();
	await_sql("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid");
	return;
}

# what follows is about sessions that are judged as all others are
$server->set('sslpolicy.terminate_grace' => 0);
for my $point ('login_found', 'login_admitted')
{
	$server->set('sslpolicy.recheck_policy' => 'terminate');
	my ($wait, $pid) = session_swapped($point, sslmode => 'require');
	worker_has_looked();
	is(ask("SELECT s.usename = 'free' AND a.usename = 'free', s.compliant FROM sslpolicy.sessions s JOIN pg_stat_activity a USING (pid) WHERE pid = $pid"), 't|t',
		"$point: who meets the policy of the role that it is stays, and is shown as that");
	is(ask("SELECT source FROM sslpolicy.explain_session($pid) WHERE requirement = 'sslmode'"), 'role "free"', "$point: explained by it");
	# that is what it is judged by from now on
	swap('ROLE', 'free', 'bound');
	$server->label(role => { bound => 'sslmode=verify-ca' });
	await_sql("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid");
	$server->label(role => { bound => 'sslmode=require' });
	$wait->();

	$server->set('sslpolicy.enforcement' => 'log');
	my $offset = $server->log_offset;
	($wait, $pid) = session_swapped($point);
	$server->wait_for_log(qr/session of role "free" \(PID $pid\) would be ended: its login was judged for another role or database/, $offset);
	is(ask("SELECT compliant FROM sslpolicy.sessions WHERE pid = $pid"), 'f', "$point: with enforcement=log it is reported, and stays");
	end_it($wait, $pid);
	swap('ROLE', 'free', 'bound');
	$server->set('sslpolicy.enforcement' => undef);

	($wait, $pid) = session_swapped($point, host => 'local');
	worker_has_looked();
	is(ask("SELECT s.usename = 'free' AND a.usename = 'free' FROM sslpolicy.sessions s JOIN pg_stat_activity a USING (pid) WHERE pid = $pid"), 't',
		"$point: through a Unix socket it stays");
	end_it($wait, $pid);
	swap('ROLE', 'free', 'bound');

	# nobody is judged now, and by the right role as soon as somebody is
	$server->set('sslpolicy.enforcement' => 'off');
	($wait, $pid) = session_swapped($point);
	$server->set('sslpolicy.enforcement' => undef);
	await_sql("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid");
	pass("$point: with enforcement=off it stays until policies are enforced");
	$wait->();
	swap('ROLE', 'free', 'bound');
}

###############################################################################
# 5. Dropped and made anew

for my $point ('login_found', 'login_admitted')
{
	$server->set('sslpolicy.recheck_policy' => 'log');
	ask('CREATE ROLE fleeting LOGIN');
	my $wait = login_stopped_at($point, sub { ask(q(BEGIN; DROP ROLE fleeting; CREATE ROLE fleeting LOGIN; SECURITY LABEL FOR sslpolicy ON ROLE fleeting IS 'sslmode=require'; COMMIT)) }, user => 'fleeting');
	like($wait->()->{err}, qr/terminating connection|server closed/, "$point: a role that is dropped and made anew under a policy");
	ask('DROP ROLE fleeting');
	ask('CREATE ROLE fleeting LOGIN');
	is(fatal(login_stopped_at($point, sub { ask('DROP ROLE fleeting') }, user => 'fleeting')->()), 'FATAL:  role "fleeting" does not exist', "$point: one that is dropped");
	ask('CREATE DATABASE fleeting');
	is(fatal(login_stopped_at($point, sub { ask('DROP DATABASE fleeting') }, db => 'fleeting')->()), 'FATAL:  database "fleeting" does not exist', "$point: a database that is dropped");
}

$admin->quit;
unlike($server->log_since(0), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$server->stop;
done_testing();
