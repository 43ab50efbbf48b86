# Does a META.json keep to the PGXN Meta Specification 1.0.0?
#
# errors(META, HAS_FILE) takes the decoded file and a function that says whether
# the distribution has a file of that path. It returns what is wrong, a line each.
# Stricter than PGXN in one thing: a file that is named has to exist.
package SSLPolicy::PgxnMeta;

use strict;
use warnings;
use Exporter 'import';
our @EXPORT_OK = qw(errors);

# as in Semantic Versioning 2.0.0: numbers without leading zeros, then perhaps a
# pre-release and a build
my $number = qr/0|[1-9]\d*/;
my $label = qr/[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*/;
my $semver = qr/(?:$number)\.(?:$number)\.(?:$number)(?:-$label)?(?:\+$label)?/;

my %licences = map { $_ => 1 } qw(
  agpl_3 apache_1_1 apache_2_0 artistic_1 artistic_2 bsd freebsd gfdl_1_2 gfdl_1_3
  gpl_1 gpl_2 gpl_3 lgpl_2_1 lgpl_3_0 mit mozilla_1_0 mozilla_1_1 openssl perl_5
  postgresql qpl_1_0 ssleay sun zlib open_source restricted unrestricted unknown);

# Kinds of values: each is a function that returns what is wrong with a value.
sub text { return defined $_[0] && !ref $_[0] && length $_[0] ? () : 'is not a text' }

sub matches
{
	my ($regex, $what) = @_;
	return sub { my @wrong = text(@_); return @wrong ? @wrong : $_[0] =~ /\A(?:$regex)\z/ ? () : "is not $what" };
}
my $term = matches(qr{[^\s/\\[:cntrl:]]{2,}}, 'a term: two characters or more, without spaces and slashes');
my $version = matches($semver, 'a semantic version, x.y.z');
my $url = matches(qr{[a-z][a-z0-9+.-]*://[^/\s]+\S*}i, 'a URL');
my $mail = matches(qr{\S+\@\S+}, 'a mail address');
my $range =
  matches(qr/(?:0|(?:(?:==|!=|<=?|>=?)\s*)?$semver)(?:,\s*(?:(?:==|!=|<=?|>=?)\s*)?$semver)*/, 'a version or a range of versions');

sub one_of
{
	my %known = map { $_ => 1 } @_;
	return sub { defined $_[0] && !ref $_[0] && $known{ $_[0] } ? () : 'is not one of ' . join(', ', sort keys %known) };
}

# one, or a list of one or more
sub some
{
	my ($kind) = @_;
	return sub {
		my ($value) = @_;
		return $kind->($value) if ref $value ne 'ARRAY';
		return 'is an empty list' if !@$value;
		return map { $kind->($_) } @$value;
	};
}

# an object in which the names are of one kind and the values of another
sub each_of
{
	my ($name_kind, $kind) = @_;
	return sub {
		my ($value) = @_;
		return 'is not an object' if ref $value ne 'HASH';
		return 'is empty' if !%$value;
		return map {
			my $key = $_;
			map { "$key: $_" } $name_kind->($key), $kind->($value->{$key})
		} sort keys %$value;
	};
}

# an object of these keys, those with a ! required, and of x_ keys
sub object
{
	my (%keys) = @_;
	my %kind = map { s/!//r => $keys{$_} } keys %keys;
	return sub {
		my ($value) = @_;
		return 'is not an object' if ref $value ne 'HASH';
		my @wrong = map { "$_: is missing" }
		  grep { !exists $value->{$_} } map { s/!//r } grep { /!/ } sort keys %keys;
		for my $key (sort keys %$value)
		{
			if ($kind{$key}) { push @wrong, map { "$key: $_" } $kind{$key}->($value->{$key}) }
			elsif ($key !~ /\Ax_./i) { push @wrong, "$key: is unknown, and does not begin with x_" }
		}
		return @wrong;
	};
}

sub errors
{
	my ($meta, $has_file) = @_;
	my $file = sub { my @wrong = text(@_); return @wrong ? @wrong : $has_file->($_[0]) ? () : "there is no file $_[0]" };
	my $licence = one_of(keys %licences);
	my $any = some(\&text);
	my $relations = object(map { $_ => each_of($term, $range) } qw(requires recommends suggests conflicts));

	return object(
		'name!' => $term,
		'version!' => $version,
		'abstract!' => \&text,
		'maintainer!' => $any,
		'license!' =>
		  sub { ref $_[0] eq 'HASH' ? each_of(\&text, $url)->(@_) : some($licence)->(@_) },
		'provides!' => each_of(
			$term,
			object(
				'file!' => $file,
				'version!' => $version,
				abstract => \&text,
				docfile => $file)),
		'meta-spec!' => object('version!' => matches(qr/1\.0\.\d+/, 'a version 1.0.x'), url => $url),
		description => \&text,
		generated_by => \&text,
		release_status => one_of(qw(stable testing unstable)),
		tags => some(matches(qr{[^/\\[:cntrl:]]{1,255}}, 'a tag: at most 255 characters, without slashes')),
		no_index => object(file => $any, directory => $any),
		prereqs => object(map { $_ => $relations } qw(configure build test runtime develop)),
		resources => object(
			homepage => $url,
			license => some($url),
			bugtracker => object(web => $url, mailto => $mail),
			repository => object(url => $url, web => $url, type => matches(qr/[a-z]+/, 'in lower case'))))
	  ->($meta);
}

1;
