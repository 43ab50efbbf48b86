/*-------------------------------------------------------------------------
 *
 * test_names.c
 *		Names: which one a session must prove, and which certificates have it.
 *
 * Hostile names are the point: what looks like the name, or would be it if
 * something in it were taken for syntax, must not match.
 *
 *-------------------------------------------------------------------------
 */
#include "session.h"
#include "tap.h"

/* a certificate, as much as names matter; facts have escaped forms */
typedef struct Named
{
	const char *cn;				/* NULL: none or several */
	const char *dn;
	const char *sans[4];
	bool		garbled;		/* the subject */
} Named;

static CertFacts
named_cert(const Named *named)
{
	CertFacts	cert = plain_cert();

	cert.cn = (char *) named->cn;
	cert.cn_count = named->cn ? 1 : 0;
	cert.subject_dn = (char *) (named->dn ? named->dn : "");
	cert.subject_garbled = named->garbled;
	cert.sans = (char **) named->sans;
	while (cert.nsans < (int) lengthof(named->sans) && named->sans[cert.nsans])
	{
		const char *san = named->sans[cert.nsans++];

		cert.upn_count += strncmp(san, "upn:", 4) == 0 || strncmp(san, "badupn:", 7) == 0;
	}
	return cert;
}

/*
 * Backslashes: C halves them first, then the policy language.
 */
static void
test_matching(void)
{
	static const struct
	{
		const char *policy;
		const char *role;
		Named		cert;
		bool		matches;
	} cases[] =
		{
			{"cn=svc", "app", {.cn = "svc"}, true},
			{"cn=svc", "app", {.cn = "Svc"}, false},
			{"cn=svc", "app", {.cn = "svc2"}, false},
			{"cn=svc2", "app", {.cn = "svc"}, false},
			{"cn=svc", "app", {.cn = "app"}, false},
			{"cn=svc", "app", {.cn = "svc "}, false},
			{"cn=svc", "app", {.cn = "svc\\00"}, false},
			{"cn=svc", "app", {.cn = "svc\\00.evil"}, false},
			{"cn=svc", "app", {.cn = NULL, .dn = "CN=svc"}, false},
			{"cn=svc", "app", {.dn = "CN=svc,CN=svc"}, false},
			{"cn=svc", "app", {.cn = ""}, false},
			{"cn='my svc'", "app", {.cn = "my svc"}, true},
			{"cn=*", "app", {.cn = "svc"}, false},
			{"cn=svc", "app", {.sans = {"dns:svc", "email:svc", "uri:svc"}}, false},
			/* any of several */
			{"cn=a cn=svc cn=b", "app", {.cn = "svc"}, true},
			{"cn=a dn=CN=svc san=dns:b", "app", {.cn = "svc", .dn = "CN=svc"}, true},
			{"cn=a dn=CN=b san=dns:svc", "app", {.cn = "x", .sans = {"dns:svc"}}, true},
			{"cn=a dn=CN=b san=dns:c", "app", {.cn = "c", .dn = "CN=a", .sans = {"dns:b"}}, false},

			/* the policy has UTF-8, the certificate's facts have its escaped form */
			{"cn=\xC3\xA9", "app", {.cn = "\\C3\\A9"}, true},
			{"cn=\xC3\xA9", "app", {.cn = "\xC3\xA9"}, false},
			{"cn='\\\\C3\\\\A9'", "app", {.cn = "\\C3\\A9"}, false},
			{"cn='a\\\\b'", "app", {.cn = "a\\5Cb"}, true},
			{"cn='a\\\\5Cb'", "app", {.cn = "a\\5Cb"}, false},
			{"cn='a\\\\00'", "app", {.cn = "a\\00"}, false},
			{"cn='a\nb'", "app", {.cn = "a\\0Ab"}, true},

			/* %u and %% */
			{"cn=%u", "app", {.cn = "app"}, true},
			{"cn=%u", "app", {.cn = "other"}, false},
			{"cn=%u", "app", {.cn = "%u"}, false},
			{"cn=svc-%u-%u", "app", {.cn = "svc-app-app"}, true},
			{"cn=%%u", "app", {.cn = "%u"}, true},
			{"cn=%%u", "app", {.cn = "app"}, false},
			{"cn=%%%u", "app", {.cn = "%app"}, true},
			{"cn=100%%", "app", {.cn = "100%"}, true},
			/* a role is no policy text: what stands in it is not expanded again */
			{"cn=%u", "%u", {.cn = "%u"}, true},
			{"cn=%u", "%%", {.cn = "%%"}, true},
			{"cn=%u", "%%", {.cn = "%"}, false},
			{"cn=%u", "a,b", {.cn = "a,b"}, true},
			{"cn=%u", "#x", {.cn = "#x"}, true},
			{"cn=%u", " x ", {.cn = " x "}, true},
			{"cn=%u", "\xC3\xA9", {.cn = "\\C3\\A9"}, true},
			{"cn=%u", "\\C3\\A9", {.cn = "\\C3\\A9"}, false},
			{"cn=%u", "\\C3\\A9", {.cn = "\\5CC3\\5CA9"}, true},
			{"cn=%u", "a\nb", {.cn = "a\\0Ab"}, true},
			{"cn=%u", "a'b;c", {.cn = "a'b;c"}, true},

			/* DN */
			{"dn=CN=svc,O=Acme", "app", {.dn = "CN=svc,O=Acme"}, true},
			{"dn='CN=svc, O=Acme'", "app", {.dn = "CN=svc,O=Acme"}, true},
			{"dn='CN=%u, O=Acme'", "x ", {.dn = "CN=x\\ ,O=Acme"}, true},
			{"dn=CN=svc+O=Acme", "app", {.dn = "CN=svc+O=Acme"}, true},
			{"dn=CN=svc,O=Acme", "app", {.dn = "CN=svc,O=ACME"}, false},
			{"dn=CN=svc,O=Acme", "app", {.dn = "O=Acme,CN=svc"}, false},
			{"dn=CN=svc,O=Acme", "app", {.dn = "CN=svc,O=Acme,C=DE"}, false},
			{"dn=CN=svc,O=Acme", "app", {.dn = "CN=svc"}, false},
			{"dn=CN=svc", "app", {.cn = "svc", .dn = "CN=svc\\,O=Acme"}, false},
			{"dn='CN=svc\\\\,O=Acme'", "app", {.dn = "CN=svc\\,O=Acme"}, true},
			{"dn='CN=svc\\\\,O=Acme'", "app", {.dn = "CN=svc,O=Acme"}, false},
			{"dn=CN=a,CN=b", "app", {.dn = "CN=a,CN=b"}, true},
			{"dn=CN=\xC3\xA9", "app", {.dn = "CN=\\C3\\A9"}, true},
			{"dn='CN=\\\\C3\\\\A9'", "app", {.dn = "CN=\\C3\\A9"}, true},
			{"dn=CN=%u,O=Acme", "app", {.dn = "CN=app,O=Acme"}, true},
			{"dn=CN=%%u", "app", {.dn = "CN=%u"}, true},
			{"dn=CN=%u", "a,b", {.dn = "CN=a\\,b"}, true},
			{"dn=CN=%u", "a,b", {.dn = "CN=a,b"}, false},
			{"dn=CN=%u", "#", {.dn = "CN=#"}, true},
			{"dn=CN=%u", "#x", {.dn = "CN=\\#x"}, true},
			{"dn=CN=svc-%u", "#x", {.dn = "CN=svc-#x"}, true},
			{"dn='CN=%u-svc'", "x ", {.dn = "CN=x -svc"}, true},
			{"dn='CN=%u,O=y'", "x ", {.dn = "CN=x\\ ,O=y"}, true},
			{"dn=CN=%u,O=Acme", "x,O=Evil", {.dn = "CN=x,O=Evil,O=Acme"}, false},
			{"dn=CN=%u,O=Acme", "x,O=Evil", {.dn = "CN=x\\,O=Evil,O=Acme"}, true},
			{"dn=CN=%u", "a+OU=b", {.dn = "CN=a+OU=b"}, false},
			{"dn=CN=%u", "a+OU=b", {.dn = "CN=a\\+OU=b"}, true},
			{"dn=CN=%u", "#x", {.dn = "CN=\\#x"}, true},
			{"dn=CN=%u", "#x", {.dn = "CN=#x"}, false},
			{"dn=CN=%u", " x ", {.dn = "CN=\\ x\\ "}, true},
			{"dn=CN=%u", "a\\b", {.dn = "CN=a\\\\b"}, true},
			{"dn=CN=%u", "a\"b", {.dn = "CN=a\\\"b"}, true},
			{"dn=CN=%u", "\xC3\xA9", {.dn = "CN=\\C3\\A9"}, true},
			{"dn=CN=%u", "\\C3\\A9", {.dn = "CN=\\C3\\A9"}, false},

			/* one with an attribute that does not fit its string type is none */
			{"dn=O=#1301F6", "app", {.dn = "O=#1301F6"}, true},
			{"dn=O=#1301F6", "app", {.dn = "O=#1301F6", .garbled = true}, false},
			{"dn=/^.*$", "app", {.dn = "CN=app,O=#1301F6"}, true},
			{"dn=/^.*$", "app", {.dn = "CN=app,O=#1301F6", .garbled = true}, false},
			{"dn=/^.*$ cn=app", "app", {.cn = "app", .dn = "CN=app,O=#1301F6", .garbled = true}, true},

			/* SAN */
			{"san=dns:a.example", "app", {.sans = {"dns:a.example"}}, true},
			{"san=dns:A.Example", "app", {.sans = {"dns:a.eXample"}}, true},
			{"san=dns:%u.example", "APP", {.sans = {"dns:app.example"}}, true},
			{"san=dns:a.example", "app", {.sans = {"dns:x", "uri:y", "dns:a.example"}}, true},
			{"san=dns:a.example", "app", {.sans = {"dns:b.example", "dns:aa.example"}}, false},
			{"san=dns:a", "app", {.sans = {"dns:a.example"}}, false},
			{"san=dns:a.example", "app", {.sans = {"dns:a.example."}}, false},
			{"san=dns:a.example", "app", {.sans = {"dns:a.example\\00.evil"}}, false},
			{"san=dns:a", "app", {.cn = "a", .dn = "CN=a"}, false},
			{"san=dns:a.example", "app", {.sans = {"dns:*.example"}}, false},
			{"san=dns:*.example", "app", {.sans = {"dns:a.example"}}, false},
			{"san=dns:*.example", "app", {.sans = {"dns:*.example"}}, true},
			{"san=email:a@b.example", "app", {.sans = {"email:a@b.example"}}, true},
			{"san=email:a@b.example", "app", {.sans = {"email:A@b.example"}}, false},
			{"san=email:a@b.example", "app", {.sans = {"email:a@B.example"}}, false},
			{"san=uri:spiffe://bank/db/%u", "app", {.sans = {"uri:spiffe://bank/db/app"}}, true},
			{"san=uri:spiffe://bank/db/%u", "app", {.sans = {"uri:spiffe://bank/db/App"}}, false},
			{"san=uri:spiffe://bank/db/%u", "a/b", {.sans = {"uri:spiffe://bank/db/a/b"}}, true},
			{"san=uri:x%%20%u", "a b", {.sans = {"uri:x%20a b"}}, true},
			{"san=ip:192.0.2.1", "app", {.sans = {"ip:192.0.2.1"}}, true},
			{"san=ip:192.0.2.1", "app", {.sans = {"ip:192.0.2.11"}}, false},
			{"san=ip:2001:DB8:0:0::1", "app", {.sans = {"ip:2001:db8::1"}}, true},
			{"san=dns:\xC3\xA9", "app", {.sans = {"dns:\\C3\\A9"}}, true},
			/* types never mix */
			{"san=dns:a", "app", {.sans = {"uri:a", "email:a", "othername:a", "upn:a"}}, false},
			/* user principal names: byte for byte, and the only one */
			{"san=upn:a@corp.example", "app", {.sans = {"upn:a@corp.example"}}, true},
			{"san=upn:a@corp.example", "app", {.sans = {"upn:A@corp.example"}}, false},
			{"san=upn:a@corp.example", "app", {.sans = {"upn:a@CORP.example"}}, false},
			{"san=upn:a@corp.example", "app", {.sans = {"upn:a@corp.example2"}}, false},
			{"san=upn:a@corp.example", "app", {.sans = {"email:a@corp.example", "othername:a@corp.example"}}, false},
			{"san=email:a@corp.example", "app", {.sans = {"upn:a@corp.example"}}, false},
			{"san=upn:%u@corp.example", "app", {.sans = {"dns:x", "upn:app@corp.example", "dns:y"}}, true},
			{"san=upn:%u@corp.example", "App", {.sans = {"upn:app@corp.example"}}, false},
			{"san=upn:%u@corp.example", "a@corp.example", {.sans = {"upn:a@corp.example"}}, false},
			{"san=upn:%u", "\xC3\xA9@b", {.sans = {"upn:\\C3\\A9@b"}}, true},
			{"san=upn:a san=upn:b", "app", {.sans = {"upn:b"}}, true},
			{"san=upn:a", "app", {.sans = {"upn:a", "upn:b"}}, false},
			{"san=upn:a", "app", {.sans = {"upn:b", "upn:a"}}, false},
			{"san=upn:a", "app", {.sans = {"upn:a", "upn:a"}}, false},
			{"san=upn:a", "app", {.sans = {"upn:a", "badupn:#0500"}}, false},
			{"san=upn:/^.*$", "app", {.sans = {"upn:a", "upn:b"}}, false},
			{"san=upn:/^.*$", "app", {.sans = {"badupn:#0c020061", "othername:1.2"}}, false},
			{"san=upn:/^.*$", "app", {.cn = "app"}, false},
			{"san=upn:a cn=app", "app", {.cn = "app", .sans = {"upn:a", "upn:b"}}, true},
			{"san=uri:dns:a", "app", {.sans = {"dns:a"}}, false},
			{"san=ip:192.0.2.1", "app", {.sans = {"dns:192.0.2.1"}}, false},
			{"san=dns:192.0.2.1", "app", {.sans = {"ip:192.0.2.1"}}, false},
			{"san=ip:/^.*$", "app", {.sans = {"badip:192.0.2.1", "dns:a"}}, false},
			{"san=dns:/^.*$", "app", {.sans = {"dirname:CN=a", "rid:1.2", "other:"}}, false},
			{"san=dns:/^.*$ san=email:/^.*$ san=uri:/^.*$", "app", {.sans = {"baddns:\\F6", "bademail:\\F6", "baduri:\\F6"}}, false},

			/* regular expressions */
			{"cn=/^svc-[a-z]+$", "app", {.cn = "svc-a"}, true},
			{"cn=/^svc-[a-z]+$", "app", {.cn = "svc-"}, false},
			{"cn=/^svc-[a-z]+$", "app", {.cn = "svc-A"}, false},
			{"cn=/^svc-[a-z]+$", "app", {.cn = "xsvc-a"}, false},
			{"cn=/^svc-[a-z]+$", "app", {.cn = "svc-a1"}, false},
			{"cn=/^.*$", "app", {.cn = NULL, .dn = "CN=a,CN=b"}, false},
			{"cn=/^$", "app", {.cn = "a"}, false},
			{"cn=/^$", "app", {.cn = ""}, true},
			{"cn=/^a|b$", "app", {.cn = "a"}, true},
			{"cn=/^a|b$", "app", {.cn = "b"}, true},
			{"cn=/^a|b$", "app", {.cn = "ax"}, false},
			{"cn=/^a|b$", "app", {.cn = "xb"}, false},
			{"cn=/^a|%u$", "app", {.cn = "evil-app"}, false},
			{"cn='/^\\\\\\\\C3\\\\\\\\A9$'", "app", {.cn = "\\C3\\A9"}, true},
			{"dn=/^CN=[a-z]+,O=Acme$", "app", {.dn = "CN=svc,O=Acme"}, true},
			{"dn=/^CN=[a-z]+,O=Acme$", "app", {.dn = "CN=svc,O=Acme,C=DE"}, false},
			{"dn=/^CN=.*$", "app", {.dn = "OU=CN=a"}, false},
			{"san=dns:/^[a-z]+[.]example$", "app", {.sans = {"dns:SVC.EXAMPLE"}}, true},
			{"san=uri:/^[a-z]+$", "app", {.sans = {"uri:SVC"}}, false},
			{"san=uri:/^[a-z]+$", "app", {.sans = {"uri:A", "uri:svc"}}, true},
			{"san=email:/^[a-z]+@example$", "app", {.sans = {"email:X@example"}}, false},
			{"san=uri:/^a$", "app", {.sans = {"uri:uri:a"}}, false},
			{"san=upn:/^[a-z]+@corp$", "app", {.sans = {"upn:svc@corp"}}, true},
			{"san=upn:/^[a-z]+@corp$", "app", {.sans = {"upn:SVC@corp"}}, false},
			{"san=upn:/^%u@(a|b)[.]corp$", "a.b", {.sans = {"upn:a.b@b.corp"}}, true},
			{"san=upn:/^%u@(a|b)[.]corp$", "a.b", {.sans = {"upn:axb@b.corp"}}, false},

			/* %u in them is literal, whatever the role is called */
			{"cn=/^%u$", "app", {.cn = "app"}, true},
			{"cn=/^%u-[0-9]$", "app", {.cn = "app-7"}, true},
			{"cn=/^%u$", "a.b", {.cn = "a.b"}, true},
			{"cn=/^%u$", "a.b", {.cn = "axb"}, false},
			{"cn=/^%u$", "x|y", {.cn = "x|y"}, true},
			{"cn=/^%u$", "x|y", {.cn = "x"}, false},
			{"cn=/^%u$", "x|y", {.cn = "y"}, false},
			{"cn=/^%u$", "^$", {.cn = "^$"}, true},
			{"cn=/^%u$", "^$", {.cn = ""}, false},
			{"cn=/^%u$", "a)b", {.cn = "a)b"}, true},
			{"cn=/^%u$", "a)b", {.cn = "ab"}, false},
			{"cn=/^%u$", "a)|(b", {.cn = "a)|(b"}, true},
			{"cn=/^%u$", "a)|(b", {.cn = "b"}, false},
			{"cn=/^%u$", ".*", {.cn = ".*"}, true},
			{"cn=/^%u$", ".*", {.cn = "admin"}, false},
			{"cn=/^%u$", "[a-z]{2}+?", {.cn = "[a-z]{2}+?"}, true},
			{"cn=/^%u$", "[a-z]", {.cn = "a"}, false},
			{"cn=/^%u$", "a\\b", {.cn = "a\\5Cb"}, true},
			{"cn=/^%u$", "\\w", {.cn = "a"}, false},
			{"cn=/^%u$", "\xC3\xA9", {.cn = "\\C3\\A9"}, true},
			{"cn=/^%u$", "%u", {.cn = "%u"}, true},
			{"cn=/^%%u$", "app", {.cn = "%u"}, true},
			{"cn=/^%%u$", "app", {.cn = "app"}, false},
			{"cn='/^\\\\%u$'", "app", {.cn = "%u"}, true},
			{"cn='/^\\\\%u$'", "app", {.cn = "%app"}, false},
			{"cn='/^a\\\\\\\\%u$'", "app", {.cn = "a\\app"}, true},
			{"dn=/^CN=%u,O=.*$", "a,b", {.dn = "CN=a\\,b,O=x"}, true},
			{"dn=/^CN=%u,O=.*$", "a,b", {.dn = "CN=a,b,O=x"}, false},
			{"dn=/^CN=%u,O=.*$", "a.b", {.dn = "CN=axb,O=x"}, false},
			{"san=dns:/^%u[.]example$", "a.b", {.sans = {"dns:A.B.example"}}, true},
			{"san=dns:/^%u[.]example$", "a.b", {.sans = {"dns:axb.example"}}, false},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		CertFacts	cert = named_cert(&cases[i].cert);
		Facts		facts = plain_session(&cert);
		const char *got;

		facts.role = cases[i].role;
		got = judgement_of_role(cases[i].policy, &facts);
		ok((strcmp(got, "allow") == 0) == cases[i].matches &&
			   (strcmp(got, "allow") == 0 || strncmp(got, "deny; role 1 ", 13) == 0),
		   "%s, role \"%s\", %s%s%s: %s", cases[i].policy, cases[i].role,
		   cert.cn ? cert.cn : "no CN, ", cert.cn ? ", " : "",
		   cert.nsans ? cert.sans[0] : cert.subject_dn,
		   cases[i].matches ? "matches" : "no match");
	}
}

/*
 * CN = role, byte for byte.
 */
static void
test_role_cn(void)
{
	static const struct
	{
		const char *role;
		const char *cn;
		bool		matches;
	} cases[] =
		{
			{"app", "app", true},
			{"app", "App", false},
			{"App", "app", false},
			{"app", "app2", false},
			{"app2", "app", false},
			{"app", "ap", false},
			{"app", "app\\00", false},
			{"app", "app ", false},
			{"app", NULL, false},
			{"app", "", false},
			{"", "", true},
			{"%u", "%u", true},
			{"a,b", "a,b", true},
			{"/^.*$", "/^.*$", true},
			{"/^.*$", "x", false},
			{"\xC3\xA9", "\\C3\\A9", true},
			{"\xE9", "\\C3\\A9", false},
			{"e\xCC\x81", "\\C3\\A9", false},
			{"\\C3\\A9", "\\C3\\A9", false},
			{"a\\b", "a\\5Cb", true},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		CertFacts	cert = named_cert(&(Named){.cn = cases[i].cn});
		Facts		facts = plain_session(&cert);

		facts.role = cases[i].role;
		is_str(judgement_of_role("sslmode=verify-full", &facts),
			   cases[i].matches ? "allow" : "deny; role 1 cn=role",
			   "role \"%s\", CN \"%s\"", cases[i].role,
			   cases[i].cn ? cases[i].cn : "none");
	}
}

/*
 * A subject with several CNs names nobody by CN, but it has a DN.
 */
static void
test_several_cns(void)
{
	static const struct
	{
		const char *policy;
		const char *verdict;
	} cases[] =
		{
			{"sslmode=verify-full", "deny; role 1 cn=role"},
			{"cn=app", "deny; role 1 cn"},
			{"cn=%u", "deny; role 1 cn"},
			{"cn=/^.*$", "deny; role 1 cn"},
			{"cn=app san=dns:app", "deny; role 1 cn, san"},
			{"dn=CN=app,CN=app", "allow"},
			{"dn=CN=app", "deny; role 1 dn"},
			{"sslmode=verify-ca", "allow"},
		};
	CertFacts	cert = named_cert(&(Named){.dn = "CN=app,CN=app"});
	Facts		facts = plain_session(&cert);

	cert.cn_count = 2;
	for (int i = 0; i < (int) lengthof(cases); i++)
		is_str(judgement_of_role(cases[i].policy, &facts), cases[i].verdict,
			   "two CNs, %s", cases[i].policy);
}

static int	asked;				/* matcher: how often */
static int	texts;				/* about how many texts */

static bool
counting_matcher(const char *pattern, const char *const *all, int ntexts, bool ignore_case)
{
	asked++;
	texts += ntexts;
	return posix_matches(pattern, all, ntexts, ignore_case);
}

/*
 * To compile a pattern costs much more than to match it: each is asked for once,
 * however many names a certificate has and however many rules and policies ask.
 */
static void
test_patterns_once(void)
{
	char	   *many[] = {"dns:a", "uri:x", "dns:b", "uri:y", "dns:c"};
	CertFacts	cert = named_cert(&(Named){.cn = "x"});
	Facts		facts = plain_session(&cert);
	static const char *const written[] = {
		"sslmode=verify-full",
		"san=dns:/^d$ san=uri:/^z$ san=email:/^e$",
		"sslmode=verify-full action=log; address=192.0.2.10 sslmode=verify-full; sslmode=verify-full",
		"sslmode=verify-full",
	};
	static const PolicySource sources[] = {SOURCE_MINIMUM, SOURCE_ROLE, SOURCE_GROUP, SOURCE_DATABASE};
	AppliedPolicy applied[lengthof(written)] = {{0}};

	cert.sans = many;
	cert.nsans = lengthof(many);
	for (int i = 0; i < (int) lengthof(written); i++)
	{
		applied[i].source = sources[i];
		applied[i].name = "app";
		applied[i].policy = must_parse(written[i], i == 0 ? PLACE_MINIMUM : PLACE_ROLE);
	}
	ok(evaluate(applied, lengthof(written), &facts, counting_matcher, NOW)->outcome == OUTCOME_FAILED, "no name matches");
	ok(asked == 2, "each pattern that has candidates is asked for once (%d)", asked);
	ok(texts == 5, "about all of them (%d)", texts);

	/* where it is not known which rule decides, several checks ask */
	asked = 0;
	facts.unknown = UNKNOWN_ADDRESS | UNKNOWN_DATABASE;
	applied[2].policy = must_parse("address=192.0.2.10 sslmode=verify-full; address=192.0.2.11 sslmode=verify-full; database=x sslmode=verify-full; sslmode=verify-full", PLACE_ROLE);
	(void) evaluate(applied, lengthof(written), &facts, counting_matcher, NOW);
	ok(asked == 2, "also of rules that may decide (%d)", asked);
}

/*
 * Whose names count.  The role is "app", the session is from 192.0.2.10.
 */
static void
test_sources(void)
{
	static const struct
	{
		const char *cn;
		Written		written[MAX_WRITTEN];
		const char *verdict;
	} cases[] =
		{
			/* nobody asks for a name */
			{"x", {ROLE("sslmode=verify-ca"), DATABASE("sslmode=require")}, "allow"},

			/* nobody gives one: CN = role, listed once */
			{"app", {ROLE("sslmode=verify-full")}, "allow"},
			{"x", {DATABASE("sslmode=verify-full")}, "deny; database 1 cn=role"},
			{"app", {MINIMUM("sslmode=verify-full"), ROLE("sslmode=prefer")}, "allow"},
			{"x", {MINIMUM("sslmode=verify-full"), ROLE("sslmode=verify-full"), GROUP("g1", "sslmode=verify-full"), DATABASE("sslmode=verify-full")}, "deny; minimum 1 cn=role"},
			{"x", {DEFAULT("sslmode=verify-full")}, "deny; default 1 cn=role"},

			/* the role's own */
			{"svc", {ROLE("cn=svc")}, "allow"},
			{"app", {ROLE("cn=svc")}, "deny; role 1 cn"},
			{"svc", {MINIMUM("sslmode=verify-full"), ROLE("cn=svc")}, "allow"},
			{"app", {MINIMUM("sslmode=verify-full"), ROLE("cn=svc")}, "deny; role 1 cn"},
			{"svc", {ROLE("cn=svc"), DATABASE("sslmode=verify-full")}, "allow"},
			{"app", {ROLE("cn=svc"), DATABASE("sslmode=verify-full")}, "deny; role 1 cn"},
			/* before those of groups */
			{"svc", {ROLE("cn=svc"), GROUP("g1", "cn=other")}, "allow"},
			{"other", {ROLE("cn=svc"), GROUP("g1", "cn=other")}, "deny; role 1 cn"},

			/* else those of groups, before the default's and CN = role */
			{"svc", {ROLE("sslmode=verify-full"), GROUP("g1", "cn=svc")}, "allow"},
			{"app", {ROLE("sslmode=verify-full"), GROUP("g1", "cn=svc")}, "deny; g1 1 cn"},
			{"app", {ROLE("sslmode=prefer"), GROUP("g1", "cn=svc")}, "deny; g1 1 cn"},
			{"svc", {DEFAULT("cn=d"), GROUP("g1", "cn=svc")}, "allow"},
			{"d", {DEFAULT("cn=d"), GROUP("g1", "cn=svc")}, "deny; g1 1 cn"},
			/* all groups that have any */
			{"b", {ROLE("sslmode=verify-full"), GROUP("g1", "cn=a cn=b"), GROUP("g2", "cn=b cn=c")}, "allow"},
			{"a", {ROLE("sslmode=verify-full"), GROUP("g1", "cn=a cn=b"), GROUP("g2", "cn=b cn=c")}, "deny; g2 1 cn"},
			{"c", {ROLE("sslmode=verify-full"), GROUP("g1", "cn=a cn=b"), GROUP("g2", "cn=b cn=c")}, "deny; g1 1 cn"},
			{"app", {ROLE("sslmode=verify-full"), GROUP("g1", "cn=a cn=b"), GROUP("g2", "cn=b cn=c")}, "deny; g1 1 cn; g2 1 cn"},
			{"svc", {GROUP("g1", "sslmode=verify-full"), GROUP("g2", "cn=svc"), GROUP("g3", "sslmode=require")}, "allow"},
			{"app", {GROUP("g1", "sslmode=verify-full"), GROUP("g2", "cn=svc"), GROUP("g3", "sslmode=require")}, "deny; g2 1 cn"},

			/* else the default's */
			{"d", {DEFAULT("cn=d"), GROUP("g1", "sslmode=verify-full")}, "allow"},
			{"app", {DEFAULT("cn=d"), DATABASE("sslmode=verify-full")}, "deny; default 1 cn"},

			/* only rules that decide give names */
			{"app", {ROLE("address=10.0.0.0/8 cn=svc; sslmode=verify-full")}, "allow"},
			{"svc", {ROLE("address=10.0.0.0/8 cn=svc; sslmode=verify-full")}, "deny; role 2 cn=role"},
			{"svc", {ROLE("address=192.0.2.10 cn=svc; cn=other")}, "allow"},
			{"other", {ROLE("address=192.0.2.10 cn=svc; cn=other")}, "deny; role 1 cn"},
			{"other", {ROLE("address=10.0.0.0/8 cn=svc; cn=other")}, "allow"},
			{"g", {ROLE("address=10.0.0.0/8 cn=svc; sslmode=verify-full"), GROUP("g1", "cn=g")}, "allow"},

			/* action=log: its names are its own business */
			{"app", {ROLE("cn=x action=log; sslmode=verify-full")}, "allow; role 1 cn (log)"},
			{"x", {ROLE("cn=x action=log; sslmode=verify-full")}, "deny; role 2 cn=role"},
			{"g", {ROLE("cn=x action=log; sslmode=require"), GROUP("g1", "cn=g")}, "allow; role 1 cn (log)"},
			{"x", {ROLE("sslmode=verify-full action=log; sslmode=prefer")}, "allow; role 1 cn=role (log)"},
			{"app", {ROLE("sslmode=verify-full action=log; sslmode=prefer")}, "allow"},
			/* without names it asks for those that the session would need */
			{"svc", {MINIMUM("sslmode=verify-full action=log; sslmode=require"), ROLE("cn=svc")}, "allow"},
			{"app", {MINIMUM("sslmode=verify-full action=log; sslmode=require"), ROLE("cn=svc")}, "deny; role 1 cn (log); role 1 cn"},
			/* what is only logged does not stand for what is enforced */
			{"x", {MINIMUM("sslmode=verify-full action=log; sslmode=require"), ROLE("sslmode=verify-full")}, "deny; minimum 1 cn=role (log); role 1 cn=role"},

			/* a policy that cannot be read gives no names and denies */
			{"app", {MINIMUM("sslmode=verify-full"), ROLE(UNREADABLE)}, "deny; role 0 sslmode"},
			{"x", {MINIMUM("sslmode=verify-full"), ROLE(UNREADABLE)}, "deny; minimum 1 cn=role; role 0 sslmode"},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		CertFacts	cert = named_cert(&(Named){.cn = cases[i].cn});
		Facts		facts = plain_session(&cert);
		StringInfoData policies;

		initStringInfo(&policies);
		for (const Written *w = cases[i].written; w->text; w++)
			appendStringInfo(&policies, "%s[%s] ", w->name ? w->name : w->source == SOURCE_MINIMUM ? "minimum" :
																									 "default",
							 w->text);
		is_str(judgement(cases[i].written, &facts), cases[i].verdict, "%sCN %s",
			   policies.data, cases[i].cn);
	}
}

/*
 * sslmode=cert: pg_hba's map has decided, names given must hold as well.
 */
static void
test_method_cert(void)
{
	static const struct
	{
		const char *cn;
		Written		written[MAX_WRITTEN];
		const char *verdict;
	} cases[] =
		{
			{"x", {ROLE("sslmode=cert")}, "allow"},
			{"svc", {ROLE("sslmode=cert cn=svc")}, "allow"},
			{"app", {ROLE("sslmode=cert cn=svc")}, "deny; role 1 cn"},
			{"app", {ROLE("sslmode=cert san=dns:svc cn=svc")}, "deny; role 1 cn, san"},
			{"app", {GROUP("g1", "sslmode=cert cn=a"), GROUP("g2", "sslmode=cert cn=b")}, "deny; g1 1 cn; g2 1 cn"},
			/* also where the role's own names are others */
			{"svc", {ROLE("cn=svc"), GROUP("g1", "sslmode=cert cn=g")}, "deny; g1 1 cn"},
			{"both", {ROLE("cn=svc cn=both"), GROUP("g1", "sslmode=cert cn=g cn=both")}, "allow"},
			/* another policy's verify-full still asks for a name */
			{"app", {MINIMUM("sslmode=verify-full"), ROLE("sslmode=cert")}, "allow"},
			{"x", {MINIMUM("sslmode=verify-full"), ROLE("sslmode=cert")}, "deny; minimum 1 cn=role"},
			{"svc", {MINIMUM("sslmode=verify-full"), ROLE("sslmode=cert cn=svc")}, "allow"},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		CertFacts	cert = named_cert(&(Named){.cn = cases[i].cn});
		Facts		facts = plain_session(&cert);

		facts.auth_method = "cert";
		is_str(judgement(cases[i].written, &facts), cases[i].verdict,
			   "method cert, case %d, CN %s", i + 1, cases[i].cn);
	}
}

/*
 * What is compared at all is bounded, over all policies.
 */
static void
test_work(void)
{
	enum
	{
		POLICIES = 5,
		COST = 1200,			/* of the pattern */
		BYTES = 100000
	};
	char	   *cn = palloc(BYTES);
	AppliedPolicy applied[POLICIES] = {{0}};
	CertFacts	cert;
	Facts		facts;
	Verdict    *verdict;

	memset(cn, 'x', BYTES - REGEX_COMPILE_BYTES);
	cn[BYTES - REGEX_COMPILE_BYTES] = '\0';
	cert = named_cert(&(Named){.cn = cn});
	facts = plain_session(&cert);
	for (int i = 0; i < POLICIES; i++)
	{
		applied[i].source = SOURCE_GROUP;
		applied[i].name = "app";
		applied[i].policy = must_parse("cn=/^a{200}b{200}$ dn='CN=none'", PLACE_ROLE);
	}

	asked = 0;
	verdict = evaluate(applied, POLICIES, &facts, counting_matcher, NOW);
	ok(asked == REGEX_MAX_WORK / ((int64) COST * BYTES), "as many as may be are tried (%d)", asked);
	ok(verdict->regex_skipped && verdict->outcome == OUTCOME_FAILED, "the others do not match");
	verdict = evaluate(applied, asked, &facts, counting_matcher, NOW);
	ok(!verdict->regex_skipped, "with fewer policies none is left out");
	cert.cn = "x";
	verdict = evaluate(applied, POLICIES, &facts, counting_matcher, NOW);
	ok(!verdict->regex_skipped, "nor with a short name");
}

int
main(void)
{
	test_matching();
	test_role_cn();
	test_several_cns();
	test_patterns_once();
	test_work();
	test_sources();
	test_method_cert();
	return done_testing();
}
