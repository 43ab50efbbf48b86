/*-------------------------------------------------------------------------
 *
 * handshake.h
 *		Whether ordinary clients could make a TLS handshake with the server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_HANDSHAKE_H
#define SSLPOLICY_HANDSHAKE_H

#include "nodes/pg_list.h"

#include "base/compat.h"
#include "material/tlscontext.h"

/* TLS 1.2 and 1.3: what ordinary clients speak. */
#define NUM_TRIED_VERSIONS 2

/* What ordinary clients need, as a sentence. */
#define CLIENTS_ACCEPT \
	"Accepted is a certificate with an RSA key, an EC key on P-256, P-384 or P-521, or an Ed25519 key, " \
	"and settings (ssl_ciphers, " COMPAT_GROUPS_SETTING ", ssl_min_protocol_version, ssl_max_protocol_version) " \
	"that fit it and leave clients one of the groups X25519, P-256, P-384 and P-521."

/* How handshakes went, one for each version. */
typedef struct Handshakes
{
	char	   *untried;		/* why there were none: the server would not take its
								 * settings either; NULL if it would */
	bool		key_unknown;	/* there were none: see key_is_unknown() */
	bool		allowed[NUM_TRIED_VERSIONS];	/* by the server's settings */
	char	   *failure[NUM_TRIED_VERSIONS];	/* OpenSSL's reason; NULL if it
												 * succeeded, or is not allowed */
	char	   *key;			/* what kind of key the server's certificate has */
} Handshakes;

extern Handshakes *try_handshakes(SSL_CTX *context, const TlsParameters *parameters);
extern Handshakes *try_handshakes_in_force(void);
extern bool any_handshake_works(const Handshakes *handshakes);
extern char *handshake_failures(const Handshakes *handshakes);
extern char *judge_handshakes(const Handshakes *after, const Handshakes *in_force, bool strict,
							  List **warnings);
extern char *ca_names_problem(SSL_CTX *context);
extern char *chain_problem(SSL_CTX *context);
extern char *handshake_objection(SSL_CTX *context, const TlsParameters *parameters);

#endif							/* SSLPOLICY_HANDSHAKE_H */
