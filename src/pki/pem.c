/*-------------------------------------------------------------------------
 *
 * pem.c
 *		PEM and DER to certificates and CRLs, and back.
 *
 * OpenSSL does the parsing; this file says what it found, and where it failed.
 * Text outside PEM blocks is ignored, as OpenSSL does when the server loads a
 * file.  Private keys are only counted, and wiped, unless it is one that is
 * asked for.
 *
 *-------------------------------------------------------------------------
 */
#include "pki/pem.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#define KEY_SUFFIX		   "PRIVATE KEY"
#define REFUSED_PASSPHRASE (-1)

/*
 * OpenSSL's reason of the first error in its queue, which is emptied.
 */
char *
openssl_reason(void)
{
	unsigned long code = ERR_get_error();
	const char *reason = NULL;

	/* a system error has no reason string of OpenSSL's */
	if (code != 0)
		reason = ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) :
										  ERR_reason_error_string(code);
	ERR_clear_error();
	return pstrdup(reason ? reason : "unknown error");
}

PemContent *
new_pem_content(void)
{
	PemContent *content = palloc0(sizeof(PemContent));

	content->certs = sk_X509_new_null();
	content->crls = sk_X509_CRL_new_null();
	return content;
}

/*
 * Free what OpenSSL allocated, not the struct.  (void *, so that it can be a
 * memory context's callback.)
 */
void
free_pem_content(void *content)
{
	PemContent *pem = content;

	sk_X509_pop_free(pem->certs, X509_free);
	sk_X509_CRL_pop_free(pem->crls, X509_CRL_free);
	pem->certs = NULL;
	pem->crls = NULL;
}

static bool
ends_with(const char *text, const char *suffix)
{
	size_t		len = strlen(text);
	size_t		suffix_len = strlen(suffix);

	return len >= suffix_len && strcmp(text + len - suffix_len, suffix) == 0;
}

static bool
is_certificate_block(const char *type)
{
	return strcmp(type, PEM_STRING_X509) == 0 ||
		strcmp(type, PEM_STRING_X509_OLD) == 0 ||
		strcmp(type, PEM_STRING_X509_TRUSTED) == 0;
}

/*
 * Take one block.  False if it is not what its type says.
 */
static bool
take_block(PemContent *content, const char *type, const unsigned char *data,
		   long len)
{
	const unsigned char *pos = data;

	if (is_certificate_block(type))
	{
		X509	   *cert = strcmp(type, PEM_STRING_X509_TRUSTED) == 0 ?
			d2i_X509_AUX(NULL, &pos, len) :
			d2i_X509(NULL, &pos, len);

		if (cert == NULL)
			return false;
		if (!sk_X509_push(content->certs, cert))
		{
			X509_free(cert);
			return false;
		}
	}
	else if (strcmp(type, PEM_STRING_X509_CRL) == 0)
	{
		X509_CRL   *crl = d2i_X509_CRL(NULL, &pos, len);

		if (crl == NULL)
			return false;
		if (!sk_X509_CRL_push(content->crls, crl))
		{
			X509_CRL_free(crl);
			return false;
		}
	}
	else if (ends_with(type, KEY_SUFFIX))
		content->nkeys++;
	else
	{
		if (content->nothers++ == 0)
			content->other = pstrdup(type);
	}
	return true;
}

/*
 * Everything in a PEM text.  NULL, with *error, if a block is damaged.
 */
PemContent *
read_pem(const char *text, size_t len, char **error)
{
	BIO		   *bio = len <= INT_MAX ? BIO_new_mem_buf(text, (int) len) : NULL;
	PemContent *content;
	char	   *type;
	char	   *header;
	unsigned char *data;
	long		size;

	*error = NULL;
	if (bio == NULL)
	{
		*error = pstrdup("out of memory");
		return NULL;
	}
	content = new_pem_content();
	ERR_clear_error();
	for (int block = 1; *error == NULL; block++)
	{
		if (PEM_read_bio(bio, &type, &header, &data, &size) != 1)
		{
			if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
				*error = psprintf("PEM block %d is damaged: %s", block, openssl_reason());
			break;
		}
		/* OpenSSL takes it for an encrypted block */
		if (header[0] != '\0' && (is_certificate_block(type) || strcmp(type, PEM_STRING_X509_CRL) == 0))
			*error = psprintf("PEM block %d has a header", block);
		else if (!take_block(content, type, data, size))
			*error = psprintf("PEM block %d is not a valid %s: %s", block, type,
							  openssl_reason());
		OPENSSL_cleanse(data, (size_t) size);
		OPENSSL_free(type);
		OPENSSL_free(header);
		OPENSSL_free(data);
	}
	BIO_free(bio);
	ERR_clear_error();
	if (*error == NULL)
		return content;
	free_pem_content(content);
	return NULL;
}

static int
refuse_passphrase(char *buf, int size, int rwflag, void *asked)
{
	*(bool *) asked = true;
	return REFUSED_PASSPHRASE;
}

/*
 * The first certificate of a PEM text, which OpenSSL takes as the one of the key.  The
 * rest of the text may be damaged, or encrypted.  NULL if there is no certificate.  The
 * caller frees it.
 */
X509 *
read_pem_first_certificate(const char *text, size_t len)
{
	BIO		   *bio = BIO_new_mem_buf(text, (int) len);
	bool		asked = false;
	X509	   *cert = bio ? PEM_read_bio_X509_AUX(bio, NULL, refuse_passphrase, &asked) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	return cert;
}

/*
 * The first private key of a PEM text.  NULL, with *error, if there is none or
 * it cannot be read without a passphrase.
 */
EVP_PKEY *
read_pem_private_key(const char *text, size_t len, char **error)
{
	BIO		   *bio = BIO_new_mem_buf(text, (int) len);
	bool		asked = false;
	EVP_PKEY   *key = NULL;

	*error = NULL;
	ERR_clear_error();
	if (bio != NULL)
		key = PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, &asked);
	BIO_free(bio);
	if (key == NULL)
		*error = pstrdup(asked								 ? "it is encrypted" :
							 mentions_private_key(text, len) ? openssl_reason() :
															   "there is none in the text");
	ERR_clear_error();
	return key;
}

/*
 * Does a line outside of PEM blocks hold anything but blanks or a comment, which
 * begins with "#"?  Blocks begin and end where they do for OpenSSL (PEM_read_bio()).
 */
bool
has_text_outside_pem(const char *text, size_t len)
{
	bool		inside = false;

	for (size_t pos = 0; pos < len;)
	{
		const char *line = text + pos;
		const char *newline = memchr(line, '\n', len - pos);
		size_t		size = newline ? (size_t) (newline - line) : len - pos;
		size_t		blank = 0;

		pos += size + 1;
		if (!inside && size > strlen(PEM_BLOCK_BEGIN) && memcmp(line, PEM_BLOCK_BEGIN, strlen(PEM_BLOCK_BEGIN)) == 0)
			inside = true;
		else if (inside)
			inside = !(size > strlen(PEM_BLOCK_END) && memcmp(line, PEM_BLOCK_END, strlen(PEM_BLOCK_END)) == 0);
		else
		{
			while (blank < size && (line[blank] == ' ' || line[blank] == '\t' || line[blank] == '\r'))
				blank++;
			if (blank < size && line[0] != '#')
				return true;
		}
	}
	return inside;
}

/*
 * Does the text look as if it carried a private key?  Said of damaged PEM, too.
 */
bool
mentions_private_key(const char *text, size_t len)
{
	size_t		suffix_len = strlen(KEY_SUFFIX);

	for (size_t i = 0; i + suffix_len <= len; i++)
		if (memcmp(text + i, KEY_SUFFIX, suffix_len) == 0)
			return true;
	return false;
}

/*
 * Append what write has put into a memory BIO, which is freed and wiped.
 */
static bool
append_bio(StringInfo buf, BIO *bio, int written)
{
	char	   *data;
	long		len = bio ? BIO_get_mem_data(bio, &data) : 0;
	bool		ok = written == 1 && len > 0;

	if (ok)
		appendBinaryStringInfo(buf, data, (int) len);
	if (len > 0)
		OPENSSL_cleanse(data, (size_t) len);
	BIO_free(bio);
	ERR_clear_error();
	return ok;
}

/*
 * Append a certificate as PEM.  One that carries OpenSSL's trust settings keeps
 * them: without them it would be trusted for more.
 */
bool
append_pem_certificate(StringInfo buf, X509 *cert)
{
	BIO		   *bio = BIO_new(BIO_s_mem());

	return append_bio(buf, bio, bio == NULL ? 0 : X509_trusted(cert) ? PEM_write_bio_X509_AUX(bio, cert) :
																	   PEM_write_bio_X509(bio, cert));
}

bool
append_pem_crl(StringInfo buf, X509_CRL *crl)
{
	BIO		   *bio = BIO_new(BIO_s_mem());

	return append_bio(buf, bio, bio ? PEM_write_bio_X509_CRL(bio, crl) : 0);
}

/*
 * Append a private key as PEM, PKCS#8 without encryption.  The caller wipes it.
 */
bool
append_pem_private_key(StringInfo buf, EVP_PKEY *key)
{
	BIO		   *bio = BIO_new(BIO_s_secmem());

	return append_bio(buf, bio, bio ? PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) : 0);
}

bool
append_pem_request(StringInfo buf, X509_REQ *request)
{
	BIO		   *bio = BIO_new(BIO_s_mem());

	return append_bio(buf, bio, bio ? PEM_write_bio_X509_REQ(bio, request) : 0);
}
