/*-------------------------------------------------------------------------
 *
 * crlbuild.h
 *		Verifies CRLs, and builds the index of what they revoke.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CRLBUILD_H
#define SSLPOLICY_CRLBUILD_H

#include <openssl/x509.h>

#include "lib/stringinfo.h"

#include "policy/facts.h"

/* Which CRLs, and which index. */
typedef struct CrlSet
{
	const char *index;			/* OWN_INDEX or CORE_INDEX */
	const char *file;			/* "" for none */
	const char *dir;
	bool		of_core;		/* dir has the names that OpenSSL looks for, and
								 * core judges the CRLs */
	bool		accept_older;	/* than the CRL in force */
	StringInfo	bytes;			/* what the file is about to hold; NULL: what it holds */
	STACK_OF(X509) *given;		/* certificates that are about to be known; may be NULL */
	STACK_OF(X509) *cas;		/* in place of those of ssl_ca_file; NULL: those */
	void		(*pause)(void); /* called often; may longjmp away */
} CrlSet;

typedef enum CrlOutcome
{
	CRLS_UNCHANGED,
	CRLS_BUILT,					/* there is a new index, of what is good */
	CRLS_FAILED					/* the index, if any, is the one before */
} CrlOutcome;

extern void crl_signature(const CrlSet *set, uint8 *digest);
extern void index_signature(const CrlSet *set, uint8 *digest);
extern char *new_crls_objection(const char *file, const char *dir);
extern char *crl_bytes_objection(StringInfo bytes, STACK_OF(X509) *given, STACK_OF(X509) *cas, bool accept_older);
extern CrlOutcome refresh_crl_index(const CrlSet *set, char **error);

#endif							/* SSLPOLICY_CRLBUILD_H */
