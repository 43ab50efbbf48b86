-- Every function: its signature and how PostgreSQL may call it; what its
-- arguments do by default; who may call it.
BEGIN;
SELECT plan(253);

CREATE TEMP TABLE expected (
    signature text, arguments text, result text, volatility name, strict boolean,
    parallel "char", rows real, config text[], everybody boolean);
INSERT INTO expected VALUES
    ('sslpolicy.check_policy(text)',
     'policy text',
     'text', 'stable', true, 's', 0, NULL, true),
    ('sslpolicy.set_policy(regrole,text,boolean)',
     'role regrole, policy text, force boolean DEFAULT false',
     'void', 'volatile', false, 'u', 0, '{"search_path=pg_catalog, pg_temp"}', false),
    ('sslpolicy.set_database_policy(name,text,boolean)',
     'database name, policy text, force boolean DEFAULT false',
     'void', 'volatile', false, 'u', 0, '{"search_path=pg_catalog, pg_temp"}', false),
    ('sslpolicy.get_policies()',
     'OUT object_type text, OUT object_name text, OUT rule integer, OUT address text[], '
     'OUT database text[], OUT sslmode text, OUT min_protocol text, OUT cipher text[], '
     'OUT cn text[], OUT uid text[], OUT email text[], OUT dn text[], OUT san text[], OUT ignore_case boolean, OUT ou text[], OUT o text[], OUT fingerprint text[], OUT issuer text[], '
     'OUT ca_fingerprint text[], OUT max_lifetime interval, OUT on_expiry text, '
     'OUT action text, OUT policy text, OUT error text',
     'SETOF record', 'stable', true, 'r', 100, NULL, true),
    ('sslpolicy.connection()',
     'OUT ssl boolean, OUT version text, OUT cipher text, OUT bits integer, '
     'OUT key_exchange text, OUT client_cn text, OUT client_dn text, OUT client_sans text[], '
     'OUT issuer_dn text, OUT client_serial numeric, OUT fingerprint_sha256 text, '
     'OUT ca_fingerprint_sha256 text, OUT not_before timestamp with time zone, '
     'OUT not_after timestamp with time zone, OUT key_algorithm text, OUT key_bits integer, '
     'OUT signature_algorithm text, OUT verified boolean, OUT auth_method text',
     'record', 'stable', true, 'r', 0, NULL, true),
    ('sslpolicy.get_sessions()',
     'OUT pid integer, OUT usesysid oid, OUT datid oid, OUT client_addr inet, '
     'OUT backend_start timestamp with time zone, '
     'OUT ssl boolean, OUT version text, OUT cipher text, OUT bits integer, '
     'OUT key_exchange text, OUT client_cn text, OUT client_dn text, OUT client_sans text[], '
     'OUT issuer_dn text, OUT client_serial numeric, OUT fingerprint_sha256 text, '
     'OUT ca_fingerprint_sha256 text, OUT not_before timestamp with time zone, '
     'OUT not_after timestamp with time zone, OUT key_algorithm text, OUT key_bits integer, '
     'OUT signature_algorithm text, OUT verified boolean, OUT auth_method text, '
     'OUT compliant boolean',
     'SETOF record', 'volatile', true, 'r', 100, NULL, true),
    ('sslpolicy.client_settings(regrole,name,inet,text)',
     'role regrole, database name DEFAULT NULL::name, address inet DEFAULT NULL::inet, '
     'directory text DEFAULT ''/etc/ssl/postgresql''::text, '
     'OUT setting text, OUT value text, OUT note text',
     'SETOF record', 'volatile', false, 'r', 30, NULL, false),
    ('sslpolicy.client_settings()',
     'OUT setting text, OUT value text, OUT note text',
     'SETOF record', 'volatile', true, 'r', 30, NULL, true),
    ('sslpolicy.client_bundle(regrole,name,inet)',
     'role regrole, database name DEFAULT NULL::name, address inet DEFAULT NULL::inet',
     'text', 'volatile', false, 'r', 0, NULL, false),
    ('sslpolicy.client_bundle()', '',
     'text', 'volatile', true, 'r', 0, NULL, true),
    ('sslpolicy.server_ca()', '',
     'text', 'volatile', true, 'r', 0, NULL, true),
    ('sslpolicy.version()',
     'OUT item text, OUT value text, OUT note text',
     'SETOF record', 'volatile', true, 'r', 12, NULL, true),
    ('sslpolicy.check_all()',
     'OUT object_type text, OUT object_name text, OUT policy text, OUT error text',
     'SETOF record', 'stable', true, 'r', 100, NULL, true),
    ('sslpolicy.lint()',
     'OUT severity text, OUT code text, OUT object text, OUT finding text, OUT remedy text',
     'SETOF record', 'volatile', false, 'u', 10, '{"search_path=pg_catalog, pg_temp"}', false),
    ('sslpolicy.get_recent_logins()',
     'OUT roleid oid, OUT datid oid, OUT address inet, OUT tls_version text, '
     'OUT last_login timestamp with time zone, OUT count bigint, OUT cipher text, '
     'OUT auth_method text, OUT compliant boolean, OUT client_dn text, OUT issuer_dn text, '
     'OUT client_cn text, OUT client_sans text[], OUT client_serial numeric, '
     'OUT fingerprint_sha256 text, OUT not_before timestamp with time zone, '
     'OUT not_after timestamp with time zone',
     'SETOF record', 'volatile', false, 'r', 1000, NULL, false),
    ('sslpolicy.get_rejections()',
     'OUT at timestamp with time zone, OUT first_at timestamp with time zone, OUT count bigint, '
     'OUT then_admitted bigint, OUT role text, OUT database text, OUT address inet, OUT would_be boolean, '
     'OUT reasons text[], OUT source text, OUT tls_version text, OUT client_dn text, '
     'OUT client_serial numeric, OUT fingerprint_sha256 text',
     'SETOF record', 'volatile', false, 'r', 1000, NULL, false),
    ('sslpolicy.get_statistics()',
     'OUT roleid oid, OUT allowed bigint, OUT refused bigint, OUT logged bigint, '
     'OUT ended bigint, OUT last_allowed timestamp with time zone, '
     'OUT last_refused timestamp with time zone, OUT last_logged timestamp with time zone, '
     'OUT last_ended timestamp with time zone',
     'SETOF record', 'volatile', false, 'r', 100, NULL, false),
    ('sslpolicy.reset_statistics()',
     '',
     'void', 'volatile', false, 'u', 0, '{"search_path=pg_catalog, pg_temp"}', false);
CREATE TEMP VIEW declared AS
SELECT e.*, p.oid, p.pronamespace, p.proname, p.proargtypes, p.proparallel, p.prosecdef, p.proleakproof,
       p.prokind, p.prorows, p.proconfig, p.probin
  FROM expected e JOIN pg_proc p ON p.oid = e.signature::regprocedure;

-- 18 functions, 13 tests each
SELECT is(pg_get_function_arguments(oid), arguments, signature || ': arguments') FROM declared;
SELECT is(pg_get_function_result(oid), result, signature || ': result') FROM declared;
SELECT volatility_is('sslpolicy', proname, proargtypes::regtype[]::name[], volatility,
                     signature || ': volatility') FROM declared;
SELECT is(provolatile = 'i', false, signature || ': not immutable')
  FROM declared JOIN pg_proc USING (oid);
SELECT is(p.proisstrict, d.strict, signature || ': strictness')
  FROM declared d JOIN pg_proc p USING (oid);
SELECT is(proparallel, parallel, signature || ': parallel safety') FROM declared;
SELECT is(prosecdef, false, signature || ': with the privileges of the caller') FROM declared;
SELECT is(proleakproof, false, signature || ': not leakproof') FROM declared;
SELECT is(l.lanname, 'c', signature || ': language')
  FROM declared JOIN pg_proc p USING (oid) JOIN pg_language l ON l.oid = p.prolang;
SELECT is(prorows, rows, signature || ': rows estimated') FROM declared;
SELECT is(proconfig, config, signature || ': settings') FROM declared;
SELECT isnt(obj_description(oid, 'pg_proc'), NULL, signature || ': has a comment') FROM declared;
SELECT function_privs_are('sslpolicy', proname, proargtypes::regtype[]::name[], 'public',
                          CASE WHEN everybody THEN ARRAY['EXECUTE'] ELSE '{}' END,
                          signature || ': ' || CASE WHEN everybody THEN 'everybody''s'
                                                    ELSE 'to be granted' END) FROM declared;

SELECT function_privs_are('sslpolicy', 'lint', '{}', 'pg_monitor', ARRAY['EXECUTE'], 'lint is pg_monitor''s');

-- one library for all, found by the server's path
SELECT is(count(DISTINCT probin), 1::bigint, 'all functions come from one library') FROM declared;
SELECT matches(min(probin), 'sslpolicy$', 'which is called sslpolicy') FROM declared;

-- SQL objects of another version
DO $$ BEGIN
    EXECUTE (SELECT format('CREATE FUNCTION pg_temp.older_connection(OUT ssl boolean, OUT version text)
        LANGUAGE c STRICT AS %L, ''sslpolicy_connection''', min(probin)) FROM declared);
    EXECUTE (SELECT format('CREATE FUNCTION pg_temp.older_sessions(OUT pid integer, OUT usesysid oid)
        RETURNS SETOF record LANGUAGE c STRICT AS %L, ''sslpolicy_get_sessions''', min(probin)) FROM declared);
    EXECUTE (SELECT format('CREATE FUNCTION pg_temp.older_policies(OUT object_type text, OUT object_name text)
        RETURNS SETOF record LANGUAGE c STRICT AS %L, ''sslpolicy_get_policies''', min(probin)) FROM declared);
END $$;
SELECT throws_ok(format('SELECT * FROM pg_temp.older_%s()', name), '55000',
                 'the SQL objects of sslpolicy belong to another version than its library',
                 name || ' with other columns is refused, not misread')
  FROM unnest(ARRAY['connection', 'sessions', 'policies']) name;

-- defaults and names of arguments
CREATE ROLE sslpolicy_app;
CREATE ROLE sslpolicy_dba CREATEROLE;
CREATE ROLE sslpolicy_clerk CREATEROLE;
CREATE FUNCTION pg_temp.label() RETURNS text LANGUAGE sql AS $$
    SELECT label FROM pg_shseclabel
     WHERE provider = 'sslpolicy' AND objoid = 'sslpolicy_app'::regrole $$;
SELECT sslpolicy.set_policy('sslpolicy_app', 'sslmode=require') \g /dev/null
SELECT is(pg_temp.label(), 'sslmode=require', 'set_policy needs no third argument');
SELECT sslpolicy.set_policy(force => true, policy => 'sslmode=cert', role => 'sslpolicy_app') \g /dev/null
SELECT is(pg_temp.label(), 'sslmode=cert', 'its arguments have names');
SELECT sslpolicy.set_policy('sslpolicy_app', NULL) \g /dev/null
SELECT is(pg_temp.label(), NULL, 'NULL removes the policy');
SELECT lives_ok('SELECT sslpolicy.set_database_policy(database => current_database(), policy => ''sslmode=require'', force => true)',
                'set_database_policy has its own names');
SELECT is((SELECT label FROM pg_shseclabel WHERE provider = 'sslpolicy'
              AND objoid = (SELECT oid FROM pg_database WHERE datname = current_database())),
          'sslmode=require', 'and sets the policy of the database');
SELECT is(sslpolicy.check_policy(policy => 'min_protocol=tlsv1.2'),
          'sslmode=require min_protocol=TLSv1.2', 'check_policy returns canonical text');
SELECT is(sslpolicy.check_policy(NULL), NULL, 'of NULL nothing');

-- who administers a role: until PostgreSQL 15 CREATEROLE, since 16 ADMIN OPTION
GRANT EXECUTE ON FUNCTION sslpolicy.set_policy(regrole, text, boolean)
    TO sslpolicy_dba, sslpolicy_clerk;
GRANT sslpolicy_app TO sslpolicy_dba WITH ADMIN OPTION;
SET ROLE sslpolicy_dba;
SELECT lives_ok('SELECT sslpolicy.set_policy(''sslpolicy_app'', ''sslmode=allow'')',
                'CREATEROLE and ADMIN OPTION allow it in every version');
SET ROLE sslpolicy_clerk;
SELECT CASE WHEN pg_version_num() < 160000
       THEN lives_ok('SELECT sslpolicy.set_policy(''sslpolicy_app'', ''sslmode=prefer'')',
                     'CREATEROLE alone allows it until PostgreSQL 15')
       ELSE throws_ok('SELECT sslpolicy.set_policy(''sslpolicy_app'', ''sslmode=prefer'')', '42501',
                      'permission denied to set the TLS policy of role "sslpolicy_app"',
                      'CREATEROLE alone does not allow it since PostgreSQL 16')
       END;
RESET ROLE;
ALTER ROLE sslpolicy_dba NOCREATEROLE;
SET ROLE sslpolicy_dba;
SELECT throws_ok('SELECT sslpolicy.set_policy(''sslpolicy_app'', NULL)', '42501',
                 'permission denied to set the TLS policy of role "sslpolicy_app"',
                 'ADMIN OPTION alone does not allow it, nor does it allow ALTER ROLE');
RESET ROLE;
ALTER ROLE sslpolicy_clerk NOCREATEROLE;
SET ROLE sslpolicy_clerk;
PREPARE by_clerk AS SELECT sslpolicy.set_policy('sslpolicy_app', NULL);
SELECT throws_ok('by_clerk', '42501', NULL, 'EXECUTE alone does not allow it');
SELECT is(current_user, 'sslpolicy_clerk'::name, 'a refusal leaves the caller who they are');
RESET ROLE;
SELECT is(pg_temp.label(), CASE WHEN pg_version_num() < 160000 THEN 'sslmode=prefer' ELSE 'sslmode=allow' END,
          'the label is what was allowed');

SELECT * FROM finish();
ROLLBACK;
