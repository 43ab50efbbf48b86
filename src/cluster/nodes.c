/*-------------------------------------------------------------------------
 *
 * nodes.c
 *		What this node, and the nodes below it, have in force of what is replicated.
 *
 * A node knows itself; standbys that are connected to it report (report.c).  A node is its
 * name, as pg_stat_replication has it, and a number drawn at its start: several standbys
 * can have one name.  Of those of a name as many count as are connected, the ones heard
 * last; if more are connected than have been heard, some are silent.
 *
 * What a standby passes on of nodes below it takes the place of all that it passed on
 * before.
 *
 * Locking: the lock guards all but the atomics.  It is held only to copy.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "access/xlog.h"
#include "access/xlogrecovery.h"
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
#include "cluster/nodes.h"
#include "material/generation.h"
#include "session/walsenders.h"

/* A connected node that has said nothing for so long is silent; it should each minute. */
#define SILENT_MS 150000

/* So is one that has connected anew, and should have reported at once. */
#define NEWLY_CONNECTED_MS 10000

typedef struct SharedNodes
{
	LWLock	   *lock;
	uint64		id;				/* of this node */
	char		name[NAMEDATALEN];	/* of this node as its upstream has it; "": not known */
	KindState	own[NUM_REPLICATED_KINDS];
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
		elog(FATAL, "could not draw a random number");
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

static const char *const state_names[NUM_NODE_STATES] = {
	[NODE_LOCAL] = "local",
	[NODE_APPLYING] = "applying",
	[NODE_IN_FORCE] = "in force",
	[NODE_NEWER] = "newer",
	[NODE_FAILED] = "failed",
	[NODE_FOREIGN] = "foreign",
	[NODE_SILENT] = "silent",
	[NODE_GONE] = "gone",
};

const char *
node_state_name(NodeState state)
{
	return state_names[state];
}

bool
parse_node_state(const char *name, NodeState *state)
{
	for (int i = 0; i < NUM_NODE_STATES; i++)
		if (strcmp(state_names[i], name) == 0)
		{
			*state = (NodeState) i;
			return true;
		}
	return false;
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
 * Remember the name that the upstream knows this node by.
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
 * the names of its host and port.
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
 * A number that grows with each change of what this node says of itself or has heard.
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

/*
 * wanted is NULL if it is not known, or if nothing is replicated.
 */
void
set_own_state(ReplicatedKind kind, NodeState state, const uint8 *wanted, const char *detail)
{
	KindState	now = {.state = state};

	if (wanted)
	{
		now.has_wanted = true;
		memcpy(now.wanted, wanted, FINGERPRINT_LEN);
	}
	strlcpy(now.detail, detail, sizeof(now.detail));
	now.lsn = RecoveryInProgress() ? GetXLogReplayRecPtr(NULL) : GetXLogWriteRecPtr();
	now.generation = number_in_force();
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
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
 * A node that has been started anew is heard under another number.  So of a name no more
 * are remembered than are connected, those that were heard last.
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
 * If there is no room, in the place of the one that was heard longest ago: names of nodes
 * that are gone must not keep those out that are there.
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
 * Take what a standby reports of itself, and of those below it (ClusterNode).  The first of
 * several reports takes the place of those before.
 */
void
take_reports(const ClusterNode *sender, List *below, bool first)
{
	int			connected = count_named(connected_standbys(), sender->name);
	ListCell   *cell;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (first)
		remove_passed_on_locked(sender->id);
	for (int i = shared->count - 1; i >= 0; i--)
		if (shared->nodes[i].id == sender->id && shared->nodes[i].via == 0)
			remove_locked(i);
	add_locked(sender);
	forget_predecessors_locked(sender->name, connected);
	foreach(cell, below)
	{
		const ClusterNode *node = lfirst(cell);

		if (node->id != shared->id)
			add_locked(node);
	}
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
 * What was passed on by a node that is not heard any more is not known any more either.
 */
static void
judge_passed_on(List *nodes)
{
	ListCell   *cell;
	ListCell   *s;

	foreach(cell, nodes)
	{
		ClusterNode *node = lfirst(cell);
		bool		heard = false;

		if (node->via == 0)
			continue;
		foreach(s, nodes)
		{
			const ClusterNode *sender = lfirst(s);

			heard |= sender->via == 0 && sender->id == node->via &&
				sender->kinds[0].state != NODE_GONE && sender->kinds[0].state != NODE_SILENT;
		}
		if (!heard)
			set_all_states(node, NODE_GONE, "the node that it reports through is not connected, or silent");
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
 * The connection of a node that was heard: of those of its name one that it can have
 * reported beside, if there is one.  NULL if it is not connected.
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
 * Nodes below this one, as ClusterNode.  Of those that are connected to this node it is known
 * whether they are; of others, what was passed on.
 */
List *
list_below(void)
{
	List	   *standbys = connected_standbys();
	TimestampTz now = GetCurrentTimestamp();
	List	   *heard = NIL;
	List	   *result = NIL;
	ListCell   *cell;

	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < shared->count; i++)
	{
		ClusterNode *node = palloc(sizeof(ClusterNode));

		*node = shared->nodes[i];
		heard = lappend(heard, node);
	}
	LWLockRelease(shared->lock);
	list_sort(heard, by_time_heard);

	foreach(cell, heard)
	{
		ClusterNode *node = lfirst(cell);
		ConnectedStandby *standby;

		/* it has another upstream now */
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
			set_all_states(node, NODE_GONE, "it is not connected any more");
		else if (node->heard < standby->since && TimestampDifferenceExceeds(standby->since, now, NEWLY_CONNECTED_MS))
			set_all_states(node, NODE_SILENT, "it has connected anew, and has not reported since: it may run without sslpolicy now");
		else if (TimestampDifferenceExceeds(node->heard, now, SILENT_MS))
			set_all_states(node, NODE_SILENT, "it is connected, and has not reported for some minutes");
		result = lappend(result, node);
	}
	/* those that have not been heard */
	foreach(cell, standbys)
	{
		ClusterNode *node = palloc0(sizeof(ClusterNode));

		strlcpy(node->name, ((ConnectedStandby *) lfirst(cell))->name, sizeof(node->name));
		set_all_states(node, NODE_SILENT, "it is connected, and has not reported: it may run without sslpolicy, or with an older version");
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
 * Names of the nodes that are in this state with any kind; NULL if there are none.
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
 * True if the time is over.
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
