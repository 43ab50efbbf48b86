#!/usr/bin/perl
# mirror.pl FROM TO: makes the files of TO those of FROM, for a make in TO.  A file
# whose content is the same is not touched; any other is written anew, and so is
# newer than what make has made of it.  A file that is gone from FROM goes from TO,
# unless it has never been there: make has put it there.
use strict;
use warnings;
use File::Basename qw(dirname);
use File::Find ();
use File::Path qw(make_path remove_tree);

my ($from, $to) = @ARGV;
my $list = "$to/../files";

sub slurp
{
	my ($file) = @_;
	open my $fh, '<:raw', $file or return undef;
	local $/;
	my $text = <$fh>;
	return $text // '';
}

sub files_below
{
	my ($folder) = @_;
	my @files;
	File::Find::find({ no_chdir => 1, wanted => sub { push @files, substr $_, length "$folder/" if -f $_ } }, $folder);
	return @files;
}

# The clock has been set back: what is written now would seem older than it is.
my $now = time;
if (grep { (stat "$to/$_")[9] > $now + 1 } files_below($to))
{
	remove_tree($to, { keep_root => 1 });
	unlink $list;
}

my %before = map { $_ => 1 } split /\n/, slurp($list) // '';
my @files = files_below($from);
my %now = map { $_ => 1 } @files;

sub write_list
{
	open my $out, '>', "$list.new" or die "$list: $!";
	print $out map { "$_\n" } sort @_;
	close $out or die "$list: $!";
	rename "$list.new", $list or die "$list: $!";
	return;
}

# first, so that nothing of ours is taken for make's if we do not get to the end
write_list(keys %{ { %before, %now } });

my $headers = 0;
for my $file (sort keys %before)
{
	next if $now{$file} || !-e "$to/$file";
	unlink "$to/$file" or die "$to/$file: $!";
	$headers++ if $file =~ /\.h\z/;
}
for my $file (sort @files)
{
	my ($old, $new) = (slurp("$to/$file"), slurp("$from/$file"));
	die "$from/$file: $!" unless defined $new;
	$headers++ if !defined $old && $file =~ /\.h\z/;
	if (!defined $old || $old ne $new)
	{
		make_path(dirname("$to/$file"));
		unlink "$to/$file";
		open my $fh, '>:raw', "$to/$file" or die "$to/$file: $!";
		print $fh $new;
		close $fh or die "$to/$file: $!";
	}
	chmod +(stat "$from/$file")[2] & 0777, "$to/$file" or die "$to/$file: $!";
}

# another header may be found by the same name now: everything is made again
if ($headers)
{
	my $later = time;
	for my $makefile ('Makefile', 'test/unit/Makefile')
	{
		utime $later, $later, "$to/$makefile" if -e "$to/$makefile";
	}
}
write_list(@files);
