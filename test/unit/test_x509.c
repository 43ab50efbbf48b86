/*-------------------------------------------------------------------------
 *
 * test_x509.c
 *		Certificates: serial, validity, keys, fingerprints and chains.
 *
 * Names are in test_x509_names.c and test_x509_sans.c.
 *
 *-------------------------------------------------------------------------
 */
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "certs.h"
#include "tap.h"
#include "pki/x509.h"

static const Attribute app[] = {CN("app"), {0}};

/*
 * Read a certificate as a server would that has received it.  NULL if OpenSSL
 * did not take it, or if it cannot be read.
 */
static CertFacts *
receive(X509 *cert, const char *what)
{
	X509	   *received = as_received(cert);
	CertFacts  *facts;

	if (!ok(received != NULL, "%s: OpenSSL takes it", what))
		return NULL;
	facts = read_certificate(received, NULL);
	is_int((int64) ERR_peek_error(), 0, "%s: error queue is empty", what);
	if (facts != NULL)
		ok(all_printable(facts), "%s: all strings are printable", what);
	X509_free(received);
	return facts;
}

static void
test_plain_certificate(void)
{
	X509	   *cert = as_received(new_cert(app));
	CertFacts  *facts;
	uint8		digest[EVP_MAX_MD_SIZE];
	unsigned int len;

	/* what somebody left in the queue is no reason to distrust */
	ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
	facts = read_certificate(cert, NULL);
	is_int((int64) ERR_peek_error(), 0, "error queue is empty, whatever was in it");
	if (!ok(facts != NULL, "a plain certificate is readable"))
		return;
	is_str(facts->subject_dn, "CN=app", "subject");
	is_str(facts->issuer_dn, "CN=app", "issuer");
	is_str(facts->cn, "app", "CN");
	is_int(facts->cn_count, 1, "one CN");
	is_str(facts->serial, "1", "serial");
	is_str(facts->key_algorithm, "EC", "key algorithm");
	is_int(facts->key_bits, 256, "key bits");
	is_str(facts->signature_algorithm, "ecdsa-with-SHA256", "signature algorithm");
	is_int(facts->not_before, INT64CONST(1735689600), "not before");
	is_int(facts->not_after, INT64CONST(1738368000), "not after");
	is_int(facts->nsans, 0, "no alternative names");
	is_int(facts->ncas, 0, "no chain, no CAs");
	ok(!facts->cut, "nothing is cut");
	X509_digest(cert, EVP_sha256(), digest, &len);
	ok(len == FINGERPRINT_LEN && memcmp(facts->fingerprint, digest, len) == 0,
	   "fingerprint as X509_digest() has it");
	X509_free(cert);
}

/*
 * Subject and issuer are not mixed up.
 */
static void
test_issuer(void)
{
	static const Attribute issuer[] = {
		{NID_organizationName, V_ASN1_UTF8STRING, "Acme", -1},
		CN("Root"),
		CN("Other"),
		{0},
	};
	X509	   *cert = new_cert(app);
	X509_NAME  *name = make_name(issuer);
	CertFacts  *facts;

	X509_set_issuer_name(cert, name);
	X509_NAME_free(name);
	facts = receive(cert, "another issuer");
	if (!ok(facts != NULL, "a certificate by another issuer is readable"))
		return;
	is_str(facts->subject_dn, "CN=app", "subject of an issued certificate");
	is_str(facts->issuer_dn, "CN=Other,CN=Root,O=Acme", "issuer of an issued certificate");
	is_str(facts->cn, "app", "CN of an issued certificate");
	is_int(facts->cn_count, 1, "the issuer's CNs do not count");
}

static void
test_serials(void)
{
	static const struct
	{
		const char *what;
		const char *decimal;
	} cases[] =
		{
			{"zero", "0"},
			{"one byte", "127"},
			{"one byte with a sign byte", "255"},
			{"negative", "-1"},
			{"negative, two bytes", "-32768"},
			{"of 64 bits", "18446744073709551615"},
			{"20 bytes", "730750818665451459101842416358141509827966271487"},
			{"20 bytes, negative", "-730750818665451459101842416358141509827966271488"},
			{"longer than RFC 5280 has it",
			 "115792089237316195423570985008687907853269984665640564039457584007913129639935"},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		X509	   *cert = new_cert(app);
		BIGNUM	   *number = NULL;
		CertFacts  *facts;

		BN_dec2bn(&number, cases[i].decimal);
		BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
		BN_free(number);
		facts = receive(cert, cases[i].what);
		is_str(facts ? facts->serial : NULL, cases[i].decimal, "serial %s", cases[i].what);
	}
}

/*
 * Decimal digits of a long number take the square of its length in time: a
 * megabyte of them would keep a process busy for hours.
 */
static void
test_long_serials(void)
{
	static const int lengths[] = {128, 129, 1000000};

	for (int i = 0; i < (int) lengthof(lengths); i++)
	{
		X509	   *cert = new_cert(app);
		uint8	   *bytes = palloc((Size) lengths[i]);
		CertFacts  *facts;

		memset(bytes, 0x5a, (size_t) lengths[i]);
		ASN1_STRING_set(X509_get_serialNumber(cert), bytes, lengths[i]);
		facts = receive(cert, "a long serial");
		ok((facts != NULL) == (lengths[i] <= 128), "a serial of %d bytes: %s", lengths[i],
		   lengths[i] <= 128 ? "readable" : "not readable");
	}
}

/*
 * Numbers of all lengths, as BN_bn2dec() writes them.
 */
static void
test_decimals(void)
{
	int			wrong = 0;
	BIGNUM	   *power = BN_new();

	BN_one(power);
	for (int i = 0; i < 308; i++)
	{
		for (int offset = -1; offset <= 1; offset++)
			for (int sign = 0; sign <= 1; sign++)
			{
				BIGNUM	   *number = BN_dup(power);
				ASN1_INTEGER *value;
				char	   *decimal;
				char	   *text;

				if (offset < 0)
					BN_sub_word(number, 1);
				else if (offset > 0)
					BN_add_word(number, 1);
				BN_set_negative(number, sign);
				value = BN_to_ASN1_INTEGER(number, NULL);
				decimal = BN_bn2dec(number);
				text = integer_text(value);
				wrong += text == NULL || strcmp(text, decimal) != 0;
				OPENSSL_free(decimal);
				ASN1_INTEGER_free(value);
				BN_free(number);
			}
		BN_mul_word(power, 10);
	}
	BN_free(power);
	is_int(wrong, 0, "powers of ten, and the numbers beside them, as OpenSSL writes them");

	for (int len = 1; len <= MAX_SERIAL; len++)
	{
		ASN1_INTEGER *value = ASN1_INTEGER_new();
		uint8		bytes[MAX_SERIAL];
		BIGNUM	   *number;
		char	   *decimal;
		char	   *text;

		memset(bytes, 0xff, sizeof(bytes));
		ASN1_STRING_set(value, bytes, len);
		number = ASN1_INTEGER_to_BN(value, NULL);
		decimal = BN_bn2dec(number);
		text = integer_text(value);
		wrong += text == NULL || strcmp(text, decimal) != 0 || strlen(text) + 1 >= MAX_SERIAL_TEXT;
		OPENSSL_free(decimal);
		BN_free(number);
		ASN1_INTEGER_free(value);
	}
	is_int(wrong, 0, "the largest numbers of each length, too");
}

static void
test_version_1(void)
{
	X509	   *cert = new_cert(app);
	CertFacts  *facts;

	X509_set_version(cert, X509_VERSION_1);
	facts = receive(cert, "X.509 v1");
	if (!ok(facts != NULL, "X.509 v1 is readable"))
		return;
	is_str(facts->cn, "app", "X.509 v1: CN");
	is_int(facts->nsans, 0, "X.509 v1: no alternative names");
	is_int(facts->not_after, INT64CONST(1738368000), "X.509 v1: not after");
}

static void
test_times(void)
{
	static const struct
	{
		int			type;
		const char *text;
		int64		seconds;
	} cases[] =
		{
			{V_ASN1_UTCTIME, "500101000000Z", INT64CONST(-631152000)},
			{V_ASN1_UTCTIME, "691231235959Z", -1},
			{V_ASN1_UTCTIME, "700101000000Z", 0},
			{V_ASN1_UTCTIME, "700101000001Z", 1},
			{V_ASN1_UTCTIME, "380119031408Z", INT64CONST(2147483648)},
			{V_ASN1_UTCTIME, "491231235959Z", INT64CONST(2524607999)},
			{V_ASN1_GENERALIZEDTIME, "20500101000000Z", INT64CONST(2524608000)},
			{V_ASN1_GENERALIZEDTIME, "20240229120000Z", INT64CONST(1709208000)},
			{V_ASN1_GENERALIZEDTIME, "19500101000000Z", INT64CONST(-631152000)},
			{V_ASN1_GENERALIZEDTIME, "99991231235959Z", INT64CONST(253402300799)},
			{V_ASN1_GENERALIZEDTIME, "00000101000000Z", INT64CONST(-62167219200)},
		};
	static const char *const bad[] = {
		"",
		"garbage",
		"20250101",
		"20251301000000Z",
		"20250132000000Z",
		"20250229000000Z",
		"20250101250000Z",
		"-0250101000000Z",
		"2025010100000\xC3",
	};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		X509	   *cert = new_cert(app);
		ASN1_TIME  *time = ASN1_STRING_type_new(cases[i].type);
		CertFacts  *facts;

		ASN1_STRING_set(time, cases[i].text, -1);
		X509_set1_notBefore(cert, time);
		facts = receive(cert, cases[i].text);
		if (ok(facts != NULL, "%s is readable", cases[i].text))
		{
			is_int(facts->not_before, cases[i].seconds, "%s as not before", cases[i].text);
			is_int(facts->not_after, INT64CONST(1738368000), "and not after as it was");
		}

		cert = new_cert(app);
		X509_set1_notAfter(cert, time);
		facts = receive(cert, cases[i].text);
		if (ok(facts != NULL, "%s is readable", cases[i].text))
		{
			is_int(facts->not_before, INT64CONST(1735689600), "not before as it was");
			is_int(facts->not_after, cases[i].seconds, "%s as not after", cases[i].text);
		}
		ASN1_STRING_free(time);
	}
	/* no time at all is no reason to guess one */
	for (int i = 0; i < (int) lengthof(bad); i++)
		for (int which = 0; which < 2; which++)
		{
			X509	   *cert = new_cert(app);
			ASN1_TIME  *time = ASN1_STRING_type_new(V_ASN1_GENERALIZEDTIME);
			X509	   *received;

			ASN1_STRING_set(time, bad[i], -1);
			if (which)
				X509_set1_notAfter(cert, time);
			else
				X509_set1_notBefore(cert, time);
			ASN1_STRING_free(time);
			received = as_received(cert);
			ok(received == NULL || read_certificate(received, NULL) == NULL,
			   "\"%s\" as not %s: not readable", bad[i], which ? "after" : "before");
			is_int((int64) ERR_peek_error() * (received != NULL), 0,
				   "\"%s\" as not %s: error queue is empty", bad[i], which ? "after" : "before");
			X509_free(received);
			ERR_clear_error();
		}
}

/*
 * The first and the last second of every month, as OpenSSL counts.
 */
static void
test_all_months(void)
{
	ASN1_TIME  *epoch = ASN1_TIME_set(NULL, 0);
	ASN1_TIME  *time = ASN1_STRING_type_new(V_ASN1_GENERALIZEDTIME);
	int			wrong = 0;

	for (int month = 0; month < 10000 * 12; month++)
		for (int end = 0; end <= 1; end++)
		{
			char		text[64];
			int			days;
			int			rest;
			int64		seconds = 0;

			snprintf(text, sizeof(text), "%04d%02d%sZ", month / 12, month % 12 + 1,
					 end ? "28235959" : "01000000");
			ASN1_STRING_set(time, text, -1);
			wrong += ASN1_TIME_diff(&days, &rest, epoch, time) != 1 || !read_asn1_time(time, &seconds) ||
				seconds != (int64) days * 86400 + rest;
		}
	is_int(wrong, 0, "times of all months of 10,000 years as OpenSSL counts them");
	ASN1_STRING_free(time);
	ASN1_TIME_free(epoch);
}

static void
test_algorithms(void)
{
	static const struct
	{
		const char *type;
		int			bits;
		const char *digest;		/* NULL: the key's own */
		const char *key_algorithm;
		int			key_bits;
		const char *signature;
	} cases[] =
		{
			{"RSA", 2048, "SHA256", "RSA", 2048, "sha256WithRSAEncryption"},
			{"RSA", 2048, "SHA512", "RSA", 2048, "sha512WithRSAEncryption"},
			{"P-256", 0, "SHA256", "EC", 256, "ecdsa-with-SHA256"},
			{"P-384", 0, "SHA384", "EC", 384, "ecdsa-with-SHA384"},
			{"ED25519", 0, NULL, "ED25519", 256, "ED25519"},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		X509	   *cert = new_cert(app);
		const char *what = cases[i].signature;
		EVP_PKEY   *key = cases[i].bits ? EVP_RSA_gen(cases[i].bits) :
			cases[i].digest			  ? EVP_EC_gen(cases[i].type) :
										EVP_PKEY_Q_keygen(NULL, NULL, cases[i].type);
		CertFacts  *facts;

		X509_set_pubkey(cert, key);
		X509_sign(cert, key, cases[i].digest ? EVP_get_digestbyname(cases[i].digest) : NULL);
		facts = receive(cert, what);
		EVP_PKEY_free(key);
		if (!ok(facts != NULL, "%s: readable", what))
			continue;
		is_str(facts->key_algorithm, cases[i].key_algorithm, "%s: key algorithm", what);
		is_int(facts->key_bits, cases[i].key_bits, "%s: key bits", what);
		is_str(facts->signature_algorithm, what, "%s: signature algorithm", what);
	}
	{
		/* a key of an algorithm that OpenSSL does not know */
		X509	   *cert = new_cert(app);
		X509_PUBKEY *key = X509_get_X509_PUBKEY(cert);
		CertFacts  *facts;

		X509_PUBKEY_set0_param(key, OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1), V_ASN1_UNDEF, NULL,
							   (unsigned char *) OPENSSL_strdup("key"), 3);
		facts = receive(cert, "unknown key");
		if (ok(facts != NULL, "a certificate with an unknown key is readable"))
		{
			is_str(facts->key_algorithm, "unknown", "unknown key: algorithm");
			is_int(facts->key_bits, 0, "unknown key: bits");
			is_str(facts->cn, "app", "unknown key: the rest is there");
		}
	}
}

/*
 * Chains as SSL_get0_verified_chain() gives them: leaf first, root last.
 */
static void
test_chains(void)
{
	static const Attribute names[][2] = {
		{CN("leaf"), {0}},
		{CN("issuing CA"), {0}},
		{CN("r\nt"), {0}},
	};
	static const char *const dns[] = {"CN=leaf", "CN=issuing CA", "CN=r\\0At"};
	X509	   *certs[3];
	uint8		digests[3][EVP_MAX_MD_SIZE];

	for (int i = 0; i < 3; i++)
	{
		certs[i] = as_received(new_cert(names[i]));
		X509_digest(certs[i], EVP_sha256(), digests[i], NULL);
	}

	for (int length = 0; length <= 3; length++)
	{
		STACK_OF(X509) *chain = sk_X509_new_null();
		CertFacts  *facts;
		int			first = length > 1 ? 1 : 0;

		for (int i = 0; i < length; i++)
			sk_X509_push(chain, certs[i]);
		facts = read_certificate(certs[0], chain);
		is_int((int64) ERR_peek_error(), 0, "chain of %d: error queue is empty", length);
		if (ok(facts != NULL, "chain of %d: readable", length))
		{
			is_str(facts->subject_dn, "CN=leaf", "chain of %d: the leaf's subject", length);
			ok(memcmp(facts->fingerprint, digests[0], FINGERPRINT_LEN) == 0,
			   "chain of %d: the leaf's fingerprint", length);
			/* a leaf alone is its own trust anchor */
			is_int(facts->ncas, length - first, "chain of %d: number of CAs", length);
			for (int i = 0; i < facts->ncas && first + i < length; i++)
			{
				is_str(facts->cas[i].subject_dn, dns[first + i], "chain of %d: CA %d",
					   length, i);
				ok(memcmp(facts->cas[i].fingerprint, digests[first + i], FINGERPRINT_LEN) == 0,
				   "chain of %d: fingerprint of CA %d", length, i);
			}
			ok(all_printable(facts), "chain of %d: all strings are printable", length);
		}
		sk_X509_free(chain);
	}
	for (int i = 0; i < 3; i++)
		X509_free(certs[i]);
}

/*
 * Every bit of a certificate changed, one at a time: what OpenSSL still takes
 * can be read or is refused, and leaves no error and no control character.
 */
static void
test_damaged_certificates(void)
{
	static const Attribute subject[] = {
		CN("app"),
		{NID_organizationName, V_ASN1_BMPSTRING, "\0A\0c\0m\0e", 8},
		{0},
	};
	X509	   *cert = new_cert(subject);
	CertFacts  *whole;
	unsigned char *der = NULL;
	int			len;
	int			taken = 0;
	int			wrong = 0;

	/* a name of each of six types */
	set_der(cert, NID_subject_alt_name,
			"\x30\x24\x82\x01"
			"a\x81\x03"
			"a@b\x86\x03"
			"x:y\x87\x04\x0A\0\0\x01"
			"\x88\x02\x2A\x03\xA4\x0B\x30\x09\x31\x07\x30\x05\x06\x01\x2A\x0C\0",
			38);
	cert = as_received(cert);
	whole = read_certificate(cert, NULL);
	ok(whole != NULL && whole->nsans == 6, "the certificate is readable before it is damaged");
	len = i2d_X509(cert, &der);
	X509_free(cert);
	for (int round = 0; round < 8; round++)
		for (int i = 0; i < len; i++)
		{
			unsigned char old = der[i];
			const unsigned char *pos = der;
			CertFacts  *facts;

			der[i] ^= (unsigned char) (1 << round);
			cert = d2i_X509(NULL, &pos, len);
			der[i] = old;
			if (cert == NULL)
				continue;
			taken++;
			facts = read_certificate(cert, NULL);
			if (ERR_peek_error() != 0 || (facts != NULL && !all_printable(facts)))
				wrong++;
			X509_free(cert);
		}
	ERR_clear_error();
	OPENSSL_free(der);
	ok(taken > 100, "%d certificates with a bit changed are taken by OpenSSL", taken);
	is_int(wrong, 0, "all of them leave the error queue empty and no control character");
}

int
main(void)
{
	test_plain_certificate();
	test_issuer();
	test_serials();
	test_long_serials();
	test_decimals();
	test_version_1();
	test_times();
	test_all_months();
	test_algorithms();
	test_chains();
	test_damaged_certificates();
	return done_testing();
}
