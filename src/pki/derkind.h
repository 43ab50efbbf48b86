/*-------------------------------------------------------------------------
 *
 * derkind.h
 *		What DER is, by its first bytes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_DERKIND_H
#define SSLPOLICY_DERKIND_H

#include "base/pure.h"

typedef enum DerKind
{
	DER_UNKNOWN,				/* it may be a certificate, a CRL or a request */
	DER_PRIVATE_KEY,
	DER_PUBLIC_KEY,
	DER_PKCS7,
	DER_PKCS12,
	DER_JAVA_KEYSTORE,			/* no DER, but taken for it as often */
} DerKind;

/* What is not taken, and what makes of it what is. */
typedef struct DerRefusal
{
	const char *what;
	const char *hint;
} DerRefusal;

extern DerKind der_kind(const uint8 *bytes, size_t len);
extern const DerRefusal *der_refusal(DerKind kind);

#endif							/* SSLPOLICY_DERKIND_H */
