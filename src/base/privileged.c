/*-------------------------------------------------------------------------
 *
 * privileged.c
 *		SQL that the server's functions run with more rights than their caller.
 *
 * The statements are the library's own; nothing of the caller's gets into one
 * unquoted, and none finds anything by the caller's search_path.  Whoever calls has
 * checked what the caller may do.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

#include "base/privileged.h"

/*
 * The end of a transaction, or of a subtransaction, that fails restores the
 * user by itself.
 */
SavedUser
become_superuser(void)
{
	SavedUser	saved;

	GetUserIdAndSecContext(&saved.user, &saved.context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID,
						   saved.context | SECURITY_LOCAL_USERID_CHANGE |
							   SECURITY_RESTRICTED_OPERATION);
	return saved;
}

void
restore_user(SavedUser saved)
{
	SetUserIdAndSecContext(saved.user, saved.context);
}

/*
 * Most SQL functions that come here pin their search_path, but that stands in a
 * catalog, and what an operator means to a superuser must not hang on it.
 */
static int
begin_sql(void)
{
	int			level = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	return level;
}

static void
end_sql(int level)
{
	SPI_finish();
	AtEOXact_GUC(false, level);
}

/*
 * Run a utility command.
 */
void
privileged_command(const char *statement)
{
	SavedUser	saved = become_superuser();
	int			level = begin_sql();

	if (SPI_execute(statement, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not run \"%s\"", statement);
	end_sql(level);
	restore_user(saved);
}

/*
 * Run a query, and return its rows in the current memory context.  Names in it
 * must be qualified.  A caller without a snapshot, such as a background worker, has none afterwards.
 */
QueryResult *
privileged_query(const char *statement)
{
	MemoryContext context = CurrentMemoryContext;
	SavedUser	saved = become_superuser();
	int			level = begin_sql();
	QueryResult *result;
	MemoryContext spi;
	bool		has_snapshot = ActiveSnapshotSet();

	if (!has_snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_execute(statement, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run \"%s\"", statement);

	spi = MemoryContextSwitchTo(context);
	result = palloc0(sizeof(QueryResult));
	result->rows = (int) SPI_processed;
	result->columns = SPI_tuptable->tupdesc->natts;
	result->values = palloc0(sizeof(char **) * (Size) (result->rows + 1));
	for (int row = 0; row < result->rows; row++)
	{
		result->values[row] = palloc0(sizeof(char *) * (Size) result->columns);
		for (int column = 0; column < result->columns; column++)
		{
			char	   *value = SPI_getvalue(SPI_tuptable->vals[row],
											 SPI_tuptable->tupdesc, column + 1);

			/* SPI_getvalue allocates in the current context: this one */
			result->values[row][column] = value;
		}
	}
	MemoryContextSwitchTo(spi);
	end_sql(level);
	if (!has_snapshot)
		PopActiveSnapshot();
	restore_user(saved);
	return result;
}
