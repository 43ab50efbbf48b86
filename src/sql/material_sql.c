/*-------------------------------------------------------------------------
 *
 * material_sql.c
 *		The SQL functions that show TLS material, and verify a certificate.
 *
 * Arguments and tuples only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "fmgr.h"
#include "funcapi.h"
#include "libpq/libpq.h"
#include "miscadmin.h"
#include "postmaster/postmaster.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/datums.h"
#include "base/files.h"
#include "base/preload.h"
#include "base/rows.h"
#include "base/told.h"
#include "cluster/orders.h"
#include "install/history.h"
#include "labels/exceptions.h"
#include "material/clientcert.h"
#include "material/generation.h"
#include "material/probe.h"
#include "pki/chain.h"
#include "pki/crl.h"
#include "pki/x509.h"
#include "revocation/crlcopies.h"
#include "revocation/crlstate.h"
#include "revocation/indexfile.h"
#include "revocation/revocation.h"
#include "revocation/serials.h"
#include "settings/settings.h"
#include "sql/arguments.h"

PG_FUNCTION_INFO_V1(sslpolicy_get_certificates);
PG_FUNCTION_INFO_V1(sslpolicy_get_crls);
PG_FUNCTION_INFO_V1(sslpolicy_get_material_status);
PG_FUNCTION_INFO_V1(sslpolicy_get_material_history);
PG_FUNCTION_INFO_V1(sslpolicy_verify_certificate);
PG_FUNCTION_INFO_V1(sslpolicy_revoked);

static void
put_certificate(FunctionCallInfo fcinfo, const char *kind, LoadedKind loaded_kind,
				int position, X509 *cert, const char *path, const LoadedList *loaded)
{
	Row			row = {0};
	CertFacts  *facts = read_certificate(cert, NULL);
	StringInfoData pem;

	if (facts == NULL)
		return;
	initStringInfo(&pem);
	(void) append_pem_certificate(&pem, cert);
	row_add_text(&row, kind);
	row_add(&row, true, Int32GetDatum(position));
	row_add(&row, true, certificate_text(facts->subject_dn));
	row_add(&row, true, certificate_text(facts->issuer_dn));
	row_add(&row, is_serial_number(facts->serial), serial_number(facts->serial));
	row_add(&row, true, text_array(facts->sans, facts->nsans, certificate_text));
	row_add_time(&row, true, facts->not_before);
	row_add_time(&row, true, facts->not_after);
	row_add(&row, true, Int32GetDatum((int32) ((facts->not_after - (int64) time(NULL)) / SECS_PER_DAY)));
	row_add_text(&row, facts->key_algorithm);
	row_add(&row, true, Int32GetDatum(facts->key_bits));
	row_add_text(&row, facts->signature_algorithm);
	row_add(&row, true, BoolGetDatum(X509_check_ca(cert) != 0));
	row_add(&row, true, BoolGetDatum(is_self_signed(cert)));
	row_add(&row, true, fingerprint_text(facts->fingerprint));
	row_add_text(&row, pem.data);
	row_add_text(&row, path);
	row_add(&row, loaded != NULL,
			BoolGetDatum(loaded && is_loaded(loaded, loaded_kind, facts->fingerprint)));
	row_put(fcinfo, &row);
}

static LoadedList *
loaded_by_server(void)
{
	/* with ssl off nothing is in force */
	return EnableSSL ? probe_loaded() : palloc0(sizeof(LoadedList));
}

/*
 * sslpolicy.get_certificates() returns setof record
 */
Datum
sslpolicy_get_certificates(PG_FUNCTION_ARGS)
{
	MaterialFiles files = files_of_settings();
	LoadedList *loaded;
	PemFile    *file;

	require_preload();
	InitMaterializedSRF(fcinfo, 0);
	loaded = loaded_by_server();
	file = read_pem_file(files.cert_file);
	for (int i = 0; i < sk_X509_num(file->content->certs); i++)
		put_certificate(fcinfo, "server", LOADED_SERVER, i + 1,
						sk_X509_value(file->content->certs, i), file->path, loaded);
	file = read_pem_file(files.ca_file);
	for (int i = 0; i < sk_X509_num(file->content->certs); i++)
		put_certificate(fcinfo, "ca", LOADED_CA, i + 1,
						sk_X509_value(file->content->certs, i), file->path, loaded);
	ERR_clear_error();
	return (Datum) 0;
}

static void
put_crl(FunctionCallInfo fcinfo, const char *path, X509_CRL *crl, STACK_OF(X509) *cas,
		bool known, bool in_force, const char *error)
{
	Row			row = {0};
	CrlFacts   *facts = crl ? read_crl(crl) : NULL;
	X509	   *issuer = crl ? crl_issuer(crl, cas) : NULL;
	uint8		digest[FINGERPRINT_LEN];
	bool		verified = issuer && certificate_fingerprint(issuer, digest);

	if (crl && error == NULL)
		error = crl_problem(crl, facts, issuer, (int64) time(NULL));
	row_add_text(&row, path);
	row_add(&row, facts != NULL, facts ? certificate_text(facts->issuer_dn) : (Datum) 0);
	row_add(&row, facts && facts->number && is_serial_number(facts->number),
			facts && facts->number ? serial_number(facts->number) : (Datum) 0);
	row_add_text(&row, facts && facts->scope.text ? certificate_string(facts->scope.text) : NULL);
	row_add_time(&row, facts != NULL, facts ? facts->this_update : 0);
	row_add_time(&row, facts && facts->has_next_update, facts ? facts->next_update : 0);
	row_add(&row, facts != NULL, Int32GetDatum(facts ? facts->entries : 0));
	row_add(&row, verified, verified ? fingerprint_text(digest) : (Datum) 0);
	row_add(&row, known, BoolGetDatum(in_force));
	row_add_text(&row, error);
	row_put(fcinfo, &row);
}

/*
 * What is wrong with a CRL that is in force; NULL if nothing is.
 */
static const char *
indexed_crl_problem(const IndexedCrl *crl)
{
	if (crl->has_next_update && crl->next_update <= (int64) time(NULL))
		return accept_expired_crl() ? "it has expired" :
									  "it has expired: every certificate of this CA is refused";
	return crl->kept ? "its file is missing or cannot be used: it stays in force until a CRL that is not older is read" :
					   NULL;
}

/*
 * A CRL that sslpolicy checks itself.
 */
static void
put_indexed_crl(FunctionCallInfo fcinfo, const IndexedCrl *crl)
{
	Row			row = {0};

	/* to others show the path that a setting has, but no name in a folder */
	row_add_text(&row, files_may_be_told() || strcmp(crl->path, crl_file()) == 0 ? crl->path : crl_dir());
	row_add(&row, true, certificate_text(crl->issuer_dn));
	row_add(&row, crl->number && is_serial_number(crl->number),
			crl->number ? serial_number(crl->number) : (Datum) 0);
	row_add_text(&row, crl->scope.text ? certificate_string(crl->scope.text) : NULL);
	row_add_time(&row, true, crl->this_update);
	row_add_time(&row, crl->has_next_update, crl->next_update);
	row_add(&row, true, Int32GetDatum(crl->entries));
	row_add(&row, true, fingerprint_text(crl->ca_fingerprint));
	row_add(&row, true, BoolGetDatum(true));
	row_add_text(&row, indexed_crl_problem(crl));
	row_put(fcinfo, &row);
}

/*
 * Why the files of sslpolicy.crl_file and crl_dir are not in force.
 */
static void
put_crl_error(FunctionCallInfo fcinfo, const char *error)
{
	Row			row = {0};

	row_add_text(&row, crl_file()[0] ? crl_file() : crl_dir());
	for (int i = 0; i < 7; i++)
		row_add(&row, false, (Datum) 0);
	row_add(&row, true, BoolGetDatum(false));
	row_add_text(&row, error);
	row_put(fcinfo, &row);
}

static void
put_indexed_crls(FunctionCallInfo fcinfo)
{
	IndexedCrl *crls;
	int			count;
	char	   *error;
	CrlState   *state = crl_state();

	if (!crls_configured())
		return;
	crls = read_own_crls(&count, &error);
	for (int i = 0; i < count; i++)
		put_indexed_crl(fcinfo, &crls[i]);
	if (state->error)
		error = state->error;
	if (error)
		put_crl_error(fcinfo, error);
}

/*
 * sslpolicy.get_crls() returns setof record
 */
Datum
sslpolicy_get_crls(PG_FUNCTION_ARGS)
{
	MaterialFiles files = files_of_settings();
	LoadedList *loaded;
	STACK_OF(X509) *cas;
	PemFile    *file;
	ListCell   *cell;

	require_preload();
	InitMaterializedSRF(fcinfo, 0);
	loaded = loaded_by_server();
	cas = known_crl_issuers(read_pem_file(files.ca_file)->content->certs, NULL);
	file = read_pem_file(files.crl_file);
	for (int i = 0; i < sk_X509_CRL_num(file->content->crls); i++)
	{
		X509_CRL   *crl = sk_X509_CRL_value(file->content->crls, i);
		uint8		digest[FINGERPRINT_LEN];

		put_crl(fcinfo, file->path, crl, cas, loaded != NULL,
				loaded && crl_fingerprint(crl, digest) && is_loaded(loaded, LOADED_CRL, digest), NULL);
	}
	if (file->path[0] && sk_X509_CRL_num(file->content->crls) == 0)
		put_crl(fcinfo, file->path, NULL, cas, true, false,
				file->error ? file->error : told_of_file(file->path, pstrdup("there is no CRL in the file")));
	foreach(cell, read_crl_directory(files.crl_dir))
	{
		DirectoryCrl *entry = lfirst(cell);

		/* core looks into the directory at each handshake */
		put_crl(fcinfo, entry->path, entry->crl, cas, true, EnableSSL && entry->error == NULL, entry->error);
	}
	put_indexed_crls(fcinfo);
	ERR_clear_error();
	return (Datum) 0;
}

/*
 * May the SHA-256 of a file be shown?  Users who may not know about files see it only
 * if the file is what it should be.
 */
static bool
is_fingerprint_shown(MaterialKind kind, const char *path)
{
	PemFile    *file;
	char	   *error;
	int			count;

	if (files_may_be_told())
		return true;
	if (kind == MATERIAL_CRL && crl_file()[0])
		return read_own_crls(&count, &error) != NULL && crl_state()->error == NULL;
	file = read_pem_file(path);
	return file->error == NULL && material_items(kind, file->content) != NIL;
}

/*
 * sslpolicy.get_material_status() returns setof record
 */
Datum
sslpolicy_get_material_status(PG_FUNCTION_ARGS)
{
	MaterialFiles files = files_of_settings();
	const char *paths[NUM_MATERIAL_KINDS] = {
		files.cert_file,
		files.ca_file,
		crl_file()[0] ? crl_file() : files.crl_file[0] ? files.crl_file :
														 files.crl_dir,
	};
	LoadState  *state;

	require_preload();
	InitMaterializedSRF(fcinfo, 0);
	state = load_state();
	for (int kind = 0; kind < NUM_MATERIAL_KINDS; kind++)
	{
		Row			row = {0};
		uint8		digest[FINGERPRINT_LEN];
		bool		known = is_fingerprint_shown((MaterialKind) kind, paths[kind]) &&
			file_fingerprint(paths[kind], digest);

		row_add_text(&row, material_kind_name((MaterialKind) kind));
		row_add_text(&row, paths[kind][0] ? paths[kind] : NULL);
		row_add(&row, known, known ? fingerprint_text(digest) : (Datum) 0);
		row_add(&row, state->loaded_at != 0, TimestampTzGetDatum(state->loaded_at));
		row_add(&row, state->failed_at != 0, TimestampTzGetDatum(state->failed_at));
		row_add_text(&row, state->failed ? state->error : NULL);
		row_add(&row, state->in_force != 0, Int64GetDatum((int64) state->in_force));
		row_put(fcinfo, &row);
	}
	return (Datum) 0;
}

/*
 * sslpolicy.get_material_history() returns setof record
 */
Datum
sslpolicy_get_material_history(PG_FUNCTION_ARGS)
{
	const char *paths[NUM_MATERIAL_KINDS] = {
		ssl_cert_file,
		ssl_ca_file,
		crl_file()[0] ? crl_file() : ssl_crl_file,
	};
	const HistoryEntry *in_place[NUM_MATERIAL_KINDS];
	List	   *history;
	ListCell   *cell;

	require_preload();
	InitMaterializedSRF(fcinfo, 0);
	history = read_history();
	for (int kind = 0; kind < NUM_MATERIAL_KINDS; kind++)
		in_place[kind] = history_entry_of_file(history, (MaterialKind) kind, paths[kind]);
	foreach(cell, history)
	{
		const HistoryEntry *e = lfirst(cell);
		Row			row = {0};

		row_add(&row, true, TimestampTzGetDatum(e->at));
		row_add_text(&row, material_kind_name(e->kind));
		row_add(&row, true, Int32GetDatum(e->version));
		row_add_text(&row, e->action);
		row_add_text(&row, e->by[0] ? e->by : NULL);
		row_add_text(&row, history_entry_outcome(history, e, paths[e->kind]));
		row_add_text(&row, e->sha256[0] ? e->sha256 : NULL);
		row_add(&row, true, text_array(e->subjects, e->count, certificate_text));
		row_add(&row, true, text_array(e->fingerprints, e->count, certificate_text));
		row_add(&row, true, BoolGetDatum(e->version > 0 && file_exists(history_version_file(e->kind, e->version))));
		row_add(&row, true, BoolGetDatum(e == in_place[e->kind]));
		row_put(fcinfo, &row);
	}
	return (Datum) 0;
}

static void
put_verification(Row *row, const Verification *v, const CertFacts *facts, const char *error)
{
	row_add(row, true, BoolGetDatum(error == NULL));
	row_add_text(row, error);
	row_add(row, v != NULL, v ? text_array(v->chain, v->nchain, certificate_text) : (Datum) 0);
	row_add(row, facts->cn != NULL, facts->cn ? certificate_text(facts->cn) : (Datum) 0);
	row_add(row, true, text_array(facts->sans, facts->nsans, certificate_text));
	row_add_time(row, true, facts->not_after);
	row_add(row, v != NULL, BoolGetDatum(v && v->revoked));
	row_add_time(row, v && v->revoked, v ? v->revoked_since : 0);
}

/*
 * Say so if the server has not loaded what a context made of its files has.
 */
static void
notice_drift(SSL_CTX *context)
{
	LoadedList *loaded = loaded_by_server();

	if (loaded != NULL && !has_loaded_files(loaded, describe_context(context)))
		ereport(NOTICE,
				(errmsg("the server has not loaded its files as they are now"),
				 errdetail("The answer is for the files."),
				 errhint("sslpolicy.reload() loads them, or says why not.")));
}

/*
 * sslpolicy.verify_certificate(pem text, at timestamptz) returns record, and
 * sslpolicy.verify_certificate(der bytea, at timestamptz)
 */
Datum
sslpolicy_verify_certificate(PG_FUNCTION_ARGS)
{
	ClientCertificate *judged;
	const char *blocked;
	Facts		session = {0};
	Row			row = {0};

	require_preload();
	judged = judge_client_certificate(pem_argument(fcinfo, 0, pem_argument_name(fcinfo, 0), MAX_PEM_BYTES, MAX_CERTIFICATES),
									  timestamp_to_unix(PG_GETARG_TIMESTAMPTZ(1)));
	if (judged->verification)
		notice_drift(judged->context);
	session.cert = judged->facts;
	blocked = blocked_reason(blocked_certificates(), &session);
	if (judged->error == NULL && blocked != NULL)
		judged->error = psprintf("it %s", blocked);
	else if (judged->error == NULL && lacks_replicated_crl())
		judged->error = "it " REPLICATED_CRL_MISSING;
	put_verification(&row, judged->verification, judged->facts, judged->error);
	return row_return(fcinfo, &row);
}

/*
 * sslpolicy.revoked(serial numeric, issuer_dn text) returns record
 *
 * revoked is null if there is no CRL of such an issuer.
 */
Datum
sslpolicy_revoked(PG_FUNCTION_ARGS)
{
	char	   *serial;
	char	   *issuer_dn = text_to_cstring(PG_GETARG_TEXT_PP(1));
	RevokedSerial *found;
	Row			row = {0};

	require_preload();
	serial = DatumGetCString(DirectFunctionCall1(numeric_out, PG_GETARG_DATUM(0)));
	if (strspn(serial + (serial[0] == '-'), "0123456789") != strlen(serial + (serial[0] == '-')))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a serial number must be a whole number")));
	found = look_up_serial(serial, issuer_dn);
	row_add(&row, found->issuer_dn != NULL, BoolGetDatum(found->revoked));
	row_add_time(&row, found->revoked, found->since);
	row_add_text(&row, found->revoked ? revocation_reason(found->reason) : NULL);
	row_add(&row, found->issuer_dn != NULL, found->issuer_dn ? certificate_text(found->issuer_dn) : (Datum) 0);
	return row_return(fcinfo, &row);
}
