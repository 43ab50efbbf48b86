/*-------------------------------------------------------------------------
 *
 * recheck.h
 *		Do live sessions still meet their policies?
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_RECHECK_H
#define SSLPOLICY_RECHECK_H

#include "nodes/pg_list.h"

#include "session/sessions.h"

/* What has changed since the last recheck; can be several. */
#define CHANGED_ROLES	  0x01	/* roles or their policies */
#define CHANGED_MEMBERS	  0x02
#define CHANGED_DATABASES 0x04	/* databases or their policies */
#define CHANGED_SETTINGS  0x08
#define CHANGED_MATERIAL  0x10
#define CHANGED_CRLS	  0x20
#define CHANGED_TIME	  0x40
#define CHANGED_LOGINS	  0x80	/* a login was under way meanwhile */
#define CHANGED_ASKED	  0x100 /* sslpolicy.recheck() */
#define CHANGED_STARTED	  0x200 /* the worker: anything may have changed */

/* Why a session does not comply. */
typedef enum Cause
{
	CAUSE_NONE,
	CAUSE_POLICY,
	CAUSE_EXPIRED,				/* of its certificate, with on_expiry=end */
	CAUSE_BLOCKED,
	CAUSE_REVOKED
} Cause;

typedef struct Rechecked
{
	Session    *session;
	Compliance	compliance;
	Cause		cause;
	List	   *reasons;		/* of char *: what is not met */
	bool		ended;			/* was ended now, or would be in a dry run */
	bool		waits;			/* for the end of its transaction */
	bool		failing;		/* an error has kept it from being judged */
	bool		put_off;		/* its policies come at the next pass */
	int64		end_at;
	Moment		refused_at;
	int			refused_for;	/* what had changed then */
} Rechecked;

/*
 * How far a round through all sessions has come whose passes have a budget.  A round
 * begins where the one before it has ended, so that every session has its turn.
 */
typedef struct Judging
{
	int			budget;			/* of a pass, in ms */
	int			first;			/* slot that the round began with */
	int			next;			/* slot that comes next */
	bool		unfinished;
} Judging;

extern List *recheck_sessions(bool dry_run, int changed, Judging *judging);

#endif							/* SSLPOLICY_RECHECK_H */
