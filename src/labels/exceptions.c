/*-------------------------------------------------------------------------
 *
 * exceptions.c
 *		Who is judged by other than policies: reserved roles, blocked certificates.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/varlena.h"

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
 * Are any certificates blocked?
 */
bool
blocks_certificates(void)
{
	int			count;

	(void) blocked_fingerprints(&count);
	return count > 0;
}

/*
 * How sslpolicy.blocked_fingerprints speaks against the client certificate, to be read
 * behind "client certificate"; NULL if it does not.
 */
const char *
blocked_reason(const Facts *facts)
{
	int			count;
	const uint8 *fingerprints = blocked_fingerprints(&count);
	CertFacts	leaf;

	if (count == 0)
		return NULL;
	if (facts->unreadable)
		return "cannot be read, and may be in sslpolicy.blocked_fingerprints";
	if (facts->cert == NULL || !has_listed_fingerprint(facts->cert, fingerprints, count))
		return NULL;
	leaf = *facts->cert;
	leaf.ncas = 0;
	return has_listed_fingerprint(&leaf, fingerprints, count) ?
		"is in sslpolicy.blocked_fingerprints" :
		"was verified by a CA that is in sslpolicy.blocked_fingerprints";
}
