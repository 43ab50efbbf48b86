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

#include "fmgr.h"
#include "utils/builtins.h"

#include "serverca.h"

PG_FUNCTION_INFO_V1(sslpolicy_server_ca);

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
