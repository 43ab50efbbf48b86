/*-------------------------------------------------------------------------
 *
 * ledger.h
 *		What is written down about logins.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_LEDGER_H
#define SSLPOLICY_LEDGER_H

#include "nodes/pg_list.h"

#include "labels/applicable.h"
#include "ledger/rejections.h"
#include "session/sessions.h"

extern void init_ledger(void);
extern void ledger_admitted(const Facts *facts, const Applicable *found,
							Compliance compliance, List *would_refuse);
extern void ledger_refused(const Facts *facts, Oid role, Oid database,
						   RejectionSource source, List *reasons);
extern void ledger_rechecked(const Session *session, List *reasons, bool ended);
extern void ledger_collect(void);
extern List *ledger_recent_logins(void);
extern List *ledger_statistics(void);
extern void ledger_reset(void);

#endif							/* SSLPOLICY_LEDGER_H */
