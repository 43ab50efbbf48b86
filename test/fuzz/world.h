/*-------------------------------------------------------------------------
 *
 * world.h
 *		Policies, sessions and certificates out of the bytes of an input.
 *
 * The words are few, so that policies and sessions often meet.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_FUZZ_WORLD_H
#define SSLPOLICY_FUZZ_WORLD_H

#include "policy/evaluate.h"
#include "fuzz.h"

#define MAX_APPLIED 5
#define MAX_RULES	4

/* what the fuzzer takes for the present: 2025-01-01 00:00 UTC */
#define NOW INT64CONST(1735689600)

extern char *make_rule(Bytes *from, PolicyPlace place, bool last);
extern Policy *make_policy(Bytes *from, PolicyPlace place);
extern int	make_applied(Bytes *from, AppliedPolicy *applied);
extern PolicyPlace place_of(PolicySource source);
extern CertFacts *make_cert(Bytes *from);
extern Facts make_session(Bytes *from);
extern Facts with_unknowns(Bytes *from, const Facts *facts);
extern bool simple_match(const char *pattern, const char *const *texts, int ntexts, bool ignore_case);

#endif							/* SSLPOLICY_FUZZ_WORLD_H */
