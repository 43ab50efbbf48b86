/*-------------------------------------------------------------------------
 *
 * canonname.h
 *		Names in the one form that all spellings of them have in common.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CANONNAME_H
#define SSLPOLICY_CANONNAME_H

#include <openssl/x509.h>

#include "base/pure.h"

extern uint8 *canonical_name(const X509_NAME *name, size_t *len);
extern uint8 *canonical_dn(const char *text, size_t *len);

#endif							/* SSLPOLICY_CANONNAME_H */
