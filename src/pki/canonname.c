/*-------------------------------------------------------------------------
 *
 * canonname.c
 *		Names in the one form that all spellings of them have in common.
 *
 * RFC 5280 section 7.1 says which names are the same: neither the type of a string
 * counts, nor the case of its letters, nor how many spaces stand in it.  OpenSSL
 * compares names by such a form (crypto/x509/x_name.c), and does not hand it out.  This
 * makes the same one, byte for byte: two names have the same form if and only if
 * X509_NAME_cmp() takes them for the same.
 *
 *-------------------------------------------------------------------------
 */
#include "pki/canonname.h"

#include <openssl/err.h>

#include "pki/der.h"
#include "policy/dn.h"

/*
 * Append the head of an element in DER.
 */
static void
append_head(StringInfo buf, int tag, size_t len)
{
	appendStringInfoChar(buf, (char) tag);
	if (len >= 0x80)
	{
		int			bytes = len < 0x100 ? 1 : len < 0x10000 ? 2 :
			len < 0x1000000							? 3 :
													  4;

		appendStringInfoChar(buf, (char) (0x80 | bytes));
		for (int i = bytes - 1; i > 0; i--)
			appendStringInfoChar(buf, (char) (len >> (8 * i)));
	}
	appendStringInfoChar(buf, (char) len);
}

/* As OpenSSL has it in any locale. */
static bool
is_space(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/*
 * Trim UTF-8 in place, make each run of whitespace one space, and ASCII letters small.
 * Others stay as they are.  Returns the new length.
 */
static int
fold_text(unsigned char *text, int len)
{
	unsigned char *to = text;

	for (int i = 0; i < len; i++)
	{
		if (!is_space(text[i]))
			*to++ = text[i] >= 'A' && text[i] <= 'Z' ? text[i] + ('a' - 'A') : text[i];
		else if (to > text && to[-1] != ' ')
			*to++ = ' ';
	}
	if (to > text && to[-1] == ' ')
		to--;
	return (int) (to - text);
}

/*
 * Append text as a folded UTF8String.  False if it is not what its type says.
 */
static bool
append_text(StringInfo buf, const ASN1_STRING *value)
{
	unsigned char *text = NULL;
	int			len = ASN1_STRING_to_UTF8(&text, value);

	if (len < 0)
		return false;
	len = fold_text(text, len);
	append_head(buf, TAG_UTF8_STRING, (size_t) len);
	appendBinaryStringInfo(buf, (char *) text, len);
	OPENSSL_free(text);
	return true;
}

static bool
append_as_it_is(StringInfo buf, const ASN1_STRING *value)
{
	unsigned char *der = NULL;
	int			len = i2d_ASN1_PRINTABLE(value, &der);

	if (len <= 0)
		return false;
	appendBinaryStringInfo(buf, (char *) der, len);
	OPENSSL_free(der);
	return true;
}

static bool
append_value(StringInfo buf, const ASN1_STRING *value)
{
	switch (ASN1_STRING_type(value))
	{
		case V_ASN1_UTF8STRING:
		case V_ASN1_BMPSTRING:
		case V_ASN1_UNIVERSALSTRING:
		case V_ASN1_PRINTABLESTRING:
		case V_ASN1_T61STRING:
		case V_ASN1_IA5STRING:
		case V_ASN1_VISIBLESTRING:
			return append_text(buf, value);
		default:
			return append_as_it_is(buf, value);
	}
}

/*
 * One attribute: a SEQUENCE of its type and its value.
 */
static bool
append_attribute(StringInfo buf, X509_NAME_ENTRY *entry)
{
	StringInfoData content;
	unsigned char *oid = NULL;
	int			len = i2d_ASN1_OBJECT(X509_NAME_ENTRY_get_object(entry), &oid);
	bool		ok;

	if (len <= 0)
		return false;
	initStringInfo(&content);
	appendBinaryStringInfo(&content, (char *) oid, len);
	OPENSSL_free(oid);
	ok = append_value(&content, X509_NAME_ENTRY_get_data(entry));
	if (ok)
	{
		append_head(buf, TAG_SEQUENCE, (size_t) content.len);
		appendBinaryStringInfo(buf, content.data, content.len);
	}
	pfree(content.data);
	return ok;
}

static int
compare_elements(const void *a, const void *b)
{
	const Slice *first = a;
	const Slice *second = b;
	size_t		first_len = slice_len(first);
	size_t		second_len = slice_len(second);
	int			order = memcmp(first->pos, second->pos, Min(first_len, second_len));

	if (order == 0)
		order = first_len < second_len ? -1 : first_len > second_len;
	return order;
}

/*
 * Append a relative distinguished name, a SET of attributes, which DER sorts.
 */
static bool
append_rdn(StringInfo buf, const X509_NAME *name, int first, int count)
{
	StringInfoData content;
	Slice	   *elements = palloc(sizeof(Slice) * (Size) count);
	int		   *ends = palloc(sizeof(int) * (Size) count);
	bool		ok = true;

	initStringInfo(&content);
	for (int i = 0; i < count && ok; i++)
	{
		ok = append_attribute(&content, X509_NAME_get_entry(name, first + i));
		ends[i] = content.len;
	}
	if (ok)
	{
		for (int i = 0; i < count; i++)
		{
			elements[i].pos = (uint8 *) content.data + (i > 0 ? ends[i - 1] : 0);
			elements[i].end = (uint8 *) content.data + ends[i];
		}
		if (count > 1)
			qsort(elements, (size_t) count, sizeof(Slice), compare_elements);
		append_head(buf, TAG_SET, (size_t) content.len);
		for (int i = 0; i < count; i++)
			appendBinaryStringInfo(buf, (const char *) elements[i].pos, (int) slice_len(&elements[i]));
	}
	pfree(content.data);
	pfree(ends);
	pfree(elements);
	return ok;
}

/*
 * The form of a name, its RDNs in DER one after the other, without the SEQUENCE around
 * them; *len is 0 for a name without attributes.  NULL if OpenSSL cannot read it.
 */
uint8 *
canonical_name(const X509_NAME *name, size_t *len)
{
	StringInfoData buf;
	int			count = X509_NAME_entry_count(name);
	bool		ok = true;

	initStringInfo(&buf);
	for (int first = 0, next; first < count && ok; first = next)
	{
		int			set = X509_NAME_ENTRY_set(X509_NAME_get_entry(name, first));

		next = first + 1;
		while (next < count && X509_NAME_ENTRY_set(X509_NAME_get_entry(name, next)) == set)
			next++;
		ok = append_rdn(&buf, name, first, next - first);
	}
	ERR_clear_error();
	*len = (size_t) buf.len;
	return ok ? (uint8 *) buf.data : NULL;
}

/*
 * Add an attribute before those that are there.  Its length is not limited, as it is
 * by X509_NAME_add_entry_by_txt().
 */
static bool
add_first(X509_NAME *name, const DnAttribute *attribute)
{
	ASN1_OBJECT *type = OBJ_txt2obj(attribute->type, 0);
	X509_NAME_ENTRY *entry = NULL;
	bool		ok;

	if (type != NULL && !attribute->hex)
		entry = X509_NAME_ENTRY_create_by_OBJ(NULL, type, V_ASN1_UTF8STRING,
											  (unsigned char *) attribute->value, attribute->value_len);
	ok = entry != NULL && X509_NAME_add_entry(name, entry, 0, attribute->joined ? 1 : 0) == 1;
	X509_NAME_ENTRY_free(entry);
	ASN1_OBJECT_free(type);
	return ok;
}

/*
 * The form of a name that is written in RFC 2253 form, in UTF-8 or escaped.  NULL if it
 * cannot be read, or has values in hexadecimal, which may be of any type.
 */
uint8 *
canonical_dn(const char *text, size_t *len)
{
	DnError		error;
	Dn		   *dn = dn_read(text, &error);
	X509_NAME  *name = X509_NAME_new();
	bool		ok = dn != NULL && name != NULL;
	uint8	   *result;

	for (int i = 0; ok && i < dn->count; i++)
		ok = add_first(name, &dn->attributes[i]);
	result = ok ? canonical_name(name, len) : NULL;
	X509_NAME_free(name);
	ERR_clear_error();
	return result;
}
