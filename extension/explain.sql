-- What a login would meet

CREATE FUNCTION explain(
    role regrole,
    database name DEFAULT NULL,
    address inet DEFAULT NULL,
    ssl boolean DEFAULT true,
    tls_version text DEFAULT NULL,
    cipher text DEFAULT NULL,
    certificate text DEFAULT NULL,
    auth_method text DEFAULT NULL,
    at timestamptz DEFAULT pg_catalog.now(),
    OUT source text,
    OUT rule integer,
    OUT requirement text,
    OUT required text,
    OUT actual text,
    OUT ok boolean)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_explain'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION explain(regrole, name, inet, boolean, text, text, text, text, timestamptz) IS
'what a login that is described like this would meet, judged by the code of the login: a row for each requirement, and the verdict; ok is null where it depends on what was not given';

CREATE FUNCTION explain_session(
    pid integer,
    OUT source text,
    OUT rule integer,
    OUT requirement text,
    OUT required text,
    OUT actual text,
    OUT ok boolean)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_explain_session'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 10
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION explain_session(integer) IS
'what a live session would meet if it logged in now: a row for each requirement, and the verdict';

CREATE FUNCTION effective_policy(
    role regrole,
    database name DEFAULT NULL,
    address inet DEFAULT NULL,
    OUT source text,
    OUT rule integer,
    OUT requirement text,
    OUT required text,
    OUT action text,
    OUT decides boolean)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_effective_policy'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION effective_policy(regrole, name, inet) IS
'what is required of a role, and where it comes from; decides is null where it depends on a database or an address that was not given';

CREATE FUNCTION effective_policy(
    OUT source text,
    OUT rule integer,
    OUT requirement text,
    OUT required text,
    OUT action text,
    OUT decides boolean)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_own_effective_policy'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION effective_policy() IS
'what is required of the caller''s own role, in this database, from the address it has connected from';

-- Whom a policy would refuse that is not set yet

CREATE FUNCTION preview_role_policy(
    role regrole,
    policy text,
    OUT kind text,
    OUT pid integer,
    OUT role text,
    OUT database text,
    OUT address inet,
    OUT last_seen timestamptz,
    OUT count bigint,
    OUT client_dn text,
    OUT verdict text,
    OUT reasons text[],
    OUT refused_now boolean)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_preview_role_policy'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION preview_role_policy(regrole, text) IS
'live sessions and recent logins that this policy of a role would refuse, or may (unknown), and why; null previews its removal';

CREATE FUNCTION preview_database_policy(
    database name,
    policy text,
    OUT kind text,
    OUT pid integer,
    OUT role text,
    OUT database text,
    OUT address inet,
    OUT last_seen timestamptz,
    OUT count bigint,
    OUT client_dn text,
    OUT verdict text,
    OUT reasons text[],
    OUT refused_now boolean)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_preview_database_policy'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION preview_database_policy(name, text) IS
'live sessions and recent logins that this policy of a database would refuse, or may (unknown), and why; null previews its removal';

CREATE FUNCTION preview_default_policy(
    policy text,
    OUT kind text,
    OUT pid integer,
    OUT role text,
    OUT database text,
    OUT address inet,
    OUT last_seen timestamptz,
    OUT count bigint,
    OUT client_dn text,
    OUT verdict text,
    OUT reasons text[],
    OUT refused_now boolean)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_preview_default_policy'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION preview_default_policy(text) IS
'live sessions and recent logins that this value of sslpolicy.default_policy would refuse, or may (unknown), and why; null previews its removal';

CREATE FUNCTION preview_minimum_policy(
    policy text,
    OUT kind text,
    OUT pid integer,
    OUT role text,
    OUT database text,
    OUT address inet,
    OUT last_seen timestamptz,
    OUT count bigint,
    OUT client_dn text,
    OUT verdict text,
    OUT reasons text[],
    OUT refused_now boolean)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_preview_minimum_policy'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION preview_minimum_policy(text) IS
'live sessions and recent logins that this policy for every session would refuse, or may (unknown), and why; null previews its removal';
