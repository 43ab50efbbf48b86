/*-------------------------------------------------------------------------
 *
 * affected.h
 *		Live sessions that new TLS material would no longer accept.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_AFFECTED_H
#define SSLPOLICY_AFFECTED_H

#include "material/trust.h"

typedef struct AffectedSession
{
	int			pid;
	Oid			role;
	char	   *reason;
} AffectedSession;

extern List *sessions_losing_trust(const Trust *before, const Trust *after,
								   STACK_OF(X509) *known);
extern List *sessions_losing_cipher(X509 *before, X509 *after);

#endif							/* SSLPOLICY_AFFECTED_H */
