#!/usr/bin/perl
# Judges valgrind's reports: each that has sslpolicy in its stack, or that servers
# without sslpolicy did not give too, is a failure.  One test for each process
# that ran under valgrind.
#
#	judge.pl REPORTS REPORTS_WITHOUT_SSLPOLICY
use strict;
use warnings;

# Reports of a file: lines begin with ==pid==, an empty one ends a report.
sub reports
{
	my ($file) = @_;
	open my $fh, '<', $file or die "$file: $!";
	my $text = do { local $/; <$fh> };
	$text =~ s/^(?:==|\*\*)\d+(?:==|\*\*) ?//mg;
	return grep { /\S/ } split /\n\s*\n/, $text;
}

# What makes two reports the same: what it is, and the whole stack.  With debug
# symbols a frame names its function and not the library that has it, so that one
# of sslpolicy is told by there being none like it without sslpolicy.
sub signature
{
	my ($report) = @_;
	my ($what) = $report =~ /^(.*)/;
	my @stack = $report =~ /^\s+(?:at|by) 0x[0-9A-F]+: (\S+)/mg;
	return join ' < ', $what =~ s/\d+//gr, @stack;
}

my ($folder, $plain) = @ARGV;
my %known = map { signature($_) => 1 } map { reports($_) } glob "$plain/*.log";
my ($passed, $failed) = (0, 0);
my %shown;
for my $file (glob "$folder/*.log")
{
	my @bad = grep { /sslpolicy/ || !$known{ signature($_) } } reports($file);
	$shown{ signature($_) }++ or print "$_\n\n" for @bad;
	@bad ? $failed++ : $passed++;
}
print "$shown{$_} times: $_\n" for sort keys %shown;
if (!$passed && !$failed)
{
	print "No process has run under valgrind.\n";
	$failed++;
}
print "$passed passed, $failed failed\n";
