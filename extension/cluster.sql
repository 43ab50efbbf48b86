-- What every node has

CREATE FUNCTION set_ca(
    pem text,
    force boolean DEFAULT false,
    OUT changes jsonb,
    OUT affected jsonb,
    OUT warnings text[])
RETURNS record
AS 'MODULE_PATHNAME', 'sslpolicy_set_ca'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION set_ca(text, boolean) IS
'replace the CAs in ssl_ca_file on every node, when the transaction commits; NULL ends this, and each node keeps its files';

CREATE FUNCTION set_ca(
    der bytea,
    force boolean DEFAULT false,
    OUT changes jsonb,
    OUT affected jsonb,
    OUT warnings text[])
RETURNS record
AS 'MODULE_PATHNAME', 'sslpolicy_set_ca'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION set_ca(bytea, boolean) IS
'replace the CAs in ssl_ca_file on every node; takes DER, or the bytes of a PEM file';

CREATE FUNCTION set_crl(
    pem text,
    force boolean DEFAULT false,
    OUT changes jsonb,
    OUT affected jsonb,
    OUT warnings text[])
RETURNS record
AS 'MODULE_PATHNAME', 'sslpolicy_set_crl'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION set_crl(text, boolean) IS
'put CRLs in place on every node, when the transaction commits; each replaces the one of the same issuer and scope. NULL ends this, and each node keeps its files';

CREATE FUNCTION set_crl(
    der bytea,
    force boolean DEFAULT false,
    OUT changes jsonb,
    OUT affected jsonb,
    OUT warnings text[])
RETURNS record
AS 'MODULE_PATHNAME', 'sslpolicy_set_crl'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION set_crl(bytea, boolean) IS
'put a CRL in place on every node; it replaces the one of the same issuer and scope. Takes DER, or the bytes of a PEM file';

CREATE FUNCTION get_nodes(
    OUT node text,
    OUT is_self boolean,
    OUT kind text,
    OUT wanted text,
    OUT state text,
    OUT detail text,
    OUT lsn pg_lsn,
    OUT generation bigint,
    OUT reported_at timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_get_nodes'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION get_nodes() IS
'the rows of view nodes';

CREATE VIEW nodes AS
    SELECT * FROM get_nodes();
COMMENT ON VIEW nodes IS
'state of the replicated CAs and CRLs on this node, and on the standby servers below it';
COMMENT ON COLUMN nodes.node IS
'name of the node, as in pg_stat_replication; for this node, cluster_name, or its host and port';
COMMENT ON COLUMN nodes.is_self IS
'true for this node';
COMMENT ON COLUMN nodes.kind IS
'ca or crl';
COMMENT ON COLUMN nodes.wanted IS
'SHA-256 of the text that the node finds in its catalog, in hexadecimal; null if there is none';
COMMENT ON COLUMN nodes.state IS
'local (nothing is replicated), applying, in force, newer (the node keeps its own CRL, which is newer), failed, foreign (something else writes the files of the node), silent (connected, but does not report), gone (no longer connected)';
COMMENT ON COLUMN nodes.detail IS
'reason for the state; null if there is nothing to say';
COMMENT ON COLUMN nodes.lsn IS
'WAL location that the node had replayed (a primary: written) when it last set this state';
COMMENT ON COLUMN nodes.generation IS
'generation of the TLS material in force on the node, counted from the start of its server';
COMMENT ON COLUMN nodes.reported_at IS
'when the node reported this';

CREATE FUNCTION wait_for_nodes(
    timeout interval DEFAULT '10s',
    OUT node text,
    OUT is_self boolean,
    OUT kind text,
    OUT wanted text,
    OUT state text,
    OUT detail text,
    OUT lsn pg_lsn,
    OUT generation bigint,
    OUT reported_at timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_wait_for_nodes'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION wait_for_nodes(interval) IS
'wait until every node has in force what the catalog holds, or has failed to apply it; then return the rows of view nodes';
