/*-------------------------------------------------------------------------
 *
 * boundedtable.c
 *		A table of fixed size in shared memory, which forgets what was used
 *		longest ago.
 *
 * One piece of memory of a size that is known at the start: hash buckets, and as
 * many entries as there may ever be.  (Core's hash tables in shared memory allocate
 * by pieces, have no such order, and are made in another way in each version of
 * PostgreSQL.)
 *
 * A new entry of a full table takes the place of the one that was used longest ago:
 * of all, or, if a quarter of the table is its owner's already, of its owner's, so
 * that nobody pushes out everybody else.
 *
 * All entries stand in one chain in the order of their use, and those of an owner
 * in another.  So a call costs a look into a bucket or two and some links, whatever
 * the size of the table and however many owners there are: a flood of new entries
 * costs as much as one of known ones.  (Keys made up to fall into one bucket cost
 * a walk through that bucket.)  Only bounded_table_clear(), and whoever reads all
 * entries, walk the whole table.
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

/* Entries from the one that was used longest ago to the one used last. */
typedef struct Chain
{
	int			oldest;
	int			newest;
} Chain;

/* The chains that an entry is in. */
typedef enum ChainOf
{
	OF_ALL,
	OF_OWNER,					/* if entries have owners */
	NUM_CHAINS
} ChainOf;

/* Whoever has at least one entry; otherwise it is free, and next is another one. */
typedef struct Owner
{
	uint32		hash;
	int			next;			/* in the same bucket */
	int			count;			/* of entries */
	Chain		chain;			/* of them */
} Owner;

/* Before each entry. */
typedef struct Link
{
	uint32		hash;
	int			next;			/* in the same bucket */
	int			owner;			/* if entries have owners */
	int			older[NUM_CHAINS];
	int			newer[NUM_CHAINS];
} Link;

struct BoundedMemory
{
	int			capacity;
	int			count;			/* entries in use: the first ones */
	Chain		all;
	int			free_owner;
	int			buckets[FLEXIBLE_ARRAY_MEMBER]; /* as many as entries */
	/* then, if entries have owners, as many buckets and owners: owner_buckets() */
	/* then the entries: link_at() */
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

static Size
owners_size(const BoundedTable *table, int capacity)
{
	if (table->owner_size == 0)
		return 0;
	return MAXALIGN((sizeof(int) + sizeof(Owner)) * (Size) capacity);
}

Size
bounded_table_size(const BoundedTable *table)
{
	int			capacity = table->capacity();

	return MAXALIGN(buckets_size(capacity) + owners_size(table, capacity) +
					stride(table) * (Size) capacity);
}

static int *
owner_buckets(const BoundedTable *table)
{
	return (int *) ((char *) table->memory + buckets_size(table->memory->capacity));
}

static Owner *
owner_at(const BoundedTable *table, int index)
{
	return (Owner *) (owner_buckets(table) + table->memory->capacity) + index;
}

static Link *
link_at(const BoundedTable *table, int index)
{
	int			capacity = table->memory->capacity;

	return (Link *) ((char *) table->memory + buckets_size(capacity) +
					 owners_size(table, capacity) + stride(table) * (Size) index);
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

static void
clear_owners(BoundedTable *table)
{
	BoundedMemory *memory = table->memory;

	memory->free_owner = NONE;
	for (int i = memory->capacity - 1; i >= 0; i--)
	{
		owner_buckets(table)[i] = NONE;
		owner_at(table, i)->next = memory->free_owner;
		memory->free_owner = i;
	}
}

void
bounded_table_clear(BoundedTable *table)
{
	BoundedMemory *memory = table->memory;

	memory->count = 0;
	memory->all.oldest = memory->all.newest = NONE;
	for (int i = 0; i < memory->capacity; i++)
		memory->buckets[i] = NONE;
	if (table->owner_size > 0)
		clear_owners(table);
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

static int *
owner_bucket_of(const BoundedTable *table, uint32 hash)
{
	return &owner_buckets(table)[hash % (uint32) table->memory->capacity];
}

static Chain *
chain_of(const BoundedTable *table, int index, ChainOf which)
{
	return which == OF_ALL ? &table->memory->all :
							 &owner_at(table, link_at(table, index)->owner)->chain;
}

static void
unlink_age(const BoundedTable *table, int index, ChainOf which)
{
	Chain	   *chain = chain_of(table, index, which);
	int			older = link_at(table, index)->older[which];
	int			newer = link_at(table, index)->newer[which];

	if (older == NONE)
		chain->oldest = newer;
	else
		link_at(table, older)->newer[which] = newer;
	if (newer == NONE)
		chain->newest = older;
	else
		link_at(table, newer)->older[which] = older;
}

static void
link_newest(const BoundedTable *table, int index, ChainOf which)
{
	Chain	   *chain = chain_of(table, index, which);
	Link	   *link = link_at(table, index);

	link->newer[which] = NONE;
	link->older[which] = chain->newest;
	if (chain->newest == NONE)
		chain->oldest = index;
	else
		link_at(table, chain->newest)->newer[which] = index;
	chain->newest = index;
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
 * Whose is a key?  NONE if the owner has no entry.
 */
static int
find_owner(const BoundedTable *table, const void *key)
{
	uint32		hash = hash_bytes(key, (int) table->owner_size);
	int			index = *owner_bucket_of(table, hash);

	while (index != NONE &&
		   (owner_at(table, index)->hash != hash ||
			memcmp(entry_at(table, owner_at(table, index)->chain.oldest), key, table->owner_size) != 0))
		index = owner_at(table, index)->next;
	return index;
}

/*
 * There is always a free one for an owner without entries: there are as many as
 * entries, and each that is not free has at least one.
 */
static int
take_owner(const BoundedTable *table, const void *key)
{
	int			index = table->memory->free_owner;
	Owner	   *owner = owner_at(table, index);
	int		   *bucket;

	table->memory->free_owner = owner->next;
	owner->hash = hash_bytes(key, (int) table->owner_size);
	owner->count = 0;
	owner->chain.oldest = owner->chain.newest = NONE;
	bucket = owner_bucket_of(table, owner->hash);
	owner->next = *bucket;
	*bucket = index;
	return index;
}

static void
free_owner(const BoundedTable *table, int index)
{
	Owner	   *owner = owner_at(table, index);
	int		   *place = owner_bucket_of(table, owner->hash);

	while (*place != index)
		place = &owner_at(table, *place)->next;
	*place = owner->next;
	owner->next = table->memory->free_owner;
	table->memory->free_owner = index;
}

/*
 * An entry gets its owner, and leaves it.
 */
static void
join_owner(const BoundedTable *table, int index, const void *key)
{
	int			owner = find_owner(table, key);

	if (owner == NONE)
		owner = take_owner(table, key);
	link_at(table, index)->owner = owner;
	owner_at(table, owner)->count++;
	link_newest(table, index, OF_OWNER);
}

static void
leave_owner(const BoundedTable *table, int index)
{
	int			owner = link_at(table, index)->owner;

	unlink_age(table, index, OF_OWNER);
	if (--owner_at(table, owner)->count == 0)
		free_owner(table, owner);
}

/*
 * Which entry of a full table to give up for a new key?
 */
static int
oldest_to_give_up(const BoundedTable *table, const void *key)
{
	const BoundedMemory *memory = table->memory;
	int			owner = table->owner_size > 0 ? find_owner(table, key) : NONE;

	if (owner != NONE && owner_at(table, owner)->count >= memory->capacity / 4)
		return owner_at(table, owner)->chain.oldest;
	return memory->all.oldest;
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
	unlink_age(table, index, OF_ALL);
	unlink_bucket(table, index);
	if (table->owner_size > 0)
		leave_owner(table, index);
	return index;
}

static void
use_again(const BoundedTable *table, int index)
{
	unlink_age(table, index, OF_ALL);
	link_newest(table, index, OF_ALL);
	if (table->owner_size > 0)
	{
		unlink_age(table, index, OF_OWNER);
		link_newest(table, index, OF_OWNER);
	}
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
		use_again(table, index);
		return entry_at(table, index);
	}
	index = take_entry(table, key);
	link = link_at(table, index);
	link->hash = hash;
	link->next = *bucket_of(table, hash);
	*bucket_of(table, hash) = index;
	link_newest(table, index, OF_ALL);
	memset(entry_at(table, index), 0, table->entry_size);
	memcpy(entry_at(table, index), key, table->key_size);
	if (table->owner_size > 0)
		join_owner(table, index, key);
	return entry_at(table, index);
}

/*
 * The entry that was used longest ago, and the one after an entry; NULL at the end.
 */
void *
bounded_table_oldest(const BoundedTable *table)
{
	if (table->memory == NULL || table->memory->all.oldest == NONE)
		return NULL;
	return entry_at(table, table->memory->all.oldest);
}

void *
bounded_table_newer(const BoundedTable *table, const void *entry)
{
	int			newer = link_at(table, index_of(table, entry))->newer[OF_ALL];

	return newer == NONE ? NULL : entry_at(table, newer);
}

/*
 * The entry that an owner used last, and the one that it used before a given entry; NULL
 * if there is none.  The first bytes of a key give the owner.
 */
void *
bounded_table_newest_of(const BoundedTable *table, const void *owner)
{
	int			index = table->memory == NULL || table->memory->count == 0 ? NONE : find_owner(table, owner);

	return index == NONE ? NULL : entry_at(table, owner_at(table, index)->chain.newest);
}

void *
bounded_table_older_of(const BoundedTable *table, const void *entry)
{
	int			older = link_at(table, index_of(table, entry))->older[OF_OWNER];

	return older == NONE ? NULL : entry_at(table, older);
}

int
bounded_table_count(const BoundedTable *table)
{
	return table->memory ? table->memory->count : 0;
}
