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
typedef enum Outcome
{
	OUTCOME_ALLOWED,
	OUTCOME_REFUSED,
	OUTCOME_LOGGED,				/* let in, although it would have been refused */
	OUTCOME_ENDED,
	NUM_OUTCOMES
} Outcome;

typedef struct RoleStatistics
{
	Oid			role;			/* InvalidOid: everybody else */
	int64		counts[NUM_OUTCOMES];
	TimestampTz last[NUM_OUTCOMES]; /* 0: never */
} RoleStatistics;

extern void init_statistics(void);
extern void count_outcome(Oid role, Outcome outcome, int64 times, TimestampTz at);
extern List *role_statistics(void);
extern void clear_statistics(void);

#endif							/* SSLPOLICY_STATISTICS_H */
