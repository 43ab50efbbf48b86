/*-------------------------------------------------------------------------
 *
 * worker.c
 *		The background worker that rechecks live sessions.
 *
 * It is attached to no database, so that it is in nobody's way, and reads shared
 * catalogs only.  Ten times a second it looks whether something has changed that
 * policies depend on, and if so it rechecks all sessions (recheck.c):
 *	- roles, memberships and databases by syscache invalidation, which comes
 *	  with COMMIT, COMMIT PREPARED and WAL replay alike, and never for what was
 *	  rolled back (labels.c has labels announced in that way)
 *	- settings by SIGHUP
 *	- TLS material by the number of what is in force (generation.c)
 *	- time, by the earliest certificate that ends its session
 * An error is logged, and what was to be done is tried again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "compat.h"
#include "generation.h"
#include "recheck.h"
#include "settings.h"
#include "wakeup.h"
#include "worker.h"

#define WORKER_NAME "sslpolicy"

/* How often to look, and the least time from one recheck to the next. */
#define POLL_MS 100

/* After an error. */
#define RETRY_MS 1000

PGDLLEXPORT void sslpolicy_worker_main(Datum arg);

typedef struct Worker
{
	MemoryContext pass;			/* reset before each recheck */
	MemoryContext between;		/* what is kept until the next one */
	List	   *waiting;		/* sessions that may finish their transaction */
	TimestampTz last;			/* when the last recheck began */
	uint64		material;		/* generation that was in force then */
} Worker;

static volatile int changed = 0;	/* CHANGED_...: not rechecked yet */

static shmem_startup_hook_type previous_startup_hook = NULL;

static void
catalog_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	changed |= DatumGetInt32(arg);
}

/*
 * Have invalidations delivered: the start of a transaction does so.
 */
static void
accept_invalidations(void)
{
	StartTransactionCommand();
	CommitTransactionCommand();
}

/*
 * Is one of those that wait at the end of its transaction, or of our patience?
 */
static bool
somebody_is_done(const Worker *w, TimestampTz now)
{
	ListCell   *cell;

	foreach(cell, w->waiting)
	{
		const Session *s = lfirst(cell);

		if (!in_transaction(s) ||
			TimestampDifferenceExceeds(s->refused_at, now, terminate_grace_ms()))
			return true;
	}
	return false;
}

static void
notice_changes(Worker *w)
{
	uint64		material;

	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
		changed |= CHANGED_SETTINGS;
	}
	accept_invalidations();
	if (take_recheck_wanted())
		changed |= CHANGED_LOGINS;
	material = load_state()->in_force;
	if (material != w->material)
		changed |= CHANGED_MATERIAL;
	w->material = material;
	if (end_is_due((int64) time(NULL)) ||
		TimestampDifferenceExceeds(w->last, GetCurrentTimestamp(), recheck_interval_ms()) ||
		somebody_is_done(w, GetCurrentTimestamp()))
		changed |= CHANGED_TIME;
}

/*
 * Keep in mind who may finish a transaction.
 */
static void
remember_waiting(Worker *w, List *rechecked)
{
	MemoryContext old;
	ListCell   *cell;

	MemoryContextReset(w->between);
	w->waiting = NIL;
	old = MemoryContextSwitchTo(w->between);
	foreach(cell, rechecked)
	{
		const Rechecked *r = lfirst(cell);
		Session    *copy;

		if (!r->waits)
			continue;
		/* of its facts only the pointers, which nobody follows */
		copy = palloc(sizeof(Session));
		*copy = *r->session;
		copy->refused_at = r->refused_at;
		w->waiting = lappend(w->waiting, copy);
	}
	MemoryContextSwitchTo(old);
}

static void
recheck_all(Worker *w)
{
	int			now_changed = changed;
	MemoryContext old;

	w->last = GetCurrentTimestamp();

	/*
	 * Whoever logs in from here on sees what has changed.  Those who were about
	 * to log in meanwhile need no mark for yet another round.
	 */
	if (now_changed & ~CHANGED_LOGINS)
		begin_recheck();
	changed = 0;
	PG_TRY();
	{
		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		MemoryContextReset(w->pass);
		old = MemoryContextSwitchTo(w->pass);
		remember_waiting(w, recheck_sessions(GetActiveSnapshot(), false, now_changed));
		MemoryContextSwitchTo(old);
		PopActiveSnapshot();
		CommitTransactionCommand();
		MemoryContextReset(w->pass);
	}
	PG_CATCH();
	{
		changed |= now_changed;
		PG_RE_THROW();
	}
	PG_END_TRY();
}

/*
 * After an error: log it, and get ready to go on.
 */
static void
recover(void)
{
	HOLD_INTERRUPTS();
	EmitErrorReport();
	AbortOutOfAnyTransaction();
	LWLockReleaseAll();
	pgstat_report_wait_end();
	FlushErrorState();
	MemoryContextSwitchTo(TopMemoryContext);
	RESUME_INTERRUPTS();
}

static void
nap(long ms)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 ms, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/*
 * What the worker does between two naps, after which it naps for the time
 * returned.
 */
static long
look(Worker *w)
{
	MemoryContext old = MemoryContextSwitchTo(w->pass);

	MemoryContextReset(w->pass);
	notice_changes(w);
	MemoryContextSwitchTo(old);
	if (changed == 0)
		return POLL_MS;
	if (!TimestampDifferenceExceeds(w->last, GetCurrentTimestamp(), POLL_MS))
		return POLL_MS / 10;
	recheck_all(w);
	return POLL_MS;
}

void
sslpolicy_worker_main(Datum arg)
{
	Worker		w = {0};

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(InvalidOid, InvalidOid, 0);

	w.pass = AllocSetContextCreate(TopMemoryContext, "sslpolicy recheck", ALLOCSET_DEFAULT_SIZES);
	w.between = AllocSetContextCreate(TopMemoryContext, "sslpolicy waiting", ALLOCSET_SMALL_SIZES);
	CacheRegisterSyscacheCallback(AUTHOID, catalog_changed, Int32GetDatum(CHANGED_ROLES));
	CacheRegisterSyscacheCallback(AUTHMEMMEMROLE, catalog_changed, Int32GetDatum(CHANGED_MEMBERS));
	CacheRegisterSyscacheCallback(DATABASEOID, catalog_changed, Int32GetDatum(CHANGED_DATABASES));
	this_is_the_worker();
	pgstat_report_activity(STATE_IDLE, NULL);

	/* whatever has happened before this worker */
	changed = CHANGED_TIME;
	for (;;)
	{
		volatile long pause = RETRY_MS;

		PG_TRY();
		{
			pause = look(&w);
		}
		PG_CATCH();
		{
			recover();
		}
		PG_END_TRY();
		nap(pause);
	}
}

/*
 * A worker that was not registered, since max_worker_processes are all taken,
 * must not go unnoticed: core only logs it.
 */
static void
insist_on_worker(void)
{
	if (previous_startup_hook)
		previous_startup_hook();
	if (!IsUnderPostmaster && IsPostmasterEnvironment && !IsBinaryUpgrade &&
		!compat_worker_registered(WORKER_NAME))
		ereport(FATAL,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no background worker is left for sslpolicy"),
				 errdetail("max_worker_processes is %d.", max_worker_processes),
				 errhint("Raise max_worker_processes.")));
}

void
init_worker(void)
{
	BackgroundWorker worker = {0};

	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = insist_on_worker;
	if (IsBinaryUpgrade)
		return;

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_ConsistentState;
	worker.bgw_restart_time = 1;
	strlcpy(worker.bgw_name, WORKER_NAME, sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, WORKER_NAME, sizeof(worker.bgw_type));
	strlcpy(worker.bgw_library_name, "sslpolicy", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "sslpolicy_worker_main", sizeof(worker.bgw_function_name));
	RegisterBackgroundWorker(&worker);
}
