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

CREATE FUNCTION install_ca(
    der bytea,
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
COMMENT ON FUNCTION install_ca(bytea, boolean, boolean) IS
'replace the CAs in ssl_ca_file, given in DER, or as the bytes of a file in PEM';

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
AS 'MODULE_PATHNAME', 'sslpolicy_install_crl'
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
'install the server''s certificate and its chain; the key is the one given, else the one of create_server_key(), else the present one';

CREATE FUNCTION install_server_certificate(
    chain bytea,
    private_key bytea DEFAULT NULL,
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
COMMENT ON FUNCTION install_server_certificate(bytea, bytea, boolean, boolean) IS
'install the server''s certificate and its chain, given in DER, or as the bytes of a file in PEM; the key, in PEM, is the one given, else the one of create_server_key(), else the present one';

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
