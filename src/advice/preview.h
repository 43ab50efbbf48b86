/*-------------------------------------------------------------------------
 *
 * preview.h
 *		Whom a policy would refuse that is not set yet.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_PREVIEW_H
#define SSLPOLICY_PREVIEW_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "labels/applicable.h"

/* A live session or a recent login that it would refuse, or may. */
typedef struct Previewed
{
	int			pid;			/* 0: a recent login */
	const Facts *facts;
	TimestampTz last_seen;		/* of a session: its start */
	int64		count;			/* logins like this one; 1 for a session */
	bool		sure;			/* it would; false: for lack of facts it is not known */
	bool		refused_now;	/* by the policies that are set */
	List	   *reasons;		/* of char * */
} Previewed;

extern List *preview_policy(const Supposition *supposed);
extern void require_no_refusals(const Supposition *supposed);

#endif							/* SSLPOLICY_PREVIEW_H */
