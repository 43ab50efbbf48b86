/*-------------------------------------------------------------------------
 *
 * arguments.c
 *		What SQL functions are given: each argument read and checked, and the login
 *		that some are asked about.
 *
 * Of a login: who, where to and where from; what is not given is not known.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_database.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "tcop/tcopprot.h"
#include "utils/array.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/timestamp.h"

#include "base/memory.h"
#include "pki/givenpem.h"
#include "session/collect.h"
#include "sql/arguments.h"

#define HIDDEN_STATEMENT "<statement with a private key>"

#define MAX_TIMEOUT_MS (3600 * 1000)

#define TRANSPORT_UNKNOWN \
	(UNKNOWN_SSL | UNKNOWN_TLS_VERSION | UNKNOWN_CIPHER | UNKNOWN_CERTIFICATE | UNKNOWN_AUTH_METHOD)

/*
 * The statement carries a private key: keep it out of what is still to be
 * logged of it (errors), and of pg_stat_activity.
 */
void
hide_statement(void)
{
	debug_query_string = HIDDEN_STATEMENT;
	pgstat_report_activity(STATE_RUNNING, HIDDEN_STATEMENT);
}

void
require_argument(FunctionCallInfo fcinfo, int arg, const char *name)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
}

char *
optional_text_argument(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

char *
required_text_argument(FunctionCallInfo fcinfo, int arg, const char *name)
{
	require_argument(fcinfo, arg, name);
	return text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

/*
 * NULL counts as false.
 */
bool
flag_argument(FunctionCallInfo fcinfo, int arg)
{
	return !PG_ARGISNULL(arg) && PG_GETARG_BOOL(arg);
}

/*
 * The texts of an array, of which none may be NULL.  NULL stands for none.
 */
List *
text_list_argument(FunctionCallInfo fcinfo, int arg, const char *name)
{
	List	   *texts = NIL;
	Datum	   *elements;
	bool	   *nulls;
	int			count = 0;

	if (PG_ARGISNULL(arg))
		return NIL;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(arg), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a name in %s is null", name)));
		texts = lappend(texts, TextDatumGetCString(elements[i]));
	}
	return texts;
}

static int64
interval_ms(const Interval *interval)
{
	int64		days = (int64) interval->day + (int64) interval->month * DAYS_PER_MONTH;

	return interval->time / 1000 + days * SECS_PER_DAY * 1000;
}

/*
 * An interval, in milliseconds.
 */
int
timeout_argument(FunctionCallInfo fcinfo, int arg, const char *name)
{
	int64		ms;

	require_argument(fcinfo, arg, name);
	ms = interval_ms(PG_GETARG_INTERVAL_P(arg));
	if (ms <= 0 || ms > MAX_TIMEOUT_MS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be more than zero and at most one hour", name)));
	return (int) ms;
}

/*
 * The bytes of a text or bytea, with a zero behind them, of at most max_bytes.
 */
static char *
bytes_argument(FunctionCallInfo fcinfo, int arg, size_t max_bytes, size_t *len)
{
	struct varlena *value = PG_GETARG_VARLENA_PP(arg);
	char	   *bytes;

	*len = VARSIZE_ANY_EXHDR(value);
	if (*len > max_bytes)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the text is too long"),
				 errdetail("It has %zu bytes; at most %zu are accepted.", *len, max_bytes),
				 errhidestmt(true), errhidecontext(true)));
	bytes = palloc(*len + 1);
	memcpy(bytes, VARDATA_ANY(value), *len);
	bytes[*len] = '\0';
	return bytes;
}

/*
 * The name of an argument of PEM, which is bytea in one of two functions.
 */
const char *
pem_argument_name(FunctionCallInfo fcinfo, int arg)
{
	return get_fn_expr_argtype(fcinfo->flinfo, arg) == BYTEAOID ? "der" : "pem";
}

/*
 * Certificates and CRLs, which may be none, as text or bytea of at most max_bytes and
 * max_certificates.  There must not be a private key in it.
 */
PemContent *
pem_argument(FunctionCallInfo fcinfo, int arg, const char *name, size_t max_bytes,
			 int max_certificates)
{
	size_t		len;
	char	   *bytes;
	PemContent *content = NULL;
	PemProblem	problem = {0};
	bool		has_key;

	require_argument(fcinfo, arg, name);
	bytes = bytes_argument(fcinfo, arg, max_bytes, &len);
	has_key = mentions_private_key(bytes, len);
	if (!has_key)
		content = read_given_pem(bytes, len, &problem);
	if (content)
		(void) free_at_reset(content, free_pem_content);
	if (has_key || problem.is_key)
	{
		wipe_memory(bytes, len);
		hide_statement();
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is a private key in the text"),
				 errdetail("It was not stored. Whoever can read the statement, in a log or on its way, may know the key."),
				 errhint("Give certificates or CRLs alone (the server's key is an argument of its own), and consider the key as compromised."),
				 errhidestmt(true), errhidecontext(true)));
	}
	if (content == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s cannot be used", name),
				 errdetail("The error was: %s.", problem.error),
				 problem.hint ? errhint("%s", problem.hint) : 0));
	if (sk_X509_num(content->certs) > max_certificates)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("there are too many certificates in the text"),
				 errdetail("There are %d; at most %d are accepted.", sk_X509_num(content->certs),
						   max_certificates)));
	return content;
}

/*
 * A private key in PEM, as text or bytea, with its line breaks put right if they have
 * got lost.  NULL if it is NULL.  The caller has hidden the statement, and wipes the key.
 */
char *
key_argument(FunctionCallInfo fcinfo, int arg)
{
	size_t		len;
	char	   *bytes;
	char	   *repaired;
	PemProblem	problem;

	if (PG_ARGISNULL(arg))
		return NULL;
	bytes = bytes_argument(fcinfo, arg, MAX_PEM_BYTES, &len);
	repaired = read_given_key(bytes, len, &problem);
	if (repaired || problem.error)
		wipe_memory(bytes, len);
	if (problem.error)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the private key cannot be used: %s", problem.error),
				 errhint("%s", problem.hint ? problem.hint : UNENCRYPTED_KEY_HINT),
				 errhidestmt(true), errhidecontext(true)));
	return repaired ? repaired : bytes;
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
	memcpy(q->facts.address, ip_addr(address), (size_t) q->facts.address_len);
}

/*
 * Role (regrole), database (name) and address (inet): the first three arguments of
 * the function.
 *
 * Errors: null_value_not_allowed, undefined_object (no such role),
 * undefined_database, invalid_parameter_value (a network).
 */
void
ask_who_and_where(FunctionCallInfo fcinfo, Question *q)
{
	require_argument(fcinfo, 0, "role");
	memset(q, 0, sizeof(Question));
	q->facts.unknown = TRANSPORT_UNKNOWN;
	q->role = PG_GETARG_OID(0);
	q->facts.role = GetUserNameFromId(q->role, false);
	ask_database(q, PG_ARGISNULL(1) ? NULL : NameStr(*PG_GETARG_NAME(1)));
	ask_address(q, PG_ARGISNULL(2) ? NULL : PG_GETARG_INET_PP(2));
}

/*
 * The caller's own login role, this database, and the address from which it has
 * connected, which is not known for a Unix socket.
 */
void
ask_about_caller(Question *q)
{
	memset(q, 0, sizeof(Question));
	q->facts.unknown = TRANSPORT_UNKNOWN;
	q->role = GetSessionUserId();
	q->facts.role = GetUserNameFromId(q->role, false);
	q->database = MyDatabaseId;
	q->facts.database = get_database_name(MyDatabaseId);
	if (MyProcPort != NULL)
	{
		const Facts *own = collect_facts(MyProcPort, NULL);

		q->facts.address_len = own->address_len;
		memcpy(q->facts.address, own->address, sizeof(q->facts.address));
	}
	if (q->facts.address_len == 0)
		q->facts.unknown |= UNKNOWN_ADDRESS;
}
