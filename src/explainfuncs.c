/*-------------------------------------------------------------------------
 *
 * explainfuncs.c
 *		The SQL functions that explain a login, and a role's policies.
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
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "clientcert.h"
#include "collect.h"
#include "datums.h"
#include "explain.h"
#include "matcher.h"
#include "preload.h"
#include "rows.h"
#include "sessions.h"

PG_FUNCTION_INFO_V1(sslpolicy_explain);
PG_FUNCTION_INFO_V1(sslpolicy_explain_session);
PG_FUNCTION_INFO_V1(sslpolicy_effective_policy);
PG_FUNCTION_INFO_V1(sslpolicy_own_effective_policy);

/* A login that has not been made, as far as it is described. */
typedef struct Question
{
	Oid			role;
	Oid			database;
	Facts		facts;
	char	   *certificate_error;
} Question;

static char *
text_argument(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

/*
 * The database; '' means physical replication.
 */
static void
ask_database(Question *q, const char *name)
{
	if (name == NULL)
		q->facts.unknown |= UNKNOWN_DATABASE;
	else if (name[0] != '\0')
	{
		q->database = get_database_oid(name, false);
		q->facts.database = pstrdup(name);
	}
}

static void
ask_address(Question *q, const inet *address)
{
	if (address == NULL)
	{
		q->facts.unknown |= UNKNOWN_ADDRESS;
		return;
	}
	if (ip_bits(address) != ip_maxbits(address))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("address must be that of a client, not a network")));
	q->facts.address_len = ip_addrsize(address);
	memcpy(q->facts.address, ip_addr(address), ip_addrsize(address));
}

/*
 * Role, database and address: the first three arguments of these functions.
 */
static void
ask_who_and_where(Question *q, FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("role must not be null")));
	q->role = PG_GETARG_OID(0);
	q->facts.role = GetUserNameFromId(q->role, false);
	ask_database(q, PG_ARGISNULL(1) ? NULL : NameStr(*PG_GETARG_NAME(1)));
	ask_address(q, PG_ARGISNULL(2) ? NULL : PG_GETARG_INET_PP(2));
}

static void
ask_tls_version(Question *q, const char *name)
{
	if (name == NULL)
	{
		q->facts.unknown |= UNKNOWN_TLS_VERSION;
		return;
	}
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
	{
		q->facts.unknown |= UNKNOWN_CIPHER;
		return;
	}
	error = policy_checks.cipher(name);
	if (error != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid cipher: %s", error),
				 errhint("Write its name as pg_stat_ssl.cipher shows it.")));
	q->facts.cipher = name;
}

/*
 * The client's certificate, and its intermediates behind it; '' if it presents none.
 */
static void
ask_certificate(Question *q, const char *pem, int64 at)
{
	ClientCertificate *judged;

	if (pem == NULL)
		q->facts.unknown |= UNKNOWN_CERTIFICATE;
	if (pem == NULL || pem[0] == '\0')
		return;
	judged = judge_client_certificate(pem, strlen(pem), at);
	q->facts.cert = judged->facts;
	q->facts.verified = judged->error == NULL;
	q->certificate_error = judged->error;
}

static void
ask_auth_method(Question *q, const char *name)
{
	if (name == NULL)
	{
		q->facts.unknown |= UNKNOWN_AUTH_METHOD;
		return;
	}
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
 * What the arguments of sslpolicy.explain() say of the transport.
 */
static void
ask_transport(Question *q, FunctionCallInfo fcinfo, int64 at)
{
	char	   *version = text_argument(fcinfo, 4);
	char	   *cipher = text_argument(fcinfo, 5);
	char	   *certificate = text_argument(fcinfo, 6);

	if (PG_ARGISNULL(3))
		q->facts.unknown |= UNKNOWN_SSL;
	else
		q->facts.ssl = PG_GETARG_BOOL(3);
	if (!PG_ARGISNULL(3) && !q->facts.ssl)
	{
		if (version || cipher || (certificate && certificate[0]))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a connection without TLS has no tls_version, cipher or certificate")));
		return;
	}
	ask_tls_version(q, version);
	ask_cipher(q, cipher);
	ask_certificate(q, certificate, at);
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
		add(&row, true, label_text(explained->source));
		add(&row, explained->rule > 0, Int32GetDatum(explained->rule));
		add_text(&row, explained->requirement);
		add(&row, required != NULL, required ? label_text(required) : (Datum) 0);
		add(&row, explained->actual != NULL,
			explained->actual ? certificate_text(explained->actual) : (Datum) 0);
		add(&row, explained->outcome != OUTCOME_UNKNOWN,
			BoolGetDatum(explained->outcome == OUTCOME_OK));
		put_row(fcinfo, &row);
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
	Question	q = {0};
	int64		at;

	require_preload();
	if (PG_ARGISNULL(8))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("at must not be null")));
	at = to_unix_time(PG_GETARG_TIMESTAMPTZ(8));
	ask_who_and_where(&q, fcinfo);
	ask_transport(&q, fcinfo, at);
	ask_auth_method(&q, text_argument(fcinfo, 7));
	InitMaterializedSRF(fcinfo, 0);
	put_explained(fcinfo, explain_login(&q.facts, applicable_to(&q), q.certificate_error, at));
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

	q->facts.unknown |= UNKNOWN_SSL | UNKNOWN_TLS_VERSION | UNKNOWN_CIPHER |
		UNKNOWN_CERTIFICATE | UNKNOWN_AUTH_METHOD;
	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, explain_policies(&q->facts, applicable_to(q)))
	{
		const Explained *explained = lfirst(cell);
		Row			row = {0};

		add(&row, true, label_text(explained->source));
		add(&row, explained->rule > 0, Int32GetDatum(explained->rule));
		add_text(&row, explained->requirement);
		add(&row, true, label_text(explained->required));
		add_text(&row, explained->log_only ? "log" : "reject");
		add(&row, explained->certain, BoolGetDatum(true));
		put_row(fcinfo, &row);
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
	Question	q = {0};

	require_preload();
	ask_who_and_where(&q, fcinfo);
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
	Question	q = {0};

	require_preload();
	q.role = GetSessionUserId();
	q.facts.role = GetUserNameFromId(q.role, false);
	q.database = MyDatabaseId;
	q.facts.database = get_database_name(MyDatabaseId);
	if (MyProcPort != NULL)
	{
		const Facts *own = collect_facts(MyProcPort, NULL);

		q.facts.address_len = own->address_len;
		memcpy(q.facts.address, own->address, sizeof(q.facts.address));
	}
	if (q.facts.address_len == 0)
		q.facts.unknown |= UNKNOWN_ADDRESS;
	return put_policies(fcinfo, &q);
}
