/*-------------------------------------------------------------------------
 *
 * crlcopies.h
 *		Copies of the CRLs in force, and certificates of their issuers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CRLCOPIES_H
#define SSLPOLICY_CRLCOPIES_H

#include <openssl/x509.h>

#include "policy/facts.h"

/* in sslpolicy.directory: the CRLs of sslpolicy.crl_file and crl_dir that are in force */
#define CRL_COPIES "crl_copies.pem"

/* certificates of their issuers other than roots */
#define COPIED_ISSUERS "crl_copies_issuers.pem"

/* such certificates that were given to install_crl() */
#define INSTALLED_ISSUERS "crl_issuers.pem"

typedef struct CopyWriter CopyWriter;

extern CopyWriter *begin_crl_copies(void);
extern bool append_crl_copy(CopyWriter *writer, int source, int crl, const uint8 *der, size_t len);
extern void finish_crl_copies(CopyWriter *writer, uint8 *sha256);
extern void discard_crl_copies(CopyWriter *writer);

extern STACK_OF(X509) *known_crl_issuers(STACK_OF(X509) *cas, STACK_OF(X509) *given);
extern void keep_crl_issuers(const char *name, STACK_OF(X509) *certs);

#endif							/* SSLPOLICY_CRLCOPIES_H */
