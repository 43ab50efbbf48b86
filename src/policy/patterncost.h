/*-------------------------------------------------------------------------
 *
 * patterncost.h
 *		What a regular expression costs, before anything compiles it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_PATTERNCOST_H
#define SSLPOLICY_PATTERNCOST_H

#include "base/pure.h"

extern const char *pattern_cost(const char *pattern, bool ignore_case, int64 *cost);

#endif							/* SSLPOLICY_PATTERNCOST_H */
