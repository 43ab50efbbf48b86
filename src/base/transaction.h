/*-------------------------------------------------------------------------
 *
 * transaction.h
 *		What a transaction must not have done before something is done for good.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_TRANSACTION_H
#define SSLPOLICY_TRANSACTION_H

extern void forbid_changes_before(const char *message, const char *hint);

#endif							/* SSLPOLICY_TRANSACTION_H */
