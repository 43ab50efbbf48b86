/*-------------------------------------------------------------------------
 *
 * test_boundedtable.c
 *		The table of fixed size: beside a list that does the same slowly, and
 *		under a flood.
 *
 *-------------------------------------------------------------------------
 */
#include <time.h>

#include "base/boundedtable.h"
#include "tap.h"

#define MOST  50
#define KEYS  120
#define STEPS 200000
#define FLOOD 1000000
#define NEW	  100000

typedef struct Entry
{
	uint64		key[2];
	int			value;
} Entry;

static int	entries = MOST;

static int
capacity(void)
{
	return entries;
}

static bool
is_valid(const void *entry)
{
	return true;
}

/* keys, oldest first, and their values; the owner of a key is key % owners */
typedef struct Model
{
	int			capacity;
	int			owners;			/* 0: nobody's */
	int			count;
	int			keys[MOST];
	int			values[MOST];
} Model;

static uint64 seed = 1;

static int
random_below(int n)
{
	seed = seed * UINT64CONST(6364136223846793005) + UINT64CONST(1442695040888963407);
	return (int) ((seed >> 33) % (uint64) n);
}

static uint64
owner_of(const Model *model, int key)
{
	return model->owners > 0 ? (uint64) (key % model->owners) : 7;
}

/*
 * Which entry a full table gives up for a key: the rule, as it is written.
 */
static int
victim(const Model *model, int key)
{
	int			oldest = 0;
	int			count = 0;

	for (int i = model->count - 1; i >= 0 && model->owners > 0; i--)
		if (owner_of(model, model->keys[i]) == owner_of(model, key))
		{
			oldest = i;
			count++;
		}
	return count > 0 && count >= model->capacity / 4 ? oldest : 0;
}

/*
 * What a step on the table must find: the value before, or -1.
 */
static int
step(Model *model, int key, int value)
{
	int			before = -1;
	int			i;

	for (i = 0; i < model->count && model->keys[i] != key; i++)
		;
	if (i < model->count)
		before = model->values[i];
	else if (model->count < model->capacity)
		model->count++;
	else
		i = victim(model, key);
	for (; i + 1 < model->count; i++)
	{
		model->keys[i] = model->keys[i + 1];
		model->values[i] = model->values[i + 1];
	}
	model->keys[i] = key;
	model->values[i] = value;
	return before;
}

static bool
is_same(const BoundedTable *table, const Model *model)
{
	const Entry *entry = bounded_table_oldest(table);

	if (bounded_table_count(table) != model->count)
		return false;
	for (int i = 0; i < model->count; i++, entry = bounded_table_newer(table, entry))
		if (entry == NULL || entry->key[0] != owner_of(model, model->keys[i]) ||
			entry->key[1] != (uint64) model->keys[i] || entry->value != model->values[i])
			return false;
	return entry == NULL;
}

static char *
guarded_memory(Size size)
{
	char	   *memory = malloc(size + 64);

	memset(memory, 0, size);
	memset(memory + size, 0x55, 64);
	return memory;
}

static bool
is_guard_whole(const char *memory, Size size)
{
	for (int i = 0; i < 64; i++)
		if (memory[size + (Size) i] != 0x55)
			return false;
	return true;
}

static void
test_model(int capacity_now, int owners)
{
	BoundedTable table = {"test", sizeof(uint64) * 2, owners > 0 ? sizeof(uint64) : 0, sizeof(Entry), capacity, is_valid, NULL};
	Size		size;
	char	   *memory;
	Model		model = {.capacity = capacity_now, .owners = owners};
	bool		same = true;
	bool		right = true;

	printf("# %d entries, %d owners\n", capacity_now, owners);
	entries = capacity_now;
	size = bounded_table_size(&table);
	memory = guarded_memory(size);
	is_int((char *) bounded_table_start(&table, memory, true) - memory, (int) size, "it takes as much memory as it says");
	ok(bounded_table_oldest(&table) == NULL, "it is empty");
	for (int i = 1; i <= STEPS; i++)
	{
		/* now and then much of one owner's */
		int			key = random_below(i / 1000 % 3 == 0 && owners > 0 ? KEYS / owners : KEYS) *
			(i / 1000 % 3 == 0 && owners > 0 ? owners : 1);
		uint64		whole[2] = {owner_of(&model, key), (uint64) key};
		int			before = step(&model, key, i);
		bool		found;
		Entry	   *entry = bounded_table_find_or_add(&table, whole, &found);

		right &= entry != NULL && found == (before >= 0) &&
			entry->value == (before >= 0 ? before : 0);
		entry->value = i;
		if (i % 97 == 0 || i < 200)
			same &= is_same(&table, &model);
		/* as reset_statistics() does */
		if (i % 50000 == 0)
		{
			bounded_table_clear(&table);
			model.count = 0;
		}
	}
	ok(right, "each step finds what it should, and new entries are zero");
	ok(same && is_same(&table, &model), "the order is that of use, and what is given up is what should be");

	/* another process */
	table.memory = NULL;
	(void) bounded_table_start(&table, memory, false);
	ok(is_same(&table, &model), "who comes later finds it as it is");
	bounded_table_clear(&table);
	ok(bounded_table_oldest(&table) == NULL && bounded_table_count(&table) == 0, "it can be cleared");
	ok(is_guard_whole(memory, size), "nothing is written behind it");
	free(memory);
	entries = MOST;
}

static void
test_sizes(void)
{
	BoundedTable table = {"test", sizeof(uint64) * 2, 0, sizeof(Entry), capacity, is_valid, NULL};
	uint64		key[2] = {1, 2};
	char	   *memory;
	bool		found;

	entries = 0;
	memory = guarded_memory(bounded_table_size(&table));
	(void) bounded_table_start(&table, memory, true);
	ok(bounded_table_find_or_add(&table, key, &found) == NULL && !found && bounded_table_oldest(&table) == NULL,
	   "a table of no entries keeps none");
	ok(is_guard_whole(memory, bounded_table_size(&table)), "and writes nothing");
	free(memory);

	entries = 1;
	memory = guarded_memory(bounded_table_size(&table));
	(void) bounded_table_start(&table, memory, true);
	for (key[0] = 0; key[0] < 10; key[0]++)
		(void) bounded_table_find_or_add(&table, key, &found);
	key[0] = 9;
	ok(bounded_table_find_or_add(&table, key, &found) != NULL && found && bounded_table_count(&table) == 1,
	   "one of a single entry keeps the last");
	free(memory);
	entries = MOST;
}

/*
 * Of a full table nobody pushes out everybody else.
 */
static void
test_owners(void)
{
	BoundedTable table = {"test", sizeof(uint64) * 2, sizeof(uint64), sizeof(Entry), capacity, is_valid, NULL};
	char	   *memory;
	bool		found;
	int			mine = 0;
	uint64		key[2];

	entries = 100;
	memory = guarded_memory(bounded_table_size(&table));
	(void) bounded_table_start(&table, memory, true);
	for (uint64 i = 0; i < 100; i++)
	{
		uint64		others[2] = {i % 10, i};

		(void) bounded_table_find_or_add(&table, others, &found);
	}
	for (uint64 i = 0; i < 10000; i++)
	{
		uint64		flood[2] = {77, i};

		(void) bounded_table_find_or_add(&table, flood, &found);
	}
	for (const void *entry = bounded_table_oldest(&table); entry; entry = bounded_table_newer(&table, entry))
		mine += *(const uint64 *) entry == 77;
	is_int(mine, 25, "whoever floods a table gets a quarter of it");
	key[0] = 77;
	mine = 0;
	for (const uint64 *entry = bounded_table_newest_of(&table, key); entry; entry = bounded_table_older_of(&table, entry))
		mine += entry[0] == 77 && entry[1] == 9999 - (uint64) mine;
	is_int(mine, 25, "and all of it is found, the last first");
	key[0] = 78;
	ok(bounded_table_newest_of(&table, key) == NULL, "whoever has nothing has no last one");
	key[0] = 77;
	key[1] = 9999;
	(void) bounded_table_find_or_add(&table, key, &found);
	ok(found, "with what it did last");
	key[0] = 9;
	key[1] = 99;
	(void) bounded_table_find_or_add(&table, key, &found);
	ok(found, "what was there last of others is there still");
	is_int(bounded_table_count(&table), 100, "the table is full");
	ok(is_guard_whole(memory, bounded_table_size(&table)), "nothing is written behind it");
	free(memory);
	entries = MOST;
}

/*
 * CPU time, in ns, of a new entry of a full table: of owners that come in turn, the
 * first of which has half of what is new.
 */
static double
cost_of_new(int capacity_now, int owners, int *of_first, int *of_others)
{
	BoundedTable table = {"test", sizeof(uint64) * 2, sizeof(uint64), sizeof(Entry), capacity, is_valid, NULL};
	Size		size;
	char	   *memory;
	clock_t		begin;
	double		result;
	bool		found;

	entries = capacity_now;
	size = bounded_table_size(&table);
	memory = guarded_memory(size);
	(void) bounded_table_start(&table, memory, true);
	for (int i = 0; i < capacity_now; i++)
	{
		uint64		key[2] = {(uint64) (i % owners), (uint64) i};

		(void) bounded_table_find_or_add(&table, key, &found);
	}
	begin = clock();
	for (int i = 0; i < NEW; i++)
	{
		uint64		key[2] = {i % 2 == 0 ? 0 : (uint64) (i % owners), (uint64) (capacity_now + i)};

		(void) bounded_table_find_or_add(&table, key, &found);
	}
	result = (double) (clock() - begin) / CLOCKS_PER_SEC * 1e9 / NEW;
	*of_first = *of_others = 0;
	for (const Entry *entry = bounded_table_oldest(&table); entry; entry = bounded_table_newer(&table, entry))
		(*(entry->key[0] == 0 ? of_first : of_others))++;
	ok(is_guard_whole(memory, size), "nothing is written behind it");
	free(memory);
	entries = MOST;
	return result;
}

/*
 * In a table a hundred times as large a new entry costs a bit more, because of the
 * processor's caches; not as if somebody had walked through it.
 */
static void
test_cost(void)
{
	int			first;
	int			others;
	double		small = cost_of_new(100, 11, &first, &others);
	double		large;

	is_int(first, 25, "of a hundred entries one owner gets a quarter");
	is_int(others, 75, "the others have the rest");
	large = cost_of_new(10000, 5001, &first, &others);
	is_int(first, 2500, "of ten thousand entries one owner gets a quarter");
	is_int(others, 7500, "thousands of others have the rest");
	printf("# %.0f ns each of new entries in a full table of 100, %.0f ns in one of 10,000\n", small, large);
	ok(large < small * 20, "a new entry costs no walk through a full table");
}

static void
test_flood(void)
{
	BoundedTable table = {"test", sizeof(uint64) * 2, 0, sizeof(Entry), capacity, is_valid, NULL};
	Size		size;
	char	   *memory;
	bool		found;
	bool		kept = true;
	clock_t		begin;

	entries = 1000;
	size = bounded_table_size(&table);
	memory = guarded_memory(size);
	(void) bounded_table_start(&table, memory, true);
	begin = clock();
	for (uint64 i = 0; i < FLOOD; i++)
	{
		uint64		key[2] = {i, 1};
		uint64		again[2] = {42, 2};

		(void) bounded_table_find_or_add(&table, key, &found);
		if (i % 500 != 0)
			continue;
		(void) bounded_table_find_or_add(&table, again, &found);
		kept &= found || i == 0;
	}
	printf("# %.0f ns each of a million new entries\n",
		   (double) (clock() - begin) / CLOCKS_PER_SEC * 1e9 / FLOOD);
	is_int(bounded_table_count(&table), 1000, "a million new entries leave as many as there is room for");
	ok(kept, "and one that comes again and again");
	ok(is_guard_whole(memory, size), "nothing is written behind the table");
	free(memory);
	entries = MOST;
}

int
main(void)
{
	test_model(MOST, 0);
	test_model(MOST, 3);
	test_model(MOST, 8);
	test_model(MOST, KEYS);
	for (int i = 1; i <= 9; i++)
		test_model(i, 5);
	test_sizes();
	test_owners();
	test_cost();
	test_flood();
	return done_testing();
}
