/*-------------------------------------------------------------------------
 *
 * test_dn.c
 *		Distinguished names: what is read, what is none, and their spelling.
 *
 * That what policies accepted before there was one reader is accepted still,
 * test_former_dn.c says.
 *
 *-------------------------------------------------------------------------
 */
#include "policy/dn.h"

#include "base/escape.h"
#include "tap.h"

/*
 * A DN as [type|value in escaped form], with "+" between attributes of one RDN,
 * and "#" before a value that is hexadecimal DER.
 */
static char *
shown(const Dn *dn)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < dn->count; i++)
	{
		const DnAttribute *attribute = &dn->attributes[i];

		appendStringInfo(&buf, "%s[%s|%s%s]", attribute->joined ? "+" : "", attribute->type,
						 attribute->hex ? "#" : "",
						 escape_bytes(attribute->value, attribute->value_len));
	}
	return buf.data;
}

/*
 * The attributes as the text has them, with a bar before each.
 */
static char *
pieces(const Dn *dn, const char *text)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < dn->count; i++)
		appendStringInfo(&buf, "|%.*s", dn->attributes[i].length, text + dn->attributes[i].offset);
	return buf.data;
}

static void
test_reading(void)
{
	static const struct
	{
		const char *text;
		const char *expected;
	} cases[] = {
		{"CN=app", "[CN|app]"},
		{"CN=app,O=Acme", "[CN|app][O|Acme]"},
		{"CN=a+O=b", "[CN|a]+[O|b]"},
		{"CN=a+O=b,C=DE+L=x+ST=y", "[CN|a]+[O|b][C|DE]+[L|x]+[ST|y]"},

		/* spaces do not count before an attribute, and do in a value */
		{"CN=a, O=b", "[CN|a][O|b]"},
		{"CN=a,   O=b", "[CN|a][O|b]"},
		{"  CN=a+ O=b", "[CN|a]+[O|b]"},
		{"CN= a ,O= b ", "[CN| a ][O| b ]"},
		{"CN=Acme Root", "[CN|Acme Root]"},
		{"CN=a,\tO=b", "[CN|a][\tO|b]"},

		/* escapes */
		{"CN=a\\,b", "[CN|a,b]"},
		{"CN=a\\2Cb\\2cc", "[CN|a,b,c]"},
		{"CN=a\\+b\\=c\\;d\\\"e\\<f\\>g", "[CN|a+b=c;d\"e<f>g]"},
		{"CN=a\\\\,O=b", "[CN|a\\5C][O|b]"},
		{"CN=\\ a\\ ", "[CN| a ]"},
		{"CN=\\#a", "[CN|#a]"},
		{"CN=a\\0Ab", "[CN|a\\0Ab]"},
		{"CN=a\\00b", "[CN|a\\00b]"},
		{"CN=\\C3\\A9", "[CN|\\C3\\A9]"},
		{"CN=\xC3\xA9", "[CN|\\C3\\A9]"},
		{"CN=a\\zb", "[CN|azb]"},
		{"CN=a\\Cz", "[CN|aCz]"},
		{"CN=a\\C", "[CN|aC]"},
		{"CN=a\\\xC3\xA9", "[CN|a\\C3\\A9]"},

		/* no quotes: a quotation mark is a character like others */
		{"CN=\"a,O=b\"", "[CN|\"a][O|b\"]"},
		{"CN=a=b", "[CN|a=b]"},
		{"CN=%u,O=%%", "[CN|%u][O|%%]"},
		{"CN=a/b;c", "[CN|a/b;c]"},

		/* DER stays as it is written */
		{"1.2.3.4=#0C0161,O=b", "[1.2.3.4|##0C0161][O|b]"},
		{"CN=#0c01Ff+O=b", "[CN|##0c01Ff]+[O|b]"},
		{"CN=#", "[CN|#]"},
		{"CN=#1", "[CN|#1]"},
		{"CN=#0C016", "[CN|#0C016]"},
		{"CN=#0C01x1", "[CN|#0C01x1]"},
		{"CN=#0C0161 ", "[CN|#0C0161 ]"},
		{"CN=\\#0C0161", "[CN|#0C0161]"},
		{"CN=#\\30C0161", "[CN|#0C0161]"},

		/* names of attributes are whatever stands there */
		{"commonName=a", "[commonName|a]"},
		{"E=a@b.example", "[E|a@b.example]"},
		{"2.5.4.3=a", "[2.5.4.3|a]"},
		{"2.5.4.3 =a", "[2.5.4.3 |a]"},
		{"OID.2.5.4.3=a", "[OID.2.5.4.3|a]"},
		{"no such=a", "[no such|a]"},
		{"CN=a,/O=b", "[CN|a][/O|b]"},

		/* empty values, and a comma at the end */
		{"CN=", "[CN|]"},
		{"CN=,O=", "[CN|][O|]"},
		{"CN=+O=", "[CN|]+[O|]"},
		{"CN=a,", "[CN|a]"},
	};
	DnError		error;

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		Dn		   *dn = dn_read(cases[i].text, &error);

		is_str(dn ? shown(dn) : error.message, cases[i].expected, "%s", cases[i].text);
	}
	is_str(pieces(dn_read("  CN=a\\, ,  O=b+ C= c,", &error), "  CN=a\\, ,  O=b+ C= c,"),
		   "|CN=a\\, |O=b|C= c", "where attributes stand");
}

static void
test_errors(void)
{
	static const struct
	{
		const char *text;
		const char *message;
		int			offset;
		const char *hint;
	} cases[] = {
		{"", "it is empty", 0, "backslash"},
		{"   ", "it is empty", 0, "backslash"},
		{"app", "\"=\" is missing after \"app\"", 0, "backslash"},
		{"CN=Acme, Inc.", "\"=\" is missing after \"Inc.\"", 9, "backslash"},
		{"CN=Acme+Co,O=x", "\"=\" is missing after \"Co\"", 8, "backslash"},
		{"CN\\,x=a", "\"=\" is missing after \"CN\\\"", 0, "backslash"},
		{"CN=a,O", "\"=\" is missing after \"O\"", 5, "backslash"},
		{"=a", "the name of an attribute is missing", 0, "backslash"},
		{"CN=a,=b", "the name of an attribute is missing", 5, "backslash"},
		{"CN=a,,O=b", "the name of an attribute is missing", 5, "backslash"},
		{",CN=a", "the name of an attribute is missing", 0, "backslash"},
		{"CN=a+", "the name of an attribute is missing", 5, "backslash"},
		{"CN=a, ", "the name of an attribute is missing", 6, "backslash"},
		{"CN=a\\", "\"\\\" is not followed by a character", 4, "backslash"},
		{"CN=a,O=\\\\\\", "\"\\\" is not followed by a character", 9, "backslash"},
		{"/CN=a", "it begins with a slash", 0, "RFC 2253"},
		{"  /^CN=a, O=b$", "it begins with a slash", 2, "RFC 2253"},
		{"/C=DE/O=Acme/CN=a", "it begins with a slash", 0, "the last one first"},
		{"C = DE, CN = a", "there is a space before \"=\" in \"C =\"", 0, "RFC 2253"},
		{"CN=a, O =b", "there is a space before \"=\" in \"O =\"", 6, "no spaces around \"=\""},
	};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		DnError		error = {NULL, -1, NULL};
		Dn		   *dn = dn_read(cases[i].text, &error);

		is_str(dn ? shown(dn) : error.message, cases[i].message, "no DN: %s", cases[i].text);
		is_int(error.offset, cases[i].offset, "where");
		has_str(error.hint, cases[i].hint, "what to do");
	}
}

/*
 * A text without a space behind a comma stays as it is, DN or not, but for what
 * is outside ASCII; one with becomes the text without.
 */
static void
test_spelling(void)
{
	static const struct
	{
		const char *text;
		const char *expected;	/* NULL: the same */
	} cases[] = {
		{"CN=app,O=Acme", NULL},
		{"CN=a+O=b", NULL},
		{"CN=\xC3\xA9", "CN=\\C3\\A9"},
		{"CN=a\nb\x7F", "CN=a\\0Ab\\7F"},
		{"CN=%u,O=100%%", NULL},

		{"CN=a, O=b", "CN=a,O=b"},
		{"CN=a,  O=b", "CN=a,O=b"},
		{"CN=a,O=b, C=c", "CN=a,O=b,C=c"},
		{" CN=a, O=b", "CN=a,O=b"},
		{"CN=a+ O=b, C=c", "CN=a+O=b,C=c"},
		{"CN=a\\, b, O=c\\\\, C=d", "CN=a\\, b,O=c\\\\,C=d"},
		{"CN=Acme Root, O=b", "CN=Acme Root,O=b"},
		{"CN=\xC3\xA9, O=b", "CN=\\C3\\A9,O=b"},
		{"CN=%u, O=100%%", "CN=%u,O=100%%"},
		{"CN=a, O=b,", "CN=a,O=b"},
		{"CN=a\\2Cb, O=c", "CN=a\\2Cb,O=c"},

		/* stored in labels since before they were read: they match nothing */
		{" CN=a", NULL},
		{"CN=a+ O=b", NULL},
		{"CN = a", NULL},
		{"CN=a,", NULL},
		{"CN=a,,", NULL},
		{"CN=a+", NULL},
		{"CN=a\\", NULL},
		{"=", NULL},
		{"a,b=c", NULL},
		{"a=b,c", NULL},
		{"CN=a\\, O=b", NULL},
		{"CN=a,\tO=b", "CN=a,\\09O=b"},
		{" /CN=a", NULL},
	};
	static const char *const none[] = {
		"",
		"app",
		"%u",
		"app, Acme",
		"/CN=a",
		"/CN=a, O=b",
		" /CN=a, O=b",
		"/",
		"CN=Acme, Inc.",
		"CN = a, O = b",
		"CN=a, ",
		"CN=a, O=b+",
		"CN=a, O=b\\",
		",CN=a, O=b",
	};
	DnError		error;

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		char	   *once = dn_spelling(cases[i].text, &error);

		is_str(once, cases[i].expected ? cases[i].expected : cases[i].text, "spelling of %s", cases[i].text);
		is_str(once ? dn_spelling(once, &error) : NULL, once, "which is its own");
	}
	for (int i = 0; i < (int) lengthof(none); i++)
	{
		error.message = NULL;
		is_str(dn_spelling(none[i], &error), NULL, "no spelling of \"%s\"", none[i]);
		ok(error.message != NULL, "but an error");
	}
}

int
main(void)
{
	test_reading();
	test_errors();
	test_spelling();
	return done_testing();
}
