/*-------------------------------------------------------------------------
 *
 * make_cas.c
 *		Many CAs, and an empty revocation list of each.
 *
 * make_cas COUNT CAS.pem CRLS.pem
 *
 * All have one key, since only their number matters.  There are no more than MAX_CAS,
 * since no TLS handshake takes more than 64 kB of their names.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define MAX_CAS 3000

static void
must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "make_cas: %s failed\n", what);
	exit(1);
}

static void
add_extension(X509 *ca, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	must(extension != NULL && X509_add_ext(ca, extension, -1), "extension");
	X509_EXTENSION_free(extension);
}

static void
write_ca(FILE *file, const X509_NAME *name, long serial, EVP_PKEY *key)
{
	X509	   *ca = X509_new();

	must(ca != NULL && X509_set_version(ca, X509_VERSION_3) && ASN1_INTEGER_set(X509_get_serialNumber(ca), serial) &&
			 X509_set_subject_name(ca, name) && X509_set_issuer_name(ca, name) &&
			 X509_gmtime_adj(X509_getm_notBefore(ca), -3600) != NULL &&
			 X509_gmtime_adj(X509_getm_notAfter(ca), 86400 * 365) != NULL && X509_set_pubkey(ca, key),
		 "certificate");
	add_extension(ca, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(ca, NID_key_usage, "critical,keyCertSign,cRLSign");
	must(X509_sign(ca, key, EVP_sha256()) > 0 && PEM_write_X509(file, ca), "writing a CA");
	X509_free(ca);
}

static void
write_crl(FILE *file, const X509_NAME *name, EVP_PKEY *key)
{
	X509_CRL   *crl = X509_CRL_new();
	ASN1_TIME  *time = ASN1_TIME_new();

	must(crl != NULL && X509_CRL_set_version(crl, X509_CRL_VERSION_2) && X509_CRL_set_issuer_name(crl, name) &&
			 X509_gmtime_adj(time, -3600) != NULL && X509_CRL_set1_lastUpdate(crl, time) &&
			 X509_gmtime_adj(time, 86400 * 30) != NULL && X509_CRL_set1_nextUpdate(crl, time) &&
			 X509_CRL_sign(crl, key, EVP_sha256()) > 0 && PEM_write_X509_CRL(file, crl),
		 "writing a CRL");
	ASN1_TIME_free(time);
	X509_CRL_free(crl);
}

static X509_NAME *
name_of(long number)
{
	X509_NAME  *name = X509_NAME_new();
	char		text[40];

	(void) snprintf(text, sizeof(text), "%ld", number);
	must(name != NULL && X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (unsigned char *) text, -1, -1, 0), "name");
	return name;
}

int
main(int argc, char **argv)
{
	long		count = argc == 4 ? atol(argv[1]) : 0;
	EVP_PKEY   *key = EVP_EC_gen("P-256");
	FILE	   *cas;
	FILE	   *crls;

	if (count < 1)
	{
		fprintf(stderr, "usage: make_cas COUNT CAS.pem CRLS.pem\n");
		return 2;
	}
	cas = fopen(argv[2], "w");
	crls = fopen(argv[3], "w");
	must(key != NULL && cas != NULL && crls != NULL, "opening files");
	for (long i = 1; i <= count && i <= MAX_CAS; i++)
	{
		X509_NAME  *name = name_of(i);

		write_ca(cas, name, i, key);
		write_crl(crls, name, key);
		X509_NAME_free(name);
	}
	must(fclose(cas) == 0 && fclose(crls) == 0, "closing files");
	EVP_PKEY_free(key);
	return 0;
}
