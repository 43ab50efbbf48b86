/*-------------------------------------------------------------------------
 *
 * setpolicy.h
 *		Sets the policy of a role or a database, for whoever may.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_SETPOLICY_H
#define SSLPOLICY_SETPOLICY_H

#include "labels/clusterlabels.h"

/* text NULL: removes it */
extern void set_role_policy(Oid role, const char *text, bool force);
extern void set_database_policy(const char *name, const char *text, bool force);
extern void set_cluster_label(ClusterLabel which, const char *text, bool force);
extern void lock_cluster_labels(void);
extern void write_cluster_label(ClusterLabel which, const char *text);
extern void set_certificate_blocked(const char *text, bool blocked, bool force);

#endif							/* SSLPOLICY_SETPOLICY_H */
