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
 * A module that sets openssl_tls_init_hook after this one without calling it,
 * and PostgreSQL 19 with ssl_sni = on, leave all numbers at 0: nothing is known
 * then, and nothing is claimed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "libpq/libpq-be.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "postmaster/postmaster.h"
#include "tcop/tcopprot.h"
#include "utils/elog.h"
#include "utils/timestamp.h"

#include "files.h"
#include "generation.h"
#include "sharedmem.h"

#define ERROR_LEN 1024

/* lines of PEM have 64 characters, of which the last has less */
#define MIN_KEY_WORD 16

typedef struct SharedState
{
	pg_atomic_uint64 attempt;
	pg_atomic_uint64 in_force;
	pg_atomic_uint64 failed;
	pg_atomic_uint64 loaded_at;
	pg_atomic_uint64 failed_at;
	pg_atomic_uint32 changes;	/* odd while error is being written */
	char		error[ERROR_LEN];
} SharedState;

typedef struct Context
{
	SSL_CTX    *ctx;			/* NULL: none */
	uint64		number;
	TimestampTz made_at;
} Context;

static SharedState *shared = NULL;

/* the postmaster's, and inherited by its children */
static Context newest;
static Context older;			/* until newest has replaced it */

/* a child's: what it has inherited, if the server frees the context there */
static ContextMaterial kept;

static uint64 last_number = 0;
static uint64 last_failed = 0;
static TimestampTz last_failed_at = 0;
static char last_error[ERROR_LEN];
static bool loading = false;	/* core may be about to say what is wrong */
static int	ex_index = -1;

static openssl_tls_init_hook_typ previous_tls_hook = NULL;
static emit_log_hook_type previous_log_hook = NULL;

static bool
in_postmaster(void)
{
	return MyProcPid == PostmasterPid && !IsUnderPostmaster;
}

static void
publish(void)
{
	if (shared == NULL)
		return;
	pg_atomic_write_u64(&shared->failed, last_failed);
	pg_atomic_write_u64(&shared->failed_at, (uint64) last_failed_at);
	pg_atomic_write_u64(&shared->loaded_at, newest.ctx ? (uint64) newest.made_at : 0);
	pg_atomic_write_u64(&shared->attempt, last_number);
	/* last, so that whoever sees it sees the rest */
	pg_write_barrier();
	pg_atomic_write_u64(&shared->in_force, newest.ctx ? newest.number : 0);
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

/*
 * A child frees the context that it has inherited (PostgreSQL 19): what it had
 * loaded is still what the server serves with.
 */
static void
keep_material(void)
{
	kept = material_of(newest.ctx);
	newest.ctx = NULL;
	(void) X509_STORE_up_ref(kept.store);
	if (kept.leaf)
		(void) X509_up_ref(kept.leaf);
	if (kept.chain)
		kept.chain = X509_chain_up_ref(kept.chain);
}

/*
 * A context is freed.  OpenSSL calls this for every SSL_CTX of the process.
 */
static void
context_freed(void *parent, void *number, CRYPTO_EX_DATA *data, int index,
			  long argl, void *argp)
{
	if (number == NULL)
		return;
	if (!in_postmaster())
	{
		if ((SSL_CTX *) parent == newest.ctx)
			keep_material();
		return;
	}
	if ((SSL_CTX *) parent == newest.ctx)
	{
		if (EnableSSL)
		{
			last_failed = newest.number;
			last_failed_at = newest.made_at;
			publish_error();
			newest = older;
		}
		else
			newest.ctx = NULL;
	}
	older.ctx = NULL;
	loading = false;
	publish();
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

	/* a context that is neither freed nor replaced is still the one in force */
	older = newest;
	newest.ctx = context;
	newest.number = ++last_number;
	newest.made_at = GetCurrentTimestamp();
	last_error[0] = '\0';
	loading = true;
	if (SSL_CTX_set_ex_data(context, ex_index, (void *) (uintptr_t) newest.number) != 1)
	{
		/* cannot be followed: then nothing is known */
		newest.ctx = NULL;
		newest.number = 0;
	}
	if (shared != NULL)
		pg_atomic_write_u64(&shared->attempt, last_number);
}

static bool
is_base64(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		c == '+' || c == '/' || c == '=';
}

/*
 * Overwrite lines of base64.  Returns where there is something else; a line feed can
 * be written as \n.
 */
static char *
mask_lines(char *c, const char *end)
{
	bool		line_start = true;

	for (; c < end; c++)
	{
		if (is_base64(*c))
		{
			*c = '*';
			line_start = false;
		}
		else if (*c == '\n' || *c == '\r')
			line_start = true;
		else if (*c == '\\' && (c[1] == 'n' || c[1] == 'r'))
		{
			line_start = true;
			c++;
		}
		else if (!(line_start && (*c == ' ' || *c == '\t')))
			break;
	}
	return c;
}

/*
 * Overwrite base64 that is too long for a word of SQL, such as the lines of a key that
 * a statement puts together.
 */
static void
mask_long_words(char *c, const char *end)
{
	while (c < end)
	{
		size_t		len = 0;

		while (c + len < end && is_base64(c[len]))
			len++;
		if (len >= MIN_KEY_WORD)
			memset(c, '*', len);
		c += len + 1;
	}
}

/*
 * Overwrite the body of private keys in a text that is about to be logged.  Nothing
 * but that: everybody can write what looks like the begin of a key into a statement,
 * which must not keep the rest of it out of the log.
 */
static void
mask_private_keys(char *text)
{
	char	   *begin = text;

	while (begin && (begin = strstr(begin, "PRIVATE KEY-----")) != NULL)
	{
		char	   *end;

		begin += strlen("PRIVATE KEY-----");
		end = strstr(begin, "-----END");
		if (end == NULL)
			end = begin + strlen(begin);
		mask_long_words(mask_lines(begin, end), end);
		begin = *end ? strstr(end + 1, "-----BEGIN") : NULL;
	}
}

/*
 * Core says in the log why it does not load the material: remember that.  And
 * statements that carry a private key (log_statement, log_min_duration_statement,
 * auto_explain, parameters) must not bring it into the log.
 */
static void
watch_log(ErrorData *edata)
{
	/* of an error before install_server_certificate() has even begun */
	if (debug_query_string && strstr(debug_query_string, "PRIVATE KEY-----"))
		edata->hide_stmt = true;
	mask_private_keys(edata->message);
	mask_private_keys(edata->detail);
	mask_private_keys(edata->detail_log);
	mask_private_keys(edata->context);
	mask_private_keys(edata->internalquery);
	if (loading && in_postmaster() && edata->message != NULL)
		strlcpy(last_error, edata->message, ERROR_LEN);
	if (previous_log_hook)
		previous_log_hook(edata);
}

/*
 * Where there was no context before, success has freed nothing.  Whoever was
 * forked after the newest attempt, and finds the context alive, knows that it
 * is in force, and says so to everybody.
 */
static void
settle(void)
{
	uint64		known = pg_atomic_read_u64(&shared->in_force);

	if ((newest.ctx != NULL || kept.store != NULL) && known != newest.number &&
		pg_atomic_read_u64(&shared->attempt) == newest.number)
	{
		pg_atomic_write_u64(&shared->loaded_at, (uint64) newest.made_at);
		pg_write_barrier();
		(void) pg_atomic_compare_exchange_u64(&shared->in_force, &known, newest.number);
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
	state->error = pstrdup(error);
	return state;
}

/*
 * The number of the context that was in force when this process was forked, and
 * what it had loaded; 0 if there was none.
 */
uint64
inherited_material(ContextMaterial *material)
{
	if (newest.ctx)
		*material = material_of(newest.ctx);
	else
		*material = kept;
	return material->store ? newest.number : 0;
}

static Size
shared_size(void)
{
	return sizeof(SharedState);
}

/*
 * At the start of the server the first context is in force by now: without it
 * the server would not start.
 */
static void
start_shared(void *memory, bool fresh)
{
	shared = memory;
	if (!fresh)
		return;
	remove_leftovers();
	pg_atomic_init_u64(&shared->attempt, 0);
	pg_atomic_init_u64(&shared->in_force, 0);
	pg_atomic_init_u64(&shared->failed, 0);
	pg_atomic_init_u64(&shared->loaded_at, 0);
	pg_atomic_init_u64(&shared->failed_at, 0);
	pg_atomic_init_u32(&shared->changes, 0);
	loading = false;
	publish_error();
	publish();
}

static const SharedPiece piece = {"sslpolicy generations", shared_size, NULL, start_shared};

void
init_generations(void)
{
	ex_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, context_freed);
	if (ex_index < 0)
		ereport(FATAL,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not register with OpenSSL")));
	previous_tls_hook = openssl_tls_init_hook;
	openssl_tls_init_hook = context_made;
	previous_log_hook = emit_log_hook;
	emit_log_hook = watch_log;
	share_memory(&piece);
}
