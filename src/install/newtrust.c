/*-------------------------------------------------------------------------
 *
 * newtrust.c
 *		What clients are verified with before an installation of CAs or CRLs, and
 *		after it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "miscadmin.h"

#include "base/files.h"
#include "base/memory.h"
#include "base/told.h"
#include "install/affected.h"
#include "install/newtrust.h"
#include "pki/chain.h"
#include "revocation/crlcopies.h"
#include "settings/directory.h"
#include "settings/settings.h"

/*
 * Use replicated material from the catalog, not from the files of this node.
 */
static void
take_replicated(const Installation *inst, Trust *trust)
{
	if (inst->replicated_cas)
	{
		sk_X509_pop_free(trust->cas, X509_free);
		trust->cas = X509_chain_up_ref(inst->replicated_cas);
	}
	for (int i = 0; inst->replicated_crls && i < sk_X509_CRL_num(inst->replicated_crls->crls); i++)
	{
		X509_CRL_up_ref(sk_X509_CRL_value(inst->replicated_crls->crls, i));
		sk_X509_CRL_push(trust->crls, sk_X509_CRL_value(inst->replicated_crls->crls, i));
		trust->use_crls = true;
	}
}

/*
 * What clients are verified with until now.  NULL, with *error, if that cannot be
 * read.
 */
Trust *
trust_before_installation(const Installation *inst, char **error)
{
	MaterialFiles files = inst->files;
	TlsParameters parameters = configured_parameters(inst->configuration);
	Trust	   *trust;

	/*
	 * A file of sslpolicy.crl_file that was never there is about to be made.  If it has gone,
	 * or gone bad, its copies are in force.
	 */
	if (inst->indexed && inst->unreadable)
		files.crl_file = file_exists(own_file(CRL_COPIES)) ? own_file(CRL_COPIES) : "";
	if (inst->replicated_crls)
		files.crl_file = "";
	trust = read_trust(&files, &parameters, (int64) time(NULL), error);
	if (trust)
		take_replicated(inst, trust);
	if (trust)
		trust->issuers = known_crl_issuers(trust->cas, inst->crl_issuers);
	if (trust && inst->indexed)
	{
		trust->own_crls = true;
		trust->accept_missing_crl = accept_missing_crl();
		trust->accept_expired_crl = accept_expired_crl();
	}
	return trust;
}

/*
 * What the server would verify clients with, CAs or CRLs being the new ones.
 */
Trust *
trust_after_installation(const Installation *inst, STACK_OF(X509) *cas, STACK_OF(X509_CRL) *crls)
{
	Trust	   *trust = palloc(sizeof(Trust));
	char	   *error;
	Trust	   *before = trust_before_installation(inst, &error);

	if (before == NULL)
	{
		ereport(told_level(ERROR),
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("the server's TLS files cannot be read"),
				 errdetail("The error was: %s.", full_text(error))));
		refuse_file();
	}
	*trust = *before;
	if (cas)
	{
		trust->cas = cas;
		trust->issuers = known_crl_issuers(cas, inst->crl_issuers);
	}
	if (crls)
	{
		/* those of ssl_crl_dir go on to count */
		for (int i = 0; i < sk_X509_CRL_num(before->crls); i++)
		{
			X509_CRL   *crl = sk_X509_CRL_value(before->crls, i);
			bool		in_file = false;

			for (int k = 0; k < sk_X509_CRL_num(inst->old->crls); k++)
				in_file |= X509_CRL_match(crl, sk_X509_CRL_value(inst->old->crls, k)) == 0;
			if (!in_file && X509_CRL_up_ref(crl))
				sk_X509_CRL_push(crls, crl);
		}
		trust->crls = crls;
		trust->use_crls = sk_X509_CRL_num(crls) > 0 || inst->files.crl_dir[0];
	}
	return trust;
}

/*
 * Whom the old material accepts and the new one does not.  Their CAs may stand in earlier
 * versions, which a renewed CA has replaced.
 *
 * A superuser who removes or replaces a CA may know that nobody uses it any more, so
 * that only live sessions count.  The effect of a CRL can come as a surprise, a grantee
 * may remove CAs of others, and whoever removes one from every node does not see the
 * sessions of the other nodes.  So in these cases recent logins count, too.
 */
List *
find_losing_certificate(const Installation *inst, const Trust *after)
{
	STACK_OF(X509) *known = new_certificates();
	char	   *error;
	Trust	   *before = trust_before_installation(inst, &error);
	int			next = next_history_version(inst->history, MATERIAL_CA);
	List	   *cas = NIL;

	for (int i = 0; before && i < sk_X509_num(before->cas); i++)
		(void) add_certificate_once(known, sk_X509_value(before->cas, i));
	for (int version = Max(1, next - 2 * KEPT_VERSIONS); version < next; version++)
	{
		STACK_OF(X509) *certs = read_pem_file(history_version_file(MATERIAL_CA, version))->content->certs;

		for (int i = 0; i < sk_X509_num(certs); i++)
			(void) add_certificate_once(known, sk_X509_value(certs, i));
	}
	if (inst->kind == MATERIAL_CRL && before)
		cas = find_losing_cas(before, after, known);
	return list_concat(cas, find_losing_trust(before, after, known, inst->kind == MATERIAL_CRL || inst->mode == INSTALL_REPLICATE || !superuser()));
}
