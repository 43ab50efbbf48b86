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

-- TLS material: what is there

CREATE FUNCTION get_certificates(
    OUT kind text,
    OUT "position" integer,
    OUT subject_dn text,
    OUT issuer_dn text,
    OUT serial numeric,
    OUT sans text[],
    OUT not_before timestamptz,
    OUT not_after timestamptz,
    OUT days_left integer,
    OUT key_algorithm text,
    OUT key_bits integer,
    OUT signature_algorithm text,
    OUT is_ca boolean,
    OUT self_signed boolean,
    OUT fingerprint_sha256 text,
    OUT pem text,
    OUT file text,
    OUT in_force boolean)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_get_certificates'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION get_certificates() IS
'rows of the view sslpolicy.certificates';

CREATE VIEW certificates AS SELECT * FROM get_certificates();
COMMENT ON VIEW certificates IS
'every certificate in ssl_cert_file and ssl_ca_file, and whether the running server has loaded it';
COMMENT ON COLUMN certificates.kind IS 'server (ssl_cert_file) or ca (ssl_ca_file)';
COMMENT ON COLUMN certificates."position" IS 'place in the file, from 1; the server''s own certificate is first';
COMMENT ON COLUMN certificates.subject_dn IS 'subject in RFC 2253 form';
COMMENT ON COLUMN certificates.issuer_dn IS 'issuer in RFC 2253 form';
COMMENT ON COLUMN certificates.serial IS 'serial number';
COMMENT ON COLUMN certificates.sans IS 'subject alternative names with their types, such as dns:db.example.com';
COMMENT ON COLUMN certificates.not_before IS 'start of validity';
COMMENT ON COLUMN certificates.not_after IS 'end of validity';
COMMENT ON COLUMN certificates.days_left IS 'whole days until the end of validity; negative if it has expired';
COMMENT ON COLUMN certificates.key_algorithm IS 'algorithm of the key';
COMMENT ON COLUMN certificates.key_bits IS 'size of the key in bits';
COMMENT ON COLUMN certificates.signature_algorithm IS 'algorithm by which it was signed';
COMMENT ON COLUMN certificates.is_ca IS 'whether it may sign certificates';
COMMENT ON COLUMN certificates.self_signed IS 'whether it has signed itself';
COMMENT ON COLUMN certificates.fingerprint_sha256 IS 'SHA-256 of the certificate, lower-case hexadecimal';
COMMENT ON COLUMN certificates.pem IS 'the certificate itself';
COMMENT ON COLUMN certificates.file IS 'path of the file';
COMMENT ON COLUMN certificates.in_force IS 'whether new connections are served with this very certificate; false: the file has changed since the last load; null: not known';

CREATE FUNCTION get_crls(
    OUT file text,
    OUT issuer_dn text,
    OUT crl_number numeric,
    OUT this_update timestamptz,
    OUT next_update timestamptz,
    OUT entries integer,
    OUT verified_by text,
    OUT in_force boolean,
    OUT error text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_get_crls'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION get_crls() IS 'rows of the view sslpolicy.crls';

CREATE VIEW crls AS SELECT * FROM get_crls();
COMMENT ON VIEW crls IS
'every certificate revocation list in ssl_crl_file and ssl_crl_dir, and whether the running server has loaded it';
COMMENT ON COLUMN crls.file IS 'path of the file';
COMMENT ON COLUMN crls.issuer_dn IS 'issuer in RFC 2253 form';
COMMENT ON COLUMN crls.crl_number IS 'CRL number (RFC 5280 section 5.2.3)';
COMMENT ON COLUMN crls.this_update IS 'when it was issued';
COMMENT ON COLUMN crls.next_update IS 'when it expires; null if it does not say';
COMMENT ON COLUMN crls.entries IS 'number of revoked certificates';
COMMENT ON COLUMN crls.verified_by IS 'SHA-256 fingerprint of the CA in ssl_ca_file that signed it; null if none did';
COMMENT ON COLUMN crls.in_force IS 'whether new connections are checked with this very CRL; null: not known';
COMMENT ON COLUMN crls.error IS 'why it cannot be used; null if it can';

CREATE FUNCTION get_material_status(
    OUT kind text,
    OUT path text,
    OUT sha256 text,
    OUT last_load timestamptz,
    OUT last_failed_load timestamptz,
    OUT last_error text,
    OUT generation bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_get_material_status'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 3;
COMMENT ON FUNCTION get_material_status() IS 'rows of the view sslpolicy.material_status';

CREATE VIEW material_status AS SELECT * FROM get_material_status();
COMMENT ON VIEW material_status IS
'a row for each kind of TLS material: its file, and when the server loaded it; the server loads all kinds together, or none';
COMMENT ON COLUMN material_status.kind IS 'server, ca or crl';
COMMENT ON COLUMN material_status.path IS 'ssl_cert_file, ssl_ca_file, or ssl_crl_file (else ssl_crl_dir); null if it is not set';
COMMENT ON COLUMN material_status.sha256 IS 'SHA-256 of the file as it is now; null if it cannot be read';
COMMENT ON COLUMN material_status.last_load IS 'when what is in force was loaded';
COMMENT ON COLUMN material_status.last_failed_load IS 'when a load last failed, since the start of the server';
COMMENT ON COLUMN material_status.last_error IS 'why it failed, in the server''s words; empty if log_min_messages hides them';
COMMENT ON COLUMN material_status.generation IS 'number of the load in force, from the start of the server; null if there is none';

CREATE FUNCTION get_material_history(
    OUT at timestamptz,
    OUT kind text,
    OUT version integer,
    OUT action text,
    OUT installed_by text,
    OUT state text,
    OUT sha256 text,
    OUT subjects text[],
    OUT fingerprints text[],
    OUT kept boolean)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_get_material_history'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION get_material_history() IS 'rows of the view sslpolicy.material_history';

CREATE VIEW material_history AS SELECT * FROM get_material_history();
COMMENT ON VIEW material_history IS
'what was installed, when and by whom, oldest first; of this server alone, since each node has files of its own';
COMMENT ON COLUMN material_history.at IS 'when';
COMMENT ON COLUMN material_history.kind IS 'server, ca or crl';
COMMENT ON COLUMN material_history.version IS 'number of the version of this kind; 0: no file';
COMMENT ON COLUMN material_history.action IS 'function by which it came; found: something else had put it in place';
COMMENT ON COLUMN material_history.installed_by IS 'user and address';
COMMENT ON COLUMN material_history.state IS 'installed, failed (the one before was put back), or unfinished (interrupted)';
COMMENT ON COLUMN material_history.sha256 IS 'SHA-256 of the file';
COMMENT ON COLUMN material_history.subjects IS 'subjects of the certificates, or issuers of the CRLs, in the file';
COMMENT ON COLUMN material_history.fingerprints IS 'their SHA-256 fingerprints, in the same order';
COMMENT ON COLUMN material_history.kept IS 'whether the version is still there to go back to';

CREATE FUNCTION verify_certificate(
    pem text,
    at timestamptz DEFAULT pg_catalog.now(),
    OUT ok boolean,
    OUT error text,
    OUT chain text[],
    OUT cn text,
    OUT sans text[],
    OUT not_after timestamptz,
    OUT revoked boolean,
    OUT revoked_since timestamptz)
RETURNS record
AS 'MODULE_PATHNAME', 'sslpolicy_verify_certificate'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION verify_certificate(text, timestamptz) IS
'would the server, with the files that it has now, accept this client certificate (first in the text, its intermediates behind it)';

CREATE FUNCTION revoked(
    serial numeric,
    issuer_dn text,
    OUT revoked boolean,
    OUT since timestamptz,
    OUT reason text,
    OUT crl_issuer text)
RETURNS record
AS 'MODULE_PATHNAME', 'sslpolicy_revoked'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION revoked(numeric, text) IS
'has a CRL revoked the certificate with this serial number of this issuer (RFC 2253 form, as in sslpolicy.crls); null if there is no CRL of that issuer';

-- Live sessions that do not comply any more

CREATE FUNCTION recheck(
    dry_run boolean DEFAULT false,
    OUT pid integer,
    OUT role text,
    OUT ok boolean,
    OUT reasons text[],
    OUT ended boolean)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_recheck'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION recheck(boolean) IS
'judge every live session by the policies that this transaction sees, and end those that sslpolicy.recheck_policy and recheck_revoked say; with dry_run only say which';
REVOKE ALL ON FUNCTION recheck(boolean) FROM PUBLIC;

CREATE FUNCTION get_ended_sessions(
    OUT at timestamptz,
    OUT pid integer,
    OUT usename text,
    OUT datname text,
    OUT client_addr inet,
    OUT cause text,
    OUT changed text,
    OUT reasons text[])
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_get_ended_sessions'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION get_ended_sessions() IS 'rows of the view sslpolicy.ended_sessions';

CREATE VIEW ended_sessions AS SELECT * FROM get_ended_sessions();
COMMENT ON VIEW ended_sessions IS
'the last 500 sessions that were ended because they did not comply any more, oldest first; forgotten at a restart';
COMMENT ON COLUMN ended_sessions.at IS 'when it was told to end';
COMMENT ON COLUMN ended_sessions.pid IS 'process id of its backend';
COMMENT ON COLUMN ended_sessions.usename IS 'login role, as at login';
COMMENT ON COLUMN ended_sessions.datname IS 'database, as at login; null for physical replication';
COMMENT ON COLUMN ended_sessions.client_addr IS 'address of the client';
COMMENT ON COLUMN ended_sessions.cause IS 'policy, expired (its certificate, with on_expiry=end), blocked (sslpolicy.blocked_fingerprints) or revoked';
COMMENT ON COLUMN ended_sessions.changed IS 'what had changed since the check before';
COMMENT ON COLUMN ended_sessions.reasons IS 'the requirements that it did not meet';

-- TLS material: changing it

CREATE FUNCTION reload(
    timeout interval DEFAULT '5s',
    force boolean DEFAULT false,
    OUT generation bigint,
    OUT loaded boolean,
    OUT error text,
    OUT elapsed interval)
RETURNS record
AS 'MODULE_PATHNAME', 'sslpolicy_reload'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION reload(interval, boolean) IS
'have the server load its configuration and TLS files, and say whether it did; refuses files that would lock every client out, unless forced';

CREATE FUNCTION install_ca(
    pem text,
    dry_run boolean DEFAULT false,
    force boolean DEFAULT false,
    OUT installed boolean,
    OUT generation bigint,
    OUT changes jsonb,
    OUT affected jsonb,
    OUT warnings text[])
RETURNS record
AS 'MODULE_PATHNAME', 'sslpolicy_install_ca'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION install_ca(text, boolean, boolean) IS
'replace the CAs in ssl_ca_file';

CREATE FUNCTION add_ca(
    pem text,
    dry_run boolean DEFAULT false,
    force boolean DEFAULT false,
    OUT installed boolean,
    OUT generation bigint,
    OUT changes jsonb,
    OUT affected jsonb,
    OUT warnings text[])
RETURNS record
AS 'MODULE_PATHNAME', 'sslpolicy_add_ca'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION add_ca(text, boolean, boolean) IS
'add CAs to ssl_ca_file';

CREATE FUNCTION remove_ca(
    fingerprint text,
    dry_run boolean DEFAULT false,
    force boolean DEFAULT false,
    OUT installed boolean,
    OUT generation bigint,
    OUT changes jsonb,
    OUT affected jsonb,
    OUT warnings text[])
RETURNS record
AS 'MODULE_PATHNAME', 'sslpolicy_remove_ca'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION remove_ca(text, boolean, boolean) IS
'remove the CA with this SHA-256 fingerprint from ssl_ca_file';

CREATE FUNCTION install_crl(
    pem text,
    dry_run boolean DEFAULT false,
    force boolean DEFAULT false,
    OUT installed boolean,
    OUT generation bigint,
    OUT changes jsonb,
    OUT affected jsonb,
    OUT warnings text[])
RETURNS record
AS 'MODULE_PATHNAME', 'sslpolicy_install_crl'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION install_crl(text, boolean, boolean) IS
'put CRLs into sslpolicy.crl_file if that is set, else into ssl_crl_file, each in the place of the one of the same issuer';

CREATE FUNCTION install_crl(
    der bytea,
    dry_run boolean DEFAULT false,
    force boolean DEFAULT false,
    OUT installed boolean,
    OUT generation bigint,
    OUT changes jsonb,
    OUT affected jsonb,
    OUT warnings text[])
RETURNS record
AS 'MODULE_PATHNAME', 'sslpolicy_install_crl_der'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION install_crl(bytea, boolean, boolean) IS
'put a CRL into sslpolicy.crl_file if that is set, else into ssl_crl_file, in the place of the one of the same issuer';

CREATE FUNCTION install_server_certificate(
    chain text,
    private_key text DEFAULT NULL,
    dry_run boolean DEFAULT false,
    force boolean DEFAULT false,
    OUT installed boolean,
    OUT generation bigint,
    OUT changes jsonb,
    OUT affected jsonb,
    OUT warnings text[])
RETURNS record
AS 'MODULE_PATHNAME', 'sslpolicy_install_server_certificate'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION install_server_certificate(text, text, boolean, boolean) IS
'install the servers certificate and its chain; the key is the one given, else the one of create_server_key(), else the present one';

CREATE FUNCTION rollback(
    kind text,
    dry_run boolean DEFAULT false,
    force boolean DEFAULT false,
    OUT installed boolean,
    OUT generation bigint,
    OUT changes jsonb,
    OUT affected jsonb,
    OUT warnings text[])
RETURNS record
AS 'MODULE_PATHNAME', 'sslpolicy_rollback'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION rollback(text, boolean, boolean) IS
'go back to the material before: ca, crl or server';

CREATE FUNCTION create_server_key(subject text, sans text[], key_type text DEFAULT 'EC P-256')
RETURNS text
AS 'MODULE_PATHNAME', 'sslpolicy_create_server_key'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION create_server_key(text, text[], text) IS
'make a private key, which stays on the server, and return the certificate signing request for it';

-- for monitoring
REVOKE ALL ON FUNCTION get_ended_sessions(), revoked(numeric, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION get_ended_sessions(), revoked(numeric, text) TO pg_monitor;
GRANT SELECT ON ended_sessions TO pg_monitor;
REVOKE ALL ON FUNCTION get_certificates(), get_crls(), get_material_status(), get_material_history(),
    verify_certificate(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION get_certificates(), get_crls(), get_material_status(), get_material_history(),
    verify_certificate(text, timestamptz) TO pg_monitor;
GRANT SELECT ON certificates, crls, material_status, material_history TO pg_monitor;

-- for whom a superuser grants it
REVOKE ALL ON FUNCTION reload(interval, boolean), create_server_key(text, text[], text) FROM PUBLIC;
REVOKE ALL ON FUNCTION install_ca(text, boolean, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION add_ca(text, boolean, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION remove_ca(text, boolean, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION install_crl(text, boolean, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION install_crl(bytea, boolean, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION install_server_certificate(text, text, boolean, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION rollback(text, boolean, boolean) FROM PUBLIC;
