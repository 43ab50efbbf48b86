/*-------------------------------------------------------------------------
 *
 * pemtext.c
 *		The characters of PEM in text that has been copied, pasted, quoted or encoded.
 *
 * PEM reaches SQL through environment variables, JSON, YAML, mails, word processors,
 * web pages, HTTP headers and source code.  Each of these writes some characters in
 * its own way.  None of these ways can be taken for base64, so all of them can be undone
 * without a guess.  The caller checks that the result has the length that its first bytes
 * announce.
 *
 * Texts are hostile and large: each character is looked at a few times at most.
 *
 *-------------------------------------------------------------------------
 */
#include "pki/pemtext.h"

#include "base/escape.h"
#include "pki/pem.h"

/* The longest entity and tag of HTML that are taken. */
#define MAX_ENTITY 10
#define MAX_TAG	   64

/* What is decoded into nothing at all. */
#define NO_CHARACTER (-1)

typedef struct Entity
{
	const char *name;
	int			code;
} Entity;

static const Entity entities[] = {
	{"nbsp", ' '},
	{"ensp", ' '},
	{"emsp", ' '},
	{"thinsp", ' '},
	{"shy", ' '},
	{"Tab", ' '},
	{"NewLine", '\n'},
	{"plus", '+'},
	{"sol", '/'},
	{"equals", '='},
	{"ndash", '-'},
	{"mdash", '-'},
	{"horbar", '-'},
	{"hyphen", '-'},
	{"dash", '-'},
	{"minus", '-'},
	{"quot", '"'},
	{"apos", '\''},
	{"gt", '>'},
};

/* How a dash is written where it is not written as one. */
static const char *const dashes[] = {
	"&#45;", "&#x2d;", "&#x2D;", "&ndash;", "&mdash;", "&horbar;", "&hyphen;", "&dash;", "&minus;",
	"&#8211;", "&#8212;", "&#x2013;", "&#x2014;", "%2D", "%2d", "=2D", "\\u002d", "\\u002D",
	"\\u2013", "\\u2014", "\xE2\x80\x90", "\xE2\x80\x91", "\xE2\x80\x92", "\xE2\x80\x93",
	"\xE2\x80\x94", "\xE2\x80\x95", "\xE2\x88\x92"};

void
begin_pem_text(PemText *text, const char *bytes, size_t len)
{
	memset(text, 0, sizeof(PemText));
	text->start = text->pos = text->at = bytes;
	text->end = bytes + len;
	text->line_begins = true;
}

static bool
is_blank(int code)
{
	return code == ' ' || (code >= '\t' && code <= '\r') || code == 0xA0 || code == 0xAD ||
		(code >= 0x2000 && code <= 0x200D) || code == 0x2028 || code == 0x2029 || code == 0x202F ||
		code == 0x2060 || code == 0x3000 || code == 0xFEFF;
}

static bool
is_dash(int code)
{
	return code == '-' || (code >= 0x2010 && code <= 0x2015) || code == 0x2212;
}

static bool
is_data(int code)
{
	return (code >= 'A' && code <= 'Z') || (code >= 'a' && code <= 'z') || (code >= '0' && code <= '9') ||
		code == '+' || code == '/';
}

/*
 * The value of some hexadecimal digits; -1 if they are none.
 */
static int
hex_code(const char *digits, const char *end, int count)
{
	int			code = 0;

	if (end - digits < count)
		return -1;
	for (int i = 0; i < count; i++)
	{
		int			value = hex_value(digits[i]);

		if (value < 0)
			return -1;
		code = code * 16 + value;
	}
	return code;
}

/*
 * The following read what begins at pos and stands for one character, or for none.
 * They return how many bytes that takes; 0 if it is nothing that they know.  A run of
 * backslashes is read as a whole: it must not be looked at again and again.
 */

/*
 * As in JSON, in C, and in what a shell makes of it; with any number of backslashes,
 * since each step on the way can double them.
 */
static size_t
read_backslash(const PemText *text, int *code)
{
	const char *c = text->pos;
	size_t		run;

	while (c < text->end && *c == '\\')
		c++;
	run = (size_t) (c - text->pos);
	*code = '\\';
	if (c == text->end)
		return run;
	if (*c == 'u' && !text->breaks_only)
	{
		int			unicode = hex_code(c + 1, text->end, 4);

		if (unicode < 0)
			return run;
		*code = unicode;
		return run + 5;
	}
	if (*c == 'n' || *c == 'r' || *c == 't' || *c == '\n' || *c == '\r')
		*code = '\n';
	else if (*c != '\0' && strchr("/+=-\"'", *c) != NULL && !text->breaks_only)
		*code = (unsigned char) *c;
	else
		return run;
	return run + 1;
}

/*
 * "=3D", and a line break that is none because "=" stands before it (RFC 2045 6.7).
 * A "=" that pads base64 has no digits behind it; what its line break is, makes no
 * difference.
 */
static size_t
read_quoted_printable(const PemText *text, int *code)
{
	const char *c = text->pos + 1;

	*code = hex_code(c, text->end, 2);
	if (*code >= 0 && *code < 0x80)
		return 3;
	while (c < text->end && (*c == ' ' || *c == '\t'))
		c++;
	if (c < text->end && *c == '\r')
		c++;
	if (c == text->end || *c != '\n')
		return 0;
	*code = NO_CHARACTER;
	return (size_t) (c + 1 - text->pos);
}

static size_t
read_percent(const PemText *text, int *code)
{
	*code = hex_code(text->pos + 1, text->end, 2);
	return *code < 0 || *code >= 0x80 ? 0 : 3;
}

static size_t
read_entity(const PemText *text, int *code)
{
	const char *name = text->pos + 1;
	const char *semicolon = memchr(name, ';', (size_t) Min(text->end - name, MAX_ENTITY));
	size_t		len = semicolon ? (size_t) (semicolon - name) : 0;
	char		digits[MAX_ENTITY + 1];
	char	   *rest;

	if (len == 0)
		return 0;
	for (int i = 0; i < (int) lengthof(entities); i++)
		if (strlen(entities[i].name) == len && memcmp(entities[i].name, name, len) == 0)
		{
			*code = entities[i].code;
			return len + 2;
		}
	if (name[0] != '#' || len < 2)
		return 0;
	memcpy(digits, name + 1, len - 1);
	digits[len - 1] = '\0';
	if (digits[0] == 'x' || digits[0] == 'X')
		*code = hex_code(digits + 1, digits + len - 1, (int) len - 2);
	else
	{
		*code = (int) strtol(digits, &rest, 10);
		if (*rest != '\0')
			return 0;
	}
	return *code > 0 ? len + 2 : 0;
}

/*
 * A tag of HTML, such as <br>.
 */
static size_t
read_tag(const PemText *text, int *code)
{
	const char *c = text->pos + 1;
	const char *end;

	if (c == text->end || (*c != '/' && !(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z')))
		return 0;
	end = memchr(c, '>', (size_t) Min(text->end - c, MAX_TAG));
	*code = '\n';
	return end ? (size_t) (end + 1 - text->pos) : 0;
}

static size_t
read_utf8(const PemText *text, int *code)
{
	const unsigned char *c = (const unsigned char *) text->pos;
	size_t		rest = (size_t) (text->end - text->pos);

	if (c[0] >= 0xC2 && c[0] < 0xE0 && rest >= 2 && (c[1] & 0xC0) == 0x80)
	{
		*code = (c[0] & 0x1F) << 6 | (c[1] & 0x3F);
		return 2;
	}
	if (c[0] >= 0xE0 && c[0] < 0xF0 && rest >= 3 && (c[1] & 0xC0) == 0x80 && (c[2] & 0xC0) == 0x80)
	{
		*code = (c[0] & 0x0F) << 12 | (c[1] & 0x3F) << 6 | (c[2] & 0x3F);
		return 3;
	}
	return 0;
}

static size_t
read_encoded(const PemText *text, int *code)
{
	unsigned char c = (unsigned char) *text->pos;

	if (c == '\\')
		return read_backslash(text, code);
	if (c >= 0x80)
		return read_utf8(text, code);
	if (text->breaks_only)
		return 0;
	switch (c)
	{
		case '=':
			return read_quoted_printable(text, code);
		case '%':
			return read_percent(text, code);
		case '&':
			return read_entity(text, code);
		case '<':
			return read_tag(text, code);
		default:
			return 0;
	}
}

/*
 * Does the plus sign join two strings of source code?
 */
static bool
is_joining_plus(const PemText *text)
{
	const char *before = text->at;
	const char *behind = text->at + 1;

	while (before > text->start && strchr(" \t\r\n", before[-1]) != NULL && before[-1] != '\0')
		before--;
	while (behind < text->end && strchr(" \t\r\n", *behind) != NULL && *behind != '\0')
		behind++;
	return before > text->start && behind < text->end && (before[-1] == '"' || before[-1] == '\'') &&
		(*behind == '"' || *behind == '\'');
}

static PemToken
classify(PemText *text, int code, bool is_raw)
{
	if (is_blank(code))
		return PEM_BLANK;
	if (is_dash(code))
		return PEM_DASH;
	if (code == '=')
		return PEM_PADDING;
	if (code == '+' && is_raw && !text->breaks_only && (text->plus_is_blank || is_joining_plus(text)))
		return PEM_BLANK;
	if (is_data(code))
	{
		text->data = (char) code;
		return PEM_DATA;
	}
	if (text->breaks_only)
		return PEM_OTHER;
	/* quotes and commas of source code and JSON; what a mail puts before its lines */
	if (code == '"' || code == '\'' || code == ',' || (code == '>' && text->line_begins))
		return PEM_BLANK;
	return PEM_OTHER;
}

PemToken
next_pem_token(PemText *text)
{
	for (;;)
	{
		int			code = 0;
		size_t		used;
		PemToken	token;

		text->at = text->pos;
		if (text->pos == text->end)
			return PEM_END;
		used = read_encoded(text, &code);
		text->pos += used ? used : 1;
		if (used && code == NO_CHARACTER)
		{
			text->line_begins = true;
			continue;
		}
		token = classify(text, used ? code : (unsigned char) *text->at, used == 0);
		if (used == 0)
			code = (unsigned char) *text->at;
		text->line_begins = token == PEM_BLANK && (text->line_begins || code == '\n' || code == '\r');
		return token;
	}
}

/*
 * Is there a dash before this position, in whatever form, and perhaps blanks?
 */
bool
is_dash_before(const PemText *text, const char *pos)
{
	for (int i = 0; i < 3 && pos > text->start && pos[-1] == ' '; i++)
		pos--;
	if (pos > text->start && pos[-1] == '-')
		return true;
	for (int i = 0; i < (int) lengthof(dashes) && !text->breaks_only; i++)
	{
		size_t		len = strlen(dashes[i]);

		if ((size_t) (pos - text->start) >= len && memcmp(pos - len, dashes[i], len) == 0)
			return true;
	}
	return false;
}

/*
 * UTF-16, as Windows saves text, in UTF-8.  NULL if it is not UTF-16: a text in which
 * OpenSSL finds blocks is none, whatever its first bytes are.  What lies outside the basic
 * plane has no place in PEM, and becomes a question mark.
 */
char *
utf16_to_utf8(const char *bytes, size_t len, size_t *utf8_len)
{
	const unsigned char *b = (const unsigned char *) bytes;
	bool		little;
	char	   *result;
	char	   *out;

	if (len < 2 || len % 2 != 0 || memmem(bytes, len, PEM_BLOCK_BEGIN, strlen(PEM_BLOCK_BEGIN)) != NULL)
		return NULL;
	if ((b[0] == 0xFF && b[1] == 0xFE) || (b[0] != 0 && b[1] == 0))
		little = true;
	else if ((b[0] == 0xFE && b[1] == 0xFF) || (b[0] == 0 && b[1] != 0))
		little = false;
	else
		return NULL;
	out = result = palloc(len / 2 * 3 + 1);
	for (size_t i = 0; i < len; i += 2)
	{
		int			code = little ? b[i + 1] << 8 | b[i] : b[i] << 8 | b[i + 1];

		if (code < 0x80)
			*out++ = (char) code;
		else if (code < 0x800)
		{
			*out++ = (char) (0xC0 | code >> 6);
			*out++ = (char) (0x80 | (code & 0x3F));
		}
		else if (code >= 0xD800 && code < 0xE000)
			*out++ = '?';
		else
		{
			*out++ = (char) (0xE0 | code >> 12);
			*out++ = (char) (0x80 | (code >> 6 & 0x3F));
			*out++ = (char) (0x80 | (code & 0x3F));
		}
	}
	*out = '\0';
	*utf8_len = (size_t) (out - result);
	return result;
}
