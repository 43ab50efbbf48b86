/*-------------------------------------------------------------------------
 *
 * ledger.c
 *		What is written down about logins.
 *
 * For each login, refusal and session that is ended: an entry or a count in
 * recentlogins.c, rejections.c and statistics.c, which have a lock each that is
 * held for a moment.  Logins are written down later (newlogins.c).  What PostgreSQL itself
 * refuses comes by letter (mailbox.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "base/escape.h"
#include "labels/applicable.h"
#include "labels/exceptions.h"
#include "ledger/ledger.h"
#include "ledger/mailbox.h"
#include "ledger/newlogins.h"
#include "ledger/recentlogins.h"
#include "ledger/statistics.h"
#include "ledger/tablefile.h"

void
init_ledger(void)
{
	init_recent_logins();
	init_rejections();
	init_statistics();
	init_new_logins();
	init_mailbox();
	/* after all tables */
	init_table_file();
}

/*
 * Does the role exist, and the database if one was named?
 */
static bool
exist(const Facts *facts, Oid role, Oid database)
{
	return OidIsValid(role) && (facts->database == NULL || OidIsValid(database));
}

static Rejection
rejection(const Facts *facts, RejectionSource source, List *reasons)
{
	Rejection	r = {.at = GetCurrentTimestamp(), .count = 1, .source = source, .reasons = reasons, .facts = *facts};

	if (facts->cert)
	{
		r.client_dn = facts->cert->subject_dn;
		r.client_serial = facts->cert->serial;
		memcpy(r.fingerprint, facts->cert->fingerprint, FINGERPRINT_LEN);
	}
	return r;
}

/*
 * A client has logged in.  would_refuse: what policies would refuse it for, if they
 * were enforced.
 */
void
ledger_admitted(const Facts *facts, const Applicable *found, Compliance compliance,
				List *would_refuse)
{
	LoginNote	note = {
		.at = GetCurrentTimestamp(),
		.is_protected = found->is_superuser || is_reserved_role(facts->role),
		.compliance = compliance,
		.certificate = certificate_names_hash(facts),
	};

	leave_note_of_login(&note);
	/* now, since it only counts soon after a refusal */
	note_admission(facts);
	if (would_refuse != NIL)
	{
		Rejection	r = rejection(facts, REJECTED_BY_POLICY, would_refuse);

		r.would_be = true;
		note_rejection(&r, REJECTED_KNOWN);
		count_in_statistics(found->role, COUNTER_LOGGED, 1, note.at);
	}
}

/*
 * A connection is about to be refused.
 */
void
ledger_refused(const Facts *facts, Oid role, Oid database, RejectionSource source,
			   List *reasons)
{
	Rejection	r = rejection(facts, source, reasons);

	mailbox_refusal_is_noted();
	note_rejection(&r, exist(facts, role, database) ? REJECTED_KNOWN : REJECTED_STRANGER);
	count_in_statistics(role, COUNTER_REFUSED, 1, r.at);
}

/*
 * A live session was ended, or would be if settings said so.
 */
void
ledger_rechecked(const Session *session, List *reasons, bool ended)
{
	Rejection	r = rejection(&session->facts, REJECTED_BY_RECHECK, reasons);

	r.would_be = !ended;
	note_rejection(&r, REJECTED_KNOWN);
	if (ended)
		count_in_statistics(session->role, COUNTER_ENDED, 1, r.at);
}

static void
note_letter(const Letter *letter, const Applicable *found)
{
	Rejection	r = rejection(&letter->facts, REJECTED_BY_SERVER, NIL);
	bool		known = found && exist(&letter->facts, found->role, found->database);

	r.at = letter->at;
	r.client_dn = letter->client_dn;
	r.client_serial = letter->client_serial;
	memcpy(r.fingerprint, letter->fingerprint, FINGERPRINT_LEN);
	r.reasons = list_make1(printable_text(letter->message));
	if (letter->detail)
		r.reasons = lappend(r.reasons, printable_text(letter->detail));
	note_rejection(&r, known ? REJECTED_KNOWN_BY_SERVER : found ? REJECTED_STRANGER :
																  REJECTED_UNNAMED);
	count_in_statistics(found ? found->role : InvalidOid, COUNTER_REFUSED, 1, r.at);
}

/*
 * Say honestly how much there was no room for.
 */
static void
note_lost(int64 lost)
{
	Rejection	r = {.at = GetCurrentTimestamp(), .count = lost, .source = REJECTED_BY_SERVER, .reasons = list_make1("refusals that came too fast to be written down one by one")};

	if (lost == 0)
		return;
	note_rejection(&r, REJECTED_UNNAMED);
	count_in_statistics(InvalidOid, COUNTER_REFUSED, lost, r.at);
}

/*
 * Write down what PostgreSQL itself has refused lately.  In a transaction.
 *
 * Names are looked up first, since that can wait for locks and fail.
 */
void
ledger_collect(void)
{
	List	   *letters;
	List	   *found = NIL;
	ListCell   *cell;
	ListCell   *with;

	if (!mailbox_has_letters())
		return;
	letters = mailbox_letters_read();
	foreach(cell, letters)
	{
		const Letter *letter = lfirst(cell);

		found = lappend(found, letter->facts.role == NULL ? NULL : find_applicable(letter->facts.role, letter->facts.database, false));
	}

	mailbox_begin_taking();
	forboth(cell, letters, with, found)
	{
		if (mailbox_take_letter(lfirst(cell)))
			note_letter(lfirst(cell), lfirst(with));
	}
	note_lost(mailbox_take_lost());
	mailbox_end_taking();
}

/*
 * Who has logged in, of struct RecentLogin, and how often, of struct RoleStatistics: with
 * everybody who is in.
 */
List *
ledger_recent_logins(void)
{
	note_new_logins();
	return copy_recent_logins();
}

List *
ledger_statistics(void)
{
	note_new_logins();
	ledger_collect();
	return copy_role_statistics();
}

/*
 * Forget refusals and counters.
 */
void
ledger_reset(void)
{
	note_new_logins();
	ledger_collect();
	clear_rejections();
	clear_statistics();
}
