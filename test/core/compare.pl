#!/usr/bin/perl
# Compares what outcomes.pl has printed for a suite without sslpolicy and with
# it, and makes sure that the servers had it preloaded where they should.  The
# last line is "SUITE: N passed, M failed".
#
#	compare.pl SUITE WITHOUT WITH FOLDER_WITHOUT FOLDER_WITH
use strict;
use warnings;
use File::Find ();
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

my %without = outcomes($files[0]);
my %with = outcomes($files[1]);
fail('no test has run') unless grep { $_ eq 'ok' } values %without;
for my $test (sort keys %{ { %without, %with } })
{
	my ($before, $after) = map { $_ // 'did not run' } $without{$test}, $with{$test};
	if ($before ne $after)
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

# The worker of sslpolicy ends when its server is told to shut down, and the
# server logs that: so every one that was shut down has had it.
sub logs
{
	my ($folder) = @_;
	my %logs;
	File::Find::find(
		sub {
			return unless -f $_ && /\.log$/;
			open my $log, '<', $_ or die "$File::Find::name: $!";
			local $/;
			$logs{ $File::Find::name =~ s{^\Q$folder\E/}{}r } = <$log>;
		},
		$folder);
	return %logs;
}

my $shut_down = qr/received (?:fast|smart) shutdown request/;
my $had_it = qr/background worker "sslpolicy"/;
my %with_logs = logs($files[3]);
my %without_logs = logs($files[2]);
my @servers = grep { $with_logs{$_} =~ $shut_down } sort keys %with_logs;
my @lacking = grep { $with_logs{$_} !~ $had_it } @servers;
fail("sslpolicy was not preloaded: $_") for @lacking;
fail('no log shows that sslpolicy was preloaded') unless @servers;
fail("sslpolicy was preloaded where it should not: $_") for grep { $without_logs{$_} =~ $had_it } sort keys %without_logs;
printf "$suite: sslpolicy was preloaded in %d of %d servers that were shut down\n", @servers - @lacking, scalar @servers;

# PostgreSQL's tests make servers crash on purpose, the same ones both ways
my %crashes;
$crashes{$_}-- for map { s/^(\S+):.*/$1/r } SSLPolicy::ServerLogs::crashes($files[2]);
for my $crash (SSLPolicy::ServerLogs::crashes($files[3]))
{
	my ($log) = $crash =~ /^(\S+):/;
	fail($crash) if ++$crashes{$log} > 0;
}
print "$suite: $passed passed, $failed failed\n";
