/*-------------------------------------------------------------------------
 *
 * clienttext.h
 *		Values as the places want them where a client's settings are written.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CLIENTTEXT_H
#define SSLPOLICY_CLIENTTEXT_H

#include "base/pure.h"

extern void append_conninfo_setting(StringInfo buf, const char *key, const char *value);
extern void append_url_text(StringInfo buf, const char *text);
extern void append_url_parameter(StringInfo buf, const char *key,
								 const char *value);
extern void append_url_host(StringInfo buf, const char *host, int port);
extern void append_program_string(StringInfo buf, const char *text);
extern void append_odbc_attribute(StringInfo buf, const char *attribute, const char *value, bool braces);
extern void append_shell_word(StringInfo buf, const char *text);

#endif							/* SSLPOLICY_CLIENTTEXT_H */
