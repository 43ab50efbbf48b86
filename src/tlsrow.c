/*-------------------------------------------------------------------------
 *
 * tlsrow.c
 *		Facts as columns of a result row.
 *
 * Certificate text is brought into the database's encoding.  What that cannot
 * express stays in escaped form, so that no certificate makes a view fail.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "escape.h"
#include "tlsrow.h"

/*
 * Text in escaped form as a value of the database's encoding.
 */
static Datum
certificate_text(const char *escaped)
{
	char	   *utf8 = unescape_high_bytes(escaped);
	int			len = (int) strlen(utf8);
	int			encoding = GetDatabaseEncoding();
	int			size = len * MAX_CONVERSION_GROWTH + 1;
	unsigned char *converted;
	Oid			conversion;

	if (!pg_verify_mbstr(PG_UTF8, utf8, len, true))
		return CStringGetTextDatum(escaped);
	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return CStringGetTextDatum(utf8);

	conversion = FindDefaultConversionProc(PG_UTF8, encoding);
	if (!OidIsValid(conversion))
		return CStringGetTextDatum(escaped);
	converted = palloc((Size) size);
	if (pg_do_encoding_conversion_buf(conversion, PG_UTF8, encoding,
									  (unsigned char *) utf8, len,
									  converted, size, true) != len)
		return CStringGetTextDatum(escaped);
	return CStringGetTextDatum((char *) converted);
}

/*
 * Text of a label.  Labels are shared by databases of all encodings; what is
 * not valid in this one is shown in escaped form.
 */
Datum
label_text(const char *text)
{
	int			len = (int) strlen(text);

	if (pg_verify_mbstr(GetDatabaseEncoding(), text, len, true))
		return CStringGetTextDatum(text);
	return CStringGetTextDatum(escape_bytes(text, len));
}

static Datum
make_array(char **items, int count, Datum (*convert) (const char *))
{
	Datum	   *datums = palloc(sizeof(Datum) * (Size) (count + 1));

	for (int i = 0; i < count; i++)
		datums[i] = convert(items[i]);
	return PointerGetDatum(construct_array(datums, count, TEXTOID, -1, false,
										   TYPALIGN_INT));
}

/*
 * An array of texts of labels.
 */
Datum
label_array(char **items, int count)
{
	return make_array(items, count, label_text);
}

static Datum
fingerprint_text(const uint8 *fingerprint)
{
	StringInfoData buf;

	initStringInfo(&buf);
	append_hex(&buf, fingerprint, FINGERPRINT_LEN);
	return CStringGetTextDatum(buf.data);
}

static Datum
unix_time(int64 seconds)
{
	TimestampTz result = (seconds - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) *
						  (int64) SECS_PER_DAY) * USECS_PER_SEC;

	return TimestampTzGetDatum(result);
}

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
	ADD(cert, make_array(cert->sans, cert->nsans, certificate_text));
	ADD(cert, certificate_text(cert->issuer_dn));
	/* a serial that was cut is no number any more; numeric has its limit too */
	ADD(cert && strlen(cert->serial) < 100000 && strspn(cert->serial, "-0123456789") == strlen(cert->serial),
		DirectFunctionCall3(numeric_in, CStringGetDatum(cert->serial),
							ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	ADD(cert, fingerprint_text(cert->fingerprint));
	ADD(cert && cert->ncas > 0,
		fingerprint_text(cert->cas[cert->ncas - 1].fingerprint));
	ADD(cert, unix_time(cert->not_before));
	ADD(cert, unix_time(cert->not_after));
	ADD(cert, CStringGetTextDatum(cert->key_algorithm));
	ADD(cert, Int32GetDatum(cert->key_bits));
	ADD(cert, CStringGetTextDatum(cert->signature_algorithm));
	ADD(true, BoolGetDatum(facts->verified));
	ADD(facts->auth_method, CStringGetTextDatum(facts->auth_method));
#undef ADD

	Assert(i == TLS_COLUMNS);
}
