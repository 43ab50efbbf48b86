/*-------------------------------------------------------------------------
 *
 * x509.c
 *		OpenSSL's certificates as plain data.
 *
 * Turns what OpenSSL has parsed into CertFacts, which is all that policies see of a
 * certificate; no other file does.  Judges nothing: whether a
 * certificate is good enough is for evaluate.c to say.  Input is hostile; what
 * cannot be read makes the whole certificate unreadable (NULL) or, where that
 * is safe, a name that matches nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "pki/x509.h"

#include <arpa/inet.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "common/hashfn.h"

#include "base/escape.h"
#include "pki/canonname.h"
#include "pki/distpoint.h"
#include "pki/knownca.h"
#include "policy/dnform.h"

/*
 * Does an attribute of a name not fit its type?  Then the name matches nothing.
 */
bool
is_garbled_name(const X509_NAME *name)
{
	for (int i = 0; i < X509_NAME_entry_count(name); i++)
		if (is_garbled_string(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i))))
			return true;
	return false;
}

/*
 * The same name for printing, with attributes that do not fit their type in
 * hexadecimal, as RFC 2253 writes what is no text: OpenSSL prints so the DER of a
 * SEQUENCE, as it is.  NULL if it cannot be made.
 */
static X509_NAME *
with_garbled_in_hex(const X509_NAME *name)
{
	X509_NAME  *copy = X509_NAME_dup(name);
	bool		ok = copy != NULL;

	for (int i = 0; ok && i < X509_NAME_entry_count(copy); i++)
	{
		X509_NAME_ENTRY *entry = X509_NAME_get_entry(copy, i);
		const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
		unsigned char *der = NULL;
		int			len;

		if (!is_garbled_string(value))
			continue;
		len = i2d_ASN1_PRINTABLE(value, &der);
		ok = len > 0 && X509_NAME_ENTRY_set_data(entry, V_ASN1_SEQUENCE, der, len) == 1;
		OPENSSL_free(der);
	}
	if (ok)
		return copy;
	X509_NAME_free(copy);
	return NULL;
}

static char *
printed_name(const X509_NAME *name)
{
	BIO		   *bio = BIO_new(BIO_s_mem());
	char	   *data = NULL;
	char	   *result = NULL;
	long		len;

	if (bio == NULL)
		return NULL;
	if (X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0)
	{
		len = BIO_get_mem_data(bio, &data);
		if (len >= 0 && (len == 0 || memchr(data, '\0', (size_t) len) == NULL))
		{
			result = palloc((Size) len + 1);
			if (len > 0)
				memcpy(result, data, (size_t) len);
			result[len] = '\0';
		}
	}
	BIO_free(bio);
	return result;
}

/*
 * A name in RFC 2253 form, whole.  XN_FLAG_RFC2253 escapes control characters
 * and everything outside ASCII.  NULL if OpenSSL cannot print it.
 */
char *
dn_text(const X509_NAME *name)
{
	X509_NAME  *in_hex;
	char	   *result;

	if (!is_garbled_name(name))
		return printed_name(name);
	in_hex = with_garbled_in_hex(name);
	result = in_hex ? printed_name(in_hex) : NULL;
	X509_NAME_free(in_hex);
	return result;
}

/*
 * Add the next attribute of a DN that was read.  Text has the last one of a name
 * first, so each is put before those before it.  False, with OpenSSL's error
 * queued, if there is no such attribute or it cannot have this value.
 */
bool
name_add_attribute(X509_NAME *name, const DnAttribute *attribute)
{
	return X509_NAME_add_entry_by_txt(name, attribute->type, MBSTRING_UTF8,
									  (unsigned char *) attribute->value, attribute->value_len,
									  0, attribute->joined ? 1 : 0) == 1;
}

/*
 * An ASN.1 string as UTF-8 in escaped form; NULL if it is not valid in its own
 * encoding.  As OpenSSL does it: a TeletexString is Latin-1, a BMPString or
 * UniversalString is Unicode.
 */
static char *
string_text(const ASN1_STRING *value)
{
	unsigned char *utf8 = NULL;
	int			len = is_garbled_string(value) ? -1 : ASN1_STRING_to_UTF8(&utf8, value);
	char	   *result;

	if (len < 0)
		return NULL;
	result = escape_bytes((char *) utf8, len);
	OPENSSL_free(utf8);
	return result;
}

/*
 * The common name.  A subject with several of them names nobody in particular,
 * so none is reported then; nor is one that PostgreSQL refuses the certificate
 * for: with a NUL in the bytes that stand there (be_tls_open_server), as also
 * "app" in a BMPString has.
 */
static void
read_common_name(CertFacts *cert, const X509_NAME *subject)
{
	int			index = -1;
	int			only = -1;
	const ASN1_STRING *value;
	char	   *text;

	while ((index = X509_NAME_get_index_by_NID((X509_NAME *) subject,
											   NID_commonName, index)) >= 0)
	{
		only = index;
		cert->cn_count++;
	}
	if (cert->cn_count != 1)
		return;
	value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, only));
	text = string_text(value);
	cert->cn_garbled = text == NULL;
	if (memchr(ASN1_STRING_get0_data(value), '\0', (size_t) ASN1_STRING_length(value)) == NULL)
		cert->cn = text;
}

/*
 * A certificate can have thousands of names, so without psprintf().
 */
static char *
prefixed(const char *prefix, const char *text)
{
	size_t		prefix_len = strlen(prefix);
	size_t		len = strlen(text);
	char	   *result = palloc(prefix_len + len + 1);

	memcpy(result, prefix, prefix_len);
	memcpy(result + prefix_len, text, len + 1);
	return result;
}

static bool
is_upn(const GENERAL_NAME *name)
{
	int			type;
	const OTHERNAME *other = GENERAL_NAME_get0_value(name, &type);

	return type == GEN_OTHERNAME && OBJ_obj2nid(other->type_id) == NID_ms_upn;
}

/*
 * A user principal name, as Active Directory has it: in UTF-8.  Other types are taken
 * where there is no doubt what their bytes mean, so no TeletexString; nor is anything
 * with a NUL in it.  What is not taken is shown in DER.
 */
static char *
upn_text(const ASN1_TYPE *value)
{
	char	   *text = NULL;
	unsigned char *der = NULL;
	int			len;
	StringInfoData hex;

	switch (value->type)
	{
		case V_ASN1_UTF8STRING:
		case V_ASN1_NUMERICSTRING:
		case V_ASN1_PRINTABLESTRING:
		case V_ASN1_IA5STRING:
		case V_ASN1_VISIBLESTRING:
		case V_ASN1_BMPSTRING:
		case V_ASN1_UNIVERSALSTRING:
			text = string_text(value->value.asn1_string);
	}
	/* in escaped form nothing else looks like it */
	if (text != NULL && strstr(text, "\\00") == NULL)
		return prefixed("upn:", text);

	len = i2d_ASN1_TYPE(value, &der);
	initStringInfo(&hex);
	appendStringInfoString(&hex, "badupn:#");
	if (len > 0)
		append_hex(&hex, der, len);
	OPENSSL_free(der);
	return hex.data;
}

/*
 * One subject alternative name (RFC 5280 section 4.2.1.6) with its type.
 */
static char *
general_name_text(const GENERAL_NAME *name)
{
	int			type;
	void	   *value = GENERAL_NAME_get0_value(name, &type);

	switch (type)
	{
		case GEN_DNS:
		case GEN_EMAIL:
		case GEN_URI:
		{
			const ASN1_STRING *ia5 = value;
			char	   *text = prefixed(type == GEN_DNS		? "dns:" :
											type == GEN_EMAIL ? "email:" :
																"uri:",
										escape_bytes((const char *) ASN1_STRING_get0_data(ia5),
													 ASN1_STRING_length(ia5)));

			return is_garbled_string(ia5) ? prefixed("bad", text) : text;
		}
		case GEN_IPADD:
		{
			const ASN1_STRING *ip = value;
			int			len = ASN1_STRING_length(ip);
			char		text[INET6_ADDRSTRLEN];

			if ((len == 4 || len == 16) &&
				inet_ntop(len == 4 ? AF_INET : AF_INET6,
						  ASN1_STRING_get0_data(ip), text, sizeof(text)))
				return prefixed("ip:", text);
			return prefixed("badip:",
							escape_bytes((const char *) ASN1_STRING_get0_data(ip),
										 len));
		}
		case GEN_DIRNAME:
		{
			char	   *text = dn_text(value);

			return prefixed("dirname:", text ? text : "");
		}
		case GEN_RID:
		case GEN_OTHERNAME:
		{
			const ASN1_OBJECT *oid = type == GEN_RID ? value :
													   ((OTHERNAME *) value)->type_id;
			char		text[128];

			if (is_upn(name))
				return upn_text(((OTHERNAME *) value)->value);
			if (OBJ_obj2txt(text, sizeof(text), oid, 1) <= 0)
				text[0] = '\0';
			return prefixed(type == GEN_RID ? "rid:" : "othername:", text);
		}
		default:
			return prefixed("other:", "");
	}
}

/*
 * The subject alternative names.  False if there are some that cannot be read.
 */
static bool
read_alternative_names(CertFacts *cert, X509 *leaf)
{
	int			critical;
	GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name,
											&critical, NULL);

	/* -1: no such extension; -2: several, or >= 0: not decodable */
	if (names == NULL)
		return critical == -1;

	cert->nsans = sk_GENERAL_NAME_num(names);
	cert->sans = palloc(sizeof(char *) * (Size) (cert->nsans + 1));
	for (int i = 0; i < cert->nsans; i++)
	{
		cert->sans[i] = general_name_text(sk_GENERAL_NAME_value(names, i));
		cert->upn_count += is_upn(sk_GENERAL_NAME_value(names, i));
	}
	GENERAL_NAMES_free(names);
	return true;
}

/*
 * ASN.1 time to seconds since 1970 (UTC).
 */
bool
read_asn1_time(const ASN1_TIME *time, int64 *seconds)
{
	static const struct tm epoch = {.tm_year = 70, .tm_mday = 1};
	struct tm	tm;
	int			days;
	int			rest;

	if (ASN1_TIME_to_tm(time, &tm) != 1 || OPENSSL_gmtime_diff(&days, &rest, &epoch, &tm) != 1)
		return false;
	*seconds = (int64) days * 86400 + rest;
	return true;
}

/* 2.41 digits a byte, a sign and a zero */
StaticAssertDecl(MAX_SERIAL_TEXT >= MAX_SERIAL * 241 / 100 + 3, "MAX_SERIAL_TEXT has room for a serial");

/* a part of a number that any BN_ULONG has room for */
#define PART		1000000000
#define PART_DIGITS 9

/*
 * An ASN.1 integer in decimal; NULL if it is longer than MAX_SERIAL: the time that
 * decimal digits take grows with the square of the length, and nothing could
 * interrupt it.  BN_bn2dec() takes three times as long.
 */
char *
integer_text(const ASN1_INTEGER *value)
{
	BIGNUM	   *number = ASN1_STRING_length(value) > MAX_SERIAL ? NULL :
															  ASN1_INTEGER_to_BN(value, NULL);
	char		text[MAX_SERIAL_TEXT + PART_DIGITS];
	char	   *pos = text + sizeof(text) - 1;
	bool		negative = number && BN_is_negative(number);
	BN_ULONG	part = 0;

	if (number == NULL)
		return NULL;
	*pos = '\0';
	while (!BN_is_zero(number) && part != (BN_ULONG) -1)
	{
		part = BN_div_word(number, PART);
		for (BN_ULONG rest = part, i = 0; i < PART_DIGITS; rest /= 10, i++)
			*--pos = (char) ('0' + rest % 10);
	}
	BN_free(number);
	if (part == (BN_ULONG) -1)
		return NULL;
	while (*pos == '0')
		pos++;
	if (*pos == '\0')
		*--pos = '0';
	if (negative)
		*--pos = '-';
	return pstrdup(pos);
}

/*
 * SHA-256 of the DER.
 */
bool
certificate_fingerprint(const X509 *cert, uint8 *digest)
{
	unsigned int len = 0;
	unsigned char sha256[EVP_MAX_MD_SIZE];

	if (X509_digest(cert, openssl_sha256(), sha256, &len) != 1 ||
		len != FINGERPRINT_LEN)
		return false;
	memcpy(digest, sha256, FINGERPRINT_LEN);
	return true;
}

/*
 * The bits of a public key, without the name of its algorithm (an RSA key can be one for
 * RSASSA-PSS only).  False if OpenSSL fails.
 */
static bool
key_bits(const X509_PUBKEY *key, const unsigned char **bits, int *len)
{
	return key != NULL && X509_PUBKEY_get0_param(NULL, bits, len, NULL, key) == 1 && *len > 0;
}

static bool
key_bits_hash(const X509_PUBKEY *key, uint64 *hash)
{
	const unsigned char *bits;
	int			len;
	bool		ok = key_bits(key, &bits, &len);

	if (ok)
		*hash = hash_bytes_extended(bits, len, 0);
	ERR_clear_error();
	return ok;
}

/*
 * Do certificates have the same key?
 */
bool
is_same_public_key(X509 *a, X509 *b)
{
	const unsigned char *bits;
	const unsigned char *other;
	int			len;
	int			other_len;

	return key_bits(X509_get_X509_PUBKEY(a), &bits, &len) &&
		key_bits(X509_get_X509_PUBKEY(b), &other, &other_len) &&
		len == other_len && memcmp(bits, other, (size_t) len) == 0;
}

/*
 * A number by which certificates with the same key are recognized.  Other keys have the same
 * number by chance once in 2^64, or because somebody has made them so.  False if OpenSSL fails.
 */
bool
public_key_hash(X509 *cert, uint64 *hash)
{
	return key_bits_hash(X509_get_X509_PUBKEY(cert), hash);
}

/*
 * The same for the public key that belongs to a private key.
 */
bool
private_key_hash(EVP_PKEY *key, uint64 *hash)
{
	X509_PUBKEY *public_key = NULL;
	bool		ok = X509_PUBKEY_set(&public_key, key) == 1 && key_bits_hash(public_key, hash);

	X509_PUBKEY_free(public_key);
	ERR_clear_error();
	return ok;
}

/*
 * Is a public key written as nearly all are: RSA with the parameters that say nothing, a
 * point of a named curve not compressed?
 */
static bool
is_usual_encoding(const X509_PUBKEY *spki)
{
	ASN1_OBJECT *algorithm;
	const unsigned char *bits;
	X509_ALGOR *with_parameters;
	int			len;
	int			type;

	if (X509_PUBKEY_get0_param(&algorithm, &bits, &len, &with_parameters, spki) != 1)
		return true;
	X509_ALGOR_get0(NULL, &type, NULL, with_parameters);
	switch (OBJ_obj2nid(algorithm))
	{
		case NID_rsaEncryption:
			return type == V_ASN1_NULL;
		case NID_X9_62_id_ecPublicKey:
			return type == V_ASN1_OBJECT && len > 0 && bits[0] == POINT_CONVERSION_UNCOMPRESSED;
		default:
			return true;
	}
}

/*
 * The DER of a key as nearly all certificates would have it.  0, or less, if OpenSSL
 * cannot write it so.
 */
static int
usual_encoding(const EVP_PKEY *key, unsigned char **der)
{
	EVP_PKEY   *copy = key ? EVP_PKEY_dup((EVP_PKEY *) key) : NULL;
	int			len = 0;

	if (copy && (!EVP_PKEY_is_a(copy, "EC") || (EVP_PKEY_set_utf8_string_param(copy, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED) == 1 && EVP_PKEY_set_utf8_string_param(copy, OSSL_PKEY_PARAM_EC_ENCODING, OSSL_PKEY_EC_ENCODING_GROUP) == 1)))
		len = i2d_PUBKEY(copy, der);
	EVP_PKEY_free(copy);
	return len;
}

static bool
compute_ca_identity(X509 *ca, uint8 *identity)
{
	size_t		name_len;
	uint8	   *name = canonical_name(X509_get_subject_name(ca), &name_len);
	const X509_PUBKEY *key = X509_get_X509_PUBKEY(ca);
	unsigned char *spki = NULL;
	int			len = is_usual_encoding(key) ? 0 : usual_encoding(X509_get0_pubkey(ca), &spki);
	EVP_MD_CTX *sha256 = EVP_MD_CTX_new();
	unsigned char digest[EVP_MAX_MD_SIZE];
	bool		ok;

	if (len <= 0)
		len = i2d_X509_PUBKEY(key, &spki);
	ok = name != NULL && len > 0 && sha256 != NULL &&
		EVP_DigestInit_ex(sha256, openssl_sha256(), NULL) == 1 &&
		EVP_DigestUpdate(sha256, name, name_len) == 1 &&
		EVP_DigestUpdate(sha256, spki, (size_t) len) == 1 &&
		EVP_DigestFinal_ex(sha256, digest, NULL) == 1;
	if (ok)
		memcpy(identity, digest, CA_IDENTITY_LEN);
	if (name)
		pfree(name);
	EVP_MD_CTX_free(sha256);
	OPENSSL_free(spki);
	ERR_clear_error();
	return ok;
}

/*
 * What makes a CA the same one through all its certificates, renewed and
 * cross-signed: its name and its key, however they are written.  The first bytes of a
 * SHA-256 over the canonical form of the name and the DER of the
 * SubjectPublicKeyInfo, each of which says where it ends.  False if they cannot be
 * read.
 */
bool
ca_identity(X509 *ca, uint8 *identity)
{
	const CaFacts *known = known_ca(ca);

	if (known)
		memcpy(identity, known->identity, CA_IDENTITY_LEN);
	return known ? true : compute_ca_identity(ca, identity);
}

/*
 * Key and signature algorithm.  A key that OpenSSL cannot use has no name, but
 * such a key has signed no handshake either.
 */
static void
read_algorithms(CertFacts *cert, X509 *leaf)
{
	EVP_PKEY   *key = X509_get0_pubkey(leaf);
	const char *algorithm = NULL;

	if (key != NULL)
	{
		algorithm = EVP_PKEY_get0_type_name(key);
		if (algorithm == NULL)
			algorithm = OBJ_nid2sn(EVP_PKEY_get_base_id(key));
		cert->key_bits = EVP_PKEY_get_bits(key);
	}
	cert->key_algorithm = pstrdup(algorithm ? algorithm : "unknown");
	algorithm = OBJ_nid2ln(X509_get_signature_nid(leaf));
	cert->signature_algorithm = pstrdup(algorithm ? algorithm : "unknown");
}

/*
 * Read a CA.  False if that cannot be done.
 */
bool
read_ca(X509 *ca, CaFacts *facts)
{
	memset(facts, 0, sizeof(CaFacts));
	facts->subject_dn = dn_text(X509_get_subject_name(ca));
	facts->garbled = is_garbled_name(X509_get_subject_name(ca));
	facts->serial = integer_text(X509_get0_serialNumber(ca));
	if (facts->subject_dn == NULL || facts->serial == NULL ||
		!certificate_fingerprint(ca, facts->fingerprint) ||
		!ca_identity(ca, facts->identity))
		return false;
	read_certificate_points(ca, &facts->points);
	return true;
}

/*
 * What was read of a CA before, in fresh memory.
 */
static CaFacts
copy_known_ca(const CaFacts *known)
{
	CaFacts		result = *known;
	size_t		size = (size_t) known->points.count * POINT_LEN;

	result.subject_dn = pstrdup(known->subject_dn);
	result.serial = pstrdup(known->serial);
	result.points.digests = palloc(size + 1);
	memcpy(result.points.digests, known->points.digests, size);
	return result;
}

/*
 * The first CA of a verified chain: behind the leaf, or the leaf itself where it is its
 * own trust anchor.
 */
static int
first_ca(const STACK_OF(X509) *chain)
{
	return sk_X509_num(chain) > 1 ? 1 : 0;
}

static bool
read_chain(CertFacts *cert, STACK_OF(X509) *chain)
{
	int			count = chain ? sk_X509_num(chain) : 0;

	cert->cas = palloc0(sizeof(CaFacts) * (Size) (count + 1));
	for (int i = first_ca(chain); i < count; i++)
	{
		X509	   *ca = sk_X509_value(chain, i);
		const CaFacts *known = known_ca(ca);
		CaFacts    *facts = &cert->cas[cert->ncas++];

		if (known != NULL)
			*facts = copy_known_ca(known);
		else if (!read_ca(ca, facts))
			return false;
	}
	return true;
}

static bool
has_same_bytes(const X509_NAME *a, const X509_NAME *b)
{
	const unsigned char *bytes;
	const unsigned char *other;
	size_t		len;
	size_t		other_len;

	return X509_NAME_get0_der(a, &bytes, &len) == 1 && X509_NAME_get0_der(b, &other, &other_len) == 1 &&
		len == other_len && memcmp(bytes, other, len) == 0;
}

/*
 * The name of the issuer: nearly always that of the first CA, as it is written there.
 */
static char *
issuer_text(const CertFacts *cert, const X509 *leaf, STACK_OF(X509) *chain)
{
	const X509_NAME *name = X509_get_issuer_name(leaf);

	if (cert->ncas > 0 && has_same_bytes(name, X509_get_subject_name(sk_X509_value(chain, first_ca(chain)))))
		return pstrdup(cert->cas[0].subject_dn);
	return dn_text(name);
}

/*
 * Everything that policies and views want to know of a peer's certificate.
 *
 * chain is the verified chain, leaf first (SSL_get0_verified_chain), or NULL.
 * Returns NULL if the certificate cannot be read; OpenSSL's error queue is
 * left empty, because the server expects it so.
 */
CertFacts *
read_certificate(X509 *leaf, STACK_OF(X509) *chain)
{
	CertFacts  *cert = palloc0(sizeof(CertFacts));
	bool		ok = read_chain(cert, chain);

	cert->subject_dn = dn_text(X509_get_subject_name(leaf));
	cert->subject_garbled = is_garbled_name(X509_get_subject_name(leaf));
	cert->issuer_dn = ok ? issuer_text(cert, leaf, chain) : NULL;
	cert->serial = integer_text(X509_get0_serialNumber(leaf));
	ok = ok && cert->subject_dn && cert->issuer_dn && cert->serial &&
		certificate_fingerprint(leaf, cert->fingerprint) &&
		read_asn1_time(X509_get0_notBefore(leaf), &cert->not_before) &&
		read_asn1_time(X509_get0_notAfter(leaf), &cert->not_after) &&
		read_alternative_names(cert, leaf);
	if (ok)
	{
		read_common_name(cert, X509_get_subject_name(leaf));
		read_algorithms(cert, leaf);
		read_certificate_points(leaf, &cert->points);
	}
	ERR_clear_error();
	return ok ? cert : NULL;
}
