/*-------------------------------------------------------------------------
 *
 * crlkey.h
 *		Keys of the records in an index of CRLs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CRLKEY_H
#define SSLPOLICY_CRLKEY_H

#include <openssl/evp.h>

#include "pki/x509.h"

#define CRL_KEY_LEN 20

/* For many keys: what takes long to get is kept. */
typedef struct CrlKeyMaker
{
	EVP_MD_CTX *ctx;
} CrlKeyMaker;

/* identity is ca_identity()'s; false if OpenSSL fails, or serial is no number */
extern bool crl_entry_key(const uint8 *identity, const uint8 *serial, int len, uint8 *key);
extern bool decimal_crl_entry_key(const uint8 *identity, const char *serial, uint8 *key);
extern void make_ca_keys(CaFacts *ca);

extern void init_crl_key_maker(CrlKeyMaker *maker);
extern void free_crl_key_maker(CrlKeyMaker *maker);
extern bool make_crl_issuer_key(CrlKeyMaker *maker, const uint8 *identity, uint8 *key);
extern bool make_crl_scope_key(CrlKeyMaker *maker, const uint8 *identity, int covers,
							   const uint8 *point, uint8 *key);
extern bool make_crl_limited_key(CrlKeyMaker *maker, const uint8 *identity, uint8 *key);
extern bool make_crl_unread_key(CrlKeyMaker *maker, const uint8 *identity, uint8 *key);
extern bool make_crl_unread_name_key(CrlKeyMaker *maker, const char *issuer_dn, uint8 *key);
extern bool make_crl_entry_key(CrlKeyMaker *maker, const uint8 *identity,
							   const uint8 *serial, int len, uint8 *key);
extern bool make_decimal_crl_entry_key(CrlKeyMaker *maker, const uint8 *identity,
									   const char *serial, uint8 *key);

#endif							/* SSLPOLICY_CRLKEY_H */
