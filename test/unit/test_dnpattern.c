/*-------------------------------------------------------------------------
 *
 * test_dnpattern.c
 *		Patterns for DNs that what stands in another attribute can match.
 *
 * For each that is said to be unsafe there is a subject that shows it.
 *
 *-------------------------------------------------------------------------
 */
#include "policy/dnpattern.h"
#include "session.h"
#include "tap.h"

static const struct
{
	const char *pattern;
	const char *shown_by;		/* subject that has no CN=bob; NULL: it is safe */
} cases[] = {
	{"^(.*,)?CN=%u(,.*)?$", "O=x\\,CN=bob"},
	{"^([^,]*,)?CN=%u(,.*)?$", "O=x\\,CN=bob"},
	{"^.*,CN=%u$", "O=x\\,CN=bob"},
	{"^.*CN=%u.*$", "O=CN=bob"},
	{"^.+,CN=%u,O=Acme$", "OU=x\\,CN=bob,O=Acme"},
	{"^OU=[^,]+,CN=%u$", "OU=x\\,CN=bob"},
	{"^OU=\\S+,CN=%u$", "OU=x\\,CN=bob"},
	{"^OU=[[:graph:]]+,CN=%u$", "OU=x\\,CN=bob"},
	{"^OU=[A-z]+,CN=%u$", "OU=x\\,CN=bob"},
	{"^(OU=a|.*),CN=%u$", "O=x\\,CN=bob"},
	{"^(?:OU=.{1,9}),CN=%u$", "OU=x\\,CN=bob"},
	{"^CN=%u$", NULL},
	{"^CN=%u,.*$", NULL},
	{"^CN=%u(,.*)?$", NULL},
	{"^CN=(%u|admin),O=Acme$", NULL},
	{"^(CN=%u,.*|CN=%u)$", NULL},
	{"^([^,\\\\]*,)?CN=%u(,.*)?$", NULL},
	{"^(([^,\\\\]|\\\\.)*,)?CN=%u(,.*)?$", NULL},
	{"^OU=[A-Za-z0-9 ]+,CN=%u$", NULL},
	{"^OU=\\w+,CN=%u$", NULL},
	{"^UID=[0-9]{1,9}\\+CN=%u$", NULL},
	{"^OU=[]a]+,CN=%u$", NULL},
	{"^CN=%u\\.acme,O=A[.]B$", NULL},
	{"^.*$", NULL},
	{"^.*.*$", NULL},
};

int
main(void)
{
	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		CertFacts	cert = plain_cert();
		Facts		facts = plain_session(&cert);
		StringInfoData policy;

		is_int(matches_other_attributes(cases[i].pattern), cases[i].shown_by != NULL,
			   "%s is %s", cases[i].pattern, cases[i].shown_by ? "not safe" : "safe");
		/* what POSIX has not */
		if (cases[i].shown_by == NULL || strstr(cases[i].pattern, "(?:") || strstr(cases[i].pattern, "\\S"))
			continue;
		initStringInfo(&policy);
		appendStringInfo(&policy, "dn='/%s'", cases[i].pattern);
		facts.role = "bob";
		cert.subject_dn = (char *) cases[i].shown_by;
		is_str(judgement_of_role(policy.data, &facts), "allow", "as %s shows", cases[i].shown_by);
	}
	return done_testing();
}
