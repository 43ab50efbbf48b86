/*
 * For t/060_failed_handshakes.pl: another module that verifies client certificates
 * itself, and accepts none whose common name is "banned".  With FIRST it sets its callback
 * before it calls the previous hook, else afterwards.
 */
#include "postgres.h"

#include <openssl/ssl.h>

#include "fmgr.h"
#include "libpq/libpq-be.h"

#ifndef FIRST
#define FIRST 0
#endif

PG_MODULE_MAGIC;

void _PG_init(void);

static openssl_tls_init_hook_typ previous_hook = NULL;

static int
verify(X509_STORE_CTX *verification, void *arg)
{
	X509_NAME  *subject = X509_get_subject_name(X509_STORE_CTX_get0_cert(verification));
	char		name[64] = "";

	if (X509_verify_cert(verification) <= 0)
		return 0;
	X509_NAME_get_text_by_NID(subject, NID_commonName, name, sizeof(name));
	if (strcmp(name, "banned") != 0)
		return 1;
	X509_STORE_CTX_set_error(verification, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

static void
set_verify(SSL_CTX *context, bool is_server_start)
{
	if (FIRST)
		SSL_CTX_set_cert_verify_callback(context, verify, NULL);
	if (previous_hook)
		previous_hook(context, is_server_start);
	if (!FIRST)
		SSL_CTX_set_cert_verify_callback(context, verify, NULL);
}

void
_PG_init(void)
{
	previous_hook = openssl_tls_init_hook;
	openssl_tls_init_hook = set_verify;
}
