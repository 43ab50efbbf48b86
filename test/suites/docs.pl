# The pages of docs/ against the server: every function with its signature and
# privilege, every view with its columns, every setting with its default and
# range; every object has a comment; every link leads somewhere.
use strict;
use warnings;
use utf8;
use Encode qw(decode_utf8);
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

sub page { return decode_utf8(slurp_file($_[0])) }

my $node = PostgreSQL::Test::Cluster->new('docs');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'sslpolicy'");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION sslpolicy');

sub rows { return map { [ split /\|/, $_, -1 ] } split /\n/, decode_utf8($node->safe_psql('postgres', $_[0])) }

my $reference = page('docs/reference.md');
my $settings = page('docs/settings.md');

# Functions: the signature stands in a block of its own, its privilege and its
# columns in what follows, up to the next heading.
sub signature
{
	my ($name, $arguments) = @_;
	$arguments =~ s/,? ?\bOUT .*//s;
	$arguments =~ s/timestamp with time zone/timestamptz/g;
	$arguments =~ s/::\w+//g;
	$arguments =~ s/'00:00:0?(\d+)'/'$1s'/;
	return "$name($arguments)";
}

my $flat = $reference =~ s/\s+/ /gr;
for my $row (rows(<<'SQL'))
SELECT proname, pg_get_function_arguments(oid),
       array_to_string(proargnames[1 + pronargs:], ','),
       CASE WHEN has_function_privilege('public', oid, 'EXECUTE') THEN 'everybody'
            WHEN has_function_privilege('pg_monitor', oid, 'EXECUTE') THEN 'monitor'
            ELSE 'granted' END
  FROM pg_proc WHERE pronamespace = 'sslpolicy'::regnamespace AND proname !~ '^get_'
 ORDER BY 1, 2
SQL
{
	my ($name, $arguments, $columns, $privilege) = @$row;
	# whoever it is granted to, it refuses all others
	$privilege = 'superuser' if $name eq 'set_ca';
	my $signature = signature($name, $arguments);
	my $at = index $flat, "$signature →";
	ok($at >= 0, "function $signature") or next;
	my $behind = substr $flat, $at;
	$behind =~ s/ ## .*//s;
	my @missing = grep { $behind !~ /`\Q$_\E`/ } split /,/, $columns;
	is("@missing", '', "$name: columns") unless $name eq 'connection';    # as the view
	like($behind, qr/^[^*]*\*\Q$privilege\E\*/i, "$name: $privilege")
	  unless $arguments =~ /^(?:OUT|$)/ && $name =~ /effective_policy|client_settings|client_bundle/;
}

# Views
for my $row (rows(<<'SQL'))
SELECT c.relname, a.attname, replace(format_type(a.atttypid, NULL), 'timestamp with time zone', 'timestamptz'),
       CASE WHEN has_table_privilege('public', c.oid, 'SELECT') THEN 'everybody'
            WHEN has_table_privilege('pg_monitor', c.oid, 'SELECT') THEN 'monitor' END,
       a.attnum = 1
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
 WHERE c.relnamespace = 'sslpolicy'::regnamespace AND c.relkind = 'v' ORDER BY 1, a.attnum
SQL
{
	my ($view, $column, $type, $privilege, $first) = @$row;
	my ($chapter) = $reference =~ /^### sslpolicy\.\Q$view\E\n(.*?)(?=^##|\z)/ms;
	ok($chapter, "view $view") or next;
	like($chapter, qr/\*$privilege\*/i, "$view: $privilege") if $first eq 't';
	like($chapter, qr/^\| [^|]*`\Q$column\E`[^|]* \| [^|]*(?:\Q$type\E|…)/m, "$view.$column, $type");
}

# Settings
my %unit = (kB => 'kB', s => 'seconds');
for my $row (rows(<<'SQL'))
SELECT name, boot_val, vartype, coalesce(unit, ''), coalesce(min_val, ''), coalesce(max_val, ''), context,
       array_to_string(ARRAY(SELECT unnest(enumvals) ORDER BY 1), ' ')
  FROM pg_settings WHERE name LIKE 'sslpolicy.%' ORDER BY 1
SQL
{
	my ($name, $default, $type, $unit, $min, $max, $context, $values) = @$row;
	my ($says, $has, $when) = $settings =~ /^\| `\Q$name\E` \| ([^|]*) \| ([^|]*) \| ([^|]*) \|/m;
	ok(defined $says, "setting $name") or next;
	like($says, qr/^(?:$type|boolean)\b/, "$name: type") if $type ne 'bool';
	like($says, qr/^boolean$/, "$name: type") if $type eq 'bool';
	like($has, $default eq '' ? qr/^empty\b/ : qr/^`\Q$default\E`$/, "$name: default");
	is($when, { sighup => 'reload', postmaster => 'restart' }->{$context}, "$name: takes effect");
	like($says, qr/\b$min to $max$/, "$name: range") if $type eq 'integer';
	like($says, qr/\b$unit{$unit}\b/, "$name: unit") if $unit;
	is(join(' ', sort $says =~ /`(\w+)`/g), $values, "$name: values") if $type eq 'enum';
}
# What the pages name is there
my %there = map { $_->[0] => 1 } rows(<<'SQL');
SELECT name FROM pg_settings WHERE name LIKE 'sslpolicy.%'
UNION ALL SELECT relname FROM pg_class WHERE relnamespace = 'sslpolicy'::regnamespace
UNION ALL SELECT proname || '()' FROM pg_proc WHERE pronamespace = 'sslpolicy'::regnamespace
SQL
my @named = ($settings =~ /^\| `(sslpolicy\.\w+)`/mg, $reference =~ /^### sslpolicy\.(\w+)/mg,
	map { "$_()" } $reference =~ /^(\w+)\(/mg);
is(join(' ', grep { !$there{$_} } @named), '', 'everything that is named is there');

# Comments
is($node->safe_psql('postgres', <<'SQL'), '', 'everything has a comment');
SELECT oid::regprocedure::text FROM pg_proc
 WHERE pronamespace = 'sslpolicy'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL
UNION ALL
SELECT oid::regclass::text FROM pg_class
 WHERE relnamespace = 'sslpolicy'::regnamespace AND obj_description(oid, 'pg_class') IS NULL
UNION ALL
SELECT attrelid::regclass || '.' || attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
 WHERE relnamespace = 'sslpolicy'::regnamespace AND attnum > 0 AND col_description(attrelid, attnum) IS NULL
UNION ALL
SELECT name FROM pg_settings WHERE name LIKE 'sslpolicy.%' AND (short_desc = '' OR extra_desc = '')
SQL
for my $command ('\dx+ sslpolicy', '\df+ sslpolicy.*', '\d+ sslpolicy.*')
{
	my (undef, $out, $err) = $node->psql('postgres', $command);
	like($out, qr/sslpolicy/, "psql $command");
	is($err, '', "psql $command without an error");
}
$node->stop;

# Links, and the length of pages
sub anchors
{
	my ($text) = @_;
	$text =~ s/^```.*?^```//gms;
	return map { lc($_) =~ s/[^\w\- ]//gr =~ s/ /-/gr } $text =~ /^#+ (.*?) *$/mg;
}

for my $file ('README.md', 'CHANGELOG.md', glob('docs/*.md docs/how-to/*.md'))
{
	my $text = page($file);
	cmp_ok(($text =~ tr/\n//), '<', 800, "$file has less than 800 lines");
	my $prose = $text =~ s/^```.*?^```//gmsr =~ s/`[^`\n]*`//gr;
	for my $link ($prose =~ /\]\(([^)\s]+)\)/g)
	{
		next if $link =~ /^https?:/;
		my ($path, $anchor) = $link =~ /^([^#]*)#?(.*)/;
		my $target = $path eq '' ? $file : dirname($file) . "/$path";
		ok(-e $target, "$file links to $link") or next;
		ok((grep { $_ eq $anchor } anchors(page($target))), "$file links to $link: heading") if $anchor ne '';
	}
}
# Every code of lint() is explained, and no other
my %codes = map { $_ => 1 } map {
	my $source = page($_);
	map { /"(\w+_\w+)"/g } $source =~ /(?:add_finding(?:_about)?|find_ciphers)\(.*?,((?:\s*(?:\w+\(\)|[^,;]*?SEVERITY[^,;]*|\w+),)?(?:[^,;]*?"\w+_\w+")+)/gs
} glob('src/lint/*.c');
my $lint = page('docs/lint.md');
is(join("\n", sort map { /`(\w+)`/g } $lint =~ /^\| (`[^|]*) \|/mg), join("\n", sort keys %codes), 'codes of lint()');

# Every file of the source is in a room that the table of rooms has; make lint holds
# the rest of the table against the sources
my $development = page('docs/development.md');
for my $file (glob('src/*/*.c'))
{
	my ($room, $name) = $file =~ m{([^/]+)/([^/]+)$};
	like($development, qr/^\| `\Q$room\E\/` \|/m, "the room of $name is in docs/development.md");
}
for my $name ($development =~ /\b(\w+(?:\/\w+)*\.[ch])\b/g)
{
	ok((grep { -e } $name, "src/$name", glob("src/*/$name")), "$name is there");
}

my $index = page('docs/how-to/README.md');
for my $file (glob 'docs/how-to/*.md')
{
	my ($name) = $file =~ m{([^/]+)$};
	like($index, qr/\(\Q$name\E\)/, "$name is in the index of how-to pages") if $name ne 'README.md';
}
done_testing();
