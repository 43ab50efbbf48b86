/*-------------------------------------------------------------------------
 *
 * affected.c
 *		Live sessions that new TLS material would no longer accept.
 *
 * The session table has no certificates, only facts of them: fingerprints,
 * subjects and serials of the verified chain.  The certificates of its CAs are
 * found by fingerprint in the old set and in the versions before it, and what they
 * are in the new one by name and key, since a renewed CA verifies what the old one
 * has.  A CA that is in none of them was sent by the client, who will send it again.
 *
 * A session that the old material does not accept either is none of the new
 * one's doing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/datums.h"
#include "install/affected.h"
#include "pki/chain.h"
#include "pki/crl.h"
#include "pki/x509.h"
#include "session/sessions.h"

/*
 * The CA of a chain in a set: the very certificate, or another one of the same
 * CA; NULL if there is none.  known is where its certificate is found.
 */
static X509 *
ca_in_set(const CaFacts *ca, STACK_OF(X509) *set, STACK_OF(X509) *known)
{
	X509	   *found = find_certificate_by_fingerprint(set, ca->fingerprint);
	X509	   *old;

	if (found != NULL)
		return found;
	old = find_certificate_by_fingerprint(known, ca->fingerprint);
	for (int i = 0; old != NULL && i < sk_X509_num(set); i++)
		if (is_same_ca(old, sk_X509_value(set, i)))
			return sk_X509_value(set, i);
	return NULL;
}

/*
 * Has a CRL of this CA revoked the serial?
 */
static bool
is_revoked(const Trust *trust, X509 *issuer, const char *serial)
{
	BIGNUM	   *number = NULL;
	ASN1_INTEGER *asn1 = BN_dec2bn(&number, serial) > 0 ? BN_to_ASN1_INTEGER(number, NULL) : NULL;
	bool		result = false;

	for (int i = 0; asn1 && !result && i < sk_X509_CRL_num(trust->crls); i++)
	{
		X509_CRL   *crl = sk_X509_CRL_value(trust->crls, i);
		X509_REVOKED *entry = NULL;

		/* the name is compared before a signature is */
		if (is_crl_signed_by(crl, issuer))
			result = X509_CRL_get0_by_serial(crl, &entry, asn1) == 1;
	}
	ASN1_INTEGER_free(asn1);
	BN_free(number);
	return result;
}

static char *
shown(const char *subject)
{
	return psprintf("\"%s\"", certificate_string(subject));
}

/*
 * Why a set of CAs and CRLs does not accept a certificate that it was once
 * verified; NULL if it does.  known is where the certificates of CAs are found.
 */
static char *
objection(const CertFacts *cert, const Trust *trust, STACK_OF(X509) *known)
{
	const char *subject = cert->subject_dn;
	const char *serial = cert->serial;

	if (cert->not_after < trust->now)
		return psprintf("certificate %s has expired", shown(subject));
	for (int i = 0; i < cert->ncas; i++)
	{
		const CaFacts *ca = &cert->cas[i];
		bool		own = memcmp(ca->fingerprint, cert->fingerprint, FINGERPRINT_LEN) == 0;
		X509	   *found = own ? find_certificate_by_fingerprint(trust->cas, ca->fingerprint) :
							ca_in_set(ca, trust->cas, known);
		bool		sent = i < cert->ncas - 1 && find_certificate_by_fingerprint(known, ca->fingerprint) == NULL;

		if (found == NULL && !sent)
			return psprintf("CA %s is missing", shown(ca->subject_dn));
		if (found != NULL && trust->use_crls)
		{
			char	   *gap = crl_gap(trust, found);

			if (is_revoked(trust, found, serial))
				return psprintf("certificate %s is revoked", shown(subject));
			if (gap)
				return gap;
		}
		if (found != NULL && !verify_ca(trust->cas, found, trust->level, trust->now)->ok)
			return psprintf("CA %s is not verified", shown(ca->subject_dn));
		subject = ca->subject_dn;
		serial = ca->serial;
	}
	return NULL;
}

static List *
add_affected(List *list, const Session *s, char *reason)
{
	AffectedSession *affected = palloc(sizeof(AffectedSession));

	affected->pid = s->pid;
	affected->role = s->role;
	affected->reason = reason;
	return lappend(list, affected);
}

/*
 * Sessions whose certificate is accepted with the CAs and CRLs of before, and
 * not with those of after.  before can be NULL: then all that after does not
 * accept.  known has certificates of CAs, those of before among them: what it
 * does not have was sent by clients.
 */
List *
sessions_losing_trust(const Trust *before, const Trust *after, STACK_OF(X509) *known)
{
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, copy_sessions())
	{
		const Session *s = lfirst(cell);
		const CertFacts *cert = s->facts.cert;
		char	   *reason;

		if (!s->facts.verified || cert == NULL)
			continue;
		reason = objection(cert, after, known);
		if (reason && (before == NULL || objection(cert, before, known) == NULL))
			result = add_affected(result, s, reason);
	}
	return result;
}

/*
 * What kind of server key a cipher of TLS 1.2 or before needs; NID_undef if any
 * will do.
 */
static int
cipher_needs(SSL_CTX *context, const char *name)
{
	STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(context);

	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++)
	{
		const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);

		if (strcmp(SSL_CIPHER_get_name(cipher), name) == 0)
			return SSL_CIPHER_get_auth_nid(cipher);
	}
	return NID_undef;
}

static bool
serves(X509 *certificate, int auth)
{
	EVP_PKEY   *key = X509_get0_pubkey(certificate);

	if (auth == NID_auth_rsa)
		return EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS");
	if (auth == NID_auth_ecdsa)
		return EVP_PKEY_is_a(key, "EC") || EVP_PKEY_is_a(key, "ED25519") ||
			EVP_PKEY_is_a(key, "ED448");
	return true;
}

/*
 * Sessions whose cipher could be negotiated with the server certificate until
 * now (before can be NULL), and cannot with a new one that has another kind of
 * key.  (TLS 1.3 has no such ciphers.)
 */
List *
sessions_losing_cipher(X509 *before, X509 *after)
{
	List	   *result = NIL;
	SSL_CTX    *context = SSL_CTX_new(TLS_method());
	ListCell   *cell;

	if (context == NULL || SSL_CTX_set_cipher_list(context, "ALL:COMPLEMENTOFALL:@SECLEVEL=0") != 1)
	{
		SSL_CTX_free(context);
		ERR_clear_error();
		return NIL;
	}
	foreach(cell, copy_sessions())
	{
		const Session *s = lfirst(cell);
		int			needs;

		if (!s->facts.ssl || s->facts.cipher == NULL || s->facts.tls_version >= TLS_1_3)
			continue;
		needs = cipher_needs(context, s->facts.cipher);
		if ((before == NULL || serves(before, needs)) && !serves(after, needs))
			result = add_affected(result, s, psprintf("cipher %s needs a server certificate with another kind of key", s->facts.cipher));
	}
	SSL_CTX_free(context);
	ERR_clear_error();
	return result;
}
