/*-------------------------------------------------------------------------
 *
 * make_seeds.c
 *		Writes seeds: certificates and CRLs of every kind, the same each time.
 *
 *	make_seeds FOLDER
 *
 * puts them into the folders of the fuzzers in FOLDER, which must be there.
 *
 *-------------------------------------------------------------------------
 */
#include "certs.h"

#include <openssl/pem.h>

static const char *folder;

static void
must(bool done, const char *what)
{
	if (done)
		return;
	fprintf(stderr, "cannot %s\n", what);
	exit(2);
}

static void
write_seed(const char *fuzzer, const char *name, const void *bytes, size_t len)
{
	char	   *path = psprintf("%s/%s/%s", folder, fuzzer, name);
	FILE	   *file = fopen(path, "w");

	must(file && fwrite(bytes, 1, len, file) == len && fclose(file) == 0, path);
}

/*
 * Ed25519, whose signatures have nothing random.
 */
static EVP_PKEY *
fixed_key(void)
{
	static EVP_PKEY *key = NULL;

	if (key == NULL)
		key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL,
										   (const unsigned char *) "thirty-two bytes for a fixed key", 32);
	must(key != NULL, "make a key");
	return key;
}

static void
write_pem(const char *name, X509 *cert, X509_CRL *crl, EVP_PKEY *key, X509 *trusted, const char *text)
{
	BIO		   *bio = BIO_new(BIO_s_mem());
	char	   *data;
	long		len;

	if (text)
		BIO_puts(bio, text);
	if (cert)
		PEM_write_bio_X509(bio, cert);
	if (crl)
	{
		PEM_write_bio_X509_CRL(bio, crl);
		if (text)
			PEM_write_bio_X509_CRL(bio, crl);
	}
	if (key)
		PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	if (trusted)
		PEM_write_bio_X509_AUX(bio, trusted);
	len = BIO_get_mem_data(bio, &data);
	write_seed("pem", name, data, (size_t) len);
	BIO_free(bio);
}

/*
 * Frees the certificate.
 */
static void
write_cert(const char *name, X509 *cert)
{
	unsigned char *der = NULL;
	int			len;

	must(X509_set_pubkey(cert, fixed_key()) == 1 && X509_sign(cert, fixed_key(), NULL) > 0, "sign");
	len = i2d_X509(cert, &der);
	must(len > 0, "encode");
	write_seed("certificate", name, der, (size_t) len);
	OPENSSL_free(der);
	X509_free(cert);
}

/*
 * A name with itself, and with how to spell it in another way.  Frees it.
 */
static void
write_names(const char *name, X509_NAME *subject)
{
	static const char how[] = "\x04\x20\x01\x02\x01\x00\x01\x01\x04\x01\x00\x01\x02\x05\x01\x01\x03\x00\x01"
							  "\x01\x01\x02\x00\x01\x03\x01\x02\x01\x00\x05\x01\x01\x02\x04\x01";
	unsigned char *der = NULL;
	int			len = i2d_X509_NAME(subject, &der);
	StringInfoData buf;

	must(len > 0, "encode a name");
	initStringInfo(&buf);
	appendBinaryStringInfo(&buf, (char *) der, len);
	appendBinaryStringInfo(&buf, (char *) der, len);
	write_seed("name", psprintf("two-%s", name), buf.data, (size_t) buf.len);
	buf.len = len;
	appendBinaryStringInfo(&buf, how, sizeof(how) - 1);
	write_seed("name", psprintf("spelled-%s", name), buf.data, (size_t) buf.len);
	OPENSSL_free(der);
	X509_NAME_free(subject);
}

static void
write_subjects(void)
{
	static const struct
	{
		const char *name;
		Attribute	subject[5];
	} cases[] =
		{
			{"plain", {CN("app")}},
			{"empty", {{0}}},
			{"nul", {{NID_commonName, V_ASN1_UTF8STRING, "app\0.evil", 9}}},
			{"bmp", {{NID_commonName, V_ASN1_BMPSTRING, "\0a\0p\0p", 6}}},
			{"bmp-no-nul", {{NID_commonName, V_ASN1_BMPSTRING, "\x4E\x2D\x65\x87", 4}}},
			{"universal", {{NID_commonName, V_ASN1_UNIVERSALSTRING, "\0\0\0a", 4}}},
			{"t61", {{NID_commonName, V_ASN1_T61STRING, "\xE9t\xE9", 3}}},
			{"printable", {{NID_commonName, V_ASN1_PRINTABLESTRING, "app", 3}}},
			{"letters", {CN("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x94\x92")}},
			{"specials", {CN(" #,+\"\\<>;= ")}},
			{"controls", {CN("a\nb\x1B\x7F")}},
			{"two", {CN("app"), CN("admin")}},
			{"several", {CN("app"), {NID_organizationName, V_ASN1_UTF8STRING, "Acme, Inc.", -1}, {NID_organizationalUnitName, V_ASN1_T61STRING, "\xE9", 1}, {NID_countryName, V_ASN1_PRINTABLESTRING, "DE", -1}}},
			{"garbled", {{NID_commonName, V_ASN1_PRINTABLESTRING, "\xF6", 1}, {NID_organizationName, V_ASN1_IA5STRING, "a\xC3\xA9", 3}}},
			{"email", {{NID_pkcs9_emailAddress, V_ASN1_IA5STRING, "a@b", 3}}},
			{"spaces", {CN(" Sub \t CA ")}},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		write_names(cases[i].name, make_name(cases[i].subject));
		write_cert(psprintf("subject-%s", cases[i].name), new_cert(cases[i].subject));
	}
}

#define UPN "\xA0\x13\x06\x0A\x2B\x06\x01\x04\x01\x82\x37\x14\x02\x03\xA0\x05"

static void
write_other_certs(void)
{
	static const Attribute app[] = {CN("app"), {0}};
	X509	   *cert = new_cert(app);
	X509_NAME  *name = make_name(app);
	ASN1_OBJECT *unknown = OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1);
	static const char names[] = "\x30\x59\x82\x03"
								"app\x82\x05*.app\x81\x05"
								"a@app\x86\x05x:app\x87\x04\x0A\0\0\x01"
								"\x87\x10\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01\x87\x03\x0A\0\0\x88\x03\x2A\x03\x04"
								"\xA0\x0B\x06\x03\x2A\x03\x04\xA0\x04\x0C\x02"
								"hi\xA4\x0E\x30\x0C\x31\x0A\x30\x08\x06\x03\x55\x04\x03\x0C\x01"
								"a";

	set_der(cert, NID_subject_alt_name, names, sizeof(names) - 1);
	write_cert("names", cert);

	/* user principal names */
	cert = new_cert(app);
	set_der(cert, NID_subject_alt_name, "\x30\x15" UPN "\x0C\x03"
										"app",
			23);
	write_cert("upn", cert);
	cert = new_cert(app);
	set_der(cert, NID_subject_alt_name, "\x30\x2A" UPN "\x0C\x03"
										"app" UPN "\x16\x03"
										"app",
			44);
	write_cert("two-upns", cert);

	cert = new_cert(NULL);
	set_der(cert, NID_subject_alt_name, "\x30\x05\x82\x01"
										"a",
			5);
	write_cert("bad-names", cert);

	cert = new_cert(app);
	set_der(cert, NID_basic_constraints, "\x30\x03\x01\x01\xFF", 5);
	set_der(cert, NID_key_usage, "\x03\x02\x01\x06", 4);
	write_cert("ca", cert);

	cert = new_cert(app);
	must(X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_UTF8STRING, (const unsigned char *) "b", -1, -1, -1) == 1 &&
			 X509_NAME_add_entry_by_OBJ(name, unknown, V_ASN1_UTF8STRING, (const unsigned char *) "x", -1, -1, 0) == 1 &&
			 X509_set_subject_name(cert, name) == 1,
		 "make a name");
	write_cert("unusual-subject", cert);
	write_names("unusual", X509_NAME_dup(name));

	cert = new_cert(app);
	must(X509_set_version(cert, X509_VERSION_1) == 1 &&
			 ASN1_TIME_set_string(X509_getm_notBefore(cert), "19500101000000Z") == 1 &&
			 ASN1_TIME_set_string(X509_getm_notAfter(cert), "99991231235959Z") == 1 &&
			 ASN1_STRING_set(X509_get_serialNumber(cert), "\xFE\xDC\xBA\x98\x76\x54\x32\x10\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C", 20) == 1,
		 "set dates");
	write_cert("version-1", cert);

	cert = new_cert(app);
	must(ASN1_INTEGER_set(X509_get_serialNumber(cert), -129) == 1, "set a serial");
	write_cert("negative", cert);
	X509_NAME_free(name);
	ASN1_OBJECT_free(unknown);
}

static X509_CRL *
new_crl(bool next_update)
{
	static const Attribute issuer[] = {CN("CA"), {0}};
	X509_CRL   *crl = X509_CRL_new();
	X509_NAME  *name = make_name(issuer);
	ASN1_TIME  *from = ASN1_TIME_new();
	ASN1_TIME  *to = ASN1_TIME_new();

	must(ASN1_TIME_set_string(from, "20250101000000Z") == 1 && ASN1_TIME_set_string(to, "20250201000000Z") == 1 &&
			 X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 && X509_CRL_set_issuer_name(crl, name) == 1 &&
			 X509_CRL_set1_lastUpdate(crl, from) == 1 && (!next_update || X509_CRL_set1_nextUpdate(crl, to) == 1),
		 "make a CRL");
	X509_NAME_free(name);
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	return crl;
}

/*
 * An extension with this content.
 */
static X509_EXTENSION *
extension(const char *oid, int critical, const char *bytes, int len)
{
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
	ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
	X509_EXTENSION *result;

	ASN1_OCTET_STRING_set(octets, (const unsigned char *) bytes, len);
	result = X509_EXTENSION_create_by_OBJ(NULL, object, critical, octets);
	must(result != NULL, "make an extension");
	ASN1_OCTET_STRING_free(octets);
	ASN1_OBJECT_free(object);
	return result;
}

/*
 * An entry; reason -1 for none.  ext is freed.
 */
static void
revoke(X509_CRL *crl, const char *serial, int len, const char *date, int reason, X509_EXTENSION *ext)
{
	X509_REVOKED *entry = X509_REVOKED_new();
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	ASN1_TIME  *time = ASN1_TIME_new();
	ASN1_ENUMERATED *value = ASN1_ENUMERATED_new();

	must(ASN1_STRING_set(number, serial, len) == 1 && ASN1_TIME_set_string(time, date) == 1 &&
			 X509_REVOKED_set_serialNumber(entry, number) == 1 && X509_REVOKED_set_revocationDate(entry, time) == 1 &&
			 ASN1_ENUMERATED_set(value, reason) == 1 &&
			 (reason < 0 || X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, value, 0, 0) == 1) &&
			 (ext == NULL || X509_REVOKED_add_ext(entry, ext, -1) == 1) && X509_CRL_add0_revoked(crl, entry) == 1,
		 "revoke");
	X509_EXTENSION_free(ext);
	ASN1_INTEGER_free(number);
	ASN1_TIME_free(time);
	ASN1_ENUMERATED_free(value);
}

/*
 * Signatures that would differ each time are replaced by nonsense; the fuzzer
 * signs by itself.  Frees the CRL.
 */
static void
write_crl(const char *name, X509_CRL *crl, EVP_PKEY *key)
{
	const ASN1_BIT_STRING *signature;
	unsigned char *der = NULL;
	int			len;

	must(X509_CRL_sign(crl, key, key == fixed_key() ? NULL : EVP_sha256()) > 0, "sign");
	X509_CRL_get0_signature(crl, &signature, NULL);
	if (key != fixed_key())
		ASN1_STRING_set((ASN1_STRING *) signature, "signature", 9);
	len = i2d_X509_CRL(crl, &der);
	must(len > 0, "encode");
	write_seed("crl", name, der, (size_t) len);
	write_pem(psprintf("crl-%s", name), NULL, crl, NULL, NULL, strcmp(name, "plain") == 0 ? "text\n" : NULL);
	OPENSSL_free(der);
	X509_CRL_free(crl);
}

static X509_CRL *
crl_with(const char *oid, int critical, const char *bytes, int len)
{
	X509_CRL   *crl = new_crl(true);
	X509_EXTENSION *ext = extension(oid, critical, bytes, len);

	must(X509_CRL_add_ext(crl, ext, -1) == 1, "add an extension");
	X509_EXTENSION_free(ext);
	revoke(crl, "\x2A", 1, "250102030405Z", 1, NULL);
	return crl;
}

/*
 * A CRL and a certificate in one text, in either order.
 */
static void
write_mixture(X509 *cert)
{
	X509_CRL   *crl = new_crl(true);

	revoke(crl, "\x01", 1, "250102030405Z", 1, NULL);
	must(X509_CRL_sign(crl, fixed_key(), NULL) > 0, "sign");
	write_pem("certificate-and-crl", cert, crl, NULL, NULL, NULL);
	write_pem("crl-and-certificate", NULL, crl, NULL, cert, NULL);
	X509_CRL_free(crl);
}

static void
write_crls(void)
{
	/* both sides of every edge */
	static const char *const dates[] = {
		"491231235959Z",
		"500101000000Z",
		"691231235959Z",
		"700101000000Z",
		"991231235959Z",
		"000101000000Z",
		"240229120000Z",
		"240301000000Z",
		"250228235959Z",
		"250301000000Z",
		"251130010203Z",
		"19000228000000Z",
		"19000301000000Z",
		"20000229000000Z",
		"21000228235959Z",
		"21000301000000Z",
		"00010101000000Z",
		"99991231235959Z",
	};
	X509_CRL   *crl = new_crl(true);

	revoke(crl, "\x01", 1, "250102030405Z", -1, NULL);
	revoke(crl, "\x80\x01", 2, "20250102030405Z", 1, NULL);
	revoke(crl, "\x7F\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F\x10\x11\x12\x13", 20, "20510102030405Z", 10, NULL);
	write_crl("plain", crl, fixed_key());

	write_crl("empty", new_crl(true), fixed_key());
	write_crl("no-next-update", new_crl(false), fixed_key());
	write_crl("number", crl_with("2.5.29.20", 0, "\x02\x01\x11", 3), fixed_key());
	write_crl("delta", crl_with("2.5.29.27", 1, "\x02\x01\x11", 3), fixed_key());
	write_crl("indirect", crl_with("2.5.29.28", 1, "\x30\x03\x84\x01\xFF", 5), fixed_key());
	write_crl("partition", crl_with("2.5.29.28", 1, "\x30\x03\x81\x01\xFF", 5), fixed_key());
	write_crl("critical", crl_with("1.2.3.4.5", 1, "\x05\x00", 2), fixed_key());

	crl = new_crl(true);
	revoke(crl, "\x01", 1, "250102030405Z", 8, NULL);
	revoke(crl, "\x02", 1, "250102030405Z", 1, extension("2.5.29.24", 0, "\x18\x0F"
																		 "20250101000000Z",
														 17));
	revoke(crl, "\x03", 1, "250102030405Z", -1, extension("1.2.3.4", 1, "\x05\x00", 2));
	revoke(crl, "\x04", 1, "250102030405Z", -1, extension("2.5.29.29", 1, "\x30\x03\x82\x01"
																		  "a",
														  5));
	write_crl("extensions", crl, fixed_key());

	crl = new_crl(true);
	for (int i = 0; i < (int) lengthof(dates); i++)
		revoke(crl, (char[]){(char) (i + 1)}, 1, dates[i], -1, NULL);
	write_crl("dates", crl, fixed_key());

	crl = new_crl(true);
	for (int i = 0; i < 100; i++)
	{
		const char	serial[] = {(char) 0x40, (char) i};

		revoke(crl, serial, 2, "250102030405Z", i % 11 == 7 ? -1 : i % 11, NULL);
	}
	write_crl("hundred", crl, fixed_key());

	crl = new_crl(true);
	revoke(crl, "\x01", 1, "250102030405Z", 4, NULL);
	write_crl("ecdsa", crl, test_key());

	crl = new_crl(true);
	revoke(crl, "\x01", 1, "250102030405Z", 4, NULL);
	write_crl("rsa", crl, EVP_RSA_gen(1024));

	crl = new_crl(true);
	must(X509_CRL_set_version(crl, X509_CRL_VERSION_1) == 1, "set a version");
	revoke(crl, "\x01", 1, "250102030405Z", -1, NULL);
	write_crl("version-1", crl, fixed_key());
}

/*
 * Inputs of fuzzers that make something of any bytes: the same random ones each
 * time.
 */
static void
write_bytes(const char *fuzzer, size_t len)
{
	uint8		bytes[256];
	uint32		state = 1;

	for (int i = 0; i < 64; i++)
	{
		for (size_t k = 0; k < len; k++)
		{
			state = state * 1664525 + 1013904223;
			bytes[k] = (uint8) (state >> 24);
		}
		write_seed(fuzzer, psprintf("bytes-%d", i), bytes, len);
	}
}

int
main(int argc, char **argv)
{
	static const Attribute app[] = {CN("app"), {0}};
	X509	   *cert = new_cert(app);
	X509	   *other = new_cert(app);

	must(argc == 2, "write to no folder: give one");
	folder = argv[1];
	write_bytes("evaluate", 120);
	write_bytes("index", 24);
	write_subjects();
	write_other_certs();
	write_crls();

	must(X509_set_pubkey(cert, fixed_key()) == 1 && X509_sign(cert, fixed_key(), NULL) > 0, "sign");
	write_pem("certificate", cert, NULL, NULL, NULL, NULL);
	write_pem("certificate-and-key", cert, NULL, fixed_key(), NULL, "Bag Attributes\n  none: <0>\n");
	write_mixture(cert);
	write_pem("key", NULL, NULL, fixed_key(), NULL, NULL);
	must(X509_NAME_add_entry_by_NID(X509_get_subject_name(other), NID_commonName, V_ASN1_UTF8STRING,
									(const unsigned char *) "b", -1, -1, 0) == 1 &&
			 X509_set_pubkey(other, fixed_key()) == 1 && X509_sign(other, fixed_key(), NULL) > 0,
		 "sign");
	write_pem("two-certificates", cert, NULL, NULL, other, NULL);
	X509_free(other);
	must(X509_add1_trust_object(cert, OBJ_nid2obj(NID_client_auth)) == 1, "trust");
	write_pem("trusted", NULL, NULL, NULL, cert, NULL);
	X509_free(cert);
	return 0;
}
