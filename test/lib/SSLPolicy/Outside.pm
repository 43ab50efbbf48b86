# Programs of others that tests run beside a server, and the files that
# sslpolicy installs for them.
package SSLPolicy::Outside;

use strict;
use warnings;
use Exporter 'import';
use HTTP::Tiny;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

our @EXPORT = qw(need_programs installed_file start_program stop_program http_get wait_until);

my %running;

# Skips the test file if one of the programs is missing and nobody was asked
# to install it (DEPS=no); else that is an error.
sub need_programs
{
	my (@programs) = @_;
	my @missing = grep {
		my $program = $_;
		!grep { -x "$_/$program" } split /:/, $ENV{PATH}
	} @programs;
	return unless @missing;
	plan skip_all => "not installed: @missing" if ($ENV{DEPS} // '') eq 'no';
	die "not installed: @missing";
}

# Path of a file that "make install" has put into share/sslpolicy.
sub installed_file
{
	my ($name) = @_;
	chomp(my $share = `$ENV{PG_CONFIG} --sharedir`);
	# test/run.sh installs below its own folder
	for my $root (($ENV{TESTDIR} // '') . '/../root', '')
	{
		return "$root$share/sslpolicy/$name" if -e "$root$share/sslpolicy/$name";
	}
	die "$name is not installed";
}

# Start a program that stays, with environment and command; its output goes to
# a file.  It is stopped at the end of the test, whatever happens.
sub start_program
{
	my ($log, $env, @command) = @_;
	local %ENV = (%ENV, %$env);
	my $handle = IPC::Run::start(\@command, '<', \undef, '>', $log, '2>&1');
	$running{$handle} = $handle;
	return $handle;
}

sub stop_program
{
	my ($handle) = @_;
	delete $running{$handle};
	$handle->kill_kill(grace => 10);
	return;
}

END
{
	my $status = $?;
	stop_program($_) for values %running;
	$? = $status;
}

# The text behind an address, or undef.
sub http_get
{
	my ($url) = @_;
	my $response = HTTP::Tiny->new(timeout => $PostgreSQL::Test::Utils::timeout_default)->get($url);
	return $response->{success} ? $response->{content} : undef;
}

# Until the code returns something true, which is returned; dies after the
# time limit of the tests.
sub wait_until
{
	my ($what, $code) = @_;
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		my $result = $code->();
		return $result if $result;
		sleep 0.1;
	}
	die "waited in vain for $what";
}

1;
