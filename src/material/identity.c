/*-------------------------------------------------------------------------
 *
 * identity.c
 *		The server's certificate, its chain and its key.
 *
 * What is refused, what is worth a warning, and the order in which the server
 * sends a chain (RFC 5246 section 7.4.2: each certificate certifies the one
 * before).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "miscadmin.h"

#include "base/datums.h"
#include "material/identity.h"
#include "material/tlscontext.h"
#include "pki/chain.h"
#include "pki/x509.h"

#define MIN_RSA_BITS	   2048
#define MIN_SIGNATURE_BITS 80

static Refusal *
judge_validity(X509 *cert, int64 now)
{
	time_t		at = (time_t) now;
	int64		limit = 0;

	if (X509_cmp_time(X509_get0_notAfter(cert), &at) < 0)
	{
		(void) read_asn1_time(X509_get0_notAfter(cert), &limit);
		return make_trust_refusal(psprintf("certificate %s has expired on %s", certificate_title(cert), unix_time_text(limit)),
								  pstrdup("Clients that verify the server would refuse it."), NULL);
	}
	if (X509_cmp_time(X509_get0_notBefore(cert), &at) > 0)
	{
		(void) read_asn1_time(X509_get0_notBefore(cert), &limit);
		return make_trust_refusal(psprintf("certificate %s is not valid before %s", certificate_title(cert), unix_time_text(limit)),
								  pstrdup("Clients that verify the server would refuse it."), NULL);
	}
	return NULL;
}

static Refusal *
judge_key_size(X509 *cert)
{
	EVP_PKEY   *key = X509_get0_pubkey(cert);

	if (key && (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS")) &&
		EVP_PKEY_get_bits(key) < MIN_RSA_BITS)
		return make_trust_refusal(psprintf("the RSA key of certificate %s has %d bits",
										   certificate_title(cert), EVP_PKEY_get_bits(key)),
								  psprintf("At least %d are wanted.", MIN_RSA_BITS), NULL);
	return NULL;
}

/*
 * Is the issuer of the last certificate one that clients can be expected to
 * have: a root in ssl_ca_file, or in the system's store?
 */
static bool
is_root_known(X509 *last, STACK_OF(X509) *cas, int64 now)
{
	X509_STORE *store = X509_STORE_new();
	Verification *v;

	if (store == NULL)
		return false;
	(void) X509_STORE_set_default_paths(store);
	for (int i = 0; i < sk_X509_num(cas); i++)
		(void) X509_STORE_add_cert(store, sk_X509_value(cas, i));
	v = verify_in_store(store, last, NULL, 0, 0, now);
	X509_STORE_free(store);
	ERR_clear_error();
	/* an intermediate that the server knows is not one that clients know */
	return v->ok && v->nchain == 2;
}

/*
 * Put the chain in order.  Refuses one that lacks an issuer in the middle.
 */
static Refusal *
order_chain(Identity *identity, X509 *leaf)
{
	X509	   *last = leaf;

	sk_X509_push(identity->chain, last);
	while (!is_self_signed(last))
	{
		X509	   *issuer;

		CHECK_FOR_INTERRUPTS();
		issuer = find_issuer(last, identity->given);

		if (issuer == NULL || has_certificate(identity->chain, issuer))
		{
			char	   *missing;

			if (is_root_known(last, identity->cas, identity->now))
				return NULL;
			missing = dn_text(X509_get_issuer_name(last));
			return make_trust_refusal(psprintf("the chain is not complete: the certificate of \"%s\" is missing",
											   missing ? certificate_string(missing) : ""),
									  psprintf("It issued %s, and is neither in the text, nor in ssl_ca_file, nor a root that the system trusts.",
											   certificate_title(last)),
									  pstrdup("Append it to the chain."));
		}
		sk_X509_push(identity->chain, issuer);
		last = issuer;
	}
	return NULL;
}

/*
 * Would the server accept its own certificate from a client?  cas are those of
 * ssl_ca_file, sent the intermediates that go with the certificate.
 */
bool
verifies_as_client(X509 *leaf, STACK_OF(X509) *sent, STACK_OF(X509) *cas, int64 now)
{
	X509_STORE *store = X509_STORE_new();
	bool		result;

	if (store == NULL)
		return false;
	for (int i = 0; i < sk_X509_num(cas); i++)
		(void) X509_STORE_add_cert(store, sk_X509_value(cas, i));
	result = verify_in_store(store, leaf, sent, X509_PURPOSE_SSL_CLIENT,
							 server_security_level(), now)
				 ->ok;
	X509_STORE_free(store);
	ERR_clear_error();
	return result;
}

static void
warn_of_lost_names(const CertFacts *before, const CertFacts *after, List **warnings)
{
	for (int i = 0; i < before->nsans; i++)
	{
		bool		kept = false;

		CHECK_FOR_INTERRUPTS();
		for (int k = 0; k < after->nsans && !kept; k++)
			kept = strcmp(before->sans[i], after->sans[k]) == 0;
		if (!kept)
			*warnings = lappend(*warnings, psprintf("the certificate until now also named %s: clients that use that name with sslmode=verify-full will refuse the server", certificate_string(before->sans[i])));
	}
}

/*
 * Clients that verify the server look at all signatures but that of a root.  80 bits is
 * what OpenSSL asks for at level 1; SHA-1 and MD5 have fewer.
 */
static void
warn_of_weak_signatures(const Identity *identity, List **warnings)
{
	for (int i = 0; i < sk_X509_num(identity->chain); i++)
	{
		X509	   *cert = sk_X509_value(identity->chain, i);
		int			digest;
		int			bits;

		if (!is_self_signed(cert) &&
			X509_get_signature_info(cert, &digest, NULL, &bits, NULL) == 1 && bits < MIN_SIGNATURE_BITS)
			*warnings = lappend(*warnings, psprintf("the signature of certificate %s is weak (%s): clients that verify the server will refuse it", certificate_title(cert), digest == NID_undef ? "unknown" : OBJ_nid2sn(digest)));
	}
}

/*
 * What keeps SCRAM from binding to the certificate, as a few words; NULL if nothing does.
 * Client and server hash it with the digest of its own signature (RFC 5929 section 4.1):
 * be_tls_get_certificate_hash() and libpq alike.  One that another CA of the chain bears
 * does no harm, nor does the key of the certificate itself.
 */
char *
channel_binding_problem(X509 *leaf)
{
	int			digest = NID_undef;
	bool		known = X509_get_signature_info(leaf, &digest, NULL, NULL, NULL) == 1 &&
		digest != NID_undef && EVP_get_digestbynid(digest) != NULL;

	ERR_clear_error();
	if (known)
		return NULL;
	return psprintf("it is signed with %s, an algorithm without a digest for channel binding: password logins by SCRAM fail in libpq (\"could not find digest\"), unless the client sets channel_binding=disable",
					OBJ_nid2ln(X509_get_signature_nid(leaf)));
}

static void
warn_of_certificate(Identity *identity, X509 *leaf, List **warnings)
{
	CertFacts  *facts = read_certificate(leaf, NULL);
	CertFacts  *before = identity->before ? read_certificate(identity->before, NULL) : NULL;
	char	   *title = certificate_title(leaf);
	char	   *binding = channel_binding_problem(leaf);

	if (binding)
		*warnings = lappend(*warnings, psprintf("certificate %s: %s; have it issued by a CA with an RSA or EC key", title, binding));
	if (facts && facts->nsans == 0)
		*warnings = lappend(*warnings, psprintf("certificate %s has no subject alternative name: many clients refuse to match its common name", title));
	if (X509_check_ca(leaf) != 0)
		*warnings = lappend(*warnings, psprintf("certificate %s is that of a CA", title));
	if (X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0) != 1)
		*warnings = lappend(*warnings, psprintf("certificate %s is not meant for a TLS server (extended key usage): clients that verify the server will refuse it", title));
	if (verifies_as_client(leaf, identity->chain, identity->cas, identity->now))
		*warnings = lappend(*warnings, psprintf("the server would accept certificate %s from clients, too: have one issued with extendedKeyUsage = serverAuth alone", title));
	if (is_self_signed(leaf))
		*warnings = lappend(*warnings, psprintf("certificate %s is self-signed: clients that verify the server need it as their root certificate", title));
	warn_of_weak_signatures(identity, warnings);
	for (int i = 0; i < sk_X509_num(identity->given); i++)
		if (!has_certificate(identity->chain, sk_X509_value(identity->given, i)))
			*warnings = lappend(*warnings, psprintf("certificate %s does not belong to the chain and is left out", certificate_title(sk_X509_value(identity->given, i))));
	if (facts && before)
		warn_of_lost_names(before, facts, warnings);
	if (identity->before &&
		X509_NAME_cmp(X509_get_issuer_name(identity->before), X509_get_issuer_name(leaf)) != 0)
		*warnings = lappend(*warnings, psprintf("the certificate until now was issued by another CA: clients that verify the server must trust the one that issued %s", title));
	ERR_clear_error();
}

/*
 * A new server certificate.  Fills identity->chain, which the caller has made.
 */
Refusal *
judge_identity(Identity *identity, List **warnings)
{
	X509	   *leaf = find_certificate_by_key(identity->given, identity->key);
	Refusal    *refusal;

	if (leaf == NULL)
		return make_trust_refusal(psprintf("the private key does not belong to certificate %s",
										   certificate_title(find_leaf_certificate(identity->given))),
								  pstrdup("It does not belong to any other certificate of the text either."),
								  pstrdup("Give the certificate that was issued for this key."));
	refusal = judge_validity(leaf, identity->now);
	if (refusal == NULL)
		refusal = judge_key_size(leaf);
	if (refusal == NULL)
		refusal = order_chain(identity, leaf);
	for (int i = 1; i < sk_X509_num(identity->chain) && refusal == NULL; i++)
	{
		refusal = judge_validity(sk_X509_value(identity->chain, i), identity->now);
		if (refusal == NULL)
			refusal = judge_key_size(sk_X509_value(identity->chain, i));
	}
	if (refusal == NULL)
		warn_of_certificate(identity, leaf, warnings);
	return refusal;
}
