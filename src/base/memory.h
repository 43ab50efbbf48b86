/*-------------------------------------------------------------------------
 *
 * memory.h
 *		Memory that is not PostgreSQL's alone: OpenSSL's objects, and secrets.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_MEMORY_H
#define SSLPOLICY_MEMORY_H

#include <openssl/x509.h>

#include "lib/stringinfo.h"

extern void wipe_memory(void *bytes, size_t len);
extern void *free_at_reset(void *object, void (*free_it)(void *));
extern void wipe_at_reset(StringInfo secret);
extern STACK_OF(X509) *new_certificates(void);

#endif							/* SSLPOLICY_MEMORY_H */
