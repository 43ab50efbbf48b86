/*-------------------------------------------------------------------------
 *
 * matcher.c
 *		Regular expressions by PostgreSQL, cipher names by OpenSSL.
 *
 * Patterns and the text that they are matched with are printable ASCII (see
 * escape.h), so neither the database encoding nor a locale plays a part: the
 * encoding is SQL_ASCII at login and the database's own in SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "catalog/pg_collation.h"
#include "miscadmin.h"
#include "regex/regex.h"

#include "policy/matcher.h"

/*
 * ASCII to the wide characters that the regular expression code works on.
 */
static pg_wchar *
widen(const char *text, size_t *len)
{
	pg_wchar   *wide;

	*len = strlen(text);
	wide = palloc(sizeof(pg_wchar) * (*len + 1));
	for (size_t i = 0; i <= *len; i++)
		wide[i] = (unsigned char) text[i];
	return wide;
}

/*
 * Compile an advanced regular expression, as pg_ident.conf has them.  Returns
 * what is wrong with it, or NULL.
 */
static char *
compile(regex_t *re, const char *pattern, int flags)
{
	size_t		len;
	pg_wchar   *wide = widen(pattern, &len);
	int			result = pg_regcomp(re, wide, len, REG_ADVANCED | flags,
									C_COLLATION_OID);
	char		reason[100];

	pfree(wide);
	if (result == REG_OKAY)
		return NULL;
	/* up to PostgreSQL 15 that somebody has cancelled it is an error like others */
	CHECK_FOR_INTERRUPTS();
	pg_regerror(result, re, reason, sizeof(reason));
	return pstrdup(reason);
}

static char *
check_regex(const char *pattern)
{
	regex_t		re;
	char	   *reason = compile(&re, pattern, 0);

	if (reason == NULL)
	{
		if (re.re_info & REG_UBACKREF)
			reason = pstrdup("back references are not accepted");
		pg_regfree(&re);
	}
	return reason;
}

/*
 * Does one of the texts match?  A pattern that does not compile matches nothing.
 */
bool
regex_matches(const char *pattern, const char *const *texts, int ntexts, bool ignore_case)
{
	regex_t		re;
	bool		result = false;

	if (compile(&re, pattern, REG_NOSUB | (ignore_case ? REG_ICASE : 0)) != NULL)
		return false;
	for (int i = 0; i < ntexts && !result; i++)
	{
		size_t		len;
		pg_wchar   *wide = widen(texts[i], &len);

		result = pg_regexec(&re, wide, len, 0, NULL, 0, NULL, 0) == REG_OKAY;
		pfree(wide);
	}
	pg_regfree(&re);
	CHECK_FOR_INTERRUPTS();
	return result;
}

/*
 * OpenSSL's cipher of this name; NULL if it knows no such cipher.  It is part of the
 * library, and never freed.
 */
static const SSL_CIPHER *
find_cipher(const char *name)
{
	SSL_CTX    *context = SSL_CTX_new(TLS_server_method());
	const SSL_CIPHER *found = NULL;

	if (context &&
		SSL_CTX_set_cipher_list(context, "ALL:COMPLEMENTOFALL:@SECLEVEL=0") == 1 &&
		SSL_CTX_set_ciphersuites(context,
								 "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:"
								 "TLS_AES_128_GCM_SHA256:TLS_AES_128_CCM_SHA256:"
								 "TLS_AES_128_CCM_8_SHA256") == 1)
	{
		STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(context);

		for (int i = 0; i < sk_SSL_CIPHER_num(ciphers) && !found; i++)
			if (strcmp(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, i)), name) == 0)
				found = sk_SSL_CIPHER_value(ciphers, i);
	}
	SSL_CTX_free(context);
	ERR_clear_error();
	return found;
}

/*
 * Does OpenSSL know this cipher?  A name that it does not know could never be
 * met.  Returns what is wrong, or NULL.
 */
static char *
check_cipher(const char *name)
{
	return find_cipher(name) ? NULL : psprintf("OpenSSL knows no cipher \"%s\"", name);
}

/*
 * The name of a cipher in the RFCs, by which Java and Go know it; NULL if it has none.
 */
const char *
cipher_standard_name(const char *name)
{
	const SSL_CIPHER *cipher = find_cipher(name);

	return cipher ? SSL_CIPHER_standard_name(cipher) : NULL;
}

const PolicyChecks policy_checks = {
	.regex = check_regex,
	.cipher = check_cipher,
	.spelling = true,
};

/*
 * Every process checks a changed setting at each reload, the postmaster first: they
 * compile nothing.
 */
const PolicyChecks setting_checks = {
	.cipher = check_cipher,
	.spelling = true,
};

/*
 * Of policies that are stored: do they mean what they seem to?
 */
const PolicyChecks spelling_checks = {
	.spelling = true,
};

/*
 * The server starts with what it was stopped with.
 */
const PolicyChecks stored_setting_checks = {
	.cipher = check_cipher,
};
