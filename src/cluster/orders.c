/*-------------------------------------------------------------------------
 *
 * orders.c
 *		What the worker asks of the applier, and the outcome.
 *
 * The worker notices that a label or a file has changed.  The applier (applier.c) connects
 * to a database, without which a long label cannot be read.  One order is open at a time.
 * If an order has been taken and is still open when the applier starts, the previous
 * process ended without finishing it.
 *
 * Locking: the lock guards all but the atomics, which logins read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "libpq/libpq.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"

#include "base/compat.h"
#include "base/monotonic.h"
#include "base/sharedmem.h"
#include "cluster/orders.h"
#include "labels/clusterlabels.h"
#include "settings/settings.h"

/* How long after a start certificates are refused, at most, for lack of a comparison. */
#define COMPARISON_MS 10000

#define NO_APPLIER PG_UINT32_MAX

#define ALL_KINDS ((1 << NUM_REPLICATED_KINDS) - 1)

typedef struct SharedOrders
{
	LWLock	   *lock;
	bool		open;
	bool		taken;
	Oid			database;		/* to connect to */
	uint32		kinds;			/* of ReplicatedKind, as bits */
	KindProgress progress[NUM_REPLICATED_KINDS];
	pg_atomic_uint64 asked;		/* when is_late() was first called: a Moment, or 0 */
	pg_atomic_uint32 compared;	/* kinds, as bits */
	pg_atomic_uint32 failed_crl;	/* the replicated CRL could not be applied */
	pg_atomic_uint32 applier;	/* its PGPROC number, or NO_APPLIER */
} SharedOrders;

static SharedOrders *shared = NULL;

static void
init_shared(void)
{
	pg_atomic_init_u64(&shared->asked, 0);
	pg_atomic_init_u32(&shared->compared, 0);
	pg_atomic_init_u32(&shared->failed_crl, 0);
	pg_atomic_init_u32(&shared->applier, NO_APPLIER);
}

static const SharedPiece piece = {
	.name = "sslpolicy orders",
	.where = (void **) &shared,
	.size = sizeof(SharedOrders),
	.tranche = "sslpolicy_orders",
	.init = init_shared,
};

void
init_orders(void)
{
	share_memory(&piece);
}

KindProgress
kind_progress(ReplicatedKind kind)
{
	KindProgress result;

	LWLockAcquire(shared->lock, LW_SHARED);
	result = shared->progress[kind];
	LWLockRelease(shared->lock);
	return result;
}

static void
set_progress(ReplicatedKind kind, const KindProgress *progress)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->progress[kind] = *progress;
	shared->progress[kind].compared = true;
	LWLockRelease(shared->lock);
	if (kind == REPLICATED_CRL)
		pg_atomic_write_u32(&shared->failed_crl, progress->failures > 0);
	(void) pg_atomic_fetch_or_u32(&shared->compared, 1U << kind);
}

/*
 * The catalog holds nothing of this kind.
 */
void
note_nothing_replicated(ReplicatedKind kind)
{
	KindProgress none = {0};

	set_progress(kind, &none);
}

bool
is_order_open(void)
{
	bool		open;

	LWLockAcquire(shared->lock, LW_SHARED);
	open = shared->open;
	LWLockRelease(shared->lock);
	return open;
}

void
order_application(Oid database, uint32 kinds)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->open = true;
	shared->taken = false;
	shared->database = database;
	shared->kinds = kinds;
	LWLockRelease(shared->lock);
	wake_applier();
}

/*
 * Is the first comparison overdue?  Time is counted from the first call, by the worker or a
 * login, not from the start of the server: recovery alone can take longer.
 */
bool
is_late(void)
{
	uint64		asked = 0;
	Moment		now = this_moment();

	if (pg_atomic_compare_exchange_u64(&shared->asked, &asked, (uint64) now))
		return false;
	return has_elapsed((Moment) asked, COMPARISON_MS);
}

static void
applier_gone(int code, Datum arg)
{
	pg_atomic_write_u32(&shared->applier, NO_APPLIER);
}

/*
 * Called by the applier, when it can be woken.
 */
void
register_applier(void)
{
	pg_atomic_write_u32(&shared->applier, (uint32) compat_proc_number());
	before_shmem_exit(applier_gone, (Datum) 0);
}

void
wake_applier(void)
{
	uint32		applier = pg_atomic_read_u32(&shared->applier);

	if (applier != NO_APPLIER)
		SetLatch(&GetPGProcByNumber(applier)->procLatch);
}

/*
 * Take the open order; false if there is none.  *again says that it was taken before.
 */
bool
take_order(Oid *database, uint32 *kinds, bool *again)
{
	bool		open;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	open = shared->open;
	*again = shared->taken;
	*database = shared->database;
	*kinds = shared->kinds;
	shared->taken = open;
	LWLockRelease(shared->lock);
	return open;
}

void
finish_kind(ReplicatedKind kind, const KindProgress *progress)
{
	set_progress(kind, progress);
}

void
finish_order(void)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->open = shared->taken = false;
	LWLockRelease(shared->lock);
}

/*
 * Has the server just been started, so that its files may differ from its catalog?
 */
bool
awaits_comparison(void)
{
	return pg_atomic_read_u32(&shared->compared) != ALL_KINDS && !is_late();
}

/*
 * Is a CRL replicated, while this node has no CRL at all?  True, too, if the first comparison
 * has not taken place, so that no failure is noted.
 */
bool
lacks_replicated_crl(void)
{
	if (crls_configured() || ssl_crl_file[0] || ssl_crl_dir[0])
		return false;
	if (pg_atomic_read_u32(&shared->failed_crl) != 0)
		return true;
	return (pg_atomic_read_u32(&shared->compared) & (1U << REPLICATED_CRL)) == 0 &&
		TransactionIdIsValid(cluster_label_version(CLUSTER_CRL));
}
