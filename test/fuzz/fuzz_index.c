/*-------------------------------------------------------------------------
 *
 * fuzz_index.c
 *		The index of CRLs, damaged: a right answer or a refusal.
 *
 * An input says which of some indexes to take and what to do to it: change
 * bytes, cut it, add to it, move blocks within it or from another build of the
 * same entries.  Then
 *
 *	1. it opens only where its header and its length are those of a build
 *	2. a look-up gives what was put in, or says that the index is damaged; and the
 *	   latter only if a block is
 *	3. the same for the list of CRLs
 *	4. the check of the whole passes only for the very bytes that were written
 *
 * Checksums guard against accidents, not against somebody who writes to the data
 * directory.  So an input may also repair them behind a change, or bring the
 * bytes of a whole file: then nothing is read out of bounds (the sanitizers see
 * to that), and where the check passes a look-up finds exactly the records that
 * are there.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#include "revocation/crlindex.h"

#define BLOCK			   4096
#define RECORDS_PER_BLOCK  127
#define CRC_IN_HEADER	   8	/* where it stands */
#define CRC_IN_BLOCK	   0
#define CRLS_CRC_IN_HEADER 136
#define MAX_CHANGED		   8
#define ABSENT			   64
#define MAX_FILE		   65536

/* A build, with what is true of it. */
typedef struct Build
{
	uint8	   *bytes;
	size_t		len;
	size_t		nblocks;		/* of records */
	int			count;
	CrlRecord  *truth;			/* entries, then issuers */
	int			ntruth;
} Build;

/* The file that is read. */
typedef struct File
{
	uint8		bytes[MAX_FILE];
	size_t		len;
} File;

/* the last one's records crowd in the last block, so that it overflows */
static const int sizes[] = {0, 1, 100, 101, 127, 200, 400, 1000, 300};
#define CROWDED (lengthof(sizes) - 1)
static const uint8 identities[2][CA_IDENTITY_LEN] = {"0123456789abcdefghij", "0123456789abcdefghik"};
static uint8 absent[ABSENT][CRL_KEY_LEN];
static Build builds[lengthof(sizes)][2];

/*
 * CRC-32C (RFC 3720 appendix B.4) of bytes, those of the checksum itself as zero.
 */
static uint32
crc32c(const uint8 *bytes, size_t len, size_t hole)
{
	static uint32 table[256];
	uint32		crc = 0xFFFFFFFF;

	if (table[1] == 0)
		for (uint32 i = 0; i < 256; i++)
		{
			table[i] = i;
			for (int bit = 0; bit < 8; bit++)
				table[i] = table[i] & 1 ? table[i] >> 1 ^ 0x82F63B78 : table[i] >> 1;
		}
	for (size_t i = 0; i < len; i++)
		crc = crc >> 8 ^ table[(crc ^ (i >= hole && i - hole < 4 ? 0 : bytes[i])) & 0xFF];
	return ~crc;
}

/*
 * Each block keeps its checksum in its own place, the first is the header.
 */
static uint32
block_crc(const uint8 *block, bool header)
{
	return crc32c(block, BLOCK, header ? CRC_IN_HEADER : CRC_IN_BLOCK);
}

static bool
has_valid_crc(const uint8 *block, bool header)
{
	uint32		stored;

	memcpy(&stored, block + (header ? CRC_IN_HEADER : CRC_IN_BLOCK), 4);
	return stored == block_crc(block, header);
}

static void
repair(uint8 *block, bool header)
{
	uint32		crc = block_crc(block, header);

	memcpy(block + (header ? CRC_IN_HEADER : CRC_IN_BLOCK), &crc, 4);
}

static bool
write_file(void *arg, const void *bytes, size_t len)
{
	File	   *file = arg;

	HOLDS(file->len + len <= MAX_FILE, "the index is too large for this test");
	memcpy(file->bytes + file->len, bytes, len);
	file->len += len;
	return true;
}

static ssize_t
read_file(void *arg, void *buf, size_t size, uint64 offset)
{
	const File *file = arg;
	size_t		len = offset >= file->len ? 0 : Min(size, file->len - (size_t) offset);

	memcpy(buf, file->bytes + offset * (len > 0), len);
	return (ssize_t) len;
}

static bool
issuer_key(const uint8 *identity, uint8 *key)
{
	CrlKeyMaker maker;
	bool		ok;

	init_crl_key_maker(&maker);
	ok = make_crl_issuer_key(&maker, identity, key);
	free_crl_key_maker(&maker);
	return ok;
}

static IndexedCrl
crl_of(int ca)
{
	IndexedCrl	crl = {
		.path = ca ? "/crl/b.pem" : "/crl/a.pem",
		.issuer_dn = ca ? "CN=B" : "CN=A",
		.number = ca ? NULL : "17",
		.this_update = 1700000000,
		.has_next_update = !ca,
		.next_update = ca ? 0 : 1800000000,
		.entries = 5,
	};

	memcpy(crl.identity, identities[ca], CA_IDENTITY_LEN);
	return crl;
}

/*
 * Build an index.  It outlives the input, so its memory is not palloc()'s.
 */
static void
make_build(Build *build, int count, int number, bool crowded)
{
	static File file;
	CrlIndexBuilder *builder = new_crl_index_builder(NULL);
	CrlIndexLabel label = {"build ", "sources", "settings", "copies", 0};
	CrlIndexOutput output = {write_file, &file};
	char	   *error;

	file.len = 0;
	build->count = count;
	build->truth = calloc((size_t) count + 2, sizeof(CrlRecord));
	for (int i = 0, next = 0; i < count; i++)
	{
		uint8		serial[3] = {0x40};
		CrlRecord  *truth = &build->truth[build->ntruth++];

		do
		{
			serial[1] = (uint8) (next >> 8);
			serial[2] = (uint8) next++;
			HOLDS(crl_entry_key(identities[i % 2], serial, 3, truth->key), "make a key");
		} while (crowded && i % 4 != 0 && truth->key[0] < 0xC0);

		truth->since = 1700000000 + i;
		truth->reason = (uint8) (i % 11);
		truth->kind = CRL_RECORD_ENTRY;
		add_indexed_entry(builder, identities[i % 2], serial, 3, truth->since, truth->reason);
	}
	for (int ca = 0; ca < 2; ca++)
	{
		IndexedCrl	crl = crl_of(ca);
		CrlRecord  *truth = &build->truth[build->ntruth++];

		truth->since = crl.has_next_update ? crl.next_update : PG_INT64_MAX;
		truth->kind = CRL_RECORD_ISSUER;
		HOLDS(issuer_key(identities[ca], truth->key), "make a key");
		add_indexed_crl(builder, &crl);
	}
	label.build_id[7] = (uint8) ('0' + number);
	HOLDS(write_crl_index(builder, &label, &output, &error), "%s", error);
	free_crl_index_builder(builder);
	build->len = file.len;
	build->bytes = malloc(file.len);
	memcpy(build->bytes, file.bytes, file.len);
	build->nblocks = file.len / BLOCK - 1;
}

static void
make_builds(void)
{
	if (builds[0][0].bytes != NULL)
		return;
	for (int i = 0; i < (int) lengthof(sizes); i++)
		for (int number = 0; number < 2; number++)
			make_build(&builds[i][number], sizes[i], number, i == CROWDED);
	for (int i = 0; i < ABSENT; i++)
	{
		uint8		serial[] = {0x50, (uint8) i};

		HOLDS(crl_entry_key(identities[0], serial, 2, absent[i]), "make a key");
	}
}

/*
 * Change numbers in the list of CRLs, and its checksum.
 */
static void
change_crls(Bytes *from, File *file, size_t start)
{
	size_t		offset = start + take_below(from, 180);
	uint32		crc;

	for (unsigned n = 1 + take_below(from, 4); n > 0 && offset < file->len; n--)
		file->bytes[offset++] = (uint8) take(from);
	if (file->len < start)
		return;
	crc = crc32c(file->bytes + start, file->len - start, SIZE_MAX);
	memcpy(file->bytes + CRLS_CRC_IN_HEADER, &crc, 4);
	repair(file->bytes, true);
}

/*
 * Do something to the file.
 */
static void
change(Bytes *from, File *file, const Build *other)
{
	unsigned	what = take_below(from, 12);
	size_t		offset = (take16(from) << 8 | take(from)) % (file->len + 1);
	size_t		block = offset / BLOCK;
	unsigned	to = take_below(from, 12);

	if (what == 11)
	{
		change_crls(from, file, (other->nblocks + 1) * BLOCK);
		return;
	}
	if (offset == file->len || block * BLOCK + BLOCK > file->len || (to + 1) * BLOCK > file->len)
	{
		/* only what needs no whole block */
		if (what == 0)
			file->len = offset;
		for (unsigned n = take_below(from, 8); what == 1 && n > 0 && file->len < MAX_FILE; n--)
			file->bytes[file->len++] = (uint8) take(from);
		if (what == 2 && offset < file->len)
			file->bytes[offset] ^= (uint8) (1 + take_below(from, 255));
		return;
	}
	switch (what)
	{
		case 0:
			file->len = offset;
			break;
		case 1:
			memset(file->bytes + block * BLOCK, 0, BLOCK);
			break;
		case 2:
		case 3:
			for (unsigned n = 1 + take_below(from, 8); n > 0 && offset < file->len; n--)
				file->bytes[offset++] = (uint8) take(from);
			break;
		case 4:
			file->bytes[offset] ^= (uint8) (1 << take_below(from, 8));
			break;
		case 5:
			memcpy(file->bytes + to * BLOCK, file->bytes + block * BLOCK, BLOCK);
			break;
		case 6:
		case 7:
			if (block * BLOCK + BLOCK <= other->len)
				memcpy(file->bytes + block * BLOCK, other->bytes + block * BLOCK, BLOCK);
			break;
		default:
			/* with its checksum: numbers that stand in the first bytes, mostly */
			offset = block * BLOCK + (what < 10 ? take_below(from, 144) : offset % BLOCK);
			for (unsigned n = 1 + take_below(from, 4); n > 0 && offset < file->len; n--)
				file->bytes[offset++] = (uint8) take(from);
			repair(file->bytes + block * BLOCK, block == 0);
	}
}

/*
 * Of a file whose header is that of a build: which of its blocks are not the
 * build's, and has any of them been made to look like one?
 */
static bool
is_forged(const File *file, const Build *build)
{
	for (size_t block = 1; block <= build->nblocks; block++)
	{
		const uint8 *bytes = file->bytes + block * BLOCK;
		bool		known = false;

		if (!has_valid_crc(bytes, false))
			continue;
		for (int i = 0; i < (int) lengthof(sizes); i++)
			for (int number = 0; number < 2; number++)
				for (size_t b = 1; b <= builds[i][number].nblocks; b++)
					known |= memcmp(bytes, builds[i][number].bytes + b * BLOCK, BLOCK) == 0;
		if (!known)
			return true;
	}
	return false;
}

static void
check_answer(const CrlIndex *index, const CrlRecord *truth, const uint8 *key, bool whole)
{
	CrlRecord	record;
	char	   *error;
	CrlLookup	answer = lookup_crl_index(index, key, &record, &error);

	HOLDS((answer == CRL_DAMAGED) == (error != NULL), "an answer with an error, or a refusal without");
	HOLDS(answer != CRL_DAMAGED || !whole, "nothing is damaged, but: %s", error);
	if (answer == CRL_DAMAGED)
		return;
	HOLDS((answer == CRL_FOUND) == (truth != NULL), "%s what is %s", answer == CRL_FOUND ? "finds" : "does not find",
		  truth ? "there" : "not there");
	if (truth)
		HOLDS(memcmp(&record, truth, sizeof(record)) == 0, "another record");
}

/*
 * 2: of all keys every few, and those of changed blocks.
 */
static void
check_lookups(const CrlIndex *index, const File *file, const Build *build, unsigned start)
{
	bool		whole = memcmp(file->bytes, build->bytes, build->len) == 0;
	int			step = build->ntruth / 12 + 1;

	for (int i = (int) start % step; i < build->ntruth; i += step)
		check_answer(index, &build->truth[i], build->truth[i].key, whole);
	for (int i = (int) start % 4; i < ABSENT; i += 4)
		check_answer(index, NULL, absent[i], whole);
	for (size_t block = 1, changed = 0; block <= build->nblocks && changed < MAX_CHANGED; block++)
	{
		const uint8 *original = build->bytes + block * BLOCK;

		if (memcmp(file->bytes + block * BLOCK, original, BLOCK) == 0)
			continue;
		changed++;
		for (int i = 0; i < RECORDS_PER_BLOCK; i += 5)
		{
			CrlRecord	truth;

			memcpy(&truth, original + 32 + 32 * i, sizeof(truth));
			if (truth.kind != 0)
				check_answer(index, &truth, truth.key, false);
		}
	}
}

/*
 * 3
 */
static void
check_crls(const CrlIndex *index, const File *file, const Build *build)
{
	size_t		offset = (build->nblocks + 1) * BLOCK;
	bool		whole = memcmp(file->bytes + offset, build->bytes + offset, build->len - offset) == 0;
	int			ncrls;
	char	   *error;
	IndexedCrl *crls = read_indexed_crls(index, &ncrls, &error);

	HOLDS((crls != NULL) == whole, "list of CRLs: %s", crls ? "believed, but changed" : error);
	for (int ca = 0; crls && ca < 2; ca++)
	{
		IndexedCrl	truth = crl_of(ca);

		HOLDS(ncrls == 2 && strcmp(crls[ca].path, truth.path) == 0 && strcmp(crls[ca].issuer_dn, truth.issuer_dn) == 0 &&
				  same_text(crls[ca].number, truth.number) && crls[ca].this_update == truth.this_update &&
				  crls[ca].has_next_update == truth.has_next_update && crls[ca].next_update == truth.next_update &&
				  crls[ca].entries == truth.entries && memcmp(crls[ca].identity, truth.identity, CA_IDENTITY_LEN) == 0,
			  "another CRL");
	}
}

/*
 * Where the check passes, a look-up finds the records that are there, and no
 * others.
 */
static void
check_consistency(const CrlIndex *index, const File *file)
{
	char	   *error;
	bool		good = check_crl_index(index, NULL, &error);
	CrlRecord	record;

	HOLDS(good == (error == NULL), "refused without a reason, or passed with one");
	for (int i = 0; i < ABSENT; i++)
		if (lookup_crl_index(index, absent[i], &record, &error) == CRL_FOUND)
			HOLDS(memcmp(record.key, absent[i], CRL_KEY_LEN) == 0, "the record of another key");
	for (size_t block = 1; block <= index->nblocks && (block + 1) * BLOCK <= file->len; block++)
	{
		const uint8 *bytes = file->bytes + block * BLOCK;
		uint16		count;

		memcpy(&count, bytes + 8, sizeof(count));
		for (int i = 0; i < Min(count, RECORDS_PER_BLOCK); i += 3)
		{
			CrlRecord	there;
			CrlLookup	answer;

			memcpy(&there, bytes + 32 + 32 * i, sizeof(there));
			answer = lookup_crl_index(index, there.key, &record, &error);
			if (answer == CRL_FOUND)
				HOLDS(memcmp(record.key, there.key, CRL_KEY_LEN) == 0, "the record of another key");
			if (good)
				HOLDS(answer == CRL_FOUND, "record %d of block %zu is not found", i, block);
		}
	}
	if (!good)
	{
		int			ncrls;

		(void) read_indexed_crls(index, &ncrls, &error);
	}
}

static void
check_file(File *file, const Build *builds_of_size, unsigned start)
{
	CrlIndexInput input = {read_file, file};
	CrlIndex	index;
	char	   *error;
	bool		opened = open_crl_index(&index, &input, &error);
	const Build *build = NULL;

	HOLDS(opened == (error == NULL), "refused without a reason, or opened with one");
	for (int number = 0; number < 2 && builds_of_size; number++)
		if (file->len >= BLOCK && memcmp(file->bytes, builds_of_size[number].bytes, BLOCK) == 0)
			build = &builds_of_size[number];
	if (build && file->len == build->len)
		HOLDS(opened, "it does not open: %s", error);
	if (!opened)
		return;
	if (build == NULL)
	{
		/* only with a checksum that was repaired, or found */
		HOLDS(has_valid_crc(file->bytes, true), "a header is believed that was changed");
		check_consistency(&index, file);
		return;
	}
	HOLDS(file->len == build->len, "%zu bytes, not %zu", file->len, build->len);
	check_crls(&index, file, build);
	if (is_forged(file, build))
		check_consistency(&index, file);
	else
	{
		bool		same = memcmp(file->bytes, build->bytes, build->len) == 0;

		check_lookups(&index, file, build, start);
		HOLDS(check_crl_index(&index, NULL, &error) == same, "the check: %s", shown(error));
	}
}

void
fuzz_one(const uint8 *data, size_t size)
{
	static File file;
	Bytes		from = {data, data + size};
	unsigned	which = take_below(&from, lengthof(sizes) + 1);
	unsigned	start = take(&from);

	make_builds();
	if (which == lengthof(sizes))
	{
		/* the bytes of a file, perhaps with checksums as they should be */
		file.len = Min((size_t) (from.end - from.pos), MAX_FILE);
		memcpy(file.bytes, from.pos, file.len);
		for (size_t block = 0; start % 4 && (block + 1) * BLOCK <= file.len; block++)
			repair(file.bytes + block * BLOCK, block == 0);
		check_file(&file, NULL, start);
		return;
	}
	file.len = builds[which][0].len;
	memcpy(file.bytes, builds[which][0].bytes, file.len);
	while (from.pos < from.end)
		change(&from, &file, &builds[which][1]);
	check_file(&file, builds[which], start);
}
