/*-------------------------------------------------------------------------
 *
 * lintextension.c
 *		Findings about the extension itself, in the current database: what is not
 *		as the install script left it.
 *
 * If somebody else has a function in its schema, or if a role that is not a superuser
 * owns one of its functions, superusers may run that function and mean ours.
 *
 * pg_init_privs does not tell what may be granted.  It has the privileges at the end of
 * CREATE EXTENSION, including those by ALTER DEFAULT PRIVILEGES that a script did not
 * revoke, and those that ALTER EXTENSION ADD finds.  So the table of
 * extension/privileges.sql is repeated here; a test compares the two.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/privileged.h"
#include "lint/lint.h"

static const char *const for_everybody[] = {
	"sslpolicy.check_all()",
	"sslpolicy.check_policy(text)",
	"sslpolicy.client_bundle()",
	"sslpolicy.client_settings()",
	"sslpolicy.connection()",
	"sslpolicy.effective_policy()",
	"sslpolicy.get_policies()",
	"sslpolicy.get_sessions()",
	"sslpolicy.policies",
	"sslpolicy.server_ca()",
	"sslpolicy.sessions",
	"sslpolicy.version()",
};

static const char *const for_monitor[] = {
	"sslpolicy.certificates",
	"sslpolicy.crls",
	"sslpolicy.ended_sessions",
	"sslpolicy.get_certificates()",
	"sslpolicy.get_crls()",
	"sslpolicy.get_ended_sessions()",
	"sslpolicy.get_material_history()",
	"sslpolicy.get_material_status()",
	"sslpolicy.get_nodes()",
	"sslpolicy.get_recent_logins()",
	"sslpolicy.get_rejections()",
	"sslpolicy.get_statistics()",
	"sslpolicy.lint()",
	"sslpolicy.material_history",
	"sslpolicy.material_status",
	"sslpolicy.nodes",
	"sslpolicy.recent_logins",
	"sslpolicy.rejections",
	"sslpolicy.revoked(numeric,text)",
	"sslpolicy.statistics",
	"sslpolicy.verify_certificate(bytea,timestamp with time zone)",
	"sslpolicy.verify_certificate(text,timestamp with time zone)",
};

static bool
is_true(const char *value)
{
	return value && strcmp(value, "t") == 0;
}

/*
 * Roles that own parts of the extension and are not superusers, and what they own.
 */
void
lint_extension_owners(Survey *survey)
{
	QueryResult *rows = privileged_query(
		"SELECT r.rolname, pg_catalog.quote_ident(r.rolname), o.object, "
		"(SELECT pg_catalog.quote_ident(s.rolname) FROM pg_catalog.pg_roles s WHERE s.rolsuper ORDER BY s.oid LIMIT 1) "
		"FROM (SELECT 1 AS place, 'extension sslpolicy' AS object, e.extowner AS owner "
		"FROM pg_catalog.pg_extension e WHERE e.extname OPERATOR(pg_catalog.=) 'sslpolicy' "
		"UNION ALL SELECT 2, 'schema sslpolicy', n.nspowner "
		"FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace "
		"WHERE e.extname OPERATOR(pg_catalog.=) 'sslpolicy' "
		"UNION ALL SELECT 3, pg_catalog.pg_describe_object(d.classid, d.objid, 0), COALESCE(p.proowner, c.relowner) "
		"FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_depend d ON d.refobjid OPERATOR(pg_catalog.=) e.oid "
		"AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass "
		"AND d.deptype OPERATOR(pg_catalog.=) 'e' "
		"LEFT JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) d.objid "
		"AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass "
		"LEFT JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) d.objid "
		"AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass "
		"WHERE e.extname OPERATOR(pg_catalog.=) 'sslpolicy') o "
		"JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) o.owner "
		"WHERE NOT r.rolsuper ORDER BY r.rolname, o.place, o.object");

	for (int row = 0; row < rows->rows; row++)
	{
		char	  **r = rows->values[row];

		add_finding_about(&survey->findings, SEVERITY_ERROR, "owner_no_superuser", psprintf("role \"%s\"", r[0]),
						  "It is not a superuser, but owns parts of the extension: it can replace them with functions of its own, which superusers would then run.",
						  psprintf("As a superuser: DROP EXTENSION sslpolicy; DROP SCHEMA sslpolicy; CREATE EXTENSION sslpolicy; policies stay, but rights on functions must be granted again. "
								   "If the role has changed nothing: REASSIGN OWNED BY %s TO %s, which moves everything that it owns in this database.",
								   r[1], r[3]),
						  "Objects", r[2]);
	}
}

/*
 * Objects in the schema that do not belong to the extension.
 */
void
lint_extension_schema(Survey *survey)
{
	QueryResult *rows = privileged_query(
		"SELECT i.type, i.identity, COALESCE(pg_catalog.pg_get_userbyid(s.refobjid), ''), r.rolsuper, "
		"pg_catalog.concat('DROP ', CASE WHEN i.type OPERATOR(pg_catalog.=) 'statistics object' THEN 'STATISTICS' ELSE pg_catalog.upper(i.type) END, ' ', i.identity, ';') "
		"FROM pg_catalog.pg_extension e "
		"JOIN pg_catalog.pg_depend d ON d.refobjid OPERATOR(pg_catalog.=) e.extnamespace "
		"AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass "
		"JOIN pg_catalog.pg_database b ON b.datname OPERATOR(pg_catalog.=) pg_catalog.current_database() "
		"LEFT JOIN pg_catalog.pg_shdepend s ON s.dbid OPERATOR(pg_catalog.=) b.oid AND s.classid OPERATOR(pg_catalog.=) d.classid AND s.objid OPERATOR(pg_catalog.=) d.objid "
		"AND s.deptype OPERATOR(pg_catalog.=) 'o' "
		"LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) s.refobjid, "
		"pg_catalog.pg_identify_object(d.classid, d.objid, d.objsubid) i "
		"WHERE e.extname OPERATOR(pg_catalog.=) 'sslpolicy' "
		"AND (d.classid OPERATOR(pg_catalog.<>) 'pg_catalog.pg_extension'::pg_catalog.regclass OR d.objid OPERATOR(pg_catalog.<>) e.oid) "
		"AND d.classid OPERATOR(pg_catalog.<>) ALL (ARRAY['pg_catalog.pg_default_acl'::pg_catalog.regclass, 'pg_catalog.pg_publication_namespace'::pg_catalog.regclass]) "
		"AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend m WHERE m.classid OPERATOR(pg_catalog.=) d.classid "
		"AND m.objid OPERATOR(pg_catalog.=) d.objid AND m.refobjid OPERATOR(pg_catalog.=) e.oid "
		"AND m.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass "
		"AND m.deptype OPERATOR(pg_catalog.=) 'e') ORDER BY i.type, i.identity");

	for (int row = 0; row < rows->rows; row++)
	{
		char	  **r = rows->values[row];

		/* for objects of the bootstrap superuser, pg_shdepend has no entry with the owner */
		add_finding(&survey->findings, r[3] && !is_true(r[3]) ? SEVERITY_ERROR : SEVERITY_WARNING, "foreign_object",
					psprintf("%s %s", r[0], r[1]),
					psprintf("It is in the schema of the extension, but no part of it%s: a call of a function of sslpolicy may find it instead.",
							 r[2][0] ? psprintf(", and belongs to \"%s\"", r[2]) : ""),
					psprintf("Look at what it does, and who made it. Then %s", r[4]));
	}
}

/*
 * Roles that may create objects there, and default privileges on objects that are
 * created there next.
 */
void
lint_extension_creators(Survey *survey)
{
	QueryResult *rows = privileged_query(
		"SELECT CASE WHEN r.rolname IS NULL THEN 'PUBLIC' ELSE pg_catalog.concat('role \"', r.rolname, '\"') END, "
		"COALESCE(pg_catalog.quote_ident(r.rolname), 'PUBLIC') "
		"FROM pg_catalog.pg_extension e "
		"JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace, pg_catalog.aclexplode(n.nspacl) a "
		"LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) a.grantee "
		"WHERE e.extname OPERATOR(pg_catalog.=) 'sslpolicy' AND a.privilege_type OPERATOR(pg_catalog.=) 'CREATE' "
		"AND a.grantee OPERATOR(pg_catalog.<>) n.nspowner AND r.rolsuper IS NOT TRUE "
		"GROUP BY r.rolname ORDER BY r.rolname");

	for (int row = 0; row < rows->rows; row++)
		add_finding(&survey->findings, SEVERITY_ERROR, "schema_open", rows->values[row][0],
					"It may create objects in schema sslpolicy: a call of a function of sslpolicy may find one of its functions instead.",
					psprintf("REVOKE CREATE ON SCHEMA sslpolicy FROM %s CASCADE; then look at what it has already created: lint() reports that as foreign_object.",
							 rows->values[row][1]));

	rows = privileged_query(
		"SELECT pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.defaclrole)), x.kind, "
		"pg_catalog.string_agg(DISTINCT COALESCE(pg_catalog.quote_ident(r.rolname), 'PUBLIC'), ', ') "
		"FROM (SELECT d.defaclrole, d.defaclacl, "
		"CASE WHEN d.defaclobjtype OPERATOR(pg_catalog.=) 'f' THEN 'FUNCTIONS' WHEN d.defaclobjtype OPERATOR(pg_catalog.=) 'S' THEN 'SEQUENCES' "
		"WHEN d.defaclobjtype OPERATOR(pg_catalog.=) 'T' THEN 'TYPES' ELSE 'TABLES' END AS kind "
		"FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_default_acl d ON d.defaclnamespace OPERATOR(pg_catalog.=) e.extnamespace "
		"WHERE e.extname OPERATOR(pg_catalog.=) 'sslpolicy') x, pg_catalog.aclexplode(x.defaclacl) a "
		"LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) a.grantee "
		"GROUP BY 1, 2 ORDER BY 1, 2");
	for (int row = 0; row < rows->rows; row++)
	{
		char	  **r = rows->values[row];

		add_finding(&survey->findings, SEVERITY_WARNING, "default_privileges", "schema sslpolicy",
					psprintf("%s that %s creates there, for example in an update of the extension, are granted to %s at once.", r[1], r[0], r[2]),
					psprintf("ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA sslpolicy REVOKE ALL ON %s FROM %s;", r[0], r[1], r[2]));
	}
}

/*
 * Functions of the extension that are no longer what its script made: a role that
 * owned one for a while can have replaced it.
 */
void
lint_extension_functions(Survey *survey)
{
	QueryResult *rows = privileged_query(
		"SELECT p.oid::pg_catalog.regprocedure::pg_catalog.text "
		"FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_depend d ON d.refobjid OPERATOR(pg_catalog.=) e.oid "
		"AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass "
		"AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass "
		"AND d.deptype OPERATOR(pg_catalog.=) 'e' "
		"JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) d.objid "
		"JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) p.prolang "
		"WHERE e.extname OPERATOR(pg_catalog.=) 'sslpolicy' "
		"AND (p.prosecdef OR l.lanname OPERATOR(pg_catalog.<>) 'c') ORDER BY 1");

	for (int row = 0; row < rows->rows; row++)
		add_finding_about(&survey->findings, SEVERITY_ERROR, "extension_altered", "extension sslpolicy",
						  "Some of its functions are not those of its script: they are in another language, or run with the rights of their owner.",
						  "DROP EXTENSION sslpolicy; CREATE EXTENSION sslpolicy; policies stay, but rights on functions must be granted again.",
						  "Functions", rows->values[row][0]);
}

/* How a grant differs from what the script grants. */
typedef enum Beyond
{
	BEYOND_NOTHING,
	BEYOND_WIDE,				/* to PUBLIC or a predefined role; or more than SELECT
								 * on a view */
	BEYOND_GRANTABLE,			/* with grant option */
	BEYOND_DELEGATED			/* to a role of the DBA's */
} Beyond;

/* A row of the query about grants. */
enum
{
	GRANT_ROLE,					/* NULL: PUBLIC */
	GRANT_GRANTEE,				/* as SQL has it */
	GRANT_PREDEFINED,			/* PUBLIC, or a role that initdb made */
	GRANT_PRIVILEGE,			/* SELECT, or SELECT (column) */
	GRANT_WITH_OPTION,
	GRANT_IS_FUNCTION,
	GRANT_OBJECT,				/* sslpolicy.lint() */
	GRANT_NAME					/* lint */
};

static bool
is_one_of(const char *object, const char *const *list, int count)
{
	for (int i = 0; i < count; i++)
		if (strcmp(object, list[i]) == 0)
			return true;
	return false;
}

static Beyond
beyond_reference(char **grant)
{
	bool		usual = is_true(grant[GRANT_IS_FUNCTION]) || strncmp(grant[GRANT_PRIVILEGE], "SELECT", strlen("SELECT")) == 0;

	/* everybody may do that anyway */
	if (usual && is_one_of(grant[GRANT_OBJECT], for_everybody, lengthof(for_everybody)))
		return BEYOND_NOTHING;
	if (is_true(grant[GRANT_WITH_OPTION]))
		return BEYOND_GRANTABLE;
	if (usual && grant[GRANT_ROLE] && strcmp(grant[GRANT_ROLE], "pg_monitor") == 0 &&
		is_one_of(grant[GRANT_OBJECT], for_monitor, lengthof(for_monitor)))
		return BEYOND_NOTHING;
	return usual && !is_true(grant[GRANT_PREDEFINED]) ? BEYOND_DELEGATED : BEYOND_WIDE;
}

/*
 * One finding for all grants of this kind to a role, which has the rows from first to
 * before end.
 */
static void
add_grants(Survey *survey, Beyond beyond, QueryResult *rows, int first, int end)
{
	const char *grantee = rows->values[first][GRANT_GRANTEE];
	const char *role = rows->values[first][GRANT_ROLE];
	const char *option = beyond == BEYOND_GRANTABLE ? "GRANT OPTION FOR " : "";
	char	   *object = role ? psprintf("role \"%s\"", role) : pstrdup("PUBLIC");
	StringInfoData names;
	StringInfoData functions;
	StringInfoData revoke;

	initStringInfo(&names);
	initStringInfo(&functions);
	initStringInfo(&revoke);
	for (int row = first; row < end; row++)
	{
		char	  **grant = rows->values[row];

		if (beyond_reference(grant) != beyond)
			continue;
		appendStringInfo(&names, "%s%s", names.len ? ", " : "", grant[GRANT_NAME]);
		if (is_true(grant[GRANT_IS_FUNCTION]))
			appendStringInfo(&functions, "%s%s", functions.len ? ", " : "", grant[GRANT_OBJECT]);
		else
			appendStringInfo(&revoke, " REVOKE %s%s ON %s FROM %s CASCADE;", option,
							 grant[GRANT_PRIVILEGE], grant[GRANT_OBJECT], grantee);
	}
	if (names.len == 0)
		return;
	if (functions.len)
		appendStringInfo(&revoke, " REVOKE %sEXECUTE ON FUNCTION %s FROM %s CASCADE;", option, functions.data, grantee);

	if (beyond == BEYOND_WIDE)
		add_finding(&survey->findings, SEVERITY_WARNING, "rights_beyond_reference", object,
					psprintf("It has rights that CREATE EXTENSION gives to fewer roles, and so have all its members: %s.", names.data),
					revoke.data + 1);
	else if (beyond == BEYOND_GRANTABLE)
		add_finding(&survey->findings, SEVERITY_WARNING, "rights_grantable", object,
					psprintf("It may grant rights to others that CREATE EXTENSION gives to few: %s.", names.data),
					revoke.data + 1);
	else
		add_finding(&survey->findings, SEVERITY_INFO, "rights_delegated", object,
					psprintf("It has been granted rights that otherwise only superusers or pg_monitor have: %s.", names.data),
					psprintf("If that is intended, do nothing. Otherwise:%s", revoke.data));
}

/*
 * Grants beyond those of extension/privileges.sql.  Superusers need no grant.
 */
void
lint_extension_grants(Survey *survey)
{
	/* oids below 16384 are those of initdb; 0 is PUBLIC */
	QueryResult *rows = privileged_query(
		"SELECT r.rolname, COALESCE(pg_catalog.quote_ident(r.rolname), 'PUBLIC'), "
		"g.grantee OPERATOR(pg_catalog.<) 16384, g.privilege, g.is_grantable, g.is_function, g.object, g.name "
		"FROM (SELECT true AS is_function, p.oid::pg_catalog.regprocedure::pg_catalog.text AS object, p.proname AS name, "
		"a.grantee, a.privilege_type AS privilege, a.is_grantable "
		"FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_depend d ON d.refobjid OPERATOR(pg_catalog.=) e.oid "
		"AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass "
		"AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.deptype OPERATOR(pg_catalog.=) 'e' "
		"JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) d.objid, "
		"pg_catalog.aclexplode(COALESCE(p.proacl, pg_catalog.acldefault('f', p.proowner))) a "
		"WHERE e.extname OPERATOR(pg_catalog.=) 'sslpolicy' AND a.grantee OPERATOR(pg_catalog.<>) p.proowner "
		"UNION ALL SELECT false, c.oid::pg_catalog.regclass::pg_catalog.text, c.relname, a.grantee, a.privilege, a.is_grantable "
		"FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_depend d ON d.refobjid OPERATOR(pg_catalog.=) e.oid "
		"AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass "
		"AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype OPERATOR(pg_catalog.=) 'e' "
		"JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) d.objid, "
		"LATERAL (SELECT x.grantee, x.privilege_type AS privilege, x.is_grantable FROM pg_catalog.aclexplode(c.relacl) x "
		"UNION ALL SELECT x.grantee, pg_catalog.format('%s (%I)', x.privilege_type, t.attname), x.is_grantable "
		"FROM pg_catalog.pg_attribute t, pg_catalog.aclexplode(t.attacl) x WHERE t.attrelid OPERATOR(pg_catalog.=) c.oid) a "
		"WHERE e.extname OPERATOR(pg_catalog.=) 'sslpolicy' AND a.grantee OPERATOR(pg_catalog.<>) c.relowner) g "
		"LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) g.grantee "
		"WHERE r.rolsuper IS NOT TRUE ORDER BY g.grantee, g.name, g.object, g.privilege");

	for (int first = 0, end; first < rows->rows; first = end)
	{
		for (end = first + 1; end < rows->rows; end++)
			if (strcmp(rows->values[end][GRANT_GRANTEE], rows->values[first][GRANT_GRANTEE]) != 0)
				break;
		for (Beyond beyond = BEYOND_WIDE; beyond <= BEYOND_DELEGATED; beyond++)
			add_grants(survey, beyond, rows, first, end);
	}
}
