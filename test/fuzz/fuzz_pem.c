/*-------------------------------------------------------------------------
 *
 * fuzz_pem.c
 *		Text with PEM in it.
 *
 * For any text:
 *
 *	1. read_pem() takes the certificates and CRLs out of it that
 *	   PEM_X509_INFO_read_bio() does, with which the server loads its files, in
 *	   their order, and refuses no text that this takes (but where keys are in
 *	   it, which only one of the two reads)
 *	2. each of them, written and read again, is the same
 *	3. what the streaming reader accepts, read_pem() reads as the same CRLs, and
 *	   nothing else is in the text; where read_pem() reads CRLs only, the
 *	   streaming reader refuses them for a good reason (crl_oracle.c) or none
 *	4. a private key that can be read is mentioned
 *	5. read_given_pem(), which repairs text, loses no certificate or CRL that the server
 *	   would read, nor their order; where it repairs nothing, it reads what read_pem() does;
 *	   what it reads, written and read again, is the same (2); and the same comes of a text
 *	   whose line breaks are escaped, blanks, or encoded for mails or URLs
 *	6. read_given_key() makes a key of nothing that has none
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "crl_oracle.h"
#include "pki/givenpem.h"
#include "pki/pem.h"
#include "pem_mutator.h"

static void
check_certificate(X509 *cert)
{
	StringInfoData buf;
	PemContent *again;
	char	   *error;

	initStringInfo(&buf);
	HOLDS(append_pem_certificate(&buf, cert), "it cannot be written");
	again = read_pem(buf.data, (size_t) buf.len, &error);
	HOLDS(again && sk_X509_num(again->certs) == 1 && X509_cmp(sk_X509_value(again->certs, 0), cert) == 0 &&
			  X509_trusted(sk_X509_value(again->certs, 0)) == X509_trusted(cert),
		  "written and read again: %s", shown(error));
	free_pem_content(again);
}

static void
check_crl(X509_CRL *crl)
{
	StringInfoData buf;
	PemContent *again;
	char	   *error;

	initStringInfo(&buf);
	HOLDS(append_pem_crl(&buf, crl), "it cannot be written");
	again = read_pem(buf.data, (size_t) buf.len, &error);
	HOLDS(again && sk_X509_CRL_num(again->crls) == 1 && X509_CRL_match(sk_X509_CRL_value(again->crls, 0), crl) == 0,
		  "written and read again: %s", shown(error));
	free_pem_content(again);
}

/*
 * 1
 */
static void
compare_with_server(const char *text, size_t len, bool has_keys, const PemContent *content, const char *error)
{
	BIO		   *bio = BIO_new_mem_buf(text, (int) len);
	STACK_OF(X509_INFO) *infos = PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL);
	int			ncerts = 0;
	int			ncrls = 0;

	BIO_free(bio);
	ERR_clear_error();
	if (!has_keys)
		HOLDS((infos == NULL) == (content == NULL), "read_pem() %s, the server %s",
			  content ? "accepts" : error, infos ? "accepts" : "refuses");
	for (int i = 0; content && infos && i < sk_X509_INFO_num(infos); i++)
	{
		X509_INFO  *info = sk_X509_INFO_value(infos, i);

		if (info->x509)
			HOLDS(ncerts < sk_X509_num(content->certs) &&
					  X509_cmp(sk_X509_value(content->certs, ncerts++), info->x509) == 0,
				  "certificate %d", ncerts);
		if (info->crl)
			HOLDS(ncrls < sk_X509_CRL_num(content->crls) &&
					  X509_CRL_match(sk_X509_CRL_value(content->crls, ncrls++), info->crl) == 0,
				  "CRL %d", ncrls);
	}
	if (content && infos)
		HOLDS(ncerts == sk_X509_num(content->certs) && ncrls == sk_X509_CRL_num(content->crls),
			  "%d certificates and %d CRLs, but for the server %d and %d", sk_X509_num(content->certs),
			  sk_X509_CRL_num(content->crls), ncerts, ncrls);
	sk_X509_INFO_pop_free(infos, X509_INFO_free);
}

/*
 * Are all blocks CRLs as PEM should have them (RFC 7468): a line that begins, whole
 * lines of base64 with its padding at their end, the line that ends?
 */
static bool
is_strict_pem(const char *text, size_t len)
{
	static const char begin[] = "-----BEGIN";	/* whatever follows */
	bool		inside = false;
	bool		padded = false;
	int			characters = 0;

	for (const char *pos = text, *next; pos < text + len; pos = next)
	{
		const char *newline = memchr(pos, '\n', (size_t) (text + len - pos));
		const char *end = newline ? newline : text + len;
		char	   *line;

		next = newline ? newline + 1 : end;
		while (end > pos && strchr(" \t\r", end[-1]) && end[-1] != '\0')
			end--;
		if (memchr(pos, '\0', (size_t) (end - pos)) != NULL)
			return false;
		line = pnstrdup(pos, (Size) (end - pos));
		if (!inside)
		{
			if (strncmp(line, "\xEF\xBB\xBF-----BEGIN", 13) == 0)
				return false;
			if (strncmp(line, begin, strlen(begin)) != 0)
				continue;
			if (strcmp(line, "-----BEGIN X509 CRL-----") != 0)
				return false;
			inside = true;
			padded = false;
			characters = 0;
		}
		else if (strcmp(line, "-----END X509 CRL-----") == 0)
		{
			if (characters % 4 != 0)
				return false;
			inside = false;
		}
		else
		{
			size_t		data = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
			size_t		padding = strspn(line + data, "=");

			if (data + padding != strlen(line) || padded || padding > 2)
				return false;
			padded = padding > 0;
			characters += (int) strlen(line);
		}
	}
	return !inside;
}

/*
 * Does a block have more in it than its CRL?
 */
static bool
has_bytes_behind(const char *text, size_t len)
{
	BIO		   *bio = BIO_new_mem_buf(text, (int) len);
	char	   *name;
	char	   *header;
	unsigned char *data;
	long		size;
	bool		result = false;

	while (PEM_read_bio(bio, &name, &header, &data, &size) == 1)
	{
		const unsigned char *pos = data;

		X509_CRL_free(d2i_X509_CRL(NULL, &pos, size));
		result |= pos != data + size;
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(data);
	}
	BIO_free(bio);
	ERR_clear_error();
	return result;
}

/*
 * May the streaming reader refuse this text, which OpenSSL reads CRLs from?
 * OpenSSL is lenient with damaged blocks, and loses CRLs by it.
 */
static bool
is_good_reason_for_text(const char *text, size_t len, const PemContent *content, const char *error)
{
	/* where OpenSSL takes one, we do */
	if (strstr(error, "has an empty line"))
		return false;
	if (strstr(error, "PEM block") || strstr(error, "its base64"))
		return !is_strict_pem(text, len);
	if (strstr(error, "there are bytes after its end"))
		return has_bytes_behind(text, len);
	for (int i = 0; i < sk_X509_CRL_num(content->crls); i++)
	{
		X509_CRL   *crl = sk_X509_CRL_value(content->crls, i);
		unsigned char *der = NULL;
		int			der_len = i2d_X509_CRL(crl, &der);
		bool		good = is_good_reason(error, der, (size_t) der_len, crl);

		OPENSSL_free(der);
		if (good)
			return true;
	}
	return false;
}

/*
 * A line that is longer than the buffer that OpenSSL reads lines into?
 */
static bool
has_long_line(const char *text, size_t len)
{
	size_t		start = 0;

	for (size_t i = 0; i < len; i++)	/* start is never behind i */
	{
		if (i - start > 250)
			return true;
		if (text[i] == '\n')
			start = i + 1;
	}
	return false;
}

/*
 * 3
 */
static void
compare_with_stream(const char *text, size_t len, const PemContent *content, const char *error)
{
	Reading		reading = read_file_of_crls((const uint8 *) text, len, 1000000, NULL);
	Reading		pieces = read_file_of_crls((const uint8 *) text, len, 1 + len % 7, NULL);

	bool		whole = reading.file && reading.file->nbad == 0;
	const char *refusal = reading.file && reading.file->nbad > 0 ? reading.file->bad[0] : reading.error;

	same_readings(&reading, &pieces, "in pieces");
	HOLDS(same_text(reading.error, pieces.error), "%s, in pieces %s", shown(reading.error), shown(pieces.error));
	/* DER is fuzz_crl's; and in a long line OpenSSL sees lines where none begin */
	if (text[0] == '0' || has_long_line(text, len))
		return;
	if (whole)
	{
		HOLDS(content, "the stream accepts what read_pem() does not: %s", error);
		HOLDS(sk_X509_num(content->certs) == reading.ncerts && content->nkeys == 0 && content->nothers == 0 &&
				  sk_X509_CRL_num(content->crls) == reading.file->ncrls,
			  "the stream sees %d CRLs and %d certificates, read_pem() %d, %d, %d keys and %d others",
			  reading.file->ncrls, reading.ncerts, sk_X509_CRL_num(content->crls),
			  sk_X509_num(content->certs), content->nkeys, content->nothers);
		for (int i = 0; i < reading.file->ncrls; i++)
			compare_with_openssl(&reading, i, sk_X509_CRL_value(content->crls, i));
	}
	else if (content && sk_X509_CRL_num(content->crls) > 0 && sk_X509_num(content->certs) == 0 &&
			 content->nkeys == 0 && content->nothers == 0)
		HOLDS(is_good_reason_for_text(text, len, content, refusal), "the stream refuses CRLs: %s", refusal);
}

static void
check_objects(const PemContent *content)
{
	for (int i = 0; i < sk_X509_num(content->certs); i++)
		check_certificate(sk_X509_value(content->certs, i));
	for (int i = 0; i < sk_X509_CRL_num(content->crls); i++)
		check_crl(sk_X509_CRL_value(content->crls, i));
}

/*
 * Are those of one among those of the other, in their order?
 */
static bool
has_all_of(const PemContent *all, const PemContent *some)
{
	int			found = 0;

	for (int i = 0; i < sk_X509_num(all->certs) && found < sk_X509_num(some->certs); i++)
		found += X509_cmp(sk_X509_value(all->certs, i), sk_X509_value(some->certs, found)) == 0;
	if (found < sk_X509_num(some->certs))
		return false;
	found = 0;
	for (int i = 0; i < sk_X509_CRL_num(all->crls) && found < sk_X509_CRL_num(some->crls); i++)
		found += X509_CRL_match(sk_X509_CRL_value(all->crls, i), sk_X509_CRL_value(some->crls, found)) == 0;
	return found == sk_X509_CRL_num(some->crls);
}

static int
count_objects(const PemContent *content)
{
	return sk_X509_num(content->certs) + sk_X509_CRL_num(content->crls);
}

/*
 * What is written of certificates and CRLs, in another form.
 */
static char *
in_another_form(const char *pem, int form)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (const char *c = pem; *c; c++)
	{
		if (*c == '\n')
			appendStringInfoString(&buf, form == 0 ? "\\n" : form == 1 ? " " :
									   form == 2					   ? "=\r\n\n" :
									   form == 3					   ? "%0A" :
																		 "");
		else if (*c == '=' && form == 2)
			appendStringInfoString(&buf, "=3D");
		else if (*c == '+' && form == 3)
			appendStringInfoString(&buf, "%2B");
		else
			appendStringInfoChar(&buf, *c);
	}
	return buf.data;
}

/*
 * 5
 */
static void
check_forms(const PemContent *content)
{
	StringInfoData pem;

	initStringInfo(&pem);
	for (int i = 0; i < sk_X509_num(content->certs); i++)
		HOLDS(append_pem_certificate(&pem, sk_X509_value(content->certs, i)), "it cannot be written");
	for (int i = 0; i < sk_X509_CRL_num(content->crls); i++)
		HOLDS(append_pem_crl(&pem, sk_X509_CRL_value(content->crls, i)), "it cannot be written");
	for (int form = 0; form < 5; form++)
	{
		char	   *text = in_another_form(pem.data, form);
		PemProblem	problem;
		PemContent *again = read_given_pem(text, strlen(text), &problem);

		HOLDS(again && count_objects(again) == count_objects(content) && has_all_of(again, content),
			  "in form %d: %s", form, shown(problem.error));
		free_pem_content(again);
	}
}

static void
check_given(const char *text, size_t size, const PemContent *content)
{
	PemProblem	problem;
	PemContent *given = read_given_pem(text, size, &problem);

	HOLDS(ERR_peek_error() == 0, "OpenSSL's error queue is not empty");
	HOLDS(given || problem.error || problem.is_key, "not taken, and no reason");
	HOLDS(given == NULL || problem.error == NULL, "taken, with a reason not to: %s", shown(problem.error));
	if (given == NULL)
		return;
	if (content)
		HOLDS(has_all_of(given, content), "the repaired text lacks what the server reads");
	check_objects(given);
	if (count_objects(given) > 0 && count_objects(given) < 10)
		check_forms(given);
	free_pem_content(given);
}

/*
 * 6
 */
static void
check_given_key(const char *text, size_t size)
{
	PemProblem	problem;
	char	   *repaired = read_given_key(text, size, &problem);
	char	   *error;
	EVP_PKEY   *key;

	HOLDS(ERR_peek_error() == 0, "OpenSSL's error queue is not empty");
	HOLDS(repaired == NULL || problem.error == NULL, "a key, with a reason not to take it");
	if (repaired == NULL)
		return;
	HOLDS(strstr(repaired, "PRIVATE KEY-----\n") != NULL, "a key is made of nothing");
	key = read_pem_private_key(repaired, strlen(repaired), &error);
	EVP_PKEY_free(key);
}

void
fuzz_one(const uint8 *data, size_t size)
{
	char	   *text;
	char	   *error;
	char	   *key_error;
	PemContent *content;
	EVP_PKEY   *key;
	bool		has_keys;

	if (size == 0)
		return;
	/* as the arguments of SQL functions have it */
	text = palloc(size + 1);
	memcpy(text, data, size);
	text[size] = '\0';
	content = read_pem(text, size, &error);
	HOLDS(ERR_peek_error() == 0, "OpenSSL's error queue is not empty");
	HOLDS((content == NULL) == (error != NULL), "refused without a reason, or with one accepted");
	has_keys = mentions_private_key(text, size);
	compare_with_server(text, size, has_keys, content, error);
	compare_with_stream(text, size, content, error);
	if (content)
		check_objects(content);
	check_given(text, size, content);
	if (content)
		free_pem_content(content);
	check_given_key(text, size);

	/* it takes OpenSSL long to find none */
	if (!has_keys && size % 32 != 0)
		return;
	key = read_pem_private_key(text, size, &key_error);
	HOLDS(ERR_peek_error() == 0, "OpenSSL's error queue is not empty");
	HOLDS((key == NULL) == (key_error != NULL), "no key without a reason, or with one");
	HOLDS(key == NULL || has_keys, "it has a key but does not mention it");
	EVP_PKEY_free(key);
}

extern size_t LLVMFuzzerCustomMutator(uint8 *data, size_t size, size_t max_size, unsigned seed);
extern size_t LLVMFuzzerCustomCrossOver(const uint8 *a, size_t a_size, const uint8 *b, size_t b_size,
										uint8 *out, size_t max_size, unsigned seed);

size_t
LLVMFuzzerCustomMutator(uint8 *data, size_t size, size_t max_size, unsigned seed)
{
	return pem_mutate(data, size, max_size, seed);
}

size_t
LLVMFuzzerCustomCrossOver(const uint8 *a, size_t a_size, const uint8 *b, size_t b_size,
						  uint8 *out, size_t max_size, unsigned seed)
{
	return pem_cross(a, a_size, b, b_size, out, max_size, seed);
}
