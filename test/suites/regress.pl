# The pg_regress suites, each on a temporary server: with sslpolicy preloaded,
# and without.  One test for each file in sql/.
use strict;
use warnings;
use File::Temp qw(tempdir);
use Test::More;

# each suite: name, settings, files of sql/
my @suites = (
	[
		'preloaded',
		"shared_preload_libraries = 'sslpolicy'\n",
		qw(check_policy set_policy label audit privileges policies settings connection)
	],
	[ 'not preloaded', "", qw(not_preloaded) ]);

my $top = `pwd`;
chomp $top;
my $bindir = `$ENV{PG_CONFIG} --bindir`;
chomp $bindir;

sub slurp
{
	my ($file) = @_;
	local $/;
	open my $fh, '<', $file or die "$file: $!";
	return <$fh>;
}

for my $suite (@suites)
{
	my ($name, $settings, @files) = @$suite;
	# stays until the run ends, for its logs
	my $dir = tempdir(DIR => $ENV{TESTDIR});

	open my $conf, '>', "$dir/extra.conf" or die $!;
	print $conf slurp($ENV{TEMP_CONFIG}), $settings;
	close $conf;

	my $output = `$ENV{PG_REGRESS} --temp-instance=$dir/instance --temp-config=$dir/extra.conf --bindir=$bindir --inputdir=$top --outputdir=$dir --dbname=contrib_regression @files 2>&1`;
	my $status = $?;

	for my $file (@files)
	{
		# 15: "test label   ... ok"; 16 and later: "ok 1   - label"
		ok($output =~ /^(?:test \Q$file\E\s+\.\.\. ok\b|ok \d+\s+-? ?\Q$file\E\b)/m,
			"$name: $file");
	}
	if ($status != 0)
	{
		diag($output);
		diag(slurp("$dir/regression.diffs")) if -e "$dir/regression.diffs";
		diag(`tail -20 $dir/log/postmaster.log`) if -e "$dir/log/postmaster.log";
	}
}
done_testing();
