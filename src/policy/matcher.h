/*-------------------------------------------------------------------------
 *
 * matcher.h
 *		Regular expressions by PostgreSQL, cipher names by OpenSSL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_MATCHER_H
#define SSLPOLICY_MATCHER_H

#include "policy/policy.h"

extern const PolicyChecks policy_checks;

extern bool regex_matches(const char *pattern, const char *text,
						  bool ignore_case);

#endif							/* SSLPOLICY_MATCHER_H */
