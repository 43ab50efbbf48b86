--
-- SECURITY LABEL FOR sslpolicy: where policies live, and who may set them there
--
CREATE EXTENSION sslpolicy;
CREATE ROLE regress_sslpolicy_app LOGIN;
CREATE ROLE regress_sslpolicy_group;
CREATE ROLE regress_sslpolicy_ordinary;
CREATE ROLE regress_sslpolicy_creator CREATEROLE;
GRANT regress_sslpolicy_app TO regress_sslpolicy_creator WITH ADMIN OPTION;
CREATE DATABASE regress_sslpolicy_db OWNER regress_sslpolicy_ordinary;
CREATE TABLE regress_sslpolicy_table (a int);

-- The labels of this file's objects.
CREATE VIEW regress_sslpolicy_labels AS
SELECT objtype, objname, label FROM pg_seclabels
 WHERE provider = 'sslpolicy' AND objname LIKE 'regress_sslpolicy%'
 ORDER BY objtype COLLATE "C", objname COLLATE "C";
GRANT SELECT ON regress_sslpolicy_labels TO PUBLIC;

--
-- Setting, changing and removing a policy
--
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS 'sslmode=verify-full';
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_group IS 'min_protocol=TLSv1.3';
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS 'sslmode=require';
TABLE regress_sslpolicy_labels;

-- the label is the text as it was written, and shared by all databases
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app
    IS 'database=app   cn=''two words''; sslmode = reject';
SELECT l.label, l.classoid = 'pg_authid'::regclass AS is_role
  FROM pg_shseclabel l JOIN pg_roles r ON r.oid = l.objoid
 WHERE l.provider = 'sslpolicy' AND r.rolname = 'regress_sslpolicy_app';

-- NULL removes it; once more does nothing
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS NULL;
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS NULL;
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS NULL;
TABLE regress_sslpolicy_labels;

--
-- What is refused
--

-- no policy; the label that was there stays
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_group IS '';
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_group IS 'verify-full';
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_group IS 'sslmode=perfer';
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_group IS 'cn=/^(a$';
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_group IS 'cipher=ROT13';
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS 'address=::1 sslmode=require';
\set VERBOSITY sqlstate
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_group IS 'verify-full';
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS 'verify-full';
\set VERBOSITY default
TABLE regress_sslpolicy_labels;

-- a database has no names to ask for, and is not the one to say which database
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS 'cn=app';
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS 'min_protocol=TLSv1.3 dn=CN=app';
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS 'san=dns:app';
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS 'sslmode=require; database=app sslmode=reject';
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS 'database=app sslmode=require; sslmode=reject';
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS 'ssl=on';
-- verify-full without names is right there: the names come from elsewhere
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS 'sslmode=verify-full';
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS NULL;

-- other objects, whatever the text
SECURITY LABEL FOR sslpolicy ON TABLE regress_sslpolicy_table IS 'sslmode=require';
SECURITY LABEL FOR sslpolicy ON TABLE regress_sslpolicy_table IS NULL;
SECURITY LABEL FOR sslpolicy ON COLUMN regress_sslpolicy_table.a IS 'sslmode=require';
SECURITY LABEL FOR sslpolicy ON SCHEMA public IS 'sslmode=require';
SECURITY LABEL FOR sslpolicy ON TABLESPACE pg_default IS 'sslmode=require';
SELECT count(*) FROM pg_seclabel WHERE provider = 'sslpolicy';

-- objects that do not exist, providers that are not there
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_nobody IS 'sslmode=require';
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_nowhere IS 'sslmode=require';
SECURITY LABEL FOR regress_sslpolicy_other ON ROLE regress_sslpolicy_app IS 'sslmode=require';

-- the longest policy is neither compressed nor moved to TOAST; one byte more is
-- refused
SELECT 'sslmode=verify-full cn=' || left(string_agg(md5(i::text), ''), 1777) AS longest
  FROM generate_series(1, 57) i \gset
\set longer :longest 'x'
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS :'longest';
SELECT length(label), pg_column_size(label) FROM pg_shseclabel
 WHERE objoid = 'regress_sslpolicy_app'::regrole;
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS :'longer';
SELECT length(label) FROM regress_sslpolicy_labels WHERE objname = 'regress_sslpolicy_app';
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS NULL;

--
-- Only superusers
--

-- CREATEROLE and ADMIN OPTION are enough for PostgreSQL, not for a policy
SET SESSION AUTHORIZATION regress_sslpolicy_creator;
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS 'sslmode=allow';
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS NULL;
-- whether it is a policy is not for them to find out
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS 'bogus';
RESET SESSION AUTHORIZATION;

-- the owner of a database
SET SESSION AUTHORIZATION regress_sslpolicy_ordinary;
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS 'sslmode=allow';
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS NULL;
\set VERBOSITY sqlstate
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS 'sslmode=allow';
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_ordinary IS 'sslmode=allow';
\set VERBOSITY default

-- but everybody may read them
TABLE regress_sslpolicy_labels;
SELECT label FROM pg_shseclabel
 WHERE objoid = 'regress_sslpolicy_group'::regrole AND provider = 'sslpolicy';
RESET SESSION AUTHORIZATION;

-- a superuser who has taken another role is none
SET ROLE regress_sslpolicy_ordinary;
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS 'sslmode=allow';
RESET ROLE;
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS 'sslmode=allow';
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS NULL;

--
-- Transactions
--
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_group IS NULL;
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS 'sslmode=prefer';

-- rolled back, nothing has changed
BEGIN;
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS 'sslmode=require';
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS 'sslmode=require';
TABLE regress_sslpolicy_labels;
ROLLBACK;
TABLE regress_sslpolicy_labels;

-- a savepoint rolled back, only what was done since
BEGIN;
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS 'sslmode=require';
SAVEPOINT one;
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS 'sslmode=verify-ca';
SAVEPOINT two;
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS NULL;
ROLLBACK TO two;
RELEASE two;
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_group IS 'sslmode=cert';
TABLE regress_sslpolicy_labels;
ROLLBACK TO one;
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS 'sslmode=disable';
COMMIT;
TABLE regress_sslpolicy_labels;

-- an error in between takes everything back
BEGIN;
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS 'sslmode=reject';
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS 'sslmode=reject cn=app';
COMMIT;
TABLE regress_sslpolicy_labels;

-- a role that is created, labelled and dropped in one transaction
BEGIN;
CREATE ROLE regress_sslpolicy_short;
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_short IS 'sslmode=require';
DROP ROLE regress_sslpolicy_short;
COMMIT;
TABLE regress_sslpolicy_labels;

-- not in a read-only transaction
BEGIN READ ONLY;
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS NULL;
ROLLBACK;

--
-- A label follows its object
--
ALTER ROLE regress_sslpolicy_app RENAME TO regress_sslpolicy_renamed;
ALTER DATABASE regress_sslpolicy_db RENAME TO regress_sslpolicy_renamed;
TABLE regress_sslpolicy_labels;

-- a new database does not inherit that of its template
CREATE DATABASE regress_sslpolicy_copy TEMPLATE regress_sslpolicy_renamed;
TABLE regress_sslpolicy_labels;

SELECT oid AS role FROM pg_roles WHERE rolname = 'regress_sslpolicy_renamed' \gset
SELECT oid AS database FROM pg_database WHERE datname = 'regress_sslpolicy_renamed' \gset
REVOKE regress_sslpolicy_renamed FROM regress_sslpolicy_creator;
DROP ROLE regress_sslpolicy_renamed;
DROP DATABASE regress_sslpolicy_renamed;
TABLE regress_sslpolicy_labels;
SELECT count(*) FROM pg_shseclabel WHERE objoid IN (:role, :database);

-- a role of the old name has no policy
CREATE ROLE regress_sslpolicy_renamed;
TABLE regress_sslpolicy_labels;

--
-- Labels of another provider are left alone
--
INSERT INTO pg_shseclabel (objoid, classoid, provider, label)
VALUES ('regress_sslpolicy_group'::regrole, 'pg_authid'::regclass, 'regress_sslpolicy_other', 'secret');
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_group IS 'sslmode=require';
SELECT provider, label FROM pg_seclabels WHERE objname = 'regress_sslpolicy_group'
 ORDER BY provider COLLATE "C";
SELECT object_name, policy, error FROM sslpolicy.policies
 WHERE object_name = 'regress_sslpolicy_group';
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_group IS NULL;
SELECT provider, label FROM pg_seclabels WHERE objname = 'regress_sslpolicy_group';
SELECT object_name, policy, error FROM sslpolicy.policies
 WHERE object_name = 'regress_sslpolicy_group';

-- labels do not need the extension, only the library
DROP EXTENSION sslpolicy;
DROP SCHEMA sslpolicy;
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_renamed IS 'sslmode=require';
TABLE regress_sslpolicy_labels;

DROP VIEW regress_sslpolicy_labels;
DROP TABLE regress_sslpolicy_table;
DROP DATABASE regress_sslpolicy_copy;
DROP ROLE regress_sslpolicy_renamed, regress_sslpolicy_group,
    regress_sslpolicy_creator, regress_sslpolicy_ordinary;
SELECT count(*) FROM pg_seclabels WHERE objname LIKE 'regress_sslpolicy%';
