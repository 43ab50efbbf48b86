/*-------------------------------------------------------------------------
 *
 * setpolicy.c
 *		The SQL functions that set policies.
 *
 * They exist so that a DBA who is no superuser can be handed the policies of
 * the roles and databases that are theirs.  After their own checks they run
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
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "applicable.h"
#include "collect.h"
#include "compat.h"
#include "labels.h"
#include "matcher.h"
#include "preload.h"
#include "report.h"
#include "sessions.h"
#include "settings.h"

PG_FUNCTION_INFO_V1(sslpolicy_set_policy);
PG_FUNCTION_INFO_V1(sslpolicy_set_database_policy);

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
 * else only that of an ordinary role that they administer.
 */
static void
check_role_permission(Oid role, const char *name)
{
	char	   *subject = psprintf("role \"%s\"", name);

	if (superuser())
		return;
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
	if (superuser() || compat_owns_database(database, GetUserId()))
		return;
	deny("You must own the database.", psprintf("database \"%s\"", name), NULL);
}

/*
 * Run a SECURITY LABEL statement as the bootstrap superuser.
 */
static void
run_as_superuser(const char *statement)
{
	Oid			user;
	int			context;

	GetUserIdAndSecContext(&user, &context);
	set_label_actor(user);
	PG_TRY();
	{
		SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID,
							   context | SECURITY_LOCAL_USERID_CHANGE);
		if (SPI_connect() != SPI_OK_CONNECT)
			elog(ERROR, "SPI_connect failed");
		if (SPI_execute(statement, false, 0) != SPI_OK_UTILITY)
			elog(ERROR, "could not run \"%s\"", statement);
		SPI_finish();
		SetUserIdAndSecContext(user, context);
	}
	PG_FINALLY();
	{
		set_label_actor(InvalidOid);
	}
	PG_END_TRY();
}

/*
 * Would the caller's own connection be refused, now that the policy is set?
 * Judged as if it were enforced, whatever sslpolicy.enforcement says.
 */
static void
check_own_connection(void)
{
	Facts	   *facts;
	Applicable *applicable;
	Verdict    *verdict;

	if (MyProcPort == NULL)
		return;
	facts = collect_facts(MyProcPort, my_auth_method());
	if (facts->local)
		return;
	applicable = find_applicable(facts->role, facts->database, true);
	verdict = evaluate(applicable->policies, applicable->count, facts,
					   regex_matches, (int64) time(NULL));
	if (verdict->allow)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("with this policy your own connection would be refused"),
			 errdetail("Not met: %s.", failures_for_client(verdict, facts)),
			 errhint("Connect so that you meet it, or pass force => true to set it all the same.")));
}

/*
 * Set (or, with text NULL, remove) the policy of the object that the statement
 * names.
 */
static void
set_label(const char *object, const char *text, PolicyPlace place, bool force)
{
	if (text != NULL)
		(void) parse_or_error(text, place);
	run_as_superuser(psprintf("SECURITY LABEL FOR %s ON %s IS %s",
							  LABEL_PROVIDER, object,
							  text ? quote_literal_cstr(text) : "NULL"));
	if (!force)
		check_own_connection();
}

static char *
optional_text(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

static void
require_argument(FunctionCallInfo fcinfo, int arg, const char *name)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
}

/*
 * sslpolicy.set_policy(role regrole, policy text, force boolean) returns void
 *
 * Errors: insufficient_privilege, invalid_parameter_value (not a policy),
 * invalid_authorization_specification (the caller would be refused),
 * object_not_in_prerequisite_state (not preloaded).
 */
Datum
sslpolicy_set_policy(PG_FUNCTION_ARGS)
{
	Oid			role;
	char	   *name;

	require_preload();
	require_argument(fcinfo, 0, "role");
	require_argument(fcinfo, 2, "force");
	role = PG_GETARG_OID(0);
	name = GetUserNameFromId(role, false);
	check_role_permission(role, name);
	set_label(psprintf("ROLE %s", quote_identifier(name)),
			  optional_text(fcinfo, 1), PLACE_ROLE, PG_GETARG_BOOL(2));
	PG_RETURN_VOID();
}

/*
 * sslpolicy.set_database_policy(database name, policy text, force boolean)
 * returns void
 *
 * Errors as in set_policy.
 */
Datum
sslpolicy_set_database_policy(PG_FUNCTION_ARGS)
{
	char	   *name;

	require_preload();
	require_argument(fcinfo, 0, "database");
	require_argument(fcinfo, 2, "force");
	name = NameStr(*PG_GETARG_NAME(0));
	check_database_permission(get_database_oid(name, false), name);
	set_label(psprintf("DATABASE %s", quote_identifier(name)),
			  optional_text(fcinfo, 1), PLACE_DATABASE, PG_GETARG_BOOL(2));
	PG_RETURN_VOID();
}
