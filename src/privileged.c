/*-------------------------------------------------------------------------
 *
 * privileged.c
 *		SQL that the server's functions run with more rights than their caller.
 *
 * The statements are the library's own; nothing of the caller's gets into one
 * unquoted.  Whoever calls has checked what the caller may do.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "executor/spi.h"
#include "miscadmin.h"

#include "privileged.h"

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

static void
connect_spi(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

/*
 * Run a utility command.
 */
void
privileged_command(const char *statement)
{
	SavedUser	saved = become_superuser();

	connect_spi();
	if (SPI_execute(statement, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not run \"%s\"", statement);
	SPI_finish();
	restore_user(saved);
}

/*
 * Run a query, and return its rows in the current memory context.  Names in it
 * must be qualified.
 */
QueryResult *
privileged_query(const char *statement)
{
	MemoryContext context = CurrentMemoryContext;
	SavedUser	saved = become_superuser();
	QueryResult *result;
	MemoryContext spi;

	connect_spi();
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
	SPI_finish();
	restore_user(saved);
	return result;
}
