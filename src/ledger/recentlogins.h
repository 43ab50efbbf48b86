/*-------------------------------------------------------------------------
 *
 * recentlogins.h
 *		Who has logged in lately, and how.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_RECENTLOGINS_H
#define SSLPOLICY_RECENTLOGINS_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "policy/facts.h"
#include "session/sessions.h"

/* A copy of one entry. */
typedef struct RecentLogin
{
	Oid			role;
	Oid			database;		/* InvalidOid for physical replication */
	TimestampTz last_login;
	int64		count;
	Compliance	compliance;		/* of the last login, as it was decided */
	Facts		facts;			/* of the last login; names as they were then */
} RecentLogin;

extern void init_recent_logins(void);
extern uint64 certificate_names_hash(const Facts *facts);
extern void note_login(const NotedLogin *login);
extern List *copy_recent_logins(void);

#endif							/* SSLPOLICY_RECENTLOGINS_H */
