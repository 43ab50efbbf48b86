# A cluster of PostgreSQL servers with sslpolicy and TLS that Patroni runs: etcd, and
# a SSLPolicy::PatroniNode for each node.  All of it listens on 127.0.0.1.
#
# Patroni's own roles (postgres, replicator, rewind) log in through TLS, with
# certificates of the CA "root", which signs those of the servers, too.
package SSLPolicy::Patroni;

use strict;
use warnings;
use IPC::Run ();
use JSON::PP ();
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SSLPolicy::Certs;
use SSLPolicy::Crls qw(make_crl);
use SSLPolicy::PatroniNode;
use Test::More;
use Time::HiRes qw(sleep time);

# seconds without a leader until there is an election; and between looks
my ($LEADER_LOST, $LOOK) = (10, 1);

my @clusters;

# new(options): a cluster that is not started, with certificates.
#	names        of the nodes
#	conf         settings of PostgreSQL on all nodes
#	node_conf    those of one: { name => {...} }
#	cas          CAs of clients, that all nodes know, beside "root"
sub new
{
	my ($class, %opt) = @_;
	my $self = bless { names => $opt{names} }, $class;
	my $certs = $self->{certs} = SSLPolicy::Certs->new(dir => PostgreSQL::Test::Utils::tempdir('certs'));
	my @cas = ('root', @{ $opt{cas} // [] });
	$certs->ca($_, subject => "/CN=$_/O=Acme") for @cas;
	$certs->server($_, issuer => 'root') for @{ $self->{names} };
	$certs->client($_, issuer => 'root', subject => "/CN=$_") for qw(postgres replicator rewind);

	my $etcd = $self->{etcd_port} = PostgreSQL::Test::Cluster::get_free_port();
	my %login = map { $_ => { username => $_, sslmode => 'verify-full', sslrootcert => "$certs->{dir}/root.crt",
			sslcert => $certs->get($_)->{chain}, sslkey => $certs->get($_)->{key} } } qw(postgres replicator rewind);
	my $config = {
		scope => 'cluster',
		etcd3 => { host => "127.0.0.1:$etcd" },
		bootstrap => {
			dcs => {
				ttl => $LEADER_LOST, loop_wait => $LOOK, retry_timeout => 3, maximum_lag_on_failover => 64 << 20,
				postgresql => {
					use_pg_rewind => JSON::PP::true,
					parameters => {
						shared_preload_libraries => 'sslpolicy',
						ssl => 'on',
						max_connections => 60,
						wal_keep_size => '128MB',
						log_line_prefix => '%m [%p] %q%a ',
						log_min_messages => 'info',
						# a standby's next attempt to connect
						wal_retrieve_retry_interval => '200ms',
						%{ $opt{conf} // {} },
					},
				},
			},
			initdb => [ { encoding => 'UTF8' }, { locale => 'C' }, 'no-sync' ],
		},
		postgresql => {
			basebackup => [ { checkpoint => 'fast' }, 'no-sync' ],
			authentication => { superuser => $login{postgres}, replication => $login{replicator}, rewind => $login{rewind} },
			pg_hba => [
				'local all all trust',
				'hostssl replication replicator 127.0.0.1/32 cert',
				'hostssl all postgres,rewind 127.0.0.1/32 cert',
				# it is policies that decide on everybody else
				'host all all 127.0.0.1/32 trust',
			],
		},
	};
	$self->{node} = { map { $_ => SSLPolicy::PatroniNode->new($_, certs => $certs, config => $config,
			ca => join('', map { slurp_file("$certs->{dir}/$_.crt") } @cas),
			crl => join('', map { make_crl($certs, $_, 1) } @cas),
			parameters => $opt{node_conf}{$_}) } @{ $self->{names} } };
	push @clusters, $self;
	return $self;
}

sub certs { return $_[0]{certs} }
sub node { return $_[0]{node}{ $_[1] } // die "no node $_[1]" }
sub nodes { return @{ $_[0]{node} }{ @{ $_[0]{names} } } }
sub running { return grep { $_->runs } $_[0]->nodes }

# The first node makes the cluster; what must be there before the others come is for
# a function to do.
sub start
{
	my ($self, $prepare) = @_;
	my $peer = PostgreSQL::Test::Cluster::get_free_port();
	my $url = "http://127.0.0.1:$self->{etcd_port}";
	$self->{etcd} = SSLPolicy::PatroniNode::spawn("$PostgreSQL::Test::Utils::log_path/etcd.log", 'etcd',
		'--data-dir', PostgreSQL::Test::Utils::tempdir('etcd'), '--listen-client-urls', $url, '--advertise-client-urls', $url,
		'--listen-peer-urls', "http://127.0.0.1:$peer", '--initial-advertise-peer-urls', "http://127.0.0.1:$peer",
		'--initial-cluster', "default=http://127.0.0.1:$peer");
	my ($first, @others) = $self->nodes;
	$first->start;
	$self->settled;
	$prepare->($first) if $prepare;
	$_->start for @others;
	$self->settled;
	return;
}

# until('what is waited for', condition): of which the value is returned
sub until
{
	my ($self, $what, $condition, $seconds) = @_;
	my $end = time + ($seconds // 120);
	while (time < $end)
	{
		my $value = $condition->();
		return $value if $value;
		sleep 0.05;
	}
	die "waited in vain: $what\n" . $self->ctl('list');
}

# Wait until one of the nodes that run leads, the others stream from it, and have
# replayed what it had written by now.  Returns the leader.  Options:
#	leader    the name that it must have
#	but       the name that it must not have
sub settled
{
	my ($self, %opt) = @_;
	my ($leader, $lsn);
	my $others = sub { return grep { $_ != $leader } $self->running };
	$self->until('one leader whom the others follow', sub {
		$leader = $self->_leader // return;
		return if $opt{leader} && $leader->{name} ne $opt{leader} || $opt{but} && $leader->{name} eq $opt{but};
		my $followers = join ' ', sort map { $_->{name} } $others->();
		($lsn) = ($leader->try_sql(q{SELECT pg_current_wal_insert_lsn() || ' ' || coalesce(string_agg(application_name, ' ' ORDER BY application_name), '')
			FROM pg_stat_replication WHERE state = 'streaming' AND NOT pg_is_in_recovery()}) // '') =~ /^(\S+) \Q$followers\E$/;
		return $lsn;
	});
	$self->replayed($lsn, $others->());
	return $leader;
}

# Who leads according to Patroni, on whichever node it is asked.
sub _leader
{
	my ($self) = @_;
	my %names;
	for my $node ($self->running)
	{
		my $cluster = $node->ask('cluster') // return undef;
		my @leaders = grep { $_->{role} eq 'leader' && $_->{state} eq 'running' } @{ $cluster->{members} // [] };
		return undef if @leaders != 1;
		$names{ $leaders[0]{name} } = 1;
	}
	my ($name) = keys %names;
	return keys %names == 1 && $self->node($name)->runs ? $self->node($name) : undef;
}

# Wait until these nodes have replayed as far.
sub replayed
{
	my ($self, $lsn, @nodes) = @_;
	for my $node (@nodes)
	{
		$self->until("$node->{name} replays $lsn", sub { return ($node->try_sql("SELECT pg_last_wal_replay_lsn() >= '$lsn'") // '') eq 't' });
	}
	return;
}

# SQL on the leader, and wait until all others that run have replayed it.
sub change
{
	my ($self, $leader, $sql) = @_;
	my $result = $leader->sql($sql);
	$self->replayed($leader->sql('SELECT pg_current_wal_insert_lsn()'), grep { $_ != $leader } $self->running);
	return $result;
}

# patronictl: what it prints.  Dies if it fails.
sub ctl
{
	my ($self, @command) = @_;
	my $config = ($self->nodes)[0]{config};
	my $ok = IPC::Run::run([ 'patronictl', '-c', $config, @command ], '<', \undef, '>', \my $out, '2>&1', IPC::Run::timeout(60));
	die "patronictl @command: $out" if !$ok && $command[0] ne 'list';
	return $out;
}

# The outcome of a login: "in", or what the client is told.
sub verdict
{
	my ($self, $node, %login) = @_;
	my $result = $node->login(sslmode => 'require', %login);
	return 'in' if $result->{ok};
	return $1 if $result->{err} =~ /FATAL:  (.*)/;
	return $result->{err};
}

# A test for each node that runs: the outcome of a login.
sub all_say
{
	my ($self, $expected, $name, %login) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($self->verdict($_, %login), $expected, "$name: $_->{name}") for $self->running;
	return;
}

# Another node takes over, by order.
sub switchover
{
	my ($self, $from, $to) = @_;
	$self->ctl('switchover', 'cluster', '--leader', $from->{name}, '--candidate', $to->{name}, '--force');
	return $self->settled(leader => $to->{name});
}

sub stop
{
	my ($self) = @_;
	# the leader last, so that nobody takes over
	my $leader = $self->_leader;
	$_->stop for grep { !$leader || $_ != $leader } $self->running;
	$leader->stop if $leader;
	if (my $etcd = delete $self->{etcd})
	{
		kill KILL => $etcd;
		waitpid $etcd, 0;
	}
	return;
}

# of a test that has died
END
{
	local $?;
	for my $cluster (@clusters)
	{
		eval { $_->kill_all } for $cluster->nodes;
		next unless $cluster->{etcd};
		kill KILL => $cluster->{etcd};
		waitpid $cluster->{etcd}, 0;
	}
}

1;
