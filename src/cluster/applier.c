/*-------------------------------------------------------------------------
 *
 * applier.c
 *		The background worker that applies what is replicated, and reports.
 *
 * It waits without a connection to a database.  When there is something to apply, it
 * connects to one, applies it, reports, and exits; the postmaster starts it again at once.
 * So it is not in the way of DROP DATABASE or CREATE DATABASE, and no role can take its
 * slot, which is reserved from the start of the server.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "base/compat.h"
#include "base/preload.h"
#include "base/workersettings.h"
#include "cluster/applier.h"
#include "cluster/apply.h"
#include "cluster/orders.h"
#include "cluster/sendreport.h"

PGDLLEXPORT void sslpolicy_apply_main(Datum arg);

static void
give_all_up(uint32 kinds)
{
	for (int kind = 0; kind < NUM_REPLICATED_KINDS; kind++)
		if (kinds & (1U << kind))
			give_up(kind, "the process that applies it has ended; see the server log for the reason");
	finish_order();
}

/*
 * CAs come before CRLs, which are verified with them.
 */
static void
carry_out(Oid database, uint32 kinds)
{
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, BGWORKER_BYPASS_ALLOWCONN);
	override_settings();
	for (int kind = 0; kind < NUM_REPLICATED_KINDS; kind++)
		if (kinds & (1U << kind))
			apply_replicated(kind);
	finish_order();
}

static void
work(Datum arg)
{
	Oid			database;
	uint32		kinds;
	bool		again;
	long		pause;

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	register_applier();
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		if (take_order(&database, &kinds, &again))
		{
			/* a process before this one has taken the order, and ended without finishing it */
			if (again)
				give_all_up(kinds);
			else
			{
				carry_out(database, kinds);
				(void) report_if_due();
				proc_exit(1);
			}
		}
		pause = report_if_due();
		/* libpq has reset the latch while it connected: an order may have come meanwhile */
		if (is_order_open())
			continue;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 pause, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}

/*
 * The entry point for the postmaster.
 */
void
sslpolicy_apply_main(Datum arg)
{
	run_worker_main("sslpolicy_apply", arg);
}

void
init_applier(void)
{
	offer_worker_main("sslpolicy_apply", work);
	register_static_worker(APPLIER_NAME, "sslpolicy_apply_main", 0);
}
