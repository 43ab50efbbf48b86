/*-------------------------------------------------------------------------
 *
 * cabound.h
 *		What installing a CA must not let an ordinary role become.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CABOUND_H
#define SSLPOLICY_CABOUND_H

#include <openssl/x509.h>

extern void check_ca_bound(STACK_OF(X509) *certs, STACK_OF(X509) *in_place);

#endif							/* SSLPOLICY_CABOUND_H */
