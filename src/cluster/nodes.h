/*-------------------------------------------------------------------------
 *
 * nodes.h
 *		The state of replicated material on this node, and on the nodes below it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_NODES_H
#define SSLPOLICY_NODES_H

#include "nodes/pg_list.h"

#include "cluster/node.h"
#include "labels/clusterlabels.h"
#include "material/material.h"

/* What the detail of a foreign node begins with.  metrics/ and report/ look for the first. */
#define HOLDS_THE_SAME		 "the file of the node matches what is replicated"
#define HOLDS_OTHER_MATERIAL "the file of the node differs from what is replicated"

extern void init_nodes(void);
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

/* all known nodes */
extern void take_reports(ClusterNode *sender, ClusterNode *below, int count, bool first);
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
