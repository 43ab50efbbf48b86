/*-------------------------------------------------------------------------
 *
 * fuzz_name.c
 *		The canonical form of names against OpenSSL's, which it does not hand out.
 *
 * An input is a name in DER, and behind it either another one, or an OCTET STRING
 * that says how to spell the first in another way.  Then
 *
 *	1. two names have one form if and only if X509_NAME_cmp() finds them the same
 *	2. X509_NAME_hash_ex() is the digest of the form, as far as OpenSSL shows it
 *	3. the form is itself a name, and the same one, with that very form
 *	4. another spelling is the same name, for both; and so is their CA
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#include <openssl/err.h>
#include <openssl/sha.h>

#include "certs.h"
#include "der_mutator.h"
#include "pki/canonname.h"
#include "pki/x509.h"

typedef struct Form
{
	uint8	   *bytes;
	size_t		len;
} Form;

static X509_NAME *
read_name(const uint8 **pos, const uint8 *end)
{
	X509_NAME  *name = d2i_X509_NAME(NULL, pos, (long) (end - *pos));

	ERR_clear_error();
	return name;
}

static bool
same_forms(const Form *a, const Form *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static Form
form_of(const X509_NAME *name)
{
	Form		form;
	uint8		digest[SHA_DIGEST_LENGTH];
	int			done = 0;
	unsigned long hash = X509_NAME_hash_ex(name, NULL, NULL, &done);

	form.bytes = canonical_name(name, &form.len);
	HOLDS(form.bytes, "OpenSSL reads the name, and it has no form");
	HOLDS(ERR_peek_error() == 0, "OpenSSL's error queue is not empty");
	SHA1(form.bytes, form.len, digest);
	HOLDS(done && hash == ((unsigned long) digest[0] | (unsigned long) digest[1] << 8 | (unsigned long) digest[2] << 16 | (unsigned long) digest[3] << 24),
		  "another form than OpenSSL's, of %zu bytes", form.len);
	return form;
}

static void
check_form(const X509_NAME *name, const Form *form)
{
	unsigned char *der = palloc(form->len + 16);
	unsigned char *end = der;
	const uint8 *pos = der;
	X509_NAME  *again;
	Form		of_form;

	ASN1_put_object(&end, 1, (int) form->len, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
	memcpy(end, form->bytes, form->len);
	end += form->len;
	again = read_name(&pos, end);
	HOLDS(again && pos == end, "the form is no name");
	of_form = form_of(again);
	HOLDS(same_forms(form, &of_form), "the form has another form");
	HOLDS(X509_NAME_cmp(name, again) == 0, "the form is another name");
	X509_NAME_free(again);
}

static bool
is_text(int type)
{
	return (ASN1_tag2bit(type) & (B_ASN1_UTF8STRING | B_ASN1_BMPSTRING | B_ASN1_UNIVERSALSTRING | B_ASN1_PRINTABLESTRING | B_ASN1_T61STRING | B_ASN1_IA5STRING)) != 0;
}

static bool
is_whitespace(char c)
{
	return c == ' ' || (c >= 9 && c <= 13);
}

static void
append_spaces(StringInfo buf, Bytes *bytes)
{
	for (unsigned n = take_below(bytes, 3); n > 0; n--)
		appendStringInfoChar(buf, " \t\n\v\f\r"[take_below(bytes, 6)]);
}

/*
 * The same text in other letters and spaces, as another type if it can be written so.
 */
static ASN1_STRING *
respell_text(const ASN1_STRING *value, Bytes *bytes)
{
	static const unsigned long masks[] = {B_ASN1_UTF8STRING, B_ASN1_PRINTABLESTRING, B_ASN1_IA5STRING,
										  B_ASN1_T61STRING, B_ASN1_BMPSTRING, B_ASN1_UNIVERSALSTRING};
	unsigned char *text = NULL;
	int			len = ASN1_STRING_to_UTF8(&text, value);
	ASN1_STRING *result = NULL;
	StringInfoData buf;

	HOLDS(len >= 0, "text that is none");
	initStringInfo(&buf);
	append_spaces(&buf, bytes);
	for (int i = 0; i < len; i++)
	{
		char		c = (char) text[i];
		bool		letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (is_whitespace(c))
			append_spaces(&buf, bytes);
		appendStringInfoChar(&buf, (char) (letter && take_below(bytes, 2) ? c ^ 0x20 : c));
	}
	append_spaces(&buf, bytes);
	OPENSSL_free(text);
	if (ASN1_mbstring_copy(&result, (unsigned char *) buf.data, buf.len, MBSTRING_UTF8,
						   masks[take_below(bytes, lengthof(masks))]) < 0)
		HOLDS(ASN1_mbstring_copy(&result, (unsigned char *) buf.data, buf.len, MBSTRING_UTF8, B_ASN1_UTF8STRING) >= 0,
			  "write UTF-8");
	ERR_clear_error();
	return result;
}

/*
 * The same name in another spelling.
 */
static X509_NAME *
respell(const X509_NAME *name, Bytes *bytes)
{
	X509_NAME  *result = X509_NAME_new();
	int			count = X509_NAME_entry_count(name);

	for (int first = 0, next; first < count; first = next)
	{
		int			set = X509_NAME_ENTRY_set(X509_NAME_get_entry(name, first));
		bool		backwards = take_below(bytes, 2);

		for (next = first + 1; next < count && X509_NAME_ENTRY_set(X509_NAME_get_entry(name, next)) == set;)
			next++;
		for (int i = first; i < next; i++)
		{
			X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, backwards ? first + next - 1 - i : i);
			X509_NAME_ENTRY *copy = X509_NAME_ENTRY_dup(entry);
			ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);

			if (is_text(ASN1_STRING_type(value)))
			{
				ASN1_STRING *other = respell_text(value, bytes);

				HOLDS(ASN1_STRING_copy(X509_NAME_ENTRY_get_data(copy), other) == 1, "set a value");
				ASN1_STRING_free(other);
			}
			HOLDS(X509_NAME_add_entry(result, copy, -1, i == first ? 0 : -1) == 1, "add an attribute");
			X509_NAME_ENTRY_free(copy);
		}
	}
	return result;
}

/*
 * NULL if OpenSSL cannot copy the name, such as an empty one with a long length.
 */
static X509 *
ca_named(const X509_NAME *name)
{
	X509	   *ca = new_cert(NULL);

	if (X509_set_subject_name(ca, name) == 1)
		return ca;
	X509_free(ca);
	return NULL;
}

static void
check_ca(const X509_NAME *name, const X509_NAME *spelled)
{
	X509	   *ca = ca_named(name);
	X509	   *other = ca_named(spelled);
	uint8		identity[CA_IDENTITY_LEN];
	uint8		other_identity[CA_IDENTITY_LEN];

	HOLDS(ca == NULL || other == NULL ||
			  (ca_identity(ca, identity) && ca_identity(other, other_identity) &&
			   memcmp(identity, other_identity, CA_IDENTITY_LEN) == 0),
		  "another spelling is another CA");
	X509_free(ca);
	X509_free(other);
}

void
fuzz_one(const uint8 *data, size_t size)
{
	const uint8 *pos = data;
	const uint8 *end = data + size;
	X509_NAME  *name = read_name(&pos, end);
	X509_NAME  *other;
	Form		form;
	Form		other_form;
	bool		spelled;

	if (name == NULL)
		return;
	form = form_of(name);
	check_form(name, &form);
	spelled = end - pos > 2 && pos[0] == V_ASN1_OCTET_STRING;
	other = spelled ? respell(name, &(Bytes){pos + 2, end}) : read_name(&pos, end);
	if (other)
	{
		other_form = form_of(other);
		HOLDS(same_forms(&form, &other_form) == (X509_NAME_cmp(name, other) == 0),
			  "for X509_NAME_cmp() it is %d", X509_NAME_cmp(name, other));
		HOLDS(!spelled || same_forms(&form, &other_form), "another spelling is another name");
		if (spelled)
			check_ca(name, other);
	}
	X509_NAME_free(other);
	X509_NAME_free(name);
}

extern size_t LLVMFuzzerCustomMutator(uint8 *data, size_t size, size_t max_size, unsigned seed);

size_t
LLVMFuzzerCustomMutator(uint8 *data, size_t size, size_t max_size, unsigned seed)
{
	return der_mutate(data, size, max_size, seed);
}
