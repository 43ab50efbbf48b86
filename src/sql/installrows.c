/*-------------------------------------------------------------------------
 *
 * installrows.c
 *		Columns that the functions which change TLS material have in common.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/datums.h"
#include "install/affected.h"
#include "material/material.h"
#include "pki/crl.h"
#include "sql/installrows.h"

static void
append_json_member(StringInfo buf, const char *name, const char *value)
{
	if (buf->data[buf->len - 1] != '{')
		appendStringInfoString(buf, ", ");
	escape_json(buf, name);
	appendStringInfoString(buf, ": ");
	escape_json(buf, value);
}

static void
append_item(StringInfo buf, const MaterialItem *item)
{
	CrlFacts   *crl = item->crl ? read_crl(item->crl) : NULL;

	appendStringInfoString(buf, buf->data[buf->len - 1] == '[' ? "{" : ", {");
	append_json_member(buf, item->crl ? "issuer" : "subject", certificate_string(item->subject));
	if (crl && crl->number)
		append_json_member(buf, "crl_number", crl->number);
	append_json_member(buf, "fingerprint_sha256", item->fingerprint);
	appendStringInfoChar(buf, '}');
}

static bool
has_item(List *items, const MaterialItem *wanted)
{
	ListCell   *cell;

	foreach(cell, items)
		if (strcmp(((MaterialItem *) lfirst(cell))->fingerprint, wanted->fingerprint) == 0)
			return true;
	return false;
}

/*
 * Append the items of a list that are in another one, or those that are not.
 */
static void
append_items(StringInfo buf, const char *name, List *items, List *others, bool in_others)
{
	ListCell   *cell;

	appendStringInfo(buf, "\"%s\": [", name);
	foreach(cell, items)
		if (has_item(others, lfirst(cell)) == in_others)
			append_item(buf, lfirst(cell));
	appendStringInfoChar(buf, ']');
}

static Datum
json_datum(StringInfo buf)
{
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(buf->data));
}

Datum
changes_datum(const Installation *inst)
{
	StringInfo	buf = makeStringInfo();
	List	   *before = material_items(inst->kind, inst->old);
	List	   *after = material_items(inst->kind, inst->content);

	appendStringInfoChar(buf, '{');
	append_items(buf, "added", after, before, false);
	appendStringInfoString(buf, ", ");
	append_items(buf, "removed", before, after, false);
	appendStringInfoString(buf, ", ");
	append_items(buf, "kept", after, before, true);
	appendStringInfoChar(buf, '}');
	return json_datum(buf);
}

/*
 * Members: see the table of columns in docs/reference.md.
 */
static void
append_affected(StringInfo buf, const Affected *affected)
{
	appendStringInfoString(buf, buf->data[buf->len - 1] == '[' ? "{" : ", {");
	if (affected->kind == AFFECTED_SESSION)
		appendStringInfo(buf, "\"pid\": %d", affected->pid);
	if (affected->standby)
		append_json_member(buf, "standby", compat_clean_ascii(affected->standby));
	if (affected->role)
		append_json_member(buf, "role", affected->role);
	if (affected->kind == AFFECTED_LOGIN)
		append_json_member(buf, "last_login", timestamptz_to_str(affected->last_login));
	if (affected->ca)
		append_json_member(buf, "ca", affected->ca);
	append_json_member(buf, "reason", affected->reason);
	appendStringInfoChar(buf, '}');
}

Datum
affected_datum(const Installation *inst)
{
	StringInfo	buf = makeStringInfo();
	ListCell   *cell;

	appendStringInfoChar(buf, '[');
	foreach(cell, inst->affected)
		append_affected(buf, lfirst(cell));
	appendStringInfoChar(buf, ']');
	return json_datum(buf);
}
