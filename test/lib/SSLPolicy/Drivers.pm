# Real clients, and what their users see.
#
# Each client is a small program of test/clients/programs, which takes what a user
# of that driver would write: a connection string of libpq, a URI, a URL of JDBC, a
# string of ODBC or a DSN of DBI.  It prints "let in as ROLE", or the text of the
# error as the driver shows it.
#
# test/clients/run.sh has installed and built them, and names them in CLIENTS.
package SSLPolicy::Drivers;

use strict;
use warnings;
use utf8;
use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep time);
use SSLPolicy::Server;

our @EXPORT = qw(chosen driver version_of connection_string login_by open_pool
  start_clients_server add_pk8 tidy start_pgbouncer reload_pgbouncer stop_pgbouncer);

my $programs = abs_path(dirname(__FILE__) . '/../../clients/programs');
my $bin = $ENV{CLIENTS_BIN} // '';
my @java = ('java', '-Xshare:auto', '-XX:TieredStopAtLevel=1', '-cp', "$bin:/usr/share/java/postgresql.jar", 'Jdbc');

# name: as the page "Drivers" calls it; string: what it takes; old_tls: whether it
# can be held to TLS 1.2 from outside; prefer: whether it has sslmode=prefer and allow;
# comes: how often it comes with prefer, if not twice.
my @drivers = (
	{ id => 'psql', name => 'psql', string => 'conninfo', run => [ 'sh', "$programs/psql.sh" ], old_tls => 1, prefer => 1 },
	{ id => 'psycopg2', name => 'psycopg2', string => 'conninfo', run => [ '/usr/bin/python3', "$programs/with_psycopg2.py" ], old_tls => 1, prefer => 1 },
	{ id => 'psycopg', name => 'psycopg 3', string => 'conninfo', run => [ '/usr/bin/python3', "$programs/with_psycopg.py" ], old_tls => 1, prefer => 1 },
	{ id => 'asyncpg', name => 'asyncpg', string => 'uri', run => [ '/usr/bin/python3', "$programs/with_asyncpg.py" ], old_tls => 1, prefer => 1 },
	{ id => 'dbd-pg', name => 'DBD::Pg', string => 'dbi', run => [ 'perl', "$programs/dbd_pg.pl" ], old_tls => 1, prefer => 1 },
	{ id => 'ruby', name => 'Ruby pg', string => 'conninfo', run => [ 'ruby', "$programs/ruby_pg.rb" ], old_tls => 1, prefer => 1 },
	{ id => 'php', name => 'PHP pgsql', string => 'conninfo', run => [ 'php', "$programs/php_pgsql.php" ], old_tls => 1, prefer => 1 },
	{ id => 'odbc', name => 'psqlODBC', string => 'odbc', run => [ '/usr/bin/python3', "$programs/with_odbc.py" ], old_tls => 1, prefer => 1, comes => 4, package => 'odbc-postgresql' },
	{ id => 'jdbc', name => 'pgJDBC', string => 'jdbc', run => [@java], old_tls => 1, prefer => 1 },
	{ id => 'lib-pq', name => 'lib/pq', string => 'uri', run => ["$bin/lib_pq"], package => 'golang-github-lib-pq-dev' },
	{ id => 'pgx', name => 'pgx', string => 'uri', run => ["$bin/pgx"], old_tls => 1, prefer => 1, comes => 1, package => 'golang-github-jackc-pgx-v4-dev' },
	{ id => 'node-postgres', name => 'node-postgres', string => 'uri', run => [ 'node', "$programs/node_pg.js" ], old_tls => 1 },
	{ id => 'postgres-js', name => 'postgres (porsager)', string => 'uri', run => [ 'node', "$programs/postgres_js.js" ], old_tls => 1 },
	# what psql sees of it
	{ id => 'pgbouncer', name => 'psql behind pgbouncer', string => 'pgbouncer', old_tls => 1 });

# Those that are to be tried, each { id, name, string, … }.
sub chosen
{
	my %wanted = map { $_ => 1 } split ' ', $ENV{CLIENTS} // '';
	return grep { $wanted{ $_->{id} } } @drivers;
}

sub driver { my ($id) = @_; return (grep { $_->{id} eq $id } @drivers)[0] }

sub version_of
{
	my ($driver) = @_;
	my $out;
	if ($driver->{id} eq 'pgbouncer')
	{
		($out) = `pgbouncer --version` =~ /([\d.]+)/;
	}
	elsif ($driver->{package})
	{
		# they do not say it themselves
		($out) = `dpkg-query -W -f '\${Version}' $driver->{package} 2>/dev/null` =~ /^(?:\d+:)?(\d+(?:\.\d+)*)/;
	}
	else
	{
		$out = run_program($driver, {}, 'version')->{text};
	}
	return $out // 'unknown';
}

###############################################################################
# Connection strings

sub percent { my ($text) = @_; return $text =~ s/([^\w.\/~-])/sprintf '%%%02X', ord $1/ger }

# What a user of that driver writes.  Options: host (127.0.0.1), port, user (app),
# db (postgres), sslmode, root, cert, key, pk8; what is not given is left out.
sub connection_string
{
	my ($kind, %opt) = @_;
	my $host = $opt{host} // '127.0.0.1';
	my $user = $opt{user} // 'app';
	my $db = $opt{db} // 'postgres';
	my @tls = grep { defined $_->[1] } [ sslmode => $opt{sslmode} ], [ sslrootcert => $opt{root} ],
	  [ sslcert => $opt{cert} ], [ sslkey => $kind eq 'jdbc' ? $opt{pk8} : $opt{key} ];
	my $query = join '&', map { "$_->[0]=" . percent($_->[1]) } @tls;
	return join ' ', "host=$host port=$opt{port} user=$user dbname=$db", map { "$_->[0]=$_->[1]" } @tls if $kind eq 'conninfo';
	return join ';', "dbi:Pg:host=$host", "port=$opt{port}", "user=$user", "dbname=$db", map { "$_->[0]=$_->[1]" } @tls if $kind eq 'dbi';
	return "postgresql://$user\@$host:$opt{port}/$db?$query" if $kind eq 'uri';
	return "jdbc:postgresql://$host:$opt{port}/$db?user=$user&$query" if $kind eq 'jdbc';
	if ($kind eq 'odbc')
	{
		my $rest = join ' ', map { "$_->[0]=$_->[1]" } grep { $_->[0] ne 'sslmode' } @tls;
		return "Driver={PostgreSQL Unicode};Server=$host;Port=$opt{port};Database=$db;UID=$user;SSLMode=$opt{sslmode};pqopt={$rest}";
	}
	die "no kind of connection string: $kind";
}

###############################################################################
# Running them

# The environment: nothing of the tester's, and a home where nothing lies.
sub environment
{
	my (%more) = @_;
	my %env = map { $_ => $ENV{$_} } grep { !/^PG(?!_CONFIG|_REGRESS)|^OPENSSL_CONF$|^JAVA|^NODE_OPTIONS$/ } keys %ENV;
	return (%env, HOME => '/nonexistent', LC_ALL => 'C.UTF-8', PYTHONWARNINGS => 'ignore', NODE_NO_WARNINGS => 1, %more);
}

# No newer TLS than 1.2, by what each of them listens to
my %old_tls = (
	PGSSLMAXPROTOCOLVERSION => 'TLSv1.2',
	NODE_OPTIONS => '--tls-max-v1.2',
	JDK_JAVA_OPTIONS => '-Djdk.tls.client.protocols=TLSv1.2');

sub run_program
{
	my ($driver, $env, @arg) = @_;
	local %ENV = environment(%$env);
	my ($in, $out, $err) = ('', '', '');
	my $begin = time;
	my $ok = eval {
		IPC::Run::run([ @{ $driver->{run} }, @arg ], '<', \$in, '>', \$out, '2>', \$err,
			IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	};
	my $died = $@;
	chomp $out;
	return { ok => $ok ? 1 : 0, text => $out, err => "$err$died", seconds => time - $begin };
}

# login_by(driver, options of connection_string, and old_tls): { ok, text, seconds }
sub login_by
{
	my ($driver, %opt) = @_;
	my $old = delete $opt{old_tls};
	return by_pgbouncer($old, %opt) if $driver->{id} eq 'pgbouncer';
	return run_program($driver, $old ? \%old_tls : {}, 'login', connection_string($driver->{string}, %opt));
}

# pgbouncer with its own way to the server, and psql before it
sub by_pgbouncer
{
	my ($old, %opt) = @_;
	my $bouncer = start_pgbouncer($old, %opt);
	my $result = run_program(driver('psql'), {}, 'login',
		"host=127.0.0.1 port=$bouncer->{port} user=app dbname=postgres sslmode=disable");
	stop_pgbouncer($bouncer);
	return $result;
}

my $bouncers = 0;
my %bouncing;

sub start_pgbouncer
{
	my ($old, %opt) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir('pgbouncer') . '/' . ++$bouncers;
	make_path($folder);
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $self = { folder => $folder, port => $port };
	append_to_file("$folder/users", qq("app" ""\n));
	append_to_file("$folder/pgbouncer.ini", join "\n", '[databases]', "postgres = host=127.0.0.1 port=$opt{port}",
		'[pgbouncer]', 'listen_addr = 127.0.0.1', "listen_port = $port", 'unix_socket_dir =',
		'auth_type = trust', "auth_file = $folder/users", "pidfile = $folder/pid", "logfile = $folder/log",
		"server_tls_sslmode = $opt{sslmode}",
		($opt{root} && $opt{sslmode} ne 'disable' ? "server_tls_ca_file = $opt{root}" : ()),
		($opt{cert} ? ("server_tls_cert_file = $opt{cert}", "server_tls_key_file = $opt{key}") : ()),
		($old ? 'server_tls_protocols = tlsv1.2' : ()),
		# by default a minute, two minutes, and 15 seconds
		'client_login_timeout = 3', 'query_wait_timeout = 6', 'server_login_retry = 1',
		'');
	system_or_bail('pgbouncer', '-q', '-d', "$folder/pgbouncer.ini");
	$bouncing{$folder} = $self;
	for (1 .. 100)
	{
		last if -s "$folder/pid" && slurp_file("$folder/log") =~ /process up/;
		sleep 0.05;
	}
	return $self;
}

sub signal_pgbouncer
{
	my ($self, $signal) = @_;
	my ($pid) = slurp_file("$self->{folder}/pid") =~ /^(\d+)$/m;
	kill $signal, $pid if $pid;
	return;
}

sub reload_pgbouncer { my ($self) = @_; signal_pgbouncer($self, 'HUP'); return }

sub stop_pgbouncer
{
	my ($self) = @_;
	signal_pgbouncer($self, 'QUIT') if delete $bouncing{ $self->{folder} };
	return;
}

END
{
	local $? = $?;
	stop_pgbouncer($_) for values %bouncing;
}

# A pool that stays open: an object with ask(), which has it run a query and returns
# what came of it, and close().
sub open_pool
{
	my ($driver, $mode, %opt) = @_;
	local %ENV = environment();
	my $self = bless { in => '', out => '', err => '' }, 'SSLPolicy::Drivers::Pool';
	$self->{handle} = IPC::Run::start([ @{ $driver->{run} }, $mode, connection_string($driver->{string}, %opt) ],
		'<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	$self->{first} = $self->answer;
	return $self;
}

sub SSLPolicy::Drivers::Pool::answer
{
	my ($self) = @_;
	until ($self->{out} =~ /^--\n/m)
	{
		# gone, perhaps
		return undef unless $self->{handle}->pumpable;
		$self->{handle}->pump;
	}
	$self->{out} =~ s/\A(.*?)\n?^--\n//ms;
	return $1;
}

sub SSLPolicy::Drivers::Pool::ask
{
	my ($self) = @_;
	$self->{in} .= "query\n";
	return eval { $self->answer };
}

sub SSLPolicy::Drivers::Pool::close
{
	my ($self) = @_;
	$self->{handle}->kill_kill(grace => 5);
	return;
}

# Wait until the program has ended, and return what it said last.
sub SSLPolicy::Drivers::Pool::last_words
{
	my ($self) = @_;
	$self->{handle}->finish;
	return $self->{err};
}

###############################################################################
# The server

# A server with what the clients are tried with.
sub start_clients_server
{
	my ($name, %opt) = @_;
	my $server = SSLPolicy::Server->new($name, %opt);
	my $certs = $server->certs;
	my $root = $certs->get('root');
	$certs->ca('foreign', subject => '/CN=Foreign CA');
	$certs->client('app', issuer => $root);
	$certs->client('blocked', issuer => $root, subject => '/CN=app');
	$certs->client('revoked', issuer => $root, subject => '/CN=app');
	$certs->client('renewed', issuer => $root, subject => '/CN=app');
	$certs->client('mallory', issuer => $root);
	$certs->client('expired', issuer => $root, subject => '/CN=app', not_after => time - 86400, not_before => time - 864000);
	$certs->client('stranger', issuer => 'foreign', subject => '/CN=app');
	add_pk8($certs, $_) for qw(app blocked revoked renewed mallory expired stranger);
	$server->start;
	$server->sql('CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN');
	return $server;
}

# The same key for Java
sub add_pk8
{
	my ($certs, $name) = @_;
	my $made = $certs->get($name);
	$made->{pk8} = $made->{key} =~ s/key$/pk8/r;
	system_or_bail('openssl', 'pkcs8', '-topk8', '-nocrypt', '-outform', 'DER', '-in', $made->{key}, '-out', $made->{pk8});
	chmod 0600, $made->{pk8};
	return;
}

# Without what differs from run to run
sub tidy
{
	my ($text, $port) = @_;
	$text =~ s/\b$port\b/5432/g if $port;
	$text =~ s/(psql: .*) port \d+/$1 port 6432/ if $text =~ /^psql: / && $text !~ /port 5432/;
	# OpenSSL's name of a thread, and of a place in its source
	$text =~ s{:\.\./\S*?\.c:\d+:}{:…:}g;
	$text =~ s/\b[0-9A-F]{16}:error/…:error/g;
	$text =~ s/\s+\z//;
	return $text;
}

1;
