#!/usr/bin/perl
# Runs all test files with Perl's TAP harness, and ends with the line
# "N passed, M failed".  Called by test/run.sh with everything set up.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename;
use TAP::Harness;
use lib dirname(abs_path($0)) . '/lib';
use SSLPolicy::ServerLogs;

# whoever watches a pipe sees each file as it ends
$| = 1;

my $test = dirname(abs_path($0));
my $perl_modules = dirname($ENV{PG_REGRESS}) . '/../perl';

my @files = (
	(sort grep { -x $_ && -f $_ && basename($_) !~ /\./ } glob("$test/unit/test_*")),
	"$test/lib/certs_selftest.pl",
	(sort glob("$test/suites/*.pl")),
	(sort glob("$test/t/*.pl")));
if (my @wanted = map { s{\A(?:\./)?test/}{}r } split ' ', $ENV{TESTS} // '')
{
	my $name = sub { return $_[0] =~ s{\A\Q$test\E/}{}r };
	# a file that is not in the list is wanted by its name alone
	my %listed = map { $_ => 1 } @files;
	push @files, grep { -e && !$listed{$_} } map { "$test/" . s{\.pl\z}{}r . '.pl' } @wanted;
	my @without = grep {
		my $word = $_;
		!grep { index($name->($_), $word) >= 0 } @files
	} @wanted;
	if (@without)
	{
		print STDERR "No test file matches: @without\n";
		print "0 passed, 1 failed\n";
		exit 1;
	}
	@files = grep {
		my $file = $_;
		grep { index($name->($file), $_) >= 0 } @wanted
	} @files;
}

# With two jobs, a long file that begins last would run alone: these first.  Seconds,
# when measured; the others take less.
my %long = (
	'021_crls' => 154, '026_lint' => 121, '028_client_settings' => 107, '019_recheck_races' => 106,
	'015_material_crashes' => 105, '024_refusals_bounded' => 103, '020_recheck_standby' => 98,
	'038_attackers' => 95, '001_login_table' => 68, '037_neighbours' => 62, '040_attackers_roles' => 62,
	'039_attackers_material' => 62, '044_extension_schema' => 65, '032_howto' => 53);
my $seconds = sub { return $long{ basename($_[0], '.pl') } // 0 };
@files = sort { $seconds->($b) <=> $seconds->($a) } @files if ($ENV{JOBS} || 1) > 1;

chdir dirname($test) or die "chdir: $!";
my $harness = TAP::Harness->new({
	verbosity => $ENV{VERBOSE} ? 1 : 0,
	failures => 1,
	jobs => $ENV{JOBS} || 1,
	lib => [ "$test/lib", $perl_modules ],
	exec => sub {
		my (undef, $file) = @_;
		return $file =~ /\.pl$/
		  ? [ $^X, "-I$test/lib", "-I$perl_modules", $file ]
		  : [$file];
	},
});
# dies where a test says "Bail out!"
my $result = eval { $harness->runtests(map { [ $_, $_ =~ s{^\Q$test\E/}{}r ] } @files) };
print STDERR $@ unless $result;

my $passed = $result ? $result->passed : 0;
my $failed = $result ? $result->failed : 1;

# a file that died, or planned more than it ran, counts as a failure
for my $parser ($result ? $result->parsers : ())
{
	$failed++ if !$parser->failed && ($parser->exit || $parser->parse_errors);
}
$failed++ if !$passed && !$failed;

# nor may anything have happened that no test was looking for
if (my @crashes = SSLPolicy::ServerLogs::crashes($ENV{TESTDIR}))
{
	print STDERR "In the server's logs:\n", map { "  $_\n" } @crashes;
	$failed += @crashes;
}
printf "%d passed, %d failed\n", $passed, $failed;
exit($failed ? 1 : 0);
