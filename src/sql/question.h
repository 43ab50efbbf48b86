/*-------------------------------------------------------------------------
 *
 * question.h
 *		A login that an SQL function is asked about.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_QUESTION_H
#define SSLPOLICY_QUESTION_H

#include "fmgr.h"

#include "policy/facts.h"

typedef struct Question
{
	Oid			role;
	Oid			database;		/* InvalidOid if not known, or for physical
								 * replication */
	Facts		facts;			/* the transport is not known */
} Question;

extern void ask_who_and_where(FunctionCallInfo fcinfo, Question *q);
extern void ask_about_caller(Question *q);

#endif							/* SSLPOLICY_QUESTION_H */
