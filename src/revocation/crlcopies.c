/*-------------------------------------------------------------------------
 *
 * crlcopies.c
 *		Copies of the CRLs in force, and certificates of their issuers.
 *
 * A CRL stays in force when its file is damaged or missing, so there is a copy of it in
 * sslpolicy.directory: a file in PEM, which any program can read.
 *
 * To verify the CRL of an intermediate CA that only clients send, we need that CA's
 * certificate.  It is kept here too, never in a file from which the server would load it as
 * a CA to trust.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "base/files.h"
#include "base/memory.h"
#include "material/material.h"
#include "pki/chain.h"
#include "pki/pem.h"
#include "revocation/crlcopies.h"
#include "settings/directory.h"

#define CRL_BEGIN PEM_BLOCK_BEGIN "X509 CRL-----\n"
#define CRL_END	  PEM_BLOCK_END "X509 CRL-----\n"

/* Bytes of DER that are encoded at once. */
#define CHUNK 16384

/* More certificates than that, beside those in ssl_ca_file, are not verified. */
#define MAX_ISSUERS 1000

struct CopyWriter
{
	TemporaryFile *file;
	EVP_MD_CTX *digest;
	EVP_ENCODE_CTX *base64;
	int			source;			/* of the CRL that is being copied; -1: none */
	int			crl;
};

static void
free_writer(void *arg)
{
	CopyWriter *writer = arg;

	EVP_MD_CTX_free(writer->digest);
	EVP_ENCODE_CTX_free(writer->base64);
	writer->digest = NULL;
	writer->base64 = NULL;
}

/*
 * Begin a new file of copies, beside the one that is there.
 */
CopyWriter *
begin_crl_copies(void)
{
	CopyWriter *writer = free_at_reset(palloc0(sizeof(CopyWriter)), free_writer);

	writer->source = writer->crl = -1;
	writer->digest = EVP_MD_CTX_new();
	writer->base64 = EVP_ENCODE_CTX_new();
	if (writer->digest == NULL || writer->base64 == NULL ||
		EVP_DigestInit_ex(writer->digest, openssl_sha256(), NULL) != 1)
		elog(ERROR, "could not begin to copy CRLs");
	writer->file = create_temporary_file(own_file(CRL_COPIES));
	return writer;
}

/*
 * False with errno.
 */
static bool
append_text(CopyWriter *writer, const char *text, size_t len)
{
	if (EVP_DigestUpdate(writer->digest, text, len) != 1)
		elog(ERROR, "could not compute SHA-256");
	return append_temporary_file(writer->file, text, len);
}

static bool
end_copy(CopyWriter *writer)
{
	unsigned char text[80];
	int			len = 0;

	if (writer->source < 0)
		return true;
	writer->source = -1;
	EVP_EncodeFinal(writer->base64, text, &len);
	return append_text(writer, (char *) text, (size_t) len) &&
		append_text(writer, CRL_END, strlen(CRL_END));
}

/*
 * More of the DER of a CRL, which source and crl tell apart from the one before.  False with
 * errno.
 */
bool
append_crl_copy(CopyWriter *writer, int source, int crl, const uint8 *der, size_t len)
{
	unsigned char text[CHUNK * 2];
	int			got;

	if (writer->source != source || writer->crl != crl)
	{
		if (!end_copy(writer) || !append_text(writer, CRL_BEGIN, strlen(CRL_BEGIN)))
			return false;
		EVP_EncodeInit(writer->base64);
		writer->source = source;
		writer->crl = crl;
	}
	while (len > 0)
	{
		size_t		chunk = Min(len, CHUNK);

		if (EVP_EncodeUpdate(writer->base64, text, &got, der, (int) chunk) != 1)
			elog(ERROR, "could not encode a CRL");
		if (!append_text(writer, (char *) text, (size_t) got))
			return false;
		der += chunk;
		len -= chunk;
	}
	return true;
}

/*
 * Finish the new file, which move_temporary_file() puts in place.
 */
void
finish_crl_copies(CopyWriter *writer, uint8 *sha256)
{
	bool		ok = end_copy(writer);

	if (!ok)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not write file \"%s\": %m", temporary_name(own_file(CRL_COPIES)))));
	if (EVP_DigestFinal_ex(writer->digest, sha256, NULL) != 1)
		elog(ERROR, "could not compute SHA-256");
	finish_temporary_file(writer->file);
}

void
discard_crl_copies(CopyWriter *writer)
{
	discard_temporary_file(writer->file);
}

static void
free_store(void *store)
{
	X509_STORE_free(store);
}

/*
 * Add those of some certificates that may sign CRLs and verify from the CAs.
 */
static void
add_verified(STACK_OF(X509) *result, STACK_OF(X509) *cas, STACK_OF(X509) *certs)
{
	int			count = sk_X509_num(certs);
	int			asked = 0;
	X509_STORE *store;

	if (count <= 0)
		return;
	store = free_at_reset(X509_STORE_new(), free_store);
	for (int i = 0; i < sk_X509_num(cas); i++)
		(void) X509_STORE_add_cert(store, sk_X509_value(cas, i));
	for (int i = 0; i < count; i++)
	{
		X509	   *cert = sk_X509_value(certs, i);

		if (X509_check_ca(cert) != 0 && (X509_get_key_usage(cert) & KU_CRL_SIGN) != 0 &&
			!has_certificate(result, cert) && asked++ < MAX_ISSUERS &&
			verify_in_store(store, cert, certs, 0, server_security_level(), (int64) time(NULL))->ok)
			(void) add_certificate_once(result, cert);
	}
	ERR_clear_error();
}

/*
 * Certificates by which the issuer of a CRL may be known: the CAs, first, and what verifies
 * from them of what is kept in sslpolicy.directory, and of what is given (may be NULL).
 */
STACK_OF(X509) *
known_crl_issuers(STACK_OF(X509) *cas, STACK_OF(X509) *given)
{
	STACK_OF(X509) *result = new_certificates();

	for (int i = 0; i < sk_X509_num(cas); i++)
		if (X509_up_ref(sk_X509_value(cas, i)))
			sk_X509_push(result, sk_X509_value(cas, i));
	add_verified(result, cas, read_pem_file(own_file(INSTALLED_ISSUERS))->content->certs);
	add_verified(result, cas, read_pem_file(own_file(COPIED_ISSUERS))->content->certs);
	add_verified(result, cas, given);
	return result;
}

/*
 * Have these certificates, and no others, in a file of sslpolicy.directory.
 */
void
keep_crl_issuers(const char *name, STACK_OF(X509) *certs)
{
	StringInfoData text;
	PemFile    *before = read_pem_file(own_file(name));

	initStringInfo(&text);
	for (int i = 0; i < sk_X509_num(certs); i++)
		if (!append_pem_certificate(&text, sk_X509_value(certs, i)))
			elog(ERROR, "could not encode a certificate");
	if (before->bytes && before->len == (size_t) text.len &&
		memcmp(before->bytes, text.data, before->len) == 0)
		return;
	if (text.len > 0)
		replace_file(own_file(name), text.data, (size_t) text.len);
	else if (file_exists(own_file(name)))
		remove_file(own_file(name));
}
