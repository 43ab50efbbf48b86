/*-------------------------------------------------------------------------
 *
 * exceptions.h
 *		Who is judged by other than policies: reserved roles, blocked certificates.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_EXCEPTIONS_H
#define SSLPOLICY_EXCEPTIONS_H

#include "policy/facts.h"

typedef struct BlockedCertificates
{
	const uint8 *here;			/* fingerprints, by sslpolicy.blocked_fingerprints */
	int			nhere;
	const uint8 *everywhere;	/* by the label */
	int			neverywhere;
	bool		label_unreadable;
} BlockedCertificates;

extern bool is_reserved_role(const char *name);
extern BlockedCertificates *blocked_certificates(void);
extern BlockedCertificates *blocked_by(const char *label);
extern int	count_blocked(const BlockedCertificates *blocked);
extern const char *blocked_reason(const BlockedCertificates *blocked, const Facts *facts);

#endif							/* SSLPOLICY_EXCEPTIONS_H */
