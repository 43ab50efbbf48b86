--
-- What everybody may see and do, and what must be granted first
--
CREATE EXTENSION sslpolicy;
CREATE ROLE regress_sslpolicy_ordinary;

-- the schema: to use, not to create in
SELECT has_schema_privilege('public', 'sslpolicy', 'USAGE') AS usage,
       has_schema_privilege('public', 'sslpolicy', 'CREATE') AS "create";

-- functions: those that set policies are nobody's until they are granted
SELECT p.proname, has_function_privilege('public', p.oid, 'EXECUTE') AS execute
  FROM pg_proc p
 WHERE p.pronamespace = 'sslpolicy'::regnamespace
 ORDER BY p.proname COLLATE "C", p.pronargs;

-- views: to read, not to write
SELECT c.relname, p.privilege,
       has_table_privilege('public', c.oid, p.privilege) AS granted
  FROM pg_class c,
       unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'])
       WITH ORDINALITY AS p(privilege, n)
 WHERE c.relnamespace = 'sslpolicy'::regnamespace AND c.relkind = 'v'
 ORDER BY c.relname COLLATE "C", p.n;

-- no function runs with the privileges of its owner
SELECT count(*) FROM pg_proc
 WHERE pronamespace = 'sslpolicy'::regnamespace AND prosecdef;

-- an ordinary role finds the same
SET SESSION AUTHORIZATION regress_sslpolicy_ordinary;
SELECT sslpolicy.check_policy('sslmode=require');
SELECT ssl FROM sslpolicy.connection();
SELECT count(*) > 0 AS rows FROM sslpolicy.sessions;
SELECT count(*) > 0 AS rows FROM sslpolicy.get_sessions();
SELECT count(*) >= 0 AS rows FROM sslpolicy.policies;
SELECT count(*) >= 0 AS rows FROM sslpolicy.get_policies();
SELECT sslpolicy.set_policy('regress_sslpolicy_ordinary', 'sslmode=allow');
SELECT sslpolicy.set_policy('regress_sslpolicy_ordinary', NULL, true);
SELECT sslpolicy.set_database_policy(current_database(), 'sslmode=allow');
SELECT sslpolicy.set_database_policy(current_database(), NULL, true);
CREATE FUNCTION sslpolicy.check_policy() RETURNS int LANGUAGE sql AS 'SELECT 1';
RESET SESSION AUTHORIZATION;

-- each function is granted by itself
GRANT EXECUTE ON FUNCTION sslpolicy.set_policy(regrole, text, boolean)
    TO regress_sslpolicy_ordinary;
SELECT p.proname, has_function_privilege('regress_sslpolicy_ordinary', p.oid, 'EXECUTE') AS execute
  FROM pg_proc p
 WHERE p.pronamespace = 'sslpolicy'::regnamespace AND p.proname LIKE 'set%'
 ORDER BY p.proname COLLATE "C";

DROP EXTENSION sslpolicy;
DROP SCHEMA sslpolicy;
DROP ROLE regress_sslpolicy_ordinary;
