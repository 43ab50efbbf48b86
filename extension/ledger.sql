-- Logins: recent ones, refused ones, and counters

CREATE FUNCTION get_recent_logins(
    OUT roleid oid,
    OUT datid oid,
    OUT address inet,
    OUT tls_version text,
    OUT last_login timestamptz,
    OUT count bigint,
    OUT cipher text,
    OUT auth_method text,
    OUT compliant boolean,
    OUT client_dn text,
    OUT issuer_dn text,
    OUT client_cn text,
    OUT client_sans text[],
    OUT client_serial numeric,
    OUT fingerprint_sha256 text,
    OUT not_before timestamptz,
    OUT not_after timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_get_recent_logins'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 1000;
COMMENT ON FUNCTION get_recent_logins() IS
'rows of the view sslpolicy.recent_logins, with oids in place of names';

CREATE VIEW recent_logins AS
SELECT r.rolname::pg_catalog.text AS role,
       d.datname::pg_catalog.text AS database,
       l.address,
       l.tls_version,
       l.client_dn,
       l.issuer_dn,
       l.last_login,
       l.count,
       l.cipher,
       l.client_cn,
       l.client_sans,
       l.client_serial,
       l.fingerprint_sha256,
       l.not_before,
       l.not_after,
       l.auth_method,
       l.compliant
  FROM get_recent_logins() l
  JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) l.roleid
  LEFT JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) l.datid
 WHERE l.datid IS NULL OR d.oid IS NOT NULL;
COMMENT ON VIEW recent_logins IS
'who has logged in lately, a row for each role, database, address, TLS version, and subject and issuer of the certificate; at most sslpolicy.max_recent_logins rows, kept over a restart';
COMMENT ON COLUMN recent_logins.role IS 'login role';
COMMENT ON COLUMN recent_logins.database IS 'database; null for physical replication';
COMMENT ON COLUMN recent_logins.address IS 'address of the client; null for a Unix socket';
COMMENT ON COLUMN recent_logins.tls_version IS 'TLS version, as in pg_stat_ssl; null without TLS';
COMMENT ON COLUMN recent_logins.client_dn IS 'subject of the client certificate in RFC 2253 form; null if none was presented, or its chain is too long to be kept';
COMMENT ON COLUMN recent_logins.issuer_dn IS 'issuer of the client certificate in RFC 2253 form';
COMMENT ON COLUMN recent_logins.last_login IS 'time of the last login';
COMMENT ON COLUMN recent_logins.count IS 'number of logins';
COMMENT ON COLUMN recent_logins.cipher IS 'cipher of the last login, as in pg_stat_ssl';
COMMENT ON COLUMN recent_logins.client_cn IS 'common name of the client certificate; null if it has none or several';
COMMENT ON COLUMN recent_logins.client_sans IS 'subject alternative names of the certificate of the last login, with their types';
COMMENT ON COLUMN recent_logins.client_serial IS 'serial number of the certificate of the last login';
COMMENT ON COLUMN recent_logins.fingerprint_sha256 IS 'SHA-256 of the certificate of the last login, lower-case hexadecimal';
COMMENT ON COLUMN recent_logins.not_before IS 'start of the validity of the certificate of the last login';
COMMENT ON COLUMN recent_logins.not_after IS 'end of the validity of the certificate of the last login';
COMMENT ON COLUMN recent_logins.auth_method IS 'authentication method of the last login, as in pg_hba.conf';
COMMENT ON COLUMN recent_logins.compliant IS 'whether the last login met its policies; null if enforcement was off';

REVOKE ALL ON FUNCTION get_recent_logins() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION get_recent_logins() TO pg_monitor;
GRANT SELECT ON recent_logins TO pg_monitor;
