# sslpolicy together with other modules that sit in the same hooks, preloaded
# before it and behind it: every login of the table comes out the same, and each
# of them still does its own work.
#
#	auth_delay          ClientAuthentication_hook
#	passwordcheck       check_password_hook
#	pg_stat_statements  ProcessUtility_hook, shared memory
#	pgaudit             ProcessUtility_hook, object_access_hook, emit_log's path
#	set_user            ProcessUtility_hook, object_access_hook
#	same_names          functions that are called as ours are (test/modules)
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use PostgreSQL::Test::Utils;
use SSLPolicy::LoginCases;
use SSLPolicy::Server;

my %conf = (
	auth_delay => 'auth_delay.milliseconds = 700',
	pgaudit => "pgaudit.log = 'all'",
	set_user => "set_user.superuser_allowlist = 'admin'");
my $libdir = `$ENV{PG_CONFIG} --pkglibdir`;
chomp $libdir;
my @neighbours = qw(auth_delay passwordcheck pg_stat_statements pgaudit set_user);
my @there = grep { -e "$libdir/$_.so" } @neighbours;
for my $module (@neighbours)
{
  SKIP:
	{
		skip "$module is not installed", 1 unless grep { $_ eq $module } @there;
		pass("$module is installed");
	}
}

my $same_names = PostgreSQL::Test::Utils::tempdir('same_names') . '/same_names';
chomp(my $include = `$ENV{PG_CONFIG} --includedir-server`);
chomp(my $cppflags = `$ENV{PG_CONFIG} --cppflags`);
system("gcc -shared -fPIC -O1 $cppflags -I$include -o $same_names.so test/modules/same_names.c") == 0
  or die 'same_names does not compile';
my $sources = join '', map { slurp_file($_) } glob('src/*/*.c');
for my $function (grep { $_ ne 'same_names' } slurp_file('test/modules/same_names.c') =~ /^(\w+)\(/mg)
{
	like($sources, qr/^(?!static).*\n\Q$function\E\(/m, "same_names: sslpolicy has a function $function() as well");
}
push @there, 'same_names';

sub try_logins
{
	my ($server, $order) = @_;
	SSLPolicy::LoginCases::try_cases(
		$server,
		sub {
			my ($case, $name) = @_;
			my $result = $server->login(%{ $case->{to} });
			is(SSLPolicy::LoginCases::outcome($result), $case->{expect}, "$order: $name") or diag($result->{err});
		});
	return;
}

# PostgreSQL's own refusal is delayed, and written down by sslpolicy.
sub try_auth_delay
{
	my ($server, $order) = @_;
	my $begin = time;
	my $result = $server->login(user => 'pwuser', env => { PGPASSWORD => 'wrong' });
	cmp_ok(time - $begin, '>=', 0.7, "$order: auth_delay: a wrong password is answered late");
	like($result->{err}, qr/password authentication failed/, "$order: auth_delay: and refused");
	ok($server->node->poll_query_until('postgres',
			q{SELECT count(*) = 1 FROM sslpolicy.rejections WHERE role = 'pwuser' AND source = 'server'}),
		"$order: auth_delay: the refusal is written down");
	return;
}

sub try_passwordcheck
{
	my ($server, $order) = @_;
	my (undef, undef, $err) = $server->node->psql('postgres', "CREATE ROLE weak LOGIN PASSWORD 'weak'");
	like($err, qr/password is too short/, "$order: passwordcheck: a weak password is refused");
	return;
}

sub try_pg_stat_statements
{
	my ($server, $order) = @_;
	$server->sql(q{CREATE EXTENSION pg_stat_statements; SELECT pg_stat_statements_reset();
		SECURITY LABEL FOR sslpolicy ON ROLE bob IS 'sslmode=require';
		SECURITY LABEL FOR sslpolicy ON ROLE bob IS NULL});
	is($server->sql(q{SELECT sum(calls) FROM pg_stat_statements WHERE query LIKE 'SECURITY LABEL FOR sslpolicy ON ROLE bob%'}),
		2, "$order: pg_stat_statements: counts labels");
	return;
}

sub try_pgaudit
{
	my ($server, $order) = @_;
	my $offset = $server->log_offset;
	$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE bob IS 'sslmode=verify-ca'; SECURITY LABEL FOR sslpolicy ON ROLE bob IS NULL});
	my $log = $server->log_since($offset);
	like($log, qr/AUDIT: SESSION,.*SECURITY LABEL FOR sslpolicy ON ROLE bob IS 'sslmode=verify-ca'/,
		"$order: pgaudit: the statement is in the log");
	like($log, qr/policy of role "bob".*sslmode=verify-ca/, "$order: pgaudit: and so is what sslpolicy says of it");
	return;
}

# The role of set_user has the privileges; the session stays what it logged in
# as.
sub try_set_user
{
	my ($server, $order) = @_;
	$server->sql(q{CREATE EXTENSION set_user; CREATE ROLE admin LOGIN; CREATE ROLE boss SUPERUSER NOLOGIN;
		GRANT EXECUTE ON FUNCTION set_user(text), set_user(text, text), set_user_u(text), reset_user() TO admin});
	my $result = $server->login(user => 'admin', sql => q{SECURITY LABEL FOR sslpolicy ON ROLE bob IS 'sslmode=reject'});
	like($result->{err}, qr/permission denied|must (?:be|have)/, "$order: set_user: not before it");
	# not allowed in a transaction with other statements
	my $session = $server->background(user => 'admin');
	$session->query_safe($_) for q{SELECT set_user_u('boss')}, q{SECURITY LABEL FOR sslpolicy ON ROLE bob IS 'sslmode=reject'};
	like($session->query_safe(q{SELECT 'as ' || current_user || ', in as ' || usename FROM sslpolicy.sessions WHERE pid = pg_backend_pid()}),
		qr/^as boss, in as admin$/, "$order: set_user: becomes a superuser, of the same session");
	$session->quit;
	is($server->login(user => 'bob')->{failed}, 'sslmode', "$order: set_user: whose label counts");
	$server->sql('SECURITY LABEL FOR sslpolicy ON ROLE bob IS NULL');
	return;
}

# Each calls its own: sslpolicy did so in all the logins before.
sub try_same_names
{
	my ($server, $order) = @_;
	$server->sql("CREATE FUNCTION same_names() RETURNS text LANGUAGE c AS '$same_names', 'same_names'");
	is($server->sql(q{SELECT same_names() FROM sslpolicy.connection()}), '0 own text 1002 1001 1003',
		"$order: same_names: calls its own functions");
	is($server->sql(q{SELECT count(*) || ' ' || same_names() FROM sslpolicy.sessions WHERE pid = pg_backend_pid()}),
		'1 0 own text 1002 1001 1003', "$order: same_names: and sslpolicy calls none of them");
	return;
}

# The worker goes on as well.
sub try_recheck
{
	my ($server, $order) = @_;
	my $session = $server->background(user => 'bob', sslmode => 'disable');
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE bob IS 'sslmode=require'});
	ok($server->node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"),
		"$order: a live session that does not comply any more is ended");
	eval { $session->quit };
	return;
}

my %try = (
	auth_delay => \&try_auth_delay,
	passwordcheck => \&try_passwordcheck,
	pg_stat_statements => \&try_pg_stat_statements,
	pgaudit => \&try_pgaudit,
	same_names => \&try_same_names,
	set_user => \&try_set_user);
for my $order ([ 'behind' => @there, 'sslpolicy' ], [ 'before' => 'sslpolicy', reverse @there ])
{
	my ($name, @modules) = @$order;
	my @preload = map { $_ eq 'same_names' ? $same_names : $_ } @modules;
	$name = "sslpolicy $name the others";
	my $server = SSLPolicy::Server->new($order->[0],
		preload => join(',', @preload),
		conf => join("\n", "sslpolicy.recheck_policy = terminate", map { $conf{$_} // () } @there) . "\n");
	SSLPolicy::LoginCases::prepare($server);
	$server->certs->client('certuser', issuer => 'root', subject => '/CN=certuser');
	$server->start;
	# passwordcheck looks at the passwords of roles
	$server->sql('CREATE EXTENSION sslpolicy');
	SSLPolicy::LoginCases::setup_roles($server);

	is($server->sql('SHOW shared_preload_libraries'), join(',', @preload), "$name: all are preloaded");
	try_logins($server, $name);
	$try{$_}->($server, $name) for @there;
	try_recheck($server, $name);
	$server->stop;
}
done_testing();
