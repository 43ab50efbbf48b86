/*-------------------------------------------------------------------------
 *
 * knownca.h
 *		CAs that have been read before.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_KNOWNCA_H
#define SSLPOLICY_KNOWNCA_H

#include <openssl/x509.h>

#include "policy/facts.h"

extern bool init_known_cas(CaKeyMaker key_maker);
extern bool remember_ca(X509 *ca);
extern const CaFacts *known_ca(const X509 *ca);

#endif							/* SSLPOLICY_KNOWNCA_H */
