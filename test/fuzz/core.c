/*-------------------------------------------------------------------------
 *
 * core.c
 *		What PostgreSQL itself makes of a client's certificate, and strings of
 *		certificates read without OpenSSL's help.
 *
 *-------------------------------------------------------------------------
 */
#include "core.h"

#include <openssl/bio.h>

#include "fuzz.h"

/*
 * Does be_tls_open_server() (be-secure-openssl.c) take a certificate with this
 * subject, as far as the common name is concerned?  It looks at the first CN, in
 * the bytes that stand in the certificate, and refuses one that has a NUL in it.
 */
bool
core_accepts_cn(X509 *cert)
{
	X509_NAME  *subject = X509_get_subject_name(cert);
	int			len = X509_NAME_get_text_by_NID(subject, NID_commonName, NULL, 0);
	char	   *cn;

	if (len == -1)
		return true;
	cn = palloc0((Size) len + 1);
	if (X509_NAME_get_text_by_NID(subject, NID_commonName, cn, len + 1) != len)
		return false;
	return strlen(cn) == (size_t) len;
}

/*
 * Append a character in UTF-8.  False if there is no such character.
 */
static bool
append_utf8(StringInfo buf, unsigned c)
{
	if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
		return false;
	if (c < 0x80)
		appendStringInfoChar(buf, (char) c);
	else
	{
		int			more = c < 0x800 ? 1 : c < 0x10000 ? 2 :
												 3;

		appendStringInfoChar(buf, (char) ((more == 1 ? 0xC0 : more == 2 ? 0xE0 :
																		  0xF0) |
										  c >> 6 * more));
		while (more-- > 0)
			appendStringInfoChar(buf, (char) (0x80 | (c >> 6 * more & 0x3F)));
	}
	return true;
}

/*
 * Is it of a type of ASCII (X.680 section 41), and has it something else?
 */
bool
is_other_than_ascii(const ASN1_STRING *value)
{
	int			type = ASN1_STRING_type(value);
	bool		other = false;

	for (int i = 0; i < ASN1_STRING_length(value); i++)
		other |= (ASN1_STRING_get0_data(value)[i] & 0x80) != 0;
	return other && (type == V_ASN1_PRINTABLESTRING || type == V_ASN1_IA5STRING || type == V_ASN1_NUMERICSTRING || type == V_ASN1_VISIBLESTRING);
}

bool
has_other_than_ascii(const X509_NAME *name)
{
	bool		other = false;

	for (int i = 0; i < X509_NAME_entry_count(name); i++)
		other |= is_other_than_ascii(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i)));
	return other;
}

/*
 * Is it what one gets by writing the characters in UTF-8 that one reads in it?
 */
bool
is_utf8(const ASN1_STRING *value)
{
	const uint8 *bytes = ASN1_STRING_get0_data(value);
	size_t		len = (size_t) ASN1_STRING_length(value);
	StringInfoData buf;

	initStringInfo(&buf);
	for (size_t i = 0; i < len;)
	{
		int			more = bytes[i] < 0x80 ? 0 : bytes[i] < 0xE0 ? 1 :
			bytes[i] < 0xF0								 ? 2 :
														   3;
		unsigned	c = more == 0 ? bytes[i] : bytes[i] & (0x3FU >> more);

		for (i++; more > 0; more--, i++)
		{
			if (i >= len)
				return false;
			c = c << 6 | (bytes[i] & 0x3F);
		}
		if (!append_utf8(&buf, c))
			return false;
	}
	return (size_t) buf.len == len && memcmp(buf.data, bytes, len) == 0;
}

/*
 * The string in UTF-8, which may have zeros in it; NULL if it is not valid in its
 * encoding (X.690 section 8.23; T61String taken for ISO 8859-1, as all do).
 */
char *
decoded_string(const ASN1_STRING *value, size_t *len)
{
	const uint8 *bytes = ASN1_STRING_get0_data(value);
	int			count = ASN1_STRING_length(value);
	int			width;
	StringInfoData buf;

	initStringInfo(&buf);
	switch (ASN1_STRING_type(value))
	{
		case V_ASN1_UTF8STRING:
			/* OpenSSL has decoded the certificate, and so this */
			appendBinaryStringInfo(&buf, (const char *) bytes, count);
			*len = (size_t) buf.len;
			return buf.data;
		case V_ASN1_NUMERICSTRING:
		case V_ASN1_PRINTABLESTRING:
		case V_ASN1_T61STRING:
		case V_ASN1_IA5STRING:
		case V_ASN1_VISIBLESTRING:
		case V_ASN1_UTCTIME:
		case V_ASN1_GENERALIZEDTIME:
			width = 1;
			break;
		case V_ASN1_BMPSTRING:
			width = 2;
			break;
		case V_ASN1_UNIVERSALSTRING:
			width = 4;
			break;
		default:
			return NULL;
	}
	if (count % width != 0)
		return NULL;
	for (int i = 0; i < count; i += width)
	{
		unsigned	c = 0;

		for (int k = 0; k < width; k++)
			c = c << 8 | bytes[i + k];
		if (!append_utf8(&buf, c))
			return NULL;
	}
	*len = (size_t) buf.len;
	return buf.data;
}

/*
 * A name as OpenSSL prints it; NULL if it does not, or with a NUL.
 */
char *
printed_dn(const X509_NAME *name, unsigned long flags)
{
	BIO		   *bio = BIO_new(BIO_s_mem());
	char	   *data = NULL;
	char	   *text = NULL;
	long		len;

	if (X509_NAME_print_ex(bio, name, 0, flags) >= 0)
	{
		len = BIO_get_mem_data(bio, &data);
		if (len == 0)
			text = pstrdup("");
		else if (memchr(data, '\0', (size_t) len) == NULL)
			text = pnstrdup(data, (Size) len);
	}
	BIO_free(bio);
	return text;
}
