/*-------------------------------------------------------------------------
 *
 * ended.h
 *		The last sessions that were ended because they did not comply.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_ENDED_H
#define SSLPOLICY_ENDED_H

#include "nodes/pg_list.h"

#include "session/sessions.h"

typedef struct EndedSession
{
	TimestampTz at;
	int			pid;
	char	   *role;
	char	   *database;		/* NULL for physical replication */
	char	   *address;		/* NULL if not TCP */
	char	   *cause;
	char	   *changed;
	List	   *reasons;		/* of char * */
} EndedSession;

extern void init_ended(void);
extern void remember_ended(const Session *session, const char *cause,
						   const char *changed, List *reasons);
extern List *ended_sessions(void);

#endif							/* SSLPOLICY_ENDED_H */
