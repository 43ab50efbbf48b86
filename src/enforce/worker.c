/*-------------------------------------------------------------------------
 *
 * worker.c
 *		The background worker: rechecks live sessions, and does for all of them
 *		what no session should do itself.
 *
 * It is attached to no database, so that it is in nobody's way, and reads shared
 * catalogs only.
 *
 * When it is woken, and as often as there is reason to (pace.c), it looks whether
 * something has changed that policies depend on, and if so it rechecks all sessions
 * (recheck.c).  Such are
 *	- roles, memberships and databases that live sessions depend on (concern.c)
 *	- settings, by SIGHUP
 *	- TLS material, by the number of what is in force (generation.c)
 *	- CRLs, when it has built an index of them
 *	- time: the first certificate that ends its session has expired, a session that
 *	  was to end after its transaction can, or sslpolicy.recheck_interval is over
 *	- somebody who logged in during a recheck, or has asked for one (wakeup.c)
 *	- a session for which core had not yet found role and database at the recheck, and
 *	  has since found others than the login judged (sessions.c)
 * Then it writes down who has logged in meanwhile (newlogins.c), and what PostgreSQL itself has
 * refused (ledger.c).
 *
 * Once a second, and at once when somebody waits for it or settings or TLS material
 * have changed, it looks at files:
 *	- of CRLs, whose indexes it builds anew if there is a reason to (ReadReason),
 *	  while sessions go on to be rechecked
 *	- of TLS material, which it has loaded with sslpolicy.auto_reload (autoreload.c)
 *
 * It also notices what the catalog holds for every node, and has it applied (watch.c).
 *
 * An error is logged, and what was to be done is tried again: a recheck after a
 * second, CRLs after a minute or when something changes.
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
#include "storage/lwlock.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"

#include "base/compat.h"
#include "base/monotonic.h"
#include "base/preload.h"
#include "base/wakeup.h"
#include "base/workersettings.h"
#include "cluster/applier.h"
#include "cluster/watch.h"
#include "enforce/concern.h"
#include "enforce/pace.h"
#include "enforce/recheck.h"
#include "enforce/worker.h"
#include "install/history.h"
#include "ledger/ledger.h"
#include "ledger/mailbox.h"
#include "ledger/newlogins.h"
#include "material/anchors.h"
#include "material/autoreload.h"
#include "material/generation.h"
#include "revocation/crlbuild.h"
#include "revocation/crlstate.h"
#include "revocation/indexfile.h"
#include "settings/settings.h"

#define WORKER_NAME "sslpolicy"

/*
 * Many changes of roles in a row are one recheck: such a one waits until the others have
 * taken a tenth of the time, but not longer than this.
 */
#define MAX_GAP_MS 500

/* How long sessions are judged by their policies before lists and others have a turn. */
#define JUDGING_MS 200

/* After an error. */
#define RETRY_MS 1000

/*
 * How often to look at files of CRLs and of TLS material.  Changed ones are read
 * when they have been the same twice: they may be being written.
 */
#define FILES_POLL_MS 1000

/* When to read CRLs again that have failed, although nothing has changed. */
#define CRL_RETRY_MS 60000

PGDLLEXPORT void sslpolicy_worker_main(Datum arg);

/*
 * A set of CRLs and the index of them, as they were when the worker looked.
 */
typedef struct WatchedCrls
{
	const char *what;			/* for the log */
	uint8		seen[FINGERPRINT_LEN];	/* files, at the last look */
	uint8		done[FINGERPRINT_LEN];	/* files that the index is up to date
										 * with, or cannot be */
	uint8		index[FINGERPRINT_LEN]; /* the index as it was left */
	uint8		surroundings[FINGERPRINT_LEN];	/* when it failed */
	char		last_error[1024];	/* that has been logged */
	Moment		failed_at;		/* 0: has not failed */
} WatchedCrls;

/*
 * Why CRLs are read now.  Of several reasons the first one counts.  Each has them
 * read; a request can also allow for older ones.
 */
typedef enum ReadReason
{
	READ_NOTHING,				/* there is no reason to */
	READ_ON_REQUEST,			/* somebody waits for the result */
	READ_AT_START,				/* of this worker */
	READ_ON_SUSPICION,			/* a login could not read the index */
	READ_AGAIN,					/* it has failed, some time ago or for another reason */
	READ_FOR_INDEX,				/* somebody has touched the index */
	READ_AS_LOADED,				/* the server has loaded TLS files */
	READ_CHANGED				/* their files have changed */
} ReadReason;

typedef struct Worker
{
	MemoryContext pass;			/* reset before each recheck */
	MemoryContext between;		/* what is kept until the next one */
	List	   *waiting;		/* sessions that may finish their transaction */
	List	   *incomplete;		/* sessions that may turn out to be another role's */
	Moment		last;			/* when the last recheck began */
	uint64		material;		/* generation that was in force then */
	uint64		anchors;		/* generation whose CAs were known at that time */
	MemoryContext build;		/* reset before CRLs are read */
	Moment		files_seen;		/* when they were looked at; 0: not yet */
	bool		new_settings;	/* have come since then */
	WatchedCrls own;
	WatchedCrls core;
	uint64		core_material;	/* generation that the core index belongs to */
	Moment		looked_at;		/* whether there is something to recheck */
	Moment		failed_at;		/* with an error; 0: it did not */
	int			took;			/* the last recheck, in ms */
	Judging		judging;		/* of policies, which can take several passes */
	int			judging_for;	/* CHANGED_...: what they are judged for */
	bool		reading;		/* files */
	char		step_error[1024];	/* of the last step that has failed */
} Worker;

static Worker worker = {
	.judging.budget = JUDGING_MS,
	.own.what = "CRLs of sslpolicy.crl_file and crl_dir are",
	.core.what = "for live sessions, CRLs of ssl_crl_file and ssl_crl_dir are",
};

static volatile int changed = 0;	/* CHANGED_...: not rechecked yet */

static shmem_startup_hook_type previous_startup_hook = NULL;

static void watch_files(Worker *w);

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
	note_settings_for_cluster();
	changed |= CHANGED_SETTINGS;
	w->new_settings = true;
	note_activity();
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
			has_elapsed(s->refused_at, terminate_grace_ms()))
			return true;
	}
	return false;
}

/*
 * Has an incomplete session turned out to be another role's, or in another database?
 */
static bool
somebody_was_misjudged(Worker *w)
{
	ListCell   *cell;

	foreach(cell, w->incomplete)
	{
		SessionProgress progress = session_progress(lfirst(cell));

		if (progress == SESSION_MISJUDGED)
			return true;
		if (progress == SESSION_SETTLED)
			w->incomplete = foreach_delete_current(w->incomplete, cell);
	}
	return false;
}

static void
notice_changes(Worker *w)
{
	LoadState  *state;

	take_settings(w);
	accept_invalidations();
	changed |= take_catalog_changes();
	if (take_recheck_wanted() || somebody_was_misjudged(w))
		changed |= CHANGED_LOGINS;
	state = load_state();
	if (state->in_force != w->material)
	{
		changed |= CHANGED_MATERIAL;
		/* its settings were there before it, but maybe not yet when we took them above */
		take_settings(w);
		learn_loaded_anchors(state);
	}
	w->material = state->in_force;
	/* another process may have learned the CAs */
	if (number_of_anchors() != w->anchors)
		changed |= CHANGED_MATERIAL;
	w->anchors = number_of_anchors();
	if (is_session_end_due((int64) time(NULL)) ||
		has_elapsed(w->last, recheck_interval_ms()) || somebody_is_done(w))
		changed |= CHANGED_TIME;
}

/*
 * Remember which sessions may finish a transaction, and which are not complete yet.
 */
static void
remember_sessions(Worker *w, List *rechecked)
{
	MemoryContext old;
	ListCell   *cell;

	MemoryContextReset(w->between);
	w->waiting = NIL;
	w->incomplete = NIL;
	old = MemoryContextSwitchTo(w->between);
	foreach(cell, rechecked)
	{
		const Rechecked *r = lfirst(cell);
		Session    *copy;

		if (!r->waits && r->session->complete)
			continue;
		/* of its facts only the pointers, which nobody follows */
		copy = palloc(sizeof(Session));
		*copy = *r->session;
		copy->refused_at = r->refused_at;
		if (r->waits)
			w->waiting = lappend(w->waiting, copy);
		if (!r->session->complete)
			w->incomplete = lappend(w->incomplete, copy);
	}
	MemoryContextSwitchTo(old);
}

static void
recheck_all(Worker *w)
{
	int			now_changed = changed;
	MemoryContext old = CurrentMemoryContext;

	w->last = this_moment();

	/* what has changed concerns those as well that were judged before */
	if (now_changed != 0)
		w->judging.first = w->judging.next;
	w->judging_for = now_changed | (w->judging.unfinished ? w->judging_for : 0);

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
		remember_sessions(w, recheck_sessions(false, w->judging_for, &w->judging));
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
	w->took = (int) (microseconds_since(w->last) / 1000);
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

/*
 * The least time from the beginning of the last recheck to the next one.  Whoever changes
 * something all the time gets half of a processor at most.
 */
static int
least_gap(const Worker *w)
{
	int			gap = Max(POLL_MS, 2 * w->took);
	int			others = changed & ~(CHANGED_ROLES | CHANGED_MEMBERS | CHANGED_DATABASES);

	if (changed == 0 || others != 0 || w->judging.unfinished)
		return gap;
	return Max(gap, Min(10 * w->took, MAX_GAP_MS));
}

/*
 * Look whether something has changed, and recheck if so.
 */
static void
run_due_work(Worker *w)
{
	MemoryContext old = MemoryContextSwitchTo(w->pass);

	CHECK_FOR_INTERRUPTS();
	MemoryContextReset(w->pass);
	notice_changes(w);
	MemoryContextSwitchTo(old);
	/* no policy, and no number of them, keeps lists from being read */
	if (!w->reading)
		watch_files(w);
	if ((changed != 0 || w->judging.unfinished) && has_elapsed(w->last, least_gap(w)))
		recheck_all(w);
}

/*
 * Write down who has logged in meanwhile, and what PostgreSQL itself has refused.
 */
static void
update_ledger(Worker *w)
{
	MemoryContext old = CurrentMemoryContext;

	MemoryContextReset(w->pass);
	MemoryContextSwitchTo(w->pass);
	note_new_logins();
	if (mailbox_has_letters())
	{
		StartTransactionCommand();
		MemoryContextSwitchTo(w->pass);
		ledger_collect();
		CommitTransactionCommand();
	}
	MemoryContextSwitchTo(old);
}

/*
 * Recheck and collect, if that is due.  An error is logged, and tried again later.
 */
static void
watch_sessions(Worker *w)
{
	MemoryContext context = CurrentMemoryContext;

	if (w->failed_at != 0 && !has_elapsed(w->failed_at, RETRY_MS))
		return;
	w->failed_at = 0;
	PG_TRY();
	{
		run_due_work(w);
		update_ledger(w);
	}
	PG_CATCH();
	{
		recover();
		w->failed_at = this_moment();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	w->looked_at = this_moment();
}

static int
ms_until(Moment since, int ms)
{
	return ms - (int) (microseconds_since(since) / 1000);
}

/*
 * How long to wait until it looks again, if nobody wakes it.
 */
static long
time_to_wait(const Worker *w)
{
	if (w->failed_at != 0)
		return POLL_MS;
	if (changed != 0 || w->judging.unfinished)
		return Max(POLL_MS / 10, Min(POLL_MS, ms_until(w->last, least_gap(w))));
	/* what has come since it looked has to be looked at */
	if (has_catalog_changes())
		return POLL_MS / 10;
	if (w->waiting != NIL || w->incomplete != NIL)
		return POLL_MS;
	return time_until_look(ms_until(w->last, recheck_interval_ms()));
}

/*
 * A long list of revoked certificates keeps nobody from being rechecked.
 */
static void
pause_build(void)
{
	CHECK_FOR_INTERRUPTS();
	if (has_elapsed(worker.looked_at, POLL_MS))
		watch_sessions(&worker);
}

static bool
is_same(const uint8 *a, const uint8 *b)
{
	return memcmp(a, b, FINGERPRINT_LEN) == 0;
}

/*
 * The reason to read CRLs although their files are the same.
 */
static ReadReason
reason_with_same_files(const WatchedCrls *watched, const CrlSet *set)
{
	uint8		index[FINGERPRINT_LEN];
	uint8		surroundings[FINGERPRINT_LEN];

	if (watched->failed_at != 0)
	{
		index_surroundings(set->index, surroundings);
		return has_elapsed(watched->failed_at, CRL_RETRY_MS) ||
				!is_same(surroundings, watched->surroundings) ?
			READ_AGAIN :
			READ_NOTHING;
	}
	index_signature(set, index);
	return is_same(index, watched->index) ? READ_NOTHING : READ_FOR_INDEX;
}

/*
 * The reason to read the CRLs that sslpolicy checks itself.
 */
static ReadReason
reason_to_read_own(Worker *w, const CrlSet *set, uint64 request)
{
	uint8		now[FINGERPRINT_LEN];
	bool		suspicion = take_index_suspicion();
	bool		finished;
	ReadReason	reason;

	/* nobody is writing them any more; nor those that settings name newly */
	crl_signature(set, now);
	finished = is_same(now, w->own.seen) || w->new_settings;
	memcpy(w->own.seen, now, FINGERPRINT_LEN);
	w->new_settings = false;

	if (request != 0)
		return READ_ON_REQUEST;
	if (w->files_seen == 0)
		return READ_AT_START;
	/* what has failed has its own time to be tried again */
	if (suspicion && w->own.failed_at == 0)
		return READ_ON_SUSPICION;
	reason = reason_with_same_files(&w->own, set);
	if (reason == READ_NOTHING && finished && !is_same(now, w->own.done))
		reason = READ_CHANGED;
	return reason;
}

/*
 * The reason to read the CRLs that core checks.
 */
static ReadReason
reason_to_read_core(const Worker *w, const CrlSet *set)
{
	uint8		now[FINGERPRINT_LEN];
	ReadReason	reason = reason_with_same_files(&w->core, set);

	if (reason != READ_NOTHING)
		return reason;
	if (w->material != w->core_material)
		return READ_AS_LOADED;
	crl_signature(set, now);
	return is_same(now, w->core.done) ? READ_NOTHING : READ_CHANGED;
}

/*
 * Bring the index of a set up to date.  *error says why it is not, or is NULL.
 */
static CrlOutcome
refresh_index(WatchedCrls *watched, const CrlSet *set, char **error)
{
	volatile CrlOutcome outcome = CRLS_FAILED;

	crl_signature(set, watched->done);
	/* also if an ERROR ends it */
	watched->failed_at = this_moment();
	PG_TRY();
	{
		outcome = refresh_crl_index(set, error);
	}
	PG_FINALLY();
	{
		index_signature(set, watched->index);
		index_surroundings(set->index, watched->surroundings);
	}
	PG_END_TRY();
	if (outcome == CRLS_BUILT)
		changed |= CHANGED_CRLS;
	if (*error == NULL)
		watched->failed_at = 0;
	else if (strncmp(watched->last_error, *error, sizeof(watched->last_error) - 1) != 0)
		ereport(LOG_SERVER_ONLY,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("%s not in force: %s", watched->what, *error),
				 errdetail_log("Those that were read before, if any, stay in force.")));
	strlcpy(watched->last_error, *error ? *error : "", sizeof(watched->last_error));
	return outcome;
}

/*
 * The index of the CRLs that sslpolicy checks itself, at logins and in rechecks.
 * Whoever waits for it is told.
 */
static void
refresh_own_index(Worker *w)
{
	/* with copies of settings, since those can change while CRLs are read */
	CrlSet		set = {.index = OWN_INDEX, .file = "", .dir = "", .pause = pause_build};
	uint64		request = crls_requested();
	ReadReason	reason;
	CrlOutcome	outcome;
	char	   *error;

	/* those that came before the request */
	take_settings(w);
	set.file = pstrdup(crl_file());
	set.dir = pstrdup(crl_dir());
	reason = reason_to_read_own(w, &set, request);
	if (reason == READ_NOTHING)
		return;
	set.accept_older = reason == READ_ON_REQUEST && is_older_crl_accepted(request);
	outcome = refresh_index(&w->own, &set, &error);
	crls_checked(request, outcome == CRLS_BUILT, error);
}

/*
 * The index of the CRLs that core checks at logins: rechecks look at it for the
 * sessions that are live already.  CRLs of ssl_crl_file are in force as they were
 * when the server loaded them.
 */
static void
refresh_core_index(Worker *w)
{
	CrlSet		set = {CORE_INDEX, pstrdup(ssl_crl_file), pstrdup(ssl_crl_dir), true, true, NULL, NULL, NULL, pause_build};
	char	   *error;

	if (!EnableSSL)
		set.file = set.dir = "";
	if (reason_to_read_core(w, &set) == READ_NOTHING)
		return;
	w->core_material = w->material;
	if (refresh_index(&w->core, &set, &error) == CRLS_FAILED ||
		w->core_material == core_index_material())
		return;
	/* sessions that wait for it: see recheck.c */
	set_core_index_material(w->core_material);
	changed |= CHANGED_MATERIAL;
}

static void
load_changed_material(Worker *w)
{
	load_changed_files();
}

static void
watch_replicated(Worker *w)
{
	watch_cluster();
}

/*
 * Take a step.  False if it has failed, which is logged; w->step_error says why.
 */
static bool
take_step(Worker *w, void (*step)(Worker *))
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
		MemoryContextSwitchTo(w->build);
		strlcpy(w->step_error, CopyErrorData()->message, sizeof(w->step_error));
		recover();
		ok = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextReset(w->build);
	return ok;
}

/*
 * Look at the files of CRLs, and of TLS material, if that is due.
 */
static void
watch_files(Worker *w)
{
	uint64		request = crls_requested();

	if (w->files_seen != 0 && request == 0 && !w->new_settings &&
		w->material == w->core_material && !has_elapsed(w->files_seen, FILES_POLL_MS))
		return;
	w->reading = true;
	/* whoever waits for it must not be told that all is well */
	if (!take_step(w, refresh_own_index))
		crls_checked(request, false, w->step_error);
	(void) take_step(w, refresh_core_index);
	(void) take_step(w, load_changed_material);
	w->reading = false;
	w->files_seen = this_moment();
}

/*
 * A process that is killed between putting files in place and having them loaded
 * takes the server into a crash restart, which loads nothing.
 */
static void
load_interrupted(Worker *w)
{
	if (!has_interrupted_installation())
		return;
	ereport(LOG_SERVER_ONLY,
			(errmsg("an installation of TLS material was interrupted: what is in place is loaded")));
	(void) kill(PostmasterPid, SIGHUP);
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
	begin_watching_catalogs();
	begin_watching_cluster();
	register_worker();
	pgstat_report_activity(STATE_IDLE, NULL);

	(void) take_step(&worker, load_interrupted);
	/* whatever has happened before this worker */
	changed = CHANGED_STARTED;
	note_activity();
	for (;;)
	{
		watch_sessions(&worker);
		(void) take_step(&worker, watch_replicated);
		watch_files(&worker);
		wait_for_latch(time_to_wait(&worker));
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
 * must not go unnoticed: core only logs it.  The same goes for the applier.
 */
static void
insist_on_worker(void)
{
	if (previous_startup_hook)
		previous_startup_hook();
	if (!IsUnderPostmaster && IsPostmasterEnvironment && !IsBinaryUpgrade &&
		!(compat_worker_registered(WORKER_NAME) && compat_worker_registered(APPLIER_NAME)))
		ereport(FATAL,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no background worker is left for sslpolicy"),
				 errdetail("max_worker_processes is %d. sslpolicy needs two.", max_worker_processes),
				 errhint("Raise max_worker_processes.")));
}

void
init_worker(void)
{
	offer_worker_main("sslpolicy_worker", work);
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = insist_on_worker;
	register_static_worker(WORKER_NAME, "sslpolicy_worker_main", 1);
}
