/*-------------------------------------------------------------------------
 *
 * test_policy_errors.c
 *		Bad policies: what is said of them, where, and what is advised.
 *
 *-------------------------------------------------------------------------
 */
#include "policy/policy.h"
#include "tap.h"

#define HEX_62 "00112233445566778899aabbccddeeff00112233445566778899aabbccddee"
#define HEX_64 HEX_62 "ff"
#define COLONS_90 \
	"00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:" \
	"ff:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:"
#define N63 "a23456789012345678901234567890123456789012345678901234567890123"

typedef struct BadPolicy
{
	const char *text;
	const char *message;		/* is in the message */
	const char *key;
	const char *rest;			/* of the text, from where the error points */
	const char *hint;			/* is in the hint */
} BadPolicy;

/*
 * The text is no policy in this place, and the error says so: one test.
 */
static void
is_bad(const BadPolicy *bad, PolicyPlace place, const PolicyChecks *checks)
{
	PolicyError error;
	StringInfoData wrong;

	initStringInfo(&wrong);
	if (parse_policy(bad->text, place, checks, &error) != NULL)
		appendStringInfoString(&wrong, "it is accepted");
	else
	{
		if (error.message == NULL || strstr(error.message, bad->message) == NULL)
			appendStringInfo(&wrong, "message \"%s\", not \"%s\"; ",
							 error.message ? error.message : "none", bad->message);
		if ((error.key == NULL) != (bad->key == NULL) ||
			(bad->key != NULL && strcmp(error.key, bad->key) != 0))
			appendStringInfo(&wrong, "key %s, not %s; ", error.key ? error.key : "none",
							 bad->key ? bad->key : "none");
		if (error.offset != (int) (strlen(bad->text) - strlen(bad->rest)))
			appendStringInfo(&wrong, "offset %d, not at \"%s\"; ", error.offset, bad->rest);
		if (error.hint == NULL || strstr(error.hint, bad->hint) == NULL)
			appendStringInfo(&wrong, "hint \"%s\", not \"%s\"; ",
							 error.hint ? error.hint : "none", bad->hint);
	}
	is_str(wrong.data, "", "\"%s\" is refused, and the error says why", bad->text);
}

#define KEYS_OF_ROLE "Accepted keys are address, database, sslmode, min_protocol, cipher," \
					 " cn, uid, email, dn, san, ignore_case, ou, o, fingerprint, issuer, ca_fingerprint, max_lifetime, on_expiry, action."
#define KEYS_OF_DATABASE "Accepted keys are address, sslmode, min_protocol, cipher," \
						 " ou, o, fingerprint, issuer, ca_fingerprint, max_lifetime, on_expiry, action."
#define KEYS_OF_MINIMUM "Accepted keys are address, database, sslmode, min_protocol, cipher," \
						" ou, o, fingerprint, issuer, ca_fingerprint, max_lifetime, on_expiry, action."
#define CIDR_HINT "CIDR form such as 10.0.0.0/8"
#define MODE_HINT \
	"Accepted is reject, disable, allow, prefer, require, verify-ca, verify-full or cert."
#define LIFETIME_HINT "a whole number with a unit (s, min, h or d)"
#define ANCHOR_HINT	  "Write it as /^...$"
#define FP_HINT		  "64 hexadecimal digits, with or without colons"

static void
test_syntax(void)
{
	static const BadPolicy cases[] = {
		/* keys */
		{"tls=yes", "unknown key \"tls\"", NULL, "tls=yes", KEYS_OF_ROLE},
		{"sslmode=require min_tls=1", "unknown key \"min_tls\"", NULL, "min_tls=1", KEYS_OF_ROLE},
		{"SSLMODE=require", "unknown key \"SSLMODE\"", NULL, "SSLMODE=require", KEYS_OF_ROLE},
		{" =require", "unknown key \"\"", NULL, "=require", KEYS_OF_ROLE},
		{"'sslmode'=require", "unknown key \"'sslmode'\"", NULL, "'sslmode'=require", KEYS_OF_ROLE},
		{"\xC3\xA9=1", "unknown key \"\xC3\xA9\"", NULL, "\xC3\xA9=1", KEYS_OF_ROLE},
		{"sslmode", "missing \"=\" after \"sslmode\"", NULL, "sslmode", "key=value pairs"},
		{"verify-full", "missing \"=\" after \"verify-full\"", NULL, "verify-full", "key=value"},
		{"sslmode require", "missing \"=\" after \"sslmode\"", NULL, "sslmode require", "key=value"},
		{"cn=a, dn=CN=b c", "missing \"=\" after \"c\"", NULL, "c", "key=value"},
		{"cn=a;b", "rule 1 always decides", NULL, ";b", "Put it last"},
		{"address=::1 cn=a;b", "missing \"=\" after \"b\"", NULL, "b", "key=value"},
		{"sslmode;=require", "missing \"=\" after \"sslmode\"", NULL, "sslmode;=require", "key=value"},
		{"sslmode=prefer sslmode=prefer", "\"sslmode\" is written twice", "sslmode",
		 "sslmode=prefer", "may repeat"},
		{"min_protocol=TLSv1 cn=a min_protocol=TLSv1.2", "\"min_protocol\" is written twice",
		 "min_protocol", "min_protocol=TLSv1.2", "may repeat"},
		{"max_lifetime=1d max_lifetime=2d", "written twice", "max_lifetime", "max_lifetime=2d",
		 "may repeat"},
		{"sslmode=require on_expiry=end on_expiry=end", "written twice", "on_expiry",
		 "on_expiry=end", "may repeat"},
		{"action=log sslmode=require action=log", "written twice", "action", "action=log",
		 "may repeat"},

		/* values */
		{"sslmode=", "\"sslmode\" has no value", "sslmode", "", MODE_HINT},
		{"sslmode=  ", "\"sslmode\" has no value", "sslmode", "", MODE_HINT},
		{"cn=;dn=x", "\"cn\" has no value", "cn", ";dn=x", "a common name"},
		{"cn=''", "\"cn\" has no value", "cn", "''", "a common name"},
		{"cn='' sslmode=cert", "\"cn\" has no value", "cn", "'' sslmode=cert", "a common name"},
		/* as in conninfo, a value may stand after spaces: this is cn "dn=x" */
		{"cn= dn=x;", "empty rule", NULL, "", "Each semicolon"},
		{"cn='a", "unterminated quoted value", "cn", "'a", "End the value with a quote"},
		{"cn='", "unterminated quoted value", "cn", "'", "End the value"},
		{"cn='a\\", "unterminated quoted value", "cn", "'a\\", "End the value"},
		{"cn='a\\'", "unterminated quoted value", "cn", "'a\\'", "End the value"},
		{"cn='a; sslmode=reject", "unterminated", "cn", "'a; sslmode=reject", "\\'"},
		{"cn='a'b", "text directly after a quoted value", "cn", "b", "Separate"},
		{"cn='a''b'", "text directly after a quoted value", "cn", "'b'", "Separate"},
		{"cn='a'dn=CN=b", "text directly after a quoted value", "cn", "dn=CN=b", "Separate"},
		{"cn='a'\\ ", "text directly after a quoted value", "cn", "\\ ", "Separate"},
		{"cn=a'b'", "quote in the middle of a value", "cn", "'b'", "the whole value in quotes"},
		{"cn=a'", "quote in the middle of a value", "cn", "'", "the whole value in quotes"},

		/* rules */
		{"", "the policy is empty", NULL, "", "use NULL"},
		{" \t\r\n\f\v", "the policy is empty", NULL, " \t\r\n\f\v", "use NULL"},
		{";", "empty rule", NULL, ";", "between two rules"},
		{" ; sslmode=require", "empty rule", NULL, "; sslmode=require", "between two rules"},
		{"address=::1 sslmode=prefer;;sslmode=require", "empty rule", NULL,
		 ";sslmode=require", "between two rules"},
		{"address=::1 sslmode=prefer; ; sslmode=require", "empty rule", NULL,
		 "; sslmode=require", "between two rules"},
		{"address=::1 sslmode=prefer;", "empty rule", NULL, "", "between two rules"},
		{"address=::1 sslmode=prefer; ", "empty rule", NULL, "", "between two rules"},
		{"sslmode=require action=log;", "empty rule", NULL, "", "between two rules"},
		{"address=::1", "the rule asks for nothing", NULL, "address=::1", "Add a requirement"},
		{"database=a database=b", "the rule asks for nothing", NULL, "database=a database=b",
		 "Add a requirement"},
		{"sslmode=require; address=::1", "rule 1 always decides", NULL, "; address=::1",
		 "Put it last"},
		{"address=::1; sslmode=require", "the rule asks for nothing", NULL,
		 "address=::1; sslmode=require", "Add a requirement"},
		{"address=::1 sslmode=prefer;  database=a ; sslmode=require",
		 "the rule asks for nothing", NULL, "database=a ; sslmode=require",
		 "Add a requirement"},
		{"action=log", "the rule asks for nothing", NULL, "action=log", "Add a requirement"},
		{"action=reject", "the rule asks for nothing", NULL, "action=reject", "Add a requirement"},
		{" action=log; sslmode=require", "the rule asks for nothing", NULL,
		 "action=log; sslmode=require", "Add a requirement"},
		{"on_expiry=end", "the rule asks for nothing", NULL, "on_expiry=end", "Add a requirement"},
		{"address=::1 on_expiry=end action=log; sslmode=require", "the rule asks for nothing",
		 NULL, "address=::1 on_expiry=end action=log; sslmode=require",
		 "Add a requirement"},

		/* the last rule decides for everybody, and no other does */
		{"sslmode=require action=log", "the last rule must decide", "action",
		 "action=log", "such as sslmode=reject"},
		{"sslmode=require action=log;  cn=a action=log", "the last rule must decide", "action",
		 "action=log", "such as sslmode=reject"},
		{"address=::1 sslmode=require", "the last rule must decide", NULL,
		 "address=::1 sslmode=require", "neither address nor database"},
		{"address=::1 sslmode=require; database=a sslmode=require", "the last rule must decide",
		 NULL, "database=a sslmode=require", "neither address nor database"},
		{"address=::1 sslmode=require action=log", "the last rule must decide", "action",
		 "action=log", "neither address nor database"},
		{"sslmode=require; sslmode=prefer", "rule 1 always decides", NULL, "; sslmode=prefer",
		 "Put it last"},
		{"address=::1 sslmode=require; sslmode=prefer ; sslmode=reject", "rule 2 always decides",
		 NULL, "; sslmode=reject", "give it an address, a database or action=log"},
		{"sslmode=require action=reject; sslmode=prefer", "rule 1 always decides", NULL,
		 "; sslmode=prefer", "Put it last"},
		{"sslmode=require;", "empty rule", NULL, "", "Each semicolon"},
	};

	for (int i = 0; i < (int) lengthof(cases); i++)
		is_bad(&cases[i], PLACE_ROLE, NULL);
}

/*
 * Values that their key does not accept.  All the text from the value on is
 * the value.
 */
static void
test_values(void)
{
	static const struct
	{
		const char *key;
		const char *hint;
		const char *values[30];
	} cases[] =
		{
			{"sslmode", MODE_HINT, {"on", "Require", "requir", "requires", "verify_ca", "verify-identity", "no", "1"}},
			{"min_protocol", "TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3", {"TLSv1.4", "TLSv1.0", "TLSv2", "SSLv3", "1.2", "TLS1.2", "TLSv1.", "none", "any", "TLSv1.33"}},
			{"address", CIDR_HINT, {"10.0.0.0/33", "10.0.0.0/999", "10.0.0.0/1000", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8", "10.0.0.0/8x", "10.0.0.0/x", "/8", "10.0.0", "10.0.0.0.0", "10.0.0.256", "010.0.0.1", "10.0.0.01", "0x0a.0.0.1", "167772161", "10.0.0.1:5432", "10.0.0.-1", "localhost", "samehost", "all", "10.0.0.0/255.0.0.0", "*", "10.0.0.1.", "10,0,0,1"}},
			{"address", CIDR_HINT, {"2001:db8::/129", "2001:db8::/1280", "2001:db8::/", "2001:db8:::1", "::1::", "fe80::1%eth0", "fe80::1%1", "[::1]", "12345::", "g::", ":", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::256.0.0.1", "::ffff:10.0.0.0/129"}},
			{"cipher", "as in pg_stat_ssl.cipher", {"A:B", "HIGH:!aNULL", "@SECLEVEL=2", "A,B", "+A", "\xC3\xA9", "A/B", "%u"}},
			{"san", "dns:, email:, uri:, ip: or upn:, in lower case, and a value (for ip: an address)", {"db.example", "dns:", "DNS:db.example", "email:", "uri:", "ip:", "URI:x", "dns", ":x", "rid:1.2", "dirname:CN=a", "othername:1.2", "/^dns:a$", "ip:192.0.2.0/24", "ip:192.0.2", "ip:%u", "ip:192.0.2.256", "ip:fe80::1%%eth0", "ip:x", "ip:2001:db8:::1", "badip:x", "other:", "upn:", "UPN:a", "badupn:a"}},
			{"dn", "a subject DN in RFC 2253 form", {"app", "%u", "CN"}},
			{"issuer", "the DN of a CA in RFC 2253 form", {"Acme", "%u"}},
			{"fingerprint", FP_HINT, {HEX_62, HEX_62 "f", HEX_64 "0", HEX_64 "00", HEX_62 "fg", HEX_62 "0x", "x" HEX_62 "f", HEX_62 ":f", "SHA256:" HEX_64, COLONS_90 "ee:f", COLONS_90 "ee:fff", COLONS_90 "ee:ff:", COLONS_90 "ee-ff", COLONS_90 "eeff:", COLONS_90 "e:eff", ":" COLONS_90 "eeff", COLONS_90 "ee:gf", COLONS_90 "ee:f:", ":::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::"}},
			{"ca_fingerprint", FP_HINT, {HEX_62, HEX_64 "0", HEX_62 "fg", COLONS_90 "ee-ff"}},
			{"max_lifetime", LIFETIME_HINT, {"0d", "0s", "00h", "-1d", "+1d", "1w", "1", "d", "1.5h", "1D", "1m", "1 d", "1ms", "1dd", "1h30min", "365251d", "9999999999d", "99999999999d", "99999999999s", "9223372036854775807s", "18446744073709551617s", "1e3s", "0x10s", "infinity"}},
			{"on_expiry", "keep or end", {"kill", "End", "ending", "keep,end"}},
			{"action", "reject or log", {"allow", "Log", "logs", "warn"}},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
		for (const char *const *value = cases[i].values; *value; value++)
		{
			char	   *quoted = psprintf("'%s'", *value);
			BadPolicy	bad = {
				.text = psprintf("address=::1  %s = %s", cases[i].key, quoted),
				.message = psprintf("invalid value \"%s\" for key \"%s\"", *value, cases[i].key),
				.key = cases[i].key,
				.rest = quoted,
				.hint = cases[i].hint,
			};

			is_bad(&bad, PLACE_ROLE, NULL);
		}
}

static void
test_particular_values(void)
{
	static const BadPolicy cases[] = {
		/* one vendor's documentation spells it so */
		{"sslmode=perfer", "invalid value \"perfer\" for key \"sslmode\"", "sslmode", "perfer",
		 "Perhaps you meant \"prefer\". Accepted is reject, disable,"},

		/* bits to the right of the prefix */
		{"address=10.1.2.3/8 sslmode=prefer", "\"10.1.2.3/8\" has bits set to the right",
		 "address", "10.1.2.3/8 sslmode=prefer", "Write 10.0.0.0/8, or a longer prefix."},
		/* DNs that could never match */
		{"issuer=/CN=a", "it begins with a slash", "issuer", "/CN=a", "RFC 2253"},
		{"dn=' /^CN=.*, O=.*$'", "it begins with a slash", "dn", "/^CN=.*, O=.*$'", "RFC 2253"},
		{"issuer='C = DE, O = a'", "\"C = DE, O = a\" for key \"issuer\": there is a space before \"=\"", "issuer",
		 "'C = DE, O = a'", "In the form of RFC 2253, in which certificates are compared, it is issuer=O=a,C=DE."},
		{"issuer='O=Acme, Inc.'", "\"=\" is missing after \"Inc.\"", "issuer", "Inc.'", "Write a backslash before a comma"},
		{"dn='CN=a, Inc.,O=b'", "\"=\" is missing after \"Inc.\"", "dn", "Inc.,O=b'", "Write a backslash before a comma"},
		{"dn=CN=a,\\ Inc.", "\"=\" is missing after \"Inc.\"", "dn", "CN=a,\\ Inc.", "Write a backslash before a comma"},
		{"dn='CN=a\\\\, b, c'", "\"=\" is missing after \"c\"", "dn", "'CN=a\\\\, b, c'", "Write a backslash before a comma"},
		{"dn='CN=a, O=b+'", "the name of an attribute is missing", "dn", "'", "Write a backslash before a comma"},

		{"address=10.0.0.0/08 sslmode=prefer", "invalid value", "address",
		 "10.0.0.0/08 sslmode=prefer", "CIDR"},
		{"address=0.0.0.1/0 sslmode=prefer", "has bits set", "address",
		 "0.0.0.1/0 sslmode=prefer", "Write 0.0.0.0/0,"},
		{"address=128.0.0.0/0 sslmode=prefer", "has bits set", "address",
		 "128.0.0.0/0 sslmode=prefer", "Write 0.0.0.0/0,"},
		{"address=64.0.0.0/1 sslmode=prefer", "has bits set", "address",
		 "64.0.0.0/1 sslmode=prefer", "Write 0.0.0.0/1,"},
		{"address=11.0.0.0/7 sslmode=prefer", "has bits set", "address",
		 "11.0.0.0/7 sslmode=prefer", "Write 10.0.0.0/7,"},
		{"address=10.64.0.0/9 sslmode=prefer", "has bits set", "address",
		 "10.64.0.0/9 sslmode=prefer", "Write 10.0.0.0/9,"},
		{"address=10.0.0.1/31 sslmode=prefer", "has bits set", "address",
		 "10.0.0.1/31 sslmode=prefer", "Write 10.0.0.0/31,"},
		{"address=2001:db8::1/127 sslmode=prefer", "has bits set", "address",
		 "2001:db8::1/127 sslmode=prefer", "Write 2001:db8::/127,"},
		{"address=2001:db8::/31 sslmode=prefer address=2001:db9::/31", "has bits set",
		 "address", "2001:db9::/31", "Write 2001:db8::/31,"},
		{"address=::1/0 sslmode=prefer", "has bits set", "address", "::1/0 sslmode=prefer",
		 "Write ::/0,"},

		{"database=" N63 "4 sslmode=prefer", "database name \"" N63 "4\" is too long",
		 "database", N63 "4 sslmode=prefer", "at most 63 bytes"},

		/* what is taken for quotes, or for separators */
		{"sslmode=verify-full, min_protocol=TLSv1.3", "invalid value \"verify-full,\"", "sslmode",
		 "verify-full, min_protocol=TLSv1.3", "Separate key=value pairs by spaces. Accepted is reject,"},
		{"san=DNS:app", "invalid value \"DNS:app\"", "san", "DNS:app", "in lower case"},
		{"san=ip:300.1.1.1", "invalid value \"ip:300.1.1.1\"", "san", "ip:300.1.1.1", "for ip: an address"},

		/* percent signs */
		{"cn=100%", "invalid percent sign in \"100%\"", "cn", "100%", "%u for the login role"},
		{"cn=%x", "invalid percent sign", "cn", "%x", "%% for a percent sign"},
		{"cn=%U", "invalid percent sign", "cn", "%U", "%%"},
		{"cn=%%%", "invalid percent sign", "cn", "%%%", "%%"},
		{"cn=%u%%%d", "invalid percent sign", "cn", "%u%%%d", "%%"},
		{"cn='% u'", "invalid percent sign", "cn", "'% u'", "%%"},
		{"cn='\\\\%'", "invalid percent sign", "cn", "'\\\\%'", "%%"},
		{"dn=CN=%x", "invalid percent sign in \"CN=%x\"", "dn", "CN=%x", "%%"},
		{"san=uri:a%20b", "invalid percent sign in \"uri:a%20b\"", "san", "uri:a%20b", "%%"},
		{"san=ip:fe80::1%eth0", "invalid percent sign", "san", "ip:fe80::1%eth0", "%%"},
		{"cn=/^%d$", "invalid percent sign in \"/^%d$\"", "cn", "/^%d$", "%%"},
		{"cn=/^100%$", "invalid percent sign", "cn", "/^100%$", "%%"},
		{"cn='/^a\\\\\\\\%x$'", "invalid percent sign", "cn", "'/^a\\\\\\\\%x$'", "%%"},

		/* anchors */
		{"cn=/", "\"/\" is not anchored", "cn", "/", ANCHOR_HINT},
		{"cn=/a", "\"/a\" is not anchored", "cn", "/a", ANCHOR_HINT},
		{"cn=/^", "not anchored", "cn", "/^", ANCHOR_HINT},
		{"cn=/$", "not anchored", "cn", "/$", ANCHOR_HINT},
		{"cn=/a$", "not anchored", "cn", "/a$", ANCHOR_HINT},
		{"cn=/^a", "not anchored", "cn", "/^a", ANCHOR_HINT},
		{"cn=/(^a$)", "not anchored", "cn", "/(^a$)", ANCHOR_HINT},
		{"cn='/ ^a$'", "not anchored", "cn", "'/ ^a$'", ANCHOR_HINT},
		{"cn='/^a$ '", "not anchored", "cn", "'/^a$ '", ANCHOR_HINT},
		{"cn='/\\\\^a$'", "not anchored", "cn", "'/\\\\^a$'", ANCHOR_HINT},
		{"cn=/***:^a$", "not anchored", "cn", "/***:^a$", ANCHOR_HINT},
		{"dn=/CN=a$", "\"/CN=a$\" is not anchored", "dn", "/CN=a$", ANCHOR_HINT},
		{"san=dns:/^a", "\"/^a\" is not anchored", "san", "dns:/^a", ANCHOR_HINT},
		/* a dollar sign that is a literal is no anchor */
		{"cn='/^abc\\\\$'", "\"/^abc\\$\" is not anchored", "cn", "'/^abc\\\\$'", ANCHOR_HINT},
		{"cn='/^\\\\$'", "not anchored", "cn", "'/^\\\\$'", ANCHOR_HINT},
		{"cn='/^abc\\\\\\\\\\\\$'", "not anchored", "cn", "'/^abc\\\\\\\\\\\\$'", ANCHOR_HINT},

		/* certificate text is in escaped form: nothing else could match */
		{"cn=/^\xC3\xA9$", "outside printable ASCII", "cn", "/^\xC3\xA9$", "write the bytes C3 A9 as"},
		{"cn='/^a\tb$'", "outside printable ASCII", "cn", "'/^a\tb$'", "write the bytes C3 A9 as"},
		{"cn='/^a\nb$'", "outside printable ASCII", "cn", "'/^a\nb$'", "write the bytes C3 A9 as"},
		{"dn=/^CN=\x7F$", "outside printable ASCII", "dn", "/^CN=\x7F$", "write the bytes C3 A9 as"},
		{"san=uri:/^\x80$", "outside printable ASCII", "san", "uri:/^\x80$", "write the bytes C3 A9 as"},

		/* on_expiry where there can be no certificate */
		{"sslmode=disable on_expiry=end", "\"on_expiry\" means nothing with sslmode=disable",
		 "on_expiry", "on_expiry=end", "Leave on_expiry out"},
		{"sslmode=prefer action=log;  on_expiry=keep sslmode=reject",
		 "\"on_expiry\" means nothing with sslmode=reject", "on_expiry",
		 "on_expiry=keep sslmode=reject", "Leave on_expiry out"},
	};

	for (int i = 0; i < (int) lengthof(cases); i++)
		is_bad(&cases[i], PLACE_ROLE, NULL);
}

/*
 * A key with an sslmode weaker than it needs, in either order.
 */
static void
test_weaker_modes(void)
{
	static const struct
	{
		const char *key;
		const char *value;
		SslMode		needs;
		const char *hint;
	} cases[] =
		{
			{"min_protocol", "TLSv1.2", SSLMODE_REQUIRE, "write require, verify-ca, verify-full or cert."},
			{"cipher", "A", SSLMODE_REQUIRE, "write require, verify-ca, verify-full or cert."},
			{"fingerprint", HEX_64, SSLMODE_VERIFY_CA, "write verify-ca, verify-full or cert."},
			{"issuer", "CN=a", SSLMODE_VERIFY_CA, "write verify-ca, verify-full or cert."},
			{"ca_fingerprint", HEX_64, SSLMODE_VERIFY_CA, "write verify-ca, verify-full or cert."},
			{"max_lifetime", "1d", SSLMODE_VERIFY_CA, "write verify-ca, verify-full or cert."},
			{"cn", "a", SSLMODE_VERIFY_FULL, "write verify-full or cert."},
			{"dn", "CN=a", SSLMODE_VERIFY_FULL, "write verify-full or cert."},
			{"san", "dns:a", SSLMODE_VERIFY_FULL, "write verify-full or cert."},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
		for (SslMode mode = SSLMODE_REJECT; mode <= SSLMODE_CERT; mode++)
		{
			char	   *pair = psprintf("%s=%s", cases[i].key, cases[i].value);
			char	   *text = psprintf("sslmode=%s %s", sslmode_name(mode), pair);
			char	   *reverse = psprintf(" %s sslmode=%s", pair, sslmode_name(mode));
			BadPolicy	bad = {
				.text = text,
				.message = psprintf("key \"%s\" needs sslmode=%s, but sslmode=%s is written",
									cases[i].key, sslmode_name(cases[i].needs),
									sslmode_name(mode)),
				.key = cases[i].key,
				.rest = pair,
				.hint = cases[i].hint,
			};
			PolicyError error;

			if (mode < cases[i].needs)
			{
				is_bad(&bad, PLACE_ROLE, NULL);
				bad.text = reverse;
				bad.rest = reverse + 1;
				is_bad(&bad, PLACE_ROLE, NULL);
				continue;
			}
			ok(parse_policy(text, PLACE_ROLE, NULL, &error) != NULL, "\"%s\" is good", text);
			ok(parse_policy(reverse, PLACE_ROLE, NULL, &error) != NULL, "\"%s\" is good", reverse);
		}
	{
		/* the key that needs most is named, the first of its kind */
		static const BadPolicy cases_of_several[] = {
			{"cipher=A sslmode=prefer issuer=CN=a cn=b dn=CN=c min_protocol=TLSv1",
			 "key \"cn\" needs sslmode=verify-full, but sslmode=prefer is written", "cn",
			 "cn=b dn=CN=c min_protocol=TLSv1", "write verify-full or cert."},
			{"sslmode=verify-ca cipher=A max_lifetime=1d san=dns:a", "key \"san\" needs", "san",
			 "san=dns:a", "write verify-full or cert."},
			/* in each rule anew */
			{"address=::1 cn=a; sslmode=allow cipher=A", "key \"cipher\" needs sslmode=require",
			 "cipher", "cipher=A", "write require,"},
		};

		for (int i = 0; i < (int) lengthof(cases_of_several); i++)
			is_bad(&cases_of_several[i], PLACE_ROLE, NULL);
	}
}

/*
 * Keys that a place does not accept.
 */
static void
test_places(void)
{
	static const BadPolicy database[] = {
		{"cn=a", "key \"cn\" is not accepted in the policy of a database", "cn", "cn=a",
		 KEYS_OF_DATABASE},
		{"sslmode=verify-full dn=CN=a", "\"dn\" is not accepted", "dn", "dn=CN=a",
		 KEYS_OF_DATABASE},
		{"san=dns:a", "\"san\" is not accepted", "san", "san=dns:a", KEYS_OF_DATABASE},
		{"database=a sslmode=prefer; sslmode=require", "\"database\" is not accepted",
		 "database", "database=a sslmode=prefer; sslmode=require", KEYS_OF_DATABASE},
		{"address=::1 sslmode=prefer; database=replication sslmode=prefer; sslmode=reject",
		 "\"database\" is not accepted", "database",
		 "database=replication sslmode=prefer; sslmode=reject", KEYS_OF_DATABASE},
		{"user=a", "unknown key \"user\"", NULL, "user=a", KEYS_OF_DATABASE},
	};
	static const BadPolicy minimum[] = {
		{"cn=a", "key \"cn\" is not accepted in the minimum policy", "cn", "cn=a",
		 KEYS_OF_MINIMUM},
		{"sslmode=cert dn=CN=a", "\"dn\" is not accepted", "dn", "dn=CN=a", KEYS_OF_MINIMUM},
		{"san=dns:%u", "\"san\" is not accepted", "san", "san=dns:%u", KEYS_OF_MINIMUM},
		{"user=a", "unknown key \"user\"", NULL, "user=a", KEYS_OF_MINIMUM},
	};
	static const BadPolicy fallback[] = {
		{"user=a", "unknown key \"user\"", NULL, "user=a", KEYS_OF_ROLE},
	};

	for (int i = 0; i < (int) lengthof(database); i++)
		is_bad(&database[i], PLACE_DATABASE, NULL);
	for (int i = 0; i < (int) lengthof(minimum); i++)
		is_bad(&minimum[i], PLACE_MINIMUM, NULL);
	is_bad(&fallback[0], PLACE_DEFAULT, NULL);
}

/*
 * What the checks that a caller hands in refuse.
 */
static char *
refuse_x(const char *text)
{
	return strchr(text, 'x') ? pstrdup("there is an x") : NULL;
}

static char *
refuse_role(const char *pattern)
{
	return strstr(pattern, "role") ? pstrdup("not with a role in it") : NULL;
}

/*
 * Single attributes of the subject, and what their case is.
 */
static void
test_attributes(void)
{
	static const BadPolicy cases[] = {
		{"ou=%u", "invalid value \"%u\" for key \"ou\"", "ou", "%u", "are for names: cn, uid, email, dn and san."},
		{"o='a%ub'", "invalid value \"a%ub\" for key \"o\"", "o", "'a%ub'", "an organization (O)"},
		{"cn=a ou=/^F.*$", "invalid value \"/^F.*$\"", "ou", "/^F.*$", "an organizational unit (OU)"},
		{"uid=%x", "invalid percent sign", "uid", "%x", "Write %u"},
		{"email=/^a", "is not anchored", "email", "/^a", "Write it as /^...$"},
		{"ou=a sslmode=require", "key \"ou\" needs sslmode=verify-ca, but sslmode=require is written", "ou", "ou=a sslmode=require", "verify-ca, verify-full or cert"},
		{"uid=a sslmode=verify-ca", "key \"uid\" needs sslmode=verify-full", "uid", "uid=a sslmode=verify-ca", "verify-full or cert"},
		{"cn=a ignore_case=yes", "invalid value \"yes\" for key \"ignore_case\"", "ignore_case", "yes", "Accepted is on or off."},
		{"cn=a ignore_case=on ignore_case=on", "key \"ignore_case\" is written twice", "ignore_case", "ignore_case=on", "Write it once"},
		{"sslmode=verify-full ignore_case=on", "key \"ignore_case\" has nothing to act upon", "ignore_case", "ignore_case=on", "such as cn=%u"},
		{"san=dns:a dn=CN=a ignore_case=on", "has nothing to act upon", "ignore_case", "ignore_case=on", "such as cn=%u"},
		{"cn=/^a$ ignore_case=on", "has nothing to act upon", "ignore_case", "ignore_case=on", "not to regular expressions"},
		{"ou=a ignore_case=off", "has nothing to act upon", "ignore_case", "ignore_case=off", "such as cn=%u"},
		{"cn=%u uid=Alice ignore_case=on", "with ignore_case=on, uid=Alice matches nothing", "ignore_case", "ignore_case=on", "in lower case"},
	};

	for (int i = 0; i < (int) lengthof(cases); i++)
		is_bad(&cases[i], PLACE_ROLE, NULL);
	is_bad(&(BadPolicy){"uid=a", "key \"uid\" is not accepted in the minimum policy", "uid", "uid=a", KEYS_OF_MINIMUM}, PLACE_MINIMUM, NULL);
	is_bad(&(BadPolicy){"email=a", "key \"email\" is not accepted in the policy of a database", "email", "email=a", KEYS_OF_DATABASE}, PLACE_DATABASE, NULL);
}

static void
test_checks(void)
{
	static const PolicyChecks no_x = {refuse_x, refuse_x, true};
	static const PolicyChecks no_role = {refuse_role, refuse_x, true};
	static const BadPolicy cases[] = {
		{"cipher=A cipher=Bx", "there is an x", "cipher", "Bx", "as in pg_stat_ssl.cipher"},
		{"cn=a cn=/^x$", "invalid regular expression \"/^x$\": there is an x", "cn", "/^x$",
		 "a common name"},
		{"dn='/^CN=x$'", "invalid regular expression \"/^CN=x$\"", "dn", "'/^CN=x$'",
		 "a subject DN"},
		{"san=uri:/^x$", "invalid regular expression \"/^x$\"", "san", "uri:/^x$",
		 "a regular expression as dns:/^...$"},
		/* what would be lost, or taken for quotes */
		{"cn=/^app\\.[0-9]+$", "single backslash in a value of \"cn\"", "cn", "\\.[0-9]+$", "Write it twice"},
		{"cn='/^a\\\\.b\\.c$'", "single backslash", "cn", "\\.c$'", "Write it twice"},
		{"san=dns:/^a\\wb$", "single backslash", "san", "\\wb$", "Write it twice"},
		{"dn='CN=a\\,O=b'", "single backslash in a value of \"dn\"", "dn", "\\,O=b'", "Write it twice"},
		{"issuer='CN=a\\,O=b'", "single backslash in a value of \"issuer\"", "issuer", "\\,O=b'", "Write it twice"},
		{"cn=CORP\\alice", "single backslash in a value of \"cn\"", "cn", "\\alice", "cn='CORP\\\\alice'"},
		{"cn=alice cn='CORP\\alice'", "single backslash", "cn", "\\alice'", "Write it twice"},
		{"cn=CORP\\\\alice\\b", "single backslash", "cn", "\\b", "Write it twice"},
		{"cn=alice\\", "single backslash", "cn", "\\", "Write it twice"},
		{"cn='a\\ b'", "single backslash", "cn", "\\ b'", "Write it twice"},
		{"cn='a\\;b'", "single backslash", "cn", "\\;b'", "Write it twice"},
		{"cn='a\\\"b'", "single backslash", "cn", "\\\"b'", "Write it twice"},
		{"cn=a\\\"b", "single backslash", "cn", "\\\"b", "Write it twice"},
		{"san=uri:x:\\a", "single backslash in a value of \"san\"", "san", "\\a", "Write it twice"},
		{"san=email:CORP\\a@b", "single backslash", "san", "\\a@b", "Write it twice"},
		{"dn='CN=a\\;b'", "single backslash", "dn", "\\;b'", "Write it twice"},
		{"database=a\\b sslmode=reject; sslmode=require", "single backslash in a value of \"database\"", "database", "\\b sslmode=reject; sslmode=require", "Write it twice"},
		{"sslmode=verify\\-full", "single backslash in a value of \"sslmode\"", "sslmode", "\\-full", "Write it twice"},
		{"cn=\"app\"", "double quote at the beginning of a value", "cn", "\"app\"", "quoted with single quotes"},
	};
	static const BadPolicy with_role =
		{"cn=/^%u$", "invalid regular expression \"/^%u$\": not with a role in it", "cn", "/^%u$",
		 "a common name"};
	PolicyError error;

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		is_bad(&cases[i], PLACE_ROLE, &no_x);
		ok(parse_policy(cases[i].text, PLACE_ROLE, NULL, &error) != NULL,
		   "\"%s\" is good where nothing is checked", cases[i].text);
	}
	is_bad(&with_role, PLACE_ROLE, &no_role);
	ok(parse_policy("cn=x dn=CN=x san=dns:x issuer=CN=x", PLACE_ROLE, &no_x, &error) != NULL,
	   "names that are no expressions are not checked");
	ok(parse_policy("cn=CORP\\\\a cn='CORP\\\\b' cn='O\\'Brien' cn=a\\ b cn=a\\;b cn=\\\"a\\'b", PLACE_ROLE, &no_x, &error) != NULL,
	   "backslashes that are written twice, or needed");
}

/*
 * A policy that only its canonical form makes too long: the place is the end of
 * what was written, not behind it.
 */
static void
test_long_canonical_form(void)
{
	static const PolicyChecks no_x = {refuse_x, refuse_x, true};
	BadPolicy	bad = {NULL, " bytes in canonical form", NULL, "", "At most 1800 bytes"};
	PolicyError error;
	StringInfoData text;

	initStringInfo(&text);
	while (text.len < POLICY_MAX_BYTES - 60)
		appendStringInfo(&text, "database=d%d cn=a; ", text.len);
	appendStringInfoString(&text, "cn=a");
	bad.text = text.data;
	is_bad(&bad, PLACE_ROLE, &no_x);
	ok(parse_policy(text.data, PLACE_ROLE, NULL, &error) != NULL, "but one that was stored is read");
}

int
main(void)
{
	test_syntax();
	test_values();
	test_particular_values();
	test_weaker_modes();
	test_places();
	test_attributes();
	test_checks();
	test_long_canonical_form();
	return done_testing();
}
