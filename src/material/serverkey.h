/*-------------------------------------------------------------------------
 *
 * serverkey.h
 *		Makes a private key for the server, and the request for its certificate.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_SERVERKEY_H
#define SSLPOLICY_SERVERKEY_H

#include "nodes/pg_list.h"

extern char *make_server_key(const char *subject, List *sans, const char *key_type,
							 char **key_pem);

#endif							/* SSLPOLICY_SERVERKEY_H */
