/*-------------------------------------------------------------------------
 *
 * explain_sql.c
 *		The SQL functions that explain a login, and a role's policies, and that try
 *		a policy before it is set.
 *
 * Arguments and tuples only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "funcapi.h"
#include "libpq/auth.h"
#include "libpq/hba.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/timestamp.h"

#include "advice/explain.h"
#include "advice/preview.h"
#include "base/datums.h"
#include "base/preload.h"
#include "base/rows.h"
#include "labels/labels.h"
#include "material/anchors.h"
#include "material/clientcert.h"
#include "policy/matcher.h"
#include "session/collect.h"
#include "session/ownaddress.h"
#include "session/sessions.h"
#include "sql/arguments.h"

PG_FUNCTION_INFO_V1(sslpolicy_explain);
PG_FUNCTION_INFO_V1(sslpolicy_explain_session);
PG_FUNCTION_INFO_V1(sslpolicy_effective_policy);
PG_FUNCTION_INFO_V1(sslpolicy_own_effective_policy);
PG_FUNCTION_INFO_V1(sslpolicy_preview_role_policy);
PG_FUNCTION_INFO_V1(sslpolicy_preview_database_policy);
PG_FUNCTION_INFO_V1(sslpolicy_preview_default_policy);
PG_FUNCTION_INFO_V1(sslpolicy_preview_minimum_policy);

/* of sslpolicy.explain() */
#define CERTIFICATE_ARGUMENT 6

static void
ask_tls_version(Question *q, const char *name)
{
	if (name == NULL)
		return;
	q->facts.unknown &= ~UNKNOWN_TLS_VERSION;
	for (TlsVersion version = TLS_1_0; version <= TLS_1_3; version++)
		if (strcmp(name, tls_version_name(version)) == 0)
		{
			q->facts.tls_version = version;
			q->facts.version = name;
			return;
		}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid tls_version \"%s\"", name),
			 errhint("Accepted is TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3.")));
}

static void
ask_cipher(Question *q, const char *name)
{
	char	   *error;

	if (name == NULL)
		return;
	q->facts.unknown &= ~UNKNOWN_CIPHER;
	error = policy_checks.cipher(name);
	if (error != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid cipher: %s", error),
				 errhint("Write its name as pg_stat_ssl.cipher shows it.")));
	q->facts.cipher = name;
}

/*
 * '' is no certificate.
 */
static bool
has_certificate_argument(FunctionCallInfo fcinfo)
{
	const char *certificate = optional_text_argument(fcinfo, CERTIFICATE_ARGUMENT);

	return certificate != NULL && certificate[0] != '\0';
}

/*
 * The client's certificate, and its intermediates behind it; '' if it presents none.
 * Returns why the server would not accept it, or NULL.
 */
static char *
ask_certificate(Question *q, FunctionCallInfo fcinfo, int64 at)
{
	ClientCertificate *judged;

	if (PG_ARGISNULL(CERTIFICATE_ARGUMENT))
		return NULL;
	q->facts.unknown &= ~UNKNOWN_CERTIFICATE;
	if (!has_certificate_argument(fcinfo))
		return NULL;
	judged = judge_client_certificate(pem_argument(fcinfo, CERTIFICATE_ARGUMENT, "certificate", MAX_PEM_BYTES, MAX_CERTIFICATES), at);
	q->facts.cert = judged->facts;
	q->facts.verified = judged->error == NULL;
	q->facts.own_certificate = q->facts.verified && judged->own_key &&
		((q->facts.unknown & UNKNOWN_ADDRESS) || is_own_address(&q->facts, NULL));
	return judged->error;
}

static void
ask_auth_method(Question *q, const char *name)
{
	if (name == NULL)
		return;
	q->facts.unknown &= ~UNKNOWN_AUTH_METHOD;
	for (int method = 0; method <= USER_AUTH_LAST; method++)
		if (strcmp(name, hba_authname(method)) == 0)
		{
			q->facts.auth_method = name;
			return;
		}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid auth_method \"%s\"", name),
			 errhint("Write it as in pg_hba.conf: cert, scram-sha-256, ...")));
}

/*
 * What the arguments of sslpolicy.explain() say of the transport.  Returns why the
 * server would not accept the certificate, or NULL.
 */
static char *
ask_transport(Question *q, FunctionCallInfo fcinfo, int64 at)
{
	char	   *version = optional_text_argument(fcinfo, 4);
	char	   *cipher = optional_text_argument(fcinfo, 5);

	if (!PG_ARGISNULL(3))
	{
		q->facts.ssl = PG_GETARG_BOOL(3);
		q->facts.unknown &= ~UNKNOWN_SSL;
		if (!q->facts.ssl)
		{
			if (version || cipher || has_certificate_argument(fcinfo))
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("a connection without TLS has no tls_version, cipher or certificate")));
			q->facts.unknown &= ~(UNKNOWN_TLS_VERSION | UNKNOWN_CIPHER | UNKNOWN_CERTIFICATE);
			return NULL;
		}
	}
	ask_tls_version(q, version);
	ask_cipher(q, cipher);
	return ask_certificate(q, fcinfo, at);
}

static Applicable *
applicable_to(const Question *q)
{
	return find_applicable_in(NULL, q->role, q->facts.role, q->database,
							  q->facts.database, NULL);
}

static void
put_explained(FunctionCallInfo fcinfo, List *rows)
{
	ListCell   *cell;

	foreach(cell, rows)
	{
		const Explained *explained = lfirst(cell);
		Row			row = {0};
		char	   *required = explained->required;

		if (required && explained->log_only)
			required = psprintf("%s (action=log)", required);
		if (required && !explained->certain)
			required = psprintf("%s (if this applies)", required);
		row_add(&row, true, label_text(explained->source));
		row_add(&row, explained->rule > 0, Int32GetDatum(explained->rule));
		row_add_text(&row, explained->requirement);
		row_add(&row, required != NULL, required ? label_text(required) : (Datum) 0);
		row_add(&row, explained->actual != NULL,
				explained->actual ? certificate_text(explained->actual) : (Datum) 0);
		row_add(&row, explained->outcome != OUTCOME_UNKNOWN,
				BoolGetDatum(explained->outcome == OUTCOME_OK));
		row_put(fcinfo, &row);
	}
}

/*
 * sslpolicy.explain(role regrole, database name, address inet, ssl boolean,
 * tls_version text, cipher text, certificate text, auth_method text,
 * at timestamptz) returns setof record
 *
 * Errors: null_value_not_allowed, invalid_parameter_value, undefined_database,
 * object_not_in_prerequisite_state (not preloaded).
 */
Datum
sslpolicy_explain(PG_FUNCTION_ARGS)
{
	Question	q;
	char	   *certificate_error;
	int64		at;

	require_preload();
	require_argument(fcinfo, 8, "at");
	at = timestamp_to_unix(PG_GETARG_TIMESTAMPTZ(8));
	ask_who_and_where(fcinfo, &q);
	certificate_error = ask_transport(&q, fcinfo, at);
	ask_auth_method(&q, optional_text_argument(fcinfo, 7));
	InitMaterializedSRF(fcinfo, 0);
	put_explained(fcinfo, explain_login(&q.facts, applicable_to(&q), certificate_error, at));
	return (Datum) 0;
}

/*
 * sslpolicy.explain_session(pid integer) returns setof record
 *
 * Errors: undefined_object (no such session), object_not_in_prerequisite_state
 * (not preloaded).
 */
Datum
sslpolicy_explain_session(PG_FUNCTION_ARGS)
{
	int			pid = PG_GETARG_INT32(0);
	ListCell   *cell;

	require_preload();
	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, copy_sessions())
	{
		Session    *s = lfirst(cell);
		Applicable *applicable;

		if (s->pid != pid)
			continue;
		judge_anchor(&s->facts, anchors_in_force());
		applicable = find_applicable_in(NULL, s->role, s->facts.role, s->database,
										s->facts.database, NULL);
		put_explained(fcinfo, explain_login(&s->facts, applicable, NULL, (int64) time(NULL)));
		return (Datum) 0;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("there is no session with PID %d", pid),
			 errhint("sslpolicy.sessions lists them.")));
}

static Datum
put_policies(FunctionCallInfo fcinfo, Question *q)
{
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, explain_policies(&q->facts, applicable_to(q)))
	{
		const Explained *explained = lfirst(cell);
		Row			row = {0};

		row_add(&row, true, label_text(explained->source));
		row_add(&row, explained->rule > 0, Int32GetDatum(explained->rule));
		row_add_text(&row, explained->requirement);
		row_add(&row, true, label_text(explained->required));
		row_add_text(&row, explained->log_only ? "log" : "reject");
		row_add(&row, explained->certain, BoolGetDatum(true));
		row_put(fcinfo, &row);
	}
	return (Datum) 0;
}

/*
 * sslpolicy.effective_policy(role regrole, database name, address inet)
 * returns setof record
 *
 * Errors: as of explain.
 */
Datum
sslpolicy_effective_policy(PG_FUNCTION_ARGS)
{
	Question	q;

	require_preload();
	ask_who_and_where(fcinfo, &q);
	return put_policies(fcinfo, &q);
}

/*
 * sslpolicy.effective_policy() returns setof record
 *
 * That of the caller's own role, in this database, from where it has connected.
 */
Datum
sslpolicy_own_effective_policy(PG_FUNCTION_ARGS)
{
	Question	q;

	require_preload();
	ask_about_caller(&q);
	return put_policies(fcinfo, &q);
}

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

	supposed->text = optional_text_argument(fcinfo, arg);
	if (supposed->text)
		(void) parse_policy_or_error(supposed->text, place);
	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, preview_policy(supposed))
		put_previewed(fcinfo, lfirst(cell));
	return (Datum) 0;
}

/*
 * sslpolicy.preview_role_policy(role regrole, policy text) returns setof record
 *
 * Errors of all four: null_value_not_allowed, undefined_object,
 * undefined_database, invalid_parameter_value (not a policy),
 * object_not_in_prerequisite_state (not preloaded).
 */
Datum
sslpolicy_preview_role_policy(PG_FUNCTION_ARGS)
{
	Supposition supposed = {.source = SOURCE_ROLE};

	require_preload();
	require_argument(fcinfo, 0, "role");
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
	require_argument(fcinfo, 0, "database");
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

/*
 * sslpolicy.preview_minimum_policy(policy text) returns setof record
 */
Datum
sslpolicy_preview_minimum_policy(PG_FUNCTION_ARGS)
{
	Supposition supposed = {.source = SOURCE_MINIMUM};

	require_preload();
	return put_preview(fcinfo, &supposed, 0, PLACE_MINIMUM);
}
