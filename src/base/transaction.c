/*-------------------------------------------------------------------------
 *
 * transaction.c
 *		What a transaction must not have done before something is done for good.
 *
 * Whoever decides on a file, or ends a session, judges by what this transaction
 * sees, its own changes among it.  They can be rolled back; what was decided
 * cannot.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"

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
