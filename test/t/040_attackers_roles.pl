# What roles can do that have logged in, against policies and those who set them.
# SECURITY.md names these tests.
#
# 1. an ordinary role
# 2. a role with CREATEROLE or ADMIN OPTION, and nothing granted on functions
# 3. a grantee of set_policy
# 4. the owner of a database
# 5. pg_monitor and other predefined roles; ALTER SYSTEM on a setting; REPLICATION
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('roles', init => { allows_streaming => 1 },
	conf => "max_prepared_transactions = 5\nmax_parallel_workers_per_gather = 2\n");
my ($certs, $node) = ($server->certs, $server->node);
my $version = $node->pg_version->major;
$certs->client('app', issuer => 'root');
$server->start;
$server->sql(<<'SQL');
CREATE EXTENSION sslpolicy;
CREATE ROLE app LOGIN; CREATE ROLE strict LOGIN; CREATE ROLE grp; CREATE ROLE mallory LOGIN; CREATE ROLE victim LOGIN;
CREATE ROLE boss SUPERUSER LOGIN; CREATE ROLE breakglass LOGIN;
GRANT CREATE ON DATABASE postgres TO mallory;
SQL
$server->label(role => { strict => 'sslmode=verify-full', grp => 'sslmode=require' });
my %plain = (sslmode => 'disable');

# Commands of psql as somebody: what comes out, and the errors with their SQLSTATEs.
sub script
{
	my ($user, $sql, %opt) = @_;
	my ($out, $err) = ('', '');
	local $ENV{PGOPTIONS} = $opt{options} // '';
	IPC::Run::run([ 'psql', '-XqAt', '-v', 'VERBOSITY=verbose', '-v', 'ON_ERROR_STOP=' . ($opt{stop} ? 1 : 0), '-d',
			$server->conninfo(user => $user, sslmode => 'require', %opt) ], '<', \$sql, '>', \$out, '2>', \$err);
	chomp $out;
	return wantarray ? ($out, $err) : "$out$err";
}

# The same up to the first error.
sub as { my ($user, $sql, %opt) = @_; return scalar script($user, "$sql;", %opt, stop => 1) }

sub refused { my ($user, $name, %how) = @_; like($server->login(user => $user, %plain, %how)->{failed}, qr/^sslmode/, $name); return }
sub admitted { my ($user, $name, %how) = @_; my $r = $server->login(user => $user, %plain, %how); ok($r->{ok}, $name) or diag($r->{err}); return }

sub labels { return $server->sql(q(SELECT string_agg(objoid || ' ' || label, ';' ORDER BY objoid) FROM pg_shseclabel)) }

# Everything by which a schema of the caller's could come between: operators and
# functions that say so when they are run, and tables of catalogs' names.
my $trap = <<'SQL';
CREATE SCHEMA trap;
CREATE TABLE trap.sprung (by text, as_whom text);
GRANT ALL ON SCHEMA trap TO PUBLIC; GRANT ALL ON trap.sprung TO PUBLIC;
DO $do$
DECLARE name text; types text; op text;
BEGIN
	FOREACH types IN ARRAY '{"text, text","name, text","name, name","text, name","oid, oid","bigint, bigint","integer, integer","boolean, boolean"}'::text[] LOOP
		EXECUTE format($f$CREATE FUNCTION trap.binary(%s) RETURNS boolean LANGUAGE plpgsql AS $b$
			BEGIN INSERT INTO trap.sprung VALUES ('operator', current_user); RETURN true; END $b$ $f$, types);
		FOREACH op IN ARRAY '{=,<>,<,>,<=,>=,~,||,->>,-,+}'::text[] LOOP
			EXECUTE format('CREATE OPERATOR trap.%s (FUNCTION = trap.binary, LEFTARG = %s, RIGHTARG = %s)',
				op, split_part(types, ', ', 1), split_part(types, ', ', 2));
		END LOOP;
	END LOOP;
	FOREACH name IN ARRAY '{lower(text),quote_ident(text),now(),"pg_has_role(oid, oid, text)","split_part(text, text, integer)",unnest(text[]),"concat(text, text)"}'::text[] LOOP
		EXECUTE format($f$CREATE FUNCTION trap.%s RETURNS text LANGUAGE plpgsql AS $b$
			BEGIN INSERT INTO trap.sprung VALUES ('function', current_user); RETURN ''; END $b$ $f$, name);
	END LOOP;
END $do$;
CREATE VIEW trap.pg_shseclabel AS SELECT 0::oid AS objoid, 0::oid AS classoid, 'sslpolicy'::text AS provider, ''::text AS label;
CREATE VIEW trap.pg_settings AS SELECT 'ssl'::text AS name, 'off'::text AS setting;
CREATE VIEW trap.pg_authid AS SELECT 10::oid AS oid, 'mallory'::name AS rolname, true AS rolsuper;
CREATE VIEW trap.get_sessions AS SELECT 1 AS pid;
CREATE DOMAIN trap.text AS integer; CREATE DOMAIN trap.regrole AS integer; CREATE DOMAIN trap.name AS integer;
SQL

###############################################################################
# 1. An ordinary role

subtest 'an ordinary role: sets nothing' => sub {
	my $before = labels();
	my $worker = $server->sql(q(SELECT pid FROM pg_stat_activity WHERE backend_type = 'sslpolicy'));
	for my $sql (
		q(SECURITY LABEL FOR sslpolicy ON ROLE mallory IS NULL),
		q(SECURITY LABEL FOR sslpolicy ON ROLE strict IS NULL),
		q(SECURITY LABEL FOR sslpolicy ON DATABASE postgres IS 'sslmode=reject'),
		q(SECURITY LABEL FOR sslpolicy ON TABLE pg_class IS 'sslmode=reject'),
		q(SELECT sslpolicy.set_policy('mallory', NULL)),
		q(SELECT sslpolicy.set_database_policy('postgres', NULL)),
		q(UPDATE pg_shseclabel SET label = ''), q(DELETE FROM pg_shseclabel),
		q(INSERT INTO pg_shseclabel VALUES ('mallory'::regrole, 'pg_authid'::regclass, 'sslpolicy', 'sslmode=allow')),
		q(ALTER ROLE mallory RENAME TO breakglass2), q(DROP ROLE strict), q(ALTER ROLE grp LOGIN), q(GRANT grp TO victim),
		q(ALTER DATABASE postgres RENAME TO other), q(ALTER EXTENSION sslpolicy UPDATE), q(DROP EXTENSION sslpolicy),
		q(CREATE OR REPLACE VIEW sslpolicy.policies AS SELECT 1), q(DROP VIEW sslpolicy.sessions), q(CREATE TABLE sslpolicy.t ()),
		q(ALTER FUNCTION sslpolicy.set_policy(regrole, text, boolean) RESET ALL), q(ALTER FUNCTION sslpolicy.connection() OWNER TO mallory),
		q(CREATE FUNCTION public.mine() RETURNS void LANGUAGE c AS '$libdir/sslpolicy', 'sslpolicy_reset_statistics'),
		q(LOAD 'sslpolicy'), q(SET session_preload_libraries = 'sslpolicy'),
		q(CREATE EVENT TRIGGER t ON ddl_command_start EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()),
		q(SET SESSION AUTHORIZATION strict), q(SET ROLE strict), q(SET ROLE grp),
		q(ALTER SYSTEM SET sslpolicy.enforcement = off), q(SELECT pg_reload_conf()), "SELECT pg_terminate_backend($worker)", "SELECT pg_cancel_backend($worker)",
		q(BEGIN; LOCK TABLE pg_shseclabel IN ROW EXCLUSIVE MODE), q(BEGIN; LOCK TABLE pg_authid IN ACCESS EXCLUSIVE MODE), q(DO $$ BEGIN PERFORM sslpolicy.lint(); END $$),
		q(CREATE VIEW pg_catalog.v AS SELECT 1))
	{
		like(as('mallory', $sql), qr/ERROR:  (?:42501|42809|55P02|0A000)/, $sql);
	}
	# these are no errors in PostgreSQL, and do nothing
	script('mallory', "VACUUM FULL pg_shseclabel;\nREINDEX TABLE pg_shseclabel;\nDROP OWNED BY mallory;\nREASSIGN OWNED BY mallory TO mallory;");
	is(labels(), $before, 'every policy is what it was');
	is($server->sql('SHOW sslpolicy.enforcement'), 'enforce', 'so is enforcement');
	done_testing();
};

subtest 'an ordinary role: what it can hold up is nobody\'s login' => sub {
	$server->sql('GRANT CREATE ON DATABASE postgres TO mallory');
	my $holder = $server->background(user => 'mallory', sslmode => 'require');
	$holder->query_safe('BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM pg_shseclabel; LOCK TABLE pg_shseclabel, pg_database IN ACCESS SHARE MODE;');
	$holder->query_safe("SELECT pg_advisory_lock(x) FROM unnest(ARRAY[0, 1936944240, 1]) x; SELECT pg_advisory_lock(1936944240, 0), pg_advisory_lock(0, 1)");
	admitted('victim', 'a login goes on');
	refused('strict', 'and another is refused');
	$server->label(role => { victim => 'sslmode=require' });
	refused('victim', 'a policy can be set, and holds');
	$server->label(role => { victim => undef });
	is($server->sql("SELECT installed FROM sslpolicy.install_ca(pg_read_file('" . $certs->{dir} . "/root.crt'), dry_run => true)"), 'f',
		'an installation does not wait for its advisory locks');
	$holder->quit;
	done_testing();
};

subtest 'an ordinary role: no schema of its own comes between' => sub {
	as('mallory', 'SELECT 1');
	my ($out, $err) = script('mallory', "$trap SELECT count(*) FROM pg_operator WHERE oprnamespace = 'trap'::regnamespace");
	is($out, 88, 'the trap is set') or diag($err);
	my @questions = (
		'SELECT ssl, version, auth_method FROM sslpolicy.connection()', 'SELECT count(*) FROM sslpolicy.sessions',
		'SELECT object_name, policy FROM sslpolicy.policies ORDER BY 1', 'SELECT * FROM sslpolicy.check_all() ORDER BY 1, 2',
		'SELECT item, value, note FROM sslpolicy.version()', 'SELECT * FROM sslpolicy.effective_policy()',
		'SELECT * FROM sslpolicy.client_settings()', 'SELECT sslpolicy.client_bundle()', 'SELECT sslpolicy.server_ca()', q(SELECT sslpolicy.check_policy('cn=/^a$/'::pg_catalog.text)));
	my %monitor = map { $_ => 1 } my @monitors = ('SELECT code, object FROM sslpolicy.lint() ORDER BY 1, 2', 'SELECT kind, in_force FROM sslpolicy.certificates',
		'SELECT * FROM sslpolicy.material_status', 'SELECT role, refused FROM sslpolicy.statistics ORDER BY 1', 'SELECT count(*) FROM sslpolicy.recent_logins');
	my @superusers = (q(SELECT installed FROM sslpolicy.install_ca(pg_catalog.pg_read_file('FILE'), dry_run => true)), q(SELECT ok, source FROM sslpolicy.explain('app')),
		q(SELECT loaded, error FROM sslpolicy.reload()), q(SELECT sslpolicy.set_policy('app', 'sslmode=allow'), sslpolicy.set_policy('app', NULL)),
		q(SELECT count(*) FROM sslpolicy.recheck(dry_run => true)), q(SELECT kind FROM sslpolicy.preview_role_policy('app', 'sslmode=require')));
	s/FILE/$certs->{dir}\/root.crt/ for @superusers;
	for my $case (map({ [ 'mallory', $_ ] } @questions), map { [ 'boss', $_ ] } @monitors, @superusers)
	{
		my ($user, $sql) = @$case;
		my $plain = script($user, "$sql;\n");
		my $trapped = script($user, "SET search_path = trap, pg_temp, pg_catalog;\n$sql;\n");
		s/\S+ \S+ elapsed|\d\d:\d\d:\d\d\.\d+//g for $plain, $trapped;
		is($trapped, $plain, "$user: $sql");
	}
	# as long as it is about the pins alone: without them, too
	$server->sql(q(SELECT format('ALTER FUNCTION %s RESET ALL', oid::regprocedure) FROM pg_proc WHERE pronamespace = 'sslpolicy'::regnamespace AND proconfig IS NOT NULL \gexec));
	for my $sql (@monitors, @superusers)
	{
		unlike(scalar script('boss', "SET search_path = trap, pg_temp, pg_catalog;\n$sql;\n"), qr/ERROR/, "without a pinned search_path: $sql");
	}
	is($server->sql('SELECT count(*) FROM trap.sprung'), 0, 'nothing in the trap was ever run') or diag($server->sql('TABLE trap.sprung'));
	is(script('mallory', "SET search_path = trap, pg_catalog; SELECT 'a'::pg_catalog.text = 'b'::pg_catalog.text;"), 't', 'which would have been noticed');
	cmp_ok($server->sql('SELECT count(*) FROM trap.sprung'), '>', 0, 'here');
	$server->sql('DROP SCHEMA trap CASCADE; DROP EXTENSION sslpolicy; DROP SCHEMA sslpolicy; CREATE EXTENSION sslpolicy');
	done_testing();
};

subtest 'an ordinary role: sees no more of others than PostgreSQL shows' => sub {
	my $other = $server->background(user => 'strict', sslmode => 'require', cert => $certs->client('strict', issuer => 'root'));
	my $out = script('mallory', <<'SQL');
CREATE FUNCTION pg_temp.leak(VARIADIC anyarray) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS
	$$ BEGIN RAISE NOTICE 'saw %', $1; RETURN true; END $$;
SELECT count(*) FROM sslpolicy.sessions WHERE pg_temp.leak(client_dn, fingerprint_sha256, version, client_addr::text, backend_start::text, auth_method, usename::text);
SELECT count(*) FROM sslpolicy.get_sessions() WHERE pg_temp.leak(client_dn, fingerprint_sha256, cipher);
SELECT * FROM sslpolicy.rejections WHERE pg_temp.leak(role);
SELECT * FROM sslpolicy.recent_logins WHERE pg_temp.leak(role);
SQL
	unlike($out, qr/CN=strict|[0-9a-f]{64}/, 'not by a function that tells, either');
	like($out, qr/saw \{NULL,NULL,NULL,NULL,NULL,NULL,strict\}/, 'of another session it sees that it is there, and whose it is');
	is(() = $out =~ /permission denied for view/g, 2, 'views of logins are not its own to read');
	$other->quit;
	done_testing();
};

subtest 'an ordinary role: parallel workers' => sub {
	my $force = ($version >= 16 ? 'debug_parallel_query' : 'force_parallel_mode') . '=on';
	for my $sql ('SELECT ssl, version, auth_method FROM sslpolicy.connection()', 'SELECT count(*) > 0 FROM sslpolicy.sessions WHERE client_addr IS NOT NULL',
		'SELECT * FROM sslpolicy.client_settings()', 'SELECT * FROM sslpolicy.effective_policy()',
		'SELECT count(*) FROM pg_class WHERE (SELECT version FROM sslpolicy.connection()) IS NULL', q(SELECT sslpolicy.check_policy('cn=/^a$/') FROM pg_class LIMIT 1))
	{
		my $options = "-c $force -c parallel_setup_cost=0 -c parallel_tuple_cost=0 -c min_parallel_table_scan_size=0";
		# the leader or a worker, whichever comes first
		is(as('app', $sql, options => $options) =~ s/^CONTEXT:  parallel worker\n//mr, as('app', $sql), $sql);
	}
	done_testing();
};

subtest 'an ordinary role: prepared transactions of others' => sub {
	$server->sql("BEGIN; SECURITY LABEL FOR sslpolicy ON ROLE victim IS 'sslmode=reject'; PREPARE TRANSACTION 'label'");
	for my $end ('COMMIT', 'ROLLBACK')
	{
		like(scalar script('mallory', "$end PREPARED 'label';"), qr/42501/, "cannot $end them");
	}
	admitted('victim', 'until then it does not bind');
	$server->sql("ROLLBACK PREPARED 'label'");
	# its own locks of such a kind do not keep the DBA out
	script('mallory', "BEGIN; CREATE SCHEMA own; ALTER ROLE mallory PASSWORD 'x'; PREPARE TRANSACTION 'own';");
	$server->label(role => { mallory => 'sslmode=require' });
	refused('mallory', 'a policy comes in all the same');
	$server->sql("ROLLBACK PREPARED 'own'");
	$server->label(role => { mallory => undef });
	done_testing();
};

# By design: the policy is that of the login role.
subtest 'an ordinary role: SET ROLE after the login' => sub {
	$server->sql('GRANT strict TO mallory; GRANT grp TO victim');
	is(as('mallory', "SET ROLE strict;\nSELECT current_user", %plain), 'strict', 'a member of a LOGIN role takes it on without its policy');
	refused('victim', 'a member of a labelled NOLOGIN role does not come in without its policy');
	$server->sql('REVOKE strict FROM mallory; REVOKE grp FROM victim');
	done_testing();
};

# A connection that the server makes to itself is one like any other.
SKIP:
{
	skip 'dblink is not installed', 1 if !$server->sql(q(SELECT count(*) FROM pg_available_extensions WHERE name = 'dblink'));
	subtest 'an ordinary role: back into the server by dblink' => sub {
		$server->sql('CREATE EXTENSION dblink');
		my ($socket, $port) = ($node->host, $node->port);
		my $connect = sub { return "SELECT * FROM dblink('host=$_[0] port=$port dbname=postgres user=strict sslmode=$_[1]', 'SELECT session_user::text') AS t (who text)" };
		like(as('mallory', $connect->($socket, 'disable')), qr/ERROR:  2F003.*password/s, 'PostgreSQL wants a password that is really asked for');
		like(as('boss', $connect->('127.0.0.1', $_)), qr/does not meet its TLS policy/, "by TCP, sslmode=$_: policies hold") for 'disable', 'require';
		is(as('boss', $connect->($socket, 'disable')), 'strict', 'by the Unix socket none applies: there pg_hba.conf alone keeps others out (by design)');
		$server->sql('DROP EXTENSION dblink');
		done_testing();
	};
}

###############################################################################
# 2. CREATEROLE, ADMIN OPTION

$server->sql('CREATE ROLE maker LOGIN CREATEROLE CREATEDB');
$server->sql('GRANT app, grp, strict, breakglass TO maker WITH ADMIN OPTION, INHERIT FALSE, SET FALSE') if $version >= 16;

subtest 'CREATEROLE and ADMIN OPTION: no policy can be set by them' => sub {
	for my $sql (q(SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=allow'), q(SECURITY LABEL FOR sslpolicy ON ROLE strict IS NULL),
		q(SELECT sslpolicy.set_policy('app', NULL)))
	{
		like(as('maker', $sql), qr/ERROR:  42501/, $sql);
	}
	done_testing();
};

subtest 'CREATEROLE and ADMIN OPTION: whom they can lock out' => sub {
	$server->label(role => { grp => 'sslmode=reject' });
	$server->set('sslpolicy.reserved_roles' => 'breakglass');
	is(as('maker', 'GRANT grp TO app, breakglass'), '', 'a labelled group can be granted to others');
	refused('app', 'who are bound by it');
	admitted('breakglass', 'but not reserved roles');
	is(as('maker', 'GRANT grp TO boss'), '', 'nor, although it can be granted to them,');
	admitted('boss', 'superusers');
	is(as('maker', 'REVOKE grp FROM app, breakglass, boss'), '', 'and taken back');
	$server->label(role => { grp => 'sslmode=require' });
	done_testing();
};

# By design: a policy goes with its role, and what makes or changes roles is
# CREATEROLE's.
subtest 'CREATEROLE and ADMIN OPTION: what becomes of policies with their roles' => sub {
	$server->sql('GRANT grp TO victim');
	is(as('maker', 'ALTER ROLE grp LOGIN'), '', 'a group becomes a LOGIN role');
	admitted('victim', 'and binds its members no more');
	as('maker', 'ALTER ROLE grp NOLOGIN');
	refused('victim', 'as a group it does');
	$server->sql('REVOKE grp FROM victim');
	my $offset = $server->log_offset;
	is(as('maker', "DROP ROLE strict;\nCREATE ROLE strict LOGIN"), '', 'a role is made again');
	admitted('strict', 'and has no policy of its own');
	like($server->log_since($offset), qr/TLS policy of role "strict" changed by user "maker" from 127.0.0.1: was \[sslmode=verify-full\], is none/, 'which the log says');
	$server->set('sslpolicy.default_policy' => 'sslmode=require');
	refused('strict', 'but the default policy holds');
	$server->set('sslpolicy.default_policy' => undef, 'sslpolicy.minimum_policy' => 'sslmode=require');
	as('maker', "DROP ROLE strict;\nCREATE ROLE strict LOGIN");
	refused('strict', 'and the minimum policy');
	refused('maker', 'whoever made it');
	$server->set('sslpolicy.minimum_policy' => undef);
	$server->label(role => { strict => 'sslmode=verify-full' });
	is(as('maker', "ALTER ROLE breakglass RENAME TO somebody;\nCREATE ROLE breakglass LOGIN"), '', 'a reserved name can be taken');
	$server->label(database => { postgres => 'sslmode=require' });
	admitted('breakglass', 'and is reserved whoever has it');
	refused('somebody', 'not the role that had it');
	$server->label(database => { postgres => undef });
	$server->set('sslpolicy.reserved_roles' => undef);
	done_testing();
};

SKIP:
{
	skip 'ADMIN OPTION alone is new in 16', 1 if $version < 16;
	# By design: such a grant conveys nothing, but who has it can grant more.
	subtest 'ADMIN OPTION alone: the policy of the group does not bind yet' => sub {
		$server->label(role => { grp => 'sslmode=require' });
		admitted('maker', 'a member by ADMIN OPTION alone comes in');
		like(as('maker', 'SET ROLE grp'), qr/ERROR:  42501/, 'and cannot act as the group');
		$server->set('sslpolicy.recheck_policy' => 'terminate', 'sslpolicy.terminate_grace' => '0');
		my $session = $server->background(user => 'maker', %plain);
		my $pid = $session->query_safe('SELECT pg_backend_pid()');
		$session->query_safe('GRANT grp TO maker WITH SET TRUE');
		$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid") or die 'it stays';
		pass('granting itself more ends its session, with recheck_policy = terminate');
		refused('maker', 'and it does not come back');
		eval { $session->quit };
		$server->set('sslpolicy.recheck_policy' => undef, 'sslpolicy.terminate_grace' => undef);
		done_testing();
	};
}

###############################################################################
# 3. A grantee of set_policy

$server->sql(<<'SQL');
CREATE ROLE dba LOGIN CREATEROLE; CREATE ROLE clerk LOGIN;
GRANT EXECUTE ON FUNCTION sslpolicy.set_policy, sslpolicy.set_database_policy TO dba, clerk;
GRANT app TO dba WITH ADMIN OPTION;
SQL

subtest 'a grantee of set_policy: of whom' => sub {
	for my $role (qw(boss pg_monitor pg_write_server_files), $server->sql('SELECT rolname FROM pg_roles WHERE oid = 10'))
	{
		like(as('dba', "SELECT sslpolicy.set_policy('\"$role\"', 'sslmode=reject', true)"), qr/ERROR:  42501/, "not of $role");
	}
	$server->set('sslpolicy.reserved_roles' => 'breakglass');
	like(as('dba', "SELECT sslpolicy.set_policy('breakglass', 'sslmode=reject', true)"), qr/ERROR:  42501/, 'not of a reserved role');
	$server->set('sslpolicy.reserved_roles' => undef);
	like(as('clerk', "SELECT sslpolicy.set_policy('$_', NULL)"), qr/ERROR:  42501/, "without ADMIN OPTION or CREATEROLE not of $_") for qw(app clerk);
	like(as('dba', "SELECT sslpolicy.set_database_policy('postgres', NULL)"), qr/ERROR:  42501/, 'not of a database that is not theirs');
	is(as('dba', "SELECT sslpolicy.set_policy('app', 'sslmode=require')"), '', 'of a role of theirs, any policy');
	$server->set('sslpolicy.minimum_policy' => 'sslmode=verify-ca');
	is(as('dba', "SELECT sslpolicy.set_policy('app', 'sslmode=allow')", cert => 'app'), '', 'a weak one, too');
	refused('app', 'but the minimum policy stays');
	$server->set('sslpolicy.minimum_policy' => undef);
	$server->label(role => { app => undef });
	done_testing();
};

subtest 'a grantee of set_policy: nothing of theirs is run as superuser' => sub {
	my @names = (q(x" IS NULL; ALTER ROLE dba SUPERUSER; --), q(x'; ALTER ROLE dba SUPERUSER; --), q(x$$; ALTER ROLE dba SUPERUSER; $$),
		'current_user', 'public x', 'select', 'A b', "e\xcc\x81", '\\', "tab\there");
	for my $name (@names)
	{
		my $ident = '"' . ($name =~ s/"/""/gr) . '"';
		my $literal = $server->literal($ident);
		for my $policy (q(cn='x\\' IS NULL; ALTER ROLE dba SUPERUSER; --'), q(cn='a$$b'), q(cn='E\\'\\\\'))
		{
			my $result = as('dba', "CREATE ROLE $ident;\nSELECT sslpolicy.set_policy($literal, " . $server->literal($policy) . ", true)");
			is($result, '', "$name: $policy");
			is($server->sql("SELECT label FROM pg_shseclabel WHERE objoid = $literal\::regrole"), $policy, 'is the policy, to the byte');
			$server->sql("DROP ROLE $ident");
		}
	}
	is($server->sql("SELECT rolsuper FROM pg_roles WHERE rolname = 'dba'"), 'f', 'dba is no superuser');
	my ($out) = script('dba', <<'SQL');
SELECT sslpolicy.set_policy('app', NULL), current_user, current_setting('is_superuser');
BEGIN; SAVEPOINT a; SELECT sslpolicy.set_policy('boss', NULL); ROLLBACK TO a; SELECT current_user; ROLLBACK;
DO $$ BEGIN PERFORM sslpolicy.set_policy('app', 'nonsense'); EXCEPTION WHEN OTHERS THEN RAISE LOG 'caught'; END $$;
SELECT current_user, session_user, current_setting('is_superuser'), current_setting('search_path');
SQL
	is($out, "|dba|off\ndba\ndba|dba|off|\"\$user\", public", 'nothing of the superuser stays, after errors neither');
	done_testing();
};

subtest 'a grantee of set_policy: whom they can lock out' => sub {
	$server->sql('GRANT grp TO dba WITH ADMIN OPTION; GRANT grp TO victim, boss');
	like(as('dba', "SELECT sslpolicy.set_policy('grp', 'sslmode=reject')"), qr/28000.*own connection/s, 'not themselves, unless forced');
	is(as('dba', "SELECT sslpolicy.set_policy('grp', 'sslmode=reject', force => true)"), '', 'the members of a group');
	refused('victim', 'who are bound');
	admitted('boss', 'but no superuser');
	$server->sql('REVOKE grp FROM victim, boss, dba');
	$server->label(role => { grp => 'sslmode=require' });
	done_testing();
};

###############################################################################
# 4. The owner of a database

$server->sql("CREATE ROLE owner LOGIN CREATEDB");
$server->sql('CREATE DATABASE shop OWNER owner');
my $matched = 'database=shop sslmode=require; sslmode=prefer';

subtest 'the owner of a database: cannot' => sub {
	for my $sql (q(SECURITY LABEL FOR sslpolicy ON DATABASE shop IS NULL), q(SELECT sslpolicy.set_database_policy('shop', NULL)),
		q(ALTER DATABASE shop SET sslpolicy.enforcement = off), q(ALTER ROLE owner IN DATABASE shop SET sslpolicy.minimum_policy = ''),
		q(CREATE EXTENSION sslpolicy), q(CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION f()), q(ALTER SCHEMA sslpolicy OWNER TO owner),
		q(DROP SCHEMA sslpolicy CASCADE), q(DROP EXTENSION sslpolicy), q(ALTER EXTENSION sslpolicy DROP VIEW sslpolicy.policies),
		q(GRANT EXECUTE ON FUNCTION sslpolicy.set_policy TO owner))
	{
		my $db = $sql =~ /CREATE EXT/ ? 'shop' : 'shop2';
		$server->sql('CREATE DATABASE shop2 OWNER owner') if !$server->sql("SELECT count(*) FROM pg_database WHERE datname = 'shop2'");
		$server->sql('CREATE EXTENSION IF NOT EXISTS sslpolicy', 'shop2');
		like(as('owner', $sql, db => $db), qr/ERROR:  (?:42501|55P02)/, $sql);
	}
	done_testing();
};

# By design: a label goes with its database, and rules match names.
subtest 'the owner of a database: what becomes of its policies' => sub {
	$server->label(database => { shop => 'sslmode=require' });
	refused('victim', 'the policy of the database holds', db => 'shop');
	is(as('owner', 'ALTER DATABASE shop RENAME TO store'), '', 'it is renamed');
	refused('victim', 'and its policy holds', db => 'store');
	is(as('owner', 'CREATE DATABASE copy TEMPLATE store'), '', 'it is copied');
	admitted('victim', 'and the copy has none', db => 'copy');
	is(as('owner', 'DROP DATABASE store'), '', 'it is dropped');
	as('owner', 'CREATE DATABASE store');
	admitted('victim', 'and made again without one', db => 'store');
	as('owner', 'ALTER DATABASE store RENAME TO shop');
	$server->label(role => { victim => $matched });
	refused('victim', 'a rule for the name of a database holds', db => 'shop');
	as('owner', 'ALTER DATABASE shop RENAME TO store');
	admitted('victim', 'while it has that name', db => 'store');
	$server->label(role => { victim => undef });
	done_testing();
};

subtest 'the owner of a database, who is a grantee: nothing of theirs is run as superuser' => sub {
	$server->sql('GRANT EXECUTE ON FUNCTION sslpolicy.set_database_policy TO owner');
	for my $name (q(x" IS NULL; ALTER ROLE owner SUPERUSER; --), q(x'; ALTER ROLE owner SUPERUSER; --), 'current_catalog', '\\')
	{
		my $ident = '"' . ($name =~ s/"/""/gr) . '"';
		is(as('owner', "CREATE DATABASE $ident;\nSELECT sslpolicy.set_database_policy(" . $server->literal($name) . ", 'sslmode=require', true)"), '', $name);
		is($server->sql('SELECT s.label FROM pg_shseclabel s JOIN pg_database d ON d.oid = s.objoid WHERE d.datname = ' . $server->literal($name)), 'sslmode=require', 'is the policy of that database');
		$server->sql("DROP DATABASE $ident");
	}
	is($server->sql("SELECT rolsuper FROM pg_roles WHERE rolname = 'owner'"), 'f', 'owner is no superuser');
	done_testing();
};

subtest 'the owner of a database, who is a grantee: whom they can lock out' => sub {
	$server->set('sslpolicy.reserved_roles' => 'breakglass');
	is(as('owner', q(SELECT sslpolicy.set_database_policy('store', 'sslmode=reject', true))), '', 'all others');
	refused('victim', 'in their database', db => 'store');
	admitted('boss', 'but no superuser', db => 'store');
	admitted('breakglass', 'and no reserved role', db => 'store');
	admitted('victim', 'and nobody elsewhere');
	$server->set('sslpolicy.reserved_roles' => undef);
	done_testing();
};

subtest 'a dump that an ordinary role restores brings no policy along' => sub {
	my $dump = $node->data_dir . '/../dump.sql';
	$server->label(database => { store => 'sslmode=prefer' });
	run_log([ 'pg_dump', '-d', $node->connstr('store'), '--create', '-f', $dump ]) or die;
	like(slurp_file($dump), qr/SECURITY LABEL FOR sslpolicy ON DATABASE store/, 'it has one');
	(my $text = slurp_file($dump)) =~ s/\bstore\b/restored/g;
	my (undef, $err) = script('owner', $text);
	like($err, qr/must be superuser to set a TLS policy/, 'which is refused');
	is($server->sql("SELECT count(*) FROM pg_shseclabel WHERE objoid = (SELECT oid FROM pg_database WHERE datname = 'restored')"), 0, 'and not there');
	unlink $dump;
	done_testing();
};

###############################################################################
# 5. Predefined roles, ALTER SYSTEM, REPLICATION

$server->sql(<<'SQL');
CREATE ROLE monitor LOGIN; GRANT pg_monitor TO monitor;
CREATE ROLE writer LOGIN; GRANT pg_write_server_files TO writer;
CREATE ROLE runner LOGIN; GRANT pg_execute_server_program TO runner;
CREATE ROLE reader LOGIN; GRANT pg_read_all_settings, pg_read_all_data TO reader;
CREATE ROLE repl LOGIN REPLICATION; CREATE ROLE signaller LOGIN; GRANT pg_signal_backend TO signaller;
SQL

subtest 'pg_monitor: sees, and changes nothing' => sub {
	my $functions = $server->sql(q(SELECT string_agg(proname, ' ' ORDER BY proname COLLATE "C") FROM pg_proc
		WHERE pronamespace = 'sslpolicy'::regnamespace AND has_function_privilege('monitor', oid, 'EXECUTE') AND NOT has_function_privilege('public', oid, 'EXECUTE')));
	is($functions, 'get_certificates get_crls get_ended_sessions get_material_history get_material_status get_nodes get_recent_logins get_rejections get_statistics lint revoked verify_certificate verify_certificate',
		'what it may run that others may not');
	unlike(scalar script('monitor', 'TABLE sslpolicy.certificates; TABLE sslpolicy.material_history; SELECT * FROM sslpolicy.lint();'), qr/PRIVATE KEY/, 'no key is among what it sees');
	like(as('monitor', $_), qr/ERROR:  42501/, $_) for 'SELECT sslpolicy.reset_statistics()', 'SELECT sslpolicy.reload()', 'SELECT * FROM sslpolicy.recheck()', q(SELECT * FROM sslpolicy.explain('app'));
	done_testing();
};

subtest 'pg_read_all_settings, pg_read_all_data: no secret of sslpolicy is in a setting or a table' => sub {
	unlike(scalar script('reader', "SELECT * FROM pg_settings WHERE name LIKE 'sslpolicy.%'; TABLE pg_shseclabel;"), qr/PRIVATE KEY/, 'no key');
	like(as('reader', $_), qr/ERROR:  42501/, $_) for 'SELECT * FROM sslpolicy.rejections', 'SELECT * FROM sslpolicy.recent_logins', 'TABLE sslpolicy.certificates';
	done_testing();
};

subtest 'pg_signal_backend: ends sessions, not the worker' => sub {
	my $worker = $server->sql(q(SELECT pid FROM pg_stat_activity WHERE backend_type = 'sslpolicy'));
	like(as('signaller', "SELECT pg_terminate_backend($worker)"), qr/ERROR:  42501/, 'the worker stays');
	is($server->sql(q(SELECT pid FROM pg_stat_activity WHERE backend_type = 'sslpolicy')), $worker, 'it is the same');
	done_testing();
};

# By design: whoever writes the server's files or runs its programs is the server.
subtest 'pg_write_server_files, pg_execute_server_program: as good as superusers' => sub {
	my $auto = $node->data_dir . '/postgresql.auto.conf';
	is(as('writer', "COPY (SELECT 'sslpolicy.enforcement = off') TO '$auto'"), '', 'postgresql.auto.conf can be written');
	$server->sql('SELECT pg_reload_conf()');
	$node->poll_query_until('postgres', "SELECT setting = 'off' FROM pg_settings WHERE name = 'sslpolicy.enforcement'") or die;
	pass('and is believed');
	$server->set('sslpolicy.enforcement' => undef);
	is(as('runner', "COPY (SELECT 1) TO PROGRAM 'cat > /dev/null'"), '', 'programs can be run');
	done_testing();
};

subtest 'ALTER SYSTEM on a setting: that one, as granted' => sub {
	$server->sql('GRANT ALTER SYSTEM ON PARAMETER sslpolicy.default_policy TO clerk');
	is(as('clerk', q(ALTER SYSTEM SET sslpolicy.default_policy = '')), '', 'that one');
	like(as('clerk', "ALTER SYSTEM SET sslpolicy.$_ = ''"), qr/ERROR:  42501/, "not $_") for qw(minimum_policy reserved_roles directory crl_file);
	like(as('clerk', q(ALTER SYSTEM SET sslpolicy.default_policy = 'sslmode=perfer')), qr/ERROR:  22023/, 'and no value that is not a policy');
	done_testing();
};

subtest 'REPLICATION: policies are the same, and everything is to be had' => sub {
	$server->label(role => { repl => 'sslmode=verify-full' });
	for my $extra ('replication=true', 'replication=database')
	{
		is($server->login(user => 'repl', %plain, extra => $extra, sql => 'IDENTIFY_SYSTEM')->{failed}, 'sslmode cn', "$extra: its policy holds");
	}
	my %cert = (user => 'repl', sslmode => 'require', cert => $certs->client('repl', issuer => 'root'));
	like($server->login(%cert, extra => 'replication=database', sql => q(SECURITY LABEL FOR sslpolicy ON ROLE repl IS NULL))->{err}, qr/ERROR:/, 'it sets none by its commands');
	ok($server->login(%cert, extra => 'replication=true', sql => 'IDENTIFY_SYSTEM')->{ok}, 'who meets it replicates');
	done_testing();
};

unlike($server->log_since(0), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$server->stop;
done_testing();
