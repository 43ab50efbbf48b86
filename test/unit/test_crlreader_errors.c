/*-------------------------------------------------------------------------
 *
 * test_crlreader_errors.c
 *		Unit tests of crlreader.c and der.c: CRLs that a CA should not make.
 *
 *	1. what is wrong with a CRL, and where
 *	2. what is not supported
 *
 *-------------------------------------------------------------------------
 */
#include "tap.h"

#include "crls.h"

static Bytes
hex(const char *digits)
{
	char	   *data = palloc(strlen(digits) / 2 + 1);
	size_t		len = 0;

	for (; *digits; digits++)
	{
		unsigned int byte;

		if (*digits == ' ')
			continue;
		must(sscanf(digits++, "%2x", &byte) == 1, "read hex");
		data[len++] = (char) byte;
	}
	return (Bytes){data, len};
}

static Bytes
tlv(int tag, Bytes content)
{
	char	   *head = palloc(4);
	size_t		len = 0;

	head[len++] = (char) tag;
	if (content.len >= 256)
	{
		head[len++] = (char) 0x82;
		head[len++] = (char) (content.len >> 8);
	}
	else if (content.len >= 128)
		head[len++] = (char) 0x81;
	head[len++] = (char) content.len;
	return joined((Bytes){head, len}, content);
}

#define ALGORITHM "300A 0608 2A8648CE3D040302"	/* ecdsa-with-SHA256 */
#define NAME	  "300F 310D 300B 0603 550403 0C04 726F6F74"	/* CN=root */
#define DATE	  "170D 3235303130313030303030305A" /* 250101000000Z */
#define PREFIX	  "0201 01" ALGORITHM NAME DATE
#define SIGNATURE "0309 00 3006 020101 020101"

/*
 * A CRL of these TBSCertList's contents.
 */
static Bytes
with_tbs(Bytes tbs)
{
	return tlv(0x30, joined(tlv(0x30, tbs), hex(ALGORITHM SIGNATURE)));
}

static Bytes
with_entries(const char *entries)
{
	return with_tbs(joined(hex(PREFIX), tlv(0x30, hex(entries))));
}

/* an entry of serial 5 with these extensions */
static Bytes
with_extensions(const char *extensions)
{
	return with_tbs(joined(hex(PREFIX), tlv(0x30, tlv(0x30, joined(hex("0201 05" DATE), tlv(0x30, hex(extensions)))))));
}

static void
test_errors(void)
{
	static const struct
	{
		const char *entries;
		const char *error;
		const char *what;
	} bad[] = {
		{"3003 020105", "its revocation date", "no date"},
		{"3012 020105 " DATE " 3012 0201", "an element is longer", "entry longer than the list"},
		{"0201 05", "it is no SEQUENCE", "a number as an entry"},
		{"3012 020105 " DATE "3013 02020005" DATE,
		 "CRL 1, entry 2 at byte 73: its serial number is no INTEGER", "a long form of 5"},
		{"3013 0202FF85 " DATE, "its serial number is no INTEGER", "a long form of -123"},
		{"3011 0200 " DATE, "its serial number is no INTEGER", "an empty serial"},
		{"3013 028101 05 " DATE, "its serial number is no INTEGER", "a long length"},
		{"3012 040105 " DATE, "its serial number is no INTEGER", "a string as serial"},
		{"3010 020105 170B 323530313031303030305A", "its revocation date", "no seconds"},
		{"3012 020105 170D 32353031303130303030303041", "its revocation date", "no Z"},
		{"3012 020105 170D 3235313330313030303030305A", "its revocation date", "month 13"},
		{"3012 020105 170D 3235303030313030303030305A", "its revocation date", "month 0"},
		{"3012 020105 170D 3235303232393030303030305A", "its revocation date", "29 February 2025"},
		{"3012 020105 170D 3235303130303030303030305A", "its revocation date", "day 0"},
		{"3012 020105 170D 3235303130313234303030305A", "its revocation date", "hour 24"},
		{"3012 020105 170D 3235303130313030363030305A", "its revocation date", "minute 60"},
		{"3012 020105 170D 3235303130313030303036305A", "its revocation date", "second 60"},
		{"3012 020105 170D 3235303130312030303030305A", "its revocation date", "a space"},
		{"3012 020105 180D 3235303130313030303030305A", "its revocation date", "the other tag"},
		{"3014 020105 180F 30303030303130313030303030305A", "its revocation date", "year 0"},
		{"3014 020105 " DATE "0500", "something unknown behind", "NULL behind the date"},
		{"3014 020105 " DATE "3000", "list of extensions is empty", "no extensions in a list"},
		{"3080 020105 " DATE "0000", "a length is not definite", "indefinite length"},
		{"308112 020105 " DATE, "a length is not in its shortest form", "length 0x12 in two bytes"},
		{"30820012 020105 " DATE, "a length is not in its shortest form", "and in three"},
		{"3086000000000012 020105 " DATE, "a length is not plausible", "a length of six bytes"},
		{"1F12 020105 " DATE, "a tag of several bytes", "a large tag"},
	};
	char	   *error;
	CrlFile    *file;
	Bytes		entry = tlv(0x30, hex("0201 05" DATE));
	Bytes		large = {palloc0(70000), 70000};

	ok(read_bytes(with_entries("3012 020105 " DATE "3012 020106" DATE), NULL, &error) != NULL,
	   "a CRL made by hand");
	file = read_bytes(with_entries(""), NULL, &error);
	ok(file && file->crls[0].facts->entries == 0, "an empty list that is there, as the server takes it");
	file = read_bytes(with_tbs(hex(ALGORITHM NAME DATE)), NULL, &error);
	ok(file && file->crls[0].facts->number == NULL, "version 1, as the server takes it");
	for (size_t i = 0; i < lengthof(bad); i++)
		check_error(with_entries(bad[i].entries), bad[i].error, bad[i].what);

	check_error(hex("3000"), "an element is missing", "an empty SEQUENCE");
	check_error(hex("30820100 0201"), "it is no CRL", "a SEQUENCE of a number");
	check_error(with_tbs(hex("A003 020102")), "it is a certificate", "a certificate in DER");
	check_error(with_tbs(hex("0201 02" ALGORITHM NAME DATE)), "not a CRL of version 1 or 2", "version 3");
	check_error(with_tbs(hex("0201 01" NAME)), "an element is missing",
				"no algorithm");
	check_error(with_tbs(hex("0201 01" ALGORITHM DATE)), "its issuer is missing", "no issuer");
	check_error(with_tbs(hex("0201 01" ALGORITHM NAME)), "its thisUpdate is missing", "no date");
	check_error(with_tbs(hex(PREFIX DATE DATE)), "there is an unknown element", "three dates");
	check_error(with_tbs(hex(PREFIX "A003 020105")), "it is not valid apart from its entries",
				"no extensions where they belong");
	check_error(with_tbs(joined(joined(hex(PREFIX), tlv(0x30, entry)), hex("A100"))),
				"there is an unknown element", "an unknown element");
	check_error(with_tbs(joined(joined(hex(PREFIX), tlv(0x30, entry)), tlv(0x30, entry))),
				"there is an unknown element", "two lists of entries");
	check_error(tlv(0x30, joined(tlv(0x30, hex(PREFIX)), hex("300A 0608 2A8648CE3D040303" SIGNATURE))),
				"its signature algorithm is not the one that is signed", "another algorithm");
	check_error(tlv(0x30, joined(tlv(0x30, hex(PREFIX)), hex(ALGORITHM "0309 01 3006 020101 020100"))),
				"its signature is no string of whole bytes", "unused bits");
	check_error(tlv(0x30, joined(tlv(0x30, hex(PREFIX)), hex(ALGORITHM))),
				"an element is missing", "no signature");
	check_error(tlv(0x30, joined(tlv(0x30, hex(PREFIX)), hex(ALGORITHM SIGNATURE "0500"))),
				"there is an unknown element", "something behind the signature");
	check_error(hex("3084FFFFFFFF 3084FFFFFF00 0201 01"), "the end is missing",
				"4 GB that are not there");
	check_error(joined(hex("30830FFFFF 30830EFFFF" PREFIX "30830DFFFF 30830111 70"), large),
				"an element is too long", "an entry of 70,000 bytes");
	check_error(joined(hex("3084FFFFFFFF 3084FFFFFF00 0201 01 30840FFFFFFF"), large),
				"an element is too long", "an algorithm of 256 MB");
}

static void
check_extensions(const char *extensions, const char *unsupported, int reason, const char *what)
{
	Bytes		bytes = with_extensions(extensions);
	char	   *error;
	CrlFile    *file = read_bytes(bytes, NULL, &error);

	is_str(error, NULL, "%s: read", what);
	if (file == NULL)
		return;
	is_str(file->crls[0].facts->unsupported, unsupported, "%s: unsupported", what);
	is_str(openssl_facts(bytes)->unsupported, unsupported, "%s: as crl.c says", what);
	is_int(nseen ? seen[0].reason : -1, reason, "%s: reason", what);
}

static void
test_unsupported(void)
{
	check_extensions("300A 0603 551D15 0403 0A0101", NULL, 1, "a reason");
	check_extensions("300D 0603 551D15 010100 0403 0A0106", NULL, 6, "not critical, written out");
	check_extensions("300A 0603 551D15 0403 0A0108", NULL, -1, "removed from the CRL");
	check_extensions("300A 0603 551D15 0403 0A0107", NULL, 7, "a reason that nobody knows");
	check_extensions("300D 0603 551D15 0101FF 0403 0A0101",
					 "it has the unknown critical extension 2.5.29.21", 1, "a critical reason");
	check_extensions("300B 0603 551D1D 0404 30028200", "it is an indirect CRL", 0, "an issuer");
	check_extensions("300E 0603 551D1D 0101FF 0404 30028200", "it is an indirect CRL", 0,
					 "a critical issuer");
	check_extensions("300A 0603 2A0304 0101FF 0400",
					 "it has the unknown critical extension 1.2.3.4", 0, "another one");
	check_extensions("3007 0603 2A0304 0400", NULL, 0, "another one, not critical");
	check_extensions("300A 0603 2A0304 0101FF 0400 300A 0603 551D15 0403 0A0104",
					 "it has the unknown critical extension 1.2.3.4", 4, "and a reason");

	check_error(with_extensions("300A 0603 551D15 0403 020101"), "its reason cannot be read",
				"a reason that is a number");
	check_error(with_extensions("300B 0603 551D15 0404 0A020101"), "its reason cannot be read",
				"a reason of two bytes");
	check_error(with_extensions("300A 0603 551D15 0403 0A0101 300A 0603 551D15 0403 0A0101"),
				"its reason cannot be read", "two reasons");
	check_error(with_extensions("300D 0603 551D15 010101 0403 0A0101"),
				"its extensions are not in DER", "critical is 1");
	check_error(with_extensions("300C 0603 551D15 0403 0A0101 0500"),
				"its extensions are not in DER", "something behind the value");
	check_error(with_extensions("3005 0603 551D15"), "its extensions are not in DER", "no value");
	check_error(with_extensions("3004 0600 0400"), "its extensions are not in DER", "no OID");
	check_error(with_extensions("3007 0603 551DE4 0400"), "its extensions are not in DER",
				"an OID that does not end");
	check_error(with_extensions("3007 0603 558004 0400"), "its extensions are not in DER",
				"an OID with a leading zero");
	check_error(with_extensions("0500"), "its extensions are not in DER", "no extension");
}

/*
 * A delta CRL is none of entries, but of the whole.
 */
static void
test_delta(void)
{
	X509	   *ca = make_ca("root", test_key(), NULL);
	X509_CRL   *crl = new_crl(ca);
	ASN1_INTEGER *base = ASN1_INTEGER_new();
	char	   *error;
	CrlFile    *file;

	must(ASN1_INTEGER_set(base, 3) == 1 &&
			 X509_CRL_add1_ext_i2d(crl, NID_delta_crl, base, 1, 0) == 1,
		 "make a delta CRL");
	file = read_bytes(signed_der(crl, test_key(), EVP_sha256(), -1), NULL, &error);
	is_str(file ? file->crls[0].facts->unsupported : NULL, "it is a delta CRL", "a delta CRL");
}

int
main(void)
{
	test_errors();
	test_unsupported();
	test_delta();
	return done_testing();
}
