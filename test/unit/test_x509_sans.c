/*-------------------------------------------------------------------------
 *
 * test_x509_sans.c
 *		Names in certificates: subject alternative names.
 *
 *-------------------------------------------------------------------------
 */
#include "certs.h"
#include "receive.h"
#include "base/escape.h"
#include "tap.h"
#include "pki/x509.h"

static GENERAL_NAME *
string_name(int type, const char *bytes, int len)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_STRING *string = type == GEN_IPADD ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();

	ASN1_STRING_set(string, bytes, len);
	GENERAL_NAME_set0_value(name, type, string);
	return name;
}

/*
 * A certificate with these alternative names, which are freed.
 */
static X509 *
cert_with_names(GENERAL_NAMES *names)
{
	X509	   *cert = new_cert(NULL);

	X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, X509V3_ADD_APPEND);
	GENERAL_NAMES_free(names);
	return cert;
}

static void
test_alternative_names(void)
{
	static const struct
	{
		int			type;
		const char *bytes;
		int			len;
		const char *san;
	} cases[] =
		{
			{GEN_DNS, "db.example", 10, "dns:db.example"},
			{GEN_DNS, "DB.Example", 10, "dns:DB.Example"},
			{GEN_DNS, "*.example", 9, "dns:*.example"},
			{GEN_DNS, "", 0, "dns:"},
			{GEN_DNS, "app\0.evil", 9, "dns:app\\00.evil"},
			{GEN_DNS, "a\nb", 3, "dns:a\\0Ab"},
			/* of ASCII alone: never one that could match */
			{GEN_DNS, "\xC3\xA9", 2, "baddns:\\C3\\A9"},
			{GEN_DNS, "\xE9", 1, "baddns:\\E9"},
			{GEN_DNS, "app\x80", 4, "baddns:app\\80"},
			{GEN_DNS, "app\x7F", 4, "dns:app\\7F"},
			{GEN_EMAIL, "\xF6@b", 3, "bademail:\\F6@b"},
			{GEN_URI, "x:\xF6", 3, "baduri:x:\\F6"},
			{GEN_DNS, "a\\b", 3, "dns:a\\5Cb"},
			{GEN_EMAIL, "a@b.example", 11, "email:a@b.example"},
			{GEN_EMAIL, "a\0@b", 4, "email:a\\00@b"},
			{GEN_URI, "spiffe://bank/db/app", 20, "uri:spiffe://bank/db/app"},
			{GEN_URI, "x\r\n", 3, "uri:x\\0D\\0A"},
			{GEN_IPADD, "\xC0\0\x02\x01", 4, "ip:192.0.2.1"},
			{GEN_IPADD, "\0\0\0\0", 4, "ip:0.0.0.0"},
			{GEN_IPADD, "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01", 16, "ip:2001:db8::1"},
			{GEN_IPADD, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, "ip:::"},
			{GEN_IPADD, "\0\0\0\0\0\0\0\0\0\0\xFF\xFF\xC0\0\x02\x01", 16, "ip:::ffff:192.0.2.1"},
			/* of no address: never one that could match */
			{GEN_IPADD, "", 0, "badip:"},
			{GEN_IPADD, "\xC0\0\x02", 3, "badip:\\C0\\00\\02"},
			{GEN_IPADD, "\xC0\0\x02\x01\x01", 5, "badip:\\C0\\00\\02\\01\\01"},
			{GEN_IPADD, "12345678", 8, "badip:12345678"},
			{GEN_IPADD, "1234567890123456\0", 17, "badip:1234567890123456\\00"},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		GENERAL_NAMES *names = GENERAL_NAMES_new();
		CertFacts  *facts;

		sk_GENERAL_NAME_push(names, string_name(cases[i].type, cases[i].bytes, cases[i].len));
		facts = receive(cert_with_names(names), cases[i].san);
		if (ok(facts != NULL && facts->nsans == 1, "%s: one name", cases[i].san))
			is_str(facts->sans[0], cases[i].san, "%s: as expected", cases[i].san);
	}
}

static void
test_other_types_of_names(void)
{
	static const Attribute directory[] = {CN("a,b\n"), {0}};
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *name;
	ASN1_TYPE  *value = ASN1_TYPE_new();
	ASN1_UTF8STRING *upn = ASN1_UTF8STRING_new();
	EDIPARTYNAME *party = EDIPARTYNAME_new();
	CertFacts  *facts;

	name = GENERAL_NAME_new();
	GENERAL_NAME_set0_value(name, GEN_DIRNAME, make_name(directory));
	sk_GENERAL_NAME_push(names, name);

	name = GENERAL_NAME_new();
	ASN1_STRING_set(upn, "dns:app", -1);
	ASN1_TYPE_set(value, V_ASN1_UTF8STRING, upn);
	GENERAL_NAME_set0_othername(name, OBJ_txt2obj("1.3.6.1.4.1.311.20.2.4", 1), value);
	sk_GENERAL_NAME_push(names, name);

	name = GENERAL_NAME_new();
	GENERAL_NAME_set0_value(name, GEN_RID, OBJ_txt2obj("1.2.3.4", 1));
	sk_GENERAL_NAME_push(names, name);

	name = GENERAL_NAME_new();
	party->partyName = ASN1_STRING_type_new(V_ASN1_UTF8STRING);
	ASN1_STRING_set(party->partyName, "uri:app", -1);
	GENERAL_NAME_set0_value(name, GEN_EDIPARTY, party);
	sk_GENERAL_NAME_push(names, name);

	sk_GENERAL_NAME_push(names, string_name(GEN_DNS, "a", 1));

	facts = receive(cert_with_names(names), "other types");
	if (!ok(facts != NULL && facts->nsans == 5, "names of other types are all there"))
		return;
	is_str(facts->sans[0], "dirname:CN=a\\,b\\0A", "dirName");
	is_str(facts->sans[1], "othername:1.3.6.1.4.1.311.20.2.4", "otherName, without its value");
	is_str(facts->sans[2], "rid:1.2.3.4", "registeredID");
	is_str(facts->sans[3], "other:", "ediPartyName");
	is_str(facts->sans[4], "dns:a", "a DNS name behind them");
	is_int(facts->upn_count, 0, "none is a user principal name");
}

/*
 * An otherName of the type of user principal names, with a value in DER.
 */
static void
append_upn(StringInfo buf, const char *der, int len)
{
	static const char oid[] = "\x06\x0A\x2B\x06\x01\x04\x01\x82\x37\x14\x02\x03";

	appendStringInfo(buf, "\xA0%c%s\xA0%c", len + 14, oid, len);
	appendBinaryStringInfo(buf, der, len);
}

static X509 *
cert_with_upns(const char *first, int first_len, const char *second, int second_len)
{
	X509	   *cert = new_cert(NULL);
	StringInfoData names;
	StringInfoData der;

	initStringInfo(&names);
	append_upn(&names, first, first_len);
	if (second_len > 0)
		append_upn(&names, second, second_len);
	initStringInfo(&der);
	appendStringInfo(&der, "\x30%c", names.len);
	appendBinaryStringInfo(&der, names.data, names.len);
	set_der(cert, NID_subject_alt_name, der.data, der.len);
	return cert;
}

static void
test_user_principal_names(void)
{
	static const struct
	{
		const char *what;
		const char *der;
		int			len;
		const char *san;		/* NULL: the certificate is not readable */
	} cases[] =
		{
			{"UTF8String", "\x0C\x05"
						   "a@b.c",
			 7, "upn:a@b.c"},
			{"letters", "\x0C\x04\xC3\xA9@b", 6, "upn:\\C3\\A9@b"},
			{"a line break", "\x0C\x03"
							 "a\nb",
			 5, "upn:a\\0Ab"},
			{"a backslash", "\x0C\x03"
							"\\00",
			 5, "upn:\\5C00"},
			{"nothing", "\x0C\x00", 2, "upn:"},
			{"PrintableString", "\x13\x01"
								"a",
			 3, "upn:a"},
			{"IA5String", "\x16\x03"
						  "a@b",
			 5, "upn:a@b"},
			{"VisibleString", "\x1A\x03"
							  "a@b",
			 5, "upn:a@b"},
			{"NumericString", "\x12\x02"
							  "12",
			 4, "upn:12"},
			{"BMPString", "\x1E\x06\0a\0@\0b", 8, "upn:a@b"},
			{"BMPString, a letter", "\x1E\x02\0\xE9", 4, "upn:\\C3\\A9"},
			{"UniversalString", "\x1C\x04\0\0\0a", 6, "upn:a"},
			/* a NUL, in whatever type */
			{"NUL within", "\x0C\x05"
						   "a@b\0c",
			 7, "badupn:#0c056140620063"},
			{"NUL at the end", "\x0C\x04"
							   "a@b\0",
			 6, "badupn:#0c0461406200"},
			{"NUL at the start", "\x0C\x02\0a", 4, "badupn:#0c020061"},
			{"NUL alone", "\x0C\x01\0", 3, "badupn:#0c0100"},
			{"NUL in a BMPString", "\x1E\x04\0a\0\0", 6, "badupn:#1e0400610000"},
			/* bytes that do not fit the type */
			{"bad UTF-8", "\x0C\x02"
						  "a\xF6",
			 4, "badupn:#0c0261f6"},
			{"UTF-8 that ends too early", "\x0C\x01\xC3", 3, "badupn:#0c01c3"},
			{"overlong UTF-8", "\x0C\x02\xC1\xA1", 4, "badupn:#0c02c1a1"},
			{"overlong NUL", "\x0C\x03"
							 "a\xC0\x80",
			 5, "badupn:#0c0361c080"},
			{"a surrogate in UTF-8", "\x0C\x03\xED\xA0\x80", 5, "badupn:#0c03eda080"},
			{"beyond Unicode", "\x0C\x04\xF4\x90\x80\x80", 6, "badupn:#0c04f4908080"},
			{"PrintableString, above 127", "\x13\x01\xF6", 3, "badupn:#1301f6"},
			{"IA5String, above 127", "\x16\x02\xC3\xB6", 4, "badupn:#1602c3b6"},
			{"VisibleString, above 127", "\x1A\x01\x80", 3, "badupn:#1a0180"},
			{"a pair of surrogates", "\x1E\x04\xD8\x3D\xDD\x12", 6, "badupn:#1e04d83ddd12"},
			{"half a pair", "\x1E\x02\xD8\x3D", 4, "badupn:#1e02d83d"},
			/* other types, of which some have bytes, too */
			{"TeletexString", "\x14\x01"
							  "a",
			 3, "badupn:#140161"},
			{"OCTET STRING", "\x04\x03"
							 "a@b",
			 5, "badupn:#0403614062"},
			{"BIT STRING", "\x03\x02\x00"
						   "a",
			 4, "badupn:#03020061"},
			{"SEQUENCE", "\x30\x05\x0C\x03"
						 "a@b",
			 7, "badupn:#30050c03614062"},
			{"SET", "\x31\x03\x0C\x01"
					"a",
			 5, "badupn:#31030c0161"},
			{"NULL", "\x05\x00", 2, "badupn:#0500"},
			{"BOOLEAN", "\x01\x01\xFF", 3, "badupn:#0101ff"},
			{"INTEGER", "\x02\x01"
						"a",
			 3, "badupn:#020161"},
			{"OBJECT IDENTIFIER", "\x06\x03\x55\x04\x03", 5, "badupn:#0603550403"},
			{"a type of somebody's own", "\x80\x01"
										 "a",
			 3, "badupn:#800161"},
			/* no value, too much of one, one of wrong length */
			{"trailing bytes", "\x0C\x01"
							   "a\x0C\x01"
							   "b",
			 6, NULL},
			{"a trailing byte", "\x0C\x01"
								"a\0",
			 4, NULL},
			{"shorter than it says", "\x0C\x05"
									 "a@b",
			 5, NULL},
			{"odd length of a BMPString", "\x1E\x03\0a\0", 5, NULL},
			{"UniversalString of three bytes", "\x1C\x03\0\0a", 5, NULL},
		};
	CertFacts  *facts;

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		facts = receive(cert_with_upns(cases[i].der, cases[i].len, NULL, 0), cases[i].what);
		is_str(facts ? facts->sans[0] : NULL, cases[i].san, "user principal name, %s", cases[i].what);
		if (facts)
			ok(facts->nsans == 1 && facts->upn_count == 1, "%s: there is one", cases[i].what);
	}

	facts = receive(cert_with_upns("\x0C\x01"
								   "a",
								   3, "\x0C\x01"
									  "b",
								   3),
					"two user principal names");
	ok(facts && facts->nsans == 2 && facts->upn_count == 2, "two user principal names are two");
	facts = receive(cert_with_upns("\x0C\x01"
								   "a",
								   3, "\x05\x00", 2),
					"two user principal names");
	ok(facts && facts->nsans == 2 && facts->upn_count == 2, "also if one cannot be read");
	is_str(facts ? facts->sans[0] : NULL, "upn:a", "each is shown");
	is_str(facts ? facts->sans[1] : NULL, "badupn:#0500", "as what it is");
}

/*
 * 100 names of each type, in the order in which they are written.
 */
static void
test_many_names(void)
{
	static const int types[] = {GEN_DNS, GEN_EMAIL, GEN_URI, GEN_IPADD};
	static const char *const prefixes[] = {"dns:", "email:", "uri:", "ip:10.0.0."};
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	CertFacts  *facts;
	int			wrong = 0;

	for (int i = 0; i < 400; i++)
	{
		char	   *text = psprintf("%d", i / 4);
		const char	address[] = {10, 0, 0, (char) (i / 4)};

		sk_GENERAL_NAME_push(names, i % 4 == 3 ? string_name(GEN_IPADD, address, 4) : string_name(types[i % 4], text, (int) strlen(text)));
	}
	facts = receive(cert_with_names(names), "400 names");
	if (!ok(facts != NULL, "400 names are readable"))
		return;
	is_int(facts->nsans, 400, "400 names are all there");
	for (int i = 0; i < facts->nsans; i++)
		if (strcmp(facts->sans[i], psprintf("%s%d", prefixes[i % 4], i / 4)) != 0)
			wrong++;
	is_int(wrong, 0, "400 names are in order");
}

/*
 * Extensions that are not what they should be.
 */
static void
test_broken_extensions(void)
{
	X509	   *cert = new_cert(NULL);
	CertFacts  *facts = receive(cert, "no extension");

	is_int(facts ? facts->nsans : -1, 0, "no extension, no names");

	facts = receive(cert_with_names(GENERAL_NAMES_new()), "no name in the extension");
	is_int(facts ? facts->nsans : -1, 0, "an extension without names");

	cert = new_cert(NULL);
	set_der(cert, NID_subject_alt_name, "\x30\x05"
										"\x82\x01"
										"a",
			5);
	ok(receive(cert, "truncated extension") == NULL, "a truncated extension: not readable");

	cert = new_cert(NULL);
	set_der(cert, NID_subject_alt_name, "garbage", 7);
	ok(receive(cert, "garbage") == NULL, "an extension with garbage: not readable");

	cert = new_cert(NULL);
	set_der(cert, NID_subject_alt_name, "", 0);
	ok(receive(cert, "nothing in the extension") == NULL,
	   "an extension with nothing in it: not readable");

	/* which of the two would count? */
	cert = new_cert(NULL);
	set_der(cert, NID_subject_alt_name, "\x30\x03"
										"\x82\x01"
										"a",
			5);
	set_der(cert, NID_subject_alt_name, "\x30\x03"
										"\x82\x01"
										"b",
			5);
	ok(receive(cert, "two extensions") == NULL, "two extensions: not readable");

	cert = new_cert(NULL);
	set_der(cert, NID_subject_alt_name, "\x30\x03"
										"\x82\x01"
										"a",
			5);
	facts = receive(cert, "one extension");
	is_str(facts && facts->nsans == 1 ? facts->sans[0] : NULL, "dns:a", "one of the two alone");

	/* the issuer's alternative names are not the subject's */
	cert = new_cert(NULL);
	set_der(cert, NID_issuer_alt_name, "\x30\x03"
									   "\x82\x01"
									   "a",
			5);
	facts = receive(cert, "names of the issuer");
	is_int(facts ? facts->nsans : -1, 0, "names of the issuer are not read");
}

int
main(void)
{
	test_alternative_names();
	test_other_types_of_names();
	test_user_principal_names();
	test_many_names();
	test_broken_extensions();
	return done_testing();
}
