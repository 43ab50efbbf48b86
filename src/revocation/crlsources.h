/*-------------------------------------------------------------------------
 *
 * crlsources.h
 *		Files of CRLs: found, read, and verified.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CRLSOURCES_H
#define SSLPOLICY_CRLSOURCES_H

#include "nodes/pg_list.h"

#include "revocation/crlbuild.h"
#include "revocation/crlreader.h"

/* A file of CRLs. */
typedef struct CrlSource
{
	char	   *path;
	StringInfo	bytes;			/* of a file that is about to be written; NULL: read it */
	size_t		pos;			/* in them */
	int			fd;				/* -1: closed */
	CrlFile    *content;		/* NULL: nothing in it can be read */
	char	   *error;			/* then why */
	bool		bad;			/* something in it cannot be used */
	bool		refused;		/* something in it does not replace what is in force */
	int			nchosen;
	List	  **chosen;			/* what shall be in force of it, by number; NULL: nothing */
} CrlSource;

extern bool list_crl_files(const CrlSet *set, List **paths, char **error);
extern CrlSource *open_crl_source(const CrlSet *set, const char *path);
extern CrlFile *read_crl_source(const CrlSet *set, CrlSource *source, const CasByName *cas,
								const CrlSink *sink, char **error);

extern bool crl_file_digest(const CrlSet *set, const char *path, uint8 *sha256);

#endif							/* SSLPOLICY_CRLSOURCES_H */
