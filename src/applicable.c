/*-------------------------------------------------------------------------
 *
 * applicable.c
 *		Which policies apply to a session, from the shared catalogs.
 *
 * All of these, and each must hold:
 *	1. sslpolicy.minimum_policy
 *	2. the label of the login role; without one, sslpolicy.default_policy
 *	3. the label of each NOLOGIN role that the login role is a member of, at any
 *	   depth, through grants that convey privileges
 *	4. the label of the database
 * 3 and 4 do not bind superusers and sslpolicy.reserved_roles, whom anybody with
 * ADMIN OPTION on a labelled role could otherwise lock out.
 *
 * Runs at login without a database, where only shared catalogs can be read.
 * At the first login after a start, and after VACUUM of a nailed catalog, even
 * their indexes cannot (criticalSharedRelcachesBuilt is false): every lookup
 * would then be a scan of a whole catalog, so each catalog is scanned once for
 * everything that is wanted of it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_auth_members.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "catalog/pg_shseclabel.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

#include "applicable.h"
#include "compat.h"
#include "labels.h"
#include "settings.h"

/* An object whose label is wanted. */
typedef struct Wanted
{
	Oid			object;			/* hash key, with class */
	Oid			class;
	char	   *label;
	char	   *name;			/* of a role; NULL as long as it is not known */
	bool		can_login;
} Wanted;

typedef struct Search
{
	bool		indexes;		/* may shared indexes be used? */
	HTAB	   *wanted;
	List	   *groups;			/* Oids of the roles it is a member of */
} Search;

static Wanted *
want(Search *search, Oid class, Oid object, bool *found)
{
	Oid			key[2] = {object, class};
	Wanted	   *wanted = hash_search(search->wanted, key, HASH_ENTER, found);

	if (!*found)
	{
		wanted->label = NULL;
		wanted->name = NULL;
		wanted->can_login = false;
	}
	return wanted;
}

static Wanted *
find_wanted(Search *search, Oid class, Oid object)
{
	Oid			key[2] = {object, class};

	return hash_search(search->wanted, key, HASH_FIND, NULL);
}

static void
start_search(Search *search)
{
	HASHCTL		ctl = {.keysize = 2 * sizeof(Oid),.entrysize = sizeof(Wanted)};

	ctl.hcxt = CurrentMemoryContext;
	search->indexes = criticalSharedRelcachesBuilt;
	search->groups = NIL;
	search->wanted = hash_create("sslpolicy labels", 16, &ctl,
								 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static Oid
database_oid(const char *name, bool indexes)
{
	Relation	pg_database = table_open(DatabaseRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			result = InvalidOid;

	ScanKeyInit(&key, Anum_pg_database_datname, BTEqualStrategyNumber,
				F_NAMEEQ, CStringGetDatum(name));
	scan = systable_beginscan(pg_database, DatabaseNameIndexId, indexes,
							  NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		result = ((Form_pg_database) GETSTRUCT(tuple))->oid;
	systable_endscan(scan);
	table_close(pg_database, AccessShareLock);
	return result;
}

/*
 * A group was found: its label is wanted, and its own memberships.
 */
static void
add_group(Search *search, Oid group)
{
	bool		found;

	(void) want(search, AuthIdRelationId, group, &found);
	if (!found)
		search->groups = lappend_oid(search->groups, group);
}

static void
add_groups_by_index(Search *search, Oid member)
{
	CatCList   *grants = SearchSysCacheList1(AUTHMEMMEMROLE,
											 ObjectIdGetDatum(member));

	for (int i = 0; i < grants->n_members; i++)
	{
		Form_pg_auth_members grant = (Form_pg_auth_members)
			GETSTRUCT(&grants->members[i]->tuple);

		if (compat_grant_conveys(grant))
			add_group(search, grant->roleid);
	}
	ReleaseSysCacheList(grants);
}

typedef struct Grant
{
	Oid			member;
	Oid			role;
} Grant;

static int
compare_grants(const void *a, const void *b)
{
	Oid			left = ((const Grant *) a)->member;
	Oid			right = ((const Grant *) b)->member;

	return left < right ? -1 : left > right;
}

/*
 * All grants that convey privileges, in the order of their members.
 */
static Grant *
scan_grants(int *count)
{
	Relation	pg_auth_members = table_open(AuthMemRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(pg_auth_members, InvalidOid, false,
										  NULL, 0, NULL);
	HeapTuple	tuple;
	int			capacity = 64;
	Grant	   *grants = palloc(sizeof(Grant) * (Size) capacity);

	*count = 0;
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_auth_members grant = (Form_pg_auth_members) GETSTRUCT(tuple);

		if (!compat_grant_conveys(grant))
			continue;
		if (*count == capacity)
		{
			capacity *= 2;
			grants = repalloc_huge(grants, sizeof(Grant) * (Size) capacity);
		}
		grants[*count].member = grant->member;
		grants[(*count)++].role = grant->roleid;
	}
	systable_endscan(scan);
	table_close(pg_auth_members, AccessShareLock);
	qsort(grants, (size_t) *count, sizeof(Grant), compare_grants);
	return grants;
}

static void
add_groups_from(Search *search, Oid member, const Grant *grants, int count)
{
	int			low = 0;
	int			high = count;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (grants[middle].member < member)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < count && grants[low].member == member; low++)
		add_group(search, grants[low].role);
}

/*
 * Every role that role is a member of, at any depth.  Cycles end, because each
 * group is added once.
 */
static void
find_groups(Search *search, Oid role)
{
	int			ngrants = 0;
	Grant	   *grants = search->indexes ? NULL : scan_grants(&ngrants);
	Oid			member = role;

	for (int next = 0;; next++)
	{
		if (search->indexes)
			add_groups_by_index(search, member);
		else
			add_groups_from(search, member, grants, ngrants);
		if (next >= list_length(search->groups))
			break;
		member = list_nth_oid(search->groups, next);
	}
}

static void
scan_labels(Search *search)
{
	Relation	pg_shseclabel = table_open(SharedSecLabelRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(pg_shseclabel, InvalidOid, false,
										  NULL, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_shseclabel form = (Form_pg_shseclabel) GETSTRUCT(tuple);
		Wanted	   *wanted = find_wanted(search, form->classoid, form->objoid);

		if (wanted != NULL)
		{
			char	   *label = our_label(tuple, RelationGetDescr(pg_shseclabel));

			if (label != NULL)
				wanted->label = label;
		}
	}
	systable_endscan(scan);
	table_close(pg_shseclabel, AccessShareLock);
}

static void
read_labels(Search *search)
{
	HASH_SEQ_STATUS status;
	Wanted	   *wanted;

	if (!search->indexes)
	{
		scan_labels(search);
		return;
	}
	hash_seq_init(&status, search->wanted);
	while ((wanted = hash_seq_search(&status)) != NULL)
		wanted->label = read_label(wanted->class, wanted->object);
}

static void
note_role(Search *search, HeapTuple tuple)
{
	Form_pg_authid form = (Form_pg_authid) GETSTRUCT(tuple);
	Wanted	   *wanted = find_wanted(search, AuthIdRelationId, form->oid);

	if (wanted != NULL)
	{
		wanted->name = pstrdup(NameStr(form->rolname));
		wanted->can_login = form->rolcanlogin;
	}
}

/*
 * Learn names and LOGIN of the groups that have labels.
 */
static void
read_labelled_groups(Search *search)
{
	bool		any = false;
	ListCell   *cell;

	foreach(cell, search->groups)
	{
		HeapTuple	tuple;

		if (find_wanted(search, AuthIdRelationId, lfirst_oid(cell))->label == NULL)
			continue;
		any = true;
		if (!search->indexes)
			break;
		tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(lfirst_oid(cell)));
		if (HeapTupleIsValid(tuple))
		{
			note_role(search, tuple);
			ReleaseSysCache(tuple);
		}
	}

	if (any && !search->indexes)
	{
		Relation	pg_authid = table_open(AuthIdRelationId, AccessShareLock);
		SysScanDesc scan = systable_beginscan(pg_authid, InvalidOid, false,
											  NULL, 0, NULL);
		HeapTuple	tuple;

		while (HeapTupleIsValid(tuple = systable_getnext(scan)))
			note_role(search, tuple);
		systable_endscan(scan);
		table_close(pg_authid, AccessShareLock);
	}
}

/*
 * Add a policy to the result.  One that cannot be parsed is added without its
 * rules, and evaluate() refuses it.
 */
static void
apply(Applicable *result, PolicySource source, const char *name,
	  const char *text)
{
	AppliedPolicy *applied = &result->policies[result->count++];
	PolicyError error;
	PolicyPlace place = source == SOURCE_MINIMUM ? PLACE_MINIMUM :
		source == SOURCE_DEFAULT ? PLACE_DEFAULT :
		source == SOURCE_DATABASE ? PLACE_DATABASE : PLACE_ROLE;

	applied->source = source;
	applied->name = name;
	applied->text = text;
	applied->policy = parse_policy(text, place, NULL, &error);
	applied->error = error.message;
}

/*
 * Find a role and a database, and with policies set the policies that apply to
 * a login as that role to that database (NULL for physical replication).
 * Without, no label is read, so that whoever needs none is let in even if the
 * catalog of labels is damaged.
 *
 * A role that does not exist meets the two settings, like a role without
 * labels, so that a refusal does not tell whether there is such a role.
 */
Applicable *
find_applicable(const char *role, const char *database, bool policies)
{
	Applicable *result = palloc0(sizeof(Applicable));
	Search		search;
	Wanted	   *own = NULL;
	Wanted	   *db = NULL;
	bool		exempt = is_reserved_role(role);
	bool		found;
	HeapTuple	tuple;
	ListCell   *cell;

	start_search(&search);

	tuple = SearchSysCache1(AUTHNAME, PointerGetDatum(role));
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_authid form = (Form_pg_authid) GETSTRUCT(tuple);

		result->role = form->oid;
		exempt |= form->rolsuper;
		ReleaseSysCache(tuple);
		(void) want(&search, AuthIdRelationId, result->role, &found);
		if (policies && !exempt)
			find_groups(&search, result->role);
	}
	if (database != NULL)
		result->database = database_oid(database, search.indexes);
	if (!policies)
		return result;
	if (OidIsValid(result->database) && !exempt)
		(void) want(&search, DatabaseRelationId, result->database, &found);

	read_labels(&search);
	read_labelled_groups(&search);

	result->policies = palloc0(sizeof(AppliedPolicy) *
							   (Size) (list_length(search.groups) + 3));
	if (minimum_policy()[0])
		apply(result, SOURCE_MINIMUM, NULL, minimum_policy());
	own = find_wanted(&search, AuthIdRelationId, result->role);
	if (own && own->label)
		apply(result, SOURCE_ROLE, role, own->label);
	else if (default_policy()[0])
		apply(result, SOURCE_DEFAULT, NULL, default_policy());
	foreach(cell, search.groups)
	{
		Wanted	   *group = find_wanted(&search, AuthIdRelationId, lfirst_oid(cell));

		if (group->label && !group->can_login)
			apply(result, SOURCE_GROUP, group->name ? group->name : "?", group->label);
	}
	db = find_wanted(&search, DatabaseRelationId, result->database);
	if (db && db->label)
		apply(result, SOURCE_DATABASE, database, db->label);
	return result;
}
