/*-------------------------------------------------------------------------
 *
 * cabound.c
 *		What installing a CA must not let an ordinary role become.
 *
 * Whoever may install a CA can have it issue a certificate for any name, and so
 * become every role that pg_hba.conf lets in by certificate alone.  For a
 * superuser, whoever can become as much as one, or a reserved role, that is too
 * much, unless a policy that binds it pins the CA.
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
#include "utils/builtins.h"

#include "base/compat.h"
#include "base/privileged.h"
#include "install/cabound.h"
#include "install/hbalines.h"
#include "labels/exceptions.h"
#include "labels/labels.h"
#include "settings/settings.h"

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
	List	   *errors;
	List	   *lines = read_hba_lines(&errors);
	List	   *result = NIL;
	ListCell   *cell;

	/* the server goes on with the lines before the error came in */
	if (errors != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to install a CA"),
				 errdetail("pg_hba.conf has an error (%s), so that it cannot be told whom a certificate lets in.",
						   (char *) linitial(errors)),
				 errhint("A superuser may install it, or mend the file.")));
	foreach(cell, lines)
	{
		HbaEntry   *line = lfirst(cell);

		if (strcmp(line->method, "cert") == 0 ||
			(strcmp(line->method, "trust") == 0 && line->asks_certificate))
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
			const HbaEntry *line = lfirst(cell);

			if (hba_names_role(line, role, name, true))
				ereport(ERROR,
						(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						 errmsg("permission denied to install a CA"),
						 errdetail("Whoever has a certificate of the CA could log in as %s \"%s\": %s, lets that role in by certificate.",
								   is_powerful ? "superuser or privileged role" : "reserved role", name, line->place),
						 errhint("A superuser may install it, or can pin the CA of that role first: a policy of its own with ca_fingerprint in each rule.")));
		}
	}
}
