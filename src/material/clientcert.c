/*-------------------------------------------------------------------------
 *
 * clientcert.c
 *		Would the server, with its files as they are, accept a client certificate?
 *
 * As the handshake judges it, by the files that the settings name.  Policies come
 * after that, and so do sslpolicy.blocked_fingerprints and sslpolicy.crl_file.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/x509v3.h>

#include "libpq/libpq.h"
#include "postmaster/postmaster.h"

#include "base/compat.h"
#include "base/memory.h"
#include "material/clientcert.h"
#include "material/generation.h"
#include "material/material.h"
#include "material/ownkeys.h"
#include "pki/x509.h"

MaterialFiles
files_of_settings(void)
{
	MaterialFiles files = {ssl_cert_file, ssl_key_file, ssl_ca_file, ssl_crl_file, ssl_crl_dir};

	return files;
}

/*
 * Judge a certificate with the others that came with it, by the files that the
 * settings name.
 */
static void
judge_by_files(ClientCertificate *result, X509 *leaf, STACK_OF(X509) *sent, int64 at)
{
	MaterialFiles files = files_of_settings();

	files.cert_file = files.key_file = "";
	result->context = build_context(&files, &result->error);
	if (result->context == NULL)
		return;
	(void) free_at_reset(result->context, (void (*)(void *)) SSL_CTX_free);
	if (files.ca_file[0] == '\0')
	{
		result->error = "ssl_ca_file is not set: the server accepts no client certificate";
		return;
	}
	result->verification = verify_in_store(SSL_CTX_get_cert_store(result->context), leaf, sent,
										   X509_PURPOSE_SSL_CLIENT,
										   SSL_CTX_get_security_level(result->context), at);
	if (!result->verification->ok)
		result->error = verification_text(result->verification);
	else if (result->verification->facts != NULL)
		result->facts = result->verification->facts;
	else
		result->error = "a certificate of its chain cannot be read";
	result->revoked = result->verification->revoked;
}

/*
 * The first certificate is the client's, the others its intermediates.  at is in seconds
 * since 1970-01-01 UTC.  An error (invalid_parameter_value) if there is none, or none
 * that can be read.
 */
ClientCertificate *
judge_client_certificate(const PemContent *given, int64 at)
{
	ClientCertificate *result = palloc0(sizeof(ClientCertificate));
	X509	   *leaf;

	if (sk_X509_num(given->certs) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no certificate in the text"),
				 given->other ? errdetail("It holds a PEM block of type \"%s\".", given->other) : 0,
				 errhint("Give the text of the client's certificate in PEM, from -----BEGIN CERTIFICATE----- on; not the name of its file.")));
	leaf = sk_X509_value(given->certs, 0);
	result->facts = read_certificate(leaf, NULL);
	if (result->facts == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the certificate cannot be read")));
	result->own_key = has_own_key(leaf, NULL);

	judge_by_files(result, leaf, given->certs, at);
	return result;
}

/*
 * Judge a certificate that a handshake has verified by what is in force now.  That
 * works by the files, if they are what the server has loaded last.  If they are not
 * what is in force, no certificate is accepted.
 */
ClientCertificate *
judge_peer_certificate(X509 *leaf, STACK_OF(X509) *sent, int64 at)
{
	ClientCertificate *result = palloc0(sizeof(ClientCertificate));
	const LoadState *state = load_state();

	if (!EnableSSL)
		result->error = "ssl is off: the server accepts no client certificate";
	else if (compat_certificates_by_host())
		result->error = "pg_hosts.conf sets the CAs for the host that the client has asked for";
	else if (state->failed > state->in_force && state->failed == state->attempt)
		result->error = "the server could not load its TLS files as they are now";
	else
		judge_by_files(result, leaf, sent, at);
	return result;
}
