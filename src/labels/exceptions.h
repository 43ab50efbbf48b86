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

extern bool is_reserved_role(const char *name);
extern bool blocks_certificates(void);
extern const char *blocked_reason(const Facts *facts);

#endif							/* SSLPOLICY_EXCEPTIONS_H */
