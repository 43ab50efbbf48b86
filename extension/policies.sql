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
COMMENT ON FUNCTION set_policy(regrole, text, boolean) IS
'set the TLS policy of a role, or remove it with NULL; refuses (28000) one that the caller''s own connection does not meet, unless forced';

CREATE FUNCTION set_database_policy(database name, policy text, force boolean DEFAULT false)
RETURNS void
AS 'MODULE_PATHNAME', 'sslpolicy_set_database_policy'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION set_database_policy(name, text, boolean) IS
'set the TLS policy of a database, or remove it with NULL; refuses (28000) one that the caller''s own connection does not meet, unless forced';

-- What holds for every node of a cluster: it is replicated with the catalog.

CREATE FUNCTION set_minimum_policy(policy text, force boolean DEFAULT false)
RETURNS void
AS 'MODULE_PATHNAME', 'sslpolicy_set_minimum_policy'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION set_minimum_policy(text, boolean) IS
'set a TLS policy that every session on every node of the cluster must meet, or remove it with NULL; fails (28000) if it would refuse live sessions or recent logins, unless forced';

CREATE FUNCTION set_default_policy(policy text, force boolean DEFAULT false)
RETURNS void
AS 'MODULE_PATHNAME', 'sslpolicy_set_default_policy'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION set_default_policy(text, boolean) IS
'set the TLS policy of roles without one of their own, on every node of the cluster, or remove it with NULL; fails (28000) if it would refuse live sessions or recent logins, unless forced';

CREATE FUNCTION block_certificate(fingerprint text, force boolean DEFAULT false)
RETURNS void
AS 'MODULE_PATHNAME', 'sslpolicy_block_certificate'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION block_certificate(text, boolean) IS
'refuse a client certificate, or the certificates of a CA, on every node of the cluster, and end its sessions; fails (28000) for that of your own connection, unless forced';

CREATE FUNCTION unblock_certificate(fingerprint text)
RETURNS void
AS 'MODULE_PATHNAME', 'sslpolicy_unblock_certificate'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION unblock_certificate(text) IS
'stop blocking a certificate that block_certificate() has blocked';

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
    OUT uid text[],
    OUT email text[],
    OUT dn text[],
    OUT san text[],
    OUT ignore_case boolean,
    OUT ou text[],
    OUT o text[],
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
COMMENT ON VIEW policies IS
'every rule of every TLS policy: labels of roles and databases, the two settings, and what holds for every node of the cluster';
COMMENT ON COLUMN policies.object_type IS 'role, database, setting or cluster';
COMMENT ON COLUMN policies.object_name IS 'name of the role, database or setting; cluster minimum_policy or cluster default_policy';
COMMENT ON COLUMN policies.rule IS 'number of the rule in its policy, from 1; the first one whose match keys fit decides';
COMMENT ON COLUMN policies.address IS 'match: networks of the client, any of them';
COMMENT ON COLUMN policies.database IS 'match: names of databases, any of them; replication stands for physical replication';
COMMENT ON COLUMN policies.sslmode IS 'weakest mode that is accepted, written or implied by the other keys';
COMMENT ON COLUMN policies.min_protocol IS 'lowest TLS version that is accepted';
COMMENT ON COLUMN policies.cipher IS 'ciphers that are accepted';
COMMENT ON COLUMN policies.cn IS 'common names, one of which (or of uid, email, dn, san) the certificate must carry';
COMMENT ON COLUMN policies.uid IS 'user IDs (UID) of the subject, one of which (or of cn, email, dn, san) the certificate must carry';
COMMENT ON COLUMN policies.email IS 'e-mail addresses (emailAddress) of the subject, one of which (or of cn, uid, dn, san) the certificate must carry';
COMMENT ON COLUMN policies.dn IS 'subject DNs in RFC 2253 form, one of which (or of cn, uid, email, san) the certificate must carry';
COMMENT ON COLUMN policies.san IS 'subject alternative names, one of which (or of cn, uid, email, dn) the certificate must carry';
COMMENT ON COLUMN policies.ignore_case IS 'whether cn, uid and email of the certificate are folded to lower case before they are compared';
COMMENT ON COLUMN policies.ou IS 'organizational units, one of which the subject must have';
COMMENT ON COLUMN policies.o IS 'organizations, one of which the subject must have';
COMMENT ON COLUMN policies.fingerprint IS 'SHA-256 fingerprints of the client certificates that are accepted';
COMMENT ON COLUMN policies.issuer IS 'DNs of CAs, one of which must be in the verified chain';
COMMENT ON COLUMN policies.ca_fingerprint IS 'SHA-256 fingerprints of CAs, one of which must be in the verified chain';
COMMENT ON COLUMN policies.max_lifetime IS 'longest validity of the client certificate that is accepted, not counting a grace of 5 % (at least 5 and at most 65 minutes)';
COMMENT ON COLUMN policies.on_expiry IS 'keep or end: what happens to the session when its certificate expires';
COMMENT ON COLUMN policies.action IS 'reject, or log: only report what the rule would refuse';
COMMENT ON COLUMN policies.policy IS 'canonical text of the whole policy';
COMMENT ON COLUMN policies.error IS 'why a stored policy cannot be read; such a policy refuses every login';
