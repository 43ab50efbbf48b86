# The states of a node, and what leads to each: on a primary, a standby, and a standby of
# that.  Files lie in a folder of their own on each node.
#
# 1. in force: once, not again and again; mended when a file is overwritten
# 2. foreign: install = off, a folder that the server may not write
# 3. newer; and failed, where there is no CRL at all
# 4. after a start: certificates wait for the first comparison
# 5. gone and silent, also below a standby
# 6. reports: ways to write primary_conninfo, limits, forged ones
# 7. worker slots, settings of roles and databases, databases
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $primary = SSLPolicy::Server->new('primary', init => { allows_streaming => 1 },
	conf => "sslpolicy.recheck_policy = terminate\nwal_receiver_status_interval = 1\nwal_retrieve_retry_interval = 100\n");
my $certs = $primary->certs;
my $dir = $certs->{dir};
my $root = $certs->get('root');
$certs->ca('new', subject => '/CN=New Root');
$certs->client($_, issuer => $root, subject => "/CN=$_") for qw(app bob);
my %folder;
# the bootstrap superuser, who runs the tests
my $owner = getpwuid $>;

# a folder for the CAs of a node, which is not started yet
sub own_folder
{
	my ($server) = @_;
	my $folder = $folder{ $server->{name} } = PostgreSQL::Test::Utils::tempdir($server->{name});
	chmod 0700, $folder;
	write_file("$folder/ca.crt", slurp_file("$dir/root.crt"));
	$server->node->append_conf('postgresql.conf', "ssl_ca_file = '$folder/ca.crt'");
	return;
}
own_folder($primary);
$primary->start;
$primary->sql('CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE monitor LOGIN IN ROLE pg_monitor; GRANT USAGE ON SCHEMA sslpolicy TO monitor');
my $standby = $primary->standby('standby');
own_folder($standby);
$standby->start;
my $cascade = $standby->standby('cascade');
own_folder($cascade);
$cascade->start;

sub pem { return join '', map { slurp_file("$dir/$_.crt") } @_ }
my $number = 0;
sub set_ca { $primary->sql("SELECT sslpolicy.set_ca('" . pem(@_) . "')"); return }
sub set_crl { my %opt = @_; $primary->sql("SELECT sslpolicy.set_crl('" . make_crl($certs, 'root', ++$number, %opt) . "')"); return }

# waits until a node is in a state, as another one sees it; returns the detail
sub await_state
{
	my ($name, $kind, $state, $on) = @_;
	$on //= $primary;
	my $where = "FROM sslpolicy.nodes WHERE node = '$name' AND kind = '$kind'";
	$on->node->poll_query_until('postgres', "SELECT count(*) = 1 $where AND state = '$state'")
	  or die "$name is not in state $state: " . $on->sql("SELECT state, detail $where");
	return $on->sql("SELECT coalesce(detail, '') $where AND state = '$state'");
}
sub state_is
{
	my ($name, $kind, $state, $detail, $test, $on) = @_;
	like(await_state($name, $kind, $state, $on), $detail, $test);
	return;
}
sub wait_for_all { return $primary->sql(q{SELECT DISTINCT state FROM sslpolicy.wait_for_nodes('60s') WHERE kind = 'ca'}) }
sub await { my ($what, $test) = @_; for (1 .. 6000) { return 1 if $test->(); select undef, undef, undef, 0.01 } die "gave up waiting for $what" }
sub refusal { my ($server, %opt) = @_; return $server->login(sslmode => 'require', %opt)->{err} }
my $self = $primary->sql('SELECT DISTINCT node FROM sslpolicy.nodes WHERE is_self');

###############################################################################
# 1

set_ca(qw(root));
set_crl();
is(wait_for_all(), 'in force', 'CAs and CRLs, on all nodes');
my $reloads = sub { my $log = slurp_file($_[0]->node->logfile); my $n = () = $log =~ /received SIGHUP/g; return $n };
for ($primary, $standby)
{
	my $before = $reloads->($_);
	# that nothing happens takes time to see
	$_->sql('SELECT pg_sleep(2)');
	is($reloads->($_) - $before, 0, "$_->{name}: then there is no reload any more");
	$_->sql('SELECT pg_reload_conf(); SELECT pg_sleep(2)');
	cmp_ok($reloads->($_) - $before, '<=', 2, "$_->{name}: and a reload leads to no other one");
}
for ($primary, $standby)
{
	my $path = "$folder{ $_->{name} }/ca.crt";
	my $text = slurp_file($path);
	write_file($path, pem('new'));
	ok(await('the old file', sub { slurp_file($path) eq $text }), "$_->{name}: an overwritten file is mended");
	my ($server, $offset) = ($_, $_->log_offset);
	unlink $path;
	$server->wait_for_log(qr/ERROR: .*\n.*could not (?:open|load)/, $offset);
	ok(1, "$server->{name}: one that was removed is a failure");
	write_file($path, $text);
	is(await_state($server == $primary ? $self : 'standby', $_, 'in force'), '', "$server->{name}: that is over when it is back: $_") for qw(ca crl);
}

###############################################################################
# 2

my $path = "$folder{standby}/ca.crt";
$standby->set('sslpolicy.install' => 'off');
state_is('standby', 'ca', 'foreign', qr/^the file of the node matches what is replicated; sslpolicy\.install is off$/, 'install = off, with the same');
set_ca(qw(root new));
$primary->node->poll_query_until('postgres', q{SELECT detail ~ '^the file of the node differs from what is replicated; ' FROM sslpolicy.nodes WHERE node = 'standby' AND kind = 'ca'}) or die;
ok(1, 'with other material');
is($primary->sql(q{SELECT count(*) FROM sslpolicy.nodes WHERE node = 'standby' AND detail ~ 'install is off'}), '2', 'superusers see the reason');
my $as_monitor = $primary->login(user => 'monitor', sslmode => 'require', sql => q{SELECT DISTINCT detail FROM sslpolicy.nodes WHERE node = 'standby'});
unlike($as_monitor->{out} . $as_monitor->{err}, qr/install is off/, 'pg_monitor does not');
like($as_monitor->{out}, qr/^the file of the node differs from what is replicated; the reason is shown only to superusers, and in the server log of the node$/m, 'but whether the file is another one');
write_file($path, pem(qw(root new)));
$primary->node->poll_query_until('postgres', q{SELECT detail ~ 'matches what is replicated' FROM sslpolicy.nodes WHERE node = 'standby' AND kind = 'ca'}) or die;
ok(1, 'and it is noticed when somebody else has written it');
$standby->set('sslpolicy.install' => undef);
is(await_state('standby', 'ca', 'in force'), '', 'install = on');
# a setting that changes while something is applied
my $step = $standby->node->data_dir . '/sslpolicy';
write_file("$step/stop.in_place", '');
set_ca(qw(root));
await('the application stops', sub { return -e "$step/at.in_place" });
$standby->set('sslpolicy.install' => 'off');
unlink "$step/at.in_place";
state_is('standby', 'ca', 'foreign', qr/^the file of the node matches what is replicated; sslpolicy\.install is off$/, 'install = off in the middle');
$standby->set('sslpolicy.install' => undef);
set_ca(qw(root new));
# the standby may also be in force with what it had before
is(wait_for_all(), 'in force', 'install = on again');

chmod 0500, $folder{standby};
set_ca(qw(root));
$primary->node->poll_query_until('postgres', q{SELECT detail ~ '^the file of the node differs' FROM sslpolicy.nodes WHERE node = 'standby' AND kind = 'ca'}) or die;
state_is('standby', 'ca', 'foreign', qr/differs from what is replicated; (?:.*with mode 0500|could not create file .*Permission denied)/, 'a folder that the server may not write');
is(refusal($standby, cert => 'app'), '', 'a foreign node has what it had');
chmod 0700, $folder{standby};
is(await_state('standby', 'ca', 'in force'), '', 'once it may, it does');
is(slurp_file($path), slurp_file("$folder{primary}/ca.crt"), 'the same file');

###############################################################################
# 3

$primary->sql('SELECT sslpolicy.set_crl(NULL)');
await_state('standby', 'crl', 'local');
$standby->sql("SELECT sslpolicy.install_crl('" . make_crl($certs, 'root', 100, revoked => ['bob']) . "')");
set_crl();
state_is('standby', 'crl', 'newer', qr/the CRL of .* on the node is newer/, 'a newer CRL of the standby');
like(refusal($standby, cert => 'bob', user => 'bob'), qr/revoked/, 'stays in force');
is(refusal($primary, cert => 'bob', user => 'bob'), '', 'on the standby alone');
$number = 100;
set_crl();
is(await_state('standby', 'crl', 'in force'), '', 'until one comes that is newer still');

# a node that was down, and has no CRL, when the replicated one has expired
$cascade->stop;
my $expires = time + 3;
set_crl(issued => time - 60, next => $expires);
$cascade->node->append_conf('postgresql.auto.conf', "ssl_crl_file = ''");
await('the end of the CRL', sub { time > $expires });
$cascade->start;
state_is('cascade', 'crl', 'failed', qr/expired|not current/, 'an expired CRL is a failure with a reason');
like(refusal($cascade, cert => 'app'), qr/cannot be checked for revocation: the replicated certificate revocation list could not be put in place/, 'a failed node without any CRL refuses certificates');
is(refusal($cascade), '', 'and nobody else');
is(refusal($cascade, host => 'local', user => $owner), '', 'and not through Unix sockets');
set_crl();
is(await_state('cascade', 'crl', 'in force'), '', 'a new one is applied');
is(refusal($cascade, cert => 'app'), '', 'and certificates are accepted');

###############################################################################
# 4

my $waits = qr/not yet accepting client certificates/;
sub start_stopped
{
	my ($server) = @_;
	my $own = $server->node->data_dir . '/sslpolicy';
	$server->stop;
	append_to_file("$own/stop.written", '');
	$server->start;
	await('the comparison', sub { -e "$own/at.written" });
	return "$own/at.written";
}
my $at = start_stopped($standby);
like(refusal($standby, cert => 'app'), $waits, 'a certificate before the first comparison');
is(refusal($standby), '', 'none');
is(refusal($standby, host => 'local', user => $owner, cert => 'app'), '', 'a Unix socket');
unlink $at;
is(await_state('standby', 'ca', 'in force', $standby), '', 'compared');
is(refusal($standby, cert => 'app'), '', 'then the certificate is accepted');
$at = start_stopped($standby);
$standby->node->poll_query_until('postgres', q{SELECT bool_and(state = 'failed') FROM sslpolicy.nodes WHERE is_self}) or die;
like($standby->sql('SELECT string_agg(detail, $$, $$) FROM sslpolicy.nodes WHERE is_self'), qr/not compared .* within ten seconds/, 'it has failed after ten seconds');
is(refusal($standby, cert => 'app'), '', 'and nobody waits any longer');
unlink $at;
is(await_state('standby', 'ca', 'in force'), '', 'it is in force in the end');

# recovery takes longer than those ten seconds
my $marker = "$folder{standby}/slept";
$standby->node->append_conf('postgresql.auto.conf', "restore_command = 'test -e $marker || { touch $marker; sleep 11; }; false'");
$at = start_stopped($standby);
ok(-e $marker, 'a start that takes longer than ten seconds');
like(refusal($standby, cert => 'app'), $waits, 'certificates wait still');
unlink $at;
await_state('standby', 'crl', 'in force');

# an installation that takes its time holds up no replay, without hot_standby_feedback
my $own = $standby->node->data_dir . '/sslpolicy';
append_to_file("$own/stop.in_place", '');
$primary->sql('CREATE TABLE rows AS SELECT 1 AS n');
set_ca(qw(root new));
await('the installation', sub { -e "$own/at.in_place" });
$primary->sql($_) for 'DELETE FROM rows', 'VACUUM rows';
my $lsn = $primary->sql('SELECT pg_current_wal_lsn()');
my $deadline = time + 15;
my $replayed = 'f';
$replayed = $standby->sql("SELECT pg_last_wal_replay_lsn() >= '$lsn'") while $replayed eq 'f' && time < $deadline;
is($replayed, 't', 'VACUUM is replayed while material is installed');
is($standby->sql(q{SELECT state FROM sslpolicy.nodes WHERE is_self AND kind = 'ca'}), 'applying', 'its state meanwhile');
unlink "$own/at.in_place";
is(await_state('standby', 'ca', 'in force'), '', 'and then it is in force');
set_ca(qw(root));

###############################################################################
# 5

is(await_state('cascade', 'ca', 'in force'), '', 'the cascade is seen on the primary');
is($standby->sql('SELECT string_agg(DISTINCT node, $$,$$ ORDER BY node) FROM sslpolicy.nodes'), 'cascade,standby', 'a standby sees itself and those below');
is($standby->sql('SELECT count(*) FROM sslpolicy.nodes'), 4, 'once each, though it was started several times');
is($primary->sql('SELECT count(*) FROM sslpolicy.nodes'), 6, 'on the primary, too');
$standby->stop;
state_is('standby', 'ca', 'gone', qr/no longer connected/, 'a stopped standby is gone');
state_is('cascade', 'ca', 'gone', qr/reports through/, 'and nothing is known of the one below');
set_crl();
is($primary->sql(q{SELECT DISTINCT state FROM sslpolicy.wait_for_nodes('60s') WHERE is_self}), 'in force', 'wait_for_nodes() does not wait for those');
$standby->start;
is(await_state($_, 'crl', 'in force'), '', "$_ is back") for qw(standby cascade);
$cascade->stop;
$cascade->node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "''");
$cascade->start;
state_is('cascade', 'ca', 'silent', qr/has not reported/, 'a standby of a standby without sslpolicy', $_) for $standby, $primary;
my $start = time;
$primary->sql(q{SELECT sslpolicy.wait_for_nodes('2s')});
cmp_ok(time - $start, '<', 20, 'wait_for_nodes() returns at the timeout');
$cascade->stop;
$cascade->node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "'sslpolicy'");
$cascade->start;
is(await_state('cascade', 'ca', 'in force'), '', 'with sslpolicy again');

###############################################################################
# 6

my $port = $primary->node->port;
my $host = $primary->node->host;
my $pass = "$folder{standby}/pass";
write_file($pass, "*:*:*:*:secret\n");
write_file("$folder{standby}/services", "[up]\nhost=127.0.0.1\nport=$port\nuser=limited\nsslmode=require\napplication_name=standby\n");
chmod 0600, $pass;
$primary->sql(q{CREATE ROLE limited LOGIN REPLICATION PASSWORD 'secret' CONNECTION LIMIT 2});
$primary->sql(q{ALTER SYSTEM SET synchronous_standby_names = '*'; SELECT pg_reload_conf()});
$primary->set_hba('host replication limited all scram-sha-256');
$primary->sql('SELECT pg_reload_conf()');
for ([ 'a string', "host=127.0.0.1 port=$port user=limited passfile=$pass sslmode=require application_name=standby" ],
	[ 'a URI', "postgresql://limited\@127.0.0.1:$port/?passfile=$pass&sslmode=require&application_name=standby" ],
	[ 'a URI without options', "postgresql://limited:secret\@127.0.0.1:$port" ],
	[ 'a service', "service=up servicefile=x passfile=$pass" ])
{
	my ($how, $conninfo) = @$_;
	# libpq has no parameter for the file of services before 19
	my $service = $conninfo =~ s/ servicefile=x//;
	$standby->set(primary_conninfo => $conninfo);
	if ($service)
	{
		local $ENV{PGSERVICEFILE} = "$folder{standby}/services";
		$standby->restart;
	}
	my $name = $how =~ /without/ ? 'walreceiver' : 'standby';
	$name = $standby->sql("SELECT coalesce(nullif(current_setting('cluster_name'), ''), 'walreceiver')") if $how =~ /without/;
	$primary->node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_replication WHERE application_name = '$name' AND usename = 'limited' AND state = 'streaming'") or die;
	set_ca(qw(root new));
	is(await_state($name, 'ca', 'in force'), '', "primary_conninfo as $how");
	set_ca(qw(root));
	like($primary->sql(q{SELECT string_agg(DISTINCT state, ',') FROM sslpolicy.wait_for_nodes('60s') WHERE kind = 'ca'}), qr/^in force$/, "$how: all have it");
}
ok($primary->node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_replication WHERE application_name ~ 'report'}), 'no report stays as a standby');
$primary->sql(q{ALTER SYSTEM RESET synchronous_standby_names; SELECT pg_reload_conf()});

# a limit that leaves no room for reports
$primary->sql('ALTER ROLE limited CONNECTION LIMIT 1');
set_crl();
is(await_state('standby', 'crl', 'in force'), '', 'a role that may connect once only');
$primary->sql('ALTER ROLE limited CONNECTION LIMIT -1');

# forged ones, by psql
sub report
{
	my ($text, $user) = @_;
	my ($in, $out, $err) = ('', '', '');
	IPC::Run::run([ 'psql', '-XqAt', '-d', "host=$host port=$port dbname=postgres replication=true user=" . ($user // $owner) . " application_name='$text'", '-c', 'IDENTIFY_SYSTEM' ], '<', \$in, '>', \$out, '2>', \$err);
	return $err;
}
my $kind = 'failed,,0,0,~41~0a~3cb~3e';
report("sslpolicy-report/1/1|forged,77,0,$kind,$kind");
is($primary->sql(q{SELECT DISTINCT state || detail FROM sslpolicy.nodes WHERE node = 'forged'}), 'goneit is no longer connected', 'a forged report of nobody');
report("sslpolicy-report/1/1|x,78,0,$kind,$kind|below~0a~22~27,79,0,$kind,$kind");
is($primary->sql(q{SELECT count(*) FROM sslpolicy.nodes WHERE node ~ '^below' AND node <> 'below?"~' || '''' AND node !~ '[[:cntrl:]]'}), 2, 'what it says is escaped');
my $before = $primary->sql('SELECT count(*) FROM sslpolicy.nodes');
report($_) for 'sslpolicy-report/', 'sslpolicy-report/1/', 'sslpolicy-report/1/1|', 'sslpolicy-report/1/1||||', 'sslpolicy-report/2/1|a,1,0',
  "sslpolicy-report/1/1|bad,80,0,nostate,,0,0,,$kind", "sslpolicy-report/1/1|bad~,81,0,$kind,$kind", "sslpolicy-report/1/1|bad,0,0,$kind,$kind",
  "sslpolicy-report/1/1|bad,82,-1,$kind,$kind", "sslpolicy-report/1/1|bad,83,0,$kind", "sslpolicy-report/1/1|bad,84,0,$kind,$kind,",
  "sslpolicy-report/1/1|bad,85,99999999999999999999,$kind,$kind", 'sslpolicy-report/1/1|bad' . 'x' x 8100 . ",86,0,$kind,$kind", "sslpolicy-report/1/1|\x01\xff,\xc3\xa9";
is($primary->sql('SELECT count(*) FROM sslpolicy.nodes'), $before, 'malformed ones say nothing');
$primary->sql('CREATE ROLE plain LOGIN');
like(report("sslpolicy-report/1/1|plain,90,0,$kind,$kind", 'plain'), qr/replication|WAL sender/, 'a role without REPLICATION');
is($primary->sql('SELECT count(*) FROM sslpolicy.nodes'), $before, 'reports nothing');
# more than there is room for do not keep the real ones out
report("sslpolicy-report/1/1|many$_,1$_,0,$kind,$kind") for 10 .. 80;
set_crl();
is(await_state($_, 'crl', 'in force'), '', "$_ is heard though the table is full") for 'standby';

###############################################################################
# 7

$primary->sql(qq{CREATE DATABASE slots; ALTER DATABASE postgres SET statement_timeout = 1000; ALTER DATABASE postgres SET default_transaction_read_only = on; ALTER DATABASE postgres SET search_path = nowhere; ALTER ROLE $owner IN DATABASE postgres SET role = plain});
my $in_slots = sub { return $primary->sql($_[0], 'slots') };
$in_slots->('CREATE EXTENSION sslpolicy');
$in_slots->("SELECT sslpolicy.set_crl('" . make_crl($certs, 'root', ++$number) . "')");
is($in_slots->(q{SELECT DISTINCT state FROM sslpolicy.wait_for_nodes('60s') WHERE is_self}), 'in force', 'settings of roles and databases do not disturb it');
$in_slots->("ALTER DATABASE postgres RESET ALL; ALTER ROLE $owner IN DATABASE postgres RESET ALL");
$in_slots->('CREATE DATABASE other TEMPLATE postgres; DROP DATABASE other; DROP DATABASE postgres');
$in_slots->("SELECT sslpolicy.set_crl('" . make_crl($certs, 'root', ++$number) . "')");
is($in_slots->(q{SELECT DISTINCT state FROM sslpolicy.wait_for_nodes('60s') WHERE is_self}), 'in force', 'without database postgres');

for ($primary, $standby, $cascade)
{
	my $log = slurp_file($_->node->logfile);
	unlike($log, qr/PANIC|TRAP|signal 11|signal 6/, "$_->{name}: nothing crashed");
}
$_->stop for $cascade, $standby, $primary;
done_testing();
