/*-------------------------------------------------------------------------
 *
 * memory.c
 *		Memory that is not PostgreSQL's alone: OpenSSL's objects, and secrets.
 *
 * What OpenSSL allocates is freed with the memory context it was read in.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>

#include "utils/memutils.h"

#include "base/memory.h"

/*
 * Overwrite memory that held a private key.
 */
void
wipe_memory(void *bytes, size_t len)
{
	OPENSSL_cleanse(bytes, len);
}

/*
 * Have OpenSSL's object freed with the current memory context.
 */
void *
free_at_reset(void *object, void (*free_it)(void *))
{
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));

	callback->func = free_it;
	callback->arg = object;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	return object;
}

static void
wipe_text(void *secret)
{
	StringInfo	buf = secret;

	wipe_memory(buf->data, (size_t) buf->len);
}

/*
 * Have a text that holds a private key overwritten before its memory is given
 * back.  It must not grow any more.
 */
void
wipe_at_reset(StringInfo secret)
{
	(void) free_at_reset(secret, wipe_text);
}

static void
free_certificates(void *certs)
{
	sk_X509_pop_free((STACK_OF(X509) *) certs, X509_free);
}

/*
 * An empty set of certificates.  It goes with the current memory context, and each
 * certificate in it loses a reference then.
 */
STACK_OF(X509) *
new_certificates(void)
{
	STACK_OF(X509) *certs = sk_X509_new_null();

	if (certs == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	return free_at_reset(certs, free_certificates);
}
