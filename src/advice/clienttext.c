/*-------------------------------------------------------------------------
 *
 * clienttext.c
 *		Values as the places want them where a client's settings are written:
 *		a libpq connection string, a URL, a program, an ODBC connection string, a
 *		POSIX shell.
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

static void
append_percent_encoded(StringInfo buf, const char *text, const char *also_plain)
{
	for (const char *c = text; *c; c++)
	{
		if (is_unreserved(*c) || strchr(also_plain, *c))
			appendStringInfoChar(buf, *c);
		else
			appendStringInfo(buf, "%%%02X", (unsigned char) *c);
	}
}

/*
 * Append a component of a URL, percent-encoded (RFC 3986 section 2.1).
 */
void
append_url_text(StringInfo buf, const char *text)
{
	append_percent_encoded(buf, text, "");
}

/*
 * Append a parameter, in which a slash needs no encoding (RFC 3986 section 3.4).
 */
void
append_url_parameter(StringInfo buf, const char *key, const char *value)
{
	appendStringInfo(buf, "%s%s=", strchr(buf->data, '?') ? "&" : "?", key);
	append_percent_encoded(buf, value, "/");
}

/*
 * Append host and port; an IPv6 address goes in brackets.
 */
void
append_url_host(StringInfo buf, const char *host, int port)
{
	appendStringInfo(buf, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, port);
}

/*
 * Append a string in double quotes, as JavaScript, Python and Go all read it.
 */
void
append_program_string(StringInfo buf, const char *text)
{
	appendStringInfoChar(buf, '"');
	for (const char *c = text; *c; c++)
	{
		if ((unsigned char) *c < 0x20 || *c == 0x7F)
			appendStringInfo(buf, "\\u%04x", *c);
		else
		{
			if (*c == '"' || *c == '\\')
				appendStringInfoChar(buf, '\\');
			appendStringInfoChar(buf, *c);
		}
	}
	appendStringInfoChar(buf, '"');
}

/*
 * Append attribute=value; of an ODBC connection string.  A value in braces holds
 * anything, with } doubled.
 */
void
append_odbc_attribute(StringInfo buf, const char *attribute, const char *value, bool braces)
{
	appendStringInfo(buf, "%s=%s", attribute, braces ? "{" : "");
	for (const char *c = value; *c; c++)
	{
		if (braces && *c == '}')
			appendStringInfoChar(buf, '}');
		appendStringInfoChar(buf, *c);
	}
	appendStringInfoString(buf, braces ? "};" : ";");
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
