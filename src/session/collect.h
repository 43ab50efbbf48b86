/*-------------------------------------------------------------------------
 *
 * collect.h
 *		A connection's Port as facts, and who it is that calls.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_COLLECT_H
#define SSLPOLICY_COLLECT_H

#include "libpq/libpq-be.h"

#include "policy/facts.h"

extern Facts *collect_facts(Port *port, const char *auth_method);
extern char *client_address(Port *port);
extern char *caller_for_log(Oid user);

#endif							/* SSLPOLICY_COLLECT_H */
