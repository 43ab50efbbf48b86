/*-------------------------------------------------------------------------
 *
 * catalogscan.c
 *		Rows of the shared catalogs that hold policies: from the catalogs
 *		themselves, or from a copy of them.
 *
 * A login looks up the few rows that it needs, or reads a whole catalog where that
 * costs less.  A recheck of all sessions reads what these need once, into hashes, and
 * lint() whole catalogs.  What is done with the rows is the same code.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/table.h"
#include "catalog/pg_auth_members.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "catalog/pg_shseclabel.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/fmgroids.h"
#include "utils/relcache.h"

#include "base/compat.h"
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
	bool		complete;		/* all of them are there */
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

#define ST_SORT			sort_oids
#define ST_ELEMENT_TYPE ListCell
#define ST_COMPARE(a, b) \
	(lfirst_oid(a) < lfirst_oid(b) ? -1 : lfirst_oid(a) > lfirst_oid(b) ? 1 : \
																		  0)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

struct CatalogCopy
{
	rows_hash  *rows;
};

/*
 * The rows of a catalog by one value of the column that is looked for; to be filled in if
 * they were not asked for before.
 */
static CopiedRows *
rows_of(CatalogCopy *copy, Oid catalog, Oid oid)
{
	RowKey		key = {catalog, oid};
	bool		found;
	CopiedRows *entry = rows_insert(copy->rows, key, &found);

	if (!found)
	{
		entry->complete = false;
		entry->rows = NIL;
	}
	return entry;
}

static Oid
oid_column(HeapTuple tuple, AttrNumber column, TupleDesc desc)
{
	bool		isnull;

	return DatumGetObjectId(heap_getattr(tuple, column, desc, &isnull));
}

/*
 * Is it a row that policies depend on?  Of labels, most can be those of other providers.
 */
static bool
is_copied(Oid catalog, HeapTuple tuple, TupleDesc desc)
{
	ClusterLabel which;

	return catalog != SharedSecLabelRelationId || is_our_label(tuple, desc) ||
		(is_cluster_label(tuple, desc, &which) && !is_cluster_material(which));
}

/*
 * Copy a whole catalog, by the column that is looked for.
 */
static void
copy_catalog(CatalogCopy *copy, Oid catalog, AttrNumber column, Snapshot snapshot)
{
	Relation	relation = table_open(catalog, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(relation);
	SysScanDesc scan = systable_beginscan(relation, InvalidOid, false, snapshot, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		CopiedRows *entry;

		if (!is_copied(catalog, tuple, desc))
			continue;
		entry = rows_of(copy, catalog, oid_column(tuple, column, desc));
		entry->rows = lappend(entry->rows, heap_copytuple(tuple));
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
}

/*
 * Copy the rows of some oids, unless they are there.
 */
static void
copy_rows(CatalogCopy *copy, Oid catalog, Oid index, AttrNumber column, List *oids, Snapshot snapshot)
{
	Relation	relation;
	CatalogScan scan;
	HeapTuple	tuple;
	ListCell   *cell;

	if (oids == NIL)
		return;
	relation = table_open(catalog, AccessShareLock);
	foreach(cell, oids)
		(void) rows_of(copy, catalog, lfirst_oid(cell));
	begin_catalog_scan(&scan, NULL, relation, index, column, oids, snapshot);
	while (HeapTupleIsValid(tuple = next_catalog_row(&scan)))
	{
		RowKey		key = {catalog, oid_column(tuple, column, RelationGetDescr(relation))};
		CopiedRows *entry = rows_lookup(copy->rows, key);

		if (entry != NULL && !entry->complete && is_copied(catalog, tuple, RelationGetDescr(relation)))
			entry->rows = lappend(entry->rows, heap_copytuple(tuple));
	}
	end_catalog_scan(&scan);
	foreach(cell, oids)
		rows_of(copy, catalog, lfirst_oid(cell))->complete = true;
	table_close(relation, AccessShareLock);
}

/*
 * The same oids in order, each once; but not InvalidOid.
 */
static List *
distinct_oids(List *oids)
{
	list_sort(oids, list_oid_cmp);
	list_deduplicate_oid(oids);
	return list_delete_oid(oids, InvalidOid);
}

/*
 * Copy the memberships of roles, at any depth, one depth at a time.  Returns the oids of
 * these roles and of all that they are members of.
 */
static List *
copy_memberships(CatalogCopy *copy, List *roles, Snapshot snapshot)
{
	List	   *members = roles;
	List	   *result = NIL;

	while (members != NIL)
	{
		List	   *groups = NIL;
		ListCell   *member;

		copy_rows(copy, AuthMemRelationId, AuthMemMemRoleIndexId, Anum_pg_auth_members_member,
				  members, snapshot);
		foreach(member, members)
		{
			ListCell   *row;

			foreach(row, rows_of(copy, AuthMemRelationId, lfirst_oid(member))->rows)
			{
				Form_pg_auth_members grant = (Form_pg_auth_members) GETSTRUCT((HeapTuple) lfirst(row));

				if (compat_grant_conveys(grant) && !rows_of(copy, AuthMemRelationId, grant->roleid)->complete)
					groups = lappend_oid(groups, grant->roleid);
			}
		}
		result = list_concat(result, members);
		members = distinct_oids(groups);
	}
	return result;
}

static CatalogCopy *
make_copy(void)
{
	CatalogCopy *copy = palloc(sizeof(CatalogCopy));

	copy->rows = rows_create(CurrentMemoryContext, 1024, NULL);
	return copy;
}

/*
 * The rows that policies depend on, as the snapshot sees them, in the current
 * memory context.  pg_database is not among them: sessions know the oid of
 * theirs.
 */
CatalogCopy *
copy_catalogs(Snapshot snapshot)
{
	CatalogCopy *copy = make_copy();

	copy_catalog(copy, SharedSecLabelRelationId, Anum_pg_shseclabel_objoid, snapshot);
	copy_catalog(copy, AuthMemRelationId, Anum_pg_auth_members_member, snapshot);
	copy_catalog(copy, AuthIdRelationId, Anum_pg_authid_oid, snapshot);
	return copy;
}

/*
 * Those that the policies of sessions of these roles, in these databases, depend on.
 */
CatalogCopy *
copy_catalogs_for(List *roles, List *databases, Snapshot snapshot)
{
	CatalogCopy *copy = make_copy();
	List	   *all = copy_memberships(copy, distinct_oids(roles), snapshot);

	copy_rows(copy, AuthIdRelationId, AuthIdOidIndexId, Anum_pg_authid_oid, list_copy(all), snapshot);
	all = lappend_oid(list_concat(all, distinct_oids(databases)), BOOTSTRAP_SUPERUSERID);
	copy_rows(copy, SharedSecLabelRelationId, SharedSecLabelObjectIndexId, Anum_pg_shseclabel_objoid, all, snapshot);
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
 * What it costs to read a catalog, as measured, in rows that an index scan finds.  Of its
 * pages the last one is half full.  The size of the catalog decides, also if it is bloated.
 */
#define PAGE_COST	25
#define INDEX_COST	6			/* to open it */
#define LOOKUP_COST 7

static double
rows_until_whole_is_cheaper(Relation catalog, int lookups)
{
	return PAGE_COST * ((double) RelationGetNumberOfBlocks(catalog) - 0.5) -
		INDEX_COST - LOOKUP_COST * (double) lookups;
}

/*
 * Is it cheaper to look up rows by an index, so many times, than to read the whole
 * catalog?
 */
bool
is_index_cheaper(Relation catalog, int lookups)
{
	return rows_until_whole_is_cheaper(catalog, lookups) > 0;
}

/*
 * Roles that are made one after the other have oids close together: such oids are looked
 * up as one range.
 */
#define MAX_GAP 4

/*
 * The range of oids that begins with one of them.  Returns the first one behind it.
 */
static int
oid_range(const List *oids, int first, Oid *low, Oid *high)
{
	int			next = first + 1;

	*low = *high = list_nth_oid(oids, first);
	while (next < list_length(oids) && list_nth_oid(oids, next) - *high <= MAX_GAP)
		*high = list_nth_oid(oids, next++);
	return next;
}

static int
count_ranges(const List *oids)
{
	int			result = 0;
	Oid			low;
	Oid			high;

	for (int next = 0; next < list_length(oids); result++)
		next = oid_range(oids, next, &low, &high);
	return result;
}

/*
 * Keys of an index scan for the next range, on the first column of the index.
 */
static void
next_range(CatalogScan *s, AttrNumber column, ScanKey keys)
{
	Oid			low;
	Oid			high;

	s->next = oid_range(s->oids, s->next, &low, &high);
	ScanKeyInit(&keys[0], column, BTGreaterEqualStrategyNumber, F_OIDGE, ObjectIdGetDatum(low));
	ScanKeyInit(&keys[1], column, BTLessEqualStrategyNumber, F_OIDLE, ObjectIdGetDatum(high));
}

static void
begin_whole_scan(CatalogScan *s)
{
	s->whole = table_beginscan_strat(s->catalog, s->snapshot, 0, NULL, true, false);
}

/*
 * How many rows will be found in any case: a role has one in pg_authid.
 */
static int
known_rows(Relation catalog, const List *oids)
{
	return RelationGetRelid(catalog) == AuthIdRelationId ? list_length(oids) : 0;
}

/*
 * Column must be the first one of the index.  Sorts the oids.
 *
 * While the index of a catalog cannot be used (see applicable.c) it is one pass
 * over the whole catalog, and also where that is cheaper.
 */
void
begin_catalog_scan(CatalogScan *s, const CatalogCopy *copy, Relation catalog, Oid index,
				   AttrNumber column, List *oids, Snapshot snapshot)
{
	ScanKeyData keys[2];

	*s = (CatalogScan){.copy = copy, .catalog = catalog, .snapshot = snapshot, .oids = oids};
	if (copy != NULL)
		return;
	if (!criticalSharedRelcachesBuilt || IgnoreSystemIndexes || !is_index_cheaper(catalog, 1))
	{
		begin_whole_scan(s);
		return;
	}
	sort_oids(oids->elements, (size_t) list_length(oids));
	s->rows_left = rows_until_whole_is_cheaper(catalog, count_ranges(oids));
	if (s->rows_left <= known_rows(catalog, oids))
	{
		begin_whole_scan(s);
		return;
	}
	next_range(s, column, keys);
	s->scan = systable_beginscan(catalog, index, true, snapshot, lengthof(keys), keys);
	if (s->scan->irel == NULL)
		elog(ERROR, "index %u is not used", index);
}

static HeapTuple
next_copied_row(CatalogScan *s)
{
	HeapTuple	tuple;

	while (s->row == NULL)
	{
		if (s->next >= list_length(s->oids))
			return NULL;
		s->rows = copied_rows(s->copy, RelationGetRelid(s->catalog), list_nth_oid(s->oids, s->next++));
		s->row = list_head(s->rows);
	}
	tuple = lfirst(s->row);
	s->row = lnext(s->rows, s->row);
	return tuple;
}

/*
 * The next row, or NULL.  The index scan is positioned anew for each range: to
 * start one costs more than the lookup.  (A scan key with an array of oids
 * would do the same, but needs pg_amproc, which cannot be read at login.)
 *
 * How many rows an oid has is known only when they have been read.  When they turn out to
 * be so many that the whole catalog had been cheaper, it is read from here on.
 */
HeapTuple
next_catalog_row(CatalogScan *s)
{
	if (s->copy != NULL)
		return next_copied_row(s);
	while (s->whole == NULL)
	{
		HeapTuple	tuple = systable_getnext(s->scan);
		ScanKeyData keys[2];

		if (HeapTupleIsValid(tuple))
		{
			if (s->rows_left-- > 0)
				return tuple;
			begin_whole_scan(s);
			break;
		}
		if (s->next >= list_length(s->oids))
			return NULL;
		next_range(s, 1, keys);
		index_rescan(s->scan->iscan, keys, lengthof(keys), NULL, 0);
	}
	return heap_getnext(s->whole, ForwardScanDirection);
}

void
end_catalog_scan(CatalogScan *s)
{
	if (s->scan != NULL)
		systable_endscan(s->scan);
	if (s->whole != NULL)
		table_endscan(s->whole);
}
