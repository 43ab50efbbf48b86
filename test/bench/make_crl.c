/*-------------------------------------------------------------------------
 *
 * make_crl.c
 *		Writes a large CRL, quickly.
 *
 * make_crl CA.crt CA.key ENTRIES OUTPUT.der|OUTPUT.pem
 *			[--revoke SERIAL_HEX]... [--number N]
 *
 * ENTRIES entries with serials that look random but are the same every time,
 * some with reasons, and one for each --revoke, which says a serial as openssl
 * prints it.  Valid for 30 days from now.  OpenSSL would make objects of all;
 * here the DER is made three times: to know its length, to sign it, to write it.
 * The key is one of RSA or EC.
 *
 *-------------------------------------------------------------------------
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define DAY			86400
#define VALID_DAYS	30
#define MAX_REVOKED 100
#define MAX_ENTRY	128
#define BUFFER_SIZE 65536

typedef struct Job
{
	X509	   *ca;
	EVP_PKEY   *key;
	long		entries;
	long		number;
	int			nrevoked;
	unsigned char *revoked[MAX_REVOKED];	/* INTEGERs in DER */
	int			revoked_len[MAX_REVOKED];
	char		date[14];		/* of all entries */
} Job;

typedef struct Output
{
	FILE	   *file;			/* each of the three may be NULL */
	EVP_MD_CTX *signing;
	EVP_ENCODE_CTX *base64;
} Output;

static void
must(bool done, const char *what)
{
	if (done)
		return;
	fprintf(stderr, "cannot %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

/* A generator of numbers that are as good as random here (splitmix64). */
static uint64_t
next_random(uint64_t *state)
{
	uint64_t	z = (*state += 0x9E3779B97F4A7C15);

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
	return z ^ (z >> 31);
}

static unsigned char *
put_head(unsigned char *to, int tag, uint64_t len)
{
	int			bytes = len < 0x80 ? 0 : len < 0x100 ? 1 :
		len < 0x10000						 ? 2 :
		len < 0x1000000						 ? 3 :
											   4;

	*to++ = (unsigned char) tag;
	*to++ = (unsigned char) (bytes ? 0x80 | bytes : (int) len);
	while (bytes-- > 0)
		*to++ = (unsigned char) (len >> (8 * bytes));
	return to;
}

static size_t
head_len(uint64_t len)
{
	unsigned char head[8];

	return (size_t) (put_head(head, 0, len) - head);
}

/*
 * One entry.  integer is the serial in DER, NULL for a random one.
 */
static size_t
make_entry(const Job *job, uint64_t *state, const unsigned char *integer, int integer_len,
		   unsigned char *entry)
{
	/* extensions { reasonCode, keyCompromise }; the last byte is the reason */
	static const unsigned char reason[] = {
		0x30,
		0x0C,
		0x30,
		0x0A,
		0x06,
		0x03,
		0x55,
		0x1D,
		0x15,
		0x04,
		0x03,
		0x0A,
		0x01,
		0x01,
	};
	uint64_t	random = next_random(state);
	unsigned char content[MAX_ENTRY];
	unsigned char *to = content;
	size_t		len;

	if (integer)
	{
		memcpy(to, integer, (size_t) integer_len);
		to += integer_len;
	}
	else
	{
		int			serial_len = 16 + (int) (random % 5);

		to = put_head(to, 0x02, (uint64_t) serial_len);
		for (int i = 0; i < serial_len; i += 8)
		{
			uint64_t	bytes = next_random(state);

			memcpy(to + i, &bytes, sizeof(bytes));
		}
		/* positive, and in the shortest form */
		to[0] = (unsigned char) ((to[0] & 0x7F) | 0x40);
		to += serial_len;
	}
	to = put_head(to, 0x17, 13);
	memcpy(to, job->date, 13);
	to += 13;
	if (random >> 32 & 1)
	{
		memcpy(to, reason, sizeof(reason));
		to += sizeof(reason);
		to[-1] = (unsigned char) (1 + (random >> 40) % 5);
	}
	len = (size_t) (to - content);
	to = put_head(entry, 0x30, len);
	memcpy(to, content, len);
	return (size_t) (to - entry) + len;
}

static void
put(Output *out, const unsigned char *bytes, size_t len)
{
	unsigned char text[2 * BUFFER_SIZE];
	int			text_len;

	if (out->signing)
		must(EVP_DigestSignUpdate(out->signing, bytes, len) == 1, "sign");
	if (out->base64)
	{
		must(EVP_EncodeUpdate(out->base64, text, &text_len, bytes, (int) len) == 1, "encode");
		bytes = text;
		len = (size_t) text_len;
	}
	if (out->file)
		must(fwrite(bytes, 1, len, out->file) == len, "write");
}

/*
 * All entries, to out, or nowhere if it is NULL.  Returns their length.
 */
static uint64_t
put_entries(const Job *job, Output *out)
{
	static unsigned char buffer[BUFFER_SIZE];
	size_t		filled = 0;
	uint64_t	total = 0;
	uint64_t	state = 1;

	for (long i = 0; i < job->entries + job->nrevoked; i++)
	{
		/* those to be revoked are the last ones */
		long		revoked = i - job->entries;
		size_t		len;

		if (filled > sizeof(buffer) - MAX_ENTRY - 8)
		{
			if (out)
				put(out, buffer, filled);
			filled = 0;
		}
		len = revoked < 0 ? make_entry(job, &state, NULL, 0, buffer + filled) :
							make_entry(job, &state, job->revoked[revoked], job->revoked_len[revoked],
									   buffer + filled);
		filled += len;
		total += len;
	}
	if (out && filled > 0)
		put(out, buffer, filled);
	return total;
}

/*
 * A CRL without entries, signed, to take the pieces from that are not entries.
 */
static X509_CRL *
make_shell(const Job *job)
{
	X509_CRL   *crl = X509_CRL_new();
	ASN1_TIME  *now = ASN1_TIME_set(NULL, time(NULL));
	ASN1_TIME  *end = ASN1_TIME_set(NULL, time(NULL) + VALID_DAYS * DAY);
	ASN1_INTEGER *number = ASN1_INTEGER_new();

	must(crl && now && end && number &&
			 X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
			 X509_CRL_set_issuer_name(crl, X509_get_subject_name(job->ca)) == 1 &&
			 X509_CRL_set1_lastUpdate(crl, now) == 1 &&
			 X509_CRL_set1_nextUpdate(crl, end) == 1 &&
			 ASN1_INTEGER_set(number, job->number) == 1 &&
			 X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) == 1 &&
			 X509_CRL_sign(crl, job->key, EVP_sha256()) > 0,
		 "make a CRL");
	ASN1_TIME_free(now);
	ASN1_TIME_free(end);
	ASN1_INTEGER_free(number);
	return crl;
}

/*
 * Skip one element.
 */
static const unsigned char *
behind(const unsigned char *pos, const unsigned char *end)
{
	long		len;
	int			tag;
	int			class;

	must((ASN1_get_object(&pos, &len, &tag, &class, end - pos) & 0x80) == 0, "read the CRL");
	return pos + len;
}

/*
 * The content of a SEQUENCE.
 */
static const unsigned char *
inside(const unsigned char *pos, const unsigned char *end)
{
	long		len;
	int			tag;
	int			class;

	must((ASN1_get_object(&pos, &len, &tag, &class, end - pos) & 0x80) == 0, "read the CRL");
	return pos;
}

/* What stands around the entries, in the shell's DER. */
typedef struct Parts
{
	const unsigned char *prefix;
	const unsigned char *suffix;
	const unsigned char *end;
	uint64_t	entries_len;
	uint64_t	tbs_len;		/* of the content, with the entries */
} Parts;

static void
find_parts(const Job *job, const unsigned char *der, int len, Parts *parts)
{
	const unsigned char *end = der + len;
	const unsigned char *tbs = inside(der, end);

	parts->end = behind(tbs, end);
	parts->prefix = inside(tbs, end);
	parts->suffix = parts->prefix;
	/* version, algorithm, issuer and the two dates come before the list */
	for (int i = 0; i < 5; i++)
		parts->suffix = behind(parts->suffix, parts->end);
	parts->entries_len = put_entries(job, NULL);
	parts->tbs_len = (uint64_t) (parts->end - parts->prefix) + parts->entries_len;
	if (parts->entries_len)
		parts->tbs_len += head_len(parts->entries_len);
}

static void
put_sequence(Output *out, uint64_t len)
{
	unsigned char head[8];

	put(out, head, (size_t) (put_head(head, 0x30, len) - head));
}

static void
put_tbs(const Job *job, const Parts *parts, Output *out)
{
	put_sequence(out, parts->tbs_len);
	put(out, parts->prefix, (size_t) (parts->suffix - parts->prefix));
	if (parts->entries_len)
	{
		put_sequence(out, parts->entries_len);
		put_entries(job, out);
	}
	put(out, parts->suffix, (size_t) (parts->end - parts->suffix));
}

/*
 * Sign the shell with the entries in it.
 */
static size_t
sign(const Job *job, const Parts *parts, unsigned char **signature)
{
	size_t		len = (size_t) EVP_PKEY_get_size(job->key);
	Output		out = {.signing = EVP_MD_CTX_new()};

	*signature = malloc(len);
	must(*signature && out.signing &&
			 EVP_DigestSignInit(out.signing, NULL, EVP_sha256(), NULL, job->key) == 1,
		 "sign");
	put_tbs(job, parts, &out);
	must(EVP_DigestSignFinal(out.signing, *signature, &len) == 1, "sign");
	EVP_MD_CTX_free(out.signing);
	return len;
}

static void
write_crl(const Job *job, Output *out)
{
	X509_CRL   *shell = make_shell(job);
	const X509_ALGOR *algorithm;
	unsigned char *der = NULL;
	unsigned char *algorithm_der = NULL;
	int			der_len = i2d_X509_CRL(shell, &der);
	int			algorithm_len;
	unsigned char *signature;
	size_t		signature_len;
	unsigned char head[9];
	unsigned char *head_end;
	Parts		parts;

	X509_CRL_get0_signature(shell, NULL, &algorithm);
	algorithm_len = i2d_X509_ALGOR((X509_ALGOR *) algorithm, &algorithm_der);
	must(der_len > 0 && algorithm_len > 0, "encode");
	find_parts(job, der, der_len, &parts);
	signature_len = sign(job, &parts, &signature);
	head_end = put_head(head, 0x03, signature_len + 1);
	*head_end++ = 0;			/* no unused bits */

	put_sequence(out, head_len(parts.tbs_len) + parts.tbs_len + (uint64_t) algorithm_len + (uint64_t) (head_end - head) + signature_len);
	put_tbs(job, &parts, out);
	put(out, algorithm_der, (size_t) algorithm_len);
	put(out, head, (size_t) (head_end - head));
	put(out, signature, signature_len);

	free(signature);
	OPENSSL_free(algorithm_der);
	OPENSSL_free(der);
	X509_CRL_free(shell);
}

static void
write_file(const Job *job, const char *path)
{
	size_t		len = strlen(path);
	Output		out = {.file = fopen(path, "wb")};
	unsigned char rest[128];
	int			rest_len;

	must(out.file != NULL, "open the output");
	if (len > 4 && strcmp(path + len - 4, ".pem") == 0)
	{
		out.base64 = EVP_ENCODE_CTX_new();
		EVP_EncodeInit(out.base64);
		fputs("-----BEGIN X509 CRL-----\n", out.file);
	}
	write_crl(job, &out);
	if (out.base64)
	{
		EVP_EncodeFinal(out.base64, rest, &rest_len);
		fwrite(rest, 1, (size_t) rest_len, out.file);
		fputs("-----END X509 CRL-----\n", out.file);
		EVP_ENCODE_CTX_free(out.base64);
	}
	must(fclose(out.file) == 0, "write");
}

static void
read_ca(Job *job, const char *cert_path, const char *key_path)
{
	FILE	   *cert = fopen(cert_path, "r");
	FILE	   *key = fopen(key_path, "r");

	must(cert && key, "open the CA's files");
	job->ca = PEM_read_X509(cert, NULL, NULL, NULL);
	job->key = PEM_read_PrivateKey(key, NULL, NULL, NULL);
	must(job->ca && job->key, "read the CA");
	fclose(cert);
	fclose(key);
}

static void
add_revoked(Job *job, const char *hex)
{
	BIGNUM	   *number = NULL;
	ASN1_INTEGER *integer;

	must(job->nrevoked < MAX_REVOKED && BN_hex2bn(&number, hex) == (int) strlen(hex),
		 "read a serial");
	integer = BN_to_ASN1_INTEGER(number, NULL);
	job->revoked_len[job->nrevoked] = i2d_ASN1_INTEGER(integer,
													   &job->revoked[job->nrevoked]);
	must(job->revoked_len[job->nrevoked] > 0 && job->revoked_len[job->nrevoked] < 64,
		 "encode a serial");
	job->nrevoked++;
	ASN1_INTEGER_free(integer);
	BN_free(number);
}

int
main(int argc, char **argv)
{
	Job			job = {.number = 1};
	time_t		now = time(NULL);

	if (argc < 5 || argc % 2 == 0)
	{
		fprintf(stderr, "usage: make_crl CA.crt CA.key ENTRIES OUTPUT.der|.pem "
						"[--revoke SERIAL_HEX]... [--number N]\n");
		return 2;
	}
	read_ca(&job, argv[1], argv[2]);
	job.entries = atol(argv[3]);
	strftime(job.date, sizeof(job.date), "%y%m%d%H%M%SZ", gmtime(&now));
	for (int i = 5; i + 1 < argc; i += 2)
	{
		if (strcmp(argv[i], "--revoke") == 0)
			add_revoked(&job, argv[i + 1]);
		else if (strcmp(argv[i], "--number") == 0)
			job.number = atol(argv[i + 1]);
		else
			must(false, "understand an option");
	}
	write_file(&job, argv[4]);
	X509_free(job.ca);
	EVP_PKEY_free(job.key);
	return 0;
}
