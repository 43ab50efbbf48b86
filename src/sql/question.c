/*-------------------------------------------------------------------------
 *
 * question.c
 *		A login that an SQL function is asked about.
 *
 * Who logs in, where to and where from; what is not given is not known.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/lsyscache.h"

#include "session/collect.h"
#include "base/compat.h"
#include "sql/question.h"

#define TRANSPORT_UNKNOWN \
	(UNKNOWN_SSL | UNKNOWN_TLS_VERSION | UNKNOWN_CIPHER | UNKNOWN_CERTIFICATE | UNKNOWN_AUTH_METHOD)

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
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("role must not be null")));
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
