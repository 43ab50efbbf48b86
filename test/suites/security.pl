# Static guarantees that SECURITY.md gives: of the SQL objects, by the catalogs of a
# real server; of the sources, by reading them.
#
# 1. functions: in C, as the caller, and who may EXECUTE each: a complete table
# 2. functions: volatility, parallel safety, search_path
# 3. views: whose, for whom, and what their definitions refer to
# 4. nothing else is in the extension (17 counts the row types of views)
# 5. sources: SQL is run in one place, and nothing unquoted gets into it
# 6. sources: who touches files, and by what names
# 7. sources: who reads the connection, what C functions can be called, and where they are
# 8. SECURITY.md: the tests that it names are there
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('security');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'sslpolicy'");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION sslpolicy');

sub rows { return map { [ split /\|/, $_, -1 ] } split /\n/, $node->safe_psql('postgres', $_[0]) }

# p: PUBLIC, m: pg_monitor, -: nobody until it is granted; volatility; parallel
# safety; P: search_path is pinned
my %expected = map { split /\s*:\s*/ } grep { length } split /\n/, <<'TABLE';
add_ca(text,boolean,boolean)                                : - v u P
block_certificate(text,boolean)                             : - v u P
check_all()                                                 : p s r
check_policy(text)                                          : p s s
client_bundle()                                             : p v r
client_bundle(regrole,name,inet)                            : - v r
client_settings()                                           : p v r
client_settings(regrole,name,inet,text)                     : - v r
connection()                                                : p s r
create_server_key(text,text[],text)                         : - v u P
effective_policy()                                          : p v r P
effective_policy(regrole,name,inet)                         : - v r P
explain(regrole,name,inet,boolean,text,text,text,text,timestamp with time zone) : - v r P
explain_session(integer)                                    : - v r P
get_certificates()                                          : m v r
get_crls()                                                  : m v r
get_ended_sessions()                                        : m v r
get_material_history()                                      : m v r
get_material_status()                                       : m v r
get_nodes()                                                 : m v r
get_policies()                                              : p s r
get_recent_logins()                                         : m v r
get_rejections()                                            : m v r
get_sessions()                                              : p v r
get_statistics()                                            : m v r
install_ca(bytea,boolean,boolean)                           : - v u P
install_ca(text,boolean,boolean)                            : - v u P
install_crl(bytea,boolean,boolean)                          : - v u P
install_crl(text,boolean,boolean)                           : - v u P
install_server_certificate(bytea,bytea,boolean,boolean)     : - v u P
install_server_certificate(text,text,boolean,boolean)       : - v u P
lint()                                                      : m v u P
preview_database_policy(name,text)                          : - v r P
preview_default_policy(text)                                : - v r P
preview_minimum_policy(text)                                : - v r P
preview_role_policy(regrole,text)                           : - v r P
recheck(boolean)                                            : - v u P
reload(interval,boolean)                                    : - v u P
remove_ca(text,boolean,boolean)                             : - v u P
reset_statistics()                                          : - v u P
revoked(numeric,text)                                       : m v r
rollback(text,boolean,boolean)                              : - v u P
server_ca()                                                 : p v r
set_ca(bytea,boolean)                                       : - v u P
set_ca(text,boolean)                                        : - v u P
set_crl(bytea,boolean)                                      : - v u P
set_crl(text,boolean)                                       : - v u P
set_database_policy(name,text,boolean)                      : - v u P
set_default_policy(text,boolean)                            : - v u P
set_minimum_policy(text,boolean)                            : - v u P
set_policy(regrole,text,boolean)                            : - v u P
unblock_certificate(text)                                   : - v u P
verify_certificate(bytea,timestamp with time zone)          : m v r
verify_certificate(text,timestamp with time zone)           : m v r
version()                                                   : p v r
wait_for_nodes(interval)                                    : - v u P
TABLE

###############################################################################
# 1, 2. Functions

my %functions;
for my $row (rows(<<'SQL'))
SELECT substr(p.oid::regprocedure::text, length('sslpolicy.') + 1), l.lanname, p.prosecdef, p.proleakproof,
       p.prosqlbody IS NULL AND p.prokind = 'f' AND p.prosupport = 0, o.rolsuper,
       (SELECT coalesce(string_agg(coalesce(r.rolname, 'PUBLIC') || ' ' || a.privilege_type || CASE WHEN a.is_grantable THEN '*' ELSE '' END, ',' ORDER BY 1), '')
          FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a LEFT JOIN pg_roles r ON r.oid = a.grantee
         WHERE a.grantee <> p.proowner),
       p.provolatile, p.proparallel, coalesce(array_to_string(p.proconfig, ';'), '')
  FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang JOIN pg_roles o ON o.oid = p.proowner
 WHERE p.pronamespace = 'sslpolicy'::regnamespace
SQL
{
	my ($name, $language, $definer, $leakproof, $simple, $super, $grants, $volatility, $parallel, $config) = @$row;
	$functions{$name} = 1;
	my ($who, $v, $p, $pin) = split ' ', $expected{$name} // '? ? ?';
	is("$language $definer $leakproof $simple $super", 'c f f t t', "$name: in C, as its caller, not leakproof, a superuser's");
	is($grants, { p => 'PUBLIC EXECUTE', m => 'pg_monitor EXECUTE', '-' => '' }->{$who}, "$name: who may EXECUTE it");
	is("$volatility $parallel", "$v $p", "$name: volatility and parallel safety");
	is($config, $pin ? 'search_path=pg_catalog, pg_temp' : '', "$name: settings");
}
is_deeply([ sort keys %functions ], [ sort keys %expected ], 'the table of functions is complete');
for my $name (grep { /^(?:set_|install_|add_|remove_|rollback|create_|reload|recheck|reset_)/ } keys %expected)
{
	like($expected{$name}, qr/^- v u P$/, "$name: changes something, so it is VOLATILE, PARALLEL UNSAFE, pinned, and nobody's");
}
is_deeply([ grep { $expected{$_} =~ / s\b(?: P)?$/ } sort keys %expected ], ['check_policy(text)'],
	'only what looks at nothing but its argument is PARALLEL SAFE');

###############################################################################
# 3. Views

my %for_everybody = map { $_ => 1 } qw(policies sessions);
my @views;
for my $row (rows(<<'SQL'))
SELECT c.relname, o.rolsuper, coalesce(c.reloptions::text, ''),
       (SELECT coalesce(string_agg(coalesce(r.rolname, 'PUBLIC') || ' ' || a.privilege_type, ',' ORDER BY 1), '')
          FROM aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee WHERE a.grantee <> c.relowner),
       (SELECT count(*) FROM pg_attribute WHERE attrelid = c.oid AND attacl IS NOT NULL)
  FROM pg_class c JOIN pg_roles o ON o.oid = c.relowner
 WHERE c.relnamespace = 'sslpolicy'::regnamespace AND c.relkind = 'v'
SQL
{
	my ($view, $super, $options, $grants, $columns) = @$row;
	push @views, $view;
	is("$super $columns", 't 0', "$view: a superuser's, no column is granted by itself");
	is($grants, ($for_everybody{$view} ? 'PUBLIC' : 'pg_monitor') . ' SELECT', "$view: for whom");
	my ($definition) = map { $_->[0] } rows("SELECT regexp_replace(pg_get_viewdef('sslpolicy.$view'), '\\s+', ' ', 'g')");
	# what a caller may see is decided in C, before there are rows: so no condition of
	# a view hides any, and security_barrier would protect nothing
	unlike($definition, qr/current_user|session_user|user_id|has_\w+_privilege|pg_has_role|current_role/i, "$view: hides no rows by who asks");
}
is($node->safe_psql('postgres', <<'SQL'), '', 'views depend on nothing but pg_catalog and the extension');
SELECT d.refclassid::regclass, d.refobjid FROM pg_depend d
  JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
  JOIN pg_class c ON c.oid = r.ev_class AND c.relnamespace = 'sslpolicy'::regnamespace
 WHERE NOT EXISTS (SELECT FROM pg_class x WHERE d.refclassid = 'pg_class'::regclass AND x.oid = d.refobjid AND x.relnamespace IN ('pg_catalog'::regnamespace, 'sslpolicy'::regnamespace))
   AND NOT EXISTS (SELECT FROM pg_proc x WHERE d.refclassid = 'pg_proc'::regclass AND x.oid = d.refobjid AND x.pronamespace IN ('pg_catalog'::regnamespace, 'sslpolicy'::regnamespace))
SQL

###############################################################################
# 4. Nothing else

is($node->safe_psql('postgres', q(SELECT string_agg(DISTINCT concat_ws(' ', d.classid::regclass, c.relkind), ',' ORDER BY concat_ws(' ', d.classid::regclass, c.relkind))
	FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
	LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
	LEFT JOIN pg_type t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid LEFT JOIN pg_type element ON element.oid = t.typelem
	WHERE e.extname = 'sslpolicy' AND d.deptype = 'e' 
		AND NOT EXISTS (SELECT FROM pg_class v WHERE v.oid IN (t.typrelid, element.typrelid) AND v.relkind = 'v'))),
	'pg_class v,pg_proc', 'functions and views, no table, type, operator, cast or trigger');
is($node->safe_psql('postgres', q(SELECT n.nspacl FROM pg_namespace n WHERE nspname = 'sslpolicy')) =~ s/^\{(\w+)=UC\/\1,=U\/\1\}$/ok/r, 'ok',
	'the schema: to use for everybody, to create in for its owner');
is($node->safe_psql('postgres', q(SELECT count(*) FROM pg_settings WHERE name LIKE 'sslpolicy.%' AND context NOT IN ('sighup', 'postmaster'))), 0,
	'settings are for the whole server alone');
$node->stop;

###############################################################################
# 5. SQL in the sources

sub without_comments { return slurp_file($_[0]) =~ s{/\*.*?\*/}{}gsr }
my %source = map { s{.*/}{}r => without_comments($_) } glob 'src/*.c src/*/*.c';
my %script = map { s{.*/}{}r => slurp_file($_) =~ s/--.*//gr } glob 'extension/*.sql';
cmp_ok(scalar keys %source, '>', 50, 'the sources are there');
cmp_ok(scalar keys %script, '>', 5, 'the install script is there');

sub files_with { my ($pattern) = @_; return join ' ', grep { $source{$_} =~ $pattern } sort keys %source }

is(files_with(qr/\bSPI_\w+/), 'privileged.c', 'SPI: in one file');
is(files_with(qr/\b(?:SetUserIdAndSecContext|become_superuser)\b/), 'configuration.c privileged.c', 'becoming superuser: in two');
is(files_with(qr/\bprivileged_command\s*\(/), 'privileged.c setpolicy.c', 'commands as superuser: from one place');
is(files_with(qr/\b(?:pg_analyze_and_rewrite|raw_parser|pg_parse_query|ProcessUtility|RangeVarGetRelid\w*|FuncnameGetCandidates|LookupFuncName|LookupTypeName\w*|TypenameGet\w+|OpernameGet\w+|to_regclass|regclassin|regprocin|parseTypeString)\s*\(/), '',
	'nothing else parses SQL, or finds an object by the search_path');
like($source{'privileged.c'}, qr/set_config_option\("search_path", "pg_catalog, pg_temp"/, 'SQL as superuser has a search_path of its own');

# the one statement with something of the caller's in it
my ($statement) = $source{'setpolicy.c'} =~ /run_as_superuser\((psprintf\(.*?\)),\s*class, object\)/s;
is(($statement // '') =~ s/\s+/ /gr,
	'psprintf("SECURITY LABEL FOR %s ON %s %s IS %s", provider, class == AuthIdRelationId ? "ROLE" : "DATABASE", quote_identifier(name), text ? quote_literal_cstr(text) : "NULL")',
	'SECURITY LABEL: name and policy are quoted');

# All others are constants.  What PostgreSQL's grammar does not qualify:
my $keyword = qr/^(?:and|any|array|as|by|coalesce|exists|from|group|in|lateral|operator|or|order|select|union|all|where)$/i;
my $queries = 0;
for my $file (sort keys %source)
{
	my $text = $source{$file};
	# a constant that is defined beside its use
	my %constant = $text =~ /\b(\w+)\s*=\s*((?:"(?:[^"\\]|\\.)*"\s*|COMPAT_\w+\s*)+);/g;
	while ($text =~ /\bprivileged_query\s*\(((?:[^()"]|"(?:[^"\\]|\\.)*"|\((?:[^()"]|"(?:[^"\\]|\\.)*")*\))*)\)/g)
	{
		my $argument = $1;
		next if $argument =~ /^const char \*statement$/;
		$queries++;
		$argument = $constant{$1} if $argument =~ /^\s*(\w+)\s*$/ && $constant{$1};
		like($argument, qr/^\s*(?:"(?:[^"\\]|\\.)*"\s*|COMPAT_\w+\s*)+$/, "$file: a query as superuser is a constant") or next;
		my $sql = join '', map { s/\\"/"/gr } $argument =~ /"((?:[^"\\]|\\.)*)"/g;
		$sql =~ s/'[^']*'/''/g;
		$sql =~ s/OPERATOR\(pg_catalog\.[^)]+\)//g;
		unlike($sql, qr/[=<>~|+\/%^@!&#-]|\s\*\s/, "$file: its operators are qualified") or diag($sql);
		my @calls = grep { !/$keyword/ && !/^pg_catalog\./ } $sql =~ /([\w.]+)\s*\(/g;
		is("@calls", '', "$file: its functions are qualified") or diag($sql);
		my @relations = grep { !/^(?:pg_catalog\.|\()/ } $sql =~ /\b(?:FROM|JOIN)\s+([\w.(]+)/g;
		is("@relations", '', "$file: its relations are qualified") or diag($sql);
		my @types = grep { !/^pg_catalog\./ } $sql =~ /::\s*([\w.]+)/g;
		is("@types", '', "$file: its types are qualified") or diag($sql);
	}
}
my $calls = () = join('', values %source) =~ /\bprivileged_query\s*\(/g;
is($queries, $calls - 1, 'every query as superuser was looked at');

my $scripts = join "\n", map { $script{$_} } sort keys %script;
unlike($scripts, qr/\bSECURITY\s+DEFINER\b|\bLANGUAGE\s+(?!C\b)/i, 'install script: no SECURITY DEFINER, or function in SQL');
# roles that ALTER DEFAULT PRIVILEGES names are known only then
is_deeply([ $scripts =~ /\bEXECUTE\s+(?!ON\b)(.*?);/sg ],
	[ q{pg_catalog.format('REVOKE ALL ON %s @extschema@ FROM %I CASCADE', objects, grantee)} ],
	'install script: no dynamic SQL but one REVOKE, from a role whose name is quoted');
is_deeply([ map { /SELECT '([^']*)'/g } $scripts =~ /FOR objects, grantee IN(.*?)LOOP/s ], [ 'SCHEMA', 'ALL ROUTINES IN SCHEMA', 'ALL TABLES IN SCHEMA' ],
	'of what it revokes are constants');
is(() = $scripts =~ /^DO \$\$/mg, 2, 'install script: two blocks that are run: one looks at the schema, one revokes');
is(join(' ', grep { $script{$_} =~ /^\s*(?:GRANT|REVOKE|ALTER)\b/mi } sort keys %script), 'privileges.sql', 'install script: rights are set in one piece');
like(slurp_file('Makefile'), qr/^SCRIPT_PIECES = .* privileges$/m, 'which is the last');
is_deeply([ grep { !/^\s*\@extschema\@\.\w/ } map { split /,(?![^(]*\))/ } $scripts =~ /^GRANT \w+ ON (?!SCHEMA)(?:FUNCTION)?(.*?) TO /msg ], [],
	'install script: nothing of another schema can be granted');
for my $body ($scripts =~ /(CREATE VIEW .*?;)/sg, $scripts =~ /^(DO \$\$.*?^END \$\$;)/msg)
{
	my ($name) = $body =~ /(?:VIEW )?(\w+)/;
	$name = $1 if $body =~ /VIEW (\w+)/;
	my $rest = $body =~ s/'[^']*'//gr =~ s/OPERATOR\(pg_catalog\.[^)]+\)//gr =~ s/SELECT \*//gr;
	$rest =~ s/(?:ERRCODE|DETAIL|HINT) =//g;
	unlike($rest, qr/[=<>~|+\/%^@!&#]/, "install script, $name: operators are qualified") or diag($rest);
}

# what lint() takes for granted is the table above, and views by for whom they are
{
	my $lint = slurp_file('src/lint/lintextension.c');
	for my $who ([ 'p', 'for_everybody', grep { $for_everybody{$_} } @views ], [ 'm', 'for_monitor', grep { !$for_everybody{$_} } @views ])
	{
		my ($letter, $list, @named) = @$who;
		my ($text) = $lint =~ /\b$list\[\] = \{(.*?)\};/s;
		is_deeply([ sort map { /^sslpolicy\.(.*)/ } ($text // '') =~ /"(.*?)"/g ],
			[ sort @named, grep { $expected{$_} =~ /^$letter/ } keys %expected ], "lint(): $list");
	}
}

###############################################################################
# 6. Files

my $opens = qr/(?<![\w.>])(?:open|openat|fopen|freopen|OpenTransientFile\w*|BasicOpenFile\w*|AllocateFile|AllocateDir|PathNameOpenFile\w*|unlink|rename|durable_\w+|mkdir|rmdir|opendir|stat|lstat|realpath|chmod|fchmod|symlink|link|creat|truncate)\s*\(/;
is(files_with($opens), 'crlsources.c directory.c files.c history.c indexfile.c install.c leftovers.c linthba.c lintmaterial.c material.c ownkeys.c preload.c replaceable.c target.c', 'who touches files');
is(files_with(qr/\b(?:O_CREAT|O_WRONLY|O_RDWR)\b|\bAllocateFile\b|"w"/), 'files.c', 'who writes them');
is(files_with(qr/(?:SSL_CTX_use_\w+_file|SSL_CTX_load_verify_\w+|X509_STORE_load_\w+|SSL_load_client_CA_file|SSL_CTX_set_default_verify\w*|BIO_new_file|BIO_read_filename|OSSL_STORE_open\w*)\s*\(/), 'handshake.c tlscontext.c', 'where OpenSSL does');
is(files_with(qr/\b(?:system|popen|OpenPipeStream|exec[lv]\w*|fork|dlopen|load_file|load_external_function)\s*\(/), 'sendreport.c', 'nobody runs a program, or loads a library, but for');
is(join(' ', $source{'sendreport.c'} =~ /\bload_file\s*\(([^()]*)\)/g), '"libpqwalreceiver", false', 'the one that connects to the upstream');
is(files_with(qr/\bpg_regcomp\b/), 'matcher.c', 'who compiles regular expressions');
is(files_with(qr/\b(?:regex_matches|policy_checks)\b/), 'about_sql.c auth.c certrequest.c clientneeds.c explain.c explain_sql.c hbalines.c labels.c linthba.c matcher.c preview.c recheck.c setpolicy.c',
	'and who has it done: not the check of a setting, which every process makes at a reload');
is(files_with(qr/\b(?:strcat|sprintf|gets|alloca|strncpy|tmpnam|mktemp)\s*\(/), '', 'nobody calls what cannot know a length');

# Every name of a file in the functions that SQL calls and in what they call for files:
# of settings, or made of constants and numbers.
my $names_file = qr/\b(?:read_pem_file|read_whole_file|own_file|file_exists|replace_file|remove_file|open_index_file|file_fingerprint|create_temporary_file|write_temporary_file|move_temporary_file|save_file|resolve_target|read_crl_directory)\s*\(/;
my $known = qr/^(?:(?:(?:inst->)?files\.|file->path$)\w*|PENDING_KEY|HISTORY_FILE|(?:own_file\()?(?:CRL_COPIES|INSTALLED_ISSUERS)\)?|own_file\((?:PENDING_KEY|HISTORY_FILE)\)|file,\ index
	|psprintf\("%s\.pem",\ material_kind_name\(kind\)\)|psprintf\("%s\.%d\.pem",\ material_kind_name\(kind\),\ version\)
	|history_version_file\((?:MATERIAL_CA|(?:inst->|e->)?kind),\ (?:parent|(?:e->|target->|inst->)?version)\)
	|path_in_place\(inst\)|path_of_setting\(inst,\ i\)|(?:temporary_name\()?(?:p->target|backup_name\(p\))\)?|p->setting_value
	|paths\[kind\]|path|target|word|value)(?:,|$)/x;
my $names = 0;
for my $file (map { s{.*/}{}r } glob 'src/sql/*.c src/install/*.c src/revocation/serials.c')
{
	my $text = $source{$file};
	while ($text =~ /$names_file((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)/g)
	{
		$names++;
		my $argument = $1;
		like($argument, $known, "$file: a file by its setting, or a fixed name: $argument");
	}
}
is(join(' ', grep { $source{$_} =~ $names_file } grep { $source{$_} =~ /\bPG_FUNCTION_ARGS\b/ } sort keys %source), 'material_sql.c',
	'of the functions themselves, those that show files name them');
# those that are handed on come from the settings, or are fixed
my %origin = (
	'material_sql.c' => [ qr/history_entry_outcome\(([^;]*?)\)\);/, 'history, e, paths[e->kind]' ],
	'serials.c' => [ qr/\blook_up_in\((\w+), serial, &issuer, result\)/, 'CORE_INDEX OWN_INDEX' ],
	'history.c' => [ qr/\*path = ([^;]*);/, 'own_file(HISTORY_FILE)' ],
	'place.c' => [ qr/\*path = ([^;]*);/, 'path_in_place(inst)' ],
	'install.c' => [ qr/(?:->target|->setting_value|\*path) = ([^;]*);/,
		'own_material_file(inst->kind) path_in_place(inst) path_in_place(p->inst) resolve_target(p->setting_value)' ]);
for my $file (sort keys %origin)
{
	my ($pattern, $from) = @{ $origin{$file} };
	my %found = map { $_ => 1 } $source{$file} =~ /$pattern/g;
	is(join(' ', sort keys %found), $from, "$file: where a file that has no fixed name comes from");
}
cmp_ok($names, '>', 40, 'names of files were looked at');

###############################################################################
# 7. The connection, and C functions

is(files_with(qr/\bMyProcPort\b/), 'arguments.c collect.c mailbox.c sessions_sql.c setpolicy.c', 'who reads the connection at hand');
is(files_with(qr/\bport->(?:ssl|peer)\b/), 'collect.c failedcert.c ownkeys.c', 'who reads its TLS state')
  or diag('each SQL function that gets there must be PARALLEL RESTRICTED or UNSAFE');
my ($check_policy) = $source{'policies_sql.c'} =~ /^sslpolicy_check_policy\(PG_FUNCTION_ARGS\)\n(\{.*?^\})/ms;
is(join(' ', sort { $a cmp $b } grep { !/^PG_|^[A-Z]/ } ($check_policy // '') =~ /(\w+)\(/g), 'cstring_to_text parse_policy_or_error policy_text text_to_cstring',
	'check_policy, which is PARALLEL SAFE, parses and prints');
# text and bytea are read by the same function
sub unique { my %seen; my @once = sort grep { !$seen{$_}++ } @_; return @once }
is(files_with(qr/^[^#]*\bPG_FUNCTION_INFO_V1\(\s*(?!sslpolicy_)/m), '', 'C functions that SQL can call have our prefix');
is_deeply([ sort map { /PG_FUNCTION_INFO_V1\((\w+)\)/g } values %source ], [ unique($scripts =~ /'MODULE_PATHNAME', '(\w+)'/g) ],
	'and are those of the install script, no other');

# where to look for one: in the file that is called as the piece of the script
for my $piece (sort keys %script)
{
	my ($name) = $piece =~ /^(\w+)\.sql$/;
	is(join(' ', sort(($source{"${name}_sql.c"} // '') =~ /PG_FUNCTION_INFO_V1\((\w+)\)/g)),
		join(' ', unique($script{$piece} =~ /'MODULE_PATHNAME', '(\w+)'/g)), "extension/$piece: its functions are those of src/sql/${name}_sql.c");
}
is(join(' ', grep { !/_sql\.c$/ } split / /, files_with(qr/\bPG_FUNCTION_INFO_V1\b/)), '', 'and stand nowhere else');

###############################################################################
# 8. SECURITY.md

# each file is followed by words of tests in it
my $security = slurp_file('SECURITY.md') =~ s/\s+/ /gr;
my $named = 0;
while ($security =~ /`(test\/(?:t|suites)\/\w+\.pl)`((?:,? (?:and )?"[^"]+")+)/g)
{
	my ($file, $words) = ($1, $2);
	my $text = -e $file ? slurp_file($file) =~ s/^#//gmr =~ s/\s+/ /gr : '';
	for my $name ($words =~ /"([^"]+)"/g)
	{
		$named++;
		ok(index($text, $name) >= 0, "SECURITY.md: $file has $name");
	}
}
cmp_ok($named, '>', 60, 'SECURITY.md names tests');
my $quoted = () = $security =~ /`test\/(?:t|suites)\/\w+\.pl`(?:,? (?:and )?"[^"]+")+/g;
cmp_ok($quoted, '>', 40, 'and their files');

done_testing();
