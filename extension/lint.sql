-- Advice

CREATE FUNCTION lint(
    OUT severity text,
    OUT code text,
    OUT object text,
    OUT finding text,
    OUT remedy text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_lint'
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION lint() IS
'what is wrong with the configuration, the worst first: severity (error, warning, info), a stable code, the object, what is the matter, and what to do; no rows if nothing is';
