/*-------------------------------------------------------------------------
 *
 * policy.h
 *		The policy language: text to policy and back.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_POLICY_H
#define SSLPOLICY_POLICY_H

#include "policy/facts.h"

/* Longest policy, in bytes: longer labels could move to TOAST, which cannot
 * be read at login. */
#define POLICY_MAX_BYTES 1800

/* Longest regular expression, in bytes. */
#define REGEX_MAX_BYTES 200

/* Most that a regular expression, and all those of a policy, may cost (see
 * patterncost.c): they are compiled in logins and by the worker. */
#define REGEX_MAX_COST		  6000
#define POLICY_MAX_REGEX_COST 30000

/* What it costs to have the names of a certificate compared: the cost of each regular
 * expression, times the bytes that it is tried on and REGEX_COMPILE_BYTES.  The limit
 * takes about a second, for a login or a recheck of a session. */
#define REGEX_COMPILE_BYTES 500
#define REGEX_MAX_WORK		INT64CONST(400000000)

/* In the order in which canonical text has them. */
typedef enum PolicyKey
{
	KEY_ADDRESS,
	KEY_DATABASE,
	KEY_SSLMODE,
	KEY_MIN_PROTOCOL,
	KEY_CIPHER,
	KEY_CN,						/* names: from here ... */
	KEY_UID,
	KEY_EMAIL,
	KEY_DN,
	KEY_SAN,					/* ... to here */
	KEY_IGNORE_CASE,
	KEY_OU,
	KEY_O,
	KEY_FINGERPRINT,
	KEY_ISSUER,
	KEY_CA_FINGERPRINT,
	KEY_MAX_LIFETIME,
	KEY_ON_EXPIRY,
	KEY_ACTION
} PolicyKey;

#define NUM_POLICY_KEYS (KEY_ACTION + 1)

typedef enum SslMode
{
	SSLMODE_REJECT,
	SSLMODE_DISABLE,
	SSLMODE_ALLOW,
	SSLMODE_PREFER,
	SSLMODE_REQUIRE,
	SSLMODE_VERIFY_CA,
	SSLMODE_VERIFY_FULL,
	SSLMODE_CERT
} SslMode;

/* Where a policy is written decides which keys it may have. */
typedef enum PolicyPlace
{
	PLACE_ROLE,					/* label of a role: every key */
	PLACE_DATABASE,				/* label of a database: no database, no names */
	PLACE_DEFAULT,				/* sslpolicy.default_policy: every key */
	PLACE_MINIMUM				/* sslpolicy.minimum_policy: no names */
} PolicyPlace;

/* One value of a key that may repeat. */
typedef struct PolicyValue
{
	PolicyKey	key;
	char	   *text;			/* canonical, without quotes */
	bool		keyword;		/* database=replication, not quoted */
	bool		regex;			/* a name that is a regular expression */
	int			regex_cost;		/* of which it costs so much (see patterncost.c) */
	int			address_len;	/* address: 4 or 16 bytes */
	int			address_bits;
	uint8		bytes[FINGERPRINT_LEN]; /* address, fingerprint */
} PolicyValue;

typedef struct PolicyRule
{
	SslMode		sslmode;		/* written or implied */
	TlsVersion	min_protocol;	/* TLS_NONE if not asked for */
	int64		max_lifetime;	/* seconds; 0 if not asked for */
	bool		has_on_expiry;
	bool		end_on_expiry;	/* on_expiry=end */
	bool		log_only;		/* action=log */
	bool		has_action;
	bool		has_match;		/* has address or database */
	bool		has_names;		/* has cn, uid, email, dn or san */
	bool		has_ignore_case;
	bool		ignore_case;	/* ignore_case=on */
	int			nvalues;
	PolicyValue *values;
} PolicyRule;

typedef struct Policy
{
	int			nrules;
	PolicyRule *rules;
} Policy;

typedef struct PolicyError
{
	char	   *message;		/* what is wrong; starts in lower case */
	const char *key;			/* name of the key, NULL if it concerns none */
	int			offset;			/* bytes before the offending place */
	char	   *hint;			/* what is accepted, a sentence */
	bool		by_regex;		/* a regular expression by itself, or what it costs */
} PolicyError;

/*
 * Checks that are made when a policy is set, not each time it is read.  regex and
 * cipher need more than the text, and return what is wrong, or NULL.  regex may be
 * NULL: nothing is compiled then.
 */
typedef struct PolicyChecks
{
	char *(*regex)(const char *pattern);
	char *(*cipher)(const char *name);
	bool		spelling;		/* refuse what is read, but means something else than
								 * it seems to */
} PolicyChecks;

/* parser.c */
extern Policy *parse_policy(const char *text, PolicyPlace place,
							const PolicyChecks *checks, PolicyError *error);

/* policy.c */
extern bool rule_has_key(const PolicyRule *rule, PolicyKey key);
extern const char *policy_key_name(PolicyKey key);
extern const char *subject_attribute(PolicyKey key);
extern const char *sslmode_name(SslMode mode);
extern const char *tls_version_name(TlsVersion version);

/* policy_text.c */
extern char *policy_text(const Policy *policy);
extern char *rule_text(const PolicyRule *rule);
extern char *pair_text(PolicyKey key, const char *value);
extern char *lifetime_text(int64 seconds);
extern char *duration_text(int64 seconds);
extern char *name_pattern(const PolicyValue *name, const char *role);
extern char *expand_name(const PolicyValue *name, const char *role);

#endif							/* SSLPOLICY_POLICY_H */
