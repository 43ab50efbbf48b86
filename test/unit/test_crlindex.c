/*-------------------------------------------------------------------------
 *
 * test_crlindex.c
 *		Unit tests of crlindex.c and crlkey.c.
 *
 *	1. keys
 *	2. what was put in is found, and nothing else: from no entry to many
 *	3. blocks that overflow, one after the other and from the last to the first
 *	4. records with the same key
 *	5. the CRLs
 *	6. damage: cut, changed, mixed, foreign
 *
 *-------------------------------------------------------------------------
 */
#include "tap.h"

#include <openssl/bn.h>
#include <openssl/sha.h>

#include "certs.h"
#include "revocation/crlindex.h"

#define BLOCK 4096

/* A file in memory. */
typedef struct Memory
{
	char	   *data;
	size_t		len;
	size_t		limit;			/* writing more fails */
	bool		broken;			/* reading fails */
	int			reads;
} Memory;

static uint64 random_state = 1;
static int	npauses;
static const uint8 identity[CA_IDENTITY_LEN + 1] = "0123456789abcdefghij";
static const uint8 other_identity[CA_IDENTITY_LEN + 1] = "0123456789abcdefghik";
static const CrlIndexLabel label = {"build 1", "sources", "settings", "copies", 0};

static void must(bool done, const char *what);

static void
crl_issuer_key(const uint8 *issuer, uint8 *key)
{
	CrlKeyMaker maker;

	init_crl_key_maker(&maker);
	must(make_crl_issuer_key(&maker, issuer, key), "make a key");
	free_crl_key_maker(&maker);
}

static void
must(bool done, const char *what)
{
	if (done)
		return;
	fprintf(stderr, "cannot %s\n", what);
	exit(2);
}

static uint64
next_random(void)
{
	random_state = random_state * 6364136223846793005 + 1442695040888963407;
	return random_state >> 20;
}

static void
count_pause(void)
{
	npauses++;
}

static bool
write_memory(void *arg, const void *bytes, size_t len)
{
	Memory	   *m = arg;

	if (m->len + len > m->limit)
	{
		errno = ENOSPC;
		return false;
	}
	m->data = realloc(m->data, m->len + len);
	memcpy(m->data + m->len, bytes, len);
	m->len += len;
	return true;
}

static ssize_t
read_memory(void *arg, void *buf, size_t size, uint64 offset)
{
	Memory	   *m = arg;
	size_t		len = offset >= m->len ? 0 : Min(size, m->len - (size_t) offset);

	m->reads++;
	if (m->broken)
	{
		errno = EIO;
		return -1;
	}
	if (len > 0)
		memcpy(buf, m->data + offset, len);
	return (ssize_t) len;
}

/*
 * Serial number i, 4 bytes.
 */
static const uint8 *
serial(uint32 i)
{
	static uint8 bytes[4];

	bytes[0] = (uint8) (0x40 | (i >> 24));
	bytes[1] = (uint8) (i >> 16);
	bytes[2] = (uint8) (i >> 8);
	bytes[3] = (uint8) i;
	return bytes;
}

static int64
since_of(uint32 i)
{
	return 1700000000 + (int64) i * 7;
}

static void
add_entry(CrlIndexBuilder *builder, uint32 i)
{
	add_indexed_entry(builder, identity, serial(i), 4, since_of(i), (int) (i % 11));
}

static IndexedCrl *
new_indexed_crl(char *path, bool has_next_update)
{
	IndexedCrl *crl = palloc0(sizeof(IndexedCrl));

	crl->path = path;
	crl->issuer_dn = "CN=root";
	crl->number = has_next_update ? "123456789012345678901234567890" : NULL;
	crl->this_update = 1700000000;
	crl->has_next_update = has_next_update;
	crl->next_update = has_next_update ? 1800000000 : 0;
	crl->entries = 5;
	memset(crl->fingerprint, 1, FINGERPRINT_LEN);
	memset(crl->ca_fingerprint, 2, FINGERPRINT_LEN);
	memcpy(crl->identity, identity, CA_IDENTITY_LEN);
	return crl;
}

static Memory *
written(CrlIndexBuilder *builder, const CrlIndexLabel *with)
{
	Memory	   *m = palloc0(sizeof(Memory));
	CrlIndexOutput output = {write_memory, m};
	char	   *error;

	m->limit = SIZE_MAX;
	must(write_crl_index(builder, with, &output, &error), error ? error : "write an index");
	free_crl_index_builder(builder);
	return m;
}

/*
 * An index of entries 0 to below count, of one CRL.
 */
static Memory *
make_index(uint32 count)
{
	CrlIndexBuilder *builder = new_crl_index_builder(count_pause);

	for (uint32 i = 0; i < count; i++)
		add_entry(builder, i);
	add_indexed_crl(builder, new_indexed_crl("/crl/root.crl", true));
	return written(builder, &label);
}

static bool
opened(CrlIndex *index, Memory *m, char **error)
{
	CrlIndexInput input = {read_memory, m};

	return open_crl_index(index, &input, error);
}

static CrlLookup
lookup(const CrlIndex *index, uint32 i, CrlRecord *record)
{
	uint8		key[CRL_KEY_LEN];
	char	   *error;
	CrlLookup	result;

	must(crl_entry_key(identity, serial(i), 4, key), "make a key");
	result = lookup_crl_index(index, key, record, &error);
	must((error != NULL) == (result == CRL_DAMAGED), "tell damage by its text");
	return result;
}

/*
 * Is entry i found as it was added?
 */
static bool
is_entry(const CrlIndex *index, uint32 i)
{
	CrlRecord	record;

	return lookup(index, i, &record) == CRL_FOUND && record.kind == CRL_RECORD_ENTRY &&
		record.since == since_of(i) && record.reason == i % 11;
}

static void
test_keys(void)
{
	static const char *const decimals[] = {"0", "1", "127", "128", "255", "256", "-1", "-128",
										   "-129", "-256", "1461501637330902918203684832716283019655932542975",
										   "-1461501637330902918203684832716283019655932542976"};
	Attribute	subject[] = {CN("root"), {0}};
	Attribute	other[] = {CN("other"), {0}};
	X509	   *ca = as_received(new_cert(subject));
	X509	   *again = new_cert(subject);
	X509	   *renamed = as_received(new_cert(other));
	X509	   *rekeyed = new_cert(subject);
	uint8		a[CRL_KEY_LEN];
	uint8		b[CRL_KEY_LEN];
	uint8		sha256[32];
	uint8		bytes[22];
	CrlKeyMaker maker;

	must(ASN1_INTEGER_set(X509_get_serialNumber(again), 2) == 1 &&
			 X509_set_pubkey(rekeyed, EVP_EC_gen("P-256")) == 1,
		 "change certificates");
	ok(ca_identity(ca, a) && ca_identity(as_received(again), b) && memcmp(a, b, sizeof(a)) == 0,
	   "a CA is the same with another certificate");
	ok(ca_identity(renamed, b) && memcmp(a, b, sizeof(a)) != 0, "but not by another name");
	ok(ca_identity(as_received(rekeyed), b) && memcmp(a, b, sizeof(a)) != 0, "or key");

	bytes[0] = 1;
	memcpy(bytes + 1, identity, CA_IDENTITY_LEN);
	SHA256(bytes, 21, sha256);
	init_crl_key_maker(&maker);
	ok(make_crl_issuer_key(&maker, identity, a) && memcmp(a, sha256, sizeof(a)) == 0, "an issuer's key");
	bytes[0] = 2;
	bytes[21] = 0x7F;
	SHA256(bytes, 22, sha256);
	ok(crl_entry_key(identity, (const uint8 *) "\177", 1, b) && memcmp(b, sha256, sizeof(b)) == 0,
	   "an entry's key");
	ok(crl_entry_key(other_identity, (const uint8 *) "\177", 1, a) && memcmp(a, b, sizeof(a)) != 0,
	   "which is another one for each CA");
	ok(make_crl_scope_key(&maker, identity, CRL_COVERS_USERS, other_identity, a) &&
		   make_crl_scope_key(&maker, identity, CRL_COVERS_CAS, other_identity, b) && memcmp(a, b, sizeof(a)) != 0 &&
		   make_crl_scope_key(&maker, identity, CRL_COVERS_USERS, NULL, b) && memcmp(a, b, sizeof(a)) != 0 &&
		   make_crl_scope_key(&maker, other_identity, CRL_COVERS_USERS, other_identity, b) && memcmp(a, b, sizeof(a)) != 0,
	   "a scope's key, of each kind, point and CA");
	ok(make_crl_limited_key(&maker, identity, a) && make_crl_unread_key(&maker, identity, b) &&
		   memcmp(a, b, sizeof(a)) != 0,
	   "and that of a note");
	free_crl_key_maker(&maker);

	for (size_t i = 0; i < lengthof(decimals); i++)
	{
		BIGNUM	   *number = NULL;
		ASN1_INTEGER *integer;
		unsigned char *der = NULL;
		int			len;

		BN_dec2bn(&number, decimals[i]);
		integer = BN_to_ASN1_INTEGER(number, NULL);
		len = i2d_ASN1_INTEGER(integer, &der);
		ok(crl_entry_key(identity, der + 2, len - 2, a) &&
			   decimal_crl_entry_key(identity, decimals[i], b) && memcmp(a, b, sizeof(a)) == 0,
		   "serial %s in decimal and in DER", decimals[i]);
		OPENSSL_free(der);
		ASN1_INTEGER_free(integer);
		BN_free(number);
	}
	ok(!decimal_crl_entry_key(identity, "", b) && !decimal_crl_entry_key(identity, "12x", b) &&
		   !decimal_crl_entry_key(identity, "-", b),
	   "no number has no key");
}

static void
test_sizes(void)
{
	static const uint32 sizes[] = {0, 1, 2, 98, 99, 100, 101, 127, 128, 1000, 20000, 100000};

	for (size_t i = 0; i < lengthof(sizes); i++)
	{
		uint32		count = sizes[i];
		Memory	   *m;
		CrlIndex	index;
		CrlRecord	record;
		uint8		key[CRL_KEY_LEN];
		char	   *error;
		bool		found = true;
		bool		absent = true;

		npauses = 0;
		m = make_index(count);
		ok(opened(&index, m, &error), "%u entries: open", count);
		ok(memcmp(&index.label, &label, sizeof(label)) == 0 && index.nrecords == count + 1,
		   "%u entries: label and number of records", count);
		for (uint32 k = 0; k < count; k++)
			found &= is_entry(&index, k);
		ok(found, "%u entries: all are found", count);
		for (uint32 k = 0; k < 3000; k++)
			absent &= lookup(&index, count + k, &record) == CRL_NOT_FOUND;
		ok(absent, "%u entries: no others are", count);
		crl_issuer_key(identity, key);
		ok(lookup_crl_index(&index, key, &record, &error) == CRL_FOUND &&
			   record.kind == CRL_RECORD_ISSUER && record.since == 1800000000,
		   "%u entries: their issuer is", count);
		crl_issuer_key(other_identity, key);
		ok(lookup_crl_index(&index, key, &record, &error) == CRL_NOT_FOUND,
		   "%u entries: another one is not", count);
		ok(check_crl_index(&index, count_pause, &error), "%u entries: check: %s", count,
		   error ? error : "fine");
		ok(npauses >= (int) (count / 20000), "%u entries: pauses", count);
		if (count >= 20000)
		{
			ok(m->len <= (size_t) 48 * count, "%u entries: %.1f bytes each", count,
			   (double) m->len / count);
			m->reads = 0;
			for (uint32 k = 0; k < 10000; k++)
				lookup(&index, k, &record);
			ok(m->reads <= 10200, "%u entries: %d reads for 10,000 lookups", count, m->reads);
		}
		free(m->data);
	}
}

static void
test_empty(void)
{
	Memory	   *m = written(new_crl_index_builder(NULL), &label);
	CrlIndex	index;
	CrlRecord	record;
	char	   *error;
	int			ncrls;

	ok(opened(&index, m, &error) && lookup(&index, 1, &record) == CRL_NOT_FOUND &&
		   check_crl_index(&index, NULL, &error),
	   "an index of nothing");
	ok(read_indexed_crls(&index, &ncrls, &error) != NULL && ncrls == 0, "without CRLs");
}

/*
 * Serials whose keys begin with a byte from low to high, so that some blocks
 * get more than they have room for.
 */
static void
check_overflow(int low, int high, const char *what)
{
	CrlIndexBuilder *builder = new_crl_index_builder(NULL);
	uint32		count = 3000;
	uint32	   *used = palloc(sizeof(uint32) * count);
	uint32		n = 0;
	uint8		key[CRL_KEY_LEN];
	CrlIndex	index;
	CrlRecord	record;
	Memory	   *m;
	char	   *error;
	bool		found = true;
	bool		absent = true;
	uint32		i = 0;

	for (; n < count; i++)
	{
		must(crl_entry_key(identity, serial(i), 4, key), "make a key");
		if (key[0] >= low && key[0] <= high)
		{
			add_entry(builder, i);
			used[n++] = i;
		}
	}
	m = written(builder, &label);
	ok(opened(&index, m, &error) && index.nblocks == 30, "%s: open", what);
	for (uint32 k = 0; k < count; k++)
		found &= is_entry(&index, used[k]);
	ok(found, "%s: all are found", what);
	for (uint32 k = 0; k < 2000; k++)
		absent &= lookup(&index, i + k, &record) == CRL_NOT_FOUND;
	ok(absent, "%s: no others are", what);
	ok(check_crl_index(&index, NULL, &error), "%s: check: %s", what, error ? error : "fine");
	free(m->data);
}

static void
test_same_key(void)
{
	CrlIndexBuilder *builder = new_crl_index_builder(NULL);
	IndexedCrl *later = new_indexed_crl("/crl/later.crl", false);
	CrlIndex	index;
	CrlRecord	record;
	uint8		key[CRL_KEY_LEN];
	char	   *error;

	for (int i = 0; i < 500; i++)
		add_indexed_entry(builder, identity, serial(1), 4, 1000 - i, 3);
	add_indexed_entry(builder, identity, serial(1), 4, 600, 4);
	add_indexed_entry(builder, other_identity, serial(1), 4, 1, 5);
	add_indexed_crl(builder, later);
	add_indexed_crl(builder, new_indexed_crl("/crl/root.crl", true));
	ok(opened(&index, written(builder, &label), &error) && index.nrecords == 3,
	   "one record a key");
	ok(lookup(&index, 1, &record) == CRL_FOUND && record.since == 501 && record.reason == 3,
	   "the earliest of the same serial, and CA");
	crl_issuer_key(identity, key);
	ok(lookup_crl_index(&index, key, &record, &error) == CRL_FOUND && record.since == PG_INT64_MAX,
	   "the CRL that is in force longest");
	ok(check_crl_index(&index, NULL, &error), "checked");
}

static void
test_crls(void)
{
	CrlIndexBuilder *builder = new_crl_index_builder(NULL);
	IndexedCrl *long_one = new_indexed_crl("", false);
	CrlIndex	index;
	IndexedCrl *crls;
	CrlRecord	record;
	uint8		key[CRL_KEY_LEN];
	char	   *error;
	int			ncrls;

	long_one->issuer_dn = palloc(100001);
	memset(long_one->issuer_dn, 'x', 100000);
	long_one->issuer_dn[100000] = '\0';
	memcpy(long_one->identity, other_identity, CA_IDENTITY_LEN);
	add_indexed_crl(builder, new_indexed_crl("/crl/root.crl", true));
	add_indexed_crl(builder, long_one);
	must(opened(&index, written(builder, &label), &error), "open an index");
	crls = read_indexed_crls(&index, &ncrls, &error);
	ok(crls && ncrls == 2, "two CRLs");
	is_str(crls[0].path, "/crl/root.crl", "path");
	is_str(crls[0].issuer_dn, "CN=root", "issuer");
	is_str(crls[0].number, "123456789012345678901234567890", "number");
	ok(crls[0].this_update == 1700000000 && crls[0].has_next_update &&
		   crls[0].next_update == 1800000000 && crls[0].entries == 5 &&
		   crls[0].fingerprint[31] == 1 && crls[0].ca_fingerprint[31] == 2 &&
		   memcmp(crls[0].identity, identity, CA_IDENTITY_LEN) == 0,
	   "the rest");
	is_str(crls[1].path, "", "an empty path");
	is_str(crls[1].issuer_dn, long_one->issuer_dn, "an issuer of 100,000 characters");
	is_str(crls[1].number, NULL, "no number");
	crl_issuer_key(other_identity, key);
	ok(!crls[1].has_next_update &&
		   lookup_crl_index(&index, key, &record, &error) == CRL_FOUND && record.since == PG_INT64_MAX,
	   "no nextUpdate: no end");
}

/*
 * Is a damaged file refused by the check, and never believed by a lookup?
 */
static bool
is_refused(Memory *m, uint32 count)
{
	CrlIndex	index;
	CrlRecord	record;
	char	   *error;

	if (!opened(&index, m, &error))
		return error != NULL;
	for (uint32 i = 0; i < count + 20; i++)
	{
		CrlLookup	result = lookup(&index, i, &record);

		if (result != CRL_DAMAGED && (result == CRL_FOUND) != (i < count))
			return false;
		if (result == CRL_FOUND && (record.since != since_of(i) || record.reason != i % 11))
			return false;
	}
	return !check_crl_index(&index, NULL, &error) && error != NULL;
}

static void
test_damage(void)
{
	uint32		count = 250;
	Memory	   *m = make_index(count);
	size_t		whole = m->len;
	int			believed = 0;

	for (m->len = 0; m->len < whole; m->len += m->len % BLOCK == 0 ? BLOCK - 1 : 1)
		believed += !is_refused(m, count);
	for (m->len = whole - 250; m->len < whole; m->len++)
		believed += !is_refused(m, count);
	is_int(believed, 0, "no truncated file is believed");
	m->len = whole;

	for (int i = 0; i < 3000; i++)
	{
		/* first those of the header, then at random, also in the CRLs */
		size_t		bit = i < 1200 ? (size_t) i : i % 10 ? next_random() % (whole * 8) :
													  (whole - 1 - next_random() % 250) * 8 + next_random() % 8;

		m->data[bit / 8] ^= (char) (1 << (bit % 8));
		believed += !is_refused(m, count);
		m->data[bit / 8] ^= (char) (1 << (bit % 8));
	}
	is_int(believed, 0, "no changed bit is believed");
	ok(!is_refused(m, count), "the file as it was is");

	m->data = realloc(m->data, whole + 1);
	m->data[m->len++] = 0;
	ok(is_refused(m, count), "one byte more");
	m->len = whole;
	m->broken = true;
	ok(is_refused(m, count), "a file that cannot be read");
	m->broken = false;
}

static void
check_open_error(Memory *m, const char *expected, const char *what)
{
	CrlIndex	index;
	char	   *error;

	ok(!opened(&index, m, &error), "%s: not opened", what);
	has_str(error, expected, "%s: why", what);
}

static void
test_foreign(void)
{
	uint32		count = 700;
	Memory	   *m = make_index(count);
	CrlIndexLabel other_label = label;
	CrlIndexBuilder *builder = new_crl_index_builder(NULL);
	Memory	   *other;
	Memory		bad = {0};
	char	   *copy = malloc(m->len);
	size_t		whole = m->len;
	CrlIndex	index;
	char	   *error;

	/* the same but for its build */
	for (uint32 i = 0; i < count; i++)
		add_entry(builder, i);
	add_indexed_crl(builder, new_indexed_crl("/crl/root.crl", true));
	other_label.build_id[0] ^= 1;
	other = written(builder, &other_label);
	memcpy(copy, m->data, m->len);
	for (int block = 0; block * BLOCK < (int) m->len; block++)
	{
		size_t		start = (size_t) block * BLOCK;
		bool		is_list = m->len - start < BLOCK;

		memcpy(m->data + start, other->data + start, Min(m->len - start, BLOCK));
		/* the list of CRLs is the same in both */
		ok(is_refused(m, count) == !is_list, "block %d of another build", block);
		memcpy(m->data + start, copy + start, Min(m->len - start, BLOCK));
	}
	memcpy(m->data + BLOCK, copy + 2 * BLOCK, BLOCK);
	ok(is_refused(m, count), "a block in another's place");
	must(opened(&index, m, &error), "open an index");
	ok(!check_crl_index(&index, NULL, &error), "that is damage");
	has_str(error, "block 1 is damaged: it belongs elsewhere", "and says so");
	memcpy(m->data, copy, m->len);

	bad.len = 5;
	bad.data = "hello";
	check_open_error(&bad, "it ends at byte 5, too early", "a short file");
	bad.len = BLOCK;
	bad.data = palloc0(BLOCK);
	check_open_error(&bad, "it is no index of CRLs", "zeros");
	memset(bad.data, 'x', BLOCK);
	check_open_error(&bad, "it is no index of CRLs", "another file");
	memcpy(bad.data, m->data, BLOCK);
	check_open_error(&bad, "it is shorter than the", "only the header");
	bad.data[100] ^= 1;
	check_open_error(&bad, "its header is damaged", "a changed header");
	m->len = whole - 1;
	check_open_error(m, "it is shorter than the", "a byte is missing");
	m->len = whole;
}

static void
test_full_disk(void)
{
	for (size_t limit = 0; limit < 3 * BLOCK; limit += BLOCK / 2)
	{
		CrlIndexBuilder *builder = new_crl_index_builder(NULL);
		Memory		m = {.limit = limit};
		CrlIndexOutput output = {write_memory, &m};
		char	   *error = NULL;

		for (uint32 i = 0; i < 300; i++)
			add_entry(builder, i);
		add_indexed_crl(builder, new_indexed_crl("/crl/root.crl", true));
		ok(!write_crl_index(builder, &label, &output, &error), "room for %d bytes", (int) limit);
		has_str(error, strerror(ENOSPC), "and why");
		free_crl_index_builder(builder);
		free(m.data);
	}
}

int
main(void)
{
	test_keys();
	test_sizes();
	test_empty();
	check_overflow(0, 127, "all in the first half");
	check_overflow(128, 255, "all in the second half");
	check_overflow(100, 101, "all in one block");
	check_overflow(255, 255, "all in the last block");
	test_same_key();
	test_crls();
	test_damage();
	test_foreign();
	test_full_disk();
	return done_testing();
}
