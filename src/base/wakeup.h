/*-------------------------------------------------------------------------
 *
 * wakeup.h
 *		How other processes tell the worker that there is something to do.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_WAKEUP_H
#define SSLPOLICY_WAKEUP_H

extern void init_wakeup(void);
extern void register_worker(void);
extern bool is_worker_running(void);
extern void wake_worker(void);
extern bool take_wakeup(void);
extern void want_recheck(void);
extern bool take_recheck_wanted(void);
extern void note_session_end(int64 at);
extern void forget_session_ends(void);
extern bool is_session_end_due(int64 now);

#endif							/* SSLPOLICY_WAKEUP_H */
