/*-------------------------------------------------------------------------
 *
 * evaluate.h
 *		Policies and facts to a verdict.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_EVALUATE_H
#define SSLPOLICY_EVALUATE_H

#include "policy/facts.h"
#include "policy/policy.h"

/* What lifetime_grace() keeps within, in seconds. */
#define MIN_LIFETIME_GRACE 300
#define MAX_LIFETIME_GRACE 3900

/* Where a policy that applies to a session comes from. */
typedef enum PolicySource
{
	SOURCE_MINIMUM,				/* sslpolicy.minimum_policy, or that of the cluster */
	SOURCE_ROLE,				/* label of the login role */
	SOURCE_DEFAULT,				/* sslpolicy.default_policy, or that of the cluster */
	SOURCE_GROUP,				/* label of a NOLOGIN role it is a member of */
	SOURCE_DATABASE				/* label of the database */
} PolicySource;

typedef struct AppliedPolicy
{
	PolicySource source;
	const char *name;			/* of the role or database, or what the cluster's is
								 * called; NULL for settings */
	const Policy *policy;		/* NULL if it could not be parsed */
	const char *error;			/* why not */
	bool		supposed;		/* instead of the one that is there */
	Oid			group;			/* of SOURCE_GROUP */
} AppliedPolicy;

/* In the order of weight: of several, the first one listed here counts. */
typedef enum Outcome
{
	OUTCOME_FAILED,
	OUTCOME_UNKNOWN,			/* for lack of facts; never at login */
	OUTCOME_OK
} Outcome;

/* One requirement that was checked. */
typedef struct Check
{
	const AppliedPolicy *applied;
	int			rule;			/* from 1; 0 if the policy is not readable */
	const PolicyRule *asks;		/* NULL if the policy is not readable */
	PolicyKey	key;			/* KEY_CN stands for cn, uid, email, dn and san together */
	bool		role_cn;		/* KEY_CN: the name is CN = role, by rule */
	bool		own_certificate;	/* checks not the key, but that the certificate is
									 * not the server's own */
	Outcome		outcome;
	bool		log_only;		/* asked by a rule with action=log */
	bool		certain;		/* the rule fits; false: it may, for lack of facts */
	int			next_names;		/* of names: the check before of names of the same policy;
								 * NO_CHECK: none */
} Check;

#define NO_CHECK (-1)

typedef struct Verdict
{
	Outcome		outcome;		/* a session is let in if it is OUTCOME_OK */
	bool		logged;			/* a rule with action=log would refuse */
	bool		end_on_expiry;	/* a deciding rule says on_expiry=end */
	int64		regex_work;		/* so far, see REGEX_MAX_WORK */
	bool		regex_skipped;	/* which would have been more */
	int			nchecks;
	int			capacity;
	Check	   *checks;
} Verdict;

/*
 * Does one of the texts (printable ASCII) match the regular expression?  Must say
 * false where it cannot tell.
 */
typedef bool (*RegexMatcher)(const char *pattern, const char *const *texts,
							 int ntexts, bool ignore_case);

extern Verdict *evaluate(const AppliedPolicy *applied, int napplied,
						 const Facts *facts, RegexMatcher matches, int64 now);
extern char **subject_values(const CertFacts *cert, PolicyKey key, int *count);
extern int64 lifetime_grace(int64 max_lifetime);
extern bool has_listed_fingerprint(const CertFacts *cert, const uint8 *fingerprints,
								   int nfingerprints);

#endif							/* SSLPOLICY_EVALUATE_H */
