/*-------------------------------------------------------------------------
 *
 * ownschema.c
 *		Who may put what into the schema that the extension will have.
 *
 * When superusers write sslpolicy.set_policy(...) or sslpolicy.sessions, they mean ours.
 * In a database without the extension, somebody else could put a function or a view in
 * its place, which would run with the superuser's rights; and CREATE EXTENSION would
 * refuse the schema.  So only superusers may create functions, tables and views in a
 * schema of this name there, or give a schema the name, whoever owns it and whatever
 * has been granted.  In a database with the extension, its schema is closed to others,
 * and lint() reports if it has been opened.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "labels/ownschema.h"

#define OWN_SCHEMA "sslpolicy"

static object_access_hook_type previous_hook = NULL;

/*
 * A column of a row as this command leaves it; no catalog cache has that yet.  False if
 * there is no such row.
 */
static bool
read_new_row(Oid catalog, Oid index, AttrNumber oid_column, Oid object, AttrNumber column, Datum *value)
{
	Relation	relation = table_open(catalog, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull = true;

	ScanKeyInit(&key, oid_column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(object));
	scan = systable_beginscan(relation, index, true, SnapshotSelf, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		*value = heap_getattr(tuple, column, RelationGetDescr(relation), &isnull);
		/* a name lies in the row, which goes with the scan */
		if (!isnull && catalog == NamespaceRelationId)
			*value = CStringGetDatum(pstrdup(NameStr(*DatumGetName(*value))));
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return !isnull;
}

static bool
is_in_own_schema(Oid class, Oid object)
{
	Oid			own = get_namespace_oid(OWN_SCHEMA, true);
	Datum		schema;
	bool		found;

	if (!OidIsValid(own))
		return false;
	found = class == ProcedureRelationId ?
		read_new_row(class, ProcedureOidIndexId, Anum_pg_proc_oid, object, Anum_pg_proc_pronamespace, &schema) :
		read_new_row(class, ClassOidIndexId, Anum_pg_class_oid, object, Anum_pg_class_relnamespace, &schema);
	return found && DatumGetObjectId(schema) == own;
}

/*
 * Has this command given a schema the name?
 */
static bool
becomes_own_schema(Oid schema)
{
	char	   *before = get_namespace_name(schema);
	Datum		name;

	return before != NULL && strcmp(before, OWN_SCHEMA) != 0 &&
		read_new_row(NamespaceRelationId, NamespaceOidIndexId, Anum_pg_namespace_oid, schema, Anum_pg_namespace_nspname, &name) &&
		strcmp(DatumGetCString(name), OWN_SCHEMA) == 0;
}

static void
refuse_in_own_schema(const char *action)
{
	if (OidIsValid(get_extension_oid(OWN_SCHEMA, true)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to %s \"%s\"", action, OWN_SCHEMA),
			 errdetail("Superusers would take what is in it for the extension, which does not exist in this database."),
			 errhint("Use another schema.")));
}

/*
 * Checks what is altered, too: it may have been moved or renamed.
 */
static void
guard_own_schema(ObjectAccessType access, Oid class, Oid object, int column, void *arg)
{
	if (previous_hook)
		previous_hook(access, class, object, column, arg);
	if ((access != OAT_POST_CREATE && access != OAT_POST_ALTER) || superuser())
		return;
	if (class == ProcedureRelationId && is_in_own_schema(class, object))
		refuse_in_own_schema("create functions in schema");
	/* a view runs functions of its owner's choice as whoever reads it */
	if (class == RelationRelationId && column == 0 && is_in_own_schema(class, object))
		refuse_in_own_schema("create tables or views in schema");
	if (class == NamespaceRelationId && access == OAT_POST_ALTER && becomes_own_schema(object))
		refuse_in_own_schema("rename a schema to");
}

void
init_own_schema(void)
{
	previous_hook = object_access_hook;
	object_access_hook = guard_own_schema;
}
