#!/usr/bin/perl
# Runs test files of this folder with Perl's TAP harness, and ends with the line
# "N passed, M failed", and ", K skipped" if there are any.  Called with their names,
# relative to this folder, by test/faults/run.sh and test/clients/run.sh, with
# everything set up.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename;
use TAP::Harness;

my $faults = dirname(abs_path($0));
my $test = dirname($faults);
chomp(my $pgxs = `$ENV{PG_CONFIG} --pgxs`);
my $perl_modules = dirname($pgxs) . '/../test/perl';
$ENV{PG_REGRESS} //= dirname($pgxs) . '/../test/regress/pg_regress';

chdir dirname($test) or die "chdir: $!";
my $harness = TAP::Harness->new({
	verbosity => $ENV{VERBOSE} ? 1 : 0,
	failures => 1,
	comments => 1,
	exec => sub { return [ $^X, "-I$test/lib", "-I$perl_modules", $_[1] ] },
});
my $result = $harness->runtests(map { [ "$faults/$_", basename($_) ] } @ARGV);

my $passed = $result->passed;
my $failed = $result->failed;
my $skipped = $result->skipped;

# a file that died, or planned more than it ran, counts as a failure
for my $parser ($result->parsers)
{
	$failed++ if !$parser->failed && ($parser->exit || $parser->parse_errors);
	# a whole file
	next unless defined $parser->skip_all;
	$skipped++;
	print 'SKIPPED: ', $parser->skip_all, "\n";
}
$failed++ if !$passed && !$failed && !$skipped;
# what was skipped has not passed
$passed -= $result->skipped;
printf "%d passed, %d failed%s\n", $passed, $failed, $skipped ? ", $skipped skipped" : '';
exit($failed ? 1 : 0);
