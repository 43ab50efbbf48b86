/*-------------------------------------------------------------------------
 *
 * clientneeds.c
 *		What the policies that apply to a login ask of its client, together.
 *
 * The checks that evaluate() lists for a login of which little is known are
 * added up.  Then the same evaluate() judges a login that does just that: what it
 * does not let in for certain is a problem, and said.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "advice/clientneeds.h"
#include "policy/checktext.h"
#include "policy/matcher.h"
#include "policy/report.h"

bool
is_tls13_cipher(const char *name)
{
	return strncmp(name, "TLS_", 4) == 0;
}

static void
add_unique(List **list, char *text)
{
	ListCell   *cell;

	foreach(cell, *list)
		if (strcmp(lfirst(cell), text) == 0)
			return;
	*list = lappend(*list, text);
}

static void
narrow_ciphers(ClientNeeds *needs, const PolicyRule *rule)
{
	List	   *kept = NIL;

	for (int i = 0; i < rule->nvalues; i++)
	{
		char	   *name = rule->values[i].text;
		bool		accepted = !needs->cipher_limited;
		ListCell   *cell;

		if (rule->values[i].key != KEY_CIPHER)
			continue;
		foreach(cell, needs->ciphers)
			accepted |= strcmp(lfirst(cell), name) == 0;
		if (accepted)
			add_unique(&kept, name);
	}
	needs->ciphers = kept;
	needs->cipher_limited = true;
}

static void
add_mode(ClientNeeds *needs, SslMode mode)
{
	if (mode == SSLMODE_DISABLE)
		needs->plain_text = true;
	if (mode == SSLMODE_CERT)
		needs->by_certificate = true;
	if (mode == SSLMODE_REJECT || needs->sslmode == SSLMODE_REJECT)
		needs->sslmode = SSLMODE_REJECT;
	else
		needs->sslmode = Max(needs->sslmode, mode);
	needs->tls |= mode >= SSLMODE_REQUIRE;
	needs->certificate |= mode >= SSLMODE_VERIFY_CA;
}

static void
add_check(ClientNeeds *needs, const Check *check, const char *role)
{
	switch (check->key)
	{
		case KEY_SSLMODE:
			add_mode(needs, check->asks->sslmode);
			break;
		case KEY_MIN_PROTOCOL:
			needs->min_protocol = Max(needs->min_protocol, check->asks->min_protocol);
			break;
		case KEY_CIPHER:
			narrow_ciphers(needs, check->asks);
			break;
		case KEY_ISSUER:
		case KEY_CA_FINGERPRINT:
			add_unique(&needs->issuers, check_required(check, role));
			break;
		case KEY_FINGERPRINT:
			add_unique(&needs->fingerprints, check_required(check, role));
			break;
		case KEY_MAX_LIFETIME:
			if (needs->max_lifetime == 0 || check->asks->max_lifetime < needs->max_lifetime)
				needs->max_lifetime = check->asks->max_lifetime;
			break;
		case KEY_ON_EXPIRY:
			needs->end_on_expiry = true;
			break;
		default:
			break;
	}
}

/*
 * Ciphers bind TLS versions: those of TLS 1.3 are of no use before it, and the
 * others not in it.
 */
static void
bound_protocols(ClientNeeds *needs)
{
	bool		old_ones = false;
	bool		new_ones = false;
	ListCell   *cell;

	needs->max_protocol = TLS_1_3;
	foreach(cell, needs->ciphers)
		if (is_tls13_cipher(lfirst(cell)))
			new_ones = true;
		else
			old_ones = true;
	if (needs->cipher_limited && !old_ones)
		needs->min_protocol = TLS_1_3;
	if (needs->cipher_limited && !new_ones)
		needs->max_protocol = TLS_1_2;
	/* TLS 1.3 is asked for: no other cipher can be in use */
	if (needs->min_protocol == TLS_1_3 && new_ones && old_ones)
	{
		List	   *kept = NIL;

		foreach(cell, needs->ciphers)
			if (is_tls13_cipher(lfirst(cell)))
				kept = lappend(kept, lfirst(cell));
		needs->ciphers = kept;
	}
}

/*
 * A certificate as it is asked for.  Of CAs and fingerprints that are accepted,
 * each check is given the first: that they are the same certificate's is for who
 * has it to see.
 */
static CertFacts *
suppose_certificate(const ClientNeeds *needs, const Verdict *verdict)
{
	CertFacts  *cert = palloc0(sizeof(CertFacts));

	if (needs->request)
		*cert = needs->request->names;
	if (cert->subject_dn == NULL)
		cert->subject_dn = pstrdup("");
	cert->not_after = needs->max_lifetime;
	cert->cas = palloc0(sizeof(CaFacts) * (Size) (verdict->nchecks + 1));
	for (int i = 0; i < verdict->nchecks; i++)
	{
		const Check *check = &verdict->checks[i];

		for (int v = 0; check->asks && v < check->asks->nvalues; v++)
		{
			const PolicyValue *value = &check->asks->values[v];

			if (value->key != check->key)
				continue;
			if (check->key == KEY_FINGERPRINT)
				memcpy(cert->fingerprint, value->bytes, FINGERPRINT_LEN);
			else if (check->key == KEY_ISSUER || check->key == KEY_CA_FINGERPRINT)
			{
				CaFacts    *ca = &cert->cas[cert->ncas++];

				ca->subject_dn = check->key == KEY_ISSUER ? value->text : pstrdup("");
				memcpy(ca->fingerprint, value->bytes, FINGERPRINT_LEN);
			}
			break;
		}
	}
	return cert;
}

/*
 * Would a login that does what is asked for be let in?
 */
static void
find_problems(ClientNeeds *needs, const Applicable *applicable, const Facts *facts,
			  const Verdict *asked)
{
	Facts		supposed = *facts;
	Verdict    *verdict;
	bool		tls = !needs->plain_text && needs->sslmode != SSLMODE_REJECT;

	supposed.unknown = facts->unknown & (UNKNOWN_ADDRESS | UNKNOWN_DATABASE);
	supposed.ssl = tls;
	supposed.tls_version = needs->max_protocol;
	supposed.version = tls_version_name(needs->max_protocol);
	supposed.cipher = needs->ciphers ? linitial(needs->ciphers) : "any";
	supposed.verified = tls && needs->certificate;
	supposed.cert = supposed.verified ? suppose_certificate(needs, asked) : NULL;
	supposed.auth_method = needs->by_certificate ? "cert" : "any";
	verdict = evaluate(applicable->policies, applicable->count, &supposed, regex_matches, 0);
	for (int i = 0; i < verdict->nchecks; i++)
	{
		const Check *check = &verdict->checks[i];
		char	   *rule = check->rule > 0 ? psprintf(", rule %d", check->rule) : pstrdup("");

		/* the request says for itself that it found no names */
		if (check->log_only || check->outcome == OUTCOME_OK ||
			(is_about_names(check) && needs->request && !needs->request->possible))
			continue;
		add_unique(&needs->problems,
				   psprintf("%s (policy of %s%s)", check_required(check, facts->role),
							applied_name(check->applied), rule));
	}
}

/*
 * facts has the role, and the address and the database as far as they are known;
 * all else is unknown.
 */
ClientNeeds *
client_needs(const Applicable *applicable, const Facts *facts)
{
	ClientNeeds *needs = palloc0(sizeof(ClientNeeds));
	Verdict    *verdict = evaluate(applicable->policies, applicable->count, facts, regex_matches, 0);
	bool		names = false;

	needs->sslmode = SSLMODE_ALLOW;
	for (int i = 0; i < verdict->nchecks; i++)
	{
		const Check *check = &verdict->checks[i];

		if (check->log_only)
		{
			add_unique(&needs->logged, check_required(check, facts->role));
			continue;
		}
		if (!check->certain)
			add_unique(&needs->depends, check_required(check, facts->role));
		if (check->asks)
			add_check(needs, check, facts->role);
		names |= is_about_names(check);
	}
	bound_protocols(needs);
	if (names || needs->by_certificate)
		needs->request = plan_certificate_request(applicable, facts, needs->by_certificate);
	find_problems(needs, applicable, facts, verdict);
	return needs;
}
