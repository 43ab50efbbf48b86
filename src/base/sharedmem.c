/*-------------------------------------------------------------------------
 *
 * sharedmem.c
 *		Pieces of shared memory, for the files that own them.
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

static void
request_memory(void)
{
	if (previous_request_hook)
		previous_request_hook();
	for (int i = 0; i < npieces; i++)
	{
		RequestAddinShmemSpace(MAXALIGN(pieces[i]->size()));
		if (pieces[i]->tranche)
			RequestNamedLWLockTranche(pieces[i]->tranche, 1);
	}
}

static void
start_memory(void)
{
	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	for (int i = 0; i < npieces; i++)
	{
		Size		size = pieces[i]->size();
		bool		found;
		void	   *memory = ShmemInitStruct(pieces[i]->name, size, &found);

		if (!found)
			memset(memory, 0, size);
		pieces[i]->start(memory, !found);
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

LWLock *
shared_memory_lock(const SharedPiece *piece)
{
	return &GetNamedLWLockTranche(piece->tranche)->lock;
}
