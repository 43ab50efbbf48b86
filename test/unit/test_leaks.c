/*-------------------------------------------------------------------------
 *
 * test_leaks.c
 *		Whatever the input, OpenSSL gets back all memory that it gave.
 *
 * What palloc() gave, a memory context frees.  Objects of OpenSSL are nobody's
 * but the code's that made them, and a path that returns early is easily one
 * that forgets them; so OpenSSL's allocations are counted, for inputs that are
 * broken everywhere.
 *
 *-------------------------------------------------------------------------
 */
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "certs.h"
#include "pki/chain.h"
#include "crls.h"
#include "pki/givenpem.h"
#include "pki/knownca.h"
#include "pki/pem.h"
#include "tap.h"
#include "pki/x509.h"
#include "revocation/crlkey.h"

static long outstanding = 0;

static void *
counted_malloc(size_t size, const char *file, int line)
{
	void	   *p = malloc(size);

	(void) file;
	(void) line;
	outstanding += p != NULL;
	return p;
}

static void
counted_free(void *p, const char *file, int line)
{
	(void) file;
	(void) line;
	outstanding -= p != NULL;
	free(p);
}

static void *
counted_realloc(void *p, size_t size, const char *file, int line)
{
	if (p == NULL)
		return counted_malloc(size, file, line);
	if (size == 0)
	{
		counted_free(p, file, line);
		return NULL;
	}
	return realloc(p, size);
}

/* what each test hands to the code under test */
typedef void (*Reader)(Bytes bytes);

static STACK_OF(X509) *cas;

/*
 * By how much a call lets the number of allocations grow.  What a thread keeps
 * for its errors is freed before each look.
 */
static long
growth(Reader reader, Bytes bytes)
{
	long		before;

	OPENSSL_thread_stop();
	before = outstanding;
	reader(bytes);
	OPENSSL_thread_stop();
	return outstanding - before;
}

/*
 * Of exactly its size, so that reading on would be seen.
 */
static char *
copy_of(const char *bytes, size_t len)
{
	char	   *copy = malloc(len ? len : 1);

	if (copy == NULL)
		exit(1);
	memcpy(copy, bytes, len);
	return copy;
}

/*
 * The input as it is, cut off everywhere, and with each byte changed.
 */
static void
leaks_nothing(const char *what, Reader reader, Bytes bytes, size_t step)
{
	long		whole,
		cut = 0,
		changed = 0;

	/* what OpenSSL makes once and keeps */
	(void) growth(reader, bytes);
	whole = growth(reader, bytes);
	for (size_t len = 0; len < bytes.len; len += step)
	{
		char	   *copy = copy_of(bytes.data, len);
		long		grown;

		grown = growth(reader, (Bytes){copy, len});
		/* an algorithm that was never asked for is looked up once */
		cut += grown ? growth(reader, (Bytes){copy, len}) : 0;
		free(copy);
	}
	for (size_t at = 0; at < bytes.len; at += step)
	{
		static const char masks[] = {0x01, 0x20, (char) 0x80};

		for (size_t m = 0; m < lengthof(masks); m++)
		{
			char	   *copy = copy_of(bytes.data, bytes.len);

			copy[at] = (char) (copy[at] ^ masks[m]);
			changed += growth(reader, (Bytes){copy, bytes.len}) ?
				growth(reader, (Bytes){copy, bytes.len}) :
				0;
			free(copy);
		}
	}
	is_int(whole, 0, "%s: as it should be", what);
	is_int(cut, 0, "%s: cut off", what);
	is_int(changed, 0, "%s: damaged", what);
}

static void
certificate(Bytes der)
{
	const unsigned char *pos = (const unsigned char *) der.data;
	X509	   *cert = d2i_X509(NULL, &pos, (long) der.len);

	if (cert)
	{
		uint8		digest[FINGERPRINT_LEN];

		(void) remember_ca(cert);
		(void) read_certificate(cert, cas);
		(void) certificate_fingerprint(cert, digest);
		(void) ca_identity(cert, digest);
		(void) is_self_signed(cert);
		(void) find_issuer(cert, cas);
		(void) has_certificate(cas, cert);
		(void) find_certificate_by_key(cas, X509_get0_pubkey(cert));
		(void) verification_text(verify_ca(cas, cert, 1, 1736500000));
	}
	X509_free(cert);
	ERR_clear_error();
}

static void
crl(Bytes der)
{
	PemProblem	problem;
	PemContent *content = read_given_pem(der.data, der.len, &problem);

	for (int i = 0; content && i < sk_X509_CRL_num(content->crls); i++)
	{
		X509_CRL   *crl = sk_X509_CRL_value(content->crls, i);
		uint8		digest[FINGERPRINT_LEN];
		CrlFacts   *facts = read_crl(crl);

		(void) crl_fingerprint(crl, digest);
		(void) crl_issuer(crl, cas);
		(void) (facts && is_older_crl(facts, facts));
	}
	if (content)
		free_pem_content(content);
	ERR_clear_error();
}

static void
crl_stream(Bytes bytes)
{
	char	   *error;

	(void) read_bytes(bytes, cas, &error);
	ERR_clear_error();
}

static void
pem(Bytes text)
{
	char	   *error;
	PemContent *content = read_pem(text.data, text.len, &error);

	if (content)
	{
		StringInfoData buf;

		initStringInfo(&buf);
		for (int i = 0; i < sk_X509_num(content->certs); i++)
			(void) append_pem_certificate(&buf, sk_X509_value(content->certs, i));
		for (int i = 0; i < sk_X509_CRL_num(content->crls); i++)
			(void) append_pem_crl(&buf, sk_X509_CRL_value(content->crls, i));
		(void) find_leaf_certificate(content->certs);
		free_pem_content(content);
	}
	ERR_clear_error();
}

/*
 * The same, with the line breaks escaped, so that it is repaired.
 */
static void
given(Bytes text)
{
	StringInfoData buf;
	PemProblem	problem;
	PemContent *content;

	initStringInfo(&buf);
	for (size_t i = 0; i < text.len; i++)
		appendStringInfoString(&buf, text.data[i] == '\n' ? "\\n" : psprintf("%c", text.data[i]));
	content = read_given_pem(buf.data, (size_t) buf.len, &problem);
	if (content)
		free_pem_content(content);
	(void) read_given_key(buf.data, (size_t) buf.len, &problem);
	ERR_clear_error();
}

static void
private_key(Bytes text)
{
	char	   *error;
	EVP_PKEY   *key = read_pem_private_key(text.data, text.len, &error);

	if (key)
	{
		StringInfoData buf;

		initStringInfo(&buf);
		(void) append_pem_private_key(&buf, key);
	}
	EVP_PKEY_free(key);
	ERR_clear_error();
}

/*
 * The counting itself has to see a leak.
 */
static void
forgets(Bytes bytes)
{
	(void) bytes;
	(void) BN_new();
}

static Bytes
der_of(X509 *cert)
{
	unsigned char *der = NULL;
	int			len = i2d_X509(cert, &der);

	must(len > 0, "encode");
	return (Bytes){(const char *) der, (size_t) len};
}

int
main(void)
{
	static const Attribute subject[] = {
		CN("app"), {NID_organizationName, V_ASN1_BMPSTRING, "\0A\0c", 4}, CN("app2"), {0}};
	static const char sans[] = "\x30\x1f\x82\x03"
							   "a.b\x81\x03"
							   "a@b\x86\x05"
							   "uri:x\x87\x04\x7f\0\0\1"
							   "\x88\x02\x2a\x03"
							   "\xa4\x02\x30\x00";
	X509	   *ca;
	X509	   *cert;
	X509_CRL   *list;
	Bytes		cert_der,
		crl_der;
	StringInfoData text,
		key;

	if (CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free) != 1)
	{
		printf("Bail out! OpenSSL does not let itself be counted\n");
		return 1;
	}
	must(init_known_cas(make_ca_keys), "keep what was read of CAs");
	ca = make_ca("Root", test_key(), NULL);
	cas = cas_of(ca, NULL, NULL);

	cert = new_cert(subject);
	set_der(cert, NID_subject_alt_name, sans, sizeof(sans) - 1);
	must(X509_set_issuer_name(cert, X509_get_subject_name(ca)) == 1, "set the issuer");
	cert = as_received(cert);
	must(cert != NULL, "make a certificate");
	cert_der = der_of(cert);

	list = new_crl(ca);
	revoke_number(list, 5, -1);
	revoke_number(list, 6, 1);
	crl_der = signed_der(list, test_key(), EVP_sha256(), -1);

	initStringInfo(&key);
	must(append_pem_private_key(&key, test_key()), "print a key");
	initStringInfo(&text);
	must(append_pem_certificate(&text, cert) && append_pem_certificate(&text, ca), "print");
	appendBinaryStringInfo(&text, as_pem(crl_der).data, (int) as_pem(crl_der).len);

	ok(growth(forgets, cert_der) > 0, "what is forgotten is seen");
	leaks_nothing("certificate", certificate, cert_der, 1);
	leaks_nothing("CRL", crl, crl_der, 1);
	leaks_nothing("CRL as a stream", crl_stream, crl_der, 1);
	leaks_nothing("CRL as a stream, PEM", crl_stream, as_pem(crl_der), 3);
	leaks_nothing("PEM", pem, (Bytes){text.data, (size_t) text.len}, 7);
	leaks_nothing("PEM with escaped line breaks", given, (Bytes){text.data, (size_t) text.len}, 7);
	leaks_nothing("private key with escaped line breaks", given, (Bytes){key.data, (size_t) key.len}, 3);
	leaks_nothing("private key", private_key, (Bytes){key.data, (size_t) key.len}, 3);
	return done_testing();
}
