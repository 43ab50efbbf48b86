/*-------------------------------------------------------------------------
 *
 * fuzz.h
 *		What the fuzzers have in common.
 *
 * A fuzzer is a file fuzz_NAME.c with a function fuzz_one(), which gets an
 * input and asserts by HOLDS() what must be true of it.  An assertion that does
 * not hold ends the process, and libFuzzer keeps the input.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_FUZZ_H
#define SSLPOLICY_FUZZ_H

#include "base/pure.h"

extern void fuzz_one(const uint8 *data, size_t size);

/* Bytes of an input that are taken one after the other; zeros at its end. */
typedef struct Bytes
{
	const uint8 *pos;
	const uint8 *end;
} Bytes;

static inline unsigned
take(Bytes *bytes)
{
	return bytes->pos < bytes->end ? *bytes->pos++ : 0;
}

static inline unsigned
take_below(Bytes *bytes, unsigned limit)
{
	return take(bytes) % limit;
}

static inline unsigned
take16(Bytes *bytes)
{
	unsigned	high = take(bytes);

	return high << 8 | take(bytes);
}

extern void does_not_hold(const char *condition, const char *file, int line,
						  const char *format, ...) __attribute__((noreturn, format(printf, 4, 5)));

#define HOLDS(condition, ...) \
	do \
	{ \
		if (!(condition)) \
			does_not_hold(#condition, __FILE__, __LINE__, __VA_ARGS__); \
	} while (0)

/* the same text, or both NULL? */
static inline bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static inline const char *
shown(const char *text)
{
	return text ? text : "(none)";
}

#endif							/* SSLPOLICY_FUZZ_H */
