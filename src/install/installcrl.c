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

#include "base/datums.h"
#include "base/files.h"
#include "base/memory.h"
#include "install/installcrl.h"
#include "install/newtrust.h"
#include "install/replicated.h"
#include "pki/chain.h"
#include "pki/crl.h"
#include "pki/x509.h"
#include "revocation/crlbuild.h"
#include "revocation/crlcopies.h"
#include "revocation/indexfile.h"
#include "settings/directory.h"
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
				 errdetail("It has %zu bytes; at most %zu are accepted.", size, max_crl_size()),
				 errhint("The server verifies and walks the whole list in each connection with a client certificate.")));
}

static void
free_crls(void *crls)
{
	sk_X509_CRL_pop_free((STACK_OF(X509_CRL) *) crls, X509_CRL_free);
}

static void
check_given_crls(const PemContent *given)
{
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
 * same issuer, by name and key, and the same scope, and may not be older.
 */
static void
replace_crl(Installation *inst, X509_CRL *crl, STACK_OF(X509) *issuers)
{
	STACK_OF(X509_CRL) *crls = inst->content->crls;
	int64		now = (int64) time(NULL);
	int			place = -1;		/* at the end */
	const CrlFacts *facts;
	X509	   *issuer;

	raise_trust_refusal(judge_crl(crl, issuers, now, inst->indexed && accept_expired_crl()));
	facts = read_crl(crl);
	issuer = crl_issuer(crl, issuers);
	warn_of_end(inst, crl, issuer, now);
	for (int i = sk_X509_CRL_num(crls) - 1; i >= 0; i--)
	{
		X509_CRL   *before = sk_X509_CRL_value(crls, i);
		const CrlFacts *other = is_crl_signed_by(before, issuer) ? read_crl(before) : NULL;

		if (other == NULL || !is_same_scope(facts, other))
			continue;
		if (is_older_crl(facts, other))
			refuse_installation(psprintf("the CRL of %s is older than the one in place", certificate_title(issuer)),
								"An older CRL would give revoked certificates their access back.",
								"Give the newest CRL, with a higher CRL number and a later thisUpdate.");
		X509_CRL_free(sk_X509_CRL_delete(crls, i));
		place = i;
	}
	X509_CRL_up_ref(crl);
	sk_X509_CRL_insert(crls, crl, place);
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
 * The fingerprints of CRLs, FINGERPRINT_LEN bytes each.
 */
static uint8 *
fingerprints_of(STACK_OF(X509_CRL) *crls)
{
	int			count = sk_X509_CRL_num(crls);
	uint8	   *digests = palloc0((Size) FINGERPRINT_LEN * (Size) (count + 1));

	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		check_encoded(crl_fingerprint(sk_X509_CRL_value(crls, i), digests + i * FINGERPRINT_LEN));
	}
	return digests;
}

static X509_CRL *
find_crl(STACK_OF(X509_CRL) *crls, const uint8 *digests, const uint8 *fingerprint)
{
	for (int i = 0; i < sk_X509_CRL_num(crls); i++)
		if (memcmp(digests + i * FINGERPRINT_LEN, fingerprint, FINGERPRINT_LEN) == 0)
			return sk_X509_CRL_value(crls, i);
	return NULL;
}

/*
 * Is there one among these CRLs of the same issuer and scope?
 */
static bool
has_successor(const IndexedCrl *crl, STACK_OF(X509_CRL) *crls, STACK_OF(X509) *issuers)
{
	for (int i = 0; i < sk_X509_CRL_num(crls); i++)
	{
		const CrlFacts *facts = read_crl(sk_X509_CRL_value(crls, i));
		X509	   *issuer = crl_issuer(sk_X509_CRL_value(crls, i), issuers);
		uint8		identity[CA_IDENTITY_LEN];

		if (facts && issuer && ca_identity(issuer, identity) &&
			memcmp(identity, crl->identity, CA_IDENTITY_LEN) == 0 &&
			memcmp(facts->scope.digest, crl->scope.digest, POINT_LEN) == 0)
			return true;
	}
	return false;
}

/*
 * What the worker would not take, must not be put in place; nor may a dry run promise it.
 */
static void
forbid_what_worker_refuses(const Installation *inst)
{
	char	   *error = inst->indexed ?
		crl_bytes_objection(inst->bytes, inst->crl_issuers, inst->replicated_cas, inst->goes_back) :
		NULL;

	if (error)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("these CRLs would not come into force"),
				 errdetail("The error is: %s.", error)));
}

static bool
has_issued(X509 *cert, STACK_OF(X509_CRL) *crls)
{
	for (int i = 0; i < sk_X509_CRL_num(crls); i++)
		if (is_crl_signed_by(sk_X509_CRL_value(crls, i), cert))
			return true;
	return false;
}

static bool
is_issuer_of_any(X509 *cert, STACK_OF(X509) *certs)
{
	for (int i = 0; i < sk_X509_num(certs); i++)
		if (sk_X509_value(certs, i) != cert && is_issued_by(sk_X509_value(certs, i), cert))
			return true;
	return false;
}

/*
 * Does a certificate that is given along issue one of the CRLs, or another certificate?
 */
static bool
is_needed(X509 *cert, const PemContent *given)
{
	return has_issued(cert, given->crls) || is_issuer_of_any(cert, given->certs);
}

/*
 * What is to be kept from now on: those kept before and those given, as far as they verify
 * still.
 */
static STACK_OF(X509) *
kept_issuers(const Installation *inst, STACK_OF(X509) *issuers, STACK_OF(X509) *cas, const PemContent *given)
{
	STACK_OF(X509) *before = inst->replicated_crls ?
		inst->replicated_crls->certs :
		read_pem_file(own_file(INSTALLED_ISSUERS))->content->certs;
	STACK_OF(X509) *result = new_certificates();

	for (int i = 0; i < sk_X509_num(issuers); i++)
	{
		X509	   *cert = sk_X509_value(issuers, i);

		if (!has_certificate(cas, cert) &&
			(has_certificate(before, cert) ||
			 (has_certificate(given->certs, cert) && is_needed(cert, given))))
			(void) add_certificate_once(result, cert);
	}
	return result;
}

/*
 * Certificates that are given along: of issuers that are not in ssl_ca_file.  They are kept
 * in sslpolicy.directory, since in ssl_crl_file they would be trusted as CAs.
 */
static STACK_OF(X509) *
take_issuers(Installation *inst, const PemContent *given, STACK_OF(X509) *cas)
{
	STACK_OF(X509) *offered = new_certificates();
	STACK_OF(X509) *issuers;

	for (int i = 0; i < sk_X509_num(given->certs); i++)
		(void) add_certificate_once(offered, sk_X509_value(given->certs, i));
	for (int i = 0; inst->replicated_crls && i < sk_X509_num(inst->replicated_crls->certs); i++)
		(void) add_certificate_once(offered, sk_X509_value(inst->replicated_crls->certs, i));
	issuers = known_crl_issuers(cas, offered);

	for (int i = 0; i < sk_X509_num(given->certs); i++)
	{
		X509	   *cert = sk_X509_value(given->certs, i);
		bool		known = has_certificate(issuers, cert);

		if (has_issued(cert, given->crls) && !known)
			refuse_installation(psprintf("certificate %s does not verify against ssl_ca_file as a CA that may sign CRLs", certificate_title(cert)),
								"It has signed one of the given CRLs, but nothing shows that it may.",
								"Add the certificates between it and a CA in ssl_ca_file to the text, or install its CA first.");
		if (!is_needed(cert, given))
			inst->warnings = lappend(inst->warnings, psprintf("certificate %s has signed none of these CRLs, and is left out", certificate_title(cert)));
	}
	if (sk_X509_num(given->certs) > 0 || inst->mode == INSTALL_REPLICATE)
		inst->crl_issuers = kept_issuers(inst, issuers, cas, given);
	return issuers;
}

/*
 * The CRLs that are in force from the file, which has gone, or gone bad: from their copies.
 * Where a copy is missing, one that is given does, too; whether that is older is for the
 * worker to say.
 */
static void
restore_from_copies(Installation *inst, STACK_OF(X509_CRL) *given, STACK_OF(X509) *issuers)
{
	STACK_OF(X509_CRL) *copies = read_pem_file(own_file(CRL_COPIES))->content->crls;
	const uint8 *digests = fingerprints_of(copies);
	int			count;
	char	   *error;
	const IndexedCrl *in_force = read_own_crls(&count, &error);
	StringInfoData lost;

	initStringInfo(&lost);
	for (int i = 0; i < count; i++)
	{
		X509_CRL   *copy;

		if (strcmp(in_force[i].path, inst->files.crl_file) != 0)
			continue;
		copy = find_crl(copies, digests, in_force[i].fingerprint);
		if (copy && X509_CRL_up_ref(copy))
			sk_X509_CRL_push(inst->old->crls, copy);
		else if (!has_successor(&in_force[i], given, issuers))
			appendStringInfo(&lost, "%s\"%s\"", lost.len ? ", " : "", certificate_string(in_force[i].issuer_dn));
	}
	if (sk_X509_CRL_num(inst->old->crls) > 0)
		inst->warnings = lappend(inst->warnings, "the file of sslpolicy.crl_file was missing or could not be read: it is recreated with the CRLs that were in force from it");
	if (lost.len == 0)
		return;
	inst->goes_back = true;
	if (inst->force && superuser())
		inst->warnings = lappend(inst->warnings, psprintf("the CRLs of %s, which were in force, are lost", lost.data));
	else
		ereport(ERROR,
				(errcode(superuser() ? ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE : ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("CRLs that are in force would be lost"),
				 errdetail("The file of sslpolicy.crl_file is missing or cannot be read, and there are no copies of the CRLs of: %s.", lost.data),
				 errhint("Restore the file, or give the CRLs of these issuers too. A superuser can go on without them, with force => true.")));
}

/*
 * Install inst->content.
 */
static Installation *
install_new_crls(Installation *inst)
{
	Trust	   *after;

	inst->bytes = makeStringInfo();
	for (int i = 0; i < sk_X509_CRL_num(inst->content->crls); i++)
		check_encoded(append_pem_crl(inst->bytes, sk_X509_CRL_value(inst->content->crls, i)));
	forbid_what_worker_refuses(inst);
	after = trust_with_new_crls(inst);
	forbid_lockout(inst, after);
	/* with INSTALL_APPLY, the caller of set_crl() has been told */
	if (inst->mode != INSTALL_APPLY)
		inst->affected = find_losing_certificate(inst, after);
	finish_installation(inst);
	return inst;
}

/*
 * Put CRLs in the place of those of the same CAs.
 */
Installation *
install_crls(const PemContent *given, InstallMode mode, bool dry_run, bool force)
{
	Installation *inst;
	STACK_OF(X509) *issuers;
	STACK_OF(X509_CRL) *crls;

	check_given_crls(given);
	inst = begin_installation(MATERIAL_CRL, mode, mode == INSTALL_HERE ? "install_crl" : "set_crl", dry_run, force);
	issuers = take_issuers(inst, given, cas_to_judge_by(inst));
	crls = inst->content->crls;
	if (inst->indexed && inst->unreadable)
		restore_from_copies(inst, given->crls, issuers);
	if (sk_X509_num(inst->old->certs) > 0 && !inst->replicated_crls)
		inst->warnings = lappend(inst->warnings, "the certificates in ssl_crl_file, which the server took for CAs, are left out");
	for (int i = 0; i < sk_X509_CRL_num(inst->old->crls); i++)
	{
		X509_CRL_up_ref(sk_X509_CRL_value(inst->old->crls, i));
		sk_X509_CRL_push(crls, sk_X509_CRL_value(inst->old->crls, i));
	}
	for (int i = 0; i < sk_X509_CRL_num(given->crls); i++)
	{
		CHECK_FOR_INTERRUPTS();
		replace_crl(inst, sk_X509_CRL_value(given->crls, i), issuers);
	}
	return install_new_crls(inst);
}

/*
 * Would a CRL in place be removed, or replaced by an older one, although its CA stays?  That
 * would let in whom it revokes.  *newer says that this set has an older one of the same
 * issuer and scope.
 */
static bool
loses_crl(const Installation *inst, STACK_OF(X509) *issuers, X509 **issuer, bool *newer)
{
	*newer = false;
	for (int i = 0; i < sk_X509_CRL_num(inst->old->crls); i++)
	{
		X509_CRL   *before = sk_X509_CRL_value(inst->old->crls, i);
		const CrlFacts *old = read_crl(before);
		bool		found = false;

		*issuer = crl_issuer(before, issuers);
		for (int k = 0; old && *issuer && !found && k < sk_X509_CRL_num(inst->content->crls); k++)
		{
			X509_CRL   *crl = sk_X509_CRL_value(inst->content->crls, k);
			const CrlFacts *new = is_crl_signed_by(crl, *issuer) ? read_crl(crl) : NULL;

			found = new &&is_same_scope(new, old);
			*newer = found && is_older_crl(new, old);
		}
		if (old && *issuer && (!found || *newer))
			return true;
	}
	return false;
}

static bool
has_text(List *texts, const char *text)
{
	ListCell   *cell;

	foreach(cell, texts)
		if (strcmp(lfirst(cell), text) == 0)
			return true;
	return false;
}

/*
 * Put the replicated CRLs in place on this node: these, and no others.  gone_back_from has
 * the SHA-256, as text, of the files of earlier versions that a superuser has rolled back.
 *
 * NULL, with *newer, if this node has a newer CRL, which it keeps.
 */
Installation *
apply_crls(const PemContent *given, List *gone_back_from, char **newer)
{
	Installation *inst;
	STACK_OF(X509) *issuers;
	X509	   *issuer;
	bool		is_newer;
	int64		now = (int64) time(NULL);

	check_given_crls(given);
	inst = begin_installation(MATERIAL_CRL, INSTALL_APPLY, "set_crl", false, true);
	inst->goes_back = inst->old_bytes && has_text(gone_back_from, bytes_fingerprint(inst->old_bytes, inst->old_len));
	issuers = take_issuers(inst, given, cas_to_judge_by(inst));
	for (int i = 0; i < sk_X509_CRL_num(given->crls); i++)
	{
		X509_CRL   *crl = sk_X509_CRL_value(given->crls, i);

		raise_trust_refusal(judge_crl(crl, issuers, now, inst->goes_back || (inst->indexed && accept_expired_crl())));
		X509_CRL_up_ref(crl);
		sk_X509_CRL_push(inst->content->crls, crl);
	}
	if (!inst->goes_back && loses_crl(inst, issuers, &issuer, &is_newer))
	{
		if (!is_newer)
			refuse_installation(psprintf("the CRL of %s on this node is not among the replicated CRLs", certificate_title(issuer)),
								"Without it, certificates that it revokes would be accepted again.",
								"Add the CRL with sslpolicy.set_crl(), or remove it from the file of the node.");
		*newer = psprintf("the CRL of %s on the node is newer", certificate_title(issuer));
		return NULL;
	}
	return install_new_crls(inst);
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
	Trust	   *after;

	if (inst->bytes)
		forbid_what_worker_refuses(inst);
	after = trust_with_new_crls(inst);
	(void) judge_revocation(after, &inst->warnings);
	inst->affected = find_losing_certificate(inst, after);
}
