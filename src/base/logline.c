/*-------------------------------------------------------------------------
 *
 * logline.c
 *		Writes to the server log where no error may be raised.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/logline.h"

/*
 * Log a line, to the server log and to nobody else; detail may be NULL.  What can
 * fail is memory, and another module's emit_log_hook.  Then the line goes to stderr,
 * where the logging collector finds it as well.
 */
void
log_line(const char *line, const char *detail)
{
	/* errfinish() sets them to 0 when it raises an error */
	volatile uint32 interrupts = InterruptHoldoffCount;
	volatile uint32 cancels = QueryCancelHoldoffCount;
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		ereport(LOG_SERVER_ONLY,
				(errmsg_internal("%s", line),
				 detail ? errdetail_log("%s", detail) : 0,
				 errhidestmt(true), errhidecontext(true)));
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
		InterruptHoldoffCount = interrupts;
		QueryCancelHoldoffCount = cancels;
		write_stderr("%s%s%s\n", line, detail ? " " : "", detail ? detail : "");
	}
	PG_END_TRY();
}
