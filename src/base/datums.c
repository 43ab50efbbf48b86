/*-------------------------------------------------------------------------
 *
 * datums.c
 *		What stands in certificates and labels as SQL values.
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

#include "base/datums.h"
#include "base/escape.h"

/*
 * UTF-8 in the database's encoding; NULL if it is not valid, or that cannot
 * express it.
 */
char *
text_from_utf8(const char *utf8)
{
	int			len = (int) strlen(utf8);
	int			encoding = GetDatabaseEncoding();
	int			size = len * MAX_CONVERSION_GROWTH + 1;
	unsigned char *converted;
	Oid			conversion;

	if (!pg_verify_mbstr(PG_UTF8, utf8, len, true))
		return NULL;
	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return pstrdup(utf8);

	conversion = FindDefaultConversionProc(PG_UTF8, encoding);
	if (!OidIsValid(conversion))
		return NULL;
	converted = palloc((Size) size);
	if (pg_do_encoding_conversion_buf(conversion, PG_UTF8, encoding,
									  (unsigned char *) utf8, len,
									  converted, size, true) != len)
		return NULL;
	return (char *) converted;
}

/*
 * ASCII without escapes, which is the same in every encoding of a database.
 */
static bool
is_plain(const char *text)
{
	while (*text != '\0' && *text != '\\' && !IS_HIGHBIT_SET(*text))
		text++;
	return *text == '\0';
}

/*
 * Text in escaped form as text of the database's encoding.
 */
char *
certificate_string(const char *escaped)
{
	char	   *text = is_plain(escaped) ? NULL : text_from_utf8(unescape_high_bytes(escaped));

	return text ? text : pstrdup(escaped);
}

Datum
certificate_text(const char *escaped)
{
	return CStringGetTextDatum(is_plain(escaped) ? escaped : certificate_string(escaped));
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

Datum
text_array(char **items, int count, Datum (*convert)(const char *))
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
	return text_array(items, count, label_text);
}

/*
 * An array of texts of our own.
 */
Datum
text_list(List *strings)
{
	char	  **items = palloc(sizeof(char *) * (Size) (list_length(strings) + 1));
	int			count = 0;
	ListCell   *cell;

	foreach(cell, strings)
		items[count++] = lfirst(cell);
	return text_array(items, count, label_text);
}

Datum
fingerprint_text(const uint8 *fingerprint)
{
	char		hex[2 * FINGERPRINT_LEN];

	(void) hex_encode((const char *) fingerprint, FINGERPRINT_LEN, hex);
	return PointerGetDatum(cstring_to_text_with_len(hex, sizeof(hex)));
}

#define EPOCH_DISTANCE ((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (int64) SECS_PER_DAY)

TimestampTz
timestamp_from_unix(int64 seconds)
{
	return (seconds - EPOCH_DISTANCE) * USECS_PER_SEC;
}

int64
timestamp_to_unix(TimestampTz time)
{
	return time / USECS_PER_SEC + EPOCH_DISTANCE;
}

/*
 * A serial that was cut is no number any more; numeric has its limit, too.
 */
bool
is_serial_number(const char *serial)
{
	return strlen(serial) < 100000 && strspn(serial, "-0123456789") == strlen(serial);
}

Datum
serial_number(const char *serial)
{
	return DirectFunctionCall3(numeric_in, CStringGetDatum(serial),
							   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}
