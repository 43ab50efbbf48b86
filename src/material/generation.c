/*-------------------------------------------------------------------------
 *
 * generation.c
 *		Which TLS context the server has in force: proof of a reload.
 *
 * The postmaster makes an SSL_CTX at start and at every reload, and calls
 * openssl_tls_init_hook before it loads certificates into it.  What becomes of
 * the context shows in what is freed afterwards (be_tls_init()):
 *	- the new one: it failed to load, and the one before stays in force
 *	- the one before: the new one is in force
 *	- the new one, with ssl off: be_tls_destroy(), none is in force
 * So each context carries its number as ex_data, with a free function.  Where
 * there was no context before (start of the server, ssl switched on) success
 * frees nothing; but a process that the postmaster forks afterwards knows, since
 * the postmaster does not fork in the middle: see settle().
 *
 * All of the hook's work is done in the postmaster, which may not take a lock:
 * it writes atomics, and the error text under a change counter.  The truth is
 * in the postmaster's own variables, which its children inherit; shared memory,
 * which a crash makes anew, has a copy.
 *
 * Locking: none.  The atomics are read by everybody, at any time.  The postmaster
 * writes them, in_force last, and so does a process that settles what the postmaster
 * could not know (settle()).  error is written by the same two, between two steps of
 * changes, and read again if that was odd or has changed meanwhile.
 *
 * A module that sets openssl_tls_init_hook after this one without calling it
 * leaves all numbers at 0: nothing is known then, and nothing is claimed.
 *
 * PostgreSQL 19 with ssl_sni = on does not call the hook, and warns at each
 * start that it ignores it.  It makes a context for each line of pg_hosts.conf
 * and then one, without certificates, that the handshakes begin with; all of
 * one load are freed together.  There OpenSSL itself tells of every context
 * that is made: see context_allocated().  The hook is then taken out.  Whoever
 * else makes an SSL_CTX in the postmaster is numbered too: the numbers then grow
 * by more than one, which does no harm, and a context that is freed at once
 * counts as a failed load.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "libpq/libpq-be.h"
#include "libpq/libpq.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "postmaster/postmaster.h"
#include "utils/elog.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/files.h"
#include "base/fingerprint.h"
#include "base/sharedmem.h"
#include "base/told.h"
#include "material/generation.h"
#include "pki/knownca.h"
#include "session/failedcert.h"

#define ERROR_LEN 1024

typedef struct SharedState
{
	pg_atomic_uint64 attempt;
	pg_atomic_uint64 in_force;
	pg_atomic_uint64 failed;
	pg_atomic_uint64 loaded_at;
	pg_atomic_uint64 files[NUM_LOADED_FILES];
	pg_atomic_uint64 failed_at;
	pg_atomic_uint64 given_up;	/* the last load that was dropped by ssl = off */
	pg_atomic_uint32 changes;	/* odd while error is being written */
	char		error[ERROR_LEN];
} SharedState;

/*
 * What one load has made.  With the hook it is one context; without it, one or
 * more with certificates, and last the one without.
 */
typedef struct Load
{
	uint64		number;			/* 0: not known */
	TimestampTz made_at;
	uint64		files[NUM_LOADED_FILES];	/* before they were read */
	bool		by_hook;
	int			count;			/* contexts that have not been freed */
	SSL_CTX   **contexts;		/* of malloc() */
} Load;

static SharedState *shared = NULL;

/* the postmaster's, and inherited by its children */
static Load newest;
static Load older;				/* until newest has replaced it */

/* a child's: what it has inherited, if the server frees the contexts there */
static ContextMaterial *kept = NULL;	/* of malloc() */
static int	nkept = 0;
static uint64 kept_number = 0;	/* of its load */

static uint64 last_number = 0;
static uint64 last_failed = 0;
static TimestampTz last_failed_at = 0;
static char last_error[ERROR_LEN];
static bool loading = false;	/* core may be about to say what is wrong */
static int	ex_index = -1;
static bool hook_is_out = false;

static openssl_tls_init_hook_typ previous_tls_hook = NULL;
static emit_log_hook_type previous_log_hook = NULL;

static bool
in_postmaster(void)
{
	return MyProcPid == PostmasterPid && !IsUnderPostmaster;
}

static void
publish_load(const Load *load)
{
	pg_atomic_write_u64(&shared->loaded_at, (uint64) load->made_at);
	for (int i = 0; i < NUM_LOADED_FILES; i++)
		pg_atomic_write_u64(&shared->files[i], load->files[i]);
}

static void
publish(void)
{
	static const Load none = {0};

	if (shared == NULL)
		return;
	pg_atomic_write_u64(&shared->failed, last_failed);
	pg_atomic_write_u64(&shared->failed_at, (uint64) last_failed_at);
	publish_load(newest.count ? &newest : &none);
	pg_atomic_write_u64(&shared->attempt, last_number);
	/* last, so that whoever sees it sees the rest */
	pg_write_barrier();
	pg_atomic_write_u64(&shared->in_force, newest.count ? newest.number : 0);
}

static void
publish_error(void)
{
	if (shared == NULL)
		return;
	pg_atomic_fetch_add_u32(&shared->changes, 1);
	pg_write_barrier();
	memcpy(shared->error, last_error, ERROR_LEN);
	pg_write_barrier();
	pg_atomic_fetch_add_u32(&shared->changes, 1);
}

static bool
serves_certificate(SSL_CTX *context)
{
	return SSL_CTX_get0_certificate(context) != NULL;
}

/*
 * Did the load come to its end?  Core can leave a context behind when one fails
 * (a host name twice in pg_hosts.conf).
 */
static bool
is_complete(const Load *load)
{
	return load->by_hook || (load->count > 0 && !serves_certificate(load->contexts[load->count - 1]));
}

static int
position_in(const Load *load, SSL_CTX *context)
{
	for (int i = 0; i < load->count; i++)
		if (load->contexts[i] == context)
			return i;
	return -1;
}

static void
forget(Load *load)
{
	free(load->contexts);
	memset(load, 0, sizeof(*load));
}

/*
 * Of a load that serves no more, or of which nothing is known.
 */
static void
forget_contexts(Load *load)
{
	free(load->contexts);
	load->contexts = NULL;
	load->count = 0;
}

/*
 * The load that children serve with.
 */
static Load *
inherited(void)
{
	return is_complete(&newest) ? &newest : &older;
}

/*
 * A child frees a context that it has inherited (PostgreSQL 19): what it had
 * loaded is still what the server serves with.
 */
static void
keep_material(Load *load, int position)
{
	SSL_CTX    *context = load->contexts[position];
	ContextMaterial material = context_material(context);
	ContextMaterial *more;

	if (serves_certificate(context) &&
		(more = realloc(kept, sizeof(*kept) * (size_t) (nkept + 1))) != NULL)
	{
		(void) X509_STORE_up_ref(material.store);
		(void) X509_up_ref(material.leaf);
		if (material.chain)
			material.chain = X509_chain_up_ref(material.chain);
		kept = more;
		kept[nkept++] = material;
		kept_number = load->number;
	}
	/* in their order: see is_complete() */
	load->count--;
	memmove(load->contexts + position, load->contexts + position + 1,
			sizeof(SSL_CTX *) * (size_t) (load->count - position));
}

static void
note_failure(void)
{
	last_failed = newest.number;
	last_failed_at = newest.made_at;
	publish_error();
	loading = false;
}

/*
 * Read the CAs of a context, and forget all memory that it takes but what is kept.
 */
static void
read_cas_of(SSL_CTX *context, MemoryContext scratch)
{
	STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context));

	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++)
	{
		X509	   *ca = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));

		if (ca != NULL)
			(void) remember_ca(ca);
		MemoryContextReset(scratch);
	}
}

/*
 * The newest load is in force: read its CAs, for all processes that the postmaster forks
 * from now on.  Where this is not done, each reads those that it needs.
 *
 * Nothing in here may end the postmaster.  A CA that cannot be read is no error
 * (knownca.c), so the only one is that there is no memory left.  While shared memory is
 * made, interrupts are held off, which an error would end.
 */
static void
read_cas(void)
{
	static MemoryContext scratch = NULL;
	MemoryContext caller = CurrentMemoryContext;
	uint32		holdoff = InterruptHoldoffCount;

	PG_TRY();
	{
		if (scratch == NULL)
			scratch = AllocSetContextCreate(TopMemoryContext, "sslpolicy CAs", ALLOCSET_DEFAULT_SIZES);
		MemoryContextSwitchTo(scratch);
		for (int i = 0; i < newest.count; i++)
			read_cas_of(newest.contexts[i], scratch);
	}
	PG_CATCH();
	{
		InterruptHoldoffCount = holdoff;
		EmitErrorReport();
		FlushErrorState();
		if (scratch != NULL)
			MemoryContextReset(scratch);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
}

/*
 * A context is freed.  OpenSSL calls this for every SSL_CTX of the process.
 */
static void
context_freed(void *parent, void *data, CRYPTO_EX_DATA *ex_data, int index,
			  long argl, void *argp)
{
	uint64		number = (uint64) (uintptr_t) data;
	bool		replaced = false;

	if (number == 0)
		return;
	if (!in_postmaster())
	{
		int			position = position_in(inherited(), parent);

		if (position >= 0)
			keep_material(inherited(), position);
		return;
	}
	/* what is left of a load that has failed */
	if (number > newest.number && newest.number != 0)
		return;
	if (number == newest.number)
	{
		if (EnableSSL)
		{
			note_failure();
			forget(&newest);
			newest = older;
			memset(&older, 0, sizeof(older));
		}
		else
		{
			/* a process that has inherited it must not think that it is in force */
			if (shared != NULL)
				pg_atomic_write_u64(&shared->given_up, newest.number);
			forget_contexts(&newest);
		}
	}
	else
	{
		replaced = older.number != 0;
		forget(&older);
	}
	loading = false;
	publish();
	if (replaced)
		read_cas();
}

/*
 * The postmaster begins to load material.
 */
static void
begin_load(bool by_hook)
{
	const char *const paths[NUM_LOADED_FILES] = {ssl_cert_file, ssl_key_file, ssl_ca_file, ssl_crl_file};

	/* what is neither freed nor replaced is still what is in force */
	if (is_complete(&newest))
	{
		forget(&older);
		older = newest;
	}
	else
		forget_contexts(&newest);
	memset(&newest, 0, sizeof(newest));
	newest.number = ++last_number;
	newest.made_at = GetCurrentTimestamp();
	for (int i = 0; i < NUM_LOADED_FILES; i++)
		newest.files[i] = file_signature(paths[i]);
	newest.by_hook = by_hook;
	/* before the first fork */
	(void) openssl_sha256();
	last_error[0] = '\0';
	loading = true;
	if (shared != NULL)
		pg_atomic_write_u64(&shared->attempt, last_number);
}

/*
 * A context of the newest load.
 */
static void
follow(SSL_CTX *context, CRYPTO_EX_DATA *ex_data)
{
	void	   *number = (void *) (uintptr_t) newest.number;
	SSL_CTX   **more = realloc(newest.contexts, sizeof(SSL_CTX *) * (size_t) (newest.count + 1));

	if (more != NULL)
		newest.contexts = more;
	if (more == NULL ||
		(ex_data ? CRYPTO_set_ex_data(ex_data, ex_index, number) :
				   SSL_CTX_set_ex_data(context, ex_index, number)) != 1)
	{
		/* cannot be followed: then nothing is known */
		forget(&newest);
		return;
	}
	newest.contexts[newest.count++] = context;
}

/*
 * The postmaster has made a context, and is about to load material into it.
 *
 * Backends call the hook as well, for contexts of their own (tlscontext.c).
 */
static void
context_made(SSL_CTX *context, bool is_server_start)
{
	if (previous_tls_hook)
		previous_tls_hook(context, is_server_start);
	if (!in_postmaster())
		return;
	begin_load(true);
	follow(context, NULL);
	watch_verifications(context);
}

/*
 * OpenSSL makes a context: it calls this for every SSL_CTX of the process.
 *
 * With ssl_sni = on, one that follows a context with certificates belongs to
 * the same load; after the one without, or after something has been freed, a
 * new load begins.  Core has not looked at the hook yet.
 */
static void
context_allocated(void *parent, void *data, CRYPTO_EX_DATA *ex_data, int index,
				  long argl, void *argp)
{
	if (!in_postmaster())
		return;
	if (!compat_ssl_sni())
	{
		if (hook_is_out && openssl_tls_init_hook == previous_tls_hook)
			openssl_tls_init_hook = context_made;
		hook_is_out = false;
		return;
	}
	if (openssl_tls_init_hook == context_made)
	{
		openssl_tls_init_hook = previous_tls_hook;
		hook_is_out = true;
	}
	if (!loading || newest.by_hook || is_complete(&newest))
		begin_load(false);
	follow(parent, ex_data);
}

/*
 * What core says in the log while it loads.
 *
 * A pg_hosts.conf that cannot be read ends a load before any context is made.
 */
static void
watch_load(const ErrorData *edata)
{
	bool		no_hosts = compat_is_hosts_file_error(edata);

	if (no_hosts)
		begin_load(false);
	if (loading && edata->elevel != WARNING && !compat_is_sni_kept(edata))
		strlcpy(last_error, edata->message, ERROR_LEN);
	if (no_hosts)
	{
		note_failure();
		newest = older;
		memset(&older, 0, sizeof(older));
		publish();
	}
}

/*
 * Core says in the log why it does not load the material: remember that.
 */
static void
watch_log(ErrorData *edata)
{
	if (edata->message != NULL && in_postmaster())
		watch_load(edata);
	if (previous_log_hook)
		previous_log_hook(edata);
}

/*
 * Where there was no context before, success has freed nothing.  Whoever was
 * forked after the newest attempt, and finds its contexts alive, knows that they
 * are in force, and says so to everybody.  Likewise if the attempt has ended
 * half way and left something behind.
 */
static void
settle(void)
{
	const Load *load = inherited();
	uint64		known = pg_atomic_read_u64(&shared->in_force);

	if (pg_atomic_read_u64(&shared->attempt) != last_number)
		return;
	if (load != &newest && newest.count > 0 &&
		pg_atomic_read_u64(&shared->failed) != newest.number)
	{
		publish_error();
		pg_atomic_write_u64(&shared->failed_at, (uint64) newest.made_at);
		pg_atomic_write_u64(&shared->failed, newest.number);
	}
	if ((load->count > 0 || nkept > 0) && known != load->number &&
		pg_atomic_read_u64(&shared->given_up) != load->number)
	{
		publish_load(load);
		pg_write_barrier();
		(void) pg_atomic_compare_exchange_u64(&shared->in_force, &known, load->number);
	}
}

/*
 * What is known now, in the current memory context.
 */
LoadState *
load_state(void)
{
	LoadState  *state = palloc0(sizeof(LoadState));
	char		error[ERROR_LEN] = "";

	settle();
	state->in_force = pg_atomic_read_u64(&shared->in_force);
	pg_read_barrier();
	state->attempt = pg_atomic_read_u64(&shared->attempt);
	state->failed = pg_atomic_read_u64(&shared->failed);
	state->loaded_at = (TimestampTz) pg_atomic_read_u64(&shared->loaded_at);
	for (int i = 0; i < NUM_LOADED_FILES; i++)
		state->files[i] = pg_atomic_read_u64(&shared->files[i]);
	state->failed_at = (TimestampTz) pg_atomic_read_u64(&shared->failed_at);
	for (;;)
	{
		uint32		before = pg_atomic_read_u32(&shared->changes);

		pg_read_barrier();
		memcpy(error, shared->error, ERROR_LEN);
		pg_read_barrier();
		if (before % 2 == 0 && pg_atomic_read_u32(&shared->changes) == before)
			break;
		pg_usleep(100);
	}
	error[ERROR_LEN - 1] = '\0';
	state->error = error[0] ? told(pstrdup("the server log says why"), pstrdup(error)) : pstrdup("");
	return state;
}

/*
 * Is the file just as it was when the server began to load what is in force?
 */
bool
is_file_in_force(const LoadState *state, const char *path)
{
	uint64		signature = file_signature(path);

	for (int i = 0; i < NUM_LOADED_FILES; i++)
		if (signature != 0 && signature == state->files[i])
			return true;
	return false;
}

/*
 * The number of the load that was in force when this process was forked, and that its
 * TLS handshake uses; 0 if there was none.
 */
uint64
handshake_number(void)
{
	const Load *load = inherited();

	if (nkept > 0)
		return kept_number;
	return load->count > 0 ? load->number : 0;
}

/*
 * The number of the load in force now; 0 if there is none, or if it is not known.
 */
uint64
number_in_force(void)
{
	uint64		number = pg_atomic_read_u64(&shared->in_force);

	if (number == handshake_number())
		return number;
	settle();
	return pg_atomic_read_u64(&shared->in_force);
}

/*
 * The number of the load that was in force when this process was forked, and
 * what it had loaded, in *count pieces of the current memory context; 0 if there
 * was none.
 */
uint64
inherited_material(ContextMaterial **materials, int *count)
{
	const Load *load = inherited();

	*materials = palloc0(sizeof(ContextMaterial) * (size_t) (load->count + nkept + 1));
	*count = 0;
	for (int i = 0; i < load->count; i++)
		if (serves_certificate(load->contexts[i]))
			(*materials)[(*count)++] = context_material(load->contexts[i]);
	for (int i = 0; i < nkept; i++)
		(*materials)[(*count)++] = kept[i];
	return *count > 0 ? load->number : 0;
}

/*
 * At the start of the server the first context is in force by now: without it
 * the server would not start.
 */
static void
init_shared(void)
{
	pg_atomic_init_u64(&shared->attempt, 0);
	pg_atomic_init_u64(&shared->in_force, 0);
	pg_atomic_init_u64(&shared->failed, 0);
	pg_atomic_init_u64(&shared->loaded_at, 0);
	for (int i = 0; i < NUM_LOADED_FILES; i++)
		pg_atomic_init_u64(&shared->files[i], 0);
	pg_atomic_init_u64(&shared->failed_at, 0);
	pg_atomic_init_u64(&shared->given_up, 0);
	pg_atomic_init_u32(&shared->changes, 0);
	loading = false;
	publish_error();
	publish();
	read_cas();
}

static const SharedPiece piece = {
	.name = "sslpolicy generations",
	.where = (void **) &shared,
	.size = sizeof(SharedState),
	.init = init_shared,
};

/*
 * key_maker: see init_known_cas().
 */
void
init_generations(CaKeyMaker key_maker)
{
	ex_index = SSL_CTX_get_ex_new_index(0, NULL, context_allocated, NULL, context_freed);
	if (ex_index < 0 || !init_known_cas(key_maker))
		ereport(FATAL,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not register with OpenSSL")));
	previous_tls_hook = openssl_tls_init_hook;
	openssl_tls_init_hook = context_made;
	previous_log_hook = emit_log_hook;
	emit_log_hook = watch_log;
	share_memory(&piece);
}
