# Replicated material on a standby where something is in its way, or ends it.
#
# 1. kill -9 of the applying process and of the postmaster: CAs at each step, and the first
#    CRL, which sets a setting as well
# 2. an ordinary role has all worker slots
# 3. a full disk, at each file that is written
# 4. writers: two at once, one that has prepared its transaction, a crash after that
# 5. long queries on the standby, without hot_standby_feedback
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $primary = SSLPolicy::Server->new('primary', init => { allows_streaming => 1 },
	conf => "max_connections = 30\nmax_prepared_transactions = 2\nwal_retrieve_retry_interval = 100\nrestart_after_crash = on\nautovacuum = off\n");
my $certs = $primary->certs;
my $dir = $certs->{dir};
$certs->ca('new', subject => '/CN=New Root');
$certs->client($_, issuer => 'root', subject => "/CN=$_") for qw(app bob eve);
$certs->client('app_new', issuer => 'new', subject => '/CN=app');
$certs->server('own', issuer => 'root');
my %folder;

# a folder for the CAs of a node, which is not started yet
sub own_folder
{
	my ($server) = @_;
	my $folder = $folder{ $server->{name} } = PostgreSQL::Test::Utils::tempdir($server->{name});
	write_file("$folder/ca.crt", slurp_file("$dir/root.crt"));
	$server->node->append_conf('postgresql.conf', "ssl_ca_file = '$folder/ca.crt'");
	return;
}

# a server whose disk can be full
my $full = "$dir/full.so";
system("gcc -shared -fPIC -O1 -Wall -Werror -o $full test/modules/full.c -ldl") == 0 or die 'full does not compile';
sub start
{
	my ($server) = @_;
	local $ENV{LD_PRELOAD} = join ':', grep { defined && length } $ENV{LD_PRELOAD}, $full;
	# what a postmaster that was killed leaves behind goes by itself
	await('the start', sub { $server->node->start(fail_ok => 1) });
	return;
}
own_folder($primary);
$primary->start;
$primary->sql('CREATE EXTENSION sslpolicy; CREATE TABLE rows AS SELECT generate_series(1, 10000) AS n; ALTER TABLE rows SET (parallel_workers = 8); GRANT SELECT ON rows TO PUBLIC');
$primary->sql("CREATE ROLE $_ LOGIN") for qw(app bob eve);
my $standby = $primary->standby('standby');
own_folder($standby);
start($standby);
my @both = ($primary, $standby);
my $data = $standby->node->data_dir;
my $own = "$data/sslpolicy";

sub pem { return join '', map { slurp_file("$dir/$_.crt") } @_ }
my %number = (root => 0, new => 0);
sub crl { my ($ca, @revoked) = @_; return make_crl($certs, $ca, ++$number{$ca}, revoked => \@revoked) }
sub wanted { my ($server, $kind) = @_; return $server->sql("SELECT coalesce((SELECT encode(sha256(convert_to(label, 'UTF8')), 'hex') FROM pg_shseclabel WHERE provider = 'sslpolicy_$kind'), '')") }
sub set_crl { my ($server, @texts) = @_; $server->sql("SELECT sslpolicy.set_crl('" . join('', @texts) . "')"); return }
sub set_ca { my ($server, @cas) = @_; $server->sql("SELECT sslpolicy.set_ca('" . pem(@cas) . "', force => true)"); return }

sub await { my ($what, $test) = @_; for (1 .. 6000) { return 1 if $test->(); select undef, undef, undef, 0.01 } die "gave up waiting for $what" }

# SQL that is true when a node has in force what another one has in its catalog
sub all_in_force
{
	my ($source) = @_;
	return 'SELECT count(*) = 2 FROM sslpolicy.nodes WHERE is_self AND (' . join(' OR ', map {
		my $wanted = wanted($source, $_);
		"(kind = '$_' AND " . ($wanted ? "state = 'in force' AND wanted = '$wanted')" : "state = 'local')")
	} qw(ca crl)) . ')';
}
sub in_force { my ($server, $source) = @_; return $server->node->poll_query_until('postgres', all_in_force($source // $primary)) }

# who is let in: "in", "revoked", or the error
sub outcome
{
	my ($server, $cert, $user) = @_;
	my $login = $server->login(cert => $cert, user => $user // $cert, sslmode => 'require');
	return $login->{ok} ? 'in' : $login->{err} =~ /revoked/ ? 'revoked' : $login->{err} =~ /unknown ca/ ? 'unknown ca' : $login->{err};
}

# files of the standby that should not be there: versions that the history does not know,
# and all that has no name of its own
sub leftovers
{
	my %known = map { ("$own/$_" => 1) } qw(history crl.pem crl.index ssl_crl.index crl_copies.pem),
	  split(/\n/, $standby->sql(q{SELECT kind || '.' || version || '.pem' FROM sslpolicy.material_history}));
	$known{"$folder{standby}/$_"} = 1 for qw(ca.crt crl.pem);
	return join ' ', grep { !$known{$_} } glob("$folder{standby}/* $own/* $data/*.tmp");
}
mkdir $own, 0700;

###############################################################################
# 1

sub kill_postmaster
{
	my ($server, @others) = @_;
	my ($postmaster) = split /\n/, slurp_file($server->node->data_dir . '/postmaster.pid');
	$server->node->kill9;
	kill 'KILL', @others;
	for my $pid ($postmaster, @others)
	{
		await('the end', sub { !kill 0, $pid });
	}
	return;
}

# Kills at a step, and waits until all is in force again.  Returns how often a certificate
# was let in meanwhile that is revoked.
sub kill_at
{
	my ($victim, $step, $refused) = @_;
	await("step $step", sub { -e "$own/at.$step" });
	my $pid = $standby->sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'sslpolicy apply'});
	my $offset = $standby->log_offset;
	if ($victim eq 'process')
	{
		kill 'KILL', $pid;
		$standby->wait_for_log(qr/all server processes terminated; reinitializing/, $offset);
		unlink "$own/at.$step";
	}
	else
	{
		kill_postmaster($standby, $pid);
		unlink "$own/at.$step";
		start($standby);
	}
	my $let_in = 0;
	my $done = all_in_force($primary);
	await('what is in force', sub {
		$let_in++ if outcome($standby, $refused) eq 'in';
		return ($standby->node->psql('postgres', $done))[1] eq 't';
	});
	return $let_in;
}

sub check_standby
{
	my ($name, $revoked, $not_revoked) = @_;
	is(outcome($standby, $revoked), 'revoked', "$name: a revoked certificate is refused");
	is(outcome($standby, $not_revoked), 'in', "$name: others are not");
	is(leftovers(), '', "$name: nothing is left");
	return;
}

for ([ process => 'setting1' ], [ postmaster => 'setting1' ], [ postmaster => 'in_place' ])
{
	my ($victim, $step) = @$_;
	my $name = "first CRL, $victim killed at $step";
	append_to_file("$own/stop.$step", '');
	set_crl($primary, crl('root', 'bob'));
	is(kill_at($victim, $step, 'bob'), 0, "$name: from the start on, a revoked certificate is refused");
	check_standby($name, qw(bob eve));
	is($standby->sql('SHOW ssl_crl_file'), 'sslpolicy/crl.pem', "$name: the setting names the file");
	next if $victim eq 'postmaster' && $step eq 'in_place';
	$primary->sql('SELECT sslpolicy.set_crl(NULL)');
	in_force($standby);
	$standby->set(ssl_crl_file => undef);
	unlink "$own/crl.pem";
}

in_force($_) for @both;
set_ca($primary, 'root');
in_force($_) or die for @both;
my $turn = 0;
for my $victim (qw(process postmaster))
{
	for my $step ($victim eq 'process' ? qw(written started renamed in_place reloaded recorded) : qw(written renamed recorded))
	{
		my $name = "CAs and CRL, $victim killed at $step";
		my ($revoked, $not_revoked) = $turn % 2 ? qw(bob eve) : qw(eve bob);
		my @cas = $turn++ % 2 ? ('root') : qw(root new);
		append_to_file("$own/stop.$step", '');
		$primary->sql("BEGIN; SELECT sslpolicy.set_ca('" . pem(@cas) . "', force => true); SELECT sslpolicy.set_crl('" . crl('root', $revoked) . (@cas == 2 ? crl('new') : '') . "'); COMMIT");
		is(kill_at($victim, $step, $revoked), 0, "$name: from the start on, a revoked certificate is refused");
		check_standby($name, $revoked, $not_revoked);
		is(slurp_file("$folder{standby}/ca.crt"), slurp_file("$folder{primary}/ca.crt"), "$name: the file is that of the primary");
		is(outcome($standby, 'app_new', 'app'), @cas == 2 ? 'in' : 'unknown ca', "$name: the CAs are in force");
	}
}

###############################################################################
# 2

for (@both)
{
	is($_->sql('SHOW max_worker_processes'), 8, "$_->{name}: the default");
	my $session = $_->background(user => 'app', cert => 'app', sslmode => 'require');
	$session->query_until(qr/begun/, "SET max_parallel_workers_per_gather = 8; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;\n\\echo begun\nSELECT count(*) FROM rows WHERE pg_sleep(0.5) IS NOT NULL;\n");
	$_->{greedy} = $session;
	$_->node->poll_query_until('postgres', q{SELECT count(*) = 5 FROM pg_stat_activity WHERE backend_type = 'parallel worker'}) or die;
	like($_->sql('SET max_parallel_workers_per_gather = 8; SET parallel_setup_cost = 0; SET min_parallel_table_scan_size = 0; EXPLAIN (ANALYZE, COSTS off) SELECT count(*) FROM rows'), qr/Workers Launched: 0/, "$_->{name}: an ordinary role has all worker slots");
}
set_crl($primary, crl('root', 'bob'));
for (@both)
{
	ok(in_force($_), "$_->{name}: a revocation is in force all the same");
	is(outcome($_, 'bob'), 'revoked', "$_->{name}: for who is revoked");
	$_->sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'sslpolicy apply'});
}
set_crl($primary, crl('root', 'eve'));
for (@both)
{
	ok(in_force($_), "$_->{name}: also after the applying process was terminated");
	is(outcome($_, 'eve'), 'revoked', "$_->{name}: for who is revoked then");
	is($_->sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker'}), 5, "$_->{name}: the slots were taken all the time");
	$_->sql(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ '^SELECT count' AND backend_type = 'client backend'});
	eval { $_->{greedy}->quit };
}

###############################################################################
# 3

# There is no room in a folder of the standby, but for so many bytes of a file, when the
# change comes.
sub without_room
{
	my ($name, $folder, $bytes, $kind, $change, $before, $after, $again) = @_;
	my $file = $kind eq 'ca' ? "$folder{standby}/ca.crt" : "$own/crl.pem";
	my $text = -e $file ? slurp_file($file) : '';
	my $path = "$folder/full";
	append_to_file($path, 'x' x $bytes);
	$change->();
	my $row = $primary->sql("SELECT state, detail FROM sslpolicy.wait_for_nodes('60s') WHERE node = 'standby' AND kind = '$kind'");
	like($row, qr/^failed\|could not write (?:to )?file "[^"]+": No space left on device$/, "$name: failed, with the reason");
	is(slurp_file($file), $text, "$name: the file is as it was") if $text;
	$before->("$name, full");
	if ($again)
	{
		my $errors = sub { return scalar(() = $standby->log_since(0) =~ /^[^\n]*ERROR:  [^\n]*No space left/mg) };
		my $failures = $errors->();
		await('another attempt', sub { $errors->() > $failures });
		is(state_of($kind), 'failed', "$name: and again");
		is(leftovers(), "$own/full", "$name: attempts leave nothing");
	}
	unlink $path;
	is(leftovers(), '', "$name: nothing is left");
	ok(in_force($standby), "$name: in force when there is room");
	$after->("$name, room");
	return;
}
sub state_of { return $standby->sql("SELECT state FROM sslpolicy.nodes WHERE is_self AND kind = '$_[0]'") }
sub says { my ($cert, $expected, $user) = @_; return sub { is(outcome($standby, $cert, $user), $expected, "$_[0]: $cert") } }
my ($none, $little) = (0, 100);

without_room('CRL, no room at all', $own, $none, crl => sub { set_crl($primary, crl('root', 'bob')) },
	sub { says(bob => 'in')->(@_); says(eve => 'revoked')->(@_) }, sub { says(bob => 'revoked')->(@_); says(eve => 'in')->(@_) }, 'again');
without_room('CRL, cut short', $own, $little, crl => sub { set_crl($primary, crl('root', 'eve')) }, says(eve => 'in'), says(eve => 'revoked'));
# the CRL fits, the history of all before it does not
without_room('history', $own, length(slurp_file("$own/crl.pem")) + 20, crl => sub { set_crl($primary, crl('root', 'bob')) }, says(bob => 'in'), says(bob => 'revoked'));
# so it is for material of the node itself, whose key must not stay behind
append_to_file("$own/full", 'x' x 4000);
like(($standby->node->psql('postgres', "SELECT sslpolicy.install_server_certificate('" . pem('own') . "', private_key => '" . slurp_file("$dir/own.key") . "', force => true)"))[2],
	qr/ERROR:  could not write file "[^"]*history[^"]*": No space left on device/, 'history, a certificate of the server: an error');
unlink "$own/full";
is(leftovers(), '', 'history, a certificate of the server: nothing is left');
set_ca($primary, 'root');
in_force($standby) or die;
without_room('CAs', $folder{standby}, $little, ca => sub { $primary->sql("BEGIN; SELECT sslpolicy.set_ca('" . pem(qw(root new)) . "'); SELECT sslpolicy.set_crl('" . crl('new') . "'); COMMIT") },
	sub { says(app_new => 'unknown ca', 'app')->(@_); is(state_of('crl'), 'failed', "$_[0]: nor is the CRL of such a CA in force") }, says(app_new => 'in', 'app'));

# a setting
$primary->sql('SELECT sslpolicy.set_crl(NULL)');
in_force($standby) or die;
$standby->set(ssl_crl_file => undef);
unlink "$own/crl.pem";
is(outcome($standby, 'bob'), 'in', 'without a CRL');
without_room('setting', $data, $none, crl => sub { set_crl($primary, crl('root', 'eve')) },
	sub {
		my ($name) = @_;
		like(outcome($standby, $_), qr/cannot be checked for revocation: the replicated certificate revocation list could not be put in place/, "$name: no certificate is accepted: $_") for qw(bob eve);
		unlike(slurp_file("$data/postgresql.auto.conf"), qr/crl\.pem/, "$name: it is not set");
	},
	sub { says(bob => 'in')->(@_); says(eve => 'revoked')->(@_) });

# when the new one is in force already
append_to_file("$own/stop.in_place", '');
set_crl($primary, crl('root', 'bob'));
await('the installation', sub { -e "$own/at.in_place" });
append_to_file("$own/full", '');
unlink "$own/at.in_place";
ok(in_force($standby), 'no room for the end of the history: in force');
is(outcome($standby, 'bob'), 'revoked', 'and in truth');
unlink "$own/full";
set_crl($primary, crl('root', 'eve'));
ok(in_force($standby), 'with room again, so is the next one');
check_standby('room', qw(eve bob));
is($standby->sql('SELECT count(*) FROM sslpolicy.material_history WHERE in_place'), 2, 'and the history has it');


# the index of CRLs that sslpolicy reads itself
my $indexed = "$folder{standby}/crl.pem";
write_file($indexed, slurp_file("$own/crl.pem"));
$standby->set('sslpolicy.crl_file' => $indexed, ssl_crl_file => '');
$standby->sql('SELECT sslpolicy.reload()');
unlink "$own/crl.pem";
ok(in_force($standby), 'sslpolicy.crl_file: in force');
my $text = slurp_file($indexed);
append_to_file("$own/stop.in_place", '');
set_crl($primary, crl('root', 'bob'));
await('the installation', sub { -e "$own/at.in_place" });
append_to_file("$own/full", 'x' x $little);
unlink "$own/at.in_place";
like($primary->sql(q{SELECT state, detail FROM sslpolicy.wait_for_nodes('60s') WHERE node = 'standby' AND kind = 'crl'}),
	qr/^failed\|the server did not load the new material, and the old one was put back: .*its copy cannot be written: No space left on device$/, 'index: failed, with the reason');
is(slurp_file($indexed), $text, 'index: the file is as it was');
says(@$_)->('index, full') for [ bob => 'in' ], [ eve => 'revoked' ];
unlink "$own/full";
ok(in_force($standby), 'index: in force when there is room');
says(@$_)->('index, room') for [ bob => 'revoked' ], [ eve => 'in' ];
is(leftovers(), '', 'index: nothing is left');

###############################################################################
# 4

# Two writers: the first has not committed yet when the second begins, and waits
sub two_writers
{
	my ($first, $second, $end, $how) = @_;
	my $one = $primary->node->background_psql('postgres');
	my $two = $primary->node->background_psql('postgres', on_error_stop => 0);
	$one->query_safe("BEGIN; $first");
	$two->query_until(qr/begun/, ($how // '') . "\n\\set VERBOSITY verbose\n\\echo begun\n$second;\n\\echo over\n");
	$primary->node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'SELECT sslpolicy.set%'}) or die;
	$one->query_safe($end);
	$two->query_until(qr/over/, '');
	my $error = $two->{stderr};
	$_->quit for $one, $two;
	return $error;
}
sub both_are { my ($name, %outcomes) = @_; for my $server (@both) { ok(in_force($server), "$name: $server->{name}: in force"); is(outcome($server, $_, $_ eq 'app_new' ? 'app' : $_), $outcomes{$_}, "$name: $server->{name}: $_") for sort keys %outcomes } return }
for my $isolation ('read committed', 'serializable')
{
	set_ca($primary, 'root');
	set_ca($primary, qw(root new));
	my ($root, $new) = (crl('root', 'bob'), crl('new', 'app_new'));
	is(two_writers("SELECT sslpolicy.set_crl('$root')", "SELECT sslpolicy.set_crl('$new')", 'COMMIT', "SET default_transaction_isolation = '$isolation';"), '', "two writers of CRLs, $isolation: no error");
	both_are("two writers of CRLs, $isolation", bob => 'revoked', app_new => 'revoked', eve => 'in');
}
set_crl($primary, crl('new'));
my $of_new = crl('new', 'app_new');
my $only = pem('root');
is(two_writers("SELECT sslpolicy.set_crl('$of_new')", "SELECT sslpolicy.set_ca('$only', force => true)", 'COMMIT'), '', 'a CRL, and who removes its CA meanwhile: no error');
both_are('a CRL whose CA is removed meanwhile', bob => 'revoked', app_new => 'unknown ca');
set_ca($primary, qw(root new));
$of_new = crl('new', 'app_new');
like(two_writers("SELECT sslpolicy.set_ca('$only', force => true)", "SELECT sslpolicy.set_crl('$of_new')", 'COMMIT'), qr/ERROR:  22023: .*not (?:issued|signed) by/, 'a CA is removed, and who sets its CRL meanwhile is refused');
both_are('a CA that is removed, and its CRL', bob => 'revoked', app_new => 'unknown ca');
$of_new = crl('root', 'eve');
is(two_writers("SELECT sslpolicy.set_crl(NULL)", "SELECT sslpolicy.set_crl('$of_new')", 'COMMIT'), '', 'the CRLs are removed, and set meanwhile');
both_are('CRLs that are removed and set', eve => 'revoked', bob => 'in');

# one that has prepared its transaction
my $both_cas = pem(qw(root new));
$primary->sql("BEGIN; SELECT sslpolicy.set_ca('$both_cas'); SELECT sslpolicy.set_crl('" . crl('root', 'bob') . crl('new') . "'); PREPARE TRANSACTION 'one'");
my $waits = sub { return ($primary->node->psql('postgres', "SET lock_timeout = '200ms'; SELECT sslpolicy.set_crl('" . crl('root', 'bob', 'eve') . "')"))[2] };
like($waits->(), qr/ERROR:  canceling statement due to lock timeout/, 'prepared: another writer waits, and can give up');
kill_postmaster($primary);
start($primary);
both_are('prepared before a crash', eve => 'revoked', bob => 'in', app_new => 'unknown ca');
like($waits->(), qr/ERROR:  canceling statement due to lock timeout/, 'after the crash, another writer still waits');
$primary->sql(q{COMMIT PREPARED 'one'});
both_are('committed after the crash', bob => 'revoked', eve => 'in', app_new => 'in');
$primary->sql("BEGIN; SELECT sslpolicy.set_crl('" . crl('root', 'eve') . "'); PREPARE TRANSACTION 'two'");
$primary->sql(q{ROLLBACK PREPARED 'two'});
both_are('prepared, and rolled back', bob => 'revoked', eve => 'in');
is($waits->(), '', 'and nobody waits for it');
both_are('after that', bob => 'revoked', eve => 'revoked');

###############################################################################
# 5

is($standby->sql('SHOW hot_standby_feedback'), 'off', 'no hot_standby_feedback');
sub long_query
{
	my $session = $standby->background(user => 'app', cert => 'app', sslmode => 'require');
	$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM rows');
	return ($session, $session->query_safe('SELECT pg_backend_pid()'));
}
my $lives = sub { return $standby->sql("SELECT count(*) FROM pg_stat_activity WHERE pid = $_[0]") };
my ($session, $pid) = long_query();
set_crl($primary, crl('root', 'bob'));
ok(in_force($standby), 'a long query on the standby: in force');
is($lives->($pid), 1, 'a long query: goes on');
is(outcome($standby, 'bob'), 'revoked', 'a long query: a revoked certificate is refused');
is(outcome($standby, 'eve'), 'in', 'a long query: others are not');
# what the query still sees is gone: replay waits for it, and then ends it
$standby->set(max_standby_streaming_delay => '1500');
$primary->sql('VACUUM pg_shseclabel');
set_crl($primary, crl('root', 'eve'));
ok(in_force($standby), 'a long query in the way of VACUUM: in force');
is(outcome($standby, 'eve'), 'revoked', 'VACUUM: a revoked certificate is refused');
is($lives->($pid), 0, 'VACUUM: the query was ended');
eval { $session->quit };
# or not, if the standby is told to wait for as long as it takes
$standby->set(max_standby_streaming_delay => '-1');
($session, $pid) = long_query();
my $offset = $standby->log_offset;
set_crl($primary, crl('root', 'bob'));
ok(in_force($standby), 'no limit: in force');
$primary->sql('VACUUM pg_shseclabel');
set_crl($primary, crl('root', 'app'));
ok(in_force($primary), 'no limit: the next one is in force on the primary');
my $wanted = wanted($primary, 'crl');
is($primary->sql("SELECT count(*) FROM sslpolicy.wait_for_nodes('2s') WHERE node = 'standby' AND kind = 'crl' AND state = 'in force' AND wanted = '$wanted'"), 0, 'no limit: not on the standby, and nobody says so');
is(outcome($standby, 'app'), 'in', 'nor is it');
$session->quit;
ok(in_force($standby), 'in force as soon as the query ends');
is(outcome($standby, 'app'), 'revoked', 'a revoked certificate is refused');

for (@both)
{
	unlike(slurp_file($_->node->logfile), qr/PANIC|TRAP|signal 11|signal 6/, "$_->{name}: nothing crashed by itself");
	$_->stop;
}
done_testing();
