/*-------------------------------------------------------------------------
 *
 * setmaterial.c
 *		Sets the CAs and CRLs of every node.
 *
 * They are judged as the installation functions judge them, and become labels of the
 * bootstrap superuser (labels/clusterlabels.c) in the caller's transaction.  No file
 * changes here: each node, including this one, puts what is committed in place (apply.c).
 *
 * Only this node is considered: its settings, sessions and recent logins.  Those of other
 * nodes are not known here.  So only superusers can set CAs: which roles the owner of a CA
 * can become depends on the pg_hba.conf of each node.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/compat.h"
#include "base/datums.h"
#include "base/files.h"
#include "base/memory.h"
#include "base/transaction.h"
#include "cluster/nodes.h"
#include "cluster/setmaterial.h"
#include "install/affected.h"
#include "install/installca.h"
#include "install/installcrl.h"
#include "install/replicated.h"
#include "install/rollback.h"
#include "labels/setpolicy.h"
#include "material/generation.h"
#include "pki/chain.h"
#include "pki/crl.h"
#include "revocation/crlcopies.h"
#include "session/walsenders.h"

/*
 * A line before the CRLs for each version that a superuser has rolled back.  A node goes
 * back only from a file with this SHA-256; a node with a newer CRL from elsewhere keeps it.
 * The lines stay, for nodes that were down at the time.
 */
#define REPLACES "Replaces: "

/* How many of these lines stay: as many as a node keeps versions. */
#define MAX_REPLACED KEPT_VERSIONS

static void
require_superuser(const char *what)
{
	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser to %s", what),
				 errdetail("It takes effect on every node, and what it permits there depends on settings and files that are not known on this node.")));
}

/*
 * Callers who are not superusers are judged by what is committed.
 */
static void
require_unchanged_transaction(const char *action)
{
	if (superuser())
		return;
	require_current_settings();
	forbid_changes_before(psprintf("permission denied to call %s() in a transaction that has changed something", action),
						  "Call it in a transaction of its own.");
}

/*
 * Write the label, unless it has this text already.
 */
static void
write_material(Installation *inst, ClusterLabel which, const char *text)
{
	char	   *now = read_cluster_material(which);

	if (text != NULL && strlen(text) > MAX_REPLICATED_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the CRLs are too large to be replicated"),
				 errdetail("Together they have %zu bytes; at most %d bytes can be replicated.", strlen(text), MAX_REPLICATED_BYTES),
				 errhint(DISTRIBUTE_HINT)));
	if (text == NULL ? now == NULL : now != NULL && strcmp(now, text) == 0)
		inst->warnings = lappend(inst->warnings, psprintf("nothing has changed: %s", text ? "this material is already replicated" : "nothing is replicated"));
	else
		write_cluster_label(which, text);
}

/*
 * The SHA-256, as text, of each REPLACES line that the replicated CRLs begin with.
 */
List *
versions_gone_back_from(const char *text)
{
	List	   *result = NIL;
	uint8		digest[FINGERPRINT_LEN];

	while (strncmp(text, REPLACES, strlen(REPLACES)) == 0)
	{
		const char *value = text + strlen(REPLACES);
		size_t		len = strcspn(value, "\n");

		if (parse_fingerprint(pnstrdup(value, len), digest))
			result = lappend(result, fingerprint_hex(digest));
		text = value + len + (value[len] != '\0');
	}
	return result;
}

/*
 * Those in the current label, and one more if it is not NULL.
 */
static List *
all_gone_back_from(const char *one)
{
	char	   *now = read_cluster_material(CLUSTER_CRL);
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, now ? versions_gone_back_from(now) : NIL)
		if (one == NULL || strcmp(lfirst(cell), one) != 0)
			result = lappend(result, lfirst(cell));
	if (one)
		result = lappend(result, pstrdup(one));
	while (list_length(result) > MAX_REPLACED)
		result = list_delete_first(result);
	return result;
}

/*
 * The text of the label: the CRLs, and the certificates of issuers that no CA file has.
 */
static char *
crl_text(STACK_OF(X509_CRL) *crls, STACK_OF(X509) *issuers, const char *goes_back_from)
{
	StringInfoData text;
	ListCell   *cell;

	initStringInfo(&text);
	foreach(cell, all_gone_back_from(goes_back_from))
		appendStringInfo(&text, REPLACES "%s\n", (char *) lfirst(cell));
	for (int i = 0; i < sk_X509_CRL_num(crls); i++)
		check_encoded(append_pem_crl(&text, sk_X509_CRL_value(crls, i)));
	for (int i = 0; issuers && i < sk_X509_num(issuers); i++)
		check_encoded(append_pem_certificate(&text, sk_X509_value(issuers, i)));
	return text.data;
}

/*
 * CRLs of a removed CA would be an error on every node.  So they are removed in the same
 * transaction.
 */
static void
drop_unsigned_crls(Installation *inst)
{
	PemContent *replicated = inst->replicated_crls;
	STACK_OF(X509_CRL) *kept;
	STACK_OF(X509) *issuers;
	STACK_OF(X509) *kept_issuers;
	int			dropped = 0;

	if (replicated == NULL)
		return;
	kept = sk_X509_CRL_new_null();
	issuers = known_crl_issuers(inst->content->certs, replicated->certs);
	for (int i = 0; i < sk_X509_CRL_num(replicated->crls); i++)
	{
		X509_CRL   *crl = sk_X509_CRL_value(replicated->crls, i);

		if (crl_issuer(crl, issuers) != NULL)
			sk_X509_CRL_push(kept, crl);
		else
		{
			const CrlFacts *facts = read_crl(crl);

			dropped++;
			inst->warnings = lappend(inst->warnings, psprintf("the replicated CRL of \"%s\" is removed, because its CA is removed", facts ? certificate_string(facts->issuer_dn) : "?"));
		}
	}
	kept_issuers = new_certificates();
	for (int i = 0; i < sk_X509_num(replicated->certs); i++)
		if (has_certificate(issuers, sk_X509_value(replicated->certs, i)))
			(void) add_certificate_once(kept_issuers, sk_X509_value(replicated->certs, i));
	if (dropped > 0)
		write_material(inst, CLUSTER_CRL,
					   sk_X509_CRL_num(kept) > 0 ? crl_text(kept, kept_issuers, NULL) : NULL);
	sk_X509_CRL_free(kept);
}

/*
 * A standby that can no longer connect does not receive the label that would correct this.
 */
static void
warn_of_standbys(Installation *inst)
{
	ListCell   *cell;

	foreach(cell, inst->affected)
	{
		const Affected *affected = lfirst(cell);

		if (affected->standby)
			inst->warnings = lappend(inst->warnings, psprintf("standby server \"%s\" will be refused: %s", compat_clean_ascii(affected->standby), affected->reason));
	}
}

static void
warn_of_missing_standbys(Installation *inst)
{
	char	   *missing = missing_standbys_warning();

	if (missing)
		inst->warnings = lappend(inst->warnings, missing);
}

/*
 * What else the caller should know.
 */
static void
warn_of_nodes(Installation *inst)
{
	char	   *foreign = nodes_in_state(NODE_FOREIGN);
	char	   *failed = nodes_in_state(NODE_FAILED);

	warn_of_missing_standbys(inst);
	if (foreign)
		inst->warnings = lappend(inst->warnings, psprintf("on these nodes something else writes the files, and must distribute this material: %s", foreign));
	if (failed)
		inst->warnings = lappend(inst->warnings, psprintf("these nodes failed to apply what was replicated before: %s", failed));
	warn_of_standbys(inst);
	if (inst->affected != NIL)
		inst->warnings = lappend(inst->warnings, "column \"affected\" covers only sessions and recent logins on this node");
}

/*
 * The CAs of every node.
 *
 * Errors: those of install_ca(), insufficient_privilege.
 */
Installation *
set_cas(const PemContent *given, bool force)
{
	Installation *inst;

	require_superuser("set the CAs of every node");
	inst = replace_cas(given, INSTALL_REPLICATE, false, force);
	write_material(inst, CLUSTER_CA, inst->bytes->data);
	drop_unsigned_crls(inst);
	warn_of_nodes(inst);
	return inst;
}

/*
 * CRLs of every node: each replaces the one of the same issuer and scope.
 *
 * Errors: those of install_crl(), program_limit_exceeded.
 */
Installation *
set_crls(const PemContent *given, bool force)
{
	Installation *inst;

	require_unchanged_transaction("set_crl");
	inst = install_crls(given, INSTALL_REPLICATE, false, force);
	write_material(inst, CLUSTER_CRL, crl_text(inst->content->crls, inst->crl_issuers, NULL));
	warn_of_nodes(inst);
	return inst;
}

/*
 * End the replication of a kind.  Each node keeps its files as its own.
 */
Installation *
remove_replicated(MaterialKind kind)
{
	Installation *inst = palloc0(sizeof(Installation));

	require_superuser(psprintf("end the replication of TLS material \"%s\"", material_kind_name(kind)));
	PreventCommandDuringRecovery(psprintf("sslpolicy.set_%s()", material_kind_name(kind)));
	lock_cluster_labels();
	inst->kind = kind;
	inst->mode = INSTALL_REPLICATE;
	inst->old = inst->content = free_at_reset(new_pem_content(), free_pem_content);
	write_material(inst, cluster_label_of(kind), NULL);
	warn_of_missing_standbys(inst);
	return inst;
}

/*
 * This node finds the previous version among those that it has put in place.  If it does not
 * have in place what is replicated now, it would go back too far.
 */
static void
require_in_force(MaterialKind kind)
{
	char	   *text = read_cluster_material(cluster_label_of(kind));
	KindState	now = own_state(kind == MATERIAL_CA ? REPLICATED_CA : REPLICATED_CRL);
	uint8		wanted[FINGERPRINT_LEN];

	if (text && !compute_sha256(text, strlen(text), wanted))
		elog(ERROR, "could not compute a SHA-256");
	if (text && now.state == NODE_IN_FORCE && now.has_wanted && memcmp(now.wanted, wanted, FINGERPRINT_LEN) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("replicated TLS material \"%s\" is not in force on this node", material_kind_name(kind)),
			 errdetail("A rollback starts from what is in force on this node, and would go back too far."),
			 errhint("Call sslpolicy.wait_for_nodes(), and repair what it says about this node.")));
}

/*
 * Make every node go back to the previous version.
 */
Installation *
roll_back_replicated(MaterialKind kind, bool dry_run, bool force)
{
	Installation *inst;

	require_superuser(psprintf("roll back replicated TLS material \"%s\"", material_kind_name(kind)));
	PreventCommandDuringRecovery("sslpolicy.rollback()");
	lock_cluster_labels();
	require_in_force(kind);
	inst = roll_back(kind, INSTALL_REPLICATE, dry_run, force);
	inst->generation = number_in_force();
	if (dry_run)
		return inst;
	if (kind == MATERIAL_CA)
	{
		StringInfo	text = makeStringInfo();

		for (int i = 0; i < sk_X509_num(inst->content->certs); i++)
			check_encoded(append_pem_certificate(text, sk_X509_value(inst->content->certs, i)));
		write_material(inst, CLUSTER_CA, text->data);
		drop_unsigned_crls(inst);
	}
	else
		write_material(inst, CLUSTER_CRL,
					   crl_text(inst->content->crls, inst->old->certs,
								inst->old_bytes ? bytes_fingerprint(inst->old_bytes, inst->old_len) : NULL));
	inst->installed = true;
	warn_of_nodes(inst);
	return inst;
}
