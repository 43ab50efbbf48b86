/*-------------------------------------------------------------------------
 *
 * crlindexformat.h
 *		The format of an index of CRLs, for those who write and read it.
 *
 * The file is a hash table on disk, written once from start to end:
 *
 *	block 0		the header
 *	blocks 1..n	records; a record's home is given by the top of its key, which
 *				is a digest and so spreads evenly.  What a block has no room for
 *				goes to the next one (the last one's to the first), and the
 *				block says so
 *	the rest	the CRLs that it was built from, and the files that have been read
 *
 * Every part has a checksum, and every block its number and the id of its
 * build: a file that was cut, changed, or put together from two is found to be
 * damaged, never believed.  Integers are in the byte order of the machine.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CRLINDEXFORMAT_H
#define SSLPOLICY_CRLINDEXFORMAT_H

#include "port/pg_bswap.h"

#include "base/checksum.h"
#include "revocation/crlindex.h"

#define INDEX_MAGIC		"SSLPCRL\n"
#define INDEX_VERSION	3		/* grows also when ca_identity() changes */
#define BYTE_ORDER_MARK 0x01020304

#define BLOCK_SIZE		4096
#define BLOCK_RECORDS	127
#define AVERAGE_RECORDS 100
#define BLOCK_OVERFLOWS 0x0001	/* flag: the next one has records of it */

#define MAX_CRLS_LEN 0x1FFFFFFF /* bytes; within palloc's limit when read */

#define PAUSE_BLOCKS 256		/* 1 MB */

typedef struct IndexHeader
{
	char		magic[8];
	uint32		crc;			/* of the block, with zero here */
	uint32		version;
	uint32		byte_order;
	uint16		block_size;
	uint16		record_size;
	CrlIndexLabel label;
	uint32		nblocks;
	uint32		ncrls;
	uint64		nrecords;
	uint64		crls_offset;
	uint64		crls_len;
	uint32		crls_crc;
	uint32		nsources;
} IndexHeader;

typedef struct RecordBlock
{
	uint32		crc;			/* of the block, with zero here */
	uint32		number;			/* counts from 1 */
	uint16		count;
	uint16		flags;
	uint32		unused;
	uint8		build_id[CRL_BUILD_ID_LEN];
	CrlRecord	records[BLOCK_RECORDS];
} RecordBlock;

typedef union Block
{
	uint8		bytes[BLOCK_SIZE];
	IndexHeader header;
	RecordBlock records;
} Block;

/* A CRL in the file; path, issuer, number and the text of its scope follow. */
typedef struct StoredCrl
{
	int64		this_update;
	int64		next_update;
	uint32		entries;
	uint32		has_next_update;
	uint32		path_len;
	uint32		issuer_len;
	uint32		number_len;		/* NO_TEXT if it has none */
	uint32		scope_len;		/* NO_TEXT if it is for all certificates */
	uint32		kept;
	uint32		unused;
	uint8		scope[POINT_LEN];
	uint8		identity[CA_IDENTITY_LEN];
	uint8		fingerprint[FINGERPRINT_LEN];
	uint8		ca_fingerprint[FINGERPRINT_LEN];
} StoredCrl;

#define NO_TEXT PG_UINT32_MAX

StaticAssertDecl(sizeof(CrlRecord) == 32, "records have no holes");
StaticAssertDecl(sizeof(Block) == BLOCK_SIZE, "a block is a block");
StaticAssertDecl(sizeof(StoredCrl) == 16 + 8 * 4 + 20 + 20 + 64, "stored CRLs have no holes");

static inline uint64
key_top(const uint8 *key)
{
	uint64		top;

	memcpy(&top, key, sizeof(top));
	return pg_ntoh64(top);
}

/*
 * The block, from 0, that a key belongs to.  Grows with the key.
 */
static inline uint32
home_block(const uint8 *key, uint32 nblocks)
{
	return (uint32) (((key_top(key) >> 32) * nblocks) >> 32);
}

/*
 * Of a block, whose own field for it counts as zero.
 */
static inline uint32
block_checksum(Block *block, uint32 *field)
{
	uint32		stored = *field;
	uint32		crc;

	*field = 0;
	crc = checksum(block, BLOCK_SIZE);
	*field = stored;
	return crc;
}

#endif							/* SSLPOLICY_CRLINDEXFORMAT_H */
