/*-------------------------------------------------------------------------
 *
 * ownschema.c
 *		Who may create functions in the schema that the extension will have.
 *
 * Superusers write sslpolicy.set_policy(...), and mean ours.  A function that somebody
 * else has put in its place, in a database where the extension is not, would be run
 * with their rights; and CREATE EXTENSION would refuse the schema.  So there only
 * superusers create functions in a schema of this name, whoever owns it and whatever
 * has been granted.  Where the extension is, its schema is closed to others, and
 * lint() finds what was opened.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "labels/ownschema.h"

#define OWN_SCHEMA "sslpolicy"

static object_access_hook_type previous_hook = NULL;

/*
 * The schema of a function as this command leaves it, which no catalog cache has yet.
 */
static Oid
schema_of_function(Oid function)
{
	Relation	pg_proc = table_open(ProcedureRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			result = InvalidOid;

	ScanKeyInit(&key, Anum_pg_proc_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(function));
	scan = systable_beginscan(pg_proc, ProcedureOidIndexId, true, SnapshotSelf, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		result = ((Form_pg_proc) GETSTRUCT(tuple))->pronamespace;
	systable_endscan(scan);
	table_close(pg_proc, AccessShareLock);
	return result;
}

/*
 * Also of one that is altered: it may have been moved, or renamed.
 */
static void
guard_own_schema(ObjectAccessType access, Oid class, Oid object, int column, void *arg)
{
	Oid			own;

	if (previous_hook)
		previous_hook(access, class, object, column, arg);
	if ((access != OAT_POST_CREATE && access != OAT_POST_ALTER) || class != ProcedureRelationId || superuser())
		return;
	own = get_namespace_oid(OWN_SCHEMA, true);
	if (OidIsValid(own) && !OidIsValid(get_extension_oid(OWN_SCHEMA, true)) && schema_of_function(object) == own)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to create functions in schema \"%s\"", OWN_SCHEMA),
				 errdetail("Superusers would take its functions for those of the extension, which is not there yet."),
				 errhint("Create the function in another schema.")));
}

void
init_own_schema(void)
{
	previous_hook = object_access_hook;
	object_access_hook = guard_own_schema;
}
