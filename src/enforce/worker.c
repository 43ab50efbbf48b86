/*-------------------------------------------------------------------------
 *
 * worker.c
 *		The background worker that rechecks live sessions.
 *
 * It is attached to no database, so that it is in nobody's way, and reads shared
 * catalogs only.  Ten times a second it looks whether something has changed that
 * policies depend on, and if so it rechecks all sessions (recheck.c):
 *	- roles, memberships and databases by syscache invalidation, which comes
 *	  with COMMIT, COMMIT PREPARED and WAL replay alike, and never for what was
 *	  rolled back (labels.c has labels announced in that way)
 *	- settings by SIGHUP
 *	- TLS material by the number of what is in force (generation.c)
 *	- CRLs, of which it builds the index (crlbuild.c), by looking at their files
 *	- time, by the earliest certificate that ends its session
 * And it writes down what PostgreSQL itself has refused (ledger.c).
 * An error is logged, and what was to be done is tried again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "access/xact.h"
#include "libpq/libpq.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "postmaster/postmaster.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "material/autoreload.h"
#include "base/compat.h"
#include "revocation/crlbuild.h"
#include "revocation/crlstate.h"
#include "material/generation.h"
#include "revocation/indexfile.h"
#include "ledger/ledger.h"
#include "ledger/mailbox.h"
#include "base/preload.h"
#include "enforce/recheck.h"
#include "settings/settings.h"
#include "base/wakeup.h"
#include "enforce/worker.h"

#define WORKER_NAME "sslpolicy"

/* How often to look, and the least time from one recheck to the next. */
#define POLL_MS 100

/* After an error. */
#define RETRY_MS 1000

/*
 * How often to look at the files of CRLs.  A changed one is read when it has
 * been the same twice: it may be being written.
 */
#define CRL_POLL_MS 1000

/* When to try again what has failed, although nothing has changed. */
#define CRL_RETRY_MS 60000

PGDLLEXPORT void sslpolicy_worker_main(Datum arg);

/* Files of CRLs, as they were when they were looked at. */
typedef struct Watched
{
	uint8		seen[FINGERPRINT_LEN];
	uint8		done[FINGERPRINT_LEN];	/* the index is up to date with this, or
										 * cannot be */
	uint8		index[FINGERPRINT_LEN]; /* as it was left */
	char		last_error[1024];	/* that has been logged */
	TimestampTz failed_at;		/* 0: has not failed */
} Watched;

typedef struct Worker
{
	MemoryContext pass;			/* reset before each recheck */
	MemoryContext between;		/* what is kept until the next one */
	List	   *waiting;		/* sessions that may finish their transaction */
	TimestampTz last;			/* when the last recheck began */
	uint64		material;		/* generation that was in force then */
	MemoryContext build;		/* reset before CRLs are read */
	TimestampTz crls_seen;		/* when their files were looked at */
	bool		new_settings;	/* have come since then */
	Watched		own;
	Watched		core;
	uint64		core_material;	/* generation that the core index belongs to */
	TimestampTz looked_at;		/* whether there is something to recheck */
	TimestampTz failed_at;		/* with an error; 0: it did not */
	int			took;			/* the last recheck, in ms */
} Worker;

static Worker worker;

static volatile int changed = 0;	/* CHANGED_...: not rechecked yet */

static shmem_startup_hook_type previous_startup_hook = NULL;

static void
catalog_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	changed |= DatumGetInt32(arg);
}

/*
 * Has some time gone by?  A clock that was set back must not stop anything.
 */
static bool
elapsed(TimestampTz since, int ms)
{
	TimestampTz now = GetCurrentTimestamp();

	return now < since || TimestampDifferenceExceeds(since, now, ms);
}

/*
 * Have invalidations delivered: the start of a transaction does so.
 */
static void
accept_invalidations(void)
{
	MemoryContext context = CurrentMemoryContext;

	StartTransactionCommand();
	CommitTransactionCommand();
	/* it leaves another one, where what is allocated stays */
	MemoryContextSwitchTo(context);
}

static void
take_settings(Worker *w)
{
	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	changed |= CHANGED_SETTINGS;
	w->new_settings = true;
}

/*
 * Is one of those that wait at the end of its transaction, or of our patience?
 */
static bool
somebody_is_done(const Worker *w)
{
	ListCell   *cell;

	foreach(cell, w->waiting)
	{
		const Session *s = lfirst(cell);

		if (!is_session_in_transaction(s) ||
			elapsed(s->refused_at, terminate_grace_ms()))
			return true;
	}
	return false;
}

static void
notice_changes(Worker *w)
{
	uint64		material;

	take_settings(w);
	accept_invalidations();
	if (take_recheck_wanted())
		changed |= CHANGED_LOGINS;
	material = load_state()->in_force;
	if (material != w->material)
		changed |= CHANGED_MATERIAL;
	w->material = material;
	if (is_session_end_due((int64) time(NULL)) ||
		elapsed(w->last, recheck_interval_ms()) || somebody_is_done(w))
		changed |= CHANGED_TIME;
}

/*
 * Keep in mind who may finish a transaction.
 */
static void
remember_waiting(Worker *w, List *rechecked)
{
	MemoryContext old;
	ListCell   *cell;

	MemoryContextReset(w->between);
	w->waiting = NIL;
	old = MemoryContextSwitchTo(w->between);
	foreach(cell, rechecked)
	{
		const Rechecked *r = lfirst(cell);
		Session    *copy;

		if (!r->waits)
			continue;
		/* of its facts only the pointers, which nobody follows */
		copy = palloc(sizeof(Session));
		*copy = *r->session;
		copy->refused_at = r->refused_at;
		w->waiting = lappend(w->waiting, copy);
	}
	MemoryContextSwitchTo(old);
}

static void
recheck_all(Worker *w)
{
	int			now_changed = changed;
	MemoryContext old = CurrentMemoryContext;

	w->last = GetCurrentTimestamp();

	/*
	 * Whoever logs in from here on sees what has changed.  Those who were about
	 * to log in meanwhile need no mark for yet another round.
	 */
	if (now_changed & ~CHANGED_LOGINS)
		begin_session_recheck((now_changed & (CHANGED_SETTINGS | CHANGED_MATERIAL | CHANGED_CRLS | CHANGED_STARTED)) != 0);
	changed = 0;
	PG_TRY();
	{
		StartTransactionCommand();
		MemoryContextReset(w->pass);
		MemoryContextSwitchTo(w->pass);
		/* the recheck finds those that still matter */
		forget_session_ends();
		remember_waiting(w, recheck_sessions(false, now_changed));
		CommitTransactionCommand();
		MemoryContextReset(w->pass);
		MemoryContextSwitchTo(old);
	}
	PG_CATCH();
	{
		changed |= now_changed;
		PG_RE_THROW();
	}
	PG_END_TRY();
	w->took = (int) TimestampDifferenceMilliseconds(w->last, GetCurrentTimestamp());
}

/*
 * After an error: log it, and get ready to go on.
 */
static void
recover(void)
{
	HOLD_INTERRUPTS();
	EmitErrorReport();
	AbortOutOfAnyTransaction();
	LWLockReleaseAll();
	pgstat_report_wait_end();
	FlushErrorState();
	MemoryContextSwitchTo(TopMemoryContext);
	RESUME_INTERRUPTS();
}

static void
wait_for_latch(long ms)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 ms, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
}

/*
 * Look whether something has changed, and recheck if so.  Returns how long to
 * wait then.
 */
static long
run_due_work(Worker *w)
{
	MemoryContext old = MemoryContextSwitchTo(w->pass);

	CHECK_FOR_INTERRUPTS();
	MemoryContextReset(w->pass);
	notice_changes(w);
	MemoryContextSwitchTo(old);
	if (changed == 0)
		return POLL_MS;
	/* whoever changes something all the time gets half of a processor at most */
	if (!elapsed(w->last, Max(POLL_MS, 2 * w->took)))
		return POLL_MS / 10;
	recheck_all(w);
	return POLL_MS;
}

/*
 * Write down what PostgreSQL itself has refused meanwhile.
 */
static void
collect_refusals(Worker *w)
{
	MemoryContext old = CurrentMemoryContext;

	if (!mailbox_has_letters())
		return;
	StartTransactionCommand();
	MemoryContextReset(w->pass);
	MemoryContextSwitchTo(w->pass);
	ledger_collect();
	CommitTransactionCommand();
	MemoryContextSwitchTo(old);
}

/*
 * Both; an error is logged, and tried again later.
 */
static long
look_safely(Worker *w)
{
	MemoryContext context = CurrentMemoryContext;
	volatile long pause = RETRY_MS;

	if (w->failed_at != 0 && !elapsed(w->failed_at, RETRY_MS))
		return POLL_MS;
	w->failed_at = 0;
	PG_TRY();
	{
		pause = run_due_work(w);
		collect_refusals(w);
	}
	PG_CATCH();
	{
		recover();
		w->failed_at = GetCurrentTimestamp();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	w->looked_at = GetCurrentTimestamp();
	return pause;
}

/*
 * A long list of revoked certificates keeps nobody from being rechecked.
 */
static void
pause_build(void)
{
	CHECK_FOR_INTERRUPTS();
	if (elapsed(worker.looked_at, POLL_MS))
		(void) look_safely(&worker);
}

/*
 * Is there something to be done about a set, although its files are the same?
 */
static bool
is_due(const Watched *watched, const CrlSet *set)
{
	uint8		index[FINGERPRINT_LEN];

	if (watched->failed_at != 0)
		return elapsed(watched->failed_at, CRL_RETRY_MS);
	index_signature(set, index);
	return memcmp(index, watched->index, FINGERPRINT_LEN) != 0;
}

/*
 * Bring the index of a set up to date.  Returns why it is not; *built says
 * whether there is a new one.
 */
static char *
refresh(Watched *watched, const CrlSet *set, bool with_file, const char *what, bool *built)
{
	char	   *error;

	crl_signature(set, with_file, watched->done);
	watched->failed_at = GetCurrentTimestamp();
	*built = refresh_crl_index(set, &error) == CRLS_BUILT;
	index_signature(set, watched->index);
	if (*built)
		changed |= CHANGED_CRLS;
	if (error == NULL)
		watched->failed_at = 0;
	else if (strcmp(watched->last_error, error) != 0)
		ereport(LOG,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("%s not in force: %s", what, error),
				 errdetail_log("Those that were read before, if any, stay in force.")));
	strlcpy(watched->last_error, error ? error : "", sizeof(watched->last_error));
	return error;
}

/*
 * The CRLs that sslpolicy checks.
 */
static void
check_own_crls(Worker *w)
{
	/* with copies of settings, since those can change while CRLs are read */
	CrlSet		set = {OWN_INDEX, "", "", false, false, pause_build};
	uint64		request = crls_requested();
	bool		suspect = take_index_suspicion() && w->own.failed_at == 0;
	bool		at_once;
	bool		settled;
	uint8		now[FINGERPRINT_LEN];
	bool		built;
	char	   *error;

	/* those that came before the request */
	take_settings(w);
	at_once = request != 0 || suspect || w->crls_seen == 0;
	/* other settings name files that somebody has finished */
	settled = w->new_settings;
	w->new_settings = false;
	set.file = pstrdup(crl_file());
	set.dir = pstrdup(crl_dir());
	crl_signature(&set, true, now);
	settled |= memcmp(now, w->own.seen, FINGERPRINT_LEN) == 0;
	memcpy(w->own.seen, now, FINGERPRINT_LEN);
	if (!at_once && !is_due(&w->own, &set) &&
		(!settled || memcmp(now, w->own.done, FINGERPRINT_LEN) == 0))
		return;
	set.accept_older = is_older_crl_accepted(request);
	error = refresh(&w->own, &set, true, "CRLs of sslpolicy.crl_file and crl_dir are", &built);
	crls_checked(request, built, error);
}

/*
 * The CRLs that core checks at login: for the sessions that are live already.
 * Those of ssl_crl_file are in force as they were when the server loaded them.
 */
static void
check_core_crls(Worker *w)
{
	CrlSet		set = {CORE_INDEX, pstrdup(ssl_crl_file), pstrdup(ssl_crl_dir), true, true, pause_build};
	uint8		now[FINGERPRINT_LEN];
	bool		built;

	if (!EnableSSL)
		set.file = set.dir = "";
	crl_signature(&set, false, now);
	if (!is_due(&w->core, &set) && w->material == w->core_material &&
		memcmp(now, w->core.done, FINGERPRINT_LEN) == 0)
		return;
	w->core_material = w->material;
	(void) refresh(&w->core, &set, false, "for live sessions, CRLs of ssl_crl_file and ssl_crl_dir are", &built);
}

static void
check_changed_files(Worker *w)
{
	load_changed_files();
}

/*
 * Take a step.  False if it has failed, which is logged.
 */
static bool
take_step(Worker *w, void (*step) (Worker *))
{
	volatile bool ok = true;

	MemoryContextReset(w->build);
	MemoryContextSwitchTo(w->build);
	PG_TRY();
	{
		step(w);
	}
	PG_CATCH();
	{
		recover();
		ok = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextReset(w->build);
	return ok;
}

/*
 * Look at the files of CRLs, and of TLS material.
 */
static void
check_files(Worker *w)
{
	uint64		request = crls_requested();

	if (w->crls_seen != 0 && request == 0 && !w->new_settings &&
		w->material == w->core_material && !elapsed(w->crls_seen, CRL_POLL_MS))
		return;
	/* whoever waits for it must not be told that all is well */
	if (!take_step(w, check_own_crls))
		crls_checked(request, false, "reading them has failed; the server log says why");
	(void) take_step(w, check_core_crls);
	(void) take_step(w, check_changed_files);
	w->crls_seen = GetCurrentTimestamp();
}

/*
 * Settings of the server that would get in the way of its transactions.
 */
static void
override_settings(void)
{
	static const char *const settings[][2] = {
		{"default_transaction_isolation", "read committed"},
		{"default_transaction_deferrable", "off"},
		{"statement_timeout", "0"},
		{"lock_timeout", "0"},
		{"idle_in_transaction_session_timeout", "0"},
		{"transaction_timeout", "0"}	/* since 17 */
	};

	for (int i = 0; i < (int) lengthof(settings); i++)
		if (GetConfigOption(settings[i][0], true, false) != NULL)
			SetConfigOption(settings[i][0], settings[i][1], PGC_SUSET, PGC_S_OVERRIDE);
}

static void
work(Datum arg)
{
	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(InvalidOid, InvalidOid, 0);
	override_settings();

	worker.pass = AllocSetContextCreate(TopMemoryContext, "sslpolicy recheck", ALLOCSET_DEFAULT_SIZES);
	worker.between = AllocSetContextCreate(TopMemoryContext, "sslpolicy waiting", ALLOCSET_SMALL_SIZES);
	worker.build = AllocSetContextCreate(TopMemoryContext, "sslpolicy CRLs", ALLOCSET_DEFAULT_SIZES);
	CacheRegisterSyscacheCallback(AUTHOID, catalog_changed, Int32GetDatum(CHANGED_ROLES));
	CacheRegisterSyscacheCallback(AUTHMEMMEMROLE, catalog_changed, Int32GetDatum(CHANGED_MEMBERS));
	CacheRegisterSyscacheCallback(DATABASEOID, catalog_changed, Int32GetDatum(CHANGED_DATABASES));
	register_worker();
	pgstat_report_activity(STATE_IDLE, NULL);

	/* whatever has happened before this worker */
	changed = CHANGED_STARTED;
	for (;;)
	{
		long		pause = look_safely(&worker);

		check_files(&worker);
		wait_for_latch(pause);
	}
}

/*
 * The worker as core starts it.
 */
void
sslpolicy_worker_main(Datum arg)
{
	run_worker_main("sslpolicy_worker", arg);
}

/*
 * A worker that was not registered, since max_worker_processes are all taken,
 * must not go unnoticed: core only logs it.
 */
static void
insist_on_worker(void)
{
	if (previous_startup_hook)
		previous_startup_hook();
	if (!IsUnderPostmaster && IsPostmasterEnvironment && !IsBinaryUpgrade &&
		!compat_worker_registered(WORKER_NAME))
		ereport(FATAL,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no background worker is left for sslpolicy"),
				 errdetail("max_worker_processes is %d.", max_worker_processes),
				 errhint("Raise max_worker_processes.")));
}

void
init_worker(void)
{
	BackgroundWorker registration = {0};

	offer_worker_main("sslpolicy_worker", work);
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = insist_on_worker;
	if (IsBinaryUpgrade)
		return;

	registration.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	registration.bgw_start_time = BgWorkerStart_ConsistentState;
	registration.bgw_restart_time = 1;
	strlcpy(registration.bgw_name, WORKER_NAME, sizeof(registration.bgw_name));
	strlcpy(registration.bgw_type, WORKER_NAME, sizeof(registration.bgw_type));
	strlcpy(registration.bgw_library_name, "sslpolicy", sizeof(registration.bgw_library_name));
	strlcpy(registration.bgw_function_name, "sslpolicy_worker_main", sizeof(registration.bgw_function_name));
	RegisterBackgroundWorker(&registration);
}
