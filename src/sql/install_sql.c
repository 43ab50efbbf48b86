/*-------------------------------------------------------------------------
 *
 * install_sql.c
 *		The SQL functions that install CAs and CRLs, go back, and reload.
 *
 * They decide what the new material is, and have install.c put it in place.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "install/affected.h"
#include "install/cabound.h"
#include "pki/chain.h"
#include "base/compat.h"
#include "pki/crl.h"
#include "base/files.h"
#include "revocation/indexfile.h"
#include "sql/arguments.h"
#include "sql/installcall.h"
#include "sql/serverfuncs.h"
#include "settings/settings.h"
#include "settings/directory.h"
#include "base/memory.h"
#include "base/preload.h"
#include "base/rows.h"
#include "install/safereload.h"

PG_FUNCTION_INFO_V1(sslpolicy_reload);
PG_FUNCTION_INFO_V1(sslpolicy_install_ca);
PG_FUNCTION_INFO_V1(sslpolicy_add_ca);
PG_FUNCTION_INFO_V1(sslpolicy_remove_ca);
PG_FUNCTION_INFO_V1(sslpolicy_install_crl);
PG_FUNCTION_INFO_V1(sslpolicy_install_crl_der);
PG_FUNCTION_INFO_V1(sslpolicy_rollback);

/*
 * sslpolicy.reload(timeout interval, force boolean) returns record
 */
Datum
sslpolicy_reload(PG_FUNCTION_ARGS)
{
	TimestampTz start = GetCurrentTimestamp();
	Interval   *elapsed = palloc0(sizeof(Interval));
	ReloadOutcome *outcome;
	Row			row = {0};

	require_preload();
	outcome = reload_safely(timeout_argument(fcinfo, 0, "timeout"), flag_argument(fcinfo, 1));
	elapsed->time = GetCurrentTimestamp() - start;

	row_add(&row, true, Int64GetDatum((int64) outcome->generation));
	row_add(&row, true, BoolGetDatum(outcome->loaded));
	row_add_text(&row, outcome->error);
	row_add(&row, true, IntervalPGetDatum(elapsed));
	return row_return(fcinfo, &row);
}

/*
 * What clients are verified with until now.  NULL, with *error, if that cannot be
 * read.
 */
static Trust *
trust_before(const Installation *inst, char **error)
{
	MaterialFiles files = inst->files;
	int			count;
	char	   *unreadable;

	/*
	 * A file of sslpolicy.crl_file that was never there is about to be made.  If
	 * CRLs are in force, it has only gone, and what it held would be lost.
	 */
	if (inst->indexed && files.crl_file[0] && !is_readable_path(files.crl_file, false) &&
		errno == ENOENT && read_own_crls(&count, &unreadable) == NULL)
		files.crl_file = "";
	return read_trust(&files, unix_now(), error);
}

/*
 * What the server would verify clients with, CAs or CRLs being the new ones.
 */
static Trust *
trust_with(const Installation *inst, STACK_OF(X509) *cas, STACK_OF(X509_CRL) *crls)
{
	Trust	   *trust = palloc(sizeof(Trust));
	char	   *error;
	Trust	   *before = trust_before(inst, &error);

	if (before == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("the server's TLS files cannot be read"),
				 errdetail("The error was: %s.", error)));
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
	Trust	   *before = trust_before(inst, &error);
	int			next = next_history_version(inst->history, MATERIAL_CA);

	for (int i = 0; before && i < sk_X509_num(before->cas); i++)
		add_unless_there(inst, known, sk_X509_value(before->cas, i), false);
	for (int version = Max(1, next - 2 * KEPT_VERSIONS); version < next; version++)
	{
		STACK_OF(X509) * certs = read_pem_file(history_version_file(MATERIAL_CA, version))->content->certs;

		for (int i = 0; i < sk_X509_num(certs); i++)
			add_unless_there(inst, known, sk_X509_value(certs, i), false);
	}
	return sessions_losing_trust(before, after, known);
}

/*
 * Install a set of CAs, those of added being new.
 */
static Datum
install_cas(FunctionCallInfo fcinfo, Installation *inst, STACK_OF(X509) *added)
{
	STACK_OF(X509) * set = inst->content->certs;
	Trust	   *after = trust_with(inst, set, NULL);

	raise_trust_refusal(judge_cas(after, added, &inst->warnings));
	(void) judge_revocation(after, &inst->warnings);
	inst->affected = losing_sessions(inst, after);
	inst->bytes = makeStringInfo();
	for (int i = 0; i < sk_X509_num(set); i++)
		could_not_encode(append_pem_certificate(inst->bytes, sk_X509_value(set, i)));
	for (int i = 0; i < sk_X509_CRL_num(inst->old->crls); i++)
		could_not_encode(append_pem_crl(inst->bytes, sk_X509_CRL_value(inst->old->crls, i)));
	return install_and_report(fcinfo, inst);
}

static PemContent *
ca_argument(FunctionCallInfo fcinfo)
{
	PemContent *given = pem_argument(fcinfo, 0, "pem", MAX_PEM_BYTES, MAX_CERTIFICATES);

	if (sk_X509_CRL_num(given->crls) > 0)
		invalid_argument("there is a CRL in the text", NULL, "Use sslpolicy.install_crl() for CRLs.");
	if (sk_X509_num(given->certs) == 0)
		invalid_argument("there is no certificate in the text",
				given->other ? psprintf("It holds a PEM block of type \"%s\".", given->other) : NULL,
				"Give the text of CA certificates in PEM, from -----BEGIN CERTIFICATE----- on; not the name of their file.");
	return given;
}

/*
 * Install the CAs that the caller gives, with or without those that are there.
 */
static Datum
install_given_cas(FunctionCallInfo fcinfo, const char *action, bool keep)
{
	Installation *inst;
	PemContent *given;

	require_installation();
	check_ca_bound();
	given = ca_argument(fcinfo);
	inst = begin_call(fcinfo, MATERIAL_CA, action, 1);
	for (int i = 0; keep && i < sk_X509_num(inst->old->certs); i++)
		add_unless_there(inst, inst->content->certs, sk_X509_value(inst->old->certs, i), false);
	for (int i = 0; i < sk_X509_num(given->certs); i++)
		add_unless_there(inst, inst->content->certs, sk_X509_value(given->certs, i), true);
	return install_cas(fcinfo, inst, given->certs);
}

/*
 * sslpolicy.install_ca(pem text, dry_run boolean, force boolean): replace the
 * whole set of CAs.
 */
Datum
sslpolicy_install_ca(PG_FUNCTION_ARGS)
{
	return install_given_cas(fcinfo, "install_ca", false);
}

/*
 * sslpolicy.add_ca(pem text, dry_run boolean, force boolean)
 */
Datum
sslpolicy_add_ca(PG_FUNCTION_ARGS)
{
	return install_given_cas(fcinfo, "add_ca", true);
}

/*
 * sslpolicy.remove_ca(fingerprint text, dry_run boolean, force boolean)
 */
Datum
sslpolicy_remove_ca(PG_FUNCTION_ARGS)
{
	Installation *inst;
	char	   *fingerprint = required_text_argument(fcinfo, 0, "fingerprint");
	uint8		digest[FINGERPRINT_LEN];
	X509	   *removed;

	require_installation();
	if (!parse_fingerprint(fingerprint, digest))
		invalid_argument(psprintf("\"%s\" is not a SHA-256 fingerprint", fingerprint), NULL,
				"Write 64 hexadecimal digits, with or without colons.");
	inst = begin_call(fcinfo, MATERIAL_CA, "remove_ca", 1);
	removed = find_certificate_by_fingerprint(inst->old->certs, digest);
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

	raise_trust_refusal(judge_crl(crl, cas, unix_now(), inst->indexed && accept_expired_crl()));
	issuer = crl_issuer(crl, cas);
	for (int i = sk_X509_CRL_num(crls) - 1; i >= 0; i--)
	{
		X509_CRL   *before = sk_X509_CRL_value(crls, i);

		if (!is_crl_signed_by(before, issuer))
			continue;
		if (is_older_crl(crl, before))
			invalid_argument(psprintf("the CRL of %s is older than the one in place", certificate_title(issuer)),
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
	Installation *inst = begin_call(fcinfo, MATERIAL_CRL, "install_crl", 1);
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
	{
		CHECK_FOR_INTERRUPTS();
		replace_crl(inst, sk_X509_CRL_value(given->crls, i), cas);
	}
	inst->bytes = makeStringInfo();
	for (int i = 0; i < sk_X509_CRL_num(inst->content->crls); i++)
	{
		X509_CRL   *crl = sk_X509_CRL_value(inst->content->crls, i);

		could_not_encode(append_pem_crl(inst->bytes, crl));
	}
	all = share_crls(inst->content->crls);

	before = trust_before(inst, &error);
	after = trust_with(inst, NULL, all);
	usable = judge_revocation(after, &inst->warnings);
	if (usable == 0 && !(inst->indexed && (accept_missing_crl() || accept_expired_crl())))
	{
		List	   *none = NIL;

		if (before == NULL || judge_revocation(before, &none) != 0)
			invalid_argument("with this CRL every client certificate would be refused",
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
	given = pem_argument(fcinfo, 0, "pem", max_crl_size(), MAX_CERTIFICATES);
	if (sk_X509_num(given->certs) > 0)
		invalid_argument("there is a certificate in the text", "A certificate in ssl_crl_file would be trusted as a CA.",
				"Give CRLs alone: -----BEGIN X509 CRL-----.");
	if (sk_X509_CRL_num(given->crls) == 0)
		invalid_argument("there is no CRL in the text", NULL, "Give CRLs in PEM: -----BEGIN X509 CRL-----.");
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
		invalid_argument("the bytes are not a CRL in DER", psprintf("OpenSSL says: %s.", error), NULL);
	sk_X509_CRL_push(given->crls, crl);
	return install_crls(fcinfo, given);
}

/*
 * The version to go back to; NULL if that is no file at all.
 */
static HistoryEntry *
version_before(Installation *inst)
{
	HistoryEntry *current = inst->old_bytes == NULL ? NULL :
		history_entry_in_place(inst->history, inst->kind, bytes_fingerprint(inst->old_bytes, inst->old_len));
	HistoryEntry *target = NULL;

	if (current)
		target = current->parent ? history_entry_of_version(inst->history, inst->kind, current->parent) : NULL;
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

		if (current && current->parent == 0 && inst->kind != MATERIAL_SERVER && !inst->indexed &&
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
 * sslpolicy.rollback(kind text, dry_run boolean, force boolean)
 */
Datum
sslpolicy_rollback(PG_FUNCTION_ARGS)
{
	char	   *name = required_text_argument(fcinfo, 0, "kind");
	MaterialKind kind;
	Installation *inst;
	HistoryEntry *target;
	List	   *none = NIL;

	require_installation();
	if (!parse_material_kind(name, &kind))
		invalid_argument(psprintf("unknown kind of TLS material \"%s\"", name), NULL, "Accepted is ca, crl or server.");
	if (kind == MATERIAL_CA)
		check_ca_bound();
	if (kind == MATERIAL_CRL && !(superuser() && flag_argument(fcinfo, 2)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to go back to an older CRL"),
				 errdetail("Revoked certificates could get their access back."),
				 errhint("Only a superuser may, with force => true.")));
	inst = begin_call(fcinfo, kind, "rollback", 1);
	target = version_before(inst);
	if (target)
	{
		PemFile    *file = read_pem_file(history_version_file(kind, target->version));

		if (file->bytes == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("version %d is not kept any more", target->version),
					 errdetail("The error was: %s.", file->error)));
		if (strcmp(bytes_fingerprint(file->bytes, file->len), target->sha256) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("the file of version %d is not what was installed", target->version),
					 errdetail("Its SHA-256 is not the one in the history.")));
		inst->bytes = makeStringInfo();
		enlargeStringInfo(inst->bytes, (int) file->len);
		wipe_at_reset(inst->bytes);
		appendBinaryStringInfo(inst->bytes, file->bytes, (int) file->len);
		wipe_memory(file->bytes, file->len);
		inst->content = file->content;
		inst->version = target->version;
		inst->parent = target->parent;
	}
	if (kind == MATERIAL_SERVER)
	{
		judge_old_identity(inst);
		inst->affected = sessions_losing_cipher(sk_X509_value(inst->old->certs, 0),
												sk_X509_value(inst->content->certs, 0));
	}
	else
	{
		Trust	   *after = trust_with(inst, kind == MATERIAL_CA ? inst->content->certs : NULL,
									   kind == MATERIAL_CRL ? share_crls(inst->content->crls) : NULL);

		if (kind == MATERIAL_CA && target)
			raise_trust_refusal(judge_cas(after, NULL, &inst->warnings));
		if (judge_revocation(after, &none) >= 0)
			inst->warnings = list_concat(inst->warnings, none);
		inst->only_own = kind == MATERIAL_CRL;
		inst->affected = losing_sessions(inst, after);
	}
	return install_and_report(fcinfo, inst);
}
