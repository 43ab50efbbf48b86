/*-------------------------------------------------------------------------
 *
 * crls.h
 *		CRLs for the tests of crlreader.c, made in memory, and what it reads.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CRLS_H
#define SSLPOLICY_CRLS_H

#include <openssl/err.h>

#include "certs.h"
#include "revocation/crlreader.h"
#include "tap.h"

#define MAX_ENTRIES	   3000
#define MAX_SERIAL_LEN 128

typedef struct Bytes
{
	const char *data;
	size_t		len;
} Bytes;

/* An entry as the sink got it. */
typedef struct Seen
{
	int			crl;
	int			len;
	int			reason;
	int64		since;
	uint8		serial[MAX_SERIAL_LEN];
} Seen;

/* of the last read_bytes() */
extern Seen seen[MAX_ENTRIES];
extern int	nseen;
extern int	npauses;

/* how many bytes the next ones get at a time */
extern size_t chunk_size;

extern void must(bool done, const char *what);
extern CrlFile *read_bytes(Bytes bytes, STACK_OF(X509) *cas, char **error);
extern X509 *make_ca(const char *name, EVP_PKEY *key, const char *usage);
extern STACK_OF(X509) *cas_of(X509 *a, X509 *b, X509 *c);
extern X509_CRL *new_crl(X509 *ca);
extern void revoke(X509_CRL *crl, const ASN1_INTEGER *serial, const char *date, int reason);
extern void revoke_number(X509_CRL *crl, long serial, int reason);
extern Bytes signed_der(X509_CRL *crl, EVP_PKEY *key, const EVP_MD *digest, int salt_len);
extern Bytes as_pem(Bytes der);
extern Bytes joined(Bytes a, Bytes b);
extern Bytes str(const char *s);
extern CrlFacts *openssl_facts(Bytes der);
extern bool same_facts(const CrlFacts *a, const CrlFacts *b);

/*
 * Is a file refused, and for this reason?
 */
static inline void
check_error(Bytes bytes, const char *expected, const char *what)
{
	char	   *error;
	CrlFile    *file = read_bytes(bytes, NULL, &error);

	ok(file == NULL, "%s: refused", what);
	has_str(error, expected, "%s: why", what);
	must(ERR_peek_error() == 0, "leave OpenSSL's queue empty");
}

/*
 * Is what is bad in a file passed over, for this reason, and the other CRL in it read?
 */
static inline void
check_passed_over(Bytes bytes, const char *expected, const char *what)
{
	char	   *error;
	CrlFile    *file = read_bytes(bytes, NULL, &error);

	ok(file != NULL && file->ncrls == 1 && file->nbad == 1, "%s: the other CRL is read", what);
	has_str(file && file->nbad ? file->bad[0] : "", expected, "%s: why", what);
	must(ERR_peek_error() == 0, "leave OpenSSL's queue empty");
}

#endif							/* SSLPOLICY_CRLS_H */
