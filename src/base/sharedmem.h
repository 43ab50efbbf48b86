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

#include "base/boundedtable.h"

typedef struct SharedPiece
{
	const char *name;
	void	  **where;			/* the owner's pointer, set when the memory is there;
								 * NULL: it has none */
	Size		size;			/* of what it points to */

	/* More memory, whose size depends on settings; NULL: none. */
	void	  **room;
	Size		(*room_size)(void);

	/*
	 * Of the LWLock that guards it; what is at *where begins with an LWLock *, which
	 * is set.  NULL: it has none.
	 */
	const char *tranche;

	/* Tables, which are started. */
	BoundedTable *tables;
	int			ntables;

	/*
	 * Called when the memory is made, at the start of the server and after a crash:
	 * all of it is zero by then, but for the lock and the tables.  NULL: it stays so.
	 */
	void		(*init)(void);
} SharedPiece;

extern void share_memory(const SharedPiece *piece);

#endif							/* SSLPOLICY_SHAREDMEM_H */
