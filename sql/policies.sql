--
-- sslpolicy.policies: every rule of every policy, and policies that cannot be
-- read
--
CREATE EXTENSION sslpolicy;
CREATE ROLE regress_sslpolicy_app;
CREATE ROLE regress_sslpolicy_none;
CREATE ROLE regress_sslpolicy_ordinary;
CREATE ROLE "Regress_sslpolicy ""Quoted""";
CREATE DATABASE regress_sslpolicy_db;
\pset null '(null)'

-- The rows of this file's objects.
CREATE VIEW regress_sslpolicy_policies AS
SELECT * FROM sslpolicy.policies
 WHERE object_name ~* '^regress_sslpolicy' OR object_type = 'setting'
 ORDER BY object_type COLLATE "C", object_name COLLATE "C", rule;
GRANT SELECT ON regress_sslpolicy_policies TO PUBLIC;

-- no policies, no rows
TABLE regress_sslpolicy_policies;

-- all columns
\x on
SELECT sslpolicy.set_policy('regress_sslpolicy_app',
    'address=10.0.0.0/8 address=2001:db8::/32 database=app database=replication '
    'sslmode=cert min_protocol=tlsv1.3 cipher=TLS_AES_256_GCM_SHA384 '
    'cipher=TLS_CHACHA20_POLY1305_SHA256 cn=app cn=/^app[0-9]$ ' ||
    $$dn='CN=app,O=Acme\\, Inc.' san=dns:app.example.com san=ip:2001:DB8::7 $$
    || 'fingerprint=' || upper(repeat('ab', 32)) || ' issuer=''CN=Acme Root,O=Acme'' '
    'ca_fingerprint=' || rtrim(repeat('cd:', 32), ':') || ' max_lifetime=36h '
    'on_expiry=end action=log; '
    'min_protocol=TLSv1.2 action=reject');
TABLE regress_sslpolicy_policies;

-- a database, a name that needs quotes, the least that a policy can say
SELECT sslpolicy.set_policy('regress_sslpolicy_app', NULL);
SELECT sslpolicy.set_policy('"Regress_sslpolicy ""Quoted"""', 'sslmode=reject');
SELECT sslpolicy.set_database_policy('regress_sslpolicy_db', 'max_lifetime=90d');
TABLE regress_sslpolicy_policies;
\x off

-- columns have the types that they can be compared by
SELECT sslpolicy.set_policy('regress_sslpolicy_app',
    $$database=a address=10.0.0.0/8 sslmode=allow; database='a, "b"' sslmode=allow; max_lifetime=1d$$);
SELECT rule FROM regress_sslpolicy_policies WHERE 'a' = ANY (database);
SELECT rule, address[1]::cidr >> inet '10.1.2.3' AS fits FROM regress_sslpolicy_policies
 WHERE address IS NOT NULL;
SELECT database[1] FROM regress_sslpolicy_policies WHERE rule = 2;
SELECT object_name, rule FROM regress_sslpolicy_policies WHERE max_lifetime > interval '23 hours';

-- the canonical text of each is a policy
SELECT bool_and(sslpolicy.check_policy(policy) = policy) FROM regress_sslpolicy_policies;

-- it is there for everybody to see
SET SESSION AUTHORIZATION regress_sslpolicy_ordinary;
SELECT object_type, object_name, rule, sslmode FROM regress_sslpolicy_policies;
SELECT count(*) FROM sslpolicy.get_policies() WHERE object_name = 'regress_sslpolicy_app';
RESET SESSION AUTHORIZATION;

-- changes show in the transaction that makes them
BEGIN;
SELECT sslpolicy.set_policy('regress_sslpolicy_none', 'sslmode=require');
SELECT object_name, policy FROM sslpolicy.policies WHERE object_name = 'regress_sslpolicy_none';
ROLLBACK;
SELECT object_name, policy FROM sslpolicy.policies WHERE object_name = 'regress_sslpolicy_none';

-- the longest max_lifetime of each unit can be shown, or not be set
CREATE FUNCTION pg_temp.can_be_shown(new_policy text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    shown int;
BEGIN
    BEGIN
        PERFORM sslpolicy.set_policy('regress_sslpolicy_none', new_policy);
    EXCEPTION WHEN invalid_parameter_value THEN
        RETURN 'yes';
    END;
    SELECT count(max_lifetime) INTO shown FROM sslpolicy.policies
     WHERE object_name = 'regress_sslpolicy_none';
    PERFORM sslpolicy.set_policy('regress_sslpolicy_none', NULL);
    RETURN CASE shown WHEN 1 THEN 'yes' ELSE 'no' END;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLERRM;
END $$;
SELECT unit, pg_temp.can_be_shown('max_lifetime=9999999999' || unit)
  FROM unnest(ARRAY['s', 'min', 'h', 'd']) unit;

-- a rename shows at once; with the object its rows are gone
ALTER ROLE regress_sslpolicy_app RENAME TO regress_sslpolicy_renamed;
ALTER DATABASE regress_sslpolicy_db RENAME TO regress_sslpolicy_renamed;
SELECT object_type, object_name, rule FROM regress_sslpolicy_policies;
DROP ROLE regress_sslpolicy_renamed, "Regress_sslpolicy ""Quoted""";
DROP DATABASE regress_sslpolicy_renamed;
SELECT object_type, object_name, rule FROM regress_sslpolicy_policies;

--
-- Settings. None of these refuses anybody who runs this test.
--
ALTER SYSTEM SET sslpolicy.default_policy =
    'address=192.0.2.0/24 cn=%u; min_protocol=TLSv1.2 action=log; sslmode=prefer';
ALTER SYSTEM SET sslpolicy.minimum_policy = 'database=regress_sslpolicy_nowhere sslmode=require; sslmode = allow';
SELECT pg_reload_conf();
-- a new connection is forked from a server that has reloaded
\c
\pset null '(null)'
SELECT object_name, rule, address, database, sslmode, min_protocol, cn, action, error
  FROM regress_sslpolicy_policies;
SELECT DISTINCT object_name, policy FROM regress_sslpolicy_policies ORDER BY 1;
ALTER SYSTEM RESET sslpolicy.default_policy;
ALTER SYSTEM RESET sslpolicy.minimum_policy;
SELECT pg_reload_conf();
\c
\pset null '(null)'
TABLE regress_sslpolicy_policies;

--
-- Labels that are no policies: written past the provider, or by a version of
-- sslpolicy that knew more
--
CREATE ROLE regress_sslpolicy_app;
CREATE DATABASE regress_sslpolicy_db;
INSERT INTO pg_shseclabel (objoid, classoid, provider, label)
SELECT oid, 'pg_authid'::regclass, 'sslpolicy', 'sslmode=verify-full bogus=1'
  FROM pg_authid WHERE rolname = 'regress_sslpolicy_app'
UNION ALL
SELECT oid, 'pg_authid'::regclass, 'sslpolicy', ''
  FROM pg_authid WHERE rolname = 'regress_sslpolicy_none'
UNION ALL
SELECT oid, 'pg_database'::regclass, 'sslpolicy', 'address=::1 cn=app; sslmode=require'
  FROM pg_database WHERE datname = 'regress_sslpolicy_db'
UNION ALL
-- of an object that is not there: no row
SELECT 999999999, 'pg_authid'::regclass, 'sslpolicy', 'sslmode=require';
\x on
TABLE regress_sslpolicy_policies;
\x off
SELECT count(*) FROM sslpolicy.policies WHERE object_name IS NULL;

-- a good label by UPDATE is as good as any
UPDATE pg_shseclabel SET label = 'sslmode=require'
 WHERE objoid = 'regress_sslpolicy_none'::regrole AND provider = 'sslpolicy';
SELECT object_name, sslmode, policy, error FROM regress_sslpolicy_policies
 WHERE object_name = 'regress_sslpolicy_none';

-- what only checks at the time of setting know stays readable: a cipher that is
-- accepted no more
UPDATE pg_shseclabel SET label = 'cipher=ROT13 cn=/^a$'
 WHERE objoid = 'regress_sslpolicy_none'::regrole AND provider = 'sslpolicy';
SELECT object_name, cipher, cn, policy, error FROM regress_sslpolicy_policies
 WHERE object_name = 'regress_sslpolicy_none';

-- a regular expression must be valid, and cost little
UPDATE pg_shseclabel SET label = 'cn=/^(a$'
 WHERE objoid = 'regress_sslpolicy_none'::regrole AND provider = 'sslpolicy';
SELECT object_name, cn, policy, error FROM regress_sslpolicy_policies
 WHERE object_name = 'regress_sslpolicy_none';
UPDATE pg_shseclabel SET label = 'cn=/^(.{0,60}){0,60}$'
 WHERE objoid = 'regress_sslpolicy_none'::regrole AND provider = 'sslpolicy';
SELECT object_name, cn, policy, error FROM regress_sslpolicy_policies
 WHERE object_name = 'regress_sslpolicy_none';

-- a broken label can be replaced and removed
SECURITY LABEL FOR sslpolicy ON DATABASE regress_sslpolicy_db IS 'sslmode=require';
SELECT sslpolicy.set_policy('regress_sslpolicy_app', NULL);
SELECT object_name, policy, error FROM regress_sslpolicy_policies;

DELETE FROM pg_shseclabel WHERE objoid = 999999999;
DROP VIEW regress_sslpolicy_policies;
DROP EXTENSION sslpolicy;
DROP SCHEMA sslpolicy;
DROP DATABASE regress_sslpolicy_db;
DROP ROLE regress_sslpolicy_app, regress_sslpolicy_none, regress_sslpolicy_ordinary;
SELECT count(*) FROM pg_seclabels WHERE objname LIKE 'regress_sslpolicy%';
