-- The settings: their types, bounds and defaults; and that they are set for the
-- whole server or not at all.
BEGIN;
SELECT plan(167);

SELECT results_eq($$
    SELECT name, vartype, context, unit, min_val, max_val, enumvals, boot_val
      FROM pg_settings WHERE name LIKE 'sslpolicy.%' ORDER BY name COLLATE "C"$$,
    $$VALUES
    ('sslpolicy.auto_reload', 'bool', 'sighup', NULL, NULL, NULL, NULL::text[], 'off'),
    ('sslpolicy.blocked_fingerprints', 'string', 'sighup', NULL, NULL, NULL, NULL, ''),
    ('sslpolicy.crl_dir', 'string', 'sighup', NULL, NULL, NULL, NULL, ''),
    ('sslpolicy.crl_expired', 'enum', 'sighup', NULL, NULL, NULL, '{reject,accept}', 'reject'),
    ('sslpolicy.crl_file', 'string', 'sighup', NULL, NULL, NULL, NULL, ''),
    ('sslpolicy.crl_missing', 'enum', 'sighup', NULL, NULL, NULL, '{reject,accept}', 'reject'),
    ('sslpolicy.default_policy', 'string', 'sighup', NULL, NULL, NULL, NULL, ''),
    ('sslpolicy.directory', 'string', 'postmaster', NULL, NULL, NULL, NULL, 'sslpolicy'),
    ('sslpolicy.enforcement', 'enum', 'sighup', NULL, NULL, NULL, '{off,log,enforce}', 'enforce'),
    ('sslpolicy.install', 'bool', 'sighup', NULL, NULL, NULL, NULL, 'on'),
    ('sslpolicy.lint_ca_days', 'integer', 'sighup', NULL, '0', '3650', NULL, '30'),
    ('sslpolicy.lint_crl_days', 'integer', 'sighup', NULL, '0', '3650', NULL, '30'),
    ('sslpolicy.lint_server_days', 'integer', 'sighup', NULL, '0', '3650', NULL, '30'),
    ('sslpolicy.max_certificate_text', 'integer', 'sighup', 'kB', '1', '128', NULL, '16'),
    ('sslpolicy.max_crl_size', 'integer', 'sighup', 'kB', '1', '524288', NULL, '16384'),
    ('sslpolicy.max_recent_logins', 'integer', 'postmaster', NULL, '0', '10000', NULL, '1000'),
    ('sslpolicy.max_rejections', 'integer', 'postmaster', NULL, '0', '10000', NULL, '1000'),
    ('sslpolicy.minimum_policy', 'string', 'sighup', NULL, NULL, NULL, NULL, ''),
    ('sslpolicy.recheck_interval', 'integer', 'sighup', 's', '1', '86400', NULL, '60'),
    ('sslpolicy.recheck_policy', 'enum', 'sighup', NULL, NULL, NULL, '{off,log,terminate}', 'log'),
    ('sslpolicy.recheck_revoked', 'enum', 'sighup', NULL, NULL, NULL, '{off,log,terminate}', 'terminate'),
    ('sslpolicy.reserved_roles', 'string', 'sighup', NULL, NULL, NULL, NULL, ''),
    ('sslpolicy.terminate_grace', 'integer', 'sighup', 's', '0', '86400', NULL, '30')$$,
    'the settings are these and no others');
CREATE TEMP VIEW settings AS
SELECT * FROM pg_settings WHERE name LIKE 'sslpolicy.%';

-- 23 settings, 7 tests each
SELECT is(setting, boot_val, name || ' has its default without any configuration') FROM settings;
SELECT isnt(coalesce(short_desc, ''), '', name || ' has a description') FROM settings;
SELECT isnt(coalesce(extra_desc, ''), '', name || ' has details') FROM settings;
SELECT is(pending_restart, false, name || ' needs no restart') FROM settings;
SELECT throws_ok(format('SELECT set_config(%L, %L, false)', name, boot_val), '55P02', NULL,
                 name || ' cannot be set in a session') FROM settings;
SELECT throws_ok(format('ALTER DATABASE %I SET %s = %L', current_database(), name, boot_val), '55P02', NULL,
                 name || ' cannot be set for a database') FROM settings;
-- of nobody's business until it is granted
CREATE ROLE sslpolicy_ordinary;
SELECT is(has_parameter_privilege('sslpolicy_ordinary', name, 'SET')
          OR has_parameter_privilege('sslpolicy_ordinary', name, 'ALTER SYSTEM'), false,
          name || ' is a superuser''s') FROM settings;

SELECT throws_ok('SET sslpolicy.enforcment = ''off''', '42602', NULL,
                 'a name that does not exist is an error');
SELECT lives_ok('GRANT ALTER SYSTEM ON PARAMETER sslpolicy.default_policy TO sslpolicy_ordinary',
                'a setting can be handed to somebody');
SELECT is(has_parameter_privilege('sslpolicy_ordinary', 'sslpolicy.default_policy', 'ALTER SYSTEM'), true,
          'who then may set it');
SELECT is(has_parameter_privilege('sslpolicy_ordinary', 'sslpolicy.minimum_policy', 'ALTER SYSTEM'), false,
          'and no other');
SET ROLE sslpolicy_ordinary;
SELECT is((SELECT count(*) FROM pg_settings WHERE name LIKE 'sslpolicy.%'), 23::bigint, 'everybody may read them all');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
