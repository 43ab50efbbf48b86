/*-------------------------------------------------------------------------
 *
 * setpolicy.c
 *		Sets the policy of a role or a database, for whoever may.
 *
 * This exists so that a DBA who is no superuser can be handed the policies of
 * the roles and databases that are theirs.  After checks of its own it runs
 * the real SECURITY LABEL statement as a superuser, so that everything that
 * watches statements sees it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "catalog/catalog.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "base/privileged.h"
#include "base/transaction.h"
#include "labels/applicable.h"
#include "labels/exceptions.h"
#include "labels/labels.h"
#include "labels/setpolicy.h"
#include "policy/matcher.h"
#include "policy/report.h"
#include "session/collect.h"
#include "session/sessions.h"
#include "settings/settings.h"

static void
deny(const char *reason, const char *subject, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to set the TLS policy of %s", subject),
			 errdetail("%s", reason),
			 hint ? errhint("%s", hint) : 0));
}

/*
 * May the caller set the policy of this role?  A superuser always; anybody
 * else only that of an ordinary role that ALTER ROLE would let them change.
 */
static void
check_role_permission(Oid role, const char *name)
{
	char	   *subject = psprintf("role \"%s\"", name);

	if (superuser())
		return;
	require_current_settings();
	if (superuser_arg(role))
		deny("Only superusers set the policy of a superuser.", subject, NULL);
	if (IsReservedName(name))
		deny("Only superusers set the policy of a predefined role.", subject, NULL);
	if (is_reserved_role(name))
		deny("The role is one of sslpolicy.reserved_roles.", subject, NULL);
	if (!compat_may_administer(GetUserId(), role))
		deny("You need " COMPAT_ADMIN_PRIVILEGE ".", subject, NULL);
}

static void
check_database_permission(Oid database, const char *name)
{
	if (!superuser())
		require_current_settings();
	if (superuser() || compat_owns_database(database, GetUserId()))
		return;
	deny("You must own the database.", psprintf("database \"%s\"", name), NULL);
}

/*
 * Run a SECURITY LABEL statement for an object as the bootstrap superuser.
 */
static void
run_as_superuser(const char *statement, Oid class, Oid object)
{
	expect_label(GetUserId(), class, object);
	PG_TRY();
	{
		privileged_command(statement);
	}
	PG_FINALLY();
	{
		expect_label(InvalidOid, InvalidOid, InvalidOid);
	}
	PG_END_TRY();
}

/*
 * How the caller's own connection does under the policies as they stand in this
 * transaction, under the names that its role and database have now.  Judged as
 * if policies were enforced, whatever sslpolicy.enforcement says.  NULL if no
 * policy applies to it.
 */
static Verdict *
judge_own_connection(Facts **facts)
{
	Applicable *applicable;

	if (MyProcPort == NULL)
		return NULL;
	*facts = collect_facts(MyProcPort, my_auth_method());
	if ((*facts)->local)
		return NULL;
	(*facts)->role = GetUserNameFromId(GetAuthenticatedUserId(), false);
	(*facts)->database = get_database_name(MyDatabaseId);
	applicable = find_applicable((*facts)->role, (*facts)->database, true);
	return evaluate(applicable->policies, applicable->count, *facts,
					regex_matches, (int64) time(NULL));
}

/*
 * Set (or, with text NULL, remove) the policy of an object.  Refused, unless
 * forced, if that is what would keep the caller's own connection out.
 */
static void
set_label(Oid class, Oid object, const char *name, const char *text, bool force)
{
	bool		is_role = class == AuthIdRelationId;
	Facts	   *facts;
	Verdict    *before;
	Verdict    *after;

	if (text != NULL)
		(void) parse_policy_or_error(text, is_role ? PLACE_ROLE : PLACE_DATABASE);
	before = force ? NULL : judge_own_connection(&facts);
	run_as_superuser(psprintf("SECURITY LABEL FOR %s ON %s %s IS %s",
							  LABEL_PROVIDER, is_role ? "ROLE" : "DATABASE",
							  quote_identifier(name),
							  text ? quote_literal_cstr(text) : "NULL"),
					 class, object);
	if (before == NULL || before->outcome != OUTCOME_OK)
		return;
	after = judge_own_connection(&facts);
	if (after->outcome == OUTCOME_OK)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("with this policy your own connection would be refused"),
			 errdetail("Not met: %s.", failures_for_client(after, facts)),
			 errhint("Connect so that you meet it, or pass force => true to set it all the same.")));
}

/*
 * Errors: insufficient_privilege, undefined_object, invalid_parameter_value (not a
 * policy), invalid_authorization_specification (the caller would be refused).
 */
void
set_role_policy(Oid role, const char *text, bool force)
{
	char	   *name = GetUserNameFromId(role, false);

	check_role_permission(role, name);
	set_label(AuthIdRelationId, role, name, text, force);
}

/*
 * Errors as in set_role_policy(), and undefined_database.
 */
void
set_database_policy(const char *name, const char *text, bool force)
{
	Oid			database = get_database_oid(name, false);

	check_database_permission(database, name);
	set_label(DatabaseRelationId, database, name, text, force);
}
