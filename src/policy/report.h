/*-------------------------------------------------------------------------
 *
 * report.h
 *		A verdict in words.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_REPORT_H
#define SSLPOLICY_REPORT_H

#include "nodes/pg_list.h"

#include "policy/evaluate.h"

extern char *applied_name(const AppliedPolicy *applied);
extern char *facts_for_log(const Facts *facts);
extern char *failures_for_client(const Verdict *verdict, const Facts *facts);
extern List *failure_list(const Verdict *verdict, const Facts *facts,
						  bool log_only);
extern char *failures_for_log(const Verdict *verdict, const Facts *facts,
							  bool log_only);
extern const char *first_reason_for_client(const Verdict *verdict, const Facts *facts);
extern const char *hint_for_client(const Verdict *verdict, const Facts *facts, bool server_asks);

#endif							/* SSLPOLICY_REPORT_H */
