/*-------------------------------------------------------------------------
 *
 * pemtext.h
 *		The characters of PEM in text that has been copied, pasted, quoted or encoded.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_PEMTEXT_H
#define SSLPOLICY_PEMTEXT_H

#include "base/pure.h"

typedef enum PemToken
{
	PEM_END,					/* of the text */
	PEM_DATA,					/* a character of base64 */
	PEM_PADDING,				/* "=" */
	PEM_BLANK,					/* or what separates lines */
	PEM_DASH,
	PEM_OTHER,
} PemToken;

typedef struct PemText
{
	const char *start;
	const char *end;
	const char *pos;			/* of the next token */
	const char *at;				/* of the token that was read last */
	char		data;			/* of PEM_DATA */
	bool		breaks_only;	/* nothing is decoded but line breaks */
	bool		plus_is_blank;	/* application/x-www-form-urlencoded */
	bool		line_begins;	/* nothing but blanks since the last line break */
} PemText;

extern void begin_pem_text(PemText *text, const char *bytes, size_t len);
extern PemToken next_pem_token(PemText *text);
extern bool is_dash_before(const PemText *text, const char *pos);
extern char *utf16_to_utf8(const char *bytes, size_t len, size_t *utf8_len);

#endif							/* SSLPOLICY_PEMTEXT_H */
