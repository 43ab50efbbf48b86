/*-------------------------------------------------------------------------
 *
 * installca.c
 *		Installs CAs: those that clients are verified with.
 *
 * The file keeps the CRLs that it holds.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/fingerprint.h"
#include "install/cabound.h"
#include "install/installca.h"
#include "install/newtrust.h"
#include "pki/chain.h"

static void
check_given_cas(const PemContent *given)
{
	if (sk_X509_CRL_num(given->crls) > 0)
		refuse_installation("there is a CRL in the text", NULL, "Use sslpolicy.install_crl() for CRLs.");
	if (sk_X509_num(given->certs) == 0)
		refuse_installation("there is no certificate in the text",
							given->other ? psprintf("It holds a PEM block of type \"%s\".", given->other) : NULL,
							"Give the text of CA certificates in PEM, from -----BEGIN CERTIFICATE----- on; not the name of their file.");
}

/*
 * Those that are there, except one, are to be in the new set; they need no
 * warning.
 */
static void
keep_cas(Installation *inst, X509 *except)
{
	for (int i = 0; i < sk_X509_num(inst->old->certs); i++)
	{
		X509	   *cert = sk_X509_value(inst->old->certs, i);

		if (except == NULL || X509_cmp(cert, except) != 0)
			(void) add_certificate_once(inst->content->certs, cert);
	}
}

/*
 * Has the CA in place, or its issuer, issued this certificate?
 */
static bool
is_renewed_by_owner(X509 *cert, X509 *in_place, STACK_OF(X509) *cas)
{
	X509	   *issuer;

	if (!is_same_ca(cert, in_place))
		return false;
	if (is_self_signed(in_place))
		return is_self_signed(cert);
	issuer = find_issuer(in_place, cas);
	return issuer != NULL && is_issued_by(cert, issuer);
}

/*
 * If several CAs have the same name, OpenSSL takes the first that fits as the issuer,
 * and does not try another.  So a CA that looks like one in place, but has another key
 * or constraints, can keep the clients of that one out.
 */
static void
forbid_namesakes(const Installation *inst, STACK_OF(X509) *certs)
{
	STACK_OF(X509) *in_place = inst->old->certs;

	if (superuser())
		return;
	for (int i = 0; i < sk_X509_num(certs); i++)
	{
		X509	   *cert = sk_X509_value(certs, i);

		for (int k = 0; k < sk_X509_num(in_place) && !has_certificate(in_place, cert); k++)
		{
			X509	   *other = sk_X509_value(in_place, k);

			if (X509_NAME_cmp(X509_get_subject_name(cert), X509_get_subject_name(other)) == 0 &&
				!is_renewed_by_owner(cert, other, in_place))
				ereport(ERROR,
						(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						 errmsg("permission denied to install a CA with the name of another CA"),
						 errdetail("CA %s is in place, and neither that CA nor its issuer has issued this certificate. It could cause clients to be refused.",
								   certificate_title(other)),
						 errhint("A superuser can install it.")));
		}
	}
}

/*
 * The first so many of the set come from the text themselves, where each stands once.
 */
static void
add_given_cas(Installation *inst, const PemContent *given, int first)
{
	for (int i = 0; i < sk_X509_num(given->certs); i++)
	{
		X509	   *cert = sk_X509_value(given->certs, i);
		bool		expected = false;

		for (int k = 0; k < first && !expected; k++)
			expected = X509_cmp(sk_X509_value(inst->content->certs, k), cert) == 0;
		if (!add_certificate_once(inst->content->certs, cert) && !expected)
			inst->warnings = lappend(inst->warnings, psprintf("CA %s is there already", certificate_title(cert)));
	}
}

/*
 * If a new CA has the name of one in place, that one comes first, wherever it stands in the
 * text: OpenSSL takes the first that fits, and the clients who are there go by the old one.
 */
static void
put_namesakes_first(const Installation *inst, const PemContent *given)
{
	for (int i = 0; i < sk_X509_num(inst->old->certs); i++)
	{
		X509	   *cert = sk_X509_value(inst->old->certs, i);
		bool		namesake = false;

		for (int k = 0; k < sk_X509_num(given->certs) && !namesake; k++)
		{
			X509	   *other = sk_X509_value(given->certs, k);

			namesake = X509_cmp(other, cert) != 0 && !has_certificate(inst->old->certs, other) &&
				X509_NAME_cmp(X509_get_subject_name(other), X509_get_subject_name(cert)) == 0;
		}
		if (namesake && has_certificate(given->certs, cert))
			(void) add_certificate_once(inst->content->certs, cert);
	}
}

/*
 * Install inst->content, the CAs of added being new.
 */
static Installation *
install_cas(Installation *inst, STACK_OF(X509) *added)
{
	STACK_OF(X509) *set = inst->content->certs;
	Trust	   *after = trust_after_installation(inst, set, NULL);

	raise_trust_refusal(judge_cas(after, added, &inst->warnings));
	(void) judge_revocation(after, &inst->warnings);
	/* with INSTALL_APPLY, the caller of set_ca() has been told */
	if (inst->mode != INSTALL_APPLY)
		inst->affected = find_losing_certificate(inst, after);
	inst->bytes = makeStringInfo();
	for (int i = 0; i < sk_X509_num(set); i++)
		check_encoded(append_pem_certificate(inst->bytes, sk_X509_value(set, i)));
	/* the file keeps the CRLs that it holds; they are this node's own */
	for (int i = 0; inst->mode != INSTALL_REPLICATE && i < sk_X509_CRL_num(inst->old->crls); i++)
		check_encoded(append_pem_crl(inst->bytes, sk_X509_CRL_value(inst->old->crls, i)));
	finish_installation(inst);
	return inst;
}

/*
 * Replace the whole set of CAs.
 */
Installation *
replace_cas(const PemContent *given, InstallMode mode, bool dry_run, bool force)
{
	Installation *inst;
	int			first;

	check_given_cas(given);
	inst = begin_installation(MATERIAL_CA, mode, mode == INSTALL_HERE ? "install_ca" : "set_ca", dry_run, force);
	check_ca_bound(given->certs, inst->old->certs);
	forbid_namesakes(inst, given->certs);
	put_namesakes_first(inst, given);
	first = sk_X509_num(inst->content->certs);
	add_given_cas(inst, given, first);
	return install_cas(inst, given->certs);
}

/*
 * Put the replicated CAs in place on this node: these, in this order.
 */
Installation *
apply_cas(const PemContent *given)
{
	Installation *inst;

	check_given_cas(given);
	inst = begin_installation(MATERIAL_CA, INSTALL_APPLY, "set_ca", false, true);
	add_given_cas(inst, given, 0);
	return install_cas(inst, given->certs);
}

/*
 * Add CAs to those that are there.
 */
Installation *
add_cas(const PemContent *given, bool dry_run, bool force)
{
	Installation *inst;

	check_given_cas(given);
	inst = begin_installation(MATERIAL_CA, INSTALL_HERE, "add_ca", dry_run, force);
	check_ca_bound(given->certs, inst->old->certs);
	forbid_namesakes(inst, given->certs);
	keep_cas(inst, NULL);
	add_given_cas(inst, given, 0);
	return install_cas(inst, given->certs);
}

/*
 * Remove the CA with this fingerprint, in hexadecimal.
 */
Installation *
remove_ca(const char *fingerprint, bool dry_run, bool force)
{
	Installation *inst;
	uint8		digest[FINGERPRINT_LEN];
	X509	   *removed;

	if (!parse_fingerprint(fingerprint, digest))
		refuse_installation(psprintf("\"%s\" is not a SHA-256 fingerprint", fingerprint), NULL,
							"Write 64 hexadecimal digits, with or without colons.");
	inst = begin_installation(MATERIAL_CA, INSTALL_HERE, "remove_ca", dry_run, force);
	removed = find_certificate_by_fingerprint(inst->old->certs, digest);
	if (removed == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("no CA in ssl_ca_file has this fingerprint"),
				 errhint("The view sslpolicy.certificates has those that are there.")));
	keep_cas(inst, removed);
	return install_cas(inst, NULL);
}

/*
 * CAs of before must be good enough to be installed now.  No CA at all is what
 * there was before the first one.
 */
void
judge_earlier_cas(Installation *inst)
{
	Trust	   *after;

	check_ca_bound(inst->content->certs, inst->old->certs);
	forbid_namesakes(inst, inst->content->certs);
	after = trust_after_installation(inst, inst->content->certs, NULL);
	if (inst->bytes)
		raise_trust_refusal(judge_cas(after, NULL, &inst->warnings));
	(void) judge_revocation(after, &inst->warnings);
	inst->affected = find_losing_certificate(inst, after);
}
