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

#include "facts.h"

extern CertFacts *read_certificate(X509 *leaf, STACK_OF(X509) *chain);

#endif							/* SSLPOLICY_X509_H */
