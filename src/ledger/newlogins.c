/*-------------------------------------------------------------------------
 *
 * newlogins.c
 *		Writes down who has logged in.
 *
 * A login leaves a note in its slot of the table of sessions, and nothing else.  From
 * there it is written into recentlogins.c and statistics.c
 *	- by the worker, whenever it looks around
 *	- by whoever is about to read those, so that no login before is missing
 *	- by the session itself at its end.
 * So only a crash of the server loses what the worker has not seen yet, and that
 * forgets those tables, too.
 *
 * Locking: shared->lock, exclusive, from the look at the notes until the last one is
 * written down and cleared.  So each login is written down once, and whoever has had the lock
 * finds all logins from before it.  The locks of slots, and those of the two tables, are
 * taken second, one at a time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "utils/memutils.h"

#include "base/sharedmem.h"
#include "ledger/newlogins.h"
#include "ledger/recentlogins.h"
#include "ledger/statistics.h"
#include "session/sessions.h"

typedef struct SharedNewLogins
{
	LWLock	   *lock;
} SharedNewLogins;

static SharedNewLogins *shared = NULL;

static const SharedPiece piece = {
	.name = "sslpolicy new logins",
	.where = (void **) &shared,
	.size = sizeof(SharedNewLogins),
	.tranche = "sslpolicy_new_logins",
};

void
init_new_logins(void)
{
	share_memory(&piece);
}

/*
 * With the lock held.
 */
static void
write_down_login(int slot)
{
	const NotedLogin *login = copy_noted_login(slot);

	if (login == NULL)
		return;
	note_login(login);
	count_in_statistics(login->role, COUNTER_ALLOWED, 1, login->note.at);
	clear_login_note(login);
}

/*
 * Write down the logins of these slots, and of no others.
 */
static void
write_down_logins(int first, int end)
{
	MemoryContext context = NULL;
	MemoryContext old = CurrentMemoryContext;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int slot = first; slot < end; slot++)
	{
		if (!has_login_note(slot))
			continue;
		if (context == NULL)
			context = AllocSetContextCreate(old, "sslpolicy new logins", ALLOCSET_DEFAULT_SIZES);
		MemoryContextSwitchTo(context);
		write_down_login(slot);
		MemoryContextReset(context);
	}
	LWLockRelease(shared->lock);
	MemoryContextSwitchTo(old);
	if (context != NULL)
		MemoryContextDelete(context);
}

/*
 * Write down all logins that have not been yet.
 */
void
note_new_logins(void)
{
	write_down_logins(0, session_slots());
}

/*
 * At the end of a session, before its slot is cleared.
 */
static void
note_own_login(int code, Datum arg)
{
	int			slot = my_session_slot();

	MemoryContextSwitchTo(TopMemoryContext);
	if (slot >= 0 && has_login_note(slot))
		write_down_logins(slot, slot + 1);
}

/*
 * This session's login has passed everything: leave a note of it.
 */
void
leave_note_of_login(const LoginNote *note)
{
	leave_login_note(note);
	/* it is called before that which clears the slot, because that came first */
	before_shmem_exit(note_own_login, (Datum) 0);
}
