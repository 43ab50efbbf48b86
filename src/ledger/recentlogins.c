/*-------------------------------------------------------------------------
 *
 * recentlogins.c
 *		Who has logged in lately, and how.
 *
 * One entry for each way in: role, database, address, TLS version, and subject and
 * issuer of the certificate.  So a certificate that is renewed takes the place of
 * the one before, and a client that comes a thousand times has one entry.  It has
 * what a policy can ask for, so that a new policy can be tried on those who are not
 * there now.
 *
 * Superusers and reserved roles have a part of the rows to themselves: installations
 * ask who has logged in recently (affected.c), and other roles' logins must not push
 * theirs out.
 *
 * Locking: shared->lock guards the table, exclusive to note a login and shared to
 * copy entries out.  Logins are noted by newlogins.c, which holds a lock of its own and takes
 * this one second; whoever
 * queries sslpolicy.recent_logins or tries a policy on them reads.  No other lock is
 * taken meanwhile.  Without the lock only the postmaster touches
 * the table (tablefile.c), while it has no other processes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/timestamp.h"

#include "base/boundedtable.h"
#include "base/sharedmem.h"
#include "ledger/recentlogins.h"
#include "ledger/tablefile.h"
#include "session/storedfacts.h"
#include "settings/settings.h"

/* One in so many rows is for superusers and reserved roles. */
#define PROTECTED_PART 8

enum
{
	ORDINARY,
	PROTECTED
};

/* without padding, since all of it is compared; its owner, the role, is first */
typedef struct LoginKey
{
	Oid			role;
	Oid			database;
	int			address_len;
	uint8		address[16];
	int			tls_version;
	uint64		certificate;	/* hash of subject and issuer; 0: none */
} LoginKey;

StaticAssertDecl(sizeof(LoginKey) == 40, "the key has no padding");

typedef struct LoginEntry
{
	LoginKey	key;
	TimestampTz last_login;
	int64		count;
	int			compliance;
	StoredFacts facts;
	size_t		cert_size;		/* 0: no certificate, or too large a one */
	char		cert[INLINE_CERTIFICATE];
} LoginEntry;

typedef struct SharedLogins
{
	LWLock	   *lock;
	/* the table lies behind it */
} SharedLogins;

static SharedLogins *shared = NULL;

static bool
is_valid(const void *entry)
{
	const LoginEntry *e = entry;

	return e->cert_size <= INLINE_CERTIFICATE && e->count > 0 &&
		(e->compliance == COMPLIANCE_UNKNOWN || e->compliance == COMPLIANCE_NO ||
		 e->compliance == COMPLIANCE_YES) &&
		is_stored_facts(&e->facts);
}

static int
protected_capacity(void)
{
	return max_recent_logins() / PROTECTED_PART;
}

static int
ordinary_capacity(void)
{
	return max_recent_logins() - protected_capacity();
}

static BoundedTable tables[] = {
	[ORDINARY] = {
		"recent logins",
		sizeof(LoginKey),
		sizeof(Oid),
		sizeof(LoginEntry),
		ordinary_capacity,
		is_valid,
		NULL,
	},
	[PROTECTED] = {
		"recent logins of superusers",
		sizeof(LoginKey),
		sizeof(Oid),
		sizeof(LoginEntry),
		protected_capacity,
		is_valid,
		NULL,
	},
};

static const SharedPiece piece = {
	.name = "sslpolicy recent logins",
	.where = (void **) &shared,
	.size = sizeof(SharedLogins),
	.tranche = "sslpolicy_logins",
	.tables = tables,
	.ntables = lengthof(tables),
};

void
init_recent_logins(void)
{
	share_memory(&piece);
	for (int i = 0; i < (int) lengthof(tables); i++)
		keep_over_restart(&tables[i]);
}

/*
 * What tells the certificates of one client from those of another: a hash of subject and
 * issuer; 0 if there is none.
 */
uint64
certificate_names_hash(const Facts *facts)
{
	uint64		hash;

	if (facts->cert == NULL)
		return facts->unreadable ? 1 : 0;
	hash = hash_bytes_extended((const unsigned char *) facts->cert->issuer_dn,
							   (int) strlen(facts->cert->issuer_dn), 0);
	return hash_bytes_extended((const unsigned char *) facts->cert->subject_dn,
							   (int) strlen(facts->cert->subject_dn), hash);
}

static LoginKey
login_key(const NotedLogin *login)
{
	const Facts *facts = &login->facts.facts;
	LoginKey	key;

	memset(&key, 0, sizeof(key));
	key.role = login->role;
	key.database = login->database;
	key.address_len = facts->address_len;
	memcpy(key.address, facts->address, (size_t) facts->address_len);
	key.tls_version = facts->ssl ? (int) facts->tls_version + 1 : 0;
	key.certificate = login->note.certificate;
	return key;
}

/*
 * Of a certificate that is larger than usual names are cut away until the rest fits.  If
 * nothing does, since the chain is so long, there is none; nor if the slot had no room
 * for the serials of its CAs.
 */
static const char *
cut_certificate(const NotedLogin *login, size_t *size)
{
	const CertFacts *cert;

	*size = login->cert_size;
	if (login->cert == NULL || *size <= INLINE_CERTIFICATE)
		return login->cert;
	cert = unpack_cert(login->cert, login->cert_size);
	if (cert == NULL || (cert->ncas > 0 && cert->cas[0].serial == NULL))
		return NULL;
	return pack_cert_within(cert, INLINE_CERTIFICATE, NULL, size);
}

/*
 * A login has been let in.  Logins can come here in another order than they were made.
 */
void
note_login(const NotedLogin *login)
{
	BoundedTable *table = &tables[login->note.is_protected && protected_capacity() > 0 ? PROTECTED : ORDINARY];
	LoginKey	key;
	LoginEntry *entry;
	const char *packed;
	size_t		size;
	bool		found;

	if (max_recent_logins() == 0)
		return;
	key = login_key(login);
	packed = cut_certificate(login, &size);

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	entry = bounded_table_find_or_add(table, &key, &found);
	entry->count++;
	if (login->note.at >= entry->last_login)
	{
		entry->last_login = login->note.at;
		entry->compliance = login->note.compliance;
		entry->facts = login->facts;
		entry->cert_size = packed ? size : 0;
		if (packed)
			memcpy(entry->cert, packed, size);
	}
	LWLockRelease(shared->lock);
}

static RecentLogin *
copy_login(const LoginEntry *entry)
{
	RecentLogin *login = palloc(sizeof(RecentLogin));

	login->role = entry->key.role;
	login->database = entry->key.database;
	login->last_login = entry->last_login;
	login->count = entry->count;
	login->compliance = entry->compliance;
	login->facts = load_facts(&entry->facts, entry->cert_size > 0 ? unpack_cert(entry->cert, entry->cert_size) : NULL);
	return login;
}

static int
compare_logins(const ListCell *a, const ListCell *b)
{
	TimestampTz first = ((const RecentLogin *) lfirst(a))->last_login;
	TimestampTz second = ((const RecentLogin *) lfirst(b))->last_login;

	return first < second ? -1 : first > second;
}

/*
 * Copies of all entries, of struct RecentLogin, the one that came last at the end,
 * in the current memory context.
 */
List *
copy_recent_logins(void)
{
	List	   *result = NIL;

	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < (int) lengthof(tables); i++)
		for (const LoginEntry *entry = bounded_table_oldest(&tables[i]); entry; entry = bounded_table_newer(&tables[i], entry))
			result = lappend(result, copy_login(entry));
	LWLockRelease(shared->lock);
	list_sort(result, compare_logins);
	return result;
}
