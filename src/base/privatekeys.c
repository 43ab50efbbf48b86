/*-------------------------------------------------------------------------
 *
 * privatekeys.c
 *		Finds private keys in text, and overwrites them.
 *
 * The text is a statement, a parameter or a message, with a key in PEM somewhere in
 * it: whole, cut off, damaged, with line breaks that are real, escaped, blanks or
 * lost, or put together from its lines by ||.  Everybody can write into a statement
 * what announces a key.  So what follows is a key only if it begins as one does, and
 * it ends where lines of PEM do: they are of equal length, but for the last.
 *
 * This runs for every message of the server log: nothing here allocates memory or
 * raises an error.
 *
 *-------------------------------------------------------------------------
 */
#include "base/privatekeys.h"

#include <openssl/evp.h>

/* base64 of the beginning that tells a key from other text: 9 bytes */
#define HEAD_CHARS 12

/* lines that are this long can have lost or gained some characters */
#define LONG_LINE	32
#define LINE_DAMAGE 2

/* what is left of a line is no word of SQL if it is this long */
#define SHORT_LINE 16

/* RFC 1421 4.3.2.4: lines of encrypted keys with headers have 64 characters */
#define ENCRYPTED_LINE 60

/* up to the initialization vector, with the name of the cipher */
#define HEADER_CHARS 80

static bool
is_base64(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		c == '+' || c == '/' || c == '=';
}

/*
 * Can a character of a key have been damaged into this one?  Not into one that
 * separates words of SQL.
 */
static bool
is_damage(const char *c)
{
	return *c != '\0' && strchr(" \t\r\n\\'\"$();,.*-|", *c) == NULL && is_base64(c[1]);
}

/*
 * The end of the line of base64 that begins here.  One character may be damaged.
 */
static const char *
end_of_line(const char *c)
{
	bool		damaged = false;

	if (!is_base64(*c))
		return c;
	for (;; c++)
	{
		if (is_base64(*c))
			continue;
		if (damaged || !is_damage(c))
			return c;
		damaged = true;
	}
}

/*
 * What stands between two lines: white space, also in escaped form, or the end of a
 * literal of SQL, what joins it to another, and the begin of that.  NULL if literals
 * are not joined.
 */
static const char *
skip_break(const char *c)
{
	bool		in_sql = false;
	bool		joined = false;

	for (;; c++)
	{
		if (*c == '\'' || *c == '$')
			in_sql = true;
		else if (*c == '|' || *c == ',' || (in_sql && *c == '\n'))
			joined = true;
		else if (*c == '\\' && c[1] != '\0' && strchr("nrt\\", c[1]) != NULL)
			c += c[1] != '\\';
		else if (joined && (*c == 'E' || *c == 'e') && c[1] == '\'')
			continue;
		else if (joined && pg_strncasecmp(c, "chr(", 4) == 0 && c[4 + strspn(c + 4, "0123456789")] == ')')
			c += 4 + strspn(c + 4, "0123456789");
		else if (*c == '\0' || strchr(" \t\r\n", *c) == NULL)
			break;
	}
	return !in_sql || joined ? c : NULL;
}

/*
 * Can a key have ended before this?  White space, also in escaped form, may stand in
 * between.
 */
static bool
ends_here(const char *c)
{
	for (; *c != '\0'; c++)
	{
		if (*c == '\\' && c[1] != '\0' && strchr("nrt", c[1]) != NULL)
			c++;
		else if (strchr(" \t\r\n\\", *c) == NULL)
			break;
	}
	return *c == '\0' || strchr("-.'\"$,)", *c) != NULL;
}

static bool
is_line_of_key(size_t length, size_t first)
{
	size_t		difference = length > first ? length - first : first - length;

	return difference == 0 || (first >= LONG_LINE && difference <= LINE_DAMAGE);
}

/*
 * Is this the last line of a key, or one in its middle that has lost a part?
 */
static bool
is_short_line_of_key(const char *line, const char *end, size_t first)
{
	size_t		length = (size_t) (end - line);
	const char *next = skip_break(end);
	const char *next_end = next ? end_of_line(next) : NULL;

	if (length == 0 || length >= first)
		return false;
	if (ends_here(end) || end[-1] == '=')
		return true;
	return length >= SHORT_LINE && next != NULL && next != end && next_end != next &&
		(is_line_of_key((size_t) (next_end - next), first) || ends_here(next_end));
}

/*
 * The end of a key whose first line begins here.
 */
static const char *
end_of_key(const char *begin)
{
	const char *end = end_of_line(begin);
	size_t		first = (size_t) (end - begin);

	for (;;)
	{
		const char *line = skip_break(end);
		const char *line_end;

		if (line == NULL || line == end)
			return end;
		line_end = end_of_line(line);
		if (!is_line_of_key((size_t) (line_end - line), first) &&
			!is_short_line_of_key(line, line_end, first))
			return end;
		end = line_end;
	}
}

/*
 * Does base64 begin as DER of a private key does?  PKCS#1 (RFC 8017 A.1.2), SEC 1
 * (RFC 5915) and PKCS#8 (RFC 5958) are a SEQUENCE with a version of 0 or 1 in front;
 * an encrypted key of PKCS#8 (RFC 5958 3) is one with another SEQUENCE, which begins
 * with an OBJECT IDENTIFIER.
 */
static bool
begins_as_key(const char *c)
{
	unsigned char chars[HEAD_CHARS];
	unsigned char der[HEAD_CHARS / 4 * 3];
	const unsigned char *d = der;

	for (int i = 0; i < HEAD_CHARS; i++)
	{
		if (i > 0 && !is_base64(*c))
			c = skip_break(c);
		if (c == NULL || !is_base64(*c) || *c == '=')
			return false;
		chars[i] = (unsigned char) *c++;
	}
	if (EVP_DecodeBlock(der, chars, HEAD_CHARS) != sizeof(der) || *d++ != 0x30)
		return false;
	d += *d < 0x80 ? 1 : *d == 0x81 ? 2 :
		*d == 0x82					? 3 :
									  sizeof(der);
	if (d > der + sizeof(der) - 3)
		return false;
	return (d[0] == 0x02 && d[1] == 0x01 && d[2] <= 0x01) || (d[0] == 0x30 && d[1] < 0x80 && d[2] == 0x06);
}

/*
 * Behind the headers of an encrypted key (RFC 1421 4.6.1), if that is what begins
 * here; otherwise NULL.  Where line breaks are lost, the initialization vector
 * belongs to the key.
 */
static const char *
skip_headers(const char *c)
{
	const char *limit = c + strnlen(c, HEADER_CHARS);
	const char *vector;
	const char *key;

	if (strncmp(c, "Proc-Type:", strlen("Proc-Type:")) != 0)
		return NULL;
	while (c < limit && strncmp(c, "DEK-Info:", strlen("DEK-Info:")) != 0)
		c++;
	vector = c < limit ? memchr(c, ',', (size_t) (limit - c)) : NULL;
	if (vector == NULL)
		return NULL;
	vector += 1 + strspn(vector + 1, " ");
	if (end_of_line(vector) - vector >= ENCRYPTED_LINE)
		return vector;
	key = skip_break(end_of_line(vector));
	return key && end_of_line(key) - key >= ENCRYPTED_LINE ? key : NULL;
}

/*
 * The next private key in a text: where its base64 begins, and where it ends.
 */
static const char *
find_private_key(const char *text, const char **end)
{
	const char *name = text;

	while ((name = strstr(name, "PRIVATE KEY-")) != NULL)
	{
		const char *begin = name;
		const char *headers;

		name += strlen("PRIVATE KEY");
		while (begin > text && ((begin[-1] >= 'A' && begin[-1] <= 'Z') || begin[-1] == ' '))
			begin--;
		/* RSA, EC, ENCRYPTED stand in between */
		if (strncmp(begin + strspn(begin, " "), "BEGIN ", strlen("BEGIN ")) != 0)
			continue;
		begin = skip_break(name + strspn(name, "-"));
		headers = begin ? skip_headers(begin) : NULL;
		if (headers)
			begin = headers;
		if (begin && (headers || begins_as_key(begin)))
		{
			*end = end_of_key(begin);
			return begin;
		}
	}
	return NULL;
}

bool
has_private_key(const char *text)
{
	const char *end;

	return find_private_key(text, &end) != NULL;
}

/*
 * Overwrite the base64 of private keys, and nothing else.
 */
void
mask_private_keys(char *text)
{
	const char *begin;
	const char *end;

	while (text && (begin = find_private_key(text, &end)) != NULL)
	{
		for (char *c = text + (begin - text); c < end; c++)
		{
			if (*c == '\\')
				c++;
			else if (strchr(" \t\r\n'|$,", *c) == NULL)
				*c = '*';
		}
		text += end - text;
	}
}
