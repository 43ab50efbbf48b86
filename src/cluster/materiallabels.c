/*-------------------------------------------------------------------------
 *
 * materiallabels.c
 *		The providers of the labels that hold CAs and CRLs for every node.
 *
 * set_ca() and set_crl() come here with what they have judged.  By hand, only superusers
 * can run SECURITY LABEL, and dumps are restored with it: so only the form is checked, and
 * a CRL may have expired.  But what is in place stays: restoring the roles of production
 * into staging must not bring the CAs of production along.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "commands/seclabel.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/memory.h"
#include "cluster/apply.h"
#include "cluster/materiallabels.h"
#include "cluster/setmaterial.h"
#include "install/replicated.h"
#include "labels/clusterlabels.h"
#include "labels/labels.h"

static void
refuse_key(const char *text)
{
	/* the statement contains it, too: keymask.c keeps that out of the log */
	wipe_memory(unconstify(char *, text), strlen(text));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is a private key in the text"),
			 errdetail("It was not stored, but anyone who could read the statement in transit or in a log may know the key."),
			 errhint("Supply only certificates or CRLs, and treat the key as compromised."),
			 errhidestmt(true), errhidecontext(true)));
}

static PemContent *
read_form(ReplicatedKind kind, const char *text)
{
	PemContent *content;
	char	   *error;
	bool		fits;

	if (mentions_private_key(text, strlen(text)))
		refuse_key(text);
	if (strlen(text) > MAX_REPLICATED_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the text is too long to be replicated"),
				 errdetail("It has %zu bytes; at most %d bytes can be replicated.", strlen(text), MAX_REPLICATED_BYTES),
				 kind == REPLICATED_CRL ? errhint(DISTRIBUTE_HINT) : 0));
	content = read_pem(text, strlen(text), &error);
	if (content == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the text cannot be read as PEM"),
				 errdetail("The error was: %s.", error)));
	(void) free_at_reset(content, free_pem_content);
	fits = kind == REPLICATED_CA ?
		sk_X509_num(content->certs) > 0 && sk_X509_CRL_num(content->crls) == 0 :
		sk_X509_CRL_num(content->crls) > 0;
	if (!fits || content->nothers > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg(kind == REPLICATED_CA ? "the text must contain CA certificates in PEM format, and nothing else" :
												"the text must contain CRLs in PEM format, and nothing else but certificates of their issuers")));
	return content;
}

/*
 * A statement by hand must not replace other material.
 */
static void
forbid_replacing(ReplicatedKind kind, const char *text, const PemContent *content)
{
	const char *now = read_cluster_material(replicated_label(kind));
	const char *place = NULL;

	if (now != NULL && strcmp(now, text) != 0)
		place = "what is replicated now";
	else if (now == NULL && !holds_nothing(kind) && !holds_the_same(kind, content))
		place = kind == REPLICATED_CA ? "the CAs in ssl_ca_file" : "the CRLs of this node";
	if (place)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("security label of provider \"%s\" would replace other TLS material", cluster_label_provider(replicated_label(kind))),
				 errdetail("It would replace %s, on every node.", place),
				 errhint("Use sslpolicy.set_%s(). To restore a dump of another cluster, omit its labels with pg_dumpall --no-security-labels.", replicated_kind_name(kind))));
}

static void
check_material_label(ReplicatedKind kind, const ObjectAddress *object, const char *text)
{
	ClusterLabel which = replicated_label(kind);

	check_cluster_object(which, object);
	if (text != NULL)
	{
		PemContent *content = read_form(kind, text);

		if (!IsBinaryUpgrade && !is_label_expected())
			forbid_replacing(kind, text, content);
	}
	note_label_change(object, cluster_label_provider(which), cluster_label_name(which), text, true);
}

static void
check_ca_label(const ObjectAddress *object, const char *text)
{
	check_material_label(REPLICATED_CA, object, text);
}

static void
check_crl_label(const ObjectAddress *object, const char *text)
{
	check_material_label(REPLICATED_CRL, object, text);
}

void
init_material_labels(void)
{
	register_label_provider(cluster_label_provider(CLUSTER_CA), check_ca_label);
	register_label_provider(cluster_label_provider(CLUSTER_CRL), check_crl_label);
}
