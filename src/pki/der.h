/*-------------------------------------------------------------------------
 *
 * der.h
 *		DER, element by element, without objects.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_DER_H
#define SSLPOLICY_DER_H

#include "base/pure.h"

#define DER_MAX_HEAD 7			/* bytes: a tag, and a length of up to 5 of them */

#define TAG_BOOLEAN			 0x01
#define TAG_INTEGER			 0x02
#define TAG_BIT_STRING		 0x03
#define TAG_OCTET_STRING	 0x04
#define TAG_OID				 0x06
#define TAG_ENUMERATED		 0x0A
#define TAG_UTF8_STRING		 0x0C
#define TAG_UTC_TIME		 0x17
#define TAG_GENERALIZED_TIME 0x18
#define TAG_SEQUENCE		 0x30
#define TAG_SET				 0x31
#define TAG_CONTEXT_0		 0xA0

/* The head of an element. */
typedef struct Element
{
	int			tag;
	size_t		head;			/* bytes of tag and length */
	uint64		len;			/* of the content */
} Element;

/* DER in memory. */
typedef struct Slice
{
	const uint8 *pos;
	const uint8 *end;
} Slice;

static inline size_t
slice_len(const Slice *slice)
{
	return (size_t) (slice->end - slice->pos);
}

extern const char *parse_der_head(const uint8 *bytes, size_t len, Element *element);
extern bool next_der_slice(Slice *from, int tag, Slice *content);
extern bool next_der_integer(Slice *from, Slice *content);
extern bool next_der_time(Slice *from, int64 *seconds);

#endif							/* SSLPOLICY_DER_H */
