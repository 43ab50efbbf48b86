/*-------------------------------------------------------------------------
 *
 * session.c
 *		Sessions and policies for the tests of evaluate.c, in few words.
 *
 * Policies are parsed from the text that a DBA would write, and a verdict
 * becomes one line that names everything it says, so that a table can have it.
 *
 *-------------------------------------------------------------------------
 */
#include "session.h"

#include "policy/checktext.h"

#include <ctype.h>
#include <regex.h>

/*
 * A policy that the test takes to be good; the program ends if it is not.
 */
Policy *
must_parse(const char *text, PolicyPlace place)
{
	PolicyError error;
	Policy	   *policy = parse_policy(text, place, NULL, &error);

	if (policy == NULL)
	{
		fprintf(stderr, "the policy \"%s\" of a test is bad: %s\n",
				text, error.message);
		exit(2);
	}
	return policy;
}

/*
 * The verdict on a session to which these policies apply, in this order.
 */
Verdict *
judge(const Written *written, const Facts *facts, int64 now)
{
	static const PolicyPlace places[] = {
		[SOURCE_MINIMUM] = PLACE_MINIMUM,
		[SOURCE_ROLE] = PLACE_ROLE,
		[SOURCE_DEFAULT] = PLACE_DEFAULT,
		[SOURCE_GROUP] = PLACE_ROLE,
		[SOURCE_DATABASE] = PLACE_DATABASE,
	};
	AppliedPolicy *applied = palloc0(sizeof(AppliedPolicy) * MAX_WRITTEN);
	int			count = 0;

	for (; count < MAX_WRITTEN && written[count].text; count++)
	{
		const Written *w = &written[count];

		applied[count].source = w->source;
		applied[count].name = w->name;
		if (strcmp(w->text, UNREADABLE) == 0)
			applied[count].error = "it is not readable";
		else
			applied[count].policy = must_parse(w->text, places[w->source]);
	}
	return evaluate(applied, count, facts, posix_matches, now);
}

static const char *
source_name(const AppliedPolicy *applied)
{
	if (applied->name != NULL)
		return applied->name;
	return applied->source == SOURCE_MINIMUM ? "minimum" : "default";
}

/*
 * A verdict as "allow" or "deny", and behind that each failed check as
 * "; SOURCE RULE KEYS", with " (log)" if it is only reported.  The keys are
 * "cn=role" where the name is CN = role by rule.
 */
const char *
verdict_text(const Verdict *verdict)
{
	StringInfoData buf;
	bool		allow = true;
	bool		logged = false;

	initStringInfo(&buf);
	appendStringInfoString(&buf, (verdict->outcome == OUTCOME_OK) ? "allow" : "deny");
	for (int i = 0; i < verdict->nchecks; i++)
	{
		const Check *check = &verdict->checks[i];

		if (check->outcome == OUTCOME_OK)
			continue;
		appendStringInfo(&buf, "; %s %d %s%s%s", source_name(check->applied),
						 check->rule, check_keys(check),
						 check->role_cn ? "=role" : "",
						 check->log_only ? " (log)" : "");
		if (check->log_only)
			logged = true;
		else
			allow = false;
	}
	if (allow != (verdict->outcome == OUTCOME_OK) || logged != verdict->logged)
		appendStringInfo(&buf, "; allow and logged contradict the checks");
	return buf.data;
}

const char *
judgement(const Written *written, const Facts *facts)
{
	return verdict_text(judge(written, facts, NOW));
}

/*
 * The verdict where only the role has a policy.
 */
const char *
judgement_of_role(const char *text, const Facts *facts)
{
	Written		written[] = {ROLE(text), {0}};

	return judgement(written, facts);
}

/*
 * A matcher for what the tests need of PostgreSQL's advanced regular
 * expressions: (?: is a group and a backslash makes any character that is
 * neither letter nor digit a literal, which it does not in POSIX.  No escapes
 * in brackets.
 */
bool
posix_matches(const char *pattern, const char *const *texts, int ntexts, bool ignore_case)
{
	StringInfoData buf;
	regex_t		regex;
	bool		result = false;

	initStringInfo(&buf);
	for (const char *c = pattern; *c; c++)
	{
		if (strncmp(c, "(?:", 3) == 0)
		{
			appendStringInfoChar(&buf, '(');
			c += 2;
		}
		else if (c[0] == '\\' && c[1] != '\0' && !isalnum((unsigned char) c[1]))
		{
			c++;
			appendStringInfo(&buf, *c == '^' || *c == '\\' ? "\\%c" : "[%c]", *c);
		}
		else
			appendStringInfoChar(&buf, *c);
	}
	if (regcomp(&regex, buf.data,
				REG_EXTENDED | REG_NOSUB | (ignore_case ? REG_ICASE : 0)) != 0)
		return false;
	for (int i = 0; i < ntexts && !result; i++)
		result = regexec(&regex, texts[i], 0, NULL, 0) == 0;
	regfree(&regex);
	return result;
}

/*
 * A certificate that names role "app" and nothing else; valid for a day on
 * either side of NOW.
 */
CertFacts
plain_cert(void)
{
	CertFacts	cert = {
		.subject_dn = "CN=app",
		.issuer_dn = "CN=Acme Root,O=Acme",
		.cn = "app",
		.cn_count = 1,
		.serial = "1",
		.key_algorithm = "EC",
		.key_bits = 256,
		.signature_algorithm = "ecdsa-with-SHA256",
		.not_before = NOW - DAY,
		.not_after = NOW + DAY,
	};

	memset(cert.fingerprint, 0x11, FINGERPRINT_LEN);
	return cert;
}

/*
 * A session of role "app" on database "shop" from 192.0.2.10 over TLSv1.3,
 * with a verified certificate (or none) and a password.
 */
Facts
plain_session(const CertFacts *cert)
{
	Facts		facts = {
		.role = "app",
		.database = "shop",
		.address_len = 4,
		.address = {192, 0, 2, 10},
		.ssl = true,
		.tls_version = TLS_1_3,
		.version = "TLSv1.3",
		.cipher = "TLS_AES_256_GCM_SHA384",
		.bits = 256,
		.verified = cert != NULL,
		.cert = cert,
		.auth_method = "scram-sha-256",
	};

	return facts;
}
