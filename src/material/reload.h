/*-------------------------------------------------------------------------
 *
 * reload.h
 *		Asks the server to load its TLS material, and learns whether it did.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_RELOAD_H
#define SSLPOLICY_RELOAD_H

#include "material/configuration.h"

typedef struct ReloadOutcome
{
	bool		loaded;			/* proved: new connections are served with it */
	uint64		generation;		/* in force now; 0 if none, or not known */
	char	   *error;			/* why it is not loaded; NULL if it is */
} ReloadOutcome;

extern ReloadOutcome *reload_server(SSL_CTX *expected, int timeout_ms);
extern char *reload_objection(const MaterialFiles *files, const TlsParameters *parameters);
extern char *crl_objection(const Configuration *configuration);

#endif							/* SSLPOLICY_RELOAD_H */
