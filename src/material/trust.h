/*-------------------------------------------------------------------------
 *
 * trust.h
 *		Whether a set of CAs and CRLs lets clients in: what is refused, and what
 *		is worth a warning.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_TRUST_H
#define SSLPOLICY_TRUST_H

#include <openssl/x509.h>

#include "nodes/pg_list.h"

#include "pki/crl.h"
#include "policy/facts.h"

/* What the server verifies clients with. */
typedef struct Trust
{
	STACK_OF(X509) *cas;
	STACK_OF(X509) *issuers;	/* these, and CAs that only clients send: of CRLs */
	STACK_OF(X509_CRL) *crls;	/* of ssl_crl_file and ssl_crl_dir */
	bool		use_crls;		/* one of these is set */
	bool		own_crls;		/* they are those that sslpolicy checks */
	bool		accept_missing_crl; /* settings of sslpolicy's own CRLs */
	bool		accept_expired_crl;
	int			level;			/* OpenSSL's security level */
	int64		now;			/* seconds since 1970-01-01 UTC */
} Trust;

/* Why something is not accepted. */
typedef struct Refusal
{
	char	   *message;		/* as of errmsg */
	char	   *detail;			/* a sentence, or NULL */
	char	   *hint;			/* a sentence, or NULL */
} Refusal;

extern Refusal *make_trust_refusal(char *message, char *detail, char *hint);
extern void raise_trust_refusal(const Refusal *refusal);
extern Refusal *judge_cas(const Trust *trust, STACK_OF(X509) *added,
						  List **warnings);
extern Refusal *judge_crl(X509_CRL *crl, STACK_OF(X509) *issuers, int64 now,
						  bool accept_expired);
extern const char *crl_problem(X509_CRL *crl, const CrlFacts *facts, const X509 *issuer,
							   int64 now);
extern int	judge_revocation(const Trust *trust, List **warnings);
extern bool judge_expiry(const Trust *trust, char **error);
extern char *crl_gap(const Trust *trust, X509 *ca);
extern char *crl_scope_gap(const Trust *trust, List *crls, X509 *ca, const CertPoints *points);
extern bool is_current_crl(X509_CRL *crl, int64 now);
extern char *certificate_title(X509 *cert);
extern char *unix_time_text(int64 unix_time);

#endif							/* SSLPOLICY_TRUST_H */
