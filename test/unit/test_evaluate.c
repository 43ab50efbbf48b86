/*-------------------------------------------------------------------------
 *
 * test_evaluate.c
 *		Requirements: which sessions meet each key, and which just do not.
 *
 * Which rule of a policy decides is in test_match.c, which name a certificate
 * must have in test_names.c.
 *
 *-------------------------------------------------------------------------
 */
#include "policy/checktext.h"
#include "session.h"
#include "tap.h"

#define FP_00 "0000000000000000000000000000000000000000000000000000000000000000"
#define FP_11 "1111111111111111111111111111111111111111111111111111111111111111"
#define FP_22 "2222222222222222222222222222222222222222222222222222222222222222"

static void
test_sslmodes(void)
{
	static const char *const sessions[] = {
		"no TLS",
		"TLS",
		"TLS and a certificate that nothing verified",
		"TLS and a verified certificate",
		"TLS and method cert",
		"no known method",
		"certificate facts without TLS",
		"a verified certificate that could not be read",
	};

	/* for each of the sessions: + allow, - deny */
	static const struct
	{
		const char *sslmode;
		const char *allowed;
	} cases[] =
		{
			{"reject", "--------"},
			{"disable", "+-----+-"},
			{"allow", "++++++++"},
			{"prefer", "++++++++"},
			{"require", "-+++++-+"},
			{"verify-ca", "---+++-+"},
			{"verify-full", "---+++--"},
			{"cert", "----+---"},
		};
	CertFacts	cert = plain_cert();
	Facts		facts[lengthof(sessions)];

	for (int s = 0; s < (int) lengthof(sessions); s++)
		facts[s] = plain_session(s >= 2 ? &cert : NULL);
	facts[0].ssl = false;
	facts[0].tls_version = TLS_NONE;
	facts[0].cipher = facts[0].version = NULL;
	facts[2].verified = false;
	facts[4].auth_method = "cert";
	facts[5].auth_method = NULL;
	facts[6].ssl = false;
	facts[6].auth_method = "cert";
	facts[7].cert = NULL;

	for (int m = 0; m < (int) lengthof(cases); m++)
		for (int s = 0; s < (int) lengthof(sessions); s++)
		{
			char	   *policy = psprintf("sslmode=%s", cases[m].sslmode);
			const char *got = judgement_of_role(policy, &facts[s]);

			ok((strcmp(got, "allow") == 0) == (cases[m].allowed[s] == '+'),
			   "%s, %s: %s", policy, sessions[s],
			   cases[m].allowed[s] == '+' ? "allowed" : "denied");
		}

	is_str(judgement_of_role("sslmode=cert", &facts[3]), "deny; role 1 sslmode",
		   "sslmode=cert asks for no name of its own");
	is_str(judgement_of_role("sslmode=verify-full", &facts[1]),
		   "deny; role 1 sslmode; role 1 cn=role",
		   "verify-full without a certificate fails in chain and name");
	facts[4].auth_method = "Cert";
	is_str(judgement_of_role("sslmode=cert", &facts[4]), "deny; role 1 sslmode",
		   "the method is cert, nothing that looks like it");
	facts[4].auth_method = "certificate";
	is_str(judgement_of_role("sslmode=cert", &facts[4]), "deny; role 1 sslmode",
		   "nor a longer word");
}

/*
 * Whether the CA of a live session is still in force counts where a CA counts.
 */
static void
test_anchor(void)
{
	static const struct
	{
		const char *policy;
		const char *gone;
		Outcome		unknown;
	} cases[] =
		{
			{"sslmode=disable", "deny; role 1 sslmode", OUTCOME_FAILED},
			{"sslmode=allow", "allow", OUTCOME_OK},
			{"sslmode=require", "allow", OUTCOME_OK},
			{"sslmode=verify-ca", "deny; role 1 sslmode", OUTCOME_UNKNOWN},
			{"sslmode=verify-full", "deny; role 1 sslmode", OUTCOME_UNKNOWN},
			{"sslmode=cert", "deny; role 1 sslmode", OUTCOME_UNKNOWN},
			{"fingerprint=" FP_11, "deny; role 1 sslmode", OUTCOME_UNKNOWN},
			{"cn=somebody", "deny; role 1 sslmode; role 1 cn", OUTCOME_FAILED},
		};
	CertFacts	cert = plain_cert();
	Facts		facts = plain_session(&cert);

	facts.auth_method = "cert";
	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		Written		written[] = {ROLE(cases[i].policy), {0}};

		facts.anchor_gone = true;
		facts.unknown = 0;
		is_str(judgement_of_role(cases[i].policy, &facts), cases[i].gone,
			   "%s, the CA is not in force any more", cases[i].policy);
		facts.anchor_gone = false;
		facts.unknown = UNKNOWN_ANCHOR;
		ok(judge(written, &facts, NOW)->outcome == cases[i].unknown,
		   "%s, it is not known whether the CA is still in force", cases[i].policy);
	}
}

static void
test_min_protocol(void)
{
	for (TlsVersion asked = TLS_1_0; asked <= TLS_1_3; asked++)
		for (TlsVersion have = TLS_NONE; have <= TLS_1_3; have++)
		{
			Facts		facts = plain_session(NULL);

			facts.tls_version = have;
			is_str(judgement_of_role(psprintf("min_protocol=%s",
											  tls_version_name(asked)),
									 &facts),
				   have >= asked ? "allow" : "deny; role 1 min_protocol",
				   "min_protocol=%s with %s", tls_version_name(asked),
				   tls_version_name(have));
		}
	{
		Facts		facts = plain_session(NULL);

		facts.ssl = false;
		is_str(judgement_of_role("min_protocol=TLSv1", &facts),
			   "deny; role 1 sslmode; role 1 min_protocol",
			   "min_protocol is not met without TLS");
	}
}

static void
test_cipher(void)
{
	static const struct
	{
		const char *policy;
		const char *cipher;
		const char *verdict;
	} cases[] =
		{
			{"cipher=A", "A", "allow"},
			{"cipher=A", "B", "deny; role 1 cipher"},
			{"cipher=A", "a", "deny; role 1 cipher"},
			{"cipher=A", "AB", "deny; role 1 cipher"},
			{"cipher=AB", "A", "deny; role 1 cipher"},
			{"cipher=A", NULL, "deny; role 1 cipher"},
			{"cipher=A cipher=B cipher=C", "A", "allow"},
			{"cipher=A cipher=B cipher=C", "B", "allow"},
			{"cipher=A cipher=B cipher=C", "C", "allow"},
			{"cipher=A cipher=B cipher=C", "D", "deny; role 1 cipher"},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		Facts		facts = plain_session(NULL);

		facts.cipher = cases[i].cipher;
		is_str(judgement_of_role(cases[i].policy, &facts), cases[i].verdict,
			   "%s with %s", cases[i].policy,
			   cases[i].cipher ? cases[i].cipher : "an unknown cipher");
	}
	{
		Facts		facts = plain_session(NULL);

		facts.ssl = false;
		facts.cipher = "A";
		is_str(judgement_of_role("cipher=A", &facts),
			   "deny; role 1 sslmode; role 1 cipher",
			   "cipher is not met without TLS");
	}
}

static void
test_fingerprint(void)
{
	CertFacts	cert = plain_cert();
	Facts		facts = plain_session(&cert);
	Facts		without = plain_session(NULL);

	is_str(judgement_of_role("fingerprint=" FP_11, &facts), "allow",
		   "fingerprint of the certificate");
	is_str(judgement_of_role("fingerprint=" FP_22, &facts),
		   "deny; role 1 fingerprint", "fingerprint of another");
	is_str(judgement_of_role("fingerprint=" FP_22 " fingerprint=" FP_11, &facts),
		   "allow", "any of several fingerprints: the last");
	is_str(judgement_of_role("fingerprint=" FP_11 " fingerprint=" FP_22, &facts),
		   "allow", "any of several fingerprints: the first");
	is_str(judgement_of_role("fingerprint=" FP_00 " fingerprint=" FP_22, &facts),
		   "deny; role 1 fingerprint", "none of several fingerprints");
	for (int byte = 0; byte < FINGERPRINT_LEN; byte += FINGERPRINT_LEN - 1)
	{
		cert.fingerprint[byte] ^= 1;
		is_str(judgement_of_role("fingerprint=" FP_11, &facts),
			   "deny; role 1 fingerprint", "one bit in byte %d differs", byte);
		cert.fingerprint[byte] ^= 1;
	}
	is_str(judgement_of_role("fingerprint=" FP_11, &without),
		   "deny; role 1 sslmode; role 1 fingerprint",
		   "fingerprint without a certificate");
	facts.verified = false;
	is_str(judgement_of_role("fingerprint=" FP_11, &facts),
		   "deny; role 1 sslmode; role 1 fingerprint",
		   "fingerprint of a certificate that nothing verified");
}

static void
test_chain(void)
{
	CertFacts	cert = plain_cert();
	CaFacts		cas[] = {
		{.subject_dn = "CN=Issuing,O=Acme"},
		{.subject_dn = "CN=Policy,O=Acme"},
		{.subject_dn = "CN=Root,O=Acme"},
	};
	Facts		facts = plain_session(&cert);

	for (int i = 0; i < 3; i++)
		memset(cas[i].fingerprint, 0xA0 + i, FINGERPRINT_LEN);
	cert.cas = cas;
	cert.ncas = 3;

	for (int i = 0; i < 3; i++)
	{
		StringInfoData hex;

		initStringInfo(&hex);
		for (int byte = 0; byte < FINGERPRINT_LEN; byte++)
			appendStringInfo(&hex, "%02x", 0xA0U + (unsigned) i);
		is_str(judgement_of_role(psprintf("issuer='%s'", cas[i].subject_dn), &facts),
			   "allow", "issuer is CA %d of the chain", i);
		is_str(judgement_of_role(psprintf("ca_fingerprint=%s", hex.data), &facts),
			   "allow", "ca_fingerprint is that of CA %d of the chain", i);
		is_str(judgement_of_role(psprintf("issuer=CN=x issuer='%s'",
										  cas[i].subject_dn),
								 &facts),
			   "allow", "any of several issuers: CA %d", i);
		is_str(judgement_of_role(psprintf("ca_fingerprint=" FP_00 " ca_fingerprint=%s",
										  hex.data),
								 &facts),
			   "allow", "any of several CA fingerprints: CA %d", i);

		/* the two keys must both hold, by whichever CA */
		is_str(judgement_of_role(psprintf("issuer='CN=Root,O=Acme' ca_fingerprint=%s",
										  hex.data),
								 &facts),
			   "allow", "issuer and ca_fingerprint, CA %d", i);
		cert.ncas = i;
		is_str(judgement_of_role(psprintf("issuer='%s'", cas[i].subject_dn), &facts),
			   "deny; role 1 issuer", "issuer beyond the end of the chain, CA %d", i);
		is_str(judgement_of_role(psprintf("ca_fingerprint=%s", hex.data), &facts),
			   "deny; role 1 ca_fingerprint",
			   "ca_fingerprint beyond the end of the chain, CA %d", i);
		cert.ncas = 3;
	}

	/* one with an attribute that does not fit its string type has no name */
	cas[1].subject_dn = "CN=#1301F6";
	is_str(judgement_of_role("issuer=CN=#1301F6", &facts), "allow", "an issuer in hexadecimal");
	cas[1].garbled = true;
	is_str(judgement_of_role("issuer=CN=#1301F6", &facts), "deny; role 1 issuer", "but not one that is garbled");
	is_str(judgement_of_role("issuer='CN=Root,O=Acme'", &facts), "allow", "others of the chain count");
	cas[1] = (CaFacts){.subject_dn = "CN=Policy,O=Acme"};
	memset(cas[1].fingerprint, 0xA1, FINGERPRINT_LEN);

	cert.issuer_dn = "CN=Claimed";
	is_str(judgement_of_role("issuer=CN=Claimed", &facts), "deny; role 1 issuer",
		   "what the certificate calls its issuer is not proof of it");
	is_str(judgement_of_role("issuer=CN=app", &facts), "deny; role 1 issuer",
		   "the certificate itself is no CA of its chain");
	is_str(judgement_of_role("ca_fingerprint=" FP_11, &facts),
		   "deny; role 1 ca_fingerprint", "nor by its fingerprint");
	is_str(judgement_of_role("fingerprint="
							 "a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0"
							 "a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0",
							 &facts),
		   "deny; role 1 fingerprint", "fingerprint is the client's, not a CA's");
	is_str(judgement_of_role("issuer='CN=Root,O=ACME'", &facts),
		   "deny; role 1 issuer", "an issuer compares with case");
	is_str(judgement_of_role("issuer='O=Acme,CN=Root'", &facts),
		   "deny; role 1 issuer", "the order of a DN counts");
	is_str(judgement_of_role("issuer=CN=x ca_fingerprint=" FP_00, &facts),
		   "deny; role 1 issuer; role 1 ca_fingerprint",
		   "issuer and ca_fingerprint fail apart");

	/* DN in RFC 2253 form: the text of the policy may be UTF-8 */
	cas[1].subject_dn = "CN=Soci\\C3\\A9t\\C3\\A9 \\, SA";
	is_str(judgement_of_role("issuer='CN=Soci\xC3\xA9t\xC3\xA9 \\\\, SA'", &facts),
		   "allow", "issuer in UTF-8");
	is_str(judgement_of_role("issuer='CN=Soci\\\\C3\\\\A9t\\\\C3\\\\A9 \\\\, SA'", &facts),
		   "allow", "issuer in escaped form");
	cas[1].subject_dn = "CN=100%u";
	is_str(judgement_of_role("issuer=CN=100%u", &facts), "allow",
		   "%%u in an issuer is text");
}

static void
test_max_lifetime(void)
{
	static const struct
	{
		const char *policy;
		int64		span;
		bool		allowed;
	} cases[] =
		{
			{"max_lifetime=24h", DAY, true},
			{"max_lifetime=24h", DAY + 1, true},
			/* AWS Private CA back-dates by an hour */
			{"max_lifetime=24h", DAY + 3600, true},
			{"max_lifetime=24h", DAY + 3899, true},
			{"max_lifetime=24h", DAY + 3900, true},
			{"max_lifetime=24h", DAY + 3901, false},
			{"max_lifetime=24h", 90 * DAY, false},
			{"max_lifetime=1d", DAY + 3900, true},
			{"max_lifetime=1d", DAY + 3901, false},
			/* 5 minutes at least, up to 100 minutes */
			{"max_lifetime=1h", 3600 + 300, true},
			{"max_lifetime=1h", 3600 + 301, false},
			{"max_lifetime=90min", 5400 + 300, true},
			{"max_lifetime=90min", 5400 + 301, false},
			{"max_lifetime=100min", 6000 + 300, true},
			{"max_lifetime=100min", 6000 + 301, false},
			/* then 5 %, in whole seconds */
			{"max_lifetime=6019s", 6019 + 300, true},
			{"max_lifetime=6019s", 6019 + 301, false},
			{"max_lifetime=6020s", 6020 + 301, true},
			{"max_lifetime=6020s", 6020 + 302, false},
			{"max_lifetime=2h", 7200 + 360, true},
			{"max_lifetime=2h", 7200 + 361, false},
			{"max_lifetime=1299min", 1299 * 60 + 3897, true},
			{"max_lifetime=1299min", 1299 * 60 + 3898, false},
			/* 65 minutes at most, from 1,300 minutes on */
			{"max_lifetime=1300min", 1300 * 60 + 3900, true},
			{"max_lifetime=1300min", 1300 * 60 + 3901, false},
			{"max_lifetime=1301min", 1301 * 60 + 3900, true},
			{"max_lifetime=1301min", 1301 * 60 + 3901, false},
			{"max_lifetime=90d", 90 * DAY + 3900, true},
			{"max_lifetime=90d", 90 * DAY + 3901, false},
			{"max_lifetime=1s", 301, true},
			{"max_lifetime=1s", 302, false},
			{"max_lifetime=1s", 0, true},
			/* ends before it begins */
			{"max_lifetime=24h", -1, false},
			{"max_lifetime=365250d", INT64CONST(365250) * 86400 + 3900, true},
			{"max_lifetime=365250d", INT64CONST(365250) * 86400 + 3901, false},
		};
	CertFacts	cert = plain_cert();
	Facts		facts = plain_session(&cert);

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		cert.not_before = NOW - DAY / 2;
		cert.not_after = cert.not_before + cases[i].span;
		is_str(judgement_of_role(cases[i].policy, &facts),
			   cases[i].allowed ? "allow" : "deny; role 1 max_lifetime",
			   "%s, valid for %lld s", cases[i].policy, (long long) cases[i].span);
	}
	/* the span counts, not the moment */
	cert.not_before = INT64CONST(-62167219200);
	cert.not_after = INT64CONST(253402300799);
	is_str(judgement_of_role("max_lifetime=365250d", &facts),
		   "deny; role 1 max_lifetime", "from year 0 to 9999 is longer than any max_lifetime");
	cert.not_after = cert.not_before + INT64CONST(365250) * 86400;
	is_str(judgement_of_role("max_lifetime=365250d", &facts), "allow",
		   "a thousand years from year 0 on are not");

	/* no certificate has such dates; a span that wraps around would be short */
	cert.not_before = PG_INT64_MIN;
	cert.not_after = PG_INT64_MAX;
	is_str(judgement_of_role("max_lifetime=365250d", &facts),
		   "deny; role 1 max_lifetime", "as long as can be");
	cert.not_before = PG_INT64_MAX;
	cert.not_after = PG_INT64_MIN;
	is_str(judgement_of_role("max_lifetime=365250d", &facts),
		   "deny; role 1 max_lifetime", "ends as long before it begins");

	facts.verified = false;
	cert.not_after = cert.not_before;
	is_str(judgement_of_role("max_lifetime=1d", &facts),
		   "deny; role 1 sslmode; role 1 max_lifetime",
		   "max_lifetime of a certificate that nothing verified");
}

static void
test_on_expiry(void)
{
	static const struct
	{
		const char *policy;
		int64		after;		/* seconds after the certificate's end */
		const char *verdict;
		bool		end;
	} cases[] =
		{
			{"sslmode=verify-ca on_expiry=end", -1, "allow", true},
			{"sslmode=verify-ca on_expiry=end", 0, "allow", true},
			{"sslmode=verify-ca on_expiry=end", 1, "deny; role 1 on_expiry", true},
			{"sslmode=verify-ca on_expiry=keep", 1, "allow", false},
			{"sslmode=verify-ca", 1, "allow", false},
			{"sslmode=prefer on_expiry=end", 1, "deny; role 1 on_expiry", true},
			/* only the rule that decides ends a session */
			{"sslmode=verify-ca on_expiry=end action=log; sslmode=verify-ca", 1,
			 "allow; role 1 on_expiry (log)", false},
			{"sslmode=verify-ca on_expiry=end action=log; sslmode=verify-ca", 0,
			 "allow", false},
			{"address=10.0.0.0/8 sslmode=verify-ca on_expiry=end; sslmode=verify-ca", 1,
			 "allow", false},
			{"address=192.0.2.0/24 sslmode=verify-ca; sslmode=verify-ca on_expiry=end", 1,
			 "allow", false},
		};
	CertFacts	cert = plain_cert();
	Facts		facts = plain_session(&cert);
	Facts		without = plain_session(NULL);
	Written		several[] = {
		MINIMUM("sslmode=require"),
		ROLE("sslmode=require"),
		DATABASE("sslmode=require on_expiry=end"),
		{0},
	};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		Written		written[] = {ROLE(cases[i].policy), {0}};
		Verdict    *verdict = judge(written, &facts, cert.not_after + cases[i].after);

		is_str(verdict_text(verdict), cases[i].verdict, "%s, %lld s after the end",
			   cases[i].policy, (long long) cases[i].after);
		ok(verdict->end_on_expiry == cases[i].end, "%s: %s", cases[i].policy,
		   cases[i].end ? "the session is to end" : "the session may stay");
	}
	is_str(judgement_of_role("sslmode=prefer on_expiry=end", &without), "allow",
		   "a session without a certificate has none that expires");
	ok(judge(several, &facts, NOW)->end_on_expiry,
	   "on_expiry=end in any of the policies ends the session");
	several[2].text = "sslmode=require on_expiry=keep";
	ok(!judge(several, &facts, NOW)->end_on_expiry,
	   "on_expiry=keep in all of them keeps it");
	several[0].text = "sslmode=require on_expiry=end";
	ok(judge(several, &facts, NOW)->end_on_expiry,
	   "on_expiry=keep in one does not undo on_expiry=end in another");
}

/*
 * All that failed is in the verdict, from all policies, in their order.
 */
static void
test_all_failures(void)
{
	static const struct
	{
		const char *what;
		Written		written[MAX_WRITTEN];
		const char *verdict;
	} cases[] =
		{
			{"no policy at all", {{0}}, "allow"},
			{"every key of one rule",
			 {ROLE("sslmode=cert min_protocol=TLSv1.3 cipher=A cn=a dn=CN=a san=dns:a"
				   " fingerprint=" FP_11 " issuer=CN=a ca_fingerprint=" FP_22
				   " max_lifetime=1d")},
			 "deny; role 1 sslmode; role 1 min_protocol; role 1 cipher;"
			 " role 1 fingerprint; role 1 issuer; role 1 ca_fingerprint;"
			 " role 1 max_lifetime; role 1 cn, dn, san"},
			{"every policy",
			 {MINIMUM("sslmode=require"), ROLE("sslmode=verify-ca"),
			  GROUP("g1", "cipher=A"), GROUP("g2", "min_protocol=TLSv1.2"),
			  DATABASE("sslmode=reject")},
			 "deny; minimum 1 sslmode; role 1 sslmode; g1 1 sslmode; g1 1 cipher;"
			 " g2 1 sslmode; g2 1 min_protocol; database 1 sslmode"},
			{"one of several policies",
			 {MINIMUM("sslmode=prefer"), DEFAULT("sslmode=disable"),
			  GROUP("g1", "sslmode=require"), DATABASE("sslmode=allow")},
			 "deny; g1 1 sslmode"},
			{"a policy that cannot be read", {ROLE(UNREADABLE)}, "deny; role 0 sslmode"},
			{"a minimum policy that cannot be read",
			 {MINIMUM(UNREADABLE), ROLE("sslmode=prefer")},
			 "deny; minimum 0 sslmode"},
			{"a policy that cannot be read among others",
			 {MINIMUM("sslmode=prefer"), ROLE("sslmode=require"), GROUP("g1", UNREADABLE),
			  DATABASE("sslmode=disable")},
			 "deny; role 1 sslmode; g1 0 sslmode"},
			{"two policies that cannot be read",
			 {ROLE(UNREADABLE), DATABASE(UNREADABLE)},
			 "deny; role 0 sslmode; database 0 sslmode"},
		};
	Facts		facts = plain_session(NULL);
	Written		many[MAX_WRITTEN] = {{0}};
	Verdict    *verdict;

	facts.ssl = false;
	facts.tls_version = TLS_NONE;
	facts.cipher = NULL;
	for (int i = 0; i < (int) lengthof(cases); i++)
		is_str(judgement(cases[i].written, &facts), cases[i].verdict,
			   "without TLS: %s", cases[i].what);

	/* more checks than the verdict has room for at first */
	for (int i = 0; i < MAX_WRITTEN - 1; i++)
	{
		many[i].source = SOURCE_GROUP;
		many[i].text = "min_protocol=TLSv1 cipher=A fingerprint=" FP_11
					   " issuer=CN=a max_lifetime=1d";
	}
	verdict = judge(many, &facts, NOW);
	is_int(verdict->nchecks, 6 * (MAX_WRITTEN - 1), "42 checks are all there");
	for (int i = 0; i < verdict->nchecks; i++)
		if (verdict->checks[i].outcome == OUTCOME_OK || verdict->checks[i].rule != 1 ||
			verdict->checks[i].applied->source != SOURCE_GROUP)
			ok(false, "check %d is as it was made", i);
}

/*
 * A verdict also has what was met, so that people can be told.
 */
static void
test_met_checks(void)
{
	Facts		facts = plain_session(NULL);
	Written		written[] = {
		MINIMUM("sslmode=require"),
		ROLE("min_protocol=TLSv1.2 cipher=A"),
		{0},
	};
	Verdict    *verdict = judge(written, &facts, NOW);
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < verdict->nchecks; i++)
		appendStringInfo(&buf, "%s=%s ", check_keys(&verdict->checks[i]),
						 verdict->checks[i].outcome == OUTCOME_OK ? "met" : "failed");
	is_str(buf.data, "sslmode=met sslmode=met min_protocol=met cipher=failed ",
		   "checks that were met are listed as well");
}

/*
 * What a check required, in words.
 */
static void
test_required(void)
{
	static const struct
	{
		const char *policy;
		int			check;
		const char *keys;
		const char *required;
	} cases[] =
		{
			{"sslmode=verify-full", 0, "sslmode", "sslmode=verify-full"},
			{"sslmode=verify-full", 1, "cn", "cn=a\\0Ab"},
			{"cn=x", 1, "cn", "cn=x"},
			{"san=dns:b san=dns:a cn=%u", 1, "cn, san",
			 "cn=%u or san=dns:b or san=dns:a"},
			{"san=dns:a dn=CN=a", 1, "dn, san", "dn=CN=a or san=dns:a"},
			{"min_protocol=TLSv1.2", 1, "min_protocol", "min_protocol=TLSv1.2"},
			{"cipher=A cipher=B", 1, "cipher", "cipher=A or cipher=B"},
			{"fingerprint=" FP_11, 1, "fingerprint", "fingerprint=" FP_11},
			{"ca_fingerprint=" FP_11, 1, "ca_fingerprint", "ca_fingerprint=" FP_11},
			{"issuer=CN=a issuer=CN=b", 1, "issuer", "issuer=CN=a or issuer=CN=b"},
			{"max_lifetime=48h", 1, "max_lifetime", "max_lifetime=2d"},
			{"sslmode=verify-ca on_expiry=end", 1, "on_expiry", "on_expiry=end"},
			{UNREADABLE, 0, "sslmode", "a policy that can be read: it is not readable"},
		};
	CertFacts	cert = plain_cert();
	Facts		facts = plain_session(&cert);

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		Written		written[] = {ROLE(cases[i].policy), {0}};
		Verdict    *verdict = judge(written, &facts, NOW);

		if (!ok(verdict->nchecks > cases[i].check, "\"%s\" has check %d",
				cases[i].policy, cases[i].check))
			continue;
		is_str(check_keys(&verdict->checks[cases[i].check]), cases[i].keys,
			   "keys of check %d of \"%s\"", cases[i].check, cases[i].policy);
		is_str(check_required(&verdict->checks[cases[i].check], "a\nb"),
			   cases[i].required, "what check %d of \"%s\" requires",
			   cases[i].check, cases[i].policy);
	}
}

/*
 * What is found, and what is told of the certificate where that is why a check fails.
 */
static void
test_reasons(void)
{
	CaFacts		bad_ca = {.subject_dn = "O=#1301F6", .garbled = true};
	char	   *upns[] = {"upn:a", "upn:b"};
	char	   *bad[] = {"badupn:#0500"};
	char	   *good[] = {"upn:b"};
	const struct
	{
		const char *policy;
		CertFacts	cert;
		const char *actual;
		const char *reason;
	} cases[] =
		{
			{"cn=x", {.cn = "app", .cn_count = 1}, "cn=app", NULL},
			{"cn=x", {.cn_count = 0}, "no CN", NULL},
			{"cn=x", {.cn_count = 2}, "several CNs", "the certificate has several CNs"},
			{"sslmode=verify-full", {.cn_count = 2}, "several CNs", "the certificate has several CNs"},
			{"sslmode=verify-full", {.cn_count = 2, .subject_garbled = true, .nsans = 2, .sans = upns, .upn_count = 2}, "several CNs", "the certificate has several CNs"},
			{"cn=x", {.cn_count = 1, .cn_garbled = true}, "a CN whose bytes do not fit its string type", "the certificate has a CN whose bytes do not fit its string type"},
			{"cn=x", {.cn_count = 1}, "a CN with a NUL in its bytes", "the certificate has a CN with a NUL in its bytes"},
			{"dn=CN=x", {.cn_count = 2}, "dn=CN=app", NULL},
			{"dn=CN=app", {.subject_garbled = true}, "dn=CN=app, a subject with an attribute whose bytes do not fit its string type", "the certificate has a subject with an attribute whose bytes do not fit its string type"},
			{"san=upn:a", {.nsans = 1, .sans = good, .upn_count = 1, .cn_count = 2}, "san=upn:b", NULL},
			{"san=upn:a", {.nsans = 2, .sans = upns, .upn_count = 2}, "san=upn:a, san=upn:b, several UPNs", "the certificate has several UPNs"},
			{"san=dns:a", {.nsans = 2, .sans = upns, .upn_count = 2}, "san=upn:a, san=upn:b", NULL},
			{"san=upn:a", {.nsans = 1, .sans = bad, .upn_count = 1}, "san=badupn:#0500, a SAN that is not valid in its type", "the certificate has a SAN that is not valid in its type"},
			{"cn=x dn=CN=x", {.cn_count = 3, .subject_garbled = true}, "dn=CN=app, several CNs and a subject with an attribute whose bytes do not fit its string type", "the certificate has several CNs and a subject with an attribute whose bytes do not fit its string type"},
			{"issuer=CN=x", {.ncas = 1, .cas = &bad_ca}, "O=#1301F6", "a CA of the certificate has a DN with an attribute whose bytes do not fit its string type"},
			{"ca_fingerprint=" FP_11, {.ncas = 1, .cas = &bad_ca}, "0000000000000000000000000000000000000000000000000000000000000000", NULL},
			{"max_lifetime=24h", {.not_after = 25 * 3600}, "1d 1h, within the grace of 1h 5min", NULL},
			{"max_lifetime=24h", {.not_after = DAY}, "1d", NULL},
			{"max_lifetime=24h", {.not_after = DAY + 3901}, "1d 1h 5min 1s, beyond the grace of 1h 5min", "the certificate is valid for 1d 1h 5min 1s, but at most 1d plus 1h 5min of grace is allowed"},
			{"max_lifetime=1h", {.not_after = 365 * DAY}, "365d, beyond the grace of 5min", "the certificate is valid for 365d, but at most 1h plus 5min of grace is allowed"},
			{"max_lifetime=1h", {.not_before = 1}, "-1s", "the certificate is valid for -1s, but at most 1h plus 5min of grace is allowed"},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		Written		written[] = {ROLE(cases[i].policy), {0}};
		CertFacts	cert = cases[i].cert;
		Facts		facts = plain_session(&cert);
		Check	   *check;

		cert.subject_dn = "CN=app";
		check = &judge(written, &facts, NOW)->checks[1];
		is_str(check_actual(check, &facts), cases[i].actual, "%s, %s: what is found", cases[i].policy, cases[i].actual);
		is_str(certificate_reason(check, &facts), cases[i].reason, "%s, %s: why", cases[i].policy, cases[i].actual);
		facts.verified = false;
		check = &judge(written, &facts, NOW)->checks[1];
		is_str(certificate_reason(check, &facts), NULL, "%s, %s: nothing of one that is not verified", cases[i].policy, cases[i].actual);
	}
}

/*
 * The server's own certificate from its own machine meets nothing, whatever is
 * asked for; but standbys replicate with it.
 */
static void
test_own_certificate(void)
{
	static const char *const policies[] = {
		"sslmode=verify-full", "cn=%u", "sslmode=verify-ca", "sslmode=require",
		"sslmode=prefer", "sslmode=allow", "min_protocol=TLSv1.2", "sslmode=verify-ca on_expiry=end"};
	CertFacts	cert = plain_cert();
	Facts		facts = plain_session(&cert);
	Written		logged[] = {ROLE("sslmode=prefer action=log; database=other sslmode=reject; sslmode=require"), {0}};
	Written		none[] = {{0}};
	Verdict    *verdict;

	cert.cn = (char *) facts.role;
	for (int i = 0; i < (int) lengthof(policies); i++)
	{
		Written		written[] = {ROLE(policies[i]), {0}};
		Facts		own = facts;

		ok(judge(written, &own, NOW)->outcome == OUTCOME_OK, "\"%s\" is met", policies[i]);
		own.own_certificate = true;
		verdict = judge(written, &own, NOW);
		ok(verdict->outcome == OUTCOME_FAILED, "\"%s\" is not, with the server's own certificate", policies[i]);
		is_str(check_keys(&verdict->checks[0]), "certificate", "what is not met is the certificate");
		own.database = NULL;
		ok(judge(written, &own, NOW)->outcome == OUTCOME_OK, "\"%s\" is met by a standby", policies[i]);
		own.unknown = UNKNOWN_DATABASE;
		ok(judge(written, &own, NOW)->outcome == OUTCOME_UNKNOWN, "\"%s\": it may be a standby", policies[i]);
		own.database = facts.database;
		own.unknown = UNKNOWN_ADDRESS;
		ok(judge(written, &own, NOW)->outcome == OUTCOME_UNKNOWN, "\"%s\": it may come from elsewhere", policies[i]);
		own.unknown = UNKNOWN_CERTIFICATE;
		own.cert = NULL;
		ok(judge(written, &own, NOW)->outcome == OUTCOME_FAILED, "\"%s\": what else is in it does not matter", policies[i]);
	}
	facts.own_certificate = true;
	verdict = judge(logged, &facts, NOW);
	ok(verdict->outcome == OUTCOME_FAILED && verdict->logged, "it is reported by a rule that only logs, and refused by the one that decides");
	ok(judge(none, &facts, NOW)->outcome == OUTCOME_OK, "without a policy there is nothing to meet");
	facts.ssl = facts.verified = false;
	facts.cert = NULL;
	logged[0].text = "sslmode=prefer";
	ok(judge(logged, &facts, NOW)->outcome == OUTCOME_OK, "without TLS there is no certificate");
}

int
main(void)
{
	test_sslmodes();
	test_anchor();
	test_min_protocol();
	test_cipher();
	test_fingerprint();
	test_chain();
	test_max_lifetime();
	test_on_expiry();
	test_all_failures();
	test_met_checks();
	test_required();
	test_reasons();
	test_own_certificate();
	return done_testing();
}
