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

CREATE FUNCTION get_rejections(
    OUT at timestamptz,
    OUT first_at timestamptz,
    OUT count bigint,
    OUT then_admitted bigint,
    OUT role text,
    OUT database text,
    OUT address inet,
    OUT would_be boolean,
    OUT reasons text[],
    OUT source text,
    OUT tls_version text,
    OUT client_dn text,
    OUT client_serial numeric,
    OUT fingerprint_sha256 text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_get_rejections'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 1000;
COMMENT ON FUNCTION get_rejections() IS 'rows of the view sslpolicy.rejections';

CREATE VIEW rejections AS SELECT * FROM get_rejections();
COMMENT ON VIEW rejections IS
'connections that were refused, or would be if policies were enforced, and sessions that were ended; a row for all repeats of the same. At most sslpolicy.max_rejections rows, and a fifth for roles that do not exist or were not named; kept over a restart';
COMMENT ON COLUMN rejections.at IS 'when it happened last';
COMMENT ON COLUMN rejections.first_at IS 'when it happened first';
COMMENT ON COLUMN rejections.count IS 'how often it happened';
COMMENT ON COLUMN rejections.then_admitted IS 'how many of these refusals by a policy were followed within a second by a login of the same role and database, from the same address, that was let in, as libpq does with sslmode allow or prefer: one for each login';
COMMENT ON COLUMN rejections.role IS 'role as the client named it; null if the connection ended before';
COMMENT ON COLUMN rejections.database IS 'database as the client named it; null for physical replication, or if the connection ended before';
COMMENT ON COLUMN rejections.address IS 'address of the client; null for a Unix socket';
COMMENT ON COLUMN rejections.would_be IS 'whether the connection was let in all the same, or the session stayed, because of action=log, sslpolicy.enforcement or the settings of the recheck';
COMMENT ON COLUMN rejections.reasons IS 'all the requirements that were not met; for source server its message and detail';
COMMENT ON COLUMN rejections.source IS 'policy, blocked (sslpolicy.blocked_fingerprints), revocation, recheck (of a live session) or server (PostgreSQL itself)';
COMMENT ON COLUMN rejections.tls_version IS 'TLS version, as in pg_stat_ssl; null without TLS, or if none was agreed on';
COMMENT ON COLUMN rejections.client_dn IS 'subject of the client certificate in RFC 2253 form; null if none was presented and verified';
COMMENT ON COLUMN rejections.client_serial IS 'serial number of the client certificate';
COMMENT ON COLUMN rejections.fingerprint_sha256 IS 'SHA-256 of the client certificate, lower-case hexadecimal';

CREATE FUNCTION get_statistics(
    OUT roleid oid,
    OUT allowed bigint,
    OUT refused bigint,
    OUT logged bigint,
    OUT ended bigint,
    OUT last_allowed timestamptz,
    OUT last_refused timestamptz,
    OUT last_logged timestamptz,
    OUT last_ended timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_get_statistics'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION get_statistics() IS
'rows of the view sslpolicy.statistics, with oids in place of names';

CREATE VIEW statistics AS
SELECT r.rolname::pg_catalog.text AS role,
       s.allowed,
       s.refused,
       s.logged,
       s.ended,
       s.last_allowed,
       s.last_refused,
       s.last_logged,
       s.last_ended,
       e.earliest_expiry
  FROM get_statistics() s
  LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) s.roleid
  LEFT JOIN (
        SELECT l.roleid, pg_catalog.min(l.not_after) AS earliest_expiry
          FROM get_recent_logins() l
         WHERE l.last_login OPERATOR(pg_catalog.>) (pg_catalog.now() OPERATOR(pg_catalog.-) '24 hours'::pg_catalog.interval)
         GROUP BY l.roleid) e ON e.roleid OPERATOR(pg_catalog.=) s.roleid
 WHERE s.roleid IS NULL OR r.oid IS NOT NULL;
COMMENT ON VIEW statistics IS
'how often each role was let in, refused and ended, since sslpolicy.reset_statistics() or a crash; the last 5000 roles';
COMMENT ON COLUMN statistics.role IS 'login role; null for roles that do not exist and connections that ended before they named one';
COMMENT ON COLUMN statistics.allowed IS 'logins that were let in, also those counted in logged';
COMMENT ON COLUMN statistics.refused IS 'logins that were refused, by sslpolicy or by PostgreSQL itself';
COMMENT ON COLUMN statistics.logged IS 'logins that were let in, but would be refused if all policies were enforced';
COMMENT ON COLUMN statistics.ended IS 'live sessions that were ended because they did not comply any more';
COMMENT ON COLUMN statistics.last_allowed IS 'time of the last login that was let in';
COMMENT ON COLUMN statistics.last_refused IS 'time of the last login that was refused';
COMMENT ON COLUMN statistics.last_logged IS 'time of the last login that was let in, but would be refused';
COMMENT ON COLUMN statistics.last_ended IS 'when the last session was ended';
COMMENT ON COLUMN statistics.earliest_expiry IS 'when the first one expires of the client certificates that logged in during the last 24 hours, as far as sslpolicy.recent_logins has them';

CREATE FUNCTION reset_statistics()
RETURNS void
AS 'MODULE_PATHNAME', 'sslpolicy_reset_statistics'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION reset_statistics() IS
'forget the rows of sslpolicy.statistics and sslpolicy.rejections; sslpolicy.recent_logins stays';
