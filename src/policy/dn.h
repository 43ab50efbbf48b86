/*-------------------------------------------------------------------------
 *
 * dn.h
 *		Distinguished names as people write them (RFC 2253, RFC 4514).
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_DN_H
#define SSLPOLICY_DN_H

#include "base/pure.h"

/* One attribute, such as CN=app. */
typedef struct DnAttribute
{
	int			offset;			/* bytes of the text before it */
	int			length;			/* bytes of the text that are it, type and value */
	bool		joined;			/* "+" is before it: of the RDN of the one before */
	char	   *type;			/* as written: CN, commonName or 2.5.4.3 */
	char	   *value;			/* with escapes resolved, a NUL behind it */
	int			value_len;		/* in bytes, any of which may be NUL */
	bool		hex;			/* value is "#" and hexadecimal digits, which
								 * stand for DER and are left as they are */
} DnAttribute;

/* The attributes in the order of the text, which is the reverse of a
 * certificate's. */
typedef struct Dn
{
	int			count;
	DnAttribute *attributes;
} Dn;

typedef struct DnError
{
	char	   *message;		/* what is wrong; goes on from "...: " */
	int			offset;			/* bytes before the offending place */
	const char *hint;			/* what to do, a sentence */
} DnError;

extern Dn  *dn_read(const char *text, DnError *error);
extern char **dn_values(const char *dn, const char *type, int *count);
extern char *dn_spelling(const char *text, DnError *error);

#endif							/* SSLPOLICY_DN_H */
