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
extern const PolicyChecks setting_checks;
extern const PolicyChecks spelling_checks;
extern const PolicyChecks stored_setting_checks;

extern bool regex_matches(const char *pattern, const char *const *texts,
						  int ntexts, bool ignore_case);
extern const char *cipher_standard_name(const char *name);

#endif							/* SSLPOLICY_MATCHER_H */
