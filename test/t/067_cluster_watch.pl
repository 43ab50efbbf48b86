# Watching nodes: lint(), metrics and reports on nodes that do not have in force what is
# replicated, on a primary and a standby.
#
# 1. nothing is replicated: no findings
# 2. failed: the standby has a CA of its own; explain() and verify_certificate() there
# 3. foreign: the same files, and others; who learns what
# 4. silent: a standby without the library; gone
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl);
use SSLPolicy::Outside;
use SSLPolicy::Server;

my $primary = SSLPolicy::Server->new('primary', init => { allows_streaming => 1 },
	conf => "ssl_ca_file = 'ca.crt'\nssl_crl_file = 'crl.pem'\n");
my $certs = $primary->certs;
my $dir = $certs->{dir};
my $root = $certs->get('root');
$certs->ca('new', subject => '/CN=New Root');
$certs->client('app', issuer => $root, subject => '/CN=app');
$certs->client('app_new', issuer => 'new', subject => '/CN=app');
my $data = $primary->node->data_dir;
system('cp', "$dir/root.crt", "$data/ca.crt") == 0 or die 'no copy of the CA';
append_to_file("$data/crl.pem", make_crl($certs, 'root', 1, days => 5));
$primary->start;
$primary->sql('CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE monitor LOGIN; GRANT pg_monitor TO monitor');
my $standby = $primary->standby('standby');
$standby->start;

sub wait_for_all { return $primary->sql(q{SELECT string_agg(kind || ' ' || state, ', ' ORDER BY kind) FROM sslpolicy.wait_for_nodes('60s') WHERE NOT is_self}) }

# code and severity of the findings about nodes
sub findings
{
	my ($server) = @_;
	return $server->sql(q{SELECT coalesce(string_agg(severity || ' ' || code || ' ' || object, ', ' ORDER BY code, object), 'none') FROM sslpolicy.lint() WHERE code LIKE 'node%'});
}

# what queries.yaml says of the standby's CRL, to a member of pg_monitor, or as asked
sub metrics
{
	my @options = @_ ? @_ : (extra_params => [ '-U', 'monitor' ]);
	my ($query) = slurp_file(installed_file('queries.yaml')) =~ /^sslpolicy_nodes:\n  query: \|\n(.*?)^  metrics:/ms;
	my $rows = $primary->node->safe_psql('postgres', "BEGIN; $query", @options);
	return join ', ', map { join ' ', (split /\|/)[ 2 .. 5 ] } grep { /^standby\|crl\|/ } split /\n/, $rows;
}

# polls until the standby is in this state
sub wait_for_state
{
	my ($kind, $state) = @_;
	ok($primary->node->poll_query_until('postgres', "SELECT bool_and(state = '$state') FROM sslpolicy.nodes WHERE NOT is_self AND kind = '$kind'"), "$kind of the standby: $state")
	  or diag($primary->sql('SELECT * FROM sslpolicy.nodes'));
	return;
}

# 1
is(wait_for_all(), 'ca local, crl local', 'nothing is replicated');
is(findings($_), 'none', 'no findings') for $primary, $standby;
is(metrics(), 'local 1 1 0', 'metrics: settled');

# 2
my $crl = make_crl($certs, 'root', 2, days => 5);
$primary->sql("SELECT FROM sslpolicy.set_crl('$crl', true)");
is(wait_for_all(), 'ca local, crl in force', 'replicated');
is(findings($primary), 'none', 'in force everywhere: no findings');
# the next one is not replayed
$standby->sql('SELECT pg_wal_replay_pause()');
$crl = make_crl($certs, 'root', 3, days => 5);
$primary->sql("SELECT FROM sslpolicy.set_crl('$crl', true)");
ok($primary->node->poll_query_until('postgres', q{SELECT state = 'in force' AND wanted <> (SELECT wanted FROM sslpolicy.nodes WHERE NOT is_self AND kind = 'crl') FROM sslpolicy.nodes WHERE is_self AND kind = 'crl'}), 'the next one is in force on the primary alone');
is(findings($primary), 'none', 'the standby has a minute');
is(metrics(), 'in force 1 0 0', 'metrics: not settled');
ok($primary->node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM sslpolicy.lint() WHERE code = 'node_not_in_force' AND severity = 'warning' AND finding ~ '^For more than a minute, the node has not had the replicated certificate revocation lists in force'}), 'which is over');
# replay goes on, and may cancel the statement itself
$standby->node->psql('postgres', 'SELECT pg_wal_replay_resume()');
is(wait_for_all(), 'ca local, crl in force', 'replayed');
is(findings($primary), 'none', 'no findings');
# another CA, and no CRL at all
$standby->stop;
my $below = $standby->node->data_dir;
system('cp', "$dir/new.crt", "$below/ca.crt") == 0 or die 'no copy of the CA';
$standby->node->append_conf('postgresql.conf', "ssl_crl_file = ''\nssl_ca_file = 'ca.crt'\n");
$standby->start;
wait_for_state(crl => 'failed');
is(findings($primary), 'error node_failed crl of node "standby"', 'failed, on the primary');
is(metrics(), 'failed 1 1 0', 'metrics');
is(findings($standby), 'error node_failed crl of node "standby"', 'and on the standby');
like($primary->sql(q{SELECT finding FROM sslpolicy.lint() WHERE code = 'node_failed'}), qr/^The node could not put the replicated certificate revocation lists in place, and continues with what it had: \w/, 'with its reason');
my $pem = slurp_file("$dir/app_new.crt");
like($standby->sql("SELECT error FROM sslpolicy.verify_certificate('$pem')"), qr/the replicated CRL could not be put in place/, 'verify_certificate() says so');
is($standby->sql("SELECT ok FROM sslpolicy.explain('app', certificate => '$pem') WHERE source = 'replicated CRL'"), 'f', 'explain() too');
is($standby->sql("SELECT actual FROM sslpolicy.explain('app', certificate => '$pem') WHERE requirement = 'verdict'"), 'refused', 'and its verdict');
is($standby->sql(q{SELECT count(*) FROM sslpolicy.explain('app', certificate => '') WHERE source = 'replicated CRL'}), 0, 'not without a certificate');
my $login = $standby->login(user => 'app', cert => 'app_new', sslmode => 'require');
ok(!$login->{ok}, 'as at the login') or diag($login->{err});
like($standby->node->safe_psql('postgres', "SELECT finding FROM sslpolicy.lint() WHERE code = 'node_failed'", extra_params => [ '-U', 'monitor' ]), qr/the reason is shown only to superusers, and in the server log of the node/, 'others are not told the reason');

# 3
$standby->stop;
$standby->node->append_conf('postgresql.conf', "sslpolicy.install = off\nssl_crl_file = 'crl.pem'\n");
system('cp', "$dir/root.crt", "$below/ca.crt") == 0 or die 'no copy of the CA';
$standby->start;
wait_for_state(crl => 'foreign');
is(findings($primary), 'info node_foreign crl of node "standby"', 'others write its files, which are the same');
is(metrics(), 'foreign 1 1 0', 'metrics: the same material');
is(metrics(timeout => 60), 'foreign 1 1 0', 'metrics: to a superuser, too');
append_to_file("$below/crl.pem", make_crl($certs, 'new', 1, days => 5));
ok($primary->node->poll_query_until('postgres', q{SELECT detail ~ '^the file of the node differs from what is replicated; ' FROM sslpolicy.nodes WHERE NOT is_self AND kind = 'crl'}), 'then they are others');
is(findings($primary), 'warning node_foreign crl of node "standby"', 'which is a warning');
like($primary->node->safe_psql('postgres', q{SELECT detail FROM sslpolicy.nodes WHERE NOT is_self AND kind = 'crl'}, extra_params => [ '-U', 'monitor' ]),
	qr/^the file of the node differs from what is replicated; the reason is shown only to superusers, and in the server log of the node$/, 'and what monitoring learns');
is(metrics(), 'foreign 1 1 1', 'metrics: other material');

# 4
my $cascade = $standby->standby('cascade');
$cascade->start;
ok($primary->node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM sslpolicy.nodes WHERE node = 'cascade' AND kind = 'crl' AND state = 'foreign'}), 'a standby of the standby');
$standby->stop;
$cascade->stop;
ok($primary->node->poll_query_until('postgres', q{SELECT bool_and(state = 'gone') FROM sslpolicy.nodes WHERE NOT is_self}), 'gone');
is(findings($primary), 'info node_gone crl of node "cascade", info node_gone crl of node "standby"', 'is said, as no more than that');
is(metrics(), 'gone 1 0 0', 'metrics');
$primary->restart;
$standby->node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
$standby->start;
wait_for_state(crl => 'silent');
is(findings($primary), 'none', 'silent for some seconds');
is(metrics(), 'silent 1 0 0', 'metrics');
ok($primary->node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM sslpolicy.lint() WHERE code = 'node_not_in_force' AND severity = 'warning' AND finding ~ '^It is not known whether the replicated certificate revocation lists are in force on the node: it is connected but has not reported'}),
	'for more than a minute');
$standby->stop;
$primary->stop;
done_testing();
