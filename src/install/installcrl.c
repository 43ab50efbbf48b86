/*-------------------------------------------------------------------------
 *
 * installcrl.c
 *		Installs CRLs: those of the server, or sslpolicy's own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "datatype/timestamp.h"
#include "miscadmin.h"

#include "base/memory.h"
#include "install/installcrl.h"
#include "install/newtrust.h"
#include "pki/chain.h"
#include "pki/crl.h"
#include "settings/settings.h"

/* A CRL that ends earlier is worth a warning. */
#define SHORT_CRL_SECONDS (2 * SECS_PER_DAY)

void
check_crl_size(size_t size)
{
	if (size > max_crl_size())
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the CRL is larger than sslpolicy.max_crl_size"),
				 errdetail("It has %zu bytes; %zu are accepted.", size, max_crl_size()),
				 errhint("The server verifies and walks the whole list in each connection with a client certificate.")));
}

static void
check_given_crls(const PemContent *given)
{
	if (sk_X509_num(given->certs) > 0)
		refuse_installation("there is a certificate in the text", "A certificate in ssl_crl_file would be trusted as a CA.",
							"Give CRLs alone: -----BEGIN X509 CRL-----.");
	if (sk_X509_CRL_num(given->crls) == 0)
		refuse_installation("there is no CRL in the text", NULL, "Give CRLs in PEM: -----BEGIN X509 CRL-----.");
}

/*
 * Warn of a CRL that expires soon: by then a newer one must be there.
 */
static void
warn_of_end(Installation *inst, X509_CRL *crl, X509 *issuer, int64 now)
{
	const CrlFacts *facts = read_crl(crl);

	if (facts && facts->has_next_update && facts->next_update > now &&
		facts->next_update - now < SHORT_CRL_SECONDS)
		inst->warnings = lappend(inst->warnings, psprintf("the CRL of %s expires on %s: from then on certificates of this CA are refused, unless a newer CRL is installed", certificate_title(issuer), unix_time_text(facts->next_update)));
}

/*
 * A new CRL against those that are there: it takes the place of the one of the
 * same issuer, by name and key, and may not be older.
 */
static void
replace_crl(Installation *inst, X509_CRL *crl, STACK_OF(X509) *cas)
{
	STACK_OF(X509_CRL) *crls = inst->content->crls;
	int64		now = (int64) time(NULL);
	X509	   *issuer;

	raise_trust_refusal(judge_crl(crl, cas, now, inst->indexed && accept_expired_crl()));
	issuer = crl_issuer(crl, cas);
	warn_of_end(inst, crl, issuer, now);
	for (int i = sk_X509_CRL_num(crls) - 1; i >= 0; i--)
	{
		X509_CRL   *before = sk_X509_CRL_value(crls, i);

		if (!is_crl_signed_by(before, issuer))
			continue;
		if (is_older_crl(crl, before))
			refuse_installation(psprintf("the CRL of %s is older than the one in place", certificate_title(issuer)),
								"An older CRL would give revoked certificates their access back.",
								"Give the newest CRL, with a higher CRL number and a later thisUpdate.");
		X509_CRL_free(sk_X509_CRL_delete(crls, i));
	}
	X509_CRL_up_ref(crl);
	sk_X509_CRL_push(crls, crl);
}

static void
free_crls(void *crls)
{
	sk_X509_CRL_pop_free((STACK_OF(X509_CRL) *) crls, X509_CRL_free);
}

static STACK_OF(X509_CRL) *
share_crls(STACK_OF(X509_CRL) *crls)
{
	STACK_OF(X509_CRL) *result = free_at_reset(sk_X509_CRL_new_null(), free_crls);

	for (int i = 0; i < sk_X509_CRL_num(crls); i++)
		if (X509_CRL_up_ref(sk_X509_CRL_value(crls, i)))
			sk_X509_CRL_push(result, sk_X509_CRL_value(crls, i));
	return result;
}

/*
 * What the server would verify clients with, the CRLs being those of
 * inst->content.
 */
static Trust *
trust_with_new_crls(const Installation *inst)
{
	return trust_after_installation(inst, NULL, share_crls(inst->content->crls));
}

/*
 * CRLs with which nobody gets in are refused, unless nobody does without them.
 */
static void
forbid_lockout(Installation *inst, const Trust *after)
{
	int			usable = judge_revocation(after, &inst->warnings);
	Trust	   *before;
	List	   *none = NIL;
	char	   *error;

	if (usable != 0 || (inst->indexed && (accept_missing_crl() || accept_expired_crl())))
		return;
	before = trust_before_installation(inst, &error);
	if (before == NULL || judge_revocation(before, &none) != 0)
		refuse_installation("with this CRL every client certificate would be refused",
							psprintf("%s.", (char *) linitial(inst->warnings)),
							"The server wants a current CRL of every CA of a chain. Install those of all CAs in one call.");
}

/*
 * Put CRLs in the place of those of the same CAs.
 */
Installation *
install_crls(const PemContent *given, bool dry_run, bool force)
{
	Installation *inst;
	STACK_OF(X509) *cas;
	STACK_OF(X509_CRL) *crls;
	Trust	   *after;

	check_given_crls(given);
	inst = begin_installation(MATERIAL_CRL, "install_crl", dry_run, force);
	cas = read_pem_file(inst->files.ca_file)->content->certs;
	crls = inst->content->crls;
	if (sk_X509_num(inst->old->certs) > 0)
		inst->warnings = lappend(inst->warnings, "the certificates in ssl_crl_file, which the server took for CAs, are left out");
	for (int i = 0; i < sk_X509_CRL_num(inst->old->crls); i++)
	{
		X509_CRL_up_ref(sk_X509_CRL_value(inst->old->crls, i));
		sk_X509_CRL_push(crls, sk_X509_CRL_value(inst->old->crls, i));
	}
	for (int i = 0; i < sk_X509_CRL_num(given->crls); i++)
	{
		CHECK_FOR_INTERRUPTS();
		replace_crl(inst, sk_X509_CRL_value(given->crls, i), cas);
	}
	inst->bytes = makeStringInfo();
	for (int i = 0; i < sk_X509_CRL_num(crls); i++)
		check_encoded(append_pem_crl(inst->bytes, sk_X509_CRL_value(crls, i)));
	after = trust_with_new_crls(inst);
	forbid_lockout(inst, after);
	inst->affected = find_losing_certificate(inst, after);
	finish_installation(inst);
	return inst;
}

/*
 * Going back is refused to all but superusers who insist.
 */
void
check_earlier_crls_allowed(bool force)
{
	if (superuser() && force)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to go back to an older CRL"),
			 errdetail("Revoked certificates could get their access back."),
			 errhint("Only a superuser may, with force => true.")));
}

void
judge_earlier_crls(Installation *inst)
{
	Trust	   *after = trust_with_new_crls(inst);

	(void) judge_revocation(after, &inst->warnings);
	inst->affected = find_losing_certificate(inst, after);
}
