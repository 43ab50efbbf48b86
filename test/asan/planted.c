/*
 * Mistakes on purpose, each an SQL function: test-asan has to see every one of
 * them, in a module built and loaded as sslpolicy is.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(planted);

/* out of sight of the optimizer */
static volatile int one = 1;
static char *volatile kept;

static int
past_the_stack(int len)
{
	char		array[8];
	char *volatile start = memset(array, 'x', sizeof(array));

	return start[len];
}

Datum
planted(PG_FUNCTION_ARGS)
{
	char	   *mistake = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int			result = 0;

	if (strcmp(mistake, "none") == 0)
		result = one;
	else if (strcmp(mistake, "malloc") == 0)
	{
		kept = malloc(10);
		kept[9 + one] = 'x';
	}
	else if (strcmp(mistake, "palloc") == 0)
	{
		/* in the middle of a block, and within what alignment adds */
		kept = palloc(13);
		(void) palloc(100);
		kept[12 + one] = 'x';
	}
	else if (strcmp(mistake, "pfree") == 0)
	{
		kept = palloc(40);
		(void) palloc(100);
		pfree(kept);
		result = kept[8 * one];
	}
	else if (strcmp(mistake, "context") == 0)
	{
		MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "planted", ALLOCSET_SMALL_SIZES);

		kept = MemoryContextAlloc(context, 40);
		MemoryContextReset(context);
		result = kept[8 * one];
	}
	else if (strcmp(mistake, "by the server") == 0)
	{
		StringInfoData buf;

		/* our memory, and the server's own code that reads too much of it */
		kept = memset(palloc(16), 'x', 16);
		initStringInfo(&buf);
		appendStringInfoString(&buf, kept);
	}
	else if (strcmp(mistake, "stack") == 0)
		result = past_the_stack(7 + one);
	else if (strcmp(mistake, "shift") == 0)
		result = 1 << (31 + one);
	else if (strcmp(mistake, "null") == 0)
	{
		int		   *nowhere = one ? NULL : &result;

		result = *nowhere;
	}
	else
		elog(ERROR, "no such mistake");
	PG_RETURN_INT32(result);
}
