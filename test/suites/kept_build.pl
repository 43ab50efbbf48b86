# The folder in which make test builds is kept between runs, and follows the
# sources by their content (test/lib/mirror.pl): what make has made of something
# else is never taken for made. Needs no server.
use strict;
use warnings;
use File::Path qw(make_path);
use File::Temp;
use Test::More;

my $base = File::Temp->newdir;
my ($from, $kept) = ("$base/sources", "$base/kept");
my $to = "$kept/src";
make_path("$from/src", $to);

sub put
{
	my ($file, $text, $age) = @_;
	open my $fh, '>', $file or die "$file: $!";
	print $fh $text;
	close $fh or die "$file: $!";
	utime time - $age, time - $age, $file if defined $age;
	return;
}

sub age { my ($file) = @_; return time - (stat "$to/$file")[9] }

sub text
{
	open my $fh, '<', "$to/$_[0]" or return;
	return scalar <$fh>;
}

# all there is becomes an hour old, as if built then
sub mirror
{
	system($^X, 'test/lib/mirror.pl', $from, $to) == 0 or die 'mirror.pl';
	return;
}
sub an_hour_later { utime time - 3600, time - 3600, glob("$to/* $to/*/*"); return }

put("$from/Makefile", 'all:');
put("$from/src/a.c", 'one');
put("$from/src/a.h", 'header');
mirror();
is(text('src/a.c'), 'one', 'a new file is copied');
put("$to/src/a.o", 'object');
put("$to/src/a.d", 'a.o: a.c a.h');
an_hour_later();

put("$from/src/a.c", 'one');
mirror();
cmp_ok(age('src/a.c'), '>', 3000, 'written again with the same content: nothing to make');
cmp_ok(age('Makefile'), '>', 3000, 'nor of the others');
is(text('src/a.o'), 'object', 'what was made stays');

put("$from/src/a.c", 'two', 1_000_000);
mirror();
is(text('src/a.c'), 'two', 'other content is copied');
cmp_ok(age('src/a.c'), '<', 60, 'and is newer than what was made, whatever its own time says');
cmp_ok(age('Makefile'), '>', 3000, 'the others are not');
an_hour_later();

unlink "$from/src/a.c";
mirror();
ok(!-e "$to/src/a.c", 'a file that is gone goes');
is(text('src/a.o'), 'object', 'what was made is not ours to remove');

put("$from/src/b.h", 'header', 1_000_000);
mirror();
cmp_ok(age('Makefile'), '<', 60, 'with a new header all is made again: it may hide another');
an_hour_later();
unlink "$from/src/b.h";
mirror();
cmp_ok(age('Makefile'), '<', 60, 'and when one is gone');

put("$from/tool", 'x');
chmod 0755, "$from/tool";
mirror();
ok(-x "$to/tool", 'what can be executed still can');

put("$to/src/a.o", 'object', -3600);
mirror();
ok(!-e "$to/src/a.o", 'where the clock has been set back, all is made again');
is(text('src/a.h'), 'header', 'from all files');
done_testing();
