/*-------------------------------------------------------------------------
 *
 * sessions.h
 *		The table of live sessions in shared memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_SESSIONS_H
#define SSLPOLICY_SESSIONS_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "facts.h"

/* Does a session meet its policies? */
typedef enum Compliance
{
	COMPLIANCE_UNKNOWN,			/* nobody looked: enforcement is off */
	COMPLIANCE_NO,
	COMPLIANCE_YES
} Compliance;

/* A copy of one entry of the table. */
typedef struct Session
{
	int			pid;
	Oid			role;
	Oid			database;		/* InvalidOid for physical replication */
	TimestampTz backend_start;
	Compliance	compliance;
	Facts		facts;
} Session;

extern void init_sessions(void);
extern void publish_session(const Facts *facts);
extern void admit_session(Oid role, Oid database, Compliance compliance);
extern const char *my_auth_method(void);
extern List *copy_sessions(void);

#endif							/* SSLPOLICY_SESSIONS_H */
