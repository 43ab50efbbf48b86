/*-------------------------------------------------------------------------
 *
 * test_unknown.c
 *		Verdicts on sessions of which not everything is known.
 *
 * What is said of such a session must be true of every session that it may be:
 * "met" if all of these are let in, "not met" if none is.  Here sessions are few
 * enough to try all of them.
 *
 *-------------------------------------------------------------------------
 */
#include "session.h"
#include "tap.h"

#define ALL_UNKNOWN 0x80

static Facts sessions[1000];
static int	nsessions = 0;
static CertFacts certs[2];

static const Written policies[][MAX_WRITTEN + 1] = {
	{ROLE("sslmode=reject")},
	{ROLE("sslmode=disable")},
	{ROLE("sslmode=prefer")},
	{ROLE("sslmode=require")},
	{ROLE("sslmode=verify-ca")},
	{ROLE("sslmode=verify-full")},
	{ROLE("sslmode=cert")},
	{ROLE("sslmode=cert cn=other")},
	{ROLE("min_protocol=TLSv1.3")},
	{ROLE("cipher=A")},
	{ROLE("cn=other cn=role")},
	{ROLE("max_lifetime=1h")},
	{ROLE("sslmode=verify-ca max_lifetime=900d on_expiry=end")},
	{ROLE("sslmode=prefer on_expiry=end")},
	{ROLE("address=10.0.0.0/8 sslmode=require; sslmode=verify-full")},
	{ROLE("address=10.0.0.0/8 sslmode=require; min_protocol=TLSv1.3")},
	{ROLE("address=10.0.0.0/8 sslmode=reject; sslmode=reject")},
	{ROLE("address=10.0.0.0/8 sslmode=prefer; database=d2 sslmode=require; sslmode=verify-full")},
	{ROLE("address=10.0.0.0/8 database=d1 cn=other; database=replication sslmode=cert; cn=role")},
	{ROLE("database=d1 cn=other; sslmode=verify-full")},
	{ROLE("sslmode=verify-full action=log; sslmode=require")},
	{ROLE("address=10.0.0.0/8 sslmode=verify-full action=log; database=d1 sslmode=require; sslmode=disable")},
	{ROLE("sslmode=require"), DATABASE("sslmode=verify-full")},
	{ROLE("cn=other"), DATABASE("sslmode=verify-full")},
	{ROLE("address=10.0.0.0/8 cn=other; sslmode=require"), DATABASE("sslmode=verify-full")},
	{ROLE("address=10.0.0.0/8 cn=other; cn=role"), GROUP("g", "database=d1 cn=role; sslmode=verify-full")},
	{ROLE("address=10.0.0.0/8 sslmode=verify-full; sslmode=prefer"), GROUP("g", "address=10.0.0.0/8 cn=other; cn=role")},
	{ROLE("database=d1 sslmode=verify-full; sslmode=require"), GROUP("g", "cn=other"), GROUP("h", "cn=role")},
	{MINIMUM("sslmode=verify-full"), ROLE("database=d1 cn=other; sslmode=prefer")},
	{MINIMUM("sslmode=verify-full"), DEFAULT("database=d1 cn=other; sslmode=prefer"), GROUP("g", "address=10.0.0.0/8 cn=role; sslmode=prefer")},
	{MINIMUM("address=10.0.0.0/8 sslmode=disable; sslmode=require"), ROLE("address=10.0.0.0/8 sslmode=require; sslmode=prefer")},
	{ROLE("sslmode=verify-full"), GROUP("g", "cn=role"), GROUP("h", "address=10.0.0.0/8 sslmode=prefer; cn=other")},
	{ROLE("sslmode=require"), DATABASE(UNREADABLE)},
};

static void
make_sessions(void)
{
	static const char *const databases[] = {"d1", "d2", NULL};
	static const char *const methods[] = {"cert", "trust"};
	static const char *const cns[] = {"role", "other"};

	for (int c = 0; c < 2; c++)
	{
		certs[c] = plain_cert();
		certs[c].cn = (char *) cns[c];
		certs[c].not_after = c == 0 ? NOW + DAY : NOW - DAY;
	}
	for (int i = 0; i < 2 * 3 * 2 * 7; i++)
	{
		int			tls = i % 7;	/* 0: none; then two versions by three certificates */
		int			cert = (tls - 1) % 3;
		Facts		facts = plain_session(tls > 0 && cert > 0 ? &certs[cert - 1] : NULL);

		facts.role = "role";
		facts.address[0] = (i / 7) % 2 ? 10 : 192;
		facts.database = databases[(i / 14) % 3];
		facts.auth_method = methods[(i / 42) % 2];
		facts.ssl = tls > 0;
		facts.verified = facts.cert != NULL;
		facts.tls_version = tls == 0 ? TLS_NONE : tls <= 3 ? TLS_1_2 :
															 TLS_1_3;
		facts.cipher = tls == 0 ? NULL : tls <= 3 ? "A" :
													"B";
		sessions[nsessions++] = facts;
	}
}

/*
 * What is left of the facts.
 */
static Facts
forget(Facts facts, int unknown)
{
	facts.unknown = unknown;
	if (unknown & UNKNOWN_DATABASE)
		facts.database = NULL;
	if (unknown & UNKNOWN_ADDRESS)
		facts.address_len = 0;
	if (unknown & UNKNOWN_SSL)
		facts.ssl = false;
	if (unknown & UNKNOWN_TLS_VERSION)
		facts.tls_version = TLS_NONE;
	if (unknown & UNKNOWN_CIPHER)
		facts.cipher = NULL;
	if (unknown & UNKNOWN_CERTIFICATE)
	{
		facts.cert = NULL;
		facts.verified = false;
	}
	if (unknown & UNKNOWN_AUTH_METHOD)
		facts.auth_method = NULL;
	return facts;
}

/*
 * May b be the session a, of which this is not known?
 */
static bool
may_be(const Facts *a, const Facts *b, int unknown)
{
	if (!(unknown & UNKNOWN_DATABASE) && a->database != b->database)
		return false;
	if (!(unknown & UNKNOWN_ADDRESS) && a->address[0] != b->address[0])
		return false;
	if (!(unknown & UNKNOWN_AUTH_METHOD) && a->auth_method != b->auth_method)
		return false;
	if (!(unknown & UNKNOWN_SSL) && a->ssl != b->ssl)
		return false;
	/* what is known of TLS is so if it is used */
	if (!b->ssl)
		return true;
	return ((unknown & UNKNOWN_TLS_VERSION) || a->tls_version == b->tls_version) &&
		((unknown & UNKNOWN_CIPHER) || a->cipher == b->cipher) &&
		((unknown & UNKNOWN_CERTIFICATE) || a->cert == b->cert);
}

static int
count_lies(const Written *written, int unknown, const Outcome *truth, int *unsure)
{
	int			lies = 0;

	for (int a = 0; a < nsessions; a++)
	{
		Facts		facts = forget(sessions[a], unknown);
		Outcome		said = judge(written, &facts, NOW)->outcome;

		if (said == OUTCOME_UNKNOWN)
		{
			(*unsure)++;
			continue;
		}
		for (int b = 0; b < nsessions; b++)
			if (may_be(&sessions[a], &sessions[b], unknown) && truth[b] != said)
				lies++;
	}
	return lies;
}

int
main(void)
{
	make_sessions();
	for (int p = 0; p < (int) lengthof(policies); p++)
	{
		Outcome		truth[lengthof(sessions)];
		int			lies = 0;
		int			unsure = 0;
		int			open = 0;	/* cases in which it cannot be told */

		for (int s = 0; s < nsessions; s++)
			truth[s] = judge(policies[p], &sessions[s], NOW)->outcome;
		for (int unknown = 0; unknown < ALL_UNKNOWN; unknown++)
		{
			int			before = unsure;

			/* the others mean nothing without TLS */
			if ((unknown & UNKNOWN_SSL) &&
				(~unknown & (UNKNOWN_TLS_VERSION | UNKNOWN_CIPHER)))
				continue;
			lies += count_lies(policies[p], unknown, truth, &unsure);
			if (unknown == 0)
				is_int(unsure, 0, "policies %d: everything is known", p);
			open += unsure > before;
		}
		is_int(lies, 0, "policies %d: nothing is said that may be wrong (%d unsure)", p, unsure);
		if (p == 0 || p == 2 || p == 16)
			is_int(open, 0, "policies %d: what does not depend on anything is known", p);
		else if (p < (int) lengthof(policies) - 1)
			ok(open > 0, "policies %d: something is not known", p);
	}
	return done_testing();
}
