/*-------------------------------------------------------------------------
 *
 * sessions_sql.c
 *		The SQL functions that show the TLS state of sessions.
 *
 * Arguments and tuples only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/datums.h"
#include "base/preload.h"
#include "base/rows.h"
#include "session/collect.h"
#include "session/sessions.h"

PG_FUNCTION_INFO_V1(sslpolicy_connection);
PG_FUNCTION_INFO_V1(sslpolicy_get_sessions);

/* what add_tls() adds */
#define TLS_COLUMNS 19

/* pid, usesysid, datid, client_addr, backend_start; behind TLS: compliant */
#define SESSION_COLUMNS (TLS_COLUMNS + 6)

/*
 * TLS_COLUMNS columns: ssl, version, cipher, bits, key_exchange, client_cn,
 * client_dn, client_sans, issuer_dn, client_serial, fingerprint_sha256,
 * ca_fingerprint_sha256, not_before, not_after, key_algorithm, key_bits,
 * signature_algorithm, verified, auth_method.
 */
static void
add_tls(Row *row, const Facts *facts)
{
	const CertFacts *cert = facts->cert;

	/* the datum is made only if it is known */
#define ADD(known, datum) row_add(row, (known), (known) ? (datum) : (Datum) 0)

	row_add(row, true, BoolGetDatum(facts->ssl));
	row_add_text(row, facts->version);
	row_add_text(row, facts->cipher);
	row_add(row, facts->ssl, Int32GetDatum(facts->bits));
	row_add_text(row, facts->key_exchange);
	ADD(cert && cert->cn, certificate_text(cert->cn));
	ADD(cert != NULL, certificate_text(cert->subject_dn));
	ADD(cert != NULL, text_array(cert->sans, cert->nsans, certificate_text));
	ADD(cert != NULL, certificate_text(cert->issuer_dn));
	ADD(cert && is_serial_number(cert->serial), serial_number(cert->serial));
	ADD(cert != NULL, fingerprint_text(cert->fingerprint));
	ADD(cert && cert->ncas > 0, fingerprint_text(cert->cas[cert->ncas - 1].fingerprint));
	row_add_time(row, cert != NULL, cert ? cert->not_before : 0);
	row_add_time(row, cert != NULL, cert ? cert->not_after : 0);
	row_add_text(row, cert ? cert->key_algorithm : NULL);
	ADD(cert != NULL, Int32GetDatum(cert->key_bits));
	row_add_text(row, cert ? cert->signature_algorithm : NULL);
	row_add(row, true, BoolGetDatum(facts->verified));
	row_add_text(row, facts->auth_method);
#undef ADD
}

/*
 * sslpolicy.connection() returns record
 *
 * The TLS state of the caller's own connection.
 */
Datum
sslpolicy_connection(PG_FUNCTION_ARGS)
{
	Facts		none = {0};
	const Facts *facts = &none;
	Row			row = {0};

	/* background processes have no connection */
	if (MyProcPort != NULL)
		facts = collect_facts(MyProcPort, my_auth_method());
	add_tls(&row, facts);
	return row_return(fcinfo, &row);
}

/*
 * The rest of a session, for whoever may not see it.
 */
static void
add_hidden(Row *row)
{
	while (row->count < SESSION_COLUMNS)
		row_add(row, false, (Datum) 0);
}

/*
 * sslpolicy.get_sessions() returns setof record
 *
 * A row for each live session: pid, role and database oid, client address,
 * start, TLS state, compliance.  As in pg_stat_activity, whoever may not see
 * the rest sees the first three.
 */
Datum
sslpolicy_get_sessions(PG_FUNCTION_ARGS)
{
	bool		all = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
	MemoryContext of_row;
	ListCell   *cell;

	require_preload();
	rows_begin(fcinfo, SESSION_COLUMNS);
	of_row = AllocSetContextCreate(CurrentMemoryContext, "sslpolicy session", ALLOCSET_DEFAULT_SIZES);

	foreach(cell, copy_sessions())
	{
		const Session *s = lfirst(cell);
		Row			row = {0};
		MemoryContext old = MemoryContextSwitchTo(of_row);

		row_add(&row, true, Int32GetDatum(s->pid));
		row_add(&row, OidIsValid(s->role), ObjectIdGetDatum(s->role));
		row_add(&row, OidIsValid(s->database), ObjectIdGetDatum(s->database));
		if (all || has_privs_of_role(GetUserId(), s->role))
		{
			bool		has_address = s->facts.address_len > 0;

			row_add(&row, has_address,
					has_address ? DirectFunctionCall1(inet_in, CStringGetDatum(address_text(&s->facts))) : (Datum) 0);
			row_add(&row, true, TimestampTzGetDatum(s->backend_start));
			add_tls(&row, &s->facts);
			row_add(&row, s->compliance != COMPLIANCE_UNKNOWN, BoolGetDatum(s->compliance == COMPLIANCE_YES));
		}
		else
			add_hidden(&row);
		row_put(fcinfo, &row);
		MemoryContextSwitchTo(old);
		MemoryContextReset(of_row);
	}
	MemoryContextDelete(of_row);
	return (Datum) 0;
}
