/*-------------------------------------------------------------------------
 *
 * node.h
 *		What a node says of itself: its name, and the state of what is replicated.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_NODE_H
#define SSLPOLICY_NODE_H

#include "base/pure.h"

#include "access/xlogdefs.h"
#include "datatype/timestamp.h"

#include "base/fingerprint.h"
#include "base/monotonic.h"

/* What is replicated as a file. */
typedef enum ReplicatedKind
{
	REPLICATED_CA,
	REPLICATED_CRL
} ReplicatedKind;

#define NUM_REPLICATED_KINDS (REPLICATED_CRL + 1)

typedef enum NodeState
{
	NODE_LOCAL,					/* nothing is replicated: the node has its own material */
	NODE_APPLYING,
	NODE_IN_FORCE,				/* proved */
	NODE_NEWER,					/* it keeps its own CRL, which is newer */
	NODE_FAILED,				/* it continues with what it had; the detail says why */
	NODE_FOREIGN,				/* something else writes its files: they are only compared */
	NODE_SILENT,				/* it is connected, but does not report */
	NODE_GONE					/* it has reported, but is no longer connected */
} NodeState;

#define NUM_NODE_STATES (NODE_GONE + 1)

#define NODE_DETAIL_LEN 200

typedef struct KindState
{
	NodeState	state;
	bool		has_wanted;
	uint8		wanted[FINGERPRINT_LEN];	/* SHA-256 of the text that is replicated */
	char		detail[NODE_DETAIL_LEN];	/* "" if there is nothing to say */
	XLogRecPtr	lsn;			/* replayed (a primary: written) by then */
	uint64		generation;		/* of the TLS material, as of load_state() */
	Moment		since;			/* since when this node knows of this state; not reported */
} KindState;

typedef struct ClusterNode
{
	char		name[NAMEDATALEN];
	uint64		id;				/* drawn at its start; 0: it has not reported */
	uint64		via;			/* the node that has passed this on; 0: none */
	TimestampTz heard;			/* when it reported; if it has not, when it connected */
	KindState	kinds[NUM_REPLICATED_KINDS];
} ClusterNode;

/* How many nodes can be remembered. */
#define MAX_NODES 64

extern const char *node_state_name(NodeState state);
extern bool parse_node_state(const char *name, NodeState *state);

#endif							/* SSLPOLICY_NODE_H */
