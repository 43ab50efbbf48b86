--
-- sslpolicy.connection() and sslpolicy.sessions, over a Unix socket: no TLS,
-- and who sees what of whom
--
CREATE EXTENSION sslpolicy;
CREATE ROLE regress_sslpolicy_ordinary;
CREATE ROLE regress_sslpolicy_monitor;
CREATE ROLE regress_sslpolicy_member;
GRANT pg_read_all_stats TO regress_sslpolicy_monitor;
GRANT :"USER" TO regress_sslpolicy_member;
\pset null '(null)'

-- one's own connection; pg_hba.conf of this server names some method
\x on
SELECT ssl, version, cipher, bits, key_exchange, client_cn, client_dn, client_sans,
       issuer_dn, client_serial, fingerprint_sha256, ca_fingerprint_sha256, not_before,
       not_after, key_algorithm, key_bits, signature_algorithm, verified,
       auth_method IS NOT NULL AS has_auth_method
  FROM sslpolicy.connection();
\x off
SELECT count(*) FROM sslpolicy.connection();

-- is a row of the view, with who, where from and since when
SELECT s.pid = pg_backend_pid() AS pid,
       s.usename = session_user AS usename,
       s.datname = current_database() AS datname,
       s.client_addr,
       s.backend_start = a.backend_start AS backend_start,
       s.compliant
  FROM sslpolicy.sessions s JOIN pg_stat_activity a USING (pid)
 WHERE s.pid = pg_backend_pid();
SELECT to_jsonb(s) - ARRAY['pid', 'usename', 'datname', 'client_addr', 'backend_start', 'compliant']
       = to_jsonb(c) AS same
  FROM sslpolicy.sessions s, sslpolicy.connection() c
 WHERE s.pid = pg_backend_pid();

-- one row a session, and only sessions of clients
SELECT count(*) = count(DISTINCT pid) AS distinct_pids FROM sslpolicy.sessions;
SELECT s.pid FROM sslpolicy.sessions s JOIN pg_stat_activity a USING (pid)
 WHERE a.backend_type NOT IN ('client backend', 'walsender');

-- get_sessions() has oids in place of the names
SELECT s.usesysid = session_user::regrole AS role, d.datname = current_database() AS database
  FROM sslpolicy.get_sessions() s JOIN pg_database d ON d.oid = s.datid
 WHERE s.pid = pg_backend_pid();

-- which columns of this session have a value
CREATE FUNCTION regress_sslpolicy_columns() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(key, ', ' ORDER BY key COLLATE "C")
      FROM sslpolicy.sessions s, jsonb_object_keys(jsonb_strip_nulls(to_jsonb(s))) key
     WHERE s.pid = pg_backend_pid()
$$;
SELECT regress_sslpolicy_columns();

-- an ordinary role: of others, who they are
SET SESSION AUTHORIZATION regress_sslpolicy_ordinary;
SELECT regress_sslpolicy_columns();
SELECT num_nonnulls(client_addr, backend_start, ssl, verified, auth_method, compliant)
  FROM sslpolicy.get_sessions() WHERE pid = pg_backend_pid();
-- but of the connection that it uses, everything
SELECT ssl, verified, auth_method IS NOT NULL AS has_auth_method FROM sslpolicy.connection();
RESET SESSION AUTHORIZATION;

-- a member of pg_read_all_stats: everything
SET SESSION AUTHORIZATION regress_sslpolicy_monitor;
SELECT regress_sslpolicy_columns();
RESET SESSION AUTHORIZATION;

-- a role that has the privileges of the one that is logged in: everything
SET SESSION AUTHORIZATION regress_sslpolicy_member;
SELECT regress_sslpolicy_columns();
RESET SESSION AUTHORIZATION;

-- in a transaction that does not write, in a cursor, in a subtransaction
BEGIN READ ONLY;
DECLARE c CURSOR FOR SELECT ssl FROM sslpolicy.sessions WHERE pid = pg_backend_pid();
SAVEPOINT one;
FETCH ALL FROM c;
SELECT ssl FROM sslpolicy.connection();
ROLLBACK TO one;
SELECT regress_sslpolicy_columns();
COMMIT;

-- a row is gone with its connection
CREATE FUNCTION regress_sslpolicy_is_gone(old int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..600 LOOP
        IF NOT EXISTS (SELECT FROM sslpolicy.sessions WHERE pid = old) THEN
            RETURN true;
        END IF;
        PERFORM pg_sleep(0.05);
    END LOOP;
    RETURN false;
END $$;
SELECT pg_backend_pid() AS old \gset
\c
SELECT regress_sslpolicy_is_gone(:old);
SELECT count(*) FROM sslpolicy.sessions WHERE pid = pg_backend_pid();

DROP FUNCTION regress_sslpolicy_columns(), regress_sslpolicy_is_gone(int);
DROP EXTENSION sslpolicy;
DROP SCHEMA sslpolicy;
DROP ROLE regress_sslpolicy_ordinary, regress_sslpolicy_monitor, regress_sslpolicy_member;
