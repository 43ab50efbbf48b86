/*-------------------------------------------------------------------------
 *
 * preview.c
 *		Whom a policy would refuse that is not set yet.
 *
 * Every live session and every recent login is judged twice by the code of the
 * login: by the policies that there are, and with the new one in its place.  What
 * a large certificate said that was cut to keep it is not known, and not guessed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "advice/preview.h"
#include "base/escape.h"
#include "ledger/ledger.h"
#include "ledger/recentlogins.h"
#include "material/anchors.h"
#include "policy/matcher.h"
#include "policy/report.h"
#include "session/sessions.h"

typedef struct Preview
{
	const CatalogCopy *catalogs;
	const Supposition *supposed;
	int64		now;
	MemoryContext scratch;		/* for what it takes to judge one */
	List	   *found;			/* of Previewed */
} Preview;

static Verdict *
judge_supposed(const Preview *p, const Supposition *supposed, Oid role, Oid database, const Facts *facts)
{
	Applicable *applicable = find_applicable_in(p->catalogs, role, facts->role,
												database, facts->database, supposed);

	return evaluate(applicable->policies, applicable->count, facts, regex_matches, p->now);
}

/*
 * Has the policy that is supposed to do with it?
 */
static bool
is_concerned(const Verdict *verdict)
{
	for (int i = 0; i < verdict->nchecks; i++)
	{
		const Check *check = &verdict->checks[i];

		if (check->outcome != OUTCOME_OK && !check->log_only && check->applied->supposed)
			return true;
	}
	return false;
}

/*
 * NULL if it would be let in, or is refused for other reasons than this policy.
 */
static Previewed *
preview_one(const Preview *p, Oid role, Oid database, const Facts *facts)
{
	MemoryContext old;
	Verdict    *with;
	Verdict    *now = NULL;
	Previewed  *result = NULL;

	CHECK_FOR_INTERRUPTS();
	if (facts->local || !SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role)))
		return NULL;
	old = MemoryContextSwitchTo(p->scratch);
	with = judge_supposed(p, p->supposed, role, database, facts);
	if (with->outcome != OUTCOME_OK)
		now = judge_supposed(p, NULL, role, database, facts);
	MemoryContextSwitchTo(old);
	if (now != NULL && (now->outcome == OUTCOME_OK || is_concerned(with)))
	{
		result = palloc0(sizeof(Previewed));
		result->facts = facts;
		result->sure = with->outcome == OUTCOME_FAILED;
		result->refused_now = now->outcome == OUTCOME_FAILED;
		result->reasons = failure_list(with, facts, false);
	}
	MemoryContextReset(p->scratch);
	return result;
}

static void
preview_sessions(Preview *p)
{
	const Anchors *anchors = anchors_in_force();
	ListCell   *cell;

	foreach(cell, copy_sessions())
	{
		Session    *s = lfirst(cell);
		Previewed  *found;

		judge_anchor(&s->facts, anchors);
		found = preview_one(p, s->role, s->database, &s->facts);
		if (found == NULL)
			continue;
		found->pid = s->pid;
		found->last_seen = s->backend_start;
		found->count = 1;
		p->found = lappend(p->found, found);
	}
}

static void
preview_logins(Preview *p)
{
	ListCell   *cell;

	foreach(cell, ledger_recent_logins())
	{
		const RecentLogin *login = lfirst(cell);
		Previewed  *found;

		/* nobody comes back to a database that is gone */
		if (OidIsValid(login->database) &&
			!SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(login->database)))
			continue;
		found = preview_one(p, login->role, login->database, &login->facts);
		if (found == NULL)
			continue;
		found->last_seen = login->last_login;
		found->count = login->count;
		p->found = lappend(p->found, found);
	}
}

/*
 * Whom would the policy refuse?  As if policies were enforced, and by what the
 * caller's snapshot sees of all others.  Returns a list of Previewed, live sessions
 * first.
 */
List *
preview_policy(const Supposition *supposed)
{
	Preview		p = {.supposed = supposed, .now = (int64) time(NULL)};
	Snapshot	snapshot = RegisterSnapshot(GetActiveSnapshot());

	p.catalogs = copy_catalogs(snapshot);
	p.scratch = AllocSetContextCreate(CurrentMemoryContext, "sslpolicy preview", ALLOCSET_DEFAULT_SIZES);
	preview_sessions(&p);
	preview_logins(&p);
	UnregisterSnapshot(snapshot);
	MemoryContextDelete(p.scratch);
	return p.found;
}

#define NAMED_REFUSALS 5

/*
 * An error if the policy would refuse live sessions or recent logins that are let in now.
 */
void
require_no_refusals(const Supposition *supposed)
{
	StringInfoData names;
	int			count = 0;
	ListCell   *cell;

	initStringInfo(&names);
	foreach(cell, preview_policy(supposed))
	{
		const Previewed *p = lfirst(cell);

		if (!p->sure || p->refused_now)
			continue;
		if (count++ < NAMED_REFUSALS)
			appendStringInfo(&names, "%s%s of role %s from %s (%s)", names.len ? ", " : "",
							 p->pid ? psprintf("session %d", p->pid) : "logins",
							 quoted_name(p->facts->role), address_text(p->facts), (char *) linitial(p->reasons));
	}
	if (count == 0)
		return;
	/* names of roles can be in another encoding than this database's */
	if (!pg_verify_mbstr(GetDatabaseEncoding(), names.data, names.len, true))
	{
		char	   *escaped = escape_bytes(names.data, names.len);

		resetStringInfo(&names);
		appendStringInfoString(&names, escaped);
	}
	if (count > NAMED_REFUSALS)
		appendStringInfo(&names, " and %d more", count - NAMED_REFUSALS);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("the policy would refuse live sessions or recent logins"),
			 errdetail("It would refuse %s.", names.data),
			 errhint("sslpolicy.preview_%s_policy() shows all of them. Pass force => true to set the policy all the same.",
					 supposed->source == SOURCE_MINIMUM ? "minimum" : "default")));
}
