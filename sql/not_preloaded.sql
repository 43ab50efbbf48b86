--
-- On a server that has not preloaded sslpolicy: what works, and what says so
--
\pset null '(null)'
CREATE ROLE regress_sslpolicy_app;
SELECT current_setting('shared_preload_libraries') LIKE '%sslpolicy%' AS preloaded;

-- the extension can be created, dropped and created again; its schema stays
CREATE EXTENSION sslpolicy;
DROP EXTENSION sslpolicy;
SELECT count(*) FROM pg_namespace WHERE nspname = 'sslpolicy';
SELECT count(*) FROM pg_proc WHERE pronamespace = 'sslpolicy'::regnamespace;
CREATE EXTENSION sslpolicy;

-- the language works
SELECT sslpolicy.check_policy('min_protocol=tlsv1.3 cn=%u');
SELECT sslpolicy.check_policy('sslmode=perfer');
SELECT sslpolicy.check_policy('cn=/^a)|(b$');
SELECT sslpolicy.check_policy('cipher=ROT13');

-- one's own connection is shown, but not how it was authenticated
SELECT ssl, version, verified, auth_method FROM sslpolicy.connection();

-- what is asked before an upgrade needs no preloading either
SELECT item, note FROM sslpolicy.version() WHERE item IN ('preloaded library', 'SQL objects', 'proof of loaded material');
SELECT * FROM sslpolicy.check_all();
SELECT sslpolicy.server_ca();
SELECT * FROM sslpolicy.client_settings();
SELECT * FROM sslpolicy.client_settings('regress_sslpolicy_app');

-- what needs the library at the start of the server says so
SELECT sslpolicy.set_policy('regress_sslpolicy_app', 'sslmode=require');
SELECT sslpolicy.set_policy('regress_sslpolicy_app', NULL, true);
SELECT sslpolicy.set_policy(NULL, 'bogus');
SELECT sslpolicy.set_database_policy(current_database(), 'sslmode=require');
SELECT * FROM sslpolicy.policies;
SELECT * FROM sslpolicy.get_policies();
SELECT * FROM sslpolicy.sessions;
SELECT * FROM sslpolicy.get_sessions();
\set VERBOSITY sqlstate
SELECT sslpolicy.set_policy('regress_sslpolicy_app', 'sslmode=require');
SELECT sslpolicy.set_database_policy(current_database(), 'sslmode=require');
SELECT * FROM sslpolicy.policies;
SELECT * FROM sslpolicy.sessions;
\set VERBOSITY default

-- so do labels and settings
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS 'sslmode=require';
SHOW sslpolicy.enforcement;
SELECT count(*) FROM pg_shseclabel;

-- LOAD changes nothing of this
\c
LOAD 'sslpolicy';
LOAD 'sslpolicy';
SELECT auth_method FROM sslpolicy.connection();
SELECT sslpolicy.set_policy('regress_sslpolicy_app', 'sslmode=require');
SELECT * FROM sslpolicy.sessions;
SECURITY LABEL FOR sslpolicy ON ROLE regress_sslpolicy_app IS 'sslmode=require';
SHOW sslpolicy.enforcement;

DROP EXTENSION sslpolicy;
DROP SCHEMA sslpolicy;
DROP ROLE regress_sslpolicy_app;
