/*-------------------------------------------------------------------------
 *
 * chain_oracle.c
 *		A certificate under a CA, verified by chain.c and by OpenSSL alone.
 *
 * chain.c goes on after an error, to name all of them.  It must not come to
 * another result by that than X509_verify_cert(), which stops at the first.
 *
 *-------------------------------------------------------------------------
 */
#include "chain_oracle.h"

#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "certs.h"
#include "pki/chain.h"
#include "fuzz.h"
#include "pki/x509.h"

#define SECURITY_LEVEL 1

static EVP_PKEY *ca_key;
static X509 *ca;
static STACK_OF(X509) *cas;
static X509_STORE *store;

static void
make_ca(void)
{
	static const Attribute subject[] = {CN("CA of the fuzzer"), {0}};
	X509	   *cert;

	if (ca != NULL)
		return;
	ca_key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL,
										  (const unsigned char *) "another key of thirty-two bytes!", 32);
	cert = new_cert(subject);
	set_der(cert, NID_basic_constraints, "\x30\x03\x01\x01\xFF", 5);
	HOLDS(ca_key && X509_set_pubkey(cert, ca_key) == 1 && X509_sign(cert, ca_key, NULL) > 0, "make a CA");
	ca = as_received(cert);
	cas = sk_X509_new_null();
	store = X509_STORE_new();
	HOLDS(ca && sk_X509_push(cas, ca) && X509_STORE_add_cert(store, ca) == 1, "trust the CA");
}

static bool
verified_by_openssl(X509 *cert, int purpose, int64 at)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	bool		result;

	HOLDS(X509_STORE_CTX_init(ctx, store, cert, NULL) == 1 && X509_STORE_CTX_set_purpose(ctx, purpose) == 1,
		  "begin to verify");
	X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(ctx), SECURITY_LEVEL);
	X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), (time_t) at);
	result = X509_verify_cert(ctx) == 1;
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return result;
}

static void
check_at(X509 *cert, int purpose, int64 at)
{
	Verification *v = verify_in_store(store, cert, NULL, purpose, SECURITY_LEVEL, at);
	uint8		fingerprint[FINGERPRINT_LEN];

	HOLDS(ERR_peek_error() == 0, "OpenSSL's error queue is not empty");
	HOLDS(v->ok == verified_by_openssl(cert, purpose, at), "verified: %d (%s)", v->ok, verification_text(v));
	HOLDS(v->ok == (v->nerrors == 0), "verified: %d, with %d errors", v->ok, v->nerrors);
	if (!v->ok)
		return;
	HOLDS(v->nchain == 2 && strcmp(v->chain[1], "CN=CA of the fuzzer") == 0, "a chain of %d", v->nchain);
	HOLDS(is_issued_by(cert, ca) && find_issuer(cert, cas) == ca, "issued by nobody");
	HOLDS((v->facts == NULL) == (read_certificate(cert, NULL) == NULL), "facts only in a chain, or not there");
	if (v->facts)
		HOLDS(v->facts->ncas == 1 && certificate_fingerprint(ca, fingerprint) &&
				  memcmp(v->facts->cas[0].fingerprint, fingerprint, FINGERPRINT_LEN) == 0,
			  "another CA");
}

/*
 * The certificate as this CA would have issued it.
 */
void
check_verification(X509 *cert)
{
	static const int64 times[] = {INT64CONST(1736899200), INT64CONST(1893456000)};	/* 2025-01-15, 2030-01-01 */
	X509	   *issued;

	make_ca();
	issued = X509_dup(cert);
	if (issued && X509_set_issuer_name(issued, X509_get_subject_name(ca)) == 1 &&
		X509_sign(issued, ca_key, NULL) > 0)
	{
		issued = as_received(issued);
		for (int i = 0; issued && i < 2; i++)
			check_at(issued, i ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT, times[i]);
	}
	X509_free(issued);
	ERR_clear_error();
}
