/*-------------------------------------------------------------------------
 *
 * collect.h
 *		A connection's Port as facts, and who it is that calls.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_COLLECT_H
#define SSLPOLICY_COLLECT_H

#include <openssl/x509.h>

#include "libpq/libpq-be.h"

#include "policy/facts.h"

extern Facts *collect_facts(Port *port, const char *auth_method);
extern bool asked_for_certificate(const Port *port);
extern X509 *peer_certificate(const Port *port, STACK_OF(X509) **sent);
extern char *client_address(Port *port);
extern char *caller_for_log(Oid user);

#endif							/* SSLPOLICY_COLLECT_H */
