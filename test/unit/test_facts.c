/*-------------------------------------------------------------------------
 *
 * test_facts.c
 *		Packed certificates: whole, cut, and damaged.
 *
 * Damaged ones lie directly before a page that cannot be read, so that one
 * byte read too many ends the program, with or without valgrind.
 *
 *-------------------------------------------------------------------------
 */
#include <sys/mman.h>
#include <unistd.h>

#include "policy/facts.h"
#include "tap.h"

#define MARK "[cut]"

/* what comes on top of the text: a header that is CertFacts and two flags */
#define FIXED_PART (sizeof(CertFacts) + 16 + POINTS_PART)

/* and what it holds of each CA beside text */
#define CA_PART (1 + FINGERPRINT_LEN + CA_IDENTITY_LEN + POINTS_PART)

/* distribution points of one certificate, of which sample() has two at most */
#define POINTS_PART (2 + 2 * POINT_LEN)

static char *
filled(char c, int len)
{
	char	   *text = palloc((Size) len + 1);

	memset(text, c, (Size) len);
	text[len] = '\0';
	return text;
}

static CertPoints
sample_points(int count, bool is_ca)
{
	CertPoints	points = {true, is_ca, count, palloc((Size) count * POINT_LEN + 1)};

	memset(points.digests, 0xA0 + count, (Size) count * POINT_LEN);
	return points;
}

static bool
same_points(const CertPoints *a, const CertPoints *b)
{
	return !a->known || !b->known ||
		(a->is_ca == b->is_ca && a->count == b->count &&
		 memcmp(a->digests, b->digests, (size_t) a->count * POINT_LEN) == 0);
}

/*
 * A certificate with names of this length, so many alternative names and CAs.
 */
static CertFacts *
sample(int length, int nsans, int ncas)
{
	CertFacts  *cert = palloc0(sizeof(CertFacts));

	cert->subject_dn = filled('S', length);
	cert->issuer_dn = filled('I', length);
	cert->cn = filled('C', length);
	cert->cn_count = 1;
	cert->cn_garbled = nsans % 2 == 1;
	cert->subject_garbled = ncas % 2 == 1;
	cert->serial = pstrdup("730750818665451459101842416358141509827966271487");
	cert->key_algorithm = pstrdup("EC");
	cert->signature_algorithm = pstrdup("ecdsa-with-SHA256");
	cert->key_bits = 256;
	cert->not_before = INT64CONST(-62167219200);
	cert->not_after = INT64CONST(253402300799);
	for (int i = 0; i < FINGERPRINT_LEN; i++)
		cert->fingerprint[i] = (uint8) (i * 7);
	cert->nsans = nsans;
	cert->sans = palloc(sizeof(char *) * (Size) (nsans + 1));
	for (int i = 0; i < nsans; i++)
		cert->sans[i] = psprintf("dns:%d.%s", i, filled('d', length));
	cert->ncas = ncas;
	cert->points = sample_points(2, false);
	cert->cas = palloc0(sizeof(CaFacts) * (Size) (ncas + 1));
	for (int i = 0; i < ncas; i++)
	{
		cert->cas[i].points = sample_points(i % 3, true);
		cert->cas[i].subject_dn = psprintf("CN=%d.%s", i, filled('a', length));
		cert->cas[i].serial = psprintf("%d730750818665451459101842416358141509827966271487", i);
		cert->cas[i].garbled = i % 2 == 1;
		memset(cert->cas[i].fingerprint, 0x80 + i, FINGERPRINT_LEN);
		memset(cert->cas[i].identity, 0x40 + i, CA_IDENTITY_LEN);
	}
	return cert;
}

/*
 * Bytes of text in a certificate, each string with its zero; and how many
 * strings there are.
 */
static size_t
text_size(const CertFacts *cert, int *strings)
{
	size_t		size = strlen(cert->serial) + strlen(cert->key_algorithm) +
		strlen(cert->signature_algorithm) + (cert->cn ? strlen(cert->cn) : 0) +
		strlen(cert->subject_dn) + strlen(cert->issuer_dn) + 6;

	*strings = 6 + cert->nsans + 2 * cert->ncas;
	for (int i = 0; i < cert->nsans; i++)
		size += strlen(cert->sans[i]) + 1;
	for (int i = 0; i < cert->ncas; i++)
		size += strlen(cert->cas[i].subject_dn) + strlen(cert->cas[i].serial) + 2;
	return size;
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/*
 * Is got what a cut may leave of text: all of it, or a beginning and the mark?
 */
static bool
cut_from(const char *got, const char *text)
{
	size_t		len;

	if (got == NULL || text == NULL)
		return got == text;
	len = strlen(got);
	if (strcmp(got, text) == 0)
		return true;
	if (len < strlen(MARK) || strcmp(got + len - strlen(MARK), MARK) != 0)
		return false;
	len -= strlen(MARK);
	return len < strlen(text) && strncmp(got, text, len) == 0;
}

/*
 * Is everything that is never cut the same?
 */
static bool
same_fixed_part(const CertFacts *a, const CertFacts *b)
{
	bool		same = a->cn_count == b->cn_count && a->key_bits == b->key_bits &&
		a->not_before == b->not_before && a->not_after == b->not_after &&
		memcmp(a->fingerprint, b->fingerprint, FINGERPRINT_LEN) == 0 &&
		(a->cn == NULL) == (b->cn == NULL) && a->ncas == b->ncas &&
		a->cn_garbled == b->cn_garbled && a->subject_garbled == b->subject_garbled &&
		strcmp(a->serial, b->serial) == 0 && same_points(&a->points, &b->points);

	for (int i = 0; same && i < a->ncas; i++)
		same = same_points(&a->cas[i].points, &b->cas[i].points) &&
			a->cas[i].garbled == b->cas[i].garbled &&
			memcmp(a->cas[i].fingerprint, b->cas[i].fingerprint, FINGERPRINT_LEN) == 0 &&
			memcmp(a->cas[i].identity, b->cas[i].identity, CA_IDENTITY_LEN) == 0 &&
			(a->cas[i].serial == NULL || b->cas[i].serial == NULL ||
			 strcmp(a->cas[i].serial, b->cas[i].serial) == 0);
	return same;
}

static bool
same_cert(const CertFacts *a, const CertFacts *b)
{
	bool		same = same_fixed_part(a, b) && a->nsans == b->nsans &&
		same_text(a->subject_dn, b->subject_dn) && same_text(a->issuer_dn, b->issuer_dn) &&
		same_text(a->cn, b->cn) && same_text(a->serial, b->serial) &&
		same_text(a->key_algorithm, b->key_algorithm) &&
		same_text(a->signature_algorithm, b->signature_algorithm);

	for (int i = 0; same && i < a->nsans; i++)
		same = same_text(a->sans[i], b->sans[i]);
	for (int i = 0; same && i < a->ncas; i++)
		same = same_text(a->cas[i].subject_dn, b->cas[i].subject_dn) &&
			same_text(a->cas[i].serial, b->cas[i].serial);
	return same;
}

/*
 * Read every byte of it, and give the memory back.  Returns how much text
 * there was.
 */
static size_t
consume(CertFacts *cert)
{
	size_t		total = strlen(cert->subject_dn) + strlen(cert->issuer_dn) +
		strlen(cert->serial) + strlen(cert->key_algorithm) +
		strlen(cert->signature_algorithm) + (cert->cn ? strlen(cert->cn) : 0);

	pfree(cert->subject_dn);
	pfree(cert->issuer_dn);
	pfree(cert->serial);
	pfree(cert->key_algorithm);
	pfree(cert->signature_algorithm);
	if (cert->cn)
		pfree(cert->cn);
	for (int i = 0; i < cert->nsans; i++)
	{
		total += strlen(cert->sans[i]);
		pfree(cert->sans[i]);
	}
	for (int i = 0; i < cert->ncas; i++)
	{
		total += strlen(cert->cas[i].subject_dn);
		pfree(cert->cas[i].subject_dn);
		if (cert->cas[i].serial == NULL)
			continue;
		total += strlen(cert->cas[i].serial);
		pfree(cert->cas[i].serial);
	}
	if (cert->points.known)
		pfree(cert->points.digests);
	for (int i = 0; i < cert->ncas && cert->points.known; i++)
		pfree(cert->cas[i].points.digests);
	pfree(cert->sans);
	pfree(cert->cas);
	pfree(cert);
	return total;
}

/*
 * A copy of bytes of which the end is followed by a page that cannot be read.
 */
static char *
before_guard_page(const char *bytes, size_t size)
{
	static char *area = NULL;
	static size_t room;
	size_t		page = (size_t) sysconf(_SC_PAGESIZE);

	if (area == NULL)
	{
		room = 16 * page;
		area = mmap(NULL, room + page, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (area == MAP_FAILED || mprotect(area + room, page, PROT_NONE) != 0)
			exit(2);
	}
	if (bytes == NULL || size > room)
		exit(2);
	memcpy(area + room - size, bytes, size);
	return area + room - size;
}

static CertFacts *
pack_and_unpack(const CertFacts *cert)
{
	size_t		size;
	char	   *packed = pack_cert(cert, 1000, &size);

	return unpack_cert(packed, size);
}

static void
test_round_trip(void)
{
	static const struct
	{
		const char *what;
		int			length;
		int			nsans;
		int			ncas;
	} cases[] =
		{
			{"empty names", 0, 0, 0},
			{"small", 10, 2, 1},
			{"no chain", 10, 3, 0},
			{"no alternative names", 10, 0, 3},
			{"long names", 4096, 1, 2},
			{"very many names", 100, 20000, 2},
			{"a long chain", 100, 1, 100},
			{"huge", 1000000, 3, 3},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		CertFacts  *cert = sample(cases[i].length, cases[i].nsans, cases[i].ncas);
		CertFacts  *back;
		size_t		size = 0;
		char	   *packed = pack_cert(cert, 100000000, &size);
		int			strings;

		back = unpack_cert(packed, size);
		ok(back != NULL && same_cert(cert, back), "%s: comes back whole", cases[i].what);
		ok(back && !back->cut, "%s: nothing is cut", cases[i].what);
		ok(size <= text_size(cert, &strings) + FIXED_PART + (size_t) cert->ncas * CA_PART,
		   "%s: no larger than it must be", cases[i].what);

		/* nothing in it refers to where it came from, or where it lies */
		memset(packed, 0xEE, size);
		pfree(packed);
		ok(back && same_cert(cert, back), "%s: in memory of its own", cases[i].what);
	}
	{
		/* a CN that is missing is not one that is empty */
		CertFacts  *cert = sample(3, 0, 0);
		CertFacts  *back;

		cert->cn = NULL;
		cert->cn_count = 2;
		back = pack_and_unpack(cert);
		ok(back && back->cn == NULL && back->cn_count == 2, "no CN comes back as none");
		cert->cn = "";
		cert->cn_count = 1;
		back = pack_and_unpack(cert);
		is_str(back ? back->cn : NULL, "", "an empty CN comes back as empty");
		/* a name that looks like a mark is a name */
		cert->cn = MARK;
		back = pack_and_unpack(cert);
		ok(back && !back->cut, "a name \"" MARK "\" is not a cut one");
	}
}

/*
 * Bytes of names alone: of what is cut.
 */
static size_t
names_size(const CertFacts *cert)
{
	int			strings;
	size_t		size = text_size(cert, &strings) - strlen(cert->serial) - 1;

	for (int i = 0; i < cert->ncas; i++)
		size -= strlen(cert->cas[i].serial) + 1;
	return size;
}

/*
 * Every limit from nothing to more than enough.
 */
static void
test_limits(void)
{
	CertFacts  *cert = sample(30, 5, 2);
	int			strings;
	size_t		all = text_size(cert, &strings);
	size_t		text = names_size(cert);
	int			wrong_flag = 0;
	int			wrong_text = 0;
	int			too_large = 0;
	int			names_before = 0;
	int			fewer_names = 0;

	for (size_t limit = 0; limit < text + 100; limit++)
	{
		size_t		size;
		char	   *packed = pack_cert(cert, limit, &size);
		CertFacts  *back = unpack_cert(packed, size);
		bool		good;

		if (back == NULL)
		{
			ok(false, "limit %zu: it can be unpacked", limit);
			return;
		}
		if (size > limit + FIXED_PART + (size_t) cert->ncas * CA_PART + all - text)
			too_large++;

		/* a mark's worth of bytes may be kept free at the end */
		if (limit < text ? !back->cut : limit >= text + sizeof(MARK) && back->cut)
			wrong_flag++;
		if (!back->cut && !same_cert(cert, back))
			wrong_text++;

		good = same_fixed_part(cert, back) && back->nsans <= cert->nsans &&
			back->nsans > 0 && cut_from(back->cn, cert->cn) &&
			cut_from(back->subject_dn, cert->subject_dn) &&
			cut_from(back->issuer_dn, cert->issuer_dn) &&
			cut_from(back->key_algorithm, cert->key_algorithm) &&
			cut_from(back->signature_algorithm, cert->signature_algorithm);
		for (int i = 0; good && i < back->ncas; i++)
			good = cut_from(back->cas[i].subject_dn, cert->cas[i].subject_dn);
		for (int i = 0; good && i < back->nsans; i++)
			good = cut_from(back->sans[i], cert->sans[i]);
		/* a list that lost names ends with a mark */
		if (good && back->nsans < cert->nsans)
			good = strstr(back->sans[back->nsans - 1], MARK) != NULL;
		if (!good)
			wrong_text++;
		if (back->nsans < names_before)
			fewer_names++;
		names_before = back->nsans;
		consume(back);
		pfree(packed);
	}
	is_int(too_large, 0, "no limit is exceeded by more than what is never cut");
	is_int(wrong_flag, 0, "the flag says whether something was cut");
	is_int(wrong_text, 0, "what was cut is a beginning and a mark, all else is whole");
	is_int(fewer_names, 0, "a higher limit never loses names");
}

/*
 * A digest that tells issuers and serials apart.
 */
static bool
test_digest(const uint8 *issuer, const char *serial, uint8 *digest)
{
	memset(digest, issuer[0], SERIAL_DIGEST_LEN);
	memcpy(digest + 1, serial, Min(strlen(serial), (size_t) SERIAL_DIGEST_LEN - 1));
	return true;
}

static bool
no_digest(const uint8 *issuer, const char *serial, uint8 *digest)
{
	return false;
}

/*
 * Is there for each CA, and for it alone, the digest of its serial and its issuer?
 */
static bool
has_digests(const CertFacts *back, const CertFacts *cert)
{
	bool		good = true;

	for (int i = 0; i < cert->ncas; i++)
	{
		uint8		digest[SERIAL_DIGEST_LEN];
		const CaFacts *issuer = &cert->cas[i + 1 < cert->ncas ? i + 1 : i];

		(void) test_digest(issuer->identity, cert->cas[i].serial, digest);
		good = good && back->cas[i].serial == NULL &&
			memcmp(back->cas[i].serial_digest, digest, SERIAL_DIGEST_LEN) == 0;
	}
	return good;
}

/*
 * Within a room of fixed size: what identifies the certificate, and as many names as fit.
 */
static void
test_within(void)
{
	static const int chains[] = {0, 1, 2, 5, 24, 100};

	for (int i = 0; i < (int) lengthof(chains); i++)
	{
		CertFacts  *cert = sample(5000, 3, chains[i]);
		size_t		room = IDENTITY_ROOM((size_t) chains[i]);
		size_t		size = 0;
		char	   *packed;
		CertFacts  *back;

		/* the longest that is read: 128 bytes and a sign */
		cert->serial = filled('9', MAX_SERIAL_TEXT - 1);
		for (int c = 0; c < chains[i]; c++)
			cert->cas[c].serial = filled('8', MAX_SERIAL_TEXT - 1);
		packed = pack_cert_within(cert, room, test_digest, &size);
		if (!ok(packed != NULL && size <= room, "%d CAs: what identifies them has room", chains[i]))
			continue;
		back = unpack_cert(before_guard_page(packed, size), size);
		ok(back != NULL && same_fixed_part(cert, back) && has_digests(back, cert) && back->cut,
		   "%d CAs: serial, fingerprints, identities and digests come back", chains[i]);
		ok(back && strstr(back->cn, MARK) && strstr(back->subject_dn, MARK) &&
			   back->nsans == 1 && strstr(back->sans[0], MARK),
		   "%d CAs: names are said to be cut", chains[i]);
		ok(pack_cert_within(cert, sizeof(CertFacts) + (size_t) chains[i] * (FINGERPRINT_LEN + CA_IDENTITY_LEN), test_digest, &size) == NULL,
		   "%d CAs: with less room there is nothing", chains[i]);
		ok(chains[i] == 0 || pack_cert_within(cert, room, no_digest, &size) == NULL,
		   "%d CAs: nor without digests", chains[i]);
	}
	{
		CertFacts  *cert = sample(10, 2, 2);
		size_t		size;
		char	   *packed = pack_cert_within(cert, 5000, test_digest, &size);
		CertFacts  *back = unpack_cert(packed, size);

		ok(back && !back->cut && same_fixed_part(cert, back) && has_digests(back, cert) &&
			   same_text(cert->sans[1], back->sans[1]) && same_text(cert->cas[1].subject_dn, back->cas[1].subject_dn),
		   "names that fit are whole");
		packed = pack_cert_within(cert, 5000, NULL, &size);
		back = unpack_cert(packed, size);
		ok(back && !back->cut && same_cert(cert, back), "without digests everything is");

		/* what has been cut once stays so */
		back->cut = true;
		packed = pack_cert(back, 5000, &size);
		ok(unpack_cert(packed, size)->cut, "a certificate that was cut before is not whole");
	}
}

/*
 * Certificates that want to fill the table are held to the limit.
 */
static void
test_hostile_sizes(void)
{
	static const struct
	{
		const char *what;
		int			length;
		int			nsans;
	} cases[] =
		{
			{"long names", 1000000, 0},
			{"a long name in each of many", 5000, 500},
			{"very many names", 1, 100000},
			{"very many empty names", 0, 100000},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		CertFacts  *cert = sample(cases[i].length, cases[i].nsans, 2);
		CertFacts  *back;
		size_t		size;
		char	   *packed = pack_cert(cert, 8192, &size);

		back = unpack_cert(packed, size);
		ok(size <= 8192 + FIXED_PART + 2 * CA_PART + 4 * 64,
		   "%s: %zu bytes with a limit of 8192", cases[i].what, size);
		ok(size > 8192 / 2, "%s: the room is used", cases[i].what);
		if (!ok(back != NULL && back->cut, "%s: marked as cut", cases[i].what))
			continue;
		is_str(back->serial, cert->serial, "%s: the serial is whole", cases[i].what);
		is_str(back->signature_algorithm, cert->signature_algorithm,
			   "%s: so are the algorithms", cases[i].what);
		ok(same_fixed_part(cert, back), "%s: and what has a fixed size", cases[i].what);
		if (cases[i].length < 1000)
			is_str(back->subject_dn, cert->subject_dn, "%s: the subject goes before names",
				   cases[i].what);
		if (cases[i].nsans > 0)
			ok(back->nsans < cert->nsans &&
				   strstr(back->sans[back->nsans - 1], MARK) != NULL,
			   "%s: the list ends with a mark", cases[i].what);
	}
}

static void
test_truncated(void)
{
	CertFacts  *cert = sample(10, 3, 2);
	size_t		size;
	char	   *packed = pack_cert(cert, 10000, &size);
	size_t		text = consume(unpack_cert(packed, size));
	int			unpacked = 0;
	int			wrong = 0;

	for (size_t length = 0; length < size; length++)
	{
		CertFacts  *back = unpack_cert(before_guard_page(packed, length), length);

		if (back == NULL)
			continue;
		unpacked++;
		/* what is there is a beginning of what there was */
		if (length < sizeof(CertFacts) || consume(back) >= text)
			wrong++;
	}
	ok(unpacked > 0 && unpacked < (int) size,
	   "%d of %zu truncated certificates are unpacked, none reads beyond its end",
	   unpacked, size);
	is_int(wrong, 0, "none of them has more text than there is");
	ok(unpack_cert(before_guard_page("", 0), 0) == NULL, "nothing is no certificate");
	ok(unpack_cert(before_guard_page(packed, sizeof(CertFacts) - 1),
				   sizeof(CertFacts) - 1) == NULL,
	   "less than a header is no certificate");
}

/*
 * Counts in the header that the rest does not bear out.
 */
static void
test_wrong_counts(void)
{
	static const int counts[] = {-1, PG_INT32_MIN, PG_INT32_MAX, 1000000, 100000, 1000, 100, 20};
	CertFacts  *cert = sample(10, 3, 2);
	size_t		size;
	char	   *packed = pack_cert(cert, 10000, &size);

	for (int i = 0; i < (int) lengthof(counts); i++)
		for (int which = 0; which < 2; which++)
		{
			char	   *copy = before_guard_page(packed, size);
			CertFacts  *back;

			memcpy(copy + (which ? offsetof(CertFacts, nsans) : offsetof(CertFacts, ncas)),
				   &counts[i], sizeof(int));
			back = unpack_cert(copy, size);
			ok(back == NULL || consume(back) <= size, "%d %s in %zu bytes", counts[i],
			   which ? "names" : "CAs", size);
			if (counts[i] < 0 || counts[i] > (int) size)
				ok(back == NULL, "%d %s are refused", counts[i], which ? "names" : "CAs");
		}
}

static void
test_random_damage(void)
{
	CertFacts  *cert = sample(20, 4, 2);
	size_t		size;
	char	   *packed = pack_cert(cert, 10000, &size);
	uint32		state = 20250101;
	int			unpacked = 0;
	int			wrong = 0;

	for (int round = 0; round < 20000; round++)
	{
		char	   *copy = before_guard_page(packed, size);
		CertFacts  *back;

		for (int i = round % 16; i >= 0; i--)
		{
			size_t		at;

			state = state * 1664525 + 1013904223;
			at = (state >> 8) % size;
			/* flags are 0 or 1: another byte in a bool is undefined in C */
			if (at == offsetof(CertFacts, cut) || at == sizeof(CertFacts) || at == sizeof(CertFacts) + 1)
				continue;
			copy[at] = (char) (state >> 24);
		}
		back = unpack_cert(copy, size);
		if (back == NULL)
			continue;
		unpacked++;
		if (consume(back) > size)
			wrong++;
	}
	ok(unpacked > 1000, "%d damaged certificates are unpacked, none reads beyond its end",
	   unpacked);
	is_int(wrong, 0, "none of them has more text than there are bytes");
}

int
main(void)
{
	test_round_trip();
	test_limits();
	test_within();
	test_hostile_sizes();
	test_truncated();
	test_wrong_counts();
	test_random_damage();
	return done_testing();
}
