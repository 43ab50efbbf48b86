/*-------------------------------------------------------------------------
 *
 * crlreader.h
 *		Reads files of CRLs as a stream, entry by entry.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CRLREADER_H
#define SSLPOLICY_CRLREADER_H

#include <openssl/x509.h>

#include "pki/crl.h"
#include "revocation/crlstream.h"

/* Where the entries go, each as it is read. */
typedef struct CrlSink
{
	/*
	 * crl counts from 0 in the file; serial is the content of a DER INTEGER;
	 * since is in seconds since 1970-01-01 UTC; reason is that of RFC 5280, 0
	 * where none is given
	 */
	void		(*entry)(void *arg, int crl, const uint8 *serial, int len,
						 int64 since, int reason);

	/*
	 * the DER of that CRL, piece by piece, where no signature is verified; false with
	 * errno; NULL: it is not wanted
	 */
	bool		(*der)(void *arg, int crl, const uint8 *bytes, size_t len);
	void	   *arg;
} CrlSink;

/* One CRL of a file. */
typedef struct FileCrl
{
	int			number;			/* counts from 0 in the file, with what is bad */
	CrlFacts   *facts;
	int			nissuers;
	X509	  **issuers;		/* those of the given CAs that issued it; they
								 * are the caller's */
	int			nnamed;
	X509	  **named;			/* and those that have the name of its issuer */
} FileCrl;

#define MAX_BAD_TOLD 5

/* A file, read to its end. */
typedef struct CrlFile
{
	int			ncrls;			/* at least one */
	FileCrl    *crls;
	STACK_OF(X509) *certs;		/* that stand between them */
	int			nbad;			/* CRLs, and other blocks, that cannot be read */
	char	   *bad[MAX_BAD_TOLD];	/* what is wrong with the first of them, and where */
	uint8		sha256[FINGERPRINT_LEN];	/* of the file's bytes */
} CrlFile;

typedef struct CrlReader CrlReader;

extern CrlReader *new_crl_reader(const CrlInput *input);
extern void free_crl_reader(void *reader);
extern CrlFile *read_crls(CrlReader *reader, const CasByName *cas,
						  const CrlSink *sink, char **error);

#endif							/* SSLPOLICY_CRLREADER_H */
