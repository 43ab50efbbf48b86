/*-------------------------------------------------------------------------
 *
 * lint_sql.c
 *		The SQL function that says what is wrong with the configuration.
 *
 * Tuples only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/memutils.h"

#include "base/datums.h"
#include "base/preload.h"
#include "base/rows.h"
#include "lint/lint.h"

PG_FUNCTION_INFO_V1(sslpolicy_lint);

/*
 * sslpolicy.lint() returns setof record
 *
 * severity, code, object, finding, remedy.  Errors:
 * object_not_in_prerequisite_state (not preloaded).
 */
Datum
sslpolicy_lint(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	MemoryContext old;
	ListCell   *cell;

	require_preload();
	InitMaterializedSRF(fcinfo, 0);
	context = AllocSetContextCreate(CurrentMemoryContext, "sslpolicy lint", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	foreach(cell, run_lint())
	{
		const Finding *finding = lfirst(cell);
		Row			row = {0};

		row_add_text(&row, severity_name(finding->severity));
		row_add_text(&row, finding->code);
		/* names of roles can be of another encoding */
		row_add(&row, true, label_text(finding->object));
		row_add(&row, true, label_text(finding_text(finding)));
		row_add(&row, true, label_text(finding->remedy));
		row_put(fcinfo, &row);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return (Datum) 0;
}
