# Pictures of figures of the benchmarks as SVG, both axes logarithmic.
#
#   plot.pl           login time against CRL entries, from lines "entries none sslpolicy core"
#                     (milliseconds; "-" for none)
#   plot.pl --grows   instructions of a login against what is stored, from lines
#                     "what number instructions" and "label instructions", a login with nothing
use strict;
use warnings;

my ($top, $bottom, $plot_width, $height) = (40, 60, 520, 420);
my $letter = 7.5;    # width of a letter, rather too wide

sub log10 { return log($_[0]) / log(10) }
sub floor10 { my $e = int(log10($_[0]) + 100) - 100; return 10**$e }
sub thousands { my $n = reverse int($_[0]); $n =~ s/(\d{3})(?=\d)/$1,/g; return scalar reverse $n }

# Labels at the ends of the lines, 16 units apart at least, in a column on the right.
sub spread
{
	my @y = sort { $a->{y} <=> $b->{y} } @_;
	$y[$_]{y} < $y[ $_ - 1 ]{y} + 16 and $y[$_]{y} = $y[ $_ - 1 ]{y} + 16 for 1 .. $#y;
	my $limit = $height - $bottom + 4;
	for my $label (reverse @y)
	{
		$label->{y} = $limit if $label->{y} > $limit;
		$limit = $label->{y} - 16;
	}
	return;
}

# Each series has a name, a light and a dark colour, perhaps dashes, and points [x, y].
sub draw
{
	my ($title, $x_title, $unit, @series) = @_;
	my @x = sort { $a <=> $b } map { $_->[0] } map { @{ $_->{points} } } @series;
	my @y = sort { $a <=> $b } map { $_->[1] } map { @{ $_->{points} } } @series;
	my ($x_min, $x_max, $y_min, $y_max) = ($x[0], $x[-1], floor10($y[0]), floor10($y[-1]) * 10);
	$x_max = $x_min * 10 if $x_max == $x_min;
	my $left = 16 + $letter * length thousands($y_max) . $unit;
	my $x_of = sub { $left + $plot_width * log10($_[0] / $x_min) / log10($x_max / $x_min) };
	my $y_of = sub { $height - $bottom - ($height - $top - $bottom) * log10($_[0] / $y_min) / log10($y_max / $y_min) };
	my ($longest) = sort { $b <=> $a } map { length $_->{name} } @series;
	my $width = int($left + $plot_width + 36 + $longest * $letter);

	print qq{<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $width $height" font-family="sans-serif" font-size="13">\n<title>$title</title>\n};
	print "<style>\n.paper { fill: #ffffff } .ink { fill: #222222 } .grid { stroke: #dddddd }\n";
	print ".s$_ { stroke: $series[$_]{light} } .f$_ { fill: $series[$_]{light} }\n" for 0 .. $#series;
	print "\@media (prefers-color-scheme: dark) {\n.paper { fill: #0d1117 } .ink { fill: #e6e6e6 } .grid { stroke: #30363d }\n";
	print ".s$_ { stroke: $series[$_]{dark} } .f$_ { fill: $series[$_]{dark} }\n" for 0 .. $#series;
	print qq~}\n</style>\n<rect width="$width" height="$height" class="paper"/>\n<g class="ink">\n~;
	printf qq{<text x="%d" y="22" font-size="15">%s</text>\n}, $left, $title;
	for (my $v = floor10($x_min); $v <= $x_max * 1.001; $v *= 10)
	{
		next if $v < $x_min;
		printf qq{<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" class="grid"/>\n}, $x_of->($v), $top, $x_of->($v), $height - $bottom;
		printf qq{<text x="%.1f" y="%d" text-anchor="middle">%s</text>\n}, $x_of->($v), $height - $bottom + 20, thousands($v);
	}
	for (my $v = $y_min; $v <= $y_max * 1.001; $v *= 10)
	{
		printf qq{<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" class="grid"/>\n}, $left, $y_of->($v), $left + $plot_width, $y_of->($v);
		printf qq{<text x="%d" y="%.1f" text-anchor="end">%s%s</text>\n}, $left - 8, $y_of->($v) + 4, thousands($v), $unit;
	}
	printf qq{<text x="%.1f" y="%d" text-anchor="middle">%s</text>\n</g>\n}, $left + $plot_width / 2, $height - 14, $x_title;
	my @labels;
	for my $i (0 .. $#series)
	{
		my ($s, @points) = ($series[$i], @{ $series[$i]{points} });
		printf qq{<polyline fill="none" stroke-width="2" class="s$i"%s points="%s"/>\n},
		  $s->{dash} ? qq{ stroke-dasharray="$s->{dash}"} : '', join ' ', map { sprintf '%.1f,%.1f', $x_of->($_->[0]), $y_of->($_->[1]) } @points;
		printf qq{<circle cx="%.1f" cy="%.1f" r="3.5" class="f$i"><title>%s, %s: %s%s</title></circle>\n},
		  $x_of->($_->[0]), $y_of->($_->[1]), $s->{name}, thousands($_->[0]), $_->[1], $unit for @points;
		push @labels, { i => $i, name => $s->{name}, x => $x_of->($points[-1][0]), from => $y_of->($points[-1][1]), y => $y_of->($points[-1][1]) + 4 };
	}
	spread(@labels);
	for my $label (@labels)
	{
		printf qq{<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke-width="0.7" stroke-dasharray="1 3" class="s%d"/>\n},
		  $label->{x} + 4, $label->{from}, $left + $plot_width + 24, $label->{y} - 4, $label->{i};
		printf qq{<text x="%.1f" y="%.1f" class="f%d">%s</text>\n}, $left + $plot_width + 28, @$label{qw(y i name)};
	}
	print "</svg>\n";
	return;
}

my @rows = map { [split] } grep { /\S/ } <STDIN>;
die "no figures\n" unless @rows;
my @colours = ([ '#2874a6', '#5dade2' ], [ '#b03a2e', '#f1948a' ], [ '#1e8449', '#58d68d' ], [ '#7d3c98', '#c39bd3' ], [ '#9a6a00', '#f5b041' ], [ '#566573', '#aab7b8' ]);
sub series { my ($name, $colour, $points, $dash) = @_; return { name => $name, light => $colours[$colour][0], dark => $colours[$colour][1], points => $points, dash => $dash } }

if (@ARGV && $ARGV[0] eq '--grows')
{
	my ($base) = map { $_->[1] } grep { $_->[0] eq 'label' } @rows;
	die "no figure of a login with nothing\n" unless $base;
	# a pair: what it is called, and whether the figure is on top of one label
	my @what = ([ crl => 'entries of a CRL', 1 ], [ groups => 'labelled groups', 0 ], [ member => 'groups without a label', 0 ],
		[ labels => 'labels of others', 0 ], [ logins => 'rows of recent_logins', 1 ], [ refusals => 'rows of rejections', 1 ]);
	my @series;
	for my $i (0 .. $#what)
	{
		my ($key, $name, $on_top) = @{ $what[$i] };
		my @points = sort { $a->[0] <=> $b->[0] } map { [ $_->[1], $_->[2] + ($on_top ? $base : 0) ] } grep { $_->[0] eq $key } @rows;
		push @series, series($name, $i, \@points, $i % 2 ? '5 3' : '') if @points;
	}
	draw('Instructions that a login has more than without sslpolicy', 'so many of them', '', @series);
}
else
{
	my @what = ([ 1, 'no CRL', 5, '4 4' ], [ 2, 'sslpolicy', 0, '' ], [ 3, 'core (ssl_crl_file)', 1, '' ]);
	draw('Time of a TLS login with client certificate', 'entries of the revocation list', ' ms',
		map { my ($column, $name, $colour, $dash) = @$_; series($name, $colour, [ map { [ $_->[0], $_->[$column] ] } grep { $_->[$column] ne '-' } @rows ], $dash) } @what);
}
