/*-------------------------------------------------------------------------
 *
 * chain_oracle.h
 *		A certificate under a CA, verified by chain.c and by OpenSSL alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CHAIN_ORACLE_H
#define SSLPOLICY_CHAIN_ORACLE_H

#include <openssl/x509.h>

extern void check_verification(X509 *cert);

#endif							/* SSLPOLICY_CHAIN_ORACLE_H */
