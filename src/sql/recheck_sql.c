/*-------------------------------------------------------------------------
 *
 * recheck_sql.c
 *		The SQL functions about the recheck of live sessions.
 *
 * Arguments and tuples only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/timestamp.h"

#include "base/datums.h"
#include "base/preload.h"
#include "base/rows.h"
#include "base/transaction.h"
#include "base/wakeup.h"
#include "enforce/recheck.h"
#include "ledger/ended.h"
#include "sql/arguments.h"

PG_FUNCTION_INFO_V1(sslpolicy_recheck);
PG_FUNCTION_INFO_V1(sslpolicy_get_ended_sessions);

/*
 * sslpolicy.recheck(dry_run boolean) returns setof record
 *
 * Errors: null_value_not_allowed, active_sql_transaction,
 * object_not_in_prerequisite_state (not preloaded).
 */
Datum
sslpolicy_recheck(PG_FUNCTION_ARGS)
{
	bool		dry_run;
	bool		waits = false;
	List	   *rechecked;
	ListCell   *cell;

	require_preload();
	require_argument(fcinfo, 0, "dry_run");
	dry_run = PG_GETARG_BOOL(0);
	if (!dry_run)
		forbid_changes_before("sessions cannot be ended in a transaction that has changed something",
							  "COMMIT first, or use sslpolicy.recheck(dry_run => true).");
	InitMaterializedSRF(fcinfo, 0);
	rechecked = recheck_sessions(dry_run, CHANGED_ASKED, NULL);
	foreach(cell, rechecked)
	{
		const Rechecked *r = lfirst(cell);
		Row			row = {0};

		waits |= r->waits;
		row_add(&row, true, Int32GetDatum(r->session->pid));
		row_add(&row, true, label_text(r->session->facts.role));
		row_add(&row, r->compliance != COMPLIANCE_UNKNOWN, BoolGetDatum(r->compliance == COMPLIANCE_YES));
		row_add(&row, true, text_list(r->reasons));
		row_add(&row, true, BoolGetDatum(r->ended));
		row_put(fcinfo, &row);
	}
	/* the worker ends them later */
	if (waits && !dry_run)
		want_recheck();
	return (Datum) 0;
}

/*
 * sslpolicy.get_ended_sessions() returns setof record
 */
Datum
sslpolicy_get_ended_sessions(PG_FUNCTION_ARGS)
{
	ListCell   *cell;

	require_preload();
	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, ended_sessions())
	{
		const EndedSession *ended = lfirst(cell);
		Row			row = {0};

		row_add(&row, true, TimestampTzGetDatum(ended->at));
		row_add(&row, true, Int32GetDatum(ended->pid));
		row_add(&row, true, label_text(ended->role));
		row_add(&row, ended->database != NULL, ended->database ? label_text(ended->database) : (Datum) 0);
		row_add(&row, ended->address != NULL,
				ended->address ? DirectFunctionCall1(inet_in, CStringGetDatum(ended->address)) : (Datum) 0);
		row_add_text(&row, ended->cause);
		row_add_text(&row, ended->changed);
		row_add(&row, true, text_list(ended->reasons));
		row_put(fcinfo, &row);
	}
	return (Datum) 0;
}
