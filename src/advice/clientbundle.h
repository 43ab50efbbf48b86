/*-------------------------------------------------------------------------
 *
 * clientbundle.h
 *		A client's settings as a file that a POSIX shell sources.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CLIENTBUNDLE_H
#define SSLPOLICY_CLIENTBUNDLE_H

#include "policy/facts.h"

extern char *client_bundle(const Facts *facts);

#endif							/* SSLPOLICY_CLIENTBUNDLE_H */
