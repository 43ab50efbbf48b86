/*-------------------------------------------------------------------------
 *
 * largecerts.c
 *		Room in shared memory for packed certificates that their session's slot has
 *		none for.
 *
 * It is part of the server's main shared memory, and all there is: no segment can be
 * missing, cut short or refused while sessions live, whatever becomes of /dev/shm.
 * Who finds it taken keeps what fits into the slot (sessions.c).
 *
 * It consists of blocks of one size.  A certificate lies in as many as it takes, each
 * of which names the next; so do those that are free.  Blocks that have never been
 * used are not touched, so that they take no memory.
 *
 * Locking: the table's lock, exclusive to reserve blocks and to give them back, shared
 * to copy a certificate that is published.  What was reserved is filled without it:
 * nobody else knows of it yet.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "session/largecerts.h"
#include "settings/settings.h"

/* Room there always is: for some certificates of the largest size that can be set. */
#define LEAST_ROOM (4 * 128 * 1024)

/* And for each connection a part of what one may take. */
#define PART_OF_EACH 8

typedef struct Block
{
	int			next;			/* NO_LARGE_CERT: none */
	char		bytes[1020];
} Block;

struct LargeCerts
{
	int			nblocks;
	int			navailable;
	int			first_free;		/* of those that have been used before */
	int			nused;			/* those behind have never been */
	Block		blocks[FLEXIBLE_ARRAY_MEMBER];
};

/*
 * How many there are.  The setting can change while the server runs, but not the size
 * of shared memory, which is made anew after a crash.
 */
static int
block_count(void)
{
	static int	count = 0;

	if (count == 0)
		count = (int) ((LEAST_ROOM + max_certificate_text() / PART_OF_EACH * (size_t) MaxBackends) / sizeof(Block));
	return count;
}

size_t
large_certs_size(void)
{
	return MAXALIGN(offsetof(LargeCerts, blocks) + sizeof(Block) * (size_t) block_count());
}

void
init_large_certs(LargeCerts *room)
{
	room->nblocks = room->navailable = block_count();
	room->first_free = NO_LARGE_CERT;
	room->nused = 0;
}

static int
take_block(LargeCerts *room)
{
	int			block = room->first_free;

	if (block == NO_LARGE_CERT)
		block = room->nused++;
	else
		room->first_free = room->blocks[block].next;
	room->navailable--;
	return block;
}

/*
 * Blocks for a certificate of this size; NO_LARGE_CERT if there are not enough.
 */
int
reserve_large_cert(LargeCerts *room, size_t size)
{
	size_t		count = (size + sizeof(room->blocks[0].bytes) - 1) / sizeof(room->blocks[0].bytes);
	int			first = NO_LARGE_CERT;

	if (count > (size_t) room->navailable)
		return NO_LARGE_CERT;
	while (count-- > 0)
	{
		int			block = take_block(room);

		room->blocks[block].next = first;
		first = block;
	}
	return first;
}

void
fill_large_cert(LargeCerts *room, int cert, const char *bytes, size_t size)
{
	while (size > 0)
	{
		Block	   *block = &room->blocks[cert];
		size_t		part = Min(size, sizeof(block->bytes));

		memcpy(block->bytes, bytes, part);
		bytes += part;
		size -= part;
		cert = block->next;
	}
}

/*
 * A copy in the current memory context.
 */
char *
copy_large_cert(const LargeCerts *room, int cert, size_t size)
{
	char	   *result = palloc(size);
	size_t		copied = 0;

	while (copied < size)
	{
		const Block *block = &room->blocks[cert];
		size_t		part = Min(size - copied, sizeof(block->bytes));

		memcpy(result + copied, block->bytes, part);
		copied += part;
		cert = block->next;
	}
	return result;
}

void
release_large_cert(LargeCerts *room, int cert)
{
	while (cert != NO_LARGE_CERT)
	{
		Block	   *block = &room->blocks[cert];
		int			next = block->next;

		block->next = room->first_free;
		room->first_free = cert;
		room->navailable++;
		cert = next;
	}
}
