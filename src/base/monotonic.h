/*-------------------------------------------------------------------------
 *
 * monotonic.h
 *		How much time has gone by, whatever happens to the machine's clock.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_MONOTONIC_H
#define SSLPOLICY_MONOTONIC_H

/*
 * Microseconds since a moment in the machine's past, the same for all processes.  0 is
 * no moment.
 */
typedef int64 Moment;

extern Moment this_moment(void);
extern bool has_elapsed(Moment since, int ms);
extern int64 microseconds_since(Moment since);

#endif							/* SSLPOLICY_MONOTONIC_H */
