# Policies and blocked certificates on a cluster of three nodes under Patroni.
#
# 1. Patroni bootstraps, copies and follows under policies: its own connections, and
#    the replication that it sets up, come with certificates
# 2. a policy of a role, the minimum and the default: on all three nodes
# 3. a blocked certificate is refused, and its sessions are ended, on all three
# 4. switchover: the same before and after, and what is set on the new primary is
#    everywhere
# 5. failover by kill -9, with WAL that no standby has: what the old primary alone had
#    is gone with pg_rewind, and it refuses what was blocked meanwhile
# 6. a node that was down when a certificate was blocked refuses it, and does so as
#    the primary
# 7. a node that is made anew by Patroni
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Patroni;

my $began = time;
my $cluster = SSLPolicy::Patroni->new(
	names => [qw(n1 n2 n3)],
	cas => ['clients'],
	conf => { 'sslpolicy.recheck_policy' => 'terminate' },
	node_conf => {
		n1 => { 'sslpolicy.crl_file' => '%t/ca.crl' },
		n2 => { 'sslpolicy.crl_file' => '%t/ca.crl' },
		n3 => { ssl_crl_file => '%t/ca.crl' },
	});
my $certs = $cluster->certs;
$certs->client($_, issuer => 'clients', subject => '/CN=app') for qw(app lost lost2 lost3);
$certs->client('bob', issuer => 'clients', subject => '/CN=bob');
my %print = map { $_ => $certs->get($_)->{fingerprint} } qw(app lost lost2 lost3);
my %plain = (sslmode => 'disable', extra => 'gssencmode=disable');
my $not_met = 'connection of role "app" does not meet its TLS policy: ';
my $blocked = 'client certificate of role "app" is blocked on every node';

# A live session with a certificate on each node that runs: node, process id and psql.
sub live_sessions
{
	my (%login) = @_;
	my @sessions;
	for my $node ($cluster->running)
	{
		my $psql = $node->background(sslmode => 'require', %login);
		push @sessions, { node => $node, psql => $psql, pid => $psql->query_safe('SELECT pg_backend_pid()') };
	}
	return @sessions;
}

sub all_ended
{
	my ($cause, @sessions) = @_;
	for my $session (@sessions)
	{
		my $node = $session->{node};
		ok($node->node->poll_query_until('postgres', "SELECT count(*) = 1 FROM sslpolicy.ended_sessions WHERE pid = $session->{pid} AND cause = '$cause'"),
			"a live session is ended: $node->{name}");
		eval { $session->{psql}->quit };
	}
	return;
}

###############################################################################
# 1

my ($n1, $n2, $n3) = $cluster->nodes;
$cluster->start(sub {
	$_[0]->sql(<<'SQL');
CREATE EXTENSION sslpolicy;
CREATE ROLE app LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE late LOGIN;
SELECT sslpolicy.set_policy('replicator', 'database=replication sslmode=verify-full; sslmode=reject');
SELECT sslpolicy.set_policy(r, 'sslmode=verify-full', true) FROM unnest('{postgres,rewind}'::regrole[]) r;
SQL
});
diag(sprintf 'three nodes after %d s', time - $began);
my $leader = $n1;

is($leader->sql(q{SELECT string_agg(usename || ' ' || client_dn || ' ' || compliant, ', ' ORDER BY application_name)
	FROM sslpolicy.sessions JOIN pg_stat_replication USING (pid, usename)}),
	'replicator CN=replicator true, replicator CN=replicator true', 'two standbys stream through TLS, with certificates, and comply');
for my $node ($cluster->nodes)
{
	my $own = q{SELECT DISTINCT client_dn, compliant FROM sslpolicy.sessions WHERE usename = 'postgres' AND client_addr IS NOT NULL};
	ok($cluster->until("Patroni's own connection", sub { return ($node->try_sql($own) // '') eq 'CN=postgres|t' }), "so do Patroni's own connections: $node->{name}");
}
like($_->sql('SHOW primary_conninfo'), qr/user=replicator .*sslmode=verify-full sslcert=\S+ sslkey=\S+ sslrootcert=\S+ application_name=$_->{name}/, "by what Patroni has written: $_->{name}") for $n2, $n3;
for my $node ($cluster->nodes)
{
	my $port = $node->node->port;
	like(`openssl s_client -starttls postgres -connect 127.0.0.1:$port </dev/null 2>/dev/null | openssl x509 -noout -subject`,
		qr/CN = $node->{name}$/m, "a certificate of its own: $node->{name}");
}

###############################################################################
# 2

$cluster->all_say('in', 'no policy yet', %plain);
$cluster->change($leader, q{SELECT sslpolicy.set_policy('bob', 'sslmode=verify-full')});
$cluster->all_say('connection of role "bob" does not meet its TLS policy: the certificate does not name the role', 'policy of a role', user => 'bob', cert => 'app');
$cluster->all_say('in', 'policy of a role, met', user => 'bob', cert => 'bob');
$cluster->change($leader, q{SELECT sslpolicy.set_minimum_policy('sslmode=require', true)});
$cluster->all_say("${not_met}TLS is not in use", 'minimum', %plain);
$cluster->all_say('in', 'minimum, met');
$cluster->change($leader, q{SELECT sslpolicy.set_default_policy('sslmode=verify-full', true)});
$cluster->all_say("${not_met}no client certificate", 'default');
$cluster->all_say('in', 'default, met', cert => 'app');
is($_->sql('SELECT object_name, policy FROM sslpolicy.policies WHERE object_type = \'cluster\' ORDER BY 1'),
	"cluster default_policy|sslmode=verify-full\ncluster minimum_policy|sslmode=require", "shown: $_->{name}") for $cluster->nodes;
$cluster->settled(leader => 'n1');

###############################################################################
# 3

my @sessions = live_sessions(cert => 'lost');
$cluster->change($leader, "SELECT sslpolicy.block_certificate('$print{lost}')");
$cluster->all_say($blocked, 'blocked', cert => 'lost');
$cluster->all_say('in', 'another is not', cert => 'app');
all_ended('blocked', @sessions);
$cluster->change($leader, "SELECT sslpolicy.unblock_certificate('$print{lost}')");
$cluster->all_say('in', 'unblocked', cert => 'lost');

###############################################################################
# 4

$cluster->change($leader, "SELECT sslpolicy.block_certificate('$print{lost}')");
$leader = $cluster->switchover($leader, $n2);
$cluster->all_say($blocked, 'after a switchover: blocked', cert => 'lost');
$cluster->all_say("${not_met}TLS is not in use", 'minimum', %plain);
$cluster->all_say("${not_met}no client certificate", 'default');
$cluster->all_say('in', 'and who complies', cert => 'app');
@sessions = live_sessions(cert => 'lost2');
$cluster->change($leader, "SELECT sslpolicy.block_certificate('$print{lost2}')");
$cluster->all_say($blocked, 'what is blocked on the new primary', cert => 'lost2');
all_ended('blocked', @sessions);
$cluster->change($leader, "SELECT sslpolicy.unblock_certificate('$print{lost2}')");

###############################################################################
# 5

# the old primary goes on alone
my @senders = split /\n/, $leader->sql('SELECT pid FROM pg_stat_replication');
is(kill(STOP => @senders), 2, 'nothing is sent to the standbys any more');
$leader->sql(qq{SELECT sslpolicy.block_certificate('$print{app}'); SELECT sslpolicy.set_policy('late', 'sslmode=reject')});
is($cluster->verdict($leader, cert => 'app'), $blocked, 'what the primary alone has');
my $old = $leader;
my $killed = time;
$old->kill_all;
$leader = $cluster->settled(but => $old->{name});
diag(sprintf 'failover: %d s', time - $killed);
$cluster->all_say('in', 'the others never had it', cert => 'app');
$cluster->change($leader, "SELECT sslpolicy.block_certificate('$print{lost2}')");
$cluster->all_say($blocked, 'blocked on the new primary', cert => 'lost2');
my $back = time;
$old->start;
$cluster->settled(leader => $leader->{name});
diag(sprintf 'the old primary is back after %d s', time - $back);
like(slurp_file($old->patroni_log), qr/running pg_rewind from $leader->{name}/, 'the old primary is rewound, ...');
$cluster->all_say($blocked, 'refuses what was blocked meanwhile', cert => 'lost2');
$cluster->all_say('in', 'and has forgotten what it alone had', cert => 'app');
is($old->sql('SELECT * FROM sslpolicy.policies ORDER BY 1, 2, 3'), $leader->sql('SELECT * FROM sslpolicy.policies ORDER BY 1, 2, 3'), 'the same policies');

###############################################################################
# 6

my ($down) = grep { $_ != $leader } $cluster->nodes;
$down->stop;
$cluster->settled;
$cluster->change($leader, qq{SELECT sslpolicy.block_certificate('$print{lost3}'); SELECT sslpolicy.set_policy('late', 'sslmode=reject')});
$cluster->all_say($blocked, 'blocked while a node is down', cert => 'lost3');
$down->start;
$cluster->settled(leader => $leader->{name});
$cluster->all_say($blocked, 'and when it is back', cert => 'lost3');
$leader = $cluster->switchover($leader, $down);
$cluster->all_say($blocked, 'also when it is the primary', cert => 'lost3');
$cluster->all_say('connection of role "late" does not meet its TLS policy: no connection is accepted', 'a policy of that time', user => 'late', cert => 'app');

###############################################################################
# 7

my ($anew) = grep { $_ != $leader } $cluster->nodes;
my $identity = q{SELECT extract(epoch FROM pg_postmaster_start_time())};
my $before = $anew->sql($identity);
$cluster->ctl('reinit', 'cluster', $anew->{name}, '--force');
$cluster->until('a node made anew', sub { return ($anew->try_sql($identity) // $before) ne $before });
$cluster->settled(leader => $leader->{name});
like(slurp_file($anew->patroni_log), qr/replica has been created using basebackup/, 'a node is made anew');
$cluster->all_say($blocked, 'and refuses', cert => $_) for qw(lost lost2 lost3);
$cluster->all_say('in', 'and lets in', cert => 'app');

unlike(slurp_file($_->node->logfile), qr/PANIC|TRAP|terminated by signal/, "nothing crashed: $_->{name}") for $cluster->nodes;
$cluster->stop;
diag(sprintf 'all of it: %d s', time - $began);
done_testing();
