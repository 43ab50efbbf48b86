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

/* Filled from the left. */
typedef struct Row
{
	int			count;
	Datum		values[24];
	bool		nulls[24];
} Row;

extern void row_add(Row *row, bool known, Datum value);
extern void row_add_text(Row *row, const char *text);
extern void row_add_time(Row *row, bool known, int64 unix_time);
extern void row_put(FunctionCallInfo fcinfo, Row *row);
extern Datum row_return(FunctionCallInfo fcinfo, Row *row);

#endif							/* SSLPOLICY_ROWS_H */
