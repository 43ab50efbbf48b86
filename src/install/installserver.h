/*-------------------------------------------------------------------------
 *
 * installserver.h
 *		Makes the server's key, and installs its certificate.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_INSTALLSERVER_H
#define SSLPOLICY_INSTALLSERVER_H

#include "install/install.h"

extern Installation *install_server_certificate(const PemContent *given, char *private_key,
												bool dry_run, bool force);
extern char *create_server_key(const char *subject, List *sans, const char *type);
extern void judge_earlier_identity(Installation *inst);

#endif							/* SSLPOLICY_INSTALLSERVER_H */
