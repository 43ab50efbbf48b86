/*-------------------------------------------------------------------------
 *
 * boundedtable.h
 *		A table of fixed size in shared memory, which forgets what was used
 *		longest ago.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_BOUNDEDTABLE_H
#define SSLPOLICY_BOUNDEDTABLE_H

#include "base/pure.h"

typedef struct BoundedMemory BoundedMemory;

typedef struct BoundedTable
{
	const char *name;			/* in the file that keeps it over a restart */
	Size		key_size;		/* an entry begins with its key, which has no
								 * padding; all of it counts */
	Size		owner_size;		/* so many bytes at the start of the key say whose
								 * the entry is; 0: nobody's */
	Size		entry_size;
	int			(*capacity)(void);	/* 0: nothing is kept */

	/*
	 * Is an entry that was read from a file one that this code can have written?
	 * Whoever reads entries must be safe afterwards, whatever they hold.
	 */
	bool		(*is_valid)(const void *entry);
	BoundedMemory *memory;		/* set by bounded_table_start() */
} BoundedTable;

extern Size bounded_table_size(const BoundedTable *table);
extern void *bounded_table_start(BoundedTable *table, void *memory, bool fresh);
extern void *bounded_table_find_or_add(BoundedTable *table, const void *key, bool *found);
extern void *bounded_table_oldest(const BoundedTable *table);
extern void *bounded_table_newer(const BoundedTable *table, const void *entry);
extern void *bounded_table_newest_of(const BoundedTable *table, const void *owner);
extern void *bounded_table_older_of(const BoundedTable *table, const void *entry);
extern int	bounded_table_count(const BoundedTable *table);
extern void bounded_table_clear(BoundedTable *table);

#endif							/* SSLPOLICY_BOUNDEDTABLE_H */
