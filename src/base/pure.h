/*-------------------------------------------------------------------------
 *
 * pure.h
 *		What the files that also compile without a server include first.
 *
 * Those files (escape.c, facts.c, der.c, x509.c, crl.c, chain.c, pem.c,
 * crlstream.c, crlreader.c, crlkey.c, crlindex.c, policy.c, policy_text.c,
 * evaluate.c, boundedtable.c) read no catalog, no setting, no clock and no global, and never
 * call ereport: they return their errors.  Built with -DFRONTEND they take
 * palloc and StringInfo from PostgreSQL's libpgcommon, so that unit tests and
 * fuzzers run them alone.
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
