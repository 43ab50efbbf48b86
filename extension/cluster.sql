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
'replace the CAs in ssl_ca_file on every node, once the transaction commits; NULL leaves each node its own';

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
'replace the CAs in ssl_ca_file on every node, given in DER, or as the bytes of a file in PEM';

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
'put CRLs in place on every node, once the transaction commits, each in the place of the one of the same issuer; NULL leaves each node its own';

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
'put a CRL in place on every node, in the place of the one of the same issuer';

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
'what this node, and the standby servers below it, have in force of the CAs and CRLs that are replicated';
COMMENT ON COLUMN nodes.node IS
'name of the node, as pg_stat_replication has it; of this one, cluster_name or its host and port';
COMMENT ON COLUMN nodes.is_self IS
'true for this node';
COMMENT ON COLUMN nodes.kind IS
'ca or crl';
COMMENT ON COLUMN nodes.wanted IS
'SHA-256 of the text that the catalog of the node holds, in hexadecimal; null if it holds none';
COMMENT ON COLUMN nodes.state IS
'local (nothing is replicated), applying, in force, newer (the CRL of the node is newer, and stays), failed, foreign (others write the files of the node), silent (connected, but does not report), gone (not connected any more)';
COMMENT ON COLUMN nodes.detail IS
'reason for the state; null if there is nothing to say';
COMMENT ON COLUMN nodes.lsn IS
'position in the WAL that the node had replayed, or written, by then';
COMMENT ON COLUMN nodes.generation IS
'number of the TLS material in force on the node, from its start';
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
'wait until every node has in force what the catalog holds, or has failed to apply it, and return the rows of view nodes';
