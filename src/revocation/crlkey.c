/*-------------------------------------------------------------------------
 *
 * crlkey.c
 *		Keys of the records in an index of CRLs.
 *
 * A key is the first bytes of a SHA-256 over what it is the key of, the
 * identity of the CA, and, of a certificate, its serial number, or, of a scope, which
 * certificates it is for and the name of a distribution point.
 *
 *-------------------------------------------------------------------------
 */
#include "revocation/crlkey.h"

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/err.h>

#include "pki/der.h"

#define KEY_ISSUER	0x01
#define KEY_ENTRY	0x02
#define KEY_SCOPE	0x03
#define KEY_LIMITED 0x04
#define KEY_UNREAD	0x05
#define KEY_NAME	0x06

/*
 * If OpenSSL fails here, no key can be made.
 */
void
init_crl_key_maker(CrlKeyMaker *maker)
{
	maker->ctx = EVP_MD_CTX_new();
}

void
free_crl_key_maker(CrlKeyMaker *maker)
{
	EVP_MD_CTX_free(maker->ctx);
	maker->ctx = NULL;
}

static bool
make_key(CrlKeyMaker *maker, uint8 what, const uint8 *identity,
		 const uint8 *serial, int len, uint8 *key)
{
	uint8		head[1 + CA_IDENTITY_LEN];
	uint8		digest[EVP_MAX_MD_SIZE];

	head[0] = what;
	memcpy(head + 1, identity, CA_IDENTITY_LEN);
	if (maker->ctx == NULL ||
		EVP_DigestInit_ex2(maker->ctx, openssl_sha256(), NULL) != 1 ||
		EVP_DigestUpdate(maker->ctx, head, sizeof(head)) != 1 ||
		(len > 0 && EVP_DigestUpdate(maker->ctx, serial, (size_t) len) != 1) ||
		EVP_DigestFinal_ex(maker->ctx, digest, NULL) != 1)
	{
		ERR_clear_error();
		return false;
	}
	memcpy(key, digest, CRL_KEY_LEN);
	return true;
}

/*
 * The key of the record that says that the index knows all that a CA has
 * revoked, whichever certificate it is.
 */
bool
make_crl_issuer_key(CrlKeyMaker *maker, const uint8 *identity, uint8 *key)
{
	return make_key(maker, KEY_ISSUER, identity, NULL, 0, key);
}

/*
 * The key of a certificate of that CA.  The serial is the content of a DER
 * INTEGER.
 */
bool
make_crl_entry_key(CrlKeyMaker *maker, const uint8 *identity, const uint8 *serial,
				   int len, uint8 *key)
{
	return make_key(maker, KEY_ENTRY, identity, serial, len, key);
}

/*
 * The key of the record that says so for certificates of some kind, those that name a
 * distribution point; NULL: whatever they name.
 */
bool
make_crl_scope_key(CrlKeyMaker *maker, const uint8 *identity, int covers,
				   const uint8 *point, uint8 *key)
{
	uint8		scope[1 + POINT_LEN] = {(uint8) covers};

	if (point)
		memcpy(scope + 1, point, POINT_LEN);
	return make_key(maker, KEY_SCOPE, identity, scope, point ? (int) sizeof(scope) : 1, key);
}

/*
 * The key of the record that says that a CA has a CRL for some certificates.
 */
bool
make_crl_limited_key(CrlKeyMaker *maker, const uint8 *identity, uint8 *key)
{
	return make_key(maker, KEY_LIMITED, identity, NULL, 0, key);
}

/*
 * The key of the record that says that a CRL with the name of a CA could not be used.
 */
bool
make_crl_unread_key(CrlKeyMaker *maker, const uint8 *identity, uint8 *key)
{
	return make_key(maker, KEY_UNREAD, identity, NULL, 0, key);
}

/*
 * The same for a CRL with a name that no known CA has, as it is in CaFacts.  Case does not
 * matter, as in the comparison of names.
 */
bool
make_crl_unread_name_key(CrlKeyMaker *maker, const char *issuer_dn, uint8 *key)
{
	static const uint8 none[CA_IDENTITY_LEN];
	char	   *folded = pstrdup(issuer_dn);
	bool		ok;

	for (char *c = folded; *c; c++)
		*c = (char) pg_ascii_tolower((unsigned char) *c);
	ok = make_key(maker, KEY_NAME, none, (uint8 *) folded, (int) strlen(folded), key);
	pfree(folded);
	return ok;
}

bool
crl_entry_key(const uint8 *identity, const uint8 *serial, int len, uint8 *key)
{
	CrlKeyMaker maker;
	bool		ok;

	init_crl_key_maker(&maker);
	ok = make_crl_entry_key(&maker, identity, serial, len, key);
	free_crl_key_maker(&maker);
	return ok;
}

/*
 * The same with the serial in decimal, as it is in CertFacts.
 */
bool
make_decimal_crl_entry_key(CrlKeyMaker *maker, const uint8 *identity, const char *serial, uint8 *key)
{
	BIGNUM	   *number = NULL;
	ASN1_INTEGER *integer = NULL;
	unsigned char *der = NULL;
	int			len = 0;
	Slice		from;
	Slice		content;
	bool		ok;

	if (serial[0] != '\0' && BN_dec2bn(&number, serial) == (int) strlen(serial))
		integer = BN_to_ASN1_INTEGER(number, NULL);
	if (integer)
		len = i2d_ASN1_INTEGER(integer, &der);
	from.pos = der;
	from.end = len > 0 ? der + len : der;
	ok = len > 0 && next_der_integer(&from, &content) &&
		make_crl_entry_key(maker, identity, content.pos, (int) slice_len(&content), key);
	OPENSSL_free(der);
	ASN1_INTEGER_free(integer);
	BN_free(number);
	if (!ok)
		ERR_clear_error();
	return ok;
}

bool
decimal_crl_entry_key(const uint8 *identity, const char *serial, uint8 *key)
{
	CrlKeyMaker maker;
	bool		ok;

	init_crl_key_maker(&maker);
	ok = make_decimal_crl_entry_key(&maker, identity, serial, key);
	free_crl_key_maker(&maker);
	return ok;
}

/*
 * The keys by which the certificates of a CA, and that of a root itself, are looked up.
 */
void
make_ca_keys(CaFacts *ca)
{
	CrlKeyMaker maker;

	init_crl_key_maker(&maker);
	ca->keys.made = make_crl_issuer_key(&maker, ca->identity, ca->keys.issuer) &&
		make_decimal_crl_entry_key(&maker, ca->identity, ca->serial, ca->keys.root);
	free_crl_key_maker(&maker);
}
