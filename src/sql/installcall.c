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
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"

#include "install/affected.h"
#include "pki/chain.h"
#include "pki/crl.h"
#include "base/datums.h"
#include "base/files.h"
#include "sql/installcall.h"
#include "settings/settings.h"
#include "pki/x509.h"
#include "base/memory.h"

#define HIDDEN_STATEMENT "<statement with a private key>"

void
invalid_argument(const char *message, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s", message),
			 detail ? errdetail("%s", detail) : 0,
			 hint ? errhint("%s", hint) : 0));
}

/*
 * The statement carries a private key: keep it out of what is still to be
 * logged of it (errors), and of pg_stat_activity.
 */
void
hide_statement(void)
{
	debug_query_string = HIDDEN_STATEMENT;
	pgstat_report_activity(STATE_RUNNING, HIDDEN_STATEMENT);
}

char *
text_argument(FunctionCallInfo fcinfo, int arg, const char *name)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
	return text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

bool
flag_argument(FunctionCallInfo fcinfo, int arg)
{
	return !PG_ARGISNULL(arg) && PG_GETARG_BOOL(arg);
}

/*
 * PEM text that must not have a private key in it, of at most max_bytes and
 * max_certificates.
 */
PemContent *
pem_argument(FunctionCallInfo fcinfo, int arg, const char *name, size_t max_bytes,
			 int max_certificates)
{
	char	   *text = text_argument(fcinfo, arg, name);
	size_t		len = strlen(text);
	PemContent *content;
	char	   *error;

	if (len > max_bytes)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the text is too long"),
				 errdetail("It has %zu bytes; %zu are accepted.", len, max_bytes)));
	if (mentions_private_key(text, len))
	{
		wipe_memory(text, len);
		hide_statement();
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is a private key in the text"),
				 errdetail("It was not stored. Whoever can read the statement, in a log or on its way, may know the key."),
				 errhint("Give certificates or CRLs alone (the server's key is an argument of its own), and consider the key as compromised."),
				 errhidestmt(true), errhidecontext(true)));
	}
	content = read_pem(text, len, &error);
	if (content == NULL)
		invalid_argument(psprintf("%s is not valid PEM", name), psprintf("The error was: %s.", error), NULL);
	(void) free_at_reset(content, free_pem_content);
	if (sk_X509_num(content->certs) > max_certificates)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("there are too many certificates in the text"),
				 errdetail("There are %d; %d are accepted.", sk_X509_num(content->certs),
						   max_certificates)));
	return content;
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
			for (int k = 0; k < sk_X509_num(other->certs); k++)
				found |= X509_cmp(sk_X509_value(other->certs, k), cert) == 0;
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
	for (int i = 0; i < sk_X509_num(set); i++)
		if (X509_cmp(sk_X509_value(set, i), cert) == 0)
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
