/*-------------------------------------------------------------------------
 *
 * ledger_sql.c
 *		The SQL functions about logins: recent ones, refused ones, and counters.
 *
 * Tuples only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/timestamp.h"

#include "base/datums.h"
#include "base/preload.h"
#include "base/rows.h"
#include "ledger/ledger.h"
#include "ledger/recentlogins.h"
#include "ledger/rejections.h"
#include "ledger/statistics.h"
#include "session/collect.h"

PG_FUNCTION_INFO_V1(sslpolicy_get_recent_logins);
PG_FUNCTION_INFO_V1(sslpolicy_get_rejections);
PG_FUNCTION_INFO_V1(sslpolicy_get_statistics);
PG_FUNCTION_INFO_V1(sslpolicy_reset_statistics);

/* by RejectionSource */
static const char *const sources[] = {"policy", "blocked", "revocation", "recheck", "server"};

static void
add_address(Row *row, const Facts *facts)
{
	bool		known = facts->address_len > 0;

	row_add(row, known,
			known ? DirectFunctionCall1(inet_in, CStringGetDatum(address_text(facts))) : (Datum) 0);
}

static void
add_label(Row *row, const char *name)
{
	row_add(row, name != NULL, name ? label_text(name) : (Datum) 0);
}

static void
add_serial(Row *row, const char *serial)
{
	bool		known = serial != NULL && is_serial_number(serial);

	row_add(row, known, known ? serial_number(serial) : (Datum) 0);
}

/*
 * Columns of the certificate: client_dn, issuer_dn, client_cn, client_sans,
 * client_serial, fingerprint_sha256, not_before, not_after.
 */
static void
add_certificate(Row *row, const CertFacts *cert)
{
	if (cert == NULL)
	{
		for (int i = 0; i < 8; i++)
			row_add(row, false, (Datum) 0);
		return;
	}
	row_add(row, true, certificate_text(cert->subject_dn));
	row_add(row, true, certificate_text(cert->issuer_dn));
	row_add(row, cert->cn != NULL, cert->cn ? certificate_text(cert->cn) : (Datum) 0);
	row_add(row, true, text_array(cert->sans, cert->nsans, certificate_text));
	add_serial(row, cert->serial);
	row_add(row, true, fingerprint_text(cert->fingerprint));
	row_add_time(row, true, cert->not_before);
	row_add_time(row, true, cert->not_after);
}

/*
 * sslpolicy.get_recent_logins() returns setof record
 */
Datum
sslpolicy_get_recent_logins(PG_FUNCTION_ARGS)
{
	ListCell   *cell;

	require_preload();
	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, ledger_recent_logins())
	{
		const RecentLogin *login = lfirst(cell);
		Row			row = {0};

		row_add(&row, true, ObjectIdGetDatum(login->role));
		row_add(&row, OidIsValid(login->database), ObjectIdGetDatum(login->database));
		add_address(&row, &login->facts);
		row_add_text(&row, login->facts.version);
		row_add(&row, true, TimestampTzGetDatum(login->last_login));
		row_add(&row, true, Int64GetDatum(login->count));
		row_add_text(&row, login->facts.cipher);
		row_add_text(&row, login->facts.auth_method);
		row_add(&row, login->compliance != COMPLIANCE_UNKNOWN, BoolGetDatum(login->compliance == COMPLIANCE_YES));
		add_certificate(&row, login->facts.cert);
		row_put(fcinfo, &row);
	}
	return (Datum) 0;
}

static Datum
reasons_array(List *reasons)
{
	char	  **items = palloc(sizeof(char *) * (Size) (list_length(reasons) + 1));
	int			count = 0;
	ListCell   *cell;

	foreach(cell, reasons)
		items[count++] = lfirst(cell);
	return label_array(items, count);
}

/*
 * sslpolicy.get_rejections() returns setof record
 */
Datum
sslpolicy_get_rejections(PG_FUNCTION_ARGS)
{
	ListCell   *cell;

	require_preload();
	InitMaterializedSRF(fcinfo, 0);
	ledger_collect();
	foreach(cell, rejections())
	{
		const Rejection *r = lfirst(cell);
		Row			row = {0};

		row_add(&row, true, TimestampTzGetDatum(r->at));
		row_add(&row, true, TimestampTzGetDatum(r->first_at));
		row_add(&row, true, Int64GetDatum(r->count));
		row_add(&row, true, Int64GetDatum(r->then_admitted));
		add_label(&row, r->facts.role);
		add_label(&row, r->facts.database);
		add_address(&row, &r->facts);
		row_add(&row, true, BoolGetDatum(r->would_be));
		row_add(&row, true, reasons_array(r->reasons));
		row_add_text(&row, sources[r->source]);
		row_add_text(&row, r->facts.version);
		row_add(&row, r->client_dn != NULL, r->client_dn ? certificate_text(r->client_dn) : (Datum) 0);
		add_serial(&row, r->client_serial);
		row_add(&row, r->client_dn != NULL, r->client_dn ? fingerprint_text(r->fingerprint) : (Datum) 0);
		row_put(fcinfo, &row);
	}
	return (Datum) 0;
}

/*
 * sslpolicy.get_statistics() returns setof record
 */
Datum
sslpolicy_get_statistics(PG_FUNCTION_ARGS)
{
	ListCell   *cell;

	require_preload();
	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, ledger_statistics())
	{
		const RoleStatistics *s = lfirst(cell);
		Row			row = {0};

		row_add(&row, OidIsValid(s->role), ObjectIdGetDatum(s->role));
		for (int i = 0; i < NUM_COUNTERS; i++)
			row_add(&row, true, Int64GetDatum(s->counts[i]));
		for (int i = 0; i < NUM_COUNTERS; i++)
			row_add(&row, s->last[i] != 0, TimestampTzGetDatum(s->last[i]));
		row_put(fcinfo, &row);
	}
	return (Datum) 0;
}

/*
 * sslpolicy.reset_statistics() returns void
 */
Datum
sslpolicy_reset_statistics(PG_FUNCTION_ARGS)
{
	require_preload();
	ledger_reset();
	PG_RETURN_VOID();
}
