# Live sessions are rechecked: each cause that wakes the worker, with a session
# that must end and one beside it that must stay.
#
# 1. labels: by SECURITY LABEL, rolled back, by COMMIT PREPARED, of a database
# 2. memberships and attributes of roles
# 3. settings: default_policy, minimum_policy, blocked_fingerprints
# 4. recheck_policy = log and off, enforcement = log, action=log, Unix sockets
# 5. terminate_grace
# 6. on_expiry=end
# 7. sslpolicy.recheck(), its dry run, privileges
# 8. the worker itself: errors, crash, shutdown, max_worker_processes
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('recheck', conf => <<'CONF');
sslpolicy.recheck_policy = terminate
max_prepared_transactions = 5
CONF
my $certs = $server->certs;
my $node = $server->node;
$certs->client('app', issuer => 'root', subject => '/CN=app');
$certs->client('app2', issuer => 'root', subject => '/CN=app');
$certs->client('other', issuer => 'root', subject => '/CN=other');
$server->start;
$server->sql(q{CREATE EXTENSION sslpolicy;
	CREATE ROLE app LOGIN; CREATE ROLE other LOGIN; CREATE ROLE canary LOGIN; CREATE ROLE team NOLOGIN; CREATE ROLE inner_team NOLOGIN;
	GRANT inner_team TO team; CREATE DATABASE shop; CREATE ROLE boss SUPERUSER LOGIN;
	GRANT EXECUTE ON FUNCTION sslpolicy.recheck TO other});

my %live;

# Open a session, and remember its pid under a name.
sub open_session
{
	my ($name, %opt) = @_;
	my $session = $server->background(user => 'app', sslmode => 'require', %opt);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	chomp $pid;
	$live{$name} = { session => $session, pid => $pid };
	return $pid;
}

sub is_live { return $server->sql("SELECT count(*) FROM pg_stat_activity WHERE pid = $live{$_[0]}{pid}") }

sub close_session
{
	my $session = delete($live{ $_[0] })->{session};
	eval { $session->quit };
	return;
}

# Sessions end, and others stay, because of what sub does.
sub ends
{
	my ($what, $do, %expect) = @_;
	my $cause = $expect{cause} // 'policy';
	$do->();
	for my $name (@{ $expect{ends} })
	{
		ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $live{$name}{pid}"),
			"$what: $name is ended");
		is($server->sql("SELECT cause FROM sslpolicy.ended_sessions WHERE pid = $live{$name}{pid}"), $cause, "$what: and there is a note");
		close_session($name);
	}
	# whatever was to happen to others would have happened in the same recheck
	ok(is_live($_), "$what: $_ stays") for @{ $expect{stay} };
	return;
}

# Wait until the worker has gone through all sessions once more: a session ends
# for a change that is made now.
sub rechecked
{
	my $pid = open_session('canary', user => 'canary');
	$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE canary IS 'sslmode=reject'});
	$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid") or die;
	close_session('canary');
	$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE canary IS NULL});
	return;
}

# 1. labels
open_session('plain', sslmode => 'disable');
open_session('tls');
open_session('neighbour', user => 'other', sslmode => 'disable');
open_session('local', host => 'local', sslmode => 'disable');
is($server->sql(q{SELECT backend_type FROM pg_stat_activity WHERE backend_type = 'sslpolicy' AND datid IS NULL}), 'sslpolicy', 'the worker is in pg_stat_activity, in no database');

my $offset = $server->log_offset;
my $pid = $live{plain}{pid};
ends('label', sub { $server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=require'}) },
	ends => ['plain'], stay => [qw(tls neighbour local)]);
like($server->log_since($offset), qr/LOG:  session of role "app" \(PID $pid\) ended: it does not meet its TLS policy any more\n.*DETAIL:  Session: role="app" database="postgres" address=127.0.0.1 tls=none .*; required: sslmode=require \(policy of role "app", rule 1\); changed: roles or their policies[\w ,]*\./,
	'the log says who, and why');
is($server->sql("SELECT usename, datname, client_addr, cause, changed, reasons FROM sslpolicy.ended_sessions WHERE pid = $pid"),
	'app|postgres|127.0.0.1|policy|roles or their policies|{"sslmode=require (policy of role \"app\", rule 1)"}', 'and so does the note');

$server->sql(q{BEGIN; SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=reject'; ROLLBACK});
$server->sql(q{BEGIN; SAVEPOINT a; SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=reject'; ROLLBACK TO a; COMMIT});
rechecked();
ok(is_live('tls'), 'what is rolled back ends nobody');

$server->sql(q{BEGIN; SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=verify-ca'; PREPARE TRANSACTION 'one'});
open_session('cert', cert => 'app');
rechecked();
ok(is_live('tls'), 'nor what is prepared');
ends('COMMIT PREPARED', sub { $server->sql(q{COMMIT PREPARED 'one'}) }, ends => ['tls'], stay => ['cert', 'neighbour']);

open_session('in shop', db => 'shop', cert => 'app');
ends('label of a database', sub { $server->sql(q{SECURITY LABEL FOR sslpolicy ON DATABASE shop IS 'sslmode=reject'}) },
	ends => ['in shop'], stay => ['cert', 'neighbour']);
$server->sql(q{SECURITY LABEL FOR sslpolicy ON DATABASE shop IS NULL});

# after RENAME the name at login counts
$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=verify-full'; ALTER ROLE app RENAME TO application});
rechecked();
ok(is_live('cert'), 'a session goes on under the name that it has logged in with');
$server->sql(q{ALTER ROLE application RENAME TO app; SECURITY LABEL FOR sslpolicy ON ROLE app IS NULL});

# 2. memberships and attributes
$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE inner_team IS 'sslmode=verify-ca'});
open_session('tls');
rechecked();
ok(is_live('tls'), 'the label of a group binds no others');
ends('GRANT', sub { $server->sql('GRANT team TO app') }, ends => ['tls'], stay => ['cert', 'neighbour']);
$server->sql('ALTER ROLE inner_team LOGIN');
open_session('tls');
ends('ALTER ROLE NOLOGIN', sub { $server->sql('ALTER ROLE inner_team NOLOGIN') }, ends => ['tls'], stay => ['cert', 'neighbour']);
$server->sql('ALTER ROLE app SUPERUSER');
open_session('tls');
ends('ALTER ROLE NOSUPERUSER', sub { $server->sql('ALTER ROLE app NOSUPERUSER') }, ends => ['tls'], stay => ['cert', 'neighbour']);
$server->sql(q{REVOKE team FROM app});
$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=require'; SECURITY LABEL FOR sslpolicy ON ROLE other IS 'sslmode=prefer'});
$server->set('sslpolicy.default_policy' => 'sslmode=verify-ca');
open_session('tls');
ends('label removed', sub { $server->sql('SECURITY LABEL FOR sslpolicy ON ROLE app IS NULL') }, ends => ['tls'], stay => ['cert', 'neighbour']);

# 3. settings
$server->set('sslpolicy.default_policy' => undef);
$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE other IS NULL});
open_session('tls');
ends('minimum_policy', sub { $server->set('sslpolicy.minimum_policy' => 'sslmode=require') }, ends => ['neighbour'], stay => ['cert', 'tls', 'local']);
ends('default_policy', sub { $server->set('sslpolicy.default_policy' => 'sslmode=verify-ca') }, ends => ['tls'], stay => ['cert']);
$server->set('sslpolicy.default_policy' => undef, 'sslpolicy.minimum_policy' => undef);
open_session('second', cert => 'app2');
ends('blocked_fingerprints', sub { $server->set('sslpolicy.blocked_fingerprints' => $certs->get('app')->{fingerprint}) },
	ends => ['cert'], stay => ['second'], cause => 'blocked');
ends('a blocked CA', sub { $server->set('sslpolicy.blocked_fingerprints' => $certs->get('root')->{fingerprint}) },
	ends => ['second'], stay => ['local'], cause => 'blocked');
$server->set('sslpolicy.blocked_fingerprints' => undef);

# 4. what ends nobody
open_session('tls');
open_session('plain', sslmode => 'disable');
is($server->sql("SELECT string_agg(DISTINCT compliant::text, ',') FROM sslpolicy.sessions"), 'true', 'all comply');
for my $case (['sslpolicy.recheck_policy' => 'log'], ['sslpolicy.enforcement' => 'log'])
{
	$server->set(@$case);
	$offset = $server->log_offset;
	$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=require'});
	$server->wait_for_log(qr/session of role "app" \(PID $live{plain}{pid}\) would be ended: it does not meet/, $offset);
	ok(is_live('plain'), "@$case ends nobody");
	is($server->sql("SELECT count(*) FILTER (WHERE compliant), count(*) FILTER (WHERE NOT compliant) FROM sslpolicy.sessions WHERE pid IN ($live{plain}{pid}, $live{tls}{pid})"), '1|1', 'but compliant is kept up to date');
	$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE app IS NULL});
	$node->poll_query_until('postgres', "SELECT compliant FROM sslpolicy.sessions WHERE pid = $live{plain}{pid}") or die;
	is(() = $server->log_since($offset) =~ /would be ended/g, 1, 'and it is logged once');
	$server->set($case->[0] => $case->[0] =~ /recheck/ ? 'terminate' : undef);
}
$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=verify-full action=log; sslmode=prefer'});
rechecked();
ok(is_live('plain') && is_live('tls'), 'action=log ends nobody');
$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE app IS NULL});

# 5. grace
$live{plain}{session}->query_safe('BEGIN');
ends('one in a transaction', sub { $server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=reject'}) }, ends => ['tls'], stay => ['plain']);
is($server->sql("SELECT compliant FROM sslpolicy.sessions WHERE pid = $live{plain}{pid}"), 'f', 'it does not comply');
ends('after its transaction', sub { $live{plain}{session}->query_safe('COMMIT') }, ends => ['plain'], stay => ['local']);
$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE app IS NULL});
open_session('plain', sslmode => 'disable');
$live{plain}{session}->query_safe('BEGIN');
$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=reject'});
$node->poll_query_until('postgres', "SELECT NOT compliant FROM sslpolicy.sessions WHERE pid = $live{plain}{pid}") or die;
$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE app IS NULL});
$node->poll_query_until('postgres', "SELECT compliant FROM sslpolicy.sessions WHERE pid = $live{plain}{pid}") or die;
$live{plain}{session}->query_safe('COMMIT');
rechecked();
ok(is_live('plain'), 'a policy that is taken back in time ends nobody');
$live{plain}{session}->query_safe('BEGIN');
ends('no patience', sub { $server->set('sslpolicy.terminate_grace' => 0); $server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=reject'}) }, ends => ['plain'], stay => ['local']);
$server->set('sslpolicy.terminate_grace' => undef);
$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE app IS NULL});

# 6. expiry
$server->set('sslpolicy.recheck_policy' => 'log');
$certs->client('short', issuer => 'root', subject => '/CN=app', not_after => time + 8);
$server->sql(q{CREATE ROLE keeper LOGIN; SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=verify-ca on_expiry=end'});
open_session('short', cert => 'short');
open_session('kept', cert => 'short', user => 'keeper');
open_session('long', cert => 'app');
ends('on_expiry=end', sub { }, ends => ['short'], stay => ['kept', 'long'], cause => 'expired');
$offset = $server->log_offset;
$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE keeper IS 'sslmode=verify-ca on_expiry=end'});
$server->wait_for_log(qr/session of role "keeper" \(PID $live{kept}{pid}\) would be ended/, $offset);
ok(is_live('kept'), 'a policy that says so after the expiry is a changed policy');
$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE app IS NULL; SECURITY LABEL FOR sslpolicy ON ROLE keeper IS NULL});
close_session($_) for qw(kept);

# 7. recheck()
open_session('plain', sslmode => 'disable');
my $preview = $server->sql(qq{BEGIN; SELECT sslpolicy.set_policy('app', 'sslmode=verify-full');
	SELECT role, ok, reasons, ended FROM sslpolicy.recheck(true) WHERE pid IN ($live{plain}{pid}, $live{long}{pid}) ORDER BY ok; ROLLBACK});
is($preview =~ s/^\n//r, qq{app|f|{"sslmode=verify-full (policy of role \\"app\\", rule 1)","cn=app (policy of role \\"app\\", rule 1)"}|f\napp|t|{}|f}, 'the preview of a change');
ok(is_live('plain'), 'which ends nobody');
my (undef, undef, $err) = $node->psql('postgres', q{BEGIN; SELECT sslpolicy.set_policy('app', 'sslmode=verify-full'); SELECT sslpolicy.recheck()});
like($err, qr/ERROR:  sessions cannot be ended in a transaction that has changed something/, 'which must not end anybody');
like(($node->psql('postgres', 'SELECT sslpolicy.recheck(NULL)'))[2], qr/dry_run must not be null/, 'null');
like(($node->psql('postgres', 'SELECT sslpolicy.recheck()', extra_params => [ '-U', 'app' ]))[2], qr/permission denied for function recheck/, 'not for everybody');
is($server->sql("SELECT count(*) FROM sslpolicy.recheck() WHERE NOT ok"), '0', 'all comply');
is(($node->psql('postgres', "SELECT count(*) > 2 FROM sslpolicy.recheck(true)", extra_params => [ '-U', 'other' ]))[1], 't', 'it can be granted');
$server->set('sslpolicy.recheck_policy' => 'off');
$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=reject'});
is($server->sql("SELECT ok, ended FROM sslpolicy.recheck(true) WHERE pid = $live{plain}{pid}"), 'f|f', 'a dry run judges also with recheck_policy = off');
ok(is_live('plain'), 'which ends nobody');
ends('recheck()', sub { $server->set('sslpolicy.recheck_policy' => 'terminate'); }, ends => ['plain', 'long'], stay => ['local']);
$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE app IS NULL});

# A role that is dropped and made anew under its name is another one: the old session has
# the policies of a role without labels, whatever the new one has
$server->sql('CREATE ROLE crew NOLOGIN; CREATE ROLE fleeting LOGIN IN ROLE crew');
$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE crew IS 'sslmode=prefer'});
open_session('old', user => 'fleeting', sslmode => 'disable');
$server->sql(q{BEGIN; DROP ROLE fleeting; CREATE ROLE fleeting LOGIN IN ROLE crew;
	SECURITY LABEL FOR sslpolicy ON ROLE fleeting IS 'sslmode=require'; COMMIT});
$server->sql('SELECT FROM sslpolicy.recheck()');
is(is_live('old'), 1, 'role made anew: its policy does not end the session of the former one');
$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE crew IS 'sslmode=require'});
$server->sql('SELECT FROM sslpolicy.recheck()');
is(is_live('old'), 1, 'nor does that of its groups');
is($server->sql("SELECT compliant FROM sslpolicy.sessions WHERE pid = $live{old}{pid}"), 't', 'which complies');
ends('the default policy', sub { $server->set('sslpolicy.default_policy' => 'sslmode=require') }, ends => ['old'], stay => ['local']);
$server->set('sslpolicy.default_policy' => undef);
$server->sql('SECURITY LABEL FOR sslpolicy ON ROLE crew IS NULL; DROP ROLE fleeting; DROP ROLE crew');

# 8. the worker
my $worker = q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'sslpolicy'};
open_session('plain', sslmode => 'disable');
my $before = $server->sql($worker);
$server->sql("SELECT pg_terminate_backend($before)");
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM ($worker) w WHERE pid <> $before") or die;
ends('after the worker was ended', sub { $server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=require'}) }, ends => ['plain'], stay => ['local']);
$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE app IS NULL});

open_session('plain', sslmode => 'disable');
$offset = $server->log_offset;
$server->sql("BEGIN; LOCK TABLE pg_shseclabel; SELECT pg_cancel_backend(pid) FROM ($worker) w");
$server->sql(q{CREATE DATABASE copy TEMPLATE shop; DROP DATABASE copy});
ok(1, 'CREATE DATABASE ... TEMPLATE and DROP DATABASE go through');

# kill -9: the server starts again, and so does the worker
$before = $server->sql($worker);
$node->append_conf('postgresql.conf', 'restart_after_crash = on');
$server->restart;
%live = ();
$before = $server->sql($worker);
kill 'KILL', $before;
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM ($worker) w WHERE pid <> $before") or die;
open_session('plain', sslmode => 'disable');
open_session('tls');
ends('after kill -9 of the worker', sub { $server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=require'}) }, ends => ['plain'], stay => ['tls']);
close_session('tls');

$server->stop;
for my $workers (0, 1)
{
	$node->append_conf('postgresql.conf', "max_worker_processes = $workers");
	ok(!$node->start(fail_ok => 1), "no start without both workers: $workers");
	like(slurp_file($node->logfile), qr/FATAL:  no background worker is left for sslpolicy\n.*DETAIL:  max_worker_processes is $workers\. sslpolicy needs two\.\n.*HINT:  Raise max_worker_processes\./, 'and the log says why');
}

done_testing();
