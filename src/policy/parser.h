/*-------------------------------------------------------------------------
 *
 * parser.h
 *		What the files of the policy parser share: parser.c and policyvalue.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_PARSER_H
#define SSLPOLICY_PARSER_H

#include "policy/policy.h"

typedef struct Parser
{
	const char *text;
	const char *pos;
	PolicyPlace place;
	const PolicyChecks *checks; /* NULL when a stored policy is read */
	PolicyError *error;
	bool		seen[NUM_POLICY_KEYS];	/* in the rule at hand */
	int			offsets[NUM_POLICY_KEYS];	/* where those keys stand */
	bool		mode_written;
	int			lone_backslash; /* in the value at hand, before a character that
								 * needs none; -1: there is none */
	PolicyKey	needs_key;		/* the key that implies the strongest mode */
	SslMode		needs_mode;		/* SSLMODE_ALLOW: no key implies any */
	int64		regex_cost;		/* of all regular expressions so far */
} Parser;

/* parser.c */
extern bool parse_fail(Parser *p, int offset, int key, char *message, char *hint);
extern bool parse_fail_value(Parser *p, int offset, PolicyKey key, const char *value);
extern const char *policy_key_accepted(PolicyKey key);

/* policyvalue.c */
extern bool parse_address(Parser *p, const char *value, int offset, PolicyValue *out);
extern bool parse_fingerprint_value(Parser *p, PolicyKey key, const char *value, int offset,
									PolicyValue *out);
extern bool parse_dn(Parser *p, PolicyKey key, const char *value, int offset, PolicyValue *out);
extern bool parse_name(Parser *p, PolicyKey key, const char *value, int offset, PolicyValue *out);
extern bool parse_attribute(Parser *p, PolicyKey key, const char *value, int offset,
							PolicyValue *out);
extern bool parse_database(Parser *p, const char *value, bool quoted, int offset,
						   PolicyValue *out);
extern bool parse_cipher(Parser *p, const char *value, int offset, PolicyValue *out);
extern bool parse_lifetime(Parser *p, const char *value, int offset, int64 *seconds);

#endif							/* SSLPOLICY_PARSER_H */
