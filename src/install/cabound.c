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
 * The CA stays, and its installer can go on.  So what counts is not only who is let
 * in now, but also what the caller could make true next: put somebody into a group
 * that a line names, give a role the name that it names, remove a pin.
 *
 * pg_hba.conf is read as it is on disk, where the reload will find it, and in doubt
 * a line admits the role: databases, addresses, user maps and the lines before are
 * not looked at.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "postmaster/interrupt.h"
#include "utils/acl.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/privileged.h"
#include "install/cabound.h"
#include "install/hbalines.h"
#include "labels/exceptions.h"
#include "labels/labels.h"
#include "settings/settings.h"

/* A line by which a certificate lets somebody in. */
typedef struct Door
{
	HbaEntry   *line;
	const char *open_group;		/* one that it names, and that the caller could put
								 * anybody into; NULL: there is none */
} Door;

/*
 * Whoever calls: the user who acts now, and the session's, who can act next.
 */
static bool
caller_may(bool (*may)(Oid user, Oid role), Oid role)
{
	return may(GetUserId(), role) || may(GetSessionUserId(), role);
}

static bool
caller_may_make_roles(void)
{
	return has_createrole_privilege(GetUserId()) || has_createrole_privilege(GetSessionUserId());
}

static bool
caller_may_set(const char *setting)
{
	return pg_parameter_aclcheck(setting, GetUserId(), ACL_ALTER_SYSTEM) == ACLCHECK_OK ||
		pg_parameter_aclcheck(setting, GetSessionUserId(), ACL_ALTER_SYSTEM) == ACLCHECK_OK;
}

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
 * Is a certificate that the CA has issued all that is needed?  (With ident, the
 * client's own machine says who it is.)
 */
static bool
lets_in_by_certificate(const HbaEntry *line)
{
	return strcmp(line->method, "cert") == 0 ||
		(line->asks_certificate &&
		 (strcmp(line->method, "trust") == 0 || strcmp(line->method, "ident") == 0));
}

/*
 * The lines by which a certificate lets somebody in.
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

		if (lets_in_by_certificate(line))
			result = lappend(result, line);
	}
	return result;
}

/*
 * Roles that may log in, and whether each is a superuser, or has what amounts to
 * it: it can become one, read or write the server's files, run its programs or load
 * its code, copy the whole cluster, or grant itself any of that.
 */
static const char *const powerful_roles =
	"SELECT r.oid, r.rolname, "
	"r.rolsuper OR r.rolreplication OR (" COMPAT_CREATEROLE_IS_POWERFUL " AND r.rolcreaterole) OR EXISTS ("
	"SELECT FROM pg_catalog.pg_authid p "
	"WHERE (p.rolsuper OR (" COMPAT_CREATEROLE_IS_POWERFUL " AND p.rolcreaterole) "
	"OR p.rolname OPERATOR(pg_catalog.=) ANY (ARRAY['pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files']::pg_catalog.name[])) "
	"AND pg_catalog.pg_has_role(r.oid, p.oid, 'MEMBER')) "
	"OR EXISTS (SELECT FROM pg_catalog.pg_parameter_acl p, pg_catalog.aclexplode(p.paracl) a "
	"WHERE p.parname OPERATOR(pg_catalog.=) ANY (ARRAY['archive_command', 'archive_library', 'archive_cleanup_command', 'restore_command', 'recovery_end_command', "
	"'ssl_passphrase_command', 'shared_preload_libraries', 'session_preload_libraries', 'local_preload_libraries', 'dynamic_library_path', 'extension_control_path', "
	"'jit_provider', 'allow_system_table_mods', 'config_file', 'data_directory', 'hba_file', 'ident_file', 'hosts_file', 'ssl_ca_file']) "
	"AND (a.grantee OPERATOR(pg_catalog.=) 0 OR pg_catalog.pg_has_role(r.oid, a.grantee, 'MEMBER'))) "
	"FROM pg_catalog.pg_authid r WHERE r.rolcanlogin ORDER BY 3 DESC, r.rolname";

/*
 * All roles: of those that the caller may grant.
 */
static List *
roles_to_grant(void)
{
	QueryResult *roles = privileged_query("SELECT oid FROM pg_catalog.pg_authid");
	List	   *result = NIL;

	for (int i = 0; i < roles->rows; i++)
	{
		Oid			role = (Oid) strtoul(roles->values[i][0], NULL, 10);

		if (caller_may(compat_may_grant, role))
			result = lappend_oid(result, role);
	}
	return result;
}

/*
 * Could the caller put any role into the group: by granting it, or a role that is a
 * member of it, or by making it?
 */
static bool
is_open_group(const char *name, List *grantable)
{
	Oid			group = get_role_oid(name, true);
	ListCell   *cell;

	if (!OidIsValid(group))
		return caller_may_make_roles();
	foreach(cell, grantable)
		if (is_member_of_role_nosuper(lfirst_oid(cell), group))
			return true;
	return false;
}

static List *
doors_of(List *lines)
{
	List	   *grantable = roles_to_grant();
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, lines)
	{
		Door	   *door = palloc0(sizeof(Door));
		ListCell   *user;

		door->line = lfirst(cell);
		foreach(user, door->line->users)
		{
			const char *name = lfirst(user);

			if (door->open_group == NULL && name[0] == '+' && is_open_group(name + 1, grantable))
				door->open_group = name + 1;
		}
		result = lappend(result, door);
	}
	return result;
}

/*
 * Why the door is open to the role, or could be made so by the caller: a sentence of
 * an error, without its end; NULL if it is not.
 */
static const char *
way_in(const Door *door, Oid role, const char *name)
{
	const HbaEntry *line = door->line;
	ListCell   *cell;

	if (hba_names_role(line, role, name, true))
		return psprintf("%s, lets that role in by certificate", line->place);
	if (door->open_group)
		return psprintf("%s, lets members of \"%s\" in by certificate, and you could make that role one",
						line->place, door->open_group);
	foreach(cell, line->users)
	{
		const char *user = lfirst(cell);

		if (user[0] != '/' && caller_may(compat_may_rename, role))
			return psprintf("%s, lets role \"%s\" in by certificate, and you could give that role this name",
							line->place, user);
	}
	return NULL;
}

/*
 * Does a policy keep everybody with another CA out of the role, and could the
 * caller not take it away?
 */
static bool
is_pinned(Oid role)
{
	return !caller_may_set("sslpolicy.enforcement") && !caller_may(compat_may_administer, role) &&
		pins_ca(read_label(AuthIdRelationId, role), PLACE_ROLE);
}

static bool
is_everybody_pinned(void)
{
	return !caller_may_set("sslpolicy.enforcement") && !caller_may_set("sslpolicy.minimum_policy") &&
		pins_ca(minimum_policy(), PLACE_MINIMUM);
}

/*
 * What the settings of this session say may be over, and it is in the middle of a
 * statement.
 */
static void
require_current_settings(void)
{
	if (ConfigReloadPending)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("settings have changed since the statement began"),
				 errhint("Call the function again.")));
}

static void
check_role(Oid role, const char *name, bool is_powerful, List *doors)
{
	ListCell   *cell;

	foreach(cell, doors)
	{
		const char *way = way_in(lfirst(cell), role, name);

		if (way)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("permission denied to install a CA"),
					 errdetail("Whoever has a certificate of the CA could log in as %s \"%s\": %s.",
							   is_powerful ? "superuser or privileged role" : "reserved role", name, way),
					 errhint("A superuser may install it, or can pin the CA of that role first: a policy of its own with ca_fingerprint in each rule, which you may not change.")));
	}
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
	List	   *doors;

	if (superuser())
		return;
	require_current_settings();
	/* not that of a statement or transaction that may have begun long ago */
	PushActiveSnapshot(GetLatestSnapshot());
	lines = certificate_lines();
	if (lines != NIL && !(enforcement() == ENFORCEMENT_ENFORCE && is_everybody_pinned()))
	{
		doors = doors_of(lines);
		roles = privileged_query(powerful_roles);
		for (int i = 0; i < roles->rows; i++)
		{
			Oid			role = (Oid) strtoul(roles->values[i][0], NULL, 10);
			const char *name = roles->values[i][1];
			bool		is_powerful = strcmp(roles->values[i][2], "t") == 0;

			if ((is_powerful || is_reserved_role(name)) &&
				!(enforcement() == ENFORCEMENT_ENFORCE && is_pinned(role)))
				check_role(role, name, is_powerful, doors);
		}
	}
	PopActiveSnapshot();
}
