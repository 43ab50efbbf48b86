/*-------------------------------------------------------------------------
 *
 * receive.h
 *		A certificate as a server reads it, with what must hold of each.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_RECEIVE_H
#define SSLPOLICY_RECEIVE_H

#include <openssl/err.h>

#include "certs.h"
#include "tap.h"
#include "pki/x509.h"

/*
 * Read a certificate as a server would that has received it, and see that
 * OpenSSL's error queue is empty afterwards, and every string printable.
 * NULL, and no test, if OpenSSL did not take it.
 */
static inline CertFacts *
receive(X509 *cert, const char *what)
{
	X509	   *received = as_received(cert);
	CertFacts  *facts;

	if (received == NULL)
		return NULL;
	facts = read_certificate(received, NULL);
	is_int((int64) ERR_peek_error(), 0, "%s: error queue is empty", what);
	if (facts != NULL)
		ok(all_printable(facts), "%s: all strings are printable", what);
	X509_free(received);
	return facts;
}

#endif							/* SSLPOLICY_RECEIVE_H */
