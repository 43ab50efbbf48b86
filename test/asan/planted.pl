# Does test-asan see mistakes?  Each of planted.c, made in a session, has to leave
# a report, end the session, and make the server start anew as after a crash.
use strict;
use warnings;
use File::Basename qw(basename);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# how the report calls it
my %mistakes = (
	'malloc' => qr/heap-buffer-overflow/,
	'palloc' => qr/use-after-poison/,
	'pfree' => qr/use-after-poison/,
	'context' => qr/use-after-poison/,
	'by the server' => qr/use-after-poison/,
	'stack' => qr/stack-buffer-overflow/,
	'shift' => qr/AddressSanitizer: ILL .*planted/s,
	'null' => qr/AddressSanitizer: ILL .*planted/s);

my $module = $ENV{PLANTED} or die 'PLANTED is not set';
my $reports = PostgreSQL::Test::Utils::tempdir();
$ENV{ASAN_OPTIONS} =~ s{log_path=[^:]*}{log_path=$reports/report};

my $node = PostgreSQL::Test::Cluster->new('planted');
$node->init;
$node->append_conf('postgresql.conf', 'restart_after_crash = on');
$node->start;
$node->safe_psql('postgres', "CREATE FUNCTION planted(text) RETURNS int LANGUAGE c AS '$module'");
is($node->safe_psql('postgres', q{SELECT planted('none')}), '1', 'no mistake: the module works');
is_deeply([ glob("$reports/*") ], [], 'no mistake: no report');

for my $mistake (sort keys %mistakes)
{
	my $offset = -s $node->logfile;
	my ($status) = $node->psql('postgres', "SELECT planted('$mistake')");
	isnt($status, 0, "$mistake: the session ends");
	my @files = glob("$reports/*");
	is(scalar @files, 1, "$mistake: a report");
	like(join('', map { slurp_file($_) } @files), $mistakes{$mistake}, "$mistake: the right one");
	# not asked by a client: one that is refused breaks the pipe of its query
	$node->wait_for_log(qr/all server processes terminated; reinitializing.*ready to accept connections/s, $offset);
	unlink @files;
}
$node->stop;
done_testing();
