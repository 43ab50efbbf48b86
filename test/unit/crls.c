/*-------------------------------------------------------------------------
 *
 * crls.c
 *		CRLs for the tests of crlreader.c, made in memory, and what it reads.
 *
 *-------------------------------------------------------------------------
 */
#include "crls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

typedef struct Memory
{
	Bytes		bytes;
	size_t		pos;
	size_t		chunk;
} Memory;

Seen		seen[MAX_ENTRIES];
int			nseen;
int			npauses;
size_t		chunk_size = 1000000;

void
must(bool done, const char *what)
{
	if (done)
		return;
	fprintf(stderr, "cannot %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(2);
}

static ssize_t
read_memory(void *arg, char *buf, size_t size)
{
	Memory	   *m = arg;
	size_t		len = Min(Min(size, m->chunk), m->bytes.len - m->pos);

	memcpy(buf, m->bytes.data + m->pos, len);
	m->pos += len;
	return (ssize_t) len;
}

static void
count_pause(void)
{
	npauses++;
}

static void
see(void *arg, int crl, const uint8 *serial, int len, int64 since, int reason)
{
	Seen	   *s = &seen[nseen++];

	must(nseen <= MAX_ENTRIES && len <= MAX_SERIAL_LEN, "keep an entry");
	s->crl = crl;
	s->len = len;
	s->since = since;
	s->reason = reason;
	memcpy(s->serial, serial, (size_t) len);
}

static const CrlSink sink = {.entry = see};

CrlFile *
read_bytes(Bytes bytes, STACK_OF(X509) *cas, char **error)
{
	Memory		memory = {bytes, 0, chunk_size};
	CrlInput	input = {read_memory, &memory, count_pause};
	CrlReader  *reader = new_crl_reader(&input);
	CrlFile    *file;

	nseen = 0;
	npauses = 0;
	file = read_crls(reader, cas ? sort_cas_by_name(cas) : NULL, &sink, error);
	free_crl_reader(reader);
	return file;
}

/*
 * Do they say the same?  (Freeing nothing: a test is short.)
 */
bool
same_facts(const CrlFacts *a, const CrlFacts *b)
{
	return strcmp(a->issuer_dn, b->issuer_dn) == 0 && a->this_update == b->this_update &&
		a->next_update == b->next_update && a->has_next_update == b->has_next_update &&
		a->entries == b->entries &&
		memcmp(a->fingerprint, b->fingerprint, FINGERPRINT_LEN) == 0 &&
		(a->number == NULL) == (b->number == NULL) &&
		(a->number == NULL || strcmp(a->number, b->number) == 0) &&
		(a->unsupported == NULL) == (b->unsupported == NULL) &&
		(a->unsupported == NULL || strcmp(a->unsupported, b->unsupported) == 0);
}

X509 *
make_ca(const char *name, EVP_PKEY *key, const char *usage)
{
	Attribute	subject[] = {CN(name), {0}};
	X509	   *cert = new_cert(subject);

	must(X509_set_pubkey(cert, key) == 1, "set a key");
	if (usage)
		set_der(cert, NID_key_usage, usage, 4);
	cert = as_received(cert);
	must(cert != NULL, "make a CA");
	return cert;
}

X509_CRL *
new_crl(X509 *ca)
{
	X509_CRL   *crl = X509_CRL_new();
	ASN1_TIME  *from = ASN1_TIME_new();
	ASN1_TIME  *to = ASN1_TIME_new();
	ASN1_INTEGER *number = ASN1_INTEGER_new();

	must(crl && ASN1_TIME_set_string(from, "20250101000000Z") == 1 &&
			 ASN1_TIME_set_string(to, "20250201000000Z") == 1 &&
			 X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
			 X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca)) == 1 &&
			 X509_CRL_set1_lastUpdate(crl, from) == 1 &&
			 X509_CRL_set1_nextUpdate(crl, to) == 1 &&
			 ASN1_INTEGER_set(number, 17) == 1 &&
			 X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) == 1,
		 "make a CRL");
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	ASN1_INTEGER_free(number);
	return crl;
}

/*
 * Revoke; reason -1 for none.
 */
void
revoke(X509_CRL *crl, const ASN1_INTEGER *serial, const char *date, int reason)
{
	X509_REVOKED *entry = X509_REVOKED_new();
	ASN1_TIME  *time = ASN1_TIME_new();
	ASN1_ENUMERATED *value = ASN1_ENUMERATED_new();

	must(entry && X509_REVOKED_set_serialNumber(entry, (ASN1_INTEGER *) serial) == 1 &&
			 ASN1_TIME_set_string(time, date) == 1 &&
			 X509_REVOKED_set_revocationDate(entry, time) == 1 &&
			 ASN1_ENUMERATED_set(value, reason) == 1 &&
			 (reason < 0 || X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, value, 0, 0) == 1) &&
			 X509_CRL_add0_revoked(crl, entry) == 1,
		 "revoke");
	ASN1_TIME_free(time);
	ASN1_ENUMERATED_free(value);
}

void
revoke_number(X509_CRL *crl, long serial, int reason)
{
	ASN1_INTEGER *number = ASN1_INTEGER_new();

	must(ASN1_INTEGER_set(number, serial) == 1, "set a serial");
	revoke(crl, number, "250102030405Z", reason);
	ASN1_INTEGER_free(number);
}

/*
 * Sign, with PSS if a salt length of 0 or more is given; DER.
 */
Bytes
signed_der(X509_CRL *crl, EVP_PKEY *key, const EVP_MD *digest, int salt_len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *key_ctx = NULL;
	unsigned char *der = NULL;
	int			len;

	must(EVP_DigestSignInit(ctx, &key_ctx, digest, NULL, key) == 1, "sign");
	if (salt_len >= 0)
		must(EVP_PKEY_CTX_set_rsa_padding(key_ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
				 EVP_PKEY_CTX_set_rsa_pss_saltlen(key_ctx, salt_len) > 0,
			 "use PSS");
	must(X509_CRL_sign_ctx(crl, ctx) > 0, "sign");
	EVP_MD_CTX_free(ctx);
	len = i2d_X509_CRL(crl, &der);
	must(len > 0, "encode");
	return (Bytes){(char *) der, (size_t) len};
}

Bytes
as_pem(Bytes der)
{
	BIO		   *bio = BIO_new(BIO_s_mem());
	char	   *data;
	long		len;
	char	   *copy;

	must(PEM_write_bio(bio, "X509 CRL", "", (unsigned char *) der.data, (long) der.len) > 0,
		 "write PEM");
	len = BIO_get_mem_data(bio, &data);
	copy = palloc((size_t) len);
	memcpy(copy, data, (size_t) len);
	BIO_free(bio);
	return (Bytes){copy, (size_t) len};
}

Bytes
joined(Bytes a, Bytes b)
{
	char	   *data = palloc(a.len + b.len + 1);

	memcpy(data, a.data, a.len);
	memcpy(data + a.len, b.data, b.len);
	return (Bytes){data, a.len + b.len};
}

Bytes
str(const char *s)
{
	return (Bytes){s, strlen(s)};
}

STACK_OF(X509) *
cas_of(X509 *a, X509 *b, X509 *c)
{
	STACK_OF(X509) *cas = sk_X509_new_null();

	sk_X509_push(cas, a);
	if (b)
		sk_X509_push(cas, b);
	if (c)
		sk_X509_push(cas, c);
	return cas;
}

/*
 * The facts that read_crl() reads of the whole.
 */
CrlFacts *
openssl_facts(Bytes der)
{
	const unsigned char *pos = (const unsigned char *) der.data;
	X509_CRL   *crl = d2i_X509_CRL(NULL, &pos, (long) der.len);
	CrlFacts   *facts = crl ? read_crl(crl) : NULL;

	must(facts != NULL, "read the CRL by OpenSSL");
	X509_CRL_free(crl);
	return facts;
}
