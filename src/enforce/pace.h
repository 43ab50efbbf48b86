/*-------------------------------------------------------------------------
 *
 * pace.h
 *		How long the worker may wait until it looks again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_PACE_H
#define SSLPOLICY_PACE_H

/* How often the worker looks while anything is going on. */
#define POLL_MS 100

extern void note_activity(void);
extern long time_until_look(int recheck_in_ms);
extern void wait_for_latch(long ms);

#endif							/* SSLPOLICY_PACE_H */
