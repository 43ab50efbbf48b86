--
-- Who changed which policy is logged when, and only when, the change commits.
-- test/t/010_policy_changes.pl runs this too, and looks into the log.
--
CREATE EXTENSION sslpolicy;
CREATE ROLE regress_sslpolicy_super SUPERUSER;
CREATE ROLE regress_sslpolicy_dba CREATEROLE;
CREATE ROLE regress_sslpolicy_app;
CREATE ROLE "regress_sslpolicy ""quoted""";
CREATE DATABASE regress_sslpolicy_db OWNER regress_sslpolicy_dba;
GRANT regress_sslpolicy_app TO regress_sslpolicy_dba WITH ADMIN OPTION;
GRANT EXECUTE ON FUNCTION sslpolicy.set_policy(regrole, text, boolean),
    sslpolicy.set_database_policy(name, text, boolean) TO regress_sslpolicy_dba;
\pset tuples_only on

-- what goes to the server log never comes here, whatever a client wants to see
SET client_min_messages = log;
SET SESSION AUTHORIZATION regress_sslpolicy_super;

-- set, changed, set to the same, removed; nothing where there was nothing
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS 'sslmode=require';
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS 'min_protocol=TLSv1.3';
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS 'min_protocol=TLSv1.3';
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS NULL;
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS NULL;
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS 'sslmode=require';
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS NULL;

-- nothing that is refused
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS 'bogus';

-- one line, whatever is in the policy
SECURITY LABEL FOR sslpolicy ON ROLE "regress_sslpolicy ""quoted""" IS
    E'sslmode=verify-full\n\tcn=\'a\nLOG:  TLS policy of nobody\r\'';
SECURITY LABEL FOR sslpolicy ON ROLE "regress_sslpolicy ""quoted""" IS NULL;

-- set_policy() says who called it, not as whom it works
SET SESSION AUTHORIZATION regress_sslpolicy_dba;
SELECT sslpolicy.set_policy('regress_sslpolicy_app', 'sslmode=require');
SELECT sslpolicy.set_database_policy('regress_sslpolicy_db', 'sslmode=prefer');
SELECT sslpolicy.set_policy('regress_sslpolicy_app', NULL);
SELECT sslpolicy.set_database_policy('regress_sslpolicy_db', NULL);
-- also when a call before it has failed
\set VERBOSITY sqlstate
SELECT sslpolicy.set_policy('regress_sslpolicy_app', 'bogus');
BEGIN READ ONLY;
SELECT sslpolicy.set_policy('regress_sslpolicy_app', 'sslmode=require');
ROLLBACK;
\set VERBOSITY default
SET SESSION AUTHORIZATION regress_sslpolicy_super;
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS 'sslmode=require';

-- not before the transaction commits, and in order
BEGIN;
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS 'sslmode=verify-ca';
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS 'sslmode=cert';
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS 'sslmode=require';
SELECT 'nothing yet';
COMMIT;

-- not when it is rolled back
BEGIN;
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS 'sslmode=reject';
ROLLBACK;
BEGIN;
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS 'sslmode=reject';
\set VERBOSITY sqlstate
SELECT 1 / 0;
\set VERBOSITY default
COMMIT;

-- of savepoints, those that were released
BEGIN;
SAVEPOINT one;
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS 'sslmode=reject';
SAVEPOINT two;
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS 'sslmode=reject';
RELEASE two;
ROLLBACK TO one;
SAVEPOINT three;
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS 'sslmode=allow';
RELEASE three;
SAVEPOINT four;
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS 'sslmode=prefer';
ROLLBACK TO four;
COMMIT;

-- nothing is left over for the next transaction
BEGIN;
COMMIT;
SELECT 'nothing more';

SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS NULL;
RESET client_min_messages;
RESET SESSION AUTHORIZATION;
DROP DATABASE regress_sslpolicy_db;
DROP EXTENSION sslpolicy;
DROP SCHEMA sslpolicy;
DROP ROLE regress_sslpolicy_app, regress_sslpolicy_dba, regress_sslpolicy_super,
    "regress_sslpolicy ""quoted""";
