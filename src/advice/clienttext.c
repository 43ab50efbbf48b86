/*-------------------------------------------------------------------------
 *
 * clienttext.c
 *		Values as the places want them where a client's settings are written:
 *		a libpq connection string, a URL, a POSIX shell.
 *
 * Names of roles and databases may hold anything but a zero byte.
 *
 *-------------------------------------------------------------------------
 */
#include "advice/clienttext.h"

static bool
is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9') || (c != '\0' && strchr("-._~", c) != NULL);
}

/*
 * Append key=value as libpq reads it (conninfo_parse()).
 */
void
append_conninfo_setting(StringInfo buf, const char *key, const char *value)
{
	bool		quote = value[0] == '\0';

	for (const char *c = value; *c; c++)
		quote |= !is_unreserved(*c) && strchr("/:*", *c) == NULL;
	appendStringInfo(buf, "%s%s=%s", buf->len ? " " : "", key, quote ? "'" : "");
	for (const char *c = value; *c; c++)
	{
		if (*c == '\'' || *c == '\\')
			appendStringInfoChar(buf, '\\');
		appendStringInfoChar(buf, *c);
	}
	appendStringInfoString(buf, quote ? "'" : "");
}

/*
 * Append a component of a URL, percent-encoded (RFC 3986 section 2.1).
 */
void
append_url_text(StringInfo buf, const char *text)
{
	for (const char *c = text; *c; c++)
	{
		if (is_unreserved(*c))
			appendStringInfoChar(buf, *c);
		else
			appendStringInfo(buf, "%%%02X", (unsigned char) *c);
	}
}

void
append_url_parameter(StringInfo buf, const char *key, const char *value)
{
	appendStringInfo(buf, "%s%s=", strchr(buf->data, '?') ? "&" : "?", key);
	append_url_text(buf, value);
}

/*
 * Append one word of a POSIX shell command.
 */
void
append_shell_word(StringInfo buf, const char *text)
{
	bool		quote = text[0] == '\0' || strchr(text, '~') != NULL;

	for (const char *c = text; *c; c++)
		quote |= !is_unreserved(*c) && strchr("/:=@%+", *c) == NULL;
	if (buf->len > 0)
		appendStringInfoChar(buf, ' ');
	appendStringInfoString(buf, quote ? "'" : "");
	for (const char *c = text; *c; c++)
	{
		if (quote && *c == '\'')
			appendStringInfoString(buf, "'\\''");
		else
			appendStringInfoChar(buf, *c);
	}
	appendStringInfoString(buf, quote ? "'" : "");
}
