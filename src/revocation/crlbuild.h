/*-------------------------------------------------------------------------
 *
 * crlbuild.h
 *		Verifies CRLs, and builds the index of what they revoke.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CRLBUILD_H
#define SSLPOLICY_CRLBUILD_H

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
	void		(*pause)(void); /* called often; may longjmp away */
} CrlSet;

typedef enum CrlOutcome
{
	CRLS_UNCHANGED,
	CRLS_BUILT,					/* there is a new index */
	CRLS_FAILED					/* the index, if any, is the one before */
} CrlOutcome;

extern void crl_signature(const CrlSet *set, uint8 *digest);
extern void index_signature(const CrlSet *set, uint8 *digest);
extern char *new_crls_objection(const char *file, const char *dir);
extern CrlOutcome refresh_crl_index(const CrlSet *set, char **error);

#endif							/* SSLPOLICY_CRLBUILD_H */
