#!/usr/bin/perl
# Formats C files as pgindent does: clang-format does nearly all of it, by the
# repository's .clang-format, and this the two things that clang-format cannot
# express, pgindent's columns: what is declared stands 12 columns behind its
# indentation, and a comment behind code in column 32, where there is room.
#
#   format.pl FILE...            rewrites the files that are not in that form
#   format.pl --check FILE...    names them, and ends with 1 if there are any
use strict;
use warnings;

my $check = @ARGV && $ARGV[0] eq '--check' ? shift @ARGV : '';
my $tab = 4;
my $declared = 12;
my $comment = 32;

sub width
{
	my ($text) = @_;
	my $column = 0;
	$column += $_ eq "\t" ? $tab - $column % $tab : 1 for split //, $text;
	return $column;
}

# What leads from one column to another.  Like pgindent, a space rather than a tab
# for a single column, if no tab follows.
sub blanks
{
	my ($from, $to) = @_;
	my $text = '';
	while ((my $stop = $from + $tab - $from % $tab) <= $to)
	{
		$text .= $stop == $from + 1 && $to < $stop + $tab ? ' ' : "\t";
		$from = $stop;
	}
	return $text . ' ' x ($to - $from);
}

my $qualifier = qr/(?:const|extern|inline|long|short|signed|static|struct|enum|union|unsigned|volatile) /;
my $no_type = qr/^(?:case|else|for|goto|if|return|sizeof|switch|typedef|while)$/;

# Where something is declared: indentation, type, stars and name.
sub declaration
{
	my ($line) = @_;
	my ($indent, $type, $stars, $rest) =
	  $line =~ /^(\t*)($qualifier*(?:STACK_OF\(\w+\)|[A-Za-z_]\w*))(?: (\**)|(?= \(\*))((?: \(\*)?[A-Za-z_]\w*.*)$/s
	  or return;
	my ($word) = $type =~ /(\w+)\)?$/;
	return if $word =~ $no_type || "$word " =~ /^$qualifier$/ && $word !~ /^(?:long|short|signed|unsigned)$/;
	$rest =~ s/^ (?=\(\*)//;
	return if $rest !~ /^(?:\(\*\w+\)|\w+)(?:;|,|\[| = |$)/ && !($rest =~ /^(?:\(\*\w+\)|\w+)\(/ && ($type =~ /^(?:static|extern) / || $rest =~ /^\(/));
	return ($indent, $type, $stars // '', $rest);
}

sub without_strings { return $_[0] =~ s/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'//gr }

# Code without strings, characters and comments, to count brackets in.
sub bare { return without_strings($_[0]) =~ s{/\*.*}{}r }

sub columns
{
	my ($text) = @_;
	my (@out, $in_comment, $comment_at);
	my ($depth, $shift) = (0, 0);

	for my $line (split /\n/, $text, -1)
	{
		if ($in_comment)
		{
			# of a comment behind code, further lines stand below its star
			$line =~ s/^\s*(?=\*)/blanks(0, $comment_at + 1)/e if defined $comment_at;
			$in_comment = '' if $line =~ m{\*/};
			push @out, $line;
			next;
		}
		if ($line !~ /^#/)
		{
			if ($depth > 0 && $shift > 0 && $line =~ /^(\s*)(.*)$/)
			{
				$line = blanks(0, width($1) + $shift) . $2;
			}
			elsif ($depth == 0 and my ($indent, $type, $stars, $rest) = declaration($line))
			{
				my $start = width($indent) + length $type;
				my $name = width($indent) + $declared;
				my $stands = $name - length($stars) > $start ? $name : $start + 1 + length $stars;
				$shift = $stands - $start - 1 - length $stars;
				$line = $indent . $type . blanks($start, $stands - length $stars) . $stars . $rest;
			}
			my $code = bare($line);
			$depth += ($code =~ tr/(//) - ($code =~ tr/)//);
			$shift = 0 if $depth == 0;
		}
		my ($code, $note) = $line =~ m{^((?>[^"'/]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|/(?!\*))*?)\s*(/\*.*)$};
		undef $comment_at;
		if (defined $note && $code =~ /\S/ && $note !~ m{\*/.*\S})
		{
			my $end = width($code);
			$comment_at = $end < $comment ? $comment : $end + $tab - $end % $tab;
			$line = $code . blanks($end, $comment_at) . $note;
		}
		$in_comment = 1 if without_strings($line) =~ m{/\*} && $line !~ m{/\*.*\*/};
		push @out, $line;
	}
	return join "\n", @out;
}

my $different = 0;
for my $file (@ARGV)
{
	open my $fh, '<', $file or die "$file: $!\n";
	my $text = do { local $/; <$fh> };
	close $fh;
	open my $formatter, '-|', 'clang-format', '--style=file', $file or die "clang-format: $!\n";
	my $formatted = do { local $/; <$formatter> };
	close $formatter or die "clang-format failed for $file\n";
	$formatted = columns($formatted);
	next if $formatted eq $text;
	$different++;
	print "$file\n";
	next if $check;
	open $fh, '>', $file or die "$file: $!\n";
	print $fh $formatted;
	close $fh or die "$file: $!\n";
}
exit($check && $different ? 1 : 0);
