/*-------------------------------------------------------------------------
 *
 * tlsrow.c
 *		Facts as columns of a result row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/datums.h"
#include "sql/tlsrow.h"

/*
 * Fill TLS_COLUMNS columns: ssl, version, cipher, bits, key_exchange,
 * client_cn, client_dn, client_sans, issuer_dn, client_serial,
 * fingerprint_sha256, ca_fingerprint_sha256, not_before, not_after,
 * key_algorithm, key_bits, signature_algorithm, verified, auth_method.
 */
void
tls_columns(const Facts *facts, Datum *values, bool *nulls)
{
	const CertFacts *cert = facts->cert;
	int			i = 0;

#define ADD(condition, datum) \
	do { \
		nulls[i] = !(condition); \
		values[i] = nulls[i] ? (Datum) 0 : (datum); \
		i++; \
	} while (0)

	ADD(true, BoolGetDatum(facts->ssl));
	ADD(facts->version, CStringGetTextDatum(facts->version));
	ADD(facts->cipher, CStringGetTextDatum(facts->cipher));
	ADD(facts->ssl, Int32GetDatum(facts->bits));
	ADD(facts->key_exchange, CStringGetTextDatum(facts->key_exchange));
	ADD(cert && cert->cn, certificate_text(cert->cn));
	ADD(cert, certificate_text(cert->subject_dn));
	ADD(cert, text_array(cert->sans, cert->nsans, certificate_text));
	ADD(cert, certificate_text(cert->issuer_dn));
	ADD(cert && is_serial_number(cert->serial), serial_number(cert->serial));
	ADD(cert, fingerprint_text(cert->fingerprint));
	ADD(cert && cert->ncas > 0,
		fingerprint_text(cert->cas[cert->ncas - 1].fingerprint));
	ADD(cert, TimestampTzGetDatum(timestamp_from_unix(cert->not_before)));
	ADD(cert, TimestampTzGetDatum(timestamp_from_unix(cert->not_after)));
	ADD(cert, CStringGetTextDatum(cert->key_algorithm));
	ADD(cert, Int32GetDatum(cert->key_bits));
	ADD(cert, CStringGetTextDatum(cert->signature_algorithm));
	ADD(true, BoolGetDatum(facts->verified));
	ADD(facts->auth_method, CStringGetTextDatum(facts->auth_method));
#undef ADD

	Assert(i == TLS_COLUMNS);
}
