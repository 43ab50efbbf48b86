/*-------------------------------------------------------------------------
 *
 * exceptions.c
 *		Who is judged by other than policies: reserved roles, blocked certificates.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/varlena.h"

#include "base/fingerprint.h"
#include "labels/clusterlabels.h"
#include "labels/exceptions.h"
#include "policy/evaluate.h"
#include "settings/settings.h"

/*
 * Is the role one of sslpolicy.reserved_roles?
 */
bool
is_reserved_role(const char *name)
{
	const char *list = reserved_roles();
	List	   *names;
	ListCell   *cell;
	bool		found = false;

	if (list[0] != '\0' && SplitIdentifierString(pstrdup(list), ',', &names))
		foreach(cell, names)
			found |= strcmp(lfirst(cell), name) == 0;
	return found;
}

/*
 * The certificates that are blocked: on this node by a setting, on every node by a label.
 * A label that cannot be read has no fingerprints, and an error.
 */
BlockedCertificates *
blocked_certificates(void)
{
	return blocked_by(read_cluster_label(CLUSTER_BLOCKED));
}

/*
 * The same with the text of the label, or NULL, for a caller that has it.
 */
BlockedCertificates *
blocked_by(const char *label)
{
	BlockedCertificates *result = palloc0(sizeof(BlockedCertificates));
	char	   *bad;

	result->here = blocked_fingerprints(&result->nhere);
	if (label == NULL)
		return result;
	result->everywhere = parse_fingerprints(label, &result->neverywhere, &bad);
	result->label_unreadable = result->everywhere == NULL;
	return result;
}

/*
 * How many there are; a label that cannot be read counts as one.
 */
int
count_blocked(const BlockedCertificates *blocked)
{
	return blocked->nhere + blocked->neverywhere + (blocked->label_unreadable ? 1 : 0);
}

static bool
is_leaf_listed(const CertFacts *cert, const uint8 *fingerprints, int count)
{
	CertFacts	leaf = *cert;

	leaf.ncas = 0;
	return has_listed_fingerprint(&leaf, fingerprints, count);
}

/*
 * Why the client certificate is blocked, as text to follow "client certificate"; NULL if
 * it is not.
 */
const char *
blocked_reason(const BlockedCertificates *blocked, const Facts *facts)
{
	const CertFacts *cert = facts->cert;

	if (count_blocked(blocked) == 0 || (cert == NULL && !facts->unreadable))
		return NULL;
	if (facts->unreadable)
		return blocked->nhere > 0 ? "cannot be read, and may be in sslpolicy.blocked_fingerprints" :
									"cannot be read, and may be one that is blocked on every node";
	if (has_listed_fingerprint(cert, blocked->here, blocked->nhere))
		return is_leaf_listed(cert, blocked->here, blocked->nhere) ?
			"is in sslpolicy.blocked_fingerprints" :
			"was verified by a CA that is in sslpolicy.blocked_fingerprints";
	if (blocked->label_unreadable)
		return "may be one that is blocked on every node, and the list of those cannot be read";
	if (has_listed_fingerprint(cert, blocked->everywhere, blocked->neverywhere))
		return is_leaf_listed(cert, blocked->everywhere, blocked->neverywhere) ?
			"is blocked on every node" :
			"was verified by a CA that is blocked on every node";
	return NULL;
}
