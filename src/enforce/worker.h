/*-------------------------------------------------------------------------
 *
 * worker.h
 *		The background worker: rechecks live sessions, reads CRLs, and more.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_WORKER_H
#define SSLPOLICY_WORKER_H

extern void init_worker(void);

#endif							/* SSLPOLICY_WORKER_H */
