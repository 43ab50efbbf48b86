/*-------------------------------------------------------------------------
 *
 * crlindexwrite.c
 *		Makes an index of CRLs.
 *
 * The records are collected in memory, 32 bytes each, and sorted; then the file is
 * written once, from its start to its end.
 *
 *-------------------------------------------------------------------------
 */
#include "revocation/crlindex.h"

#include "revocation/crlindexformat.h"

#define PAUSE_COMPARISONS 100000

struct CrlIndexBuilder
{
	void		(*pause)(void);
	CrlKeyMaker maker;
	CrlRecord  *records;
	size_t		nrecords;
	size_t		size;
	uint32		ncrls;
	StringInfoData crls;
	uint32		nsources;
	StringInfoData sources;
	bool		failed;			/* OpenSSL has */
	uint64		comparisons;
};

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
	initStringInfo(&builder->sources);
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

static void
count_record(CrlIndexBuilder *b, bool ok)
{
	if (ok)
		b->nrecords++;
	else
		b->failed = true;
}

/*
 * A revoked certificate.  The serial is the content of a DER INTEGER.
 */
void
add_indexed_entry(CrlIndexBuilder *builder, const uint8 *identity,
				  const uint8 *serial, int len, int64 since, int reason)
{
	CrlRecord  *record = new_record(builder, CRL_RECORD_ENTRY, since, reason);

	count_record(builder, make_crl_entry_key(&builder->maker, identity, serial, len, record->key));
}

/*
 * That the index knows all that an issuer has revoked among the certificates that a CRL
 * covers.
 */
static void
add_coverage(CrlIndexBuilder *b, const IndexedCrl *crl)
{
	int64		until = crl->has_next_update ? crl->next_update : PG_INT64_MAX;
	CrlRecord  *record;

	if (!crl->scope.limited)
	{
		record = new_record(b, CRL_RECORD_ISSUER, until, 0);
		count_record(b, make_crl_issuer_key(&b->maker, crl->identity, record->key));
		return;
	}
	for (int i = 0; i < crl->scope.npoints; i++)
	{
		record = new_record(b, CRL_RECORD_ISSUER, until, 0);
		count_record(b, make_crl_scope_key(&b->maker, crl->identity, crl->scope.covers, crl->scope.points + i * POINT_LEN, record->key));
	}
	if (crl->scope.npoints == 0)
	{
		record = new_record(b, CRL_RECORD_ISSUER, until, 0);
		count_record(b, make_crl_scope_key(&b->maker, crl->identity, crl->scope.covers, NULL, record->key));
	}
	record = new_record(b, CRL_RECORD_NOTE, 0, 0);
	count_record(b, make_crl_limited_key(&b->maker, crl->identity, record->key));
}

/*
 * A CRL that has the name of a CA could not be used.
 */
void
add_unread_issuer(CrlIndexBuilder *builder, const uint8 *identity)
{
	CrlRecord  *record = new_record(builder, CRL_RECORD_NOTE, 0, 0);

	count_record(builder, make_crl_unread_key(&builder->maker, identity, record->key));
}

/*
 * The same for the name itself: that of a CA that only clients send, perhaps.
 */
void
add_unread_name(CrlIndexBuilder *builder, const char *issuer_dn)
{
	CrlRecord  *record = new_record(builder, CRL_RECORD_NOTE, 0, 0);

	count_record(builder, make_crl_unread_name_key(&builder->maker, issuer_dn, record->key));
}

/*
 * A file that has been read, now or before.
 */
void
add_indexed_source(CrlIndexBuilder *builder, const char *path)
{
	uint32		len = (uint32) strlen(path);

	appendBinaryStringInfo(&builder->sources, (char *) &len, sizeof(len));
	appendStringInfoString(&builder->sources, path);
	builder->nsources++;
}

/*
 * A CRL, and what it covers.
 */
void
add_indexed_crl(CrlIndexBuilder *builder, const IndexedCrl *crl)
{
	StoredCrl	stored;

	add_coverage(builder, crl);
	memset(&stored, 0, sizeof(stored));
	stored.this_update = crl->this_update;
	stored.next_update = crl->next_update;
	stored.entries = (uint32) crl->entries;
	stored.has_next_update = crl->has_next_update ? 1 : 0;
	stored.path_len = (uint32) strlen(crl->path);
	stored.issuer_len = (uint32) strlen(crl->issuer_dn);
	stored.number_len = crl->number ? (uint32) strlen(crl->number) : NO_TEXT;
	stored.scope_len = crl->scope.limited ? (uint32) strlen(crl->scope.text) : NO_TEXT;
	stored.kept = crl->kept ? 1 : 0;
	memcpy(stored.scope, crl->scope.digest, POINT_LEN);
	memcpy(stored.identity, crl->identity, CA_IDENTITY_LEN);
	memcpy(stored.fingerprint, crl->fingerprint, FINGERPRINT_LEN);
	memcpy(stored.ca_fingerprint, crl->ca_fingerprint, FINGERPRINT_LEN);
	appendBinaryStringInfo(&builder->crls, (char *) &stored, sizeof(stored));
	appendStringInfoString(&builder->crls, crl->path);
	appendStringInfoString(&builder->crls, crl->issuer_dn);
	if (crl->number)
		appendStringInfoString(&builder->crls, crl->number);
	if (crl->scope.limited)
		appendStringInfoString(&builder->crls, crl->scope.text);
	builder->ncrls++;
}

/*
 * By key, and of the same key the first that counts: the earliest revocation, the CRL that
 * is in force longest.
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
	order = a->since < b->since ? -1 : a->since > b->since;
	return a->kind == CRL_RECORD_ENTRY ? order : -order;
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
	header->nsources = b->nsources;
	header->crls_len = (uint64) b->crls.len;
	header->crls_crc = checksum(b->crls.data, (size_t) b->crls.len);
	header->crc = block_checksum(&block, &header->crc);
	return output->write(output->arg, &block, sizeof(block));
}

/*
 * Write the index, from its start to its end.  Of records with one key the first by
 * compare_records() stays.  False, with *error, if that fails, where
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
		appendBinaryStringInfo(&builder->crls, builder->sources.data, builder->sources.len);
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
