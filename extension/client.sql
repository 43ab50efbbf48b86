-- For the client

CREATE FUNCTION server_ca()
RETURNS text
AS 'MODULE_PATHNAME', 'sslpolicy_server_ca'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION server_ca() IS
'PEM that a client saves as sslrootcert: what verifies the server certificate in force; never a key';
