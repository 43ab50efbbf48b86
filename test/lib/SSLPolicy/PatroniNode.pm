# A node of a cluster under Patroni (see SSLPolicy::Patroni): a process of Patroni's,
# and the PostgreSQL that it runs.  Certificates, logins and SQL as with any
# SSLPolicy::Server; but what starts and stops PostgreSQL, and writes its
# configuration, is Patroni.
package SSLPolicy::PatroniNode;

use strict;
use warnings;
use File::Copy qw(copy);
use HTTP::Tiny;
use IPC::Run ();
use JSON::PP ();
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SSLPolicy::Crls qw(write_file);
use parent 'SSLPolicy::Server';

# new(name, options): with a folder tls that has the node's own server.crt,
# server.key, ca.crt and ca.crl.
#	certs        an SSLPolicy::Certs; the server's certificate is named like the node
#	ca, crl      what is in ca.crt and ca.crl
#	config       the same for all nodes
#	parameters   of PostgreSQL on this node; %t is that folder
sub new
{
	my ($class, $name, %opt) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	my $tls = $node->basedir . '/tls';
	my $self = bless { node => $node, name => $name, certs => $opt{certs}, tls => $tls,
		rest => PostgreSQL::Test::Cluster::get_free_port() }, $class;

	mkdir $tls, 0700 or die "$tls: $!";
	copy("$self->{certs}{dir}/$name.$_", "$tls/server.$_") or die "$tls: $!" for qw(crt key);
	chmod 0600, "$tls/server.key" or die "$tls: $!";
	write_file("$tls/ca.crt", $opt{ca});
	write_file("$tls/ca.crl", $opt{crl});

	my $address = '127.0.0.1:' . $node->port;
	my $rest = "127.0.0.1:$self->{rest}";
	my %parameters = (%{ _parameters_of($ENV{TEMP_CONFIG}) },
		ssl_cert_file => '%t/server.crt', ssl_key_file => '%t/server.key', ssl_ca_file => '%t/ca.crt',
		unix_socket_directories => $node->host, %{ $opt{parameters} // {} });
	chomp(my $bin = `$ENV{PG_CONFIG} --bindir`);
	my $config = {
		%{ $opt{config} },
		name => $name,
		log => { dir => $node->basedir, level => 'INFO' },
		restapi => { listen => $rest, connect_address => $rest },
		postgresql => {
			%{ $opt{config}{postgresql} },
			listen => $address, connect_address => $address,
			data_dir => $node->data_dir, bin_dir => $bin, pgpass => $node->basedir . '/pgpass',
			parameters => { map { $_ => $parameters{$_} =~ s/%t/$tls/gr } keys %parameters },
		},
	};
	$self->{config} = $node->basedir . '/patroni.yml';
	# JSON is YAML
	write_file($self->{config}, JSON::PP->new->pretty->canonical->encode($config));
	return $self;
}

# Of a file of settings.
sub _parameters_of
{
	my ($file) = @_;
	return { slurp_file($file) =~ /^(\w+) = '(.*)'$/mg };
}

# spawn(file, command...): a process whose output goes to a file
sub spawn
{
	my ($file, @command) = @_;
	my $pid = fork // die "fork: $!";
	return $pid if $pid;
	# neither dies, for that would run what the parent has at its end
	if (open(STDIN, '<', '/dev/null') && open(STDOUT, '>>', $file) && open(STDERR, '>&', \*STDOUT))
	{
		no warnings 'exec';
		exec { $command[0] } @command;
		print "$command[0]: $!\n";
	}
	POSIX::_exit(127);
}

sub patroni_log { return $_[0]->node->basedir . '/patroni.log' }

sub runs { return defined $_[0]{patroni} }

# Does not wait for anything: see settled() of SSLPolicy::Patroni.
sub start
{
	my ($self) = @_;
	die "$self->{name} is running" if $self->runs;
	$self->{patroni} = spawn($self->node->logfile, 'patroni', $self->{config});
	return;
}

# Patroni stops PostgreSQL, and ends.
sub stop
{
	my ($self) = @_;
	my $pid = delete $self->{patroni} // return;
	kill TERM => $pid;
	waitpid $pid, 0;
	return;
}

# As if the machine had lost its power: nothing writes, sends or answers any more.
sub kill_all
{
	my ($self) = @_;
	my @server = $self->processes;
	if (my $pid = delete $self->{patroni})
	{
		kill KILL => $pid;
		waitpid $pid, 0;
	}
	return unless @server;
	kill KILL => @server;
	# reaped by somebody else
	for (1 .. 1200)
	{
		return unless kill 0 => @server;
		select undef, undef, undef, 0.05;
	}
	die "processes of $self->{name} do not end: @server";
}

# Of PostgreSQL, the postmaster first.
sub processes
{
	my ($self) = @_;
	my $file = $self->node->data_dir . '/postmaster.pid';
	open my $fh, '<', $file or return;
	my $postmaster = readline $fh;
	close $fh;
	chomp $postmaster;
	return unless kill 0 => $postmaster;
	return ($postmaster, grep { (_parent($_) // 0) == $postmaster } map { m{(\d+)$} } glob '/proc/[0-9]*');
}

sub _parent
{
	my ($pid) = @_;
	open my $fh, '<', "/proc/$pid/stat" or return undef;
	my $stat = readline($fh) // '';
	close $fh;
	return $stat =~ /\) \S (\d+)/ ? $1 : undef;
}

# What Patroni knows, or undef.
sub ask
{
	my ($self, $path) = @_;
	return undef unless $self->runs;
	my $reply = HTTP::Tiny->new(timeout => 5)->get("http://127.0.0.1:$self->{rest}/$path");
	return eval { JSON::PP->new->decode($reply->{content}) };
}

# SQL as superuser: what it says, or undef on any error.  Not by psql() of the node: a
# server that is not there has it die of a broken pipe.
sub try_sql
{
	my ($self, $sql) = @_;
	my ($out, $err);
	my $ok = eval {
		IPC::Run::run([ 'psql', '-XAtq', '-d', $self->node->connstr('postgres'), '-c', $sql ], '<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(10));
	};
	return undef unless $ok;
	chomp $out;
	return $out;
}

1;
