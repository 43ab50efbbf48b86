/*-------------------------------------------------------------------------
 *
 * ledgerfuncs.c
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

#include "collect.h"
#include "datums.h"
#include "preload.h"
#include "recentlogins.h"
#include "rows.h"

PG_FUNCTION_INFO_V1(sslpolicy_get_recent_logins);

static void
add_address(Row *row, const Facts *facts)
{
	bool		known = facts->address_len > 0;

	add(row, known,
		known ? DirectFunctionCall1(inet_in, CStringGetDatum(address_text(facts))) : (Datum) 0);
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
			add(row, false, (Datum) 0);
		return;
	}
	add(row, true, certificate_text(cert->subject_dn));
	add(row, true, certificate_text(cert->issuer_dn));
	add(row, cert->cn != NULL, cert->cn ? certificate_text(cert->cn) : (Datum) 0);
	add(row, true, text_array(cert->sans, cert->nsans, certificate_text));
	if (is_serial_number(cert->serial))
		add(row, true, serial_number(cert->serial));
	else
		add(row, false, (Datum) 0);
	add(row, true, fingerprint_text(cert->fingerprint));
	add_time(row, true, cert->not_before);
	add_time(row, true, cert->not_after);
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
	foreach(cell, recent_logins())
	{
		const RecentLogin *login = lfirst(cell);
		Row			row = {0};

		add(&row, true, ObjectIdGetDatum(login->role));
		add(&row, OidIsValid(login->database), ObjectIdGetDatum(login->database));
		add_address(&row, &login->facts);
		add_text(&row, login->facts.version);
		add(&row, true, TimestampTzGetDatum(login->last_login));
		add(&row, true, Int64GetDatum(login->count));
		add_text(&row, login->facts.cipher);
		add_text(&row, login->facts.auth_method);
		add(&row, login->compliance != COMPLIANCE_UNKNOWN, BoolGetDatum(login->compliance == COMPLIANCE_YES));
		add_certificate(&row, login->facts.cert);
		put_row(fcinfo, &row);
	}
	return (Datum) 0;
}
