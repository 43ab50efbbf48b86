# Policies in dumps, and what happens to them beside databases and extensions.
#
# 1. pg_dumpall from one server restored into a new one, preloaded: the
#    policies of roles and databases are the same to the byte, hostile names
#    and texts included, and are enforced there; what was granted on the
#    functions is too; labels of the databases postgres and template1, whose
#    properties core leaves out otherwise, come with --clean
# 2. the same dump restored into a server without the library: core says that
#    the provider is not loaded, and everything else arrives
# 3. pg_dump and pg_restore of one database with the extension, plain and
#    custom; the label of the database comes with --create, and only then
# 4. CREATE DATABASE ... TEMPLATE does not copy the label
# 5. DROP EXTENSION and CREATE EXTENSION leave policies in place and in force
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Server;

my $source = SSLPolicy::Server->new('source');
my $target = SSLPolicy::Server->new('target');
my $without = SSLPolicy::Server->new('without', preload => '');
$_->start for $source, $target, $without;
my $folder = PostgreSQL::Test::Utils::tempdir('dump');

# Every label as it is stored, and as the extension reads it.
my $stored = <<'SQL';
SELECT objtype, objname, label FROM pg_seclabels WHERE provider = 'sslpolicy' ORDER BY objtype COLLATE "C", objname COLLATE "C"
SQL
my $read = <<'SQL';
SELECT * FROM sslpolicy.policies ORDER BY object_type COLLATE "C", object_name COLLATE "C", rule
SQL

# Run a command of PostgreSQL on a server, which must work; returns stderr.
sub run_tool
{
	my ($server, @command) = @_;
	my ($out, $err);
	ok(IPC::Run::run([ @command, '-h', $server->node->host, '-p', $server->node->port ],
			'>', \$out, '2>', \$err), "$command[0] ran")
	  or diag($err);
	return $err;
}

# Restore a script into a server, whatever errors there are; returns them.
sub restore
{
	my ($server, $file, $db) = @_;
	my $err = run_tool($server, 'psql', '-Xq', '-d', $db // 'postgres', '-f', $file, '-o', "$file.out");
	return join "\n", $err =~ /(ERROR: .*)/g;
}

# What becomes of a plain text login: "in", or the requirements not met.
sub plain
{
	my ($server, $user, $db) = @_;
	my $result = $server->login(user => $user, db => $db // 'postgres', sslmode => 'disable');
	return $result->{ok} ? 'in' : $result->{failed} || $result->{err};
}

my %role = (
	app => 'sslmode=require',
	q{it's} => q{cn='it\'s' dn='CN=it\'s\\\\, \\\\"quoted\\\\",O=back\\\\\\\\slash'},
	q{back\slash} => q{cn='back\\\\slash' san='uri:a\\\\b'},
	q{"quoted"} => q{cn='"quoted"' cn='two words' cn='semi;colon' cn='a=b' cn='%u%%'},
	q{$$dollar$$} => q{cn='$$dollar$$' cn='$_$'},
	$source->node->pg_version->major < 19 ? "line\nbreak" : 'line break' => "address=127.0.0.1\n\tsslmode=require;\r\nsslmode=verify-full  on_expiry=end",
	"caf\xc3\xa9" => "cn='caf\xc3\xa9' dn='CN=\xe6\x97\xa5\xe6\x9c\xac'",
	q{; DROP ROLE app; --} => q{cn='\'; DROP ROLE app; --' action=log; sslmode=require},
	regex => q{database='a\'b' cn='/^a{2}(\\\\\\\\|\\\\.)+x$'; fingerprint=} . 'ab' x 32 . ' max_lifetime=36h',
	long => 'sslmode=verify-full cn=' . 'x' x 1777,
	grp => 'min_protocol=TLSv1.3');
my %database = (
	db1 => 'sslmode=require',
	q{d'b "2" \\} => q{issuer='O=it\'s,CN=back\\\\\\\\slash \\\\"x\\\\"' ca_fingerprint=} . 'cd' x 32);

sub ident { return '"' . ($_[0] =~ s/"/""/gr) . '"' }
$source->sql(join '', map { "CREATE ROLE " . ident($_) . ($_ eq 'grp' ? '' : ' LOGIN') . ";\n" } sort keys %role);
$source->sql('CREATE DATABASE ' . ident($_)) for sort keys %database;
$source->sql(<<'SQL');
CREATE EXTENSION sslpolicy;
CREATE ROLE member LOGIN; GRANT grp TO member;
CREATE ROLE dba LOGIN;
GRANT EXECUTE ON FUNCTION sslpolicy.set_policy TO dba;
SQL
$source->sql('CREATE EXTENSION sslpolicy; CREATE TABLE data AS SELECT 42 AS answer', 'db1');
$source->label(role => \%role, database => \%database);
my $labels = $source->sql($stored);
my $policies = $source->sql($read);
my $count = keys(%role) + keys %database;
is($source->sql('SELECT count(*) FROM pg_shseclabel'), $count, 'the source has every label');
unlike($policies, qr/must not|cannot|unknown/, 'and can read them');
for my $name (sort keys %role)
{
	is($source->sql("SELECT label FROM pg_seclabels WHERE objtype = 'role' AND objname = quote_ident(" . $source->literal($name) . ')'),
		$role{$name}, 'stored as written: ' . $name =~ s/\n/ /r);
}

# 1
# initdb names the superuser after the account that runs the test
my $superuser = $source->sql('SELECT current_user');
run_tool($source, 'pg_dumpall', '-f', "$folder/all.sql");
is(restore($target, "$folder/all.sql"), qq{ERROR:  role "$superuser" already exists},
	'pg_dumpall restores into a preloaded server');
is($target->sql($stored), $labels, 'labels are the same to the byte');
is($target->sql($read), $policies, 'sslpolicy.policies is the same');
is(plain($target, 'app'), 'sslmode', 'restored: the label of a role is enforced');
is(plain($target, 'member', 'db1'), 'sslmode min_protocol', 'restored: of a group and a database too');
is(plain($target, 'dba'), 'in', 'restored: who had none has none');
is( $target->login(
		user => 'dba',
		sslmode => 'require',
		sql => "SELECT has_function_privilege('sslpolicy.set_policy(regrole, text, boolean)', 'EXECUTE'), has_function_privilege('sslpolicy.set_database_policy(name, text, boolean)', 'EXECUTE')"
	)->{out},
	't|f', 'restored: who may call set_policy');
run_tool($target, 'pg_dumpall', '-f', "$folder/again.sql");
is_deeply([ sort grep { /SECURITY LABEL/ } split /\n/, slurp_file("$folder/again.sql") ],
	[ sort grep { /SECURITY LABEL/ } split /\n/, slurp_file("$folder/all.sql") ],
	'a dump of the restored server has the same statements');
$target->label(database => { postgres => 'sslmode=prefer', template1 => 'sslmode=reject' });
for my $clean ([], ['--clean'])
{
	run_tool($target, 'pg_dumpall', @$clean, '-f', "$folder/clean.sql");
	my @found = slurp_file("$folder/clean.sql") =~ /^SECURITY LABEL .* ON DATABASE (postgres|template1) IS/mg;
	is("@found", @$clean ? 'template1 postgres' : '',
		"labels of postgres and template1 in pg_dumpall @$clean");
}
$target->label(database => { postgres => undef, template1 => undef });

# 2
my @errors = split /\n/, restore($without, "$folder/all.sql");
is_deeply([ grep { !/role "\Q$superuser\E" already exists/ } @errors ],
	[ ('ERROR:  security label provider "sslpolicy" is not loaded') x $count ],
	'without the library each label is an error of core, and nothing else is');
is($without->sql('SELECT answer FROM data', 'db1'), 42, 'the data is there');
is($without->sql("SELECT count(*) FROM pg_roles WHERE rolname IN ('app', 'member', 'dba')"), 3, 'the roles are');
is($without->sql("SELECT extname FROM pg_extension WHERE extname = 'sslpolicy'"), 'sslpolicy', 'the extension is');
is($without->sql('SELECT count(*) FROM pg_shseclabel'), 0, 'no label is');
is(plain($without, 'app', 'db1'), 'in', 'and logins work');
$without->node->append_conf('postgresql.conf', "shared_preload_libraries = 'sslpolicy'");
$without->restart;
restore($without, "$folder/all.sql");
is($without->sql($stored), $labels, 'preloaded, the same dump brings the labels');
is(plain($without, 'app'), 'sslmode', 'and they are enforced');

# 3
for my $format (qw(plain custom))
{
	my $file = "$folder/db1.$format";
	run_tool($source, 'pg_dump', '-F', $format, '-f', $file, 'db1');
	$target->sql("CREATE DATABASE from_$format");
	my $err = $format eq 'plain' ? restore($target, $file, "from_$format")
	  : run_tool($target, 'pg_restore', '-d', "from_$format", $file);
	is($err, '', "$format: pg_dump of a database with the extension restores without an error");
	is($target->sql('SELECT count(*) > 0 FROM sslpolicy.policies', "from_$format"), 't',
		"$format: the views work there");
	is($target->sql("SELECT answer FROM data", "from_$format"), 42, "$format: the data is there");
	is(plain($target, 'dba', "from_$format"), 'in', "$format: the label of the database was not in the dump");
}
$target->sql('DROP DATABASE db1');
run_tool($source, 'pg_dump', '--create', '-f', "$folder/create.sql", 'db1');
is(restore($target, "$folder/create.sql"), '', 'pg_dump --create restores without an error');
is(plain($target, 'dba', 'db1'), 'sslmode', 'with --create the label of the database was in the dump');

# 4
$source->sql('CREATE DATABASE copy TEMPLATE db1');
is($source->sql("SELECT count(*) FROM sslpolicy.policies WHERE object_name = 'copy'", 'copy'), 0,
	'CREATE DATABASE ... TEMPLATE copies the extension, and not the label');
is(plain($source, 'dba', 'copy'), 'in', 'the copy has no policy');
is(plain($source, 'dba', 'db1'), 'sslmode', 'the original has');

# 5
$source->sql('DROP EXTENSION sslpolicy');
is($source->sql($stored), $labels, 'DROP EXTENSION leaves the labels');
is(plain($source, 'app'), 'sslmode', 'and they are in force');
$source->label(role => { dba => 'sslmode=reject' });
is(plain($source, 'dba'), 'sslmode', 'without the extension labels can be set');
$source->label(role => { dba => undef });
is(plain($source, 'dba'), 'in', 'and removed');
$source->sql('CREATE EXTENSION sslpolicy');
is($source->sql($read), $policies, 'CREATE EXTENSION shows them again');
is(plain($source, 'app'), 'sslmode', 'and they are still in force');
$source->sql('DROP SCHEMA sslpolicy CASCADE; CREATE SCHEMA sslpolicy; CREATE EXTENSION sslpolicy');
is($source->sql($read), $policies, 'the extension can be created in a schema that is there');

$_->stop for $source, $target, $without;
done_testing();
