/*
 * For t/037_neighbours.pl: another module, some of whose functions are called as
 * functions of sslpolicy are, and are not static.  Each of the two has to call
 * its own.
 *
 * They take what those of sslpolicy take, so that a call of the wrong one tells
 * itself by its result.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

PG_MODULE_MAGIC;

/* all but same_names() itself: by nobody but it */
static int	calls = 0;

int bounded_table_count(const void *table);
void *bounded_table_find_or_add(void *table, const void *key, bool *found);
void *evaluate(const void *applied, int napplied, const void *facts);
int file_exists(const char *path);
char *read_whole_file(const char *path, size_t *len, char **error);
int row_add(void *row, bool known, Datum value);

int
bounded_table_count(const void *table)
{
	calls++;
	return 1001;
}

void *
bounded_table_find_or_add(void *table, const void *key, bool *found)
{
	calls++;
	*found = true;
	return table;
}

void *
evaluate(const void *applied, int napplied, const void *facts)
{
	calls++;
	return NULL;
}

int
file_exists(const char *path)
{
	calls++;
	return 1002;
}

char *
read_whole_file(const char *path, size_t *len, char **error)
{
	calls++;
	*error = NULL;
	return "own text";
}

int
row_add(void *row, bool known, Datum value)
{
	calls++;
	return 1003;
}

PG_FUNCTION_INFO_V1(same_names);

/* Calls of the wrong functions from outside, if any, and what those from here give. */
Datum
same_names(PG_FUNCTION_ARGS)
{
	static char nothing[4096];
	int			strange = calls;
	size_t		len;
	char	   *error;
	char	   *text = read_whole_file("no such file", &len, &error);
	int			exists = file_exists("no such file");
	int			count = bounded_table_count(nothing);
	int			row = row_add(nothing, false, (Datum) 0);

	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%d %s %d %d %d", strange, text ? text : "no text",
											  exists, count, row)));
}
