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
 * Pieces of some bytes lie together, whatever else their owners have.  A login looks at
 * several of them, and each page that a new process touches costs it more than the look.
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

/* So large a piece may be to lie with others. */
#define SMALL_PIECE 2048

static const SharedPiece *pieces[MAX_PIECES];
static int	npieces = 0;

static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

/*
 * Does it lie with others, or by itself?
 */
static bool
is_small(const SharedPiece *piece)
{
	return piece->size <= SMALL_PIECE;
}

/*
 * Of the small ones, each with cache lines of its own.
 */
static Size
size_of_small_pieces(void)
{
	Size		size = 0;

	for (int i = 0; i < npieces; i++)
		if (is_small(pieces[i]))
			size += CACHELINEALIGN(pieces[i]->size);
	return size;
}

/*
 * What a piece has by itself.
 */
static Size
own_size(const SharedPiece *piece)
{
	Size		size = is_small(piece) ? 0 : MAXALIGN(piece->size);

	if (piece->room_size)
		size += MAXALIGN(piece->room_size());
	for (int i = 0; i < piece->ntables; i++)
		size += bounded_table_size(&piece->tables[i]);
	return size;
}

static void
request_memory(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(size_of_small_pieces());
	for (int i = 0; i < npieces; i++)
	{
		RequestAddinShmemSpace(own_size(pieces[i]));
		if (pieces[i]->tranche)
			RequestNamedLWLockTranche(pieces[i]->tranche, 1);
	}
}

/*
 * Find memory, or make it.  Sets *fresh if it was made.
 */
static char *
find_memory(const char *name, Size size, bool *fresh)
{
	bool		found;
	char	   *memory = ShmemInitStruct(name, size, &found);

	*fresh = !found;
	if (*fresh)
		memset(memory, 0, size);
	return memory;
}

/*
 * Find what a piece has by itself, or make it.
 */
static void
start_own_memory(const SharedPiece *piece)
{
	Size		size = own_size(piece);
	bool		fresh;
	char	   *memory;
	void	   *next;

	if (size == 0)
		return;
	memory = find_memory(piece->name, size, &fresh);
	if (!is_small(piece))
	{
		*piece->where = memory;
		memory += MAXALIGN(piece->size);
	}
	if (piece->room_size)
	{
		*piece->room = memory;
		memory += MAXALIGN(piece->room_size());
	}
	next = memory;
	for (int i = 0; i < piece->ntables; i++)
		next = bounded_table_start(&piece->tables[i], next, fresh);
}

/*
 * Find the memory of a piece, or make it.  small is where the next small piece lies; returns
 * where the one after it does.
 */
static char *
start_piece_memory(const SharedPiece *piece, char *small, bool fresh)
{
	if (is_small(piece))
	{
		*piece->where = small;
		small += CACHELINEALIGN(piece->size);
	}
	start_own_memory(piece);
	if (fresh && piece->tranche)
		*(LWLock **) *piece->where = &GetNamedLWLockTranche(piece->tranche)->lock;
	return small;
}

static void
start_memory(void)
{
	bool		fresh;
	char	   *small;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	small = find_memory("sslpolicy", size_of_small_pieces(), &fresh);
	for (int i = 0; i < npieces; i++)
	{
		const SharedPiece *piece = pieces[i];

		if (piece->where != NULL)
			small = start_piece_memory(piece, small, fresh);
		if (fresh && piece->init)
			piece->init();
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
