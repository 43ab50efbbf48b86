/*-------------------------------------------------------------------------
 *
 * setpolicy.c
 *		Sets the policy of a role or a database, and what holds for every node, for
 *		callers who are allowed to.
 *
 * This exists so that a DBA who is no superuser can be handed the policies of
 * the roles and databases that are theirs.  After checks of its own it runs
 * the real SECURITY LABEL statement as a superuser, so that everything that
 * watches statements sees it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "catalog/catalog.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "base/fingerprint.h"
#include "base/privileged.h"
#include "base/transaction.h"
#include "labels/applicable.h"
#include "labels/clusterlabels.h"
#include "labels/exceptions.h"
#include "labels/labels.h"
#include "labels/setpolicy.h"
#include "policy/matcher.h"
#include "policy/report.h"
#include "session/collect.h"
#include "session/sessions.h"
#include "session/walsenders.h"
#include "settings/settings.h"

static void
deny(const char *reason, const char *subject, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to set the TLS policy of %s", subject),
			 errdetail("%s", reason),
			 hint ? errhint("%s", hint) : 0));
}

/*
 * May the caller set the policy of this role?  A superuser always; anybody
 * else only that of an ordinary role that ALTER ROLE would let them change.
 */
static void
check_role_permission(Oid role, const char *name)
{
	char	   *subject = psprintf("role \"%s\"", name);

	if (superuser())
		return;
	require_current_settings();
	if (superuser_arg(role))
		deny("Only superusers set the policy of a superuser.", subject, NULL);
	if (IsReservedName(name))
		deny("Only superusers set the policy of a predefined role.", subject, NULL);
	if (is_reserved_role(name))
		deny("The role is one of sslpolicy.reserved_roles.", subject, NULL);
	if (!compat_may_administer(GetUserId(), role))
		deny("You need " COMPAT_ADMIN_PRIVILEGE ".", subject, NULL);
}

static void
check_database_permission(Oid database, const char *name)
{
	if (!superuser())
		require_current_settings();
	if (superuser() || compat_owns_database(database, GetUserId()))
		return;
	deny("You must own the database.", psprintf("database \"%s\"", name), NULL);
}

/*
 * Run a SECURITY LABEL statement for an object as the bootstrap superuser.
 */
static void
run_as_superuser(const char *statement, Oid class, Oid object)
{
	expect_label(GetUserId(), class, object);
	PG_TRY();
	{
		privileged_command(statement);
	}
	PG_FINALLY();
	{
		expect_label(InvalidOid, InvalidOid, InvalidOid);
	}
	PG_END_TRY();
}

/*
 * How the caller's own connection does under the policies as they stand in this
 * transaction, under the names that its role and database have now.  Judged as
 * if policies were enforced, whatever sslpolicy.enforcement says.  NULL if no
 * policy applies to it.
 */
static Verdict *
judge_own_connection(Facts **facts)
{
	Applicable *applicable;

	if (MyProcPort == NULL)
		return NULL;
	*facts = collect_facts(MyProcPort, my_auth_method());
	if ((*facts)->local)
		return NULL;
	(*facts)->role = GetUserNameFromId(GetAuthenticatedUserId(), false);
	(*facts)->database = get_database_name(MyDatabaseId);
	applicable = find_applicable((*facts)->role, (*facts)->database, true);
	return evaluate(applicable->policies, applicable->count, *facts,
					regex_matches, (int64) time(NULL));
}

/*
 * Set (or, with text NULL, remove) the policy of an object.  Refused, unless
 * forced, if that is what would keep the caller's own connection out.
 */
static void
set_label(const char *provider, Oid class, Oid object, const char *name, const char *text, bool force)
{
	Facts	   *facts;
	Verdict    *before;
	Verdict    *after;

	before = force ? NULL : judge_own_connection(&facts);
	run_as_superuser(psprintf("SECURITY LABEL FOR %s ON %s %s IS %s",
							  provider, class == AuthIdRelationId ? "ROLE" : "DATABASE",
							  quote_identifier(name),
							  text ? quote_literal_cstr(text) : "NULL"),
					 class, object);
	if (before == NULL || before->outcome != OUTCOME_OK)
		return;
	after = judge_own_connection(&facts);
	if (after->outcome == OUTCOME_OK)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("with this policy your own connection would be refused"),
			 errdetail("Not met: %s.", failures_for_client(after, facts)),
			 errhint("Connect so that you meet it, or pass force => true to set it all the same.")));
}

/*
 * Errors: insufficient_privilege, undefined_object, invalid_parameter_value (not a
 * policy), invalid_authorization_specification (the caller would be refused).
 */
void
set_role_policy(Oid role, const char *text, bool force)
{
	char	   *name = GetUserNameFromId(role, false);

	check_role_permission(role, name);
	if (text != NULL)
		(void) parse_policy_or_error(text, PLACE_ROLE);
	set_label(LABEL_PROVIDER, AuthIdRelationId, role, name, text, force);
}

/*
 * Errors as in set_role_policy(), and undefined_database.
 */
void
set_database_policy(const char *name, const char *text, bool force)
{
	Oid			database = get_database_oid(name, false);

	check_database_permission(database, name);
	if (text != NULL)
		(void) parse_policy_or_error(text, PLACE_DATABASE);
	set_label(LABEL_PROVIDER, DatabaseRelationId, database, name, text, force);
}

/*
 * Names of a default policy say whom a certificate may be wherever verify-full is asked
 * for: also by the minimum, and also of superusers without a policy of their own.  So
 * only superusers can set any.
 */
static void
check_cluster_policy(const char *text, PolicyPlace place)
{
	Policy	   *policy = parse_policy_or_error(text, place);

	for (int i = 0; i < policy->nrules && !superuser(); i++)
		if (policy->rules[i].has_names && !policy->rules[i].log_only)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("must be superuser to set a default policy with names"),
					 errdetail("Such names also decide which certificates meet sslmode=verify-full of other policies, for all roles without names of their own.")));
}

/*
 * Make others who change what the catalog holds for every node wait until the end of the
 * transaction.
 *
 * Two sessions that change a label at once must not undo each other's change, nor
 * mistake a label that the other is about to change for the one that they want.  So one
 * waits for the other's transaction to end, as SECURITY LABEL would make it do later.
 */
void
lock_cluster_labels(void)
{
	LockSharedObject(AuthIdRelationId, BOOTSTRAP_SUPERUSERID, 0, ShareUpdateExclusiveLock);
}

/*
 * Set what the catalog holds for every node.  The caller has checked it, and has the lock.
 */
void
write_cluster_label(ClusterLabel which, const char *text)
{
	set_label(cluster_label_provider(which), AuthIdRelationId, BOOTSTRAP_SUPERUSERID,
			  GetUserNameFromId(BOOTSTRAP_SUPERUSERID, false), text, true);
}

/*
 * Set what the catalog holds for every node; NULL removes it.  If nothing changes, nothing
 * is written.  A role that has EXECUTE on the calling function may do this.
 *
 * Errors: insufficient_privilege, invalid_parameter_value, program_limit_exceeded,
 * invalid_authorization_specification (the caller would be refused).
 */
void
set_cluster_label(ClusterLabel which, const char *text, bool force)
{
	char	   *name = GetUserNameFromId(BOOTSTRAP_SUPERUSERID, false);
	char	   *now;
	char	   *missing;

	if (!superuser())
		require_current_settings();
	if (text != NULL && which != CLUSTER_BLOCKED)
		check_cluster_policy(text, which == CLUSTER_MINIMUM ? PLACE_MINIMUM : PLACE_DEFAULT);

	lock_cluster_labels();
	now = read_cluster_label(which);
	if (text == NULL ? now == NULL : now != NULL && strcmp(now, text) == 0)
		return;
	set_label(cluster_label_provider(which), AuthIdRelationId, BOOTSTRAP_SUPERUSERID, name, text, force);
	missing = missing_standbys_warning();
	if (missing)
		ereport(WARNING, (errmsg_internal("%s", missing)));
}

/*
 * Raise an error if it is the certificate of the caller's own connection, or one that
 * verified it.
 */
static void
refuse_own_certificate(const uint8 *fingerprint)
{
	Facts	   *facts;

	if (MyProcPort == NULL)
		return;
	facts = collect_facts(MyProcPort, my_auth_method());
	if (facts->local ||
		!(facts->unreadable || (facts->cert && has_listed_fingerprint(facts->cert, fingerprint, 1))))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("this would block the certificate of your own connection"),
			 errhint("Connect with another certificate, or pass force => true to block this one all the same.")));
}

/*
 * The list of certificates that are blocked on every node, without one of them.
 */
static char *
list_without(const uint8 *fingerprints, int count, const uint8 *fingerprint, bool *found)
{
	StringInfoData list;

	*found = false;
	initStringInfo(&list);
	for (int i = 0; i < count; i++)
	{
		const uint8 *one = fingerprints + i * FINGERPRINT_LEN;

		if (memcmp(one, fingerprint, FINGERPRINT_LEN) == 0)
			*found = true;
		else
			appendStringInfo(&list, "%s%s", list.len ? "," : "", fingerprint_hex(one));
	}
	return list.data;
}

/*
 * Block a certificate on every node, or take it off the list.
 *
 * Errors: invalid_parameter_value (not a fingerprint), program_limit_exceeded (the list is
 * full), invalid_authorization_specification (it is the caller's own certificate).
 */
void
set_certificate_blocked(const char *text, bool blocked, bool force)
{
	uint8		fingerprint[FINGERPRINT_LEN];
	BlockedCertificates *now;
	char	   *list;
	bool		found;

	if (!parse_fingerprint(text, fingerprint))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is not a SHA-256 fingerprint", text),
				 errhint("Write 64 hexadecimal digits, with or without colons.")));
	lock_cluster_labels();
	now = blocked_certificates();
	if (now->label_unreadable)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the list of certificates blocked on every node cannot be read"),
				 errhint("Ask a superuser to set it again: SECURITY LABEL FOR %s ON ROLE %s IS '...'.",
						 cluster_label_provider(CLUSTER_BLOCKED),
						 quote_identifier(GetUserNameFromId(BOOTSTRAP_SUPERUSERID, false)))));
	list = list_without(now->everywhere, now->neverywhere, fingerprint, &found);
	if (found == blocked)
	{
		ereport(NOTICE,
				(errmsg(blocked ? "certificate is already blocked on every node" :
								  "certificate is not in the list of certificates blocked on every node")));
		return;
	}
	if (blocked && !force)
		refuse_own_certificate(fingerprint);
	if (blocked)
		list = psprintf("%s%s%s", list, list[0] ? "," : "", fingerprint_hex(fingerprint));
	set_cluster_label(CLUSTER_BLOCKED, list[0] ? list : NULL, true);
}
