-- The start of the install script of sslpolicy, see Makefile.

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION sslpolicy" to load this file. \quit

-- A role that owns a schema of this name, may create in it, or has already created
-- something in it could have its own functions beside ours: superusers would call those.
DO $$
DECLARE
    item pg_catalog.text;
BEGIN
    IF NOT (SELECT r.rolsuper
              FROM pg_catalog.pg_namespace n
              JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) n.nspowner
             WHERE n.nspname OPERATOR(pg_catalog.=) '@extschema@') THEN
        RAISE EXCEPTION 'schema "@extschema@" belongs to a role that is no superuser'
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'Drop the schema, or rename it, and create the extension again.';
    END IF;

    -- Everything in a schema depends on it.  So does the new extension itself.
    SELECT pg_catalog.concat_ws(' ', i.type, i.identity) INTO item
      FROM pg_catalog.pg_namespace n
      JOIN pg_catalog.pg_depend d ON d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
                                 AND d.refobjid OPERATOR(pg_catalog.=) n.oid,
           pg_catalog.pg_identify_object(d.classid, d.objid, d.objsubid) i
     WHERE n.nspname OPERATOR(pg_catalog.=) '@extschema@'
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_extension e
                        WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
                          AND e.oid OPERATOR(pg_catalog.=) d.objid
                          AND e.extname OPERATOR(pg_catalog.=) 'sslpolicy')
     LIMIT 1;
    IF item IS NOT NULL THEN
        RAISE EXCEPTION 'schema "@extschema@" is not empty'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = pg_catalog.format('It holds %s.', item),
                  HINT = 'Drop the schema, or rename it, and create the extension again.';
    END IF;

    -- This is no matter if CREATE EXTENSION itself has made the schema: then only ALTER
    -- DEFAULT PRIVILEGES can have granted rights on it, nobody can have used them yet, and
    -- privileges.sql revokes them.  In that case the same (sub)transaction has written the
    -- rows of schema and extension.
    SELECT COALESCE(pg_catalog.quote_ident(r.rolname), 'PUBLIC') INTO item
      FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) a
      LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) a.grantee
     WHERE n.nspname OPERATOR(pg_catalog.=) '@extschema@'
       AND a.privilege_type OPERATOR(pg_catalog.=) 'CREATE'
       AND a.grantee OPERATOR(pg_catalog.<>) n.nspowner
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_extension e
                        WHERE e.extname OPERATOR(pg_catalog.=) 'sslpolicy' AND e.xmin OPERATOR(pg_catalog.=) n.xmin)
     LIMIT 1;
    IF item IS NOT NULL THEN
        RAISE EXCEPTION 'schema "@extschema@" allows others than its owner to create objects'
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = pg_catalog.format('The schema was there before, with CREATE granted to %s.', item),
                  HINT = 'Drop the schema, or rename it, and create the extension again.';
    END IF;
END $$;

COMMENT ON SCHEMA @extschema@ IS 'TLS policies for roles and databases, and the TLS state of sessions';
