/*-------------------------------------------------------------------------
 *
 * client_sql.c
 *		The SQL functions for clients: what they have to set, and the CA that
 *		verifies the server.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>
#include <time.h>

#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "advice/clientbundle.h"
#include "advice/clientplan.h"
#include "advice/clientsettings.h"
#include "base/datums.h"
#include "base/preload.h"
#include "base/rows.h"
#include "material/serverca.h"
#include "sql/arguments.h"

PG_FUNCTION_INFO_V1(sslpolicy_server_ca);
PG_FUNCTION_INFO_V1(sslpolicy_client_settings);
PG_FUNCTION_INFO_V1(sslpolicy_own_client_settings);
PG_FUNCTION_INFO_V1(sslpolicy_client_bundle);
PG_FUNCTION_INFO_V1(sslpolicy_own_client_bundle);

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

#define ENCODING_HINT "call this function in a database with encoding UTF8"

static void
put_settings(FunctionCallInfo fcinfo, const Facts *facts, const char *directory)
{
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, client_settings(facts, directory))
	{
		const ClientSetting *s = lfirst(cell);
		char	   *value = text_from_utf8(s->value);
		Row			row = {0};

		if (value)
		{
			row_add_text(&row, s->setting);
			row_add_text(&row, value);
			row_add(&row, true, label_text(s->note));
		}
		else
		{
			row_add_text(&row, "problem");
			row_add_text(&row, psprintf("%s cannot be shown", s->setting));
			row_add_text(&row, "the value is not valid UTF-8, or the encoding of this database cannot express it: " ENCODING_HINT);
		}
		row_put(fcinfo, &row);
	}
}

static Datum
bundle_text(const Facts *facts)
{
	char	   *text = text_from_utf8(client_bundle(facts));

	if (text == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				 errmsg("the settings cannot be shown"),
				 errdetail("The name of the role or of the database is not valid UTF-8, or the encoding of this database cannot express it."),
				 errhint("If it is valid, " ENCODING_HINT ".")));
	return CStringGetTextDatum(text);
}

/*
 * Where the client keeps its files, in UTF-8: an absolute path without a trailing slash.
 */
static char *
directory_argument(FunctionCallInfo fcinfo, int arg)
{
	char	   *directory = required_text_argument(fcinfo, arg, "directory");
	int			len = (int) strlen(directory);
	bool		drive = isalpha((unsigned char) directory[0]) && directory[1] == ':' &&
		(directory[2] == '/' || directory[2] == '\\');
	bool		control = false;

	for (const char *c = directory; *c; c++)
		control |= (unsigned char) *c < 0x20 || *c == 0x7F;
	if ((directory[0] != '/' && !drive) || control)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("directory must be an absolute path"),
				 errdetail("The path must begin with a slash, or with a drive as in C:\\ or C:/, and must not contain control characters.")));
	while (len > 0 && (directory[len - 1] == '/' || (drive && directory[len - 1] == '\\')))
		directory[--len] = '\0';
	return pg_server_to_any(directory, len, PG_UTF8);
}

/*
 * sslpolicy.client_settings(role regrole, database name, address inet, directory text)
 * returns setof record
 *
 * Errors: null_value_not_allowed, undefined_object (no such role),
 * undefined_database, invalid_parameter_value (a network, a directory),
 * object_not_in_prerequisite_state (not preloaded).
 */
Datum
sslpolicy_client_settings(PG_FUNCTION_ARGS)
{
	Question	q;

	require_preload();
	ask_who_and_where(fcinfo, &q);
	put_settings(fcinfo, &q.facts, directory_argument(fcinfo, 3));
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
	put_settings(fcinfo, &q.facts, DEFAULT_CLIENT_DIRECTORY);
	return (Datum) 0;
}

/*
 * sslpolicy.client_bundle(role regrole, database name, address inet) returns text
 *
 * Errors: those of sslpolicy.client_settings(), and character_not_in_repertoire (a name
 * that cannot be shown).
 */
Datum
sslpolicy_client_bundle(PG_FUNCTION_ARGS)
{
	Question	q;

	require_preload();
	ask_who_and_where(fcinfo, &q);
	return bundle_text(&q.facts);
}

/*
 * sslpolicy.client_bundle() returns text
 */
Datum
sslpolicy_own_client_bundle(PG_FUNCTION_ARGS)
{
	Question	q;

	require_preload();
	ask_about_caller(&q);
	return bundle_text(&q.facts);
}
