/*-------------------------------------------------------------------------
 *
 * orders.h
 *		What the worker asks of the applier, and the outcome.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_ORDERS_H
#define SSLPOLICY_ORDERS_H

#include "cluster/nodes.h"

/* What is known of a kind since the start of the server. */
typedef struct KindProgress
{
	bool		compared;		/* the catalog and the file, at least once */
	uint64		signature;		/* what_applies() after that */
	int			failures;		/* since the last success */
} KindProgress;

extern void init_orders(void);

/* the worker's side */
extern KindProgress kind_progress(ReplicatedKind kind);
extern void note_nothing_replicated(ReplicatedKind kind);
extern bool is_order_open(void);
extern void order_application(Oid database, uint32 kinds);
extern bool is_late(void);

/* the applier's side */
extern void register_applier(void);
extern bool take_order(Oid *database, uint32 *kinds, bool *again);
extern void finish_kind(ReplicatedKind kind, const KindProgress *progress);
extern void finish_order(void);
extern void wake_applier(void);

/* logins */
extern bool awaits_comparison(void);
extern bool lacks_replicated_crl(void);

#define REPLICATED_CRL_MISSING "cannot be checked for revocation: the replicated CRL could not be put in place"

#endif							/* SSLPOLICY_ORDERS_H */
