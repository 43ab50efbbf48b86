#!/usr/bin/perl
# Compares what outcomes.pl has printed for a suite without sslpolicy and with
# it, and makes sure that the servers had it preloaded where they should.  The
# last line is "SUITE: N passed, M failed".
#
#	compare.pl SUITE WITHOUT WITH FOLDER_WITHOUT FOLDER_WITH
use strict;
use warnings;
use SSLPolicy::ServerLogs;

my ($suite, @files) = @ARGV;
my ($passed, $failed) = (0, 0);

sub outcomes
{
	my ($file) = @_;
	open my $fh, '<', $file or die "$file: $!";
	return map { /^(.*): (.*)$/ ? ($1 => $2) : () } <$fh>;
}

sub fail
{
	print "$suite: $_[0]\n";
	$failed++;
	return;
}

# Of a test that cannot say the same: is all of the difference what it must be?
# security_label is about servers without a label provider.
sub differs_as_it_must
{
	my ($test) = @_;
	return if $suite ne 'regress' || $test ne 'security_label';
	open my $diffs, '<', "$files[3]/regression.diffs" or return;
	my ($mine, $lines) = (0, 0);
	while (my $line = <$diffs>)
	{
		$mine = $line =~ m{/security_label\.out } if $line =~ /^diff /;
		next if !$mine || $line !~ /^[-+](?!--|\+\+)/;
		return if $line !~ /^-ERROR:  no security label providers have been loaded$/ && $line !~ /^\+(?:ERROR|DETAIL|HINT):  /;
		$lines++;
	}
	return $lines > 0;
}

my %without = outcomes($files[0]);
my %with = outcomes($files[1]);
fail('no test has run') unless grep { $_ eq 'ok' } values %without;
for my $test (sort keys %{ { %without, %with } })
{
	my ($before, $after) = map { $_ // 'did not run' } $without{$test}, $with{$test};
	if ($before eq 'ok' && $after eq 'not ok' && differs_as_it_must($test))
	{
		print "$suite: $test speaks of servers without a label provider, and differs in that alone\n";
		$passed++;
	}
	elsif ($before ne $after)
	{
		fail("$test: $before without sslpolicy, $after with it");
	}
	elsif ($before eq 'ok')
	{
		$passed++;
	}
	else
	{
		print "$suite: SKIPPED $test: $before, without sslpolicy too\n";
	}
}

# What pg_ctl has noted of each server that it has started or stopped
my %ways = (without => $files[2], with => $files[3]);
for my $way (sort keys %ways)
{
	my %servers;
	if (open my $notes, '<', "$ways{$way}/witness")
	{
		/^(.*): (with|without)$/ && $servers{$1}{$2}++ while <$notes>;
		close $notes;
	}
	my ($other) = grep { $_ ne $way } keys %ways;
	fail("no server was seen that ran $way sslpolicy") unless %servers;
	fail("this server ran $other sslpolicy: $_") for grep { $servers{$_}{$other} } sort keys %servers;
	printf "$suite: %d servers ran $way sslpolicy\n", scalar grep { !$servers{$_}{$other} } keys %servers;
}

# PostgreSQL's tests make servers crash on purpose, the same ones both ways
my %crashes;
$crashes{$_}-- for map { s/^(\S+):.*/$1/r } SSLPolicy::ServerLogs::crashes($files[2]);
for my $crash (SSLPolicy::ServerLogs::crashes($files[3]))
{
	my ($log) = $crash =~ /^(\S+):/;
	fail($crash) if ++$crashes{$log} > 0;
}
print "$suite: $passed passed, $failed failed\n";
