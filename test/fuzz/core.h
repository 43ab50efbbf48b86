/*-------------------------------------------------------------------------
 *
 * core.h
 *		What PostgreSQL itself makes of a client's certificate.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_FUZZ_CORE_H
#define SSLPOLICY_FUZZ_CORE_H

#include <openssl/x509.h>

#include "base/pure.h"

extern bool core_accepts_cn(X509 *cert);
extern bool is_other_than_ascii(const ASN1_STRING *value);
extern bool has_other_than_ascii(const X509_NAME *name);
extern bool is_utf8(const ASN1_STRING *value);
extern char *decoded_string(const ASN1_STRING *value, size_t *len);
extern char *printed_dn(const X509_NAME *name, unsigned long flags);

#endif							/* SSLPOLICY_FUZZ_CORE_H */
