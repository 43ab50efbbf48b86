/*-------------------------------------------------------------------------
 *
 * clusterlabels.c
 *		What the catalog holds for every node of a cluster: two policies, and the
 *		fingerprints of blocked certificates.
 *
 * They are labels of the bootstrap superuser, each with its own provider.  That role is
 * the one object that exists on every node, and whose labels pg_dumpall and pg_upgrade
 * keep.  So they are transactional, and WAL takes them to every physical standby.
 *
 * Only superusers may run the statement SECURITY LABEL; setpolicy.c runs it as a
 * superuser after checks of its own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_shseclabel.h"
#include "commands/seclabel.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "base/fingerprint.h"
#include "labels/clusterlabels.h"
#include "labels/labels.h"

static const struct
{
	const char *provider;
	const char *name;			/* for messages */
} cluster_labels[NUM_CLUSTER_LABELS] = {
	[CLUSTER_MINIMUM] = {"sslpolicy_minimum", "cluster minimum_policy"},
	[CLUSTER_DEFAULT] = {"sslpolicy_default", "cluster default_policy"},
	[CLUSTER_BLOCKED] = {"sslpolicy_blocked", "cluster blocked_fingerprints"},
};

const char *
cluster_label_provider(ClusterLabel which)
{
	return cluster_labels[which].provider;
}

const char *
cluster_label_name(ClusterLabel which)
{
	return cluster_labels[which].name;
}

/*
 * Is a row of pg_shseclabel one of these labels?
 */
bool
is_cluster_label(HeapTuple tuple, TupleDesc desc, ClusterLabel *which)
{
	Form_pg_shseclabel form = (Form_pg_shseclabel) GETSTRUCT(tuple);

	if (form->classoid != AuthIdRelationId || form->objoid != BOOTSTRAP_SUPERUSERID)
		return false;
	for (int i = 0; i < NUM_CLUSTER_LABELS; i++)
		if (is_label_of(tuple, desc, cluster_labels[i].provider))
		{
			*which = (ClusterLabel) i;
			return true;
		}
	return false;
}

/*
 * The text of a row.  One that is not stored in the row itself, which somebody must have
 * written into the catalog by hand, cannot be read without a database: it is no policy,
 * and no list.
 */
char *
cluster_label_text(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		label = heap_getattr(tuple, Anum_pg_shseclabel_label, desc, &isnull);

	if (isnull || VARATT_IS_EXTERNAL(DatumGetPointer(label)))
		return pstrdup("(unreadable)");
	return TextDatumGetCString(label);
}

/*
 * The text, or NULL.  In a login, the worker and SQL functions.
 */
char *
read_cluster_label(ClusterLabel which)
{
	Relation	pg_shseclabel = table_open(SharedSecLabelRelationId, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(pg_shseclabel);
	char	   *result = NULL;
	ClusterLabel found;
	ScanKeyData key[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key[0], Anum_pg_shseclabel_objoid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(BOOTSTRAP_SUPERUSERID));
	ScanKeyInit(&key[1], Anum_pg_shseclabel_classoid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(AuthIdRelationId));
	scan = systable_beginscan(pg_shseclabel, SharedSecLabelObjectIndexId,
							  criticalSharedRelcachesBuilt, NULL, 2, key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		if (is_cluster_label(tuple, desc, &found) && found == which)
			result = cluster_label_text(tuple, desc);
	systable_endscan(scan);
	table_close(pg_shseclabel, AccessShareLock);
	return result;
}

static void
check_blocked(const char *text)
{
	int			count;
	char	   *bad;

	if (strlen(text) > POLICY_MAX_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many blocked certificates for a label"),
				 errdetail("The list is %zu bytes long; at most %d bytes can be read at login.", strlen(text), POLICY_MAX_BYTES),
				 errhint("Put fingerprints into sslpolicy.blocked_fingerprints on each node, or revoke the certificates with a CRL.")));
	if (parse_fingerprints(text, &count, &bad) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is not a SHA-256 fingerprint", bad),
				 errhint("Write 64 hexadecimal digits, with or without colons, and commas between fingerprints.")));
}

/*
 * May this label be set, by this user, on this object?
 */
static void
check_cluster_label(ClusterLabel which, const ObjectAddress *object, const char *text)
{
	check_expected(object);
	if (object->classId != AuthIdRelationId || object->objectId != BOOTSTRAP_SUPERUSERID)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("labels of provider \"%s\" can be set only on the bootstrap superuser", cluster_labels[which].provider),
				 errhint("Use SECURITY LABEL FOR %s ON ROLE %s.", cluster_labels[which].provider,
						 quote_identifier(GetUserNameFromId(BOOTSTRAP_SUPERUSERID, false)))));
	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser to set a label of provider \"%s\" with SECURITY LABEL", cluster_labels[which].provider),
				 errhint("EXECUTE on the functions that set it can be granted to other roles.")));
	if (text != NULL && which == CLUSTER_BLOCKED)
		check_blocked(text);
	else if (text != NULL)
		check_policy_label(text, which == CLUSTER_MINIMUM ? PLACE_MINIMUM : PLACE_DEFAULT);
	note_label_change(object, cluster_labels[which].provider, cluster_labels[which].name, text);
}

static void
check_minimum_label(const ObjectAddress *object, const char *text)
{
	check_cluster_label(CLUSTER_MINIMUM, object, text);
}

static void
check_default_label(const ObjectAddress *object, const char *text)
{
	check_cluster_label(CLUSTER_DEFAULT, object, text);
}

static void
check_blocked_label(const ObjectAddress *object, const char *text)
{
	check_cluster_label(CLUSTER_BLOCKED, object, text);
}

void
init_cluster_labels(void)
{
	register_label_provider(cluster_labels[CLUSTER_MINIMUM].provider, check_minimum_label);
	register_label_provider(cluster_labels[CLUSTER_DEFAULT].provider, check_default_label);
	register_label_provider(cluster_labels[CLUSTER_BLOCKED].provider, check_blocked_label);
}
