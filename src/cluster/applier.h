/*-------------------------------------------------------------------------
 *
 * applier.h
 *		The background worker that applies what is replicated, and reports.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_APPLIER_H
#define SSLPOLICY_APPLIER_H

#define APPLIER_NAME "sslpolicy apply"

extern void init_applier(void);

#endif							/* SSLPOLICY_APPLIER_H */
