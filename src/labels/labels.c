/*-------------------------------------------------------------------------
 *
 * labels.c
 *		Policies as security labels: the provider, and reading them back.
 *
 * The provider lets nothing into pg_shseclabel that is not a policy, and lets
 * nobody but superusers set one by SECURITY LABEL; sslpolicy.set_policy() comes
 * here as a superuser after checks of its own.  changes.c logs what was changed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/objectaccess.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "catalog/pg_shseclabel.h"
#include "commands/dbcommands.h"
#include "commands/seclabel.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/files.h"
#include "labels/changes.h"
#include "labels/clusterlabels.h"
#include "labels/labels.h"
#include "policy/matcher.h"
#include "settings/settings.h"

/* Set while set_policy() runs its statement; InvalidOid otherwise. */
static Oid	expected_user = InvalidOid;
static ObjectAddress expected_object;

static object_access_hook_type previous_access_hook = NULL;

/*
 * Announce that the next label is set for user, on this object: on no other,
 * whatever a statement that names it comes to mean until it runs.  InvalidOid
 * as the user ends that.
 */
void
expect_label(Oid user, Oid class, Oid object)
{
	expected_user = user;
	ObjectAddressSet(expected_object, class, object);
}

/*
 * Parse a policy that somebody wants to set, or raise the error that says what
 * is wrong with it.
 */
Policy *
parse_policy_or_error(const char *text, PolicyPlace place)
{
	PolicyError error;
	Policy	   *policy = parse_policy(text, place, &policy_checks, &error);

	if (policy == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid TLS policy: %s", error.message),
				 policy_errdetail(text, &error)));
	return policy;
}

/*
 * Let the worker know of a change when it is committed, also by COMMIT PREPARED
 * and on a standby.  Nothing watches pg_shseclabel, but the worker watches roles
 * and databases: say that the labelled object has changed.
 */
static void
announce_change(const ObjectAddress *object)
{
	bool		is_role = object->classId == AuthIdRelationId;
	HeapTuple	tuple = SearchSysCache1(is_role ? AUTHOID : DATABASEOID,
										ObjectIdGetDatum(object->objectId));
	Relation	catalog;

	if (!HeapTupleIsValid(tuple))
		return;
	catalog = table_open(object->classId, AccessShareLock);
	CacheInvalidateHeapTuple(catalog, tuple, NULL);
	table_close(catalog, AccessShareLock);
	ReleaseSysCache(tuple);
}

static const char *
hash_text(const char *text)
{
	return text ? psprintf("SHA-256 %s", bytes_fingerprint(text, strlen(text))) : NULL;
}

/*
 * Remember a change until its transaction ends.  False if there is none: what is
 * removed is not there.
 */
static bool
note_change(const ObjectAddress *object, const char *provider, const char *title, const char *text, bool hashed)
{
	const char *before = GetSecurityLabel(object, provider);

	if (before == NULL && text == NULL)
		return false;
	remember_change(object, title, OidIsValid(expected_user) ? expected_user : GetUserId(),
					hashed ? hash_text(before) : before, hashed ? hash_text(text) : text);
	return true;
}

/*
 * Log, when it is committed, that a label is set or removed, and let the worker know.
 * title is what the log calls it; NULL for the policy of the object.  hashed: it is too
 * long for the log, which has its hash.
 *
 * The announcement is delivered when the command that writes the label ends.  A
 * command that writes nothing must announce nothing: the announcement would still
 * be pending when a subtransaction begins, which is an error.
 */
void
note_label_change(const ObjectAddress *object, const char *provider, const char *title, const char *text, bool hashed)
{
	if (!IsBinaryUpgrade && note_change(object, provider, title, text, hashed))
		announce_change(object);
}

/*
 * Raise an error if a label is not a policy.
 *
 * pg_upgrade must be able to restore what an older server has accepted, even
 * if OpenSSL has dropped a cipher since, or a regular expression is no longer
 * accepted: such a policy denies.
 */
void
check_policy_label(const char *text, PolicyPlace place)
{
	PolicyError error;

	if (IsBinaryUpgrade &&
		(parse_policy(text, place, NULL, &error) != NULL || error.by_regex))
		return;
	(void) parse_policy_or_error(text, place);
}

/*
 * Is a label being set by one of our functions, not by a statement of the user?
 */
bool
is_label_expected(void)
{
	return OidIsValid(expected_user);
}

/*
 * Raise an error if the object is not the one that was announced.
 */
void
check_expected(const ObjectAddress *object)
{
	if (OidIsValid(expected_user) &&
		(object->classId != expected_object.classId ||
		 object->objectId != expected_object.objectId))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("the role or database was renamed meanwhile"),
				 errhint("Look at its name, and try again.")));
}

/*
 * Predefined roles are no roles like others: one has members of its own kind, and a
 * dump takes the labels of none.
 */
static void
check_predefined_role(Oid role)
{
	char	   *name = GetUserNameFromId(role, false);

	if (role == ROLE_PG_DATABASE_OWNER)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a TLS policy of role \"%s\" would bind nobody", name),
				 errdetail("Who its member is depends on the database, and a login is judged before it is in one."),
				 errhint("Set the policy for the owner of the database, or for the database.")));
	if (IsReservedName(name))
		ereport(WARNING,
				(errmsg("the TLS policy of role \"%s\" gets lost in pg_dumpall and pg_upgrade", name),
				 errdetail("They carry no labels of predefined roles."),
				 errhint("Set it again afterwards, or set it for a role of your own that is granted instead.")));
}

/*
 * The provider's check: may this label be set, by this user, on this object?
 * Core itself demands little of who labels a role.
 */
static void
check_label(const ObjectAddress *object, const char *text)
{
	PolicyPlace place = object->classId == DatabaseRelationId ?
		PLACE_DATABASE :
		PLACE_ROLE;

	if (object->classId != AuthIdRelationId && object->classId != DatabaseRelationId)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("TLS policies apply to roles and databases only"),
				 errhint("Use SECURITY LABEL FOR sslpolicy ON ROLE or ON DATABASE.")));
	check_expected(object);
	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser to set a TLS policy with SECURITY LABEL"),
				 errhint("EXECUTE on sslpolicy.set_policy() and sslpolicy.set_database_policy() can be granted to other roles.")));
	if (text != NULL)
		check_policy_label(text, place);
	if (text != NULL && place == PLACE_ROLE && !IsBinaryUpgrade)
		check_predefined_role(object->objectId);
	note_label_change(object, LABEL_PROVIDER, NULL, text, false);
}

/*
 * DROP takes the label along: that is a change of policy as well.
 */
static void
note_drop(ObjectAccessType access, Oid class, Oid object, int column, void *arg)
{
	ObjectAddress address = {.classId = class, .objectId = object};

	if (previous_access_hook)
		previous_access_hook(access, class, object, column, arg);
	if (access == OAT_DROP && !IsBinaryUpgrade &&
		(class == AuthIdRelationId || class == DatabaseRelationId))
		(void) note_change(&address, LABEL_PROVIDER, NULL, NULL, false);
}

void
init_labels(void)
{
	register_label_provider(LABEL_PROVIDER, check_label);
	init_cluster_labels();
	previous_access_hook = object_access_hook;
	object_access_hook = note_drop;
	init_changes();
}

/*
 * The policy of a role or database as it is stored, or NULL.
 */
char *
read_label(Oid class, Oid object)
{
	ObjectAddress address = {.classId = class, .objectId = object};

	return GetSecurityLabel(&address, LABEL_PROVIDER);
}

/*
 * Is a row of pg_shseclabel a label of this provider?
 */
bool
is_label_of(HeapTuple tuple, TupleDesc desc, const char *provider)
{
	bool		isnull;
	Datum		datum = heap_getattr(tuple, Anum_pg_shseclabel_provider, desc, &isnull);
	text	   *name = isnull ? NULL : DatumGetTextPP(datum);

	return name != NULL && VARSIZE_ANY_EXHDR(name) == strlen(provider) &&
		memcmp(VARDATA_ANY(name), provider, strlen(provider)) == 0;
}

/*
 * Is it the policy of a role or database?
 */
bool
is_our_label(HeapTuple tuple, TupleDesc desc)
{
	return is_label_of(tuple, desc, LABEL_PROVIDER);
}

/*
 * The text of a row of pg_shseclabel.
 */
char *
label_of_row(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		label = heap_getattr(tuple, Anum_pg_shseclabel_label, desc, &isnull);

	return isnull ? NULL : TextDatumGetCString(label);
}

/*
 * The text of a row of pg_shseclabel if it is one of ours, or NULL.
 */
char *
our_label(HeapTuple tuple, TupleDesc desc)
{
	return is_our_label(tuple, desc) ? label_of_row(tuple, desc) : NULL;
}

/*
 * All labels of ours.
 */
List *
all_labels(void)
{
	Relation	pg_shseclabel = table_open(SharedSecLabelRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(pg_shseclabel, InvalidOid, false,
										  NULL, 0, NULL);
	HeapTuple	tuple;
	List	   *result = NIL;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_shseclabel form = (Form_pg_shseclabel) GETSTRUCT(tuple);
		char	   *text = our_label(tuple, RelationGetDescr(pg_shseclabel));
		Label	   *label;

		if (text == NULL)
			continue;
		label = palloc(sizeof(Label));
		label->class = form->classoid;
		label->object = form->objoid;
		label->text = text;
		result = lappend(result, label);
	}
	systable_endscan(scan);
	table_close(pg_shseclabel, AccessShareLock);
	return result;
}

/*
 * The name of the role or database that has the label; NULL if it has been dropped
 * since.
 */
char *
labelled_name(const Label *label)
{
	return label->class == AuthIdRelationId ? GetUserNameFromId(label->object, true) :
											  get_database_name(label->object);
}
