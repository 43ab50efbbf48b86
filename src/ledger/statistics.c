/*-------------------------------------------------------------------------
 *
 * statistics.c
 *		How often each role was let in, refused and ended.
 *
 * A row for each role, up to STATISTICS_ROLES of them, and one for everybody else:
 * names that no role has, and connections that ended before they named one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/boundedtable.h"
#include "base/sharedmem.h"
#include "ledger/statistics.h"
#include "ledger/tablefile.h"

#define STATISTICS_ROLES 5000

typedef struct SharedStatistics
{
	LWLock	   *lock;
	/* the tables follow */
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

static BoundedTable roles = {
	"statistics", sizeof(Oid), 0, sizeof(RoleStatistics), most_roles, is_valid, NULL
};
static BoundedTable others = {
	"statistics others", sizeof(Oid), 0, sizeof(RoleStatistics), single_row, is_valid, NULL
};

static Size
shared_size(void)
{
	return MAXALIGN(sizeof(SharedStatistics)) + bounded_table_size(&roles) +
		bounded_table_size(&others);
}

static void start_shared(void *memory, bool fresh);

static const SharedPiece piece = {"sslpolicy statistics", shared_size, "sslpolicy_statistics", start_shared};

static void
start_shared(void *memory, bool fresh)
{
	shared = memory;
	if (fresh)
		shared->lock = shared_memory_lock(&piece);
	memory = (char *) memory + MAXALIGN(sizeof(SharedStatistics));
	memory = bounded_table_start(&roles, memory, fresh);
	(void) bounded_table_start(&others, memory, fresh);
}

void
init_statistics(void)
{
	share_memory(&piece);
	keep_over_restart(&roles);
	keep_over_restart(&others);
}

void
count_in_statistics(Oid role, Counter counter, int64 times, TimestampTz at)
{
	RoleStatistics *entry;
	bool		found;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	entry = bounded_table_find_or_add(OidIsValid(role) ? &roles : &others, &role, &found);
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
role_statistics(void)
{
	List	   *result;

	LWLockAcquire(shared->lock, LW_SHARED);
	result = append_copies(append_copies(NIL, &roles), &others);
	LWLockRelease(shared->lock);
	return result;
}

void
clear_statistics(void)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	bounded_table_clear(&roles);
	bounded_table_clear(&others);
	LWLockRelease(shared->lock);
}
