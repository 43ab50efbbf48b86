/*-------------------------------------------------------------------------
 *
 * sharedmem.h
 *		Pieces of shared memory, for the files that own them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_SHAREDMEM_H
#define SSLPOLICY_SHAREDMEM_H

#include "storage/lwlock.h"

typedef struct SharedPiece
{
	const char *name;
	Size		(*size) (void);
	const char *tranche;		/* of its lock; NULL: it has none */

	/*
	 * Called when the memory is there, with all of it zero if fresh: at the start
	 * of the server and after a crash
	 */
	void		(*start) (void *memory, bool fresh);
} SharedPiece;

extern void share_memory(const SharedPiece *piece);
extern LWLock *shared_memory_lock(const SharedPiece *piece);

#endif							/* SSLPOLICY_SHAREDMEM_H */
