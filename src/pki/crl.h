/*-------------------------------------------------------------------------
 *
 * crl.h
 *		OpenSSL's certificate revocation lists as plain data.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CRL_H
#define SSLPOLICY_CRL_H

#include <openssl/x509.h>

#include "pki/distpoint.h"

typedef struct CrlFacts
{
	char	   *issuer_dn;		/* RFC 2253 form */
	char	   *number;			/* decimal; NULL if it has none */
	int64		this_update;	/* seconds since 1970-01-01 UTC */
	bool		has_next_update;
	int64		next_update;
	int			entries;
	uint8		fingerprint[FINGERPRINT_LEN];	/* SHA-256 of the DER */
	char	   *unsupported;	/* why it is no complete CRL of its issuer, in
								 * words; NULL if it is one */
	CrlScope	scope;			/* for which certificates */
} CrlFacts;

/* How a CRL is signed; the digest is of its TBSCertList. */
typedef struct SignatureScheme
{
	int			key_type;		/* EVP_PKEY_...; EVP_PKEY_RSA_PSS goes with keys
								 * of both types */
	const EVP_MD *digest;		/* NULL: the bytes themselves are signed */
	const EVP_MD *mgf1;			/* RSA-PSS only, as is the next */
	int			salt_len;
} SignatureScheme;

/* CAs, to be found by their names: among thousands it matters how. */
typedef struct NamedCa
{
	unsigned long hash;			/* of the name */
	int			position;		/* among the CAs */
} NamedCa;

typedef struct CasByName
{
	STACK_OF(X509) *cas;
	int			count;
	NamedCa    *sorted;
} CasByName;

extern CasByName *sort_cas_by_name(STACK_OF(X509) *cas);
extern int	find_cas_by_name(const CasByName *cas, const X509_NAME *name);
extern CrlFacts *read_crl(X509_CRL *crl);
extern int	compare_crl_age(const char *number, int64 this_update,
							const char *other_number, int64 other_update);
extern bool is_older_crl(const CrlFacts *crl, const CrlFacts *than);
extern bool is_same_scope(const CrlFacts *a, const CrlFacts *b);
extern bool is_crl_named_after(X509_CRL *crl, X509 *ca);
extern bool is_crl_signed_by(X509_CRL *crl, X509 *ca);
extern bool may_issue_crl(X509 *ca, X509_CRL *crl);
extern bool read_signature_scheme(const X509_ALGOR *algorithm, SignatureScheme *scheme);
extern bool has_signed_crl(X509 *ca, const SignatureScheme *scheme,
						   const uint8 *signature, size_t signature_len,
						   const uint8 *bytes, size_t len);
extern X509 *crl_issuer(X509_CRL *crl, STACK_OF(X509) *cas);
extern bool crl_fingerprint(X509_CRL *crl, uint8 *digest);

#endif							/* SSLPOLICY_CRL_H */
