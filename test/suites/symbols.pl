# What leaves the library: the functions that SQL and background workers call by
# their names, and what PostgreSQL asks of each module. Needs no server.
use strict;
use warnings;
use Test::More;

sub slurp
{
	my ($file) = @_;
	local $/;
	open my $fh, '<', $file or die "$file: $!";
	return <$fh>;
}

my $script = join '', map { slurp($_) } glob('extension/*.sql');
my @functions = $script =~ /'MODULE_PATHNAME',\s*'(\w+)'/g;
cmp_ok(scalar @functions, '>', 30, 'the install script names functions of the library');
my @workers = join('', map { slurp($_) } glob('src/*.c src/*/*.c')) =~ /(?:bgw_function_name|register_static_worker)[^;]*"(\w+)"/g;
cmp_ok(scalar @workers, '>', 1, 'the sources name functions of background workers');

my %expected = map { $_ => 1 } qw(_PG_init Pg_magic_func), @workers, map { ($_, "pg_finfo_$_") } @functions;
my $symbols = `nm -D --defined-only sslpolicy.so`;
is($?, 0, 'the symbols of the library can be read');
my @there = $symbols =~ /^\w+ \w (\S+)$/mg;
is_deeply([ sort @there ], [ sort keys %expected ], 'these leave the library, and nothing else');
done_testing();
