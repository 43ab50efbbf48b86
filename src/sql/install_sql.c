/*-------------------------------------------------------------------------
 *
 * install_sql.c
 *		The SQL functions that install TLS material, go back, and reload.
 *
 * Arguments and tuples only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/err.h>

#include "access/detoast.h"
#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "base/datums.h"
#include "base/memory.h"
#include "base/monotonic.h"
#include "base/preload.h"
#include "base/rows.h"
#include "cluster/setmaterial.h"
#include "install/installca.h"
#include "install/installcrl.h"
#include "install/installserver.h"
#include "install/replicated.h"
#include "install/rollback.h"
#include "install/safereload.h"
#include "pki/crl.h"
#include "settings/settings.h"
#include "sql/arguments.h"
#include "sql/installrows.h"

PG_FUNCTION_INFO_V1(sslpolicy_reload);
PG_FUNCTION_INFO_V1(sslpolicy_install_ca);
PG_FUNCTION_INFO_V1(sslpolicy_add_ca);
PG_FUNCTION_INFO_V1(sslpolicy_remove_ca);
PG_FUNCTION_INFO_V1(sslpolicy_install_crl);
PG_FUNCTION_INFO_V1(sslpolicy_install_server_certificate);
PG_FUNCTION_INFO_V1(sslpolicy_rollback);
PG_FUNCTION_INFO_V1(sslpolicy_create_server_key);

/* A function that releases the lock of installations whatever happens. */
#define INSTALLING_FUNCTION(name) \
	static Datum name##_locked(PG_FUNCTION_ARGS); \
	Datum name(PG_FUNCTION_ARGS) \
	{ \
		return run_installation(fcinfo, name##_locked); \
	} \
	static Datum name##_locked(PG_FUNCTION_ARGS)

/* installed, generation, changes, affected, warnings */
#define INSTALLATION_COLUMNS 5

/*
 * sslpolicy.reload(timeout interval, force boolean) returns record
 */
Datum
sslpolicy_reload(PG_FUNCTION_ARGS)
{
	Moment		start = this_moment();
	Interval   *elapsed = palloc0(sizeof(Interval));
	ReloadOutcome *outcome;
	Row			row = {0};

	require_preload();
	require_postmaster();
	outcome = reload_safely(timeout_argument(fcinfo, 0, "timeout"), flag_argument(fcinfo, 1));
	elapsed->time = microseconds_since(start);

	row_add(&row, true, Int64GetDatum((int64) outcome->generation));
	row_add(&row, true, BoolGetDatum(outcome->loaded));
	row_add_text(&row, outcome->error);
	row_add(&row, true, IntervalPGetDatum(elapsed));
	return row_return(fcinfo, &row);
}

/*
 * May anything be installed, and will there be a row to say that it was?  What is
 * installed cannot be rolled back.
 */
static void
begin_call(FunctionCallInfo fcinfo)
{
	TupleDesc	desc;

	require_installation();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE ||
		desc->natts != INSTALLATION_COLUMNS)
		elog(ERROR, "return type must be a row type of %d columns", INSTALLATION_COLUMNS);
}

/*
 * Let others install, and return the row that says what was done.
 */
static Datum
end_call(FunctionCallInfo fcinfo, const Installation *inst)
{
	Row			row = {0};

	if (inst->mode == INSTALL_HERE)
		unlock_installation();
	row_add(&row, true, BoolGetDatum(inst->installed));
	row_add(&row, true, Int64GetDatum((int64) inst->generation));
	row_add(&row, true, changes_datum(inst));
	row_add(&row, true, affected_datum(inst));
	row_add(&row, true, text_list(inst->warnings));
	ERR_clear_error();
	return row_return(fcinfo, &row);
}

static PemContent *
ca_argument(FunctionCallInfo fcinfo)
{
	return pem_argument(fcinfo, 0, pem_argument_name(fcinfo, 0), MAX_PEM_BYTES, MAX_CERTIFICATES);
}

/*
 * sslpolicy.install_ca(pem text, dry_run boolean, force boolean), and
 * sslpolicy.install_ca(der bytea, ...): replace the whole set of CAs.
 */
INSTALLING_FUNCTION(sslpolicy_install_ca)
{
	begin_call(fcinfo);
	return end_call(fcinfo, replace_cas(ca_argument(fcinfo), INSTALL_HERE, flag_argument(fcinfo, 1), flag_argument(fcinfo, 2)));
}

/*
 * sslpolicy.add_ca(pem text, dry_run boolean, force boolean)
 */
INSTALLING_FUNCTION(sslpolicy_add_ca)
{
	begin_call(fcinfo);
	return end_call(fcinfo, add_cas(ca_argument(fcinfo), flag_argument(fcinfo, 1), flag_argument(fcinfo, 2)));
}

/*
 * sslpolicy.remove_ca(fingerprint text, dry_run boolean, force boolean)
 */
INSTALLING_FUNCTION(sslpolicy_remove_ca)
{
	char	   *fingerprint = required_text_argument(fcinfo, 0, "fingerprint");

	begin_call(fcinfo);
	return end_call(fcinfo, remove_ca(fingerprint, flag_argument(fcinfo, 1), flag_argument(fcinfo, 2)));
}

/*
 * sslpolicy.install_crl(pem text, dry_run boolean, force boolean), and
 * sslpolicy.install_crl(der bytea, ...)
 */
INSTALLING_FUNCTION(sslpolicy_install_crl)
{
	PemContent *given;

	begin_call(fcinfo);
	/* before it takes memory */
	if (!PG_ARGISNULL(0))
		check_crl_size(toast_raw_datum_size(PG_GETARG_DATUM(0)));
	given = pem_argument(fcinfo, 0, pem_argument_name(fcinfo, 0), max_crl_size(), MAX_CERTIFICATES);
	return end_call(fcinfo, install_crls(given, INSTALL_HERE, flag_argument(fcinfo, 1), flag_argument(fcinfo, 2)));
}

/*
 * sslpolicy.install_server_certificate(chain text, private_key text, dry_run
 * boolean, force boolean), and the same with both of them as bytea
 */
INSTALLING_FUNCTION(sslpolicy_install_server_certificate)
{
	char	   *private_key;
	PemContent *given;

	if (!PG_ARGISNULL(1))
		hide_statement();
	begin_call(fcinfo);
	private_key = key_argument(fcinfo, 1);
	given = pem_argument(fcinfo, 0, "chain", MAX_PEM_BYTES, MAX_CHAIN_CERTIFICATES);
	return end_call(fcinfo, install_server_certificate(given, private_key, flag_argument(fcinfo, 2), flag_argument(fcinfo, 3)));
}

/*
 * sslpolicy.rollback(kind text, dry_run boolean, force boolean)
 */
INSTALLING_FUNCTION(sslpolicy_rollback)
{
	char	   *name = required_text_argument(fcinfo, 0, "kind");
	MaterialKind kind;

	begin_call(fcinfo);
	if (!parse_material_kind(name, &kind))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown kind of TLS material \"%s\"", name),
				 errhint("Accepted is ca, crl or server.")));
	if (is_replicated(kind))
		return end_call(fcinfo, roll_back_replicated(kind, flag_argument(fcinfo, 1), flag_argument(fcinfo, 2)));
	return end_call(fcinfo, roll_back(kind, INSTALL_HERE, flag_argument(fcinfo, 1), flag_argument(fcinfo, 2)));
}

/*
 * sslpolicy.create_server_key(subject text, sans text[], key_type text)
 * returns text: a certificate signing request in PEM.
 */
INSTALLING_FUNCTION(sslpolicy_create_server_key)
{
	char	   *subject = required_text_argument(fcinfo, 0, "subject");
	char	   *type = required_text_argument(fcinfo, 2, "key_type");
	List	   *sans;

	require_installation();
	sans = text_list_argument(fcinfo, 1, "sans");
	subject = pg_server_to_any(subject, (int) strlen(subject), PG_UTF8);
	PG_RETURN_TEXT_P(cstring_to_text(create_server_key(subject, sans, type)));
}
