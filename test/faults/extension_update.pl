# ALTER EXTENSION sslpolicy UPDATE, from every version that was ever released to
# the one at hand, and from that to the next.
#
# 1. each version that CHANGELOG.md lists below the present one has its install
#    script in released/ and a path to the present one; at the end of it the SQL
#    objects are those of a fresh CREATE EXTENSION, in everything that the catalogs
#    say of them. So whoever raises the version must bring both, or this fails
# 2. the next version does not exist yet: one is made up, built and installed
#    beside the present one. Policies bind before, between and after the restart and
#    the update; version() says what fits; grants and what depends on the extension
#    stay; the objects are those of a fresh CREATE EXTENSION
# 3. the comparison can fail: scripts that forget something are found out
use strict;
use warnings;
use File::Basename qw(basename);
use File::Copy qw(copy);
use File::Path qw(make_path);
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Server;

my $source = $ENV{FAULTS_SOURCE} or die 'run this by test/faults/run.sh';
my $root = $ENV{FAULTS_ROOT};
chomp(my $share = `$ENV{PG_CONFIG} --sharedir`);
my ($present) = slurp_file("$source/sslpolicy.control") =~ /^default_version *= *'(.*)'/m;
my $next = '999.0.0';
my $own = PostgreSQL::Test::Utils::tempdir('versions');

# Everything that the catalogs say of the extension's objects, a line each.
my $objects = <<'SQL';
WITH members AS (
    SELECT classid, objid, pg_describe_object(classid, objid, 0) AS name
      FROM pg_depend WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass
       AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'sslpolicy'))
SELECT name, 'comment', coalesce(obj_description(objid, classid::regclass::name), '') FROM members
UNION ALL
SELECT name, 'initial privileges', objsubid || ' ' || privtype::text || ' ' || initprivs::text
  FROM members m JOIN pg_init_privs i ON i.classoid = m.classid AND i.objoid = m.objid
UNION ALL
SELECT name, 'function', pg_get_functiondef(p.oid) || coalesce(p.proacl::text, 'default') || p.procost || ' ' || p.prorows
  FROM members m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
UNION ALL
SELECT name, 'relation', c.relkind::text || coalesce(c.relacl::text, 'default') || coalesce(c.reloptions::text, '') || coalesce(pg_get_viewdef(c.oid), '')
  FROM members m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
UNION ALL
SELECT name, 'column', concat_ws(' ', a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attacl::text, col_description(a.attrelid, a.attnum))
  FROM members m JOIN pg_attribute a ON m.classid = 'pg_class'::regclass AND a.attrelid = m.objid AND a.attnum > 0 AND NOT attisdropped
UNION ALL
SELECT name, 'schema', coalesce(n.nspacl::text, 'default')
  FROM members m JOIN pg_namespace n ON m.classid = 'pg_namespace'::regclass AND n.oid = m.objid
UNION ALL
SELECT extname, 'extension', concat_ws(' ', extversion, extnamespace::regnamespace, extrelocatable, extconfig::text)
  FROM pg_extension WHERE extname = 'sslpolicy'
ORDER BY 1, 2, 3
SQL

sub spew
{
	my ($file, $text) = @_;
	open my $fh, '>', $file or die "$file: $!";
	print $fh $text;
	close $fh or die "$file: $!";
	return;
}

sub replace_in
{
	my ($file, $pattern, $with) = @_;
	my $text = slurp_file($file);
	$text =~ s/$pattern/$with->($1)/e or die "$file has no $pattern";
	spew($file, $text);
	return;
}

# Build a copy of the source tree that was changed, and install it into a root of
# its own.
sub build
{
	my ($tree, $to) = @_;
	# the version is compiled in, and make does not know where
	unlink "$tree/sslpolicy.so", map { s/\.c$/.o/r } grep { slurp_file($_) =~ /SSLPOLICY_VERSION/ } glob "$tree/src/*.c $tree/src/*/*.c";
	system("make -s -C $tree PG_CONFIG=$ENV{PG_CONFIG} with_llvm=no all >$own/build.log 2>&1 &&"
		  . " make -s -C $tree PG_CONFIG=$ENV{PG_CONFIG} with_llvm=no DESTDIR=$to install >>$own/build.log 2>&1") == 0
	  or die slurp_file("$own/build.log");
	return;
}

# Settings by which a server finds an installation in another root.
sub conf_for
{
	my ($other) = @_;
	return slurp_file($ENV{TEMP_CONFIG}) =~ s/\Q$root\E/$other/gr;
}

my $databases = 0;

sub fresh_database
{
	my ($server) = @_;
	my $name = 'db' . ++$databases;
	$server->sql("CREATE DATABASE $name");
	return $name;
}

# The objects after CREATE EXTENSION of a version, and an update to another one.
sub objects_of
{
	my ($server, $version, $to) = @_;
	my $db = fresh_database($server);
	$server->sql("CREATE EXTENSION sslpolicy VERSION '$version'", $db);
	$server->sql("ALTER EXTENSION sslpolicy UPDATE TO '$to'", $db) if $to;
	return $server->sql($objects, $db);
}

# 1
my ($current, @released) = slurp_file("$source/CHANGELOG.md") =~ /^## (\d\S*)/mg;
is($current, $present, 'CHANGELOG.md begins with the present version');
my $released = "$own/released";
make_path($released);
system("cp -a $root $released/root") == 0 or die;
copy($_, "$released/root$share/extension/") or die for glob "$source/test/faults/released/*.sql";
my $server = SSLPolicy::Server->new('versions', conf => conf_for("$released/root"));
$server->start;
my $expected = objects_of($server, $present);
cmp_ok(scalar(() = $expected =~ /^function /mg), '>', 20, 'what a fresh CREATE EXTENSION makes');
for my $version (@released)
{
	ok(-e "$source/test/faults/released/sslpolicy--$version.sql", "$version: its install script is in released/") or next;
	like($server->sql("SELECT path FROM pg_extension_update_paths('sslpolicy') WHERE source = '$version' AND target = '$present'"),
		qr/^\Q$version\E--/, "$version: there is a path to $present") or next;
	is(objects_of($server, $version, $present), $expected, "$version: updated, all objects are those of $present");
}
note('no version before ' . $present . ' was released') unless @released;
$server->stop;

# 2
my $tree = "$own/next";
system("cp -a $source $tree") == 0 or die;
replace_in("$tree/sslpolicy.control", qr/\Q'$present'\E/, sub { "'$next'" });
replace_in("$tree/Makefile", qr/^(SCRIPT_PIECES = .*)$/m, sub { "$_[0] next" });
replace_in("$tree/extension/about.sql", qr/(COMMENT ON FUNCTION check_all\(\) IS\n').*?'/s, sub { "$_[0]another comment'" });
my $added = <<'SQL';
CREATE FUNCTION added(text) RETURNS text LANGUAGE sql STABLE RETURN $1;
REVOKE ALL ON FUNCTION added(text) FROM PUBLIC;
COMMENT ON FUNCTION added(text) IS 'new';
CREATE VIEW added AS SELECT added('x') AS x, 1 AS y;
GRANT SELECT ON added TO pg_monitor;
COMMENT ON COLUMN added.x IS 'what is new';
SQL
spew("$tree/extension/next.sql", $added);
my $update = "COMMENT ON FUNCTION check_all() IS 'another comment';\n" . ($added =~ s/\b(FUNCTION|VIEW|ON) added/$1 \@extschema\@.added/gr =~ s/SELECT added/SELECT \@extschema\@.added/r);
$update =~ s/FUNCTION check_all/FUNCTION \@extschema\@.check_all/;
spew("$tree/sslpolicy--$present--$next.sql", $update);

# 3: what a script can forget, or do otherwise
my %forgetful = (
	'a comment' => sub { s/COMMENT ON FUNCTION \S+check_all.*\n// },
	'a REVOKE' => sub { s/REVOKE.*\n// },
	'a GRANT' => sub { s/GRANT.*\n// },
	'a comment of a column' => sub { s/COMMENT ON COLUMN.*\n// },
	'a view' => sub { s/CREATE VIEW.*\n(?:.*\n){2}// },
	'another volatility' => sub { s/STABLE/IMMUTABLE/ },
	'columns in another order' => sub { s/(\S+\('x'\) AS x), 1 AS y/1 AS y, $1/ },
	'something too much' => sub { $_ .= "CREATE TYPE \@extschema\@.leftover AS ENUM ();\n" });
my %version_of;
for my $what (sort keys %forgetful)
{
	my $version = $version_of{$what} = '999.0.' . (1 + keys %version_of);
	local $_ = $update;
	$forgetful{$what}->() or die "$what: nothing to forget";
	spew("$tree/sslpolicy--$present--$version.sql", $_);
}
build($tree, "$own/root");
# what CREATE EXTENSION of a forgetful version would make is what the next one makes
my $extensions = "$own/root$share/extension";
copy("$root$share/extension/sslpolicy--$present.sql", $extensions) or die;

$server = SSLPolicy::Server->new('update');
$server->start;
$server->sql(<<'SQL');
CREATE EXTENSION sslpolicy;
CREATE ROLE app LOGIN; CREATE ROLE dba LOGIN; CREATE ROLE viewer LOGIN;
GRANT EXECUTE ON FUNCTION sslpolicy.set_policy TO dba;
CREATE VIEW mine AS SELECT pid, ssl FROM sslpolicy.sessions;
GRANT SELECT ON mine TO viewer;
SQL
$server->label(role => { app => 'sslmode=require' }, database => { template1 => 'sslmode=reject' });
my %plain = (sslmode => 'disable', extra => 'gssencmode=disable');

sub enforces
{
	my ($when) = @_;
	is($server->login(%plain)->{failed}, 'sslmode', "$when: a policy refuses");
	ok($server->login(sslmode => 'require')->{ok}, "$when: and lets in");
	ok($server->login(user => 'viewer', %plain, sql => 'SELECT count(*) FROM mine')->{ok}, "$when: what depends on the extension works");
	is($server->sql("SELECT has_function_privilege('dba', 'sslpolicy.set_policy(regrole, text, boolean)', 'EXECUTE')"), 't', "$when: what was granted is");
	return;
}

sub note_of { return $server->sql("SELECT value, note FROM sslpolicy.version() WHERE item = '$_[0]'") }

enforces('before');
like(note_of('SQL objects'), qr/^\Q$present\E\|they fit/, 'before: they fit');
my $kept = $server->sql($objects) =~ s/^sslpolicy\|extension\|.*\n?//mr;
$server->node->append_conf('postgresql.conf', conf_for("$own/root"));
$server->restart;
like(note_of('library'), qr/^\Q$next\E\|/, 'restarted: the library is the next one');
like(note_of('SQL objects'), qr/^\Q$present\E\|another version than this library: run ALTER EXTENSION/, 'restarted: the objects are not, and version() says what to do');
enforces('restarted, not updated');
is($server->sql('SELECT count(*) FROM sslpolicy.check_all() WHERE error IS NOT NULL'), 0, 'restarted: check_all() reads every policy');
$server->sql('ALTER EXTENSION sslpolicy UPDATE');
enforces('updated');
like(note_of('SQL objects'), qr/^\Q$next\E\|they fit/, 'updated: they fit');
is($server->sql("SELECT sslpolicy.added('works')"), 'works', 'updated: what is new works');
$server->sql(q{SELECT sslpolicy.set_policy('app', 'sslmode=reject')});
is($server->login(sslmode => 'require')->{failed}, 'sslmode', 'updated: a policy can be changed');
like(($server->node->psql('postgres', 'ALTER EXTENSION sslpolicy UPDATE'))[2], qr/already installed/, 'once more is no error');

my $fresh = objects_of($server, $next);
is(objects_of($server, $present, $next), $fresh, 'updated, all objects are those of a fresh CREATE EXTENSION');
isnt($fresh, $kept, 'which are others than before');

# 3
for my $what (sort keys %forgetful)
{
	my $found = objects_of($server, $present, $version_of{$what}) =~ s/\Q$version_of{$what}\E/$next/gr;
	isnt($found, $fresh, "a script with $what missing or different is found out");
}
unlike(slurp_file($server->node->logfile), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$server->stop;
done_testing();
