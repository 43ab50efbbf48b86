/*-------------------------------------------------------------------------
 *
 * installcall.h
 *		What the SQL functions that install have in common: their arguments, and the
 *		row that they return.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_INSTALLCALL_H
#define SSLPOLICY_INSTALLCALL_H

#include "fmgr.h"

#include "install/install.h"

extern void invalid_argument(const char *message, const char *detail, const char *hint);
extern Installation *begin_call(FunctionCallInfo fcinfo, MaterialKind kind,
								const char *action, int flags);
extern Datum install_and_report(FunctionCallInfo fcinfo, Installation *inst);
extern void add_unless_there(Installation *inst, STACK_OF(X509) *set, X509 *cert, bool warn);
extern void could_not_encode(bool ok);
extern int64 unix_now(void);

#endif							/* SSLPOLICY_INSTALLCALL_H */
