/*-------------------------------------------------------------------------
 *
 * serverca.h
 *		The server's certificate as its clients see it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_SERVERCA_H
#define SSLPOLICY_SERVERCA_H

#include <openssl/x509.h>

#include "policy/facts.h"

typedef struct ServerIdentity
{
	X509	   *leaf;			/* NULL: there is none, see error */
	STACK_OF(X509) *sent;		/* what the server sends with it, as far as that is
								 * known */
	STACK_OF(X509) *anchors;	/* what a client needs to verify it: roots, and
								 * intermediates that the server does not send */
	char	   *error;			/* why there are no anchors; NULL if there are */
	char	   *hint;			/* what to do about it, a sentence */
	CertFacts  *facts;			/* of the leaf */
	char	   *refusal;		/* why a client that has the anchors would refuse it
								 * all the same; NULL if it would not */
} ServerIdentity;

extern ServerIdentity *server_identity(int64 now);
extern char *strict_refusal(const ServerIdentity *identity, int64 now);
extern char *anchors_pem(const ServerIdentity *identity);

#endif							/* SSLPOLICY_SERVERCA_H */
