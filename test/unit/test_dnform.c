/*-------------------------------------------------------------------------
 *
 * test_dnform.c
 *		DNs as other programs write them: what was meant, and that policies say so.
 *
 *-------------------------------------------------------------------------
 */
#include <openssl/err.h>
#include <openssl/x509.h>

#include "pki/x509.h"
#include "policy/dnform.h"
#include "policy/policy.h"
#include "tap.h"

static const struct
{
	const char *text;
	const char *meant;			/* NULL: it cannot be told */
} cases[] = {
	/* PostgreSQL's pg_stat_ssl, MySQL, openssl -subj */
	{"/C=DE/O=Acme/CN=alice", "CN=alice,O=Acme,C=DE"},
	{"/CN=alice", "CN=alice"},
	{"/O=Acme\\, Inc./CN=alice", "CN=alice,O=Acme\\, Inc."},
	{"/O=Acme, Inc./CN=alice", "CN=alice,O=Acme\\, Inc."},
	{"/O=A/B/CN=alice", "CN=alice,O=A/B"},
	{"/O=Acme/OU=a+CN=b", "CN=b+OU=a,O=Acme"},
	{"/O=Acme/emailAddress=a+b@c", "emailAddress=a\\+b@c,O=Acme"},
	{"/C=DE/CN=alice/", "CN=alice/,C=DE"},
	/* openssl x509 -subject */
	{"C = DE, O = Acme, CN = alice", "CN=alice,O=Acme,C=DE"},
	{"C = DE, O = Acme", "O=Acme,C=DE"},
	{"DC = com, DC = example, CN = alice", "CN=alice,DC=example,DC=com"},
	{"CN = alice, O = Acme", "CN=alice,O=Acme"},
	/* Windows */
	{"E=alice@acme.example, CN=alice, O=Acme", "emailAddress=alice@acme.example,CN=alice,O=Acme"},
	{"CN=alice, S=Bayern, C=DE", "CN=alice,ST=Bayern,C=DE"},
	{"CN=alice, G=Alice, SN=Smith, T=Dr", "CN=alice,GN=Alice,SN=Smith,title=Dr"},
	{"SERIALNUMBER=7, CN=alice", "serialNumber=7,CN=alice"},
	{"CN=alice; O=Acme", "CN=alice,O=Acme"},
	{"O=\"Acme, Inc.\", C=DE", "O=Acme\\, Inc.,C=DE"},
	{"O=\"Acme \\\"x\\\"\", C=DE", "O=Acme \\\"x\\\",C=DE"},
	/* Java */
	{"OID.2.5.4.3=alice", "CN=alice"},
	{"oid.1.2.840.113549.1.9.1=a@b", "emailAddress=a@b"},
	{"EMAILADDRESS=a@b, CN=alice", "emailAddress=a@b,CN=alice"},
	{"OID.1.2.3.4=foo", "1.2.3.4=#0C03666F6F"},
	{"2.5.4.3=alice", "CN=alice"},
	{"1.2.3.4=#0c03666f6f", "1.2.3.4=#0C03666F6F"},
	{"1.2.3.4=#0C03666F6F", "1.2.3.4=#0C03666F6F"},
	{"2.5.4.3=#1305616c696365", "CN=alice"},
	{"CN=#0403616263", "CN=#0403616263"},
	{"CN=#1E020061", NULL},
	/* names with bytes that do not fit the type of their string match nothing */
	{"CN=#1301F6", NULL},
	{"CN=#1302C3B6", NULL},
	{"1.2.3.4=#1302C3B6", NULL},
	{"1.2.3.4=#1602C3B6", NULL},
	{"1.2.3.4=#1202C3B6", NULL},
	{"1.2.3.4=#1A02C3B6", NULL},
	/* also if they come in pieces */
	{"1.2.3.4=#33041302C3B6", NULL},
	{"1.2.3.4=#0101FF", "1.2.3.4=#0101FF"},
	{"1.2.3.4=#0500", "1.2.3.4=#0500"},
	{"1.2.3.4=#06032A0304", "1.2.3.4=#06032A0304"},
	{"1.2.3.4=#0C02C3B6", "1.2.3.4=#0C02C3B6"},
	/* no DER */
	{"1.2.3.4=#0C03666F", NULL},
	{"1.2.3.4=#0C01666F", NULL},
	{"1.2.3.4=%u", NULL},
	/* 79 characters are what OpenSSL prints of a number */
	{"1.2.3333333333333333333333333.44444444444444444444444444.5555555555555555555555=#0500",
	 "1.2.3333333333333333333333333.44444444444444444444444444.5555555555555555555555=#0500"},
	{"1.2.3333333333333333333333333.44444444444444444444444444.55555555555555555555555=#0500", NULL},
	/* people */
	{"cn=alice,ou=x,o=Acme,c=DE", "CN=alice,OU=x,O=Acme,C=DE"},
	{"commonName=alice", "CN=alice"},
	{"Uid=alice,dc=acme,dc=example", "UID=alice,DC=acme,DC=example"},
	/* another attribute, uniqueIdentifier */
	{"uid=alice", "uid=alice"},
	{"CN=alice,", "CN=alice"},
	{"CN=alice, ", "CN=alice"},
	{"=CN=alice", "CN=alice"},
	{"CN= alice", "CN=alice"},
	{"CN=alice , O=Acme", "CN=alice,O=Acme"},
	{"CN=alice + UID=7", "CN=alice+UID=7"},
	{"CN=a\\2Cb", "CN=a\\,b"},
	{"CN=a\\=b", "CN=a=b"},
	{"CN=caf\xC3\xA9", "CN=caf\\C3\\A9"},
	{"CN=caf\\c3\\a9", "CN=caf\\C3\\A9"},
	{"CN=a<b>", "CN=a\\<b\\>"},
	{"CN=#1", "CN=\\#1"},
	{"cn=%u,o=100%%", "CN=%u,O=100%%"},
	/* what cannot be told */
	{"=", NULL},
	{"==", NULL},
	{"", NULL},
	{"/", NULL},
	{",", NULL},
	{"alice", NULL},
	{"CN=alice,,O=Acme", NULL},
	{"CN=alice,O", NULL},
	{"CN=alice+", NULL},
	{"XY=1", NULL},
	{"CN=\"alice", NULL},
	{"CN=\"a\"b", NULL},
	{"CN=a\\", NULL},
	{"CN=\xE9", NULL},
	{"1.x=a", NULL},
};

/*
 * A DN that can be printed so may be set, and all others may not; stored they are read, if
 * they have always been.
 */
static void
test_meant(void)
{
	static const PolicyChecks as_set = {NULL, NULL, true};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		char	   *meant = dn_meant(cases[i].text);

		is_str(meant, cases[i].meant, "\"%s\" is taken for \"%s\"", cases[i].text, cases[i].meant ? cases[i].meant : "nothing");
		if (meant != NULL)
			is_str(dn_meant(meant), meant, "and that for itself");
		for (PolicyKey key = KEY_DN; key <= KEY_ISSUER; key += KEY_ISSUER - KEY_DN)
		{
			PolicyError error;
			char	   *pair = pair_text(key, cases[i].text);

			if (cases[i].text[0] == '\0')
				continue;
			if (meant == NULL)
				ok(parse_policy(pair, PLACE_ROLE, &as_set, &error) == NULL &&
					   strstr(error.hint, "Accepted is") != NULL,
				   "%s is refused", pair);
			else if (strcmp(meant, cases[i].text) != 0)
			{
				Policy	   *set = parse_policy(pair, PLACE_ROLE, &as_set, &error);

				/* blanks behind commas, and letters outside ASCII, have always been read */
				if (set != NULL)
					is_str(set->rules[0].values[0].text, meant, "%s is read as that", pair);
				else
					is_str(strstr(error.hint, "RFC 2253"), psprintf("RFC 2253, in which certificates are compared, it is %s.", pair_text(key, meant)),
						   "%s is refused, and the hint says what it is", pair);
			}
			if (meant != NULL)
				ok(parse_policy(pair_text(key, meant), PLACE_ROLE, &as_set, &error) != NULL,
				   "%s may be set", pair_text(key, meant));
		}
	}
}

/*
 * What is stored already.
 */
static void
test_stored(void)
{
	static const char *const texts[] = {
		"E=a@b,CN=alice",
		"CN=a,S=x",
		"OID.1.2.3=x",
		"cn=alice",
		"CN=alice,",
		"CN=a , O=b",
		"CN = a",
		"=",
		"==",
		"CN=a<b>",
		"1.2.3.4=foo",
		"CN=a;O=b",
		"CN=\"a\"",
	};

	for (int i = 0; i < (int) lengthof(texts); i++)
		for (PolicyKey key = KEY_DN; key <= KEY_ISSUER; key += KEY_ISSUER - KEY_DN)
		{
			PolicyError error;

			ok(parse_policy(pair_text(key, texts[i]), PLACE_ROLE, NULL, &error) != NULL,
			   "%s is read where it is stored", pair_text(key, texts[i]));
		}
}

/*
 * Every attribute that OpenSSL knows is known by its name, as it prints it.
 */
static void
test_types(void)
{
	int			wrong = 0;
	int			count = 0;

	for (int nid = 1; nid < OBJ_new_nid(0); nid++)
	{
		const ASN1_OBJECT *object = OBJ_nid2obj(nid);
		X509_NAME  *name = X509_NAME_new();
		char	   *printed;

		if (object && OBJ_length(object) > 0 &&
			X509_NAME_add_entry_by_OBJ(name, object, V_ASN1_UTF8STRING, (const unsigned char *) "x", 1, 0, 0) == 1)
		{
			printed = dn_text(name);
			count++;
			if (dn_meant(printed) == NULL || strcmp(dn_meant(printed), printed) != 0)
				wrong++;
		}
		X509_NAME_free(name);
	}
	ERR_clear_error();
	ok(count > 1000, "OpenSSL knows attributes (%d)", count);
	is_int(wrong, 0, "all of them by the names that it prints");
}

int
main(void)
{
	test_meant();
	test_stored();
	test_types();
	return done_testing();
}
