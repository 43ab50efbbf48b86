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
