/*-------------------------------------------------------------------------
 *
 * lintcas.c
 *		Findings about the CAs of ssl_ca_file taken together.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "lint/lint.h"
#include "material/serverca.h"
#include "material/tlscontext.h"
#include "material/trust.h"
#include "pki/chain.h"
#include "pki/crl.h"
#include "settings/settings.h"

/* Nobody has so many CAs of his own that issue clients' certificates. */
#define MANY_CAS 10

static bool
is_in_store(X509_STORE *store, X509 *ca)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *certs = NULL;
	bool		result = false;

	if (ctx && X509_STORE_CTX_init(ctx, store, NULL, NULL) == 1)
		certs = X509_STORE_CTX_get1_certs(ctx, X509_get_subject_name(ca));
	if (certs)
		result = has_certificate(certs, ca);
	sk_X509_pop_free(certs, X509_free);
	X509_STORE_CTX_free(ctx);
	return result;
}

/*
 * Is the CA in the system's store, as public roots are?
 */
static bool
is_public_root(X509 *ca)
{
	X509_STORE *store = X509_STORE_new();
	bool		result = store != NULL && X509_STORE_set_default_paths(store) == 1 &&
		is_in_store(store, ca);

	X509_STORE_free(store);
	ERR_clear_error();
	return result;
}

/*
 * Which of the CAs are certificates of the same CA as the one at this position, itself
 * among them?  Positions, in their order.
 */
List *
same_cas(const CasByName *cas, int position)
{
	X509	   *ca = sk_X509_value(cas->cas, position);
	List	   *result = NIL;
	int			first = find_cas_by_name(cas, X509_get_subject_name(ca));

	for (int i = first; i < cas->count && cas->sorted[i].hash == cas->sorted[first].hash; i++)
		if (is_same_ca(sk_X509_value(cas->cas, cas->sorted[i].position), ca))
			result = lappend_int(result, cas->sorted[i].position);
	return result;
}

/*
 * How many CAs verify clients, certificates of one CA counting once.
 */
int
count_serving_cas(STACK_OF(X509) *cas, int level, int64 now)
{
	CasByName  *by_name = sort_cas_by_name(cas);
	bool	   *serving = palloc0((Size) Max(sk_X509_num(cas), 1));
	int			count = 0;

	for (int i = 0; i < sk_X509_num(cas); i++)
	{
		X509	   *ca = sk_X509_value(cas, i);
		bool		counted = X509_check_ca(ca) == 0 || !verify_ca(cas, ca, level, now)->ok;
		ListCell   *cell;

		CHECK_FOR_INTERRUPTS();
		if (counted)
			continue;
		foreach(cell, same_cas(by_name, i))
			counted |= serving[lfirst_int(cell)];
		serving[i] = true;
		if (!counted)
			count++;
	}
	return count;
}

/*
 * How bad it is that a CA has expired, serving others being left.  Bundles of public
 * roots keep old ones for a while, which issue nothing any more; and where there are many
 * CAs, one more or less is the lesser worry.
 */
Severity
expired_ca_severity(X509 *ca, int serving)
{
	if (serving > 0 && is_public_root(ca))
		return SEVERITY_INFO;
	return serving >= MANY_CAS ? SEVERITY_WARNING : SEVERITY_ERROR;
}

/*
 * Does every rule that can let somebody in name the CA, or the certificate itself?
 */
static bool
policy_pins_ca(const Policy *policy)
{
	for (int r = 0; policy && r < policy->nrules; r++)
	{
		const PolicyRule *rule = &policy->rules[r];
		bool		pins = rule->log_only || rule->sslmode == SSLMODE_REJECT || rule->sslmode == SSLMODE_DISABLE;

		for (int i = 0; i < rule->nvalues && !pins; i++)
			pins = rule->values[i].key == KEY_CA_FINGERPRINT || rule->values[i].key == KEY_FINGERPRINT;
		if (!pins)
			return false;
	}
	return policy != NULL;
}

/*
 * Is the role asked for a certificate, by a policy or by a line of pg_hba.conf, that any
 * CA may have issued?
 */
static bool
takes_any_ca(const Survey *survey, const Login *login)
{
	const Applicable *applicable = policies_of_login(survey, login);
	bool		asks = false;
	ListCell   *cell;

	for (int i = 0; i < applicable->count; i++)
	{
		const Policy *policy = applicable->policies[i].policy;

		if (policy_pins_ca(policy))
			return false;
		asks |= policy_asks_for(policy, SSLMODE_VERIFY_CA);
	}
	foreach(cell, survey->hba)
	{
		const HbaEntry *line = lfirst(cell);

		asks |= line->with_tls && line->asks_certificate && hba_names_role(line, login->oid, login->name, true);
	}
	return asks;
}

/*
 * The server's chain, up to the root that clients have as sslrootcert: what those refuse
 * who insist on all of RFC 5280.  A certificate that is its own root has a finding of its
 * own.
 */
void
lint_strict_clients(Survey *survey)
{
	ServerIdentity *identity = server_identity(survey->now);
	char	   *refusal = strict_refusal(identity, survey->now);

	if (refusal && !is_self_signed(identity->leaf))
		add_finding(&survey->findings, SEVERITY_INFO, "server_chain_not_strict",
					psprintf("server certificate %s", certificate_title(identity->leaf)),
					psprintf("Clients that insist on all of RFC 5280 refuse its chain: %s. Python's ssl module has done so by default since 3.13 (VERIFY_X509_STRICT); libpq does not.", refusal),
					"Have the certificate named here reissued with what it lacks: a CA needs critical basicConstraints, keyUsage = keyCertSign and a subjectKeyIdentifier; the others need an authorityKeyIdentifier. Or have these clients clear VERIFY_X509_STRICT.");
}

/*
 * With a bundle of public roots as ssl_ca_file, each of its CAs is one of the role's own.
 */
void
lint_many_cas(Survey *survey)
{
	STACK_OF(X509) *cas = next_cas(survey);
	MemoryContext scratch;
	int			serving;
	ListCell   *cell;

	if (!next_settings(survey)->ssl || sk_X509_num(cas) < MANY_CAS)
		return;
	serving = count_serving_cas(cas, next_security_level(survey), survey->now);
	if (serving < MANY_CAS)
		return;
	scratch = AllocSetContextCreate(CurrentMemoryContext, "sslpolicy policies of a role", ALLOCSET_DEFAULT_SIZES);
	foreach(cell, survey->logins)
	{
		const Login *login = lfirst(cell);
		MemoryContext old = MemoryContextSwitchTo(scratch);

		CHECK_FOR_INTERRUPTS();
		if (takes_any_ca(survey, login))
			add_finding_about(&survey->findings, SEVERITY_WARNING, "many_cas_unpinned", "setting ssl_ca_file",
							  psprintf("The server trusts %d CAs: each of them can issue a certificate for any role that no ca_fingerprint pins.", serving),
							  "Keep in ssl_ca_file only the CAs that issue certificates for this server's clients: SELECT * FROM sslpolicy.install_ca('-----BEGIN CERTIFICATE-----...'). Or pin them: ca_fingerprint=... in the policies of these roles, or in sslpolicy.minimum_policy.",
							  "Roles", psprintf("\"%s\"", login->name));
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	MemoryContextDelete(scratch);
}
