# What the logs of servers tell that no test has asked for: that a process has
# crashed, or that an assertion has failed.
package SSLPolicy::ServerLogs;

use strict;
use warnings;
use File::Find ();

# Nobody kills a process of PostgreSQL with these: they are its own doing.  (A
# test that kills one uses SIGKILL, SIGTERM or SIGQUIT.)
my %BY_ITSELF = map { $_ => 1 } qw(4 6 7 8 11);

# What PostgreSQL says at the end of a transaction, of what was not given back,
# and of memory written to that was not asked for.
my $WARNING = qr/\bWARNING: .*(?: reference leak: |refcount leak: |leaked hash_seq_search|detected write past chunk end)/;

sub is_crash
{
	my ($line) = @_;
	return $line =~ /\bTRAP: |\bPANIC: / || $line =~ $WARNING
	  || ($line =~ / was terminated by signal (\d+)/ && $BY_ITSELF{$1});
}

# Such lines of all logs below a folder, with the name of the file.
sub crashes
{
	my ($folder) = @_;
	my @found;
	File::Find::find(
		sub {
			return unless -f $_ && /\.log$/;
			open my $log, '<', $_ or die "$File::Find::name: $!";
			while (my $line = <$log>)
			{
				chomp $line;
				push @found, "$_: $line" if is_crash($line);
			}
			close $log;
		},
		$folder);
	return @found;
}

1;
