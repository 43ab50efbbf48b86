/*-------------------------------------------------------------------------
 *
 * applicable.c
 *		Which policies apply to a session, from the shared catalogs.
 *
 * All of these, and each must hold:
 *	1. sslpolicy.minimum_policy, and the minimum that the catalog holds for every node
 *	2. the label of the login role; without one, the default that the catalog holds for
 *	   every node; without one, sslpolicy.default_policy
 *	3. the label of each NOLOGIN role that the login role is a member of, at any
 *	   depth, through grants that convey privileges
 *	4. the label of the database
 * 3 and 4 do not bind superusers and sslpolicy.reserved_roles, whom anybody with
 * ADMIN OPTION on a labelled role could otherwise lock out.
 *
 * Runs at login without a database, where only shared catalogs can be read.
 * At the first login after a start, and after VACUUM of a nailed catalog, even
 * their indexes cannot (criticalSharedRelcachesBuilt is false): every lookup
 * is then a scan of a whole catalog.  So each catalog is scanned once for all
 * that is wanted of it (pg_auth_members: once for each depth of membership).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_auth_members.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "catalog/pg_shseclabel.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "labels/applicable.h"
#include "labels/clusterlabels.h"
#include "labels/exceptions.h"
#include "labels/labels.h"
#include "settings/settings.h"

/* A role whose label is wanted: the login role, or one that it is a member of. */
typedef struct Wanted
{
	Oid			role;
	char		status;			/* of simplehash */
	bool		can_login;
	int			depth;			/* grants between it and the login role */
	Oid			member;			/* the next one on the way there */
	const char *label;
	const char *name;			/* of a labelled group */
} Wanted;

/* not dynahash: that makes a memory context for each table */
#define SH_PREFIX			  wanted
#define SH_ELEMENT_TYPE		  Wanted
#define SH_KEY_TYPE			  Oid
#define SH_KEY				  role
#define SH_HASH_KEY(table, k) murmurhash32(k)
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_FILLFACTOR		  0.5
#define SH_SCOPE			  static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

typedef struct Search
{
	const CatalogCopy *catalogs;	/* NULL: read the catalogs themselves */
	const Supposition *supposed;	/* NULL: nothing */
	Snapshot	snapshot;
	Oid			role;			/* the login role */
	bool		superuser;		/* known once a label that spares those is found */
	wanted_hash *wanted;
	List	   *groups;			/* Oids of the roles it is a member of */
	List	   *labelled;		/* of those that have labels */
	Oid			database;		/* whose label is wanted; InvalidOid: none */
	const char *database_label;
	const char *cluster[NUM_CLUSTER_LABELS];
	const char *parsed;			/* the text of the policy that was added last */
} Search;

/*
 * Note that the label of a role is wanted.  False if that was known.
 */
static bool
want(Search *search, Oid role, int depth, Oid member)
{
	bool		found;
	Wanted	   *wanted = wanted_insert(search->wanted, role, &found);

	if (found)
		return false;
	wanted->can_login = false;
	wanted->depth = depth;
	wanted->member = member;
	wanted->label = NULL;
	wanted->name = NULL;
	return true;
}

static Oid
database_oid(Search *search, const char *name)
{
	Relation	pg_database = table_open(DatabaseRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			result = InvalidOid;

	ScanKeyInit(&key, Anum_pg_database_datname, BTEqualStrategyNumber,
				F_NAMEEQ, CStringGetDatum(name));
	scan = systable_beginscan(pg_database, DatabaseNameIndexId,
							  criticalSharedRelcachesBuilt && is_index_cheaper(pg_database, 1),
							  search->snapshot, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		result = ((Form_pg_database) GETSTRUCT(tuple))->oid;
	systable_endscan(scan);
	table_close(pg_database, AccessShareLock);
	return result;
}

/*
 * Every role that role is a member of, at any depth, one depth at a time.
 * Cycles end, because each role is wanted once.
 */
static void
find_groups(Search *search, Oid role)
{
	Relation	pg_auth_members = table_open(AuthMemRelationId, AccessShareLock);
	List	   *members = list_make1_oid(role);

	for (int depth = 0; members != NIL; depth++)
	{
		List	   *next_members = NIL;
		CatalogScan scan;
		HeapTuple	tuple;

		begin_catalog_scan(&scan, search->catalogs, pg_auth_members, AuthMemMemRoleIndexId,
						   Anum_pg_auth_members_member, members, search->snapshot);
		while (HeapTupleIsValid(tuple = next_catalog_row(&scan)))
		{
			Form_pg_auth_members grant = (Form_pg_auth_members) GETSTRUCT(tuple);
			Wanted	   *member = wanted_lookup(search->wanted, grant->member);

			if (member != NULL && member->depth == depth &&
				compat_grant_conveys(grant) &&
				want(search, grant->roleid, depth + 1, grant->member))
				next_members = lappend_oid(next_members, grant->roleid);
		}
		end_catalog_scan(&scan);
		/* in the same order, however the catalog is read */
		list_sort(next_members, list_oid_cmp);
		search->groups = list_concat(search->groups, next_members);
		members = next_members;
	}
	table_close(pg_auth_members, AccessShareLock);
}

/*
 * Where the label of an object is to be put; NULL if it is not wanted.
 */
static const char **
label_place(Search *search, Oid class, Oid object)
{
	Wanted	   *role;

	if (class == DatabaseRelationId)
		return OidIsValid(object) && object == search->database ? &search->database_label : NULL;
	role = class == AuthIdRelationId ? wanted_lookup(search->wanted, object) : NULL;
	return role ? &role->label : NULL;
}

/*
 * The labels of everything wanted, and those that hold for every node.
 */
static void
read_labels(Search *search, Relation pg_shseclabel)
{
	TupleDesc	desc = RelationGetDescr(pg_shseclabel);
	List	   *objects = list_copy(search->groups);
	CatalogScan scan;
	HeapTuple	tuple;

	if (OidIsValid(search->role))
		objects = lappend_oid(objects, search->role);
	if (OidIsValid(search->database))
		objects = lappend_oid(objects, search->database);
	objects = lappend_oid(objects, BOOTSTRAP_SUPERUSERID);
	begin_catalog_scan(&scan, search->catalogs, pg_shseclabel, SharedSecLabelObjectIndexId,
					   Anum_pg_shseclabel_objoid, objects, search->snapshot);
	while (HeapTupleIsValid(tuple = next_catalog_row(&scan)))
	{
		Form_pg_shseclabel form = (Form_pg_shseclabel) GETSTRUCT(tuple);
		const char **place = label_place(search, form->classoid, form->objoid);
		char	   *label = place == NULL ? NULL : our_label(tuple, desc);
		ClusterLabel which;

		if (label != NULL)
			*place = label;
		else if (is_cluster_label(tuple, desc, &which) && !is_cluster_material(which))
			search->cluster[which] = cluster_label_text(tuple, desc);
	}
	end_catalog_scan(&scan);
}

/*
 * Put the policy that is to be supposed in the place of that of its object.  It is
 * known by its address later.
 */
static void
suppose_label(Search *search)
{
	const Supposition *supposed = search->supposed;
	const char **place;

	if (supposed->source == SOURCE_MINIMUM)
		search->cluster[CLUSTER_MINIMUM] = supposed->text;
	if (supposed->source == SOURCE_MINIMUM || supposed->source == SOURCE_DEFAULT)
		return;
	place = label_place(search, supposed->source == SOURCE_DATABASE ? DatabaseRelationId : AuthIdRelationId, supposed->object);
	if (place != NULL)
		*place = supposed->text;
}

/*
 * The policy of roles without one of their own, and where it comes from; NULL if there is
 * none.
 */
static const char *
default_of(const Search *search, const char **name)
{
	const Supposition *supposed = search->supposed;
	const char *cluster = search->cluster[CLUSTER_DEFAULT];

	*name = NULL;
	if (supposed != NULL && supposed->source == SOURCE_DEFAULT)
	{
		if (supposed->text != NULL)
			return supposed->text;
		/* what goes is the one that counts now: after the cluster's comes the setting */
		if (cluster == NULL)
			return NULL;
		cluster = NULL;
	}
	if (cluster != NULL)
	{
		*name = cluster_label_name(CLUSTER_DEFAULT);
		return cluster;
	}
	return default_policy()[0] ? default_policy() : NULL;
}

/*
 * Learn names and LOGIN of the groups that have labels, and whether the login
 * role is a superuser, whom neither those nor the label of a database bind.
 */
static void
read_roles(Search *search)
{
	List	   *roles;
	ListCell   *cell;
	Relation	pg_authid;
	CatalogScan scan;
	HeapTuple	tuple;

	foreach(cell, search->groups)
		if (wanted_lookup(search->wanted, lfirst_oid(cell))->label != NULL)
			search->labelled = lappend_oid(search->labelled, lfirst_oid(cell));
	if (search->labelled == NIL && search->database_label == NULL)
		return;

	roles = lappend_oid(list_copy(search->labelled), search->role);
	pg_authid = table_open(AuthIdRelationId, AccessShareLock);
	begin_catalog_scan(&scan, search->catalogs, pg_authid, AuthIdOidIndexId, Anum_pg_authid_oid,
					   roles, search->snapshot);
	while (HeapTupleIsValid(tuple = next_catalog_row(&scan)))
	{
		Form_pg_authid form = (Form_pg_authid) GETSTRUCT(tuple);
		Wanted	   *role = wanted_lookup(search->wanted, form->oid);

		if (form->oid == search->role)
			search->superuser = form->rolsuper;
		else if (role != NULL && role->label != NULL)
		{
			role->name = pstrdup(NameStr(form->rolname));
			role->can_login = form->rolcanlogin;
		}
	}
	end_catalog_scan(&scan);
	table_close(pg_authid, AccessShareLock);
}

/*
 * A policy of its own with the rules of another one.  (A rule is known by its address.)
 */
static Policy *
copy_policy(const Policy *policy)
{
	Policy	   *copy = palloc(sizeof(Policy));

	copy->nrules = policy->nrules;
	copy->rules = palloc(sizeof(PolicyRule) * (Size) policy->nrules);
	memcpy(copy->rules, policy->rules, sizeof(PolicyRule) * (Size) policy->nrules);
	return copy;
}

/*
 * Add a policy to the result.  One that cannot be parsed is added without its
 * rules, and evaluate() refuses it.
 *
 * Many groups often have the same policy: it is parsed once.
 */
static void
apply(Applicable *result, PolicySource source, const char *name,
	  const char *text)
{
	const Supposition *supposed = result->search->supposed;
	AppliedPolicy *applied = &result->policies[result->count++];
	const AppliedPolicy *previous = result->count > 1 ? applied - 1 : NULL;
	PolicyError error;
	PolicyPlace place = source == SOURCE_MINIMUM ? PLACE_MINIMUM :
		source == SOURCE_DEFAULT				 ? PLACE_DEFAULT :
		source == SOURCE_DATABASE				 ? PLACE_DATABASE :
												   PLACE_ROLE;

	*applied = (AppliedPolicy){.source = source, .name = name};
	if (source == SOURCE_GROUP && previous && previous->source == SOURCE_GROUP && previous->policy &&
		strcmp(text, result->search->parsed) == 0)
		applied->policy = copy_policy(previous->policy);
	else
	{
		applied->policy = parse_policy(text, place, NULL, &error);
		applied->error = error.message;
	}
	applied->supposed = supposed && supposed->text == text;
	result->search->parsed = text;
}

/*
 * The policies that apply to a login as a role to a database (InvalidOid and
 * NULL for physical replication), of both of which the oids are in result.
 *
 * A role that does not exist meets the two settings, like a role without
 * labels, so that a refusal does not tell whether there is such a role.
 */
static void
add_policies(Applicable *result, Search *search, Relation pg_shseclabel,
			 const char *role, const char *database)
{
	bool		reserved = is_reserved_role(role);
	const char *default_text;
	const char *default_name;
	Wanted	   *own = NULL;
	ListCell   *cell;

	search->wanted = wanted_create(CurrentMemoryContext, 16, NULL);
	search->role = result->role;
	result->search = search;
	if (OidIsValid(result->role))
		(void) want(search, result->role, 0, InvalidOid);
	if (OidIsValid(result->role) && !reserved)
		find_groups(search, result->role);
	if (!reserved)
		search->database = result->database;
	read_labels(search, pg_shseclabel);
	result->blocked = search->cluster[CLUSTER_BLOCKED];
	if (search->supposed != NULL)
		suppose_label(search);
	if (OidIsValid(result->role))
		own = wanted_lookup(search->wanted, result->role);
	read_roles(search);

	/* two minimums, its own or the default, and that of the database */
	result->policies = palloc(sizeof(AppliedPolicy) *
							  (Size) (list_length(search->labelled) + 4));
	if (minimum_policy()[0])
		apply(result, SOURCE_MINIMUM, NULL, minimum_policy());
	if (search->cluster[CLUSTER_MINIMUM] != NULL)
		apply(result, SOURCE_MINIMUM, cluster_label_name(CLUSTER_MINIMUM), search->cluster[CLUSTER_MINIMUM]);
	default_text = default_of(search, &default_name);
	if (own && own->label)
		apply(result, SOURCE_ROLE, role, own->label);
	else if (default_text != NULL)
		apply(result, SOURCE_DEFAULT, default_name, default_text);
	if (search->superuser)
		return;

	foreach(cell, search->labelled)
	{
		const Wanted *group = wanted_lookup(search->wanted, lfirst_oid(cell));

		if (!group->can_login)
		{
			apply(result, SOURCE_GROUP, group->name ? group->name : "?", group->label);
			result->policies[result->count - 1].group = lfirst_oid(cell);
		}
	}
	if (search->database_label)
		apply(result, SOURCE_DATABASE, database, search->database_label);
}

/*
 * Uses the same syscache lookup as core a moment later.
 */
static void
find_role(Applicable *result, const char *name)
{
	HeapTuple	tuple = SearchSysCache1(AUTHNAME, CStringGetDatum(name));

	if (!HeapTupleIsValid(tuple))
		return;
	result->role = ((Form_pg_authid) GETSTRUCT(tuple))->oid;
	result->is_superuser = ((Form_pg_authid) GETSTRUCT(tuple))->rolsuper;
	ReleaseSysCache(tuple);
}

/*
 * Find a role and a database, and with policies set the policies that apply to
 * a login as that role to that database (NULL for physical replication).
 * Without, no label is read, so that whoever needs none is let in even if the
 * catalog of labels is damaged.
 *
 * Everything but the role's oid is read with one snapshot: of a transaction that
 * changes several catalogs a login sees all or nothing.  The oid comes from the
 * syscache, as core takes it a moment later.
 */
Applicable *
find_applicable(const char *role, const char *database, bool policies)
{
	Applicable *result = palloc0(sizeof(Applicable));
	Search	   *search = palloc0(sizeof(Search));
	Relation	pg_shseclabel = NULL;

	/*
	 * First take notice of what has been committed, because a line of pg_hba.conf may
	 * have made core look up the role before.  Opening a catalog does that.
	 */
	if (policies)
		pg_shseclabel = table_open(SharedSecLabelRelationId, AccessShareLock);
	else
		AcceptInvalidationMessages();
	search->snapshot = RegisterSnapshot(GetCatalogSnapshot(SharedSecLabelRelationId));
	find_role(result, role);
	if (database != NULL)
		result->database = database_oid(search, database);
	if (policies)
		add_policies(result, search, pg_shseclabel, role, database);
	UnregisterSnapshot(search->snapshot);
	if (policies)
		table_close(pg_shseclabel, AccessShareLock);
	return result;
}

/*
 * The policies that apply to a session, from a copy of the catalogs, or, if that is NULL,
 * from the catalogs themselves.  Its role and database go by their oids; the names are
 * those at login, and count where a policy compares names.  supposed: a policy to take in
 * place of the one that is there, or NULL.
 */
Applicable *
find_applicable_in(const CatalogCopy *catalogs, Oid role, const char *role_name,
				   Oid database, const char *database_name,
				   const Supposition *supposed)
{
	Applicable *result = palloc0(sizeof(Applicable));
	Search	   *search = palloc0(sizeof(Search));
	Relation	pg_shseclabel = table_open(SharedSecLabelRelationId, AccessShareLock);

	search->catalogs = catalogs;
	search->supposed = supposed;
	if (catalogs == NULL)
		search->snapshot = RegisterSnapshot(GetCatalogSnapshot(SharedSecLabelRelationId));
	result->role = role;
	result->database = database;
	add_policies(result, search, pg_shseclabel, role_name, database_name);
	if (catalogs == NULL)
		UnregisterSnapshot(search->snapshot);
	table_close(pg_shseclabel, AccessShareLock);
	return result;
}

/*
 * The groups of the session's role that have a policy, by their oids, in two lists: those
 * whose policies bind it, and those whose policies do not because they can log in
 * themselves.  Both are appended to.
 */
void
add_labelled_groups(const Applicable *applicable, List **binding, List **passed_over)
{
	const Search *search = applicable->search;
	ListCell   *cell;

	foreach(cell, search->labelled)
	{
		if (wanted_lookup(search->wanted, lfirst_oid(cell))->can_login)
			*passed_over = lappend_oid(*passed_over, lfirst_oid(cell));
		else if (!search->superuser)
			*binding = lappend_oid(*binding, lfirst_oid(cell));
	}
}

/*
 * The roles through which a role is a member of the group that a policy comes
 * from: oids, beginning with the one that it is a member of itself; NIL if that is
 * the group.
 */
List *
membership_path(const Applicable *applicable, const AppliedPolicy *applied)
{
	Search	   *search = applicable->search;
	Oid			role = applied->group;
	List	   *path = NIL;

	if (applied->source != SOURCE_GROUP)
		return NIL;
	while (OidIsValid(role))
	{
		role = wanted_lookup(search->wanted, role)->member;
		if (!OidIsValid(role) || role == applicable->role)
			break;
		path = lcons_oid(role, path);
	}
	return path;
}
