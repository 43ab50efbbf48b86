/*-------------------------------------------------------------------------
 *
 * apply.h
 *		Puts what is replicated in place on this node.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_APPLY_H
#define SSLPOLICY_APPLY_H

#include "cluster/nodes.h"

extern const char *applied_path(ReplicatedKind kind);
extern uint64 what_applies(ReplicatedKind kind);
extern bool holds_nothing(ReplicatedKind kind);
extern bool holds_the_same(ReplicatedKind kind, const PemContent *wanted);
extern void apply_replicated(ReplicatedKind kind);
extern void give_up(ReplicatedKind kind, const char *reason);

#endif							/* SSLPOLICY_APPLY_H */
