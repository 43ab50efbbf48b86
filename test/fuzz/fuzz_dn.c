/*-------------------------------------------------------------------------
 *
 * fuzz_dn.c
 *		Distinguished names: OpenSSL's and any text.
 *
 * Of any text:
 *
 *	1. it is read, and its attributes are where they say, or there is an error
 *	   with a message, a hint that is a sentence, and a place within the text
 *	2. it has the spelling in policies that it always had; where it had none and
 *	   has one now, it has a space behind a comma, is read, and its spelling has
 *	   the same attributes
 *	3. a spelling is printable ASCII, and its own
 *	4. a name that OpenSSL makes of its attributes is a name as in 5
 *
 * Of any name that OpenSSL prints in RFC 2253 form:
 *
 *	5. the print is read, as the same attributes, in RDNs, with the same bytes;
 *	   a name made of these is the same name to OpenSSL, also if we make it; and
 *	   the print is its own spelling
 *	6. the print is what is meant by it (dnform.c), unless a string in it has bytes that do
 *	   not fit its type: then nothing is, for such a name matches nothing; and what is meant
 *	   by any text, if anything, is meant by itself
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include "base/escape.h"
#include "core.h"
#include "former_dn.h"
#include "pki/x509.h"
#include "policy/dn.h"
#include "policy/dnform.h"

#define MAX_TEXT	   2000
#define MAX_ATTRIBUTES 8

static void
check_error(const char *text, const DnError *error)
{
	size_t		len = strlen(text);

	HOLDS(error->message && error->message[0], "no message: %s", text);
	HOLDS(error->offset >= 0 && (size_t) error->offset <= len, "offset %d of %zu bytes (%s): %s",
		  error->offset, len, error->message, text);
	HOLDS(error->hint && strlen(error->hint) > 1 && error->hint[strlen(error->hint) - 1] == '.',
		  "hint \"%s\" is no sentence", shown(error->hint));
}

/*
 * Between attributes there is a separator and spaces, and nothing else.
 */
static void
check_places(const char *text, const Dn *dn)
{
	size_t		at = 0;

	HOLDS(dn->count > 0, "no attributes: %s", text);
	for (int i = 0; i < dn->count; i++)
	{
		const DnAttribute *attribute = &dn->attributes[i];

		if (i > 0)
			HOLDS(text[at++] == (attribute->joined ? '+' : ','), "attribute %d of %s", i, text);
		at += strspn(text + at, " ");
		HOLDS((size_t) attribute->offset == at && attribute->length > 0, "attribute %d of %s", i, text);
		HOLDS(strncmp(text + at, attribute->type, strlen(attribute->type)) == 0 &&
				  text[at + strlen(attribute->type)] == '=',
			  "type of attribute %d of %s", i, text);
		HOLDS(attribute->value[attribute->value_len] == '\0', "no NUL behind a value: %s", text);
		HOLDS(attribute->value_len <= attribute->length, "longer than its text: %s", text);
		HOLDS(!attribute->hex || (attribute->value_len > 2 && attribute->value_len % 2 == 1 && attribute->value[0] == '#'), "no bytes: %s", text);
		at += (size_t) attribute->length;
	}
	at += text[at] == ',';
	HOLDS(text[at] == '\0', "ends at %zu: %s", at, text);
}

static bool
same_attributes(const Dn *a, const Dn *b)
{
	if (a->count != b->count)
		return false;
	for (int i = 0; i < a->count; i++)
	{
		const DnAttribute *x = &a->attributes[i];
		const DnAttribute *y = &b->attributes[i];

		if (strcmp(x->type, y->type) != 0 || x->joined != y->joined || x->hex != y->hex ||
			x->value_len != y->value_len || memcmp(x->value, y->value, (size_t) x->value_len) != 0)
			return false;
	}
	return true;
}

static bool
is_ascii(const char *text)
{
	for (const char *c = text; *c; c++)
		if (*c < 0x20 || *c > 0x7E)
			return false;
	return true;
}

/*
 * 2 and 3
 */
static void
check_spelling(const char *text, const Dn *dn)
{
	DnError		error;
	char	   *spelling = dn_spelling(text, &error);
	char	   *former = former_spelling(text);
	char	   *again;

	if (spelling == NULL)
		check_error(text, &error);
	HOLDS(former == NULL || same_text(spelling, former), "%s\nwas: %s\nis: %s",
		  text, former, shown(spelling));
	if (spelling == NULL)
		return;
	HOLDS(is_ascii(spelling), "%s is spelled %s", text, spelling);
	again = dn_spelling(spelling, &error);
	HOLDS(same_text(again, spelling), "%s\nis spelled %s\nand that %s", text, spelling, shown(again));
	if (former != NULL)
		return;
	HOLDS(strstr(text, ", ") != NULL && dn != NULL, "accepted without reason: %s", text);
	HOLDS(former_check_dn(spelling), "%s is spelled %s", text, spelling);
	/* a letter outside ASCII becomes an escape, a name of one another name */
	if (is_ascii(text))
	{
		Dn		   *spelled = dn_read(spelling, &error);

		HOLDS(spelled && same_attributes(dn, spelled), "%s\nis spelled %s", text, spelling);
	}
}

static X509_NAME *
encoded_and_decoded(X509_NAME *name)
{
	unsigned char *der = NULL;
	const unsigned char *at;
	int			len = i2d_X509_NAME(name, &der);
	X509_NAME  *decoded;

	at = der;
	decoded = len > 0 ? d2i_X509_NAME(NULL, &at, len) : NULL;
	OPENSSL_free(der);
	return decoded;
}

/*
 * The name of an attribute in a print: a number is cut at the length that
 * OpenSSL has room for, 79 characters.
 */
static char *
type_text(const ASN1_OBJECT *object, bool *cut)
{
	char		text[80];
	int			nid = OBJ_obj2nid(object);

	if (nid != NID_undef)
		return pstrdup(OBJ_nid2sn(nid));
	*cut |= OBJ_obj2txt(text, sizeof(text), object, 1) >= (int) sizeof(text);
	return pstrdup(text);
}

/*
 * What a value is read as: its text in UTF-8, or "#" and its DER.
 */
static char *
expected_value(const ASN1_STRING *value, bool hex, int *len)
{
	unsigned char *bytes = NULL;
	char	   *result;

	if (hex)
	{
		ASN1_TYPE	type;
		StringInfoData buf;

		type.type = ASN1_STRING_type(value);
		type.value.asn1_string = (ASN1_STRING *) value;
		initStringInfo(&buf);
		appendStringInfoChar(&buf, '#');
		*len = i2d_ASN1_TYPE(&type, &bytes);
		for (int i = 0; i < *len; i++)
			appendStringInfo(&buf, "%02X", bytes[i]);
		result = buf.data;
		*len = buf.len;
	}
	else
	{
		*len = ASN1_STRING_to_UTF8(&bytes, value);
		HOLDS(*len >= 0, "a value that OpenSSL prints and cannot read");
		result = palloc((Size) *len + 1);
		memcpy(result, bytes, (size_t) *len);
	}
	OPENSSL_free(bytes);
	return result;
}

static ASN1_STRING *
string_of_der(const char *digits, int *type)
{
	size_t		len = strlen(digits) / 2;
	unsigned char *der = palloc(len);
	const unsigned char *at = der;
	ASN1_TYPE  *decoded;
	ASN1_STRING *string;

	for (size_t i = 0; i < len; i++)
		der[i] = (unsigned char) (hex_value(digits[2 * i]) << 4 | hex_value(digits[2 * i + 1]));
	decoded = d2i_ASN1_TYPE(NULL, &at, (long) len);
	HOLDS(decoded, "%s is no DER", digits);
	*type = decoded->type;
	string = ASN1_STRING_dup(decoded->value.asn1_string);
	ASN1_TYPE_free(decoded);
	return string;
}

/*
 * The name that was read, with every text in UTF-8.  By our function, if that
 * takes all of its attributes; NULL if not.
 */
static X509_NAME *
name_of(const Dn *dn, bool ours)
{
	X509_NAME  *name = X509_NAME_new();

	for (int i = 0; i < dn->count; i++)
	{
		const DnAttribute *attribute = &dn->attributes[i];
		ASN1_OBJECT *object;
		ASN1_STRING *string;
		int			type = V_ASN1_UTF8STRING;
		X509_NAME_ENTRY *entry;

		if (ours && (attribute->hex || !name_add_attribute(name, attribute)))
		{
			X509_NAME_free(name);
			return NULL;
		}
		if (ours)
			continue;
		object = OBJ_txt2obj(attribute->type, 0);
		HOLDS(object, "no attribute %s", attribute->type);
		if (attribute->hex)
			string = string_of_der(attribute->value + 1, &type);
		else
		{
			string = ASN1_STRING_type_new(type);
			HOLDS(ASN1_STRING_set(string, attribute->value, attribute->value_len) == 1, "no memory");
		}
		entry = X509_NAME_ENTRY_create_by_OBJ(NULL, object, type, ASN1_STRING_get0_data(string),
											  ASN1_STRING_length(string));
		HOLDS(entry && X509_NAME_add_entry(name, entry, 0, attribute->joined ? 1 : 0) == 1, "no entry");
		X509_NAME_ENTRY_free(entry);
		ASN1_STRING_free(string);
		ASN1_OBJECT_free(object);
	}
	return name;
}

/*
 * Does OpenSSL compare names with this value whatever string type it has?
 */
static bool
compares_as_text(const ASN1_STRING *value)
{
	return (ASN1_tag2bit(ASN1_STRING_type(value)) &
			(B_ASN1_UTF8STRING | B_ASN1_BMPSTRING | B_ASN1_UNIVERSALSTRING | B_ASN1_PRINTABLESTRING |
			 B_ASN1_T61STRING | B_ASN1_IA5STRING | B_ASN1_VISIBLESTRING)) != 0;
}

/*
 * 6
 */
static void
check_form(const X509_NAME *name, const char *printed)
{
	bool		cut = false;
	char	   *meant;

	for (int i = 0; i < X509_NAME_entry_count(name); i++)
		(void) type_text(X509_NAME_ENTRY_get_object(X509_NAME_get_entry(name, i)), &cut);
	if (cut)
		return;
	meant = dn_meant(printed);
	if (has_other_than_ascii(name))
		HOLDS(meant == NULL, "%s\nmatches nothing, and is taken for %s", printed, meant);
	else
		HOLDS(meant && strcmp(meant, printed) == 0, "%s\nis taken for %s", printed, meant ? meant : "nothing");
}

/*
 * 5
 */
static void
check_name(const X509_NAME *name)
{
	char	   *printed = dn_text(name);
	int			count = X509_NAME_entry_count(name);
	bool		as_text = true;
	bool		cut = false;
	DnError		error;
	Dn		   *dn;

	/* a value that is not valid in its encoding has no print */
	if (printed == NULL || count == 0)
		return;
	dn = dn_read(printed, &error);
	HOLDS(dn, "%s: %s", printed, error.message);
	check_form(name, printed);
	HOLDS(dn->count == count, "%d attributes, read are %d: %s", count, dn->count, printed);
	for (int i = 0; i < count; i++)
	{
		const DnAttribute *attribute = &dn->attributes[i];
		X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, count - 1 - i);
		const ASN1_STRING *string = X509_NAME_ENTRY_get_data(entry);
		char	   *type = type_text(X509_NAME_ENTRY_get_object(entry), &cut);
		int			len;
		char	   *value = expected_value(string, attribute->hex, &len);
		bool		joined = i > 0 && X509_NAME_ENTRY_set(entry) == X509_NAME_ENTRY_set(X509_NAME_get_entry(name, count - i));

		HOLDS(strcmp(attribute->type, type) == 0, "type %s instead of %s: %s", attribute->type, type, printed);
		HOLDS(attribute->joined == joined, "attribute %d is in the wrong RDN: %s", i, printed);
		HOLDS(attribute->value_len == len && memcmp(attribute->value, value, (size_t) len) == 0,
			  "attribute %d of %s is %s, not %s", i, printed,
			  escape_bytes(attribute->value, attribute->value_len), escape_bytes(value, len));
		as_text &= attribute->hex ?
			ASN1_STRING_type(string) != V_ASN1_BIT_STRING :
			compares_as_text(string);
	}
	HOLDS(same_text(dn_spelling(printed, &error), printed), "%s is spelled %s", printed,
		  shown(dn_spelling(printed, &error)));
	for (int ours = 0; as_text && !cut && ours < 2; ours++)
	{
		X509_NAME  *made = name_of(dn, ours);
		X509_NAME  *decoded = made ? encoded_and_decoded(made) : NULL;

		HOLDS(ours || decoded, "%s: the name that is read is none", printed);
		HOLDS(decoded == NULL || X509_NAME_cmp(name, decoded) == 0, "%s\nis read as %s",
			  printed, shown(dn_text(decoded)));
		X509_NAME_free(decoded);
		X509_NAME_free(made);
	}
}

/*
 * A name of any attributes, string types and bytes.
 */
static X509_NAME *
make_name(Bytes bytes)
{
	static const int attributes[] = {
		NID_commonName, NID_organizationName, NID_organizationalUnitName, NID_countryName,
		NID_pkcs9_emailAddress, NID_domainComponent, NID_userId, NID_serialNumber};
	static const int types[] = {
		V_ASN1_UTF8STRING, V_ASN1_UTF8STRING, V_ASN1_PRINTABLESTRING, V_ASN1_IA5STRING, V_ASN1_T61STRING,
		V_ASN1_BMPSTRING, V_ASN1_UNIVERSALSTRING, V_ASN1_NUMERICSTRING, V_ASN1_BIT_STRING};
	X509_NAME  *name = X509_NAME_new();

	for (int i = 0; bytes.pos < bytes.end && i < MAX_ATTRIBUTES; i++)
	{
		unsigned	choice = take(&bytes);
		int			type = types[take_below(&bytes, lengthof(types))];
		unsigned char value[64];
		int			len = (int) take_below(&bytes, sizeof(value));
		ASN1_OBJECT *object;
		X509_NAME_ENTRY *entry;

		for (int k = 0; k < len; k++)
			value[k] = (unsigned char) take(&bytes);
		if (choice % 16 < lengthof(attributes))
			object = OBJ_nid2obj(attributes[choice % 16]);
		else if (choice % 16 < 12)
			object = OBJ_nid2obj((int) take16(&bytes) % 1200);
		else
			object = OBJ_txt2obj(psprintf("1.3.6.1.4.1.99999.%u", take(&bytes)), 1);
		if (object == NULL || OBJ_length(object) == 0)
			continue;
		entry = X509_NAME_ENTRY_create_by_OBJ(NULL, object, type, value, len);
		/* false where a string has no whole characters */
		(void) X509_NAME_add_entry(name, entry, -1, choice & 0x80 ? -1 : 0);
		X509_NAME_ENTRY_free(entry);
		ASN1_OBJECT_free(object);
	}
	return name;
}

void
fuzz_one(const uint8 *data, size_t size)
{
	char	   *text = pnstrdup((const char *) data, Min(size, MAX_TEXT));
	DnError		error;
	Dn		   *dn = dn_read(text, &error);
	char	   *meant = dn_meant(text);
	X509_NAME  *names[2] = {make_name((Bytes){data, data + size}), NULL};

	if (dn == NULL)
		check_error(text, &error);
	else
	{
		check_places(text, dn);
		names[1] = name_of(dn, true);
	}
	check_spelling(text, dn);
	if (meant != NULL)
		HOLDS(dn_meant(meant) && strcmp(dn_meant(meant), meant) == 0, "%s\nis taken for %s\nand that for %s", text, meant,
			  dn_meant(meant) ? dn_meant(meant) : "nothing");
	for (int i = 0; i < 2; i++)
	{
		X509_NAME  *decoded = names[i] ? encoded_and_decoded(names[i]) : NULL;

		if (decoded != NULL)
			check_name(decoded);
		X509_NAME_free(decoded);
		X509_NAME_free(names[i]);
	}
}
