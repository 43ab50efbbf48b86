-- This piece sets all rights; docs/reference.md says the same of each object.  It is the
-- last piece, because all objects must be there.

-- ALTER DEFAULT PRIVILEGES may have granted anything to anybody, even with grant option.
REVOKE ALL ON SCHEMA @extschema@ FROM PUBLIC CASCADE;
REVOKE ALL ON ALL ROUTINES IN SCHEMA @extschema@ FROM PUBLIC CASCADE;
REVOKE ALL ON ALL TABLES IN SCHEMA @extschema@ FROM PUBLIC CASCADE;

DO $$
DECLARE
    objects pg_catalog.text;
    grantee pg_catalog.name;
BEGIN
    FOR objects, grantee IN
        SELECT DISTINCT given.objects, r.rolname
          FROM pg_catalog.pg_namespace n,
               LATERAL (SELECT 'SCHEMA' AS objects, n.nspacl AS acl, n.nspowner AS owner
                        UNION ALL
                        SELECT 'ALL ROUTINES IN SCHEMA', p.proacl, p.proowner
                          FROM pg_catalog.pg_proc p
                         WHERE p.pronamespace OPERATOR(pg_catalog.=) n.oid
                        UNION ALL
                        SELECT 'ALL TABLES IN SCHEMA', c.relacl, c.relowner
                          FROM pg_catalog.pg_class c
                         WHERE c.relnamespace OPERATOR(pg_catalog.=) n.oid) given,
               pg_catalog.aclexplode(given.acl) a
          JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) a.grantee
         WHERE n.nspname OPERATOR(pg_catalog.=) '@extschema@'
           AND a.grantee OPERATOR(pg_catalog.<>) given.owner
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON %s @extschema@ FROM %I CASCADE', objects, grantee);
    END LOOP;
END $$;

-- For everybody.  Names have their schema: pg_catalog has a version() too, and comes first.
GRANT USAGE ON SCHEMA @extschema@ TO PUBLIC;
GRANT EXECUTE ON FUNCTION
    @extschema@.check_all(),
    @extschema@.check_policy(text),
    @extschema@.client_bundle(),
    @extschema@.client_settings(),
    @extschema@.connection(),
    @extschema@.effective_policy(),
    @extschema@.get_policies(),
    @extschema@.get_sessions(),
    @extschema@.server_ca(),
    @extschema@.version()
    TO PUBLIC;
GRANT SELECT ON
    @extschema@.policies,
    @extschema@.sessions
    TO PUBLIC;

-- For monitoring.
GRANT EXECUTE ON FUNCTION
    @extschema@.get_certificates(),
    @extschema@.get_crls(),
    @extschema@.get_ended_sessions(),
    @extschema@.get_material_history(),
    @extschema@.get_material_status(),
    @extschema@.get_nodes(),
    @extschema@.get_recent_logins(),
    @extschema@.get_rejections(),
    @extschema@.get_statistics(),
    @extschema@.lint(),
    @extschema@.revoked(numeric, text),
    @extschema@.verify_certificate(bytea, timestamptz),
    @extschema@.verify_certificate(text, timestamptz)
    TO pg_monitor;
GRANT SELECT ON
    @extschema@.certificates,
    @extschema@.crls,
    @extschema@.ended_sessions,
    @extschema@.material_history,
    @extschema@.material_status,
    @extschema@.nodes,
    @extschema@.recent_logins,
    @extschema@.rejections,
    @extschema@.statistics
    TO pg_monitor;

-- All other functions are for superusers, and for roles to which a superuser grants them.
