# The pages of docs/how-to about one server, each run block by block on a fresh
# server, see SSLPolicy::HowTo.
use strict;
use warnings;
use Test::More;
use SSLPolicy::HowTo;

my %elsewhere = map { $_ => 1 } 'docs/how-to/README.md', @SSLPolicy::HowTo::CLUSTER;
SSLPolicy::HowTo::run_pages(grep { !$elsewhere{$_} } sort glob 'docs/how-to/*.md');
done_testing();
