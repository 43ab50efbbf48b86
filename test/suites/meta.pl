# What is said about the release: META.json keeps to the PGXN Meta Specification,
# and every file that names the version names that of sslpolicy.control, which is
# the only one that decides. Of the tests themselves: each has a number of its own.
# Needs no server.
use strict;
use warnings;
use JSON::PP;
use SSLPolicy::PgxnMeta qw(errors);
use Test::More;

sub slurp
{
	my ($file) = @_;
	local $/;
	open my $fh, '<:raw', $file or die "$file: $!";
	return <$fh>;
}

# no file that a build makes may be named
sub has_file { my ($file) = @_; return -f $file && $file !~ /\A\Qsslpolicy--\E[^-]*\.sql\z/ }

my $text = slurp('META.json');
my $meta = eval { JSON::PP->new->utf8->decode($text) };
is($@, '', 'META.json is JSON') or BAIL_OUT('META.json is not JSON');
is_deeply([ errors($meta, \&has_file) ], [], 'META.json keeps to the specification');

# The same file with one thing wrong is found wrong: [what, how, complaint].
my @faults = (
	(map { my $key = $_; [ "no $key", sub { delete $_[0]{$key} }, qr/^$key: is missing/ ] }
		qw(name version abstract maintainer license provides meta-spec)),
	[ 'two numbers', sub { $_[0]{version} = '1.0' }, qr/^version: is not a semantic version/ ],
	[ 'leading zero', sub { $_[0]{version} = '1.01.0' }, qr/^version: is not a semantic version/ ],
	[ 'leading v', sub { $_[0]{version} = 'v1.0.0' }, qr/^version: is not a semantic version/ ],
	[ 'no text', sub { $_[0]{abstract} = '' }, qr/^abstract: is not a text/ ],
	[ 'name with a space', sub { $_[0]{name} = 'ssl policy' }, qr/^name: is not a term/ ],
	[ 'nobody', sub { $_[0]{maintainer} = [] }, qr/^maintainer: is an empty list/ ],
	[ 'unknown licence', sub { $_[0]{license} = 'PostgreSQL' }, qr/^license: is not one of/ ],
	[ 'licence without URL', sub { $_[0]{license} = { PostgreSQL => 'yes' } }, qr/^license: PostgreSQL: is not a URL/ ],
	[ 'unknown key', sub { $_[0]{author} = 'x' }, qr/^author: is unknown/ ],
	[ 'unknown key of an extension', sub { $_[0]{provides}{sslpolicy}{docs} = 'x' }, qr/^provides: sslpolicy: docs: is unknown/ ],
	[ 'file that a build makes', sub { $_[0]{provides}{sslpolicy}{file} = "sslpolicy--$meta->{version}.sql" }, qr/^provides: sslpolicy: file: there is no file/ ],
	[ 'no page', sub { $_[0]{provides}{sslpolicy}{docfile} = 'docs/none.md' }, qr/^provides: sslpolicy: docfile: there is no file/ ],
	[ 'nothing provided', sub { $_[0]{provides} = {} }, qr/^provides: is empty/ ],
	[ 'unknown phase', sub { $_[0]{prereqs}{run} = {} }, qr/^prereqs: run: is unknown/ ],
	[ 'unknown relation', sub { $_[0]{prereqs}{runtime}{needs} = {} }, qr/^prereqs: runtime: needs: is unknown/ ],
	[ 'major version alone', sub { $_[0]{prereqs}{runtime}{requires}{PostgreSQL} = '15' }, qr/^prereqs: runtime: requires: PostgreSQL: is not a version/ ],
	[ 'tag with a slash', sub { $_[0]{tags} = ['a/b'] }, qr/^tags: is not a tag/ ],
	[ 'unknown status', sub { $_[0]{release_status} = 'final' }, qr/^release_status: is not one of/ ],
	[ 'homepage', sub { $_[0]{resources}{homepage} = 'here' }, qr/^resources: homepage: is not a URL/ ],
	[ 'another specification', sub { $_[0]{'meta-spec'}{version} = '2.0.0' }, qr/^meta-spec: version: is not a version 1/ ]);
for my $fault (@faults)
{
	my ($what, $break, $complaint) = @$fault;
	my $broken = JSON::PP->new->utf8->decode($text);
	$break->($broken);
	my @errors = errors($broken, \&has_file);
	ok(@errors == 1 && $errors[0] =~ $complaint, "found: $what") or diag("@errors");
}
my $more = JSON::PP->new->utf8->decode($text);
$more->{x_more} = { anything => [1] };
$more->{prereqs}{test}{recommends} = { pgTAP => 0, other => '>= 1.2.0, != 1.5.0, < 2.0.0-rc.1' };
is_deeply([ errors($more, \&has_file) ], [], 'keys of one\'s own, and ranges of versions, are right');

# one version everywhere
my ($version) = slurp('sslpolicy.control') =~ /^default_version\s*=\s*'([^']*)'/m;
ok($version, 'sslpolicy.control has a version') or BAIL_OUT('no version');
is($meta->{version}, $version, 'META.json: version');
is($meta->{provides}{sslpolicy}{version}, $version, 'META.json: version of the extension');
my ($newest) = slurp('CHANGELOG.md') =~ /^## (.*)$/m;
like($newest, qr/\A\Q$version\E \((?:unreleased|\d{4}-\d\d-\d\d)\)\z/, 'CHANGELOG.md: newest version and its date');
SKIP:
{
	skip 'debian/ is not in the archive of a release', 2 if !-d 'debian';
	my $changelog = slurp('debian/changelog');
	my ($packaged) = $changelog =~ /\Asslpolicy \((.*)-[^-)]*\)/;
	is($packaged, $version, 'debian/changelog: newest version');
	my ($maintainer) = slurp('debian/control') =~ /^Maintainer: (.*)$/m;
	is($meta->{maintainer}, $maintainer, 'debian/control: the same maintainer as in META.json');
}

# A number says which file is meant, as in TESTS=t/012; and none is missing.
my @numbers = map { m{\Atest/t/(\d{3})_\w+\.pl\z} ? $1 : $_ } sort glob('test/t/*');
is_deeply(\@numbers, [ map { sprintf '%03d', $_ } 1 .. @numbers ], 'test/t: the files are numbered once each');

# Where files are selected by their numbers, those are there.
for my $file ('.ci/run', glob('test/*/run.sh'))
{
	next if !-f $file;
	my @without = grep { my $number = $_; !grep { $_ eq $number } @numbers } slurp($file) =~ m{\bt/(\d+)\b}g;
	is("@without", '', "$file: selects test files that are there");
}
done_testing();
