/*-------------------------------------------------------------------------
 *
 * watch.c
 *		Notices what the catalog holds for every node, and has it applied.
 *
 * Part of the worker, which reads shared catalogs only.  The commit of a label, or its
 * replay, causes an invalidation of the bootstrap superuser.  Whether the label is another
 * one is told by its version, without reading its text.
 *
 * Nothing watches the catalog of labels, which takes time to read if it is long.  A label
 * that somebody has written into it by hand is noticed after a minute.
 *
 * Files are also compared when they may differ without a new label: at start, after a
 * promotion, and when settings or the file have changed.  A reload alone is no reason, since
 * an installation ends with one.  What has failed is tried again, after longer and longer
 * delays.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/files.h"
#include "base/monotonic.h"
#include "cluster/apply.h"
#include "cluster/orders.h"
#include "cluster/watch.h"

/* How often to look at files, and for failures to try again. */
#define LOOK_MS 1000

/* How often to read labels although none is known to have changed. */
#define READ_MS 60000

/* The longest delay after a failure. */
#define MAX_BACKOFF_S 60

/* What the worker knows of a kind. */
typedef struct Watched
{
	TransactionId version;		/* of the label that was ordered last; invalid: none */
	TransactionId read;			/* of the label that is there */
	Moment		tried_at;		/* when the last failure was noticed */
	int			failures;		/* as of then */
} Watched;

static Watched watched[NUM_REPLICATED_KINDS];

static bool labels_changed = true;	/* possibly */
static Moment read_at = 0;
static bool compare_all = true;
static bool in_recovery = false;
static Moment looked_at = 0;
static bool is_looking = false; /* stays true if a look ended with an error */
static int	next_database = 0;	/* of the candidates; another one after each failure */

static void
superuser_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	if (hashvalue == 0 || hashvalue == DatumGetUInt32(arg))
		labels_changed = true;
}

/*
 * Called once by the worker, when it can read catalogs.
 */
void
begin_watching_cluster(void)
{
	uint32		hash;

	StartTransactionCommand();
	hash = GetSysCacheHashValue1(AUTHOID, ObjectIdGetDatum(BOOTSTRAP_SUPERUSERID));
	CommitTransactionCommand();
	CacheRegisterSyscacheCallback(AUTHOID, superuser_changed, UInt32GetDatum(hash));
	in_recovery = RecoveryInProgress();
}

/*
 * Called by the worker after it has read settings: paths, or whether anything may be
 * installed, may have changed.
 */
void
note_settings_for_cluster(void)
{
	looked_at = 0;
}

/*
 * Databases to connect to: postgres, template1, then others.  Only those owned by superusers,
 * so that nobody else decides on their settings.
 */
static List *
candidate_databases(void)
{
	Relation	pg_database = table_open(DatabaseRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(pg_database, InvalidOid, false, NULL, 0, NULL);
	List	   *preferred = NIL;
	List	   *templates = NIL;
	List	   *others = NIL;
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

		/* -2: an interrupted DROP DATABASE */
		if (!superuser_arg(form->datdba) || form->datconnlimit < -1)
			continue;
		if (strcmp(NameStr(form->datname), "postgres") == 0)
			preferred = lcons_oid(form->oid, preferred);
		else if (strcmp(NameStr(form->datname), "template1") == 0)
			preferred = lappend_oid(preferred, form->oid);
		else if (form->datistemplate)
			templates = lappend_oid(templates, form->oid);
		else
			others = lappend_oid(others, form->oid);
	}
	systable_endscan(scan);
	table_close(pg_database, AccessShareLock);
	return list_concat(list_concat(preferred, others), templates);
}

static int
backoff_ms(int failures)
{
	return 1000 * Min(MAX_BACKOFF_S, 1 << Min(failures - 1, 6));
}

/*
 * Has it failed, and long enough ago to try again?
 */
static bool
is_retry_due(Watched *w, const KindProgress *progress)
{
	if (progress->failures == 0)
		return false;
	if (progress->failures != w->failures)
	{
		w->failures = progress->failures;
		w->tried_at = this_moment();
		next_database++;
	}
	return has_elapsed(w->tried_at, backoff_ms(w->failures));
}

/*
 * Must this kind be applied or compared now?
 */
static bool
is_due(ReplicatedKind kind)
{
	Watched    *w = &watched[kind];
	KindProgress progress = kind_progress(kind);

	if (w->read != w->version)
	{
		w->failures = 0;
		if (progress.compared)
			set_own_state(kind, NODE_APPLYING, NULL, "");
		return true;
	}
	return compare_all || is_retry_due(w, &progress) ||
		(progress.compared && what_applies(kind) != progress.signature);
}

/*
 * Logins must not be refused for lack of a comparison after the first ten seconds.
 */
static void
end_wait_for_comparison(void)
{
	for (int kind = 0; kind < NUM_REPLICATED_KINDS; kind++)
		if (!kind_progress(kind).compared)
			give_up(kind, "it was not compared with the file of the node within ten seconds after the start");
}

/*
 * Give the order.  An error before that leaves everything as it was, and so due again.
 */
static void
have_applied(uint32 due)
{
	List	   *databases = due ? candidate_databases() : NIL;

	for (int kind = 0; kind < NUM_REPLICATED_KINDS; kind++)
	{
		if ((due & (1U << kind)) == 0)
			continue;
		if (databases == NIL)
			give_up(kind, "there is no database owned by a superuser to connect to");
		watched[kind].version = watched[kind].read;
	}
	compare_all = false;
	if (databases != NIL)
		order_application(list_nth_oid(databases, next_database % list_length(databases)), due);
}

/*
 * Which labels are there?  An error leaves them to be read again.
 */
static void
read_versions(void)
{
	if (!labels_changed && !compare_all && !has_elapsed(read_at, READ_MS))
		return;
	labels_changed = false;
	PG_TRY();
	{
		for (int kind = 0; kind < NUM_REPLICATED_KINDS; kind++)
			watched[kind].read = cluster_label_version(replicated_label(kind));
	}
	PG_CATCH();
	{
		labels_changed = true;
		PG_RE_THROW();
	}
	PG_END_TRY();
	read_at = this_moment();
}

/*
 * Called by the worker each time it looks.
 */
void
watch_cluster(void)
{
	uint32		due = 0;

	if (in_recovery && !RecoveryInProgress())
	{
		in_recovery = false;
		compare_all = true;
	}
	if (awaits_comparison() == false && is_late())
		end_wait_for_comparison();
	/* not ten times a second after an error, which may last */
	if (is_order_open() ||
		!(((labels_changed || compare_all) && !is_looking) || has_elapsed(looked_at, LOOK_MS)))
		return;
	looked_at = this_moment();
	is_looking = true;

	StartTransactionCommand();
	read_versions();
	for (int kind = 0; kind < NUM_REPLICATED_KINDS; kind++)
	{
		TransactionId version = watched[kind].read;

		if (!TransactionIdIsValid(version))
		{
			if (!kind_progress(kind).compared || TransactionIdIsValid(watched[kind].version))
			{
				note_nothing_replicated(kind);
				set_own_state(kind, NODE_LOCAL, NULL, "");
			}
			watched[kind].version = version;
		}
		else if (is_due(kind))
			due |= 1U << kind;
	}
	have_applied(due);
	CommitTransactionCommand();
	is_looking = false;
}
