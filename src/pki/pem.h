/*-------------------------------------------------------------------------
 *
 * pem.h
 *		PEM and DER to certificates and CRLs, and back.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_PEM_H
#define SSLPOLICY_PEM_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/pure.h"

/* What a line that begins or ends a block begins with. */
#define PEM_BLOCK_BEGIN "-----BEGIN "
#define PEM_BLOCK_END	"-----END "

/*
 * The most that callers give of certificates: several times what operating systems
 * trust.  To judge them takes the square of their number in time.
 */
#define MAX_PEM_BYTES		   (1024 * 1024)
#define MAX_CERTIFICATES	   1000
#define MAX_CHAIN_CERTIFICATES 100

/* What a PEM text holds, in its order. */
typedef struct PemContent
{
	STACK_OF(X509) *certs;
	STACK_OF(X509_CRL) *crls;
	int			nkeys;			/* private keys, which are not read */
	int			nothers;		/* other blocks that the server would ignore */
	char	   *other;			/* the type of the first of these */
} PemContent;

extern PemContent *new_pem_content(void);
extern void free_pem_content(void *content);
extern PemContent *read_pem(const char *text, size_t len, char **error);
extern X509 *read_pem_first_certificate(const char *text, size_t len);
extern EVP_PKEY *read_pem_private_key(const char *text, size_t len, char **error);
extern bool has_text_outside_pem(const char *text, size_t len);
extern bool mentions_private_key(const char *text, size_t len);
extern bool append_pem_certificate(StringInfo buf, X509 *cert);
extern bool append_pem_crl(StringInfo buf, X509_CRL *crl);
extern bool append_pem_private_key(StringInfo buf, EVP_PKEY *key);
extern bool append_pem_request(StringInfo buf, X509_REQ *request);
extern char *openssl_reason(void);

#endif							/* SSLPOLICY_PEM_H */
