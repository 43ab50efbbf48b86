/*-------------------------------------------------------------------------
 *
 * pure.h
 *		What the files that also compile without a server include first.
 *
 * Those are
 *	- in base: boundedtable.c, escape.c, fingerprint.c
 *	- in policy: checktext.c, dn.c, dnform.c, dnpattern.c, evaluate.c, facts.c, parser.c, patterncost.c, policy.c,
 *	  policy_text.c, policyvalue.c
 *	- in pki: all
 *	- in revocation: crlindex.c, crlindexwrite.c, crlkey.c, crlreader.c, crlstream.c
 *	- in advice: clienttext.c, serverhost.c
 *	- in cluster: node.c, reporttext.c
 * They read no catalog, no setting and no clock, and never call ereport: they return
 * their errors.  They have no global but what is looked up, or registered, once with
 * OpenSSL.  Built with -DFRONTEND they take palloc and StringInfo
 * from PostgreSQL's libpgcommon, so that unit tests and fuzzers run them alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_PURE_H
#define SSLPOLICY_PURE_H

#ifdef FRONTEND
#include "postgres_fe.h"
#else
#include "postgres.h"
#endif

#include "lib/stringinfo.h"

#endif							/* SSLPOLICY_PURE_H */
