/*-------------------------------------------------------------------------
 *
 * clusterlabels.h
 *		What the catalog holds for every node of a cluster.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CLUSTERLABELS_H
#define SSLPOLICY_CLUSTERLABELS_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "catalog/objectaddress.h"

/* What is held, each by its own label provider. */
typedef enum ClusterLabel
{
	CLUSTER_MINIMUM,			/* a policy that everybody must meet */
	CLUSTER_DEFAULT,			/* a policy of roles without one of their own */
	CLUSTER_BLOCKED,			/* fingerprints of certificates */
	CLUSTER_CA,					/* CAs in PEM: the content of ssl_ca_file */
	CLUSTER_CRL					/* CRLs in PEM, and certificates of their issuers */
} ClusterLabel;

#define NUM_CLUSTER_LABELS (CLUSTER_CRL + 1)

extern void init_cluster_labels(void);
extern void check_cluster_object(ClusterLabel which, const ObjectAddress *object);
extern const char *cluster_label_provider(ClusterLabel which);
extern const char *cluster_label_name(ClusterLabel which);
extern bool is_cluster_label(HeapTuple tuple, TupleDesc desc, ClusterLabel *which);
extern char *cluster_label_text(HeapTuple tuple, TupleDesc desc);
extern char *read_cluster_label(ClusterLabel which);
extern bool is_cluster_material(ClusterLabel which);
extern TransactionId cluster_label_version(ClusterLabel which);
extern char *read_cluster_material(ClusterLabel which);

#endif							/* SSLPOLICY_CLUSTERLABELS_H */
