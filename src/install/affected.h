/*-------------------------------------------------------------------------
 *
 * affected.h
 *		Whom new TLS material would no longer accept: live sessions, recent
 *		logins, and CAs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_AFFECTED_H
#define SSLPOLICY_AFFECTED_H

#include "datatype/timestamp.h"

#include "material/trust.h"

typedef enum AffectedKind
{
	AFFECTED_SESSION,
	AFFECTED_LOGIN,				/* of the last 24 hours */
	AFFECTED_CA
} AffectedKind;

typedef struct Affected
{
	AffectedKind kind;
	int			pid;			/* of a session */
	const char *standby;		/* NULL: the session is no walsender of one */
	const char *role;			/* of a session or login; its present name */
	TimestampTz last_login;		/* of a login */
	char	   *ca;				/* its subject */
	bool		is_protected;	/* the role is a superuser or reserved, and refused for
								 * its CA, not for a revocation */
	bool		revoked;		/* a CRL lists its certificate, or a CA of its chain */
	char	   *reason;
} Affected;

extern List *find_losing_trust(const Trust *before, const Trust *after,
							   STACK_OF(X509) *known, bool recent);
extern List *find_losing_cas(const Trust *before, const Trust *after,
							 STACK_OF(X509) *known);
extern List *find_losing_cipher(X509 *before, X509 *after);
extern bool is_affected_own(const Affected *affected);
extern bool affected_wants_force(const Affected *affected);
extern char *affected_text(const Affected *affected);

#endif							/* SSLPOLICY_AFFECTED_H */
