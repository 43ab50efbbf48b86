--
-- The sslpolicy.* settings: what they are, which values they take, who may set
-- them
--
CREATE EXTENSION sslpolicy;
CREATE ROLE regress_sslpolicy_dba;
CREATE ROLE regress_sslpolicy_ordinary;

-- the settings are these and no others
\x on
SELECT name, vartype, context, unit, min_val, max_val, enumvals, boot_val, category
  FROM pg_settings WHERE name LIKE 'sslpolicy.%' ORDER BY name COLLATE "C";
\x off

-- as they are without any configuration
SHOW sslpolicy.enforcement;
SHOW sslpolicy.default_policy;
SHOW sslpolicy.minimum_policy;
SHOW sslpolicy.reserved_roles;
SHOW sslpolicy.blocked_fingerprints;
SHOW sslpolicy.max_certificate_text;

-- everybody may see them
SET SESSION AUTHORIZATION regress_sslpolicy_ordinary;
SELECT count(*) FROM pg_settings WHERE name LIKE 'sslpolicy.%';
RESET SESSION AUTHORIZATION;

-- the prefix is reserved, so a mistyped name is an error
SET sslpolicy.foo = 'x';
SET sslpolicy.default_polcy = 'sslmode=require';
ALTER ROLE regress_sslpolicy_dba SET sslpolicy.foo = 'x';

-- they are the server's: not a session's, a role's, a database's, a function's
\set VERBOSITY terse
SET sslpolicy.enforcement = 'off';
SET LOCAL sslpolicy.default_policy = '';
SELECT set_config('sslpolicy.minimum_policy', '', false);
ALTER ROLE regress_sslpolicy_dba SET sslpolicy.reserved_roles = 'regress_sslpolicy_dba';
ALTER ROLE ALL SET sslpolicy.blocked_fingerprints = '';
CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql
    SET sslpolicy.enforcement = 'off' AS 'SELECT 1';
\set VERBOSITY sqlstate
SET sslpolicy.enforcement = 'off';
\set VERBOSITY default
SELECT setting FROM pg_settings WHERE name = 'sslpolicy.enforcement';

--
-- Values. None is in force in the end; none refuses anybody who runs this test.
--

-- policies: as check_policy() has them, or empty
ALTER SYSTEM SET sslpolicy.default_policy = 'sslmode=perfer';
ALTER SYSTEM SET sslpolicy.default_policy = 'address=::1 sslmode=require';
ALTER SYSTEM SET sslpolicy.default_policy = 'sslmode=require; sslmode=reject';
ALTER SYSTEM SET sslpolicy.default_policy = 'cipher=ROT13';
ALTER SYSTEM SET sslpolicy.default_policy = 'cn=/^a)|(b$';
ALTER SYSTEM SET sslpolicy.default_policy = ' ';
ALTER SYSTEM SET sslpolicy.minimum_policy = 'verify-full';
\set VERBOSITY sqlstate
ALTER SYSTEM SET sslpolicy.default_policy = 'sslmode=perfer';
ALTER SYSTEM SET sslpolicy.minimum_policy = 'sslmode=perfer';
\set VERBOSITY default
-- the default policy may say whom the certificate names, the minimum not
ALTER SYSTEM SET sslpolicy.default_policy = 'database=replication cn=%u; san=uri:spiffe://bank/db/%u action=log; sslmode=prefer';
ALTER SYSTEM SET sslpolicy.minimum_policy = 'database=replication cn=%u; sslmode=prefer';
ALTER SYSTEM SET sslpolicy.minimum_policy = 'sslmode=require san=dns:app';
ALTER SYSTEM SET sslpolicy.minimum_policy = 'dn=CN=app';
ALTER SYSTEM SET sslpolicy.minimum_policy = 'bogus=1';
ALTER SYSTEM SET sslpolicy.minimum_policy = 'database=replication sslmode=verify-full; sslmode=prefer';

-- enforcement: three words
ALTER SYSTEM SET sslpolicy.enforcement = 'on';
ALTER SYSTEM SET sslpolicy.enforcement = 'log';

-- role names: a list as of identifiers
ALTER SYSTEM SET sslpolicy.reserved_roles = 'two words';
ALTER SYSTEM SET sslpolicy.reserved_roles = 'a,,b';
ALTER SYSTEM SET sslpolicy.reserved_roles = '"open';
ALTER SYSTEM SET sslpolicy.reserved_roles = a, b, '"two words"';

-- fingerprints: of SHA-256, in a list
ALTER SYSTEM SET sslpolicy.blocked_fingerprints = 'abc';
ALTER SYSTEM SET sslpolicy.blocked_fingerprints =
    '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef, 00';
ALTER SYSTEM SET sslpolicy.blocked_fingerprints =
    '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeg';
ALTER SYSTEM SET sslpolicy.blocked_fingerprints =
    '01:23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef';
ALTER SYSTEM SET sslpolicy.blocked_fingerprints =
    '0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef',
    '01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:ab:cd:ef';

-- an amount of memory; how PostgreSQL says so depends on its version
\set VERBOSITY sqlstate
ALTER SYSTEM SET sslpolicy.max_certificate_text = 0;
ALTER SYSTEM SET sslpolicy.max_certificate_text = 129;
ALTER SYSTEM SET sslpolicy.max_certificate_text = '1MB';
ALTER SYSTEM SET sslpolicy.max_certificate_text = 'much';
\set VERBOSITY default
ALTER SYSTEM SET sslpolicy.max_certificate_text = '128kB';

-- the good ones are what a reload gives; a new connection is forked from a
-- server that has reloaded
SELECT pg_reload_conf();
\c
\pset format unaligned
\pset tuples_only on
SELECT name, setting FROM pg_settings WHERE name LIKE 'sslpolicy.%' ORDER BY name COLLATE "C";
SHOW sslpolicy.max_certificate_text;

-- empty values are good as well
ALTER SYSTEM SET sslpolicy.default_policy = '';
ALTER SYSTEM SET sslpolicy.minimum_policy = '';
ALTER SYSTEM SET sslpolicy.reserved_roles = '';
ALTER SYSTEM SET sslpolicy.blocked_fingerprints = '';
ALTER SYSTEM SET sslpolicy.enforcement = 'off';
ALTER SYSTEM SET sslpolicy.max_certificate_text = 1;
SELECT pg_reload_conf();
\c
SELECT name, setting FROM pg_settings WHERE name LIKE 'sslpolicy.%' ORDER BY name COLLATE "C";
-- a session that has logged in without enforcement is not known to comply, but
-- one over a Unix socket has nothing to comply with
SELECT compliant FROM sslpolicy.sessions WHERE pid = pg_backend_pid();

ALTER SYSTEM RESET sslpolicy.default_policy;
ALTER SYSTEM RESET sslpolicy.minimum_policy;
ALTER SYSTEM RESET sslpolicy.reserved_roles;
ALTER SYSTEM RESET sslpolicy.blocked_fingerprints;
ALTER SYSTEM RESET sslpolicy.enforcement;
ALTER SYSTEM RESET sslpolicy.max_certificate_text;
SELECT pg_reload_conf();
\c
SELECT name, setting FROM pg_settings WHERE name LIKE 'sslpolicy.%' ORDER BY name COLLATE "C";

--
-- GRANT ALTER SYSTEM ON PARAMETER hands one of them to somebody
--
SET SESSION AUTHORIZATION regress_sslpolicy_dba;
ALTER SYSTEM SET sslpolicy.default_policy = 'sslmode=prefer';
RESET SESSION AUTHORIZATION;
GRANT ALTER SYSTEM ON PARAMETER sslpolicy.default_policy TO regress_sslpolicy_dba;
SET SESSION AUTHORIZATION regress_sslpolicy_dba;
ALTER SYSTEM SET sslpolicy.default_policy = 'sslmode=prefer';
ALTER SYSTEM SET sslpolicy.default_policy = 'sslmode=perfer';
ALTER SYSTEM SET sslpolicy.minimum_policy = 'sslmode=prefer';
ALTER SYSTEM SET sslpolicy.enforcement = 'off';
RESET SESSION AUTHORIZATION;
SELECT pg_reload_conf();
\c
SHOW sslpolicy.default_policy;
SHOW sslpolicy.minimum_policy;
SET SESSION AUTHORIZATION regress_sslpolicy_dba;
ALTER SYSTEM RESET sslpolicy.default_policy;
RESET SESSION AUTHORIZATION;
SELECT pg_reload_conf();
\c
SHOW sslpolicy.default_policy;

REVOKE ALL ON PARAMETER sslpolicy.default_policy FROM regress_sslpolicy_dba;
DROP EXTENSION sslpolicy;
DROP SCHEMA sslpolicy;
DROP ROLE regress_sslpolicy_dba, regress_sslpolicy_ordinary;
