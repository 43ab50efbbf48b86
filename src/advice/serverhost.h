/*-------------------------------------------------------------------------
 *
 * serverhost.h
 *		The host name under which clients can verify the server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_SERVERHOST_H
#define SSLPOLICY_SERVERHOST_H

#include "policy/facts.h"

typedef struct ServerHost
{
	char	   *name;			/* NULL if the certificate has none */
	bool		wildcard;		/* its first label is to be replaced */
	bool		common_name;	/* it is the common name */
	char	   *others;			/* further names, comma-separated; "" for none */
} ServerHost;

/* The label that stands for the asterisk of a wildcard. */
#define HOST_PLACEHOLDER "HOST"

extern ServerHost *server_host(const CertFacts *server, const char *client_address);

#endif							/* SSLPOLICY_SERVERHOST_H */
