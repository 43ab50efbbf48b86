# A PostgreSQL server with sslpolicy and TLS, and real logins to it.
#
# Wraps PostgreSQL::Test::Cluster: certificates by SSLPolicy::Certs, a
# pg_hba.conf that lets everybody in so that it is the policy that decides, and
# psql as the client, told exactly which certificate to use.
package SSLPolicy::Server;

use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SSLPolicy::Certs;

# new(name, options): an initialized server, not started.
#	conf     more lines of postgresql.conf
#	hba      lines to put before the others in pg_hba.conf
#	preload  value of shared_preload_libraries (default sslpolicy)
#	init     options of PostgreSQL::Test::Cluster->init
#	node     and of PostgreSQL::Test::Cluster->new
sub new
{
	my ($class, $name, %opt) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name, %{ $opt{node} // {} });
	$node->init(%{ $opt{init} // {} });

	my $self = bless { node => $node, name => $name }, $class;
	$self->{certs} =
	  SSLPolicy::Certs->new(dir => PostgreSQL::Test::Utils::tempdir($name) . '/certs');
	my $ca = $self->{certs}->ca('root', subject => '/CN=Test Root/O=Acme');
	$self->{certs}->server('server', issuer => $ca);

	my $dir = $self->{certs}{dir};
	my $preload = $opt{preload} // 'sslpolicy';
	$node->append_conf('postgresql.conf', <<"CONF");
shared_preload_libraries = '$preload'
listen_addresses = '127.0.0.1,::1'
ssl = on
ssl_cert_file = '$dir/server.crt'
ssl_key_file = '$dir/server.key'
ssl_ca_file = '$dir/root.crt'
log_line_prefix = '%m [%p] %q%a '
log_min_messages = info
CONF
	$node->append_conf('postgresql.conf', $opt{conf}) if $opt{conf};
	$self->set_hba(@{ $opt{hba} // [] });
	return $self;
}

sub node { return $_[0]{node} }
sub certs { return $_[0]{certs} }

# pg_hba.conf: the given lines, then everybody by trust.
sub set_hba
{
	my ($self, @lines) = @_;
	my $file = $self->node->data_dir . '/pg_hba.conf';
	open my $fh, '>', $file or die "$file: $!";
	print $fh "$_\n" for 'local all all trust', @lines,
	  'host all all all trust', 'host replication all all trust',
	  'local replication all trust';
	close $fh;
	return;
}

sub start { $_[0]->node->start; return }
sub restart { $_[0]->node->restart; return }
sub stop { $_[0]->node->stop($_[1] // 'fast'); return }

# SQL as superuser through the Unix socket, which no policy governs.  Dies on
# an error.
sub sql
{
	my ($self, $sql, $db) = @_;
	return $self->node->safe_psql($db // 'postgres', $sql);
}

# Settings by ALTER SYSTEM (undef resets), and wait until new sessions have
# them.
sub set
{
	my ($self, %settings) = @_;
	my (@statements, @wanted);
	for my $name (sort keys %settings)
	{
		my $value = $settings{$name};
		my $quoted = defined $value ? "'" . ($value =~ s/'/''/gr) . "'" : undef;
		push @statements, defined $value ? "ALTER SYSTEM SET $name = $quoted" : "ALTER SYSTEM RESET $name";
		push @wanted, "(name = '$name' AND setting = " . ($quoted // 'boot_val') . ')';
	}
	# all at once: a psql takes longer than what it does
	$self->sql(join ";\n", @statements, 'SELECT pg_reload_conf()');
	$self->node->poll_query_until('postgres',
		'SELECT count(*) = ' . @wanted . ' FROM pg_settings WHERE ' . join ' OR ', @wanted)
	  or die join(', ', sort keys %settings) . ' does not take effect';
	return;
}

# Connection string of a login.  Options:
#	user, db       default app, postgres
#	host           127.0.0.1 (default), ::1, or "local" for the Unix socket
#	sslmode        default verify-full
#	cert           name or hashref of a client certificate; default none
#	key            path of a key, if not the certificate's
#	extra          more of the connection string
sub conninfo
{
	my ($self, %opt) = @_;
	my $dir = $self->certs->{dir};
	my $host = $opt{host} // '127.0.0.1';
	my $mode = $opt{sslmode} // 'verify-full';
	my $user = ($opt{user} // 'app') =~ s/(['\\])/\\$1/gr;
	my $db = ($opt{db} // 'postgres') =~ s/(['\\])/\\$1/gr;
	my @parts = (
		'host=' . ($host eq 'local' ? $self->node->host : $host),
		'port=' . $self->node->port,
		"user='$user'", "dbname='$db'", "sslmode=$mode",
		"sslrootcert=$dir/root.crt");
	if (my $cert = $opt{cert})
	{
		$cert = $self->certs->get($cert) unless ref $cert;
		push @parts, "sslcert=$cert->{chain}", 'sslkey=' . ($opt{key} // $cert->{key});
	}
	else
	{
		# so that what the tester has in ~/.postgresql does not come in
		push @parts, 'sslcert=invalid';
	}
	push @parts, $opt{extra} if $opt{extra};
	return join ' ', @parts;
}

# Log in by psql, and run sql (default: nothing but the login).  Returns a
# hashref: ok (let in and no error), out, err, and failed: the requirements in
# the DETAIL of the refusal, without what stands in brackets behind them.
sub login
{
	my ($self, %opt) = @_;
	my ($in, $out, $err) = ('', '', '');
	local %ENV = %ENV;
	delete @ENV{ grep { /^PG(?!_REGRESS|_CONFIG)/ } keys %ENV };
	$ENV{PGCONNECT_TIMEOUT} = 60;
	$ENV{PGCLIENTENCODING} = "UTF8";
	$ENV{$_} = $opt{env}{$_} for keys %{ $opt{env} // {} };
	my $ok = IPC::Run::run(
		[ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $self->conninfo(%opt), '-c', $opt{sql} // 'SELECT 1' ],
		'<', \$in, '>', \$out, '2>', \$err);
	chomp $out;
	my @failed;
	if ($err =~ /Not met: (.*)\./)
	{
		@failed = split /, /, $1 =~ s/ \([^)]*\)//gr;
	}
	return { ok => $ok ? 1 : 0, out => $out, err => $err, failed => "@failed" };
}

# What the server has logged since the offset (see log_offset).
sub log_since
{
	my ($self, $offset) = @_;
	return PostgreSQL::Test::Utils::slurp_file($self->node->logfile, $offset);
}

sub log_offset { return -s $_[0]->node->logfile }

# Wait until the log has a text, and return everything from the offset on.
sub wait_for_log
{
	my ($self, $regex, $offset) = @_;
	$self->node->wait_for_log($regex, $offset);
	return $self->log_since($offset);
}

# Quote as an SQL literal; undef is NULL.
sub literal
{
	my (undef, $value) = @_;
	return 'NULL' unless defined $value;
	return "E'" . ($value =~ s/(['\\])/\\$1/gr) . "'";
}

# Set the policies of roles and databases: label(role => {...}, database =>
# {...}) with undef to remove.
sub label
{
	my ($self, %objects) = @_;
	my $sql = '';
	for my $type (sort keys %objects)
	{
		for my $name (sort keys %{ $objects{$type} })
		{
			my $ident = '"' . ($name =~ s/"/""/gr) . '"';
			$sql .= sprintf "SECURITY LABEL FOR sslpolicy ON %s %s IS %s;\n",
			  uc $type, $ident, $self->literal($objects{$type}{$name});
		}
	}
	$self->sql($sql);
	return;
}

# A psql that stays connected: a PostgreSQL::Test::BackgroundPsql with query()
# and quit().  Options as for login, which must succeed.
sub background
{
	my ($self, %opt) = @_;
	return $self->node->background_psql('postgres', on_error_stop => 0,
		extra_params => [ '-d', $self->conninfo(%opt) ]);
}

# A streaming standby of this server, not started; it has the same
# certificates.  The server must run, with init => { allows_streaming => 1 }.
sub standby
{
	my ($self, $name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$self->node->backup($name);
	$node->init_from_backup($self->node, $name, has_streaming => 1);
	return bless { node => $node, name => $name, certs => $self->certs }, ref $self;
}

1;
