/*-------------------------------------------------------------------------
 *
 * policies_sql.c
 *		The SQL functions that check, set and show policies.
 *
 * Arguments and tuples only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "advice/preview.h"
#include "base/datums.h"
#include "base/preload.h"
#include "base/rows.h"
#include "labels/clusterlabels.h"
#include "labels/labels.h"
#include "labels/setpolicy.h"
#include "settings/settings.h"
#include "sql/arguments.h"

PG_FUNCTION_INFO_V1(sslpolicy_check_policy);
PG_FUNCTION_INFO_V1(sslpolicy_set_policy);
PG_FUNCTION_INFO_V1(sslpolicy_set_database_policy);
PG_FUNCTION_INFO_V1(sslpolicy_set_minimum_policy);
PG_FUNCTION_INFO_V1(sslpolicy_set_default_policy);
PG_FUNCTION_INFO_V1(sslpolicy_block_certificate);
PG_FUNCTION_INFO_V1(sslpolicy_unblock_certificate);
PG_FUNCTION_INFO_V1(sslpolicy_get_policies);

/* before the columns of the keys: object_type, object_name, rule; behind: policy, error */
#define POLICY_COLUMNS (NUM_POLICY_KEYS + 5)

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
 * sslpolicy.set_policy(role regrole, policy text, force boolean) returns void
 *
 * Errors: insufficient_privilege, invalid_parameter_value (not a policy),
 * invalid_authorization_specification (the caller would be refused),
 * object_not_in_prerequisite_state (not preloaded).
 */
Datum
sslpolicy_set_policy(PG_FUNCTION_ARGS)
{
	require_preload();
	require_argument(fcinfo, 0, "role");
	require_argument(fcinfo, 2, "force");
	set_role_policy(PG_GETARG_OID(0), optional_text_argument(fcinfo, 1), PG_GETARG_BOOL(2));
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
	require_preload();
	require_argument(fcinfo, 0, "database");
	require_argument(fcinfo, 2, "force");
	set_database_policy(NameStr(*PG_GETARG_NAME(0)), optional_text_argument(fcinfo, 1),
						PG_GETARG_BOOL(2));
	PG_RETURN_VOID();
}

static Datum
set_cluster_policy(FunctionCallInfo fcinfo, ClusterLabel which, PolicySource source, PolicyPlace place)
{
	Supposition supposed = {.source = source};
	bool		force;

	require_preload();
	PreventCommandDuringRecovery("SECURITY LABEL");
	force = flag_argument(fcinfo, 1);
	supposed.text = optional_text_argument(fcinfo, 0);
	if (supposed.text != NULL)
		(void) parse_policy_or_error(supposed.text, place);
	if (!force && (supposed.text != NULL || read_cluster_label(which) != NULL))
		require_no_refusals(&supposed);
	set_cluster_label(which, supposed.text, force);
	PG_RETURN_VOID();
}

/*
 * sslpolicy.set_minimum_policy(policy text, force boolean) returns void
 *
 * Errors of both: insufficient_privilege, invalid_parameter_value (not a policy),
 * invalid_authorization_specification (somebody who is let in now would be refused),
 * object_not_in_prerequisite_state (not preloaded).
 */
Datum
sslpolicy_set_minimum_policy(PG_FUNCTION_ARGS)
{
	return set_cluster_policy(fcinfo, CLUSTER_MINIMUM, SOURCE_MINIMUM, PLACE_MINIMUM);
}

/*
 * sslpolicy.set_default_policy(policy text, force boolean) returns void
 */
Datum
sslpolicy_set_default_policy(PG_FUNCTION_ARGS)
{
	return set_cluster_policy(fcinfo, CLUSTER_DEFAULT, SOURCE_DEFAULT, PLACE_DEFAULT);
}

/*
 * sslpolicy.block_certificate(fingerprint text, force boolean) returns void
 *
 * Errors: insufficient_privilege, null_value_not_allowed, invalid_parameter_value (not a
 * fingerprint), program_limit_exceeded (the list is full),
 * invalid_authorization_specification (the caller's own certificate),
 * object_not_in_prerequisite_state (not preloaded).
 */
Datum
sslpolicy_block_certificate(PG_FUNCTION_ARGS)
{
	require_preload();
	PreventCommandDuringRecovery("SECURITY LABEL");
	set_certificate_blocked(required_text_argument(fcinfo, 0, "fingerprint"), true,
							flag_argument(fcinfo, 1));
	PG_RETURN_VOID();
}

/*
 * sslpolicy.unblock_certificate(fingerprint text) returns void
 *
 * Errors: as of block_certificate.
 */
Datum
sslpolicy_unblock_certificate(PG_FUNCTION_ARGS)
{
	require_preload();
	PreventCommandDuringRecovery("SECURITY LABEL");
	set_certificate_blocked(required_text_argument(fcinfo, 0, "fingerprint"), false, false);
	PG_RETURN_VOID();
}

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
		case KEY_IGNORE_CASE:
			*datum = BoolGetDatum(rule->ignore_case);
			return true;
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
					"'replication'" :
					value->text;
			}
			*datum = label_array(items, count);
			return count > 0;
	}
}

/*
 * One rule of a policy; rule is NULL for one that is not readable, and error
 * says why.
 */
static void
put_rule(FunctionCallInfo fcinfo, const char *type, const char *name, int number,
		 const PolicyRule *rule, const char *text, const char *error)
{
	Row			row = {0};

	row_add_text(&row, type);
	row_add(&row, true, label_text(name));
	row_add(&row, rule != NULL, Int32GetDatum(number));
	for (PolicyKey key = 0; key < NUM_POLICY_KEYS; key++)
	{
		Datum		value = (Datum) 0;
		bool		known = rule != NULL && key_datum(rule, key, &value);

		row_add(&row, known, value);
	}
	row_add(&row, true, label_text(text));
	row_add(&row, error != NULL, error ? label_text(error) : (Datum) 0);
	row_put(fcinfo, &row);
}

/*
 * Rows for all rules of one policy; one row with the reason if it is not
 * readable.  Leaves memory behind.
 */
static void
put_policy(FunctionCallInfo fcinfo, const char *type, const char *name,
		   const char *text, PolicyPlace place)
{
	PolicyError error;
	Policy	   *policy = parse_policy(text, place, NULL, &error);

	if (policy == NULL)
	{
		put_rule(fcinfo, type, name, 0, NULL, text, error.message);
		return;
	}
	text = policy_text(policy);
	for (int r = 0; r < policy->nrules; r++)
		put_rule(fcinfo, type, name, r + 1, &policy->rules[r], text, NULL);
}

static void
put_cluster_policy(FunctionCallInfo fcinfo, ClusterLabel which, PolicyPlace place)
{
	char	   *text = read_cluster_label(which);

	if (text != NULL)
		put_policy(fcinfo, "cluster", cluster_label_name(which), text, place);
}

/*
 * sslpolicy.get_policies() returns setof record
 *
 * A row for each rule of each label, of both settings, and of what holds for every node.
 */
Datum
sslpolicy_get_policies(PG_FUNCTION_ARGS)
{
	MemoryContext scratch;
	ListCell   *cell;

	require_preload();
	rows_begin(fcinfo, POLICY_COLUMNS);

	if (default_policy()[0])
		put_policy(fcinfo, "setting", "sslpolicy.default_policy",
				   default_policy(), PLACE_DEFAULT);
	if (minimum_policy()[0])
		put_policy(fcinfo, "setting", "sslpolicy.minimum_policy",
				   minimum_policy(), PLACE_MINIMUM);
	put_cluster_policy(fcinfo, CLUSTER_DEFAULT, PLACE_DEFAULT);
	put_cluster_policy(fcinfo, CLUSTER_MINIMUM, PLACE_MINIMUM);
	scratch = AllocSetContextCreate(CurrentMemoryContext, "sslpolicy policy", ALLOCSET_DEFAULT_SIZES);
	foreach(cell, all_labels())
	{
		const Label *label = lfirst(cell);
		bool		is_role = label->class == AuthIdRelationId;
		MemoryContext old = MemoryContextSwitchTo(scratch);
		char	   *name = labelled_name(label);

		CHECK_FOR_INTERRUPTS();
		/* dropped since */
		if (name != NULL)
			put_policy(fcinfo, is_role ? "role" : "database", name, label->text,
					   is_role ? PLACE_ROLE : PLACE_DATABASE);
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	MemoryContextDelete(scratch);
	return (Datum) 0;
}
