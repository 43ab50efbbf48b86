/*-------------------------------------------------------------------------
 *
 * ended.c
 *		The last sessions that were ended because they did not comply.
 *
 * The client learns no more than that an administrator has ended its session,
 * so why stands here, and in the log.  A ring in shared memory: the oldest notes
 * make room for new ones, and a restart forgets them.
 *
 * Locking: ring->lock guards the notes and their number, exclusive to write a note
 * and shared to read them.  Whoever rechecks sessions writes (the worker, and who
 * asks for a recheck in SQL); whoever queries sslpolicy.ended_sessions reads.  No
 * other lock is taken meanwhile, and none is held; nothing is read without it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/sharedmem.h"
#include "ledger/ended.h"
#include "session/collect.h"
#include "session/storedfacts.h"

#define KEPT_NOTES 500

typedef struct Note
{
	TimestampTz at;
	int			pid;
	bool		has_database;
	NameData	role;
	NameData	database;
	char		address[INET6_ADDRSTRLEN];
	char		cause[16];
	char		changed[192];
	char		reasons[REASONS_LEN];	/* a line each */
} Note;

typedef struct Ring
{
	LWLock	   *lock;
	uint64		written;
	Note		notes[KEPT_NOTES];
} Ring;

static Ring *ring = NULL;

static const SharedPiece piece = {
	.name = "sslpolicy ended sessions",
	.where = (void **) &ring,
	.size = sizeof(Ring),
	.tranche = "sslpolicy_ended",
};

void
init_ended(void)
{
	share_memory(&piece);
}

void
remember_ended(const Session *session, const char *cause, const char *changed,
			   List *reasons)
{
	Note		note = {.at = GetCurrentTimestamp(), .pid = session->pid};

	namestrcpy(&note.role, session->facts.role);
	note.has_database = session->facts.database != NULL;
	if (note.has_database)
		namestrcpy(&note.database, session->facts.database);
	if (session->facts.address_len > 0)
		strlcpy(note.address, address_text(&session->facts), sizeof(note.address));
	strlcpy(note.cause, cause, sizeof(note.cause));
	strlcpy(note.changed, changed, sizeof(note.changed));
	copy_bounded_text(note.reasons, REASONS_LEN, join_lines(reasons));

	LWLockAcquire(ring->lock, LW_EXCLUSIVE);
	ring->notes[ring->written++ % KEPT_NOTES] = note;
	LWLockRelease(ring->lock);
}

static EndedSession *
read_note(const Note *note)
{
	EndedSession *result = palloc(sizeof(EndedSession));

	result->at = note->at;
	result->pid = note->pid;
	result->role = pstrdup(NameStr(note->role));
	result->database = note->has_database ? pstrdup(NameStr(note->database)) : NULL;
	result->address = note->address[0] ? pstrdup(note->address) : NULL;
	result->cause = pstrdup(note->cause);
	result->changed = pstrdup(note->changed);
	result->reasons = split_lines(note->reasons);
	return result;
}

/*
 * The notes that are kept, oldest first, in the current memory context.
 */
List *
ended_sessions(void)
{
	List	   *result = NIL;

	LWLockAcquire(ring->lock, LW_SHARED);
	for (uint64 i = ring->written > KEPT_NOTES ? ring->written - KEPT_NOTES : 0;
		 i < ring->written; i++)
		result = lappend(result, read_note(&ring->notes[i % KEPT_NOTES]));
	LWLockRelease(ring->lock);
	return result;
}
