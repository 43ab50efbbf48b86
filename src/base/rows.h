/*-------------------------------------------------------------------------
 *
 * rows.h
 *		Rows that SQL functions return, filled column by column.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_ROWS_H
#define SSLPOLICY_ROWS_H

#include "fmgr.h"

#define ROW_MAX_COLUMNS 32

/* Filled from the left. */
typedef struct Row
{
	int			count;
	Datum		values[ROW_MAX_COLUMNS];
	bool		nulls[ROW_MAX_COLUMNS];
} Row;

extern void row_add(Row *row, bool known, Datum value);
extern void row_add_text(Row *row, const char *text);
extern void row_add_time(Row *row, bool known, int64 unix_time);
extern void rows_begin(FunctionCallInfo fcinfo, int columns);
extern void row_put(FunctionCallInfo fcinfo, Row *row);
extern Datum row_return(FunctionCallInfo fcinfo, Row *row);

#endif							/* SSLPOLICY_ROWS_H */
