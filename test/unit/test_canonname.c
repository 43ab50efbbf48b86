/*-------------------------------------------------------------------------
 *
 * test_canonname.c
 *		Spellings of names: which are one, by canonname.c as by OpenSSL; and what is
 *		one CA by its name and key.
 *
 *-------------------------------------------------------------------------
 */
#include <openssl/err.h>
#include <openssl/sha.h>

#include "certs.h"
#include "tap.h"
#include "pki/canonname.h"
#include "pki/x509.h"

#define MAX_ATTRIBUTES 6

/* an attribute, and whether it belongs to the RDN of the one before */
typedef struct Part
{
	int			nid;			/* 0: the end of a list */
	int			string_type;
	const char *bytes;
	int			len;
	bool		joined;
} Part;

#define TEXT(nid, type, text) \
	{ \
		nid, type, text, sizeof(text) - 1, false \
	}
#define JOINED(nid, type, text) \
	{ \
		nid, type, text, sizeof(text) - 1, true \
	}
#define UTF8(text)		TEXT(NID_commonName, V_ASN1_UTF8STRING, text)
#define PRINTABLE(text) TEXT(NID_commonName, V_ASN1_PRINTABLESTRING, text)

static X509_NAME *
name_of(const Part *parts)
{
	X509_NAME  *name = X509_NAME_new();

	for (const Part *p = parts; p->nid; p++)
		if (X509_NAME_add_entry_by_NID(name, p->nid, p->string_type, (const unsigned char *) p->bytes,
									   p->len, -1, p->joined ? -1 : 0) != 1)
			return NULL;
	return name;
}

/*
 * OpenSSL hands out the beginning of a digest of its form.
 */
static bool
has_hash_of(const X509_NAME *name, const uint8 *form, size_t len)
{
	uint8		digest[SHA_DIGEST_LENGTH];
	int			done = 0;
	unsigned long hash = X509_NAME_hash_ex(name, NULL, NULL, &done);

	SHA1(form, len, digest);
	return done && hash == ((unsigned long) digest[0] | (unsigned long) digest[1] << 8 | (unsigned long) digest[2] << 16 | (unsigned long) digest[3] << 24);
}

static const struct
{
	const char *what;
	Part		one[MAX_ATTRIBUTES];
	Part		other[MAX_ATTRIBUTES];
	bool		same;
} pairs[] = {
	{"the same", {UTF8("Sub CA")}, {UTF8("Sub CA")}, true},
	{"another name", {UTF8("Sub CA")}, {UTF8("Sub CB")}, false},
	{"another case", {UTF8("Sub CA")}, {UTF8("SUB ca")}, true},
	{"letters at the ends of the alphabet", {UTF8("AZ")}, {UTF8("az")}, true},
	{"what stands beside letters", {UTF8("@[`{")}, {UTF8("`{@[")}, false},
	{"spaces before", {UTF8("Sub CA")}, {UTF8("  Sub CA")}, true},
	{"spaces behind", {UTF8("Sub CA")}, {UTF8("Sub CA ")}, true},
	{"more spaces within", {UTF8("Sub CA")}, {UTF8("Sub    CA")}, true},
	{"no space within", {UTF8("Sub CA")}, {UTF8("SubCA")}, false},
	{"other whitespace", {UTF8("Sub CA")}, {UTF8("\f\vSub\t\r\nCA\n")}, true},
	{"what is no whitespace", {UTF8("Sub CA")}, {UTF8("Sub\bCA")}, false},
	{"a space that is not ASCII", {UTF8("Sub CA")}, {UTF8("Sub\xC2\xA0"
														  "CA")},
	 false},
	{"nothing but spaces", {UTF8("")}, {UTF8(" \t ")}, true},
	{"an empty attribute and none", {UTF8("")}, {{0}}, false},
	{"no attributes", {{0}}, {{0}}, true},

	{"PrintableString and UTF8String", {UTF8("Sub CA")}, {PRINTABLE("sub ca")}, true},
	{"IA5String", {UTF8("Sub CA")}, {TEXT(NID_commonName, V_ASN1_IA5STRING, "sub ca")}, true},
	{"T61String, read as Latin-1", {UTF8("Caf\xC3\xA9")}, {TEXT(NID_commonName, V_ASN1_T61STRING, "CAF\xE9")}, true},
	{"BMPString", {UTF8("Caf\xC3\xA9")}, {TEXT(NID_commonName, V_ASN1_BMPSTRING, "\0C\0A\0F\0\xE9")}, true},
	{"UniversalString", {UTF8("a\xF0\x9F\x94\x92")}, {TEXT(NID_commonName, V_ASN1_UNIVERSALSTRING, "\0\0\0A\0\1\xF5\x12")}, true},
	{"NumericString, which is not text to OpenSSL", {UTF8("12")}, {TEXT(NID_commonName, V_ASN1_NUMERICSTRING, "12")}, false},
	{"NumericString, as it is written", {TEXT(NID_commonName, V_ASN1_NUMERICSTRING, "1 2")}, {TEXT(NID_commonName, V_ASN1_NUMERICSTRING, "1  2")}, false},
	{"bits, as they are written", {TEXT(NID_x500UniqueIdentifier, V_ASN1_BIT_STRING, "AB")}, {TEXT(NID_x500UniqueIdentifier, V_ASN1_BIT_STRING, "ab")}, false},
	{"the same bits", {TEXT(NID_x500UniqueIdentifier, V_ASN1_BIT_STRING, "AB")}, {TEXT(NID_x500UniqueIdentifier, V_ASN1_BIT_STRING, "AB")}, true},
	{"other letters in another case", {UTF8("Caf\xC3\xA9")}, {UTF8("Caf\xC3\x89")}, false},
	{"a letter composed and not", {UTF8("\xC3\xA9")}, {UTF8("e\xCC\x81")}, false},
	{"NUL within", {UTF8("a\0B")}, {UTF8("A\0b")}, true},
	{"NUL at the end", {UTF8("a")}, {UTF8("a\0")}, false},

	{"another attribute", {UTF8("a")}, {TEXT(NID_organizationName, V_ASN1_UTF8STRING, "a")}, false},
	{"RDNs in another order",
	 {UTF8("a"), TEXT(NID_organizationName, V_ASN1_UTF8STRING, "b")},
	 {TEXT(NID_organizationName, V_ASN1_UTF8STRING, "b"), UTF8("a")},
	 false},
	{"one RDN, and two",
	 {UTF8("a"), TEXT(NID_organizationName, V_ASN1_UTF8STRING, "b")},
	 {UTF8("a"), JOINED(NID_organizationName, V_ASN1_UTF8STRING, "b")},
	 false},
	{"the attributes of an RDN in another order",
	 {UTF8("a"), JOINED(NID_organizationName, V_ASN1_UTF8STRING, "b"), JOINED(NID_localityName, V_ASN1_UTF8STRING, "c")},
	 {TEXT(NID_localityName, V_ASN1_PRINTABLESTRING, "C"), JOINED(NID_commonName, V_ASN1_UTF8STRING, "A"), JOINED(NID_organizationName, V_ASN1_UTF8STRING, "b")},
	 true},
	{"the same attribute twice in an RDN, in another order",
	 {UTF8("a"), JOINED(NID_commonName, V_ASN1_UTF8STRING, "longer"), JOINED(NID_commonName, V_ASN1_UTF8STRING, "ab")},
	 {UTF8("longer"), JOINED(NID_commonName, V_ASN1_UTF8STRING, "AB"), JOINED(NID_commonName, V_ASN1_UTF8STRING, "a")},
	 true},
	{"attributes that move between RDNs",
	 {UTF8("a"), JOINED(NID_commonName, V_ASN1_UTF8STRING, "b"), UTF8("c")},
	 {UTF8("a"), UTF8("b"), JOINED(NID_commonName, V_ASN1_UTF8STRING, "c")},
	 false},
};

static void
test_pairs(void)
{
	for (size_t i = 0; i < lengthof(pairs); i++)
	{
		X509_NAME  *one = name_of(pairs[i].one);
		X509_NAME  *other = name_of(pairs[i].other);
		size_t		len;
		size_t		other_len;
		uint8	   *form;
		uint8	   *other_form;

		if (!ok(one && other, "%s: can be made", pairs[i].what))
			continue;
		form = canonical_name(one, &len);
		other_form = canonical_name(other, &other_len);
		ok(form && other_form && (len == other_len && memcmp(form, other_form, len) == 0) == pairs[i].same,
		   "%s: %s", pairs[i].what, pairs[i].same ? "one form" : "two forms");
		ok((X509_NAME_cmp(one, other) == 0) == pairs[i].same, "%s: so says OpenSSL", pairs[i].what);
		ok(has_hash_of(one, form, len) && has_hash_of(other, other_form, other_len),
		   "%s: the forms are OpenSSL's", pairs[i].what);
		X509_NAME_free(one);
		X509_NAME_free(other);
	}
}

/*
 * Attributes and RDNs of every length that takes another byte to write.
 */
static void
test_lengths(void)
{
	static const int lengths[] = {1, 110, 113, 114, 117, 118, 127, 128, 240, 245, 250, 255, 256, 65520, 65535, 65536, 70000};

	for (size_t i = 0; i < lengthof(lengths); i++)
	{
		char	   *text = palloc((Size) lengths[i] + 1);
		X509_NAME  *name;
		size_t		len;
		uint8	   *form;

		memset(text, 'X', (size_t) lengths[i]);
		text[lengths[i]] = '\0';
		name = name_of((Part[]){{NID_commonName, V_ASN1_UTF8STRING, text, lengths[i], false}, {0}});
		form = canonical_name(name, &len);
		ok(form && has_hash_of(name, form, len), "a name of %d letters", lengths[i]);
		X509_NAME_free(name);
	}
}

/*
 * Text that is none never reaches a server: OpenSSL does not read such a name.
 */
static void
test_unreadable(void)
{
	X509_NAME  *name = name_of((Part[]){UTF8("\xFF"), {0}});
	size_t		len;

	ok(name && canonical_name(name, &len) == NULL, "what cannot be read has no form");
	is_int((int64) ERR_peek_error(), 0, "and leaves no error behind");
	ok(i2d_X509_NAME(name, NULL) < 0, "OpenSSL cannot read it, either");
	ERR_clear_error();
	X509_NAME_free(name);
}

static void
test_identity(void)
{
	static const Attribute spellings[][2] = {
		{CN("Sub CA"), {0}},
		{CN("SUB CA"), {0}},
		{{NID_commonName, V_ASN1_PRINTABLESTRING, " Sub  CA ", -1}, {0}},
	};
	uint8		first[CA_IDENTITY_LEN] = {0};
	uint8		identity[CA_IDENTITY_LEN] = {0};
	Attribute	stranger[] = {CN("Sub C A"), {0}};
	X509	   *cert;

	for (size_t i = 0; i < lengthof(spellings); i++)
	{
		cert = as_received(new_cert(spellings[i]));
		ok(ca_identity(cert, i ? identity : first), "a CA has an identity");
		if (i)
			ok(memcmp(first, identity, CA_IDENTITY_LEN) == 0, "whatever the spelling of its name");
		X509_free(cert);
	}
	cert = as_received(new_cert(stranger));
	ok(ca_identity(cert, identity) && memcmp(first, identity, CA_IDENTITY_LEN) != 0,
	   "another name, with this key, is another CA");
	X509_free(cert);
}

/*
 * The identity of a CA with this key, which the certificate has as it is given.
 */
static bool
identity_of_key(X509_PUBKEY *key, uint8 *identity)
{
	static const Attribute subject[] = {CN("Sub CA"), {0}};
	X509	   *cert = new_cert(subject);
	unsigned char *der = NULL;
	const unsigned char *pos;
	X509_PUBKEY *in_cert = X509_get_X509_PUBKEY(cert);
	int			len = i2d_X509_PUBKEY(key, &der);
	bool		ok;

	pos = der;
	ok = len > 0 && d2i_X509_PUBKEY(&in_cert, &pos, len) != NULL;
	/* what is written has to be what was given */
	cert = ok ? as_received(cert) : NULL;
	if (cert)
	{
		unsigned char *again = NULL;

		ok = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &again) == len && memcmp(der, again, (size_t) len) == 0 &&
			ca_identity(cert, identity) && ERR_peek_error() == 0;
		OPENSSL_free(again);
	}
	X509_free(cert);
	OPENSSL_free(der);
	return ok;
}

static void
test_curves(void)
{
	static const struct
	{
		const char *encoding;
		const char *format;
	} ways[] = {
		{"named_curve", "uncompressed"},
		{"named_curve", "compressed"},
		{"named_curve", "hybrid"},
		{"explicit", "uncompressed"},
		{"explicit", "compressed"},
	};
	static const char *const curves[] = {"P-256", "P-384", "secp256k1"};
	uint8		before[CA_IDENTITY_LEN] = {0};
	uint8		first[CA_IDENTITY_LEN] = {0};
	uint8		identity[CA_IDENTITY_LEN] = {0};

	for (size_t c = 0; c < lengthof(curves); c++)
	{
		EVP_PKEY   *key = EVP_EC_gen(curves[c]);

		for (size_t i = 0; i < lengthof(ways); i++)
		{
			X509_PUBKEY *spki = NULL;

			EVP_PKEY_set_utf8_string_param(key, "encoding", ways[i].encoding);
			EVP_PKEY_set_utf8_string_param(key, "point-format", ways[i].format);
			ok(X509_PUBKEY_set(&spki, key) == 1 && identity_of_key(spki, i ? identity : first) &&
				   (i == 0 || memcmp(first, identity, CA_IDENTITY_LEN) == 0),
			   "a key of %s, written %s and %s, is the same", curves[c], ways[i].encoding, ways[i].format);
			X509_PUBKEY_free(spki);
		}
		ok(memcmp(first, before, CA_IDENTITY_LEN) != 0, "but not that of another curve");
		memcpy(before, first, CA_IDENTITY_LEN);
		EVP_PKEY_free(key);
	}
}

static void
test_rsa(void)
{
	EVP_PKEY   *key = EVP_RSA_gen(1024);
	EVP_PKEY   *stranger = EVP_RSA_gen(1024);
	X509_PUBKEY *spki = NULL;
	uint8		first[CA_IDENTITY_LEN] = {0};
	uint8		identity[CA_IDENTITY_LEN] = {0};
	const unsigned char *bits;
	int			len;

	ok(X509_PUBKEY_set(&spki, key) == 1 && identity_of_key(spki, first), "an RSA key");
	X509_PUBKEY_get0_param(NULL, &bits, &len, NULL, spki);
	ok(X509_PUBKEY_set0_param(spki, OBJ_nid2obj(NID_rsaEncryption), V_ASN1_UNDEF, NULL,
							  OPENSSL_memdup(bits, (size_t) len), len) == 1 &&
		   identity_of_key(spki, identity) && memcmp(first, identity, CA_IDENTITY_LEN) == 0,
	   "without parameters it is the same");
	ok(X509_PUBKEY_set(&spki, stranger) == 1 && identity_of_key(spki, identity) &&
		   memcmp(first, identity, CA_IDENTITY_LEN) != 0,
	   "another one is another");
	X509_PUBKEY_free(spki);
	EVP_PKEY_free(key);
	EVP_PKEY_free(stranger);
}

int
main(void)
{
	test_pairs();
	test_lengths();
	test_unreadable();
	test_identity();
	test_curves();
	test_rsa();
	return done_testing();
}
