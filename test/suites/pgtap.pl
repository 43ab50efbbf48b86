# The pgTAP suite: each file of test/pgtap runs in a database of its own on a
# server with sslpolicy preloaded, and its TAP counts as a subtest.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $version = `$ENV{PG_CONFIG} --sharedir`;
chomp $version;
plan skip_all => 'pgTAP is not packaged for this PostgreSQL'
  unless -e "$version/extension/pgtap.control";

my $node = PostgreSQL::Test::Cluster->new('pgtap');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'sslpolicy'");
$node->start;

for my $file (sort glob('test/pgtap/*.sql'))
{
	my ($name) = $file =~ m{([^/]+)\.sql$};
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->safe_psql($name, 'CREATE EXTENSION pgtap; CREATE EXTENSION sslpolicy');
	my ($status, $out, $err) =
	  $node->psql($name, "\\i $file", extra_params => ['-qAt'], on_error_stop => 1);
	my ($plan) = $out =~ /^1\.\.(\d+)$/m;
	my @ok = $out =~ /^(ok \d+.*)$/mg;
	my @not_ok = $out =~ /^(not ok \d+.*)$/mg;

	subtest $name => sub {
		is($status, 0, 'psql ran the file') or diag($err);
		is(scalar(@ok) + @not_ok, $plan, 'as many tests as planned');
		pass($_) for @ok;
		fail($_) for @not_ok;
		diag($out) if @not_ok || $status;
	};
}
$node->stop;
done_testing();
