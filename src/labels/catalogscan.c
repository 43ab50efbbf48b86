/*-------------------------------------------------------------------------
 *
 * catalogscan.c
 *		Rows of the shared catalogs that hold policies: from the catalogs
 *		themselves, or from a copy of them.
 *
 * A login looks up the few rows that it needs.  A recheck of all sessions reads
 * each catalog once, into hashes, since the worker has no database and no index
 * can be relied on there.  What is done with the rows is the same code.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/table.h"
#include "catalog/pg_auth_members.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "catalog/pg_shseclabel.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/relcache.h"

#include "labels/catalogscan.h"
#include "labels/clusterlabels.h"
#include "labels/labels.h"

typedef struct RowKey
{
	Oid			catalog;
	Oid			oid;			/* value of the column that is looked for */
} RowKey;

typedef struct CopiedRows
{
	RowKey		key;
	char		status;			/* of simplehash */
	List	   *rows;			/* HeapTuples */
} CopiedRows;

#define SH_PREFIX			  rows
#define SH_ELEMENT_TYPE		  CopiedRows
#define SH_KEY_TYPE			  RowKey
#define SH_KEY				  key
#define SH_HASH_KEY(table, k) hash_combine(murmurhash32((k).oid), (k).catalog)
#define SH_EQUAL(table, a, b) ((a).oid == (b).oid && (a).catalog == (b).catalog)
#define SH_SCOPE			  static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

struct CatalogCopy
{
	rows_hash  *rows;
};

/*
 * Copy a whole catalog, by the column that is looked for.
 */
static void
copy_catalog(CatalogCopy *copy, Oid catalog, AttrNumber column, Snapshot snapshot)
{
	Relation	relation = table_open(catalog, AccessShareLock);
	SysScanDesc scan = systable_beginscan(relation, InvalidOid, false, snapshot, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		RowKey		key = {catalog, DatumGetObjectId(heap_getattr(tuple, column, RelationGetDescr(relation), &isnull))};
		CopiedRows *entry;
		ClusterLabel which;
		bool		found;

		if (catalog == SharedSecLabelRelationId && !is_our_label(tuple, RelationGetDescr(relation)) &&
			(!is_cluster_label(tuple, RelationGetDescr(relation), &which) || is_cluster_material(which)))
			continue;
		entry = rows_insert(copy->rows, key, &found);
		if (!found)
			entry->rows = NIL;
		entry->rows = lappend(entry->rows, heap_copytuple(tuple));
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
}

/*
 * The rows that policies depend on, as the snapshot sees them, in the current
 * memory context.  pg_database is not among them: sessions know the oid of
 * theirs.
 */
CatalogCopy *
copy_catalogs(Snapshot snapshot)
{
	CatalogCopy *copy = palloc(sizeof(CatalogCopy));

	copy->rows = rows_create(CurrentMemoryContext, 1024, NULL);
	copy_catalog(copy, SharedSecLabelRelationId, Anum_pg_shseclabel_objoid, snapshot);
	copy_catalog(copy, AuthMemRelationId, Anum_pg_auth_members_member, snapshot);
	copy_catalog(copy, AuthIdRelationId, Anum_pg_authid_oid, snapshot);
	return copy;
}

static List *
copied_rows(const CatalogCopy *copy, Oid catalog, Oid oid)
{
	RowKey		key = {catalog, oid};
	CopiedRows *entry = rows_lookup(copy->rows, key);

	return entry ? entry->rows : NIL;
}

/*
 * Column must be the first one of the index.
 *
 * While the index of a catalog cannot be used (see applicable.c) it is one pass
 * over the whole catalog.
 */
void
begin_catalog_scan(CatalogScan *s, const CatalogCopy *copy, Relation catalog, Oid index,
				   AttrNumber column, List *oids, Snapshot snapshot)
{
	ScanKeyData key;

	s->copy = copy;
	s->catalog = RelationGetRelid(catalog);
	s->oids = oids;
	s->next = 1;
	s->scan = NULL;
	if (copy != NULL)
	{
		s->rows = copied_rows(copy, s->catalog, linitial_oid(oids));
		s->row = list_head(s->rows);
		return;
	}
	ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(linitial_oid(oids)));
	if (criticalSharedRelcachesBuilt && !IgnoreSystemIndexes)
	{
		s->scan = systable_beginscan(catalog, index, true, snapshot, 1, &key);
		if (s->scan->irel == NULL)
			elog(ERROR, "index %u is not used", index);
	}
	else
		s->scan = systable_beginscan(catalog, index, false, snapshot, 0, NULL);
}

static HeapTuple
next_copied_row(CatalogScan *s)
{
	HeapTuple	tuple;

	while (s->row == NULL)
	{
		if (s->next >= list_length(s->oids))
			return NULL;
		s->rows = copied_rows(s->copy, s->catalog, list_nth_oid(s->oids, s->next++));
		s->row = list_head(s->rows);
	}
	tuple = lfirst(s->row);
	s->row = lnext(s->rows, s->row);
	return tuple;
}

/*
 * The next row, or NULL.  The index scan is positioned anew for each oid: to
 * start one costs more than the lookup.  (A scan key with an array of oids
 * would do the same, but needs pg_amproc, which cannot be read at login.)
 */
HeapTuple
next_catalog_row(CatalogScan *s)
{
	if (s->scan == NULL)
		return next_copied_row(s);
	for (;;)
	{
		HeapTuple	tuple = systable_getnext(s->scan);
		ScanKeyData key;

		if (HeapTupleIsValid(tuple) || s->scan->irel == NULL ||
			s->next >= list_length(s->oids))
			return tuple;
		ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_OIDEQ,
					ObjectIdGetDatum(list_nth_oid(s->oids, s->next++)));
		index_rescan(s->scan->iscan, &key, 1, NULL, 0);
	}
}

void
end_catalog_scan(CatalogScan *s)
{
	if (s->scan != NULL)
		systable_endscan(s->scan);
}
