/*-------------------------------------------------------------------------
 *
 * crlindex.c
 *		A file that tells whether a certificate is revoked, in one read.
 *
 * That a key is absent means "not revoked" only for a certificate that the issuer
 * record of a CRL covers.
 *
 *-------------------------------------------------------------------------
 */
#include "revocation/crlindex.h"

#include "revocation/crlindexformat.h"

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
		header->ncrls > header->crls_len / sizeof(StoredCrl) ||
		header->nsources > header->crls_len / sizeof(uint32))
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
	index->nsources = block.header.nsources;
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
	if (stored.number_len != NO_TEXT)
		crl->number = take_string(pos, end, stored.number_len);
	crl->kept = stored.kept != 0;
	crl->scope.limited = stored.scope_len != NO_TEXT;
	memcpy(crl->scope.digest, stored.scope, POINT_LEN);
	if (crl->scope.limited)
		crl->scope.text = take_string(pos, end, stored.scope_len);
	return crl->path && crl->issuer_dn && (crl->number || stored.number_len == NO_TEXT) &&
		(crl->scope.text || !crl->scope.limited);
}

static bool
take_source(char **path, const char **pos, const char *end)
{
	uint32		len;

	if ((size_t) (end - *pos) < sizeof(len))
		return false;
	memcpy(&len, *pos, sizeof(len));
	*pos += sizeof(len);
	*path = take_string(pos, end, len);
	return *path != NULL;
}

/*
 * What follows the blocks: CRLs and files, arrays.  False, with *error, if that is damaged.
 */
static bool
read_rest(const CrlIndex *index, IndexedCrl **crls, char ***sources, char **error)
{
	char	   *bytes = palloc((Size) index->crls_len + 1);
	const char *pos = bytes;
	const char *end = bytes + index->crls_len;
	bool		ok;

	*error = NULL;
	*crls = palloc0(sizeof(IndexedCrl) * ((Size) index->ncrls + 1));
	*sources = palloc0(sizeof(char *) * ((Size) index->nsources + 1));
	if (!read_exactly(&index->input, bytes, (size_t) index->crls_len, index->crls_offset, error))
		return false;
	ok = checksum(bytes, (size_t) index->crls_len) == index->crls_crc;
	for (uint32 i = 0; ok && i < index->ncrls; i++)
		ok = take_crl(&(*crls)[i], &pos, end);
	for (uint32 i = 0; ok && i < index->nsources; i++)
		ok = take_source(&(*sources)[i], &pos, end);
	ok = ok && pos == end;
	pfree(bytes);
	if (!ok)
		*error = pstrdup("its list of CRLs is damaged");
	return ok;
}

/*
 * The CRLs that the index was built from, an array.  NULL, with *error, if they
 * are damaged.
 */
IndexedCrl *
read_indexed_crls(const CrlIndex *index, int *ncrls, char **error)
{
	IndexedCrl *crls;
	char	  **sources;
	bool		ok = read_rest(index, &crls, &sources, error);

	*ncrls = ok ? (int) index->ncrls : 0;
	return ok ? crls : NULL;
}

/*
 * The paths of the files that have been read, in the same way.
 */
char **
read_indexed_sources(const CrlIndex *index, int *nsources, char **error)
{
	IndexedCrl *crls;
	char	  **sources;
	bool		ok = read_rest(index, &crls, &sources, error);

	*nsources = ok ? (int) index->nsources : 0;
	return ok ? sources : NULL;
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
			(record->kind != CRL_RECORD_ENTRY && record->kind != CRL_RECORD_ISSUER &&
			 record->kind != CRL_RECORD_NOTE))
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
