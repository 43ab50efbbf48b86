/*-------------------------------------------------------------------------
 *
 * identity.h
 *		The server's certificate, its chain and its key.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_IDENTITY_H
#define SSLPOLICY_IDENTITY_H

#include "material/trust.h"

/* What judge_identity() is given, and what it finds. */
typedef struct Identity
{
	STACK_OF(X509) *given;		/* the certificates, in any order */
	STACK_OF(X509) *cas;		/* of ssl_ca_file, where roots may be */
	EVP_PKEY   *key;
	int			level;			/* OpenSSL's security level, for clients */
	X509	   *before;			/* the server's certificate until now, or NULL */
	int64		now;
	STACK_OF(X509) *chain;		/* result: leaf first */
} Identity;

extern bool leads_to_root(X509 *leaf, STACK_OF(X509) *sent, STACK_OF(X509) *cas, int64 now);
extern bool verifies_as_client(X509 *leaf, STACK_OF(X509) *sent, STACK_OF(X509) *cas, int level,
							   int64 now);
extern char *channel_binding_problem(X509 *leaf);
extern Refusal *judge_identity(Identity *identity, List **warnings);

#endif							/* SSLPOLICY_IDENTITY_H */
