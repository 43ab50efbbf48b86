#!/usr/bin/perl
# Runs one of PostgreSQL's own suites and prints what came of each test, a line
# "file, number: ok" or "... not ok".  Called by test/core/run.sh, with what
# PostgreSQL's makefiles would set.
#
#	outcomes.pl SUITE FOLDER
use strict;
use warnings;
use TAP::Parser;

my ($suite, $folder) = @ARGV;
chdir $folder or die "$folder: $!";

sub report
{
	my ($test, $ok) = @_;
	printf "%s: %s\n", $test, $ok ? 'ok' : 'not ok';
	return;
}

# The regression suite reports a file as one test.
sub run_regress
{
	my $out = $ENV{TESTDIR};
	my $bindir = (split /:/, $ENV{PATH})[0];
	my $output = `'$ENV{PG_REGRESS}' --temp-instance='$out/instance' --temp-config='$ENV{TEMP_CONFIG}' --bindir='$bindir' --inputdir=. --outputdir='$out' --dlpath=. --max-concurrent-tests=20 --schedule=parallel_schedule 2>&1`;
	# 15: "test label   ... ok", or in a group without "test"; later: "ok 1   - label"
	while ($output =~ /^(?:(?:test)?\s+(?<file>\w+)\s+\.\.\. (?<old>ok|FAILED|failed)|(?<new>ok|not ok) \d+\s+[-+]? *(?<name>\w+))/mg)
	{
		report($+{file} // $+{name}, ($+{old} // $+{new}) eq 'ok');
	}
	print STDERR $output if $output !~ /^(?:test)?\s+\w+\s+\.\.\. ok|^ok \d/m;
	return;
}

# The TAP suites; a file counts as well, which may die after its last test.
sub run_tap
{
	my @only = split ' ', $ENV{CORE_TESTS};
	for my $file (sort glob 't/*.pl')
	{
		next if @only && !grep { index($file, $_) >= 0 } @only;
		# as src/test/perl expects it
		my $parser = TAP::Parser->new({ exec => [ $^X, $file ] });
		while (my $result = $parser->next)
		{
			report("$file, " . $result->number, $result->is_ok) if $result->is_test;
		}
		report($file, !$parser->exit && !$parser->parse_errors);
		print "$file: skipped, ", $parser->skip_all, "\n" if $parser->skip_all;
	}
	return;
}

$suite eq 'regress' ? run_regress() : run_tap();
