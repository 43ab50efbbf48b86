# A storm of logins: LOGINS (10000) of them, CLIENTS (200) at once, half of which
# must be refused, by policies, by revocation, by a blocked fingerprint, and by
# PostgreSQL itself.
#
# 1. no wrong verdict
# 2. statistics, rejections and recent_logins add up to the login.  Of what
#    PostgreSQL itself refuses some may come too fast to be told by role: then it is
#    in the row of everybody else, and the sum is exact
# 3. memory: after a tenth of the storm as a warm-up, the anonymous memory of the
#    postmaster and of the worker grows by less than a quarter of a megabyte, which is
#    under 30 bytes a login; shared memory, dynamic shared memory (certificates
#    too large for a slot are there) and open files of both are the same
# 4. no slot is leaked: afterwards sessions shows the caller alone, and as many
#    clients as there are slots can log in, and are shown, each once
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $logins = $ENV{LOGINS} // 10000;
my $clients = $ENV{CLIENTS} // 200;
my $seed = $ENV{SEED} // int(rand(1_000_000));
note("SEED=$seed LOGINS=$logins CLIENTS=$clients");
my $slots = 2 * $clients;

my $server = SSLPolicy::Server->new('storm', conf => <<"CONF");
max_connections = @{[ $slots + 3 ]}
superuser_reserved_connections = 3
# so that files show it
dynamic_shared_memory_type = mmap
autovacuum = off
authentication_timeout = 600s
CONF
my $node = $server->node;
my $certs = $server->certs;
$certs->ca('stranger');
$certs->client('app', issuer => 'root', subject => '/CN=app');
$certs->client('big', issuer => 'root', subject => '/CN=big', key_name => 'app', san => [ map { "dns:host$_.example.com" } 1 .. 150 ]);
$certs->client($_, issuer => 'root', subject => '/CN=app', key_name => 'app') for qw(revoked blocked);
$certs->client('unknown', issuer => 'stranger', subject => '/CN=app', key_name => 'app');
my $crl = "$certs->{dir}/own.crl";
write_file($crl, make_crl($certs, 'root', 1, revoked => ['revoked']));
$node->append_conf('postgresql.conf',
	"sslpolicy.crl_file = '$crl'\nsslpolicy.blocked_fingerprints = '" . $certs->get('blocked')->{fingerprint} . "'");
$server->set_hba('host all pw all password', 'host all barred all reject');
$server->start;
$server->sql(<<'SQL');
CREATE EXTENSION sslpolicy;
CREATE ROLE app LOGIN; CREATE ROLE big LOGIN; CREATE ROLE free LOGIN; CREATE ROLE member LOGIN; CREATE ROLE crowd; GRANT crowd TO member;
CREATE ROLE inner_user LOGIN; CREATE ROLE pw LOGIN PASSWORD 'right'; CREATE ROLE barred LOGIN;
CREATE DATABASE inner_db;
SQL
$server->label(
	role => { app => 'sslmode=verify-full', big => 'sslmode=verify-full', crowd => 'sslmode=require' },
	database => { inner_db => 'min_protocol=TLSv1.3' });
$node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM sslpolicy.crls WHERE in_force') or die 'no CRL';

# what must come of it, the role in whose row it is counted, and the login
my @kinds = (
	[ let_in => 'free', { user => 'free', sslmode => 'disable' } ],
	[ let_in => 'free', { user => 'free' } ],
	[ let_in => 'app', { user => 'app', cert => 'app' } ],
	[ let_in => 'big', { user => 'big', cert => 'big' } ],
	[ let_in => 'member', { user => 'member' } ],
	[ let_in => 'inner_user', { user => 'inner_user', db => 'inner_db' } ],
	[ let_in => 'pw', { user => 'pw', extra => 'password=right' } ],
	[ policy => 'app', { user => 'app', sslmode => 'disable' } ],
	[ policy => 'app', { user => 'app' } ],
	[ policy => 'app', { user => 'app', cert => 'big' } ],
	[ policy => 'big', { user => 'big', cert => 'app' } ],
	[ policy => 'member', { user => 'member', sslmode => 'disable' } ],
	[ policy => 'inner_user', { user => 'inner_user', db => 'inner_db', extra => 'ssl_max_protocol_version=TLSv1.2' } ],
	[ revoked => 'app', { user => 'app', cert => 'revoked' } ],
	[ blocked => 'app', { user => 'app', cert => 'blocked' } ],
	[ core => 'pw', { user => 'pw', extra => 'password=wrong' } ],
	[ core => 'barred', { user => 'barred' } ],
	[ core => '', { user => 'nobody' } ],
	[ ca => '', { user => 'app', cert => 'unknown' } ]);
my $file = PostgreSQL::Test::Utils::tempdir('storm') . '/kinds';
write_file($file, map { "$_->[0] " . $server->conninfo(%{ $_->[2] }, extra => join ' ', 'gssencmode=disable', $_->[2]{extra} // '') . "\n" } @kinds);

# Run the client; returns its report, and what went wrong.
sub storm
{
	my ($count) = @_;
	my ($in, $out, $err) = ('', '', '');
	IPC::Run::run([ "$ENV{FAULTS_BIN}/storm", $count, $clients, $seed, $file ], '<', \$in, '>', \$out, '2>', \$err)
	  or die "storm: $err";
	return ($out, $err);
}

my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
my $worker = $server->sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'sslpolicy'});

sub all_gone
{
	return $node->poll_query_until('postgres',
		q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()});
}

sub anonymous_kb { return slurp_file("/proc/$_[0]/status") =~ /^RssAnon:\s+(\d+)/m ? $1 : die 'RssAnon' }
sub open_files { return scalar(() = glob "/proc/$_[0]/fd/*") }

sub memory
{
	all_gone() or die 'somebody is left';
	my $dynamic = 0;
	$dynamic += -s $_ // 0 for glob $node->data_dir . '/pg_dynshmem/*';
	return {
		postmaster_kb => anonymous_kb($postmaster),
		worker_kb => anonymous_kb($worker),
		postmaster_files => open_files($postmaster),
		worker_files => open_files($worker),
		shared => $server->sql('SELECT sum(allocated_size) FROM pg_shmem_allocations'),
		dynamic => $dynamic,
	};
}

# by TCP only: the Unix socket is the test's own
my $counted = q{SELECT coalesce(sum(count), 0) FROM sslpolicy.recent_logins WHERE address IS NOT NULL};

my (undef, $warm) = storm(int($logins / 10) + 2 * $clients);
is($warm, '', 'the warm-up');
my $before = memory();
$server->sql('SELECT sslpolicy.reset_statistics()');
my $seen_before = $server->sql($counted);

my ($report, $wrong) = storm($logins);
my $after = memory();

# 1
is(substr($wrong, 0, 5000), '', 'no wrong verdict');
my @counts = map { [ /logins (\d+) right (\d+)/ ] } grep { /^kind/ } split /\n/, $report;
is(scalar @counts, scalar @kinds, 'all kinds of logins');
my (%allowed, %refused, %by_reason);
my ($sum, $right, $let_in) = (0, 0, 0);
for my $i (0 .. $#kinds)
{
	my ($expected, $role) = @{ $kinds[$i] };
	my $count = $counts[$i][0];
	$sum += $count;
	$right += $counts[$i][1];
	cmp_ok($count, '>', 0, "$expected, " . join ' ', %{ $kinds[$i][2] });
	if ($expected eq 'let_in') { $allowed{$role} += $count; $let_in += $count }
	else { $refused{$role} += $count; $by_reason{$expected} += $count }
}
is($sum, $logins, 'so many logins');
is($right, $logins, 'each of them right');
is($let_in, $logins / 2, 'half of them let in');
note("$_") for grep { /^seconds/ } split /\n/, $report;

# 2
my $statistics = "SELECT coalesce(role, ''), allowed, refused, logged, ended FROM sslpolicy.statistics";
my %found = map { my ($role, @n) = split /\|/; $role => \@n } split /\n/, $server->sql($statistics);
my %free = map { $_ => 1 } qw(free app big member inner_user);
is_deeply([ map { $found{$_}[0] // 0 } sort keys %allowed ], [ map { $allowed{$_} } sort keys %allowed ],
	'statistics: who was let in, role by role');
is_deeply([ map { $found{$_}[1] // 0 } sort keys %free ], [ map { $refused{$_} // 0 } sort keys %free ],
	'statistics: whom sslpolicy refused, role by role');
my ($all_refused, $expected_refused) = (0, 0);
$all_refused += $_->[1] for values %found;
$expected_refused += $_ for values %refused;
is($all_refused, $expected_refused, 'statistics: all that were refused');
cmp_ok($found{$_}[1] // 0, '<=', $refused{$_}, "statistics: not more than there were, $_") for qw(pw barred);
my $lost = $server->sql(q{SELECT coalesce(sum(count), 0) FROM sslpolicy.rejections WHERE reasons[1] ~ 'too fast'});
note("refused by PostgreSQL itself and not told one by one: $lost");
is(($found{''}[1] // 0) + ($found{pw}[1] // 0) + ($found{barred}[1] // 0), $by_reason{core} + $by_reason{ca},
	'statistics: what PostgreSQL itself refused');
is($server->sql('SELECT sum(logged) + sum(ended) FROM sslpolicy.statistics'), 0, 'statistics: nothing else');
my %source = map { split /\|/ } split /\n/, $server->sql('SELECT source, sum(count) FROM sslpolicy.rejections GROUP BY source');
is_deeply(\%source,
	{ policy => $by_reason{policy}, blocked => $by_reason{blocked}, revocation => $by_reason{revoked},
		server => $by_reason{core} + $by_reason{ca} },
	'rejections add up');
is($server->sql($counted) - $seen_before, $let_in, 'recent_logins adds up');

# 3
note("$_: $before->{$_} -> $after->{$_}") for sort keys %$before;
cmp_ok($after->{$_} - $before->{$_}, '<', 256, "$_ do not grow") for qw(postmaster_kb worker_kb);
is($after->{$_}, $before->{$_}, "$_ is the same") for qw(shared dynamic postmaster_files worker_files);
is($server->sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'sslpolicy'}), $worker, 'it is the same worker');

# 4
my $ghosts = 'SELECT count(*) FROM sslpolicy.sessions WHERE pid <> pg_backend_pid()';
is($server->sql($ghosts), 0, 'sessions shows nobody else');
my $out = '';
my $hold = IPC::Run::start([ "$ENV{FAULTS_BIN}/storm", 'hold', $slots, $server->conninfo(user => 'big', cert => 'big', extra => 'gssencmode=disable') ],
	'<', \undef, '>', \$out);
$hold->pump until $out =~ /\n/;
is($out, "held $slots\n", 'as many as there are slots log in');
is($server->sql(q{SELECT count(*), count(DISTINCT pid), bool_and(compliant), bool_and(client_dn = 'CN=big'), bool_and(cardinality(client_sans) = 150) FROM sslpolicy.sessions WHERE usename = 'big'}),
	"$slots|$slots|t|t|t", 'and are shown, each once, with the whole certificate');
$hold->signal('TERM');
$hold->finish;
all_gone();
is($server->sql($ghosts), 0, 'until they are gone');
my $last = memory();
note("dynamic after $slots large certificates: $last->{dynamic}");
is($last->{dynamic}, $before->{dynamic}, 'what their certificates took is given back');

unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$server->stop;
done_testing();
