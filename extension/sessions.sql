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
COMMENT ON COLUMN sessions.compliant IS 'whether the session meets its policies, as of the last check; null if enforcement is off, or if it cannot be told';
