/*-------------------------------------------------------------------------
 *
 * newtrust.h
 *		What clients are verified with before an installation of CAs or CRLs, and
 *		after it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_NEWTRUST_H
#define SSLPOLICY_NEWTRUST_H

#include "install/install.h"

extern Trust *trust_before_installation(const Installation *inst, char **error);
extern Trust *trust_after_installation(const Installation *inst, STACK_OF(X509) *cas,
									   STACK_OF(X509_CRL) *crls);
extern List *find_losing_certificate(const Installation *inst, const Trust *after);

#endif							/* SSLPOLICY_NEWTRUST_H */
