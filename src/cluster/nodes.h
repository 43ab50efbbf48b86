/*-------------------------------------------------------------------------
 *
 * nodes.h
 *		What this node, and the nodes below it, have in force of what is replicated.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_NODES_H
#define SSLPOLICY_NODES_H

#include "access/xlogdefs.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "base/fingerprint.h"
#include "base/monotonic.h"
#include "labels/clusterlabels.h"
#include "material/material.h"

/* What is replicated as a file. */
typedef enum ReplicatedKind
{
	REPLICATED_CA,
	REPLICATED_CRL
} ReplicatedKind;

#define NUM_REPLICATED_KINDS (REPLICATED_CRL + 1)

typedef enum NodeState
{
	NODE_LOCAL,					/* nothing is replicated: the node has its own */
	NODE_APPLYING,
	NODE_IN_FORCE,				/* proved */
	NODE_NEWER,					/* its own CRL is newer, and stays */
	NODE_FAILED,				/* it has what it had; the detail says why */
	NODE_FOREIGN,				/* somebody else writes its files: they are only compared */
	NODE_SILENT,				/* is connected, and does not report */
	NODE_GONE					/* has reported, and is not connected */
} NodeState;

#define NUM_NODE_STATES (NODE_GONE + 1)

#define NODE_DETAIL_LEN 200

/* How the detail of a node begins whose files somebody else writes. */
#define HOLDS_THE_SAME		 "the file of this node holds the same"
#define HOLDS_OTHER_MATERIAL "the file of this node holds other material"

typedef struct KindState
{
	NodeState	state;
	bool		has_wanted;
	uint8		wanted[FINGERPRINT_LEN];	/* SHA-256 of the text that is replicated */
	char		detail[NODE_DETAIL_LEN];	/* "" if there is nothing to say */
	XLogRecPtr	lsn;			/* replayed (a primary: written) by then */
	uint64		generation;		/* of the TLS material, as of load_state() */
	Moment		since;			/* known here in this state with what is wanted; not reported */
} KindState;

typedef struct ClusterNode
{
	char		name[NAMEDATALEN];
	uint64		id;				/* drawn at its start; 0: it has not reported */
	uint64		via;			/* the node that has passed this on; 0: none */
	TimestampTz heard;			/* when it said so; if it has not reported, when it connected */
	KindState	kinds[NUM_REPLICATED_KINDS];
} ClusterNode;

/* Nodes of which is remembered what they report. */
#define MAX_NODES 64

extern void init_nodes(void);
extern const char *node_state_name(NodeState state);
extern bool parse_node_state(const char *name, NodeState *state);
extern const char *replicated_kind_name(ReplicatedKind kind);
extern ClusterLabel replicated_label(ReplicatedKind kind);
extern MaterialKind replicated_material(ReplicatedKind kind);

/* this node */
extern uint64 own_node_id(void);
extern void set_own_name(const char *name);
extern char *own_node_name(void);
extern KindState own_state(ReplicatedKind kind);
extern void set_own_state(ReplicatedKind kind, NodeState state, const uint8 *wanted,
						  const char *detail);
extern uint64 own_changes(void);

/* all that are known */
extern void take_reports(ClusterNode *sender, List *below, bool first);
extern List *list_nodes(void);
extern List *list_below(void);
extern bool is_settled(const ClusterNode *node, ReplicatedKind kind, const uint8 *wanted);
extern bool is_overdue(const ClusterNode *node, ReplicatedKind kind, int ms);
extern bool holds_other_material(const KindState *state);
extern const char *detail_told(const KindState *state);
extern char *nodes_in_state(NodeState state);
extern void prepare_to_wait_for_nodes(void);
extern bool wait_for_node_change(int timeout_ms);
extern void end_wait_for_nodes(void);

#endif							/* SSLPOLICY_NODES_H */
