/*-------------------------------------------------------------------------
 *
 * statistics.c
 *		How often each role was let in, refused and ended.
 *
 * A row for each role, up to STATISTICS_ROLES of them, and one for everybody else:
 * names that no role has, and connections that ended before they named one.
 *
 * Locking: shared->lock guards both tables, exclusive to count or to forget, shared
 * to copy them out.  Writers and readers are those of rejections.c, and
 * newlogins.c, which holds a lock of its own and takes this one second; whoever empties the mailbox holds the mailbox's lock and takes
 * this one second.  The locks of rejections.c and this file are never held
 * together, and no other lock is taken meanwhile.  Without the lock only the
 * postmaster touches the tables (tablefile.c), while it has no other processes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/boundedtable.h"
#include "base/sharedmem.h"
#include "ledger/statistics.h"
#include "ledger/tablefile.h"

#define STATISTICS_ROLES 5000

enum
{
	ROLES,
	OTHERS,
	NTABLES,
};

typedef struct SharedStatistics
{
	LWLock	   *lock;
	/* the tables lie behind it */
} SharedStatistics;

static SharedStatistics *shared = NULL;

static int
most_roles(void)
{
	return STATISTICS_ROLES;
}

static int
single_row(void)
{
	return 1;
}

static bool
is_valid(const void *entry)
{
	const RoleStatistics *e = entry;

	for (int i = 0; i < NUM_COUNTERS; i++)
		if (e->counts[i] < 0)
			return false;
	return true;
}

#define TABLE(name, capacity) \
	{ \
		name, sizeof(Oid), 0, sizeof(RoleStatistics), capacity, is_valid, NULL \
	}

static BoundedTable tables[NTABLES] = {
	[ROLES] = TABLE("statistics", most_roles),
	[OTHERS] = TABLE("statistics others", single_row),
};

static const SharedPiece piece = {
	.name = "sslpolicy statistics",
	.where = (void **) &shared,
	.size = sizeof(SharedStatistics),
	.tranche = "sslpolicy_statistics",
	.tables = tables,
	.ntables = NTABLES,
};

void
init_statistics(void)
{
	share_memory(&piece);
	for (int i = 0; i < NTABLES; i++)
		keep_over_restart(&tables[i]);
}

void
count_in_statistics(Oid role, Counter counter, int64 times, TimestampTz at)
{
	RoleStatistics *entry;
	bool		found;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	entry = bounded_table_find_or_add(&tables[OidIsValid(role) ? ROLES : OTHERS], &role, &found);
	entry->counts[counter] += times;
	entry->last[counter] = Max(entry->last[counter], at);
	LWLockRelease(shared->lock);
}

static List *
append_copies(List *list, const BoundedTable *table)
{
	for (const RoleStatistics *entry = bounded_table_oldest(table); entry; entry = bounded_table_newer(table, entry))
	{
		RoleStatistics *copy = palloc(sizeof(RoleStatistics));

		*copy = *entry;
		list = lappend(list, copy);
	}
	return list;
}

/*
 * Copies of all, of struct RoleStatistics, in the current memory context.
 */
List *
copy_role_statistics(void)
{
	List	   *result;

	LWLockAcquire(shared->lock, LW_SHARED);
	result = append_copies(append_copies(NIL, &tables[ROLES]), &tables[OTHERS]);
	LWLockRelease(shared->lock);
	return result;
}

void
clear_statistics(void)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < NTABLES; i++)
		bounded_table_clear(&tables[i]);
	LWLockRelease(shared->lock);
}
