/*-------------------------------------------------------------------------
 *
 * dnform.h
 *		Distinguished names as other programs write them, in the form of the facts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_DNFORM_H
#define SSLPOLICY_DNFORM_H

#include <openssl/asn1.h>

#include "base/pure.h"

extern char *dn_meant(const char *text);
extern bool is_garbled_string(const ASN1_STRING *string);

#endif							/* SSLPOLICY_DNFORM_H */
