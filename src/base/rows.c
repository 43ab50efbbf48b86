/*-------------------------------------------------------------------------
 *
 * rows.c
 *		Rows that SQL functions return, filled column by column.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "base/datums.h"
#include "base/rows.h"

/*
 * A value, or NULL if it is not known.
 */
void
row_add(Row *row, bool known, Datum value)
{
	Assert(row->count < ROW_MAX_COLUMNS);
	row->nulls[row->count] = !known;
	row->values[row->count++] = known ? value : (Datum) 0;
}

void
row_add_text(Row *row, const char *text)
{
	row_add(row, text != NULL, text ? CStringGetTextDatum(text) : (Datum) 0);
}

void
row_add_time(Row *row, bool known, int64 unix_time)
{
	row_add(row, known, TimestampTzGetDatum(timestamp_from_unix(unix_time)));
}

/*
 * The columns that the SQL objects expect must be those that this library
 * returns; if not, they belong to different versions.
 */
static void
check_columns(TupleDesc desc, int columns)
{
	if (desc->natts != columns)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the SQL objects of sslpolicy belong to another version than its library"),
				 errdetail("The library is version %s; it returns %d columns where %d are expected.",
						   SSLPOLICY_VERSION, columns, desc->natts),
				 errhint("Run ALTER EXTENSION sslpolicy UPDATE, and restart the server if its library is the older one.")));
}

/*
 * A set of rows, of so many columns each.  Without this, the columns of a set
 * that turns out to be empty are not looked at.
 */
void
rows_begin(FunctionCallInfo fcinfo, int columns)
{
	InitMaterializedSRF(fcinfo, 0);
	check_columns(((ReturnSetInfo *) fcinfo->resultinfo)->setDesc, columns);
}

/*
 * A row of a set.
 */
void
row_put(FunctionCallInfo fcinfo, Row *row)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	check_columns(result->setDesc, row->count);
	tuplestore_putvalues(result->setResult, result->setDesc, row->values, row->nulls);
}

/*
 * The only row of a function that returns a record.
 */
Datum
row_return(FunctionCallInfo fcinfo, Row *row)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	check_columns(desc, row->count);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), row->values, row->nulls));
}
