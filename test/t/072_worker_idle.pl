# What starts a recheck of live sessions, and what does not; and how often the worker
# looks while nothing happens.
#
# 1. without a session nothing does
# 2. a session, and all that it depends on: its role, groups at any depth, its database,
#    what holds for everybody; nothing else
# 3. changes that do not tell what they are of, and more than can be told apart
# 4. sessions that no recheck has seen
# 5. changes by hand, in the catalogs
# 6. many changes in a row
# 7. what wakes the worker; once a second if nothing does
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('idle', conf => <<'CONF');
sslpolicy.recheck_policy = terminate
sslpolicy.recheck_interval = 1h
max_prepared_transactions = 5
allow_system_table_mods = on
# VACUUM changes pg_database
autovacuum = off
log_min_messages = debug2
CONF
my $node = $server->node;
$server->start;
$server->sql(q{CREATE EXTENSION sslpolicy; CREATE DATABASE shop; CREATE DATABASE empty;
	CREATE ROLE app LOGIN; CREATE ROLE other LOGIN; CREATE ROLE nobodys_role;
	CREATE ROLE team; CREATE ROLE department; CREATE ROLE company;
	GRANT team TO app; GRANT department TO team; GRANT company TO department});
my $superuser = $server->sql(q{SELECT quote_ident(rolname) FROM pg_roles WHERE oid = 10});
my $worker = $server->sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'sslpolicy'});

# Which changes of catalogs start rechecks because of what sub does.  A reload starts one in
# any case: what has been committed before, the worker has seen until then.
sub started_by
{
	my ($do) = @_;
	my $offset = $server->log_offset;
	$do->();
	$server->sql('SELECT pg_reload_conf()');
	my $log = $server->wait_for_log(qr/live sessions are rechecked: [^\n]*settings/, $offset);
	my %causes = map { $_ => 1 } map { split /, / } $log =~ /live sessions are rechecked: (.*)/g;
	return join ', ', grep { /policies|memberships/ } sort keys %causes;
}

sub starts
{
	my ($sql, $expected) = @_;
	is(started_by(sub { $server->sql($sql) }), $expected // '', $sql . ($expected ? '' : ': nothing'));
	return;
}

my $roles = 'roles or their policies';
my $members = 'memberships of roles';
my $databases = 'databases or their policies';
sub label { my ($object, $policy) = @_; return "SECURITY LABEL FOR sslpolicy ON $object IS " . (defined $policy ? "'$policy'" : 'NULL') }

# 1.
started_by(sub { });
my $local = $server->background(host => 'local', sslmode => 'disable');
starts($_) for 'CREATE ROLE new', label('ROLE nobodys_role', 'sslmode=require'), label('ROLE app', 'sslmode=prefer'), 'ALTER ROLE app SUPERUSER',
	'ALTER ROLE app NOSUPERUSER', 'GRANT nobodys_role TO other', 'REVOKE nobodys_role FROM other', label('DATABASE shop', 'sslmode=prefer'), 'VACUUM FULL pg_authid',
	"SECURITY LABEL FOR sslpolicy_default ON ROLE $superuser IS 'sslmode=prefer'";

# 2.
my $session = $server->background(db => 'shop', sslmode => 'require');
started_by(sub { });
starts(label('ROLE nobodys_role', $_)) for 'sslmode=prefer', undef;
starts($_) for 'CREATE ROLE new2', 'ALTER ROLE other SUPERUSER', 'ALTER ROLE other NOSUPERUSER', 'ALTER ROLE nobodys_role RENAME TO unknown', 'ALTER ROLE unknown RENAME TO nobodys_role', 'DROP ROLE new2',
	label('DATABASE empty', 'sslmode=reject'), 'ALTER DATABASE empty RENAME TO void', 'DROP DATABASE void', 'CREATE TABLE t()';
starts($_, $roles) for map({ label("ROLE $_", 'sslmode=require') } qw(app team department company)), map({ ("ALTER ROLE $_ LOGIN", "ALTER ROLE $_ NOLOGIN") } qw(team company)),
	'ALTER ROLE app SUPERUSER', 'ALTER ROLE app NOSUPERUSER', 'ALTER ROLE department RENAME TO division',
	"SECURITY LABEL FOR sslpolicy_default ON ROLE $superuser IS 'sslmode=require'", "SECURITY LABEL FOR sslpolicy_minimum ON ROLE $superuser IS 'sslmode=prefer'",
	"SECURITY LABEL FOR sslpolicy_blocked ON ROLE $superuser IS '" . 'ab' x 32 . "'";
starts(label('DATABASE shop', 'sslmode=require'), $databases);
starts($_, $members) for 'GRANT nobodys_role TO other', 'REVOKE nobodys_role FROM other';
starts('GRANT nobodys_role TO company', $members);
starts(label('ROLE nobodys_role', 'sslmode=require'), $roles);
starts('REVOKE nobodys_role FROM company', $members);
starts(label('ROLE nobodys_role', 'sslmode=reject'));
is(started_by(sub { $server->sql(q{BEGIN; } . label('ROLE app', 'sslmode=reject') . '; ROLLBACK') }), '', 'what is rolled back: nothing');

# 3.
starts('VACUUM FULL pg_authid', $roles);
starts('VACUUM FULL pg_auth_members', $members);
starts('VACUUM FULL pg_database', $databases);
starts(q{DO $$BEGIN FOR i IN 1..300 LOOP EXECUTE format('CREATE ROLE some%s', i); END LOOP; END$$});
{
	# they come all at once to a worker that waits for a lock, which CREATE ROLE does not take
	my $holder = $node->background_psql('postgres');
	$holder->query_safe('BEGIN; LOCK TABLE pg_shseclabel IN ACCESS EXCLUSIVE MODE');
	$server->sql('ALTER ROLE app CONNECTION LIMIT 100');
	$node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND pid = $worker") or die;
	$server->sql(q{DO $$BEGIN FOR i IN 1..1100 LOOP EXECUTE format('CREATE ROLE many%s', i); END LOOP; END$$});
	is(started_by(sub { $holder->query_safe('COMMIT') }), $roles, 'more than are told apart');
	$holder->quit;
}

# 4.
my $second = $server->background(user => 'other', sslmode => 'require');
starts('CREATE ROLE new3', $roles);
starts('CREATE ROLE new4');
$second->quit;
starts('CREATE ROLE new5');
$session->quit;
$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM sslpolicy.sessions WHERE usename = 'app' AND ssl}) or die;
starts($_) for 'CREATE ROLE new6', label('ROLE team', undef), 'GRANT nobodys_role TO new6';

# a login that has read its policies, and is not in yet
my $own = $node->data_dir . '/sslpolicy';
-d $own or mkdir $own or die "$own: $!";
chmod 0700, $own;
my $admin = $node->background_psql('postgres');
append_to_file("$own/stop.login_found", '');
my ($out, $err) = ('', '');
my $login = IPC::Run::start([ 'psql', '-X', '-d', $server->conninfo(user => 'other', sslmode => 'require'), '-c', 'SELECT pg_sleep(600)' ],
	'>', \$out, '2>', \$err, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
usleep(10_000) until -e "$own/at.login_found";
my $offset = $server->log_offset;
$admin->query_safe(label('ROLE other', 'sslmode=reject'));
$server->wait_for_log(qr/live sessions are rechecked: \Q$roles\E/, $offset);
unlink "$own/at.login_found";
$login->finish;
like($err, qr/terminating connection|does not meet|FATAL/, 'a login under way while its label is committed');
$server->sql(label('ROLE other', undef));

# 5.
sub is_ended
{
	my ($what, $do) = @_;
	my $doomed = $server->background(user => 'other', sslmode => 'require');
	my $pid = $doomed->query_safe('SELECT pg_backend_pid()');
	started_by(sub { });
	$do->();
	ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), $what);
	eval { $doomed->quit };
	return;
}
$server->sql(label('DATABASE postgres', 'sslmode=reject') . '; ALTER ROLE other SUPERUSER');
is_ended('pg_authid is changed by hand', sub { $server->sql(q{UPDATE pg_authid SET rolsuper = false WHERE rolname = 'other'}) });
$server->sql(label('DATABASE postgres', undef));
my $insert = q{INSERT INTO pg_shseclabel SELECT oid, 'pg_authid'::regclass, 'sslpolicy', 'sslmode=reject' FROM pg_authid WHERE rolname = 'other'};
{
	my $doomed = $server->background(user => 'other', sslmode => 'require');
	my $pid = $doomed->query_safe('SELECT pg_backend_pid()');
	started_by(sub { });
	$offset = $server->log_offset;
	$admin->query_safe("$insert; CREATE ROLE new7; GRANT nobodys_role TO new7");
	my $log = $server->wait_for_log(qr/\(PID $pid\) ended/, $offset);
	like($log, qr/live sessions are rechecked: \Q$members\E/, 'a label that is inserted by hand is noticed at the next recheck');
	eval { $doomed->quit };
	$server->sql(q{DELETE FROM pg_shseclabel WHERE label = 'sslmode=reject' AND objoid = 'other'::regrole});
}
$server->set('sslpolicy.recheck_interval' => '1');
is_ended('or after sslpolicy.recheck_interval', sub { $server->sql($insert) });
$server->sql(q{DELETE FROM pg_shseclabel WHERE label = 'sslmode=reject' AND objoid = 'other'::regrole});
$server->set('sslpolicy.recheck_interval' => '3600');

# 6.
is_ended('the last of many changes ends a session, too', sub {
	$admin->query_safe(label('ROLE other', $_ % 2 ? 'sslmode=require' : 'sslmode=prefer')) for 1 .. 100;
	$admin->query_safe(label('ROLE other', 'sslmode=reject'));
});

# 7.
sub wakes
{
	my ($sql) = @_;
	my $from = $server->log_offset;
	$admin->query_safe($sql);
	ok($node->wait_for_log(qr/the worker was woken/, $from), "it is woken by $sql");
	return;
}
wakes($_) for label('ROLE other', undef), 'CREATE ROLE new8', 'ALTER ROLE new8 LOGIN', 'GRANT new8 TO other', 'DROP OWNED BY new8', 'DROP ROLE new8', 'ALTER ROLE app RENAME TO application',
	'ALTER DATABASE shop RENAME TO store', q{DO 'BEGIN CREATE ROLE new9; END'};
$admin->query_safe(q{BEGIN; GRANT nobodys_role TO application; PREPARE TRANSACTION 'one'});
wakes(q{COMMIT PREPARED 'one'});

sub wake_ups { return (slurp_file("/proc/$worker/status") =~ /^voluntary_ctxt_switches:\s+(\d+)/m)[0] }

# seconds until it has woken up so many times
sub time_for
{
	my ($times) = @_;
	my $start = time;
	my $from = wake_ups();
	usleep(10_000) while wake_ups() < $from + $times;
	return time - $start;
}
SKIP:
{
	skip 'this system has no /proc', 2 if !-r "/proc/$worker/status";
	$admin->query_safe('CREATE ROLE new10');
	cmp_ok(time_for(20), '<', 12, 'after a change it looks ten times a second');
	my $looks = 0;
	$looks++ until time_for(4) > 3 || $looks > 50;
	cmp_ok($looks, '<=', 50, 'and then once a second');
}

$admin->quit;
$local->quit;
$server->stop;
done_testing;
