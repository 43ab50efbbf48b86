/*-------------------------------------------------------------------------
 *
 * test_attributes.c
 *		Single attributes of the subject: uid, email, ou and o; and ignore_case.
 *
 *-------------------------------------------------------------------------
 */
#include "policy/checktext.h"
#include "session.h"
#include "tap.h"

typedef struct Case
{
	const char *policy;
	const char *role;
	const char *cn;
	const char *dn;
	const char *verdict;
} Case;

/*
 * Backslashes: C halves them first, then the policy language.
 */
static const Case cases[] = {
	/* names like cn */
	{"uid=app", "app", NULL, "UID=app,O=Acme", "allow"},
	{"uid=%u", "app", NULL, "O=Acme,UID=app", "allow"},
	{"uid=%u", "app", NULL, "O=Acme+UID=app", "allow"},
	{"uid=%u", "app", NULL, "UID=App", "deny; role 1 uid"},
	{"uid=%u", "app", NULL, "UID=app2", "deny; role 1 uid"},
	{"uid=%u", "app", "app", "CN=app", "deny; role 1 uid"},
	{"uid=%u", "app", NULL, "uid=app", "deny; role 1 uid"},
	{"uid=%u", "app", NULL, "0.9.2342.19200300.100.1.1=app", "deny; role 1 uid"},
	{"uid=%u", "app", NULL, "", "deny; role 1 uid"},
	{"uid=a uid=app", "app", NULL, "UID=app", "allow"},
	{"cn=x uid=app", "app", "y", "UID=app,CN=y", "allow"},
	{"cn=x uid=app", "app", "y", "UID=b,CN=y", "deny; role 1 cn, uid"},
	{"uid=%%u", "app", NULL, "UID=%u", "allow"},
	{"email=%u@acme.example", "app", NULL, "emailAddress=app@acme.example", "allow"},
	{"email=%u@acme.example", "app", NULL, "emailAddress=app@ACME.example", "deny; role 1 email"},
	{"email=%u@acme.example", "app", NULL, "mail=app@acme.example", "deny; role 1 email"},
	{"email=/^%u@.*$", "app", NULL, "emailAddress=app@acme.example", "allow"},
	{"email=/^%u@.*$", "app", NULL, "emailAddress=bapp@acme.example", "deny; role 1 email"},
	{"uid=/^a[0-9]+$", "app", NULL, "CN=x,UID=a12", "allow"},
	{"uid=/^.*$", "app", NULL, "CN=x", "deny; role 1 uid"},

	/* twice names nobody, also if it is the same, or in one RDN */
	{"uid=%u", "app", NULL, "UID=app,UID=app", "deny; role 1 uid"},
	{"uid=%u", "app", NULL, "UID=app,UID=other", "deny; role 1 uid"},
	{"uid=%u", "app", NULL, "UID=app+UID=other", "deny; role 1 uid"},
	{"uid=%u", "app", NULL, "UID=app,UID=#0403617070", "deny; role 1 uid"},
	{"uid=/^.*$", "app", NULL, "UID=app,O=x,UID=app", "deny; role 1 uid"},
	{"email=app email=b", "app", NULL, "emailAddress=app,emailAddress=b", "deny; role 1 email"},

	/* what stands in another attribute is none of its own */
	{"uid=bob", "bob", NULL, "O=x\\,UID=bob", "deny; role 1 uid"},
	{"uid=bob", "bob", NULL, "O=x\\,UID=bob,UID=carol", "deny; role 1 uid"},
	{"uid=carol", "bob", NULL, "O=x\\,UID=bob,UID=carol", "allow"},
	{"uid=bob", "bob", NULL, "O=x\\+UID=bob", "deny; role 1 uid"},
	{"uid=bob", "bob", NULL, "O=x\\\\,UID=bob", "allow"},
	{"uid=bob", "bob", NULL, "O=x\\0A\\,UID=bob", "deny; role 1 uid"},

	/* bytes, not spellings */
	{"uid='a,b'", "app", NULL, "UID=a\\,b", "allow"},
	{"uid='a\\\\,b'", "app", NULL, "UID=a\\,b", "deny; role 1 uid"},
	{"uid='a\\\\b'", "app", NULL, "UID=a\\\\b", "allow"},
	{"uid=%u", "#x", NULL, "UID=\\#x", "allow"},
	{"uid=%u", "a=b+c", NULL, "UID=a=b\\+c", "allow"},
	{"uid=%u", " x ", NULL, "UID=\\ x\\ ", "allow"},
	{"uid=%u", "x", NULL, "UID=x\\ ", "deny; role 1 uid"},
	{"uid=%u", "\xC3\xA9", NULL, "UID=\\C3\\A9", "allow"},
	{"uid=\xC3\xA9", "app", NULL, "UID=\\C3\\A9", "allow"},
	{"uid=%u", "app", NULL, "UID=app\\00", "deny; role 1 uid"},
	{"uid=%u", "app", NULL, "UID=app\\00b", "deny; role 1 uid"},
	/* a value that is no text */
	{"uid=%u", "app", NULL, "UID=#0403617070", "deny; role 1 uid"},
	{"uid=%u", "#0403617070", NULL, "UID=#0403617070", "deny; role 1 uid"},
	{"uid=%u", "#0403617070", NULL, "UID=\\#0403617070", "allow"},
	/* what cannot be read says nothing */
	{"uid=%u", "app", NULL, "UID=app,x", "deny; role 1 uid"},

	/* requirements: they hold in addition, and name nobody */
	{"ou=Finance", "app", NULL, "OU=Finance", "allow"},
	{"ou=Finance", "app", NULL, "OU=finance", "deny; role 1 ou"},
	{"ou=Finance", "app", NULL, "OU=Finance West", "deny; role 1 ou"},
	{"ou=Finance", "app", NULL, "CN=Finance,O=Finance", "deny; role 1 ou"},
	{"ou=Finance", "app", NULL, "O=x\\,OU=Finance", "deny; role 1 ou"},
	{"ou=West ou=Finance", "app", NULL, "OU=Finance", "allow"},
	{"o=Acme", "app", NULL, "O=Acme", "allow"},
	{"o='Acme, Inc.'", "app", NULL, "O=Acme\\, Inc.", "allow"},
	{"o=100%", "app", NULL, "O=100%", "allow"},
	{"o=%%", "app", NULL, "O=%", "deny; role 1 o"},
	{"o=Acme", "app", NULL, "OU=Acme", "deny; role 1 o"},
	{"o=Acme ou=Finance", "app", NULL, "OU=Finance,O=Acme", "allow"},
	{"o=Acme ou=Finance", "app", NULL, "OU=Finance,O=Evil", "deny; role 1 o"},
	{"o=Acme ou=Finance", "app", NULL, "OU=West,O=Acme", "deny; role 1 ou"},
	/* one of several is enough */
	{"ou=Finance", "app", NULL, "OU=West,OU=Finance,O=Acme", "allow"},
	{"ou=Finance", "app", NULL, "OU=West+OU=Finance", "allow"},
	{"ou=Finance", "app", NULL, "OU=#0C0746696E616E6365", "deny; role 1 ou"},
	{"cn=%u ou=Finance", "app", "app", "CN=app,OU=Finance", "allow"},
	{"cn=%u ou=Finance", "app", "app", "CN=app,OU=West", "deny; role 1 ou"},
	{"cn=%u ou=Finance", "app", "bob", "CN=bob,OU=Finance", "deny; role 1 cn"},
	{"cn=%u ou=Finance", "app", "bob", "CN=bob,OU=West", "deny; role 1 ou; role 1 cn"},
	{"sslmode=verify-full ou=Finance", "app", "bob", "CN=bob,OU=Finance", "deny; role 1 cn=role"},

	/* the certificate's name is folded, nothing else */
	{"cn=%u ignore_case=on", "app", "APP", "CN=APP", "allow"},
	{"cn=%u ignore_case=on", "app", "app", "CN=app", "allow"},
	{"cn=%u ignore_case=on", "App", "APP", "CN=APP", "deny; role 1 cn"},
	{"cn=%u ignore_case=on", "App", "App", "CN=App", "deny; role 1 cn"},
	{"cn=%u ignore_case=on", "APP", "APP", "CN=APP", "deny; role 1 cn"},
	{"cn=%u ignore_case=on", "app", "APPS", "CN=APPS", "deny; role 1 cn"},
	{"cn=%u ignore_case=off", "app", "APP", "CN=APP", "deny; role 1 cn"},
	{"cn=%u", "app", "APP", "CN=APP", "deny; role 1 cn"},
	{"cn=svc-%u ignore_case=on", "app", "SVC-App", "CN=SVC-App", "allow"},
	{"cn=svc ignore_case=on", "app", "Svc", "CN=Svc", "allow"},
	{"ignore_case=on cn=x cn=svc", "app", "SVC", "CN=SVC", "allow"},
	{"uid=%u ignore_case=on", "app", NULL, "UID=APP", "allow"},
	{"email=%u@acme.example ignore_case=on", "app", NULL, "emailAddress=App@Acme.Example", "allow"},
	{"uid=%u ignore_case=on", "app", NULL, "UID=APP,UID=app", "deny; role 1 uid"},
	/* ASCII letters only; digits of escapes are no letters */
	{"cn=%u ignore_case=on", "\xC3\xA9", "\\C3\\89", "CN=\\C3\\89", "deny; role 1 cn"},
	{"cn=%u ignore_case=on", "\xC3\xA9", "\\C3\\A9", "CN=\\C3\\A9", "allow"},
	{"cn=%u ignore_case=on", "i", "\\C4\\B0", "CN=\\C4\\B0", "deny; role 1 cn"},
	{"cn=%u ignore_case=on", "k", "\\E2\\84\\AA", "CN=\\E2\\84\\AA", "deny; role 1 cn"},
	{"cn=%u ignore_case=on", "a[", "A{", "CN=A{", "deny; role 1 cn"},
	{"cn=%u ignore_case=on", "corp\\bob", "CORP\\5CBOB", "CN=CORP\\\\BOB", "allow"},
	/* not of other names in the rule, nor of requirements */
	{"cn=x dn=CN=app ignore_case=on", "app", "APP", "CN=APP", "deny; role 1 cn, dn"},
	{"cn=x cn=/^app$ ignore_case=on", "app", "APP", "CN=APP", "deny; role 1 cn"},
	{"cn=%u ou=finance ignore_case=on", "app", "app", "CN=app,OU=Finance", "deny; role 1 ou"},
};

static void
test_matching(void)
{
	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		CertFacts	cert = plain_cert();
		Facts		facts = plain_session(&cert);

		cert.cn = (char *) cases[i].cn;
		cert.cn_count = cert.cn ? 1 : 0;
		cert.subject_dn = (char *) cases[i].dn;
		facts.role = cases[i].role;
		is_str(judgement_of_role(cases[i].policy, &facts), cases[i].verdict,
			   "%s, role \"%s\", subject \"%s\"", cases[i].policy, cases[i].role, cases[i].dn);
	}
}

/*
 * No certificate names two roles: of all spellings of a role, one is named.
 */
static void
test_one_role(void)
{
	static const char *const names[] = {"bob", "Bob", "bOb", "boB", "BOb", "BoB", "bOB", "BOB"};

	for (int c = 0; c < (int) lengthof(names); c++)
	{
		CertFacts	cert = plain_cert();
		int			named = 0;

		cert.cn = (char *) names[c];
		cert.cn_count = 1;
		for (int r = 0; r < (int) lengthof(names); r++)
		{
			Facts		facts = plain_session(&cert);

			facts.role = names[r];
			named += strcmp(judgement_of_role("cn=%u ignore_case=on", &facts), "allow") == 0;
		}
		is_int(named, 1, "CN=%s names one role", names[c]);
	}
}

/*
 * Of a subject that was cut nothing is known: the rest may have another.
 */
static void
test_cut(void)
{
	static const struct
	{
		const char *policy;
		const char *dn;
		bool		cut;
		Outcome		outcome;
	} subjects[] = {
		{"uid=app", "UID=app,O=Ac[cut]", true, OUTCOME_UNKNOWN},
		{"uid=app", "UID=app,O=Ac[cut]", false, OUTCOME_OK},
		{"uid=app", "UID=app,O=Acme", true, OUTCOME_OK},
		{"uid=app", "UID=b,O=Acme", true, OUTCOME_UNKNOWN},
		{"uid=app", "[cut]", true, OUTCOME_UNKNOWN},
		{"ou=Finance", "OU=Finance,O=Ac[cut]", true, OUTCOME_UNKNOWN},
		{"ou='Fin[cut]'", "OU=Fin[cut]", true, OUTCOME_UNKNOWN},
		{"ou='Fin[cut]'", "OU=Fin[cut]", false, OUTCOME_OK},
		{"ou=Finance", "OU=Finance,O=Acme", true, OUTCOME_OK},
		{"ou=Finance", "OU=West", false, OUTCOME_FAILED},
	};

	for (int i = 0; i < (int) lengthof(subjects); i++)
	{
		CertFacts	cert = plain_cert();
		Facts		facts = plain_session(&cert);
		Written		written[] = {ROLE(subjects[i].policy), {0}};

		cert.subject_dn = (char *) subjects[i].dn;
		cert.cut = subjects[i].cut;
		is_int(judge(written, &facts, NOW)->outcome, subjects[i].outcome,
			   "%s, subject \"%s\"%s", subjects[i].policy, subjects[i].dn, subjects[i].cut ? ", cut" : "");
	}
}

/*
 * A subject with bytes that do not fit their string type names nobody, and is nobody's.
 */
static void
test_garbled(void)
{
	static const char *const policies[] = {"uid=%u", "uid=/^.*$", "email=a@b", "cn=%u ou=Finance", "cn=%u o=Acme", "dn=/^.*$"};

	for (int garbled = 0; garbled < 2; garbled++)
		for (int i = 0; i < (int) lengthof(policies); i++)
		{
			CertFacts	cert = plain_cert();
			Facts		facts = plain_session(&cert);
			Written		written[] = {ROLE(policies[i]), {0}};

			cert.cn = "app";
			cert.cn_count = 1;
			cert.subject_dn = "UID=app,CN=app,OU=Finance,O=Acme,emailAddress=a@b";
			cert.subject_garbled = garbled != 0;
			is_int(judge(written, &facts, NOW)->outcome, garbled ? OUTCOME_FAILED : OUTCOME_OK,
				   "%s, %s", policies[i], garbled ? "garbled" : "as it should be");
		}
}

/*
 * What was required, and what was found.
 */
static void
test_words(void)
{
	static const struct
	{
		const char *policy;
		const char *keys;
		const char *required;
		const char *actual;
	} texts[] = {
		{"uid=%u email=a@b cn=x ignore_case=on", "cn, uid, email", "cn=x or uid=%u or email=a@b ignore_case=on",
		 "cn=y, uid=1, uid=2, no emailAddress, several UIDs"},
		{"email=a@b", "email", "email=a@b", "no emailAddress"},
		{"ou=Finance ou=West", "ou", "ou=Finance or ou=West", "ou=East, ou=[no text]"},
		{"o=Acme", "o", "o=Acme", "no O"},
	};

	for (int i = 0; i < (int) lengthof(texts); i++)
	{
		CertFacts	cert = plain_cert();
		Facts		facts = plain_session(&cert);
		Written		written[] = {ROLE(texts[i].policy), {0}};
		Verdict    *verdict;
		const Check *check;

		cert.cn = "y";
		cert.subject_dn = "UID=1,UID=2,OU=East,OU=#0401,CN=y";
		verdict = judge(written, &facts, NOW);
		check = &verdict->checks[verdict->nchecks - 1];
		is_str(check_keys(check), texts[i].keys, "%s: its keys", texts[i].policy);
		is_str(check_required(check, "app"), texts[i].required, "what it requires");
		is_str(check_actual(check, &facts), texts[i].actual, "what was found");
	}
}

int
main(void)
{
	test_matching();
	test_one_role();
	test_cut();
	test_garbled();
	test_words();
	return done_testing();
}
