/*-------------------------------------------------------------------------
 *
 * transaction.c
 *		What a transaction must not have done, or missed, before it is decided on
 *		something.
 *
 * Whoever decides on a file, or ends a session, judges by what this transaction
 * sees, its own changes among it.  They can be rolled back; what was decided
 * cannot.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "postmaster/interrupt.h"

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
 * A session takes new settings between two statements.  What it knows in the middle
 * of a long one may be over.
 */
void
require_current_settings(void)
{
	if (ConfigReloadPending)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("settings have changed since the statement began"),
				 errhint("Run the statement again.")));
}
