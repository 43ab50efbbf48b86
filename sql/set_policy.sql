--
-- sslpolicy.set_policy and sslpolicy.set_database_policy: the policies of their
-- roles and databases for DBAs who are no superusers
--
CREATE EXTENSION sslpolicy;

-- dba has all that is needed, and more; clerk may call the functions and
-- administers nothing; stranger may not even call them
CREATE ROLE regress_sslpolicy_dba CREATEROLE;
CREATE ROLE regress_sslpolicy_clerk;
CREATE ROLE regress_sslpolicy_stranger CREATEROLE;
GRANT EXECUTE ON FUNCTION sslpolicy.set_policy(regrole, text, boolean),
    sslpolicy.set_database_policy(name, text, boolean)
    TO regress_sslpolicy_dba, regress_sslpolicy_clerk;

CREATE ROLE regress_sslpolicy_app LOGIN;
CREATE ROLE regress_sslpolicy_reserved LOGIN;
CREATE ROLE regress_sslpolicy_super SUPERUSER;
GRANT regress_sslpolicy_app, regress_sslpolicy_reserved, regress_sslpolicy_super,
    pg_monitor TO regress_sslpolicy_dba WITH ADMIN OPTION;
GRANT regress_sslpolicy_app TO regress_sslpolicy_stranger WITH ADMIN OPTION;
CREATE DATABASE regress_sslpolicy_db OWNER regress_sslpolicy_dba;

CREATE VIEW regress_sslpolicy_labels AS
SELECT objtype, objname, label FROM pg_seclabels
 WHERE provider = 'sslpolicy' AND objname LIKE 'regress_sslpolicy%'
 ORDER BY objtype COLLATE "C", objname COLLATE "C";
GRANT SELECT ON regress_sslpolicy_labels TO PUBLIC;

--
-- A superuser
--
SELECT sslpolicy.set_policy('regress_sslpolicy_app', 'sslmode=verify-full');
SELECT sslpolicy.set_policy('regress_sslpolicy_super', 'sslmode=require');
SELECT sslpolicy.set_policy('regress_sslpolicy_reserved', 'sslmode=verify-ca', force => true);
SELECT sslpolicy.set_policy('regress_sslpolicy_clerk', 'sslmode=allow', false);
SELECT sslpolicy.set_database_policy('regress_sslpolicy_db', 'min_protocol=TLSv1.2');
TABLE regress_sslpolicy_labels;

-- by names of the arguments, and NULL removes
SELECT sslpolicy.set_policy(policy => NULL, role => 'regress_sslpolicy_app');
SELECT sslpolicy.set_policy('regress_sslpolicy_super', NULL, true);
SELECT sslpolicy.set_policy('regress_sslpolicy_reserved', NULL);
SELECT sslpolicy.set_policy('regress_sslpolicy_clerk', NULL);
SELECT sslpolicy.set_database_policy(database => 'regress_sslpolicy_db', policy => NULL);
TABLE regress_sslpolicy_labels;
SELECT sslpolicy.set_policy('regress_sslpolicy_app', NULL);
SELECT sslpolicy.set_database_policy('regress_sslpolicy_db', NULL);

-- a predefined role, too
BEGIN;
SELECT sslpolicy.set_policy('pg_monitor', 'sslmode=prefer');
SELECT label FROM pg_shseclabel WHERE objoid = 'pg_monitor'::regrole AND provider = 'sslpolicy';
ROLLBACK;

-- other arguments must not be null
SELECT sslpolicy.set_policy(NULL, 'sslmode=require');
SELECT sslpolicy.set_policy('regress_sslpolicy_app', 'sslmode=require', NULL);
SELECT sslpolicy.set_database_policy(NULL, 'sslmode=require');
SELECT sslpolicy.set_database_policy('regress_sslpolicy_db', 'sslmode=require', NULL);
\set VERBOSITY sqlstate
SELECT sslpolicy.set_policy(NULL, 'sslmode=require');
SELECT sslpolicy.set_database_policy(NULL, 'sslmode=require');
\set VERBOSITY default

-- what is no policy, and objects that do not exist
SELECT sslpolicy.set_policy('regress_sslpolicy_app', 'sslmode=perfer');
SELECT sslpolicy.set_policy('regress_sslpolicy_app', '');
SELECT sslpolicy.set_policy('regress_sslpolicy_app', 'cn=/^a)|(b$', force => true);
SELECT sslpolicy.set_database_policy('regress_sslpolicy_db', 'cn=app');
SELECT sslpolicy.set_database_policy('regress_sslpolicy_db', 'database=app sslmode=require; sslmode=reject');
SELECT sslpolicy.set_policy('regress_sslpolicy_nobody', 'sslmode=require');
SELECT sslpolicy.set_policy(999999999::regrole, 'sslmode=require');
SELECT sslpolicy.set_policy('-', 'sslmode=require');
SELECT sslpolicy.set_database_policy('regress_sslpolicy_nowhere', 'sslmode=require');
\set VERBOSITY sqlstate
SELECT sslpolicy.set_policy('regress_sslpolicy_app', 'sslmode=perfer');
SELECT sslpolicy.set_policy(999999999::regrole, 'sslmode=require');
SELECT sslpolicy.set_database_policy('regress_sslpolicy_nowhere', 'sslmode=require');
\set VERBOSITY default
TABLE regress_sslpolicy_labels;

--
-- A DBA who has been granted the functions
--
SET SESSION AUTHORIZATION regress_sslpolicy_dba;
SELECT sslpolicy.set_policy('regress_sslpolicy_app', 'sslmode=verify-ca');
SELECT sslpolicy.set_database_policy('regress_sslpolicy_db', 'sslmode=require');
TABLE regress_sslpolicy_labels;

-- is the same user afterwards, also when it has failed
SELECT current_user, session_user, current_setting('is_superuser');
SELECT sslpolicy.set_policy('regress_sslpolicy_app', 'sslmode=perfer');
SELECT current_user, session_user, current_setting('is_superuser');
DO $$
BEGIN
    SET TRANSACTION READ ONLY;
    PERFORM sslpolicy.set_policy('regress_sslpolicy_app', 'sslmode=allow');
EXCEPTION WHEN read_only_sql_transaction THEN
    RAISE NOTICE 'read-only, as %', current_user;
END $$;
SELECT current_user, session_user, current_setting('is_superuser');
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS 'sslmode=allow';

-- does not get beyond what is theirs
SELECT sslpolicy.set_policy('regress_sslpolicy_super', 'sslmode=reject');
SELECT sslpolicy.set_policy('regress_sslpolicy_super', NULL, true);
SELECT sslpolicy.set_policy('pg_monitor', 'sslmode=reject');
SELECT sslpolicy.set_database_policy('template1', 'sslmode=reject');
\set VERBOSITY sqlstate
SELECT sslpolicy.set_policy('regress_sslpolicy_super', 'sslmode=reject');
SELECT sslpolicy.set_policy('pg_monitor', 'sslmode=reject');
SELECT sslpolicy.set_database_policy('template1', 'sslmode=reject');
\set VERBOSITY default
SELECT sslpolicy.set_policy(999999999::regrole, 'sslmode=require');
SELECT sslpolicy.set_policy(NULL, 'sslmode=require');
SELECT sslpolicy.set_database_policy('regress_sslpolicy_nowhere', 'sslmode=require');

-- what is in a policy is not run
SELECT sslpolicy.set_policy('regress_sslpolicy_app',
    $$cn='\'; ALTER ROLE regress_sslpolicy_dba SUPERUSER; --'$$);
SELECT sslpolicy.set_policy('regress_sslpolicy_app',
    $$cn='\\\'; ALTER ROLE regress_sslpolicy_dba SUPERUSER; --'$$);
TABLE regress_sslpolicy_labels;
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_sslpolicy_dba';

-- nor are functions and operators that the caller has put in the way
CREATE FUNCTION pg_temp.quote_literal(text) RETURNS text LANGUAGE sql AS $$SELECT 1/0$$;
SET search_path = pg_temp, pg_catalog;
SELECT sslpolicy.set_policy('regress_sslpolicy_app', 'sslmode=cert');
RESET search_path;
TABLE regress_sslpolicy_labels;

-- NULL removes
SELECT sslpolicy.set_policy('regress_sslpolicy_app', NULL);
SELECT sslpolicy.set_database_policy('regress_sslpolicy_db', NULL);
TABLE regress_sslpolicy_labels;
RESET SESSION AUTHORIZATION;

--
-- Who may call the functions but administers nothing
--
SET SESSION AUTHORIZATION regress_sslpolicy_clerk;
-- how this privilege is called depends on the version of PostgreSQL
\set VERBOSITY terse
SELECT sslpolicy.set_policy('regress_sslpolicy_app', 'sslmode=allow');
SELECT sslpolicy.set_policy('regress_sslpolicy_app', NULL);
SELECT sslpolicy.set_policy('regress_sslpolicy_app', NULL, force => true);
\set VERBOSITY sqlstate
SELECT sslpolicy.set_policy('regress_sslpolicy_app', 'sslmode=allow');
\set VERBOSITY default
SELECT sslpolicy.set_policy('regress_sslpolicy_super', 'sslmode=allow');
SELECT sslpolicy.set_database_policy('regress_sslpolicy_db', 'sslmode=allow');
-- privilege comes before the text
SELECT sslpolicy.set_database_policy('regress_sslpolicy_db', 'bogus');
-- not even one's own policy
\set VERBOSITY terse
SELECT sslpolicy.set_policy('regress_sslpolicy_clerk', 'sslmode=allow');
\set VERBOSITY default
RESET SESSION AUTHORIZATION;

-- a superuser who has taken that role has its privileges
SET ROLE regress_sslpolicy_clerk;
\set VERBOSITY terse
SELECT sslpolicy.set_policy('regress_sslpolicy_app', 'sslmode=allow');
\set VERBOSITY default
RESET ROLE;

--
-- Who administers the role but may not call the functions
--
SET SESSION AUTHORIZATION regress_sslpolicy_stranger;
SELECT sslpolicy.set_policy('regress_sslpolicy_app', 'sslmode=allow');
SELECT sslpolicy.set_database_policy('regress_sslpolicy_db', 'sslmode=allow');
RESET SESSION AUTHORIZATION;
TABLE regress_sslpolicy_labels;

-- ownership counts through membership; a new owner may, the old one no longer
GRANT regress_sslpolicy_dba TO regress_sslpolicy_clerk;
SET SESSION AUTHORIZATION regress_sslpolicy_clerk;
SELECT sslpolicy.set_database_policy('regress_sslpolicy_db', 'sslmode=allow');
RESET SESSION AUTHORIZATION;
REVOKE regress_sslpolicy_dba FROM regress_sslpolicy_clerk;
ALTER DATABASE regress_sslpolicy_db OWNER TO regress_sslpolicy_clerk;
SET SESSION AUTHORIZATION regress_sslpolicy_clerk;
SELECT sslpolicy.set_database_policy('regress_sslpolicy_db', 'sslmode=prefer');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_sslpolicy_dba;
SELECT sslpolicy.set_database_policy('regress_sslpolicy_db', NULL);
RESET SESSION AUTHORIZATION;
TABLE regress_sslpolicy_labels;
SELECT sslpolicy.set_database_policy('regress_sslpolicy_db', NULL);

--
-- Transactions: as SECURITY LABEL
--
BEGIN;
SELECT sslpolicy.set_policy('regress_sslpolicy_app', 'sslmode=require');
SAVEPOINT one;
SELECT sslpolicy.set_database_policy('regress_sslpolicy_db', 'sslmode=require');
TABLE regress_sslpolicy_labels;
ROLLBACK TO one;
TABLE regress_sslpolicy_labels;
ROLLBACK;
TABLE regress_sslpolicy_labels;
\set SHOW_CONTEXT never
BEGIN READ ONLY;
SELECT sslpolicy.set_policy('regress_sslpolicy_app', 'sslmode=require');
ROLLBACK;
\set SHOW_CONTEXT errors

--
-- Names and policies with everything that SQL could trip over
--
CREATE ROLE "Regress_sslpolicy ""Quoted"" 'Role'; --";
CREATE ROLE "regress_sslpolicy_back\slash\";
CREATE ROLE "current_user";
CREATE ROLE "user";
CREATE DATABASE "Regress_sslpolicy ""Quoted"" 'Db'\; --";
SELECT sslpolicy.set_policy('"Regress_sslpolicy ""Quoted"" ''Role''; --"',
    $$cn='it\'s "quoted" \\ here; and there'$$);
SELECT sslpolicy.set_policy('"regress_sslpolicy_back\slash\"', $$cn='\\\\'$$);
SELECT sslpolicy.set_policy('"current_user"', 'sslmode=require');
SELECT sslpolicy.set_policy('"user"', 'sslmode=cert');
SELECT sslpolicy.set_database_policy($$Regress_sslpolicy "Quoted" 'Db'\; --$$, 'sslmode=require');
SELECT r.rolname, l.label
  FROM pg_shseclabel l JOIN pg_roles r ON r.oid = l.objoid
 WHERE l.provider = 'sslpolicy' AND l.classoid = 'pg_authid'::regclass
   AND (r.rolname ~* 'regress_sslpolicy' OR r.rolname IN ('current_user', 'user'))
 ORDER BY r.rolname COLLATE "C";
SELECT d.datname, l.label
  FROM pg_shseclabel l JOIN pg_database d ON d.oid = l.objoid
 WHERE l.provider = 'sslpolicy' AND l.classoid = 'pg_database'::regclass
   AND d.datname ~* 'regress_sslpolicy';
-- that was not the role that is logged in
SELECT count(*) FROM pg_shseclabel
 WHERE objoid = (SELECT oid FROM pg_roles WHERE rolname = current_user)
   AND classoid = 'pg_authid'::regclass;
DROP ROLE "Regress_sslpolicy ""Quoted"" 'Role'; --",
    "regress_sslpolicy_back\slash\", "current_user", "user";
DROP DATABASE "Regress_sslpolicy ""Quoted"" 'Db'\; --";

--
-- sslpolicy.reserved_roles: their policies are a superuser's
--
SET SESSION AUTHORIZATION regress_sslpolicy_dba;
SELECT sslpolicy.set_policy('regress_sslpolicy_reserved', 'sslmode=require');
SELECT sslpolicy.set_policy('regress_sslpolicy_reserved', NULL);
RESET SESSION AUTHORIZATION;

-- a new connection is forked from a server that has reloaded
CREATE ROLE "Regress_sslpolicy, ""Quoted""";
GRANT "Regress_sslpolicy, ""Quoted""" TO regress_sslpolicy_dba WITH ADMIN OPTION;
ALTER SYSTEM SET sslpolicy.reserved_roles =
    'regress_sslpolicy_other, REGRESS_sslpolicy_reserved, "Regress_sslpolicy, ""Quoted"""';
SELECT pg_reload_conf();
\c
SHOW sslpolicy.reserved_roles;
SET SESSION AUTHORIZATION regress_sslpolicy_dba;
SELECT sslpolicy.set_policy('regress_sslpolicy_reserved', 'sslmode=require');
SELECT sslpolicy.set_policy('regress_sslpolicy_reserved', NULL);
SELECT sslpolicy.set_policy('"Regress_sslpolicy, ""Quoted"""', 'sslmode=require');
SELECT sslpolicy.set_policy('regress_sslpolicy_app', 'sslmode=require');
SELECT sslpolicy.set_policy('regress_sslpolicy_app', NULL);
RESET SESSION AUTHORIZATION;
SELECT sslpolicy.set_policy('regress_sslpolicy_reserved', 'sslmode=require');
TABLE regress_sslpolicy_labels;

ALTER SYSTEM RESET sslpolicy.reserved_roles;
SELECT pg_reload_conf();
\c
SHOW sslpolicy.reserved_roles;
SET SESSION AUTHORIZATION regress_sslpolicy_dba;
SELECT sslpolicy.set_policy('regress_sslpolicy_reserved', NULL);
RESET SESSION AUTHORIZATION;
TABLE regress_sslpolicy_labels;

DROP VIEW regress_sslpolicy_labels;
DROP DATABASE regress_sslpolicy_db;
DROP EXTENSION sslpolicy;
DROP SCHEMA sslpolicy;
REVOKE pg_monitor FROM regress_sslpolicy_dba;
DROP ROLE "Regress_sslpolicy, ""Quoted""", regress_sslpolicy_app,
    regress_sslpolicy_reserved, regress_sslpolicy_super,
    regress_sslpolicy_dba, regress_sslpolicy_clerk, regress_sslpolicy_stranger;
