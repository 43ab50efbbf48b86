/*-------------------------------------------------------------------------
 *
 * fuzz_crl.c
 *		The streaming reader of CRLs against OpenSSL's X509_CRL.
 *
 * For any bytes that stand for a file with a CRL in DER:
 *
 *	1. what the reader accepts is to OpenSSL a CRL, and nothing behind it, with
 *	   the same facts and the same entries: serial number, date and reason, in
 *	   their order; OpenSSL's lookup finds each of them
 *	2. what OpenSSL accepts the reader refuses only for a reason that it may
 *	   have (crl_oracle.c), and that is the case
 *	3. in whatever pieces the file comes, and as PEM, it reads the same
 *	4. signed by a CA it is this CA's for the reader as for X509_CRL_verify(),
 *	   and for neither with a changed signature
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "certs.h"
#include "crl_oracle.h"
#include "der_mutator.h"

#define LARGE 1000000

static void
check_pieces(const uint8 *der, size_t len, const Reading *whole)
{
	Reading		other = read_file_of_crls(der, len, 1 + len % 13, NULL);
	BIO		   *bio = BIO_new(BIO_s_mem());
	char	   *pem;
	long		pem_len;

	same_readings(&other, whole, "in pieces");
	HOLDS(same_text(other.error, whole->error), "%s, in pieces %s", shown(whole->error), other.error);

	HOLDS(PEM_write_bio(bio, PEM_STRING_X509_CRL, "", der, (long) len) > 0, "write PEM");
	pem_len = BIO_get_mem_data(bio, &pem);
	other = read_file_of_crls((uint8 *) pem, (size_t) pem_len, 1 + len % 101, NULL);
	same_readings(&other, whole, "as PEM");
	BIO_free(bio);
}

/*
 * The key for a signature algorithm; NULL if there is none here.
 */
static EVP_PKEY *
key_for(int algorithm, const EVP_MD **digest)
{
	static EVP_PKEY *ed25519 = NULL;
	static EVP_PKEY *rsa = NULL;

	*digest = EVP_sha256();
	switch (algorithm)
	{
		case NID_ED25519:
			*digest = NULL;
			if (ed25519 == NULL)
				ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
			return ed25519;
		case NID_ecdsa_with_SHA256:
			return test_key();
		case NID_sha256WithRSAEncryption:
			if (rsa == NULL)
				rsa = EVP_RSA_gen(1024);
			return rsa;
		default:
			return NULL;
	}
}

/*
 * A CA with the name of the CRL's issuer, and this key.
 */
static X509 *
make_issuer(X509_CRL *crl, EVP_PKEY *key)
{
	X509	   *ca = new_cert(NULL);

	HOLDS(X509_set_subject_name(ca, X509_CRL_get_issuer(crl)) == 1 && X509_set_pubkey(ca, key) == 1,
		  "make a CA");
	return as_received(ca);
}

/*
 * Sign what is signed of the CRL anew; the whole in DER, with a changed bit if
 * that is wanted.
 */
static uint8 *
sign_again(const uint8 *der, X509_CRL *crl, EVP_PKEY *key, const EVP_MD *digest,
		   bool change, int *len)
{
	const unsigned char *pos = der;
	long		content;
	long		tbs_len;
	int			tag;
	int			class;
	const uint8 *tbs;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8		signature[1024];
	size_t		signature_len = sizeof(signature);
	const ASN1_BIT_STRING *bits;
	unsigned char *result = NULL;

	ASN1_get_object(&pos, &content, &tag, &class, LARGE);
	tbs = pos;
	ASN1_get_object(&pos, &tbs_len, &tag, &class, LARGE);
	HOLDS(EVP_DigestSignInit(ctx, NULL, digest, NULL, key) == 1 &&
			  EVP_DigestSign(ctx, signature, &signature_len, tbs, (size_t) (pos - tbs + tbs_len)) == 1,
		  "sign");
	EVP_MD_CTX_free(ctx);
	if (change)
		signature[signature_len / 2] ^= 0x10;
	X509_CRL_get0_signature(crl, &bits, NULL);
	ASN1_STRING_set((ASN1_STRING *) bits, signature, (int) signature_len);
	*len = i2d_X509_CRL(crl, &result);
	HOLDS(*len > 0, "write the CRL");
	return result;
}

static void
check_signature(const uint8 *der, size_t len, X509_CRL *crl, bool change)
{
	const EVP_MD *digest;
	EVP_PKEY   *key = key_for(X509_CRL_get_signature_nid(crl), &digest);
	X509	   *ca = key ? make_issuer(crl, key) : NULL;
	STACK_OF(X509) *cas;
	Reading		reading;
	uint8	   *again;
	const unsigned char *pos;
	X509_CRL   *parsed;
	int			again_len;

	ERR_clear_error();
	if (ca == NULL)
		return;
	again = sign_again(der, crl, key, digest, change, &again_len);
	pos = again;
	parsed = d2i_X509_CRL(NULL, &pos, again_len);
	HOLDS(parsed, "OpenSSL does not read what it has written");
	cas = sk_X509_new_null();
	sk_X509_push(cas, ca);
	reading = read_file_of_crls(again, (size_t) again_len, LARGE, cas);
	if (reading.file)
	{
		HOLDS((reading.file->crls[0].nissuers == 1) == is_crl_signed_by(parsed, ca),
			  "issuers: %d, for X509_CRL_verify() %d", reading.file->crls[0].nissuers, is_crl_signed_by(parsed, ca));
		HOLDS(!change || reading.file->crls[0].nissuers == 0, "a changed signature is accepted");
	}
	sk_X509_pop_free(cas, X509_free);
	X509_CRL_free(parsed);
	OPENSSL_free(again);
}

void
fuzz_one(const uint8 *data, size_t size)
{
	Reading		reading;
	const unsigned char *pos = data;
	X509_CRL   *crl;
	bool		whole;

	/* text that is PEM is fuzz_pem's */
	if (size == 0 || data[0] != 0x30)
		return;
	reading = read_file_of_crls(data, size, LARGE, NULL);
	crl = d2i_X509_CRL(NULL, &pos, (long) size);
	whole = crl && pos == data + size;
	ERR_clear_error();
	if (reading.file)
	{
		HOLDS(reading.file->ncrls == 1, "%d CRLs", reading.file->ncrls);
		HOLDS(whole, "accepted, but not by OpenSSL");
		compare_with_openssl(&reading, 0, crl);
	}
	else if (whole)
		HOLDS(is_good_reason(reading.error, data, size, crl), "refused: %s", reading.error);
	if (crl)
		check_pieces(data, size, &reading);
	if (reading.file)
		check_signature(data, size, crl, size % 4 == 3);
	X509_CRL_free(crl);
}

extern size_t LLVMFuzzerCustomMutator(uint8 *data, size_t size, size_t max_size, unsigned seed);

size_t
LLVMFuzzerCustomMutator(uint8 *data, size_t size, size_t max_size, unsigned seed)
{
	return der_mutate(data, size, max_size, seed);
}
