/*-------------------------------------------------------------------------
 *
 * chain.h
 *		What certificates are to each other, and whether OpenSSL verifies them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CHAIN_H
#define SSLPOLICY_CHAIN_H

#include <openssl/x509_vfy.h>

#include "policy/facts.h"

#define VERIFY_MAX_ERRORS 8

/* What OpenSSL makes of a certificate. */
typedef struct Verification
{
	bool		ok;
	int			nerrors;		/* different ones, in the order of their finding */
	int			errors[VERIFY_MAX_ERRORS];	/* X509_V_ERR_... */
	char	   *culprits[VERIFY_MAX_ERRORS];	/* subject of the certificate
												 * concerned; "" if not known */
	bool		revoked;		/* it, or one that verified it */
	int64		revoked_since;	/* seconds since 1970-01-01 UTC */
	int			nchain;
	char	  **chain;			/* subjects, leaf first */
	CertFacts  *facts;			/* of the certificate, with the chain that was found;
								 * NULL if one of them cannot be read */
} Verification;

extern bool is_self_signed(X509 *cert);
extern bool is_issued_by(X509 *cert, X509 *issuer);
extern bool is_same_ca(X509 *a, X509 *b);
extern X509 *find_issuer(X509 *cert, STACK_OF(X509) *candidates);
extern bool has_certificate(STACK_OF(X509) *certs, X509 *cert);
extern X509 *find_certificate_by_fingerprint(STACK_OF(X509) *certs, const uint8 *fingerprint);
extern X509 *find_certificate_by_key(STACK_OF(X509) *certs, EVP_PKEY *key);
extern X509 *find_leaf_certificate(STACK_OF(X509) *certs);
extern Verification *verify_in_store(X509_STORE *store, X509 *cert,
									 STACK_OF(X509) *untrusted, int purpose,
									 int level, int64 at);
extern Verification *verify_ca(STACK_OF(X509) *cas, X509 *ca, int level, int64 at);
extern X509 *make_client_of(X509 *ca, bool with_key_id);
extern bool has_verify_error(const Verification *v, int error);
extern char *verification_text(const Verification *v);
extern bool add_certificate_once(STACK_OF(X509) *set, X509 *cert);

#endif							/* SSLPOLICY_CHAIN_H */
