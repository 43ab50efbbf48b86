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
    OUT scope text,
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
'every certificate revocation list in ssl_crl_file and ssl_crl_dir, and in sslpolicy.crl_file and crl_dir, and whether it is in force';
COMMENT ON COLUMN crls.file IS 'path of the file';
COMMENT ON COLUMN crls.issuer_dn IS 'issuer in RFC 2253 form';
COMMENT ON COLUMN crls.crl_number IS 'CRL number (RFC 5280 section 5.2.3)';
COMMENT ON COLUMN crls.scope IS 'which certificates of the issuer it covers, by its issuing distribution point (RFC 5280 section 5.2.5); null: all';
COMMENT ON COLUMN crls.this_update IS 'when it was issued';
COMMENT ON COLUMN crls.next_update IS 'when it expires; null if it does not say';
COMMENT ON COLUMN crls.entries IS 'number of revoked certificates';
COMMENT ON COLUMN crls.verified_by IS 'SHA-256 fingerprint of the CA that signed it, from ssl_ca_file or given to install_crl(); null if none did';
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
    OUT kept boolean,
    OUT in_place boolean)
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
COMMENT ON COLUMN material_history.in_place IS 'whether the file in place is the one of this row; of several rows with the same file, the last';

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

CREATE FUNCTION verify_certificate(
    der bytea,
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
COMMENT ON FUNCTION verify_certificate(bytea, timestamptz) IS
'would the server, with the files that it has now, accept this client certificate, given in DER, or as the bytes of a file in PEM (its intermediates behind it)';

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
