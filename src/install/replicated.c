/*-------------------------------------------------------------------------
 *
 * replicated.c
 *		TLS material that every node takes from the catalog.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"

#include "base/files.h"
#include "base/memory.h"
#include "install/replicated.h"

/*
 * The label that holds this kind for every node.  There is none for server certificates,
 * whose keys must not leave their nodes.
 */
ClusterLabel
cluster_label_of(MaterialKind kind)
{
	Assert(kind != MATERIAL_SERVER);
	return kind == MATERIAL_CA ? CLUSTER_CA : CLUSTER_CRL;
}

bool
is_replicated(MaterialKind kind)
{
	return kind != MATERIAL_SERVER && TransactionIdIsValid(cluster_label_version(cluster_label_of(kind)));
}

/*
 * What the catalog holds of a kind, as seen by this transaction; NULL if there is nothing.
 */
PemContent *
read_replicated(MaterialKind kind)
{
	char	   *text = read_cluster_material(cluster_label_of(kind));
	PemContent *content;
	char	   *error;

	if (text == NULL)
		return NULL;
	content = read_pem(text, strlen(text), &error);
	if (content == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("replicated TLS material \"%s\" cannot be read", material_kind_name(kind)),
				 errdetail("The error was: %s.", error),
				 errhint("Remove it with sslpolicy.set_%s(NULL), and set it again.", material_kind_name(kind))));
	return free_at_reset(content, free_pem_content);
}

/*
 * New material for every node is judged by what the catalog holds, which may be newer than
 * what this node has in its files.
 */
void
read_all_replicated(Installation *inst)
{
	PemContent *cas;

	if (inst->mode != INSTALL_REPLICATE)
		return;
	cas = read_replicated(MATERIAL_CA);
	inst->replicated_cas = cas ? cas->certs : NULL;
	inst->replicated_crls = read_replicated(MATERIAL_CRL);
	if (inst->kind == MATERIAL_CA && cas)
		inst->old = cas;
	if (inst->kind == MATERIAL_CRL && inst->replicated_crls)
	{
		inst->old = inst->replicated_crls;
		inst->unreadable = false;
	}
}

/*
 * The CAs by which CRLs are judged.
 */
STACK_OF(X509) *
cas_to_judge_by(const Installation *inst)
{
	return inst->replicated_cas ? inst->replicated_cas : read_pem_file(inst->files.ca_file)->content->certs;
}
