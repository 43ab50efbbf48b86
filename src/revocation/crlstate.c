/*-------------------------------------------------------------------------
 *
 * crlstate.c
 *		What the worker makes of the CRLs, for everybody else.
 *
 * Requests are numbered: the worker takes the number before it looks at the
 * files, and gives it back when it is done, so that whoever has changed a file
 * and then asked knows that the answer is about this file.
 *
 * Locking: shared->lock guards checked_at, built_at and error, which the worker
 * writes, exclusive, and everybody reads, shared; no other lock is taken meanwhile.
 * The rest are atomics, read without a lock.  Whoever asks counts requested up, and
 * sets accept_older; a login that finds the index damaged sets suspect, and the
 * worker takes that back.  done is the worker's alone.  It is written after the
 * state, so that who finds his request done finds its outcome, or a later one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "storage/latch.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "base/monotonic.h"
#include "base/sharedmem.h"
#include "base/told.h"
#include "base/wakeup.h"
#include "revocation/crlstate.h"
#include "settings/settings.h"

#define ERROR_LEN 2048
#define POLL_MS	  5

/* A worker that has ended is started again after a second. */
#define WORKER_PATIENCE_MS 5000

typedef struct SharedCrlState
{
	LWLock	   *lock;			/* for what follows the atomics */
	pg_atomic_uint64 requested;
	pg_atomic_uint64 done;
	pg_atomic_uint64 accept_older;	/* number of the last such request */
	pg_atomic_uint32 suspect;	/* a login could not read the index */
	pg_atomic_uint64 core_material; /* what core has loaded, as of the index of its CRLs */
	TimestampTz checked_at;
	TimestampTz built_at;
	char		error[ERROR_LEN];
} SharedCrlState;

static SharedCrlState *shared = NULL;

static void
init_shared(void)
{
	pg_atomic_init_u64(&shared->requested, 0);
	pg_atomic_init_u64(&shared->done, 0);
	pg_atomic_init_u64(&shared->accept_older, 0);
	pg_atomic_init_u32(&shared->suspect, 0);
	pg_atomic_init_u64(&shared->core_material, 0);
}

static const SharedPiece piece = {
	.name = "sslpolicy CRLs",
	.where = (void **) &shared,
	.size = sizeof(SharedCrlState),
	.tranche = "sslpolicy_crls",
	.init = init_shared,
};

void
init_crl_state(void)
{
	share_memory(&piece);
}

/*
 * The number of the last request if it is not done yet; 0 otherwise.
 */
uint64
crls_requested(void)
{
	uint64		requested = pg_atomic_read_u64(&shared->requested);

	return requested > pg_atomic_read_u64(&shared->done) ? requested : 0;
}

/*
 * The worker has looked at the files.  built: there is a new index; error: why
 * they are not in force, or NULL.
 */
void
crls_checked(uint64 request, bool built, const char *error)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->checked_at = GetCurrentTimestamp();
	if (built)
		shared->built_at = shared->checked_at;
	strlcpy(shared->error, error ? error : "", ERROR_LEN);
	LWLockRelease(shared->lock);
	if (request > pg_atomic_read_u64(&shared->done))
		pg_atomic_write_u64(&shared->done, request);
}

/*
 * A login could not read the index: the worker has to look, but not for each
 * login anew.
 */
void
suspect_index(void)
{
	pg_atomic_write_u32(&shared->suspect, 1);
}

/*
 * Called by the worker: the index of the CRLs that core checks fits what the server has
 * loaded, by its number.
 */
void
set_core_index_material(uint64 number)
{
	pg_atomic_write_u64(&shared->core_material, number);
}

uint64
core_index_material(void)
{
	return pg_atomic_read_u64(&shared->core_material);
}

/*
 * Called by the worker: has somebody done so since the last call?
 */
bool
take_index_suspicion(void)
{
	return pg_atomic_exchange_u32(&shared->suspect, 0) != 0;
}

/*
 * The text if the current user may know what is wrong with the files that
 * sslpolicy.crl_file and crl_dir name, else one that does not say it.  Both settings are
 * empty in a process that has not taken them yet.
 */
char *
told_of_crls(const char *file, const char *dir, char *full)
{
	return dir[0] || file[0] == '\0' ?
		told(pstrdup("a file of sslpolicy.crl_dir or sslpolicy.crl_file cannot be used"), full) :
		told_of_file(file, full);
}

/*
 * What is known now, in the current memory context.
 */
CrlState *
crl_state(void)
{
	CrlState   *result = palloc(sizeof(CrlState));

	LWLockAcquire(shared->lock, LW_SHARED);
	result->checked_at = shared->checked_at;
	result->built_at = shared->built_at;
	result->error = shared->error[0] ? pstrdup(shared->error) : NULL;
	LWLockRelease(shared->lock);
	if (result->error != NULL)
		result->error = told_of_crls(crl_file(), crl_dir(), result->error);
	return result;
}

/*
 * May a CRL be older than the one in force, because somebody goes back on purpose,
 * and this request, not done yet, is theirs or came later?
 */
bool
is_older_crl_accepted(uint64 request)
{
	uint64		accepted = pg_atomic_read_u64(&shared->accept_older);

	return accepted > pg_atomic_read_u64(&shared->done) && accepted <= request;
}

/*
 * Have the worker look at the CRLs as they are now, and wait for it.  Says why
 * they are not in force; NULL if they are.
 */
char *
check_crls_now(int timeout_ms, bool accept_older)
{
	Moment		start = this_moment();
	Moment		seen_worker = start;
	uint64		request;

	request = pg_atomic_add_fetch_u64(&shared->requested, 1);
	if (accept_older)
		pg_atomic_write_u64(&shared->accept_older, request);
	wake_worker();
	while (pg_atomic_read_u64(&shared->done) < request)
	{
		/* the caller may hold interrupts */
		if (ProcDiePending || QueryCancelPending)
		{
			CHECK_FOR_INTERRUPTS();
			return pstrdup("it was interrupted before the CRLs were read");
		}
		if (is_worker_running())
			seen_worker = this_moment();
		if (has_elapsed(seen_worker, WORKER_PATIENCE_MS))
			return pstrdup("the background worker of sslpolicy, which reads CRLs, is not running");
		if (has_elapsed(start, timeout_ms))
			return psprintf("the CRLs have not been read within %d ms", timeout_ms);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 POLL_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	return crl_state()->error;
}
