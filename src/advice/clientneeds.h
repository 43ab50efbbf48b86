/*-------------------------------------------------------------------------
 *
 * clientneeds.h
 *		What the policies that apply to a login ask of its client, together.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CLIENTNEEDS_H
#define SSLPOLICY_CLIENTNEEDS_H

#include "nodes/pg_list.h"

#include "advice/certrequest.h"

typedef struct ClientNeeds
{
	SslMode		sslmode;		/* the strongest that is asked for */
	bool		plain_text;		/* sslmode=disable */
	bool		tls;
	bool		certificate;
	bool		by_certificate; /* sslmode=cert */
	TlsVersion	min_protocol;	/* TLS_NONE: any */
	TlsVersion	max_protocol;	/* below TLS_1_3 if the ciphers are older ones */
	bool		cipher_limited;
	List	   *ciphers;		/* of those that every policy accepts */
	int64		max_lifetime;	/* 0: any */
	bool		end_on_expiry;
	List	   *issuers;		/* texts, each of which must hold, as
								 * check_required() has them */
	List	   *fingerprints;	/* the same */
	CertRequest *request;		/* NULL: no names are asked for */
	List	   *depends;		/* texts: what depends on what was not given */
	List	   *logged;			/* texts: what rules with action=log ask for */
	List	   *problems;		/* texts: why these needs cannot be met together */
} ClientNeeds;

extern ClientNeeds *client_needs(const Applicable *applicable,
								 const Facts *facts);
extern bool is_tls13_cipher(const char *name);

#endif							/* SSLPOLICY_CLIENTNEEDS_H */
