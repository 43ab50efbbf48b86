/*-------------------------------------------------------------------------
 *
 * auth.c
 *		The login hook: lets a connection in, or refuses it.
 *
 * A connection is let in if
 *	- an earlier hook and PostgreSQL's own authentication let it in, and
 *	- it came through a Unix socket, or
 *	- the CAs and CRLs that are in force now accept its certificate, it is neither
 *	  blocked nor revoked, it can be watched for that while the session lives (see
 *	  sessions.c), and it meets every policy that applies (see
 *	  applicable.c), or sslpolicy.enforcement says not to refuse,
 * and its role and database exist.
 *
 * Everything else ends in FATAL, also an error on the way: during
 * authentication PostgreSQL turns every ERROR into FATAL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "access/xact.h"
#include "libpq/auth.h"
#include "libpq/hba.h"
#include "libpq/libpq.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "utils/guc.h"

#include "base/escape.h"
#include "base/wakeup.h"
#include "cluster/orders.h"
#include "cluster/takereport.h"
#include "enforce/auth.h"
#include "labels/applicable.h"
#include "labels/clusterlabels.h"
#include "labels/exceptions.h"
#include "ledger/ledger.h"
#include "material/clientcert.h"
#include "material/generation.h"
#include "material/ownkeys.h"
#include "policy/matcher.h"
#include "policy/report.h"
#include "revocation/crlkey.h"
#include "revocation/crlstate.h"
#include "revocation/revocation.h"
#include "session/collect.h"
#include "session/sessions.h"
#include "settings/directory.h"
#include "settings/settings.h"

#define OTHER_CERTIFICATE_HINT \
	"Set sslcert and sslkey on the client to another certificate and its key."
#define SERVER_LOG_HINT \
	"The server log says more; ask the database administrator."

/*
 * What is said of a certificate that is refused because of a CRL, or for want of
 * one.
 */
typedef struct RevocationRefusal
{
	const char *what;			/* is the matter with the certificate */
	const char *detail;			/* for the client; NULL: the message says all */
	const char *hint;
} RevocationRefusal;

static const RevocationRefusal revocation_refusals[] = {
	[REVOKED] = {
		.what = "is revoked",
		.hint = OTHER_CERTIFICATE_HINT,
	},
	[CRL_EXPIRED] = {
		.what = "cannot be checked for revocation: a certificate revocation list has expired",
		.detail = "It is the list of a CA that issued the certificate.",
		.hint = SERVER_LOG_HINT,
	},
	[CRL_MISSING] = {
		.what = "cannot be checked for revocation: a certificate revocation list is missing",
		.detail = "There is none of a CA that issued the certificate.",
		.hint = SERVER_LOG_HINT,
	},
	[REVOCATION_UNKNOWN] = {
		.what = "cannot be checked for revocation: the certificate revocation lists cannot be read",
		.hint = SERVER_LOG_HINT,
	},
};

static ClientAuthentication_hook_type previous_hook = NULL;

/* A login that was let in, until it is a session. */
typedef struct AdmittedLogin
{
	const Facts *facts;
	const Applicable *applicable;
	Compliance	compliance;
	List	   *would_refuse;
} AdmittedLogin;

/* in the memory of the transaction in which core makes the session */
static AdmittedLogin *admitted = NULL;

/*
 * Read the catalogs without counting the reads in pg_stat_sys_tables: to make
 * the counters of four relations would cost as much as the reads themselves.
 * An error on the way ends the process, so the setting need not be restored
 * then.
 */
static Applicable *
find_applicable_uncounted(const Facts *facts, bool policies)
{
	bool		track_counts = pgstat_track_counts;
	Applicable *result;

	pgstat_track_counts = false;
	result = find_applicable(facts->role, facts->database, policies);
	pgstat_track_counts = track_counts;
	return result;
}

/*
 * No policy has been read yet, and none need be to know whose refusal it is.
 */
static void
note_refused_certificate(const Facts *facts, RejectionSource source, const char *reason)
{
	const Applicable *names = find_applicable_uncounted(facts, false);

	ledger_refused(facts, names->role, names->database, source, list_make1(pstrdup(reason)));
}

/*
 * A backend verifies its client by the CAs and CRLs that were in force when it was
 * forked.  If the client takes its time with the password, others may be in force when
 * it comes here.  Then these must verify its certificate, too, and the facts are those
 * of the new chain.
 *
 * Returns the number of the load in force; *older says whether the handshake used an
 * older one.
 */
static uint64
verify_by_what_is_in_force(const Port *port, Facts *facts, bool *older)
{
	uint64		in_force = number_in_force();
	STACK_OF(X509) *sent;
	X509	   *leaf;
	const ClientCertificate *now;

	*older = handshake_number() != 0 && in_force != handshake_number() &&
		(facts->verified || facts->unreadable);
	if (!*older)
		return in_force;

	/* the postmaster signaled everybody to take new settings before it loaded the files */
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
	leaf = peer_certificate(port, &sent);
	now = judge_peer_certificate(leaf, sent, (int64) time(NULL));
	if (now->verification == NULL || !now->verification->ok)
	{
		note_refused_certificate(facts, now->revoked ? REJECTED_BY_REVOCATION : REJECTED_BY_SERVER,
								 psprintf("client certificate not accepted by the TLS material that came into force after the TLS handshake: %s",
										  printable_text(now->error)));
		ereport(FATAL,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("client certificate of role %s is not accepted any more: CAs or certificate revocation lists have changed since the TLS handshake",
						quoted_name(facts->role)),
				 errdetail_log("Refused: %s; by the TLS material that came into force after the TLS handshake: %s.",
							   facts_for_log(facts), now->error),
				 errhint("Connect again. If the TLS handshake fails then, set sslcert and sslkey on the client to another certificate and its key.")));
	}
	facts->cert = now->facts;
	facts->verified = facts->cert != NULL;
	facts->unreadable = facts->cert == NULL;
	return in_force;
}

/*
 * Blocked certificates are refused before any policy is judged, and whatever
 * sslpolicy.enforcement says.
 */
static void
refuse_blocked_certificate(const Facts *facts, const Applicable *found, bool labels_read)
{
	const char *reason;

	if (!facts->verified && !facts->unreadable)
		return;
	reason = blocked_reason(labels_read ? blocked_by(found->blocked) : blocked_certificates(), facts);
	if (reason == NULL)
		return;
	note_refused_certificate(facts, REJECTED_BY_BLOCKING, psprintf("client certificate %s", reason));
	ereport(FATAL,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("client certificate of role %s %s", quoted_name(facts->role), reason),
			 errdetail_log("Refused: %s.", facts_for_log(facts)),
			 errhint(OTHER_CERTIFICATE_HINT)));
}

/*
 * So are revoked ones, and, as core does with ssl_crl_file, those that cannot be
 * told from revoked ones.
 */
static void
refuse_revoked_certificate(const Facts *facts)
{
	RevocationIndex *index;
	Revocation	revocation;
	const RevocationRefusal *refusal;

	if (!crls_configured() || !(facts->verified || facts->unreadable))
		return;
	index = open_revocation_index(false);
	revocation = check_revocation(index, facts, (int64) time(NULL));
	close_revocation_index(index);
	if (revocation.status == NOT_REVOKED)
		return;
	if (revocation.index_damaged)
		suspect_index();
	note_refused_certificate(facts, REJECTED_BY_REVOCATION, revocation.detail);
	refusal = &revocation_refusals[revocation.status];
	ereport(FATAL,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("client certificate of role %s %s", quoted_name(facts->role), refusal->what),
			 refusal->detail ? errdetail("%s", refusal->detail) : 0,
			 errdetail_log("Refused: %s; %s.", facts_for_log(facts), revocation.detail),
			 errhint("%s", refusal->hint)));
}

/*
 * After a start, the catalog can have a revocation that the files do not have yet.  It takes
 * only some milliseconds until they are compared.
 */
static void
refuse_before_comparison(const Facts *facts)
{
	if (!(facts->verified || facts->unreadable) || !awaits_comparison())
		return;
	if (!TransactionIdIsValid(cluster_label_version(CLUSTER_CA)) &&
		!TransactionIdIsValid(cluster_label_version(CLUSTER_CRL)))
		return;
	ereport(FATAL,
			(errcode(ERRCODE_CANNOT_CONNECT_NOW),
			 errmsg("the database system is not yet accepting client certificates"),
			 errdetail("Since its start, it has not yet compared its CAs and certificate revocation lists with the replicated ones."),
			 errhint("Try to connect again in a moment.")));
}

/*
 * If CRLs are replicated but could not be put in place, and this node has no others, it
 * refuses all certificates: otherwise it would accept those that are revoked.
 */
static void
refuse_without_crl(const Facts *facts)
{
	if (!(facts->verified || facts->unreadable) || !lacks_replicated_crl())
		return;
	note_refused_certificate(facts, REJECTED_BY_REVOCATION, "client certificate " REPLICATED_CRL_MISSING);
	ereport(FATAL,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("client certificate of role %s cannot be checked for revocation: the replicated certificate revocation list could not be put in place",
					quoted_name(facts->role)),
			 errdetail_log("Refused: %s.", facts_for_log(facts)),
			 errhint(SERVER_LOG_HINT)));
}

/*
 * Nobody could tell of such a session that its certificate has been blocked or revoked,
 * so this too holds whatever sslpolicy.enforcement says.
 */
static void
refuse_long_chain(const Facts *facts)
{
	char	   *reason = psprintf("has a chain of %d CAs, more than the limit of %d", facts->cert->ncas, MAX_SESSION_CAS);

	note_refused_certificate(facts, REJECTED_BY_REVOCATION, psprintf("client certificate %s", reason));
	ereport(FATAL,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("client certificate of role %s %s", quoted_name(facts->role), reason),
			 errdetail("Revocation of more CAs cannot be checked during a session."),
			 errdetail_log("Refused: %s; its certificate %s.", facts_for_log(facts), reason),
			 errhint("Set sslcert and sslkey on the client to a certificate with a shorter chain.")));
}

static void
refuse(const Verdict *verdict, const Facts *facts, const Applicable *applicable, bool server_asks)
{
	ledger_refused(facts, applicable->role, applicable->database, REJECTED_BY_POLICY,
				   failure_list(verdict, facts, false));
	ereport(FATAL,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("connection of role %s does not meet its TLS policy: %s",
					quoted_name(facts->role), first_reason_for_client(verdict, facts)),
			 errdetail("Not met: %s.", failures_for_client(verdict, facts)),
			 errdetail_log("Refused: %s; required: %s.", facts_for_log(facts),
						   failures_for_log(verdict, facts, false)),
			 errhint("%s", hint_for_client(verdict, facts, server_asks))));
}

/*
 * Log what was not refused, although rules (with action=log), or all of them
 * (with sslpolicy.enforcement = log), would.
 */
static void
log_would_refuse(const Verdict *verdict, const Facts *facts, bool log_only)
{
	ereport(LOG_SERVER_ONLY,
			(errmsg("connection of role %s would be refused by TLS policy",
					quoted_name(facts->role)),
			 errdetail_log("Let in: %s; required: %s.", facts_for_log(facts),
						   failures_for_log(verdict, facts, log_only))));
}

/*
 * Core looks up role and database a moment later.  If they were created in between, it
 * would let the client in, although no policy of theirs was judged.  So refuse here, in
 * core's words, a role or a database that does not exist now.
 *
 * This comes after the policies, whose refusals do not reveal whether there is such a
 * role.  It is noted like core's own refusals: by letter (mailbox.c).
 */
static void
refuse_unknown(const Facts *facts, const Applicable *found)
{
	if (!OidIsValid(found->role))
		ereport(FATAL,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("role \"%s\" does not exist", facts->role)));
	if (facts->database != NULL && !OidIsValid(found->database))
		ereport(FATAL,
				(errcode(ERRCODE_UNDEFINED_DATABASE),
				 errmsg("database \"%s\" does not exist", facts->database)));
}

/*
 * Behind the hook core looks whether the role may log in, and the database takes
 * it.  Who has passed that too has logged in: the transaction of all that commits.
 */
static void
note_admitted_login(XactEvent event, void *arg)
{
	AdmittedLogin *login = admitted;

	if (login == NULL)
		return;
	admitted = NULL;
	if (event == XACT_EVENT_PRE_COMMIT)
		ledger_admitted(login->facts, login->applicable, login->compliance, login->would_refuse);
}

static void
check_login(Port *port, int status)
{
	Facts	   *facts;
	Applicable *applicable;
	Verdict    *verdict;
	bool		applies;
	Compliance	compliance = COMPLIANCE_YES;
	List	   *would_refuse = NIL;
	int64		end_at = 0;
	uint64		verified_by;
	bool		older_handshake;
	bool		kept;

	if (previous_hook)
		previous_hook(port, status);
	if (status != STATUS_OK || IsBinaryUpgrade)
		return;

	facts = collect_facts(port, hba_authname(port->hba->auth_method));
	verified_by = verify_by_what_is_in_force(port, facts, &older_handshake);
	note_own_certificate(facts, port);

	/* before policies are read, so that no change of one misses the session */
	kept = publish_session(facts, handshake_number(), decimal_crl_entry_key);

	applies = !facts->local && enforcement() != ENFORCEMENT_OFF;
	applicable = find_applicable_uncounted(facts, applies);
	stop_point("login_found");
	if (!facts->local)
	{
		refuse_before_comparison(facts);
		refuse_without_crl(facts);
		refuse_blocked_certificate(facts, applicable, applies);
		refuse_revoked_certificate(facts);
		if (!kept)
			refuse_long_chain(facts);
	}

	if (!applies)
		compliance = facts->local ? COMPLIANCE_YES : COMPLIANCE_UNKNOWN;
	else
	{
		verdict = evaluate(applicable->policies, applicable->count, facts,
						   regex_matches, (int64) time(NULL));
		if (verdict->logged)
		{
			log_would_refuse(verdict, facts, true);
			would_refuse = failure_list(verdict, facts, true);
		}
		if (verdict->outcome != OUTCOME_OK)
		{
			if (enforcement() == ENFORCEMENT_ENFORCE)
				refuse(verdict, facts, applicable, asked_for_certificate(port));
			log_would_refuse(verdict, facts, false);
			would_refuse = list_concat(would_refuse, failure_list(verdict, facts, false));
			compliance = COMPLIANCE_NO;
		}
		if (verdict->outcome == OUTCOME_OK && verdict->end_on_expiry && facts->cert)
			end_at = facts->cert->not_after;
	}
	refuse_unknown(facts, applicable);
	admit_session(applicable->role, applicable->database, compliance, end_at);
	take_report_of_login(port, applicable->role);
	admitted = palloc(sizeof(AdmittedLogin));
	*admitted = (AdmittedLogin){facts, applicable, compliance, would_refuse};
	stop_point("login_admitted");
	/* if the material has changed meanwhile, have the worker judge the session by it */
	if (older_handshake || number_in_force() != verified_by)
		want_recheck();
}

void
init_auth(void)
{
	previous_hook = ClientAuthentication_hook;
	ClientAuthentication_hook = check_login;
	RegisterXactCallback(note_admitted_login, NULL);
}
