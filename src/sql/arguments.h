/*-------------------------------------------------------------------------
 *
 * arguments.h
 *		What SQL functions are given: each argument read and checked, and the login
 *		that some are asked about.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_ARGUMENTS_H
#define SSLPOLICY_ARGUMENTS_H

#include "fmgr.h"

#include "pki/pem.h"
#include "policy/facts.h"

typedef struct Question
{
	Oid			role;
	Oid			database;		/* InvalidOid if not known, or for physical
								 * replication */
	Facts		facts;			/* the transport is not known */
} Question;

extern void hide_statement(void);
extern void require_argument(FunctionCallInfo fcinfo, int arg, const char *name);
extern char *optional_text_argument(FunctionCallInfo fcinfo, int arg);
extern char *required_text_argument(FunctionCallInfo fcinfo, int arg, const char *name);
extern bool flag_argument(FunctionCallInfo fcinfo, int arg);
extern List *text_list_argument(FunctionCallInfo fcinfo, int arg, const char *name);
extern int	timeout_argument(FunctionCallInfo fcinfo, int arg, const char *name);
extern const char *pem_argument_name(FunctionCallInfo fcinfo, int arg);
extern PemContent *pem_argument(FunctionCallInfo fcinfo, int arg, const char *name,
								size_t max_bytes, int max_certificates);
extern char *key_argument(FunctionCallInfo fcinfo, int arg);
extern void ask_who_and_where(FunctionCallInfo fcinfo, Question *q);
extern void ask_about_caller(Question *q);

#endif							/* SSLPOLICY_ARGUMENTS_H */
