/*-------------------------------------------------------------------------
 *
 * former_dn.h
 *		How policies read distinguished names before they had a reader in common
 *		with the rest.
 *
 * Kept as it was, for comparison: what it accepted may be stored in labels, so
 * it has to be accepted for ever, in the spelling that it had.  Do not mend it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_FORMER_DN_H
#define SSLPOLICY_FORMER_DN_H

#include "base/escape.h"

static inline bool
former_check_dn(const char *value)
{
	for (const char *c = value; *c; c++)
	{
		if (c[0] == '\\' && c[1] != '\0')
			c++;
		else if (c[0] == ',' && c[1] == ' ')
			return false;
	}
	if (value[0] == '/' || strchr(value, '=') == NULL)
		return false;
	return true;
}

static inline char *
former_dn_in_ascii(const char *value)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (const char *c = value; *c; c++)
	{
		if ((unsigned char) *c < 0x20 || (unsigned char) *c > 0x7E)
			append_escaped(&buf, c, 1);
		else
			appendStringInfoChar(&buf, *c);
	}
	return buf.data;
}

/* NULL if it was refused */
static inline char *
former_spelling(const char *value)
{
	return former_check_dn(value) ? former_dn_in_ascii(value) : NULL;
}

#endif							/* SSLPOLICY_FORMER_DN_H */
