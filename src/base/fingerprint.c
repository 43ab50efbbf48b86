/*-------------------------------------------------------------------------
 *
 * fingerprint.c
 *		SHA-256 fingerprints: computed, read and written.
 *
 *-------------------------------------------------------------------------
 */
#include "base/fingerprint.h"

#include "base/escape.h"

/*
 * OpenSSL's SHA-256.  It is looked up once: EVP_sha256() has it looked up again in each
 * use.  The postmaster does that, and the processes that it forks inherit it.
 */
const EVP_MD *
openssl_sha256(void)
{
	static const EVP_MD *sha256 = NULL;

	if (sha256 == NULL)
		sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	return sha256 ? sha256 : EVP_sha256();
}

/*
 * SHA-256 of some bytes.  False if OpenSSL fails.
 */
bool
compute_sha256(const char *bytes, size_t len, uint8 *digest)
{
	unsigned int size = 0;
	unsigned char buf[EVP_MAX_MD_SIZE];

	if (EVP_Digest(bytes, len, buf, &size, openssl_sha256(), NULL) != 1 || size != FINGERPRINT_LEN)
		return false;
	memcpy(digest, buf, FINGERPRINT_LEN);
	return true;
}

/*
 * Lower-case hexadecimal digits without colons.
 */
char *
fingerprint_hex(const uint8 *digest)
{
	StringInfoData buf;

	initStringInfo(&buf);
	append_hex(&buf, digest, FINGERPRINT_LEN);
	return buf.data;
}

/*
 * A SHA-256 fingerprint: 64 hexadecimal digits, or 32 pairs joined by colons.
 */
bool
parse_fingerprint(const char *value, uint8 *bytes)
{
	bool		colons = strlen(value) == 3 * FINGERPRINT_LEN - 1;
	int			step = colons ? 3 : 2;

	if (!colons && strlen(value) != 2 * FINGERPRINT_LEN)
		return false;
	for (int i = 0; i < FINGERPRINT_LEN; i++)
	{
		int			high = hex_value(value[i * step]);
		int			low = hex_value(value[i * step + 1]);

		if (high < 0 || low < 0 ||
			(colons && i > 0 && value[i * step - 1] != ':'))
			return false;
		bytes[i] = (uint8) (high << 4 | low);
	}
	return true;
}

static int
compare_fingerprints(const void *a, const void *b)
{
	return memcmp(a, b, FINGERPRINT_LEN);
}

/*
 * Is a fingerprint one of these, of which parse_fingerprints() has made a list?
 */
bool
is_fingerprint_listed(const uint8 *fingerprint, const uint8 *list, int count)
{
	return count > 0 &&
		bsearch(fingerprint, list, (size_t) count, FINGERPRINT_LEN, compare_fingerprints) != NULL;
}

/*
 * Parse fingerprints separated by commas or white space, into FINGERPRINT_LEN bytes each,
 * in order.  If a word is not a fingerprint, return NULL and set *bad to it.
 */
uint8 *
parse_fingerprints(const char *list, int *count, char **bad)
{
	char	   *copy = pstrdup(list);
	char	   *save = NULL;
	uint8	   *bytes = palloc(strlen(copy) + 1);	/* more than enough */

	*count = 0;
	for (char *word = strtok_r(copy, ", \t\r\n", &save); word;
		 word = strtok_r(NULL, ", \t\r\n", &save))
	{
		if (!parse_fingerprint(word, bytes + *count * FINGERPRINT_LEN))
		{
			*bad = word;
			return NULL;
		}
		(*count)++;
	}
	qsort(bytes, (size_t) *count, FINGERPRINT_LEN, compare_fingerprints);
	return bytes;
}
