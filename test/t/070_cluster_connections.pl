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
	return $primary->sql("SELECT string_agg(state, ', ' ORDER BY is_self DESC, node) FROM sslpolicy.wait_for_nodes('60s') WHERE kind = '$kind' AND state <> 'gone'");
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
my $socket = 'host=' . $primary->node->host . " port=$port";
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
$standby->set(primary_conninfo => "$socket application_name=standby");
ok(await_row('standby', 'crl', "state = 'in force'"), 'by the socket');

###############################################################################
# 2

# connections for replication that do nothing, as many as that
sub hold { return map { $primary->node->background_psql('postgres', extra_params => [ '-d', "$socket dbname=postgres replication=true user=rep" ]) } 1 .. $_[0] }
my $full = qr/number of requested standby connections exceeds "?max_wal_senders"?/;
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
my ($report) = map { $primary->node->background_psql('postgres', extra_params => [ '-d', "$socket dbname=postgres replication=true user=rep application_name='$_'" ]) } 'sslpolicy-report/1/1|held,77,0,local,,0,0,,local,,0,0,';
is($primary->sql(q{SELECT state, detail FROM sslpolicy.nodes WHERE node = 'held' AND kind = 'ca'}), 'gone|it is no longer connected', 'a report is taken, and its connection held');
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
my $missing = qr/^(?:.*WARNING:  )?COMMIT will wait, unless you run SET LOCAL synchronous_commit = local: 1 more synchronous standby must be connected$/m;
unlike(warnings_of("set_crl('" . crl('root') . "')"), $missing, 'none is missing');
for my $names ('2 (standby, other)', 'ANY 2 (*)', 'other')
{
	$primary->set(synchronous_standby_names => $names);
	like(warnings_of("set_crl('" . crl('root') . "')"), $missing, "a standby is missing: set_crl, $names");
	like(warnings_of("set_ca('" . pem('root') . "')"), $missing, "a standby is missing: set_ca, $names");
	like(warnings_of('set_ca(NULL)'), $missing, "a standby is missing: set_ca(NULL), $names");
}
my $print = 'ab' x 32;
for my $call ("block_certificate('$print')", "unblock_certificate('$print')", "set_minimum_policy('sslmode=prefer')", "set_default_policy('sslmode=prefer')", 'set_minimum_policy(NULL)', 'set_default_policy(NULL)')
{
	my (undef, undef, $err) = $primary->node->psql('postgres', "SET synchronous_commit = local; SELECT sslpolicy.$call");
	like($err, $missing, "a standby is missing: $call");
}

# one that is cut off by its own certificate
$primary->set(synchronous_standby_names => 'by_cert');
my $by_cert = $primary->conninfo(user => 'rep', cert => 'rep', sslmode => 'require') . ' application_name=by_cert';
$standby->set(primary_conninfo => $by_cert);
ok($primary->node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_replication WHERE usename = 'rep' AND sync_state = 'sync'}), 'a synchronous standby with a certificate');
like($primary->sql("SELECT array_to_string(warnings, E'\\n') FROM sslpolicy.set_crl('" . crl('root', revoked => ['rep']) . "')"),
	qr/^standby server "by_cert" will be refused: .*revoked/m, 'revoked: set_crl() says so');
ok($primary->node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_replication}), 'it is cut off');
$commit = commits('CREATE TABLE blocked ()');
ok(waiting(), 'the next commit waits for it');
my $back = q{SELECT count(*) = 1 FROM pg_stat_replication WHERE usename = 'rep' AND sync_state = 'sync'};
like(warnings_of("set_crl('" . crl('root') . "')"), $missing, 'one that waits for nobody goes through, and says who is missing');
ok($primary->node->poll_query_until('postgres', $back), 'mended on the primary, the standby is back');
$commit->query_until(qr/over/, '');
$commit->quit;
is($primary->sql(q{SELECT to_regclass('blocked')}), 'blocked', 'the commit that waited is through');
ok(await_row('by_cert', 'crl', "state = 'in force' AND $present"), 'and the standby has in force what mends it');
$primary->sql("SELECT sslpolicy.set_crl('" . crl('root', revoked => ['rep']) . "')");
ok($primary->node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_replication}), 'cut off again');
$commit = commits("SELECT sslpolicy.set_crl('" . crl('root') . "')");
ok(waiting(), 'the statement that would mend it waits, too');
sleep 1;
is($primary->sql(q{SELECT count(*) FROM pg_stat_replication}), 0, 'and is not in force meanwhile');
$primary->sql(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'});
ok($primary->node->poll_query_until('postgres', $back), 'cancelled, it holds here, and the standby is back');
$commit->query_until(qr/over/, '');
$commit->quit;
$primary->set(synchronous_standby_names => undef);
$standby->set(primary_conninfo => "$socket application_name=standby");

###############################################################################
# 4

is(states('crl'), 'in force, in force', 'both are heard');
my $cascade = $standby->standby('cascade');
$cascade->node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
$cascade->node->append_conf('postgresql.auto.conf', "primary_conninfo = 'host=" . $standby->node->host . ' port=' . $standby->node->port . " application_name=cascade'\n");
$cascade->start;
ok(await_row('cascade', 'crl', "state = 'silent' AND lsn IS NULL", $_), "a standby of a standby without sslpolicy is silent: seen on the $_->{name}") for $standby, $primary;
$_->stop for $cascade, $standby;
$standby->node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
$standby->node->append_conf('postgresql.auto.conf', "primary_conninfo = '$socket application_name=mute'\n");
$standby->start;
ok(await_row('mute', 'crl', "state = 'silent' AND lsn IS NULL"), 'so is a standby without it');
my $start = time;
is($primary->sql(q{SELECT string_agg(kind || ' ' || state || ': ' || detail, E'\n' ORDER BY kind) FROM sslpolicy.wait_for_nodes('2s') WHERE node = 'mute'}),
	join("\n", map { "$_ silent: it is connected but has not reported; it may run without sslpolicy, or with an older version" } qw(ca crl)), 'wait_for_nodes() says so');
cmp_ok(time - $start, '>=', 1, 'at the timeout');
$standby->stop;
$standby->node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "'sslpolicy'");
$standby->node->append_conf('postgresql.auto.conf', "primary_conninfo = '$socket application_name=standby'\n");
$standby->start;
ok(await_row('standby', 'crl', "state = 'in force'"), 'with sslpolicy, it is heard again');

###############################################################################
# 5

my @both = ([ primary => $primary ], [ standby => $standby ]);
# the outcome of a login on each of the two
sub both_say
{
	my ($expected, $name, %opt) = @_;
	like(refusal($_->[1], %opt), $expected, "$name: $_->[0]") for @both;
	return;
}
sub labels { return $primary->sql(q{SELECT string_agg(provider || ' ' || xmin, ', ' ORDER BY provider) FROM pg_shseclabel}) }
sub as_boss { return refusal($primary, user => 'boss', sql => "SELECT array_to_string(warnings, '') FROM sslpolicy.$_[0]") }

$primary->sql("SELECT sslpolicy.set_crl(NULL); SELECT sslpolicy.set_ca('" . pem(qw(root new)) . "')");
is(states('crl'), 'local, local', 'no CRLs');
$_->[1]->set(ssl_crl_file => '') for @both;
is($primary->login(cert => 'chief', user => 'chief', sslmode => 'require')->{ok}, 1, 'a superuser logs in with a certificate');
my $locks_out = crl('new');
like(as_boss("set_crl('$locks_out')"), qr/^ERROR:  this material would refuse clients.*role "chief"/s, 'CRLs without one of the CA of a superuser: a grantee would lock that one out');
like(as_boss("set_crl('$locks_out', true)"), qr/^ERROR:  permission denied to make a CA unusable by which a superuser or a reserved role logs in/, 'also by force');
is(labels() =~ /sslpolicy_crl/ ? 'written' : '', '', 'and nothing is written');
is(as_boss("set_crl('" . crl('root', revoked => ['bob']) . crl('new') . "')"), '', 'a grantee revokes a certificate');
is(states('crl'), 'in force, in force', 'on all nodes');
both_say(qr/revoked/, 'revoked', cert => 'bob', user => 'bob');
both_say(qr/^$/, 'others', cert => 'chief', user => 'chief');

my $before = labels();
my ($third, $app_revoked) = (crl('third'), crl('root', revoked => [qw(app bob)]));
like(failure("BEGIN; SAVEPOINT s; SELECT sslpolicy.set_ca('" . pem(qw(root new third)) . "'); ROLLBACK TO s; SELECT sslpolicy.set_crl('$third')"),
	qr/ERROR:  22023: /, 'no CRL of a CA that was rolled back to a savepoint');
$primary->sql("BEGIN; SAVEPOINT a; SAVEPOINT b; SELECT sslpolicy.set_crl('$app_revoked'); RELEASE b; ROLLBACK TO a; COMMIT");
is(labels(), $before, 'nothing is left of a savepoint in one that was rolled back to');
$primary->sql(join '; ', 'BEGIN', "SELECT sslpolicy.set_ca('" . pem(qw(root new third)) . "')", "SELECT sslpolicy.set_crl('$third')",
	'SAVEPOINT s', "SELECT sslpolicy.set_ca('" . pem('root') . "', true)", "SELECT sslpolicy.set_crl('$app_revoked')",
	"SELECT sslpolicy.block_certificate('" . $certs->get('app_new')->{fingerprint} . "')", q{SELECT sslpolicy.set_minimum_policy('sslmode=verify-full', true)},
	'ROLLBACK TO s', q{SELECT sslpolicy.set_default_policy('sslmode=require', true)}, 'COMMIT');
is(states($_), 'in force, in force', "several at once: $_") for qw(ca crl);
is($primary->sql(q{SELECT string_agg(provider, ' ' ORDER BY provider) FROM pg_shseclabel}), 'sslpolicy_ca sslpolicy_crl sslpolicy_default', 'of what was set before and after a savepoint, and rolled back to it: what was before, and after');
both_say(qr/^$/, "and is in force, $_", cert => $_) for qw(app app_new app_third);
both_say(qr/revoked/, 'as before', cert => 'bob', user => 'bob');
both_say(qr/does not meet its TLS policy/, 'the default that was set after it', sslmode => 'disable');
both_say(qr/^$/, 'no minimum');
$primary->sql('SELECT sslpolicy.set_default_policy(NULL, true)');

###############################################################################
# 6

sub set_crl { $primary->sql("SELECT sslpolicy.set_crl('$_')") for @_; return states('crl') }
sub crl_that_ends { my ($ends) = @_; $$ends = time + 5; return crl('root', next => $$ends) }
sub sleep_until { my ($then) = @_; sleep 1 while time <= $then; return }
my $ends;
my $expired = qr/the CRL has expired of CA \\?"O=Acme,CN=Test Root/;
is(set_crl(crl_that_ends(\$ends)), 'in force, in force', 'a CRL that ends soon');
is(set_crl(crl('root')), 'in force, in force', 'and one after it');
sleep_until($ends);
like(failure(q{SELECT sslpolicy.rollback('crl')}), qr/ERROR:  42501: permission denied to go back to an older CRL/, 'an expired CRL is not gone back to without force');
like($primary->sql(q{SELECT affected, warnings FROM sslpolicy.rollback('crl', dry_run => true, force => true)}), qr/"ca": "O=Acme,CN=Test Root".*$expired.*\{.*are refused: $expired/, 'a dry run says whom that would refuse, and why');
both_say(qr/^$/, 'and does nothing', cert => 'app');
like($primary->sql(q{SELECT warnings FROM sslpolicy.rollback('crl', force => true)}), qr/are refused: $expired/, 'by force it is, and says so');
is(states('crl'), 'in force, in force', 'is in force');
both_say(qr/expired/, 'and refuses the certificates of its CA', cert => 'app');
both_say(qr/^$/, 'and no others', cert => 'app_new');
is(set_crl(crl('root')), 'in force, in force', 'until a new one is there');
both_say(qr/^$/, 'then all is well', cert => 'app');
# a node that has nothing to go back from
$standby->set('sslpolicy.install' => 'off');
await_row('standby', 'crl', "state = 'foreign'") or die;
set_crl(crl_that_ends(\$ends), crl('root'));
sleep_until($ends);
$primary->sql(q{SELECT sslpolicy.rollback('crl', force => true)});
# otherwise the standby may take what was there before
await_row('standby', 'crl', "state = 'foreign' AND $present") or die;
$standby->set('sslpolicy.install' => undef);
ok(await_row('standby', 'crl', qq{state = 'failed' AND detail ~ 'expired' AND $present}), 'a node that has not had what is gone back from fails, with the reason');
is(refusal($standby, cert => 'app'), '', 'and goes on with what it has');
is(set_crl(crl('root')), 'in force, in force', 'until a new one is there');

# files that have gone
$primary->sql('SELECT sslpolicy.set_crl(NULL)');
is(states('crl'), 'local, local', 'nothing is replicated');
my %file = map { $_->[0] => $_->[1]->node->data_dir . '/own.pem' } @both;
my ($of_new, $of_third) = (crl('new'), crl('third'));
write_file($file{primary}, crl('root', revoked => ['bob']), $of_new, $of_third);
write_file($file{standby}, crl('root', revoked => [qw(app bob)]), $of_new, $of_third);
for (@both)
{
	my ($which, $server) = @$_;
	$server->set('sslpolicy.crl_file' => $file{$which}, ssl_crl_file => '');
	$server->sql('SELECT sslpolicy.reload()');
	like(refusal($server, cert => 'bob', user => 'bob'), qr/is revoked/, "sslpolicy.crl_file: $which");
	unlink $file{$which} or die;
}
like($primary->sql("SELECT warnings FROM sslpolicy.set_crl('" . crl('new') . "')"), qr/the file of sslpolicy\.crl_file was missing or could not be read: it is recreated with the CRLs that were in force from it/, 'set_crl() takes the CRLs of a file that has gone from their copies');
is($primary->sql(q{SELECT regexp_count(label, 'BEGIN X509 CRL') FROM pg_shseclabel WHERE provider = 'sslpolicy_crl'}), 3, 'and all are replicated');
is(states('crl'), 'in force, failed', 'in force on the primary');
like($primary->sql(q{SELECT detail FROM sslpolicy.nodes WHERE node = 'standby' AND kind = 'crl'}), qr/^these CRLs would not come into force: /, 'a standby that had a newer one fails, with the reason');
both_say(qr/is revoked/, 'what they revoke is refused', cert => 'bob', user => 'bob');
is(refusal($primary, cert => 'app'), '', 'and nobody else');
like(refusal($standby, cert => 'app'), qr/is revoked/, 'what that one revokes is refused there still');
is(set_crl(crl('root', revoked => ['bob'])), 'in force, in force', 'until one is set that is newer still');
both_say(qr/^$/, 'then it is in force on both', cert => 'app');

$primary->stop;
$standby->stop;
done_testing();
