/*-------------------------------------------------------------------------
 *
 * commits.h
 *		Wakes the worker when something is committed that live sessions depend on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_COMMITS_H
#define SSLPOLICY_COMMITS_H

extern void init_commits(void);

#endif							/* SSLPOLICY_COMMITS_H */
