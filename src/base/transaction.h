/*-------------------------------------------------------------------------
 *
 * transaction.h
 *		What a transaction must not have done, or missed, before it makes a
 *		decision that cannot be rolled back.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_TRANSACTION_H
#define SSLPOLICY_TRANSACTION_H

extern void forbid_changes_before(const char *message, const char *hint);
extern void require_current_settings(void);

#endif							/* SSLPOLICY_TRANSACTION_H */
