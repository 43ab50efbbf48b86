/*-------------------------------------------------------------------------
 *
 * boundedtable.c
 *		A table of fixed size in shared memory, which forgets what was used
 *		longest ago.
 *
 * One piece of memory of a size that is known at the start: hash buckets, and as
 * many entries as there may ever be.  A new entry of a full table takes the place
 * of the one that was used longest ago: of all, or, if a quarter of the table is its
 * owner's already, of its owner's, so that nobody pushes out everybody else.  So nothing is ever allocated, and a flood
 * of new entries costs as much as one of known ones.  (Core's hash tables in shared
 * memory allocate by pieces, have no such order, and are made in another way in
 * each version of PostgreSQL.)
 *
 * There are no locks here: the owner has one, and holds it in every call, exclusive
 * for bounded_table_find_or_add() and bounded_table_clear().
 *
 *-------------------------------------------------------------------------
 */
#include "base/pure.h"

#include "common/hashfn.h"

#include "base/boundedtable.h"

#define NONE (-1)

/* Before each entry. */
typedef struct Link
{
	uint32		hash;
	int			next;			/* in the same bucket */
	int			older;
	int			newer;
} Link;

struct BoundedMemory
{
	int			capacity;
	int			count;			/* entries in use: the first ones */
	int			oldest;
	int			newest;
	int			buckets[FLEXIBLE_ARRAY_MEMBER]; /* as many as entries */
	/* the entries follow at entries_of() */
};

static Size
stride(const BoundedTable *table)
{
	return MAXALIGN(sizeof(Link)) + MAXALIGN(table->entry_size);
}

static Size
buckets_size(int capacity)
{
	return MAXALIGN(offsetof(BoundedMemory, buckets) + sizeof(int) * (Size) capacity);
}

Size
bounded_table_size(const BoundedTable *table)
{
	int			capacity = table->capacity();

	return MAXALIGN(buckets_size(capacity) + stride(table) * (Size) capacity);
}

static Link *
link_at(const BoundedTable *table, int index)
{
	return (Link *) ((char *) table->memory + buckets_size(table->memory->capacity) +
					 stride(table) * (Size) index);
}

static void *
entry_at(const BoundedTable *table, int index)
{
	return (char *) link_at(table, index) + MAXALIGN(sizeof(Link));
}

static int
index_of(const BoundedTable *table, const void *entry)
{
	return (int) ((Size) ((const char *) entry - (const char *) entry_at(table, 0)) / stride(table));
}

void
bounded_table_clear(BoundedTable *table)
{
	BoundedMemory *memory = table->memory;

	memory->count = 0;
	memory->oldest = memory->newest = NONE;
	for (int i = 0; i < memory->capacity; i++)
		memory->buckets[i] = NONE;
}

/*
 * Make the table in memory of bounded_table_size(), or find it there.  Returns
 * what is behind it.
 */
void *
bounded_table_start(BoundedTable *table, void *memory, bool fresh)
{
	table->memory = memory;
	if (fresh)
	{
		table->memory->capacity = table->capacity();
		bounded_table_clear(table);
	}
	return (char *) memory + bounded_table_size(table);
}

static int *
bucket_of(const BoundedTable *table, uint32 hash)
{
	return &table->memory->buckets[hash % (uint32) table->memory->capacity];
}

static void
unlink_age(const BoundedTable *table, int index)
{
	BoundedMemory *memory = table->memory;
	Link	   *link = link_at(table, index);

	if (link->older == NONE)
		memory->oldest = link->newer;
	else
		link_at(table, link->older)->newer = link->newer;
	if (link->newer == NONE)
		memory->newest = link->older;
	else
		link_at(table, link->newer)->older = link->older;
}

static void
link_newest(const BoundedTable *table, int index)
{
	BoundedMemory *memory = table->memory;
	Link	   *link = link_at(table, index);

	link->newer = NONE;
	link->older = memory->newest;
	if (memory->newest == NONE)
		memory->oldest = index;
	else
		link_at(table, memory->newest)->newer = index;
	memory->newest = index;
}

static void
unlink_bucket(const BoundedTable *table, int index)
{
	int		   *place = bucket_of(table, link_at(table, index)->hash);

	while (*place != index)
		place = &link_at(table, *place)->next;
	*place = link_at(table, index)->next;
}

/*
 * Which entry of a full table to give up for a new key?
 */
static int
oldest_to_give_up(const BoundedTable *table, const void *key)
{
	const BoundedMemory *memory = table->memory;
	int			oldest = NONE;
	int			count = 0;

	if (table->owner_size == 0)
		return memory->oldest;
	for (int i = memory->oldest; i != NONE; i = link_at(table, i)->newer)
	{
		if (memcmp(entry_at(table, i), key, table->owner_size) != 0)
			continue;
		if (count++ == 0)
			oldest = i;
	}
	return count > 0 && count >= memory->capacity / 4 ? oldest : memory->oldest;
}

/*
 * An entry for a new key: an unused one, or one that is given up.
 */
static int
take_entry(const BoundedTable *table, const void *key)
{
	BoundedMemory *memory = table->memory;
	int			index;

	if (memory->count < memory->capacity)
		return memory->count++;
	index = oldest_to_give_up(table, key);
	unlink_age(table, index);
	unlink_bucket(table, index);
	return index;
}

/*
 * The entry of a key, which is the newest from now on.  One that was not there is
 * zero but for its key.  NULL if the table is switched off.
 */
void *
bounded_table_find_or_add(BoundedTable *table, const void *key, bool *found)
{
	uint32		hash = hash_bytes(key, (int) table->key_size);
	int			index;
	Link	   *link;

	*found = false;
	if (table->memory == NULL || table->memory->capacity == 0)
		return NULL;
	for (index = *bucket_of(table, hash); index != NONE; index = link_at(table, index)->next)
		if (link_at(table, index)->hash == hash &&
			memcmp(entry_at(table, index), key, table->key_size) == 0)
			break;

	*found = index != NONE;
	if (*found)
	{
		unlink_age(table, index);
		link_newest(table, index);
		return entry_at(table, index);
	}
	index = take_entry(table, key);
	link = link_at(table, index);
	link->hash = hash;
	link->next = *bucket_of(table, hash);
	*bucket_of(table, hash) = index;
	link_newest(table, index);
	memset(entry_at(table, index), 0, table->entry_size);
	memcpy(entry_at(table, index), key, table->key_size);
	return entry_at(table, index);
}

/*
 * The entry that was used longest ago, and the one after an entry; NULL at the end.
 */
void *
bounded_table_oldest(const BoundedTable *table)
{
	if (table->memory == NULL || table->memory->oldest == NONE)
		return NULL;
	return entry_at(table, table->memory->oldest);
}

void *
bounded_table_newer(const BoundedTable *table, const void *entry)
{
	int			newer = link_at(table, index_of(table, entry))->newer;

	return newer == NONE ? NULL : entry_at(table, newer);
}

int
bounded_table_count(const BoundedTable *table)
{
	return table->memory ? table->memory->count : 0;
}
