/*-------------------------------------------------------------------------
 *
 * x509.h
 *		OpenSSL's certificates as plain data.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_X509_H
#define SSLPOLICY_X509_H

#include <openssl/x509.h>

#include "policy/dn.h"
#include "policy/facts.h"

/* The longest serial number, and CRL number, in bytes; RFC 5280 has 20. */
#define MAX_SERIAL 128

extern CertFacts *read_certificate(X509 *leaf, STACK_OF(X509) *chain);
extern bool read_ca(X509 *ca, CaFacts *facts);
extern char *dn_text(const X509_NAME *name);
extern bool is_garbled_name(const X509_NAME *name);
extern bool name_add_attribute(X509_NAME *name, const DnAttribute *attribute);
extern char *integer_text(const ASN1_INTEGER *value);
extern bool read_asn1_time(const ASN1_TIME *time, int64 *seconds);
extern bool certificate_fingerprint(const X509 *cert, uint8 *digest);
extern bool public_key_hash(X509 *cert, uint64 *hash);
extern bool is_same_public_key(X509 *a, X509 *b);
extern bool private_key_hash(EVP_PKEY *key, uint64 *hash);
extern bool ca_identity(X509 *ca, uint8 *identity);

#endif							/* SSLPOLICY_X509_H */
