/*-------------------------------------------------------------------------
 *
 * pace.c
 *		How long the worker may wait until it looks again.
 *
 * Ten times a second while something is going on, since what it waits for wakes nobody:
 *	- on a standby, where changes come by replay
 *	- for ten seconds after it was woken, or has read settings.  Whoever commits a
 *	  change wakes it a moment before the change is announced (commits.c); TLS material
 *	  is loaded a moment after settings are
 *	- while material of the cluster is being applied, or was not compared yet
 * Otherwise once a second, so that what nobody has told it is noticed, too: a change by
 * DML on a catalog, a file.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "access/xlog.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/wait_event.h"

#include "base/monotonic.h"
#include "base/wakeup.h"
#include "cluster/orders.h"
#include "enforce/pace.h"

#define IDLE_MS 1000

/* How long it goes on looking often. */
#define ACTIVITY_MS 10000

static Moment active_at = 0;

void
note_activity(void)
{
	active_at = this_moment();
}

static bool
is_idle(void)
{
	if (take_wakeup())
	{
		ereport(DEBUG2, (errmsg_internal("the worker was woken")));
		note_activity();
	}
	return has_elapsed(active_at, ACTIVITY_MS) && !RecoveryInProgress() &&
		!is_order_open() && !awaits_comparison();
}

/*
 * Called when nothing waits that the worker could do now.  recheck_in_ms: when it has to
 * recheck in any case.
 */
long
time_until_look(int recheck_in_ms)
{
	if (!is_idle() || is_session_end_due((int64) time(NULL) + 1))
		return POLL_MS;
	return Max(POLL_MS, Min(IDLE_MS, recheck_in_ms));
}

void
wait_for_latch(long ms)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 ms, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
}
