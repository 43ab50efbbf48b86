/*-------------------------------------------------------------------------
 *
 * tlsrow.h
 *		Facts as columns of a result row.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_TLSROW_H
#define SSLPOLICY_TLSROW_H

#include "policy/facts.h"

/* How many columns tls_columns() fills. */
#define TLS_COLUMNS 19

extern void tls_columns(const Facts *facts, Datum *values, bool *nulls);

#endif							/* SSLPOLICY_TLSROW_H */
