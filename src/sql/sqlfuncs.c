/*-------------------------------------------------------------------------
 *
 * sqlfuncs.c
 *		The SQL functions that read: connection, sessions, policies.
 *
 * Arguments and tuples only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "session/collect.h"
#include "base/datums.h"
#include "labels/labels.h"
#include "base/preload.h"
#include "session/sessions.h"
#include "settings/settings.h"
#include "sql/tlsrow.h"

PG_FUNCTION_INFO_V1(sslpolicy_check_policy);
PG_FUNCTION_INFO_V1(sslpolicy_connection);
PG_FUNCTION_INFO_V1(sslpolicy_get_sessions);
PG_FUNCTION_INFO_V1(sslpolicy_get_policies);

/*
 * The columns that the SQL objects expect must be those that this library
 * returns; if not, they belong to different versions.
 */
static void
check_columns(TupleDesc desc, int expected)
{
	if (desc->natts != expected)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the SQL objects of sslpolicy belong to another version than its library"),
				 errdetail("The library is version %s; it returns %d columns where %d are expected.",
						   SSLPOLICY_VERSION, expected, desc->natts),
				 errhint("Run ALTER EXTENSION sslpolicy UPDATE, and restart the server if its library is the older one.")));
}

/*
 * sslpolicy.check_policy(policy text) returns text
 *
 * The canonical text of a policy; raises invalid_parameter_value if it is none.
 */
Datum
sslpolicy_check_policy(PG_FUNCTION_ARGS)
{
	char	   *given = text_to_cstring(PG_GETARG_TEXT_PP(0));

	PG_RETURN_TEXT_P(cstring_to_text(policy_text(parse_policy_or_error(given, PLACE_ROLE))));
}

/*
 * sslpolicy.connection() returns record
 *
 * The TLS state of the caller's own connection.
 */
Datum
sslpolicy_connection(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		values[TLS_COLUMNS];
	bool		nulls[TLS_COLUMNS];
	Facts		none = {0};
	const Facts *facts = &none;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	check_columns(desc, TLS_COLUMNS);

	/* background processes have no connection */
	if (MyProcPort != NULL)
		facts = collect_facts(MyProcPort, my_auth_method());
	tls_columns(facts, values, nulls);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}

/*
 * sslpolicy.get_sessions() returns setof record
 *
 * A row for each live session: pid, role and database oid, client address,
 * start, TLS state, compliance.  As in pg_stat_activity, whoever may not see
 * the rest sees the first three.
 */
Datum
sslpolicy_get_sessions(PG_FUNCTION_ARGS)
{
	enum
	{
		PID, ROLE, DATABASE, ADDRESS, START, TLS,
		COMPLIANT = TLS + TLS_COLUMNS, COLUMNS
	};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	bool		all = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
	ListCell   *cell;

	require_preload();
	InitMaterializedSRF(fcinfo, 0);
	check_columns(result->setDesc, COLUMNS);

	foreach(cell, copy_sessions())
	{
		const Session *s = lfirst(cell);
		Datum		values[COLUMNS] = {0};
		bool		nulls[COLUMNS];

		memset(nulls, true, sizeof(nulls));
		values[PID] = Int32GetDatum(s->pid);
		nulls[PID] = false;
		values[ROLE] = ObjectIdGetDatum(s->role);
		nulls[ROLE] = !OidIsValid(s->role);
		values[DATABASE] = ObjectIdGetDatum(s->database);
		nulls[DATABASE] = !OidIsValid(s->database);

		if (all || has_privs_of_role(GetUserId(), s->role))
		{
			if (s->facts.address_len > 0)
			{
				values[ADDRESS] = DirectFunctionCall1(inet_in,
													  CStringGetDatum(address_text(&s->facts)));
				nulls[ADDRESS] = false;
			}
			values[START] = TimestampTzGetDatum(s->backend_start);
			nulls[START] = false;
			tls_columns(&s->facts, values + TLS, nulls + TLS);
			values[COMPLIANT] = BoolGetDatum(s->compliance == COMPLIANCE_YES);
			nulls[COMPLIANT] = (s->compliance == COMPLIANCE_UNKNOWN);
		}
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

enum PolicyColumn
{
	COL_TYPE, COL_NAME, COL_RULE, COL_KEYS,
	COL_POLICY = COL_KEYS + NUM_POLICY_KEYS, COL_ERROR, POLICY_COLUMNS
};

/*
 * The value of a key in a rule as a datum; false if the rule has none.
 */
static bool
key_datum(const PolicyRule *rule, PolicyKey key, Datum *datum)
{
	char	  **items = palloc(sizeof(char *) * (Size) (rule->nvalues + 1));
	int			count = 0;

	switch (key)
	{
		case KEY_SSLMODE:
			*datum = CStringGetTextDatum(sslmode_name(rule->sslmode));
			return true;
		case KEY_MIN_PROTOCOL:
			*datum = CStringGetTextDatum(tls_version_name(rule->min_protocol));
			return rule->min_protocol != TLS_NONE;
		case KEY_MAX_LIFETIME:
			*datum = DirectFunctionCall3(interval_in,
										 CStringGetDatum(lifetime_text(rule->max_lifetime)),
										 ObjectIdGetDatum(InvalidOid),
										 Int32GetDatum(-1));
			return rule->max_lifetime > 0;
		case KEY_ON_EXPIRY:
			*datum = CStringGetTextDatum(rule->end_on_expiry ? "end" : "keep");
			return true;
		case KEY_ACTION:
			*datum = CStringGetTextDatum(rule->log_only ? "log" : "reject");
			return true;
		default:
			for (int i = 0; i < rule->nvalues; i++)
			{
				PolicyValue *value = &rule->values[i];

				if (value->key != key)
					continue;
				/* a database of the keyword's name, as policies write it */
				items[count++] = key == KEY_DATABASE && !value->keyword &&
					strcmp(value->text, "replication") == 0 ?
					"'replication'" : value->text;
			}
			*datum = label_array(items, count);
			return count > 0;
	}
}

/*
 * Rows for all rules of one policy; one row with the reason if it is not
 * readable.
 */
static void
put_policy(ReturnSetInfo *result, const char *type, const char *name,
		   const char *text, PolicyPlace place)
{
	PolicyError error;
	Policy	   *policy = parse_policy(text, place, NULL, &error);
	Datum		values[POLICY_COLUMNS] = {0};
	bool		nulls[POLICY_COLUMNS];

	memset(nulls, true, sizeof(nulls));
	values[COL_TYPE] = CStringGetTextDatum(type);
	values[COL_NAME] = label_text(name);
	values[COL_POLICY] = label_text(policy ? policy_text(policy) : text);
	nulls[COL_TYPE] = nulls[COL_NAME] = nulls[COL_POLICY] = false;
	if (policy == NULL)
	{
		values[COL_ERROR] = label_text(error.message);
		nulls[COL_ERROR] = false;
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		return;
	}
	for (int r = 0; r < policy->nrules; r++)
	{
		values[COL_RULE] = Int32GetDatum(r + 1);
		nulls[COL_RULE] = false;
		for (PolicyKey key = 0; key < NUM_POLICY_KEYS; key++)
			nulls[COL_KEYS + key] = !key_datum(&policy->rules[r], key,
												&values[COL_KEYS + key]);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

/*
 * sslpolicy.get_policies() returns setof record
 *
 * A row for each rule of each label and of both settings.
 */
Datum
sslpolicy_get_policies(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *cell;

	require_preload();
	InitMaterializedSRF(fcinfo, 0);
	check_columns(result->setDesc, POLICY_COLUMNS);

	if (default_policy()[0])
		put_policy(result, "setting", "sslpolicy.default_policy",
				   default_policy(), PLACE_DEFAULT);
	if (minimum_policy()[0])
		put_policy(result, "setting", "sslpolicy.minimum_policy",
				   minimum_policy(), PLACE_MINIMUM);
	foreach(cell, all_labels())
	{
		const Label *label = lfirst(cell);
		bool		is_role = label->class == AuthIdRelationId;
		char	   *name = labelled_name(label);

		/* dropped since */
		if (name != NULL)
			put_policy(result, is_role ? "role" : "database", name, label->text,
					   is_role ? PLACE_ROLE : PLACE_DATABASE);
	}
	return (Datum) 0;
}
