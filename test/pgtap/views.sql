-- The views: their columns, comments and privileges; and what a session of a
-- role sees of others.
BEGIN;
SELECT plan(50);

-- columns, in order
CREATE FUNCTION pg_temp.columns_of(view regclass) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
      FROM pg_attribute WHERE attrelid = view AND attnum > 0 AND NOT attisdropped $$;
SELECT is(pg_temp.columns_of('sslpolicy.policies'),
          'object_type text, object_name text, rule integer, address text[], database text[], '
          'sslmode text, min_protocol text, cipher text[], cn text[], uid text[], email text[], '
          'dn text[], san text[], ignore_case boolean, ou text[], o text[], '
          'fingerprint text[], issuer text[], ca_fingerprint text[], max_lifetime interval, '
          'on_expiry text, action text, policy text, error text',
          'columns of policies');
SELECT is(pg_temp.columns_of('sslpolicy.sessions'),
          'pid integer, usename name, datname name, client_addr inet, '
          'backend_start timestamp with time zone, ssl boolean, version text, cipher text, '
          'bits integer, key_exchange text, client_cn text, client_dn text, client_sans text[], '
          'issuer_dn text, client_serial numeric, fingerprint_sha256 text, '
          'ca_fingerprint_sha256 text, not_before timestamp with time zone, '
          'not_after timestamp with time zone, key_algorithm text, key_bits integer, '
          'signature_algorithm text, verified boolean, auth_method text, compliant boolean',
          'columns of sessions');
SELECT is((SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
            WHERE attrelid = 'sslpolicy.sessions'::regclass AND attnum BETWEEN 6 AND 24),
          (SELECT proargnames FROM pg_proc WHERE oid = 'sslpolicy.connection()'::regprocedure),
          'sessions has the columns of connection() between ssl and auth_method');

SELECT is(pg_temp.columns_of('sslpolicy.recent_logins'),
          'role text, database text, address inet, tls_version text, client_dn text, '
          'issuer_dn text, last_login timestamp with time zone, count bigint, cipher text, '
          'client_cn text, client_sans text[], client_serial numeric, fingerprint_sha256 text, '
          'not_before timestamp with time zone, not_after timestamp with time zone, '
          'auth_method text, compliant boolean',
          'columns of recent_logins');
SELECT is(pg_temp.columns_of('sslpolicy.rejections'),
          'at timestamp with time zone, first_at timestamp with time zone, count bigint, '
          'then_admitted bigint, role text, database text, address inet, would_be boolean, reasons text[], source text, '
          'tls_version text, client_dn text, client_serial numeric, fingerprint_sha256 text',
          'columns of rejections');
SELECT is(pg_temp.columns_of('sslpolicy.statistics'),
          'role text, allowed bigint, refused bigint, logged bigint, ended bigint, '
          'last_allowed timestamp with time zone, last_refused timestamp with time zone, '
          'last_logged timestamp with time zone, last_ended timestamp with time zone, '
          'earliest_expiry timestamp with time zone',
          'columns of statistics');

-- comments
SELECT isnt(obj_description(view, 'pg_class'), NULL, view || ' has a comment')
  FROM unnest(ARRAY['sslpolicy.policies', 'sslpolicy.sessions', 'sslpolicy.recent_logins',
                    'sslpolicy.rejections', 'sslpolicy.statistics']::regclass[]) view;
SELECT is_empty(format($$
    SELECT attname FROM pg_attribute
     WHERE attrelid = %L::regclass AND attnum > 0
       AND coalesce(col_description(attrelid, attnum), '') = ''$$, view),
    'every column of ' || view || ' has a comment')
  FROM unnest(ARRAY['sslpolicy.policies', 'sslpolicy.sessions', 'sslpolicy.recent_logins',
                    'sslpolicy.rejections', 'sslpolicy.statistics']::regclass[]) view;

-- privileges
SELECT table_privs_are('sslpolicy', view, 'public', ARRAY['SELECT'],
                       'everybody may read ' || view || ', and nothing else')
  FROM unnest(ARRAY['policies', 'sessions']::name[]) view;
SELECT table_privs_are('sslpolicy', view, 'pg_monitor', ARRAY['SELECT'],
                       'pg_monitor may read ' || view || ', and nothing else')
  FROM unnest(ARRAY['recent_logins', 'rejections', 'statistics']::name[]) view;
SELECT table_privs_are('sslpolicy', view, 'public', '{}', 'others may not')
  FROM unnest(ARRAY['recent_logins', 'rejections', 'statistics']::name[]) view;
SELECT function_privs_are('sslpolicy', 'get_' || view, '{}'::name[], 'pg_monitor', ARRAY['EXECUTE'],
                          'nor read its rows in another way: ' || view)
  FROM unnest(ARRAY['recent_logins', 'rejections', 'statistics']::name[]) view;
SELECT is_empty($$
    SELECT attname FROM pg_attribute
     WHERE attrelid IN ('sslpolicy.policies'::regclass, 'sslpolicy.sessions'::regclass)
       AND attacl IS NOT NULL$$, 'no column has privileges of its own');
SELECT is((SELECT count(*) FROM pg_class WHERE relnamespace = 'sslpolicy'::regnamespace
              AND reloptions IS NOT NULL), 0::bigint, 'no view has options');

-- whatever the search path, the views are the same
CREATE TEMP TABLE pg_authid (oid oid, rolname name);
CREATE TEMP TABLE pg_database (oid oid, datname name);
CREATE FUNCTION pg_temp.get_sessions() RETURNS int LANGUAGE sql AS 'SELECT 1/0';
SET LOCAL search_path = pg_temp, public;
SELECT is((SELECT usename FROM sslpolicy.sessions WHERE pid = pg_backend_pid()), session_user,
          'sessions is not led astray by tables of the caller');
CREATE TEMP TABLE pg_roles (oid oid, rolname name);
CREATE FUNCTION pg_temp.get_recent_logins() RETURNS int LANGUAGE sql AS 'SELECT 1/0';
SELECT cmp_ok((SELECT count(*) FROM sslpolicy.recent_logins WHERE role = session_user), '>=', 1::bigint,
              'nor is recent_logins');
SELECT cmp_ok((SELECT allowed FROM sslpolicy.statistics WHERE role = session_user), '>=', 1::bigint,
              'nor statistics');
RESET search_path;
DROP TABLE pg_temp.pg_authid, pg_temp.pg_database, pg_temp.pg_roles;
DROP FUNCTION pg_temp.get_recent_logins();
DROP FUNCTION pg_temp.get_sessions();

-- policies: a row a rule
CREATE ROLE sslpolicy_policies;
SELECT sslpolicy.set_policy('sslpolicy_policies',
    'address=::1 sslmode=allow; cn=a cn=b max_lifetime=90d on_expiry=end') \g /dev/null
SELECT results_eq($$
    SELECT rule, address, sslmode, cn, max_lifetime, on_expiry, action FROM sslpolicy.policies
     WHERE object_type = 'role' AND object_name = 'sslpolicy_policies' ORDER BY rule$$,
    $$VALUES (1, '{::1}'::text[], 'allow', NULL::text[], NULL::interval, 'keep', 'reject'),
             (2, NULL, 'verify-full', '{a,b}', '90 days', 'end', 'reject')$$,
    'policies has a row for each rule');
SELECT is(count(DISTINCT policy), 1::bigint, 'with the text of the whole policy in each')
  FROM sslpolicy.policies WHERE object_name = 'sslpolicy_policies';
UPDATE pg_shseclabel SET label = 'x' WHERE objoid = 'sslpolicy_policies'::regrole;
SELECT results_eq($$
    SELECT rule, sslmode, policy, error FROM sslpolicy.policies
     WHERE object_name = 'sslpolicy_policies'$$,
    $$VALUES (NULL::int, NULL, 'x', 'missing "=" after "x"')$$,
    'and one that says why for a policy that cannot be read');

-- sessions: of this one
SELECT results_eq($$
    SELECT usename, datname, client_addr, ssl, verified, compliant FROM sslpolicy.sessions
     WHERE pid = pg_backend_pid()$$,
    $$SELECT session_user, current_database(), NULL::inet, false, false, true$$,
    'this session is there');
SELECT is(s.backend_start, a.backend_start, 'since it was started')
  FROM sslpolicy.sessions s JOIN pg_stat_activity a USING (pid) WHERE pid = pg_backend_pid();

-- sessions of other roles, which log in from here
SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'dblink') AS has_dblink \gset
\if :has_dblink
CREATE EXTENSION dblink;
CREATE FUNCTION pg_temp.log_in(connection text, as_role text) RETURNS text LANGUAGE sql AS $$
    SELECT dblink_connect(connection,
        format('host=%s port=%s dbname=%s user=%s', split_part(current_setting('unix_socket_directories'), ',', 1),
               current_setting('port'), current_database(), as_role)) $$;
-- which columns the session of a connection has values in, seen by another
CREATE FUNCTION pg_temp.seen(by text, whose int) RETURNS text LANGUAGE sql AS $$
    SELECT columns FROM dblink(by, format($q$
        SELECT string_agg(key, ' ' ORDER BY key COLLATE "C")
          FROM sslpolicy.sessions s, jsonb_object_keys(jsonb_strip_nulls(to_jsonb(s))) key
         WHERE pid = %s$q$, whose)) AS t(columns text) $$;
CREATE FUNCTION pg_temp.pid_of(connection text) RETURNS int LANGUAGE sql AS $$
    SELECT pid FROM dblink(connection, 'SELECT pg_backend_pid()') AS t(pid int) $$;

SELECT pg_temp.log_in('admin', current_user) \g /dev/null
SELECT dblink_exec('admin', 'CREATE ROLE sslpolicy_one LOGIN') \g /dev/null
SELECT dblink_exec('admin', 'CREATE ROLE sslpolicy_two LOGIN') \g /dev/null
SELECT dblink_exec('admin', 'CREATE ROLE sslpolicy_stats LOGIN IN ROLE pg_read_all_stats') \g /dev/null
SELECT pg_temp.log_in('one', 'sslpolicy_one') \g /dev/null
SELECT pg_temp.log_in('one again', 'sslpolicy_one') \g /dev/null
SELECT pg_temp.log_in('two', 'sslpolicy_two') \g /dev/null
SELECT pg_temp.log_in('stats', 'sslpolicy_stats') \g /dev/null
SELECT pg_temp.pid_of('one') AS one, pg_temp.pid_of('one again') AS one_again,
       pg_temp.pid_of('two') AS two \gset

\set everything 'auth_method backend_start compliant datname pid ssl usename verified'
\set identity 'datname pid usename'
SELECT is(pg_temp.seen('one', :one), :'everything', 'a role sees everything of its own session');
SELECT is(pg_temp.seen('one', :one_again), :'everything', 'and of its other sessions');
SELECT is(pg_temp.seen('one', :two), :'identity', 'of others only who they are');
SELECT is(pg_temp.seen('two', :one), :'identity', 'and others of it');
SELECT is(pg_temp.seen('one', pg_backend_pid()), :'identity', 'also of superusers');
SELECT is(pg_temp.seen('stats', :one), :'everything', 'pg_read_all_stats sees everything');
SELECT is(pg_temp.seen('admin', :one), :'everything', 'and so does a superuser');
SELECT is((SELECT array_agg(usename::text ORDER BY usename) FROM sslpolicy.sessions
            WHERE pid IN (:one, :one_again, :two)),
          ARRAY['sslpolicy_one', 'sslpolicy_one', 'sslpolicy_two'],
          'each session has one row, with its login role');

-- what SET ROLE makes of a session changes what it sees, not what it is
SELECT dblink_exec('admin', 'GRANT sslpolicy_two TO sslpolicy_one') \g /dev/null
SELECT is(pg_temp.seen('one', :two), :'everything', 'a member sees what the role sees');
SELECT dblink_exec('one', 'SET ROLE sslpolicy_two') \g /dev/null
SELECT is(pg_temp.seen('one', :one), :'identity', 'after SET ROLE it sees what that role sees');
SELECT is((SELECT usename FROM sslpolicy.sessions WHERE pid = :one), 'sslpolicy_one',
          'its login role stays');

-- a rename shows, an end shows
SELECT dblink_exec('admin', 'ALTER ROLE sslpolicy_two RENAME TO sslpolicy_three') \g /dev/null
SELECT is((SELECT usename FROM sslpolicy.sessions WHERE pid = :two), 'sslpolicy_three',
          'a role that is renamed shows under its new name');
SELECT dblink_disconnect(name) FROM unnest(ARRAY['one', 'one again', 'two', 'stats']) name \g /dev/null
CREATE FUNCTION pg_temp.are_gone(VARIADIC pids int[]) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..600 LOOP
        IF NOT EXISTS (SELECT FROM sslpolicy.sessions WHERE pid = ANY (pids)) THEN
            RETURN true;
        END IF;
        PERFORM pg_sleep(0.05);
    END LOOP;
    RETURN false;
END $$;
SELECT ok(pg_temp.are_gone(:one, :one_again, :two), 'sessions that have ended are gone');
SELECT dblink_exec('admin', 'DROP ROLE sslpolicy_one, sslpolicy_three, sslpolicy_stats') \g /dev/null
SELECT dblink_disconnect('admin') \g /dev/null
\else
SELECT skip('dblink is not installed', 13);
\endif

SELECT * FROM finish();
ROLLBACK;
