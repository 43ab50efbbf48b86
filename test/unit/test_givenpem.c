/*-------------------------------------------------------------------------
 *
 * test_givenpem.c
 *		PEM and DER as people have them: the same certificates and CRLs come out of each,
 *		or a message that says what is wrong, and where.
 *
 *-------------------------------------------------------------------------
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/pkcs7.h>
#include <time.h>

#include "certs.h"
#include "crls.h"
#include "pki/derkind.h"
#include "pki/givenpem.h"
#include "tap.h"

static X509 *cert;
static X509 *other;
static X509_CRL *crl;
static char *pem;				/* of all three */

static char *
pem_of(X509 *a, X509 *b, X509_CRL *c)
{
	StringInfoData buf;

	initStringInfo(&buf);
	if (a)
		must(append_pem_certificate(&buf, a), "write a certificate");
	if (b)
		must(append_pem_certificate(&buf, b), "write a certificate");
	if (c)
		must(append_pem_crl(&buf, c), "write a CRL");
	return buf.data;
}

static char *
replaced(const char *text, const char *from, const char *to)
{
	StringInfoData buf;

	initStringInfo(&buf);
	while (*text)
	{
		if (strncmp(text, from, strlen(from)) == 0)
		{
			appendStringInfoString(&buf, to);
			text += strlen(from);
		}
		else
			appendStringInfoChar(&buf, *text++);
	}
	return buf.data;
}

static bool
has_the_three(const PemContent *content)
{
	return content && sk_X509_num(content->certs) == 2 && sk_X509_CRL_num(content->crls) == 1 &&
		X509_cmp(sk_X509_value(content->certs, 0), cert) == 0 &&
		X509_cmp(sk_X509_value(content->certs, 1), other) == 0 &&
		X509_CRL_match(sk_X509_CRL_value(content->crls, 0), crl) == 0;
}

static void
taken_bytes(const char *bytes, size_t len, const char *what)
{
	PemProblem	problem;
	PemContent *content = read_given_pem(bytes, len, &problem);

	ok(has_the_three(content), "taken: %s", what);
	if (content == NULL)
		fprintf(stderr, "# %s\n", problem.error ? problem.error : "nothing found");
	else
		free_pem_content(content);
	ok(ERR_peek_error() == 0, "OpenSSL's queue is empty: %s", what);
}

static void
taken(const char *text, const char *what)
{
	taken_bytes(text, strlen(text), what);
}

static void
refused_bytes(const char *bytes, size_t len, const char *error, const char *hint, const char *what)
{
	PemProblem	problem;
	PemContent *content = read_given_pem(bytes, len, &problem);

	ok(content == NULL, "refused: %s", what);
	has_str(problem.error, error, "why: %s", what);
	if (hint)
		has_str(problem.hint, hint, "the hint: %s", what);
	if (content)
		free_pem_content(content);
	ok(ERR_peek_error() == 0, "OpenSSL's queue is empty: %s", what);
}

static char *
text_of(BIO *bio)
{
	char	   *text = NULL;

	must(BIO_write(bio, "", 1) == 1 && BIO_get_mem_data(bio, &text) > 0, "read what was written");
	return text ? text : pstrdup("");
}

static void
refused(const char *text, const char *error, const char *what)
{
	refused_bytes(text, strlen(text), error, NULL, what);
}

/*
 * Not one certificate, and no error either: the caller says what it wants.
 */
static void
nothing(const char *text, const char *what)
{
	PemProblem	problem;
	PemContent *content = read_given_pem(text, strlen(text), &problem);

	ok(content && sk_X509_num(content->certs) == 0 && sk_X509_CRL_num(content->crls) == 0, "nothing in it: %s", what);
	if (content)
		free_pem_content(content);
}

static char *
base64(const char *bytes, size_t len, int line)
{
	StringInfoData buf;
	unsigned char *all = palloc(len * 2 + 4);
	int			n = EVP_EncodeBlock(all, (const unsigned char *) bytes, (int) len);

	initStringInfo(&buf);
	for (int i = 0; i < n; i++)
	{
		if (line && i > 0 && i % line == 0)
			appendStringInfoChar(&buf, '\n');
		appendStringInfoChar(&buf, (char) all[i]);
	}
	return buf.data;
}

static char *
hex(Bytes der, const char *before, const char *between)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoString(&buf, before);
	for (size_t i = 0; i < der.len; i++)
		appendStringInfo(&buf, "%s%02x", i ? between : "", (uint8) der.data[i]);
	return buf.data;
}

static Bytes
der_of(X509 *a)
{
	unsigned char *out = NULL;
	Bytes		result;

	result.len = (size_t) i2d_X509(a, &out);
	result.data = (char *) out;
	return result;
}

/*
 * OpenSSL compares CRLs that have been read.
 */
static X509_CRL *
read_back(X509_CRL *made)
{
	unsigned char *der = NULL;
	int			len = i2d_X509_CRL(made, &der);
	const unsigned char *pos = der;

	return d2i_X509_CRL(NULL, &pos, len);
}

static Bytes
der_of_crl(void)
{
	unsigned char *out = NULL;
	Bytes		result;

	result.len = (size_t) i2d_X509_CRL(crl, &out);
	result.data = (char *) out;
	return result;
}

/*
 * As JSON writes it, and what writes into JSON again.
 */
static void
test_line_breaks(void)
{
	char	   *joined = replaced(replaced(replaced(pem, "\n", " "), "-----BEGIN ", "\n-----BEGIN "), "- \n-", "-\n-");
	char	   *quoted = replaced(pem, "\n", "\n> ");

	taken(pem, "as it should be");
	taken(replaced(pem, "\n", "\r\n"), "CRLF");
	taken(replaced(pem, "\n", "\r"), "CR alone");
	taken(replaced(pem, "\n", "\n\n"), "an empty line behind each");
	taken(replaced(pem, "\n", "\\n"), "\\n");
	taken(replaced(pem, "\n", "\\r\\n"), "\\r\\n");
	taken(replaced(pem, "\n", "\\\\n"), "\\n that has been escaped again");
	taken(replaced(pem, "\n", "\\n\n"), "\\n and a line break");
	taken(replaced(pem, "\n", "\\\n"), "a shell's backslash at the end of lines");
	taken(replaced(replaced(pem, "/", "\\/"), "\n", "\\n"), "JSON that escapes slashes");
	taken(replaced(replaced(replaced(pem, "+", "\\u002b"), "=", "\\u003D"), "\n", "\\u000a"), "JSON that escapes more");
	taken(psprintf("\"%s\"", replaced(pem, "\n", "\\n")), "in quotes");
	taken(replaced(pem, "\n", " "), "blanks for line breaks");
	taken(joined, "blanks within blocks, each on a line");
	taken(replaced(pem, "\n", "\t"), "tabs for line breaks");
	taken(replaced(pem, "\n", ""), "no line breaks");
	taken(replaced(replaced(pem, "\n", ""), " ", ""), "no white space at all");
	taken(replaced(psprintf("\n%s", pem), "\n", "\n    "), "indented, as in YAML");
	taken(psprintf("tls.crt: |\n%s", replaced(psprintf("\n%s", pem), "\n", "\n\t")), "in YAML");
	taken(psprintf("> %s", quoted), "quoted in a mail");
	taken(psprintf(">> %s", replaced(pem, "\n", "\n> > ")), "quoted twice");
	taken(replaced(pem, "\n", "   \n"), "blanks at the end of lines");
	taken(psprintf("text before\n%s\ntext behind", replaced(pem, "-----BEGIN", "text between\n-----BEGIN")), "text around it");
	taken(psprintf("see: %s and so on", replaced(pem, "\n", "\\n")), "text around it, in the same line");
}

static void
test_encodings(void)
{
	char	   *plain = replaced(pem, "=", "=3D");
	StringInfoData buf;

	taken(plain, "quoted-printable");
	taken(replaced(replaced(plain, "-----BEGIN", "=2D----BEGIN"), "\n", "=0D=0A=\r\n"), "quoted-printable that encodes more");
	initStringInfo(&buf);
	for (const char *c = plain, *line = plain; *c; c++)
	{
		appendStringInfoChar(&buf, *c);
		if (*c == '\n')
			line = c + 1;
		else if (c - line == 20 && *c != '=' && c[1] != '\n' && strncmp(line, "-----", 5) != 0 && c[-1] != '=')
			appendStringInfoString(&buf, "=\r\n");
	}
	taken(buf.data, "quoted-printable with soft line breaks");
	taken(replaced(replaced(replaced(replaced(pem, "+", "%2B"), "=", "%3D"), "\n", "%0A"), " ", "%20"), "a URL, or a header of nginx");
	taken(replaced(replaced(replaced(replaced(replaced(pem, "+", "%2B"), "/", "%2F"), "=", "%3D"), "\n", "%0D%0A"), " ", "+"), "a form");
	taken(replaced(replaced(replaced(replaced(pem, "+", "&#43;"), "/", "&#x2F;"), "=", "&equals;"), "\n", "<br/>\n"), "HTML");
	taken(replaced(replaced(pem, "\n", "&#10;"), "-", "&#45;"), "XML");
	taken(replaced(pem, "\n", "</p><p>"), "tags");
	taken(replaced(pem, "-----", "\xE2\x80\x93\xE2\x80\x93\xE2\x80\x93"), "dashes of a word processor");
	taken(replaced(pem, "-----", "\xE2\x80\x94-"), "fewer dashes of a word processor");
	taken(replaced(replaced(pem, "-----", "&ndash;&ndash;-"), " ", "&nbsp;"), "dashes in HTML");
	taken(replaced(pem, " ", "\xC2\xA0"), "no-break spaces");
	taken(replaced(pem, "\n", "\n\xE2\x80\x8B"), "spaces without width");
	taken(psprintf("\xEF\xBB\xBF%s", pem), "a byte order mark");
	taken(replaced(pem, "-----BEGIN", "\xEF\xBB\xBF-----BEGIN"), "byte order marks in between");
	taken(replaced(pem, "\n", "\\n\" +\n  \""), "strings that plus signs join");
	taken(psprintf("[\"%s\"]", replaced(pem, "\n", "\",\n \"")), "lines in JSON");
}

static void
test_utf16(void)
{
	size_t		len = strlen(pem);
	char	   *little = palloc0(2 * len + 2);
	char	   *big = palloc0(2 * len + 2);

	memcpy(little, "\xFF\xFE", 2);
	memcpy(big, "\xFE\xFF", 2);
	for (size_t i = 0; i < len; i++)
	{
		little[2 + 2 * i] = pem[i];
		big[3 + 2 * i] = pem[i];
	}
	taken_bytes(little, 2 * len + 2, "UTF-16, as Windows writes it");
	taken_bytes(big, 2 * len + 2, "UTF-16, the other way round");
	taken_bytes(little + 2, 2 * len, "UTF-16 without a mark");
	taken_bytes(big + 2, 2 * len, "UTF-16 without a mark, the other way round");

	/* what begins as UTF-16, and is none: OpenSSL reads the blocks in it */
	for (int i = 0; i < 4; i++)
	{
		static const char begins[][2] = {{'-', '\0'}, {'\0', '-'}, {'\xFF', '\xFE'}, {'\xFE', '\xFF'}};
		size_t		start = len % 2 ? 3 : 4;
		char	   *text = palloc(start + len);

		memset(text, '\n', start);
		memcpy(text, begins[i], 2);
		memcpy(text + start, pem, len);
		taken_bytes(text, start + len, psprintf("PEM behind the bytes %02X %02X", (unsigned char) begins[i][0], (unsigned char) begins[i][1]));
	}
}

static void
test_der(void)
{
	Bytes		all = joined(joined(der_of(cert), der_of(other)), der_of_crl());
	char	   *one = base64(der_of(cert).data, der_of(cert).len, 64);
	char	   *two = base64(der_of(other).data, der_of(other).len, 0);
	char	   *three = base64(der_of_crl().data, der_of_crl().len, 76);
	char	   *separate = psprintf("[\"%s\", \"%s\",\n\"%s\"]", one, two, three);

	taken_bytes(all.data, all.len, "DER");
	taken(base64(all.data, all.len, 0), "base64 of DER");
	taken(base64(all.data, all.len, 64), "base64 of DER in lines");
	taken(replaced(base64(all.data, all.len, 64), "\n", "\\n"), "base64 of DER in escaped lines");
	taken(base64(pem, strlen(pem), 76), "base64 of PEM");
	taken(base64(replaced(pem, "\n", "\r\n"), strlen(replaced(pem, "\n", "\r\n")), 0), "base64 of PEM on one line");
	taken(hex(all, "\\x", ""), "bytea as text");
	taken(hex(all, "0x", ""), "hexadecimal digits");
	taken(hex(all, "", ":"), "hexadecimal digits with colons");
	/* where one ends without padding, nothing tells the next one but its length */
	if (strchr(one, '=') && strchr(two, '='))
		taken(separate, "x5c");
	refused_bytes(all.data, all.len - 1, "a part is missing", NULL, "DER that is cut");
	refused_bytes(joined(all, str("x")).data, all.len + 1, "bytes after its end", NULL, "DER and something behind it");
	refused(replaced(base64(all.data, all.len - 30, 0), "\n", ""), "a part is missing", "base64 of DER that is cut");
	refused(psprintf("%.*s*%s", 200, one, one + 200), "the base64 is damaged: character 6 of line 4 is not base64", "base64 with something in it");
	refused(psprintf("%.100sAAAA%s", two, two + 100), "", "base64 with too many characters");
}

/*
 * What is wrong, and where.
 */
static void
test_told(void)
{
	char	   *one = pem_of(cert, NULL, NULL);
	char	   *two = pem_of(other, NULL, NULL);
	size_t		last_line = (size_t) (strstr(one, "\n-----END") - one);
	char	   *body = strchr(one, '\n') + 1;
	StringInfoData many;

	refused(psprintf("%.200s", one), "PEM block 1 is damaged: what begins at character 6 of line 1 has no END", "a text that is cut");
	refused(psprintf("%s%.200s", one, two), "PEM block 2 is damaged: what begins at character 6 of", "a second block that is cut");
	refused(psprintf("%.200s\n%s", one, two), "PEM block 1 is damaged: another one begins at character 1 of line", "a block without its end");
	refused(psprintf("%.70s*%s", one, one + 70), "PEM block 1 is damaged: character 43 of line 2 is \"*\", which is not base64", "a character");
	refused(psprintf("\xC3\xA4\n\xC3\xA4 %.70s\xC3\xA4%s", replaced(one, "\n", "\\n"), one + 70), "PEM block 1 is damaged: character 73 of line 2 is not base64", "a letter of two bytes");
	refused(replaced(one, "\n-----END CERTIFICATE", "\n-----END X509 CRL"), "ends under another name at character 1 of line", "another name at the end");
	refused(psprintf("%.90s%s", one, one + 91), "PEM block 1 is damaged: it", "a character is missing");
	refused(psprintf("%.40s%s", one, one + 44), "PEM block 1 is damaged: it has", "four characters are missing");
	refused(psprintf("%.90sAAAA%s", one, one + 90), "bytes, but its first ones announce", "four characters too many");
	refused(psprintf("%.*s=\nAAAA%s", (int) last_line, one, one + last_line), "damaged", "something behind its padding");
	refused(replaced(one, "MI", "AI"), "PEM block 1 is not a valid CERTIFICATE: its first bytes are not those of DER", "no DER");
	refused(psprintf("-----BEGIN CERTIFICATE-----\nProc-Type: 4,MIC-CLEAR\n\n%s", body), "PEM block 1 has a header at character 5 of line 2", "a header");
	refused(psprintf("-----BEGIN CERTIFICATE-----\\n-----END CERTIFICATE-----"), "PEM block 1 is not a valid CERTIFICATE", "an empty block");
	initStringInfo(&many);
	for (int i = 0; i < 40; i++)
		appendStringInfoString(&many, i == 38 ? replaced(two, "MI", "M!") : replaced(two, "\n", "\\n"));
	refused(many.data, "PEM block 39 is damaged: character", "the number of the block");

	nothing("", "nothing");
	nothing("hello", "a word");
	nothing("/etc/ssl/certs/ca.pem", "the name of a file");
	nothing("Give it from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----", "words about PEM");
	nothing(psprintf("# %s", replaced(one, "\n", "\n# ")), "what is commented out");
	nothing(psprintf("  #%s", replaced(one, "\n", "\\n")), "what is commented out, on one line");
	nothing("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nx", "PGP");
	nothing(replaced("aaaaaaaa", "a", "aaaaaaaaaaaaaaaa"), "base64 of something");
	nothing("\\x3000", "a little DER");
}

/*
 * A block that OpenSSL passes over does not get lost because there is another one.
 */
static void
test_some_of_them(void)
{
	char	   *one = pem_of(cert, NULL, NULL);
	char	   *two = pem_of(other, NULL, NULL);
	char	   *three = pem_of(NULL, NULL, crl);

	taken(psprintf("%s%s%s", one, replaced(two, "\n", "\\n"), three), "one of three is escaped");
	taken(psprintf("%s    %s%s", one, replaced(two, "\n", "\n    "), three), "one of three is indented");
	taken(psprintf("%s# the next -----BEGIN CERTIFICATE----- is commented out\n#%s\n%s%s", one, replaced(one, "\n", "\n#"), two, three), "comments are none");
	refused(psprintf("%s%s%.120s", one, two, three), "PEM block 3", "one of three is cut");
	refused(psprintf("%s     %.120s\n%s", one, two, three), "PEM block 2 is damaged", "one of three is cut, and indented");
}

/*
 * What people give in the place of certificates.
 */
static void
test_other_kinds(void)
{
	static const uint8 rsa_key[] = {0x30, 0x82, 0x04, 0xA4, 0x02, 0x01, 0x00, 0x02, 0x82, 0x01, 0x01};
	static const uint8 old_pkcs12[] = {0x30, 0x80, 0x02, 0x01, 0x03, 0x30, 0x80, 0x06, 0x09, 0x2A};
	static const uint8 keystore[] = {0xFE, 0xED, 0xFE, 0xED, 0, 0, 0, 2};
	STACK_OF(X509) *certs = sk_X509_new_null();
	PKCS12	   *p12 = PKCS12_create("x", "x", test_key(), NULL, NULL, 0, 0, 1, 1, 0);
	PKCS7	   *p7 = PKCS7_new();
	Bytes		p12_der = {0};
	Bytes		p7_der = {0};
	Bytes		key_der = {0};
	Bytes		public_der = {0};
	unsigned char *out = NULL;
	BIO		   *bio = BIO_new(BIO_s_mem());
	char	   *text;

	must(p12 && p7 && PKCS7_set_type(p7, NID_pkcs7_signed) == 1 && PKCS7_content_new(p7, NID_pkcs7_data) == 1 &&
			 PKCS7_add_certificate(p7, cert) == 1,
		 "make PKCS#12 and PKCS#7");
	p12_der.len = (size_t) i2d_PKCS12(p12, &out);
	p12_der.data = (char *) out;
	out = NULL;
	p7_der.len = (size_t) i2d_PKCS7(p7, &out);
	p7_der.data = (char *) out;
	out = NULL;
	key_der.len = (size_t) i2d_PrivateKey(test_key(), &out);
	key_der.data = (char *) out;
	out = NULL;
	public_der.len = (size_t) i2d_PUBKEY(test_key(), &out);
	public_der.data = (char *) out;

	refused_bytes(p12_der.data, p12_der.len, "it is PKCS#12", "openssl pkcs12 -in file.p12 -nokeys", "PKCS#12");
	refused(base64(p12_der.data, p12_der.len, 64), "it is PKCS#12", "base64 of PKCS#12");
	refused(hex(p12_der, "\\x", ""), "it is PKCS#12", "PKCS#12 as text");
	refused_bytes((const char *) old_pkcs12, sizeof(old_pkcs12), "it is PKCS#12", NULL, "PKCS#12 without a definite length");
	refused_bytes(p7_der.data, p7_der.len, "it is PKCS#7", "openssl pkcs7 -in file.p7b -print_certs", "PKCS#7");
	refused(base64(p7_der.data, p7_der.len, 64), "it is PKCS#7", "base64 of PKCS#7");
	must(PEM_write_bio_PKCS7(bio, p7) == 1, "write PKCS#7");
	text = text_of(bio);
	refused(text, "it is PKCS#7 in PEM", "PKCS#7 in PEM");
	refused(psprintf("%s%s", pem, text), "it is PKCS#7 in PEM", "PKCS#7 behind certificates");
	refused(replaced(text, "PKCS7", "CERTIFICATE"), "not what its name says: it is PKCS#7", "PKCS#7 that calls itself a certificate");
	refused_bytes(public_der.data, public_der.len, "it is a public key", NULL, "a public key");
	refused_bytes((const char *) keystore, sizeof(keystore), "it is a Java keystore", "keytool", "a keystore of Java");
	refused_bytes((const char *) rsa_key, sizeof(rsa_key), "it is a private key", "openssl pkey -inform DER", "a key in DER");
	refused_bytes(key_der.data, key_der.len, "it is a private key", "openssl pkey -inform DER", "an EC key in DER");
	refused(base64(key_der.data, key_der.len, 64), "it is a private key", "base64 of a key in DER");

	BIO_free(bio);
	sk_X509_free(certs);
	PKCS12_free(p12);
	PKCS7_free(p7);
}

static bool
is_the_key(const char *text)
{
	char	   *error;
	EVP_PKEY   *key = read_pem_private_key(text, strlen(text), &error);
	bool		result = key != NULL && EVP_PKEY_eq(key, test_key()) == 1;

	EVP_PKEY_free(key);
	return result;
}

static void
key_taken(const char *text, bool repaired, const char *what)
{
	PemProblem	problem;
	char	   *result = read_given_key(text, strlen(text), &problem);

	ok((result != NULL) == repaired && is_the_key(result ? result : text), "key taken: %s", what);
	ok(problem.error == NULL, "without an error: %s", what);
}

static void
key_refused(const char *text, const char *error, const char *what)
{
	PemProblem	problem;
	char	   *result = read_given_key(text, strlen(text), &problem);

	ok(result == NULL, "key refused: %s", what);
	if (error)
		has_str(problem.error, error, "why: %s", what);
	else
		ok(problem.error == NULL, "without an error: %s", what);
	ok(ERR_peek_error() == 0, "OpenSSL's queue is empty: %s", what);
}

/*
 * Among what is to be certificates: the caller refuses it, and wipes it.
 */
static void
has_a_key(const char *text, const char *what)
{
	PemProblem	problem;
	PemContent *content = read_given_pem(text, strlen(text), &problem);

	ok(problem.is_key, "a key among certificates: %s", what);
	if (content)
		free_pem_content(content);
}

/*
 * Line breaks are put right, and nothing else.
 */
static void
test_keys(void)
{
	StringInfoData key;
	BIO		   *bio = BIO_new(BIO_s_mem());
	char	   *old;
	unsigned char *der = NULL;
	int			len = i2d_PrivateKey(test_key(), &der);

	initStringInfo(&key);
	must(append_pem_private_key(&key, test_key()) && PEM_write_bio_PrivateKey_traditional(bio, test_key(), NULL, NULL, 0, NULL, NULL) == 1, "write the key");
	old = text_of(bio);
	key_taken(key.data, false, "as it should be");
	key_taken(old, false, "as it was");
	key_taken(replaced(key.data, "\n", "\\n"), true, "\\n");
	key_taken(replaced(old, "\n", "\\r\\n"), true, "\\r\\n in an old one");
	key_taken(replaced(key.data, "\n", " "), true, "blanks");
	key_taken(replaced(old, "\n", ""), true, "no line breaks in an old one");
	key_taken(replaced(key.data, "\n", "\r"), true, "CR alone");
	key_taken(psprintf("  %s", replaced(key.data, "\n", "\n  ")), true, "indented");
	key_taken(psprintf("%s%s", pem, replaced(key.data, "\n", "\\n")), true, "behind certificates");
	key_refused(replaced(key.data, "\n", "<br>"), "is not base64", "HTML");
	key_refused(replaced(key.data, "\n", "%0A"), "is not base64", "a URL");
	key_refused(psprintf("%.90s", key.data), "has no END", "a key that is cut");
	key_refused(base64((char *) der, (size_t) len, 64), "it is a private key", "base64 of DER");
	key_refused(base64(key.data, (size_t) key.len, 0), "it is not PEM, but base64 of it", "base64 of PEM");
	key_refused("-----BEGIN RSA PRIVATE KEY-----\\nProc-Type: 4,ENCRYPTED\\nDEK-Info: AES-256-CBC,00\\n\\nMIIE\\n-----END RSA PRIVATE KEY-----", "it is encrypted", "an encrypted one");
	key_refused("hello", NULL, "a word");
	key_refused("", NULL, "nothing");
	key_refused(pem, NULL, "certificates");
	has_a_key(replaced(key.data, " ", "%20"), "in a URL");
	has_a_key(psprintf("%s%s", pem, replaced(key.data, "\n", "\\n")), "escaped, behind certificates");
	has_a_key(base64(key.data, (size_t) key.len, 64), "base64 of PEM");
	has_a_key(base64((char *) der, (size_t) len, 64), "base64 of DER");
	BIO_free(bio);
}

/*
 * Hostile texts take as long as they are long: ten times the text, not a hundred times
 * the time.  The slowest of these takes well under a second.
 */
static void
test_time(void)
{
	static const char *const pieces[] = {
		"-BEGIN A-", "-BEGIN ", "-----BEGIN CERTIFICATE-----\\n", "\\", "=\n", "+ ", "\" + ", "<a ", "&", "&#4", " ",
		"<a -BEGIN A-->", "-BEGIN A- \t", "%", "M", "MI ", "-----BEGIN X-----MI", "> ", "\n# -BEGIN A-", "-BEGIN A-\\\\",
		"[", "30", "LS0tLS1CRUdJTi", "-----BEGIN CERTIFICATE-----MII-----END CERTIFICATE-----", "\xE2\x80\x93"};

	for (int i = 0; i < (int) lengthof(pieces); i++)
	{
		size_t		len = strlen(pieces[i]);
		size_t		total = MAX_PEM_BYTES / len * len;
		char	   *text = palloc(total + 1);
		clock_t		before = clock();
		PemProblem	problem;
		PemContent *content;

		for (size_t pos = 0; pos < total; pos += len)
			memcpy(text + pos, pieces[i], len);
		text[total] = '\0';
		content = read_given_pem(text, total, &problem);
		if (content)
			free_pem_content(content);
		(void) read_given_key(text, total, &problem);
		ok(clock() - before < 2 * CLOCKS_PER_SEC, "1 MB of %s: %ld ms", pieces[i], (long) ((clock() - before) * 1000 / CLOCKS_PER_SEC));
		pfree(text);
	}
}

int
main(void)
{
	cert = new_cert((Attribute[]){CN("alice"), {0}});
	other = new_cert((Attribute[]){CN("bob, the other one"), {0}});
	must(X509_sign(cert, test_key(), EVP_sha256()) > 0 && X509_sign(other, test_key(), EVP_sha256()) > 0, "sign");
	cert = as_received(cert);
	other = as_received(other);
	crl = new_crl(make_ca("CA", test_key(), NULL));
	must(X509_CRL_sign(crl, test_key(), EVP_sha256()) > 0, "sign a CRL");
	crl = read_back(crl);
	pem = pem_of(cert, other, crl);

	test_line_breaks();
	test_encodings();
	test_utf16();
	test_der();
	test_told();
	test_some_of_them();
	test_other_kinds();
	test_keys();
	test_time();
	return done_testing();
}
