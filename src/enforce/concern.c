/*-------------------------------------------------------------------------
 *
 * concern.c
 *		Which changes of roles, memberships and databases concern live sessions?
 *
 * Part of the worker.  A change comes as the invalidation of an entry of the syscache,
 * with COMMIT, COMMIT PREPARED and WAL replay alike, and never for what was rolled back
 * (labels.c has labels announced in that way).  It brings the hash value of the entry;
 * 0, or more changes than are kept here, can be anything.
 *
 * Each recheck notes which sessions it has seen, and by which roles and databases they
 * are judged: the role of each session, all that this is a member of, the database, and
 * the bootstrap superuser, whose labels hold for everybody.
 *	- A change of one of those concerns a session.
 *	- Of a membership the hash value does not tell the member: any concerns whoever lives.
 *	- If a session lives that the recheck has not seen, any change may concern it.
 *
 * No change is missed.  A login publishes its session before it reads what has been
 * committed, and the worker looks at sessions after it has learned of the change: whoever
 * has not read it is seen there (sessions.c).  What a recheck depends on it reads from
 * the catalogs as it judges by them, and what changes after that is taken after it, to be
 * held against what it has noted.  A role that becomes a group of a session meanwhile
 * does so by a membership.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_auth_members.h"
#include "catalog/pg_authid.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "enforce/concern.h"
#include "enforce/recheck.h"
#include "session/sessions.h"

/* So many changes of a catalog are told apart at a time. */
#define MAX_TOLD_APART 1024

/* Roles or databases. */
typedef struct Watch
{
	int			cache;			/* of the syscache */
	int			change;			/* CHANGED_... */
	int			count;			/* of what has changed */
	bool		any;			/* may have changed */
	uint32		hashes[MAX_TOLD_APART];
	int			known;			/* of what sessions depend on */
	uint32	   *depended;		/* sorted */
} Watch;

static Watch roles = {.cache = AUTHOID, .change = CHANGED_ROLES};
static Watch databases = {.cache = DATABASEOID, .change = CHANGED_DATABASES};
static bool memberships_changed = false;

static MemoryContext context = NULL;
static bool is_known = false;	/* what sessions depend on */
static List *seen = NIL;		/* sessions */

static void
row_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	Watch	   *watch = (Watch *) DatumGetPointer(arg);

	if (hashvalue == 0 || watch->count == MAX_TOLD_APART)
		watch->any = true;
	else
		watch->hashes[watch->count++] = hashvalue;
}

static void
membership_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	memberships_changed = true;
}

/*
 * Called once by the worker.
 */
void
begin_watching_catalogs(void)
{
	context = AllocSetContextCreate(TopMemoryContext, "sslpolicy dependence", ALLOCSET_SMALL_SIZES);
	CacheRegisterSyscacheCallback(AUTHOID, row_changed, PointerGetDatum(&roles));
	CacheRegisterSyscacheCallback(DATABASEOID, row_changed, PointerGetDatum(&databases));
	CacheRegisterSyscacheCallback(AUTHMEMMEMROLE, membership_changed, (Datum) 0);
}

static HTAB *
create_oid_set(const char *name)
{
	HASHCTL		control = {.keysize = sizeof(Oid), .entrysize = sizeof(Oid), .hcxt = CurrentMemoryContext};

	return hash_create(name, 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/*
 * False if the set had it.
 */
static bool
add_oid(HTAB *set, Oid oid)
{
	bool		found;

	(void) hash_search(set, &oid, HASH_ENTER, &found);
	return !found;
}

/*
 * All that some roles are members of, at any depth, as their policies go.
 */
static void
add_groups(HTAB *set, List *members, const CatalogCopy *catalogs)
{
	Relation	pg_auth_members = table_open(AuthMemRelationId, AccessShareLock);

	while (members != NIL)
	{
		List	   *groups = NIL;
		CatalogScan scan;
		HeapTuple	tuple;

		begin_catalog_scan(&scan, catalogs, pg_auth_members, AuthMemMemRoleIndexId,
						   Anum_pg_auth_members_member, members, NULL);
		while (HeapTupleIsValid(tuple = next_catalog_row(&scan)))
		{
			Form_pg_auth_members grant = (Form_pg_auth_members) GETSTRUCT(tuple);

			if (compat_grant_conveys(grant) && add_oid(set, grant->roleid))
				groups = lappend_oid(groups, grant->roleid);
		}
		end_catalog_scan(&scan);
		members = groups;
	}
	table_close(pg_auth_members, AccessShareLock);
}

static int
compare_hashes(const void *a, const void *b)
{
	uint32		x = *(const uint32 *) a;
	uint32		y = *(const uint32 *) b;

	return x < y ? -1 : x > y ? 1 :
								0;
}

static void
keep_hashes(Watch *watch, HTAB *set)
{
	HASH_SEQ_STATUS status;
	const Oid  *oid;

	watch->depended = MemoryContextAlloc(context, sizeof(uint32) * (Size) (hash_get_num_entries(set) + 1));
	watch->known = 0;
	hash_seq_init(&status, set);
	while ((oid = hash_seq_search(&status)) != NULL)
		watch->depended[watch->known++] = GetSysCacheHashValue1(watch->cache, ObjectIdGetDatum(*oid));
	qsort(watch->depended, (size_t) watch->known, sizeof(uint32), compare_hashes);
}

static void
keep_session(const Session *session)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	Session    *copy = palloc(sizeof(Session));

	/* of its facts only the pointers, which nobody follows */
	*copy = *session;
	seen = lappend(seen, copy);
	MemoryContextSwitchTo(old);
}

/*
 * Note what these sessions, all that a recheck has seen, depend on.  catalogs is what it
 * judges them by; NULL if policies are not looked at, so that only what holds for
 * everybody counts.  In a transaction, with what is allocated in the current memory
 * context.
 *
 * Of a session for which core has not found role and database it is not known.
 */
void
remember_dependence(const List *sessions, const CatalogCopy *catalogs)
{
	HTAB	   *role_set = create_oid_set("sslpolicy roles");
	HTAB	   *database_set = create_oid_set("sslpolicy databases");
	List	   *members = NIL;
	ListCell   *cell;

	/* until it is complete */
	is_known = false;
	MemoryContextReset(context);
	seen = NIL;
	(void) add_oid(role_set, BOOTSTRAP_SUPERUSERID);
	foreach(cell, sessions)
	{
		const Session *s = lfirst(cell);

		if (s->facts.local || !s->complete)
			continue;
		keep_session(s);
		if (catalogs == NULL)
			continue;
		(void) add_oid(database_set, s->database);
		(void) add_oid(role_set, s->role);
		members = lappend_oid(members, s->role);
	}
	if (members != NIL)
		add_groups(role_set, members, catalogs);
	keep_hashes(&roles, role_set);
	keep_hashes(&databases, database_set);
	is_known = true;
}

/*
 * Is there anything to take?
 */
bool
has_catalog_changes(void)
{
	return memberships_changed || roles.any || roles.count > 0 || databases.any || databases.count > 0;
}

static bool
is_depended_on(const Watch *watch)
{
	if (watch->any)
		return true;
	for (int i = 0; i < watch->count; i++)
		if (bsearch(&watch->hashes[i], watch->depended, (size_t) watch->known, sizeof(uint32), compare_hashes) != NULL)
			return true;
	return false;
}

/*
 * What has changed of a catalog, if it concerns anybody.  who lives: see sessions.h.
 */
static int
take_changes_of(Watch *watch, LiveSessions live)
{
	bool		concerns = false;

	if (watch->any || watch->count > 0)
		concerns = live == LIVE_OTHERS || (live == LIVE_SEEN && is_depended_on(watch));
	watch->any = false;
	watch->count = 0;
	return concerns ? watch->change : 0;
}

/*
 * CHANGED_...: what has changed since the last call, and concerns live sessions.  The
 * caller has had invalidations delivered.
 */
int
take_catalog_changes(void)
{
	int			result = 0;
	LiveSessions live;

	if (!has_catalog_changes())
		return 0;
	live = is_known ? live_sessions(seen) : LIVE_OTHERS;
	if (memberships_changed && live != LIVE_NONE)
		result |= CHANGED_MEMBERS;
	memberships_changed = false;
	return result | take_changes_of(&roles, live) | take_changes_of(&databases, live);
}
