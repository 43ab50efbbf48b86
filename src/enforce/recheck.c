/*-------------------------------------------------------------------------
 *
 * recheck.c
 *		Do live sessions still meet their policies?
 *
 * Facts of a session do not change, except whether the CA that has verified it is
 * still in force (anchors.c).  What policies ask of it does change.  A recheck
 * reads the policies that apply to each live session now, and judges them as
 * the login did.  The worker comes here (worker.c), and sslpolicy.recheck().
 *
 * Revoked and blocked certificates come first: sessions with such are ended before any
 * policy is judged.  Judging may take long, by what the policies ask for; in the
 * worker it has a budget, and goes on at the next pass where it has ended.
 *
 * Names of a very large certificate may be cut in the session table; what cannot
 * be told for that reason alone ends no session.  What tells a blocked or revoked
 * certificate never is.
 *
 * If the role or the database of a session is not the one that the login judged (see
 * sessions.c), the session has not been judged at all: it must meet its policies now,
 * whatever sslpolicy.recheck_policy says.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "libpq/libpq.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"

#include "base/escape.h"
#include "base/monotonic.h"
#include "base/wakeup.h"
#include "enforce/concern.h"
#include "enforce/recheck.h"
#include "labels/applicable.h"
#include "labels/exceptions.h"
#include "ledger/ended.h"
#include "ledger/ledger.h"
#include "material/anchors.h"
#include "policy/matcher.h"
#include "policy/report.h"
#include "revocation/crlstate.h"
#include "revocation/revocation.h"
#include "settings/directory.h"
#include "settings/settings.h"

/* What sessions are judged by. */
typedef struct Basis
{
	CatalogCopy *catalogs;		/* NULL: policies are not looked at */
	bool		all;			/* judge all by policies; false: only the misjudged */
	Anchors    *anchors;		/* with catalogs: the CAs in force */
	BlockedCertificates *blocked;
	RevocationIndex *own;		/* NULL: no such CRLs */
	RevocationIndex *core;
	uint64		core_material;	/* what core had loaded, as core knows it */
	bool		dry_run;
	int			changed;		/* what has: CHANGED_... */
	int64		now;
} Basis;

static const char *const cause_names[] = {"", "policy", "expired", "blocked", "revoked"};

/*
 * What has changed, in words.
 */
static char *
changes_text(int changed)
{
	static const char *const names[] = {
		"roles or their policies",
		"memberships of roles",
		"databases or their policies",
		"settings",
		"TLS material",
		"revocation lists",
		"time",
		"logins",
		"asked for",
		"the worker was started",
	};
	StringInfoData buf;

	/* that somebody logged in meanwhile is news only if nothing else is */
	if (changed & ~CHANGED_LOGINS)
		changed &= ~CHANGED_LOGINS;
	initStringInfo(&buf);
	for (int i = 0; i < (int) lengthof(names); i++)
		if (changed & (1 << i))
			appendStringInfo(&buf, "%s%s", buf.len ? ", " : "", names[i]);
	return buf.data;
}

static bool
is_revoked(RevocationIndex *index, Rechecked *r, int64 now)
{
	Revocation	revocation;

	if (index == NULL)
		return false;
	revocation = check_revocation(index, &r->session->facts, now);
	if (revocation.status != REVOKED)
		return false;
	r->cause = CAUSE_REVOKED;
	r->reasons = list_make1(revocation.detail);
	return true;
}

/*
 * Core has judged a handshake by the CRLs that it had loaded.  Until the worker has read
 * those too, its index says less, and could end a session by a revocation that has been
 * lifted.
 */
static bool
is_known_to_core_index(const Session *s, const Basis *basis)
{
	return s->handshake <= basis->core_material;
}

static Compliance
compliance_of(const Verdict *verdict)
{
	switch (verdict->outcome)
	{
		case OUTCOME_OK:
			return COMPLIANCE_YES;
		case OUTCOME_FAILED:
			return COMPLIANCE_NO;
		default:
			return COMPLIANCE_UNKNOWN;
	}
}

static void
check_policies(Rechecked *r, const CatalogCopy *catalogs, int64 now)
{
	const Session *s = r->session;
	Applicable *applicable = find_applicable_in(catalogs, s->role, s->facts.role,
												s->database, s->facts.database, NULL);
	Verdict    *verdict = evaluate(applicable->policies, applicable->count, &s->facts,
								   regex_matches, now);
	bool		expired = false;

	/* that of an expired certificate stays: it was so as long as it was valid */
	if (s->facts.cert && now <= s->facts.cert->not_after)
		r->end_at = verdict->end_on_expiry ? s->facts.cert->not_after : 0;
	r->compliance = compliance_of(verdict);
	if (r->compliance == COMPLIANCE_YES)
		return;
	r->reasons = failure_list(verdict, &s->facts, false);
	if (r->compliance == COMPLIANCE_UNKNOWN && !s->misjudged)
		return;
	for (int i = 0; i < verdict->nchecks; i++)
	{
		const Check *check = &verdict->checks[i];

		expired |= check->outcome == OUTCOME_FAILED && !check->log_only &&
			check->key == KEY_ON_EXPIRY;
	}
	r->cause = expired && r->end_at != 0 ? CAUSE_EXPIRED : CAUSE_POLICY;
}

/*
 * May a session be ended for this cause at all?
 */
static bool
is_to_be_ended(const Rechecked *r)
{
	/* the login would have refused it, had it judged the right role and database */
	if (r->session->misjudged && r->cause != CAUSE_NONE && enforcement() == ENFORCEMENT_ENFORCE)
		return true;
	switch (r->cause)
	{
		case CAUSE_BLOCKED:
		case CAUSE_REVOKED:
			return recheck_revoked() == RECHECK_TERMINATE;
		case CAUSE_EXPIRED:
			/* no policy has changed: this is what it says */
			return enforcement() == ENFORCEMENT_ENFORCE &&
				recheck_policy() != RECHECK_OFF;
		case CAUSE_POLICY:
			return enforcement() == ENFORCEMENT_ENFORCE &&
				recheck_policy() == RECHECK_TERMINATE && !r->session->replication;
		default:
			return false;
	}
}

/*
 * Is it time to end a session that is to be ended?  One that breaks a policy may
 * finish its transaction.
 */
static bool
is_time(Rechecked *r, int changed)
{
	if (r->cause == CAUSE_BLOCKED || r->cause == CAUSE_REVOKED || r->session->misjudged ||
		!is_session_in_transaction(r->session))
		return true;
	if (r->refused_at == 0)
	{
		r->refused_at = this_moment();
		r->refused_for = changed;
	}
	r->waits = !has_elapsed(r->refused_at, terminate_grace_ms());
	return !r->waits;
}

/*
 * Is it the certificate itself that must not be used?
 */
static bool
is_of_certificate(const Rechecked *r)
{
	return r->cause == CAUSE_BLOCKED || r->cause == CAUSE_REVOKED;
}

/*
 * What had changed when the session was refused: before it waited, if it did.
 */
static char *
changes_for(const Rechecked *r, int changed)
{
	return changes_text(!is_of_certificate(r) && r->refused_for ? r->refused_for : changed);
}

static char *
why_it_ends(const Rechecked *r)
{
	if (r->session->misjudged)
		return "its login was judged for another role or database, and it does not meet its TLS policy";
	switch (r->cause)
	{
		case CAUSE_EXPIRED:
			return "its client certificate has expired";
		case CAUSE_BLOCKED:
			return psprintf("its %s", (char *) linitial(r->reasons));
		case CAUSE_REVOKED:
			return "its client certificate, or one that verified it, is revoked";
		default:
			return "it does not meet its TLS policy any more";
	}
}

static void
report(const Rechecked *r, int changed)
{
	const Session *s = r->session;
	const char *why = why_it_ends(r);
	StringInfoData reasons;
	ListCell   *cell;

	initStringInfo(&reasons);
	foreach(cell, r->reasons)
		appendStringInfo(&reasons, "%s%s", reasons.len ? ", " : "", (char *) lfirst(cell));
	ereport(LOG_SERVER_ONLY,
			(r->ended ?
				 errmsg("session of role %s (PID %d) ended: %s", quoted_name(s->facts.role), s->pid, why) :
				 errmsg("session of role %s (PID %d) would be ended: %s", quoted_name(s->facts.role), s->pid, why),
			 errdetail_log("Session: %s; %s%s; changed: %s.", facts_for_log(&s->facts),
						   is_of_certificate(r) ? "" : "required: ", reasons.data,
						   changes_for(r, changed)),
			 errhidestmt(true), errhidecontext(true)));
}

/*
 * Is the session to be ended now?
 */
static void
decide(Rechecked *r, int changed)
{
	bool		ends = is_to_be_ended(r);

	if (!ends)
	{
		r->refused_at = 0;
		r->refused_for = 0;
	}
	r->ended = ends && is_time(r, changed);
}

/*
 * Can a recheck change anything for the session?
 */
static bool
is_concerned(const Session *s)
{
	return !s->facts.local && !s->ending;
}

/*
 * The certificate itself, whatever the policies: must it not be used?
 * (That a CRL is missing or has expired keeps new sessions out, and ends none.)
 */
static void
judge_certificate(Rechecked *r, const Basis *basis)
{
	const Facts *facts = &r->session->facts;
	const char *blocked;

	stop_point(psprintf("recheck_%d", r->session->pid));
	blocked = blocked_reason(basis->blocked, facts);
	if (blocked != NULL)
	{
		r->cause = CAUSE_BLOCKED;
		r->reasons = list_make1(psprintf("client certificate %s", blocked));
	}
	else if (!is_revoked(basis->own, r, basis->now) &&
			 !(is_known_to_core_index(r->session, basis) && is_revoked(basis->core, r, basis->now)))
		return;
	r->compliance = COMPLIANCE_NO;
	if (is_concerned(r->session))
		decide(r, basis->changed);
}

/*
 * One that has passed without ending the session is of no interest any more.
 */
static void
keep_session_end(const Rechecked *r)
{
	if (r->end_at >= (int64) time(NULL))
		note_session_end(r->end_at);
}

/*
 * Say what has become of a session, and keep what was found out.
 */
static void
record(const Rechecked *r, int changed)
{
	const Session *s = r->session;
	SessionState state = {r->compliance, r->end_at, r->refused_at, r->refused_for, r->failing, is_of_certificate(r)};
	bool		told = is_of_certificate(r) ? s->certificate_told : s->compliance == COMPLIANCE_NO;

	if (r->put_off)
	{
		keep_session_end(r);
		return;
	}
	if (r->ended)
	{
		report(r, changed);
		remember_ended(s, cause_names[r->cause], changes_for(r, changed), r->reasons);
		ledger_rechecked(s, r->reasons, true);
	}
	/* once is enough */
	else if (r->cause != CAUSE_NONE && !is_to_be_ended(r) && !told)
	{
		report(r, changed);
		ledger_rechecked(s, r->reasons, false);
	}

	if (state.compliance != s->compliance || state.end_at != s->end_at ||
		state.refused_at != s->refused_at || state.refused_for != s->refused_for || state.failing != s->failing ||
		state.certificate_told != s->certificate_told || s->misjudged)
		set_session_state(s, &state);
	keep_session_end(r);
}

static Rechecked *
begin_with(Session *s)
{
	Rechecked  *r = palloc0(sizeof(Rechecked));

	r->session = s;
	r->compliance = s->compliance;
	r->end_at = s->end_at;
	r->refused_at = s->refused_at;
	r->refused_for = s->refused_for;
	return r;
}

/*
 * End the sessions that must, and say so; keep what was found out about the others.
 * Of both kinds, those whose certificate must not be used, or the rest.
 */
static void
carry_out(List *rechecked, bool of_certificate, int changed)
{
	ListCell   *cell;

	/* first of all the signals: the processes that end take their time */
	foreach(cell, rechecked)
	{
		Rechecked  *r = lfirst(cell);

		if (r->ended && is_of_certificate(r) == of_certificate)
			r->ended = end_session(r->session);
	}
	foreach(cell, rechecked)
	{
		const Rechecked *r = lfirst(cell);

		if (is_concerned(r->session) && is_of_certificate(r) == of_certificate)
			record(r, changed);
	}
}

/*
 * Judge a session by its certificate, or by its policies.  An error about one session
 * costs that session alone: whether it complies is not known then, it is not ended, and
 * the others are judged.  The log says so once.
 *
 * The error is caught without a subtransaction: to judge takes no lock, and no resource
 * that would have to be given back.  Who has asked for a recheck can cancel it.
 */
static void
judge_guarded(void (*judge)(Rechecked *, const Basis *), Rechecked *r, const Basis *basis)
{
	const Session *s = r->session;
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		judge(r, basis);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			PG_RE_THROW();
		FlushErrorState();
		if (!s->failing)
			ereport(LOG_SERVER_ONLY,
					(errcode(error->sqlerrcode),
					 errmsg("session of role %s (PID %d) cannot be judged: %s",
							quoted_name(s->facts.role), s->pid, error->message),
					 errdetail_log("Whether it complies is not known. The others are judged."),
					 errhidestmt(true), errhidecontext(true)));
		r->compliance = COMPLIANCE_UNKNOWN;
		r->cause = CAUSE_NONE;
		r->ended = false;
		r->failing = true;
	}
	PG_END_TRY();
}

/*
 * The certificates of all sessions.  Those that must not be used have their sessions
 * ended here.
 */
static void
recheck_certificates(List *rechecked, Basis *basis, int changed)
{
	ListCell   *cell;

	if (!basis->dry_run && recheck_revoked() == RECHECK_OFF)
		return;
	basis->blocked = blocked_certificates();
	if (crls_configured())
		basis->own = open_revocation_index(false);
	/* the number first: the index may be replaced now */
	basis->core_material = core_index_material();
	if (ssl_crl_file[0] || ssl_crl_dir[0])
		basis->core = open_revocation_index(true);
	foreach(cell, rechecked)
	{
		Rechecked  *r = lfirst(cell);

		CHECK_FOR_INTERRUPTS();
		if (!r->session->facts.local)
			judge_guarded(judge_certificate, r, basis);
	}
	if (basis->own)
		close_revocation_index(basis->own);
	if (basis->core)
		close_revocation_index(basis->core);
	if (!basis->dry_run)
		carry_out(rechecked, true, changed);
}

static void
judge_by_policies(Rechecked *r, const Basis *basis)
{
	Session    *s = r->session;

	if (basis->catalogs != NULL)
		judge_anchor(&s->facts, basis->anchors);
	if (basis->catalogs != NULL && (basis->all || s->misjudged))
		check_policies(r, basis->catalogs, basis->now);
	else if (enforcement() == ENFORCEMENT_OFF)
		r->compliance = COMPLIANCE_UNKNOWN;
	if (is_concerned(s))
		decide(r, basis->changed);
}

/*
 * Has a slot had its turn in this round?
 */
static bool
had_its_turn(const Judging *judging, int slot)
{
	if (judging->first <= judging->next)
		return slot >= judging->first && slot < judging->next;
	return slot >= judging->first || slot < judging->next;
}

/*
 * When in a pass a session is judged: those that nobody has judged as what they are come
 * first, then those from where the last pass has ended, and around.  -1: not in this
 * one.
 */
#define TURNS 3

static int
turn_of(const Session *s, const Judging *judging)
{
	if (judging == NULL || s->misjudged)
		return 0;
	if (had_its_turn(judging, s->slot))
		return -1;
	return s->slot >= judging->next ? 1 : 2;
}

static void
put_off(Rechecked *r)
{
	r->put_off = true;
	r->waits = r->refused_at != 0;
}

/*
 * The policies of all sessions whose certificate may be used, as far as the budget
 * goes: at least one is judged.
 */
static void
recheck_policies(List *rechecked, const Basis *basis, Judging *judging)
{
	Moment		start = this_moment();
	int			judged = 0;
	int			next = judging ? judging->next : 0;
	bool		over = false;
	ListCell   *cell;

	for (int turn = -1; turn < TURNS; turn++)
		foreach(cell, rechecked)
		{
			Rechecked  *r = lfirst(cell);
			const Session *s = r->session;

			if (s->facts.local || r->cause != CAUSE_NONE || r->failing || r->put_off ||
				turn_of(s, judging) != turn)
				continue;
			if (!over && judging && judged > 0 && has_elapsed(start, judging->budget))
			{
				over = true;
				if (turn > 0)
					next = s->slot;
			}
			if (over || turn < 0)
			{
				put_off(r);
				continue;
			}
			CHECK_FOR_INTERRUPTS();
			judge_guarded(judge_by_policies, r, basis);
			judged++;
		}
	if (judging)
	{
		judging->next = next;
		judging->unfinished = over;
	}
}

/*
 * Do policies apply to any of them?
 */
static bool
has_remote(List *sessions)
{
	ListCell   *cell;

	foreach(cell, sessions)
		if (!((const Session *) lfirst(cell))->facts.local)
			return true;
	return false;
}

static bool
has_misjudged(List *sessions)
{
	ListCell   *cell;

	foreach(cell, sessions)
	{
		const Session *s = lfirst(cell);

		if (s->misjudged && is_concerned(s))
			return true;
	}
	return false;
}

/*
 * What the policies of these sessions depend on.
 */
static CatalogCopy *
copy_needed_catalogs(List *sessions, Snapshot snapshot)
{
	List	   *roles = NIL;
	List	   *databases = NIL;
	ListCell   *cell;

	foreach(cell, sessions)
	{
		const Session *s = lfirst(cell);

		if (s->facts.local)
			continue;
		roles = lappend_oid(roles, s->role);
		databases = lappend_oid(databases, s->database);
	}
	return copy_catalogs_for(roles, databases, snapshot);
}

/*
 * Recheck live sessions, and end those that must; in a dry run only say which, by the
 * policies that the caller's snapshot sees, as if policies were enforced.  changed is
 * what to say in the log.  With judging, policies are judged as far as its budget goes;
 * without, those of all.  In a transaction; the result is in the current memory
 * context.
 *
 * Sessions are looked at before policies, so that none is judged by policies from
 * before its login.
 */
List *
recheck_sessions(bool dry_run, int changed, Judging *judging)
{
	Snapshot	snapshot;
	List	   *result = NIL;
	Basis		basis = {.dry_run = dry_run, .changed = changed, .now = (int64) time(NULL)};
	List	   *sessions;
	ListCell   *cell;

	if (judging != NULL)
		ereport(DEBUG1, (errmsg_internal("live sessions are rechecked: %s", changes_text(changed))));
	sessions = copy_sessions();
	foreach(cell, sessions)
		result = lappend(result, begin_with(lfirst(cell)));
	recheck_certificates(result, &basis, changed);

	snapshot = RegisterSnapshot(dry_run ? GetActiveSnapshot() : GetLatestSnapshot());
	basis.all = dry_run || (enforcement() != ENFORCEMENT_OFF && recheck_policy() != RECHECK_OFF);
	if ((basis.all && has_remote(sessions)) || (enforcement() != ENFORCEMENT_OFF && has_misjudged(sessions)))
	{
		basis.catalogs = copy_needed_catalogs(sessions, snapshot);
		basis.anchors = anchors_in_force();
	}
	if (judging != NULL)
		remember_dependence(sessions, basis.catalogs);
	recheck_policies(result, &basis, judging);
	UnregisterSnapshot(snapshot);
	if (dry_run)
		return result;

	carry_out(result, false, changed);
	return result;
}
