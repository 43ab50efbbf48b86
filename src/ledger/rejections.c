/*-------------------------------------------------------------------------
 *
 * rejections.c
 *		Connections that were refused, or would be, and sessions that were ended.
 *
 * Repeats of the same are one entry, with the first and the last time, so that a
 * client that tries again and again does not push out the rest.  There are several
 * tables.  So made-up names of roles or databases, and nonsense sent to the port, do
 * not push out what concerns real ones; made-up certificates do not push out what came
 * from elsewhere; and what PostgreSQL itself refuses, of clients that need not prove who
 * they are, does not push out what policies refuse.
 *
 * Locking: shared->lock guards all the tables.  It is exclusive to note a rejection, to
 * note that a client was let in after one, or to forget them, and shared to copy them
 * out.  Writers are the login that is refused, the next one of the same client, the
 * process that rechecks sessions, and the one that empties the mailbox (ledger.c), which
 * holds the mailbox's lock and takes this one second; readers are queries of
 * sslpolicy.rejections.  No other lock is taken meanwhile.  Without the lock only
 * the postmaster touches the tables (tablefile.c), while it has no other processes.
 * refused_at is an atomic, written under the lock and read by every login without it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "port/atomics.h"
#include "utils/builtins.h"

#include "base/boundedtable.h"
#include "base/monotonic.h"
#include "base/sharedmem.h"
#include "ledger/rejections.h"
#include "ledger/tablefile.h"
#include "session/storedfacts.h"
#include "settings/settings.h"

#define DN_LEN		512
#define SERIAL_LEN	64
#define VERSION_LEN 16
#define NETWORK_LEN 8
#define NTABLES		4

/* How many clients that connect at the same time are told apart. */
#define NOPEN 16

/* A client that tries again does so at once; later, it may be another one by chance. */
#define ADMITTED_WITHIN_MS 1000

/*
 * Without padding, since all of it is compared.  Its owner is first: the role, or, if
 * none was named, the client's network, which for IPv6 is the first half of the address.
 */
typedef struct RejectionKey
{
	uint8		network[NETWORK_LEN];	/* zero if a role was named */
	char		role[NAMEDATALEN];	/* "" if not known */
	uint8		source;
	uint8		would_be;
	uint8		has_database;
	uint8		has_cert;
	char		database[NAMEDATALEN];
	uint8		fingerprint[FINGERPRINT_LEN];
	uint8		address[16];
	int			address_len;
	char		version[VERSION_LEN];
	uint64		reasons;		/* hash of the whole text */
} RejectionKey;

StaticAssertDecl(sizeof(RejectionKey) == NETWORK_LEN + 2 * NAMEDATALEN + FINGERPRINT_LEN + 16 + 8 + VERSION_LEN + 8,
				 "the key has no padding");

typedef struct RejectionEntry
{
	RejectionKey key;
	TimestampTz first_at;
	TimestampTz at;
	int64		count;
	int64		then_admitted;

	/* Moments mean nothing after a restart of the machine, and do no harm there. */
	Moment		used;			/* when it was noted last */
	Moment		open[NOPEN];	/* when a policy refused, and no login has followed;
								 * 0: nothing */
	char		reasons[REASONS_LEN];	/* a line each */
	char		client_dn[DN_LEN];
	char		client_serial[SERIAL_LEN];
} RejectionEntry;

typedef struct SharedRejections
{
	LWLock	   *lock;
	pg_atomic_uint64 refused_at;	/* a Moment: when a policy refused last */
	/* the tables lie behind it */
} SharedRejections;

static SharedRejections *shared = NULL;

static int
most_strangers(void)
{
	return max_rejections() == 0 ? 0 : Max(20, max_rejections() / 10);
}

static int
most_server_refusals(void)
{
	return max_rejections() == 0 ? 0 : Max(20, max_rejections() / 2);
}

static bool
is_valid(const void *entry)
{
	const RejectionEntry *e = entry;

	return e->count > 0 && e->then_admitted >= 0 && e->then_admitted <= e->count &&
		e->key.source <= REJECTED_BY_SERVER &&
		(e->key.address_len == 0 || e->key.address_len == 4 || e->key.address_len == 16) &&
		is_stored_text(e->key.role, NAMEDATALEN) &&
		is_stored_text(e->key.database, NAMEDATALEN) &&
		is_stored_text(e->key.version, VERSION_LEN) &&
		is_stored_text(e->reasons, REASONS_LEN) &&
		is_stored_text(e->client_dn, DN_LEN) &&
		is_stored_text(e->client_serial, SERIAL_LEN);
}

#define TABLE(name, capacity) \
	{ \
		name, sizeof(RejectionKey), NETWORK_LEN + NAMEDATALEN, sizeof(RejectionEntry), capacity, is_valid, NULL \
	}

/* by RejectionOf */
static BoundedTable tables[NTABLES] = {
	TABLE("rejections", max_rejections),
	TABLE("rejections unnamed", most_strangers),
	TABLE("rejections strangers", most_strangers),
	TABLE("rejections by server", most_server_refusals),
};

static void
init_shared(void)
{
	pg_atomic_init_u64(&shared->refused_at, 0);
}

static const SharedPiece piece = {
	.name = "sslpolicy rejections",
	.where = (void **) &shared,
	.size = sizeof(SharedRejections),
	.tranche = "sslpolicy_rejections",
	.tables = tables,
	.ntables = NTABLES,
	.init = init_shared,
};

void
init_rejections(void)
{
	share_memory(&piece);
	for (int i = 0; i < NTABLES; i++)
		keep_over_restart(&tables[i]);
}

static RejectionKey
rejection_key(const Rejection *rejection, const char *reasons)
{
	const Facts *facts = &rejection->facts;
	RejectionKey key;

	/* what is not written stays zero, since all of it is compared */
	memset(&key, 0, sizeof(key));
	if (facts->role)
		strlcpy(key.role, facts->role, NAMEDATALEN);
	else
		memcpy(key.network, facts->address, NETWORK_LEN);
	key.has_database = facts->database != NULL;
	if (facts->database)
		strlcpy(key.database, facts->database, NAMEDATALEN);
	key.address_len = facts->address_len;
	memcpy(key.address, facts->address, (size_t) facts->address_len);
	key.source = (uint8) rejection->source;
	key.would_be = rejection->would_be;
	key.has_cert = rejection->client_dn != NULL;
	if (key.has_cert)
		memcpy(key.fingerprint, rejection->fingerprint, FINGERPRINT_LEN);
	if (facts->version)
		strlcpy(key.version, facts->version, VERSION_LEN);
	key.reasons = hash_bytes_extended((const unsigned char *) reasons, (int) strlen(reasons), 0);
	return key;
}

/*
 * A policy has refused: the client may try again at once in another way.
 */
static void
open_refusal(RejectionEntry *entry)
{
	int			oldest = 0;

	for (int i = 1; i < NOPEN; i++)
		if (entry->open[i] < entry->open[oldest])
			oldest = i;
	entry->open[oldest] = entry->used;
	pg_atomic_write_u64(&shared->refused_at, (uint64) entry->used);
}

/*
 * Note a rejection, of which first_at plays no role: that is at, the first time.
 */
void
note_rejection(const Rejection *rejection, RejectionOf of)
{
	char	   *reasons;
	RejectionKey key;
	RejectionEntry *entry;
	bool		found;

	if (max_rejections() == 0)
		return;
	reasons = join_lines(rejection->reasons);
	key = rejection_key(rejection, reasons);

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	entry = bounded_table_find_or_add(&tables[of], &key, &found);
	if (!found)
	{
		entry->first_at = rejection->at;
		copy_bounded_text(entry->reasons, REASONS_LEN, reasons);
		if (rejection->client_dn)
		{
			copy_bounded_text(entry->client_dn, DN_LEN, rejection->client_dn);
			copy_bounded_text(entry->client_serial, SERIAL_LEN, rejection->client_serial);
		}
	}
	entry->at = rejection->at;
	entry->used = this_moment();
	entry->count += rejection->count;
	if (of == REJECTED_KNOWN && rejection->source == REJECTED_BY_POLICY && !rejection->would_be)
		open_refusal(entry);
	LWLockRelease(shared->lock);
}

static bool
is_lately(Moment moment)
{
	int64		since = moment == 0 ? -1 : microseconds_since(moment);

	return since >= 0 && since <= ADMITTED_WITHIN_MS * INT64CONST(1000);
}

/*
 * The first of the entry's refusals that a login now follows; NULL if there is none.
 */
static Moment *
followed_refusal(RejectionEntry *entry)
{
	Moment	   *first = NULL;

	for (int i = 0; i < NOPEN; i++)
		if (is_lately(entry->open[i]) && (first == NULL || entry->open[i] < *first))
			first = &entry->open[i];
	return first;
}

static bool
is_same_client(const RejectionKey *key, const RejectionKey *client)
{
	return key->source == REJECTED_BY_POLICY && !key->would_be &&
		key->has_database == client->has_database &&
		strcmp(key->database, client->database) == 0 &&
		key->address_len == client->address_len &&
		memcmp(key->address, client->address, sizeof(key->address)) == 0;
}

/*
 * A client has been let in.  If a policy has just refused it, this is its second try:
 * each login marks one refusal, the first that no other login has followed.  (libpq
 * tries twice with sslmode allow and prefer.)
 *
 * Every login calls this, so it takes the lock only if a policy has refused somebody
 * lately, and then looks no further back than that.
 */
void
note_admission(const Facts *facts)
{
	Rejection	like = {.facts = *facts};
	RejectionKey client;
	Moment	   *followed = NULL;
	RejectionEntry *of = NULL;

	if (facts->role == NULL || !is_lately((Moment) pg_atomic_read_u64(&shared->refused_at)))
		return;
	client = rejection_key(&like, "");
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (RejectionEntry *entry = bounded_table_newest_of(&tables[REJECTED_KNOWN], &client);
		 entry != NULL && is_lately(entry->used); entry = bounded_table_older_of(&tables[REJECTED_KNOWN], entry))
	{
		Moment	   *refusal = is_same_client(&entry->key, &client) ? followed_refusal(entry) : NULL;

		if (refusal != NULL && (followed == NULL || *refusal < *followed))
		{
			followed = refusal;
			of = entry;
		}
	}
	if (followed != NULL)
	{
		*followed = 0;
		of->then_admitted++;
	}
	LWLockRelease(shared->lock);
}

static Rejection *
copy_rejection(const RejectionEntry *entry)
{
	Rejection  *r = palloc0(sizeof(Rejection));

	r->first_at = entry->first_at;
	r->at = entry->at;
	r->count = entry->count;
	r->then_admitted = entry->then_admitted;
	r->source = entry->key.source;
	r->would_be = entry->key.would_be != 0;
	r->reasons = split_lines(entry->reasons);
	r->facts.role = entry->key.role[0] ? pstrdup(entry->key.role) : NULL;
	r->facts.database = entry->key.has_database ? pstrdup(entry->key.database) : NULL;
	r->facts.address_len = entry->key.address_len;
	memcpy(r->facts.address, entry->key.address, sizeof(r->facts.address));
	r->facts.version = entry->key.version[0] ? pstrdup(entry->key.version) : NULL;
	if (entry->key.has_cert)
	{
		r->client_dn = pstrdup(entry->client_dn);
		r->client_serial = pstrdup(entry->client_serial);
		memcpy(r->fingerprint, entry->key.fingerprint, FINGERPRINT_LEN);
	}
	return r;
}

/*
 * Copies of all, of struct Rejection, in the current memory context.
 */
List *
rejections(void)
{
	List	   *result = NIL;

	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < NTABLES; i++)
		for (const RejectionEntry *entry = bounded_table_oldest(&tables[i]); entry;
			 entry = bounded_table_newer(&tables[i], entry))
			result = lappend(result, copy_rejection(entry));
	LWLockRelease(shared->lock);
	return result;
}

void
clear_rejections(void)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < NTABLES; i++)
		bounded_table_clear(&tables[i]);
	LWLockRelease(shared->lock);
}
