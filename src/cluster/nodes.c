/*-------------------------------------------------------------------------
 *
 * nodes.c
 *		The state of replicated material on this node, and on the nodes below it.
 *
 * A node knows its own state; connected standbys report theirs (sendreport.c, takereport.c).
 * A node is identified by its name, as in pg_stat_replication, and a random number drawn at
 * its start: several standbys can have the same name.  Of the nodes with a name, only as
 * many count as are connected, those heard last; if more are connected than have been heard,
 * the rest are silent.
 *
 * What a standby passes on about nodes below it replaces all that it passed on before.
 *
 * Locking: the lock guards all but the atomics.  It is held only to copy.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "postmaster/postmaster.h"
#include "storage/condition_variable.h"
#include "storage/lwlock.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "base/compat.h"
#include "base/sharedmem.h"
#include "base/told.h"
#include "cluster/nodes.h"
#include "material/generation.h"
#include "session/walsenders.h"

/* A connected node that has not reported for so long is silent; it should once a minute. */
#define SILENT_MS 150000

/* So is one that has reconnected, and should have reported at once. */
#define NEWLY_CONNECTED_MS 10000

typedef struct SharedNodes
{
	LWLock	   *lock;
	uint64		id;				/* of this node */
	char		name[NAMEDATALEN];	/* of this node on its upstream; "": not known */
	KindState	own[NUM_REPLICATED_KINDS];
	Moment		wanted_since[NUM_REPLICATED_KINDS]; /* what own has */
	pg_atomic_uint64 changes;	/* grows with each change of own, and of reports */
	ConditionVariable changed;
	int			count;
	ClusterNode nodes[MAX_NODES];
} SharedNodes;

static SharedNodes *shared = NULL;

static void
init_shared(void)
{
	if (!pg_strong_random(&shared->id, sizeof(shared->id)))
		elog(FATAL, "could not generate a random node number");
	shared->id |= 1;
	pg_atomic_init_u64(&shared->changes, 1);
	ConditionVariableInit(&shared->changed);
}

static const SharedPiece piece = {
	.name = "sslpolicy nodes",
	.where = (void **) &shared,
	.size = sizeof(SharedNodes),
	.tranche = "sslpolicy_nodes",
	.init = init_shared,
};

void
init_nodes(void)
{
	share_memory(&piece);
}

MaterialKind
replicated_material(ReplicatedKind kind)
{
	return kind == REPLICATED_CA ? MATERIAL_CA : MATERIAL_CRL;
}

ClusterLabel
replicated_label(ReplicatedKind kind)
{
	return kind == REPLICATED_CA ? CLUSTER_CA : CLUSTER_CRL;
}

const char *
replicated_kind_name(ReplicatedKind kind)
{
	return material_kind_name(replicated_material(kind));
}

uint64
own_node_id(void)
{
	return shared->id;
}

/*
 * Remember the name by which the upstream knows this node.
 */
void
set_own_name(const char *name)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	strlcpy(shared->name, name, sizeof(shared->name));
	LWLockRelease(shared->lock);
}

/*
 * The name that this node has had as a standby since its start; else cluster_name; else
 * its host name and port.
 */
char *
own_node_name(void)
{
	char		name[NAMEDATALEN];
	const char *cluster = GetConfigOption("cluster_name", true, false);
	char		host[NAMEDATALEN] = "";

	LWLockAcquire(shared->lock, LW_SHARED);
	strlcpy(name, shared->name, sizeof(name));
	LWLockRelease(shared->lock);
	if (name[0])
		return pstrdup(name);
	if (cluster && cluster[0])
		return pstrdup(cluster);
	(void) gethostname(host, sizeof(host) - 1);
	return psprintf("%.40s:%d", host, PostPortNumber);
}

static void
tell_change(void)
{
	(void) pg_atomic_add_fetch_u64(&shared->changes, 1);
	ConditionVariableBroadcast(&shared->changed);
}

/*
 * A number that grows whenever the state of this node changes, or a report arrives.
 */
uint64
own_changes(void)
{
	return pg_atomic_read_u64(&shared->changes);
}

KindState
own_state(ReplicatedKind kind)
{
	KindState	result;

	LWLockAcquire(shared->lock, LW_SHARED);
	result = shared->own[kind];
	LWLockRelease(shared->lock);
	return result;
}

static bool
is_same_wanted(const KindState *a, const KindState *b)
{
	return a->has_wanted == b->has_wanted &&
		(!a->has_wanted || memcmp(a->wanted, b->wanted, FINGERPRINT_LEN) == 0);
}

/*
 * Set since: that of before, if the state has not changed; else this moment.
 */
static void
date_state(KindState *now, const KindState *before, Moment moment)
{
	now->since = before->since != 0 && before->state == now->state && is_same_wanted(before, now) ?
		before->since :
		moment;
}

/*
 * What is too long is cut in the middle: an error often ends with its cause.
 */
static void
copy_detail(char *dest, const char *detail)
{
	static const char cut[] = " ... ";
	int			len = (int) strlen(detail);
	int			begin;
	int			end;

	if (len < NODE_DETAIL_LEN)
	{
		strlcpy(dest, detail, NODE_DETAIL_LEN);
		return;
	}
	/* do not cut a character in two */
	begin = pg_mbcliplen(detail, len, NODE_DETAIL_LEN / 2);
	end = len - (NODE_DETAIL_LEN - 1 - begin - (int) strlen(cut));
	end = pg_mbcliplen(detail, len, end + MAX_MULTIBYTE_CHAR_LEN - 1);
	snprintf(dest, NODE_DETAIL_LEN, "%.*s%s%s", begin, detail, cut, detail + end);
}

/*
 * wanted is NULL if it is not known, or if nothing is replicated.
 */
void
set_own_state(ReplicatedKind kind, NodeState state, const uint8 *wanted, const char *detail)
{
	KindState	now = {.state = state};
	Moment		moment = this_moment();

	if (wanted)
	{
		now.has_wanted = true;
		memcpy(now.wanted, wanted, FINGERPRINT_LEN);
	}
	copy_detail(now.detail, detail);
	now.lsn = RecoveryInProgress() ? GetXLogReplayRecPtr(NULL) : GetXLogWriteRecPtr();
	now.generation = number_in_force();
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (shared->wanted_since[kind] == 0 || !is_same_wanted(&shared->own[kind], &now))
		shared->wanted_since[kind] = moment;
	date_state(&now, &shared->own[kind], moment);
	shared->own[kind] = now;
	LWLockRelease(shared->lock);
	tell_change();
}

static int
count_named(List *standbys, const char *name)
{
	int			count = 0;
	ListCell   *cell;

	foreach(cell, standbys)
		count += strcmp(((ConnectedStandby *) lfirst(cell))->name, name) == 0;
	return count;
}

static void
remove_locked(int i)
{
	shared->nodes[i] = shared->nodes[--shared->count];
}

static void
remove_passed_on_locked(uint64 via)
{
	for (int i = shared->count - 1; i >= 0; i--)
		if (shared->nodes[i].via == via)
			remove_locked(i);
}

/*
 * A restarted node reports under another number.  So of the nodes with a name, no more are
 * remembered than are connected, those heard last.
 */
static void
forget_predecessors_locked(const char *name, int connected)
{
	for (;;)
	{
		int			count = 0;
		int			oldest = -1;
		uint64		id;

		for (int i = 0; i < shared->count; i++)
			if (shared->nodes[i].via == 0 && strcmp(shared->nodes[i].name, name) == 0)
			{
				count++;
				if (oldest < 0 || shared->nodes[i].heard < shared->nodes[oldest].heard)
					oldest = i;
			}
		if (count <= Max(connected, 1))
			return;
		id = shared->nodes[oldest].id;
		remove_locked(oldest);
		remove_passed_on_locked(id);
	}
}

/*
 * If there is no room, replace the one that was heard longest ago: nodes that are gone must
 * not keep out those that are there.
 */
static void
add_locked(const ClusterNode *node)
{
	int			place = 0;

	if (shared->count < MAX_NODES)
		place = shared->count++;
	else
		for (int i = 1; i < shared->count; i++)
			if (shared->nodes[i].heard < shared->nodes[place].heard)
				place = i;
	shared->nodes[place] = *node;
}

/*
 * The remembered nodes, as ClusterNode.
 */
static List *
copy_heard_locked(void)
{
	List	   *heard = NIL;

	for (int i = 0; i < shared->count; i++)
	{
		ClusterNode *node = palloc(sizeof(ClusterNode));

		*node = shared->nodes[i];
		heard = lappend(heard, node);
	}
	return heard;
}

/*
 * Set since of each state of a node, from what was known of it before.
 */
static void
date_states(ClusterNode *node, List *before)
{
	static const KindState nothing = {0};
	const ClusterNode *known = NULL;
	Moment		moment = this_moment();
	ListCell   *cell;

	foreach(cell, before)
	{
		const ClusterNode *b = lfirst(cell);

		if (b->id == node->id && b->via == node->via && strcmp(b->name, node->name) == 0)
		{
			known = b;
			break;
		}
	}
	for (int kind = 0; kind < NUM_REPLICATED_KINDS; kind++)
		date_state(&node->kinds[kind], known ? &known->kinds[kind] : &nothing, moment);
}

/*
 * Take what a standby reports of itself, and of count nodes below it.  The first of several
 * reports replaces the earlier ones.
 */
void
take_reports(ClusterNode *sender, ClusterNode *below, int count, bool first)
{
	int			connected = count_named(connected_standbys(), sender->name);
	List	   *before;

	LWLockAcquire(shared->lock, LW_SHARED);
	before = copy_heard_locked();
	LWLockRelease(shared->lock);
	date_states(sender, before);
	for (int i = 0; i < count; i++)
		date_states(&below[i], before);

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (first)
		remove_passed_on_locked(sender->id);
	for (int i = shared->count - 1; i >= 0; i--)
		if (shared->nodes[i].id == sender->id && shared->nodes[i].via == 0)
			remove_locked(i);
	add_locked(sender);
	forget_predecessors_locked(sender->name, connected);
	for (int i = 0; i < count; i++)
		if (below[i].id != shared->id)
			add_locked(&below[i]);
	LWLockRelease(shared->lock);
	tell_change();
}

static ClusterNode *
own_node(void)
{
	ClusterNode *node = palloc0(sizeof(ClusterNode));

	strlcpy(node->name, own_node_name(), sizeof(node->name));
	node->id = shared->id;
	node->heard = GetCurrentTimestamp();
	LWLockAcquire(shared->lock, LW_SHARED);
	memcpy(node->kinds, shared->own, sizeof(node->kinds));
	LWLockRelease(shared->lock);
	return node;
}

static void
set_all_states(ClusterNode *node, NodeState state, const char *detail)
{
	for (int kind = 0; kind < NUM_REPLICATED_KINDS; kind++)
	{
		node->kinds[kind].state = state;
		strlcpy(node->kinds[kind].detail, detail, sizeof(node->kinds[kind].detail));
	}
}

/*
 * If a node is silent or gone, nothing is known of the nodes that it reports for.
 */
static void
judge_passed_on(List *nodes)
{
	ListCell   *cell;
	ListCell   *s;

	foreach(cell, nodes)
	{
		ClusterNode *node = lfirst(cell);
		NodeState	via = NODE_GONE;

		if (node->via == 0)
			continue;
		foreach(s, nodes)
		{
			const ClusterNode *sender = lfirst(s);

			if (sender->via == 0 && sender->id == node->via)
				via = sender->kinds[REPLICATED_CA].state;
		}
		if (via == NODE_GONE || via == NODE_SILENT)
			set_all_states(node, via, "the node that it reports through is silent, or not connected");
	}
}

static bool
has_node(List *nodes, uint64 id)
{
	ListCell   *cell;

	foreach(cell, nodes)
		if (((ClusterNode *) lfirst(cell))->id == id)
			return true;
	return false;
}

static int
by_time_heard(const ListCell *a, const ListCell *b)
{
	const ClusterNode *x = lfirst(a);
	const ClusterNode *y = lfirst(b);

	return x->heard < y->heard ? 1 : x->heard > y->heard ? -1 :
														   0;
}

/*
 * The connection of a node that was heard: of those with its name, preferably one that is
 * older than its report.  NULL if it is not connected.
 */
static ConnectedStandby *
standby_of_node(List *standbys, const ClusterNode *node)
{
	ConnectedStandby *result = NULL;
	ListCell   *cell;

	foreach(cell, standbys)
	{
		ConnectedStandby *standby = lfirst(cell);

		if (strcmp(standby->name, node->name) == 0 && (result == NULL || result->since > node->heard))
			result = standby;
	}
	return result;
}

/*
 * Nodes below this one, as ClusterNode.  Whether a node is connected is known only of direct
 * standbys; of those below them, only what was passed on.
 */
List *
list_below(void)
{
	List	   *standbys = connected_standbys();
	TimestampTz now = GetCurrentTimestamp();
	List	   *heard;
	List	   *result = NIL;
	ListCell   *cell;

	LWLockAcquire(shared->lock, LW_SHARED);
	heard = copy_heard_locked();
	LWLockRelease(shared->lock);
	list_sort(heard, by_time_heard);

	foreach(cell, heard)
	{
		ClusterNode *node = lfirst(cell);
		ConnectedStandby *standby;

		/* listed already: it has another upstream now */
		if (node->id != 0 && has_node(result, node->id))
			continue;
		if (node->via != 0)
		{
			result = lappend(result, node);
			continue;
		}
		standby = standby_of_node(standbys, node);
		standbys = list_delete_ptr(standbys, standby);
		if (standby == NULL)
			set_all_states(node, NODE_GONE, "it is no longer connected");
		else if (node->heard < standby->since && TimestampDifferenceExceeds(standby->since, now, NEWLY_CONNECTED_MS))
			set_all_states(node, NODE_SILENT, "it has reconnected and has not reported since; it may now run without sslpolicy");
		else if (TimestampDifferenceExceeds(node->heard, now, SILENT_MS))
			set_all_states(node, NODE_SILENT, "it is connected but has not reported for more than two minutes");
		result = lappend(result, node);
	}
	/* those that have not been heard */
	foreach(cell, standbys)
	{
		ClusterNode *node = palloc0(sizeof(ClusterNode));

		strlcpy(node->name, ((ConnectedStandby *) lfirst(cell))->name, sizeof(node->name));
		node->heard = ((ConnectedStandby *) lfirst(cell))->since;
		set_all_states(node, NODE_SILENT, "it is connected but has not reported; it may run without sslpolicy, or with an older version");
		result = lappend(result, node);
	}
	judge_passed_on(result);
	return result;
}

/*
 * This node, and those below it.
 */
List *
list_nodes(void)
{
	return lcons(own_node(), list_below());
}

/*
 * Has a node done what it can about what is wanted?  wanted is NULL if nothing is.
 */
bool
is_settled(const ClusterNode *node, ReplicatedKind kind, const uint8 *wanted)
{
	const KindState *now = &node->kinds[kind];

	if (now->state == NODE_GONE)
		return true;
	if (now->state == NODE_SILENT || now->state == NODE_APPLYING || now->has_wanted != (wanted != NULL))
		return false;
	return wanted == NULL || memcmp(wanted, now->wanted, FINGERPRINT_LEN) == 0;
}

/*
 * Has what this node wants not been in force on a node for this long?
 */
bool
is_overdue(const ClusterNode *node, ReplicatedKind kind, int ms)
{
	const KindState *now = &node->kinds[kind];
	KindState	own;
	Moment		wanted_since;

	LWLockAcquire(shared->lock, LW_SHARED);
	own = shared->own[kind];
	wanted_since = shared->wanted_since[kind];
	LWLockRelease(shared->lock);

	if (own.state == NODE_LOCAL)
		return false;
	if (now->state == NODE_SILENT)
		return TimestampDifferenceExceeds(node->heard, GetCurrentTimestamp(), ms);
	if (now->state == NODE_GONE)
		return true;
	/* what this node wants is not known between a new label and its application */
	if (own.has_wanted && !is_same_wanted(&own, now))
		return has_elapsed(wanted_since, ms);
	return now->state == NODE_APPLYING && has_elapsed(now->since, ms);
}

/*
 * Does the file of a foreign node differ from what is replicated?
 */
bool
holds_other_material(const KindState *state)
{
	return state->state == NODE_FOREIGN &&
		strncmp(state->detail, HOLDS_THE_SAME, strlen(HOLDS_THE_SAME)) != 0;
}

/*
 * The reason for a state, as far as the current user may know it, since it can name files.
 * NULL if there is nothing to say.
 */
const char *
detail_told(const KindState *state)
{
	if (state->detail[0] == '\0')
		return NULL;
	if (files_may_be_told())
		return state->detail;
	if (state->state == NODE_FAILED)
		return "the reason is shown only to superusers, and in the server log of the node";
	if (state->state == NODE_FOREIGN)
		return psprintf("%s; the reason is shown only to superusers, and in the server log of the node",
						holds_other_material(state) ? HOLDS_OTHER_MATERIAL : HOLDS_THE_SAME);
	return state->detail;
}

/*
 * Names of the nodes that are in this state for any kind; NULL if there are none.
 */
char *
nodes_in_state(NodeState state)
{
	StringInfoData names;
	ListCell   *cell;

	initStringInfo(&names);
	foreach(cell, list_nodes())
	{
		const ClusterNode *node = lfirst(cell);

		for (int kind = 0; kind < NUM_REPLICATED_KINDS; kind++)
			if (node->kinds[kind].state == state)
			{
				appendStringInfo(&names, "%s%s", names.len ? ", " : "", compat_clean_ascii(node->name));
				break;
			}
	}
	return names.len ? names.data : NULL;
}

void
prepare_to_wait_for_nodes(void)
{
	ConditionVariablePrepareToSleep(&shared->changed);
}

/*
 * True if the timeout has passed.
 */
bool
wait_for_node_change(int timeout_ms)
{
	return ConditionVariableTimedSleep(&shared->changed, timeout_ms, PG_WAIT_EXTENSION);
}

void
end_wait_for_nodes(void)
{
	ConditionVariableCancelSleep();
}
