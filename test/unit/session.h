/*-------------------------------------------------------------------------
 *
 * session.h
 *		Sessions and policies for the tests of evaluate.c, in few words.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_SESSION_H
#define SSLPOLICY_SESSION_H

#include "policy/evaluate.h"

/* a policy as it is written somewhere; source and name as in AppliedPolicy */
typedef struct Written
{
	PolicySource source;
	const char *name;
	const char *text;			/* NULL: the end of a list */
} Written;

#define MINIMUM(text) \
	{ \
		SOURCE_MINIMUM, NULL, text \
	}
#define ROLE(text) \
	{ \
		SOURCE_ROLE, "role", text \
	}
#define DEFAULT(text) \
	{ \
		SOURCE_DEFAULT, NULL, text \
	}
#define GROUP(name, text) \
	{ \
		SOURCE_GROUP, name, text \
	}
#define DATABASE(text) \
	{ \
		SOURCE_DATABASE, "database", text \
	}

/* the text of a policy that cannot be read */
#define UNREADABLE ""

#define MAX_WRITTEN 8

/* what the tests take for the present: 2025-01-01 00:00 UTC */
#define NOW INT64CONST(1735689600)
#define DAY INT64CONST(86400)

extern Policy *must_parse(const char *text, PolicyPlace place);
extern Verdict *judge(const Written *written, const Facts *facts, int64 now);
extern const char *verdict_text(const Verdict *verdict);
extern const char *judgement(const Written *written, const Facts *facts);
extern const char *judgement_of_role(const char *text, const Facts *facts);
extern bool posix_matches(const char *pattern, const char *const *texts,
						  int ntexts, bool ignore_case);
extern CertFacts plain_cert(void);
extern Facts plain_session(const CertFacts *cert);

#endif							/* SSLPOLICY_SESSION_H */
