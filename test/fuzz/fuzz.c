/*-------------------------------------------------------------------------
 *
 * fuzz.c
 *		Entry point of the fuzzers, and their memory.
 *
 * Outside a server palloc() is malloc(), and there is no memory context to
 * delete: everything would leak.  So this file is used in place of PostgreSQL's
 * fe_memutils.c: each piece is a malloc() of its own, which AddressSanitizer
 * watches, and what is left of them is freed at the end of an input.  What
 * still leaks then is OpenSSL's, and a mistake.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#include <openssl/err.h>

static void **pieces;
static size_t npieces;
static size_t room;

static void *
must_get(void *piece)
{
	if (piece == NULL)
	{
		fprintf(stderr, "out of memory\n");
		exit(2);
	}
	return piece;
}

void *
palloc(Size size)
{
	if (npieces == room)
	{
		room = room * 2 + 1024;
		pieces = must_get(realloc(pieces, room * sizeof(void *)));
	}
	return pieces[npieces++] = must_get(malloc(size ? size : 1));
}

void *
palloc0(Size size)
{
	return memset(palloc(size), 0, size);
}

void *
palloc_extended(Size size, int flags)
{
	return flags & MCXT_ALLOC_ZERO ? palloc0(size) : palloc(size);
}

/*
 * Where a piece is noted; mostly it is one of the last.
 */
static size_t
find_piece(const void *piece)
{
	for (size_t i = npieces; i > 0; i--)
		if (pieces[i - 1] == piece)
			return i - 1;
	HOLDS(false, "pfree() or repalloc() of what is not palloc()'s");
}

void
pfree(void *pointer)
{
	pieces[find_piece(pointer)] = pieces[npieces - 1];
	npieces--;
	free(pointer);
}

void *
repalloc(void *pointer, Size size)
{
	size_t		i = find_piece(pointer);

	return pieces[i] = must_get(realloc(pointer, size ? size : 1));
}

char *
pnstrdup(const char *in, Size size)
{
	size_t		len = strnlen(in, size);
	char	   *copy = memcpy(palloc(len + 1), in, len);

	copy[len] = '\0';
	return copy;
}

char *
pstrdup(const char *in)
{
	return pnstrdup(in, strlen(in));
}

void
does_not_hold(const char *condition, const char *file, int line, const char *format, ...)
{
	va_list		args;

	fprintf(stderr, "\nDOES NOT HOLD: %s (%s, line %d)\n", condition, file, line);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	abort();
}

extern int	LLVMFuzzerTestOneInput(const uint8 *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t len)
{
	fuzz_one(data, len);
	while (npieces > 0)
		free(pieces[--npieces]);
	ERR_clear_error();
	return 0;
}
