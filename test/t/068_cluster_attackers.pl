# Who can do what to the CAs and CRLs of every node, and to what is reported of nodes.
#
# 1. ordinary roles and grantees
# 2. the statement by hand
# 3. reports that are forged
# 4. what holds off the worker, or has it try again all the time
# 5. who waits, and who goes back before anything is in force
# 6. a commit that waits for a synchronous standby that it has cut off
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('primary', init => { allows_streaming => 1 });
my ($certs, $node) = ($server->certs, $server->node);
my $dir = $certs->{dir};
my $root = $certs->get('root');
my $other = $certs->ca('other', subject => '/CN=Other Root');
$certs->client('app', issuer => $root, subject => '/CN=app');
$server->start;
$server->sql(<<'SQL');
CREATE EXTENSION sslpolicy;
CREATE ROLE app LOGIN;
CREATE ROLE creator LOGIN CREATEROLE;
CREATE ROLE grantee LOGIN;
CREATE ROLE streamer LOGIN REPLICATION;
GRANT EXECUTE ON FUNCTION sslpolicy.set_ca(text, boolean), sslpolicy.set_crl(text, boolean), sslpolicy.rollback TO grantee;
SQL

my $superuser = $server->sql('SELECT rolname FROM pg_roles WHERE oid = 10');
my ($both, $only_other) = map { join '', map { slurp_file("$dir/$_.crt") } @$_ } [qw(root other)], ['other'];
my ($list, $later) = map { make_crl($certs, 'root', $_) } 1, 2;

sub fails
{
	my ($user, $sql, $expected, $name) = @_;
	my ($rc, undef, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql", on_error_stop => 1, extra_params => [ '-U', $user ]);
	like($rc == 0 ? 'no error' : $err, $expected, "$name: $user");
	return $err;
}
sub labels { return $server->sql(q{SELECT count(*) FROM pg_shseclabel WHERE provider IN ('sslpolicy_ca', 'sslpolicy_crl')}) }
sub by_hand { my ($kind, $text, $role) = @_; return "SECURITY LABEL FOR sslpolicy_$kind ON ROLE \"" . ($role // $superuser) . "\" IS '$text'" }

###############################################################################
# 1

for my $user (qw(app creator streamer))
{
	fails($user, "SELECT sslpolicy.set_ca('$both')", qr/42501: permission denied for function set_ca/, 'cannot set CAs');
	fails($user, "SELECT sslpolicy.set_crl('$list')", qr/42501: permission denied for function set_crl/, 'cannot set CRLs');
	fails($user, 'SELECT sslpolicy.wait_for_nodes()', qr/42501: permission denied for function wait_for_nodes/, 'does not wait for nodes');
	fails($user, 'SELECT * FROM sslpolicy.nodes', qr/42501: permission denied for view nodes/, 'sees no nodes');
	fails($user, by_hand(ca => $both), qr/42501: /, 'nor with SECURITY LABEL');
}
fails('grantee', "SELECT sslpolicy.set_ca('$both')", qr/42501: must be superuser to set the CAs of every node/, 'EXECUTE is not enough for set_ca()');
fails('grantee', 'SELECT sslpolicy.set_ca(NULL)', qr/42501: must be superuser to end the replication/, 'nor to end replication');
fails('grantee', "BEGIN; CREATE TEMP TABLE t (); SELECT sslpolicy.set_crl('$list')",
	qr/25001: permission denied to call set_crl\(\) in a transaction that has changed something/, 'only what is committed counts');
is(labels(), 0, 'nothing is replicated');
is($node->safe_psql('postgres', "SELECT count(*) FROM sslpolicy.set_crl('$later')", extra_params => [ '-U', 'grantee' ]), 1, 'a grantee sets a CRL for every node');
fails('grantee', "SELECT sslpolicy.set_crl('$list', force => true)", qr/ERROR: /, 'cannot go back to an older list');
fails('grantee', 'SELECT sslpolicy.set_crl(NULL, force => true)', qr/42501: must be superuser to end the replication/, 'and cannot end replication');
fails('grantee', "SELECT sslpolicy.rollback('crl', force => true)", qr/42501: must be superuser to roll back/, 'rolls nothing back');
$server->sql("SELECT sslpolicy.set_ca('$both')");
$server->sql('SELECT sslpolicy.wait_for_nodes()');

###############################################################################
# 2

fails($superuser, by_hand(ca => $only_other), qr/55006: security label of provider "sslpolicy_ca" would replace other TLS material/, 'SECURITY LABEL by hand does not replace what is in place');
fails($superuser, by_hand(crl => $list), qr/55006: security label of provider "sslpolicy_crl" would replace/, 'nor an old list the newer one');
fails($superuser, by_hand(ca => $both, 'app'), qr/can be set only on the bootstrap superuser/, 'on no other role');
my $offset = $server->log_offset;
my $key = slurp_file("$dir/app.key");
fails($superuser, by_hand(ca => "$both$key"), qr/there is a private key in the text/, 'a private key is not stored');
my ($middle) = $key =~ /\n(\S{40,})\n/;
unlike($server->log_since($offset), qr/\Q$middle\E/, 'and not logged');

###############################################################################
# 3

sub state_of { return $server->sql("SELECT string_agg(kind || ' ' || state || coalesce(' ' || detail, ''), ', ' ORDER BY kind) FROM sslpolicy.nodes WHERE node = '$_[0]'") }
sub report
{
	my ($user, $text) = @_;
	return $server->login(user => $user, sslmode => 'require', extra => "replication=true application_name='$text'", sql => 'IDENTIFY_SYSTEM');
}
sub node_text { my ($name, $id, $state) = @_; return "|$name,$id,0," . join(',', ("$state,,0,0,") x 2) }
my $mark = 'sslpolicy-report/1/1';

my $self = $server->sql('SELECT kind, state, wanted FROM sslpolicy.nodes WHERE is_self ORDER BY 1');
report($_, $mark . node_text('relay', 'a1', 'local') . node_text('below', 'b1', 'in~20force')) for qw(app creator grantee);
is(state_of('below') . state_of('relay'), '', 'a role without REPLICATION makes no report');
$server->login(user => 'streamer', sslmode => 'require', extra => "application_name='$mark" . node_text('relay', 'a1', 'local') . "'");
is(state_of('relay'), '', 'nor an ordinary connection');
$server->sql('ALTER ROLE streamer NOLOGIN');
report('streamer', $mark . node_text('relay', 'a1', 'local'));
is(state_of('relay'), '', 'nor a role that may not log in any more');
$server->sql('ALTER ROLE streamer LOGIN');
report('streamer', $mark . node_text('relay', 'a1', 'local') . node_text('below', 'b1', 'in~20force'));
like(state_of('relay'), qr/^ca gone .*, crl gone/, 'a role with REPLICATION can name any node, but not claim that it is connected');
like(state_of('below'), qr/^ca gone .*, crl gone/, 'nor that one below it is');
is($server->sql('SELECT kind, state, wanted FROM sslpolicy.nodes WHERE is_self ORDER BY 1'), $self, 'a report changes nothing on this node');
$offset = $server->log_offset;
report('streamer', $mark . node_text('x~0aLOG~3a  forged~1b', 'a2', 'local'));
is($server->sql(q{SELECT count(*) FROM sslpolicy.nodes WHERE node ~ '[^ -~]'}), 0, 'what it says is printable');
unlike($server->log_since($offset), qr/^LOG:  forged/m, 'and adds no line to the log');
for (['no state', node_text('n', 'a3', 'fine')], ['no number', node_text('n', 'g', 'local')], ['too few fields', '|n,a3,0'], ['no end', '|'], ['a bad escape', node_text('n~z', 'a3', 'local')],
	['too long', node_text('n', 'a3', 'local') x 200])
{
	report('streamer', $mark . $_->[1]);
	is($server->sql(q{SELECT count(*) FROM sslpolicy.nodes WHERE node LIKE 'n%'}), 0, "no report: $_->[0]");
}
report('streamer', $mark . node_text("relay$_", "c$_", 'local') . join('', map { node_text('many', "d$_", 'failed') } 1 .. 40)) for 1 .. 4;
cmp_ok($server->sql('SELECT count(DISTINCT (node, reported_at)) FROM sslpolicy.nodes'), '<=', 65, 'no more made-up nodes are kept than there is room for');
ok($server->login(cert => 'app', sslmode => 'require')->{ok}, 'nobody is refused because of it');
is($server->sql('SELECT kind, state, wanted FROM sslpolicy.nodes WHERE is_self ORDER BY 1'), $self, 'and this node has what it had');

###############################################################################
# 4

# with what is replicated now
sub await_state
{
	my ($kind, $state, $detail) = @_;
	return $node->poll_query_until('postgres',
		"SELECT state = '$state' AND coalesce(detail, '') ~ '" . ($detail // '') . "' FROM sslpolicy.nodes WHERE is_self AND kind = '$kind' AND wanted = "
		  . "(SELECT encode(sha256(convert_to(label, 'UTF8')), 'hex') FROM pg_shseclabel WHERE provider = 'sslpolicy_$kind')");
}
sub session { return $server->background(host => 'local', user => $superuser) }
sub set_crl { my ($number, %opt) = @_; return "SELECT count(*) FROM sslpolicy.set_crl('" . make_crl($certs, 'root', $number, %opt) . "')" }

# the worker is cancelled while it looks for a database
my ($locks, $sets) = (session(), session());
my $pid = $server->sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'sslpolicy'});
$sets->query($_) for 'BEGIN', set_crl(3);
$locks->query('BEGIN; LOCK TABLE pg_database');
$sets->query('COMMIT');
$sets->query("SELECT pg_cancel_backend($pid) FROM pg_locks WHERE pid = $pid AND NOT granted; SELECT pg_sleep(0.05)") for 1 .. 60;
$locks->query('COMMIT');
$_->quit for $locks, $sets;
ok(await_state('crl', 'in force'), 'an error of the worker loses nothing that is to be applied');

# a setting that whoever owned the database before may have left behind
my $own = $node->data_dir . '/sslpolicy';
$server->sql('ALTER DATABASE postgres SET exit_on_error = on');
append_to_file("$own/fail.written", '');
$offset = $server->log_offset;
$server->sql(set_crl(4));
ok(await_state('crl', 'failed', '^failed at written$'), 'with exit_on_error an error is still a state with its reason');
unlike($server->log_since($offset), qr/FATAL:  failed at written/, 'and not the end of the process');
unlink "$own/fail.written";
$server->sql('ALTER DATABASE postgres RESET ALL');
ok(await_state('crl', 'in force'), 'and what is the matter can be mended');

# a file that somebody else writes
my $file = $server->sql('SHOW ssl_ca_file');
$server->set('sslpolicy.install' => 'off');
my $held = slurp_file($file);
$certs->ca('third', subject => '/CN=Third Root');
append_to_file($file, slurp_file("$dir/third.crt"));
ok(await_state('ca', 'foreign', 'differs from what is replicated'), 'a CA more in the file is other material');
write_file($file, $held, $held);
ok(await_state('ca', 'foreign', 'matches what is replicated'), 'one that is there twice is not');
$server->set('sslpolicy.install' => undef);
ok(await_state('ca', 'in force'), 'and that file is put right');

# no database can be connected to
$node->append_conf('postgresql.conf', 'autovacuum = off');
my $base = $node->data_dir . '/base';
my @databases = grep { -d } glob "$base/[0-9]*";
$server->stop;
rename $_, "$_.away" or die for @databases;
$offset = $server->log_offset;
$server->start;
sleep 10;
my $attempts = () = $server->log_since($offset) =~ /background worker "sslpolicy apply" \(PID \d+\) exited with exit code 1/g;
cmp_ok($attempts, '>', 1, 'without a database it is tried again');
cmp_ok($attempts, '<=', 5, 'later each time');
$server->stop;
rename "$_.away", $_ or die for @databases;
$server->start;
ok(await_state($_, 'in force'), "in force when there is one: $_") for qw(ca crl);

###############################################################################
# 5

my $waiting = session();
$pid = $waiting->query('SELECT pg_backend_pid()');
my $most = sub { my ($kb) = slurp_file("/proc/$pid/status") =~ /^VmHWM:\s+(\d+) kB/m; return $kb };
append_to_file("$own/stop.written", '');
$server->sql(set_crl(5, fill => 20_000));
$waiting->query(q{SELECT count(*) FROM sslpolicy.wait_for_nodes('1s')});
my $before = $most->();
$waiting->query(q{SELECT count(*) FROM sslpolicy.wait_for_nodes('6s')});
cmp_ok($most->() - $before, '<', 10_000, 'who waits long for a long list takes no more memory');
$waiting->quit;
fails($superuser, q{SELECT sslpolicy.rollback('crl', force => true)}, qr/55000: replicated TLS material "crl" is not in force on this node/, 'nobody goes back from what is not in force');
unlink "$own/at.written";
ok(await_state('crl', 'in force'), 'it is in force in the end');
fails($superuser, 'BEGIN; ' . set_crl(6) . q{; SELECT sslpolicy.rollback('crl', force => true)}, qr/55000: /, 'nor in the transaction that has set it');
$server->sql(q{SELECT sslpolicy.rollback('crl', force => true)});
ok(await_state('crl', 'in force'), 'then one goes back');
is($server->sql('SELECT crl_number FROM sslpolicy.crls'), 4, 'to the version before');

###############################################################################
# 6

$server->set(synchronous_standby_names => 'nobody');
my $fingerprint = $certs->fingerprint("$dir/app.crt");
my ($in, $out) = ('', '');
my $mistake = IPC::Run::start([ 'psql', '-XqAt', '-d', $server->conninfo(host => 'local', user => $superuser), '-c', "SELECT sslpolicy.block_certificate('$fingerprint')" ], '<', \$in, '&>', \$out);
my $waits = q{FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query ~ 'block_certificate'};
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 $waits"), 'a commit waits for a standby that is cut off');
my $mend = "SET synchronous_commit = local; SET lock_timeout = '500ms'; SELECT sslpolicy.unblock_certificate('$fingerprint')";
fails($superuser, $mend, qr/55P03: /, 'what would mend that waits for it');
$server->sql("SELECT pg_cancel_backend(pid) $waits");
$mistake->finish;
like($out, qr/canceling wait for synchronous replication/, 'until the wait is cancelled');
is($server->sql($mend), '', 'then it is mended');
is($server->sql(q{SELECT count(*) FROM pg_shseclabel WHERE provider = 'sslpolicy_blocked'}), 0, 'and nothing is blocked');
$server->set(synchronous_standby_names => undef);

$server->stop;
done_testing();
