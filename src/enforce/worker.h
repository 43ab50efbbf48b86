/*-------------------------------------------------------------------------
 *
 * worker.h
 *		The background worker that rechecks live sessions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_WORKER_H
#define SSLPOLICY_WORKER_H

extern void init_worker(void);

#endif							/* SSLPOLICY_WORKER_H */
