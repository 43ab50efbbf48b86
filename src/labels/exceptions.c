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
 * Is the certificate, or one that verified it, in
 * sslpolicy.blocked_fingerprints?  One that cannot be read might be.
 */
bool
is_blocked_certificate(const Facts *facts)
{
	int			count;
	const uint8 *fingerprints = blocked_fingerprints(&count);

	if (count == 0)
		return false;
	return facts->unreadable ||
		(facts->cert && has_listed_fingerprint(facts->cert, fingerprints, count));
}
