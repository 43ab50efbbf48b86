/*-------------------------------------------------------------------------
 *
 * installcall.c
 *		What the SQL functions that install have in common: their arguments, and the
 *		row that they return.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include <openssl/err.h>

#include "access/htup_details.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"

#include "install/affected.h"
#include "pki/chain.h"
#include "pki/crl.h"
#include "base/datums.h"
#include "base/files.h"
#include "sql/arguments.h"
#include "sql/installcall.h"
#include "settings/settings.h"
#include "pki/x509.h"
#include "base/memory.h"

void
invalid_argument(const char *message, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s", message),
			 detail ? errdetail("%s", detail) : 0,
			 hint ? errhint("%s", hint) : 0));
}

static void
append_json_member(StringInfo buf, const char *name, const char *value)
{
	if (buf->data[buf->len - 1] != '{')
		appendStringInfoString(buf, ", ");
	escape_json(buf, name);
	appendStringInfoString(buf, ": ");
	escape_json(buf, value);
}

/*
 * One certificate or CRL of a list, if it is in the other one as asked.
 */
static void
append_changes(StringInfo buf, const char *name, bool is_crl, const PemContent *list,
			   const PemContent *other, bool in_other)
{
	int			count = is_crl ? sk_X509_CRL_num(list->crls) : sk_X509_num(list->certs);
	bool		first = true;

	appendStringInfo(buf, "\"%s\": [", name);
	for (int i = 0; i < count; i++)
	{
		X509_CRL   *crl = is_crl ? sk_X509_CRL_value(list->crls, i) : NULL;
		X509	   *cert = is_crl ? NULL : sk_X509_value(list->certs, i);
		CrlFacts   *facts = is_crl ? read_crl(crl) : NULL;
		uint8		digest[FINGERPRINT_LEN];
		bool		found = false;
		char	   *subject;

		if (is_crl)
			for (int k = 0; k < sk_X509_CRL_num(other->crls); k++)
				found |= X509_CRL_match(sk_X509_CRL_value(other->crls, k), crl) == 0;
		else
			found = has_certificate(other->certs, cert);
		if (found != in_other ||
			!(is_crl ? crl_fingerprint(crl, digest) : certificate_fingerprint(cert, digest)))
			continue;
		subject = dn_text(is_crl ? X509_CRL_get_issuer(crl) : X509_get_subject_name(cert));
		appendStringInfo(buf, "%s{", first ? "" : ", ");
		append_json_member(buf, is_crl ? "issuer" : "subject", certificate_string(subject ? subject : ""));
		if (facts && facts->number)
			append_json_member(buf, "crl_number", facts->number);
		append_json_member(buf, "fingerprint_sha256", fingerprint_hex(digest));
		appendStringInfoChar(buf, '}');
		first = false;
	}
	appendStringInfoChar(buf, ']');
}

static Datum
json_datum(StringInfo buf)
{
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(buf->data));
}

static Datum
changes_datum(const Installation *inst)
{
	StringInfo	buf = makeStringInfo();
	bool		is_crl = inst->kind == MATERIAL_CRL;

	appendStringInfoChar(buf, '{');
	append_changes(buf, "added", is_crl, inst->content, inst->old, false);
	appendStringInfoString(buf, ", ");
	append_changes(buf, "removed", is_crl, inst->old, inst->content, false);
	appendStringInfoString(buf, ", ");
	append_changes(buf, "kept", is_crl, inst->content, inst->old, true);
	appendStringInfoChar(buf, '}');
	return json_datum(buf);
}

static Datum
affected_datum(const Installation *inst)
{
	StringInfo	buf = makeStringInfo();
	ListCell   *cell;

	appendStringInfoChar(buf, '[');
	foreach(cell, inst->affected)
	{
		const AffectedSession *s = lfirst(cell);
		char	   *role = GetUserNameFromId(s->role, true);

		appendStringInfo(buf, "%s{\"pid\": %d", buf->len > 1 ? ", " : "", s->pid);
		append_json_member(buf, "role", role ? role : "?");
		append_json_member(buf, "reason", s->reason);
		appendStringInfoChar(buf, '}');
	}
	appendStringInfoChar(buf, ']');
	return json_datum(buf);
}

/*
 * Install, and return the row: installed, generation, changes, affected,
 * warnings.
 */
Datum
install_and_report(FunctionCallInfo fcinfo, Installation *inst)
{
	TupleDesc	desc;
	Datum		values[5];
	bool		nulls[5] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != 5)
		elog(ERROR, "return type must be a row type of 5 columns");
	finish_installation(inst);
	values[0] = BoolGetDatum(inst->installed);
	values[1] = Int64GetDatum((int64) inst->generation);
	values[2] = changes_datum(inst);
	values[3] = affected_datum(inst);
	values[4] = text_list(inst->warnings);
	ERR_clear_error();
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

int64
unix_now(void)
{
	return (int64) time(NULL);
}

void
add_unless_there(Installation *inst, STACK_OF(X509) *set, X509 *cert, bool warn)
{
	if (has_certificate(set, cert))
	{
		if (warn)
			inst->warnings = lappend(inst->warnings, psprintf("CA %s is there already", certificate_title(cert)));
		return;
	}
	X509_up_ref(cert);
	sk_X509_push(set, cert);
}

void
could_not_encode(bool ok)
{
	if (!ok)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not encode TLS material")));
}

Installation *
begin_call(FunctionCallInfo fcinfo, MaterialKind kind, const char *action, int flags)
{
	Installation *inst = begin_installation(kind, action, flag_argument(fcinfo, flags),
											flag_argument(fcinfo, flags + 1));

	inst->content = free_at_reset(new_pem_content(), free_pem_content);
	return inst;
}
