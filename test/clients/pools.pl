# Pools that outlive a revocation.  Two sessions are open when the certificate is
# blocked, or found on a list; the server ends them.  What comes next is refused, and
# its user reads why.  With a new certificate in the same files, the pool goes on if the
# driver reads them again.
use strict;
use warnings;
use File::Copy qw(copy);
use File::Path qw(make_path);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Drivers;

my $server = start_clients_server('pools');
my $node = $server->node;
my $certs = $server->certs;
$server->label(role => { app => 'sslmode=verify-full' });
write_file("$certs->{dir}/list.pem", make_crl($certs, 'root', 1, revoked => ['revoked']));

# id, by what the certificate is refused, whether the files are read again for each
# connection, and what the user reads if it is not the server's own words
my @pools = (
	{ id => 'node-postgres', by => 'blocked', rereads => 1 },
	{ id => 'postgres-js', by => 'blocked', rereads => 0 },
	{ id => 'psycopg', by => 'blocked', rereads => 1, reads => qr/couldn't get a connection after/ },
	{ id => 'asyncpg', by => 'revoked', rereads => 0 },
	{ id => 'jdbc', by => 'blocked', rereads => 1 },
	{ id => 'lib-pq', by => 'revoked', rereads => 1 },
	{ id => 'pgx', by => 'blocked', rereads => 0 });

# A certificate in the files of a client
sub place
{
	my ($folder, $name) = @_;
	my $made = $certs->get($name);
	for my $file ([ cert => 'crt' ], [ key => 'key' ], [ pk8 => 'pk8' ])
	{
		copy($made->{ $file->[0] }, "$folder/new") or die $!;
		chmod 0600, "$folder/new";
		rename "$folder/new", "$folder/app.$file->[1]" or die $!;
	}
	return;
}

my $folders = PostgreSQL::Test::Utils::tempdir('files');
sub files
{
	my ($name, $certificate) = @_;
	my $folder = "$folders/$name";
	make_path($folder);
	place($folder, $certificate);
	return (folder => $folder, options => [
		port => $node->port, sslmode => 'verify-full', root => "$certs->{dir}/root.crt",
		cert => "$folder/app.crt", key => "$folder/app.key", pk8 => "$folder/app.pk8" ]);
}

sub refuse
{
	my ($by) = @_;
	$server->set($by eq 'blocked' ? ('sslpolicy.blocked_fingerprints' => $certs->get('blocked')->{fingerprint})
		: ('sslpolicy.crl_file' => "$certs->{dir}/list.pem"));
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'app'}),
		'its sessions are ended');
	return;
}

sub refuse_no_more { $server->set('sslpolicy.blocked_fingerprints' => undef, 'sslpolicy.crl_file' => undef); return }

# Ask until an answer matches: all answers
sub ask_until
{
	my ($pool, $regex) = @_;
	my @answers;
	for (1 .. 40)
	{
		push @answers, $pool->ask;
		last if !defined $answers[-1] || $answers[-1] =~ $regex;
		sleep 0.25;
	}
	return @answers;
}

my %words = (blocked => qr/sslpolicy\.blocked_fingerprints/, revoked => qr/is revoked/);
my %chosen = map { $_->{id} => 1 } chosen();
for my $case (grep { $chosen{ $_->{id} } } @pools)
{
	my $driver = driver($case->{id});
	my $name = $driver->{name};
	my %files = files($case->{id}, $case->{by});
	my $pool = open_pool($driver, 'pool', @{ $files{options} });
	is($pool->{first}, 'ready', "$name: the pool is open") or diag($pool->{err});
	is($pool->ask, 'OK', "$name: a query");

	refuse($case->{by});
	my $reads = $case->{reads} // $words{ $case->{by} };
	my @answers = ask_until($pool, $reads);
	like($answers[-1] // 'gone', $reads, "$name: refused, and the user reads why") or diag(explain(\@answers));
	note("$name: after the end of its sessions:\n", join "\n--\n", map { $_ // 'gone' } @answers);

	place($files{folder}, 'renewed');
	@answers = ask_until($pool, $case->{rereads} ? qr/^OK$/ : $reads);
	note("$name: with a new certificate:\n", join "\n--\n", map { $_ // 'gone' } @answers);
	if ($case->{rereads})
	{
		is($answers[-1], 'OK', "$name: the pool goes on with the new certificate");
	}
	else
	{
		like($answers[-1], $reads, "$name: the pool still has the old certificate");
		my $new = open_pool($driver, 'pool', @{ $files{options} });
		is($new->ask, 'OK', "$name: a new pool has the new one");
		$new->close;
	}
	$pool->close;
	refuse_no_more();
}

if ($chosen{'node-postgres'})
{
	my %files = files('without-listener', 'blocked');
	my $pool = open_pool(driver('node-postgres'), 'pool-without-listener', @{ $files{options} });
	is($pool->{first}, 'ready', 'a Pool without an error listener: open');
	refuse('blocked');
	my $end = $pool->last_words;
	like($end, qr/Unhandled 'error' event/, 'a Pool without an error listener: the process ends');
	like($end, qr/57P01/, 'with the SQLSTATE of a session that was ended');
	refuse_no_more();
}

if ($chosen{pgbouncer})
{
	my %files = files('pgbouncer', 'blocked');
	my $bouncer = start_pgbouncer(0, @{ $files{options} });
	my $psql = sub { return login_by(driver('psql'), port => $bouncer->{port}, sslmode => 'disable') };
	is($psql->()->{text}, 'let in as app', 'behind pgbouncer: let in');
	refuse('blocked');
	# It knows the server by now, and accepts logins without asking it.
	like($psql->()->{text}, qr/query_wait_timeout/, 'behind pgbouncer: its clients wait, and do not read why');
	like(slurp_file("$bouncer->{folder}/log"), $words{blocked}, 'the log of pgbouncer says why');
	place($files{folder}, 'renewed');
	reload_pgbouncer($bouncer);
	my $text = '';
	for (1 .. 40)
	{
		$text = $psql->()->{text};
		last if $text eq 'let in as app';
		sleep 0.25;
	}
	is($text, 'let in as app', 'behind pgbouncer: let in again after a reload');
	stop_pgbouncer($bouncer);
	refuse_no_more();
}
done_testing();
