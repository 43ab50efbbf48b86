/*-------------------------------------------------------------------------
 *
 * explain.h
 *		What a login would meet, requirement by requirement.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_EXPLAIN_H
#define SSLPOLICY_EXPLAIN_H

#include "nodes/pg_list.h"

#include "labels/applicable.h"

/* A requirement, and what has become of it. */
typedef struct Explained
{
	char	   *source;			/* where it comes from */
	int			rule;			/* of a policy, from 1; 0 if there is none */
	char	   *requirement;	/* key of the policy language, or another word */
	char	   *required;
	char	   *actual;			/* in escaped form; NULL if it is not known */
	Outcome		outcome;
	bool		log_only;
	bool		certain;		/* false: only if its rule, or policy, is the one that
								 * counts */
} Explained;

extern List *explain_login(const Facts *facts, const Applicable *applicable,
						   const char *certificate_error, int64 now);
extern List *explain_policies(const Facts *facts, const Applicable *applicable);

#endif							/* SSLPOLICY_EXPLAIN_H */
