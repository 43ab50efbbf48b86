/*-------------------------------------------------------------------------
 *
 * objection.h
 *		Why a set of CAs and CRLs does not accept a certificate that was verified
 *		once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_OBJECTION_H
#define SSLPOLICY_OBJECTION_H

#include "material/trust.h"

typedef struct TrustView TrustView;

typedef struct Objection
{
	char	   *reason;			/* NULL: there is none */
	bool		revoked;		/* a CRL lists the certificate, or a CA of its chain */
} Objection;

extern TrustView *make_trust_view(const Trust *trust, STACK_OF(X509) *known);
extern Objection find_trust_objection(TrustView *view, const CertFacts *cert);
extern char *find_path_objection(TrustView *view, const CertFacts *cert, bool with_key_id);
extern char *find_ca_objection(TrustView *view, X509 *ca);

#endif							/* SSLPOLICY_OBJECTION_H */
