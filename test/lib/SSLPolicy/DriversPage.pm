# The tables of docs/drivers.md that say what real clients show.
#
# Each stands between two comments, <!-- NAME: made by make test-clients --> and
# <!-- end -->.  A row is compared with what the run has seen; with UPDATE=1 it is put
# in its place, in a copy of the page that test/clients/run.sh fetches.
package SSLPolicy::DriversPage;

use strict;
use warnings;
use utf8;
use Cwd qw(abs_path);
use Encode qw(decode_utf8 encode_utf8);
use Exporter qw(import);
use File::Basename qw(dirname);
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(code page_table page_done);

my $page = decode_utf8(slurp_file(abs_path(dirname(__FILE__) . '/../../..') . '/docs/drivers.md'));

# Text for a cell
sub code
{
	my ($text) = @_;
	return '' if !defined $text;
	# the program has printed UTF-8
	utf8::decode($text);
	$text = join ' ', map { s/^\s+|\s+$//gr } split /\n/, $text;
	$text =~ s/\|/\\|/g;
	return $text =~ /`/ ? "`` $text ``" : "`$text`";
}

# Where TLS fails while the client is sending, it may find the connection gone before
# it reads why.
my $gone = qr/connection (?:was )?(?:reset|closed|attempt failed)|broken pipe|EPIPE|ECONNRESET|unexpectedly|unexpected connection_lost/i;
sub same
{
	my ($shown, $said) = @_;
	return 1 if $shown eq $said;
	my @shown = split / \| /, $shown;
	my @said = split / \| /, $said;
	return @shown == @said && !grep { $shown[$_] ne $said[$_] && $shown[$_] !~ $gone } 0 .. $#shown;
}

# page_table(name, titles, rows): the first two columns are the client and its version
sub page_table
{
	my ($name, $titles, @rows) = @_;
	my ($begin, $table, $end) = $page =~ /(<!-- \Q$name\E: made by make test-clients -->\n\n)(.*?)(\n?<!-- end -->)/s;
	ok($begin, "table $name is in docs/drivers.md") or return;
	my @at = ($-[2], $+[2] - $-[2]);
	my @lines = split /\n/, $table;
	my @head = ('| ' . join(' | ', @$titles) . ' |', '|' . '---|' x @$titles);
	my %line = map { /^\| (.*?) \|/ ? ($1 => $_) : () } @lines[ 2 .. $#lines ];
	my @order = map { /^\| (.*?) \|/ ? $1 : () } @lines[ 2 .. $#lines ];
	is(join("\n", @lines[ 0, 1 ]), join("\n", @head), "table $name: titles") unless $ENV{UPDATE};
	for my $row (@rows)
	{
		my ($client, $version) = @$row;
		my $now = '| ' . join(' | ', map { $_ // '' } @$row) . ' |';
		push @order, $client unless exists $line{$client};
		my $said = $line{$client} // '';
		$line{$client} = $now;
		next if $ENV{UPDATE};
		if ($said ne '' && $said !~ /^\| \Q$client\E \| \Q$version\E \|/)
		{
			diag("table $name: $client is now of version $version; run with UPDATE=1 and look at the difference") unless same($now, $said);
			next;
		}
		ok(same($now, $said), "table $name: $client") or diag(encode_utf8("shows    $now\nthe page $said"));
	}
	substr $page, $at[0], $at[1], join("\n", @head, map { $line{$_} } @order) . "\n" if $ENV{UPDATE};
	return;
}

sub page_done
{
	return unless $ENV{UPDATE};
	open my $fh, '>:raw', $ENV{DRIVERS_PAGE} or die "$ENV{DRIVERS_PAGE}: $!";
	print $fh encode_utf8($page);
	close $fh or die;
	return;
}

1;
