/*-------------------------------------------------------------------------
 *
 * installfuncs.c
 *		The SQL functions that install TLS material.
 *
 * They decide what the new material is, and have install.c put it in place.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include <openssl/err.h>

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"

#include "affected.h"
#include "cabound.h"
#include "caller.h"
#include "chain.h"
#include "crl.h"
#include "datums.h"
#include "files.h"
#include "identity.h"
#include "install.h"
#include "settings.h"
#include "x509.h"

PG_FUNCTION_INFO_V1(sslpolicy_install_ca);
PG_FUNCTION_INFO_V1(sslpolicy_add_ca);
PG_FUNCTION_INFO_V1(sslpolicy_remove_ca);
PG_FUNCTION_INFO_V1(sslpolicy_install_crl);
PG_FUNCTION_INFO_V1(sslpolicy_install_crl_der);
PG_FUNCTION_INFO_V1(sslpolicy_install_server_certificate);
PG_FUNCTION_INFO_V1(sslpolicy_create_server_key);
PG_FUNCTION_INFO_V1(sslpolicy_rollback);

/* of certificates: some hundreds of CAs */
#define MAX_PEM_BYTES (1024 * 1024)

#define PENDING_KEY "pending.key"
#define HIDDEN_STATEMENT "<statement with a private key>"

static void
invalid(const char *message, const char *detail, const char *hint)
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
static void
hide_statement(void)
{
	debug_query_string = HIDDEN_STATEMENT;
	pgstat_report_activity(STATE_RUNNING, HIDDEN_STATEMENT);
}

static char *
text_argument(FunctionCallInfo fcinfo, int arg, const char *name)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
	return text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

static bool
flag_argument(FunctionCallInfo fcinfo, int arg)
{
	return !PG_ARGISNULL(arg) && PG_GETARG_BOOL(arg);
}

/*
 * PEM text that must not have a private key in it.
 */
static PemContent *
pem_argument(FunctionCallInfo fcinfo, int arg, const char *name)
{
	char	   *text = text_argument(fcinfo, arg, name);
	size_t		len = strlen(text);
	PemContent *content;
	char	   *error;

	if (len > MAX_PEM_BYTES && len > max_crl_size())
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the text is too long"),
				 errdetail("It has %zu bytes; %d are accepted.", len, MAX_PEM_BYTES)));
	if (mentions_private_key(text, len))
	{
		wipe(text, len);
		hide_statement();
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is a private key in the text"),
				 errdetail("It was not stored. Whoever can read the statement, in a log or on its way, may know the key."),
				 errhint("Give certificates or CRLs alone, and consider the key as compromised."),
				 errhidestmt(true), errhidecontext(true)));
	}
	content = read_pem(text, len, &error);
	if (content == NULL)
		invalid(psprintf("%s is not valid PEM", name), psprintf("%s.", error), NULL);
	return free_at_reset(content, free_pem_content);
}

static StringInfo
new_buffer(void)
{
	return makeStringInfo();
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
	StringInfo	buf = new_buffer();
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
	StringInfo	buf = new_buffer();
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
static Datum
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

static int64
unix_now(void)
{
	return (int64) time(NULL);
}

/*
 * What the server would verify clients with, CAs or CRLs being the new ones.
 */
static Trust *
trust_with(const Installation *inst, STACK_OF(X509) *cas, STACK_OF(X509_CRL) *crls)
{
	Trust	   *trust = palloc(sizeof(Trust));
	char	   *error;
	Trust	   *before = read_trust(&inst->files, unix_now(), &error);

	if (before == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("the server's TLS files cannot be read"),
				 errdetail("%s.", error)));
	*trust = *before;
	if (cas)
		trust->cas = cas;
	if (crls)
	{
		/* those of ssl_crl_dir go on to count */
		for (int i = 0; i < sk_X509_CRL_num(before->crls); i++)
		{
			X509_CRL   *crl = sk_X509_CRL_value(before->crls, i);
			bool		in_file = false;

			for (int k = 0; k < sk_X509_CRL_num(inst->old->crls); k++)
				in_file |= X509_CRL_match(crl, sk_X509_CRL_value(inst->old->crls, k)) == 0;
			if (!in_file && X509_CRL_up_ref(crl))
				sk_X509_CRL_push(crls, crl);
		}
		trust->crls = crls;
		trust->use_crls = sk_X509_CRL_num(crls) > 0 || inst->files.crl_dir[0];
	}
	return trust;
}

static void
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

static void
free_certificates(void *certs)
{
	sk_X509_pop_free((STACK_OF(X509) *) certs, X509_free);
}

/*
 * Live sessions that the material before accepts and that of after does not.
 * Their CAs may stand in versions before, which a renewed CA has replaced.
 */
static List *
losing_sessions(Installation *inst, const Trust *after)
{
	STACK_OF(X509) * known = free_at_reset(sk_X509_new_null(), free_certificates);
	char	   *error;
	Trust	   *before = read_trust(&inst->files, unix_now(), &error);
	int			next = next_version(inst->history, MATERIAL_CA);

	for (int i = 0; before && i < sk_X509_num(before->cas); i++)
		add_unless_there(inst, known, sk_X509_value(before->cas, i), false);
	for (int version = Max(1, next - 2 * KEPT_VERSIONS); version < next; version++)
	{
		STACK_OF(X509) * certs = read_pem_file(version_file(MATERIAL_CA, version))->content->certs;

		for (int i = 0; i < sk_X509_num(certs); i++)
			add_unless_there(inst, known, sk_X509_value(certs, i), false);
	}
	return sessions_losing_trust(before, after, known);
}

static void
could_not_encode(bool ok)
{
	if (!ok)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not encode TLS material")));
}

/*
 * Install a set of CAs, those of added being new.
 */
static Datum
install_cas(FunctionCallInfo fcinfo, Installation *inst, STACK_OF(X509) *added)
{
	STACK_OF(X509) * set = inst->content->certs;
	Trust	   *after = trust_with(inst, set, NULL);

	raise_refusal(judge_cas(after, added, &inst->warnings));
	(void) judge_revocation(after, &inst->warnings);
	inst->affected = losing_sessions(inst, after);
	inst->bytes = new_buffer();
	for (int i = 0; i < sk_X509_num(set); i++)
		could_not_encode(append_certificate(inst->bytes, sk_X509_value(set, i)));
	for (int i = 0; i < sk_X509_CRL_num(inst->old->crls); i++)
		could_not_encode(append_crl(inst->bytes, sk_X509_CRL_value(inst->old->crls, i)));
	return install_and_report(fcinfo, inst);
}

static Installation *
begin(FunctionCallInfo fcinfo, MaterialKind kind, const char *action, int flags)
{
	Installation *inst = begin_installation(kind, action, flag_argument(fcinfo, flags),
											flag_argument(fcinfo, flags + 1));

	inst->content = free_at_reset(new_pem_content(), free_pem_content);
	return inst;
}

static PemContent *
ca_argument(FunctionCallInfo fcinfo)
{
	PemContent *given = pem_argument(fcinfo, 0, "pem");

	if (sk_X509_CRL_num(given->crls) > 0)
		invalid("there is a CRL in the text", NULL, "Use sslpolicy.install_crl() for CRLs.");
	if (sk_X509_num(given->certs) == 0)
		invalid("there is no certificate in the text",
				given->other ? psprintf("It holds a PEM block of type \"%s\".", given->other) : NULL,
				"Give CA certificates in PEM: -----BEGIN CERTIFICATE-----.");
	return given;
}

/*
 * sslpolicy.install_ca(pem text, dry_run boolean, force boolean): replace the
 * whole set of CAs.
 */
Datum
sslpolicy_install_ca(PG_FUNCTION_ARGS)
{
	Installation *inst;
	PemContent *given;

	require_installation();
	check_ca_bound();
	given = ca_argument(fcinfo);
	inst = begin(fcinfo, MATERIAL_CA, "install_ca", 1);
	for (int i = 0; i < sk_X509_num(given->certs); i++)
		add_unless_there(inst, inst->content->certs, sk_X509_value(given->certs, i), true);
	return install_cas(fcinfo, inst, given->certs);
}

/*
 * sslpolicy.add_ca(pem text, dry_run boolean, force boolean)
 */
Datum
sslpolicy_add_ca(PG_FUNCTION_ARGS)
{
	Installation *inst;
	PemContent *given;

	require_installation();
	check_ca_bound();
	given = ca_argument(fcinfo);
	inst = begin(fcinfo, MATERIAL_CA, "add_ca", 1);
	for (int i = 0; i < sk_X509_num(inst->old->certs); i++)
		add_unless_there(inst, inst->content->certs, sk_X509_value(inst->old->certs, i), false);
	for (int i = 0; i < sk_X509_num(given->certs); i++)
		add_unless_there(inst, inst->content->certs, sk_X509_value(given->certs, i), true);
	return install_cas(fcinfo, inst, given->certs);
}

/*
 * sslpolicy.remove_ca(fingerprint text, dry_run boolean, force boolean)
 */
Datum
sslpolicy_remove_ca(PG_FUNCTION_ARGS)
{
	Installation *inst;
	char	   *fingerprint = text_argument(fcinfo, 0, "fingerprint");
	uint8		digest[FINGERPRINT_LEN];
	X509	   *removed;

	require_installation();
	if (!parse_fingerprint(fingerprint, digest))
		invalid(psprintf("\"%s\" is not a SHA-256 fingerprint", fingerprint), NULL,
				"Write 64 hexadecimal digits, with or without colons.");
	inst = begin(fcinfo, MATERIAL_CA, "remove_ca", 1);
	removed = find_fingerprint(inst->old->certs, digest);
	if (removed == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("no CA in ssl_ca_file has this fingerprint"),
				 errhint("The view sslpolicy.certificates has those that are there.")));
	for (int i = 0; i < sk_X509_num(inst->old->certs); i++)
		if (X509_cmp(sk_X509_value(inst->old->certs, i), removed) != 0)
			add_unless_there(inst, inst->content->certs, sk_X509_value(inst->old->certs, i), false);
	return install_cas(fcinfo, inst, NULL);
}

/*
 * A new CRL against those that are there: it takes the place of the one of the
 * same issuer, by name and key, and may not be older.
 */
static void
replace_crl(Installation *inst, X509_CRL *crl, STACK_OF(X509) *cas)
{
	STACK_OF(X509_CRL) * crls = inst->content->crls;
	X509	   *issuer;

	raise_refusal(judge_crl(crl, cas, unix_now()));
	issuer = crl_issuer(crl, cas);
	for (int i = sk_X509_CRL_num(crls) - 1; i >= 0; i--)
	{
		X509_CRL   *before = sk_X509_CRL_value(crls, i);

		if (!signed_by(before, issuer))
			continue;
		if (is_older_crl(crl, before))
			invalid(psprintf("the CRL of %s is older than the one in place", certificate_title(issuer)),
					"An older CRL would give revoked certificates their access back.",
					"Give the newest CRL, with a higher CRL number and a later thisUpdate.");
		X509_CRL_free(sk_X509_CRL_delete(crls, i));
	}
	X509_CRL_up_ref(crl);
	sk_X509_CRL_push(crls, crl);
}

static void
free_crls(void *crls)
{
	sk_X509_CRL_pop_free((STACK_OF(X509_CRL) *) crls, X509_CRL_free);
}

static STACK_OF(X509_CRL) *
share_crls(STACK_OF(X509_CRL) *crls)
{
	STACK_OF(X509_CRL) *result = free_at_reset(sk_X509_CRL_new_null(), free_crls);

	for (int i = 0; i < sk_X509_CRL_num(crls); i++)
		if (X509_CRL_up_ref(sk_X509_CRL_value(crls, i)))
			sk_X509_CRL_push(result, sk_X509_CRL_value(crls, i));
	return result;
}

static Datum
install_crls(FunctionCallInfo fcinfo, const PemContent *given)
{
	Installation *inst = begin(fcinfo, MATERIAL_CRL, "install_crl", 1);
	STACK_OF(X509) * cas = read_pem_file(inst->files.ca_file)->content->certs;
	STACK_OF(X509_CRL) * all;
	Trust	   *before;
	Trust	   *after;
	char	   *error;
	int			usable;

	if (sk_X509_num(inst->old->certs) > 0)
		inst->warnings = lappend(inst->warnings, "the certificates in ssl_crl_file, which the server took for CAs, are left out");
	for (int i = 0; i < sk_X509_CRL_num(inst->old->crls); i++)
	{
		X509_CRL_up_ref(sk_X509_CRL_value(inst->old->crls, i));
		sk_X509_CRL_push(inst->content->crls, sk_X509_CRL_value(inst->old->crls, i));
	}
	for (int i = 0; i < sk_X509_CRL_num(given->crls); i++)
		replace_crl(inst, sk_X509_CRL_value(given->crls, i), cas);
	inst->bytes = new_buffer();
	for (int i = 0; i < sk_X509_CRL_num(inst->content->crls); i++)
	{
		X509_CRL   *crl = sk_X509_CRL_value(inst->content->crls, i);

		could_not_encode(append_crl(inst->bytes, crl));
	}
	all = share_crls(inst->content->crls);

	before = read_trust(&inst->files, unix_now(), &error);
	after = trust_with(inst, NULL, all);
	usable = judge_revocation(after, &inst->warnings);
	if (usable == 0)
	{
		List	   *none = NIL;

		if (before == NULL || judge_revocation(before, &none) != 0)
			invalid("with this CRL every client certificate would be refused",
					psprintf("%s.", (char *) linitial(inst->warnings)),
					"The server wants a current CRL of every CA of a chain. Install those of all CAs in one call.");
	}
	inst->only_own = true;
	inst->affected = losing_sessions(inst, after);
	return install_and_report(fcinfo, inst);
}

static void
check_crl_size(size_t size)
{
	if (size > max_crl_size())
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the CRL is larger than sslpolicy.max_crl_size"),
				 errdetail("It has %zu bytes; %zu are accepted.", size, max_crl_size()),
				 errhint("The server verifies and walks the whole list in each connection with a client certificate.")));
}

/*
 * sslpolicy.install_crl(pem text, dry_run boolean, force boolean)
 */
Datum
sslpolicy_install_crl(PG_FUNCTION_ARGS)
{
	PemContent *given;

	require_installation();
	if (!PG_ARGISNULL(0))
		check_crl_size(toast_raw_datum_size(PG_GETARG_DATUM(0)));
	given = pem_argument(fcinfo, 0, "pem");
	if (sk_X509_num(given->certs) > 0)
		invalid("there is a certificate in the text", "A certificate in ssl_crl_file would be trusted as a CA.",
				"Give CRLs alone: -----BEGIN X509 CRL-----.");
	if (sk_X509_CRL_num(given->crls) == 0)
		invalid("there is no CRL in the text", NULL, "Give CRLs in PEM: -----BEGIN X509 CRL-----.");
	return install_crls(fcinfo, given);
}

/*
 * sslpolicy.install_crl(der bytea, dry_run boolean, force boolean)
 */
Datum
sslpolicy_install_crl_der(PG_FUNCTION_ARGS)
{
	PemContent *given = free_at_reset(new_pem_content(), free_pem_content);
	bytea	   *der;
	X509_CRL   *crl;
	char	   *error;

	require_installation();
	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("der must not be null")));
	check_crl_size(toast_raw_datum_size(PG_GETARG_DATUM(0)));
	der = PG_GETARG_BYTEA_PP(0);
	crl = read_der_crl((const uint8 *) VARDATA_ANY(der), VARSIZE_ANY_EXHDR(der), &error);
	if (crl == NULL)
		invalid("the bytes are not a CRL in DER", psprintf("OpenSSL says: %s.", error), NULL);
	sk_X509_CRL_push(given->crls, crl);
	return install_crls(fcinfo, given);
}

static void
free_key(void *key)
{
	EVP_PKEY_free(key);
}

/*
 * The private key for one of the certificates: the one that is given, or else
 * the pending one, or else the one that the server has.
 */
static EVP_PKEY *
find_key(Installation *inst, PemContent *given, const char *private_key, bool *pending)
{
	char	   *error;
	size_t		len;
	char	   *bytes = NULL;
	EVP_PKEY   *key;

	*pending = false;
	if (private_key)
	{
		key = read_private_key(private_key, strlen(private_key), &error);
		if (key == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the private key cannot be used: %s", error),
					 errhint("Give an unencrypted key in PEM (openssl pkey -in key.pem removes a passphrase), or make one with sslpolicy.create_server_key()."),
					 errhidestmt(true), errhidecontext(true)));
		return free_at_reset(key, free_key);
	}
	if (file_exists(own_file(PENDING_KEY)))
		bytes = read_file(own_file(PENDING_KEY), &len, &error);
	if (bytes)
	{
		key = read_private_key(bytes, len, &error);
		wipe(bytes, len);
		if (key)
			(void) free_at_reset(key, free_key);
		*pending = key && find_key_holder(given->certs, key);
		if (*pending)
			return key;
	}
	key = inst->old_bytes ? read_private_key(inst->old_bytes, inst->old_len, &error) : NULL;
	if (key)
		(void) free_at_reset(key, free_key);
	if (key == NULL || find_key_holder(given->certs, key) == NULL)
		invalid("there is no private key for this certificate",
				"Neither the pending key nor the server's present one belongs to a certificate of the chain.",
				"Make a key and its request with sslpolicy.create_server_key(), or give the key.");
	return key;
}

/*
 * sslpolicy.install_server_certificate(chain text, private_key text, dry_run
 * boolean, force boolean)
 */
Datum
sslpolicy_install_server_certificate(PG_FUNCTION_ARGS)
{
	char	   *private_key = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	Identity	identity = {0};
	PemContent *given;
	Installation *inst;
	bool		pending;
	Datum		result;

	if (private_key)
		hide_statement();
	require_installation();
	given = pem_argument(fcinfo, 0, "chain");
	if (sk_X509_num(given->certs) == 0)
		invalid("there is no certificate in the text", NULL, "Give the server's certificate and its chain in PEM.");
	inst = begin(fcinfo, MATERIAL_SERVER, "install_server_certificate", 2);
	identity.given = given->certs;
	identity.cas = read_pem_file(inst->files.ca_file)->content->certs;
	identity.key = find_key(inst, given, private_key, &pending);
	identity.before = sk_X509_value(inst->old->certs, 0);
	identity.now = unix_now();
	identity.chain = sk_X509_new_null();
	raise_refusal(judge_identity(&identity, &inst->warnings));
	for (int i = 0; i < sk_X509_num(identity.chain); i++)
		add_unless_there(inst, inst->content->certs, sk_X509_value(identity.chain, i), false);
	sk_X509_free(identity.chain);

	inst->bytes = new_buffer();
	enlargeStringInfo(inst->bytes, 256 * 1024);
	wipe_at_reset(inst->bytes);
	for (int i = 0; i < sk_X509_num(inst->content->certs); i++)
		could_not_encode(append_certificate(inst->bytes, sk_X509_value(inst->content->certs, i)));
	could_not_encode(append_private_key(inst->bytes, identity.key));
	inst->affected = sessions_losing_cipher(identity.before, sk_X509_value(inst->content->certs, 0));
	if (private_key)
		wipe(private_key, strlen(private_key));
	result = install_and_report(fcinfo, inst);
	if (pending && inst->installed)
		remove_file(own_file(PENDING_KEY));
	return result;
}

/*
 * sslpolicy.create_server_key(subject text, sans text[], key_type text)
 * returns text: a certificate signing request in PEM.
 */
Datum
sslpolicy_create_server_key(PG_FUNCTION_ARGS)
{
	char	   *subject = text_argument(fcinfo, 0, "subject");
	char	   *type = text_argument(fcinfo, 2, "key_type");
	List	   *sans = NIL;
	char	   *key;
	char	   *request;
	Datum	   *elements;
	bool	   *nulls;
	int			count = 0;

	require_installation();
	forbid_transaction_block("create_server_key");
	if (!PG_ARGISNULL(1))
		deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT,
						  &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			invalid("a name in sans is null", NULL, NULL);
		sans = lappend(sans, TextDatumGetCString(elements[i]));
	}
	subject = pg_server_to_any(subject, (int) strlen(subject), PG_UTF8);
	lock_installation();
	request = make_server_key(subject, sans, type, &key);
	make_own_directory();
	if (file_exists(own_file(PENDING_KEY)))
		ereport(NOTICE,
				(errmsg("the pending private key is replaced"),
				 errdetail("A certificate for the request before this one can no longer be installed.")));
	replace_file(own_file(PENDING_KEY), key, strlen(key));
	wipe(key, strlen(key));
	ereport(LOG,
			(errmsg("private key for the server made by %s", caller_for_log(GetUserId()))));
	PG_RETURN_TEXT_P(cstring_to_text(request));
}

/*
 * The version to go back to; NULL if that is no file at all.
 */
static HistoryEntry *
version_before(Installation *inst)
{
	HistoryEntry *current = inst->old_bytes == NULL ? NULL :
		entry_in_place(inst->history, inst->kind, bytes_fingerprint(inst->old_bytes, inst->old_len));
	HistoryEntry *target = NULL;

	if (current)
		target = current->parent ? entry_of_version(inst->history, inst->kind, current->parent) : NULL;
	else
	{
		/* something else changed the file: back to what was installed here */
		ListCell   *cell;

		foreach(cell, inst->history)
		{
			HistoryEntry *e = lfirst(cell);

			if (e->kind == inst->kind && e->state == STATE_INSTALLED)
				target = e;
		}
	}
	if (target == NULL || target->version == 0)
	{
		const char *path = inst->kind == MATERIAL_CA ? inst->files.ca_file : inst->files.crl_file;

		if (current && current->parent == 0 && inst->kind != MATERIAL_SERVER &&
			strcmp(path, own_file(psprintf("%s.pem", material_kind_name(inst->kind)))) == 0)
			return NULL;
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no earlier version to go back to"),
				 errhint("The view sslpolicy.material_history has the versions that are kept.")));
	}
	return target;
}

/*
 * A server certificate of before must be good enough to be installed now.  (Its
 * key may have a passphrase, with which it cannot be looked at.)
 */
static void
judge_old_identity(Installation *inst)
{
	Identity	identity = {0};
	char	   *error;
	EVP_PKEY   *key = read_private_key(inst->bytes->data, (size_t) inst->bytes->len, &error);
	Refusal    *refusal;

	if (key == NULL)
	{
		inst->warnings = lappend(inst->warnings, psprintf("the certificate was not checked against its key: %s", error));
		return;
	}
	identity.given = inst->content->certs;
	identity.cas = read_pem_file(inst->files.ca_file)->content->certs;
	identity.key = free_at_reset(key, free_key);
	identity.before = sk_X509_value(inst->old->certs, 0);
	identity.now = unix_now();
	identity.chain = sk_X509_new_null();
	refusal = judge_identity(&identity, &inst->warnings);
	sk_X509_free(identity.chain);
	/* a file that was found may have been put together otherwise */
	if (refusal && inst->force && superuser())
		inst->warnings = lappend(inst->warnings, refusal->message);
	else
		raise_refusal(refusal);
}

/*
 * sslpolicy.rollback(kind text, dry_run boolean, force boolean)
 */
Datum
sslpolicy_rollback(PG_FUNCTION_ARGS)
{
	char	   *name = text_argument(fcinfo, 0, "kind");
	MaterialKind kind;
	Installation *inst;
	HistoryEntry *target;
	List	   *none = NIL;

	require_installation();
	if (!parse_material_kind(name, &kind))
		invalid(psprintf("unknown kind of TLS material \"%s\"", name), NULL, "Accepted is ca, crl or server.");
	if (kind == MATERIAL_CA)
		check_ca_bound();
	if (kind == MATERIAL_CRL && !(superuser() && flag_argument(fcinfo, 2)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to go back to an older CRL"),
				 errdetail("Revoked certificates could get their access back."),
				 errhint("Only a superuser may, with force => true.")));
	inst = begin(fcinfo, kind, "rollback", 1);
	target = version_before(inst);
	if (target)
	{
		PemFile    *file = read_pem_file(version_file(kind, target->version));

		if (file->bytes == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("version %d is not kept any more", target->version),
					 errdetail("%s.", file->error)));
		if (strcmp(bytes_fingerprint(file->bytes, file->len), target->sha256) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("the file of version %d is not what was installed", target->version),
					 errdetail("Its SHA-256 is not the one in the history.")));
		inst->bytes = new_buffer();
		enlargeStringInfo(inst->bytes, (int) file->len);
		wipe_at_reset(inst->bytes);
		appendBinaryStringInfo(inst->bytes, file->bytes, (int) file->len);
		wipe(file->bytes, file->len);
		inst->content = file->content;
		inst->version = target->version;
		inst->parent = target->parent;
	}
	if (kind == MATERIAL_SERVER)
		judge_old_identity(inst);
	if (kind == MATERIAL_SERVER)
		inst->affected = sessions_losing_cipher(sk_X509_value(inst->old->certs, 0),
												sk_X509_value(inst->content->certs, 0));
	else
	{
		Trust	   *after = trust_with(inst, kind == MATERIAL_CA ? inst->content->certs : NULL,
									   kind == MATERIAL_CRL ? share_crls(inst->content->crls) : NULL);

		if (kind == MATERIAL_CA && target)
			raise_refusal(judge_cas(after, NULL, &inst->warnings));
		if (judge_revocation(after, &none) >= 0)
			inst->warnings = list_concat(inst->warnings, none);
		inst->only_own = kind == MATERIAL_CRL;
		inst->affected = losing_sessions(inst, after);
	}
	return install_and_report(fcinfo, inst);
}
