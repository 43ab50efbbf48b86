/*-------------------------------------------------------------------------
 *
 * transaction.c
 *		What a transaction must not have done, or missed, before it makes a
 *		decision that cannot be rolled back.
 *
 * A function that replaces a file or ends a session judges by what its transaction
 * sees, including the transaction's own changes.  These changes can be rolled back,
 * the decision cannot.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "postmaster/interrupt.h"
#include "utils/builtins.h"

#include "base/privileged.h"
#include "base/transaction.h"

/*
 * An error if the transaction, or one of its subtransactions, has changed
 * anything.
 */
void
forbid_changes_before(const char *message, const char *hint)
{
	if (!TransactionIdIsValid(GetTopTransactionIdIfAny()))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
			 errmsg("%s", message),
			 errdetail("The change might be rolled back."),
			 errhint("%s", hint)));
}

/*
 * The name of a setting of sslpolicy that decides what somebody may do, and that has
 * changed since this session last took its settings; NULL if there is none.  (Other
 * settings do not count: any installation makes every session reload, including those
 * that wait for it to end.)
 */
static const char *
changed_setting(void)
{
	QueryResult *rows = privileged_query(
		"SELECT s.name, s.setting, COALESCE(f.setting, s.boot_val), s.vartype OPERATOR(pg_catalog.=) 'bool' "
		"FROM pg_catalog.pg_settings s LEFT JOIN pg_catalog.pg_file_settings f "
		"ON pg_catalog.lower(f.name) OPERATOR(pg_catalog.=) s.name AND f.applied "
		"WHERE s.name OPERATOR(pg_catalog.=) ANY (ARRAY['sslpolicy.enforcement', 'sslpolicy.install', 'sslpolicy.minimum_policy', 'sslpolicy.reserved_roles']) "
		"AND s.source OPERATOR(pg_catalog.<>) 'command line'");

	for (int i = 0; i < rows->rows; i++)
	{
		const char *now = rows->values[i][1] ? rows->values[i][1] : "";
		const char *next = rows->values[i][2] ? rows->values[i][2] : "";
		bool		now_on;
		bool		next_on;

		if (strcmp(rows->values[i][3], "t") == 0 && parse_bool(now, &now_on) && parse_bool(next, &next_on) ?
				now_on != next_on :
				strcmp(now, next) != 0)
			return rows->values[i][0];
	}
	return NULL;
}

/*
 * A session takes new settings between two statements.  In the middle of a long
 * statement, those that it has may be outdated.
 */
void
require_current_settings(void)
{
	const char *changed = ConfigReloadPending ? changed_setting() : NULL;

	if (changed)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%s has changed since the statement began", changed),
				 errhint("Run the statement again.")));
}
