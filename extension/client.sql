-- For the client

CREATE FUNCTION server_ca()
RETURNS text
AS 'MODULE_PATHNAME', 'sslpolicy_server_ca'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION server_ca() IS
'PEM that a client saves as sslrootcert: what verifies the server certificate in force; never a key';

CREATE FUNCTION client_settings(
    role regrole,
    database name DEFAULT NULL,
    address inet DEFAULT NULL,
    directory text DEFAULT '/etc/ssl/postgresql',
    OUT setting text,
    OUT value text,
    OUT note text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_client_settings'
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 30;
COMMENT ON FUNCTION client_settings(regrole, name, inet, text) IS
'what a client with its files in this directory has to set to satisfy the policies that apply to this role (to a database, from an address), and to verify this server';

CREATE FUNCTION client_settings(
    OUT setting text,
    OUT value text,
    OUT note text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'sslpolicy_own_client_settings'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 30;
COMMENT ON FUNCTION client_settings() IS
'the same for the session user, the current database and the address that the caller comes from';

CREATE FUNCTION client_bundle(
    role regrole,
    database name DEFAULT NULL,
    address inet DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'sslpolicy_client_bundle'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION client_bundle(regrole, name, inet) IS
'the same as one file for a POSIX shell to source: it saves what verifies this server below ~/.postgresql, and sets the environment; it never contains a key';

CREATE FUNCTION client_bundle()
RETURNS text
AS 'MODULE_PATHNAME', 'sslpolicy_own_client_bundle'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION client_bundle() IS
'the same for the session user, the current database and the address that the caller comes from';
