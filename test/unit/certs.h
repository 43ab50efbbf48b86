/*-------------------------------------------------------------------------
 *
 * certs.h
 *		Certificates for the tests of x509.c, made in memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CERTS_H
#define SSLPOLICY_CERTS_H

#include <openssl/asn1.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "policy/facts.h"

/* one attribute of a name */
typedef struct Attribute
{
	int			nid;			/* 0: the end of a list */
	int			string_type;	/* V_ASN1_UTF8STRING, ... */
	const char *bytes;			/* as they stand in the certificate */
	int			len;			/* -1: up to the terminating zero */
} Attribute;

#define CN(text) \
	{ \
		NID_commonName, V_ASN1_UTF8STRING, text, -1 \
	}

extern EVP_PKEY *test_key(void);
extern X509_NAME *make_name(const Attribute *attributes);
extern X509 *new_cert(const Attribute *subject);
extern void set_der(X509 *cert, int nid, const char *bytes, int len);
extern X509 *as_received(X509 *cert);
extern char *rfc2253(const X509_NAME *name);
extern bool all_printable(const CertFacts *cert);

#endif							/* SSLPOLICY_CERTS_H */
