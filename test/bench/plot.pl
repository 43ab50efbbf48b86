# Login time against CRL entries as SVG, from lines "entries none sslpolicy core"
# (milliseconds; "-" for none), both axes logarithmic.
use strict;
use warnings;

my @rows = map { [split] } grep { /\S/ } <STDIN>;
die "no figures\n" unless @rows;
my ($width, $height, $left, $right, $top, $bottom) = (720, 420, 70, 130, 40, 60);
my @series = ([1, 'no CRL', '#7f8c8d', '4 4'], [2, 'sslpolicy', '#2e86c1', ''], [3, 'core (ssl_crl_file)', '#cb4335', '']);

my @y = grep { $_ ne '-' } map { @$_[ 1 .. 3 ] } @rows;
my ($y_min, $y_max) = (sort { $a <=> $b } @y)[ 0, -1 ];
sub log10 { return log($_[0]) / log(10) }
sub floor10 { my $e = int(log10($_[0]) + 100) - 100; return 10**$e }
$y_min = floor10($y_min);
$y_max = floor10($y_max) * 10;
my ($x_min, $x_max) = ($rows[0][0], $rows[-1][0]);
$x_max = $x_min * 10 if $x_max == $x_min;
sub x_of { return $left + ($width - $left - $right) * log10($_[0] / $x_min) / log10($x_max / $x_min) }
sub y_of { return $height - $bottom - ($height - $top - $bottom) * log10($_[0] / $y_min) / log10($y_max / $y_min) }
sub thousands { my $n = reverse int($_[0]); $n =~ s/(\d{3})(?=\d)/$1,/g; return scalar reverse $n }

print qq{<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $width $height" font-family="sans-serif" font-size="13">\n};
print qq{<title>Login time against entries of the revocation list</title>\n};
print qq{<rect width="$width" height="$height" fill="#ffffff"/>\n<g fill="#222222">\n};
printf qq{<text x="%d" y="22" font-size="15">Time of a TLS login with client certificate</text>\n}, $left;
for (my $v = $x_min; $v <= $x_max * 1.001; $v *= 10)
{
	printf qq{<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#dddddd"/>\n}, x_of($v), $top, x_of($v), $height - $bottom;
	printf qq{<text x="%.1f" y="%d" text-anchor="middle">%s</text>\n}, x_of($v), $height - $bottom + 20, thousands($v);
}
for (my $v = $y_min; $v <= $y_max * 1.001; $v *= 10)
{
	printf qq{<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#dddddd"/>\n}, $left, y_of($v), $width - $right, y_of($v);
	printf qq{<text x="%d" y="%.1f" text-anchor="end">%s ms</text>\n}, $left - 8, y_of($v) + 4, thousands($v);
}
printf qq{<text x="%.1f" y="%d" text-anchor="middle">entries of the revocation list</text>\n}, ($left + $width - $right) / 2, $height - 14;
print "</g>\n";
for my $s (@series)
{
	my ($column, $name, $colour, $dash) = @$s;
	my @points = map { [ $_->[0], $_->[$column] ] } grep { $_->[$column] ne '-' } @rows;
	next unless @points;
	printf qq{<polyline fill="none" stroke="%s" stroke-width="2"%s points="%s"/>\n}, $colour,
	  $dash ? qq{ stroke-dasharray="$dash"} : '', join ' ', map { sprintf '%.1f,%.1f', x_of($_->[0]), y_of($_->[1]) } @points;
	printf qq{<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"><title>%s, %s entries: %s ms</title></circle>\n}, x_of($_->[0]), y_of($_->[1]), $colour, $name, thousands($_->[0]), $_->[1] for @points;
	my $last = $points[-1];
	my $shift = $column == 1 ? 18 : $column == 2 ? -8 : 4;
	printf qq{<text x="%.1f" y="%.1f" fill="%s">%s</text>\n}, x_of($last->[0]) + 8, y_of($last->[1]) + $shift, $colour, $name;
}
print "</svg>\n";
