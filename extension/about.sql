-- Before and after an upgrade

CREATE FUNCTION version(
    OUT item text,
    OUT value text,
    OUT note text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_version'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 12;
COMMENT ON FUNCTION @extschema@.version() IS
'versions of the library (this one, the preloaded one, the one on disk), of the SQL objects, of OpenSSL and of the server, whether they fit, and what this server can and cannot prove; needs no preloading';

CREATE FUNCTION check_all(
    OUT object_type text,
    OUT object_name text,
    OUT policy text,
    OUT error text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_check_all'
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION check_all() IS
'every stored policy, of roles, databases and both settings, read by this library as if it were set now; error is null if it is fine; needs no preloading';
