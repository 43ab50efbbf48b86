/*-------------------------------------------------------------------------
 *
 * apply.c
 *		Puts what is replicated in place on this node.
 *
 * This is the ordinary installation, by a process of the server instead of a caller: the
 * material is judged, written, loaded and proved to be loaded.  A file that has the same
 * content already, and is loaded, stays as it is.  If the material cannot be put in place,
 * the node records a state with the reason (nodes.c), and continues with what it has.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "access/xact.h"
#include "common/hashfn.h"
#include "libpq/libpq.h"
#include "miscadmin.h"
#include "postmaster/interrupt.h"
#include "postmaster/postmaster.h"
#include "storage/lwlock.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "base/files.h"
#include "base/memory.h"
#include "cluster/apply.h"
#include "cluster/orders.h"
#include "cluster/setmaterial.h"
#include "install/installca.h"
#include "install/installcrl.h"
#include "install/replicated.h"
#include "pki/chain.h"
#include "settings/settings.h"

/* The outcome of an attempt. */
typedef struct Attempt
{
	NodeState	state;
	char	   *detail;			/* never NULL */
} Attempt;

/*
 * The file of a kind on this node; "" if no setting names one yet.
 */
const char *
applied_path(ReplicatedKind kind)
{
	return kind == REPLICATED_CA ? ssl_ca_file : crl_file()[0] ? crl_file() :
																 ssl_crl_file;
}

/*
 * May the server write this file, and others beside it?
 */
static int
write_access(const char *path)
{
	char	   *folder = pstrdup(path[0] ? path : ".");

	get_parent_directory(folder);
	return (access(path, W_OK) == 0 ? 1 : 0) + (access(folder[0] ? folder : ".", W_OK) == 0 ? 2 : 0);
}

/*
 * A number that changes with the settings that decide on the outcome, and that an
 * installation does not change itself.
 */
static uint64
what_decides(ReplicatedKind kind)
{
	char	   *settings = psprintf("%d %d %d %zu", EnableSSL, installation_allowed(), accept_expired_crl(), max_crl_size());
	uint64		result;

	if (kind == REPLICATED_CRL)
		settings = psprintf("%s\n%s\n%s", settings, crl_file(), crl_dir());
	result = hash_bytes_extended((const unsigned char *) settings, (int) strlen(settings), 0);
	pfree(settings);
	return result;
}

/*
 * A number that changes with the files that there are, and the settings that name them.  The
 * CAs count for CRLs, too, which are judged by them.
 */
static uint64
what_is_there(ReplicatedKind kind)
{
	StringInfoData facts;
	uint64		result;

	initStringInfo(&facts);
	appendStringInfo(&facts, "%d %s\n%s\n", write_access(applied_path(kind)),
					 material_directory(), applied_path(REPLICATED_CA));
	appendBinaryStringInfo(&facts, (const char *) &(uint64){file_signature(applied_path(REPLICATED_CA))}, sizeof(uint64));
	if (kind == REPLICATED_CRL)
	{
		appendStringInfo(&facts, "%s\n%s\n", ssl_crl_file, ssl_crl_dir);
		appendBinaryStringInfo(&facts, (const char *) &(uint64){file_signature(applied_path(kind))}, sizeof(uint64));
	}
	result = hash_bytes_extended((const unsigned char *) facts.data, facts.len, 0);
	pfree(facts.data);
	return result;
}

static uint64
combine_facts(uint64 decides, uint64 is_there)
{
	return hash_combine64(decides, is_there) | 1;
}

/*
 * A number that changes with anything on this node that could change the outcome.  Reloads
 * as such are left out, since installations cause them.
 */
uint64
what_applies(ReplicatedKind kind)
{
	return combine_facts(what_decides(kind), what_is_there(kind));
}

static bool
has_all_certificates(STACK_OF(X509) *certs, STACK_OF(X509) *wanted)
{
	for (int i = 0; i < sk_X509_num(wanted); i++)
		if (!has_certificate(certs, sk_X509_value(wanted, i)))
			return false;
	return true;
}

static bool
has_crl(STACK_OF(X509_CRL) *crls, X509_CRL *crl)
{
	for (int i = 0; i < sk_X509_CRL_num(crls); i++)
		if (X509_CRL_match(sk_X509_CRL_value(crls, i), crl) == 0)
			return true;
	return false;
}

static bool
has_all_crls(STACK_OF(X509_CRL) *crls, STACK_OF(X509_CRL) *wanted)
{
	for (int i = 0; i < sk_X509_CRL_num(wanted); i++)
		if (!has_crl(crls, sk_X509_CRL_value(wanted, i)))
			return false;
	return true;
}

/*
 * Is there no file, or a file with nothing of this kind?
 */
bool
holds_nothing(ReplicatedKind kind)
{
	const PemContent *found = read_pem_file(applied_path(kind))->content;

	return kind == REPLICATED_CA ? sk_X509_num(found->certs) == 0 : sk_X509_CRL_num(found->crls) == 0;
}

/*
 * Does the file have all of this, and nothing else?  What is there twice counts once.
 */
bool
holds_the_same(ReplicatedKind kind, const PemContent *wanted)
{
	const PemContent *found = read_pem_file(applied_path(kind))->content;

	return kind == REPLICATED_CA ?
		has_all_certificates(found->certs, wanted->certs) && has_all_certificates(wanted->certs, found->certs) :
		has_all_crls(found->crls, wanted->crls) && has_all_crls(wanted->crls, found->crls);
}

/*
 * The state of a node whose files something else writes.
 */
static Attempt
compare_only(ReplicatedKind kind, const PemContent *wanted, const char *why)
{
	const char *holds = holds_the_same(kind, wanted) ? HOLDS_THE_SAME : HOLDS_OTHER_MATERIAL;
	Attempt		result = {NODE_FOREIGN, psprintf("%s; %s", holds, why)};

	return result;
}

static Attempt
try_to_apply(ReplicatedKind kind, const char *text)
{
	Attempt		result = {NODE_IN_FORCE, ""};
	PemContent *wanted;
	char	   *error = NULL;

	wanted = read_pem(text, strlen(text), &error);
	if (wanted == NULL)
	{
		result.state = NODE_FAILED;
		result.detail = psprintf("the replicated material cannot be read: %s", error);
		return result;
	}
	(void) free_at_reset(wanted, free_pem_content);
	if (!installation_allowed())
		return compare_only(kind, wanted, "sslpolicy.install is off");
	if (kind == REPLICATED_CA)
		(void) apply_cas(wanted);
	else if (apply_crls(wanted, versions_gone_back_from(text), &error) == NULL)
	{
		result.state = NODE_NEWER;
		result.detail = error;
	}
	unlock_installation();
	return result;
}

/*
 * Turn an error into a state.  Files that the server may not write are foreign.
 */
static Attempt
attempt_of_error(ReplicatedKind kind, const char *text, const ErrorData *error)
{
	Attempt		result = {NODE_FAILED, psprintf("%s%s%s", error->message, error->detail ? ": " : "", error->detail ? error->detail : "")};
	size_t		len = strlen(result.detail);
	PemContent *wanted;
	char	   *unreadable;

	/* an errdetail ends with a full stop; more may follow here */
	if (len > 0 && result.detail[len - 1] == '.')
		result.detail[len - 1] = '\0';
	if (error->sqlerrcode != ERRCODE_INSUFFICIENT_PRIVILEGE)
		return result;
	wanted = read_pem(text, strlen(text), &unreadable);
	if (wanted == NULL)
		return result;
	(void) free_at_reset(wanted, free_pem_content);
	return compare_only(kind, wanted, result.detail);
}

/*
 * Read the label in a transaction of its own, so that no snapshot is held while it is
 * applied: on a standby, that could delay the replay of WAL.
 */
static char *
read_text(ReplicatedKind kind)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *text;

	StartTransactionCommand();
	text = read_cluster_material(replicated_label(kind));
	if (text)
		text = MemoryContextStrdup(context, text);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	return text;
}

static Attempt
apply_text(ReplicatedKind kind, const char *text)
{
	MemoryContext context = CurrentMemoryContext;
	Attempt		result = {NODE_FAILED, ""};

	PG_TRY();
	{
		StartTransactionCommand();
		result = try_to_apply(kind, text);
		result.detail = MemoryContextStrdup(context, result.detail);
		CommitTransactionCommand();
		MemoryContextSwitchTo(context);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		EmitErrorReport();
		FlushErrorState();
		AbortOutOfAnyTransaction();
		LWLockReleaseAll();
		MemoryContextSwitchTo(context);
		result = attempt_of_error(kind, text, error);
	}
	PG_END_TRY();
	return result;
}

static void
log_state(ReplicatedKind kind, const Attempt *attempt, const uint8 *wanted)
{
	KindState	before = own_state(kind);

	/* already logged */
	if (before.state == attempt->state && before.has_wanted && memcmp(before.wanted, wanted, FINGERPRINT_LEN) == 0)
		return;
	ereport(LOG_SERVER_ONLY,
			(errmsg("replicated TLS material \"%s\": %s", replicated_kind_name(kind), node_state_name(attempt->state)),
			 attempt->detail[0] ? errdetail_log("%s.", attempt->detail) : 0,
			 errhidestmt(true), errhidecontext(true)));
}

/*
 * The what_applies() that the outcome is valid for.  Something else may have written the
 * file by now: then this is 0, and the file is compared again.
 */
static uint64
facts_of_outcome(ReplicatedKind kind, NodeState state, const char *text, uint64 decided, uint64 was_there)
{
	uint64		after = combine_facts(decided, what_is_there(kind));
	PemContent *wanted;
	char	   *error;
	bool		same;

	/* nothing was written */
	if (state == NODE_FOREIGN || state == NODE_NEWER)
		return combine_facts(decided, was_there);
	if (state != NODE_IN_FORCE)
		return after;
	wanted = read_pem(text, strlen(text), &error);
	same = wanted && holds_the_same(kind, wanted);
	if (wanted)
		free_pem_content(wanted);
	return same ? after : 0;
}

/*
 * Compare what the catalog holds with this node's file, and put it in place.  Called in a
 * process that is connected to a database, outside of a transaction.  Errors of the attempt
 * become a state, and are not raised.
 */
void
apply_replicated(ReplicatedKind kind)
{
	KindProgress progress = kind_progress(kind);
	uint8		wanted[FINGERPRINT_LEN];
	char	   *text = read_text(kind);
	KindState	now = own_state(kind);
	uint64		decided = what_decides(kind);
	uint64		was_there = what_is_there(kind);
	Attempt		attempt;

	if (text == NULL)
	{
		note_nothing_replicated(kind);
		set_own_state(kind, NODE_LOCAL, NULL, "");
		return;
	}
	if (!compute_sha256(text, strlen(text), wanted))
		elog(ERROR, "could not compute a SHA-256");
	if (!now.has_wanted || memcmp(now.wanted, wanted, FINGERPRINT_LEN) != 0)
		set_own_state(kind, NODE_APPLYING, wanted, "");
	attempt = apply_text(kind, text);
	log_state(kind, &attempt, wanted);
	/* an installation can have changed settings, including the one with the path */
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
	progress.failures = attempt.state == NODE_FAILED ? progress.failures + 1 : 0;
	progress.signature = facts_of_outcome(kind, attempt.state, text, decided, was_there);
	finish_kind(kind, &progress);
	set_own_state(kind, attempt.state, wanted, attempt.detail);
}

/*
 * Note that it could not even be tried.
 */
void
give_up(ReplicatedKind kind, const char *reason)
{
	KindProgress progress = kind_progress(kind);
	KindState	now = own_state(kind);

	progress.failures++;
	/* or it would be due again at once */
	progress.signature = what_applies(kind);
	finish_kind(kind, &progress);
	set_own_state(kind, NODE_FAILED, now.has_wanted ? now.wanted : NULL, reason);
}
