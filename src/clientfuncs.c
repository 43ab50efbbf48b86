/*-------------------------------------------------------------------------
 *
 * clientfuncs.c
 *		The SQL functions for clients: what they have to set, and the CA that
 *		verifies the server.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "funcapi.h"
#include "libpq/libpq-be.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/lsyscache.h"

#include "clientsettings.h"
#include "collect.h"
#include "datums.h"
#include "preload.h"
#include "rows.h"
#include "serverca.h"

PG_FUNCTION_INFO_V1(sslpolicy_server_ca);
PG_FUNCTION_INFO_V1(sslpolicy_client_settings);
PG_FUNCTION_INFO_V1(sslpolicy_own_client_settings);

/*
 * sslpolicy.server_ca() returns text
 *
 * Errors: object_not_in_prerequisite_state (there is no certificate, or its
 * root is not known).
 */
Datum
sslpolicy_server_ca(PG_FUNCTION_ARGS)
{
	ServerIdentity *identity = server_identity((int64) time(NULL));

	if (identity->error)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%s", identity->error),
				 identity->hint ? errhint("%s", identity->hint) : 0));
	PG_RETURN_TEXT_P(cstring_to_text(anchors_pem(identity)));
}

static void
put_settings(FunctionCallInfo fcinfo, const Facts *facts)
{
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, client_settings(facts))
	{
		const ClientSetting *s = lfirst(cell);
		char	   *value = s->value ? from_utf8(s->value) : NULL;
		Row			row = {0};

		add_text(&row, s->setting);
		add_text(&row, value);
		if (s->value && value == NULL)
			add_text(&row, "the value is not valid UTF-8, or the encoding of this database cannot express it: ask in a database with encoding UTF8");
		else
			add(&row, s->note != NULL, s->note ? label_text(s->note) : (Datum) 0);
		put_row(fcinfo, &row);
	}
}

/*
 * The address of a client as facts have it.
 */
static void
set_address(Facts *facts, inet *address)
{
	if (ip_bits(address) != ip_maxbits(address))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("address must be that of a client, not a network")));
	facts->address_len = ip_addrsize(address);
	memcpy(facts->address, ip_addr(address), (size_t) facts->address_len);
	facts->unknown &= ~UNKNOWN_ADDRESS;
}

static Facts *
nothing_known(void)
{
	Facts	   *facts = palloc0(sizeof(Facts));

	facts->unknown = UNKNOWN_DATABASE | UNKNOWN_ADDRESS | UNKNOWN_SSL | UNKNOWN_TLS_VERSION |
		UNKNOWN_CIPHER | UNKNOWN_CERTIFICATE | UNKNOWN_AUTH_METHOD;
	return facts;
}

/*
 * sslpolicy.client_settings(role regrole, database name, address inet)
 * returns setof record
 *
 * Errors: null_value_not_allowed, undefined_object (no such role),
 * undefined_database, invalid_parameter_value (a network),
 * object_not_in_prerequisite_state (not preloaded).
 */
Datum
sslpolicy_client_settings(PG_FUNCTION_ARGS)
{
	Facts	   *facts = nothing_known();

	require_preload();
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("role must not be null")));
	facts->role = GetUserNameFromId(PG_GETARG_OID(0), false);
	if (!PG_ARGISNULL(1))
	{
		/* '' means physical replication */
		if (NameStr(*PG_GETARG_NAME(1))[0] != '\0')
		{
			facts->database = NameStr(*PG_GETARG_NAME(1));
			(void) get_database_oid(facts->database, false);
		}
		facts->unknown &= ~UNKNOWN_DATABASE;
	}
	if (!PG_ARGISNULL(2))
		set_address(facts, PG_GETARG_INET_PP(2));
	put_settings(fcinfo, facts);
	return (Datum) 0;
}

/*
 * sslpolicy.client_settings() returns setof record
 *
 * Those of the caller's own login role, database and address.
 */
Datum
sslpolicy_own_client_settings(PG_FUNCTION_ARGS)
{
	Facts	   *facts = nothing_known();

	require_preload();
	facts->role = GetUserNameFromId(GetSessionUserId(), false);
	facts->database = get_database_name(MyDatabaseId);
	facts->unknown &= ~UNKNOWN_DATABASE;
	if (MyProcPort != NULL)
	{
		const Facts *connection = collect_facts(MyProcPort, NULL);

		if (connection->address_len > 0)
		{
			facts->address_len = connection->address_len;
			memcpy(facts->address, connection->address, sizeof(facts->address));
			facts->unknown &= ~UNKNOWN_ADDRESS;
		}
	}
	put_settings(fcinfo, facts);
	return (Datum) 0;
}
