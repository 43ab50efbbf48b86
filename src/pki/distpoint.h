/*-------------------------------------------------------------------------
 *
 * distpoint.h
 *		Distribution points: which certificates a CRL covers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_DISTPOINT_H
#define SSLPOLICY_DISTPOINT_H

#include <openssl/x509.h>

#include "policy/facts.h"

/* Certificates of which kind. */
typedef enum CrlCovers
{
	CRL_COVERS_ALL,
	CRL_COVERS_USERS,			/* onlyContainsUserCerts */
	CRL_COVERS_CAS				/* onlyContainsCACerts */
} CrlCovers;

/* Which of its issuer's certificates a CRL covers. */
typedef struct CrlScope
{
	bool		limited;		/* it has an issuing distribution point; all that
								 * follows is zero if not */
	CrlCovers	covers;
	int			npoints;		/* 0: it names none, and covers whatever certificates
								 * name */
	uint8	   *points;			/* POINT_LEN bytes each, in order, none twice */
	uint8		digest[POINT_LEN];	/* of all this: the same for every CRL of a scope */
	char	   *text;			/* in words, in escaped form; NULL if not limited */
} CrlScope;

extern void read_certificate_points(X509 *cert, CertPoints *points);
extern const char *read_crl_scope(X509_CRL *crl, CrlScope *scope);
extern bool scope_covers(const CrlScope *scope, const CertPoints *points);

#endif							/* SSLPOLICY_DISTPOINT_H */
