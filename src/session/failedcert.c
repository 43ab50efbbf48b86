/*-------------------------------------------------------------------------
 *
 * failedcert.c
 *		Why the handshake did not accept the client's certificate.
 *
 * PostgreSQL 15 logs "certificate verify failed", and no more.  OpenSSL knows the
 * reason, and the certificate of the chain at which it stopped, only while it
 * verifies.  So we look when it has finished and frees what it verified with: it then
 * calls the "cleanup" of the store.  That is after the verdict, and OpenSSL ignores the
 * return value: nothing here can change a verdict.  (A callback in place of the
 * verification could, and OpenSSL does not say whether another module has one.)
 *
 * The callback runs in the middle of a handshake, so it neither allocates by palloc()
 * nor raises an error, and leaves OpenSSL's queue of errors alone.  It keeps the
 * certificate, and turns it into text only if the failure is logged.  A process
 * makes one handshake.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "base/compat.h"
#include "pki/x509.h"
#include "session/failedcert.h"
#include "session/storedfacts.h"

/* How much of a name and of a serial number is kept: all fits into a letter (mailbox.c). */
#define NAME_LEN   160
#define SERIAL_LEN 64

/* why this process's handshake has failed */
static int	failed_error = X509_V_OK;
static int	failed_depth = 0;
static X509 *failed_cert = NULL;

/*
 * A verification has ended.  The server also uses the store to build its own chain, and
 * to verify CRLs: only the verification of the client belongs to an SSL.
 */
static int
note_verification(X509_STORE_CTX *verification)
{
	int			error = X509_STORE_CTX_get_error(verification);
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(verification);

	if (error == X509_V_OK ||
		X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx()) == NULL)
		return 1;
	X509_free(failed_cert);
	failed_error = error;
	failed_depth = X509_STORE_CTX_get_error_depth(verification);
	/* NULL if there is none at that depth */
	failed_cert = chain ? sk_X509_value(chain, failed_depth) : NULL;
	if (failed_cert)
		(void) X509_up_ref(failed_cert);
	return 1;
}

/*
 * The postmaster has made a context, with which its processes will make handshakes.
 * If another module has already set a callback here, leave it.
 */
void
watch_verifications(SSL_CTX *context)
{
	X509_STORE *store = SSL_CTX_get_cert_store(context);

	if (!COMPAT_LOGS_FAILED_CERTIFICATE && store && X509_STORE_get_cleanup(store) == NULL)
		X509_STORE_set_cleanup(store, note_verification);
}

/*
 * Names that a stranger may have made up, short enough to leave room for the rest.
 */
static char *
bounded(const char *text, size_t size)
{
	char	   *result = palloc(size);

	copy_bounded_text(result, size, text ? text : "[unreadable]");
	return result;
}

/*
 * A line for the log, in the current memory context; NULL if the handshake did not fail
 * because of the certificate, or if nothing is known.
 */
char *
why_certificate_failed(const Port *port)
{
	const char *error = X509_verify_cert_error_string(failed_error);

	if (failed_error == X509_V_OK || port->ssl == NULL ||
		SSL_get_verify_result(port->ssl) != failed_error)
		return NULL;
	if (failed_cert == NULL)
		return psprintf("Certificate not accepted: %s; depth=%d.", error, failed_depth);
	return psprintf("Certificate not accepted: %s; depth=%d serial=%s subject=\"%s\" issuer=\"%s\".",
					error, failed_depth,
					bounded(integer_text(X509_get0_serialNumber(failed_cert)), SERIAL_LEN),
					bounded(dn_text(X509_get_subject_name(failed_cert)), NAME_LEN),
					bounded(dn_text(X509_get_issuer_name(failed_cert)), NAME_LEN));
}
