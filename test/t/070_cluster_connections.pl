# How nodes reach each other, on a primary, a standby, and a standby of that: connections
# for reports beside that of the standby, synchronous standbys, standbys without sslpolicy;
# and what is set in one transaction, or gone back to.
#
# 1. reports with primary_conninfo as a string, a URI, a service; scram and passfiles
# 2. all walsender slots taken
# 3. synchronous standbys: never a report; missing ones; one cut off by its certificate
# 4. standbys without sslpolicy
# 5. grantees and superusers; savepoints
# 6. an expired CRL is gone back to; CRLs from their copies
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $primary = SSLPolicy::Server->new('primary', init => { allows_streaming => 1 },
	conf => "sslpolicy.recheck_policy = terminate\nwal_receiver_status_interval = 1\nwal_retrieve_retry_interval = 100\nmax_wal_senders = 3\nssl_ca_file = 'ca.crt'\npassword_encryption = scram-sha-256\n");
my $certs = $primary->certs;
my $dir = $certs->{dir};
my $root = $certs->get('root');
$certs->ca('new', subject => '/CN=New Root');
$certs->ca('third', subject => '/CN=Third Root');
$certs->client($_, issuer => $root, subject => "/CN=$_") for qw(app bob chief rep);
$certs->client('app_new', issuer => 'new', subject => '/CN=app');
$certs->client('app_third', issuer => 'third', subject => '/CN=app');
write_file($primary->node->data_dir . '/ca.crt', slurp_file("$dir/root.crt"));
$primary->start;
$primary->sql(<<'SQL');
CREATE EXTENSION sslpolicy;
CREATE ROLE app LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE boss LOGIN; CREATE ROLE chief LOGIN SUPERUSER;
CREATE ROLE rep LOGIN REPLICATION; CREATE ROLE "by pass" LOGIN REPLICATION PASSWORD 'a?b&c=d e''f\g';
GRANT USAGE ON SCHEMA sslpolicy TO boss;
GRANT EXECUTE ON FUNCTION sslpolicy.set_crl(text, boolean) TO boss;
SQL
my $standby = $primary->standby('standby');
$standby->start;

sub pem { return join '', map { slurp_file("$dir/$_.crt") } @_ }
my $number = 0;
sub crl { my ($ca, %opt) = @_; return make_crl($certs, $ca, ++$number, %opt) }
sub refusal { my ($server, %opt) = @_; return $server->login(sslmode => 'require', %opt)->{err} }
sub warnings_of { return $primary->sql("SET synchronous_commit = local; SELECT array_to_string(warnings, E'\\n') FROM sslpolicy.$_[0]") }

# SQL that must fail: its SQLSTATE and text
sub failure
{
	my ($sql) = @_;
	my ($rc, undef, $err) = $primary->node->psql('postgres', "\\set VERBOSITY verbose\n$sql", on_error_stop => 1);
	return $rc == 0 ? 'no error' : $err;
}

# waits for all nodes, and tells the states of a kind
sub states
{
	my ($kind) = @_;
	return $primary->sql("SELECT string_agg(state, ', ' ORDER BY is_self DESC, node) FROM sslpolicy.wait_for_nodes('60s') WHERE kind = '$kind'");
}

# polls until that holds of the row of a node
sub await_row
{
	my ($name, $kind, $condition, $server) = @_;
	$server //= $primary;
	my $where = "FROM sslpolicy.nodes WHERE node = '$name' AND kind = '$kind'";
	my $ok = $server->node->poll_query_until('postgres', "SELECT count(*) = 1 AND bool_and($condition) $where");
	diag($server->sql("SELECT * FROM sslpolicy.nodes")) unless $ok;
	return $ok;
}
my $present = q{wanted = (SELECT encode(sha256(convert_to(label, 'UTF8')), 'hex') FROM pg_shseclabel WHERE provider = 'sslpolicy_crl')};

###############################################################################
# 1

my ($host, $port, $data) = ('127.0.0.1', $primary->node->port, $standby->node->data_dir);
my $secret = q{a?b&c=d e'f\g};
my $in_string = $secret =~ s/(['\\])/\\$1/gr;
my $in_uri = $secret =~ s/([&= '\\])/sprintf '%%%02x', ord $1/ger;
write_file("$data/pass", "$host:$port:*:by pass:" . ($secret =~ s/([:\\])/\\$1/gr) . "\n");
chmod 0600, "$data/pass";
write_file("$data/services", "[up]\nhost=$host\nport=$port\nuser=by pass\npassfile=$data/pass\nsslmode=require\napplication_name=by service\n",
	"[bare]\nhost=$host\nport=$port\nsslmode=require\n");
$primary->set_hba('host replication "by pass" all scram-sha-256');
$primary->sql('SELECT pg_reload_conf()');
$primary->sql("SELECT sslpolicy.set_crl('" . crl('root') . "')");
is(states('crl'), 'in force, in force', 'a CRL of every node');

# the streaming connection, and then the report, which alone tells the state
sub reports_with
{
	my ($how, $conninfo, $name) = @_;
	$standby->set(primary_conninfo => $conninfo);
	$standby->restart if $conninfo =~ /service=/ && $conninfo !~ /servicefile/;
	ok($primary->node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_replication WHERE application_name = '$name' AND usename = 'by pass' AND state = 'streaming'"), "$how: it streams")
	  or diag(slurp_file($standby->node->logfile) =~ /(.*could not connect.*\n.*)/);
	ok(await_row($name, 'crl', "state = 'in force' AND $present"), "$how: and reports");
	return;
}
$ENV{PGSERVICEFILE} = "$data/services";
reports_with('a string', "host = $host port=$port user = 'by pass' password='$in_string' sslmode=require application_name = 'a string'", 'a string');
reports_with('a string that ends in a backslash', "host=$host port=$port user='by pass' passfile=$data/pass application_name=backslash sslmode=require\\", 'backslash');
reports_with('a URI', "postgresql://by%20pass\@$host:$port/?passfile=$data/pass&sslmode=require&application_name=a%20URI", 'a URI');
reports_with('a URI with a question mark in the password', "postgres://by%20pass:$in_uri\@$host:$port", 'standby');
reports_with('a URI that ends in an ampersand', "postgresql://by%20pass\@$host:$port?passfile=$data/pass&application_name=ampersand&", 'ampersand');
reports_with('a URI that ends in one', "postgres://by%20pass:$in_uri\@$host:$port/?", 'standby');
reports_with('a URI without a user', "postgresql://?host=$host&port=$port&user=by%20pass&passfile=$data/pass&application_name=nobody", 'nobody');
reports_with('a service', 'service=up', 'by service');
reports_with('a service in a URI', 'postgresql:///?service=up&application_name=service%20in%20URI', 'service in URI');
reports_with('a service and more', "service=bare user='by pass' passfile=$data/pass application_name=more", 'more');
delete $ENV{PGSERVICEFILE};
SKIP:
{
	# libpq knows the file of services as a parameter since 19
	skip 'libpq does not know servicefile', 2 if $primary->login(extra => "servicefile=$data/services", sslmode => 'require')->{err} =~ /invalid connection option/;
	reports_with('a service with its file', "service=up servicefile=$data/services application_name=servicefile", 'servicefile');
}

# as the rest has it
$standby->set(primary_conninfo => "host=" . $primary->node->host . " port=$port application_name=standby");
ok(await_row('standby', 'crl', "state = 'in force'"), 'by the socket');

###############################################################################
# 2

my $sockets = 'host=' . $primary->node->host . " port=$port dbname=postgres replication=true";
# connections for replication that do nothing, as many as that
sub hold { return map { $primary->node->background_psql('postgres', extra_params => [ '-d', "$sockets user=rep" ]) } 1 .. $_[0] }
my $full = qr/number of requested standby connections exceeds max_wal_senders/;
my @held = hold(2);
my $offset = $primary->log_offset;
my $version = $primary->sql(q{SELECT wanted FROM sslpolicy.nodes WHERE node = 'standby' AND kind = 'crl'});
$primary->sql("SELECT sslpolicy.set_crl('" . crl('root', revoked => ['bob']) . "')");
ok(await_row('standby', 'crl', "state = 'in force' AND wanted <> '$version'", $standby), 'with all slots taken, a standby has in force what is set');
like(refusal($standby, cert => 'bob', user => 'bob'), qr/revoked/, 'and refuses what is revoked');
$primary->wait_for_log($full, $offset);
is($primary->sql(q{SELECT string_agg(state || ' ' || (wanted = '} . $version . q{'), ', ') FROM sslpolicy.wait_for_nodes('1s') WHERE node = 'standby' AND kind = 'crl'}), 'in force true', 'which the primary does not hear of: its report finds no slot');
is($primary->sql(q{SELECT state FROM pg_stat_replication WHERE application_name = 'standby'}), 'streaming', 'it streams all the same');
(pop @held)->quit;
ok(await_row('standby', 'crl', "state = 'in force' AND $present"), 'its report comes later, when a slot is free');

# and one that does not find a slot to stream
$standby->stop;
push @held, hold(2);
is($primary->sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender'}), 3, 'all slots are taken while a standby is down');
$primary->sql("SELECT sslpolicy.set_crl('" . crl('root') . "')");
$offset = $primary->log_offset;
$standby->start;
$primary->wait_for_log($full, $offset);
is($primary->sql(q{SELECT count(*) FROM pg_stat_replication WHERE application_name = 'standby'}), 0, 'it cannot connect when it is back');
like(refusal($standby, cert => 'bob', user => 'bob'), qr/revoked/, 'and does not know what was set meanwhile');
(pop @held)->quit;
ok($primary->node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_replication WHERE application_name = 'standby' AND state = 'streaming'}), 'it connects at its next try, when a slot is free');
ok($standby->node->poll_query_until('postgres', "SELECT count(*) = 1 FROM sslpolicy.nodes WHERE is_self AND kind = 'crl' AND state = 'in force' AND $present"), 'and has in force what was set');
is(refusal($standby, cert => 'bob', user => 'bob'), '', 'as logins show');
is($primary->sql(q{SELECT count(*) FROM sslpolicy.wait_for_nodes('1s') WHERE node = 'standby' AND kind = 'crl' AND } . $present), 0, 'its report still finds none');
$_->quit for splice @held;
ok(await_row('standby', 'crl', "state = 'in force' AND $present"), 'and comes later');

###############################################################################
# 3

# a commit that waits for synchronous standbys
sub commits { my $session = $primary->node->background_psql('postgres'); $session->query_until(qr/begun/, "\\echo begun\n$_[0];\n\\echo over\n"); return $session }
sub waiting { return $primary->node->poll_query_until('postgres', q{SELECT count(*) = } . ($_[0] // 1) . q{ FROM pg_stat_activity WHERE wait_event = 'SyncRep'}) }
sub sync { return $primary->sql(q{SELECT application_name, sync_state FROM pg_stat_replication WHERE application_name <> '' AND state = 'streaming'}) }

$primary->set(synchronous_standby_names => '1 (*)');
is(sync(), 'standby|sync', 'a synchronous standby');
my ($report) = map { $primary->node->background_psql('postgres', extra_params => [ '-d', "$sockets user=rep application_name='$_'" ]) } 'sslpolicy-report/1/1|held,77,0,local,,0,0,,local,,0,0,';
is($primary->sql(q{SELECT state, detail FROM sslpolicy.nodes WHERE node = 'held' AND kind = 'ca'}), 'gone|it is not connected any more', 'a report is taken, and its connection held');
is($primary->sql(q{SELECT sync_state || sync_priority || state FROM pg_stat_replication WHERE application_name ~ '^sslpolicy-report'}), 'async0startup', 'which is no synchronous standby');
is(sync(), 'standby|sync', 'that of the standby is');
$primary->set(synchronous_standby_names => 'ANY 2 (*)');
my $commit = commits('CREATE TABLE waits ()');
ok(waiting(), 'a report does not stand for a standby that is missing');
# real ones
for ([ off => 'foreign' ], [ on => 'in force' ])
{
	my ($install, $state) = @$_;
	$standby->set('sslpolicy.install' => $install);
	ok(await_row('standby', 'crl', "state = '$state'"), "a standby reports: $state");
	is(sync(), 'standby|quorum', 'its state is the same');
	ok(waiting(), 'nor does one of a standby that is there');
}
$report->quit;
is($primary->sql(q{SELECT count(*) FROM pg_stat_replication WHERE application_name ~ 'report'}), 0, 'no connection stays');
$primary->set(synchronous_standby_names => '1 (*)');
$commit->query_until(qr/over/, '');
$commit->quit;
is($primary->sql(q{SELECT to_regclass('waits')}), 'waits', 'then the commit is through');

# missing ones
my $missing = qr/^1 synchronous standby server\(s\) of synchronous_standby_names are not connected: COMMIT waits for them/m;
unlike(warnings_of("set_crl('" . crl('root') . "')"), $missing, 'none is missing');
for my $names ('2 (standby, other)', 'ANY 2 (*)', 'other')
{
	$primary->set(synchronous_standby_names => $names);
	like(warnings_of("set_crl('" . crl('root') . "')"), $missing, "a standby is missing: set_crl, $names");
	like(warnings_of("set_ca('" . pem('root') . "')"), $missing, "a standby is missing: set_ca, $names");
}
my $print = 'ab' x 32;
for my $call ("block_certificate('$print')", "unblock_certificate('$print')", "set_minimum_policy('sslmode=prefer')", "set_default_policy('sslmode=prefer')", 'set_minimum_policy(NULL)', 'set_default_policy(NULL)')
{
	my (undef, undef, $err) = $primary->node->psql('postgres', "SET synchronous_commit = local; SELECT sslpolicy.$call");
	like($err, qr/WARNING:  1 synchronous standby server\(s\) of synchronous_standby_names are not connected/, "a standby is missing: $call");
}

# one that is cut off by its own certificate
$primary->set(synchronous_standby_names => 'by_cert');
my $by_cert = $primary->conninfo(user => 'rep', cert => 'rep', sslmode => 'require') . ' application_name=by_cert';
$standby->set(primary_conninfo => $by_cert);
ok($primary->node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_replication WHERE usename = 'rep' AND sync_state = 'sync'}), 'a synchronous standby with a certificate');
my ($pid) = $primary->sql(q{SELECT pid FROM pg_stat_replication});
like($primary->sql("SELECT array_to_string(warnings, E'\\n') FROM sslpolicy.set_crl('" . crl('root', revoked => ['rep']) . "')"),
	qr/^standby server "by_cert" will be refused: .*revoked/m, 'revoked: set_crl() says so');
ok($primary->node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_replication}), 'it is cut off');
$commit = commits('CREATE TABLE blocked ()');
ok(waiting(), 'the next commit waits for it');
my $mended = crl('root');
my $mending = commits("SELECT sslpolicy.set_crl('$mended')");
ok(waiting(2), 'as would the statement that mends it');
$primary->sql(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ 'set_crl' AND wait_event = 'SyncRep'; SELECT pg_sleep(0)}) if 0;
$mending->quit if 0;
$primary->stop;
$standby->stop;
done_testing();
