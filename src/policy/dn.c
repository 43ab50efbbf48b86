/*-------------------------------------------------------------------------
 *
 * dn.c
 *		Reads distinguished names: the only file that does.
 *
 * The form is that of RFC 2253 section 3 and RFC 4514.  Spaces before an
 * attribute do not count.  Read leniently: any character may stand behind a
 * backslash, a value may be empty, and a comma may end the text.
 *
 * Says nothing of which attributes there are, and never compares names: that is
 * done in the form that OpenSSL prints (see facts.h).  Raises no error: what is
 * wrong is returned, with the place.
 *
 *-------------------------------------------------------------------------
 */
#include "policy/dn.h"

#include "base/escape.h"

typedef struct Reader
{
	const char *text;
	const char *pos;
	DnError    *error;
} Reader;

#define BACKSLASH_HINT \
	"Write a backslash before a comma, a plus sign or a backslash in a value."

/*
 * Report an error at a place in the text.  Always returns false.
 */
static bool
fail(Reader *r, const char *at, char *message, const char *hint)
{
	r->error->message = message;
	r->error->offset = (int) (at - r->text);
	r->error->hint = hint;
	return false;
}

static bool
read_type(Reader *r, DnAttribute *attribute)
{
	const char *start = r->pos;

	r->pos += strcspn(start, "=,+");
	attribute->type = pnstrdup(start, (Size) (r->pos - start));
	if (r->pos == start)
		return fail(r, start, pstrdup("the name of an attribute is missing"), BACKSLASH_HINT);
	if (*r->pos != '=')
		return fail(r, start, psprintf("\"=\" is missing after \"%s\"", attribute->type), BACKSLASH_HINT);
	/* OpenSSL takes spaces in the number of an attribute, but in no name */
	if (r->pos[-1] == ' ' && !(*start >= '0' && *start <= '9'))
		return fail(r, start, psprintf("there is a space before \"=\" in \"%s=\"", attribute->type),
					"Write no spaces around \"=\", and the attributes in the order of RFC 2253: the last one first.");
	r->pos++;
	return true;
}

/*
 * Read the character at pos, or the byte that an escape stands for: both "\,"
 * and "\2C" are a comma.
 */
static bool
read_byte(Reader *r, char *byte)
{
	int			high;

	if (*r->pos == '\\')
	{
		if (r->pos[1] == '\0')
			return fail(r, r->pos, pstrdup("\"\\\" is not followed by a character"), BACKSLASH_HINT);
		high = hex_value(*++r->pos);
		if (high >= 0 && hex_value(r->pos[1]) >= 0)
		{
			*byte = (char) (high << 4 | hex_value(r->pos[1]));
			r->pos += 2;
			return true;
		}
	}
	*byte = *r->pos++;
	return true;
}

static bool
is_hex_string(const char *text, size_t len)
{
	return len > 2 && len % 2 == 1 && text[0] == '#' &&
		strspn(text + 1, "0123456789abcdefABCDEF") >= len - 1;
}

/*
 * Read a value up to the separator behind it.
 */
static bool
read_value(Reader *r, DnAttribute *attribute)
{
	const char *start = r->pos;
	StringInfoData buf;
	char		byte;

	initStringInfo(&buf);
	while (*r->pos && *r->pos != ',' && *r->pos != '+')
	{
		if (!read_byte(r, &byte))
			return false;
		appendStringInfoChar(&buf, byte);
	}
	attribute->value = buf.data;
	attribute->value_len = buf.len;
	attribute->hex = is_hex_string(start, (size_t) (r->pos - start));
	return true;
}

/*
 * Read the next attribute, and go on behind the separator that follows it.  *joined says
 * whether that is a plus sign.
 */
static bool
read_attribute(Reader *r, DnAttribute *attribute, bool *joined)
{
	r->pos += strspn(r->pos, " ");
	attribute->joined = *joined;
	attribute->offset = (int) (r->pos - r->text);
	if (!read_type(r, attribute) || !read_value(r, attribute))
		return false;
	attribute->length = (int) (r->pos - r->text) - attribute->offset;
	*joined = *r->pos == '+';
	if (*r->pos != '\0')
		r->pos++;
	return true;
}

/*
 * Read a DN.  NULL, with the reason in *error, if the text is none.
 */
Dn *
dn_read(const char *text, DnError *error)
{
	Reader		r = {text, text + strspn(text, " "), error};
	Dn		   *dn = palloc0(sizeof(Dn));
	bool		joined = false;

	if (*r.pos == '\0')
	{
		fail(&r, text, pstrdup("it is empty"), BACKSLASH_HINT);
		return NULL;
	}
	/* without its spaces it would be a regular expression in a policy */
	if (*r.pos == '/')
	{
		fail(&r, r.pos, pstrdup("it begins with a slash"),
			 "Separate attributes by commas, and write them in the order of RFC 2253: the last one first.");
		return NULL;
	}
	do
	{
		DnAttribute attribute;

		if (!read_attribute(&r, &attribute, &joined))
			return NULL;
		dn->attributes = dn->count == 0 ? palloc(sizeof(DnAttribute)) :
										  repalloc(dn->attributes, sizeof(DnAttribute) * (Size) (dn->count + 1));
		dn->attributes[dn->count++] = attribute;
	} while (*r.pos != '\0' || joined);
	return dn;
}

/*
 * All values of one attribute in a DN as OpenSSL prints it, in escaped form; NULL for one
 * that is no text.  *count is -1 if the DN cannot be read.
 */
char **
dn_values(const char *dn, const char *type, int *count)
{
	DnError		error;
	Reader		r = {dn, dn, &error};
	bool		joined = false;
	char	  **values = NULL;

	*count = 0;
	while (*r.pos != '\0' || joined)
	{
		DnAttribute attribute;

		if (!read_attribute(&r, &attribute, &joined))
		{
			*count = -1;
			return NULL;
		}
		if (strcmp(attribute.type, type) == 0)
		{
			values = values ? repalloc(values, sizeof(char *) * (Size) (*count + 1)) : palloc(sizeof(char *));
			values[(*count)++] = attribute.hex ? NULL : escape_bytes(attribute.value, attribute.value_len);
		}
		/* there may be thousands */
		pfree(attribute.type);
		pfree(attribute.value);
	}
	return values;
}

/*
 * Append part of a DN, with everything outside printable ASCII in escaped form,
 * as OpenSSL prints it.
 */
static void
append_in_ascii(StringInfo buf, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
	{
		if ((unsigned char) text[i] < 0x20 || (unsigned char) text[i] > 0x7E)
			append_escaped(buf, text + i, 1);
		else
			appendStringInfoChar(buf, text[i]);
	}
}

static bool
has_space_after_comma(const char *text)
{
	for (const char *c = text; *c; c++)
	{
		if (c[0] == '\\' && c[1] != '\0')
			c++;
		else if (c[0] == ',' && c[1] == ' ')
			return true;
	}
	return false;
}

/*
 * The one spelling of a DN in policies: OpenSSL's, as far as that needs no
 * knowledge of attributes, so without the spaces before them.
 *
 * Only a text with a space behind a comma changes, and has to be a DN for that.
 * In any other an "=" is enough, which makes for names that match nothing; but a
 * policy that is stored with one must be read, and mean the same, for ever.
 */
char *
dn_spelling(const char *text, DnError *error)
{
	Dn		   *dn = dn_read(text, error);
	bool		spaced = has_space_after_comma(text);
	StringInfoData buf;

	if (dn == NULL && (spaced || text[0] == '/' || strchr(text, '=') == NULL))
		return NULL;
	initStringInfo(&buf);
	if (!spaced)
		append_in_ascii(&buf, text, strlen(text));
	for (int i = 0; spaced && i < dn->count; i++)
	{
		const DnAttribute *attribute = &dn->attributes[i];

		if (i > 0)
			appendStringInfoChar(&buf, attribute->joined ? '+' : ',');
		append_in_ascii(&buf, text + attribute->offset, (size_t) attribute->length);
	}
	return buf.data;
}
