/*-------------------------------------------------------------------------
 *
 * explain.c
 *		What a login would meet, requirement by requirement.
 *
 * In the order of the login (auth.c), by the functions that decide there: the
 * certificate, the blocked ones, the revoked ones, the policies.  Where the login
 * ends with the first of these that refuses, all are told here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_database.h"
#include "libpq/libpq.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "advice/explain.h"
#include "base/escape.h"
#include "cluster/orders.h"
#include "labels/exceptions.h"
#include "labels/labels.h"
#include "policy/checktext.h"
#include "policy/matcher.h"
#include "policy/report.h"
#include "revocation/revocation.h"
#include "settings/settings.h"

typedef struct Explanation
{
	const Facts *facts;
	const Applicable *applicable;
	int64		now;
	List	   *rows;			/* of Explained */
	Outcome		outcome;		/* of what is asked whatever sslpolicy.enforcement says */
} Explanation;

static Explained *
add_row(Explanation *e, char *source, char *requirement, char *required,
		char *actual, Outcome outcome)
{
	Explained  *row = palloc0(sizeof(Explained));

	row->source = source;
	row->requirement = requirement;
	row->required = required;
	row->actual = actual;
	row->outcome = outcome;
	row->certain = true;
	e->rows = lappend(e->rows, row);
	return row;
}

/*
 * Something that no policy and no setting of enforcement changes.
 */
static void
demand(Explanation *e, char *source, char *requirement, char *required,
	   char *actual, Outcome outcome)
{
	(void) add_row(e, source, requirement, required, actual, outcome);
	e->outcome = Min(e->outcome, outcome);
}

/*
 * Where a policy comes from, and through which memberships.
 */
static char *
source_text(const Applicable *applicable, const AppliedPolicy *applied)
{
	StringInfoData buf;
	List	   *path = membership_path(applicable, applied);
	ListCell   *cell;

	initStringInfo(&buf);
	appendStringInfoString(&buf, applied_name(applied));
	if (applied->source != SOURCE_GROUP)
		return buf.data;
	appendStringInfoString(&buf, " (by membership");
	foreach(cell, path)
	{
		char	   *name = GetUserNameFromId(lfirst_oid(cell), true);

		appendStringInfo(&buf, "%s%s", cell == list_head(path) ? " in " : ", of that in ",
						 quoted_name(name ? name : "?"));
	}
	appendStringInfoChar(&buf, ')');
	return buf.data;
}

/*
 * The requirements of policies that were checked.
 */
static void
add_checks(Explanation *e, const Verdict *verdict)
{
	for (int i = 0; i < verdict->nchecks; i++)
	{
		const Check *check = &verdict->checks[i];
		Explained  *row = add_row(e, source_text(e->applicable, check->applied),
								  check->asks ? check_keys(check) : "policy",
								  check_required(check, e->facts->role),
								  check_actual(check, e->facts), check->outcome);

		row->rule = check->rule;
		row->log_only = check->log_only;
		row->certain = check->certain;
	}
}

/*
 * Looked up for each database: there are more labels than those.
 */
static int
count_database_labels(void)
{
	Relation	pg_database = table_open(DatabaseRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(pg_database, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;
	int			count = 0;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		if (read_label(DatabaseRelationId, ((Form_pg_database) GETSTRUCT(tuple))->oid) != NULL)
			count++;
	systable_endscan(scan);
	table_close(pg_database, AccessShareLock);
	return count;
}

/*
 * If it is not known which database is meant, it may have a policy.
 */
static Outcome
add_unknown_database(Explanation *e)
{
	int			count;
	Explained  *row;

	if (!(e->facts->unknown & UNKNOWN_DATABASE) ||
		superuser_arg(e->applicable->role) || is_reserved_role(e->facts->role))
		return OUTCOME_OK;
	count = count_database_labels();
	if (count == 0)
		return OUTCOME_OK;
	row = add_row(e, "database", "policy",
				  psprintf("the policy of the database, if it has one (databases that have one: %d)", count),
				  NULL, OUTCOME_UNKNOWN);
	row->certain = false;
	return OUTCOME_UNKNOWN;
}

static bool
may_have_certificate(const Facts *facts)
{
	return facts->verified || facts->unreadable ||
		((facts->unknown & UNKNOWN_CERTIFICATE) &&
		 (facts->ssl || (facts->unknown & UNKNOWN_SSL)));
}

/*
 * What is asked of every certificate.
 */
static void
add_certificate(Explanation *e, const char *certificate_error)
{
	const Facts *facts = e->facts;
	bool		known = !(facts->unknown & UNKNOWN_CERTIFICATE);
	const BlockedCertificates *certificates = blocked_certificates();

	if (certificate_error != NULL)
		demand(e, "ssl_ca_file", "certificate", "accepted by the server",
			   pstrdup(certificate_error), OUTCOME_FAILED);
	if (!may_have_certificate(facts))
		return;
	if (count_blocked(certificates) > 0)
	{
		const char *blocked = known ? blocked_reason(certificates, facts) : NULL;

		demand(e, "blocked certificates", "fingerprint",
			   "neither the certificate nor one that verified it is blocked",
			   !known ? NULL : blocked ? psprintf("client certificate %s", blocked) :
										 "not blocked",
			   !known ? OUTCOME_UNKNOWN : blocked ? OUTCOME_FAILED :
													OUTCOME_OK);
	}
}

static void
add_revocation(Explanation *e, bool of_core, char *source)
{
	RevocationIndex *index;
	Revocation	revocation;
	bool		refused;

	if (!may_have_certificate(e->facts))
		return;
	if (e->facts->unknown & UNKNOWN_CERTIFICATE)
	{
		demand(e, source, "revocation", "not revoked", NULL, OUTCOME_UNKNOWN);
		return;
	}
	index = open_revocation_index(of_core);
	revocation = check_revocation(index, e->facts, e->now);
	close_revocation_index(index);

	/* for core's own lists the index only serves live sessions, which end if revoked */
	refused = of_core ? revocation.status == REVOKED : revocation.status != NOT_REVOKED;
	demand(e, source, "revocation", "not revoked",
		   refused ? revocation.detail : "not revoked",
		   refused ? OUTCOME_FAILED : OUTCOME_OK);
}

/*
 * The last row: is the session let in?
 */
static void
add_verdict(Explanation *e, Outcome policies, bool logged)
{
	Outcome		outcome = e->outcome;
	char	   *actual;

	if (enforcement() == ENFORCEMENT_ENFORCE)
		outcome = Min(outcome, policies);
	if (outcome == OUTCOME_FAILED)
		actual = "refused";
	else if (outcome == OUTCOME_UNKNOWN)
		actual = NULL;
	else if (enforcement() == ENFORCEMENT_OFF)
		actual = "let in (sslpolicy.enforcement = off)";
	else if (policies == OUTCOME_FAILED)
		actual = "let in and logged (sslpolicy.enforcement = log)";
	else if (policies == OUTCOME_UNKNOWN)
		actual = "let in (sslpolicy.enforcement = log)";
	else
		actual = logged ? "let in and logged (action=log)" : "let in";
	(void) add_row(e, "sslpolicy.enforcement", "verdict", NULL, actual, outcome);
}

/*
 * Explain a login.  certificate_error: why the server's own verification would not
 * accept the certificate that is given, or NULL; now is in seconds since 1970-01-01
 * UTC.  Returns a list of Explained, the verdict last.
 */
List *
explain_login(const Facts *facts, const Applicable *applicable,
			  const char *certificate_error, int64 now)
{
	Explanation e = {.facts = facts, .applicable = applicable, .now = now, .outcome = OUTCOME_OK};
	Verdict    *verdict;
	Outcome		database;

	if (facts->local)
	{
		(void) add_row(&e, "Unix socket", "verdict", NULL, "let in: no policy applies", OUTCOME_OK);
		return e.rows;
	}
	add_certificate(&e, certificate_error);
	if (crls_configured())
		add_revocation(&e, false, crl_file()[0] ? "sslpolicy.crl_file" : "sslpolicy.crl_dir");
	if (lacks_replicated_crl() && may_have_certificate(facts))
		demand(&e, "replicated CRL", "revocation", "not revoked",
			   facts->unknown & UNKNOWN_CERTIFICATE ? NULL : "client certificate " REPLICATED_CRL_MISSING,
			   facts->unknown & UNKNOWN_CERTIFICATE ? OUTCOME_UNKNOWN : OUTCOME_FAILED);
	if (certificate_error == NULL && (ssl_crl_file[0] || ssl_crl_dir[0]))
		add_revocation(&e, true, ssl_crl_file[0] ? "ssl_crl_file" : "ssl_crl_dir");
	verdict = evaluate(applicable->policies, applicable->count, facts, regex_matches, now);
	add_checks(&e, verdict);
	database = add_unknown_database(&e);
	add_verdict(&e, Min(verdict->outcome, database), verdict->logged);
	return e.rows;
}

/*
 * What policies ask for, without looking at anything but where the client comes
 * from and goes to.  Returns a list of Explained.
 */
List *
explain_policies(const Facts *facts, const Applicable *applicable)
{
	Explanation e = {.facts = facts, .applicable = applicable};

	add_checks(&e, evaluate(applicable->policies, applicable->count, facts, regex_matches, 0));
	(void) add_unknown_database(&e);
	return e.rows;
}
