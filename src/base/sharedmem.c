/*-------------------------------------------------------------------------
 *
 * sharedmem.c
 *		Pieces of shared memory, for the files that own them.
 *
 * A file that keeps something in shared memory describes it in a SharedPiece, and
 * hands that to share_memory() in its init function.  The rest is done here: room
 * and a lock are asked for before the server makes its shared memory; then the
 * owner's pointer is set, and new memory is made what it is at first.
 *
 * A piece may have no memory at all: its init() is called at the same moments.
 *
 * Locking: pieces are found and made with AddinShmemInitLock held.  What guards
 * them afterwards stands in the head of the file that owns them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"

#include "base/sharedmem.h"

#define MAX_PIECES 16

static const SharedPiece *pieces[MAX_PIECES];
static int	npieces = 0;

static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

static Size
size_without_tables(const SharedPiece *piece)
{
	return MAXALIGN(piece->size_at_start ? piece->size_at_start() : piece->size);
}

static Size
size_of_piece(const SharedPiece *piece)
{
	Size		size = size_without_tables(piece);

	for (int i = 0; i < piece->ntables; i++)
		size += bounded_table_size(&piece->tables[i]);
	return size;
}

static void
request_memory(void)
{
	if (previous_request_hook)
		previous_request_hook();
	for (int i = 0; i < npieces; i++)
	{
		RequestAddinShmemSpace(size_of_piece(pieces[i]));
		if (pieces[i]->tranche)
			RequestNamedLWLockTranche(pieces[i]->tranche, 1);
	}
}

/*
 * Find the memory of a piece, or make it.  Returns whether it was made.
 */
static bool
start_piece_memory(const SharedPiece *piece)
{
	Size		size = size_of_piece(piece);
	bool		found;
	void	   *memory = ShmemInitStruct(piece->name, size, &found);
	void	   *next = (char *) memory + size_without_tables(piece);

	if (!found)
		memset(memory, 0, size);
	if (!found && piece->tranche)
		*(LWLock **) memory = &GetNamedLWLockTranche(piece->tranche)->lock;
	*piece->where = memory;
	for (int i = 0; i < piece->ntables; i++)
		next = bounded_table_start(&piece->tables[i], next, !found);
	return !found;
}

static void
start_memory(void)
{
	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	for (int i = 0; i < npieces; i++)
	{
		/* without memory there is nothing that tells but who makes it */
		bool		made = pieces[i]->where ? start_piece_memory(pieces[i]) : !IsUnderPostmaster;

		if (made && pieces[i]->init)
			pieces[i]->init();
	}
	LWLockRelease(AddinShmemInitLock);
}

/*
 * Have a piece made.  Called while the library is preloaded.
 */
void
share_memory(const SharedPiece *piece)
{
	if (npieces == 0)
	{
		previous_request_hook = shmem_request_hook;
		shmem_request_hook = request_memory;
		previous_startup_hook = shmem_startup_hook;
		shmem_startup_hook = start_memory;
	}
	if (npieces == MAX_PIECES)
		elog(FATAL, "too many pieces of shared memory");
	pieces[npieces++] = piece;
}
