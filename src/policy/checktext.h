/*-------------------------------------------------------------------------
 *
 * checktext.h
 *		A check of a verdict in words: what was required, and what is.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CHECKTEXT_H
#define SSLPOLICY_CHECKTEXT_H

#include "policy/evaluate.h"

extern char *check_required(const Check *check, const char *role);
extern char *check_actual(const Check *check, const Facts *facts);
extern char *check_keys(const Check *check);
extern char *certificate_reason(const Check *check, const Facts *facts);

#endif							/* SSLPOLICY_CHECKTEXT_H */
