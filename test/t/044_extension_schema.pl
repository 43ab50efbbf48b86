# The extension's own schema: that nobody gets into it beforehand or by default
# privileges, and that lint() sees whoever does so afterwards.
#
# 1. CREATE EXTENSION refuses a schema that holds anything, in which others than its
#    owner may create, or whose owner is no superuser; an empty one it takes
# 2. whatever ALTER DEFAULT PRIVILEGES says, and whoever had rights in the schema: the
#    rights are those of a database without any of that
# 3. what the DBA grants is dumped and restored, and nothing else is
# 4. lint(): each finding, what it says, and that its remedy removes it
# 5. whoever lost SUPERUSER and owns the extension
# 6. a member of pg_monitor sees all of it; other extensions' objects do not matter
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('schema');
my $node = $server->node;
$server->start;
my $boss = $server->sql('SELECT current_user');
# names that SQL, or a format string, could take for something else
my @names = ('mallory', 'weird"Role', 'current_user', 'PUBLIC', q{it's; DROP ROLE app --}, '%I%s', 'pg"; GRANT');
sub ident { return '"' . ($_[0] =~ s/"/""/gr) . '"' }
$server->sql(join '', 'CREATE ROLE app LOGIN; CREATE ROLE eve LOGIN; CREATE ROLE dba2 SUPERUSER LOGIN; CREATE ROLE monitor LOGIN; GRANT pg_monitor TO monitor;',
	map { 'CREATE ROLE ' . ident($_) . ' LOGIN;' } @names);
my $all_names = join ', ', map { ident($_) } @names;

my $databases = 0;
sub database
{
	my $name = 'db' . ++$databases;
	$server->sql("CREATE DATABASE $name");
	return $name;
}

# SQL as a superuser: the error, or nothing
sub error_of
{
	my ($db, $sql, $user) = @_;
	my ($status, $out, $err) = $node->psql($db, $sql, $user ? (extra_params => [ '-U', $user ]) : ());
	return $status ? $err : '';
}

my $evil = q{CREATE FUNCTION sslpolicy.set_policy(text, text) RETURNS text LANGUAGE sql AS 'SELECT ''hijacked as '' || current_user'};

###############################################################################
# 1

my @refused = (
	[ 'a function', $evil, qr/is not empty.*It holds function sslpolicy\.set_policy\(pg_catalog\.text,pg_catalog\.text\)\./s ],
	[ 'a procedure', q{CREATE PROCEDURE sslpolicy.reload() LANGUAGE sql AS ''}, qr/is not empty/ ],
	[ 'a table', 'CREATE TABLE sslpolicy.policies ()', qr/It holds table sslpolicy\.policies\./ ],
	[ 'a view', 'CREATE VIEW sslpolicy.sessions AS SELECT 1 AS pid', qr/is not empty/ ],
	[ 'a sequence', 'CREATE SEQUENCE sslpolicy.s', qr/is not empty/ ],
	[ 'a type', 'CREATE TYPE sslpolicy.regrole AS ENUM ()', qr/is not empty/ ],
	[ 'a domain', 'CREATE DOMAIN sslpolicy.name AS pg_catalog.text', qr/is not empty/ ],
	[ 'an operator', 'CREATE OPERATOR sslpolicy.= (FUNCTION = pg_catalog.int4eq, LEFTARG = int4, RIGHTARG = int4)', qr/is not empty/ ],
	[ 'a collation', 'CREATE COLLATION sslpolicy."C" FROM "C"', qr/is not empty/ ],
	[ 'a text search configuration', 'CREATE TEXT SEARCH CONFIGURATION sslpolicy.t (COPY = pg_catalog.simple)', qr/is not empty/ ],
	[ 'statistics', 'CREATE TABLE public.t (a int, b int); CREATE STATISTICS sslpolicy.s ON a, b FROM public.t', qr/is not empty/ ],
	[ 'an operator family', 'CREATE OPERATOR FAMILY sslpolicy.f USING btree', qr/is not empty/ ],
	[ 'default privileges of its own', 'ALTER DEFAULT PRIVILEGES IN SCHEMA sslpolicy GRANT EXECUTE ON FUNCTIONS TO mallory', qr/is not empty.*It holds default acl for role /s ],
	[ 'another extension', 'CREATE EXTENSION hstore SCHEMA sslpolicy', qr/is not empty/ ],
	[ 'CREATE for a role', 'GRANT CREATE ON SCHEMA sslpolicy TO mallory', qr/schema "sslpolicy" allows others than its owner to create objects.*granted to mallory\./s ],
	[ 'CREATE for a role with a name', 'GRANT ALL ON SCHEMA sslpolicy TO "weird""Role"', qr/granted to "weird""Role"\./ ],
	[ 'CREATE for everybody', 'GRANT CREATE ON SCHEMA sslpolicy TO PUBLIC', qr/granted to PUBLIC\./ ],
	[ 'CREATE to grant on', 'GRANT CREATE ON SCHEMA sslpolicy TO mallory WITH GRANT OPTION; REVOKE GRANT OPTION FOR CREATE ON SCHEMA sslpolicy FROM mallory', qr/granted to mallory\./ ],
	[ 'CREATE of somebody who has it from another', q{GRANT CREATE ON SCHEMA sslpolicy TO mallory WITH GRANT OPTION; SET ROLE mallory; GRANT CREATE ON SCHEMA sslpolicy TO eve}, qr/to create objects/ ],
	[ 'CREATE for another superuser', 'GRANT CREATE ON SCHEMA sslpolicy TO dba2', qr/granted to dba2\./ ],
	[ 'an owner who is no superuser', 'ALTER SCHEMA sslpolicy OWNER TO mallory', qr/belongs to a role that is no superuser/ ]);
my $taken = database();
for my $case (@refused)
{
	my ($what, $sql, $error) = @$case;
	$server->sql("DROP EXTENSION IF EXISTS sslpolicy; DROP SCHEMA IF EXISTS sslpolicy CASCADE; CREATE SCHEMA sslpolicy; $sql", $taken);
	for my $create ('CREATE EXTENSION sslpolicy', 'BEGIN; SAVEPOINT s; CREATE EXTENSION sslpolicy; COMMIT')
	{
		my $got = error_of($taken, $create);
		like($got, $error, "$create: refused is a schema with $what");
		like($got, qr/HINT:  Drop the schema, or rename it/, 'with what to do');
	}
	is(error_of($taken, 'DROP SCHEMA sslpolicy CASCADE; CREATE EXTENSION sslpolicy'), '', 'after which it is made');
}
# what superusers would take for ours
{
	my $db = database();
	my $owned = database();
	$server->sql("ALTER DATABASE $owned OWNER TO mallory");
	for my $sql ('CREATE SCHEMA other', 'ALTER SCHEMA other RENAME TO another', 'CREATE FUNCTION another.set_policy(r regrole, p text) RETURNS void LANGUAGE sql AS $$$$')
	{
		is(error_of($owned, "SET ROLE mallory; $sql"), '', "the owner of a database: $sql");
	}
	like(error_of($owned, 'SET ROLE mallory; ALTER SCHEMA another RENAME TO sslpolicy'), qr/permission denied to rename a schema to "sslpolicy"/, 'nor does anybody else give a schema the name');
	is(error_of($owned, 'SET ROLE mallory; CREATE SCHEMA sslpolicy; ALTER SCHEMA sslpolicy OWNER TO mallory; ALTER SCHEMA sslpolicy RENAME TO third; DROP SCHEMA third'), '', 'an empty one, as a dump makes it, is nobody\'s harm');
	is(error_of($owned, 'ALTER SCHEMA another RENAME TO sslpolicy'), '', 'superusers may');
	$server->sql('CREATE SCHEMA sslpolicy; GRANT ALL ON SCHEMA sslpolicy TO mallory; CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS $$SELECT 1$$; ALTER FUNCTION public.f OWNER TO mallory', $db);
	for my $sql ($evil, 'ALTER FUNCTION public.f SET SCHEMA sslpolicy', 'CREATE PROCEDURE sslpolicy.recheck() LANGUAGE sql AS $$$$', 'CREATE AGGREGATE sslpolicy.lint(int) (sfunc = int4pl, stype = int)')
	{
		like(error_of($db, "SET ROLE mallory; $sql"), qr/permission denied to create functions in schema "sslpolicy"/, 'before the extension is there, nobody else creates functions: ' . ($sql =~ /^(\w+ \w+)/)[0]);
	}
	# a view runs functions as whoever reads it
	$server->sql('CREATE VIEW public.v AS SELECT public.f() AS pid; ALTER VIEW public.v OWNER TO mallory; CREATE TABLE public.t (i int); ALTER TABLE public.t OWNER TO mallory', $db);
	for my $sql ('CREATE VIEW sslpolicy.sessions AS SELECT public.f() AS pid', 'CREATE TABLE sslpolicy.crls (i int)', 'ALTER VIEW public.v SET SCHEMA sslpolicy', 'ALTER TABLE public.t SET SCHEMA sslpolicy',
		'CREATE MATERIALIZED VIEW sslpolicy.policies AS SELECT 1 AS i', 'CREATE SEQUENCE sslpolicy.lint', 'CREATE TYPE sslpolicy.version AS (i int)')
	{
		like(error_of($db, "SET ROLE mallory; $sql"), qr/permission denied to create tables or views in schema "sslpolicy"/, 'nor tables or views: ' . ($sql =~ /^(\w+ \w+)/)[0]);
	}
	is(error_of($db, 'SET ROLE mallory; CREATE FUNCTION public.g() RETURNS int LANGUAGE sql AS $$SELECT 1$$') =~ s/.*permission denied for schema public.*//sr, '', 'elsewhere they do');
}
# a schema that a transaction before has made is another's, whatever its number
{
	my $db = database();
	my $session = $node->background_psql($db, on_error_stop => 0);
	$session->query('BEGIN; CREATE TABLE public.early ()');
	$server->sql('CREATE SCHEMA sslpolicy; GRANT CREATE ON SCHEMA sslpolicy TO mallory', $db);
	$session->query('CREATE EXTENSION sslpolicy');
	$session->query('ROLLBACK');
	$session->quit;
	is($server->sql('SELECT count(*) FROM pg_extension WHERE extname = $$sslpolicy$$', $db), 0, 'refused: a schema that is younger than the transaction');
}

###############################################################################
# 2

# all rights on anything in the schema, and those that CREATE EXTENSION has left
my $rights = <<'SQL';
SELECT string_agg(concat_ws(' ', what, coalesce(r.rolname, 'PUBLIC'), privilege_type, is_grantable), E'\n' ORDER BY what COLLATE "C", grantee, privilege_type)
  FROM (SELECT 'schema' AS what, nspowner AS owner, a.* FROM pg_namespace, aclexplode(nspacl) a WHERE nspname = 'sslpolicy'
        UNION ALL SELECT p.oid::regprocedure::text, proowner, a.* FROM pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) a WHERE pronamespace = to_regnamespace('sslpolicy')
        UNION ALL SELECT c.oid::regclass::text, relowner, a.* FROM pg_class c, aclexplode(relacl) a WHERE relnamespace = to_regnamespace('sslpolicy')
        UNION ALL SELECT c.oid::regclass::text || '.' || attname, relowner, a.* FROM pg_class c JOIN pg_attribute t ON attrelid = c.oid, aclexplode(attacl) a WHERE relnamespace = to_regnamespace('sslpolicy')
        UNION ALL SELECT t.oid::regtype::text, typowner, a.* FROM pg_type t, aclexplode(typacl) a WHERE typnamespace = to_regnamespace('sslpolicy')
        UNION ALL SELECT 'initially ' || pg_describe_object(classoid, objoid, objsubid), n.nspowner, a.* FROM pg_init_privs, pg_namespace n, aclexplode(initprivs) a
            WHERE privtype = 'e' AND n.nspname = 'sslpolicy' AND a.grantee <> a.grantor) x
  LEFT JOIN pg_roles r ON r.oid = grantee
 WHERE grantee <> owner
SQL
my $plain = database();
$server->sql('CREATE EXTENSION sslpolicy', $plain);
my $reference = $server->sql($rights, $plain);
like($reference, qr/^sslpolicy\.lint\(\) pg_monitor EXECUTE f$/m, 'rights as they are');
unlike($reference, qr/ t$/m, 'which nobody may grant on');

my $every = join '', map {
	my $what = $_;
	map { "ALTER DEFAULT PRIVILEGES $_ GRANT ALL ON $what TO PUBLIC; ALTER DEFAULT PRIVILEGES $_ GRANT ALL ON $what TO $all_names, pg_monitor, eve WITH GRANT OPTION;\n" } '', 'FOR ROLE dba2'
} qw(SCHEMAS FUNCTIONS ROUTINES TABLES SEQUENCES TYPES);
my $in_front = 'CREATE SCHEMA sslpolicy; ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO mallory';
my @ways = (
	[ 'default privileges', $every, 'CREATE EXTENSION sslpolicy' ],
	[ 'of another superuser', $every, 'CREATE EXTENSION sslpolicy', 'dba2' ],
	[ 'to one, on functions', 'ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO mallory', 'CREATE EXTENSION sslpolicy' ],
	[ 'to one, on schemas', 'ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO mallory', 'CREATE EXTENSION sslpolicy' ],
	[ 'that take from everybody', 'ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM PUBLIC; ALTER DEFAULT PRIVILEGES REVOKE ALL ON TYPES FROM PUBLIC', 'CREATE EXTENSION sslpolicy' ],
	[ 'that take from the owner', "ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM \"$boss\"; ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM \"$boss\"", 'CREATE EXTENSION sslpolicy' ],
	[ 'in a transaction', $every, 'BEGIN; CREATE EXTENSION sslpolicy; COMMIT' ],
	[ 'in a savepoint', $every, 'BEGIN; CREATE TABLE t (); SAVEPOINT s; CREATE EXTENSION sslpolicy; RELEASE s; COMMIT' ],
	[ 'in a block with EXCEPTION', $every, 'DO $$ BEGIN CREATE EXTENSION sslpolicy; EXCEPTION WHEN division_by_zero THEN NULL; END $$' ],
	[ 'where the transaction began long before', $every, "BEGIN; SELECT max(age(xmin)) FROM pg_class; SELECT pg_sleep(0); CREATE EXTENSION sslpolicy; COMMIT" ],
	[ 'an empty schema that was there', 'CREATE SCHEMA sslpolicy', 'CREATE EXTENSION sslpolicy' ],
	[ 'with default privileges', $in_front, 'CREATE EXTENSION sslpolicy' ],
	[ 'that others may use, and let use', "CREATE SCHEMA sslpolicy; GRANT USAGE ON SCHEMA sslpolicy TO $all_names WITH GRANT OPTION; SET ROLE mallory; GRANT USAGE ON SCHEMA sslpolicy TO eve, PUBLIC", 'CREATE EXTENSION sslpolicy' ],
	[ 'of another superuser', 'CREATE SCHEMA sslpolicy AUTHORIZATION dba2; GRANT USAGE ON SCHEMA sslpolicy TO mallory', 'CREATE EXTENSION sslpolicy' ],
	[ 'that was left by DROP EXTENSION', 'CREATE EXTENSION sslpolicy; DROP EXTENSION sslpolicy; ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO mallory', 'CREATE EXTENSION sslpolicy' ]);
for my $way (@ways)
{
	my ($what, $before, $create, $user) = @$way;
	my $db = database();
	$server->sql($before, $db);
	is(error_of($db, $create, $user), '', "$what: the extension is made") or next;
	is($server->sql($rights, $db), $reference, "$what: with the rights of the reference");
	is($server->sql("SELECT code FROM sslpolicy.lint() WHERE code ~ '^(owner_no|foreign|schema_open|default_priv|extension|rights)'", $db), '', "$what: nor does lint() see others");
	for my $role ('mallory', 'weird"Role')
	{
		like(error_of($db, $evil, $role), qr/permission denied for schema sslpolicy/, "$what: $role may not create beside it");
		like(error_of($db, q{SELECT sslpolicy.create_server_key('CN=x', ARRAY['dns:x'])}, $role), qr/permission denied for function/, "$what: nor call what changes something");
	}
	is(error_of($db, 'SELECT count(*) FROM sslpolicy.sessions; SELECT sslpolicy.version()', 'eve'), '', "$what: but what is for everybody");
}

###############################################################################
# 3

my $source = database();
$server->sql($every, $source);
$server->sql('CREATE EXTENSION sslpolicy; GRANT EXECUTE ON FUNCTION sslpolicy.set_policy TO "weird""Role"; GRANT SELECT ON sslpolicy.rejections TO eve; REVOKE EXECUTE ON FUNCTION sslpolicy.version FROM PUBLIC;', $source);
my $granted = $server->sql($rights, $source);
my $folder = PostgreSQL::Test::Utils::tempdir('dump');
sub tool
{
	my (@command) = @_;
	my $output = '';
	ok(IPC::Run::run([ @command, '-h', $node->host, '-p', $node->port ], '>&', \$output), "@command[0, 1]") or diag($output);
	return $output;
}
tool('pg_dump', '-Fc', '-f', "$folder/dump", $source);
tool('pg_dump', '-f', "$folder/sql", $source);
for my $how ([ 'pg_restore' ], [ 'pg_restore', '--single-transaction' ], [ 'pg_restore', '--clean', '--if-exists' ])
{
	my $db = database();
	$server->sql('CREATE EXTENSION sslpolicy', $db) if "@$how" =~ /clean/;
	tool(@$how, '-d', $db, "$folder/dump");
	is($server->sql($rights, $db), $granted, "@$how: what was granted, and what was revoked");
}
for my $single ('-Xq', '-Xq1')
{
	my $db = database();
	tool('psql', $single, '-v', 'ON_ERROR_STOP=1', '-d', $db, '-o', '/dev/null', '-f', "$folder/sql");
	is($server->sql($rights, $db), $granted, "psql $single: the same");
}
my $hostile = database();
$server->sql('ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO mallory; ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO mallory', $hostile);
tool('pg_restore', '--exit-on-error', '-d', $hostile, "$folder/dump");
is($server->sql($rights, $hostile), $granted, 'pg_restore under default privileges: the same');

###############################################################################
# 4

my $db = database();
$server->sql('CREATE EXTENSION sslpolicy; CREATE EXTENSION hstore', $db);
my $of_extension = q{SELECT severity, code, object, finding, remedy FROM sslpolicy.lint()
	WHERE code ~ '^(owner_no|foreign|schema_open|default_priv|extension|rights|check_failed)'};
is($server->sql($of_extension, $db), '', 'lint: nothing on a fresh one');

my $owner = ident($boss);
# what is done, what is found, and whether the remedy is SQL from its first word on
my @findings = (
	[ 'a function of another', "SET ROLE mallory; $evil", qr/^error\|foreign_object\|function sslpolicy\.set_policy\(pg_catalog\.text,pg_catalog\.text\)\|.*belongs to "mallory"/ ],
	[ 'a function of a superuser', $evil, qr/^warning\|foreign_object\|function sslpolicy\.set_policy\(pg_catalog\.text,pg_catalog\.text\)\|.*no part of it: / ],
	[ 'of another superuser', "SET ROLE dba2; $evil", qr/^warning\|foreign_object\|.*belongs to "dba2"/ ],
	(map { [ $_->[0], "SET ROLE mallory; $_->[1]", qr/^error\|foreign_object\|$_->[2]\|/ ] }
		[ 'a table', 'CREATE TABLE sslpolicy."Table;--" ()', 'table sslpolicy\."Table;--"' ],
		[ 'a view', 'CREATE VIEW sslpolicy.v AS SELECT 1', 'view sslpolicy\.v' ],
		[ 'a materialized view', 'CREATE MATERIALIZED VIEW sslpolicy.v AS SELECT 1', 'materialized view sslpolicy\.v' ],
		[ 'a sequence', 'CREATE SEQUENCE sslpolicy.s', 'sequence sslpolicy\.s' ],
		[ 'a type', 'CREATE TYPE sslpolicy.t AS (a int)', 'type sslpolicy\.t' ],
		[ 'a domain', 'CREATE DOMAIN sslpolicy.d AS int', 'type sslpolicy\.d' ],
		[ 'a procedure', q{CREATE PROCEDURE sslpolicy.p() LANGUAGE sql AS ''}, 'procedure sslpolicy\.p\(\)' ],
		[ 'an aggregate', 'CREATE AGGREGATE sslpolicy.a(int) (sfunc = int4pl, stype = int)', 'aggregate sslpolicy\.a\(integer\)' ],
		[ 'an operator', 'CREATE OPERATOR sslpolicy.= (FUNCTION = int4eq, LEFTARG = int4, RIGHTARG = int4)', 'operator sslpolicy\.=\(integer,integer\)' ],
		[ 'an operator family', 'RESET ROLE; CREATE OPERATOR FAMILY sslpolicy.f USING btree; ALTER OPERATOR FAMILY sslpolicy.f USING btree OWNER TO mallory', 'operator family sslpolicy\.f USING btree' ],
		[ 'statistics', 'CREATE TEMP TABLE t (a int, b int); CREATE STATISTICS sslpolicy.s ON a, b FROM t; RESET ROLE; CREATE TABLE public.t (a int, b int); CREATE STATISTICS sslpolicy.s2 ON a, b FROM public.t; DROP TABLE pg_temp.t; ALTER STATISTICS sslpolicy.s2 OWNER TO mallory', 'statistics object sslpolicy\.s2' ],
		[ 'a collation', 'CREATE COLLATION sslpolicy.c FROM "C"', 'collation sslpolicy\.c' ],
		[ 'a text search dictionary', 'CREATE TEXT SEARCH DICTIONARY sslpolicy.d (TEMPLATE = simple)', 'text search dictionary sslpolicy\.d' ]),
	[ 'a right to create', 'GRANT CREATE ON SCHEMA sslpolicy TO "weird""Role"', qr/^error\|schema_open\|role "weird"Role"\|/ ],
	[ 'for everybody', 'GRANT CREATE ON SCHEMA sslpolicy TO PUBLIC', qr/^error\|schema_open\|PUBLIC\|/ ],
	[ 'to grant on', 'GRANT CREATE ON SCHEMA sslpolicy TO mallory WITH GRANT OPTION; SET ROLE mallory; GRANT CREATE ON SCHEMA sslpolicy TO eve', qr/^error\|schema_open\|role "eve"\|.*\nerror\|schema_open\|role "mallory"\|[^\n]*$/ ],
	(map { [ "default privileges on $_", qq{ALTER DEFAULT PRIVILEGES IN SCHEMA sslpolicy GRANT ALL ON $_ TO "weird""Role", PUBLIC}, qr/^warning\|default_privileges\|schema sslpolicy\|.*$_ that .* are granted to (?:PUBLIC, "weird""Role"|"weird""Role", PUBLIC)/ ] }
		qw(FUNCTIONS TABLES SEQUENCES TYPES)),
	[ 'those of another', 'ALTER DEFAULT PRIVILEGES FOR ROLE "PUBLIC" IN SCHEMA sslpolicy GRANT ALL ON FUNCTIONS TO mallory', qr/FUNCTIONS that "PUBLIC" creates/ ],
	[ 'what changes something, for everybody', 'GRANT EXECUTE ON FUNCTION sslpolicy.set_policy, sslpolicy.install_ca(text, boolean, boolean) TO PUBLIC', qr/^warning\|rights_beyond_reference\|PUBLIC\|.*: install_ca, set_policy\.\|/ ],
	[ 'and for pg_monitor', 'GRANT EXECUTE ON FUNCTION sslpolicy.set_policy TO pg_monitor', qr/^warning\|rights_beyond_reference\|role "pg_monitor"\|.*: set_policy\.\|/ ],
	[ 'what is for pg_monitor, for everybody', 'GRANT EXECUTE ON FUNCTION sslpolicy.lint TO PUBLIC; GRANT SELECT ON sslpolicy.rejections TO PUBLIC', qr/^warning\|rights_beyond_reference\|PUBLIC\|.*: lint, rejections\.\|/ ],
	[ 'for another predefined role', 'GRANT EXECUTE ON FUNCTION sslpolicy.reload TO pg_signal_backend', qr/^warning\|rights_beyond_reference\|role "pg_signal_backend"\|/ ],
	[ 'with grant option', 'GRANT EXECUTE ON FUNCTION sslpolicy.set_policy TO "weird""Role" WITH GRANT OPTION', qr/^warning\|rights_grantable\|role "weird"Role"\|.*: set_policy\.\|/ ],
	[ 'for pg_monitor, with grant option', 'GRANT SELECT ON sslpolicy.rejections TO pg_monitor WITH GRANT OPTION; GRANT EXECUTE ON FUNCTION sslpolicy.lint TO pg_monitor WITH GRANT OPTION', qr/^warning\|rights_grantable\|role "pg_monitor"\|.*: lint, rejections\.\|/ ],
	[ 'granted on', 'GRANT EXECUTE ON FUNCTION sslpolicy.add_ca TO mallory WITH GRANT OPTION; SET ROLE mallory; GRANT EXECUTE ON FUNCTION sslpolicy.add_ca TO PUBLIC; RESET ROLE', qr/rights_beyond_reference\|PUBLIC\|.*rights_grantable\|role "mallory"/s ],
	[ 'more than SELECT on views', 'GRANT ALL ON sslpolicy.recent_logins TO eve; GRANT TRIGGER ON sslpolicy.policies TO PUBLIC', qr/rights_beyond_reference\|PUBLIC\|[^|]*: policies\.\|.*rights_beyond_reference\|role "eve"/s ],
	[ 'columns', 'GRANT SELECT (reasons, role) ON sslpolicy.rejections TO PUBLIC', qr/^warning\|rights_beyond_reference\|PUBLIC\|.*REVOKE SELECT \(reasons\) ON sslpolicy\.rejections FROM PUBLIC/ ],
	[ 'what is delegated', 'GRANT EXECUTE ON FUNCTION sslpolicy.set_policy, sslpolicy.set_database_policy, sslpolicy.explain TO eve; GRANT SELECT ON sslpolicy.recent_logins TO eve; GRANT EXECUTE ON FUNCTION sslpolicy.install_crl(text, boolean, boolean) TO "weird""Role"',
		qr/^info\|rights_delegated\|role "eve"\|.*: explain, recent_logins, set_database_policy, set_policy\.\|.*\ninfo\|rights_delegated\|role "weird"Role"\|.*: install_crl\.\|[^\n]*$/ ],
	[ 'a function that is not as it was', 'ALTER FUNCTION sslpolicy.set_policy SECURITY DEFINER', qr/^error\|extension_altered\|extension sslpolicy\|.*Functions: sslpolicy\.set_policy\(regrole,text,boolean\)\./ ],
	[ 'or in another language', q{CREATE OR REPLACE FUNCTION sslpolicy.server_ca() RETURNS text LANGUAGE sql AS $$SELECT 'x'$$}, qr/^error\|extension_altered\|.*Functions: sslpolicy\.server_ca\(\)\./ ]);
my $open = sub { $server->sql($_[0] ? 'GRANT CREATE, USAGE ON SCHEMA sslpolicy TO mallory' : 'REVOKE CREATE, USAGE ON SCHEMA sslpolicy FROM mallory', $db) };
for my $finding (@findings)
{
	my ($what, $sql, $expected) = @$finding;
	# mallory had the right for a while
	$open->(1);
	is(error_of($db, $sql), '', "lint, $what: done");
	$open->(0) unless $sql =~ /ON SCHEMA sslpolicy TO mallory/;
	my $found = $server->sql($of_extension, $db);
	like($found, $expected, "lint: $what");
	# as whoever reads it would run it; without its grant option a grant is delegated
	for my $round (1, 2)
	{
		my @remedies = split /\n/, $server->sql("SELECT regexp_replace(remedy, '^.*?\\m(DROP|REVOKE|ALTER)\\M', '\\1') FROM ($of_extension) f", $db);
		s/; (?:then look|policies stay).*/;/ for @remedies;
		cmp_ok(scalar @remedies, '>', 0, "lint, $what: has a remedy") if $round == 1;
		is(error_of($db, $_), '', "lint, $what: the remedy runs") or diag($_) for @remedies;
	}
	$open->(0);
	is($server->sql($of_extension, $db), '', "lint, $what: and helps");
	is($server->sql($rights, $db), $reference, "lint, $what: it leaves the rights of the reference");
}
$server->sql('GRANT ALL ON ALL FUNCTIONS IN SCHEMA sslpolicy TO dba2; GRANT ALL ON SCHEMA sslpolicy TO dba2; GRANT EXECUTE ON FUNCTION sslpolicy.version TO eve WITH GRANT OPTION', $db);
is($server->sql($of_extension, $db), '', 'lint: superusers need no grant, and what everybody may do is nothing to grant');

# what the script grants is what lint() takes for granted: with each right given to
# everybody it knows which ones it need not speak of
$server->sql('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA sslpolicy TO PUBLIC; GRANT SELECT ON ALL TABLES IN SCHEMA sslpolicy TO PUBLIC', $db);
my ($everybody) = $server->sql($of_extension, $db) =~ /rights_beyond_reference\|PUBLIC\|[^|]*: ([^|]*)\.\|/;
my %not_for_everybody = map { /^sslpolicy\.(\w+)/ && $1 !~ /^(?:client_bundle|client_settings|effective_policy)$/ ? ($1 => 1) : () } split /\n/,
  $server->sql(q{SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'sslpolicy'::regnamespace UNION ALL SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'sslpolicy'::regnamespace}, $db);
delete $not_for_everybody{$_} for map { /^sslpolicy\.(\w+)\S* PUBLIC/ ? $1 : () } split /\n/, $reference;
is_deeply([ sort keys %{ { map { $_ => 1 } split /, /, $everybody } } ], [ sort keys %not_for_everybody, 'client_bundle', 'client_settings', 'effective_policy' ], 'lint: everything that is not for everybody');

###############################################################################
# 5

for my $case ([ 'REASSIGN', qr/REASSIGN OWNED BY dba2 TO .*?,/ ], [ 'DROP', qr/DROP EXTENSION .*? CREATE EXTENSION sslpolicy;/ ])
{
	my ($what, $remedy) = @$case;
	my $owned = database();
	$server->sql("ALTER ROLE dba2 SUPERUSER");
	is(error_of($owned, 'CREATE EXTENSION sslpolicy', 'dba2'), '', "$what: dba2 makes the extension");
	is($server->sql($of_extension, $owned), '', 'while dba2 is superuser, that is fine');
	$server->sql('ALTER ROLE dba2 NOSUPERUSER');
	like($server->sql($of_extension, $owned), qr/^error\|owner_no_superuser\|role "dba2"\|.*Objects: extension sslpolicy, schema sslpolicy, function sslpolicy\.\w+\(.*\) and \d+ more\.\|/, 'when not any more, lint says it');
	# which is why
	like(error_of($owned, q{CREATE OR REPLACE FUNCTION sslpolicy.server_ca() RETURNS text LANGUAGE sql AS $$SELECT 'x'$$}, 'dba2') . $server->sql('SELECT sslpolicy.server_ca()', $owned), qr/^x$/, 'dba2 can replace a function');
	like($server->sql($of_extension, $owned), qr/^error\|extension_altered\|/m, 'which lint says too');
	my ($sql) = $server->sql("SELECT remedy FROM sslpolicy.lint() WHERE code = 'owner_no_superuser'", $owned) =~ /($remedy)/;
	is(error_of($owned, $sql =~ s/,$/;/r), '', "$what: the remedy runs");
	unlike($server->sql($of_extension, $owned), qr/owner_no_superuser/, "$what: and helps");
	($what eq 'DROP' ? \&unlike : \&like)->($server->sql($of_extension, $owned), qr/extension_altered/, "$what: what was changed is found until it is made anew");
}
{
	my $mixed = database();
	$server->sql('CREATE EXTENSION sslpolicy; ALTER VIEW sslpolicy.sessions OWNER TO mallory; ALTER FUNCTION sslpolicy.reload OWNER TO mallory; ALTER SCHEMA sslpolicy OWNER TO eve', $mixed);
	my $found = $server->sql($of_extension, $mixed);
	like($found, qr/role "mallory"\|.*Objects: function sslpolicy\.reload\(interval,boolean\), view sslpolicy\.sessions\./, 'single objects of another');
	like($found, qr/role "eve"\|.*Objects: schema sslpolicy\./, 'the schema of another');
}

###############################################################################
# 6

my $seen = database();
$server->sql("CREATE EXTENSION sslpolicy; $evil; GRANT CREATE ON SCHEMA sslpolicy TO eve", $seen);
my $of_superuser = $server->sql($of_extension, $seen);
like($of_superuser, qr/schema_open.*foreign_object/s, 'there is something to see');
is(($node->psql($seen, 'CREATE TEMP TABLE pg_depend (); CREATE TEMP TABLE pg_extension (); SET search_path = pg_temp, sslpolicy, pg_catalog;' . $of_extension, extra_params => [ '-U', 'monitor' ]))[1],
	$of_superuser, 'a member of pg_monitor sees it');
$server->stop;
done_testing();
