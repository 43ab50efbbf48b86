-- The extension as an object: what it is made of, and what may be done to it.
BEGIN;
SELECT plan(27);

SELECT has_schema('sslpolicy');
SELECT functions_are('sslpolicy', ARRAY[
    'check_policy', 'set_policy', 'set_database_policy', 'get_policies',
    'set_minimum_policy', 'set_default_policy', 'block_certificate', 'unblock_certificate',
    'set_ca', 'set_crl', 'get_nodes', 'wait_for_nodes',
    'connection', 'get_sessions', 'get_certificates', 'get_crls', 'get_material_status',
    'get_material_history', 'get_ended_sessions', 'lint', 'recheck', 'revoked', 'verify_certificate', 'reload', 'install_ca', 'add_ca', 'remove_ca',
    'install_crl', 'install_server_certificate', 'create_server_key', 'rollback',
    'get_recent_logins', 'get_rejections', 'get_statistics', 'reset_statistics',
    'explain', 'explain_session', 'effective_policy', 'preview_role_policy',
    'preview_database_policy', 'preview_default_policy', 'preview_minimum_policy',
    'client_settings', 'client_bundle', 'server_ca', 'version', 'check_all']);
SELECT views_are('sslpolicy', ARRAY['policies', 'sessions', 'certificates', 'crls',
    'material_status', 'material_history', 'ended_sessions',
    'recent_logins', 'rejections', 'statistics', 'nodes']);
SELECT tables_are('sslpolicy', '{}'::name[]);
SELECT materialized_views_are('sslpolicy', '{}'::name[]);
SELECT sequences_are('sslpolicy', '{}'::name[]);
SELECT types_are('sslpolicy', '{}'::name[]);
SELECT operators_are('sslpolicy', '{}'::text[]);
SELECT is_empty($$
    SELECT pg_describe_object(classid, objid, 0) FROM pg_depend
     WHERE refclassid = 'pg_namespace'::regclass AND refobjid = 'sslpolicy'::regnamespace
       AND classid NOT IN ('pg_proc'::regclass, 'pg_class'::regclass, 'pg_type'::regclass,
                           'pg_extension'::regclass)$$,
    'nothing else is in the schema');

SELECT set_eq($$
    SELECT pg_describe_object(classid, objid, 0) FROM pg_depend
     WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
       AND classid <> 'pg_type'::regclass -- row types of the views, since 17
       AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'sslpolicy')$$,
    ARRAY['function sslpolicy.add_ca(text,boolean,boolean)',
          'function sslpolicy.check_policy(text)',
          'function sslpolicy.connection()',
          'function sslpolicy.create_server_key(text,text[],text)',
          'function sslpolicy.get_certificates()',
          'function sslpolicy.get_crls()',
          'function sslpolicy.get_ended_sessions()',
          'function sslpolicy.get_material_history()',
          'function sslpolicy.get_material_status()',
          'function sslpolicy.install_ca(bytea,boolean,boolean)',
          'function sslpolicy.install_ca(text,boolean,boolean)',
          'function sslpolicy.install_crl(bytea,boolean,boolean)',
          'function sslpolicy.install_crl(text,boolean,boolean)',
          'function sslpolicy.install_server_certificate(bytea,bytea,boolean,boolean)',
          'function sslpolicy.install_server_certificate(text,text,boolean,boolean)',
          'function sslpolicy.reload(interval,boolean)',
          'function sslpolicy.lint()',
          'function sslpolicy.recheck(boolean)',
          'function sslpolicy.remove_ca(text,boolean,boolean)',
          'function sslpolicy.revoked(numeric,text)',
          'function sslpolicy.rollback(text,boolean,boolean)',
          'function sslpolicy.verify_certificate(bytea,timestamp with time zone)',
          'function sslpolicy.verify_certificate(text,timestamp with time zone)',
          'function sslpolicy.get_recent_logins()',
          'function sslpolicy.get_rejections()',
          'function sslpolicy.get_statistics()',
          'function sslpolicy.reset_statistics()',
          'function sslpolicy.explain(regrole,name,inet,boolean,text,text,text,text,timestamp with time zone)',
          'function sslpolicy.explain_session(integer)',
          'function sslpolicy.effective_policy(regrole,name,inet)',
          'function sslpolicy.effective_policy()',
          'function sslpolicy.preview_role_policy(regrole,text)',
          'function sslpolicy.preview_database_policy(name,text)',
          'function sslpolicy.preview_default_policy(text)',
          'function sslpolicy.preview_minimum_policy(text)',
          'function sslpolicy.client_settings(regrole,name,inet,text)',
          'function sslpolicy.client_bundle(regrole,name,inet)',
          'function sslpolicy.client_bundle()',
          'function sslpolicy.client_settings()',
          'function sslpolicy.server_ca()',
          'function sslpolicy.version()',
          'function sslpolicy.check_all()',
          'view sslpolicy.recent_logins',
          'view sslpolicy.rejections',
          'view sslpolicy.statistics',
          'view sslpolicy.certificates',
          'view sslpolicy.crls',
          'view sslpolicy.ended_sessions',
          'view sslpolicy.material_history',
          'view sslpolicy.material_status',
          'function sslpolicy.get_policies()',
          'function sslpolicy.get_sessions()',
          'function sslpolicy.set_database_policy(name,text,boolean)',
          'function sslpolicy.set_policy(regrole,text,boolean)',
          'function sslpolicy.set_minimum_policy(text,boolean)',
          'function sslpolicy.set_default_policy(text,boolean)',
          'function sslpolicy.block_certificate(text,boolean)',
          'function sslpolicy.unblock_certificate(text)',
          'function sslpolicy.set_ca(text,boolean)',
          'function sslpolicy.set_ca(bytea,boolean)',
          'function sslpolicy.set_crl(text,boolean)',
          'function sslpolicy.set_crl(bytea,boolean)',
          'function sslpolicy.get_nodes()',
          'function sslpolicy.wait_for_nodes(interval)',
          'view sslpolicy.nodes',
          'view sslpolicy.policies',
          'view sslpolicy.sessions'],
    'the extension has these members and no others');

-- the control file
SELECT results_eq($$
    SELECT extnamespace::regnamespace::text, extrelocatable FROM pg_extension
     WHERE extname = 'sslpolicy'$$,
    $$VALUES ('sslpolicy', false)$$,
    'the extension lives in schema sslpolicy and is not relocatable');
SELECT is_empty($$
    SELECT pg_describe_object(refclassid, refobjid, 0) FROM pg_depend
     WHERE classid = 'pg_extension'::regclass AND refclassid = 'pg_extension'::regclass
       AND objid = (SELECT oid FROM pg_extension WHERE extname = 'sslpolicy')$$,
    'it requires no other extension');
SELECT is((SELECT num_nonnulls(extconfig, extcondition) FROM pg_extension WHERE extname = 'sslpolicy'),
          0, 'pg_dump has no data of it to save');

-- comments
SELECT isnt(obj_description(oid, 'pg_extension'), NULL, 'the extension has a comment')
  FROM pg_extension WHERE extname = 'sslpolicy';
SELECT isnt(obj_description('sslpolicy'::regnamespace, 'pg_namespace'), NULL,
            'the schema has a comment');

-- privileges on the schema
SELECT schema_privs_are('sslpolicy', 'public', ARRAY['USAGE'],
                        'everybody may use the schema, and not create in it');
SELECT is((SELECT nspowner FROM pg_namespace WHERE nspname = 'sslpolicy'),
          (SELECT extowner FROM pg_extension WHERE extname = 'sslpolicy'),
          'the schema has the owner of the extension');
SELECT is_empty($$
    SELECT proname::text FROM pg_proc WHERE pronamespace = 'sslpolicy'::regnamespace
       AND proowner <> (SELECT extowner FROM pg_extension WHERE extname = 'sslpolicy')
    UNION ALL
    SELECT relname FROM pg_class WHERE relnamespace = 'sslpolicy'::regnamespace
       AND relowner <> (SELECT extowner FROM pg_extension WHERE extname = 'sslpolicy')$$,
    'so has everything in it');

-- moving, breaking up, dropping
SELECT throws_ok('ALTER EXTENSION sslpolicy SET SCHEMA public', '0A000', NULL,
                 'the extension cannot move to another schema');
SELECT throws_ok('DROP FUNCTION sslpolicy.connection()', '2BP01', NULL,
                 'its functions cannot be dropped one by one');
SELECT throws_ok('DROP VIEW sslpolicy.sessions', '2BP01', NULL,
                 'nor can its views');
SELECT throws_ok('CREATE EXTENSION sslpolicy', '42710', NULL,
                 'it can be created once in a database');
CREATE ROLE sslpolicy_owner;
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO sslpolicy_owner', current_database()); END $$;
SELECT lives_ok('DROP EXTENSION sslpolicy', 'it can be dropped');
SELECT is_empty($$SELECT FROM pg_proc WHERE pronamespace = 'sslpolicy'::regnamespace$$,
                'which leaves no function behind');
SET ROLE sslpolicy_owner;
SELECT throws_ok('CREATE EXTENSION sslpolicy', '42501', NULL,
                 'who may create in the database may not create the extension');
RESET ROLE;
SELECT throws_ok('CREATE EXTENSION sslpolicy SCHEMA public', '0A000', NULL,
                 'it cannot be created in another schema');
SELECT lives_ok('CREATE EXTENSION sslpolicy', 'it can be created again');

SELECT * FROM finish();
ROLLBACK;
