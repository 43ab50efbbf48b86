/*-------------------------------------------------------------------------
 *
 * sessions.c
 *		The table of live sessions in shared memory.
 *
 * Every backend that serves a client has one slot, found by its PGPROC number.
 * It writes the slot three times: publish_session() before it reads any policy (so
 * that whoever changes a policy afterwards can see the session), admit_session() when
 * the login is decided, and leave_login_note() when core has let it in, too.  A login
 * writes nothing else in shared memory.  It clears the slot on its way
 * out of shared memory, whatever ends it; a crash restart starts with an empty
 * table.
 *
 * A recheck of all sessions sees those that are admitted.  A login that was
 * under way meanwhile may have read policies from before: it notices that a
 * recheck has begun since it published itself, and asks for another one.  Settings
 * and TLS material are those of the moment when its process was started, and CRLs of
 * ssl_crl_dir those of its TLS handshake, which may be long before, since a client can
 * take its time: see has_old_basis().
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
 * Locking: each slot has a lock, exclusive to write any field of it, shared to read
 * any.  So a login waits for a reader of all of them no longer than it takes to copy
 * one.  Readers copy certificates out under the lock.  A backend may read
 * without the lock what it has written itself into its own slot.  Whoever holds
 * the lock and finds a pid in a slot can signal it: the process cannot have gone.
 * table->lock is that of the room for large certificates (largecerts.c); nobody holds
 * it together with that of a slot, since what a slot refers to stays until the slot is cleared.
 * rechecks and basis_changes of the table are atomics, which whoever begins a recheck
 * writes without a lock, and nslots never changes.
 *
 * Without the lock a reader may pass over a slot without a pid, or without a note of a login.
 * If it misses a pid, that was published after the recheck has begun, or the login
 * sees in admit_session() that one has: a lock is released in between, and beginning a recheck is
 * a barrier, too.
 *
 * A certificate of ordinary size lies in the slot.  A larger one lies behind the slots
 * as long as there is room (largecerts.c).  Where there is none, the slot gets what
 * identifies it and its CAs, and as many names as fit, so that a recheck still finds it
 * blocked or revoked.  A chain for which not even that holds is not let in.  Nothing
 * lies in memory that can be gone or full while sessions live.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "libpq/libpq-be.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "postmaster/interrupt.h"
#include "replication/walsender.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/proc.h"

#include "base/compat.h"
#include "base/sharedmem.h"
#include "base/wakeup.h"
#include "session/largecerts.h"
#include "session/sessions.h"
#include "session/storedfacts.h"
#include "settings/directory.h"
#include "settings/settings.h"

/* Of any certificate with so many CAs what identifies it has room in a slot. */
#define SLOT_CERTIFICATE IDENTITY_ROOM(MAX_SESSION_CAS)

typedef struct SessionSlot
{
	LWLock		lock;
	int			pid;			/* 0: free */
	bool		admitted;		/* the login is over and was allowed */
	bool		replication;
	uint64		handshake;
	bool		ending;
	bool		failing;
	bool		certificate_told;
	Compliance	compliance;
	uint64		rechecks;		/* of the table, when the slot was published */
	int64		end_at;
	Moment		refused_at;
	int			refused_for;
	Oid			role;
	Oid			database;
	TimestampTz backend_start;
	LoginNote	note;
	StoredFacts facts;
	size_t		cert_size;		/* 0: no certificate */
	int			large_cert;		/* where it lies, if not in inline_cert */
	char		inline_cert[SLOT_CERTIFICATE];
} SessionSlot;

StaticAssertDecl(sizeof(SessionSlot) <= 2880,
				 "a slot takes less than 3 kB of shared memory");

typedef struct SessionTable
{
	LWLock	   *lock;
	pg_atomic_uint64 rechecks;	/* how many have begun */
	pg_atomic_uint64 basis_changes; /* how many of them because of what a login
									 * has from before its hook */
	int			nslots;
} SessionTable;

static SessionTable *table = NULL;
static SessionSlot *slots = NULL;	/* room for large certificates follows: large_certs() */
static SessionSlot *my_slot = NULL;

/* basis_changes when the TLS handshake of the process with this pid began */
static uint64 changes_at_handshake = 0;
static int	handshake_pid = 0;

static size_t
slots_size(void)
{
	return MAXALIGN(sizeof(SessionSlot) * (size_t) MaxBackends);
}

static LargeCerts *
large_certs(void)
{
	return (LargeCerts *) ((char *) slots + slots_size());
}

static Size
slots_and_certs_size(void)
{
	return slots_size() + large_certs_size();
}

static void
init_table(void)
{
	pg_atomic_init_u64(&table->rechecks, 0);
	pg_atomic_init_u64(&table->basis_changes, 0);
	table->nslots = MaxBackends;
	for (int i = 0; i < table->nslots; i++)
	{
		LWLockInitialize(&slots[i].lock, table->lock->tranche);
		slots[i].large_cert = NO_LARGE_CERT;
	}
	init_large_certs(large_certs());
}

static const SharedPiece piece = {
	.name = "sslpolicy sessions",
	.where = (void **) &table,
	.size = sizeof(SessionTable),
	.room = (void **) &slots,
	.room_size = slots_and_certs_size,
	.tranche = "sslpolicy",
	.init = init_table,
};

/*
 * OpenSSL makes what a connection needs, before the handshake: it calls this for every
 * connection of the process.  The first one is the client's.
 */
static void
handshake_begins(void *parent, void *data, CRYPTO_EX_DATA *ex_data, int index,
				 long argl, void *argp)
{
	if (table == NULL || handshake_pid == MyProcPid)
		return;
	handshake_pid = MyProcPid;
	changes_at_handshake = pg_atomic_read_u64(&table->basis_changes);
}

void
init_sessions(void)
{
	if (SSL_get_ex_new_index(0, NULL, handshake_begins, NULL, NULL) < 0)
		ereport(FATAL,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not register with OpenSSL")));
	share_memory(&piece);
}

/*
 * At exit, while shared memory is still there.
 *
 * An error in what is called at exit before this comes here with the locks that were held:
 * to wait for one of those would be to wait for ever.  Core releases them itself before,
 * but not in older minor releases.
 */
static void
clear_session(int code, Datum arg)
{
	int			large_cert = my_slot->large_cert;

	LWLockReleaseAll();
	LWLockAcquire(&my_slot->lock, LW_EXCLUSIVE);
	my_slot->pid = 0;
	my_slot->admitted = false;
	my_slot->note.at = 0;
	my_slot->large_cert = NO_LARGE_CERT;
	LWLockRelease(&my_slot->lock);
	my_slot = NULL;
	if (large_cert == NO_LARGE_CERT)
		return;
	LWLockAcquire(table->lock, LW_EXCLUSIVE);
	release_large_cert(large_certs(), large_cert);
	LWLockRelease(table->lock);
}

/*
 * Put a large certificate where there is room for it.  From here on it is this
 * session's, and goes with it.  False if there is none.
 */
static bool
store_large(const char *packed, size_t size)
{
	LWLockAcquire(table->lock, LW_EXCLUSIVE);
	my_slot->large_cert = reserve_large_cert(large_certs(), size);
	LWLockRelease(table->lock);
	if (my_slot->large_cert == NO_LARGE_CERT)
		return false;
	fill_large_cert(large_certs(), my_slot->large_cert, packed, size);
	return true;
}

/*
 * The certificate as it is kept for the session; NULL if what identifies it does not
 * fit.  It goes into the slot if it does, or else stays where store_large() has put it.
 *
 * Where there is no room for all of it, the session goes on with what fits into the
 * slot: nobody is to be kept out because of names.
 */
static char *
keep_certificate(const CertFacts *cert, SerialDigest digest, size_t *size)
{
	char	   *packed;

	if (cert->ncas > MAX_SESSION_CAS)
		return NULL;
	packed = pack_cert(cert, max_certificate_text(), size);
	if (*size <= SLOT_CERTIFICATE || store_large(packed, *size))
		return packed;
	ereport(LOG_SERVER_ONLY,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("names of a client certificate are not kept for sslpolicy.sessions: there is no room"),
			 errdetail_log("Certificates of other sessions take what there is."),
			 errhint("What sslpolicy.max_certificate_text is when the server starts says how much room there is."),
			 errhidestmt(true), errhidecontext(true)));
	return pack_cert_within(cert, SLOT_CERTIFICATE, digest, size);
}

/*
 * The packed certificate of a slot, which stays where it is if it lies there; NULL if there
 * is none.
 */
static const char *
packed_certificate(const SessionSlot *slot)
{
	if (slot->cert_size == 0)
		return NULL;
	if (slot->large_cert == NO_LARGE_CERT)
		return slot->inline_cert;
	return copy_large_cert(large_certs(), slot->large_cert, slot->cert_size);
}

static CertFacts *
copy_certificate(const SessionSlot *slot)
{
	const char *packed = packed_certificate(slot);

	return packed ? unpack_cert(packed, slot->cert_size) : NULL;
}

/*
 * Make this backend's session known, before its login is decided.  handshake: see Session.
 *
 * digest makes what is kept of the serials of CAs where they have no room themselves.
 * False if what identifies the certificate cannot be kept: such a session must not be
 * let in, since nobody could tell whether its certificate has been blocked or revoked.
 */
bool
publish_session(const Facts *facts, uint64 handshake, SerialDigest digest)
{
	SessionSlot *slot;
	char	   *packed = NULL;
	size_t		size = 0;

	if (table == NULL || compat_proc_number() >= table->nslots)
		return true;
	slot = &slots[compat_proc_number()];
	if (my_slot == NULL)
		before_shmem_exit(clear_session, (Datum) 0);
	my_slot = slot;
	if (facts->cert != NULL)
		packed = keep_certificate(facts->cert, digest, &size);

	LWLockAcquire(&slot->lock, LW_EXCLUSIVE);
	slot->pid = MyProcPid;
	slot->admitted = false;
	slot->replication = am_walsender;
	slot->handshake = handshake;
	slot->ending = false;
	slot->failing = false;
	slot->certificate_told = false;
	slot->compliance = COMPLIANCE_UNKNOWN;
	slot->rechecks = pg_atomic_read_u64(&table->rechecks);
	slot->end_at = 0;
	slot->refused_at = 0;
	slot->refused_for = 0;
	slot->role = InvalidOid;
	slot->database = InvalidOid;
	slot->backend_start = MyStartTimestamp;
	slot->note.at = 0;
	store_facts(&slot->facts, facts);
	slot->cert_size = packed ? size : 0;
	if (packed && slot->large_cert == NO_LARGE_CERT)
		memcpy(slot->inline_cert, packed, size);
	LWLockRelease(&slot->lock);
	return facts->cert == NULL || packed != NULL;
}

/*
 * Was this login judged by settings, or by CRLs in its handshake, that have changed
 * since?  Nothing here depends on the time, because clocks can be set.
 *
 * When settings change, the server signals every process that it has started before.
 * The TLS context that a process has inherited has a number: see the login hook.
 */
static bool
has_old_basis(void)
{
	return ConfigReloadPending ||
		(handshake_pid == MyProcPid && changes_at_handshake != pg_atomic_read_u64(&table->basis_changes));
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
	LWLockAcquire(&my_slot->lock, LW_EXCLUSIVE);
	my_slot->role = role;
	my_slot->database = database;
	my_slot->compliance = compliance;
	my_slot->end_at = end_at;
	my_slot->admitted = true;
	missed = my_slot->rechecks != pg_atomic_read_u64(&table->rechecks) ||
		has_old_basis();
	LWLockRelease(&my_slot->lock);

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
 * Core has let this session in: leave a note for the ledger.
 */
void
leave_login_note(const LoginNote *note)
{
	if (my_slot == NULL)
		return;
	LWLockAcquire(&my_slot->lock, LW_EXCLUSIVE);
	my_slot->note = *note;
	LWLockRelease(&my_slot->lock);
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

	s->slot = (int) (slot - slots);
	s->pid = slot->pid;
	read_backend(slot, s);
	s->backend_start = slot->backend_start;
	s->compliance = slot->compliance;
	s->replication = slot->replication;
	s->handshake = slot->handshake;
	s->end_at = slot->end_at;
	s->refused_at = slot->refused_at;
	s->refused_for = slot->refused_for;
	s->ending = slot->ending;
	s->failing = slot->failing;
	s->certificate_told = slot->certificate_told;
	s->facts = load_facts(&slot->facts, copy_certificate(slot));
	return s;
}

/*
 * Copies of all sessions that have been let in, in the current memory context.  It is not
 * one moment of all of them, as in pg_stat_activity.
 */
List *
copy_sessions(void)
{
	List	   *result = NIL;

	for (int i = 0; i < table->nslots; i++)
	{
		SessionSlot *slot = &slots[i];

		if (((volatile SessionSlot *) slot)->pid == 0)
			continue;
		LWLockAcquire(&slot->lock, LW_SHARED);
		if (slot->pid != 0 && slot->admitted)
			result = lappend(result, copy_session(slot));
		LWLockRelease(&slot->lock);
	}
	return result;
}

/*
 * The number of slots, and which one is this process's; -1: none.
 */
int
session_slots(void)
{
	return table->nslots;
}

int
my_session_slot(void)
{
	return my_slot ? (int) (my_slot - slots) : -1;
}

/*
 * Is there a note of a login in a slot?  Looks without the lock: it may be out of date a moment later.
 */
bool
has_login_note(int slot)
{
	return ((volatile SessionSlot *) &slots[slot])->note.at != 0;
}

static NotedLogin *
copy_login(const SessionSlot *slot)
{
	NotedLogin *result = palloc(sizeof(NotedLogin));
	Session		session = {.slot = (int) (slot - slots)};

	read_backend(slot, &session);
	result->slot = session.slot;
	result->pid = slot->pid;
	result->backend_start = slot->backend_start;
	result->role = session.role;
	result->database = session.database;
	result->note = slot->note;
	result->facts = slot->facts;
	result->cert = packed_certificate(slot);
	result->cert_size = slot->cert_size;
	if (result->cert == slot->inline_cert)
		result->cert = memcpy(palloc(slot->cert_size), slot->inline_cert, slot->cert_size);
	return result;
}

/*
 * The login of which there is a note in a slot, in the current memory context; NULL if there
 * is none.
 */
NotedLogin *
copy_noted_login(int slot_number)
{
	SessionSlot *slot = &slots[slot_number];
	NotedLogin *result = NULL;

	LWLockAcquire(&slot->lock, LW_SHARED);
	stop_point("login_noted");
	if (slot->pid != 0 && slot->note.at != 0)
		result = copy_login(slot);
	LWLockRelease(&slot->lock);
	return result;
}

/*
 * Which sessions live now that policies apply to, beside those seen, which are some of
 * copy_sessions(), in its order?
 *
 * With the lock, also of a free slot: whoever publishes a session in it afterwards reads
 * what the caller has learned of before.
 */
LiveSessions
live_sessions(const List *seen)
{
	LiveSessions result = LIVE_NONE;
	const ListCell *cell = list_head(seen);

	for (int i = 0; i < table->nslots && result != LIVE_OTHERS; i++)
	{
		SessionSlot *slot = &slots[i];
		const Session *s;

		while (cell != NULL && ((const Session *) lfirst(cell))->slot < i)
			cell = lnext(seen, cell);
		s = cell ? lfirst(cell) : NULL;
		LWLockAcquire(&slot->lock, LW_SHARED);
		if (slot->pid != 0 && !slot->facts.facts.local && !slot->ending)
			result = s != NULL && s->slot == i && s->pid == slot->pid && s->backend_start == slot->backend_start ?
				LIVE_SEEN :
				LIVE_OTHERS;
		LWLockRelease(&slot->lock);
	}
	return result;
}

/*
 * A recheck of all sessions begins, because policies have changed: called before
 * it reads policies and sessions.  basis: what has changed are settings, TLS material
 * or CRLs.
 */
void
begin_session_recheck(bool basis)
{
	if (basis)
		(void) pg_atomic_fetch_add_u64(&table->basis_changes, 1);
	(void) pg_atomic_fetch_add_u64(&table->rechecks, 1);
}

static LWLock *
slot_lock(const Session *session)
{
	return &slots[session->slot].lock;
}

/*
 * The slot of a session, or NULL if it has ended.  With its lock held.
 */
static SessionSlot *
find_slot(const Session *session)
{
	SessionSlot *slot = &slots[session->slot];

	if (slot->pid != session->pid || slot->backend_start != session->backend_start ||
		!slot->admitted)
		return NULL;
	return slot;
}

/*
 * A login has been written down.
 */
void
clear_login_note(const NotedLogin *login)
{
	SessionSlot *slot = &slots[login->slot];

	LWLockAcquire(&slot->lock, LW_EXCLUSIVE);
	if (slot->pid == login->pid && slot->backend_start == login->backend_start)
		slot->note.at = 0;
	LWLockRelease(&slot->lock);
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

	LWLockAcquire(slot_lock(session), LW_SHARED);
	slot = find_slot(session);
	if (slot != NULL)
	{
		read_backend(slot, &now);
		result = !now.complete ? SESSION_INCOMPLETE : now.misjudged ? SESSION_MISJUDGED :
																	  SESSION_SETTLED;
	}
	LWLockRelease(slot_lock(session));
	return result;
}

/*
 * Keep what a recheck has found out, and the role and database that it has judged.
 */
void
set_session_state(const Session *session, const SessionState *state)
{
	SessionSlot *slot;

	LWLockAcquire(slot_lock(session), LW_EXCLUSIVE);
	slot = find_slot(session);
	if (slot != NULL)
	{
		/* whom nobody could judge has to be judged still */
		if (!state->failing)
		{
			slot->role = session->role;
			slot->database = session->database;
		}
		slot->failing = state->failing;
		slot->certificate_told = state->certificate_told;
		slot->compliance = state->compliance;
		slot->end_at = state->end_at;
		slot->refused_at = state->refused_at;
		slot->refused_for = state->refused_for;
	}
	LWLockRelease(slot_lock(session));
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

	LWLockAcquire(slot_lock(session), LW_EXCLUSIVE);
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
	LWLockRelease(slot_lock(session));
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
