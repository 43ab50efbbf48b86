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

static void
check_row(const Row *row, TupleDesc desc)
{
	if (row->count != desc->natts)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the SQL objects of sslpolicy belong to another version than its library"),
				 errhint("Run ALTER EXTENSION sslpolicy UPDATE, and restart the server if its library is the older one.")));
}

/*
 * A row of a set.
 */
void
row_put(FunctionCallInfo fcinfo, Row *row)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	check_row(row, result->setDesc);
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
	check_row(row, desc);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), row->values, row->nulls));
}
