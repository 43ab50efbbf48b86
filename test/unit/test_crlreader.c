/*-------------------------------------------------------------------------
 *
 * test_crlreader.c
 *		Unit tests of crlreader.c, crlstream.c and der.c.
 *
 *	1. one CRL, by each kind of key and signature, in DER and PEM
 *	2. which CAs issued it
 *	3. the entries are those that OpenSSL finds
 *	4. files: several CRLs, text around them, what is none
 *	5. every truncation, and every bit changed
 *
 * What is wrong with a single CRL is in test_crlreader_errors.c.
 *
 *-------------------------------------------------------------------------
 */
#include "tap.h"

#include <setjmp.h>

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include "crls.h"
#include "pki/pem.h"
#include "pki/x509.h"

static uint32 random_state = 12345;

static uint32
next_random(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return random_state >> 8;
}

static jmp_buf away;
static int	pauses_left;

/* in small pieces, so that there are many pauses */
static ssize_t
read_stream(void *arg, char *buf, size_t size)
{
	return (ssize_t) fread(buf, 1, Min(size, 1000), arg);
}

static ssize_t
read_nothing(void *arg, char *buf, size_t size)
{
	errno = EIO;
	return -1;
}

static void
check_kind(const char *what, EVP_PKEY *key, const EVP_MD *digest, int salt_len, bool expected)
{
	X509	   *ca = make_ca("root", key, NULL);
	STACK_OF(X509) *cas = cas_of(ca, NULL, NULL);
	X509_CRL   *crl = new_crl(ca);
	Bytes		der;
	CrlFile    *file;
	char	   *error;

	revoke_number(crl, 5, 1);
	revoke_number(crl, 1000000, -1);
	der = signed_der(crl, key, digest, salt_len);
	for (int pem = 0; pem < 2; pem++)
	{
		Bytes		bytes = pem ? as_pem(der) : der;
		uint8		sha256[FINGERPRINT_LEN];

		file = read_bytes(bytes, cas, &error);
		is_str(error, NULL, "%s: read as %s", what, pem ? "PEM" : "DER");
		ok(file && file->ncrls == 1 && file->crls[0].nissuers == (expected ? 1 : 0) &&
			   (!expected || file->crls[0].issuers[0] == ca),
		   "%s: its CA has %s it", what, expected ? "signed" : "not signed");
		ok(file && same_facts(file->crls[0].facts, openssl_facts(der)), "%s: the facts", what);
		SHA256((const unsigned char *) bytes.data, bytes.len, sha256);
		ok(file && memcmp(file->sha256, sha256, FINGERPRINT_LEN) == 0,
		   "%s: the digest of the file", what);
		ok(nseen == 2 && npauses >= 2, "%s: the entries", what);
		file = read_bytes(bytes, NULL, &error);
		ok(file && file->crls[0].nissuers == 0 && nseen == 2 &&
			   memcmp(file->sha256, sha256, FINGERPRINT_LEN) == 0 &&
			   same_facts(file->crls[0].facts, openssl_facts(der)),
		   "%s: the same without verification", what);
	}
	X509_CRL_free(crl);
	sk_X509_free(cas);
}

static void
test_kinds(void)
{
	EVP_PKEY   *rsa = EVP_RSA_gen(2048);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
	EVP_PKEY   *pss = NULL;

	must(ctx && EVP_PKEY_keygen_init(ctx) == 1 &&
			 EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048) == 1 &&
			 EVP_PKEY_generate(ctx, &pss) == 1,
		 "make an RSA-PSS key");
	check_kind("RSA, SHA-256", rsa, EVP_sha256(), -1, true);
	check_kind("RSA, SHA-1", rsa, EVP_sha1(), -1, true);
	check_kind("RSA, SHA-512", rsa, EVP_sha512(), -1, true);
	check_kind("RSA, MD5", rsa, EVP_md5(), -1, false);
	check_kind("RSA-PSS, SHA-256", rsa, EVP_sha256(), 32, true);
	check_kind("RSA-PSS, SHA-1 and its defaults", rsa, EVP_sha1(), 20, true);
	check_kind("RSA-PSS, SHA-384, no salt", rsa, EVP_sha384(), 0, true);
	check_kind("RSA-PSS key", pss, EVP_sha256(), 32, true);
	check_kind("EC P-256", test_key(), EVP_sha256(), -1, true);
	check_kind("EC P-384, SHA-384", EVP_EC_gen("P-384"), EVP_sha384(), -1, true);
	check_kind("Ed25519", EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL, -1, true);
	check_kind("Ed448", EVP_PKEY_Q_keygen(NULL, NULL, "ED448"), NULL, -1, true);
	EVP_PKEY_CTX_free(ctx);
}

static void
test_issuers(void)
{
	EVP_PKEY   *other = EVP_EC_gen("P-256");
	X509	   *ca = make_ca("root", test_key(), NULL);
	X509	   *renewed = make_ca("root", test_key(), "\x03\x02\x01\x06");
	X509	   *twin = make_ca("root", other, NULL);
	X509	   *renamed = make_ca("other", test_key(), NULL);
	X509	   *no_usage = make_ca("root", test_key(), "\x03\x02\x02\x04");
	Bytes		der = signed_der(new_crl(ca), test_key(), EVP_sha256(), -1);
	Bytes		forged = signed_der(new_crl(ca), other, EVP_sha256(), -1);
	char	   *error;
	CrlFile    *file = read_bytes(der, cas_of(ca, twin, renewed), &error);

	ok(file && file->crls[0].nissuers == 2 && file->crls[0].issuers[0] == ca &&
		   file->crls[0].issuers[1] == renewed,
	   "both certificates of a renewed CA, not its twin");
	is_int(file->crls[0].facts->entries, 0, "no entries at all is fine");
	file = read_bytes(der, cas_of(renamed, no_usage, twin), &error);
	ok(file && file->crls[0].nissuers == 0, "not by another name, key usage or key");
	file = read_bytes(forged, cas_of(ca, NULL, NULL), &error);
	ok(file && file->crls[0].nissuers == 0, "a forged signature");
	file = read_bytes(forged, cas_of(ca, twin, NULL), &error);
	ok(file && file->crls[0].nissuers == 1 && file->crls[0].issuers[0] == twin,
	   "which is the twin's");
	file = read_bytes(der, sk_X509_new_null(), &error);
	ok(file && file->crls[0].nissuers == 0, "no CAs at all");
}

/*
 * Any serial of up to 21 bytes, negative ones as well.
 */
static ASN1_INTEGER *
random_serial(void)
{
	unsigned char bytes[21];
	size_t		len = 1 + next_random() % sizeof(bytes);
	BIGNUM	   *number;
	ASN1_INTEGER *serial;

	for (size_t i = 0; i < len; i++)
		bytes[i] = (unsigned char) next_random();
	number = BN_bin2bn(bytes, (int) len, NULL);
	BN_set_negative(number, next_random() % 4 == 0);
	serial = BN_to_ASN1_INTEGER(number, NULL);
	must(serial != NULL, "make a serial");
	BN_free(number);
	return serial;
}

static char *
random_date(void)
{
	static const int years[] = {1950, 1999, 2000, 2024, 2049, 2050, 2100, 2400, 9999};
	int			year = years[next_random() % lengthof(years)];
	int			month = 1 + (int) (next_random() % 12);
	bool		leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	int			day = next_random() % 4 == 0 ? (month != 2 ? 30 : leap ? 29 :
																		 28) :
									   1 + (int) (next_random() % 28);
	bool		utc = year < 2050 && next_random() % 2;

	return psprintf("%0*d%02d%02d%02d%02d%02dZ", utc ? 2 : 4, utc ? year % 100 : year,
					month, day, (int) (next_random() % 24), (int) (next_random() % 60),
					(int) (next_random() % 60));
}

/*
 * Is what the sink has seen what OpenSSL has in crl?
 */
static bool
same_entries(X509_CRL *crl)
{
	STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(crl);
	int			n = 0;

	for (int i = 0; i < sk_X509_REVOKED_num(entries); i++)
	{
		const X509_REVOKED *entry = sk_X509_REVOKED_value(entries, i);
		ASN1_ENUMERATED *reason = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
		long		code = reason ? ASN1_ENUMERATED_get(reason) : 0;
		unsigned char *der = NULL;
		int			len = i2d_ASN1_INTEGER(X509_REVOKED_get0_serialNumber(entry), &der);
		int64		since;

		ASN1_ENUMERATED_free(reason);
		if (code != 8)			/* removeFromCRL */
		{
			must(read_asn1_time(X509_REVOKED_get0_revocationDate(entry), &since), "read a time");
			if (n >= nseen || seen[n].len != len - 2 ||
				memcmp(seen[n].serial, der + 2, (size_t) len - 2) != 0 ||
				seen[n].since != since || seen[n].reason != code)
				return false;
			n++;
		}
		OPENSSL_free(der);
	}
	return n == nseen;
}

static void
test_entries(void)
{
	static const int reasons[] = {-1, -1, -1, 0, 1, 2, 3, 4, 5, 6, 8, 9, 10};
	static const size_t chunks[] = {1, 2, 7, 64, 65, 1000, 65536, 1000000};
	X509	   *ca = make_ca("root", test_key(), NULL);
	STACK_OF(X509) *cas = cas_of(ca, NULL, NULL);

	for (int round = 0; round < 24; round++)
	{
		X509_CRL   *crl = new_crl(ca);
		int			count = round < 16 ? 1 + (int) (next_random() % 50) : 2900;
		Bytes		der;
		CrlFile    *file;
		char	   *error;

		for (int i = 0; i < count; i++)
		{
			ASN1_INTEGER *serial = random_serial();

			revoke(crl, serial, random_date(), reasons[next_random() % lengthof(reasons)]);
			ASN1_INTEGER_free(serial);
		}
		der = signed_der(crl, test_key(), EVP_sha256(), -1);
		chunk_size = chunks[(size_t) round % lengthof(chunks)];
		file = read_bytes(round % 2 ? as_pem(der) : der, cas, &error);
		ok(file && file->crls[0].nissuers == 1 && same_facts(file->crls[0].facts, openssl_facts(der)) &&
			   same_entries(crl),
		   "random CRL %d: %d entries, %d bytes at a time: %s", round, count,
		   (int) chunk_size, error ? error : "as OpenSSL has them");
		X509_CRL_free(crl);
	}
	chunk_size = 1000000;
}

static Bytes
pem_of(X509 *cert)
{
	StringInfoData buf;

	initStringInfo(&buf);
	must(append_pem_certificate(&buf, cert), "write a certificate");
	return (Bytes){buf.data, (size_t) buf.len};
}

/*
 * A line is put before that line of PEM, counted from 0, of 64 characters of base64 but the
 * last one.
 */
static Bytes
with_line(Bytes pem, int before, const char *line)
{
	const char *pos = pem.data;

	for (int i = 0; i < before; i++)
		pos = strchr(pos, '\n') + 1;
	return joined(joined((Bytes){pem.data, (size_t) (pos - pem.data)}, str(line)),
				  (Bytes){pos, pem.len - (size_t) (pos - pem.data)});
}

static bool
openssl_reads(Bytes pem)
{
	char	   *error;
	PemContent *content = read_pem(pem.data, pem.len, &error);

	if (content)
		free_pem_content(content);
	return content != NULL;
}

/*
 * Blocks that OpenSSL does not take are not taken, and those with empty lines that it takes
 * are.
 */
static void
test_blocks(void)
{
	X509	   *ca = make_ca("root", test_key(), NULL);
	X509_CRL   *crl = new_crl(ca);
	Bytes		cert;
	Bytes		pem;
	Bytes		unended;
	char	   *error;
	CrlFile    *file;
	static const struct
	{
		int			before[2];	/* 0: none */
		const char *line;
		bool		taken;
		const char *what;
	} cases[] = {
		{{1, 0}, "\n", true, "an empty line before the base64"},
		{{1, 0}, " \t\r\n", true, "blanks before the base64"},
		{{2, 0}, "\n", false, "an empty line in the base64"},
		{{2, 0}, " \t\r\n", false, "blanks in the base64"},
		{{-1, 0}, "\n", false, "an empty line behind the base64"},
		{{1, 1}, "\n", false, "two empty lines"},
		{{1, 3}, "\n", false, "an empty line before the base64, and one in it"},
	};

	for (int i = 0; i < 20; i++)
		revoke_number(crl, i, -1);
	pem = as_pem(signed_der(crl, test_key(), EVP_sha256(), -1));
	for (chunk_size = 1; chunk_size < 2000000; chunk_size += 999999)
		for (int i = 0; i < (int) lengthof(cases); i++)
		{
			Bytes		text = pem;

			for (int k = 0; k < 2 && cases[i].before[k] != 0; k++)
			{
				int			lines = 0;

				for (size_t c = 0; c < text.len; c++)
					lines += text.data[c] == '\n';
				text = with_line(text, cases[i].before[k] > 0 ? cases[i].before[k] : lines - 1, cases[i].line);
			}
			is_int(openssl_reads(text), cases[i].taken, "%s: %s by OpenSSL", cases[i].what, cases[i].taken ? "taken" : "not taken");
			if (!cases[i].taken)
			{
				check_error(text, "its PEM block has an empty line", cases[i].what);
				continue;
			}
			file = read_bytes(text, NULL, &error);
			ok(file && file->ncrls == 1 && file->nbad == 0, "%s: and by us", cases[i].what);
		}
	chunk_size = 1000000;

	/* lines of another length, as OpenSSL does not take them behind an empty one */
	check_error(with_line(with_line(pem, 2, " "), 1, "\n"), "its PEM block has an empty line", "an empty line before a long one");
	check_error(with_line(with_line(pem, 2, "AAAA\n"), 1, "\n"), "its PEM block has an empty line", "an empty line before a short one");
	ok(!openssl_reads(with_line(with_line(pem, 2, " "), 1, "\n")), "neither does OpenSSL");

	unended = joined((Bytes){pem.data, pem.len - strlen("\n-----END X509 CRL-----\n")}, str("-----END X509 CRL-----\n"));
	ok(!openssl_reads(unended), "OpenSSL takes no last line that is not a line");
	check_error(unended, "its PEM block does not end with a line", "the end behind base64");
	unended = joined((Bytes){pem.data, pem.len - strlen("-----END X509 CRL-----\n")}, str(" -----END X509 CRL-----\n"));
	ok(!openssl_reads(unended), "nor one behind a space");
	check_error(unended, "its PEM block does not end with a line", "the end behind a space");

	cert = pem_of(ca);
	cert.len -= strlen("-----END CERTIFICATE-----\n");
	ok(!openssl_reads(joined(pem, cert)), "OpenSSL takes no certificate without an end");
	check_passed_over(joined(pem, cert), "the certificate in PEM block 2 does not end with a line -----END CERTIFICATE-----", "a certificate without an end");
	check_passed_over(joined(cert, pem), "the certificate in PEM block 1 does not end with a line -----END CERTIFICATE-----", "a certificate without an end before a CRL");
	check_passed_over(joined(joined(cert, str("-----END X509 CRL-----\n")), pem),
					  "the certificate in PEM block 1 does not end with a line -----END CERTIFICATE-----", "a certificate with another end");
	check_passed_over(joined(joined(cert, str("-----END CERTIFICATE----\n")), pem),
					  "the certificate in PEM block 1 does not end with a line -----END CERTIFICATE-----", "a certificate whose end lacks a dash");
}

static void
test_files(void)
{
	X509	   *ca = make_ca("root", test_key(), NULL);
	X509	   *second = make_ca("second", test_key(), NULL);
	X509_CRL   *crl = new_crl(second);
	Bytes		a;
	Bytes		b;
	Bytes		pem;
	Bytes		crlf = str("");
	char	   *unwrapped;
	char	   *error;
	CrlFile    *file;
	CrlInput	broken = {read_nothing, NULL, NULL};
	CrlReader  *reader;
	Bytes		cert_pem = pem_of(ca);

	a = signed_der(new_crl(ca), test_key(), EVP_sha256(), -1);
	revoke_number(crl, 7, -1);
	b = signed_der(crl, test_key(), EVP_sha256(), -1);
	pem = joined(joined(joined(str("a CRL\n -----BEGIN NOTHING-----\n"), as_pem(a)),
						str("and - another\n")),
				 joined(as_pem(b), str("the end")));
	file = read_bytes(pem, cas_of(second, ca, NULL), &error);
	ok(file && file->ncrls == 2 && file->crls[0].issuers[0] == ca &&
		   file->crls[1].issuers[0] == second && nseen == 1 && seen[0].crl == 1,
	   "two CRLs with text around them: %s", error ? error : "fine");
	ok(file && same_facts(file->crls[0].facts, openssl_facts(a)) &&
		   same_facts(file->crls[1].facts, openssl_facts(b)),
	   "and the facts of each");

	for (size_t i = 0; i < pem.len; i++)
		crlf = joined(crlf, pem.data[i] == '\n' ? str("\r\n") : (Bytes){pem.data + i, 1});
	file = read_bytes(crlf, NULL, &error);
	ok(file && file->ncrls == 2, "lines that end as on Windows");

	/* base64 on one line */
	unwrapped = pnstrdup(as_pem(b).data, as_pem(b).len);
	for (char *c = unwrapped + 30; *c; c++)
		if (*c == '\n' && c[1] != '-' && c[1] != '\0')
			*c = ' ';
	file = read_bytes(str(unwrapped), NULL, &error);
	ok(file && file->ncrls == 1, "base64 on one line");

	check_error(str(""), "it is empty", "empty file");
	check_error(str("hello\n"), "there is no CRL in it", "only text");
	check_error(str("\n\n"), "there is no CRL in it", "only lines");
	check_error(str("0"), "there is no CRL in it", "a zero");
	check_error(str("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
				"the certificate in PEM block 1 cannot be read", "a certificate that is none");
	check_passed_over(joined(as_pem(a), str("-----BEGIN EC PRIVATE KEY-----\n")),
					  "PEM block 2 is not a CRL but a \"EC PRIVATE KEY\"", "a key behind a CRL");
	check_error(str("-----BEGIN X\a-----\n"), "\"X", "a strange type");
	check_passed_over(joined(as_pem(a), str("-----BEGIN X509 CRL----\nMIIB\n-----END X509 CRL-----\n")),
					  "the first line of PEM block 2 is damaged", "a dash too few");
	check_passed_over(joined(as_pem(a), str("-----BEGIN X509 CRL-----\177\nMIIB\n-----END X509 CRL-----\n")),
					  "the first line of PEM block 2 is damaged", "a character behind the beginning");
	/* OpenSSL passes over those behind the line, and takes none within it */
	check_error((Bytes){"-----BEGIN X509 CRL-----\0\001\nMIIB\n-----END X509 CRL-----\n", 56},
				"CRL 1, byte 0: the end is missing", "a NUL and another control character behind the first line");
	check_error(str("-----BEGIN X509 CRL-----"
					"                                                                                                              "
					"junk\nMIIB\n"),
				"the first line of PEM block 1 is damaged", "text far behind the first line");
	check_passed_over(joined(as_pem(b), str("text\n\xEF\xBB\xBF-----BEGIN X509 CRL-----\nMIIB\n")),
					  "PEM block 2 comes after a byte order mark that has text before it", "a byte order mark behind text, which OpenSSL passes over");
	file = read_bytes(joined(joined(cert_pem, str("\xEF\xBB\xBF")), as_pem(a)), NULL, &error);
	ok(file && file->ncrls == 1 && file->nbad == 0, "a certificate, and a byte order mark behind it, where OpenSSL passes over it");
	check_passed_over(joined((Bytes){as_pem(b).data, as_pem(b).len - 40}, as_pem(a)),
					  "CRL 1, byte", "a CRL that is cut, without its last line");
	check_passed_over(joined(as_pem(a), (Bytes){as_pem(b).data, 300}), "CRL 2", "a CRL that is cut at the end");
	check_passed_over(joined(joined(str("-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n"), as_pem(a)), str("end\n")),
					  "CRL 1, byte", "a CRL that is cut");
	check_error((Bytes){"-----BEGIN\0X509 CRL-----\nMIIB\n-----END X509 CRL-----\n", 54},
				"the first line of PEM block 1 is damaged", "a NUL for the space");
	check_error((Bytes){"-----BEGIN X509\0CRL-----\nMIIB\n", 30}, "PEM block 1 is not a CRL but a \"X509",
				"a NUL in the type");
	check_error((Bytes){"-----BEGIN X509 CRL-----\nMIIB\n-----END X509\031CRL-----\n", 54},
				"its PEM block does not end with", "another control character in the last line");
	check_error(str("-----BEGIN X509 CRL-----\n"), "its PEM block does not end", "only the beginning");
	check_error(str("-----BEGIN X509 CRL-----\n-----END X509 CRL-----\n"),
				"CRL 1, byte 0: the end is missing", "an empty block");
	check_error(str("-----BEGIN X509 CRL-----\nMIIB*AAA\n-----END X509 CRL-----\n"),
				"its PEM block is not valid base64", "no base64");
	check_error(str("-----BEGIN X509 CRL-----\nMIIBA\n-----END X509 CRL-----\n"),
				"its base64 is incomplete", "incomplete base64");
	check_error(str("-----BEGIN X509 CRL-----\nMA==\nMIIB\n-----END X509 CRL-----\n"),
				"its PEM block is not valid base64", "base64 behind its padding");
	check_error(joined((Bytes){as_pem(b).data, as_pem(b).len - 24}, str("-----END CERTIFICATE-----\n")),
				"its PEM block does not end with", "another END");
	check_error(joined(a, a), "there are bytes after its end", "two CRLs in DER");
	check_error(joined(a, str("\n")), "there are bytes after its end", "a line feed behind DER");
	check_error(as_pem(joined(a, str("x"))), "there are bytes after its end", "a byte behind PEM");

	reader = new_crl_reader(&broken);
	ok(read_crls(reader, NULL, NULL, &error) == NULL, "a file that cannot be read");
	has_str(error, strerror(EIO), "and why");
	free_crl_reader(reader);
	free_crl_reader(reader);
}

/*
 * What lies around the entries may be large, but not without end.
 */
static void
test_large_extension(void)
{
	X509	   *ca = make_ca("root", test_key(), NULL);
	STACK_OF(X509) *cas = cas_of(ca, NULL, NULL);

	for (int size = 500000; size <= 1500000; size += 1000000)
	{
		X509_CRL   *crl = new_crl(ca);
		ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
		X509_EXTENSION *extension;
		char	   *error;
		CrlFile    *file;

		must(ASN1_OCTET_STRING_set(octets, palloc0((Size) size), size) == 1, "set bytes");
		extension = X509_EXTENSION_create_by_NID(NULL, NID_netscape_comment, 0, octets);
		must(extension && X509_CRL_add_ext(crl, extension, -1) == 1, "add an extension");
		for (int i = 0; i < 2000; i++)
			revoke_number(crl, i, 1);
		chunk_size = 10007;
		file = read_bytes(as_pem(signed_der(crl, test_key(), EVP_sha256(), -1)), cas, &error);
		if (size < 1000000)
			ok(file && file->crls[0].nissuers == 1 && same_entries(crl),
			   "an extension of %d bytes", size);
		else
			has_str(error, "an element is too long", "an extension of %d bytes", size);
		X509_CRL_free(crl);
	}
	chunk_size = 1000000;
}

static void
jump_away(void)
{
	if (--pauses_left == 0)
		longjmp(away, 1);
}

/*
 * A reader that was interrupted, at any moment, can be freed.
 */
static void
test_interrupts(void)
{
	X509	   *ca = make_ca("root", test_key(), NULL);
	X509_CRL   *crl = new_crl(ca);
	Bytes		pem;

	for (int i = 0; i < 200; i++)
		revoke_number(crl, i, -1);
	pem = as_pem(signed_der(crl, test_key(), EVP_sha256(), -1));
	for (int pause = 1; pause < 5; pause++)
	{
		char *volatile text = pnstrdup(pem.data, pem.len);
		FILE *volatile stream = fmemopen(text, pem.len, "r");
		CrlInput	input = {read_stream, stream, jump_away};
		CrlReader *volatile reader = new_crl_reader(&input);
		volatile bool jumped = true;
		char	   *error;

		pauses_left = pause;
		if (setjmp(away) == 0)
		{
			read_crls(reader, sort_cas_by_name(cas_of(ca, NULL, NULL)), NULL, &error);
			jumped = false;
		}
		ok(jumped, "interrupted at moment %d", pause);
		free_crl_reader(reader);
		fclose(stream);
	}
	X509_CRL_free(crl);
}

static int	pieces_left;

static bool
take_pieces(void *arg, int crl, const uint8 *bytes, size_t len)
{
	errno = ENOSPC;
	return crl != 0 || pieces_left-- > 0;
}

static void
take_no_entry(void *arg, int crl, const uint8 *serial, int len, int64 since, int reason)
{
}

/*
 * A copy that cannot be written is no bad CRL: its entries would be missing from the index.
 */
static void
test_full_disk(void)
{
	CrlSink		copying = {.entry = take_no_entry, .der = take_pieces};
	X509	   *ca = make_ca("root", test_key(), NULL);
	X509_CRL   *crl = new_crl(ca);
	Bytes		pem;

	for (int i = 0; i < 4000; i++)
		revoke_number(crl, i, -1);
	pem = as_pem(signed_der(crl, test_key(), EVP_sha256(), -1));
	pem = joined(pem, pem);
	for (int pieces = 0; pieces < 2; pieces++)
	{
		FILE	   *stream = fmemopen((char *) pem.data, pem.len, "r");
		CrlInput	input = {read_stream, stream, NULL};
		CrlReader  *reader = new_crl_reader(&input);
		CrlFile    *file;
		char	   *error;

		pieces_left = pieces;
		file = read_crls(reader, NULL, &copying, &error);
		ok(file == NULL, "no room after %d pieces of a copy: nothing is read", pieces);
		has_str(error, "its copy cannot be written: No space left on device", "and why");
		free_crl_reader(reader);
		fclose(stream);
	}
	X509_CRL_free(crl);
}

/*
 * Is the answer safe: an error, nobody's CRL, or the CRL as it was?
 */
static bool
is_safe(Bytes bytes, STACK_OF(X509) *cas, X509_CRL *crl, const CrlFacts *facts)
{
	char	   *error;
	CrlFile    *file = read_bytes(bytes, cas, &error);

	if ((file == NULL) == (error == NULL) || ERR_peek_error() != 0)
		return false;
	return file == NULL || file->crls[0].nissuers == 0 ||
		(same_facts(file->crls[0].facts, facts) && same_entries(crl));
}

static void
check_damage(const char *what, EVP_PKEY *key, const EVP_MD *digest, int salt_len)
{
	X509	   *ca = make_ca("root", key, NULL);
	STACK_OF(X509) *cas = cas_of(ca, NULL, NULL);
	X509_CRL   *crl = new_crl(ca);
	CrlFacts   *facts;
	Bytes		der;

	revoke_number(crl, 5, 1);
	revoke_number(crl, 70000, -1);
	der = signed_der(crl, key, digest, salt_len);
	facts = openssl_facts(der);
	ok(is_safe(der, cas, crl, facts) && nseen == 2, "%s: whole", what);
	for (int pem = 0; pem < 2; pem++)
	{
		Bytes		whole = pem ? as_pem(der) : der;
		int			unsafe = 0;
		int			read = 0;
		char	   *error;

		for (size_t len = 0; len < whole.len; len++)
		{
			/* a copy, so that a sanitizer sees what is read behind its end */
			char	   *copy = malloc(len ? len : 1);

			memcpy(copy, whole.data, len);
			unsafe += !is_safe((Bytes){copy, len}, cas, crl, facts);
			read += read_bytes((Bytes){copy, len}, NULL, &error) != NULL;
			free(copy);
		}
		/* the line feed at the end of PEM may be missing */
		is_int(read, pem, "%s: no truncated %s can be read", what, pem ? "PEM" : "DER");
		is_int(unsafe, 0, "%s: nor is it believed", what);
		for (size_t bit = 0; bit < whole.len * 8; bit++)
		{
			char	   *data = (char *) whole.data;

			data[bit / 8] ^= (char) (1 << (bit % 8));
			unsafe += !is_safe(whole, cas, crl, facts);
			data[bit / 8] ^= (char) (1 << (bit % 8));
		}
		is_int(unsafe, 0, "%s: no changed bit of %s is believed", what, pem ? "PEM" : "DER");
	}
	X509_CRL_free(crl);
}

int
main(void)
{
	test_kinds();
	test_issuers();
	test_entries();
	test_blocks();
	test_files();
	test_large_extension();
	test_interrupts();
	test_full_disk();
	check_damage("EC", test_key(), EVP_sha256(), -1);
	check_damage("RSA-PSS", EVP_RSA_gen(2048), EVP_sha256(), 32);
	check_damage("Ed25519", EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL, -1);
	return done_testing();
}
