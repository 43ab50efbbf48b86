/*-------------------------------------------------------------------------
 *
 * applicable.h
 *		Which policies apply to a session.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_APPLICABLE_H
#define SSLPOLICY_APPLICABLE_H

#include "catalogscan.h"
#include "evaluate.h"

typedef struct Applicable
{
	Oid			role;			/* InvalidOid if there is no such role */
	Oid			database;		/* InvalidOid if there is none, or none is meant */
	int			count;
	AppliedPolicy *policies;
} Applicable;

extern Applicable *find_applicable(const char *role, const char *database,
								   bool policies);
extern Applicable *find_applicable_in(const CatalogCopy *catalogs, Oid role,
									  const char *role_name, Oid database,
									  const char *database_name);

#endif							/* SSLPOLICY_APPLICABLE_H */
