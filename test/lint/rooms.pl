#!/usr/bin/perl
# The rooms of src/: a folder may use those before it in the table of rooms of
# docs/development.md, never one behind it.
#
#   rooms.pl [TREE]              says what breaks that, and ends with 1 if anything does
#   rooms.pl --picture [TREE]    prints the picture of the rooms (SVG)
#
# The table gives the order, what each room is responsible for, and who uses it.
# All of it is held against the includes of the sources, and docs/rooms.svg, which
# is drawn from the same, must be what --picture prints.
use strict;
use warnings;
use File::Basename;

my $picture = @ARGV && $ARGV[0] eq '--picture' ? shift @ARGV : '';
my $tree = shift @ARGV // dirname(__FILE__) . '/../..';
my $max_lines = 800;

sub slurp
{
	my ($file) = @_;
	open my $fh, '<', $file or die "$file: $!\n";
	local $/;
	return <$fh>;
}

my @wrong;
sub wrong { push @wrong, join '', @_; return }

# | `base/` | what it is responsible for | what it never does | who uses it |
my (@rooms, %about, %said_users);
for my $row (slurp("$tree/docs/development.md") =~ /^\| (`\w+\/`(?: \| [^|]+){3}) \|$/mg)
{
	my ($room, $about, undef, $users) = split / *\| */, $row;
	$room =~ s/\W//g;
	push @rooms, $room;
	$about{$room} = $about =~ s/[`*]|\[([^\]]*)\]\([^)]*\)/$1 \/\/ ''/gre;
	$said_users{$room} = $users;
}
my %place = map { $rooms[$_] => $_ } 0 .. $#rooms;

my (%uses, %because, %included);
for my $file (sort glob("$tree/src/*.[ch] $tree/src/*/*.[ch]"))
{
	my $name = $file =~ s/\A\Q$tree\E\/src\///r;
	my $room = $name =~ m{(.*)/} ? $1 : '';
	my $text = slurp($file);
	my $lines = $text =~ tr/\n//;

	wrong("src/$name: its room $room is not in the table of docs/development.md") if $room ne '' && !exists $place{$room};
	wrong("src/$name: $lines lines; $max_lines are the most") if $lines > $max_lines;
	for my $header ($text =~ /^#include "([^"]+)"/mg)
	{
		my ($other) = $header =~ m{\A(\w+)/};
		wrong("src/$name: write the room of \"$header\"") if !defined $other && glob("$tree/src/*/$header");
		next if !defined $other || !-e "$tree/src/$header";
		push @{ $included{$name} }, $header;
		next if $room eq '' || $other eq $room || !exists $place{$other} || !exists $place{$room};
		$uses{$room}{$other} = 1;
		push @{ $because{"$room $other"} }, "src/$name includes \"$header\"";
		wrong("src/$name includes \"$header\": $room/ stands before $other/, and may not use it")
		  if $place{$other} > $place{$room};
	}
}
for my $room (@rooms)
{
	my @files = glob("$tree/src/$room/*.c");
	wrong("$room/: in the table of docs/development.md, but not in src") if !@files;
	my $users = join ' ', grep { $uses{$_}{$room} } @rooms;
	my $all = join ' ', @rooms[ $place{$room} + 1 .. $#rooms ];
	$users = $users eq '' ? 'SQL' : $users eq $all && @rooms - $place{$room} > 3 ? 'all behind it' : $users;
	my $said = $said_users{$room} =~ s/[`\/,]//gr;
	wrong("$room/: docs/development.md says that \"$said\" use it, but \"$users\" do") if $said ne $users;
}

# two files of one base name would be one to a debugger, and to the linker's map
my %named;
for my $file (glob("$tree/src/*/*.c"))
{
	my $name = basename($file);
	wrong("$file and $named{$name} have one name") if $named{$name};
	$named{$name} = $file;
}

# headers in a circle
my %state;
sub visit
{
	my ($file, @path) = @_;
	wrong("includes in a circle: @path $file") if ($state{$file} // '') eq 'open';
	return if $state{$file};
	$state{$file} = 'open';
	visit($_, @path, $file) for @{ $included{$file} // [] };
	$state{$file} = 'done';
	return;
}
visit($_) for sort keys %included;

# The doors on top, the base at the bottom; a dot in the column of each room that the
# one in this row uses.  All dots lie below the diagonal.
sub draw
{
	my ($row, $column, $left, $top, $wide) = (26, 26, 96, 112, 660);
	my @shown = reverse @rooms;
	my ($width, $height) = ($left + @rooms * $column + $wide, $top + @rooms * $row + 20);
	my $svg = qq(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $width $height" font-family="sans-serif" font-size="13">\n)
	  . qq(<title>The rooms of src/ and what each uses</title>\n)
	  . qq(<rect width="$width" height="$height" fill="#ffffff"/>\n<g fill="#222222">\n);
	my $text = sub {
		my ($x, $y, $string, $more) = @_;
		$string =~ s/([&<>"])/'&#' . ord($1) . ';'/ge;
		$svg .= qq(<text x="$x" y="$y"$more>$string</text>\n);
	};
	for my $i (0 .. $#shown)
	{
		my $y = $top + $i * $row;
		my $x = $left + $i * $column + $column / 2 + 4;
		$svg .= sprintf qq(<rect x="0" y="%d" width="%d" height="%d" fill="#f2f5f9"/>\n), $y, $width, $row if $i % 2 == 0;
		$text->(10, $y + 17, $shown[$i], ' font-weight="bold"');
		$text->($left + @rooms * $column + 14, $y + 17, $about{ $shown[$i] } =~ s/ *[;(].*//sr, '');
		$text->($x, $top - 8, $shown[$i], qq( transform="rotate(-60 $x @{[ $top - 8 ]})"));
		for my $j (0 .. $#shown)
		{
			my ($cx, $cy) = ($left + $j * $column + $column / 2, $y + $row / 2);
			$svg .= qq(<rect x="@{[ $cx - 9 ]}" y="@{[ $cy - 9 ]}" width="18" height="18" fill="#c8d3e0"/>\n) if $i == $j;
			next if !$uses{ $shown[$i] }{ $shown[$j] };
			$svg .= qq(<circle cx="$cx" cy="$cy" r="5" fill="#2c6fbb"><title>$shown[$i] uses $shown[$j]</title></circle>\n);
		}
	}
	$text->(10, 20, 'A dot: the room in this row uses the one in this column. None uses one above it.', ' font-size="14"');
	return "$svg</g>\n</svg>\n";
}

if ($picture)
{
	print draw();
	exit 0;
}
my $svg = "$tree/docs/rooms.svg";
wrong('docs/rooms.svg is not the picture of these rooms: run test/lint/rooms.pl --picture >docs/rooms.svg')
  if !-e $svg || slurp($svg) ne draw();
print "$_\n" for @wrong;
exit(@wrong ? 1 : 0);
