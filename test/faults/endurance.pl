# Login storms for an hour (ENDURANCE, in seconds), with full tables: nearly every login
# has a key that recent_logins, rejections and statistics do not have, and pushes another
# one out.  Beside them every view of the extension is read all the time.
#
# 1. no wrong verdict
# 2. nobody waits: no login takes as long as 30 s, no reading of all views does, and the
#    last storms are no slower than the first ones (half as fast would be a failure)
# 3. memory: after the first tenth, the anonymous memory of the postmaster and of the
#    worker grows by less than half a megabyte; there is no more shared memory, and there
#    are no more open files of both
# 4. the tables are full, and no fuller
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use SSLPolicy::Crls qw(write_file);
use SSLPolicy::Server;

my $seconds = $ENV{ENDURANCE} // 3600;
my $clients = $ENV{ENDURANCE_CLIENTS} // 50;
my $logins = 40 * $clients;    # of one storm
my $seed = $ENV{SEED} // int(rand(1_000_000));
my $roles = 6000;              # of each kind; statistics has 5,000 rows
my $rows = 1000;
note("SEED=$seed ENDURANCE=$seconds");

my $server = SSLPolicy::Server->new('endurance', conf => <<"CONF");
max_connections = @{[ $clients + 20 ]}
autovacuum = off
authentication_timeout = 600s
sslpolicy.max_recent_logins = $rows
sslpolicy.max_rejections = $rows
CONF
my $node = $server->node;
$server->certs->client('app', issuer => 'root', subject => '/CN=app');
$server->start;
$server->sql(<<"SQL");
CREATE EXTENSION sslpolicy;
CREATE ROLE app LOGIN;
DO \$\$ BEGIN FOR i IN 0 .. $roles - 1 LOOP
	EXECUTE format('CREATE ROLE free%s LOGIN', i); EXECUTE format('CREATE ROLE bound%s LOGIN', i);
END LOOP; END \$\$;
INSERT INTO pg_shseclabel SELECT oid, 'pg_authid'::regclass, 'sslpolicy', 'sslmode=verify-full' FROM pg_authid WHERE rolname ~ '^bound';
SQL
$server->label(role => { app => 'sslmode=verify-full' });

my @kinds = (
	[ let_in => { user => 'app', cert => 'app' } ],
	[ let_in => { user => "free{$roles}", sslmode => 'disable' } ],
	[ let_in => { user => "free{$roles}" } ],
	[ policy => { user => "bound{$roles}", sslmode => 'disable' } ],
	[ policy => { user => "bound{$roles}", cert => 'app' } ],
	[ core => { user => 'nobody' } ]);
my $file = PostgreSQL::Test::Utils::tempdir('endurance') . '/kinds';
write_file($file, map { "$_->[0] " . $server->conninfo(%{ $_->[1] }, extra => 'gssencmode=disable') . "\n" } @kinds);

my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
my $worker = $server->sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'sslpolicy'});
sub anonymous_kb { return slurp_file("/proc/$_[0]/status") =~ /^RssAnon:\s+(\d+)/m ? $1 : die 'RssAnon' }

# without those that are open for a moment
sub open_files
{
	my ($pid) = @_;
	my $fewest;
	for (1 .. 20)
	{
		my $now = () = glob "/proc/$pid/fd/*";
		$fewest = $now if !defined $fewest || $now < $fewest;
		sleep 0.1;
	}
	return $fewest;
}

sub memory
{
	$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE usename IN ('app') OR usename ~ '^(free|bound)'})
	  or die 'somebody is left';
	return {
		postmaster_kb => anonymous_kb($postmaster),
		worker_kb => anonymous_kb($worker),
		postmaster_files => open_files($postmaster),
		worker_files => open_files($worker),
		shared => $server->sql('SELECT sum(allocated_size) FROM pg_shmem_allocations'),
	};
}

# The reader: all views, again and again, in one session; a line for each round.
my $views = $server->sql(q{SELECT string_agg(format('SELECT count(*) FROM sslpolicy.%I', relname), '; ' ORDER BY relname)
	FROM pg_class WHERE relnamespace = 'sslpolicy'::regnamespace AND relkind = 'v'});
my ($in, $read, $err) = ('', '', '');
my $reader = IPC::Run::start([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres') ],
	'<', \$in, '>', \$read, '2>', \$err);
my ($rounds, $asked, $longest_read) = (0, 0, 0);

# Ask for the next reading, if the last one has come to its end.
sub read_on
{
	$reader->pump_nb;
	my $done = () = $read =~ /^read$/mg;
	die "the reader: $err" if $err ne '';
	if ($done > $rounds || !$asked)
	{
		$longest_read = time - $asked if $asked && time - $asked > $longest_read;
		$rounds = $done;
		$asked = time;
		$in .= "$views;\n\\echo read\n";
		$reader->pump_nb;
	}
	return;
}

my ($wrong, $count, $longest, $before) = ('', 0, 0, undef);
my @rates;
my $start = time;
while (time - $start < $seconds || @rates < 10)
{
	my ($out, $errors) = ('', '');
	my $storm = IPC::Run::start([ "$ENV{FAULTS_BIN}/storm", $logins, $clients, $seed + @rates, $file ], '<', \undef, '>', \$out, '2>', \$errors);
	while ($storm->pumpable)
	{
		read_on();
		$storm->pump_nb;
		sleep 0.05;
	}
	$storm->finish or die "storm: $errors";
	$wrong .= $errors;
	my ($took, $max_ms) = $out =~ /^seconds (\S+) .*max_ms (\d+)/m or die "what is $out";
	push @rates, $logins / $took;
	$count += $logins;
	$longest = $max_ms if $max_ms > $longest;
	$before //= memory() if time - $start >= $seconds / 10 && @rates >= 2;
}
my $after = memory();

is(substr($wrong, 0, 5000), '', 'no wrong verdict');

cmp_ok($longest, '<', 30_000, 'no login took long');
cmp_ok($longest_read, '<', 30, 'no reading of all views took long');
cmp_ok($rounds, '>', 0, 'the views were read');
sub mean { my $sum = 0; $sum += $_ for @_; return $sum / @_ }
my $part = int(@rates / 4) || 1;
my ($first, $last) = (mean(@rates[ 0 .. $part - 1 ]), mean(@rates[ -$part .. -1 ]));
cmp_ok($last, '>', $first / 2, 'the last storms are as fast as the first ones');
note(sprintf('%d logins, the longest %d ms; %.0f a second at first, %.0f in the end; the views were read %d times, the longest took %.1f s',
	$count, $longest, $first, $last, $rounds, $longest_read));

note("$_: $before->{$_} -> $after->{$_}") for sort keys %$before;
cmp_ok($after->{$_} - $before->{$_}, '<', 512, "$_ do not grow") for qw(postmaster_kb worker_kb);
cmp_ok($after->{$_}, '<=', $before->{$_}, "no more $_") for qw(shared postmaster_files worker_files);
is($server->sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'sslpolicy'}), $worker, 'it is the same worker');

# an eighth of the rows is for others
is($server->sql('SELECT count(*) BETWEEN ' . int($rows * 7 / 8) . " AND $rows FROM sslpolicy.recent_logins"), 't', 'recent_logins is full');
is($server->sql("SELECT count(*) BETWEEN $rows AND 2 * $rows FROM sslpolicy.rejections"), 't', 'rejections is full');
is($server->sql('SELECT count(*) BETWEEN 5000 AND 5001 FROM sslpolicy.statistics'), 't', 'statistics is full');

$in .= "\\q\n";
$reader->finish;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$server->stop;
done_testing();
