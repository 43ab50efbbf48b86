# The settings: what is accepted, when, and from whom.
#
# For each setting,
# 1. a bad value in postgresql.conf at start ends the start, and the log names
#    the setting and says what is accepted; likewise in postgresql.auto.conf,
#    on the command line, and behind a good value
# 2. a bad value at reload leaves the old one in force, which logins prove, and
#    the log says so
# 3. ALTER SYSTEM refuses a bad value
# 4. a good change at reload binds new logins; an empty one means none
# Then
# 5. a misspelt name leaves a warning, and the server starts
# 6. no session, role, database or function can change a setting, and nothing
#    in the startup packet can
use strict;
use warnings;
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('settings');
my $certs = $server->certs;
$certs->client('app', issuer => 'root', subject => '/CN=app');
$certs->client('bob', issuer => 'root', subject => '/CN=bob', key_name => 'app');
my $fingerprint = $certs->get('bob')->{fingerprint};
my $node = $server->node;
my $conf = slurp_file($node->data_dir . '/postgresql.conf');

my %plain = (sslmode => 'disable');

# Each setting: a good value, bad ones, what the log must say of those, and a
# login that the good value refuses (or, for enforcement and reserved_roles,
# lets in).  The role app has the label sslmode=prefer, grp_app is in a group
# with sslmode=reject.
my @settings = (
	{
		name => 'default_policy',
		good => 'sslmode=require',
		bad => {
			'sslmode=perfer' => qr/"perfer".*At character \d+, key "sslmode".*Perhaps you meant "prefer". Accepted is .*verify-full/s,
			'tls=yes' => qr/"tls".*At character 1.*sslmode/s,
			'cn=/^(a$' => qr/At character \d+, key "cn"/s
		},
		login => { user => 'unlabelled', %plain },
		refused => 1
	},
	{
		name => 'minimum_policy',
		good => 'sslmode=require',
		bad => {
			'cn=app' => qr/key "cn" is not accepted in .*At character 1.*sslmode/s,
			'address=127.0.0.1 sslmode=require' => qr/the last rule must decide.*End with a rule/s,
			'cipher=ROT13' => qr/ROT13.*key "cipher"/s
		},
		login => {%plain},
		refused => 1
	},
	{
		name => 'reserved_roles',
		good => 'grp_app, "Other"',
		bad => { 'a b' => qr/list of role names has a syntax error.*HINT: .*commas/s,
			'"a' => qr/list of role names has a syntax error/ },
		login => { user => 'grp_app', %plain },
		refused => 0
	},
	{
		name => 'blocked_fingerprints',
		good => $fingerprint,
		bad => { 'abcd' => qr/"abcd" is not a SHA-256 fingerprint.*64 hexadecimal digits/s,
			"$fingerprint,zz" => qr/"zz" is not a SHA-256 fingerprint/ },
		login => { cert => 'bob' },
		refused => 1
	},
	{
		name => 'enforcement',
		good => 'log',
		bad => { 'none' => qr/Available values: off, log, enforce/, '' => qr/Available values: off, log, enforce/ },
		login => { user => 'strict', %plain },
		refused => 0
	},
	{
		name => 'max_certificate_text',
		good => '64kB',
		bad => {
			'0' => qr/0 kB is outside the valid range .*1 (?:kB )?\.\. 128/,
			'129' => qr/129 kB is outside the valid range .*1 (?:kB )?\.\. 128/,
			'1MB' => qr/outside the valid range/,
			'much' => qr/max_certificate_text/
		},
		shown => '64kB'
	});

# postgresql.conf with these lines and no other settings of ours.
sub write_conf
{
	open my $fh, '>', $node->data_dir . '/postgresql.conf' or die $!;
	print $fh $conf, map { "$_\n" } @_;
	close $fh;
	return;
}

sub line
{
	my ($setting, $value) = @_;
	return "sslpolicy.$setting = '" . ($value =~ s/'/''/gr) . "'";
}

# Wait until new sessions have the value.
sub wait_for
{
	my ($setting, $value) = @_;
	$node->poll_query_until('postgres', "SELECT current_setting('sslpolicy.$setting') = " . $server->literal($value))
	  or die "$setting does not become $value";
	return;
}

# Try to start the server, which must fail and log the reason.
sub does_not_start
{
	my ($name, $setting, $reason, @options) = @_;
	my $offset = -e $node->logfile ? $server->log_offset : 0;
	my @pg_ctl = ('pg_ctl', '-w', '-D', $node->data_dir);
	my $started = system_log(@pg_ctl, '-l', $node->logfile, @options, 'start') == 0;
	my $log = $server->log_since($offset);

	ok(!$started, "$name: the server does not start");
	like($log, qr/FATAL: .*\bsslpolicy\.$setting\b/, "$name: the log names the setting");
	like($log, $reason, "$name: the log says what is accepted");
	system_log(@pg_ctl, '-m', 'immediate', 'stop') if $started;
	return;
}

# 1
for my $setting (@settings)
{
	for my $value (sort keys %{ $setting->{bad} })
	{
		write_conf(line($setting->{name}, $value));
		does_not_start("start with $setting->{name} = '$value'", $setting->{name}, $setting->{bad}{$value});
	}
}
write_conf(line('minimum_policy', 'sslmode=require'), line('minimum_policy', 'sslmode'));
does_not_start('start with a bad value behind a good one', 'minimum_policy', qr/missing "="/);
write_conf(line('minimum_policy', 'sslmode=require'));
append_to_file($node->data_dir . '/postgresql.auto.conf', line('minimum_policy', 'sslmode') . "\n");
does_not_start('start with a bad postgresql.auto.conf', 'minimum_policy', qr/missing "="/);
unlink $node->data_dir . '/postgresql.auto.conf';
does_not_start('start with a bad value on the command line', 'default_policy', qr/missing "="/,
	'-o', '-c sslpolicy.default_policy=sslmode');

# 5
write_conf(line('minimum_polcy', 'sslmode=require'), line('enforcement', 'log'));
my $offset = $server->log_offset;
$server->start;
like($server->log_since($offset), qr/WARNING: .*"sslpolicy\.minimum_polcy"/, 'a misspelt name leaves a warning');
is($server->sql('SHOW sslpolicy.enforcement'), 'log', 'and the other settings are in force');
like(psql_error("ALTER SYSTEM SET sslpolicy.minimum_polcy = 'sslmode=require'"), qr/sslpolicy\.minimum_polcy/,
	'ALTER SYSTEM refuses it');
$offset = $server->log_offset;
$node->reload;
like($server->wait_for_log(qr/contains errors/, $offset), qr/"sslpolicy\.minimum_polcy"/, 'each reload names it');
write_conf();
$node->reload;
wait_for('enforcement', 'enforce');

$server->sql(<<'SQL');
CREATE ROLE app LOGIN; CREATE ROLE unlabelled LOGIN; CREATE ROLE strict LOGIN;
CREATE ROLE grp; CREATE ROLE grp_app LOGIN; GRANT grp TO grp_app;
CREATE ROLE dba LOGIN; CREATE ROLE weak LOGIN; CREATE ROLE boss LOGIN SUPERUSER;
SQL
my %labels = (app => 'sslmode=prefer', strict => 'sslmode=require', weak => 'sslmode=require', grp => 'sslmode=reject');
$server->label(role => \%labels);

# The error of a statement, with its code; run by a superuser unless there is
# a role.
sub psql_error
{
	my ($sql, $role) = @_;
	$sql = "SET SESSION AUTHORIZATION $role; $sql" if $role;
	my (undef, undef, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql;");
	return $err;
}

# Prove by a login, and by SHOW, whether the good value is in force.
sub in_force
{
	my ($name, $setting, $is_good) = @_;
	if ($setting->{login})
	{
		my $refused = $is_good ? $setting->{refused} : !$setting->{refused};
		my $result = $server->login(%{ $setting->{login} });
		is($result->{ok}, $refused ? 0 : 1, "$name: a login is " . ($refused ? 'refused' : 'let in'))
		  or diag($result->{err});
	}
	my $shown = $setting->{shown} // $setting->{good};
	my $value = $server->sql("SHOW sslpolicy.$setting->{name}");
	($is_good ? \&is : \&isnt)->($value, $shown, "$name: SHOW");
	return;
}

# 2, 3, 4
my %none = (enforcement => 'enforce', max_certificate_text => '16kB');
for my $setting (@settings)
{
	my $name = $setting->{name};
	in_force("$name, default", $setting, 0);
	write_conf(line($name, $setting->{good}));
	$node->reload;
	wait_for($name, $setting->{shown} // $setting->{good});
	in_force("$name, good value at reload", $setting, 1);

	for my $value (sort keys %{ $setting->{bad} })
	{
		my $case = "$name = '$value'";
		write_conf(line($name, $value));
		$offset = $server->log_offset;
		$node->reload;
		my $log = $server->wait_for_log(qr/contains errors/, $offset);
		like($log, qr/\bsslpolicy\.$name\b/, "$case at reload: the log names the setting");
		like($log, $setting->{bad}{$value}, "$case at reload: the log says what is accepted");
		in_force("$case at reload", $setting, 1);

		my $err = psql_error("ALTER SYSTEM SET sslpolicy.$name = " . $server->literal($value));
		like($err, qr/ERROR:  22023: .*\bsslpolicy\.$name\b/, "$case by ALTER SYSTEM: an error that names the setting");
		like($err, $setting->{bad}{$value}, "$case by ALTER SYSTEM: it says what is accepted");
	}
	write_conf(line($name, $none{$name} // ''));
	$node->reload;
	wait_for($name, $none{$name} // '');
	in_force("$name, " . ($none{$name} ? 'changed' : 'empty'), $setting, 0);
	$server->set("sslpolicy.$name" => $setting->{good}) unless $setting->{shown};
	in_force("$name, by ALTER SYSTEM", $setting, 1) unless $setting->{shown};
	$server->set("sslpolicy.$name" => '') unless $none{$name};
	in_force("$name, empty by ALTER SYSTEM", $setting, 0) unless $none{$name};
	$server->set("sslpolicy.$name" => undef);
	write_conf();
	$node->reload;
	wait_for($name, $none{$name} // '');
}
is(slurp_file($node->data_dir . '/postgresql.auto.conf') =~ /sslpolicy/, '', 'no refused value was written down');

# 6
my $cannot = qr/55P02: parameter "sslpolicy\.enforcement" cannot be changed now/;
for my $role ('app', 'boss')
{
	like(psql_error($_ , $role), $cannot, "$role cannot: $_")
	  for 'SET sslpolicy.enforcement = off', 'SET LOCAL sslpolicy.enforcement = off',
	  "SELECT set_config('sslpolicy.enforcement', 'off', false)",
	  "DO \$\$ BEGIN SET sslpolicy.enforcement = off; END \$\$";
}
for my $statement ('ALTER ROLE strict SET sslpolicy.enforcement = off',
	'ALTER ROLE ALL SET sslpolicy.enforcement = off',
	'ALTER DATABASE postgres SET sslpolicy.enforcement = off',
	"CREATE FUNCTION f() RETURNS int LANGUAGE sql SET sslpolicy.enforcement = off AS 'SELECT 1'")
{
	like(psql_error($statement), $cannot, "superusers cannot: $statement");
}
like(psql_error("ALTER SYSTEM SET sslpolicy.enforcement = off", 'dba'), qr/42501/, 'ALTER SYSTEM wants a privilege');
$server->sql('GRANT ALTER SYSTEM ON PARAMETER sslpolicy.enforcement TO dba');
is(psql_error("ALTER SYSTEM SET sslpolicy.enforcement = enforce", 'dba'), '', 'which can be granted');
like(psql_error("ALTER SYSTEM SET sslpolicy.minimum_policy = ''", 'dba'), qr/42501/, 'for one setting alone');

# as left behind by a time without the library
$server->sql(q{INSERT INTO pg_db_role_setting VALUES (0, 'weak'::regrole, '{sslpolicy.enforcement=off}')});
is($server->login(user => 'weak', %plain)->{failed}, 'sslmode', 'a setting stored for a role weakens nothing');
is($server->login(user => 'weak', sslmode => 'require', sql => 'SHOW sslpolicy.enforcement')->{out}, 'enforce',
	'and is without effect in its session');

my $ready = qr{Z\x00\x00\x00\x05I\z};

# Send a startup packet, and return what the server says until it hangs up.
sub startup
{
	my @parameters = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $node->port, Timeout => 60) or die $!;
	my $body = pack('N', 196608) . join('', map { "$_\0" } @parameters) . "\0";
	syswrite $socket, pack('N', 4 + length $body) . $body;
	my $reply = '';
	1 while sysread($socket, $reply, 8192, length $reply) && $reply !~ $ready;
	close $socket;
	return $reply;
}
$server->label(role => { boss => 'sslmode=require' });
for my $user ('strict', 'app', 'boss')
{
	for my $extra ([ 'sslpolicy.enforcement', 'off' ], [ 'options', '-c sslpolicy.enforcement=off' ],
		[ 'options', '--sslpolicy.enforcement=off' ])
	{
		my $reply = startup('user', $user, 'database', 'postgres', @$extra);
		like($reply, $user eq 'app' ? qr/C55P02.*cannot be changed now/ : qr/C28000.*does not meet its TLS policy/,
			"$user: startup packet with @$extra is refused");
	}
}
like(startup('user', 'app', 'database', 'postgres'), $ready, 'without it the role gets in');
is($server->login(user => 'strict', %plain, extra => q{options='-c sslpolicy.enforcement=off'})->{failed}, 'sslmode',
	'nor do options of a connection string weaken a policy');
is($server->sql('SHOW sslpolicy.enforcement'), 'enforce', 'enforcement is what it was');

$server->stop;
done_testing();
