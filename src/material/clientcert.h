/*-------------------------------------------------------------------------
 *
 * clientcert.h
 *		Would the server, with its files as they are, accept a client certificate?
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CLIENTCERT_H
#define SSLPOLICY_CLIENTCERT_H

#include <openssl/ssl.h>

#include "material/tlscontext.h"
#include "pki/chain.h"
#include "pki/pem.h"

typedef struct ClientCertificate
{
	CertFacts  *facts;			/* with the verified chain, if error is NULL */
	Verification *verification; /* NULL: none could be made */
	char	   *error;			/* why it would not be accepted, or NULL */
	bool		own_key;		/* its key is one of the server's */
	SSL_CTX    *context;		/* by which it was judged, or NULL */
	bool		revoked;		/* a CRL of the server lists it, or one that verified it */
} ClientCertificate;

extern MaterialFiles files_of_settings(void);
extern ClientCertificate *judge_client_certificate(const PemContent *given, int64 at);
extern ClientCertificate *judge_peer_certificate(X509 *leaf, STACK_OF(X509) *sent, int64 at);

#endif							/* SSLPOLICY_CLIENTCERT_H */
