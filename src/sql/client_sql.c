/*-------------------------------------------------------------------------
 *
 * client_sql.c
 *		The SQL functions for clients: what they have to set, and the CA that
 *		verifies the server.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "advice/clientsettings.h"
#include "base/datums.h"
#include "base/preload.h"
#include "base/rows.h"
#include "material/serverca.h"
#include "sql/arguments.h"

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
		char	   *value = s->value ? text_from_utf8(s->value) : NULL;
		Row			row = {0};

		row_add_text(&row, s->setting);
		row_add_text(&row, value);
		if (s->value && value == NULL)
			row_add_text(&row, "the value is not valid UTF-8, or the encoding of this database cannot express it: ask in a database with encoding UTF8");
		else
			row_add(&row, s->note != NULL, s->note ? label_text(s->note) : (Datum) 0);
		row_put(fcinfo, &row);
	}
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
	Question	q;

	require_preload();
	ask_who_and_where(fcinfo, &q);
	put_settings(fcinfo, &q.facts);
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
	Question	q;

	require_preload();
	ask_about_caller(&q);
	put_settings(fcinfo, &q.facts);
	return (Datum) 0;
}
