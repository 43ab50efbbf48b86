/*-------------------------------------------------------------------------
 *
 * catalogscan.h
 *		Rows of the shared catalogs that hold policies: from the catalogs
 *		themselves, or from a copy of them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CATALOGSCAN_H
#define SSLPOLICY_CATALOGSCAN_H

#include "access/genam.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

typedef struct CatalogCopy CatalogCopy;

/*
 * A scan for the rows whose column is one of some oids.  It may bring other
 * rows as well; the caller has to tell them apart.
 */
typedef struct CatalogScan
{
	SysScanDesc scan;			/* NULL: of a copy */
	const CatalogCopy *copy;
	Oid			catalog;
	List	   *oids;
	int			next;			/* the oid to look for next */
	const ListCell *row;		/* of a copy: the row to return next */
	List	   *rows;
} CatalogScan;

extern CatalogCopy *copy_catalogs(Snapshot snapshot);
extern void begin_catalog_scan(CatalogScan *s, const CatalogCopy *copy, Relation catalog,
							   Oid index, AttrNumber column, List *oids, Snapshot snapshot);
extern HeapTuple next_catalog_row(CatalogScan *s);
extern void end_catalog_scan(CatalogScan *s);

#endif							/* SSLPOLICY_CATALOGSCAN_H */
