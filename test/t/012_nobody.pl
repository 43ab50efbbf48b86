# Logins that come to nothing, and names that mean harm.
#
# 1. a role or database that does not exist, under trust: without policies the
#    messages of core; with default_policy or minimum_policy the refusal is the
#    same, to the client and in the log, as for one that exists
# 2. what fails before the hook, or in core, stays a matter of core: wrong
#    passwords, pg_hba reject, no certificate where pg_hba wants one; the hook
#    neither admits nor logs a refusal of its own
# 3. names of 200 bytes are cut as core cuts them, and policies hold for them
# 4. names with line breaks, quotes, %, control characters and broken UTF-8 can
#    neither forge a line of the log nor break out of one
# 5. the hook of another library (auth_delay) is called, before ours or around
#    it
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new(
	'nobody',
	conf => "log_connections = on\n",
	hba => [
		'host pw all all scram-sha-256',
		'host all pwuser all scram-sha-256',
		'host all rejected all reject',
		'host hidden all all reject',
		'hostssl all certuser all cert'
	]);
my $node = $server->node;
$server->certs->client('app', issuer => 'root', subject => '/CN=app');
$server->start;
$server->sql(<<'SQL');
CREATE EXTENSION sslpolicy;
CREATE ROLE app LOGIN; CREATE ROLE pwuser LOGIN PASSWORD 'secret';
CREATE ROLE rejected LOGIN; CREATE ROLE certuser LOGIN; CREATE ROLE nologin;
CREATE ROLE gone; DROP ROLE gone;
CREATE DATABASE db1; CREATE DATABASE hidden; CREATE DATABASE shut ALLOW_CONNECTIONS false;
SQL

my %plain = (sslmode => 'disable');

# Log in; returns the error without what libpq puts in front, and what was
# logged.
sub attempt
{
	my (%to) = @_;
	my $offset = $server->log_offset;
	my $result = $server->login(%plain, %to);
	my $err = $result->{err} =~ s/\A.*?(FATAL: )/$1/sr;
	return ($result->{ok} ? 'in' : $err, $server->log_since($offset), $result);
}

sub error_is
{
	my ($name, $to, $expect) = @_;
	my ($err, $log) = attempt(%$to);
	is($err, $expect eq 'in' ? 'in' : "FATAL:  $expect\n", $name);
	unlike($log, qr/TLS policy|Refused|Let in/, "$name: nothing of ours in the log");
	return;
}

# 1
error_is('no policy: missing role', { user => 'ghost' }, 'role "ghost" does not exist');
error_is('no policy: missing role over TLS', { user => 'ghost', sslmode => 'require' }, 'role "ghost" does not exist');
error_is('no policy: missing database', { db => 'nowhere' }, 'database "nowhere" does not exist');
error_is('no policy: both missing', { user => 'ghost', db => 'nowhere' }, 'role "ghost" does not exist');
error_is('no policy: NOLOGIN', { user => 'nologin' }, 'role "nologin" is not permitted to log in');
error_is('no policy: dropped role', { user => 'gone' }, 'role "gone" does not exist');
error_is('no policy: closed database', { db => 'shut' }, 'database "shut" is not currently accepting connections');

my @everybody = ([ 'missing role', user => 'ghost' ], [ 'NOLOGIN role', user => 'nologin' ],
	[ 'missing database', db => 'nowhere' ], [ 'closed database', db => 'shut' ],
	[ 'both missing', user => 'ghost', db => 'nowhere' ]);
for my $setting (qw(default_policy minimum_policy))
{
	$server->set("sslpolicy.$setting" => 'sslmode=verify-ca min_protocol=TLSv1.3');
	for my $transport ('disable', 'require')
	{
		my ($expected_err, $expected_log) = attempt(sslmode => $transport);
		$expected_log = join '', $expected_log =~ /((?:FATAL|DETAIL|HINT): .*\n)/g;
		like($expected_err, qr/does not meet its TLS policy/, "$setting, $transport: an existing role is refused");
		like($expected_log, qr/DETAIL:  Refused: role="app" database="postgres"/, "$setting, $transport: and logged");
		for (@everybody)
		{
			my ($name, %to) = @$_;
			my ($err, $log) = attempt(%to, sslmode => $transport);
			my $user = $to{user} // 'app';
			my $db = $to{db} // 'postgres';
			$err =~ s/"\Q$user\E"/"app"/g;
			is($err, $expected_err, "$setting, $transport, $name: the client cannot tell");
			$log = join '', $log =~ /((?:FATAL|DETAIL|HINT): .*\n)/g;
			$log =~ s/"\Q$user\E"/"app"/g;
			$log =~ s/database="\Q$db\E"/database="postgres"/;
			is($log, $expected_log, "$setting, $transport, $name: the log is the same but for the name");
		}
	}
	error_is("$setting met: missing role", { user => 'ghost', sslmode => 'require', cert => 'app' }, 'role "ghost" does not exist');
	error_is("$setting met: missing database", { db => 'nowhere', sslmode => 'require', cert => 'app' }, 'database "nowhere" does not exist');
	error_is("$setting met: existing role", { sslmode => 'require', cert => 'app' }, 'in');
	$server->set("sslpolicy.$setting" => undef);
}

# 2
my @cores = (
	[ 'wrong password', { user => 'pwuser', env => { PGPASSWORD => 'wrong' } }, qr/^FATAL:  password authentication failed for user "pwuser"$/m ],
	[ 'password for a missing role', { user => 'ghost', db => 'pw', env => { PGPASSWORD => 'x' } }, qr/^FATAL:  password authentication failed for user "ghost"$/m ],
	[ 'pg_hba reject', { user => 'rejected' }, qr/^FATAL:  pg_hba.conf rejects connection for host "127.0.0.1", user "rejected"/m ],
	[ 'pg_hba reject of a database', { db => 'hidden' }, qr/^FATAL:  pg_hba.conf rejects connection for host .* database "hidden"/m ],
	[ 'certificate missing', { user => 'certuser', sslmode => 'require' }, qr/^FATAL:  connection requires a valid client certificate$/m ],
	[ 'certificate of another', { user => 'certuser', sslmode => 'require', cert => 'app' }, qr/^FATAL:  certificate authentication failed for user "certuser"$/m ]);
for my $policy (undef, 'sslmode=reject')
{
	my $name = $policy // 'no policy';
	$server->set('sslpolicy.minimum_policy' => $policy) if $policy;
	$server->label(role => { pwuser => $policy, rejected => $policy, certuser => $policy });
	for (@cores)
	{
		my ($case, $to, $expect) = @$_;
		my ($err, $log) = attempt(%$to);
		like($err, $expect, "$name, $case: the error is core's");
		unlike("$err$log", qr/TLS policy|Refused|Let in|connection authorized/, "$name, $case: and nothing of ours");
	}
}
is((attempt(user => 'pwuser', env => { PGPASSWORD => 'secret' }))[2]{failed}, 'sslmode',
	'with the right password it is the policy that refuses');
is($server->sql("SELECT count(*) FROM sslpolicy.sessions WHERE client_addr IS NOT NULL"), 0,
	'no session is left of all these');
$server->set('sslpolicy.minimum_policy' => undef);
is((attempt(user => 'pwuser', env => { PGPASSWORD => 'secret' }))[2]{failed}, 'sslmode', 'by its label as well');
$server->label(role => { pwuser => undef });
ok((attempt(user => 'pwuser', env => { PGPASSWORD => 'secret' }))[2]{ok}, 'without a policy it gets in');

# 3
my $long = 'r' x 200;
my $cut = 'r' x 63;
$server->sql("CREATE ROLE $cut LOGIN; CREATE DATABASE $cut; CREATE ROLE " . ("\xc3\xa9" x 31) . ' LOGIN');
is($server->login(%plain, user => $long, db => $long, sql => 'SELECT session_user, current_database()')->{out}, "$cut|$cut",
	'names of 200 bytes are cut by core');
$server->label(role => { $cut => 'sslmode=require' });
is((attempt(user => $long))[2]{failed}, 'sslmode', 'the label of a role binds under a name of 200 bytes');
$server->label(role => { $cut => undef }, database => { $cut => 'sslmode=require' });
is((attempt(db => $long))[2]{failed}, 'sslmode', 'and that of a database');
$server->sql('CREATE EXTENSION sslpolicy', $cut);
my $session = $server->login(sslmode => 'require', user => $long, db => $long,
	sql => 'SELECT usename, datname FROM sslpolicy.sessions WHERE pid = pg_backend_pid()');
is($session->{out}, "$cut|$cut", 'and sessions has the names');
$server->label(role => { $cut => q{database='} . $cut . q{' sslmode=require; sslmode=prefer} }, database => { $cut => undef });
is((attempt(user => $long, db => $long))[2]{failed}, 'sslmode', 'a rule for a database of 63 bytes fits');
is((attempt(user => $long))[0], 'in', 'and another does not');
$server->set('sslpolicy.minimum_policy' => 'sslmode=require');
# 100 characters of two bytes: cut in the middle of one
is((attempt(user => "\xc3\xa9" x 100))[2]{failed}, 'sslmode', 'a name that is cut in a character meets the minimum policy');

# 4
my $forged = '2026-01-01 00:00:00.000 UTC [1] LOG:  FORGED';
my %hostile = (
	'line feed' => "x\n$forged",
	'carriage return' => "x\r$forged",
	'both, and more lines' => "x\r\n$forged\n$forged\n",
	'quote' => qq{x" database="y" address=10.0.0.1 FORGED "},
	'format' => '%s%n%1$s%d%%',
	'escape sequence' => "x\e[2K\e[1A$forged",
	'control characters' => join('', map { chr } 1 .. 8, 11, 12, 14 .. 31, 127) . $forged,
	'broken UTF-8' => "x\xff\xc3\xed\xa0\x80",
	'UTF-8 line separators' => "x\xe2\x80\xa8\xc2\x85$forged",
	'backslash' => '\\0A\\n');
for my $policy ('sslmode=require', 'sslmode=require action=log; sslmode=prefer')
{
	my $log_only = $policy =~ /action=log/;
	$server->set('sslpolicy.minimum_policy' => $policy);
	for my $kind (sort keys %hostile)
	{
		for my $place ('user', 'db')
		{
			my $name = ($log_only ? 'action=log' : 'refused') . ", $kind in $place";
			my ($err, $log, $result) = attempt($place => $hostile{$kind});
			ok(!$result->{ok}, "$name: not let in");
			if (!$log_only)
			{
				is($result->{failed}, 'sslmode', "$name: refused by the policy");
				unlike($err =~ s/\n//gr, qr/[\x00-\x1f\x7f]/, "$name: no control characters for the client");
			}
			unlike($log, qr/^(?:$forged|FORGED)/m, "$name: no line of the log begins with the forged text");

			# our lines are whole: one of the message, one of details
			my ($message, $detail) = $log =~ /((?:FATAL|LOG): .*TLS policy(?:: TLS is not in use)?)\n.*?(DETAIL: .*)\n/;
			like($message // '', qr/connection of role "[^"\x00-\x1f\x7f]*" (?:does not meet its|would be refused by) TLS policy(?:: TLS is not in use)?\z/,
				"$name: the message is one line");
			like($detail // '', qr/\ADETAIL:  (?:Refused|Let in): role="[^"\x00-\x1f\x7f]*" database="[^"\x00-\x1f\x7f]*" address=127\.0\.0\.1 tls=none .*required: sslmode=require \(policy of sslpolicy\.minimum_policy, rule 1\)\.\z/,
				"$name: the detail is one line");
		}
	}
}
my ($err, $log) = attempt(user => "x\ny");
like($log, qr/role="x\\0Ay"/, 'a line feed is written as \0A');
$server->set('sslpolicy.minimum_policy' => undef);

# such names exist, and policies hold for them; PostgreSQL 19 has no line
# breaks in them any more
my $breaks = $node->pg_version->major < 19 ? qr/[^\s\S]/ : qr/[\r\n]/;
for my $kind (grep { !/UTF-8$|control/ } sort keys %hostile)
{
	my $role = substr $hostile{$kind}, 0, 30;
	next if $role =~ $breaks;
	my $ident = $role =~ s/"/""/gr;
	$server->sql(qq{CREATE ROLE "$ident" LOGIN});
	$server->label(role => { $role => 'sslmode=require' });
	is((attempt(user => $role))[2]{failed}, 'sslmode', "a role named with $kind: its policy is in force");
	is((attempt(user => $role, sslmode => 'require'))[0], 'in', "a role named with $kind: it gets in by it");
}

# 5
my ($libdir) = run_command([ $ENV{PG_CONFIG} // 'pg_config', '--pkglibdir' ]);
SKIP:
{
	skip 'auth_delay is not installed', 8 unless -e "$libdir/auth_delay.so";
	$server->label(role => { pwuser => 'sslmode=require' });
	for my $libraries ('auth_delay, sslpolicy', 'sslpolicy, auth_delay')
	{
		$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "'$libraries'");
		$server->restart;
		$server->set('auth_delay.milliseconds' => '400');
		my $start = time;
		($err, $log) = attempt(user => 'pwuser', sslmode => 'require', env => { PGPASSWORD => 'wrong' });
		cmp_ok(time - $start, '>=', 0.4, "$libraries: a wrong password is delayed by auth_delay");
		like($err, qr/password authentication failed/, "$libraries: and the error is core's");
		$server->set('auth_delay.milliseconds' => '0');
		is((attempt(user => 'pwuser', env => { PGPASSWORD => 'secret' }))[2]{failed}, 'sslmode', "$libraries: policies are enforced");
		ok((attempt(user => 'pwuser', sslmode => 'require', env => { PGPASSWORD => 'secret' }))[2]{ok},
			"$libraries: who meets them gets in");
	}
}

$server->stop;
done_testing();
