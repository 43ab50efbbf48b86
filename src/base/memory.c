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
