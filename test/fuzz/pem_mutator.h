/*-------------------------------------------------------------------------
 *
 * pem_mutator.h
 *		Changes PEM so that it often remains PEM.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_PEM_MUTATOR_H
#define SSLPOLICY_PEM_MUTATOR_H

#include "base/pure.h"

extern size_t pem_mutate(uint8 *data, size_t size, size_t max_size, unsigned seed);
extern size_t pem_cross(const uint8 *a, size_t a_size, const uint8 *b, size_t b_size,
						uint8 *out, size_t max_size, unsigned seed);

#endif							/* SSLPOLICY_PEM_MUTATOR_H */
