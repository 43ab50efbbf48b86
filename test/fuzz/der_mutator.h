/*-------------------------------------------------------------------------
 *
 * der_mutator.h
 *		Changes DER so that it mostly remains DER.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_DER_MUTATOR_H
#define SSLPOLICY_DER_MUTATOR_H

#include "base/pure.h"

extern size_t der_mutate(uint8 *data, size_t size, size_t max_size, unsigned seed);

#endif							/* SSLPOLICY_DER_MUTATOR_H */
