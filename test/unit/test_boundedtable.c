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

#define MOST 50
#define KEYS 120
#define STEPS 200000
#define FLOOD 1000000

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

/* keys, oldest first, and their values */
typedef struct Model
{
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
	else if (model->count < MOST)
		model->count++;
	else
		i = 0;
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
		if (entry == NULL || entry->key[0] != (uint64) model->keys[i] ||
			entry->value != model->values[i])
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
test_model(void)
{
	BoundedTable table = {"test", sizeof(uint64) * 2, 0, sizeof(Entry), capacity, is_valid, NULL};
	Size		size = bounded_table_size(&table);
	char	   *memory = guarded_memory(size);
	Model		model = {0};
	bool		same = true;
	bool		right = true;

	is_int((char *) bounded_table_start(&table, memory, true) - memory, (int) size, "it takes as much memory as it says");
	ok(bounded_table_oldest(&table) == NULL, "it is empty");
	for (int i = 1; i <= STEPS; i++)
	{
		int			key = random_below(KEYS);
		uint64		whole[2] = {(uint64) key, 7};
		int			before = step(&model, key, i);
		bool		found;
		Entry	   *entry = bounded_table_find_or_add(&table, whole, &found);

		right &= entry != NULL && found == (before >= 0) &&
			entry->value == (before >= 0 ? before : 0);
		entry->value = i;
		if (i % 97 == 0 || i < 200)
			same &= is_same(&table, &model);
	}
	ok(right, "each step finds what it should, and new entries are zero");
	ok(same && is_same(&table, &model), "the order is that of use");

	/* another process */
	table.memory = NULL;
	(void) bounded_table_start(&table, memory, false);
	ok(is_same(&table, &model), "who comes later finds it as it is");
	bounded_table_clear(&table);
	ok(bounded_table_oldest(&table) == NULL && bounded_table_count(&table) == 0, "it can be cleared");
	ok(is_guard_whole(memory, size), "nothing is written behind it");
	free(memory);
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
	test_model();
	test_sizes();
	test_owners();
	test_flood();
	return done_testing();
}
