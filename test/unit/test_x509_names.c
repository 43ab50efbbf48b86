/*-------------------------------------------------------------------------
 *
 * test_x509_names.c
 *		Names in certificates: subject and common name.
 *
 *-------------------------------------------------------------------------
 */
#include "certs.h"
#include "receive.h"
#include "base/escape.h"
#include "tap.h"
#include "pki/x509.h"

static void
test_common_names(void)
{
	static const struct
	{
		const char *what;
		Attribute	subject[5];
		int			count;
		const char *cn;
		const char *dn;
	} cases[] =
		{
			{"UTF8String", {CN("app")}, 1, "app", "CN=app"},
			{"PrintableString", {{NID_commonName, V_ASN1_PRINTABLESTRING, "app", -1}}, 1, "app", "CN=app"},
			{"empty subject", {{0}}, 0, NULL, ""},
			{"no CN", {{NID_organizationName, V_ASN1_UTF8STRING, "Acme", -1}}, 0, NULL, "O=Acme"},
			{"CN in another order", {CN("app"), {NID_organizationName, V_ASN1_UTF8STRING, "Acme", -1}}, 1, "app", "O=Acme,CN=app"},
			{"two CNs", {CN("app"), CN("admin")}, 2, NULL, "CN=admin,CN=app"},
			{"two CNs that are the same", {CN("app"), CN("app")}, 2, NULL, "CN=app,CN=app"},
			{"three CNs, others between", {CN("a"), {NID_organizationName, V_ASN1_UTF8STRING, "O", -1}, CN("b"), CN("c")}, 3, NULL, "CN=c,CN=b,O=O,CN=a"},
			{"a CN and an empty one", {CN("app"), {NID_commonName, V_ASN1_UTF8STRING, "", 0}}, 2, NULL, "CN=,CN=app"},
			{"an empty CN", {{NID_commonName, V_ASN1_UTF8STRING, "", 0}}, 1, "", "CN="},

			/* one character, in each of the encodings that have it */
			{"e acute, UTF8String", {CN("\xC3\xA9")}, 1, "\\C3\\A9", "CN=\\C3\\A9"},
			{"two ideographs, BMPString", {{NID_commonName, V_ASN1_BMPSTRING, "\x4E\x2D\x65\x87", 4}}, 1, "\\E4\\B8\\AD\\E6\\96\\87", "CN=\\E4\\B8\\AD\\E6\\96\\87"},
			{"e acute, T61String", {{NID_commonName, V_ASN1_T61STRING, "\xE9", 1}}, 1, "\\C3\\A9", "CN=\\C3\\A9"},
			{"beyond the BMP, UTF8String", {CN("\xF0\x9F\x94\x92")}, 1, "\\F0\\9F\\94\\92", "CN=\\F0\\9F\\94\\92"},
			/* not composed: other bytes, another name */
			{"e and an accent", {CN("e\xCC\x81")}, 1, "e\\CC\\81", "CN=e\\CC\\81"},

			/* PostgreSQL refuses a CN with a NUL in its bytes, also that of a BMPString */
			{"NUL within", {{NID_commonName, V_ASN1_UTF8STRING, "app\0.evil", 9}}, 1, NULL, "CN=app\\00.evil"},
			{"NUL at the end", {{NID_commonName, V_ASN1_UTF8STRING, "app\0", 4}}, 1, NULL, "CN=app\\00"},
			{"NUL at the start", {{NID_commonName, V_ASN1_PRINTABLESTRING, "\0app", 4}}, 1, NULL, "CN=\\00app"},
			{"NUL in a BMPString", {{NID_commonName, V_ASN1_BMPSTRING, "\0a\0\0\0b", 6}}, 1, NULL, "CN=a\\00b"},
			{"ASCII in a BMPString", {{NID_commonName, V_ASN1_BMPSTRING, "\0a\0p\0p", 6}}, 1, NULL, "CN=app"},
			{"e acute, BMPString", {{NID_commonName, V_ASN1_BMPSTRING, "\0\xE9", 2}}, 1, NULL, "CN=\\C3\\A9"},
			{"e acute, UniversalString", {{NID_commonName, V_ASN1_UNIVERSALSTRING, "\0\0\0\xE9", 4}}, 1, NULL, "CN=\\C3\\A9"},
			{"new line and escape", {CN("a\nb\r\x1B[31m\tc\x7F")}, 1, "a\\0Ab\\0D\\1B[31m\\09c\\7F", "CN=a\\0Ab\\0D\\1B[31m\\09c\\7F"},
			{"backslash", {CN("a\\b")}, 1, "a\\5Cb", "CN=a\\\\b"},
			{"what looks like an escape", {CN("\\C3\\A9")}, 1, "\\5CC3\\5CA9", "CN=\\\\C3\\\\A9"},
			{"what looks like two attributes", {CN("app,O=Acme")}, 1, "app,O=Acme", "CN=app\\,O=Acme"},
			{"spaces at the ends", {CN(" app ")}, 1, " app ", "CN=\\ app\\ "},
			{"number sign", {CN("#616263")}, 1, "#616263", "CN=\\#616263"},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		CertFacts  *facts = receive(new_cert(cases[i].subject), cases[i].what);

		if (!ok(facts != NULL, "%s: readable", cases[i].what))
			continue;
		is_int(facts->cn_count, cases[i].count, "%s: number of CNs", cases[i].what);
		is_str(facts->cn, cases[i].cn, "%s: CN", cases[i].what);
		is_str(facts->subject_dn, cases[i].dn, "%s: subject", cases[i].what);
		is_str(facts->issuer_dn, cases[i].dn, "%s: issuer", cases[i].what);
	}
}

/*
 * Strings that are not valid in their own encoding: never another name.
 * OpenSSL 3.0 refuses such a certificate when it decodes it, so they are put
 * into one that exists.
 */
static void
test_invalid_strings(void)
{
	static const struct
	{
		const char *what;
		int			string_type;
		const char *bytes;
		int			len;
	} cases[] =
		{
			{"stray continuation byte", V_ASN1_UTF8STRING, "app\x80", 4},
			{"truncated sequence", V_ASN1_UTF8STRING, "app\xC3", 4},
			{"overlong form", V_ASN1_UTF8STRING, "\xC1\xA1pp", 4},
			{"odd length of a BMPString", V_ASN1_BMPSTRING, "\0a\0p\0", 5},
			{"odd length of a UniversalString", V_ASN1_UNIVERSALSTRING, "\0\0a", 3},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		X509	   *cert = as_received(new_cert(NULL));
		X509_NAME  *subject = X509_get_subject_name(cert);
		CertFacts  *facts;

		X509_NAME_add_entry_by_NID(subject, NID_commonName, cases[i].string_type,
								   (const unsigned char *) "", 0, -1, 0);
		ASN1_STRING_set(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, 0)),
						cases[i].bytes, cases[i].len);
		facts = read_certificate(cert, NULL);
		ok(facts == NULL || facts->cn == NULL, "%s: no CN", cases[i].what);
		is_int((int64) ERR_peek_error(), 0, "%s: error queue is empty", cases[i].what);
		if (facts != NULL)
		{
			is_int(facts->cn_count, 1, "%s: counted all the same", cases[i].what);
			ok(all_printable(facts), "%s: all strings are printable", cases[i].what);
		}
		X509_free(cert);
	}
}

/*
 * Bytes outside ASCII in a string of ASCII, which can be read as Latin-1 or as UTF-8:
 * no name, and shown as what they are.
 */
static void
test_garbled_strings(void)
{
	static const struct
	{
		const char *what;
		int			string_type;
		const char *bytes;
		int			len;
		const char *hex;
	} cases[] =
		{
			{"PrintableString, Latin-1", V_ASN1_PRINTABLESTRING, "\xF6", 1, "#1301F6"},
			{"PrintableString, UTF-8", V_ASN1_PRINTABLESTRING, "\xC3\xB6", 2, "#1302C3B6"},
			{"IA5String", V_ASN1_IA5STRING, "a\x80", 2, "#16026180"},
			{"NumericString", V_ASN1_NUMERICSTRING, "\xFF", 1, "#1201FF"},
			{"PrintableString with a NUL as well", V_ASN1_PRINTABLESTRING, "\0\x80", 2, "#13020080"},
			{"PrintableString, the first of many", V_ASN1_PRINTABLESTRING, "\x80"
																		   "0123456789",
			 11, "#130B8030313233343536373839"},
		};
	Attribute	mixed[] = {
		{NID_organizationName, V_ASN1_PRINTABLESTRING, "Acm\xE9", 4},
		{NID_organizationalUnitName, V_ASN1_UTF8STRING, "a,b\n\xC3\xA9", -1},
		CN("app"),
		{0},
	};
	Attribute	whole[] = {{NID_commonName, V_ASN1_PRINTABLESTRING, "\x7F~", 2}, {0}};
	Attribute	written[] = {CN("#1301F6"), {0}};
	X509_NAME  *name;
	X509	   *cert;
	CertFacts  *facts;

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		Attribute	subject[] = {{NID_commonName, cases[i].string_type, cases[i].bytes, cases[i].len}, {0}};

		facts = receive(new_cert(subject), cases[i].what);
		if (!ok(facts != NULL, "%s: readable", cases[i].what))
			continue;
		is_str(facts->cn, NULL, "%s: no CN", cases[i].what);
		ok(facts->cn_count == 1 && facts->cn_garbled && facts->subject_garbled, "%s: and it is said why", cases[i].what);
		is_str(facts->subject_dn, psprintf("CN=%s", cases[i].hex), "%s: subject", cases[i].what);
		is_str(facts->issuer_dn, psprintf("CN=%s", cases[i].hex), "%s: issuer", cases[i].what);
	}

	facts = receive(new_cert(mixed), "one of several attributes");
	if (ok(facts != NULL, "one of several attributes: readable"))
	{
		is_str(facts->subject_dn, "CN=app,OU=a\\,b\\0A\\C3\\A9,O=#130441636DE9", "the others are printed as ever");
		is_str(facts->cn, "app", "a CN that fits its type beside one that does not is one");
		ok(facts->subject_garbled && !facts->cn_garbled, "the subject is none");
	}

	facts = receive(new_cert(whole), "up to 127");
	ok(facts != NULL && !facts->cn_garbled && !facts->subject_garbled, "up to 127 it is ASCII");
	is_str(facts ? facts->cn : NULL, "\\7F~", "and a CN");
	facts = receive(new_cert(written), "what looks like DER");
	is_str(facts ? facts->subject_dn : NULL, "CN=\\#1301F6", "text that looks like DER is shown as another name");
	ok(facts != NULL && !facts->subject_garbled, "and is one");

	/* several in one RDN, in their order */
	cert = new_cert(NULL);
	name = X509_NAME_new();
	X509_NAME_add_entry_by_NID(name, NID_organizationName, V_ASN1_UTF8STRING, (const unsigned char *) "x", -1, -1, 0);
	X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_IA5STRING, (const unsigned char *) "\xF6", -1, -1, 0);
	X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_UTF8STRING, (const unsigned char *) "b", -1, -1, -1);
	X509_set_subject_name(cert, name);
	X509_NAME_free(name);
	facts = receive(cert, "two in one RDN");
	is_str(facts ? facts->subject_dn : NULL, "CN=#1601F6+CN=b,O=x", "one of two in one RDN");

	/* OpenSSL decodes no VisibleString in a name */
	cert = as_received(new_cert(NULL));
	name = X509_get_subject_name(cert);
	X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_UTF8STRING, (const unsigned char *) "\xC3\xA9", 2, -1, 0);
	X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, 0))->type = V_ASN1_VISIBLESTRING;
	facts = read_certificate(cert, NULL);
	ok(facts == NULL || (facts->cn == NULL && facts->subject_garbled), "VisibleString: no CN");
	X509_free(cert);
}

/*
 * A name that is no text is none, as an attribute or as an alternative name.
 */
static void
test_no_strings(void)
{
	static const struct
	{
		const char *what;
		const char *bytes;
		int			len;
	} cases[] =
		{
			{"surrogates in a BMPString", "\x1E\x04\xD8\x3D\xDD\x12", 6},
			{"half of a surrogate pair", "\x1E\x02\xD8\x3D", 4},
			{"odd length of a BMPString", "\x1E\x03\x61\x61\x61", 5},
			{"odd length of a UniversalString", "\x1C\x03\x61\x61\x61", 5},
			{"a surrogate in a UniversalString", "\x1C\x04\0\0\xD8\x3D", 6},
			{"beyond Unicode in a UniversalString", "\x1C\x04\0\x11\0\0", 6},
			{"UTF-8 that ends too early", "\x0C\x01\xC3", 3},
			{"an overlong form", "\x0C\x02\xC1\xA1", 4},
			{"a surrogate in UTF-8", "\x0C\x03\xED\xA0\x80", 5},
			{"beyond Unicode in UTF-8", "\x0C\x04\xF4\x90\x80\x80", 6},
			{"five bytes in UTF-8", "\x0C\x05\xF8\x88\x80\x80\x80", 7},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		/* a name with this as its only CN, in DER; then a certificate around it */
		char		der[32] = {0x30, (char) (cases[i].len + 9), 0x31, (char) (cases[i].len + 7), 0x30, (char) (cases[i].len + 5), 0x06, 0x03, 0x55, 0x04, 0x03};
		const unsigned char *pos = (unsigned char *) der;
		X509_NAME  *name;

		memcpy(der + 11, cases[i].bytes, (size_t) cases[i].len);
		name = d2i_X509_NAME(NULL, &pos, cases[i].len + 11);
		ok(name == NULL, "%s: OpenSSL takes no certificate with it", cases[i].what);
		X509_NAME_free(name);
	}
	ERR_clear_error();
}

/*
 * 4 kB, as one attribute and as many, in the words of OpenSSL.
 */
static void
test_long_subjects(void)
{
	char		bytes[4096];
	Attribute	subject[130] = {{NID_commonName, V_ASN1_UTF8STRING, bytes, sizeof(bytes)}};
	X509_NAME  *name;
	CertFacts  *facts;

	/* every byte that needs an escape, and others */
	for (int i = 0; i < (int) sizeof(bytes); i++)
		bytes[i] = (char) (i % 127 + 1);
	name = make_name(subject);
	facts = receive(new_cert(subject), "CN of 4 kB");
	if (ok(facts != NULL, "a CN of 4 kB is readable"))
	{
		is_str(facts->subject_dn, rfc2253(name), "a CN of 4 kB: DN as OpenSSL prints it");
		is_str(facts->cn, escape_bytes(bytes, sizeof(bytes)), "a CN of 4 kB: whole");
		ok(strlen(facts->subject_dn) > 4096, "a CN of 4 kB: longer for its escapes");
	}
	X509_NAME_free(name);

	for (int i = 0; i < 128; i++)
		subject[i] = (Attribute){
			NID_organizationalUnitName,
			V_ASN1_UTF8STRING,
			bytes + 32 * i,
			32,
		};
	subject[128] = (Attribute) CN("app");
	name = make_name(subject);
	facts = receive(new_cert(subject), "129 attributes");
	if (ok(facts != NULL, "a DN of 129 attributes is readable"))
	{
		is_str(facts->subject_dn, rfc2253(name), "129 attributes: DN as OpenSSL prints it");
		ok(strncmp(facts->subject_dn, "CN=app,OU=", 10) == 0, "129 attributes: last one first");
		is_str(facts->cn, "app", "129 attributes: CN");
	}
	X509_NAME_free(name);
}

/*
 * Attributes that have no short name, and several in one RDN.
 */
static void
test_unusual_subjects(void)
{
	X509	   *cert = new_cert(NULL);
	X509_NAME  *name = X509_NAME_new();
	CertFacts  *facts;
	ASN1_OBJECT *unknown = OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1);

	X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_UTF8STRING,
							   (const unsigned char *) "a", -1, -1, 0);
	X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_UTF8STRING,
							   (const unsigned char *) "b", -1, -1, -1);
	X509_NAME_add_entry_by_OBJ(name, unknown, V_ASN1_UTF8STRING,
							   (const unsigned char *) "x", -1, -1, 0);
	X509_NAME_add_entry_by_NID(name, NID_pkcs9_emailAddress, V_ASN1_IA5STRING,
							   (const unsigned char *) "a@b", -1, -1, 0);
	X509_set_subject_name(cert, name);
	facts = receive(cert, "unusual subject");
	if (ok(facts != NULL, "an unusual subject is readable"))
	{
		is_str(facts->subject_dn, "emailAddress=a@b,1.3.6.1.4.1.99999.1=#0C0178,CN=b+CN=a",
			   "an unknown attribute in hexadecimal, several in one RDN joined by +");
		is_int(facts->cn_count, 2, "two CNs in one RDN are two");
		is_str(facts->cn, NULL, "and name nobody");
	}
	X509_NAME_free(name);
	ASN1_OBJECT_free(unknown);
}

/*
 * "CN=" and append_dn_value(s) is what OpenSSL prints for CN s, so that %u in
 * a dn is what a certificate for that role has.
 */
static int
differs(const char *value)
{
	Attribute	subject[] = {CN(value), {0}};
	X509_NAME  *name = make_name(subject);
	char	   *theirs = rfc2253(name);
	StringInfoData ours;
	int			result;

	initStringInfo(&ours);
	appendStringInfoString(&ours, "CN=");
	append_dn_value(&ours, value, true, true);
	result = strcmp(ours.data, theirs) != 0;
	if (result)
		fprintf(stderr, "# ours %s, OpenSSL's %s\n", ours.data, theirs);
	X509_NAME_free(name);
	pfree(theirs);
	pfree(ours.data);
	return result;
}

static void
test_dn_values(void)
{
	static const char *const strings[] = {
		"",
		"app",
		"\xC3\xA9",
		"\xC3\xA9t\xC3\xA9",
		" \xC3\xA9 ",
		"#\xC3\xA9",
		"\xE2\x82\xAC",
		"\xE6\x97\xA5\xE6\x9C\xAC",
		"\xF0\x9F\x94\x92",
		"a\xCC\x81",
		"\xC2\x80",
		"\xDF\xBF",
		"\xEF\xBF\xBD",
		"   ",
		"# #",
		" # ",
		"a,b",
		"a+b=c",
		"\\\\",
		"\"quoted\"",
		"<a;b>",
		"a\nb",
		"x ",
		" x",
		"CN=a,CN=b",
	};
	static const char specials[] = " #,+\"\\<>;=a\n\x7F";
	int			wrong = 0;

	for (int i = 0; i < (int) lengthof(strings); i++)
		ok(!differs(strings[i]), "\"%s\" in a DN as OpenSSL prints it", strings[i]);

	for (int c = 1; c < 128; c++)
	{
		const char	one[] = {(char) c, '\0'};
		const char	around[] = {(char) c, 'x', (char) c, 'x', (char) c, '\0'};

		wrong += differs(one) + differs(around);
	}
	is_int(wrong, 0, "each ASCII character alone, first, within and last");

	wrong = 0;
	for (int c = 1; c < 128; c++)
		for (int d = 1; d < 128; d++)
		{
			const char	two[] = {(char) c, (char) d, '\0'};

			wrong += differs(two);
		}
	is_int(wrong, 0, "each pair of ASCII characters");

	wrong = 0;
	for (const char *c = specials; *c; c++)
		for (const char *d = specials; *d; d++)
			for (const char *e = specials; *e; e++)
			{
				const char	three[] = {*c, *d, *e, '\0'};

				wrong += differs(three);
			}
	is_int(wrong, 0, "each three special characters");
}

/*
 * The CN of a certificate for a role is the role's escaped form, its DN what
 * append_dn_value() says, when read by read_certificate().
 */
static void
test_roles(void)
{
	int			wrong = 0;

	for (int c = 1; c < 128; c++)
	{
		const char	role[] = {(char) c, 'r', (char) c, '\0'};
		Attribute	subject[] = {CN(role), {0}};
		X509	   *cert = as_received(new_cert(subject));
		CertFacts  *facts = read_certificate(cert, NULL);
		StringInfoData dn;

		initStringInfo(&dn);
		appendStringInfoString(&dn, "CN=");
		append_dn_value(&dn, role, true, true);
		if (facts == NULL || facts->cn == NULL ||
			strcmp(facts->cn, escape_bytes(role, 3)) != 0 ||
			strcmp(facts->subject_dn, dn.data) != 0 || !all_printable(facts))
			wrong++;
		X509_free(cert);
	}
	is_int(wrong, 0, "CN and DN of certificates for roles with each ASCII character");
}

int
main(void)
{
	test_common_names();
	test_invalid_strings();
	test_garbled_strings();
	test_no_strings();
	test_long_subjects();
	test_unusual_subjects();
	test_dn_values();
	test_roles();
	return done_testing();
}
