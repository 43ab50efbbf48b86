/*-------------------------------------------------------------------------
 *
 * replicated.h
 *		TLS material that every node takes from the catalog.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_REPLICATED_H
#define SSLPOLICY_REPLICATED_H

#include "install/install.h"
#include "labels/clusterlabels.h"

extern ClusterLabel cluster_label_of(MaterialKind kind);
extern bool is_replicated(MaterialKind kind);
extern PemContent *read_replicated(MaterialKind kind);
extern void read_all_replicated(Installation *inst);
extern STACK_OF(X509) *cas_to_judge_by(const Installation *inst);

#endif							/* SSLPOLICY_REPLICATED_H */
