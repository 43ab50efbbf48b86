/*-------------------------------------------------------------------------
 *
 * sessions.c
 *		The table of live sessions in shared memory.
 *
 * Every backend that serves a client has one slot, found by its PGPROC number.
 * It writes the slot twice: publish_session() before it reads any policy (so
 * that whoever changes a policy afterwards can see the session), and
 * admit_session() when the login is decided.  It clears the slot on its way
 * out of shared memory, whatever ends it; a crash restart starts with an empty
 * table.
 *
 * A recheck of all sessions sees those that are admitted.  A login that was
 * under way meanwhile may have read policies from before: it notices that a
 * recheck has begun since it published itself, and asks for another one.  Settings
 * and TLS material are those of the moment when its process was started, which may
 * be long before, since a client can take its time.
 *
 * The hook judges the role and the database that it finds under the names that the
 * client gives; core looks up the same names a moment later.  If they are renamed in
 * between, core finds others, and the session belongs to those.  So readers of a slot
 * take role and database from the backend's PGPROC, where core puts them when it has
 * found them, and a recheck judges the session anew if they differ from those of the
 * slot.  A recheck does not miss such a session.  The backend publishes the slot before
 * the hook reads a catalog.  So a rename that commits after that makes the worker
 * recheck after the slot was published, and that recheck
 *	- does not see the slot, because the login is not admitted yet: then the login
 *	  notices that it was missed (admit_session()), and asks for another recheck
 *	- sees the slot before core has found both: then the worker looks at it again until
 *	  core has (session_progress())
 *	- sees the slot afterwards.
 * If a rename commits before the slot is published, the hook finds the same as core.
 * The hook refuses a role or a database that it does not find at all, so that nobody
 * comes in by one that is created meanwhile.
 *
 * Locking: table->lock, exclusive to write any field of a slot, shared to read
 * any.  Readers copy certificates out under the lock.  A backend may read
 * without the lock what it has written itself into its own slot.  Whoever holds
 * the lock and finds a pid in a slot can signal it: the process cannot have gone.
 * With it held, readers attach to the DSA area, which takes locks of PostgreSQL's;
 * certificates are put there, and freed, without it.  rechecks and inherited_at of
 * the table are atomics, which whoever begins a recheck writes without the lock, and
 * nslots never changes.
 *
 * A certificate of ordinary size lies in the slot.  A larger one lies in the
 * table's DSA area, which costs a login more, and is freed when its session
 * ends; if there is no room, the slot gets what identifies it, so that a recheck
 * still finds it revoked.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "port/atomics.h"
#include "replication/walsender.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "utils/dsa.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/sharedmem.h"
#include "base/wakeup.h"
#include "session/sessions.h"
#include "session/storedfacts.h"
#include "settings/settings.h"

/* bytes of text that are kept of a certificate when there is no room for more */
#define LEAST_CERTIFICATE_TEXT 256

typedef struct SessionSlot
{
	int			pid;			/* 0: free */
	bool		admitted;		/* the login is over and was allowed */
	bool		replication;
	bool		ending;
	Compliance	compliance;
	uint64		rechecks;		/* of the table, when the slot was published */
	int64		end_at;
	TimestampTz refused_at;
	Oid			role;
	Oid			database;
	TimestampTz backend_start;
	StoredFacts facts;
	size_t		cert_size;		/* 0: no certificate */
	dsa_pointer cert;			/* if larger than INLINE_CERTIFICATE */
	char		inline_cert[INLINE_CERTIFICATE];
} SessionSlot;

StaticAssertDecl(sizeof(SessionSlot) <= 2048,
				 "a slot takes at most 2 kB of shared memory");

typedef struct SessionTable
{
	LWLock	   *lock;
	pg_atomic_uint64 rechecks;	/* how many have begun */
	pg_atomic_uint64 inherited_at;	/* when the last one began because of what
									 * backends inherit at their start */
	int			nslots;
	SessionSlot slots[FLEXIBLE_ARRAY_MEMBER];
	/* the DSA area follows at area_of() */
} SessionTable;

static SessionTable *table = NULL;
static SessionSlot *my_slot = NULL;
static dsa_area *area = NULL;

static size_t
slots_size(void)
{
	return MAXALIGN(offsetof(SessionTable, slots) +
					sizeof(SessionSlot) * (size_t) MaxBackends);
}

static size_t
area_size(void)
{
	return MAXALIGN(dsa_minimum_size());
}

static void *
area_of(SessionTable *t)
{
	return (char *) t + slots_size();
}

static Size
table_size(void)
{
	return slots_size() + area_size();
}

/*
 * The area is pinned, so that it outlives every backend; whoever wants to use it
 * attaches by itself.
 */
static void
init_table(void)
{
	dsa_area   *new_area;

	pg_atomic_init_u64(&table->rechecks, 0);
	pg_atomic_init_u64(&table->inherited_at, 0);
	table->nslots = MaxBackends;
	new_area = dsa_create_in_place(area_of(table), area_size(),
								   table->lock->tranche, NULL);
	dsa_pin(new_area);
	dsa_detach(new_area);
}

static const SharedPiece piece = {
	.name = "sslpolicy sessions",
	.where = (void **) &table,
	.size_at_start = table_size,
	.tranche = "sslpolicy",
	.init = init_table,
};

void
init_sessions(void)
{
	share_memory(&piece);
}

static void
detach_area(int code, Datum arg)
{
	dsa_detach(area);
	dsa_release_in_place(area_of(table));
	area = NULL;
}

/*
 * Attach to the area of certificates, once a process that needs it.  A session
 * with a large certificate has done so before it registers clear_session(),
 * which therefore runs before detach_area().
 */
static void
attach_area(void)
{
	MemoryContext old;

	if (area != NULL)
		return;
	old = MemoryContextSwitchTo(TopMemoryContext);
	area = dsa_attach_in_place(area_of(table), NULL);
	dsa_pin_mapping(area);
	MemoryContextSwitchTo(old);
	before_shmem_exit(detach_area, (Datum) 0);
}

/*
 * At exit, while shared memory is still there.
 */
static void
clear_session(int code, Datum arg)
{
	dsa_pointer cert;

	LWLockAcquire(table->lock, LW_EXCLUSIVE);
	cert = my_slot->cert;
	my_slot->pid = 0;
	my_slot->admitted = false;
	my_slot->cert = InvalidDsaPointer;
	LWLockRelease(table->lock);
	my_slot = NULL;

	if (DsaPointerIsValid(cert))
		dsa_free(area, cert);
}

/*
 * Put a large certificate into the area.  Without memory for it the session
 * goes on, with what fits into its slot: a full /dev/shm must not keep anybody
 * out.
 */
static dsa_pointer
store_large(const char *packed, size_t size)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile dsa_pointer result = InvalidDsaPointer;

	PG_TRY();
	{
		/* a segment is for the session, not for the login's transaction */
		CurrentResourceOwner = NULL;
		attach_area();
		result = dsa_allocate_extended(area, size, DSA_ALLOC_NO_OOM);
		if (DsaPointerIsValid(result))
			memcpy(dsa_get_address(area, result), packed, size);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		/* a new segment is made with the area's lock held, and no other is */
		LWLockReleaseAll();
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		ereport(LOG_SERVER_ONLY,
				(errcode(error->sqlerrcode),
				 errmsg("names of a client certificate are not kept for sslpolicy.sessions: %s",
						error->message)));
		result = InvalidDsaPointer;
	}
	PG_END_TRY();
	CurrentResourceOwner = owner;
	return result;
}

static CertFacts *
copy_certificate(const SessionSlot *slot)
{
	if (slot->cert_size == 0)
		return NULL;
	if (!DsaPointerIsValid(slot->cert))
		return unpack_cert(slot->inline_cert, slot->cert_size);
	attach_area();
	return unpack_cert(dsa_get_address(area, slot->cert), slot->cert_size);
}

/*
 * Make this backend's session known, before its login is decided.
 */
void
publish_session(const Facts *facts)
{
	SessionSlot *slot;
	char	   *packed = NULL;
	size_t		size = 0;
	dsa_pointer large = InvalidDsaPointer;

	if (table == NULL || compat_proc_number() >= table->nslots)
		return;
	slot = &table->slots[compat_proc_number()];
	if (facts->cert != NULL)
		packed = pack_cert(facts->cert, max_certificate_text(), &size);
	if (size > INLINE_CERTIFICATE)
	{
		large = store_large(packed, size);
		if (!DsaPointerIsValid(large))
			packed = pack_cert(facts->cert, LEAST_CERTIFICATE_TEXT, &size);
		/* a chain of dozens of CAs */
		if (!DsaPointerIsValid(large) && size > INLINE_CERTIFICATE)
			size = 0;
	}
	if (my_slot == NULL)
		before_shmem_exit(clear_session, (Datum) 0);
	my_slot = slot;

	LWLockAcquire(table->lock, LW_EXCLUSIVE);
	slot->pid = MyProcPid;
	slot->admitted = false;
	slot->replication = am_walsender;
	slot->ending = false;
	slot->compliance = COMPLIANCE_UNKNOWN;
	slot->rechecks = pg_atomic_read_u64(&table->rechecks);
	slot->end_at = 0;
	slot->refused_at = 0;
	slot->role = InvalidOid;
	slot->database = InvalidOid;
	slot->backend_start = MyStartTimestamp;
	store_facts(&slot->facts, facts);
	slot->cert = large;
	slot->cert_size = size;
	if (size > 0 && !DsaPointerIsValid(large))
		memcpy(slot->inline_cert, packed, size);
	LWLockRelease(table->lock);
}

/*
 * Has this backend been started before settings or TLS material changed, or so
 * close to it that it cannot be told?
 */
static bool
has_old_settings(void)
{
	TimestampTz changed_at = (TimestampTz) pg_atomic_read_u64(&table->inherited_at);

	return MyStartTimestamp <= changed_at + USECS_PER_SEC;
}

/*
 * The login is decided, and the session is let in.  end_at: see Session.
 */
void
admit_session(Oid role, Oid database, Compliance compliance, int64 end_at)
{
	bool		missed;

	if (my_slot == NULL)
		return;
	LWLockAcquire(table->lock, LW_EXCLUSIVE);
	my_slot->role = role;
	my_slot->database = database;
	my_slot->compliance = compliance;
	my_slot->end_at = end_at;
	my_slot->admitted = true;
	missed = my_slot->rechecks != pg_atomic_read_u64(&table->rechecks) ||
		has_old_settings();
	LWLockRelease(table->lock);

	note_session_end(end_at);
	if (missed)
		want_recheck();
}

/*
 * How this session has logged in, as pg_hba.conf names it; NULL if it is not
 * known, because the library was not preloaded.
 */
const char *
my_auth_method(void)
{
	return my_slot && my_slot->facts.auth_method[0] ? my_slot->facts.auth_method : NULL;
}

/*
 * The packed certificate of this session if it is of ordinary size; NULL if it has
 * none, or a larger one.
 */
const char *
my_packed_certificate(size_t *size)
{
	if (my_slot == NULL || my_slot->cert_size == 0 || DsaPointerIsValid(my_slot->cert))
		return NULL;
	*size = my_slot->cert_size;
	return my_slot->inline_cert;
}

/*
 * Whose session is it, as far as core has found out?  The caller holds the lock, so
 * that the backend is still there.
 */
static void
read_backend(const SessionSlot *slot, Session *s)
{
	const volatile PGPROC *proc = GetPGProcByNumber(s->slot);
	Oid			role = proc->roleId;
	Oid			database = proc->databaseId;

	s->role = slot->role;
	s->database = slot->database;
	s->complete = OidIsValid(role) && (OidIsValid(database) || !slot->facts.has_database);
	if (!s->complete)
		return;
	s->misjudged = role != slot->role || database != slot->database;
	s->role = role;
	s->database = database;
}

static Session *
copy_session(const SessionSlot *slot)
{
	Session    *s = palloc0(sizeof(Session));

	s->slot = (int) (slot - table->slots);
	s->pid = slot->pid;
	read_backend(slot, s);
	s->backend_start = slot->backend_start;
	s->compliance = slot->compliance;
	s->replication = slot->replication;
	s->end_at = slot->end_at;
	s->refused_at = slot->refused_at;
	s->ending = slot->ending;
	s->facts = load_facts(&slot->facts, copy_certificate(slot));
	return s;
}

/*
 * Copies of all sessions that have been let in, in the current memory context.
 */
List *
copy_sessions(void)
{
	List	   *result = NIL;

	LWLockAcquire(table->lock, LW_SHARED);
	for (int i = 0; i < table->nslots; i++)
		if (table->slots[i].pid != 0 && table->slots[i].admitted)
			result = lappend(result, copy_session(&table->slots[i]));
	LWLockRelease(table->lock);
	return result;
}

/*
 * A recheck of all sessions begins, because policies have changed: called before
 * it reads policies and sessions.  inherited: what has changed are settings or TLS
 * material.
 */
void
begin_session_recheck(bool inherited)
{
	if (inherited)
		pg_atomic_write_u64(&table->inherited_at, (uint64) GetCurrentTimestamp());
	(void) pg_atomic_fetch_add_u64(&table->rechecks, 1);
}

/*
 * The slot of a session, or NULL if it has ended.  With the lock held.
 */
static SessionSlot *
find_slot(const Session *session)
{
	SessionSlot *slot = &table->slots[session->slot];

	if (slot->pid != session->pid || slot->backend_start != session->backend_start ||
		!slot->admitted)
		return NULL;
	return slot;
}

/*
 * What has become of a session that was not complete when it was copied?
 */
SessionProgress
session_progress(const Session *session)
{
	SessionProgress result = SESSION_SETTLED;
	const SessionSlot *slot;
	Session		now = {.slot = session->slot};

	LWLockAcquire(table->lock, LW_SHARED);
	slot = find_slot(session);
	if (slot != NULL)
	{
		read_backend(slot, &now);
		result = !now.complete ? SESSION_INCOMPLETE : now.misjudged ? SESSION_MISJUDGED :
																	  SESSION_SETTLED;
	}
	LWLockRelease(table->lock);
	return result;
}

/*
 * Keep what a recheck has found out, and the role and database that it has judged.
 */
void
set_session_state(const Session *session, const SessionState *state)
{
	SessionSlot *slot;

	LWLockAcquire(table->lock, LW_EXCLUSIVE);
	slot = find_slot(session);
	if (slot != NULL)
	{
		slot->role = session->role;
		slot->database = session->database;
		slot->compliance = state->compliance;
		slot->end_at = state->end_at;
		slot->refused_at = state->refused_at;
	}
	LWLockRelease(table->lock);
}

/*
 * Tell a session to end, as pg_terminate_backend() does.  False if it has ended
 * already, or has been told before.
 */
bool
end_session(const Session *session)
{
	SessionSlot *slot;
	bool		result = false;

	LWLockAcquire(table->lock, LW_EXCLUSIVE);
	slot = find_slot(session);
	if (slot != NULL && !slot->ending)
	{
		/* with its children: a backend leads a process group of its own */
#ifdef HAVE_SETSID
		result = kill(-slot->pid, SIGTERM) == 0;
#else
		result = kill(slot->pid, SIGTERM) == 0;
#endif
		slot->ending = result;
	}
	LWLockRelease(table->lock);
	return result;
}

/*
 * Is the session in a transaction just now?
 */
bool
is_session_in_transaction(const Session *session)
{
	return compat_transaction(GetPGProcByNumber(session->slot)) != InvalidLocalTransactionId;
}
