# What is asked before and after an upgrade: version(), check_all().
#
# 1. version(): every version alone, and what does not fit.
# 2. check_all(): every stored policy, with checks that the view does not make.
# 3. Both, and server_ca(), without preloading, and from a copy of the library.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Client;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('client_versions',
	conf => "ssl_min_protocol_version = 'TLSv1.2'\n");
my $node = $server->node;
my $certs = $server->certs;
my $root = $certs->get('root');
$server->start;
$server->sql('CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE grp; CREATE ROLE grp2; CREATE DATABASE db1');


# The library's file, as the server finds it.
my ($pkglibdir) = run_command([ $ENV{PG_CONFIG} // 'pg_config', '--pkglibdir' ]);
my ($library) = grep { -e $_ } map { s/^\$libdir/$pkglibdir/r . '/sslpolicy.so' }
  split /:/, $server->sql('SHOW dynamic_library_path');

my $version = $server->sql("SELECT extversion FROM pg_extension WHERE extname = 'sslpolicy'");
sub version_rows
{
	my ($function) = @_;
	return { map { split /\|/, $_, 2 } split /\n/, $server->sql('SELECT item, value, note FROM ' . ($function // 'sslpolicy.version()')) };
}
my $about = version_rows();
is($about->{library}, "$version|the one that answers", 'version: library');
is($about->{'preloaded library'}, "$version|the same", 'version: preloaded library');
is($about->{'library on disk'}, "$version|the file that was loaded", 'version: library on disk');
is($about->{'SQL objects'}, "$version|they fit this library", 'version: SQL objects');
is($about->{'PostgreSQL, running'} =~ s/\|$//r, $server->sql('SHOW server_version'), 'version: PostgreSQL');
like($about->{'OpenSSL, running'}, qr/^3\.\d+\.\d+/, 'version: OpenSSL');
is($about->{'TLS 1.3'}, 'yes|', 'version: TLS 1.3');
like($about->{'proof of loaded material'}, qr/^number and content\|/, 'version: proof');

$server->set(ssl_max_protocol_version => 'TLSv1.2');
like(version_rows()->{'TLS 1.3'}, qr/^no\|ssl_max_protocol_version = TLSv1\.2/, 'version: no TLS 1.3 by the setting');
$server->set(ssl_max_protocol_version => undef, ssl => 'off');
like(version_rows()->{'proof of loaded material'}, qr/^none\|ssl is off/, 'version: no proof with ssl off');
$server->set(ssl => 'on');

# SQL objects of another version
$server->sql(q{UPDATE pg_extension SET extversion = '0.9' WHERE extname = 'sslpolicy'});
like(version_rows()->{'SQL objects'}, qr/^0\.9\|another version .* ALTER EXTENSION sslpolicy UPDATE/, 'version: older SQL objects');
$server->sql("UPDATE pg_extension SET extversion = '$version' WHERE extname = 'sslpolicy'");

# another file in the place of the library
my $copy = PostgreSQL::Test::Utils::tempdir('library') . '/another.so';
my $bytes = slurp_file($library);
my $nines = '9' x length $version;
my $newer = $bytes =~ s/(sslpolicy library, version )\Q$version\E/$1$nines/r;
isnt($newer, $bytes, 'the version is in the file');
rename $library, "$library.kept" or die $!;
spew($library, $newer);
chmod 0755, $library;
is(version_rows()->{'library on disk'}, "$nines|another file than the one that was loaded: restart the server", 'version: a newer file on disk');
rename "$library.kept", $library or die $!;
is(version_rows()->{'library on disk'}, "$version|the file that was loaded", 'version: the file is back');
spew($copy, $bytes);
chmod 0755, $copy;

# every policy, as a library that was not preloaded reads them
$server->label(role => { app => 'sslmode=require', grp => 'cn=/^a$', grp2 => 'sslmode=require' }, database => { db1 => 'sslmode=verify-ca' });
$server->set('sslpolicy.default_policy' => 'sslmode=prefer', 'sslpolicy.minimum_policy' => 'sslmode=allow');
$server->sql("UPDATE pg_shseclabel SET label = 'sslmode=require cipher=RC4-FORGOTTEN' WHERE objoid = 'app'::regrole");
$server->sql(q{UPDATE pg_shseclabel SET label = 'cn=/^a($' WHERE objoid = 'grp'::regrole});
my $all = "SELECT object_type, object_name, policy, error FROM %s ORDER BY object_type, object_name";
my $want = qr{\Adatabase\|db1\|sslmode=verify-ca\|
role\|app\|sslmode=require cipher=RC4-FORGOTTEN\|.*RC4-FORGOTTEN.*
role\|grp\|cn=/\^a\(\$\|.*regular expression.*
role\|grp2\|sslmode=require\|
setting\|sslpolicy\.default_policy\|sslmode=prefer\|
setting\|sslpolicy\.minimum_policy\|sslmode=allow\|\z};
like($server->sql(sprintf $all, 'sslpolicy.check_all()'), $want, 'check_all: preloaded');
is($server->sql('SELECT count(*) FROM sslpolicy.policies WHERE error IS NOT NULL'), '1', 'check_all: sees more than the view does');
my %functions = (
	version => '(OUT item text, OUT value text, OUT note text) RETURNS SETOF record',
	check_all => '(OUT object_type text, OUT object_name text, OUT policy text, OUT error text) RETURNS SETOF record');
my $declare = "CREATE SCHEMA other;\n" . join '', map { "CREATE FUNCTION other.$_$functions{$_} AS '$copy', 'sslpolicy_$_' LANGUAGE c STRICT;\n" } sort keys %functions;
$server->sql($declare);
like($server->sql(sprintf $all, 'other.check_all()'), $want, 'check_all: by a copy beside the preloaded library');
is(version_rows('other.version()')->{'preloaded library'}, "$version|another file of the same version: shared_preload_libraries and the SQL objects name different files", 'version: by a copy');

$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "''");
$server->restart;
like($server->sql(sprintf $all, 'sslpolicy.check_all()'), $want, 'check_all: not preloaded');
like($server->sql(sprintf $all, 'other.check_all()'), $want, 'check_all: not preloaded, by a copy');
$about = version_rows();
like($about->{'preloaded library'}, qr/^\|none: no policy is enforced/, 'version: not preloaded');
like($about->{'proof of loaded material'}, qr/^none\|/, 'version: no proof');
is($about->{'SQL objects'}, "$version|they fit this library", 'version: not preloaded, SQL objects');
is($server->sql('SELECT sslpolicy.server_ca()'), slurp_file($root->{cert}), 'server_ca: not preloaded');
for my $call ('client_settings()', q{client_settings('app')}, 'client_bundle()', q{client_bundle('app')})
{
	my (undef, undef, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT * FROM sslpolicy.$call");
	like($err, qr/ERROR:  55000: sslpolicy is not preloaded/, "not preloaded: $call");
}
$server->sql('DROP EXTENSION sslpolicy');
like(version_rows('other.version()')->{'SQL objects'}, qr/^\|the extension is not in this database/, 'version: no extension');
$server->stop;
done_testing();
