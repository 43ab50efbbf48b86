/*-------------------------------------------------------------------------
 *
 * certrequest.h
 *		The names that a client certificate has to carry, and how to ask a CA
 *		for it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CERTREQUEST_H
#define SSLPOLICY_CERTREQUEST_H

#include "labels/applicable.h"

typedef struct CertRequest
{
	bool		possible;		/* names were found that meet every policy */
	CertFacts	names;			/* subject_dn, cn and sans, in the form of facts */
	char	   *subject;		/* as "openssl req -subj" takes it */
	char	   *alt_names;		/* as "-addext" takes it; NULL for none */
	char	   *wanted;			/* if not possible: what is asked for */
} CertRequest;

extern bool is_about_names(const Check *check);
extern CertRequest *plan_certificate_request(const Applicable *applicable,
											 const Facts *facts, bool role_first);
extern char *certificate_request_command(const CertRequest *request, const char *key_file,
										 const char *request_file);

#endif							/* SSLPOLICY_CERTREQUEST_H */
