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
	void	   *arg;
} CrlSink;

/* One CRL of a file. */
typedef struct FileCrl
{
	CrlFacts   *facts;
	int			nissuers;
	X509	  **issuers;		/* those of the given CAs that issued it; they
								 * are the caller's */
} FileCrl;

/* A file, read to its end. */
typedef struct CrlFile
{
	int			ncrls;			/* at least one */
	FileCrl    *crls;
	uint8		sha256[FINGERPRINT_LEN];	/* of the file's bytes */
} CrlFile;

typedef struct CrlReader CrlReader;

extern CrlReader *new_crl_reader(const CrlInput *input);
extern void free_crl_reader(void *reader);
extern CrlFile *read_crls(CrlReader *reader, STACK_OF(X509) *cas,
						  const CrlSink *sink, char **error);

#endif							/* SSLPOLICY_CRLREADER_H */
