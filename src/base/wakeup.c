/*-------------------------------------------------------------------------
 *
 * wakeup.c
 *		How other processes tell the worker that there is something to do.
 *
 * What is to do is in flags, which the worker looks at once a second in any case;
 * its latch only makes it look at once, and more often for a while.  So nothing is
 * lost if the worker is just being started again.
 *
 * Locking: none; all are atomics.  worker is written by the worker, when it is
 * ready and on its way out.  woken and recheck are set by anybody and taken back by the
 * worker.
 * next_end is lowered by anybody, by compare-and-exchange, and reset by the worker
 * before it looks at all sessions; a session notes its end after it can be seen
 * there, so that no end is lost.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"

#include "base/compat.h"
#include "base/sharedmem.h"
#include "base/wakeup.h"

#define NO_WORKER PG_UINT32_MAX

typedef struct SharedWakeup
{
	pg_atomic_uint32 worker;	/* its PGPROC number, or NO_WORKER */
	pg_atomic_uint32 woken;
	pg_atomic_uint32 recheck;	/* sessions must be rechecked */
	pg_atomic_uint64 next_end;	/* when the first certificate expires whose
								 * session ends then; seconds since 1970 */
} SharedWakeup;

static SharedWakeup *shared = NULL;

static void
init_shared(void)
{
	pg_atomic_init_u32(&shared->worker, NO_WORKER);
	pg_atomic_init_u32(&shared->woken, 0);
	pg_atomic_init_u32(&shared->recheck, 0);
	pg_atomic_init_u64(&shared->next_end, PG_UINT64_MAX);
}

static const SharedPiece piece = {
	.name = "sslpolicy wakeup",
	.where = (void **) &shared,
	.size = sizeof(SharedWakeup),
	.init = init_shared,
};

void
init_wakeup(void)
{
	share_memory(&piece);
}

static void
worker_gone(int code, Datum arg)
{
	pg_atomic_write_u32(&shared->worker, NO_WORKER);
}

/*
 * Called by the worker when it is ready.
 */
void
register_worker(void)
{
	pg_atomic_write_u32(&shared->worker, (uint32) compat_proc_number());
	before_shmem_exit(worker_gone, (Datum) 0);
}

bool
is_worker_running(void)
{
	return pg_atomic_read_u32(&shared->worker) != NO_WORKER;
}

/*
 * A wakeup too many, also of a process that has taken the place of the worker,
 * does no harm.
 */
void
wake_worker(void)
{
	uint32		worker = shared ? pg_atomic_read_u32(&shared->worker) : NO_WORKER;

	if (worker == NO_WORKER)
		return;
	pg_atomic_write_u32(&shared->woken, 1);
	SetLatch(&GetPGProcByNumber(worker)->procLatch);
}

/*
 * Called by the worker: has somebody woken it since the last call?  Its latch does not
 * tell: who waits for a lock meanwhile resets it.
 */
bool
take_wakeup(void)
{
	return pg_atomic_exchange_u32(&shared->woken, 0) != 0;
}

/*
 * Have all sessions rechecked.
 */
void
want_recheck(void)
{
	pg_atomic_write_u32(&shared->recheck, 1);
	wake_worker();
}

/*
 * Called by the worker: has somebody asked for it since the last call?
 */
bool
take_recheck_wanted(void)
{
	return pg_atomic_exchange_u32(&shared->recheck, 0) != 0;
}

/*
 * A session ends when its certificate expires, at the end of this second; 0 if
 * it does not.  The worker must not sleep until then.
 */
void
note_session_end(int64 at)
{
	uint64		next = pg_atomic_read_u64(&shared->next_end);

	while (at > 0 && (uint64) at < next)
		if (pg_atomic_compare_exchange_u64(&shared->next_end, &next, (uint64) at))
		{
			if (is_session_end_due((int64) time(NULL) + 1))
				wake_worker();
			break;
		}
}

/*
 * Called before all sessions are looked at, which notes their ends anew.
 */
void
forget_session_ends(void)
{
	pg_atomic_write_u64(&shared->next_end, PG_UINT64_MAX);
}

bool
is_session_end_due(int64 now)
{
	return (uint64) now > pg_atomic_read_u64(&shared->next_end);
}
