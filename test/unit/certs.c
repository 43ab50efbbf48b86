/*-------------------------------------------------------------------------
 *
 * certs.c
 *		Certificates for the tests of x509.c, made in memory.
 *
 * Strings get the type and the bytes that a test wants, with none of the
 * checks that a CA would make.
 *
 *-------------------------------------------------------------------------
 */
#include "certs.h"

#include <openssl/err.h>
#include <openssl/evp.h>

/*
 * What a test needs to go on; the program ends without it.
 */
static void
must(bool done, const char *what)
{
	if (done)
		return;
	fprintf(stderr, "cannot %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(2);
}

/*
 * The EC key of all certificates that do not ask for another.
 */
EVP_PKEY *
test_key(void)
{
	static EVP_PKEY *key = NULL;

	if (key == NULL)
		key = EVP_EC_gen("P-256");
	must(key != NULL, "make a key");
	return key;
}

X509_NAME *
make_name(const Attribute *attributes)
{
	X509_NAME  *name = X509_NAME_new();

	must(name != NULL, "make a name");
	for (const Attribute *a = attributes; a && a->nid; a++)
		must(X509_NAME_add_entry_by_NID(name, a->nid, a->string_type,
										(const unsigned char *) a->bytes, a->len,
										-1, 0) == 1,
			 "add an attribute");
	return name;
}

/*
 * A certificate that is its own issuer, with serial 1, valid from 2025-01-01
 * to 2025-02-01; not signed yet, so that the test can change it.
 */
X509 *
new_cert(const Attribute *subject)
{
	X509	   *cert = X509_new();
	X509_NAME  *name = make_name(subject);

	must(cert != NULL &&
			 X509_set_version(cert, X509_VERSION_3) == 1 &&
			 ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1 &&
			 X509_set_subject_name(cert, name) == 1 &&
			 X509_set_issuer_name(cert, name) == 1 &&
			 ASN1_TIME_set_string(X509_getm_notBefore(cert), "20250101000000Z") == 1 &&
			 ASN1_TIME_set_string(X509_getm_notAfter(cert), "20250201000000Z") == 1 &&
			 X509_set_pubkey(cert, test_key()) == 1,
		 "make a certificate");
	X509_NAME_free(name);
	return cert;
}

/*
 * Add an extension with these bytes in it, whatever they are.
 */
void
set_der(X509 *cert, int nid, const char *bytes, int len)
{
	ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension;

	must(octets != NULL && ASN1_OCTET_STRING_set(octets, (const unsigned char *) bytes, len) == 1, "set bytes");
	extension = X509_EXTENSION_create_by_NID(NULL, nid, 0, octets);
	must(extension != NULL && X509_add_ext(cert, extension, -1) == 1, "add an extension");
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(octets);
}

/*
 * Sign (unless it is signed) and pass through DER, as when a peer sends it.
 * NULL if OpenSSL does not accept it, then it never reaches a server.  Frees
 * cert.
 */
X509 *
as_received(X509 *cert)
{
	unsigned char *der = NULL;
	const unsigned char *pos;
	X509	   *received;
	int			len;

	if (X509_get_signature_nid(cert) == NID_undef)
		must(X509_sign(cert, test_key(), EVP_sha256()) > 0, "sign");
	len = i2d_X509(cert, &der);
	must(len > 0, "encode");
	pos = der;
	received = d2i_X509(NULL, &pos, len);
	OPENSSL_free(der);
	X509_free(cert);
	return received;
}

/*
 * A name as OpenSSL prints it by itself.
 */
char *
rfc2253(const X509_NAME *name)
{
	BIO		   *bio = BIO_new(BIO_s_mem());
	char	   *data = NULL;
	char	   *text;
	long		len;

	must(bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0,
		 "print a name");
	len = BIO_get_mem_data(bio, &data);
	text = len > 0 ? pnstrdup(data, (Size) len) : pstrdup("");
	BIO_free(bio);
	return text;
}

static bool
printable(const char *text)
{
	for (const char *c = text; c && *c; c++)
		if ((unsigned char) *c < 0x20 || (unsigned char) *c > 0x7E)
			return false;
	return true;
}

/*
 * Is every string of these facts printable ASCII?
 */
bool
all_printable(const CertFacts *cert)
{
	bool		result = printable(cert->subject_dn) && printable(cert->issuer_dn) &&
		printable(cert->cn) && printable(cert->serial) &&
		printable(cert->key_algorithm) && printable(cert->signature_algorithm);

	for (int i = 0; i < cert->nsans; i++)
		result &= printable(cert->sans[i]);
	for (int i = 0; i < cert->ncas; i++)
		result &= printable(cert->cas[i].subject_dn);
	return result;
}
