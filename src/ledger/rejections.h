/*-------------------------------------------------------------------------
 *
 * rejections.h
 *		Connections that were refused, or would be, and sessions that were ended.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_REJECTIONS_H
#define SSLPOLICY_REJECTIONS_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "policy/facts.h"

/* Who has refused.  The numbers are in files. */
typedef enum RejectionSource
{
	REJECTED_BY_POLICY,
	REJECTED_BY_BLOCKING,
	REJECTED_BY_REVOCATION,
	REJECTED_BY_RECHECK,		/* a live session */
	REJECTED_BY_SERVER			/* PostgreSQL itself, or another hook */
} RejectionSource;

/* Whose the connection was. */
typedef enum RejectionOf
{
	REJECTED_KNOWN,				/* role and database exist */
	REJECTED_UNNAMED,			/* no role was named yet */
	REJECTED_STRANGER,			/* role or database does not exist */
	REJECTED_KNOWN_BY_SERVER	/* they exist; refused by PostgreSQL itself */
} RejectionOf;

/* Repeats are one. */
typedef struct Rejection
{
	TimestampTz first_at;
	TimestampTz at;				/* the last one */
	int64		count;
	int64		then_admitted;	/* how many of them were followed at once by a login
								 * of the same client that was let in */
	RejectionSource source;
	bool		would_be;		/* was let in, or stayed */
	List	   *reasons;		/* of char *, printable */
	Facts		facts;			/* role is NULL if not known; of its certificate are
								 * kept: */
	char	   *client_dn;		/* NULL if there was none */
	char	   *client_serial;
	uint8		fingerprint[FINGERPRINT_LEN];
} Rejection;

extern void init_rejections(void);
extern void note_rejection(const Rejection *rejection, RejectionOf of);
extern void note_admission(const Facts *facts);
extern List *rejections(void);
extern void clear_rejections(void);

#endif							/* SSLPOLICY_REJECTIONS_H */
