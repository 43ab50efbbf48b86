/*-------------------------------------------------------------------------
 *
 * pem_mutator.c
 *		Changes PEM so that it often remains PEM.
 *
 * Besides libFuzzer's own changes: lines twice, gone, elsewhere, joined, and empty ones
 * between them, another DER in a block (der_mutator.c), and one text behind another.
 *
 *-------------------------------------------------------------------------
 */
#include "pem_mutator.h"

#include <openssl/pem.h>

#include "der_mutator.h"

#define MAX_BYTES 65536

extern size_t LLVMFuzzerMutate(uint8 *data, size_t size, size_t max_size);

/*
 * Where the line that holds a byte begins, and the next one does.
 */
static size_t
line_start(const uint8 *data, size_t at)
{
	while (at > 0 && data[at - 1] != '\n')
		at--;
	return at;
}

static size_t
line_end(const uint8 *data, size_t size, size_t at)
{
	while (at < size && data[at] != '\n')
		at++;
	return at < size ? at + 1 : size;
}

/*
 * Where the next line begins that a block may begin or end with.
 */
static size_t
next_dashes(const uint8 *data, size_t size, size_t start)
{
	size_t		at = start;

	while (at < size && data[at] != '-')
		at = line_end(data, size, at);
	return at < size ? at : start;
}

/*
 * A line twice, gone, before another one, joined with the one before it, or behind an empty one.
 */
static size_t
mutate_line(uint8 *data, size_t size, size_t max_size, unsigned seed)
{
	size_t		start = line_start(data, seed % size);
	size_t		end;
	size_t		to = line_start(data, (seed / 7919) % size);
	uint8		line[256];
	size_t		len;

	/* most lines are base64 */
	if (seed / 10 % 2)
	{
		start = next_dashes(data, size, start);
		to = next_dashes(data, size, to);
	}
	end = line_end(data, size, start);
	len = Min(end - start, sizeof(line));
	memcpy(line, data + start, len);
	if (seed % 5 == 0)
	{
		memmove(data + start, data + end, size - end);
		return size - (end - start);
	}
	if (seed % 5 == 1 && start > 0)
	{
		memmove(data + start - 1, data + start, size - start);
		return size - 1;
	}
	if (seed % 5 == 2)
	{
		len = 1 + seed / 5 % 2;
		memcpy(line, len > 1 ? " \n" : "\n", len);
	}
	if (size + len > max_size)
		return size;
	if (seed % 5 <= 3)
		to = start;
	memmove(data + to + len, data + to, size - to);
	memcpy(data + to, line, len);
	return size + len;
}

/*
 * Another DER in the block that follows a byte.  0 if that is not possible.
 */
static size_t
mutate_block(uint8 *data, size_t size, size_t max_size, unsigned seed)
{
	static uint8 der[MAX_BYTES];
	size_t		at = seed % size;
	BIO		   *in = BIO_new_mem_buf(data + at, (int) (size - at));
	BIO		   *out = BIO_new(BIO_s_mem());
	char	   *name;
	char	   *header;
	unsigned char *bytes;
	long		len;
	size_t		result = 0;

	if (PEM_read_bio(in, &name, &header, &bytes, &len) == 1)
	{
		size_t		rest = (size_t) BIO_pending(in);
		char	   *text;
		long		text_len;

		if (len > 0 && len < MAX_BYTES / 2)
		{
			memcpy(der, bytes, (size_t) len);
			len = (long) der_mutate(der, (size_t) len, MAX_BYTES, seed);
			PEM_write_bio(out, name, "", der, len);
			text_len = BIO_get_mem_data(out, &text);
			/* what was before the block may be damaged by this; so be it */
			if (at + (size_t) text_len + rest <= max_size)
			{
				memmove(data + at + text_len, data + size - rest, rest);
				memcpy(data + at, text, (size_t) text_len);
				result = at + (size_t) text_len + rest;
			}
		}
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(bytes);
	}
	BIO_free(in);
	BIO_free(out);
	return result;
}

/*
 * As LLVMFuzzerCustomMutator.
 */
size_t
pem_mutate(uint8 *data, size_t size, size_t max_size, unsigned seed)
{
	size_t		result = 0;

	if (size > 0 && size < MAX_BYTES && seed % 4 == 0)
		result = mutate_line(data, size, max_size, seed / 4);
	else if (size > 0 && size < MAX_BYTES && seed % 4 != 1)
		/* from the start mostly: a block that begins within is damaged */
		result = mutate_block(data, size, max_size, seed % 8 == 2 ? seed / 8 : 0);
	return result ? result : LLVMFuzzerMutate(data, size, max_size);
}

/*
 * As LLVMFuzzerCustomCrossOver: the one behind the other, or in it.
 */
size_t
pem_cross(const uint8 *a, size_t a_size, const uint8 *b, size_t b_size,
		  uint8 *out, size_t max_size, unsigned seed)
{
	size_t		at = a_size > 0 && seed % 4 == 0 ? line_start(a, seed / 4 % a_size) : a_size;

	if (a_size + b_size > max_size)
		return 0;
	memcpy(out, a, at);
	memcpy(out + at, b, b_size);
	memcpy(out + at + b_size, a + at, a_size - at);
	return a_size + b_size;
}
