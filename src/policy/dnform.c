/*-------------------------------------------------------------------------
 *
 * dnform.c
 *		Distinguished names as other programs write them, in the form of the facts.
 *
 * PostgreSQL's pg_stat_ssl and MySQL write /C=DE/O=Acme/CN=app, Windows E= and S=,
 * Java OID.1.2.3= and quotes, and all of them add blanks.  Certificates are compared in
 * the form in which OpenSSL prints names (see facts.h), so no certificate can match any of
 * these.  This file finds out what was meant.
 *
 * It serves only to tell whoever sets a policy.  A DN that is stored already is read by
 * dn.c, and means what it has always meant.
 *
 *-------------------------------------------------------------------------
 */
#include "policy/dnform.h"

#include <openssl/err.h>
#include <openssl/objects.h>

#include "base/escape.h"
#include "mb/pg_wchar.h"

typedef struct Attribute
{
	char	   *type;			/* as OpenSSL prints it */
	StringInfoData value;		/* escapes resolved */
	bool		hex;			/* value is "#" and digits */
	bool		joined;			/* "+" is before it */
} Attribute;

typedef struct Reader
{
	const char *pos;
	bool		slashes;		/* between attributes, the first of the certificate first */
	bool		spaced;			/* a blank is before an equals sign */
	int			count;
	Attribute  *attributes;
} Reader;

/* The attributes that names have, for those who write them in upper or lower case. */
static const int known[] = {
	NID_commonName,
	NID_surname,
	NID_serialNumber,
	NID_countryName,
	NID_localityName,
	NID_stateOrProvinceName,
	NID_streetAddress,
	NID_organizationName,
	NID_organizationalUnitName,
	NID_title,
	NID_description,
	NID_postalCode,
	NID_givenName,
	NID_initials,
	NID_generationQualifier,
	NID_dnQualifier,
	NID_pseudonym,
	NID_name,
	NID_pkcs9_emailAddress,
	NID_domainComponent,
	NID_userId,
	NID_businessCategory,
	NID_rfc822Mailbox,
	NID_organizationIdentifier,
	NID_telephoneNumber,
	NID_jurisdictionCountryName,
	NID_jurisdictionStateOrProvinceName,
	NID_jurisdictionLocalityName,
	NID_pkcs9_unstructuredName,
};

/* Names of Windows and Java that OpenSSL does not know. */
static const struct
{
	const char *name;
	int			nid;
} aliases[] = {
	{"E", NID_pkcs9_emailAddress},
	{"EMAIL", NID_pkcs9_emailAddress},
	{"S", NID_stateOrProvinceName},
	{"STATE", NID_stateOrProvinceName},
	{"SP", NID_stateOrProvinceName},
	{"G", NID_givenName},
	{"I", NID_initials},
	{"T", NID_title},
	{"PHONE", NID_telephoneNumber},
	{"DNQ", NID_dnQualifier},
	{"GENERATION", NID_generationQualifier},
};

/*
 * The number of an attribute as it is printed.  NULL if it is none, or so long that OpenSSL
 * prints only its beginning.
 */
static char *
number_as_printed(const char *number)
{
	ASN1_OBJECT *object = OBJ_txt2obj(number, 1);
	int			nid = object ? OBJ_obj2nid(object) : NID_undef;
	char		text[80];
	char	   *result = NULL;
	int			len;

	if (nid != NID_undef)
		result = pstrdup(OBJ_nid2sn(nid));
	else if (object && (len = OBJ_obj2txt(text, sizeof(text), object, 1)) > 0 && len < (int) sizeof(text))
		result = pstrdup(text);
	ASN1_OBJECT_free(object);
	ERR_clear_error();
	return result;
}

static bool
is_number(const char *type)
{
	return *type >= '0' && *type <= '9';
}

/*
 * The type of an attribute as it is printed; NULL if there is no such attribute.
 */
static char *
type_as_printed(const char *type)
{
	int			nid;

	if (pg_strncasecmp(type, "OID.", 4) == 0)
		type += 4;
	if (is_number(type))
		return number_as_printed(type);
	nid = OBJ_sn2nid(type);
	if (nid == NID_undef)
		nid = OBJ_ln2nid(type);
	for (int i = 0; nid == NID_undef && i < (int) lengthof(known); i++)
		if (pg_strcasecmp(type, OBJ_nid2sn(known[i])) == 0 || pg_strcasecmp(type, OBJ_nid2ln(known[i])) == 0)
			nid = known[i];
	for (int i = 0; nid == NID_undef && i < (int) lengthof(aliases); i++)
		if (pg_strcasecmp(type, aliases[i].name) == 0)
			nid = aliases[i].nid;
	return nid == NID_undef ? NULL : pstrdup(OBJ_nid2sn(nid));
}

static void
skip_blanks(Reader *r)
{
	r->pos += strspn(r->pos, " ");
}

/*
 * The type that stands here, with an equals sign behind it; NULL if there is none.
 */
static char *
type_at(const Reader *r, const char *pos, const char **equals)
{
	const char *start = pos + strspn(pos, " ");
	size_t		len = strcspn(start, r->slashes ? "=,+/;\"\\" : "=,+;\"\\");

	if (len == 0 || start[len] != '=')
		return NULL;
	*equals = start + len;
	while (len > 0 && start[len - 1] == ' ')
		len--;
	return type_as_printed(pnstrdup(start, len));
}

/*
 * Does an attribute begin behind the character here?
 */
static bool
separates(const Reader *r)
{
	const char *equals;

	return type_at(r, r->pos + 1, &equals) != NULL;
}

/*
 * Is this the end of a value?
 */
static bool
is_separator(const Reader *r)
{
	switch (*r->pos)
	{
		case '\0':
			return true;
		case ',':
			return !r->slashes;
		case '+':
			return !r->slashes || separates(r);
		case '/':
			return r->slashes && separates(r);
		case ';':
			return !r->slashes && separates(r);
		default:
			return false;
	}
}

/*
 * Append the character here, or what an escape stands for.  False at the end of the text.
 */
static bool
read_character(Reader *r, StringInfo value)
{
	if (*r->pos == '\\')
	{
		int			high = hex_value(r->pos[1]);
		int			low = high >= 0 ? hex_value(r->pos[2]) : -1;

		r->pos++;
		if (low >= 0)
		{
			appendStringInfoChar(value, (char) (high << 4 | low));
			r->pos += 2;
			return true;
		}
	}
	if (*r->pos == '\0')
		return false;
	appendStringInfoChar(value, *r->pos++);
	return true;
}

/*
 * A value, without the blanks around it.
 */
static bool
read_value(Reader *r, Attribute *attribute)
{
	StringInfo	value = &attribute->value;
	const char *start;
	int			least = 0;		/* bytes that are no blanks, or escaped */

	initStringInfo(value);
	skip_blanks(r);
	start = r->pos;
	if (*start == '"')
	{
		r->pos++;
		while (*r->pos != '"')
			if (!read_character(r, value))
				return false;
		r->pos++;
		skip_blanks(r);
		return is_separator(r);
	}
	while (!is_separator(r))
	{
		char		c = *r->pos;

		if (!read_character(r, value))
			return false;
		if (c != ' ')
			least = value->len;
	}
	value->len = least;
	value->data[least] = '\0';
	attribute->hex = *start == '#' && least > 2 && least % 2 == 1 &&
		strspn(value->data + 1, "0123456789abcdefABCDEF") == (size_t) least - 1;
	return true;
}

static bool
read_attribute(Reader *r, bool joined)
{
	const char *equals;
	Attribute	attribute = {.joined = joined, .type = type_at(r, r->pos, &equals)};

	if (attribute.type == NULL)
		return false;
	r->spaced |= equals[-1] == ' ';
	r->pos = equals + 1;
	if (!read_value(r, &attribute))
		return false;
	r->attributes = r->count == 0 ? palloc(sizeof(Attribute)) :
									repalloc(r->attributes, sizeof(Attribute) * (Size) (r->count + 1));
	r->attributes[r->count++] = attribute;
	return true;
}

/*
 * How much of the world an attribute speaks of; 0 for what is about the owner alone.
 */
static int
generality(const Attribute *attribute)
{
	static const char *const types[] = {"DC", "OU", "O", "L", "ST", "C"};

	for (int i = 0; i < (int) lengthof(types); i++)
		if (strcmp(attribute->type, types[i]) == 0)
			return i + 1;
	return 0;
}

static bool
is_utf8(const char *bytes, int len)
{
	return pg_encoding_verifymbstr(PG_UTF8, bytes, len) == len;
}

/*
 * Append a value that is text, which may have zero bytes.
 */
static bool
append_text(StringInfo buf, const char *bytes, int len)
{
	int			start = 0;

	for (int i = 0; i <= len; i++)
	{
		if (i < len && bytes[i] != '\0')
			continue;
		if (!is_utf8(bytes + start, i - start))
			return false;
		append_dn_value(buf, pnstrdup(bytes + start, (Size) (i - start)), start == 0, i == len);
		if (i < len)
			appendStringInfoString(buf, "\\00");
		start = i + 1;
	}
	return true;
}

/*
 * Has a string whose type is one of ASCII other bytes?  OpenSSL reads them as Latin-1,
 * so that 0xF6 in a PrintableString is the letter that in UTF-8 has two bytes; PostgreSQL
 * compares the bytes that stand there.  What can be read in two ways names nobody.
 *
 * Whether UTF-8 and the wider types are well formed is for OpenSSL to say, when it
 * converts them; it accepts no certificate with a name where they are not.
 */
bool
is_garbled_string(const ASN1_STRING *string)
{
	const unsigned char *bytes = ASN1_STRING_get0_data(string);

	switch (ASN1_STRING_type(string))
	{
		case V_ASN1_NUMERICSTRING:
		case V_ASN1_PRINTABLESTRING:
		case V_ASN1_IA5STRING:
		case V_ASN1_VISIBLESTRING:
			for (int i = 0; i < ASN1_STRING_length(string); i++)
				if (bytes[i] > 0x7F)
					return true;
			return false;
		default:
			return false;
	}
}

/*
 * Is this the DER of a value that a policy can ask for?  A name with a garbled string is
 * printed in hexadecimal, and matches nothing.
 */
static bool
can_match(const char *bytes, int len)
{
	const unsigned char *pos = (const unsigned char *) bytes;
	ASN1_TYPE  *value = d2i_ASN1_TYPE(NULL, &pos, len);
	bool		result = value != NULL && pos == (const unsigned char *) bytes + len;

	/* all other types are kept as strings */
	if (result && value->type != V_ASN1_BOOLEAN && value->type != V_ASN1_NULL && value->type != V_ASN1_OBJECT)
		result = !is_garbled_string(value->value.asn1_string);
	ASN1_TYPE_free(value);
	ERR_clear_error();
	return result;
}

/*
 * Append a value that is given as DER.  Of attributes that OpenSSL knows, strings are
 * printed as text.
 */
static bool
append_der(StringInfo buf, const Attribute *attribute)
{
	static const int strings[] = {V_ASN1_UTF8STRING, V_ASN1_NUMERICSTRING, V_ASN1_PRINTABLESTRING,
								  V_ASN1_T61STRING, V_ASN1_IA5STRING, V_ASN1_UTCTIME, V_ASN1_GENERALIZEDTIME,
								  V_ASN1_VISIBLESTRING, V_ASN1_UNIVERSALSTRING, V_ASN1_BMPSTRING};
	char	   *bytes = palloc((Size) attribute->value.len);
	int			len = (attribute->value.len - 1) / 2;
	bool		string = false;

	for (int i = 0; i < len; i++)
		bytes[i] = (char) (hex_value(attribute->value.data[1 + 2 * i]) << 4 |
						   hex_value(attribute->value.data[2 + 2 * i]));
	if (!can_match(bytes, len))
		return false;
	for (int i = 0; i < (int) lengthof(strings); i++)
		string |= bytes[0] == strings[i];
	if (string && !is_number(attribute->type))
		/* the short ones whose bytes are characters */
		return (bytes[0] == V_ASN1_UTF8STRING || bytes[0] == V_ASN1_PRINTABLESTRING || bytes[0] == V_ASN1_IA5STRING) &&
			len >= 2 && bytes[1] == len - 2 && append_text(buf, bytes + 2, len - 2);
	appendStringInfoChar(buf, '#');
	for (int i = 0; i < len; i++)
		appendStringInfo(buf, "%02X", (unsigned char) bytes[i]);
	return true;
}

static bool
append_value(StringInfo buf, const Attribute *attribute)
{
	const char *bytes = attribute->value.data;
	int			len = attribute->value.len;

	if (attribute->hex)
		return append_der(buf, attribute);
	if (!is_number(attribute->type))
		return append_text(buf, bytes, len);
	/* of an attribute that it does not know, OpenSSL prints no text; most are UTF-8 */
	if (len > 127 || strstr(bytes, "%u") != NULL || !is_utf8(bytes, len))
		return false;
	appendStringInfo(buf, "#%02X%02X", V_ASN1_UTF8STRING, (unsigned) len);
	for (int i = 0; i < len; i++)
		appendStringInfo(buf, "%02X", (unsigned char) bytes[i]);
	return true;
}

/*
 * A DN in the form that the facts of certificates have, however it was written; NULL if it
 * cannot be told what was meant, or no certificate can have it.
 */
char *
dn_meant(const char *text)
{
	Reader		r = {.pos = text + strspn(text, " =")};
	bool		joined = false;
	bool		reversed;
	StringInfoData buf;

	r.slashes = *r.pos == '/';
	if (r.slashes)
		r.pos++;
	do
	{
		if (!read_attribute(&r, joined))
			return NULL;
		joined = *r.pos == '+';
		if (*r.pos != '\0')
			r.pos++;
		if (!joined)
			skip_blanks(&r);
	} while (*r.pos != '\0' || joined);

	/* "openssl x509 -subject" prints C = DE, O = Acme, CN = app */
	reversed = r.slashes ||
		(r.spaced && generality(&r.attributes[0]) > generality(&r.attributes[r.count - 1]));
	initStringInfo(&buf);
	for (int i = 0; i < r.count; i++)
	{
		int			at = reversed ? r.count - 1 - i : i;
		bool		joins = reversed ? at + 1 < r.count && r.attributes[at + 1].joined : r.attributes[at].joined;

		if (i > 0)
			appendStringInfoChar(&buf, joins ? '+' : ',');
		appendStringInfo(&buf, "%s=", r.attributes[at].type);
		if (!append_value(&buf, &r.attributes[at]))
			return NULL;
	}
	return buf.data;
}
