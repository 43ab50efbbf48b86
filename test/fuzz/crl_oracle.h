/*-------------------------------------------------------------------------
 *
 * crl_oracle.h
 *		What crlreader.c reads, and what OpenSSL does.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CRL_ORACLE_H
#define SSLPOLICY_CRL_ORACLE_H

#include "revocation/crlreader.h"

typedef struct ReadEntry
{
	int			crl;
	uint8	   *serial;
	int			len;
	int64		since;
	int			reason;
} ReadEntry;

/* A file, as crlreader.c has read it. */
typedef struct Reading
{
	int			ncerts;			/* that stand between the CRLs */
	CrlFile    *file;			/* NULL: refused */
	char	   *error;
	ReadEntry  *entries;
	int			nentries;
	int			size;
} Reading;

extern Reading read_file_of_crls(const uint8 *bytes, size_t len, size_t chunk,
								 STACK_OF(X509) *cas);
extern void same_readings(const Reading *a, const Reading *b, const char *what);
extern void compare_with_openssl(const Reading *reading, int number, X509_CRL *crl);
extern bool is_good_reason(const char *error, const uint8 *der, size_t len, X509_CRL *crl);

#endif							/* SSLPOLICY_CRL_ORACLE_H */
