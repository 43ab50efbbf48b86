# A mistake on purpose: perlcritic has to find it.
use strict;
use warnings;

open my $file, "<$ARGV[0]" or die;
