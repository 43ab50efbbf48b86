/*-------------------------------------------------------------------------
 *
 * caller.h
 *		Who is calling, for the log and the history.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CALLER_H
#define SSLPOLICY_CALLER_H

extern char *caller_for_log(Oid user);

#endif							/* SSLPOLICY_CALLER_H */
