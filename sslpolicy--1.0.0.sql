/* sslpolicy--1.0.0.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION sslpolicy" to load this file. \quit

-- A schema of this name that somebody else has made beforehand would let them
-- put functions of their own beside ours.
DO $$
BEGIN
    IF NOT (SELECT r.rolsuper
              FROM pg_catalog.pg_namespace n
              JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) n.nspowner
             WHERE n.nspname OPERATOR(pg_catalog.=) '@extschema@') THEN
        RAISE EXCEPTION 'schema "@extschema@" belongs to a role that is no superuser'
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'Drop the schema, or rename it, and create the extension again.';
    END IF;
END $$;

GRANT USAGE ON SCHEMA @extschema@ TO PUBLIC;
COMMENT ON SCHEMA @extschema@ IS 'TLS policies for roles and databases, and the TLS state of sessions';

-- The policy language

CREATE FUNCTION check_policy(policy text)
RETURNS text
AS 'MODULE_PATHNAME', 'sslpolicy_check_policy'
LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION check_policy(text) IS
'canonical text of a TLS policy, or an error (22023) that says what is wrong with it';

-- Setting policies

CREATE FUNCTION set_policy(role regrole, policy text, force boolean DEFAULT false)
RETURNS void
AS 'MODULE_PATHNAME', 'sslpolicy_set_policy'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
REVOKE ALL ON FUNCTION set_policy(regrole, text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION set_policy(regrole, text, boolean) IS
'set the TLS policy of a role, or remove it with NULL; refuses (28000) one that the caller''s own connection does not meet, unless forced';

CREATE FUNCTION set_database_policy(database name, policy text, force boolean DEFAULT false)
RETURNS void
AS 'MODULE_PATHNAME', 'sslpolicy_set_database_policy'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
REVOKE ALL ON FUNCTION set_database_policy(name, text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION set_database_policy(name, text, boolean) IS
'set the TLS policy of a database, or remove it with NULL; refuses (28000) one that the caller''s own connection does not meet, unless forced';

CREATE FUNCTION get_policies(
    OUT object_type text,
    OUT object_name text,
    OUT rule integer,
    OUT address text[],
    OUT database text[],
    OUT sslmode text,
    OUT min_protocol text,
    OUT cipher text[],
    OUT cn text[],
    OUT dn text[],
    OUT san text[],
    OUT fingerprint text[],
    OUT issuer text[],
    OUT ca_fingerprint text[],
    OUT max_lifetime interval,
    OUT on_expiry text,
    OUT action text,
    OUT policy text,
    OUT error text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_get_policies'
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION get_policies() IS
'rows of the view sslpolicy.policies';

CREATE VIEW policies AS SELECT * FROM get_policies();
GRANT SELECT ON policies TO PUBLIC;
COMMENT ON VIEW policies IS
'every rule of every TLS policy: labels of roles and databases, and the two settings';
COMMENT ON COLUMN policies.object_type IS 'role, database or setting';
COMMENT ON COLUMN policies.object_name IS 'name of the role, database or setting';
COMMENT ON COLUMN policies.rule IS 'number of the rule in its policy, from 1; the first one whose match keys fit decides';
COMMENT ON COLUMN policies.address IS 'match: networks of the client, any of them';
COMMENT ON COLUMN policies.database IS 'match: names of databases, any of them; replication stands for physical replication';
COMMENT ON COLUMN policies.sslmode IS 'weakest mode that is accepted, written or implied by the other keys';
COMMENT ON COLUMN policies.min_protocol IS 'lowest TLS version that is accepted';
COMMENT ON COLUMN policies.cipher IS 'ciphers that are accepted';
COMMENT ON COLUMN policies.cn IS 'common names, one of which (or of dn, san) the certificate must carry';
COMMENT ON COLUMN policies.dn IS 'subject DNs in RFC 2253 form, one of which (or of cn, san) the certificate must carry';
COMMENT ON COLUMN policies.san IS 'subject alternative names, one of which (or of cn, dn) the certificate must carry';
COMMENT ON COLUMN policies.fingerprint IS 'SHA-256 fingerprints of the client certificates that are accepted';
COMMENT ON COLUMN policies.issuer IS 'DNs of CAs, one of which must be in the verified chain';
COMMENT ON COLUMN policies.ca_fingerprint IS 'SHA-256 fingerprints of CAs, one of which must be in the verified chain';
COMMENT ON COLUMN policies.max_lifetime IS 'longest validity of the client certificate that is accepted';
COMMENT ON COLUMN policies.on_expiry IS 'keep or end: what happens to the session when its certificate expires';
COMMENT ON COLUMN policies.action IS 'reject, or log: only report what the rule would refuse';
COMMENT ON COLUMN policies.policy IS 'canonical text of the whole policy';
COMMENT ON COLUMN policies.error IS 'why a stored policy cannot be read; such a policy refuses every login';

-- TLS state

CREATE FUNCTION connection(
    OUT ssl boolean,
    OUT version text,
    OUT cipher text,
    OUT bits integer,
    OUT key_exchange text,
    OUT client_cn text,
    OUT client_dn text,
    OUT client_sans text[],
    OUT issuer_dn text,
    OUT client_serial numeric,
    OUT fingerprint_sha256 text,
    OUT ca_fingerprint_sha256 text,
    OUT not_before timestamptz,
    OUT not_after timestamptz,
    OUT key_algorithm text,
    OUT key_bits integer,
    OUT signature_algorithm text,
    OUT verified boolean,
    OUT auth_method text)
RETURNS record
AS 'MODULE_PATHNAME', 'sslpolicy_connection'
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION connection() IS
'TLS state of the caller''s own connection; auth_method is null unless sslpolicy is preloaded';

CREATE FUNCTION get_sessions(
    OUT pid integer,
    OUT usesysid oid,
    OUT datid oid,
    OUT client_addr inet,
    OUT backend_start timestamptz,
    OUT ssl boolean,
    OUT version text,
    OUT cipher text,
    OUT bits integer,
    OUT key_exchange text,
    OUT client_cn text,
    OUT client_dn text,
    OUT client_sans text[],
    OUT issuer_dn text,
    OUT client_serial numeric,
    OUT fingerprint_sha256 text,
    OUT ca_fingerprint_sha256 text,
    OUT not_before timestamptz,
    OUT not_after timestamptz,
    OUT key_algorithm text,
    OUT key_bits integer,
    OUT signature_algorithm text,
    OUT verified boolean,
    OUT auth_method text,
    OUT compliant boolean)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_get_sessions'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION get_sessions() IS
'rows of the view sslpolicy.sessions, with oids in place of names';

CREATE VIEW sessions AS
SELECT s.pid,
       a.rolname AS usename,
       d.datname,
       s.client_addr,
       s.backend_start,
       s.ssl,
       s.version,
       s.cipher,
       s.bits,
       s.key_exchange,
       s.client_cn,
       s.client_dn,
       s.client_sans,
       s.issuer_dn,
       s.client_serial,
       s.fingerprint_sha256,
       s.ca_fingerprint_sha256,
       s.not_before,
       s.not_after,
       s.key_algorithm,
       s.key_bits,
       s.signature_algorithm,
       s.verified,
       s.auth_method,
       s.compliant
  FROM get_sessions() s
  LEFT JOIN pg_catalog.pg_authid a ON a.oid OPERATOR(pg_catalog.=) s.usesysid
  LEFT JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) s.datid;
GRANT SELECT ON sessions TO PUBLIC;
COMMENT ON VIEW sessions IS
'TLS state of every live session; all columns of all sessions to members of pg_read_all_stats, otherwise of one''s own';
COMMENT ON COLUMN sessions.pid IS 'process id of the backend, as in pg_stat_activity';
COMMENT ON COLUMN sessions.usename IS 'login role';
COMMENT ON COLUMN sessions.datname IS 'database; null for physical replication';
COMMENT ON COLUMN sessions.client_addr IS 'address of the client; null for a Unix socket';
COMMENT ON COLUMN sessions.backend_start IS 'when the backend was started';
COMMENT ON COLUMN sessions.ssl IS 'whether TLS is in use';
COMMENT ON COLUMN sessions.version IS 'TLS version, as in pg_stat_ssl';
COMMENT ON COLUMN sessions.cipher IS 'cipher, as in pg_stat_ssl';
COMMENT ON COLUMN sessions.bits IS 'bits of the cipher''s key';
COMMENT ON COLUMN sessions.key_exchange IS 'group or method by which the keys were agreed on';
COMMENT ON COLUMN sessions.client_cn IS 'common name of the client certificate; null if it has none or several';
COMMENT ON COLUMN sessions.client_dn IS 'subject of the client certificate in RFC 2253 form, not truncated';
COMMENT ON COLUMN sessions.client_sans IS 'subject alternative names with their types, such as dns:app.example.com';
COMMENT ON COLUMN sessions.issuer_dn IS 'issuer of the client certificate in RFC 2253 form';
COMMENT ON COLUMN sessions.client_serial IS 'serial number of the client certificate';
COMMENT ON COLUMN sessions.fingerprint_sha256 IS 'SHA-256 of the client certificate, lower-case hexadecimal';
COMMENT ON COLUMN sessions.ca_fingerprint_sha256 IS 'SHA-256 of the root of the verified chain';
COMMENT ON COLUMN sessions.not_before IS 'start of the client certificate''s validity';
COMMENT ON COLUMN sessions.not_after IS 'end of the client certificate''s validity';
COMMENT ON COLUMN sessions.key_algorithm IS 'algorithm of the client certificate''s key';
COMMENT ON COLUMN sessions.key_bits IS 'size of the client certificate''s key in bits';
COMMENT ON COLUMN sessions.signature_algorithm IS 'algorithm by which the client certificate was signed';
COMMENT ON COLUMN sessions.verified IS 'whether a client certificate was presented and verified by the server''s CA';
COMMENT ON COLUMN sessions.auth_method IS 'authentication method, as in pg_hba.conf';
COMMENT ON COLUMN sessions.compliant IS 'whether the session met its policies at login; null if enforcement was off';
