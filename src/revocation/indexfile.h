/*-------------------------------------------------------------------------
 *
 * indexfile.h
 *		The index of revoked certificates as a file.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_INDEXFILE_H
#define SSLPOLICY_INDEXFILE_H

#include "revocation/crlindex.h"

/* of sslpolicy.crl_file and crl_dir, which logins look at */
#define OWN_INDEX "crl.index"

/* of ssl_crl_file and ssl_crl_dir, for live sessions: core looks at logins */
#define CORE_INDEX "ssl_crl.index"

typedef struct IndexFile
{
	int			fd;				/* -1: closed */
	CrlIndex	index;
} IndexFile;

extern bool open_index_file(IndexFile *file, const char *name, char **error);
extern void close_index_file(void *arg);
extern void index_surroundings(const char *name, uint8 *digest);
extern void crl_settings_fingerprint(const char *file, const char *dir, uint8 *digest);
extern bool is_index_of_settings(const IndexFile *index, const char *file, const char *dir);
extern bool is_index_of_own_settings(const IndexFile *index);
extern IndexedCrl *read_own_crls(int *count, char **error);
extern bool are_crls_in_force(STACK_OF(X509_CRL) *crls);

#endif							/* SSLPOLICY_INDEXFILE_H */
