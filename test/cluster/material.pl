# CAs and CRLs of every node on a cluster of three nodes under Patroni.
#
# 1. CRLs are taken over from the primary, and in force on all three nodes
# 2. a rotation of the CA of clients: both, then the new one alone
# 3. a revocation: refused on all three; how long that takes
# 4. switchover: what is set on the new primary is everywhere
# 5. a node that was down during a revocation refuses, and does so as the primary
# 6. failover by kill -9, with a list that no standby has: the old primary keeps that
#    list, as the newer one, until there is one that is newer still
# 7. a node that is made anew by Patroni
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Patroni;

my $began = time;
my $cluster = SSLPolicy::Patroni->new(
	names => [qw(n1 n2 n3)],
	cas => ['clients'],
	node_conf => {
		n1 => { 'sslpolicy.crl_file' => '%t/ca.crl' },
		n2 => { 'sslpolicy.crl_file' => '%t/ca.crl' },
		n3 => { ssl_crl_file => '%t/ca.crl' },
	});
my $certs = $cluster->certs;
$certs->ca('new', subject => '/CN=new/O=Acme');
$certs->client($_, issuer => 'clients', subject => '/CN=app') for qw(app lost lost2 lost3);
$certs->client('app_new', issuer => 'new', subject => '/CN=app');

sub pem { return join '', map { slurp_file("$certs->{dir}/$_.crt") } @_ }
my @revoked;
my $number = 1;
sub crl { my (@more) = @_; push @revoked, @more; return make_crl($certs, 'clients', ++$number, revoked => \@revoked) }

# Nodes and their states, once all have what is wanted, or have failed.
sub states { my ($on) = @_; return $on->sql(q{SELECT string_agg(kind || ' ' || state, ', ' ORDER BY kind, state) FROM sslpolicy.wait_for_nodes('30s')}) }
sub all_refuse
{
	my ($why, $name, %login) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	like($cluster->verdict($_, %login), $why, "$name: $_->{name}") for $cluster->running;
	return;
}

###############################################################################
# 1

my ($n1, $n2, $n3) = $cluster->nodes;
$cluster->start(sub { $_[0]->sql('CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN') });
diag(sprintf 'three nodes after %d s', time - $began);
my $leader = $n1;
my $reported = q{SELECT string_agg(node || ' ' || state, ', ' ORDER BY kind, node) FROM sslpolicy.nodes WHERE NOT is_self};
ok($cluster->until('both standbys have reported', sub { return ($leader->try_sql($reported) // '') eq 'n2 local, n3 local, n2 local, n3 local' }), 'both standbys have reported');
is($leader->sql("SELECT changes -> 'added' -> 0 ->> 'issuer' FROM sslpolicy.set_crl('" . crl() . "')") // '', 'O=Acme,CN=clients', 'set_crl()');
my $all_crl = 'ca local, ca local, ca local, crl in force, crl in force, crl in force';
is(states($leader), $all_crl, 'CRLs are in force on all');
$cluster->all_say('in', 'a certificate that is not revoked', cert => 'app');

###############################################################################
# 2

my $both = 'ca in force, ca in force, ca in force, crl in force, crl in force, crl in force';
$leader->sql("SELECT FROM sslpolicy.set_ca('" . pem(qw(root clients new)) . "')");
is(states($leader), $both, 'two CAs of clients');
# of the new one there is no list yet
all_refuse(qr/revo|CRL|unknown ca/, 'and no CRL of the new one', cert => 'app_new');
$leader->sql("SELECT FROM sslpolicy.set_crl('" . make_crl($certs, 'new', 1) . "')");
is(states($leader), $both, 'a CRL of the new one');
$cluster->all_say('in', 'both CAs', cert => $_) for qw(app app_new);
$leader->sql("SELECT FROM sslpolicy.set_ca('" . pem(qw(root new)) . "', force => true)");
is(states($leader), $both, 'the new one alone');
$cluster->all_say('in', 'its clients', cert => 'app_new');
all_refuse(qr/unknown ca/, 'and no others', cert => 'app');
$cluster->settled(leader => 'n1');
$leader->sql("SELECT FROM sslpolicy.set_ca('" . pem(qw(root clients new)) . "'), sslpolicy.set_crl('" . crl() . "')");
is(states($leader), $both, 'both again');
$cluster->all_say('in', 'both again', cert => $_) for qw(app app_new);

###############################################################################
# 3

my $file = PostgreSQL::Test::Utils::tempdir() . '/revoke.sql';
write_file($file, "SELECT FROM sslpolicy.set_crl('" . crl('lost') . "')");
my $ok = IPC::Run::run([ "$ENV{CLUSTER_BIN}/until_refused", 30, $leader->node->connstr('postgres'), $file,
	map { $_->conninfo(cert => 'lost', sslmode => 'require') } $cluster->nodes ], '<', \undef, '>', \my $times, '2>', \my $error);
ok($ok, 'every node refuses a certificate once it is revoked') or diag($error);
diag($times =~ s/\n(?=.)/, /gr);
is(states($leader), $both, 'and has the list in force');
all_refuse(qr/revoked/, 'revoked', cert => 'lost');
$cluster->all_say('in', 'another is not', cert => 'app');

###############################################################################
# 4

$leader = $cluster->switchover($leader, $n2);
all_refuse(qr/revoked/, 'after a switchover', cert => 'lost');
$leader->sql("SELECT FROM sslpolicy.set_crl('" . crl('lost2') . "')");
is(states($leader), $both, 'what the new primary sets');
all_refuse(qr/revoked/, 'revoked on the new primary', cert => 'lost2');

###############################################################################
# 5

my ($down) = grep { $_ != $leader } $cluster->nodes;
$down->stop;
$cluster->settled;
$leader->sql("SELECT FROM sslpolicy.set_crl('" . crl('lost3') . "')");
is(states($leader), 'ca gone, ca in force, ca in force, crl gone, crl in force, crl in force', 'a revocation while a node is down');
all_refuse(qr/revoked/, 'on the others', cert => 'lost3');
$down->start;
$cluster->settled(leader => $leader->{name});
is(states($leader), $both, 'which is back, ...');
all_refuse(qr/revoked/, 'and refuses', cert => 'lost3');
$leader = $cluster->switchover($leader, $down);
all_refuse(qr/revoked/, 'also as the primary', cert => 'lost3');
is(states($leader), $both, 'where all have the same');

###############################################################################
# 6

my @senders = split /\n/, $leader->sql('SELECT pid FROM pg_stat_replication');
is(kill(STOP => @senders), 2, 'nothing is sent to the standbys any more');
my @before = @revoked;
$leader->sql("SELECT FROM sslpolicy.set_crl('" . crl('app') . "')");
$cluster->until('the primary alone refuses', sub { return $cluster->verdict($leader, cert => 'app') =~ /revoked/ });
my $old = $leader;
$old->kill_all;
$leader = $cluster->settled(but => $old->{name});
$cluster->all_say('in', 'the others never had that list', cert => 'app');
$old->start;
$cluster->settled(leader => $leader->{name});
like(slurp_file($old->patroni_log), qr/running pg_rewind from $leader->{name}/, 'the old primary is rewound');
is(states($leader), 'ca in force, ca in force, ca in force, crl in force, crl in force, crl newer', 'and says that its list is newer');
like($cluster->verdict($old, cert => 'app'), qr/revoked/, 'which it keeps');
@revoked = @before;
$leader->sql("SELECT FROM sslpolicy.set_crl('" . crl() . "')");
is(states($leader), $both, 'until there is one that is newer still');
$cluster->all_say('in', 'which does not revoke it', cert => 'app');

###############################################################################
# 7

my ($anew) = grep { $_ != $leader } $cluster->nodes;
my $identity = q{SELECT extract(epoch FROM pg_postmaster_start_time())};
my $before = $anew->sql($identity);
write_file("$anew->{tls}/ca.crt", pem('root'));
write_file("$anew->{tls}/ca.crl", make_crl($certs, 'clients', 1));
$cluster->ctl('reinit', 'cluster', $anew->{name}, '--force');
$cluster->until('a node made anew', sub { return ($anew->try_sql($identity) // $before) ne $before });
$cluster->settled(leader => $leader->{name});
is(states($leader), $both, 'a node made anew, with files of other times');
all_refuse(qr/revoked/, 'refuses', cert => $_) for qw(lost lost2 lost3);
$cluster->all_say('in', 'and lets in', cert => $_) for qw(app app_new);

unlike(slurp_file($_->node->logfile), qr/PANIC|TRAP|terminated by signal/, "nothing crashed: $_->{name}") for $cluster->nodes;
$cluster->stop;
diag(sprintf 'all of it: %d s', time - $began);
done_testing();
