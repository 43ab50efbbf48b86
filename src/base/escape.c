/*-------------------------------------------------------------------------
 *
 * escape.c
 *		Escaped forms of text that others have written.
 *
 * Knows nothing of certificates or policies; never fails.
 *
 *-------------------------------------------------------------------------
 */
#include "base/escape.h"
#include "base/privatekeys.h"

/*
 * Append len bytes in escaped form (see escape.h).
 */
void
append_escaped(StringInfo buf, const char *bytes, int len)
{
	static const char digits[] = "0123456789ABCDEF";
	char	   *out;

	enlargeStringInfo(buf, 3 * len);
	out = buf->data + buf->len;
	for (int i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) bytes[i];

		if (c >= 0x20 && c <= 0x7E && c != '\\')
			*out++ = (char) c;
		else
		{
			*out++ = '\\';
			*out++ = digits[c >> 4];
			*out++ = digits[c & 0x0F];
		}
	}
	*out = '\0';
	buf->len = (int) (out - buf->data);
}

/*
 * The escaped form of len bytes, in fresh memory.
 */
char *
escape_bytes(const char *bytes, int len)
{
	StringInfoData buf;

	/* each login calls this: not the kilobyte of initStringInfo() */
	buf.maxlen = 3 * len + 1;
	buf.data = palloc((Size) buf.maxlen);
	resetStringInfo(&buf);
	append_escaped(&buf, bytes, len);
	return buf.data;
}

/*
 * Does a character begin here, in UTF-8, that ends a line or makes text run the other
 * way?  U+061C, U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069: its length, or 0.
 */
static int
misleading_length(const char *text)
{
	const unsigned char *c = (const unsigned char *) text;

	if (c[0] == 0xD8 && c[1] == 0x9C)
		return 2;
	if (c[0] != 0xE2 || (c[1] != 0x80 && c[1] != 0x81))
		return 0;
	if (c[1] == 0x80)
		return c[2] == 0x8E || c[2] == 0x8F || (c[2] >= 0xA8 && c[2] <= 0xAE) ? 3 : 0;
	return c[2] >= 0xA6 && c[2] <= 0xA9 ? 3 : 0;
}

static bool
announces_private_key(const char *text)
{
	return strncmp(text, "BEGIN ", strlen("BEGIN ")) == 0 && strstr(text, "PRIVATE KEY-") != NULL;
}

/*
 * Append text without control characters: those of ASCII and, in UTF-8, those
 * of ISO 6429 (U+0080 to U+009F) and what misleads the eye, and without the characters in "also".  It has no
 * private key, and nothing that looks like the begin of one, so that keymask.c
 * passes over what we log.
 */
static void
append_printable(StringInfo buf, const char *text, const char *also)
{
	if (has_private_key(text))
	{
		char	   *masked = pstrdup(text);

		mask_private_keys(masked);
		text = masked;
	}
	for (const char *p = text; *p; p++)
	{
		unsigned char c = (unsigned char) p[0];
		unsigned char next = (unsigned char) p[1];

		if (c == 0xC2 && next >= 0x80 && next <= 0x9F)
			append_escaped(buf, p++, 2);
		else if (misleading_length(p) > 0)
		{
			append_escaped(buf, p, misleading_length(p));
			p += misleading_length(p) - 1;
		}
		else if (c < 0x20 || c == 0x7F || strchr(also, c) != NULL || announces_private_key(p))
			appendStringInfo(buf, "\\%02X", c);
		else
			appendStringInfoChar(buf, *p);
	}
}

/*
 * Text that a client or a catalog gave, so that it stays on its line.  Letters
 * outside ASCII stay readable.
 */
char *
printable_text(const char *text)
{
	StringInfoData buf;

	initStringInfo(&buf);
	append_printable(&buf, text, "");
	return buf.data;
}

static char *
in_quotes(const char *text, const char *also)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '"');
	append_printable(&buf, text, also);
	appendStringInfoChar(&buf, '"');
	return buf.data;
}

/*
 * A name in double quotes, so that it stays between them as well.
 */
char *
quoted_name(const char *name)
{
	return in_quotes(name, "\"\\");
}

/*
 * The same for text in escaped form, whose backslashes are escapes already.
 */
char *
quoted_escaped_text(const char *escaped)
{
	return in_quotes(escaped, "\"");
}

/*
 * Append one attribute value as RFC 2253 section 2.4 writes it, in the form
 * that OpenSSL's XN_FLAG_RFC2253 prints: specials with a backslash, control
 * characters and everything outside ASCII as hexadecimal pairs, a leading '#'
 * or space and a trailing space with a backslash.
 *
 * starts and ends tell whether the text is the beginning and the end of the
 * attribute value, or stands in the middle of it.  (OpenSSL looks at a value's
 * only character as its last one, so a lone '#' is not escaped.)
 */
void
append_dn_value(StringInfo buf, const char *value, bool starts, bool ends)
{
	size_t		len = strlen(value);

	for (size_t i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) value[i];
		bool		last = (ends && i == len - 1);
		bool		first = (starts && i == 0 && !last);

		if (c < 0x20 || c > 0x7E)
			appendStringInfo(buf, "\\%02X", c);
		else
		{
			if ((first && c == '#') || ((first || last) && c == ' ') ||
				strchr(",+\"\\<>;", c) != NULL)
				appendStringInfoChar(buf, '\\');
			appendStringInfoChar(buf, (char) c);
		}
	}
}

/*
 * The value of a hexadecimal digit, or -1.
 */
int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/*
 * Turn the escapes of bytes from 0x80 on back into those bytes, so that people
 * can read names outside ASCII.  All other escapes stay, so the result has no
 * control characters.  Works on escaped forms and on RFC 2253 names.
 */
char *
unescape_high_bytes(const char *text)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (const char *p = text; *p; p++)
	{
		if (p[0] == '\\' && p[1] != '\0')
		{
			int			high = hex_value(p[1]);
			int			low = high < 0 ? -1 : hex_value(p[2]);

			if (high >= 8 && low >= 0)
			{
				appendStringInfoChar(&buf, (char) (high << 4 | low));
				p += 2;
				continue;
			}
			/* keep an escaped character together with its backslash */
			appendStringInfoChar(&buf, *p++);
		}
		appendStringInfoChar(&buf, *p);
	}
	return buf.data;
}

/*
 * Append bytes as lower-case hexadecimal digits.
 */
void
append_hex(StringInfo buf, const uint8 *bytes, int len)
{
	static const char digits[] = "0123456789abcdef";

	enlargeStringInfo(buf, 2 * len);
	for (int i = 0; i < len; i++)
	{
		appendStringInfoChar(buf, digits[bytes[i] >> 4]);
		appendStringInfoChar(buf, digits[bytes[i] & 0x0F]);
	}
}
