-- The start of the install script of sslpolicy, see Makefile.

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION sslpolicy" to load this file. \quit

-- A schema of this name that somebody else has made beforehand would let them
-- put functions of their own beside ours.
DO $$
BEGIN
    IF NOT (SELECT r.rolsuper
              FROM pg_catalog.pg_namespace n
              JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) n.nspowner
             WHERE n.nspname OPERATOR(pg_catalog.=) '@extschema@') THEN
        RAISE EXCEPTION 'schema "@extschema@" belongs to a role that is no superuser'
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'Drop the schema, or rename it, and create the extension again.';
    END IF;
END $$;

COMMENT ON SCHEMA @extschema@ IS 'TLS policies for roles and databases, and the TLS state of sessions';
