/*-------------------------------------------------------------------------
 *
 * concern.h
 *		Which changes of roles, memberships and databases concern live sessions?
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CONCERN_H
#define SSLPOLICY_CONCERN_H

#include "nodes/pg_list.h"

#include "labels/catalogscan.h"

extern void begin_watching_catalogs(void);
extern void remember_dependence(const List *sessions, const CatalogCopy *catalogs);
extern bool has_catalog_changes(void);
extern int	take_catalog_changes(void);

#endif							/* SSLPOLICY_CONCERN_H */
