/*-------------------------------------------------------------------------
 *
 * statistics.h
 *		How often each role was let in, refused and ended.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_STATISTICS_H
#define SSLPOLICY_STATISTICS_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

/* The order is that of columns, and in files. */
typedef enum Counter
{
	COUNTER_ALLOWED,
	COUNTER_REFUSED,
	COUNTER_LOGGED,				/* let in, although it would have been refused */
	COUNTER_ENDED,
	NUM_COUNTERS
} Counter;

typedef struct RoleStatistics
{
	Oid			role;			/* InvalidOid: everybody else */
	int64		counts[NUM_COUNTERS];
	TimestampTz last[NUM_COUNTERS]; /* 0: never */
} RoleStatistics;

extern void init_statistics(void);
extern void count_in_statistics(Oid role, Counter counter, int64 times, TimestampTz at);
extern List *copy_role_statistics(void);
extern void clear_statistics(void);

#endif							/* SSLPOLICY_STATISTICS_H */
