/*-------------------------------------------------------------------------
 *
 * cabound.c
 *		What installing a CA must not let an ordinary role become.
 *
 * Whoever may install a CA can have it issue a certificate for any name, and so
 * become every role that pg_hba.conf lets in by certificate alone.  For a
 * superuser, whoever can become as much as one, or a reserved role, that is too
 * much, unless a policy that binds it
 * pins the CA.
 *
 * pg_hba.conf is read as it is on disk, and in doubt a line admits the role:
 * databases, addresses and user maps are not looked at.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "cabound.h"
#include "compat.h"
#include "labels.h"
#include "privileged.h"
#include "settings.h"

/* A line of pg_hba.conf by which a certificate is enough. */
typedef struct CertLine
{
	char	   *place;			/* "line 12" */
	char	   *user;			/* one of its users, as pg_hba_file_rules has it */
} CertLine;

/*
 * Does every rule of this policy that decides pin a CA or a certificate, or let
 * nobody in by TLS?
 */
static bool
pins_ca(const char *text, PolicyPlace place)
{
	PolicyError error;
	Policy	   *policy = text && text[0] ? parse_policy(text, place, NULL, &error) : NULL;

	if (policy == NULL)
		return false;
	for (int i = 0; i < policy->nrules; i++)
	{
		const PolicyRule *rule = &policy->rules[i];
		bool		pinned = rule->sslmode == SSLMODE_REJECT || rule->sslmode == SSLMODE_DISABLE;

		for (int k = 0; k < rule->nvalues && !pinned; k++)
			pinned = rule->values[k].key == KEY_CA_FINGERPRINT ||
				rule->values[k].key == KEY_FINGERPRINT;
		if (!pinned && !rule->log_only)
			return false;
	}
	return true;
}

/*
 * Lines by which a certificate that the CA has issued is all that is needed.
 */
static List *
certificate_lines(void)
{
	QueryResult *broken = privileged_query(
										   "SELECT line_number FROM pg_catalog.pg_hba_file_rules WHERE error IS NOT NULL LIMIT 1");
	QueryResult *rows = privileged_query(
										 "SELECT pg_catalog.format('line %s', r.line_number), u "
										 "FROM pg_catalog.pg_hba_file_rules r, pg_catalog.unnest(r.user_name) u "
										 "WHERE r.auth_method OPERATOR(pg_catalog.=) 'cert' "
										 "OR (r.auth_method OPERATOR(pg_catalog.=) 'trust' "
										 "AND pg_catalog.array_to_string(r.options, ',') OPERATOR(pg_catalog.~) 'clientcert')");
	List	   *result = NIL;

	/* the server goes on with the lines before the error came in */
	if (broken->rows > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to install a CA"),
				 errdetail("Line %s of pg_hba.conf has an error, so that it cannot be told whom a certificate lets in.",
						   broken->values[0][0]),
				 errhint("A superuser may install it, or mend the file.")));
	for (int i = 0; i < rows->rows; i++)
	{
		CertLine   *line = palloc(sizeof(CertLine));

		line->place = rows->values[i][0];
		line->user = rows->values[i][1];
		result = lappend(result, line);
	}
	return result;
}

/*
 * Roles that may log in, and whether each is a superuser, or has what amounts to
 * it: it can become one, read or write the server's files, run its programs,
 * copy the whole cluster, or grant itself any of that.
 */
static const char *const powerful_roles =
"SELECT r.oid, r.rolname, "
"r.rolsuper OR r.rolreplication OR (" COMPAT_CREATEROLE_IS_POWERFUL " AND r.rolcreaterole) OR EXISTS ("
"SELECT FROM pg_catalog.pg_authid p "
"WHERE (p.rolsuper OR (" COMPAT_CREATEROLE_IS_POWERFUL " AND p.rolcreaterole) "
"OR p.rolname OPERATOR(pg_catalog.=) ANY (ARRAY['pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files']::pg_catalog.name[])) "
"AND pg_catalog.pg_has_role(r.oid, p.oid, 'MEMBER')) "
"FROM pg_catalog.pg_authid r WHERE r.rolcanlogin ORDER BY 3 DESC, r.rolname";

static bool
admits(const CertLine *line, Oid role, const char *name)
{
	const char *user = line->user;

	if (strcmp(user, "all") == 0 || strcmp(user, name) == 0)
		return true;
	if (user[0] == '+')
	{
		Oid			group = get_role_oid(user + 1, true);

		return OidIsValid(group) && is_member_of_role_nosuper(role, group);
	}
	/* a regular expression (16 and later): it may */
	return user[0] == '/';
}

/*
 * An error if a CA of the caller's would make them a superuser or a reserved
 * role.  Superusers may do everything.
 */
void
check_ca_bound(void)
{
	QueryResult *roles;
	List	   *lines;

	if (superuser())
		return;
	lines = certificate_lines();
	if (lines == NIL)
		return;
	if (enforcement() == ENFORCEMENT_ENFORCE && pins_ca(minimum_policy(), PLACE_MINIMUM))
		return;
	roles = privileged_query(powerful_roles);
	for (int i = 0; i < roles->rows; i++)
	{
		Oid			role = (Oid) strtoul(roles->values[i][0], NULL, 10);
		const char *name = roles->values[i][1];
		bool		is_powerful = strcmp(roles->values[i][2], "t") == 0;
		ListCell   *cell;

		if (!is_powerful && !is_reserved_role(name))
			continue;
		if (enforcement() == ENFORCEMENT_ENFORCE &&
			pins_ca(read_label(AuthIdRelationId, role), PLACE_ROLE))
			continue;
		foreach(cell, lines)
		{
			const CertLine *line = lfirst(cell);

			if (admits(line, role, name))
				ereport(ERROR,
						(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						 errmsg("permission denied to install a CA"),
						 errdetail("Whoever has a certificate of the CA could log in as %s \"%s\": pg_hba.conf, %s, lets that role in by certificate.",
								   is_powerful ? "superuser or privileged role" : "reserved role", name, line->place),
						 errhint("A superuser may install it, or can pin the CA of that role first: a policy of its own with ca_fingerprint in each rule.")));
		}
	}
}
