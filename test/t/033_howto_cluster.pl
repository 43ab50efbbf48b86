# The pages of docs/how-to about several servers, and about what surrounds them,
# each run block by block on fresh servers, see SSLPolicy::HowTo.
use strict;
use warnings;
use Test::More;
use SSLPolicy::HowTo;

SSLPolicy::HowTo::run_pages(@SSLPolicy::HowTo::CLUSTER);
done_testing();
