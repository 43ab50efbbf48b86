/*-------------------------------------------------------------------------
 *
 * test_policy.c
 *		Good policies: what they mean, and their canonical text.
 *
 * Bad ones are in test_policy_errors.c.
 *
 *-------------------------------------------------------------------------
 */
#include "policy/policy.h"
#include "tap.h"

#define HEX_UPPER "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF"
#define HEX_LOWER "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEX_COLONS \
	"00:11:22:33:44:55:66:77:88:99:AA:bb:CC:dd:EE:FF:" \
	"00:11:22:33:44:55:66:77:88:99:aa:BB:cc:DD:ee:ff"
#define N63 "a23456789012345678901234567890123456789012345678901234567890123"

/*
 * Parse and print; NULL, with the reason on stderr, if the text is no policy.
 */
static char *
canonical(const char *text, PolicyPlace place, const PolicyChecks *checks)
{
	PolicyError error;
	Policy	   *policy = parse_policy(text, place, checks, &error);

	if (policy != NULL)
		return policy_text(policy);
	fprintf(stderr, "# \"%s\" at %d: %s\n", text, error.offset, error.message);
	return NULL;
}

/*
 * The canonical text is as expected, and its own canonical text.
 */
static void
is_canonical(const char *text, PolicyPlace place, const char *expected)
{
	char	   *once = canonical(text, place, NULL);

	is_str(once, expected, "%s", text);
	if (once != NULL)
		is_str(canonical(once, place, NULL), once, "%s, printed and parsed again", text);
}

/*
 * Requirements and how-keys: {pair, pair as printed, implied sslmode or NULL}.
 */
static void
test_each_key(void)
{
	static const struct
	{
		const char *pair;
		const char *printed;	/* NULL: the same */
		const char *implied;
	} cases[] =
		{
			{"sslmode=reject", NULL, NULL},
			{"sslmode=disable", NULL, NULL},
			{"sslmode=allow", NULL, NULL},
			{"sslmode=prefer", NULL, NULL},
			{"sslmode=require", NULL, NULL},
			{"sslmode=verify-ca", NULL, NULL},
			{"sslmode=verify-full", NULL, NULL},
			{"sslmode=cert", NULL, NULL},

			{"min_protocol=TLSv1", NULL, "require"},
			{"min_protocol=TLSv1.1", NULL, "require"},
			{"min_protocol=TLSv1.2", NULL, "require"},
			{"min_protocol=TLSv1.3", NULL, "require"},
			{"min_protocol=tlsv1.3", "min_protocol=TLSv1.3", "require"},
			{"cipher=TLS_AES_256_GCM_SHA384", NULL, "require"},
			{"cipher=ECDHE-RSA-AES256-GCM-SHA384", NULL, "require"},
			{"cipher=B cipher=A cipher=B", NULL, "require"},

			{"cn=app", NULL, "verify-full"},
			{"cn=b cn=a", NULL, "verify-full"},
			{"cn=%u", NULL, "verify-full"},
			{"cn=%%", NULL, "verify-full"},
			{"cn=%%u%u%%%u", NULL, "verify-full"},
			{"cn=*", NULL, "verify-full"},
			{"cn==", NULL, "verify-full"},
			{"cn=a=b", NULL, "verify-full"},
			{"cn=a/b", NULL, "verify-full"},
			{"cn=\xC3\xA9", NULL, "verify-full"},
			{"cn='\x01'", "cn=\x01", "verify-full"},
			{"uid=app uid=%u", NULL, "verify-full"},
			{"uid=/^a.*$", NULL, "verify-full"},
			{"email=%u@acme.example", NULL, "verify-full"},
			{"uid='CORP\\\\a'", NULL, "verify-full"},
			{"ignore_case=on cn=a", "cn=a ignore_case=on", "verify-full"},
			{"email=a ignore_case=off", NULL, "verify-full"},
			{"cn=Alice ignore_case=off", NULL, "verify-full"},
			{"ou=Finance", NULL, "verify-ca"},
			{"o=Acme ou=b ou=a", "ou=b ou=a o=Acme", "verify-ca"},
			{"o='Acme, Inc.'", NULL, "verify-ca"},
			{"o=/x", NULL, "verify-ca"},
			{"ou=100%", NULL, "verify-ca"},
			{"dn=CN=app,O=Acme", NULL, "verify-full"},
			{"dn=CN=%u", NULL, "verify-full"},
			{"dn='CN=a b'", NULL, "verify-full"},
			{"dn='CN=a\\\\,b'", NULL, "verify-full"},
			{"dn=CN=\xC3\xA9", "dn='CN=\\\\C3\\\\A9'", "verify-full"},
			{"dn='CN=a, O=b'", "dn=CN=a,O=b", "verify-full"},
			{"dn='CN=a b,  O=%u+C=%%, L=c'", "dn='CN=a b,O=%u+C=%%,L=c'", "verify-full"},
			{"dn='CN=a\\\\, b, O=c'", "dn='CN=a\\\\, b,O=c'", "verify-full"},
			{"dn=CN=a+O=b", NULL, "verify-full"},
			{"dn='CN=a\nb'", "dn='CN=a\\\\0Ab'", "verify-full"},
			{"san=dns:db.example", NULL, "verify-full"},
			{"san=dns:DB.Example", NULL, "verify-full"},
			{"san=dns:%u", NULL, "verify-full"},
			{"san=email:a@b.example", NULL, "verify-full"},
			{"san=uri:spiffe://bank/db/%u", NULL, "verify-full"},
			{"san=ip:192.0.2.1", NULL, "verify-full"},
			{"san=ip:2001:DB8::0:1", "san=ip:2001:db8::1", "verify-full"},
			{"san=ip:::1", NULL, "verify-full"},
			{"san=ip:::FFFF:1.2.3.4", "san=ip:::ffff:1.2.3.4", "verify-full"},

			/* regular expressions */
			{"cn=/^$", NULL, "verify-full"},
			{"cn=/^a$", NULL, "verify-full"},
			{"cn=/^a|b$", NULL, "verify-full"},
			{"cn=/^%u-[0-9]+$", NULL, "verify-full"},
			{"cn=/^100%%$", NULL, "verify-full"},
			{"cn='/^a b$'", NULL, "verify-full"},
			{"cn='/^a\\\\.b$'", NULL, "verify-full"},
			{"cn=/^a\\\\.b$", "cn='/^a\\\\.b$'", "verify-full"},
			{"cn='/^a\\\\%b$'", NULL, "verify-full"},
			{"cn='/^a\\\\\\\\$'", NULL, "verify-full"},
			{"cn='/^\\\\$\\\\\\\\$'", NULL, "verify-full"},
			{"dn=/^CN=[a-z]+,O=Acme$", NULL, "verify-full"},
			{"dn=/^no.equals.sign$", NULL, "verify-full"},
			{"san=dns:/^[a-z]+[.]example$", NULL, "verify-full"},
			{"san=email:/^.*@example$", NULL, "verify-full"},
			{"san=uri:/^spiffe://%u$", NULL, "verify-full"},
			{"san=ip:/^10[.].*$", NULL, "verify-full"},

			{"fingerprint=" HEX_LOWER, NULL, "verify-ca"},
			{"fingerprint=" HEX_UPPER, "fingerprint=" HEX_LOWER, "verify-ca"},
			{"fingerprint=" HEX_COLONS, "fingerprint=" HEX_LOWER, "verify-ca"},
			{"ca_fingerprint=" HEX_LOWER, NULL, "verify-ca"},
			{"ca_fingerprint=" HEX_COLONS " ca_fingerprint=" HEX_UPPER,
			 "ca_fingerprint=" HEX_LOWER " ca_fingerprint=" HEX_LOWER, "verify-ca"},
			{"issuer='CN=Acme Root,O=Acme'", NULL, "verify-ca"},
			{"issuer=CN=a issuer=CN=b", NULL, "verify-ca"},
			{"issuer='CN=Acme Root, O=Acme'", "issuer='CN=Acme Root,O=Acme'", "verify-ca"},
			{"issuer='CN=a, O=\xC3\xA9'", "issuer='CN=a,O=\\\\C3\\\\A9'", "verify-ca"},
			{"issuer=CN=\xC3\xA9", "issuer='CN=\\\\C3\\\\A9'", "verify-ca"},
			/* not a name: nothing in it is expanded, and it is no expression */
			{"issuer=CN=100%", NULL, "verify-ca"},

			{"max_lifetime=1s", NULL, "verify-ca"},
			{"max_lifetime=59s", NULL, "verify-ca"},
			{"max_lifetime=60s", "max_lifetime=1min", "verify-ca"},
			{"max_lifetime=90min", NULL, "verify-ca"},
			{"max_lifetime=61s", NULL, "verify-ca"},
			{"max_lifetime=120min", "max_lifetime=2h", "verify-ca"},
			{"max_lifetime=24h", "max_lifetime=1d", "verify-ca"},
			{"max_lifetime=25h", NULL, "verify-ca"},
			{"max_lifetime=90d", NULL, "verify-ca"},
			{"max_lifetime=007d", "max_lifetime=7d", "verify-ca"},
			{"max_lifetime=365250d", NULL, "verify-ca"},
			{"max_lifetime=9999999999s", NULL, "verify-ca"},

			{"sslmode=require on_expiry=keep", NULL, NULL},
			{"sslmode=require on_expiry=end", NULL, NULL},
			{"sslmode=prefer on_expiry=end", NULL, NULL},
			{"sslmode=require action=reject", NULL, NULL},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		const char *printed = cases[i].printed ? cases[i].printed : cases[i].pair;

		is_canonical(cases[i].pair, PLACE_ROLE, cases[i].implied ? psprintf("sslmode=%s %s", cases[i].implied, printed) : printed);
	}
}

static void
test_match_keys(void)
{
	static const struct
	{
		const char *pair;
		const char *printed;	/* NULL: the same */
	} cases[] =
		{
			{"address=10.0.0.0/8", NULL},
			{"address=0.0.0.0/0", NULL},
			{"address=255.255.255.255", NULL},
			{"address=255.255.255.255/32", "address=255.255.255.255"},
			{"address=0.0.0.0", NULL},
			{"address=128.0.0.0/1", NULL},
			{"address=254.0.0.0/7", NULL},
			{"address=192.0.2.254/31", NULL},
			{"address=::/0", NULL},
			{"address=::", NULL},
			{"address=::1/128", "address=::1"},
			{"address=8000::/1", NULL},
			{"address=2001:DB8:0::/32", "address=2001:db8::/32"},
			{"address=2001:db8::fffe/127", NULL},
			{"address=ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
			{"address=::ffff:10.0.0.0/104", NULL},
			{"address=10.0.0.1 address=::1 address=10.0.0.1", NULL},

			{"database=shop", NULL},
			{"database=" N63, NULL},
			{"database='my shop'", NULL},
			{"database=Shop database=shop", NULL},
			{"database=replication", NULL},
			{"database='replication'", NULL},
			{"database='replication' database=replication", NULL},
			{"database='shop'", "database=shop"},
			{"database=%", NULL},
			{"database=/^a", NULL},
			{"database=\xC3\xA9", NULL},
			{"database=a database=b address=::1 database=c",
			 "address=::1 database=a database=b database=c"},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
		is_canonical(psprintf("sslmode=reject %s;sslmode=prefer", cases[i].pair),
					 PLACE_ROLE,
					 psprintf("%s sslmode=reject; sslmode=prefer",
							  cases[i].printed ? cases[i].printed : cases[i].pair));
}

/*
 * Quotes, escapes and white space, as in conninfo.
 */
static void
test_lexical_rules(void)
{
	static const struct
	{
		const char *text;
		const char *printed;
	} cases[] =
		{
			{"  sslmode=require  ", "sslmode=require"},
			{"\t\r\n\f\vsslmode\t=\n require\v", "sslmode=require"},
			{"sslmode='require'", "sslmode=require"},
			{"sslmode='re\\quire'", "sslmode=require"},
			{"sslmode=re\\quire", "sslmode=require"},
			{"cn='a b'", "sslmode=verify-full cn='a b'"},
			{"cn=a\\ b", "sslmode=verify-full cn='a b'"},
			{"cn='\"a\"'", "sslmode=verify-full cn='\"a\"'"},
			{"cn=\\\"a\"", "sslmode=verify-full cn='\"a\"'"},
			{"cn=a\"b\"", "sslmode=verify-full cn=a\"b\""},
			{"cn=a\\;b", "sslmode=verify-full cn='a;b'"},
			{"cn='a;b'", "sslmode=verify-full cn='a;b'"},
			{"cn='a\\'b'", "sslmode=verify-full cn='a\\'b'"},
			{"cn=a\\'b", "sslmode=verify-full cn='a\\'b'"},
			{"cn=\\'", "sslmode=verify-full cn='\\''"},
			{"cn='a\\\\b'", "sslmode=verify-full cn='a\\\\b'"},
			{"cn=a\\\\b", "sslmode=verify-full cn='a\\\\b'"},
			{"cn='\\\\'", "sslmode=verify-full cn='\\\\'"},
			{"cn=' '", "sslmode=verify-full cn=' '"},
			{"cn='\t'", "sslmode=verify-full cn='\t'"},
			{"cn='\n'", "sslmode=verify-full cn='\n'"},
			{"cn='\r'", "sslmode=verify-full cn='\r'"},
			{"cn='\f'", "sslmode=verify-full cn='\f'"},
			{"cn='\v'", "sslmode=verify-full cn='\v'"},
			{"cn='a\"b'", "sslmode=verify-full cn=a\"b"},
			{"cn= 'a' ", "sslmode=verify-full cn=a"},
			{"cn='a' cn='b'", "sslmode=verify-full cn=a cn=b"},
			{"address=::1 sslmode=prefer;cn='a'", "address=::1 sslmode=prefer; "
												  "sslmode=verify-full cn=a"},
			{"address=::1\nsslmode=prefer\n;\ncn=a\n", "address=::1 sslmode=prefer; "
													   "sslmode=verify-full cn=a"},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
		is_canonical(cases[i].text, PLACE_ROLE, cases[i].printed);
}

/*
 * Every byte can be in a name, and comes back.
 */
static void
test_every_byte(void)
{
	int			wrong = 0;

	for (int c = 1; c < 256; c++)
	{
		const char *written = psprintf("cn='x\\%c%sy'", c, c == '%' ? "%" : "");

		for (int round = 0; round < 2; round++)
		{
			PolicyError error;
			Policy	   *policy = parse_policy(written, PLACE_ROLE, NULL, &error);

			if (policy == NULL || policy->rules[0].values[0].text[1] != (char) c)
			{
				wrong++;
				break;
			}
			written = policy_text(policy);
		}
	}
	is_int(wrong, 0, "every byte can be in a name, and comes back from canonical text");
}

static uint32
next_random(void)
{
	static uint32 state = 20250101;

	state = state * 1664525 + 1013904223;
	return state >> 8;
}

/*
 * A policy of random rules, with values that want quotes and escapes.
 */
static char *
random_policy(void)
{
	static const char *const pairs[] = {
		"sslmode=cert",
		"min_protocol=TLSv1.2",
		"cipher=A",
		"cipher=B",
		("fingerprint=" HEX_COLONS),
		"issuer='CN=a b'",
		("ca_fingerprint=" HEX_UPPER),
		"max_lifetime=36h",
		"on_expiry=end",
		"database='replication'",
		"database=replication",
		"address=10.0.0.0/9",
		"address=::/0",
	};
	static const char *const pieces[] = {
		"a",
		"b",
		"\\\\",
		"\\'",
		";",
		" ",
		"\t",
		"\n",
		"%u",
		"%%",
		"=",
		"/",
		"\xC3\xA9",
		"\\\\,",
		"\\#",
		"\\\\C3",
		"\x7F",
	};
	static const char *const names[] = {"cn='", "dn='x=", "san='uri:", "database='"};
	StringInfoData buf;
	int			nrules = 1 + (int) (next_random() % 3);

	initStringInfo(&buf);
	for (int rule = 1; rule <= nrules; rule++)
	{
		uint32		start = next_random();

		/* names first, because with them any rule asks for something */
		appendStringInfo(&buf, "cn='x%s' ", pieces[next_random() % lengthof(pieces)]);
		for (int i = (int) (next_random() % 4); i > 0; i--)
		{
			appendStringInfoString(&buf, names[next_random() % (rule < nrules ? 4 : 3)]);
			appendStringInfoChar(&buf, 'x');
			for (int j = (int) (next_random() % 8); j > 0; j--)
				appendStringInfoString(&buf, pieces[next_random() % lengthof(pieces)]);
			appendStringInfoString(&buf, "' ");
		}
		/* of these, match keys come last, and not in the last rule */
		for (uint32 i = 0; i < lengthof(pairs) - (rule < nrules ? 0 : 4); i++)
			if (start >> i & 1)
				appendStringInfo(&buf, "%s ", pairs[i]);
		if (rule < nrules)
			appendStringInfoString(&buf, "action=log;");
	}
	return buf.data;
}

static void
test_random_policies(void)
{
	int			good = 0;
	int			same = 0;

	for (int i = 0; i < 3000; i++)
	{
		char	   *text = random_policy();
		char	   *once = strlen(text) > POLICY_MAX_BYTES / 2 ? NULL :
														   canonical(text, PLACE_ROLE, NULL);
		char	   *twice = once ? canonical(once, PLACE_ROLE, NULL) : NULL;

		good += once != NULL;
		same += twice != NULL && strcmp(once, twice) == 0;
	}
	ok(good > 1000, "%d random policies are good", good);
	is_int(same, good, "each of them comes back from its canonical text");
}

/*
 * Order and number of keys and rules.
 */
static void
test_rules(void)
{
	static const struct
	{
		const char *text;
		PolicyPlace place;
		const char *printed;
	} cases[] =
		{
			{"action=reject on_expiry=end max_lifetime=24h ca_fingerprint=" HEX_LOWER
			 " issuer=CN=a fingerprint=" HEX_LOWER " san=dns:a dn=CN=a cn=a cipher=A"
			 " min_protocol=TLSv1.2 sslmode=cert database=d address=::1; sslmode=reject",
			 PLACE_ROLE,
			 "address=::1 database=d sslmode=cert min_protocol=TLSv1.2 cipher=A cn=a"
			 " dn=CN=a san=dns:a fingerprint=" HEX_LOWER " issuer=CN=a ca_fingerprint=" HEX_LOWER " max_lifetime=1d on_expiry=end action=reject; sslmode=reject"},

			/* the examples of the documentation */
			{"address=127.0.0.1 sslmode=prefer; sslmode=verify-full min_protocol=TLSv1.3",
			 PLACE_ROLE,
			 "address=127.0.0.1 sslmode=prefer; sslmode=verify-full min_protocol=TLSv1.3"},
			{"sslmode=verify-full action=log; sslmode=require", PLACE_ROLE,
			 "sslmode=verify-full action=log; sslmode=require"},
			{"san=uri:spiffe://bank/db/%u", PLACE_ROLE,
			 "sslmode=verify-full san=uri:spiffe://bank/db/%u"},

			/* the strongest mode that any key implies */
			{"cipher=A fingerprint=" HEX_LOWER " cn=a", PLACE_ROLE,
			 "sslmode=verify-full cipher=A cn=a fingerprint=" HEX_LOWER},
			{"cn=a cipher=A", PLACE_ROLE, "sslmode=verify-full cipher=A cn=a"},
			{"max_lifetime=1d min_protocol=TLSv1", PLACE_ROLE,
			 "sslmode=verify-ca min_protocol=TLSv1 max_lifetime=1d"},
			{"cipher=A action=log; cipher=A", PLACE_ROLE,
			 "sslmode=require cipher=A action=log; sslmode=require cipher=A"},
			/* each rule implies its own */
			{"address=::1 cn=a; address=::2 cipher=A; sslmode=prefer", PLACE_ROLE,
			 "address=::1 sslmode=verify-full cn=a; address=::2 sslmode=require cipher=A; "
			 "sslmode=prefer"},
			/* a key that may not repeat may be in each rule */
			{"address=::1 min_protocol=TLSv1 action=log; min_protocol=TLSv1.1", PLACE_ROLE,
			 "address=::1 sslmode=require min_protocol=TLSv1 action=log; "
			 "sslmode=require min_protocol=TLSv1.1"},
			{"address=::1 sslmode=reject; address=::2 sslmode=reject; database=a sslmode=reject;"
			 "address=::1 sslmode=reject;sslmode=reject",
			 PLACE_ROLE,
			 "address=::1 sslmode=reject; address=::2 sslmode=reject; database=a sslmode=reject; "
			 "address=::1 sslmode=reject; sslmode=reject"},

			/* places */
			{"address=::1 sslmode=prefer; fingerprint=" HEX_LOWER, PLACE_DATABASE,
			 "address=::1 sslmode=prefer; sslmode=verify-ca fingerprint=" HEX_LOWER},
			{"sslmode=verify-full", PLACE_DATABASE, "sslmode=verify-full"},
			{"database=a sslmode=prefer; issuer=CN=a", PLACE_MINIMUM,
			 "database=a sslmode=prefer; sslmode=verify-ca issuer=CN=a"},
			{"sslmode=cert", PLACE_MINIMUM, "sslmode=cert"},
			{"database=a cn=a; san=dns:%u", PLACE_DEFAULT,
			 "database=a sslmode=verify-full cn=a; sslmode=verify-full san=dns:%u"},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
		is_canonical(cases[i].text, cases[i].place, cases[i].printed);
}

/*
 * What the parser leaves for evaluate.c, where printing would not show it.
 */
static void
test_structure(void)
{
	PolicyError error;
	Policy	   *policy = parse_policy("address=10.1.0.0/16 address=2001:db8::/33"
									  " database=replication database='replication'"
									  " sslmode=prefer on_expiry=end action=log;"
									  " cn=/^a$ cn=a fingerprint=" HEX_UPPER
									  " max_lifetime=2h on_expiry=keep",
									  PLACE_ROLE, NULL, &error);
	const uint8 network[] = {10, 1, 0, 0};
	const uint8 network6[16] = {0x20, 0x01, 0x0d, 0xb8};
	const uint8 digest[] = {0x00, 0x11, 0x22, 0x33};
	const PolicyRule *rule;

	if (!ok(policy != NULL && policy->nrules == 2, "a policy of two rules"))
		return;
	rule = &policy->rules[0];
	is_int(rule->nvalues, 4, "values of the first rule");
	ok(rule->values[0].address_len == 4 && rule->values[0].address_bits == 16 &&
		   memcmp(rule->values[0].bytes, network, 4) == 0,
	   "IPv4 network as bytes");
	ok(rule->values[1].address_len == 16 && rule->values[1].address_bits == 33 &&
		   memcmp(rule->values[1].bytes, network6, 16) == 0,
	   "IPv6 network as bytes");
	ok(rule->values[2].keyword, "replication without quotes is a keyword");
	ok(!rule->values[3].keyword, "'replication' is a name");
	ok(rule->has_match && !rule->has_names && rule->log_only && rule->has_action,
	   "flags of the first rule");
	ok(rule->has_on_expiry && rule->end_on_expiry, "on_expiry=end");
	is_int(rule->sslmode, SSLMODE_PREFER, "sslmode of the first rule");
	is_int(rule->max_lifetime, 0, "no max_lifetime in the first rule");

	rule = &policy->rules[1];
	ok(!rule->has_match && rule->has_names && !rule->log_only && !rule->has_action,
	   "flags of the second rule");
	ok(rule->has_on_expiry && !rule->end_on_expiry, "on_expiry=keep");
	is_int(rule->sslmode, SSLMODE_VERIFY_FULL, "sslmode of the second rule");
	is_int(rule->max_lifetime, 7200, "max_lifetime in seconds");
	is_int(rule->min_protocol, TLS_NONE, "no min_protocol");
	ok(rule->values[0].regex && !rule->values[1].regex, "which name is an expression");
	ok(rule->values[2].key == KEY_FINGERPRINT &&
		   memcmp(rule->values[2].bytes, digest, 4) == 0,
	   "fingerprint as bytes");
	ok(error.message == NULL, "no error is left behind");
}

/*
 * The checks that a caller hands in: what they are asked, in order.
 */
static StringInfoData asked;

static char *
asked_regex(const char *pattern)
{
	appendStringInfo(&asked, "[regex %s]", pattern);
	return NULL;
}

static char *
asked_cipher(const char *name)
{
	appendStringInfo(&asked, "[cipher %s]", name);
	return NULL;
}

static void
test_checks(void)
{
	static const PolicyChecks checks = {asked_regex, asked_cipher, true};
	static const struct
	{
		const char *text;
		const char *asked;
	} cases[] =
		{
			{"cipher=A cipher=B", "[cipher A][cipher B]"},
			/* as written, then as it will be matched, with some role */
			{"cn=/^a$", "[regex ^a$][regex ^(?:a)$]"},
			{"cn=/^$", "[regex ^$][regex ^(?:)$]"},
			{"cn=/^a|b$", "[regex ^a|b$][regex ^(?:a|b)$]"},
			{"cn=/^%u%%$", "[regex ^%u%%$][regex ^(?:role%)$]"},
			{"cn='/^\\\\%u$'", "[regex ^\\%u$][regex ^(?:\\%u)$]"},
			{"cn='/^a\\\\\\\\$'", "[regex ^a\\\\$][regex ^(?:a\\\\)$]"},
			{"dn=/^CN=%u$", "[regex ^CN=%u$][regex ^(?:CN=role)$]"},
			{"san=uri:/^x:%u$", "[regex ^x:%u$][regex ^(?:x:role)$]"},
			{"cn=a dn=CN=a san=dns:a issuer=CN=a fingerprint=" HEX_LOWER, ""},
			{"sslmode=require min_protocol=TLSv1.2", ""},
			{"address=::1 cipher=A; cn=/^b$", "[cipher A][regex ^b$][regex ^(?:b)$]"},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		char	   *unchecked;

		initStringInfo(&asked);
		unchecked = canonical(cases[i].text, PLACE_ROLE, NULL);
		is_str(asked.data, "", "no check is made without checks: %s", cases[i].text);
		is_str(canonical(cases[i].text, PLACE_ROLE, &checks), unchecked,
			   "with checks, the policy is the same: %s", cases[i].text);
		is_str(asked.data, cases[i].asked, "what is checked: %s", cases[i].text);
	}
}

/*
 * The patterns that names become.
 */
static void
test_patterns(void)
{
	static const struct
	{
		const char *name;
		const char *role;
		const char *pattern;
	} cases[] =
		{
			{"cn=/^%u$", "app", "^(?:app)$"},
			{"cn=/^%u$", "a.b", "^(?:a\\.b)$"},
			{"cn=/^%u$", "x|y", "^(?:x\\|y)$"},
			{"cn=/^%u$", "^$", "^(?:\\^\\$)$"},
			{"cn=/^%u$", "a)b", "^(?:a\\)b)$"},
			/* the escaped form of a backslash or a letter is text, too */
			{"cn=/^%u$", "\\d", "^(?:\\\\5Cd)$"},
			{"cn=/^%u$", "\xC3\xA9", "^(?:\\\\C3\\\\A9)$"},
			{"cn=/^%u$", "a_1", "^(?:a\\_1)$"},
			{"cn=/^[%u]$", "a-z]", "^(?:[a\\-z\\]])$"},
			{"dn=/^CN=%u$", "a,b", "^(?:CN=a\\\\\\,b)$"},
			{"dn=/^CN=%u$", "a", "^(?:CN=a)$"},
			{"san=dns:/^%u%u$", "a", "^(?:aa)$"},
			{"san=email:/^%%u$", "a", "^(?:%u)$"},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		PolicyError error;
		Policy	   *policy = parse_policy(cases[i].name, PLACE_ROLE, NULL, &error);

		is_str(policy ? name_pattern(&policy->rules[0].values[0], cases[i].role) : NULL,
			   cases[i].pattern, "%s for role \"%s\"", cases[i].name, cases[i].role);
	}
}

static void
test_length(void)
{
	char		text[POLICY_MAX_BYTES + 2];
	PolicyError error;
	Policy	   *policy;

	memset(text, 'a', sizeof(text));
	memcpy(text, "cn=", 3);
	is_int(POLICY_MAX_BYTES, 1800, "labels up to 1,800 bytes");

	text[POLICY_MAX_BYTES] = '\0';
	policy = parse_policy(text, PLACE_ROLE, NULL, &error);
	ok(policy != NULL && strlen(policy->rules[0].values[0].text) == POLICY_MAX_BYTES - 3,
	   "1,800 bytes are accepted, whole");

	text[POLICY_MAX_BYTES] = 'a';
	text[POLICY_MAX_BYTES + 1] = '\0';
	ok(parse_policy(text, PLACE_ROLE, NULL, &error) == NULL, "1,801 bytes are refused");
	has_str(error.message, "1801 bytes", "and the message says how many there are");
	is_int(error.offset, POLICY_MAX_BYTES, "and points at the first too many");
	has_str(error.hint, "At most 1800 bytes", "and how many are accepted");

	/* white space counts: the label is stored as it is written */
	memset(text, ' ', POLICY_MAX_BYTES + 1);
	memcpy(text, "sslmode=require", 15);
	ok(parse_policy(text, PLACE_ROLE, NULL, &error) == NULL, "also if most are spaces");
	text[POLICY_MAX_BYTES] = '\0';
	ok(parse_policy(text, PLACE_ROLE, NULL, &error) != NULL, "which 1,800 may be");
}

static void
test_lifetime_text(void)
{
	is_str(lifetime_text(1), "1s", "one second");
	is_str(lifetime_text(3600 + 60), "61min", "61 minutes");
	is_str(lifetime_text(86400 * 7), "7d", "a week");
	is_str(lifetime_text(INT64CONST(365250) * 86400), "365250d", "the longest");

	is_str(duration_text(0), "0s", "no time");
	is_str(duration_text(59), "59s", "seconds");
	is_str(duration_text(25 * 3600), "1d 1h", "a day and an hour");
	is_str(duration_text(90061), "1d 1h 1min 1s", "all units");
	is_str(duration_text(86400 + 1), "1d 1s", "nothing between");
	is_str(duration_text(-61), "-1min 1s", "the other way round");
	is_str(duration_text(PG_INT64_MIN), "-106751991167300d 15h 30min 8s", "as far back as can be");
}

int
main(void)
{
	test_each_key();
	test_match_keys();
	test_lexical_rules();
	test_every_byte();
	test_random_policies();
	test_rules();
	test_structure();
	test_checks();
	test_patterns();
	test_length();
	test_lifetime_text();
	return done_testing();
}
