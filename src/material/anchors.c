/*-------------------------------------------------------------------------
 *
 * anchors.c
 *		The CAs in force, by which live sessions are judged.
 *
 * A session whose certificate goes back to a CA that the server no longer trusts no
 * longer meets verify-ca.  A CA is identified by its name and key: a renewed
 * certificate of it is as good as the old one.
 *
 * What counts is what the server has loaded, never what is in its files now, because
 * somebody may be writing them.  So one process learns the CAs of a load, once, and
 * keeps them in shared memory for all, under the load's number (generation.c):
 *	- from the context itself, if the process was forked after the load
 *	- else from the files, which the worker reads when it sees the new number; but not
 *	  if they have been touched since the server began to load them.  (The file system
 *	  counts time in steps of some milliseconds, no more.)
 * If no process has learned the CAs of the load in force, or if it has no CA, no session
 * is judged by them.  The same holds if there are certificates in ssl_crl_dir: a
 * handshake trusts those as well, whenever it finds them.  (Those in ssl_crl_file are
 * part of the load.)
 *
 * Locking: known->lock guards everything: exclusive to write the CAs, which are
 * collected before, and shared to copy them.  number is an atomic only so that one can
 * look at it without the lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/err.h>

#include "libpq/libpq.h"
#include "port/atomics.h"
#include "postmaster/postmaster.h"

#include "base/compat.h"
#include "base/files.h"
#include "base/memory.h"
#include "base/sharedmem.h"
#include "material/anchors.h"
#include "material/clientcert.h"
#include "material/generation.h"
#include "material/material.h"
#include "pki/x509.h"

/* The message that names them to clients holds no more: see trust.c. */
#define MAX_ANCHORS 2048

typedef struct KnownAnchors
{
	LWLock	   *lock;
	pg_atomic_uint64 number;	/* of the load; 0: nothing is known */
	int			count;
	uint8		identities[MAX_ANCHORS][CA_IDENTITY_LEN];	/* sorted */
} KnownAnchors;

static KnownAnchors *known = NULL;

/* the load that has more CAs than can be kept, as far as this process knows */
static uint64 too_many = 0;

static void
init_known(void)
{
	pg_atomic_init_u64(&known->number, 0);
}

static const SharedPiece piece = {
	.name = "sslpolicy anchors",
	.where = (void **) &known,
	.size = sizeof(KnownAnchors),
	.tranche = "sslpolicy_anchors",
	.init = init_known,
};

void
init_anchors(void)
{
	share_memory(&piece);
}

static int
compare_identities(const void *a, const void *b)
{
	return memcmp(a, b, CA_IDENTITY_LEN);
}

/*
 * Add the certificates of a store.  False if one cannot be read, or if there are too many.
 */
static bool
add_store(Anchors *anchors, X509_STORE *store)
{
	STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
	int			nobjects = objects ? sk_X509_OBJECT_num(objects) : 0;
	Size		room = (Size) Min(anchors->count + nobjects + 1, MAX_ANCHORS) * CA_IDENTITY_LEN;

	anchors->identities = anchors->identities ? repalloc(anchors->identities, room) : palloc(room);
	for (int i = 0; i < nobjects; i++)
	{
		X509	   *ca = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));

		if (ca == NULL)
			continue;
		if (anchors->count == MAX_ANCHORS || !ca_identity(ca, anchors->identities[anchors->count]))
			return false;
		anchors->count++;
	}
	return true;
}

/*
 * Keep the CAs of a load in shared memory.
 */
static void
keep(uint64 number, Anchors *anchors)
{
	if (anchors->count == 0)
		return;
	qsort(anchors->identities, (size_t) anchors->count, CA_IDENTITY_LEN, compare_identities);
	LWLockAcquire(known->lock, LW_EXCLUSIVE);
	/* another process may have kept those of a newer load meanwhile */
	if (number > pg_atomic_read_u64(&known->number))
	{
		known->count = anchors->count;
		memcpy(known->identities, anchors->identities, (size_t) anchors->count * CA_IDENTITY_LEN);
		pg_atomic_write_u64(&known->number, number);
	}
	LWLockRelease(known->lock);
}

/*
 * Learn the CAs from the context that this process has inherited, if it is in force.
 */
void
learn_inherited_anchors(void)
{
	Anchors		anchors = {0};
	ContextMaterial *materials;
	int			count;
	uint64		number = handshake_number();

	if (number == 0 || number != number_in_force() || number == pg_atomic_read_u64(&known->number) ||
		number == too_many || inherited_material(&materials, &count) != number)
		return;
	for (int i = 0; i < count; i++)
		if (!add_store(&anchors, materials[i].store))
		{
			too_many = number;
			return;
		}
	keep(number, &anchors);
}

/*
 * Has a file of that load been touched since the load began?
 */
static bool
is_touched(const MaterialFiles *files, const LoadState *state)
{
	return (files->ca_file[0] && !is_file_in_force(state, files->ca_file)) ||
		(files->crl_file[0] && !is_file_in_force(state, files->crl_file));
}

/*
 * Learn the CAs from the files that the server has just loaded.  The worker calls this
 * with the settings of that load, in a memory context that is reset.
 */
void
learn_loaded_anchors(const LoadState *state)
{
	uint64		number = state->in_force;
	MaterialFiles files = files_of_settings();
	Anchors		anchors = {0};
	char	   *error;
	SSL_CTX    *context;
	bool		read;

	learn_inherited_anchors();
	if (number == 0 || number == pg_atomic_read_u64(&known->number) || number == too_many || !EnableSSL ||
		compat_certificates_by_host() || is_touched(&files, state))
		return;
	files.cert_file = files.key_file = files.crl_dir = "";
	context = build_context(&files, &error);
	if (context == NULL)
		return;
	(void) free_at_reset(context, (void (*)(void *)) SSL_CTX_free);
	read = add_store(&anchors, SSL_CTX_get_cert_store(context));
	/* the files must not have changed while they were read, either */
	if (read && !is_touched(&files, state))
		keep(number, &anchors);
}

/*
 * The number of the load whose CAs are known; 0 if there is none.
 */
uint64
number_of_anchors(void)
{
	return pg_atomic_read_u64(&known->number);
}

/*
 * The CAs in force, as far as they are known, in the current memory context.
 */
Anchors *
anchors_in_force(void)
{
	Anchors    *result = palloc0(sizeof(Anchors));
	uint64		number;

	learn_inherited_anchors();
	number = number_in_force();
	if (number == 0 || has_directory_certificates(ssl_crl_dir))
		return result;
	LWLockAcquire(known->lock, LW_SHARED);
	if (pg_atomic_read_u64(&known->number) == number)
	{
		Size		size = (Size) known->count * CA_IDENTITY_LEN;

		result->known = true;
		result->count = known->count;
		result->identities = palloc(size);
		memcpy(result->identities, known->identities, size);
	}
	LWLockRelease(known->lock);
	return result;
}

/*
 * Find out whether the CA that the certificate of a live session goes back to is
 * still in force.
 */
void
judge_anchor(Facts *facts, const Anchors *anchors)
{
	const CertFacts *cert = facts->cert;

	if (!anchors->known || !facts->verified)
		return;
	if (cert == NULL || cert->ncas == 0)
		facts->unknown |= UNKNOWN_ANCHOR;
	else
		facts->anchor_gone = bsearch(cert->cas[cert->ncas - 1].identity, anchors->identities, (size_t) anchors->count,
									 CA_IDENTITY_LEN, compare_identities) == NULL;
}
