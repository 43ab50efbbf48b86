/*-------------------------------------------------------------------------
 *
 * model.h
 *		A second reading of what policies mean.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_FUZZ_MODEL_H
#define SSLPOLICY_FUZZ_MODEL_H

#include "policy/evaluate.h"

extern bool model_admits(const AppliedPolicy *applied, int napplied, const Facts *facts,
						 RegexMatcher matches, int64 now);

#endif							/* SSLPOLICY_FUZZ_MODEL_H */
