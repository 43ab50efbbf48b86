/*-------------------------------------------------------------------------
 *
 * test_blocked.c
 *		Certificates in a list of fingerprints.
 *
 *-------------------------------------------------------------------------
 */
#include "session.h"
#include "tap.h"

static void
test_blocked(void)
{
	CertFacts	cert = plain_cert();
	CaFacts		cas[2] = {{.subject_dn = "CN=a"}, {.subject_dn = "CN=b"}};
	uint8		list[3 * FINGERPRINT_LEN];

	memset(cas[0].fingerprint, 0xA0, FINGERPRINT_LEN);
	memset(cas[1].fingerprint, 0xA1, FINGERPRINT_LEN);
	cert.cas = cas;
	cert.ncas = 2;
	memset(list, 0xFF, sizeof(list));

	ok(!has_listed_fingerprint(&cert, NULL, 0), "an empty list blocks nothing");
	ok(!has_listed_fingerprint(&cert, list, 3), "a list of others blocks nothing");
	for (int place = 0; place < 3; place++)
	{
		uint8	   *entry = list + place * FINGERPRINT_LEN;

		/* in order */
		memset(list, 0, (size_t) place * FINGERPRINT_LEN);
		memset(entry, 0x11, FINGERPRINT_LEN);
		ok(has_listed_fingerprint(&cert, list, 3), "the certificate is entry %d", place);
		ok(!has_listed_fingerprint(&cert, list, place), "entry %d is behind the end", place);
		for (int byte = 0; byte < FINGERPRINT_LEN; byte += FINGERPRINT_LEN - 1)
		{
			entry[byte] ^= 0x80;
			ok(!has_listed_fingerprint(&cert, list, 3), "one bit in byte %d differs", byte);
			entry[byte] ^= 0x80;
		}
		for (int ca = 0; ca < 2; ca++)
		{
			memset(entry, 0xA0 + ca, FINGERPRINT_LEN);
			ok(has_listed_fingerprint(&cert, list, 3), "CA %d of the chain is entry %d", ca, place);
		}
		cert.ncas = 1;
		ok(!has_listed_fingerprint(&cert, list, 3), "a CA beyond the end of the chain does not count");
		cert.ncas = 2;
		memset(entry, 0xFF, FINGERPRINT_LEN);
	}
	/* an entry is 32 bytes at a multiple of 32 */
	memset(list + 5, 0x11, FINGERPRINT_LEN);
	ok(!has_listed_fingerprint(&cert, list, 3), "the end of an entry and the start of the next are no entry");
}

/*
 * A list as it is written: in any order, with some of them twice.
 */
static void
test_parsed_list(void)
{
	CertFacts	cert = plain_cert();
	StringInfoData text;
	uint8	   *list;
	char	   *bad;
	int			count;
	int			missing = 0;
	int			wrong = 0;

	initStringInfo(&text);
	/* 257 and 1009 have no divisor in common */
	for (int i = 0; i < 1009; i++)
		appendStringInfo(&text, "%s%064x", i > 0 ? ", " : "", (i * 257 % 1009) / 2 * 2);
	list = parse_fingerprints(text.data, &count, &bad);
	is_int(list ? count : -1, 1009, "a long list is parsed");
	for (int i = 0; list && i < 1009; i++)
	{
		(void) parse_fingerprint(psprintf("%064x", i), cert.fingerprint);
		missing += i % 2 == 0 && !has_listed_fingerprint(&cert, list, count);
		wrong += i % 2 == 1 && has_listed_fingerprint(&cert, list, count);
	}
	is_int(missing, 0, "all of it is found");
	is_int(wrong, 0, "and nothing else");
}

int
main(void)
{
	test_blocked();
	test_parsed_list();
	return done_testing();
}
