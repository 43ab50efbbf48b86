/*-------------------------------------------------------------------------
 *
 * datums.h
 *		What stands in certificates and labels as SQL values.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_DATUMS_H
#define SSLPOLICY_DATUMS_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "base/fingerprint.h"

extern char *text_from_utf8(const char *utf8);
extern char *certificate_string(const char *escaped);
extern Datum certificate_text(const char *escaped);
extern Datum label_text(const char *text);
extern Datum label_array(char **items, int count);
extern Datum text_array(char **items, int count, Datum (*convert)(const char *));
extern Datum text_list(List *strings);
extern Datum fingerprint_text(const uint8 *fingerprint);
extern TimestampTz timestamp_from_unix(int64 seconds);
extern int64 timestamp_to_unix(TimestampTz time);
extern bool is_serial_number(const char *serial);
extern Datum serial_number(const char *serial);

#endif							/* SSLPOLICY_DATUMS_H */
