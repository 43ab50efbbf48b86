/*-------------------------------------------------------------------------
 *
 * givenpem.c
 *		PEM and DER as people have them: pasted, escaped, encoded.
 *
 * For arguments of SQL functions alone.  Files that the server itself reads are read as
 * OpenSSL reads them (pem.c), and what is written is PEM as OpenSSL writes it.
 *
 * If OpenSSL reads everything that is there, it is taken as OpenSSL reads it.  But OpenSSL
 * passes over a block whose first line is not exactly as it should be.  So if there are
 * more blocks than it has read, the text is made into PEM first: pemtext.c undoes what has
 * been done to its characters, and each block must have its END and the length that its
 * first bytes announce.  Then nothing has been lost or added on the way.
 *
 * Without any block, the text can be base64 or hexadecimal digits of DER, or base64 of
 * PEM; the bytes can be DER, or text in UTF-16.
 *
 * In a private key only line breaks are repaired, and no message says what is in it.
 *
 *-------------------------------------------------------------------------
 */
#include "pki/givenpem.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/escape.h"
#include "pki/der.h"
#include "pki/derkind.h"
#include "pki/pemtext.h"

#define BEGIN	  "BEGIN"
#define KEY_LABEL "PRIVATEKEY"
#define MAX_LABEL 40

/* The longest name of a header, up to its colon (RFC 1421). */
#define HEADER_NAME 24

/* So many blanks are looked behind for base64. */
#define MAX_BLANKS 64

#define LINE_LENGTH 64

/* Base64 that is shorter is some word. */
#define MIN_BASE64 64

/* base64 of so much of a block tells what it is */
#define HEAD_CHARS 64
#define HEAD_BYTES (HEAD_CHARS / 4 * 3)

#define LINE_BREAKS_HINT  "Give the whole PEM text, from -----BEGIN to the last dash after -----END. Line breaks may be real ones, \\n, blanks, or missing."
#define PKCS7_LABELS_HINT "Take the certificates out of it: openssl pkcs7 -in file.p7b -print_certs -out chain.pem."

/* What is read of a text. */
typedef struct Reader
{
	PemText		text;
	PemProblem *problem;
	int			block;			/* its number, for messages; 0: none */
	const char *begins;			/* where it begins */
	char		label[MAX_LABEL + 1];
	StringInfoData data;		/* its base64, without anything else */
	const char *seen;			/* so far, looking for blocks */
	const char *line_text;		/* the first on this line that is no blank */
} Reader;

/* Names of blocks without their blanks, which may be lost, and as OpenSSL writes them. */
static const char *const labels[][2] = {
	{"CERTIFICATE", PEM_STRING_X509},
	{"X509CERTIFICATE", PEM_STRING_X509_OLD},
	{"TRUSTEDCERTIFICATE", PEM_STRING_X509_TRUSTED},
	{"X509CRL", PEM_STRING_X509_CRL},
};
static const char *const key_labels[][2] = {
	{"PRIVATEKEY", PEM_STRING_PKCS8INF},
	{"ENCRYPTEDPRIVATEKEY", PEM_STRING_PKCS8},
	{"RSAPRIVATEKEY", PEM_STRING_RSA},
	{"ECPRIVATEKEY", PEM_STRING_ECPRIVATEKEY},
	{"DSAPRIVATEKEY", PEM_STRING_DSA},
};

static PemContent *read_given(const char *bytes, size_t len, PemProblem *problem, bool may_be_encoded);

static void
set_problem(PemProblem *problem, char *error, const char *hint)
{
	if (problem->error == NULL)
	{
		problem->error = error;
		problem->hint = hint;
	}
}

/*
 * Where in the text: "character 3 of line 2".
 */
static char *
place_of(const PemText *text, const char *at)
{
	int			line = 1;
	int			character = 1;

	for (const char *c = text->start; c < at; c++)
	{
		if (*c == '\n')
		{
			line++;
			character = 1;
		}
		else if ((*c & 0xC0) != 0x80)
			character++;
	}
	return psprintf("character %d of line %d", character, line);
}

static bool
damaged(Reader *r, const char *wrong)
{
	const char *what = r->block ? psprintf("PEM block %d is damaged", r->block) : "the base64 is damaged";

	set_problem(r->problem, psprintf("%s: %s", what, wrong), LINE_BREAKS_HINT);
	return false;
}

/*
 * A character that has no place in base64.  It is not shown where it may be of a key.
 */
static bool
bad_character(Reader *r)
{
	unsigned char c = (unsigned char) *r->text.at;
	char	   *place = place_of(&r->text, r->text.at);

	/* RFC 1421 4.6.1; of keys, only those that are encrypted have it */
	if (r->block && memchr(r->text.at, ':', (size_t) Min(r->text.end - r->text.at, HEADER_NAME)) != NULL)
	{
		set_problem(r->problem, r->text.breaks_only ? pstrdup("it is encrypted") : psprintf("PEM block %d has a header at %s", r->block, place),
					r->text.breaks_only ? NULL : "Give the block without its header.");
		return false;
	}
	if (c <= ' ' || c >= 0x7F || r->text.breaks_only)
		return damaged(r, psprintf("%s is not base64", place));
	return damaged(r, psprintf("%s is \"%c\", which is not base64", place, c));
}

/*
 * The name of a block up to the dashes behind it, without its blanks.  False if there
 * is none.
 */
static bool
read_label(PemText *text, char *label)
{
	int			len = 0;

	for (int i = 0; i < 2 * MAX_LABEL; i++)
	{
		switch (next_pem_token(text))
		{
			case PEM_BLANK:
				continue;
			case PEM_DASH:
				label[len] = '\0';
				return len > 0;
			case PEM_DATA:
				if (text->data == '+')
				{
					text->plus_is_blank = !text->breaks_only;
					continue;
				}
				if (len == MAX_LABEL || (text->data >= 'a' && text->data <= 'z') || text->data == '/')
					return false;
				label[len++] = text->data;
				continue;
			default:
				return false;
		}
	}
	return false;
}

static void
skip_dashes(PemText *text)
{
	PemText		before = *text;

	while (next_pem_token(text) == PEM_DASH)
		before = *text;
	*text = before;
}

/*
 * Is this the first line of a block, or do other words speak of one?  All DER of more
 * than 127 bytes is base64 that begins with "MI".
 */
static bool
is_followed_by_der(PemText text)
{
	PemToken	token = PEM_BLANK;

	for (int i = 0; i < MAX_BLANKS && token == PEM_BLANK; i++)
		token = next_pem_token(&text);
	return token == PEM_DATA && text.data == 'M';
}

/*
 * See which line the position is on.  Each character is looked at once.
 */
static void
find_line(Reader *r, const char *pos)
{
	const char *line = pos;

	while (line > r->seen && line[-1] != '\n')
		line--;
	if (line > r->seen || r->line_text == NULL)
		/* blanks, and a mail's mark of what it answers to */
		r->line_text = line + strspn(line, " \t\r>");
	r->seen = pos;
}

/*
 * Is there nothing but dashes before the name of the block?
 */
static bool
begins_line(const Reader *r, const char *begin)
{
	return begin >= r->line_text && begin <= r->line_text + MAX_LABEL && strspn(r->line_text, "-") >= (size_t) (begin - r->line_text);
}

/*
 * Go to the next block: behind its first line.  False if there is none.  Lines that
 * begin with "#" are comments, as for OpenSSL.
 */
static bool
next_block(Reader *r)
{
	PemText    *text = &r->text;
	const char *pos = text->pos;

	while ((pos = memmem(pos, (size_t) (text->end - pos), BEGIN, strlen(BEGIN))) != NULL)
	{
		find_line(r, pos);
		text->pos = pos + strlen(BEGIN);
		text->plus_is_blank = false;
		text->line_begins = false;
		if (is_dash_before(text, pos) && *r->line_text != '#' &&
			read_label(text, r->label) && strncmp(r->label, "PGP", 3) != 0)
		{
			skip_dashes(text);
			if (begins_line(r, pos) || is_followed_by_der(*text))
			{
				r->begins = pos;
				return true;
			}
		}
		pos += strlen(BEGIN);
	}
	return false;
}

static bool
is_key_label(const char *label)
{
	size_t		len = strlen(label);

	return len >= strlen(KEY_LABEL) && strcmp(label + len - strlen(KEY_LABEL), KEY_LABEL) == 0;
}

static bool
is_pkcs7_label(const char *label)
{
	return strcmp(label, "PKCS7") == 0 || strcmp(label, "CMS") == 0;
}

/*
 * As OpenSSL writes it; NULL if it is none of these.
 */
static const char *
label_of(const char *const names[][2], int count, const char *label)
{
	for (int i = 0; i < count; i++)
		if (strcmp(names[i][0], label) == 0)
			return names[i][1];
	return NULL;
}

static const char *
full_label(const char *label)
{
	return label_of(labels, lengthof(labels), label);
}

/*
 * The last line of a block, of which one dash has been read.
 */
static bool
read_last_line(Reader *r)
{
	static const char end[] = "END";
	const char *begins = r->text.at;
	PemToken	token;
	char		label[MAX_LABEL + 1];

	while ((token = next_pem_token(&r->text)) == PEM_DASH || token == PEM_BLANK)
		;
	for (int i = 0; i < 3; i++)
	{
		if (token != PEM_DATA || r->text.data != end[i])
		{
			r->text.at = begins;
			if (i == 0 && token == PEM_DATA && r->text.data == 'B')
				return damaged(r, psprintf("another one begins at %s before it ends", place_of(&r->text, begins)));
			return bad_character(r);
		}
		if (i < 2)
			token = next_pem_token(&r->text);
	}
	if (!read_label(&r->text, label) || strcmp(label, r->label) != 0)
		return damaged(r, psprintf("what begins at %s ends under another name at %s", place_of(&r->text, r->begins), place_of(&r->text, begins)));
	skip_dashes(&r->text);
	return true;
}

/*
 * The base64 of a block, and its last line.
 */
static bool
read_block(Reader *r)
{
	bool		padded = false;

	resetStringInfo(&r->data);
	for (;;)
	{
		switch (next_pem_token(&r->text))
		{
			case PEM_DATA:
				if (padded)
					return damaged(r, psprintf("something follows its \"=\" at %s", place_of(&r->text, r->text.at)));
				appendStringInfoCharMacro(&r->data, r->text.data);
				break;
			case PEM_PADDING:
				padded = true;
				break;
			case PEM_BLANK:
				break;
			case PEM_DASH:
				return read_last_line(r);
			case PEM_OTHER:
				return bad_character(r);
			case PEM_END:
				return damaged(r, psprintf("what begins at %s has no END; the text may be cut off", place_of(&r->text, r->begins)));
		}
	}
}

/*
 * Decode base64, to which its padding is added.  Returns the number of bytes.
 */
static size_t
decode(const char *chars, size_t len, uint8 *bytes)
{
	uint8		last[3];
	unsigned char group[4] = {'A', 'A', 'A', 'A'};
	size_t		whole = len - len % 4;
	size_t		rest = len % 4 ? len % 4 - 1 : 0;

	if (whole > 0)
		(void) EVP_DecodeBlock(bytes, (const unsigned char *) chars, (int) whole);
	memcpy(group, chars + whole, len % 4);
	if (rest > 0)
	{
		(void) EVP_DecodeBlock(last, group, sizeof(group));
		memcpy(bytes + whole / 4 * 3, last, rest);
	}
	return whole / 4 * 3 + rest;
}

/*
 * Has the block the length that its first bytes announce?  A trusted certificate has
 * something behind it.
 */
static bool
check_length(Reader *r)
{
	uint8		head[HEAD_BYTES];
	size_t		chars = (size_t) r->data.len;
	uint64		len = chars / 4 * 3 + (chars % 4 ? chars % 4 - 1 : 0);
	size_t		head_len = decode(r->data.data, Min(chars, HEAD_CHARS), head);
	const DerRefusal *refusal = der_refusal(der_kind(head, head_len));
	Element		element = {0};
	bool		may_be_longer = strcmp(r->label, "TRUSTEDCERTIFICATE") == 0;

	if (chars % 4 == 1)
		return damaged(r, psprintf("its base64 has %zu characters, which is impossible: some are missing, or there are too many", chars));
	if (refusal)
	{
		set_problem(r->problem, psprintf("PEM block %d is not what its name says: %s", r->block, refusal->what), refusal->hint);
		return false;
	}
	if (parse_der_head(head, head_len, &element) != NULL || element.tag != TAG_SEQUENCE)
	{
		set_problem(r->problem, psprintf("PEM block %d is not a valid %s: its first bytes are not those of DER", r->block, full_label(r->label)), LINE_BREAKS_HINT);
		return false;
	}
	if (len < element.head + element.len || (len > element.head + element.len && !may_be_longer))
	{
		(void) damaged(r, psprintf("it has %llu bytes, but its first ones announce %llu", (unsigned long long) len, (unsigned long long) element.head + (unsigned long long) element.len));
		if (len < element.head + element.len)
			r->problem->hint = "A part of it is missing. If a form or a URL has turned its plus signs into blanks, copy it again.";
		return false;
	}
	return true;
}

/*
 * Append a block as OpenSSL writes it.
 */
static void
append_block(StringInfo pem, const char *label, const StringInfoData *data)
{
	appendStringInfo(pem, "-----BEGIN %s-----\n", label);
	for (int pos = 0; pos < data->len; pos += LINE_LENGTH)
	{
		appendBinaryStringInfo(pem, data->data + pos, Min(LINE_LENGTH, data->len - pos));
		if (data->len - pos > LINE_LENGTH)
			appendStringInfoChar(pem, '\n');
	}
	for (int i = data->len; i % 4 != 0; i++)
		appendStringInfoChar(pem, '=');
	appendStringInfo(pem, "\n-----END %s-----\n", label);
}

static void
begin_reading(Reader *r, const char *bytes, size_t len, PemProblem *problem)
{
	memset(r, 0, sizeof(Reader));
	begin_pem_text(&r->text, bytes, len);
	r->problem = problem;
	r->seen = bytes;
	initStringInfo(&r->data);
}

/*
 * How many certificates and CRLs begin in the text?  False if it has a block that is not
 * taken.
 */
static bool
count_blocks(const char *bytes, size_t len, PemProblem *problem, int *count)
{
	Reader		r;

	*count = 0;
	begin_reading(&r, bytes, len, problem);
	while (next_block(&r))
	{
		if (is_key_label(r.label))
			problem->is_key = true;
		else if (is_pkcs7_label(r.label))
		{
			set_problem(problem, psprintf("it is %s in PEM", r.label[0] == 'P' ? "PKCS#7" : "CMS"), PKCS7_LABELS_HINT);
			return false;
		}
		*count += full_label(r.label) != NULL;
	}
	return true;
}

/*
 * Make PEM of the blocks of a text.  Other blocks than certificates and CRLs are left
 * out.  NULL if one cannot be taken.
 */
static StringInfo
make_pem(const char *bytes, size_t len, PemProblem *problem)
{
	Reader		r;
	StringInfo	pem = makeStringInfo();

	begin_reading(&r, bytes, len, problem);
	while (next_block(&r))
	{
		const char *label = full_label(r.label);

		if (label == NULL)
			continue;
		r.block++;
		if (!read_block(&r) || !check_length(&r))
			return NULL;
		append_block(pem, label, &r.data);
	}
	return pem;
}

/*
 * Certificates and CRLs in DER, one behind the other.
 */
static PemContent *
read_given_der(const uint8 *bytes, size_t len, PemProblem *problem)
{
	PemContent *content = new_pem_content();

	ERR_clear_error();
	for (const uint8 *pos = bytes; pos < bytes + len && problem->error == NULL;)
	{
		const DerRefusal *refusal = der_refusal(der_kind(pos, (size_t) (bytes + len - pos)));
		const unsigned char *after_cert = pos;
		const unsigned char *after_crl = pos;
		Element		element = {0};
		X509	   *cert;
		X509_CRL   *crl;

		if (refusal)
		{
			set_problem(problem, pstrdup(refusal->what), refusal->hint);
			problem->is_key = der_kind(pos, (size_t) (bytes + len - pos)) == DER_PRIVATE_KEY;
			break;
		}
		if (parse_der_head(pos, (size_t) (bytes + len - pos), &element) != NULL || element.tag != TAG_SEQUENCE)
			set_problem(problem, pstrdup(pos == bytes ? "it is not DER" : "there are bytes after its end"), NULL);
		else if (element.head + element.len > (uint64) (bytes + len - pos))
			set_problem(problem, psprintf("it has %zu bytes, but its first ones announce %llu: a part is missing", (size_t) (bytes + len - pos), (unsigned long long) (element.head + element.len)), NULL);
		if (problem->error)
			break;

		cert = d2i_X509(NULL, &after_cert, (long) (element.head + element.len));
		crl = cert ? NULL : d2i_X509_CRL(NULL, &after_crl, (long) (element.head + element.len));
		if (cert == NULL && crl == NULL)
			set_problem(problem, psprintf("it is neither a certificate nor a CRL: %s", openssl_reason()), NULL);
		else if (cert ? !sk_X509_push(content->certs, cert) : !sk_X509_CRL_push(content->crls, crl))
		{
			X509_free(cert);
			X509_CRL_free(crl);
			set_problem(problem, pstrdup("out of memory"), NULL);
		}
		ERR_clear_error();
		pos += element.head + element.len;
	}
	if (problem->error == NULL)
		return content;
	free_pem_content(content);
	return NULL;
}

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/*
 * The bytes that hexadecimal digits stand for, as PostgreSQL shows bytea, and programs
 * show DER (\x3082, 0x3082, 30:82).  NULL if it is something else.
 */
static uint8 *
read_hex(const char *text, size_t len, size_t *size)
{
	uint8	   *bytes;
	int			digits = 0;
	int			high = 0;
	size_t		pos = 0;

	while (pos < len && is_space(text[pos]))
		pos++;
	if (len - pos > 2 && (text[pos] == '\\' || text[pos] == '0') && text[pos + 1] == 'x')
		pos += 2;
	/* DER of more than 127 bytes; base64 of any DER begins otherwise */
	if (len - pos < MIN_BASE64 || text[pos] != '3' || text[pos + 1] != '0')
		return NULL;
	*size = 0;
	bytes = palloc((len - pos) / 2 + 1);
	for (; pos < len; pos++)
	{
		int			value = hex_value(text[pos]);

		if (value < 0 && (text[pos] == ':' || is_space(text[pos])))
			continue;
		if (value < 0)
			return NULL;
		if (digits++ % 2 == 0)
			high = value;
		else
			bytes[(*size)++] = (uint8) (high << 4 | value);
	}
	return digits % 2 == 0 ? bytes : NULL;
}

/*
 * The bytes of base64 without any line around it.  Several may follow each other, each
 * with its padding, as in JSON's x5c.  NULL if it is something else, or, with a problem,
 * if it is base64 that is damaged.
 */
static uint8 *
read_base64(const char *bytes, size_t len, size_t *size, PemProblem *problem)
{
	Reader		r;
	PemToken	token;
	bool		padded = false;
	uint8	   *result = palloc(len / 4 * 3 + 4);
	char	   *wrong = NULL;

	begin_reading(&r, bytes, len, problem);
	*size = 0;
	do
	{
		token = next_pem_token(&r.text);
		if (r.data.len > 0 && (token == PEM_END || (token == PEM_DATA && padded)))
		{
			if (r.data.len % 4 == 1)
				wrong = psprintf("it has %d characters, which is impossible: some are missing, or there are too many", r.data.len);
			*size += decode(r.data.data, (size_t) r.data.len, result + *size);
			resetStringInfo(&r.data);
			padded = false;
		}
		if (token == PEM_DATA)
			appendStringInfoCharMacro(&r.data, r.text.data);
		else if (token == PEM_PADDING)
			padded = true;
		else if ((token == PEM_OTHER || token == PEM_DASH) && *r.text.at != '[' && *r.text.at != ']')
		{
			/* some other text, if it is not far behind the beginning */
			if ((size_t) r.data.len + *size < MIN_BASE64)
				return NULL;
			wrong = psprintf("%s is not base64", place_of(&r.text, r.text.at));
			if (*size == 0)
				*size = decode(r.data.data, HEAD_CHARS, result);
		}
	} while (token != PEM_END && wrong == NULL);

	if (wrong || *size < MIN_BASE64 / 4 * 3)
	{
		if (wrong && *size > 0 && result[0] == TAG_SEQUENCE)
			(void) damaged(&r, wrong);
		return NULL;
	}
	result[*size] = '\0';
	return result;
}

/*
 * Text without any block in it.
 */
static PemContent *
read_encoded(const char *bytes, size_t len, PemProblem *problem)
{
	size_t		size;
	uint8	   *decoded = read_hex(bytes, len, &size);
	PemContent *content = NULL;

	if (decoded == NULL)
		decoded = read_base64(bytes, len, &size, problem);
	if (decoded == NULL)
		return problem->error ? NULL : new_pem_content();
	if (decoded[0] == TAG_SEQUENCE || der_kind(decoded, size) != DER_UNKNOWN)
		content = read_given_der(decoded, size, problem);
	else if (memmem(decoded, size, "-----" BEGIN, strlen("-----" BEGIN)) != NULL)
	{
		problem->is_key = mentions_private_key((const char *) decoded, size);
		content = problem->is_key ? NULL : read_given((const char *) decoded, size, problem, false);
	}
	else
		content = new_pem_content();
	OPENSSL_cleanse(decoded, size);
	return content;
}

static PemContent *
read_text(const char *bytes, size_t len, PemProblem *problem, bool may_be_encoded)
{
	PemContent *content;
	StringInfo	pem;
	char	   *error;
	int			count;

	if (!count_blocks(bytes, len, problem, &count))
		return NULL;
	content = read_pem(bytes, len, &error);
	if (content && sk_X509_num(content->certs) + sk_X509_CRL_num(content->crls) == count &&
		(count > 0 || !may_be_encoded || content->nothers + content->nkeys > 0))
		return content;
	if (content)
		free_pem_content(content);
	if (count == 0 && may_be_encoded)
		return read_encoded(bytes, len, problem);
	pem = make_pem(bytes, len, problem);
	if (pem == NULL)
		return NULL;
	content = read_pem(pem->data, (size_t) pem->len, &error);
	if (content == NULL)
		set_problem(problem, error, NULL);
	return content;
}

static PemContent *
read_given(const char *bytes, size_t len, PemProblem *problem, bool may_be_encoded)
{
	const uint8 *b = (const uint8 *) bytes;
	size_t		utf8_len;
	char	   *utf8;

	if ((len >= 2 && b[0] == TAG_SEQUENCE && b[1] >= 0x80 && b[1] < 0x80 + DER_MAX_HEAD) ||
		der_kind(b, len) != DER_UNKNOWN)
		return read_given_der(b, len, problem);
	utf8 = utf16_to_utf8(bytes, len, &utf8_len);
	if (utf8)
	{
		PemContent *content = read_text(utf8, utf8_len, problem, may_be_encoded);

		if (mentions_private_key(utf8, utf8_len))
			problem->is_key = true;
		OPENSSL_cleanse(utf8, utf8_len);
		return content;
	}
	return read_text(bytes, len, problem, may_be_encoded);
}

/*
 * Certificates and CRLs in what somebody has given.  There may be none in it.  NULL,
 * with a problem, if there is something that cannot be taken.
 */
PemContent *
read_given_pem(const char *bytes, size_t len, PemProblem *problem)
{
	memset(problem, 0, sizeof(PemProblem));
	return read_given(bytes, len, problem, true);
}

/*
 * A private key in PEM, with line breaks put right.  NULL if it is not put right: with a
 * problem, or because it is as OpenSSL wants it, or because there is no key.  The caller
 * wipes it.
 */
char *
read_given_key(const char *bytes, size_t len, PemProblem *problem)
{
	Reader		r;
	StringInfo	pem;
	EVP_PKEY   *key;
	PemContent *content;
	char	   *error;

	memset(problem, 0, sizeof(PemProblem));
	/* it takes OpenSSL long to find none */
	key = mentions_private_key(bytes, len) ? read_pem_private_key(bytes, len, &error) : NULL;
	EVP_PKEY_free(key);
	if (key != NULL)
		return NULL;
	begin_reading(&r, bytes, len, problem);
	r.text.breaks_only = true;
	/* no copy of a key is left behind by a buffer that grows */
	enlargeStringInfo(&r.data, (int) len);
	while (next_block(&r))
	{
		const char *label = label_of(key_labels, lengthof(key_labels), r.label);

		if (label == NULL)
			continue;
		r.block++;
		pem = makeStringInfo();
		enlargeStringInfo(pem, (int) (len + len / LINE_LENGTH + 4 * MAX_LABEL));
		if (read_block(&r))
			append_block(pem, label, &r.data);
		OPENSSL_cleanse(r.data.data, (size_t) r.data.maxlen);
		return problem->error ? NULL : pem->data;
	}
	content = read_given(bytes, len, problem, true);
	if (content)
		free_pem_content(content);
	else if (problem->error == NULL)
		set_problem(problem, pstrdup("it is not PEM, but base64 of it"), "Give the PEM itself: base64 -d key.b64 >key.pem.");
	return NULL;
}
