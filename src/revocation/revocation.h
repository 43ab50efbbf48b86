/*-------------------------------------------------------------------------
 *
 * revocation.h
 *		Is a client certificate, or one that verified it, revoked?
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_REVOCATION_H
#define SSLPOLICY_REVOCATION_H

#include "policy/facts.h"

typedef enum RevocationStatus
{
	NOT_REVOKED,
	REVOKED,
	CRL_EXPIRED,
	CRL_MISSING,
	REVOCATION_UNKNOWN			/* the index cannot be read */
} RevocationStatus;

typedef struct Revocation
{
	RevocationStatus status;
	char	   *detail;			/* for the log; NULL if not revoked */
	bool		index_damaged;
	bool		unread;			/* CRL_MISSING: there may be one, which has not been
								 * read */
} Revocation;

typedef struct RevocationIndex RevocationIndex;

extern RevocationIndex *open_revocation_index(bool of_core);
extern void close_revocation_index(RevocationIndex *index);
extern Revocation check_revocation(RevocationIndex *index, const Facts *facts, int64 now);
extern char *revocation_reason(int reason);

#endif							/* SSLPOLICY_REVOCATION_H */
