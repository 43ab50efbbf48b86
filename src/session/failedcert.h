/*-------------------------------------------------------------------------
 *
 * failedcert.h
 *		Why the handshake did not accept the client's certificate.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_FAILEDCERT_H
#define SSLPOLICY_FAILEDCERT_H

#include "libpq/libpq-be.h"

extern void watch_verifications(SSL_CTX *context);
extern char *why_certificate_failed(const Port *port);

#endif							/* SSLPOLICY_FAILEDCERT_H */
