/*-------------------------------------------------------------------------
 *
 * crlindex.c
 *		A file that tells whether a certificate is revoked, in one read.
 *
 * The file is a hash table on disk, written once from start to end:
 *
 *	block 0		the header
 *	blocks 1..n	records; a record's home is given by the top of its key, which
 *				is a digest and so spreads evenly.  What a block has no room for
 *				goes to the next one (the last one's to the first), and the
 *				block says so
 *	the rest	the CRLs that it was built from, for views
 *
 * Every part has a checksum, and every block its number and the id of its
 * build: a file that was cut, changed, or put together from two is found to be
 * damaged, never believed.  Integers are in the byte order of the machine.
 *
 * That a key is absent means "not revoked" only for a CA whose issuer record
 * is present.
 *
 *-------------------------------------------------------------------------
 */
#include "revocation/crlindex.h"

#include "port/pg_bswap.h"
#include "port/pg_crc32c.h"

#define INDEX_MAGIC		"SSLPCRL\n"
#define INDEX_VERSION	2		/* grows also when ca_identity() changes */
#define BYTE_ORDER_MARK 0x01020304

#define BLOCK_SIZE		4096
#define BLOCK_RECORDS	127
#define AVERAGE_RECORDS 100
#define BLOCK_OVERFLOWS 0x0001	/* flag: the next one has records of it */

#define MAX_CRLS_LEN 0x1FFFFFFF /* bytes; within palloc's limit when read */

#define PAUSE_BLOCKS	  256	/* 1 MB */
#define PAUSE_COMPARISONS 100000

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
	uint32		unused;
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

/* A CRL in the file; path, issuer and number follow. */
typedef struct StoredCrl
{
	int64		this_update;
	int64		next_update;
	uint32		entries;
	uint32		has_next_update;
	uint32		path_len;
	uint32		issuer_len;
	uint32		number_len;		/* NO_NUMBER if it has none */
	uint8		identity[CA_IDENTITY_LEN];
	uint8		fingerprint[FINGERPRINT_LEN];
	uint8		ca_fingerprint[FINGERPRINT_LEN];
} StoredCrl;

#define NO_NUMBER PG_UINT32_MAX

StaticAssertDecl(sizeof(CrlRecord) == 32, "records have no holes");
StaticAssertDecl(sizeof(Block) == BLOCK_SIZE, "a block is a block");
StaticAssertDecl(sizeof(StoredCrl) == 16 + 5 * 4 + 20 + 64, "stored CRLs have no holes");

struct CrlIndexBuilder
{
	void		(*pause)(void);
	CrlKeyMaker maker;
	CrlRecord  *records;
	size_t		nrecords;
	size_t		size;
	uint32		ncrls;
	StringInfoData crls;
	bool		failed;			/* OpenSSL has */
	uint64		comparisons;
};

static uint64
key_top(const uint8 *key)
{
	uint64		top;

	memcpy(&top, key, sizeof(top));
	return pg_ntoh64(top);
}

/*
 * The block, from 0, that a key belongs to.  Grows with the key.
 */
static uint32
home_block(const uint8 *key, uint32 nblocks)
{
	return (uint32) (((key_top(key) >> 32) * nblocks) >> 32);
}

static uint32
checksum(const void *bytes, size_t len)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, bytes, len);
	FIN_CRC32C(crc);
	return crc;
}

/*
 * Of a block, whose own field for it counts as zero.
 */
static uint32
block_checksum(Block *block, uint32 *field)
{
	uint32		stored = *field;
	uint32		crc;

	*field = 0;
	crc = checksum(block, BLOCK_SIZE);
	*field = stored;
	return crc;
}

/*
 * pause is called while there is much to do, and may longjmp away; NULL if
 * nothing is to be done.  Memory of OpenSSL's goes with
 * free_crl_index_builder().
 */
CrlIndexBuilder *
new_crl_index_builder(void (*pause)(void))
{
	CrlIndexBuilder *builder = palloc0(sizeof(CrlIndexBuilder));

	builder->pause = pause;
	init_crl_key_maker(&builder->maker);
	builder->size = 4096;
	builder->records = palloc(builder->size * sizeof(CrlRecord));
	initStringInfo(&builder->crls);
	return builder;
}

/*
 * Free what OpenSSL allocated.  (void *, so that it can be a memory context's
 * callback.)
 */
void
free_crl_index_builder(void *builder)
{
	free_crl_key_maker(&((CrlIndexBuilder *) builder)->maker);
}

/*
 * One array for all: the C library moves large ones without copying them.
 */
static void
grow_records(CrlIndexBuilder *b)
{
	b->size += b->size / 2;
#ifdef FRONTEND
	b->records = repalloc(b->records, b->size * sizeof(CrlRecord));
#else
	b->records = repalloc_huge(b->records, b->size * sizeof(CrlRecord));
#endif
}

/*
 * Room for a record, which counts once its key is made.
 */
static CrlRecord *
new_record(CrlIndexBuilder *b, CrlRecordKind kind, int64 since, int reason)
{
	CrlRecord  *record;

	if (b->nrecords == b->size)
		grow_records(b);
	record = &b->records[b->nrecords];
	memset(record, 0, sizeof(CrlRecord));
	record->since = since;
	record->reason = (uint8) reason;
	record->kind = (uint8) kind;
	return record;
}

/*
 * A revoked certificate.  The serial is the content of a DER INTEGER.
 */
void
add_indexed_entry(CrlIndexBuilder *builder, const uint8 *identity,
				  const uint8 *serial, int len, int64 since, int reason)
{
	CrlRecord  *record = new_record(builder, CRL_RECORD_ENTRY, since, reason);

	if (make_crl_entry_key(&builder->maker, identity, serial, len, record->key))
		builder->nrecords++;
	else
		builder->failed = true;
}

/*
 * A CRL, and that the index knows all that its issuer has revoked.
 */
void
add_indexed_crl(CrlIndexBuilder *builder, const IndexedCrl *crl)
{
	CrlRecord  *record = new_record(builder, CRL_RECORD_ISSUER, crl->has_next_update ? crl->next_update : PG_INT64_MAX, 0);
	StoredCrl	stored;

	if (make_crl_issuer_key(&builder->maker, crl->identity, record->key))
		builder->nrecords++;
	else
		builder->failed = true;

	memset(&stored, 0, sizeof(stored));
	stored.this_update = crl->this_update;
	stored.next_update = crl->next_update;
	stored.entries = (uint32) crl->entries;
	stored.has_next_update = crl->has_next_update ? 1 : 0;
	stored.path_len = (uint32) strlen(crl->path);
	stored.issuer_len = (uint32) strlen(crl->issuer_dn);
	stored.number_len = crl->number ? (uint32) strlen(crl->number) : NO_NUMBER;
	memcpy(stored.identity, crl->identity, CA_IDENTITY_LEN);
	memcpy(stored.fingerprint, crl->fingerprint, FINGERPRINT_LEN);
	memcpy(stored.ca_fingerprint, crl->ca_fingerprint, FINGERPRINT_LEN);
	appendBinaryStringInfo(&builder->crls, (char *) &stored, sizeof(stored));
	appendStringInfoString(&builder->crls, crl->path);
	appendStringInfoString(&builder->crls, crl->issuer_dn);
	if (crl->number)
		appendStringInfoString(&builder->crls, crl->number);
	builder->ncrls++;
}

/*
 * By key, and of the same key the earliest first.
 */
static inline int
compare_records(const CrlRecord *a, const CrlRecord *b, CrlIndexBuilder *builder)
{
	uint64		top_a = key_top(a->key);
	uint64		top_b = key_top(b->key);
	int			order;

	if (builder->pause && ++builder->comparisons % PAUSE_COMPARISONS == 0)
		builder->pause();
	if (top_a != top_b)
		return top_a < top_b ? -1 : 1;
	order = memcmp(a->key, b->key, CRL_KEY_LEN);
	if (order != 0)
		return order;
	return a->since < b->since ? -1 : a->since > b->since;
}

#define ST_SORT				  sort_records
#define ST_ELEMENT_TYPE		  CrlRecord
#define ST_COMPARE(a, b, arg) compare_records(a, b, arg)
#define ST_COMPARE_ARG_TYPE	  CrlIndexBuilder
#define ST_SCOPE			  static
#define ST_DEFINE
#include "lib/sort_template.h"

/*
 * Sort the records, and keep one of each key.
 */
static void
sort_and_merge(CrlIndexBuilder *b)
{
	size_t		kept = 0;

	sort_records(b->records, b->nrecords, b);
	for (size_t i = 0; i < b->nrecords; i++)
		if (kept == 0 ||
			memcmp(b->records[i].key, b->records[kept - 1].key, CRL_KEY_LEN) != 0)
			b->records[kept++] = b->records[i];
	b->nrecords = kept;
}

/*
 * How many of the sorted records, from first on, are at home in a block.
 */
static size_t
at_home(const CrlIndexBuilder *b, size_t first, uint32 block, uint32 nblocks)
{
	size_t		count = 0;

	while (first + count < b->nrecords &&
		   home_block(b->records[first + count].key, nblocks) == block)
		count++;
	return count;
}

/*
 * How many records the last block has to pass on to the first.  It takes one
 * round to know: there is more room than records, so that what is passed on
 * does not come back to the last block.
 */
static size_t
last_overflow(const CrlIndexBuilder *b, uint32 nblocks)
{
	size_t		next = 0;
	size_t		waiting = 0;

	for (uint32 block = 0; block < nblocks; block++)
	{
		size_t		own = at_home(b, next, block, nblocks);

		next += own;
		waiting += own;
		waiting -= Min(waiting, BLOCK_RECORDS);
	}
	return waiting;
}

/*
 * The blocks of records.  Each takes the next ones in the order of keys, which
 * begins with the last block's overflow.
 */
static bool
write_records(CrlIndexBuilder *b, const CrlIndexLabel *label, uint32 nblocks,
			  const CrlIndexOutput *output)
{
	size_t		waiting = last_overflow(b, nblocks);
	size_t		next = b->nrecords - waiting;	/* to be written */
	size_t		seen = 0;		/* the first one whose home has not come yet */

	for (uint32 number = 0; number < nblocks; number++)
	{
		Block		block;
		RecordBlock *to = &block.records;
		size_t		own = at_home(b, seen, number, nblocks);
		size_t		count = Min(waiting + own, BLOCK_RECORDS);

		memset(&block, 0, sizeof(block));
		seen += own;
		waiting += own - count;
		to->number = number + 1;
		to->count = (uint16) count;
		to->flags = waiting > 0 ? BLOCK_OVERFLOWS : 0;
		memcpy(to->build_id, label->build_id, CRL_BUILD_ID_LEN);
		for (size_t i = 0; i < count; i++)
		{
			if (next == b->nrecords)
				next = 0;
			to->records[i] = b->records[next++];
		}
		to->crc = block_checksum(&block, &to->crc);
		if (b->pause && number % PAUSE_BLOCKS == 0)
			b->pause();
		if (!output->write(output->arg, &block, sizeof(block)))
			return false;
	}
	return true;
}

static bool
write_header(CrlIndexBuilder *b, const CrlIndexLabel *label, uint32 nblocks,
			 const CrlIndexOutput *output)
{
	Block		block;
	IndexHeader *header = &block.header;

	memset(&block, 0, sizeof(block));
	memcpy(header->magic, INDEX_MAGIC, sizeof(header->magic));
	header->version = INDEX_VERSION;
	header->byte_order = BYTE_ORDER_MARK;
	header->block_size = BLOCK_SIZE;
	header->record_size = sizeof(CrlRecord);
	header->label = *label;
	header->nblocks = nblocks;
	header->ncrls = b->ncrls;
	header->nrecords = b->nrecords;
	header->crls_offset = ((uint64) nblocks + 1) * BLOCK_SIZE;
	header->crls_len = (uint64) b->crls.len;
	header->crls_crc = checksum(b->crls.data, (size_t) b->crls.len);
	header->crc = block_checksum(&block, &header->crc);
	return output->write(output->arg, &block, sizeof(block));
}

/*
 * Write the index, from its start to its end.  Of records with one key the one
 * with the earliest time stays.  False, with *error, if that fails, where
 * errno is output->write's.  A builder writes once.
 */
bool
write_crl_index(CrlIndexBuilder *builder, const CrlIndexLabel *label,
				const CrlIndexOutput *output, char **error)
{
	uint64		nblocks;

	*error = NULL;
	if (builder->failed)
		*error = pstrdup("OpenSSL failed to compute a digest");
	else
	{
		sort_and_merge(builder);
		nblocks = Max((builder->nrecords + AVERAGE_RECORDS - 1) / AVERAGE_RECORDS, 1);
		if (nblocks >= PG_UINT32_MAX || builder->crls.len > MAX_CRLS_LEN)
			*error = pstrdup("there are too many entries or CRLs");
		else if (!write_header(builder, label, (uint32) nblocks, output) ||
				 !write_records(builder, label, (uint32) nblocks, output) ||
				 (builder->crls.len > 0 &&
				  !output->write(output->arg, builder->crls.data, (size_t) builder->crls.len)))
			*error = psprintf("their index cannot be written: %s", strerror(errno));
	}
	return *error == NULL;
}

/*
 * Read exactly these bytes.
 */
static bool
read_exactly(const CrlIndexInput *input, void *buf, size_t size, uint64 offset, char **error)
{
	ssize_t		len = input->read(input->arg, buf, size, offset);

	if (len < 0)
		*error = psprintf("it cannot be read at byte %llu: %s",
						  (unsigned long long) offset, strerror(errno));
	else if ((size_t) len != size)
		*error = psprintf("it ends at byte %llu, too early",
						  (unsigned long long) offset + (unsigned long long) len);
	return len >= 0 && (size_t) len == size;
}

/*
 * What is wrong with a header; NULL if nothing is.
 */
static char *
check_header(Block *block)
{
	const IndexHeader *header = &block->header;

	if (memcmp(header->magic, INDEX_MAGIC, sizeof(header->magic)) != 0)
		return pstrdup("it is no index of CRLs");
	if (header->byte_order != BYTE_ORDER_MARK)
		return pstrdup("it was made on another kind of machine, or its header is damaged");
	if (block_checksum(block, &block->header.crc) != header->crc)
		return pstrdup("its header is damaged");
	if (header->version != INDEX_VERSION)
		return psprintf("it is of format %u, not %d", header->version, INDEX_VERSION);
	if (header->block_size != BLOCK_SIZE || header->record_size != sizeof(CrlRecord) ||
		header->nblocks == 0 || header->nblocks == PG_UINT32_MAX ||
		header->nrecords > (uint64) header->nblocks * BLOCK_RECORDS ||
		header->crls_offset != ((uint64) header->nblocks + 1) * BLOCK_SIZE ||
		header->crls_len > MAX_CRLS_LEN ||
		header->ncrls > header->crls_len / sizeof(StoredCrl))
		return pstrdup("its header contradicts itself");
	return NULL;
}

/*
 * Does the file end where its header says?
 */
static bool
check_length(const CrlIndex *index, char **error)
{
	uint64		end = index->crls_offset + index->crls_len;
	uint8		bytes[2];
	ssize_t		len = index->input.read(index->input.arg, bytes, 2, end - 1);

	if (len == 1)
		return true;
	*error = len < 0 ? psprintf("it cannot be read: %s", strerror(errno)) :
					   psprintf("it is %s than the %llu bytes that its header says",
								len == 0 ? "shorter" : "longer", (unsigned long long) end);
	return false;
}

/*
 * Read and check the header, and the length of the file.  False, with *error,
 * if it is no index, or damaged.  Allocates nothing but that text.
 */
bool
open_crl_index(CrlIndex *index, const CrlIndexInput *input, char **error)
{
	Block		block;

	*error = NULL;
	memset(index, 0, sizeof(CrlIndex));
	if (!read_exactly(input, &block, sizeof(block), 0, error))
		return false;
	*error = check_header(&block);
	if (*error)
		return false;
	index->input = *input;
	index->label = block.header.label;
	index->nblocks = block.header.nblocks;
	index->ncrls = block.header.ncrls;
	index->nrecords = block.header.nrecords;
	index->crls_offset = block.header.crls_offset;
	index->crls_len = block.header.crls_len;
	index->crls_crc = block.header.crls_crc;
	return check_length(index, error);
}

/*
 * Get a block of records, from 0, and check it.
 */
static bool
read_block(const CrlIndex *index, uint32 number, Block *block, char **error)
{
	RecordBlock *records = &block->records;
	const char *wrong = NULL;

	if (!read_exactly(&index->input, block, BLOCK_SIZE,
					  ((uint64) number + 1) * BLOCK_SIZE, error))
		return false;
	if (block_checksum(block, &records->crc) != records->crc)
		wrong = "its checksum does not match";
	else if (memcmp(records->build_id, index->label.build_id, CRL_BUILD_ID_LEN) != 0)
		wrong = "it belongs to another index";
	else if (records->number != number + 1)
		wrong = "it belongs elsewhere";
	else if (records->count > BLOCK_RECORDS || (records->flags & ~BLOCK_OVERFLOWS) != 0)
		wrong = "it contradicts itself";
	if (wrong)
		*error = psprintf("block %llu is damaged: %s", (unsigned long long) number + 1, wrong);
	return wrong == NULL;
}

/*
 * Look for a key.  Reads one block, seldom two.  CRL_DAMAGED, with *error, means
 * that nothing is known.
 */
CrlLookup
lookup_crl_index(const CrlIndex *index, const uint8 *key, CrlRecord *record, char **error)
{
	uint32		number = home_block(key, index->nblocks);
	Block		block;

	*error = NULL;
	for (uint32 tried = 0; tried < index->nblocks; tried++)
	{
		if (!read_block(index, number, &block, error))
			return CRL_DAMAGED;
		for (int i = 0; i < block.records.count; i++)
			if (memcmp(block.records.records[i].key, key, CRL_KEY_LEN) == 0)
			{
				*record = block.records.records[i];
				return CRL_FOUND;
			}
		if ((block.records.flags & BLOCK_OVERFLOWS) == 0)
			return CRL_NOT_FOUND;
		number = number + 1 == index->nblocks ? 0 : number + 1;
	}
	*error = pstrdup("its blocks have no end");
	return CRL_DAMAGED;
}

/*
 * A string of the section of CRLs.  NULL if it reaches beyond that.
 */
static char *
take_string(const char **pos, const char *end, uint32 len)
{
	char	   *result;

	if (len > (size_t) (end - *pos))
		return NULL;
	result = pnstrdup(*pos, len);
	*pos += len;
	return result;
}

static bool
take_crl(IndexedCrl *crl, const char **pos, const char *end)
{
	StoredCrl	stored;

	if ((size_t) (end - *pos) < sizeof(stored))
		return false;
	memcpy(&stored, *pos, sizeof(stored));
	*pos += sizeof(stored);
	crl->this_update = stored.this_update;
	crl->next_update = stored.next_update;
	crl->has_next_update = stored.has_next_update != 0;
	crl->entries = (int) stored.entries;
	memcpy(crl->identity, stored.identity, CA_IDENTITY_LEN);
	memcpy(crl->fingerprint, stored.fingerprint, FINGERPRINT_LEN);
	memcpy(crl->ca_fingerprint, stored.ca_fingerprint, FINGERPRINT_LEN);
	crl->path = take_string(pos, end, stored.path_len);
	crl->issuer_dn = take_string(pos, end, stored.issuer_len);
	if (stored.number_len != NO_NUMBER)
		crl->number = take_string(pos, end, stored.number_len);
	return crl->path && crl->issuer_dn && (crl->number || stored.number_len == NO_NUMBER);
}

/*
 * The CRLs that the index was built from, an array.  NULL, with *error, if they
 * are damaged.
 */
IndexedCrl *
read_indexed_crls(const CrlIndex *index, int *ncrls, char **error)
{
	char	   *bytes = palloc((Size) index->crls_len + 1);
	const char *pos = bytes;
	const char *end = bytes + index->crls_len;
	IndexedCrl *crls = palloc0(sizeof(IndexedCrl) * ((Size) index->ncrls + 1));
	bool		ok;

	*error = NULL;
	if (!read_exactly(&index->input, bytes, (size_t) index->crls_len, index->crls_offset, error))
		return NULL;
	ok = checksum(bytes, (size_t) index->crls_len) == index->crls_crc;
	for (uint32 i = 0; ok && i < index->ncrls; i++)
		ok = take_crl(&crls[i], &pos, end);
	ok = ok && pos == end;
	pfree(bytes);
	*ncrls = ok ? (int) index->ncrls : 0;
	if (!ok)
		*error = pstrdup("its list of CRLs is damaged");
	return ok ? crls : NULL;
}

/*
 * How many blocks before the first have passed records on without a break: as
 * far as its records can be from home.
 */
static bool
count_wrapped(const CrlIndex *index, uint32 *run, char **error)
{
	Block		block;

	for (*run = 0; *run < index->nblocks; (*run)++)
	{
		if (!read_block(index, index->nblocks - 1 - *run, &block, error))
			return false;
		if ((block.records.flags & BLOCK_OVERFLOWS) == 0)
			return true;
	}
	return true;
}

/*
 * Would a lookup find all the records of a block?
 */
static bool
check_records(const CrlIndex *index, uint32 number, const RecordBlock *block, uint32 run)
{
	for (int i = 0; i < block->count; i++)
	{
		const CrlRecord *record = &block->records[i];
		uint32		home = home_block(record->key, index->nblocks);
		uint32		distance = number >= home ? number - home :
										   index->nblocks - home + number;

		if (distance > run ||
			(record->kind != CRL_RECORD_ENTRY && record->kind != CRL_RECORD_ISSUER))
			return false;
	}
	return true;
}

/*
 * Check every block, and the CRLs.  False, with *error, if one is damaged.
 * pause as for the builder.
 */
bool
check_crl_index(const CrlIndex *index, void (*pause)(void), char **error)
{
	uint64		nrecords = 0;
	uint32		run;
	int			ncrls;

	*error = NULL;
	if (!count_wrapped(index, &run, error))
		return false;
	for (uint32 number = 0; number < index->nblocks; number++)
	{
		Block		block;

		if (pause && number % PAUSE_BLOCKS == 0)
			pause();
		if (!read_block(index, number, &block, error))
			return false;
		if (!check_records(index, number, &block.records, run))
		{
			*error = psprintf("block %llu is damaged: it has records that do not belong there",
							  (unsigned long long) number + 1);
			return false;
		}
		run = (block.records.flags & BLOCK_OVERFLOWS) ? run + 1 : 0;
		nrecords += block.records.count;
	}
	if (nrecords != index->nrecords)
	{
		*error = pstrdup("it does not have as many records as its header says");
		return false;
	}
	return read_indexed_crls(index, &ncrls, error) != NULL && check_length(index, error);
}
