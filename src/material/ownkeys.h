/*-------------------------------------------------------------------------
 *
 * ownkeys.h
 *		Is a client's certificate one of the server's own?
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_OWNKEYS_H
#define SSLPOLICY_OWNKEYS_H

#include "libpq/libpq-be.h"

#include "policy/facts.h"

/* In sslpolicy.directory: the server's next key, as long as it has no certificate. */
#define PENDING_KEY "pending.key"

extern void init_own_keys(void);
extern bool has_own_key(X509 *cert, Port *port);
extern void remember_own_key(X509 *cert);
extern void note_own_certificate(Facts *facts, Port *port);

#endif							/* SSLPOLICY_OWNKEYS_H */
