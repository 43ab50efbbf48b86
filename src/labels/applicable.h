/*-------------------------------------------------------------------------
 *
 * applicable.h
 *		Which policies apply to a session.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_APPLICABLE_H
#define SSLPOLICY_APPLICABLE_H

#include "labels/catalogscan.h"
#include "policy/evaluate.h"

typedef struct Applicable
{
	Oid			role;			/* InvalidOid if there is no such role */
	bool		is_superuser;	/* of the role; set by find_applicable() only */
	Oid			database;		/* InvalidOid if there is none, or none is meant */
	int			count;
	AppliedPolicy *policies;
	const char *blocked;		/* certificates that are blocked on every node, as the label
								 * has them; NULL if there are none, or no label was read */
	struct Search *search;		/* for membership_path() */
} Applicable;

/* A policy to suppose in place of the one that is there. */
typedef struct Supposition
{
	PolicySource source;		/* SOURCE_ROLE (any role), SOURCE_DATABASE,
								 * SOURCE_DEFAULT, or SOURCE_MINIMUM: that of the cluster */
	Oid			object;			/* role or database */
	const char *text;			/* NULL: none */
} Supposition;

extern Applicable *find_applicable(const char *role, const char *database,
								   bool policies);
extern Applicable *find_applicable_in(const CatalogCopy *catalogs, Oid role,
									  const char *role_name, Oid database,
									  const char *database_name,
									  const Supposition *supposed);
extern void add_labelled_groups(const Applicable *applicable, List **binding,
								List **passed_over);
extern List *membership_path(const Applicable *applicable,
							 const AppliedPolicy *applied);

#endif							/* SSLPOLICY_APPLICABLE_H */
