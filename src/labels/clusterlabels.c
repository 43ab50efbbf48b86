/*-------------------------------------------------------------------------
 *
 * clusterlabels.c
 *		What the catalog holds for every node of a cluster: two policies, the
 *		fingerprints of blocked certificates, CAs, and CRLs.
 *
 * They are labels of the bootstrap superuser, each with its own provider.  That role is
 * the one object that exists on every node, and whose labels pg_dumpall and pg_upgrade
 * keep.  So they are transactional, and WAL takes them to every physical standby.
 *
 * Only superusers may run the statement SECURITY LABEL; setpolicy.c runs it as a
 * superuser after checks of its own.
 *
 * A login reads policies and fingerprints, which are short enough to be stored inline.  CAs
 * and CRLs can be stored out of line, and reading those takes a connection to a database.
 * Each node keeps them in files (cluster/apply.c).
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
#include "utils/snapmgr.h"

#include "base/fingerprint.h"
#include "labels/catalogscan.h"
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
	[CLUSTER_CA] = {"sslpolicy_ca", "cluster CA"},
	[CLUSTER_CRL] = {"sslpolicy_crl", "cluster CRL"},
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
 * Is it TLS material, which is not read at login?
 */
bool
is_cluster_material(ClusterLabel which)
{
	return which == CLUSTER_CA || which == CLUSTER_CRL;
}

/*
 * A copy of the row of a label; NULL if there is none.
 */
static HeapTuple
find_row(Relation pg_shseclabel, ClusterLabel which)
{
	HeapTuple	result = NULL;
	ClusterLabel found;
	ScanKeyData key[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key[0], Anum_pg_shseclabel_objoid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(BOOTSTRAP_SUPERUSERID));
	ScanKeyInit(&key[1], Anum_pg_shseclabel_classoid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(AuthIdRelationId));
	scan = systable_beginscan(pg_shseclabel, SharedSecLabelObjectIndexId,
							  criticalSharedRelcachesBuilt && is_index_cheaper(pg_shseclabel, 1),
							  NULL, 2, key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		if (is_cluster_label(tuple, RelationGetDescr(pg_shseclabel), &found) && found == which)
			result = heap_copytuple(tuple);
	systable_endscan(scan);
	return result;
}

/*
 * The text, or NULL.  In a login, the worker and SQL functions.
 */
char *
read_cluster_label(ClusterLabel which)
{
	Relation	pg_shseclabel = table_open(SharedSecLabelRelationId, AccessShareLock);
	HeapTuple	row = find_row(pg_shseclabel, which);
	char	   *result = row ? cluster_label_text(row, RelationGetDescr(pg_shseclabel)) : NULL;

	table_close(pg_shseclabel, AccessShareLock);
	return result;
}

/*
 * A number that no other version of the label has; InvalidTransactionId if there is no
 * label.  It is the raw xmin, which freezing, VACUUM FULL and replay leave unchanged.
 */
TransactionId
cluster_label_version(ClusterLabel which)
{
	Relation	pg_shseclabel = table_open(SharedSecLabelRelationId, AccessShareLock);
	HeapTuple	row = find_row(pg_shseclabel, which);
	TransactionId result = row ? HeapTupleHeaderGetRawXmin(row->t_data) : InvalidTransactionId;

	table_close(pg_shseclabel, AccessShareLock);
	return result;
}

/*
 * The text of CAs or CRLs, however long; NULL if there is none.  Needs a connection to a
 * database.
 *
 * A text stored out of line must be read under a registered snapshot, which a background worker
 * does not have by itself; that of the catalogs can be invalidated at any time.
 */
char *
read_cluster_material(ClusterLabel which)
{
	bool		has_snapshot = ActiveSnapshotSet();
	Relation	pg_shseclabel;
	HeapTuple	row;
	char	   *result;

	if (!has_snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());
	pg_shseclabel = table_open(SharedSecLabelRelationId, AccessShareLock);
	row = find_row(pg_shseclabel, which);
	result = row ? label_of_row(row, RelationGetDescr(pg_shseclabel)) : NULL;
	table_close(pg_shseclabel, AccessShareLock);
	if (!has_snapshot)
		PopActiveSnapshot();
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
 * Raise an error if this label cannot be set by this user on this object.
 */
void
check_cluster_object(ClusterLabel which, const ObjectAddress *object)
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
}

static void
check_cluster_label(ClusterLabel which, const ObjectAddress *object, const char *text)
{
	check_cluster_object(which, object);
	if (text != NULL && which == CLUSTER_BLOCKED)
		check_blocked(text);
	else if (text != NULL)
		check_policy_label(text, which == CLUSTER_MINIMUM ? PLACE_MINIMUM : PLACE_DEFAULT);
	note_label_change(object, cluster_labels[which].provider, cluster_labels[which].name, text, false);
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
