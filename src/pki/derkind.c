/*-------------------------------------------------------------------------
 *
 * derkind.c
 *		What DER is, by its first bytes.
 *
 * Certificates and CRLs are told apart by reading them.  This is for what people
 * give in their place, so that we can name the command that converts it.  Nothing
 * is decrypted, nor read beyond its beginning: whoever has made a PKCS#12 file
 * decides how long it takes to open, and nothing can cancel that.
 *
 *-------------------------------------------------------------------------
 */
#include "pki/derkind.h"

#include "pki/der.h"

/* 1.2.840.113549.1.7: the contents of PKCS#7 */
static const uint8 pkcs7_oid[] = {TAG_OID, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07};

static const uint8 java_keystore[] = {0xFE, 0xED, 0xFE, 0xED};

static const DerRefusal refusals[] = {
	[DER_PRIVATE_KEY] = {
		"it is a private key",
		"Private keys are taken in PEM only: openssl pkey -inform DER -in key.der -out key.pem (if the file is base64: base64 -d key.b64 | openssl pkey -inform DER -out key.pem)."},
	[DER_PUBLIC_KEY] = {"it is a public key, not a certificate", "Give the certificate that the CA has made for this key."},
	[DER_PKCS7] = {"it is PKCS#7 (.p7b, .p7c)", "Take the certificates out of it: openssl pkcs7 -in file.p7b -print_certs -out chain.pem (with -inform DER if the file is not PEM)."},
	[DER_PKCS12] = {"it is PKCS#12 (.p12, .pfx), which is not opened here", "Take the certificates out of it with openssl pkcs12 -in file.p12 -nokeys -out chain.pem, and the private key with openssl pkcs12 -in file.p12 -nocerts -nodes -out key.pem (with -legacy if it is an old one)."},
	[DER_JAVA_KEYSTORE] = {"it is a Java keystore (.jks), which is not opened here", "Take the certificate out of it: keytool -exportcert -rfc -keystore file.jks -alias NAME -file cert.pem."},
};

/*
 * Enter an element, also one whose length is not definite (old PKCS#12) or that is cut.
 */
static bool
enter(Slice *slice, int tag)
{
	size_t		rest = slice_len(slice);
	size_t		head;

	if (rest < 2 || slice->pos[0] != tag)
		return false;
	head = 2 + (slice->pos[1] > 0x80 ? (size_t) (slice->pos[1] & 0x7F) : 0);
	if (head > DER_MAX_HEAD || head > rest)
		return false;
	slice->pos += head;
	return true;
}

static int
next_tag(const Slice *slice)
{
	return slice_len(slice) > 0 ? slice->pos[0] : -1;
}

/*
 * What begins with a version: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017 A.1.2), SEC 1 (RFC 5915),
 * PKCS#12 (RFC 7292 4).
 */
static DerKind
kind_with_version(Slice rest)
{
	Slice		version;
	int			tag;

	if (!next_der_integer(&rest, &version) || slice_len(&version) != 1)
		return DER_UNKNOWN;
	tag = next_tag(&rest);
	if (version.pos[0] == 3)
		return tag == TAG_SEQUENCE ? DER_PKCS12 : DER_UNKNOWN;
	if (version.pos[0] > 1)
		return DER_UNKNOWN;
	return tag == TAG_SEQUENCE || tag == TAG_INTEGER || tag == TAG_OCTET_STRING ? DER_PRIVATE_KEY : DER_UNKNOWN;
}

/*
 * What begins with an algorithm: an encrypted key (RFC 5958 3), or a public one.
 */
static DerKind
kind_with_algorithm(Slice rest)
{
	Slice		algorithm;

	if (!next_der_slice(&rest, TAG_SEQUENCE, &algorithm) || next_tag(&algorithm) != TAG_OID)
		return DER_UNKNOWN;
	return next_tag(&rest) == TAG_OCTET_STRING ? DER_PRIVATE_KEY :
		next_tag(&rest) == TAG_BIT_STRING	   ? DER_PUBLIC_KEY :
												 DER_UNKNOWN;
}

DerKind
der_kind(const uint8 *bytes, size_t len)
{
	Slice		rest = {bytes, bytes + len};

	if (len >= sizeof(java_keystore) && memcmp(bytes, java_keystore, sizeof(java_keystore)) == 0)
		return DER_JAVA_KEYSTORE;
	if (!enter(&rest, TAG_SEQUENCE))
		return DER_UNKNOWN;
	if (slice_len(&rest) >= sizeof(pkcs7_oid) && memcmp(rest.pos, pkcs7_oid, sizeof(pkcs7_oid)) == 0)
		return DER_PKCS7;
	if (next_tag(&rest) == TAG_INTEGER)
		return kind_with_version(rest);
	return kind_with_algorithm(rest);
}

/*
 * Why this kind is not taken; NULL if it may be.
 */
const DerRefusal *
der_refusal(DerKind kind)
{
	return kind == DER_UNKNOWN ? NULL : &refusals[kind];
}
