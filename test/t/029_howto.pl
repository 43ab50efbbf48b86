# The pages of docs/how-to, each run block by block on a fresh server, see
# SSLPolicy::HowTo.  HOWTO="rotate locked" runs only pages whose names contain
# one of these words.
use strict;
use warnings;
use File::Basename qw(basename);
use Test::More;
use SSLPolicy::HowTo;

my @pages = grep { basename($_) ne 'README.md' } sort glob 'docs/how-to/*.md';
if (my @wanted = split ' ', $ENV{HOWTO} // '')
{
	@pages = grep { my $page = $_; grep { $page =~ /\Q$_\E/ } @wanted } @pages;
}

for my $file (@pages)
{
	subtest basename($file) => sub {
		my $page = SSLPolicy::HowTo->new($file);
		eval { $page->run; 1 } or fail("the page can be run: $@");
		$page->finish;
		done_testing();
	};
}
done_testing();
