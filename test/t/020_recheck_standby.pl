# Live sessions on a hot standby, and sessions that replicate.
#
# 1. a label that is committed on the primary ends sessions on the standby, also
#    by COMMIT PREPARED, not one that is rolled back
# 2. sslpolicy.recheck() on the standby; its settings are its own
# 3. a lock of the primary that is replayed while the worker of the standby looks
# 4. physical and logical replication: a change of policy ends none, and is
#    logged; blocked_fingerprints does, unless recheck_revoked says not to
# 5. promotion
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use SSLPolicy::Server;

my $primary = SSLPolicy::Server->new('main', init => { allows_streaming => 'logical' }, conf => <<'CONF');
sslpolicy.recheck_policy = terminate
max_prepared_transactions = 5
CONF
my $certs = $primary->certs;
$certs->client($_, issuer => 'root', subject => "/CN=$_") for qw(rep decoder);
$primary->start;
$primary->sql('CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE other LOGIN; CREATE ROLE canary LOGIN;
	CREATE ROLE rep LOGIN REPLICATION; CREATE ROLE decoder LOGIN REPLICATION; CREATE ROLE team; CREATE ROLE boss SUPERUSER LOGIN;
	CREATE PUBLICATION everything');
my $standby = $primary->standby('follower');
my $upstream = $primary->conninfo(user => 'rep', cert => 'rep', sslmode => 'require', db => 'replication') =~ s/'/''/gr;
$standby->node->append_conf('postgresql.conf', "primary_conninfo = '$upstream'\nwal_retrieve_retry_interval = 200ms\n");
$standby->start;

my %plain = (sslmode => 'disable', extra => 'gssencmode=disable');
my $worker_sql = q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'sslpolicy'};

sub background
{
	my ($server, %opt) = @_;
	my $session = $server->background(%plain, %opt);
	$session->set_query_timer_restart;
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	chomp $pid;
	return ($session, $pid);
}

sub is_live { return $_[0]->sql("SELECT count(*) FROM pg_stat_activity WHERE pid = $_[1]") }
sub is_gone { return $_[0]->node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $_[1]") }
sub replay { $primary->sql($_[0]); return $primary->node->wait_for_catchup($standby->node) }
sub label { return "SECURITY LABEL FOR sslpolicy ON ROLE $_[0] IS " . (defined $_[1] ? "'$_[1]'" : 'NULL') }

# Wait until a worker has seen what was committed on the primary before.
sub rechecked
{
	my ($server) = @_;
	my ($session, $pid) = background($server, user => 'canary');
	$primary->sql(label(canary => 'sslmode=reject'));
	is_gone($server, $pid) or die 'no recheck';
	eval { $session->quit };
	replay(label('canary'));
	return;
}

# 1
my $worker = $standby->sql($worker_sql);
like($worker, qr/^\d+$/, 'the worker runs on a standby');
my ($plain, $plain_pid) = background($standby);
my ($tls, $tls_pid) = background($standby, sslmode => 'require');
my ($other, $other_pid) = background($standby, user => 'other');
my ($local, $local_pid) = background($standby, host => 'local');
replay('BEGIN; ' . label(app => 'sslmode=reject') . '; ROLLBACK');
replay('BEGIN; SAVEPOINT a; ' . label(app => 'sslmode=reject') . '; ROLLBACK TO a; GRANT team TO app; COMMIT');
rechecked($standby);
is(is_live($standby, $plain_pid), 1, 'rolled back on the primary: ends nobody');
$primary->sql(label(app => 'sslmode=require'));
ok(is_gone($standby, $plain_pid), 'a label of the primary ends a session of the standby');
eval { $plain->quit };
is(is_live($standby, $_->[1]), 1, "$_->[0] stays") for [ 'one that complies', $tls_pid ], [ 'another role', $other_pid ], [ 'a Unix socket', $local_pid ];
is($standby->sql("SELECT usename, cause, changed, reasons FROM sslpolicy.ended_sessions WHERE pid = $plain_pid"),
	'app|policy|roles or their policies|{"sslmode=require (policy of role \"app\", rule 1)"}', 'the standby has the note');
is($primary->sql('SELECT count(*) FROM sslpolicy.ended_sessions'), 0, 'and the primary has none');

replay('BEGIN; ' . label(app => 'sslmode=verify-ca') . q{; PREPARE TRANSACTION 'one'});
rechecked($standby);
is(is_live($standby, $tls_pid), 1, 'a prepared label ends nobody');
$primary->sql(q{COMMIT PREPARED 'one'});
ok(is_gone($standby, $tls_pid), 'COMMIT PREPARED on the primary does');
eval { $tls->quit };
replay(label('app'));
($plain, $plain_pid) = background($standby);
$primary->sql(label(team => 'sslmode=require'));
ok(is_gone($standby, $plain_pid), 'the label of a group');
eval { $plain->quit };
replay(label('team'));
($plain, $plain_pid) = background($standby);
replay('REVOKE team FROM app; ' . label(team => 'sslmode=reject'));
$primary->sql('GRANT team TO app');
ok(is_gone($standby, $plain_pid), 'GRANT');
eval { $plain->quit };
replay('REVOKE team FROM app');

# 2
($plain, $plain_pid) = background($standby);
$standby->set('sslpolicy.recheck_policy' => 'log');
my $offset = $standby->log_offset;
replay(label(app => 'sslmode=require'));
$standby->wait_for_log(qr/session of role "app" \(PID $plain_pid\) would be ended/, $offset);
is($standby->sql("SELECT ok, reasons, ended FROM sslpolicy.recheck(true) WHERE pid = $plain_pid"),
	'f|{"sslmode=require (policy of role \"app\", rule 1)"}|f', 'recheck(true) on the standby');
is($standby->sql("SELECT ok, ended FROM sslpolicy.recheck() WHERE pid = $plain_pid"), 'f|f', 'recheck() ends nobody with recheck_policy = log');
is(is_live($standby, $plain_pid), 1, 'who is still there');
my ($waiting, $waiting_pid) = background($primary, user => 'canary');
$standby->set('sslpolicy.recheck_policy' => 'terminate');
ok(is_gone($standby, $plain_pid), 'a setting of the standby counts there');
eval { $plain->quit };
$standby->set('sslpolicy.minimum_policy' => 'sslmode=require');
ok(is_gone($standby, $other_pid), 'so does minimum_policy');
eval { $other->quit };
is(is_live($primary, $waiting_pid), 1, 'and not on the primary');
$waiting->quit;
$standby->set('sslpolicy.minimum_policy' => undef);
replay(label('app'));

# 3
($plain, $plain_pid) = background($standby);
my ($holder) = background($primary, host => 'local', user => 'boss');
$holder->query_safe('BEGIN; LOCK TABLE pg_shseclabel IN ACCESS EXCLUSIVE MODE');
replay('CREATE ROLE more');
ok($standby->node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND pid = $worker"), 'the worker of the standby waits for a lock of the primary');
$offset = $standby->log_offset;
$standby->sql("SELECT pg_cancel_backend($worker)");
$standby->wait_for_log(qr/ERROR:  canceling statement due to user request/, $offset);
$holder->query_safe(label(app => 'sslmode=require') . '; COMMIT');
ok(is_gone($standby, $plain_pid), 'and goes on afterwards');
eval { $plain->quit };
$holder->quit;
is($standby->sql($worker_sql), $worker, 'it is the same worker');
replay(label('app'));

# 4
my ($out, $err) = ('', '');
$primary->sql(q{SELECT pg_create_logical_replication_slot('decoded', 'pgoutput')});
my $decoding = IPC::Run::start([ 'pg_recvlogical', '-d', $primary->conninfo(user => 'decoder', cert => 'decoder', sslmode => 'require'),
	'--slot', 'decoded', '--start', '--no-loop', '-f', '-', '-o', 'proto_version=1', '-o', 'publication_names=everything' ], '<', \undef, '>', \$out, '2>', \$err);
my $walsenders = q{SELECT usename, pid FROM pg_stat_replication ORDER BY 1};
$primary->node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM pg_stat_replication WHERE usename IN ('rep', 'decoder')}) or die $err;
my %pid = split /[|\n]/, $primary->sql($walsenders);
my ($idle, $idle_pid) = background($primary, user => 'decoder', extra => 'gssencmode=disable replication=database');
my $before = $primary->sql($walsenders);
$offset = $primary->log_offset;
$primary->sql(label(rep => 'sslmode=reject') . '; ' . label(decoder => 'sslmode=reject'));
for ([ rep => $pid{rep} ], [ decoder => $pid{decoder} ], [ decoder => $idle_pid ])
{
	$primary->wait_for_log(qr/session of role "$_->[0]" \(PID $_->[1]\) would be ended: it does not meet its TLS policy any more/, $offset);
}
rechecked($primary);
($plain, $plain_pid) = background($primary);
$primary->set('sslpolicy.minimum_policy' => 'sslmode=reject');
is_gone($primary, $plain_pid) or die;
eval { $plain->quit };
is($primary->sql($walsenders), $before, 'a change of policy ends no replication');
is(is_live($primary, $idle_pid), 1, 'nor an idle replication connection');
is($primary->sql("SELECT string_agg(DISTINCT compliant::text, ',') FROM sslpolicy.sessions WHERE pid IN ($pid{rep}, $pid{decoder}, $idle_pid)"), 'false', 'but it is shown');
is(() = $primary->log_since($offset) =~ /\(PID $pid{rep}\) would be ended/g, 1, 'and logged once');
is($primary->sql("SELECT count(*) FROM sslpolicy.recheck() WHERE ended"), 0, 'recheck() ends none either');
is($primary->sql("SELECT count(*) FROM sslpolicy.ended_sessions WHERE usename IN ('rep', 'decoder')"), 0, 'there is no note');
$primary->set('sslpolicy.minimum_policy' => undef);
$primary->sql(label('rep') . '; ' . label('decoder'));
$primary->node->poll_query_until('postgres', "SELECT bool_and(compliant) FROM sslpolicy.sessions WHERE usename IN ('rep', 'decoder')") or die;
$idle->quit;
is_gone($primary, $idle_pid) or die;
$before = $primary->sql($walsenders);

my $both = join ', ', map { $certs->get($_)->{fingerprint} } qw(rep decoder);
$primary->set('sslpolicy.recheck_revoked' => 'off');
$offset = $primary->log_offset;
$primary->set('sslpolicy.blocked_fingerprints' => $both);
rechecked($primary);
unlike($primary->log_since($offset), qr/certificate is in sslpolicy/, 'recheck_revoked = off says nothing');
is($primary->sql($walsenders), $before, 'and ends nobody');
$primary->set('sslpolicy.recheck_revoked' => 'log');
$primary->wait_for_log(qr/session of role "$_" \(PID $pid{$_}\) would be ended: its client certificate is in sslpolicy\.blocked_fingerprints/, $offset) for qw(rep decoder);
rechecked($primary);
is($primary->sql($walsenders), $before, 'recheck_revoked = log ends nobody');
is(() = $primary->log_since($offset) =~ /would be ended: its client certificate is in sslpolicy\.blocked_fingerprints/g, 2, 'and logs each once');
$primary->set('sslpolicy.recheck_revoked' => undef);
ok(is_gone($primary, $pid{$_}), "$_ is ended, being blocked") for qw(rep decoder);
$decoding->finish;
like($err, qr/terminating connection due to administrator command/, 'pg_recvlogical learns it');
is($primary->sql("SELECT string_agg(DISTINCT usename || ' ' || cause, ', ') FROM sslpolicy.ended_sessions WHERE usename IN ('rep', 'decoder')"),
	'decoder blocked, rep blocked', 'the notes');
$primary->wait_for_log(qr/client certificate of role "rep" is in sslpolicy\.blocked_fingerprints/, $offset);
ok(1, 'and the standby is refused');
$primary->set('sslpolicy.blocked_fingerprints' => undef);
replay('CREATE ROLE yet_another');
ok(1, 'until it is unblocked');

# 5
($plain, $plain_pid) = background($standby);
($tls, $tls_pid) = background($standby, sslmode => 'require');
$primary->stop;
$standby->node->promote;
$standby->node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
is($standby->sql($worker_sql), $worker, 'promotion: the worker is the same');
$standby->sql(label(app => 'sslmode=require'));
ok(is_gone($standby, $plain_pid), 'a label of the promoted server ends a session from before');
is(is_live($standby, $_), 1, 'others stay') for $tls_pid, $local_pid;
eval { $plain->quit };
$standby->sql('BEGIN; ' . label(app => 'sslmode=verify-ca') . q{; PREPARE TRANSACTION 'two'});
$standby->sql(q{COMMIT PREPARED 'two'});
ok(is_gone($standby, $tls_pid), 'COMMIT PREPARED there');
eval { $tls->quit };
$local->quit;
unlike($standby->log_since(0) . $primary->log_since(0), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');

$standby->stop;
done_testing();
