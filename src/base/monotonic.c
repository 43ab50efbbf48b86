/*-------------------------------------------------------------------------
 *
 * monotonic.c
 *		How much time has gone by, whatever happens to the machine's clock.
 *
 * The clock that tells the date can be set forward and back.  So it is for dates only:
 * whether a certificate has expired, what views show.  Durations and deadlines are
 * measured here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "base/monotonic.h"

/*
 * Not by instr_time.h: its unit is not the same in all versions of PostgreSQL, and what
 * it counts need not be comparable between processes.
 */
Moment
this_moment(void)
{
	struct timespec now;

	(void) clock_gettime(CLOCK_MONOTONIC, &now);
	return (Moment) now.tv_sec * INT64CONST(1000000) + now.tv_nsec / 1000;
}

int64
microseconds_since(Moment since)
{
	return this_moment() - since;
}

bool
has_elapsed(Moment since, int ms)
{
	return microseconds_since(since) >= (int64) ms * 1000;
}
