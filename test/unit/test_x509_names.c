/*-------------------------------------------------------------------------
 *
 * test_x509_names.c
 *		Names in certificates: subject, common name, subject alternative names.
 *
 *-------------------------------------------------------------------------
 */
#include <openssl/err.h>

#include "certs.h"
#include "base/escape.h"
#include "tap.h"
#include "pki/x509.h"

/*
 * Read a certificate as a server would that has received it, and see that
 * OpenSSL's error queue is empty afterwards, and every string printable.
 * NULL, and no test, if OpenSSL did not take it.
 */
static CertFacts *
receive(X509 *cert, const char *what)
{
	X509	   *received = as_received(cert);
	CertFacts  *facts;

	if (received == NULL)
		return NULL;
	facts = read_certificate(received, NULL);
	is_int((int64) ERR_peek_error(), 0, "%s: error queue is empty", what);
	if (facts != NULL)
		ok(all_printable(facts), "%s: all strings are printable", what);
	X509_free(received);
	return facts;
}

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
	test_common_names();
	test_invalid_strings();
	test_garbled_strings();
	test_no_strings();
	test_long_subjects();
	test_unusual_subjects();
	test_dn_values();
	test_roles();
	test_alternative_names();
	test_other_types_of_names();
	test_user_principal_names();
	test_many_names();
	test_broken_extensions();
	return done_testing();
}
