/*-------------------------------------------------------------------------
 *
 * givenpem.h
 *		PEM and DER as people have them: pasted, escaped, encoded.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_GIVENPEM_H
#define SSLPOLICY_GIVENPEM_H

#include "pki/pem.h"

#define UNENCRYPTED_KEY_HINT "Give an unencrypted key in PEM (openssl pkey -in key.pem removes a passphrase), or make one with sslpolicy.create_server_key()."

/* Why it is not taken. */
typedef struct PemProblem
{
	char	   *error;			/* NULL: no problem */
	const char *hint;			/* a whole sentence, or NULL */
	bool		is_key;			/* a private key is in what was given */
} PemProblem;

extern PemContent *read_given_pem(const char *bytes, size_t len, PemProblem *problem);
extern char *read_given_key(const char *bytes, size_t len, PemProblem *problem);

#endif							/* SSLPOLICY_GIVENPEM_H */
