/*-------------------------------------------------------------------------
 *
 * escape.h
 *		Text from certificates and clients, in a form that is safe to compare,
 *		to log and to show.
 *
 * The "escaped form" is printable ASCII: every byte outside 0x20..0x7E, and
 * the backslash, is written as a backslash and two upper-case hexadecimal
 * digits.  It is injective, so equal escaped forms mean equal bytes, and no
 * control character survives it, so it cannot forge a log line.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_ESCAPE_H
#define SSLPOLICY_ESCAPE_H

#include "base/pure.h"

extern void append_escaped(StringInfo buf, const char *bytes, int len);
extern char *printable_text(const char *text);
extern char *quoted_name(const char *name);
extern char *quoted_escaped_text(const char *escaped);
extern char *escape_bytes(const char *bytes, int len);
extern void append_dn_value(StringInfo buf, const char *value,
							bool starts, bool ends);
extern char *unescape_high_bytes(const char *text);
extern void append_hex(StringInfo buf, const uint8 *bytes, int len);
extern int	hex_value(char c);

#endif							/* SSLPOLICY_ESCAPE_H */
