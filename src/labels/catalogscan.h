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
#include "access/tableam.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

typedef struct CatalogCopy CatalogCopy;

/*
 * A scan for the rows whose column is one of some oids.  It may bring other rows as
 * well, and some twice; the caller has to tell them apart.
 */
typedef struct CatalogScan
{
	const CatalogCopy *copy;	/* NULL: of the catalog itself */
	Relation	catalog;
	Snapshot	snapshot;
	List	   *oids;
	int			next;			/* the oid to look for next */
	SysScanDesc scan;			/* by the index */
	TableScanDesc whole;		/* without; NULL: by the index */
	double		rows_left;		/* by an index, until to read the whole catalog would have been
								 * cheaper */
	const ListCell *row;		/* of a copy: the row to return next */
	List	   *rows;
} CatalogScan;

extern CatalogCopy *copy_catalogs(Snapshot snapshot);
extern CatalogCopy *copy_catalogs_for(List *roles, List *databases, Snapshot snapshot);
extern bool is_index_cheaper(Relation catalog, int lookups);
extern void begin_catalog_scan(CatalogScan *s, const CatalogCopy *copy, Relation catalog,
							   Oid index, AttrNumber column, List *oids, Snapshot snapshot);
extern HeapTuple next_catalog_row(CatalogScan *s);
extern void end_catalog_scan(CatalogScan *s);

#endif							/* SSLPOLICY_CATALOGSCAN_H */
