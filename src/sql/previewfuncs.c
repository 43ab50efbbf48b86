/*-------------------------------------------------------------------------
 *
 * previewfuncs.c
 *		The SQL functions that try a policy before it is set.
 *
 * Arguments and tuples only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "session/collect.h"
#include "base/datums.h"
#include "labels/labels.h"
#include "base/preload.h"
#include "advice/preview.h"
#include "base/rows.h"

PG_FUNCTION_INFO_V1(sslpolicy_preview_role_policy);
PG_FUNCTION_INFO_V1(sslpolicy_preview_database_policy);
PG_FUNCTION_INFO_V1(sslpolicy_preview_default_policy);

static void
put_previewed(FunctionCallInfo fcinfo, const Previewed *p)
{
	const Facts *facts = p->facts;
	Row			row = {0};

	row_add_text(&row, p->pid != 0 ? "session" : "login");
	row_add(&row, p->pid != 0, Int32GetDatum(p->pid));
	row_add(&row, true, label_text(facts->role));
	row_add(&row, facts->database != NULL, facts->database ? label_text(facts->database) : (Datum) 0);
	row_add(&row, true, DirectFunctionCall1(inet_in, CStringGetDatum(address_text(facts))));
	row_add(&row, true, TimestampTzGetDatum(p->last_seen));
	row_add(&row, true, Int64GetDatum(p->count));
	row_add(&row, facts->cert != NULL, facts->cert ? certificate_text(facts->cert->subject_dn) : (Datum) 0);
	row_add_text(&row, p->sure ? "refused" : "unknown");
	row_add(&row, true, text_list(p->reasons));
	row_add(&row, true, BoolGetDatum(p->refused_now));
	row_put(fcinfo, &row);
}

/*
 * Rows for what the policy in argument arg would do; NULL stands for none.
 */
static Datum
put_preview(FunctionCallInfo fcinfo, Supposition *supposed, int arg, PolicyPlace place)
{
	ListCell   *cell;

	if (!PG_ARGISNULL(arg))
	{
		supposed->text = text_to_cstring(PG_GETARG_TEXT_PP(arg));
		(void) parse_policy_or_error(supposed->text, place);
	}
	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, preview_policy(supposed))
		put_previewed(fcinfo, lfirst(cell));
	return (Datum) 0;
}

static void
require_name(FunctionCallInfo fcinfo, const char *name)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
}

/*
 * sslpolicy.preview_role_policy(role regrole, policy text) returns setof record
 *
 * Errors of all three: null_value_not_allowed, undefined_object,
 * undefined_database, invalid_parameter_value (not a policy),
 * object_not_in_prerequisite_state (not preloaded).
 */
Datum
sslpolicy_preview_role_policy(PG_FUNCTION_ARGS)
{
	Supposition supposed = {.source = SOURCE_ROLE};

	require_preload();
	require_name(fcinfo, "role");
	supposed.object = PG_GETARG_OID(0);
	(void) GetUserNameFromId(supposed.object, false);
	return put_preview(fcinfo, &supposed, 1, PLACE_ROLE);
}

/*
 * sslpolicy.preview_database_policy(database name, policy text) returns setof record
 */
Datum
sslpolicy_preview_database_policy(PG_FUNCTION_ARGS)
{
	Supposition supposed = {.source = SOURCE_DATABASE};

	require_preload();
	require_name(fcinfo, "database");
	supposed.object = get_database_oid(NameStr(*PG_GETARG_NAME(0)), false);
	return put_preview(fcinfo, &supposed, 1, PLACE_DATABASE);
}

/*
 * sslpolicy.preview_default_policy(policy text) returns setof record
 */
Datum
sslpolicy_preview_default_policy(PG_FUNCTION_ARGS)
{
	Supposition supposed = {.source = SOURCE_DEFAULT};

	require_preload();
	return put_preview(fcinfo, &supposed, 0, PLACE_DEFAULT);
}
