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
		return make_trust_refusal(psprintf("certificate %s expired on %s", certificate_title(cert), unix_time_text(limit)),
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
 * What clients can be expected to trust: the roots of ssl_ca_file and of the text, and the
 * system's store.  An intermediate that the server knows is not one that clients know.
 */
static X509_STORE *
make_client_store(const Identity *identity)
{
	STACK_OF(X509) *const sets[] = {identity->cas, identity->given};
	X509_STORE *store = X509_STORE_new();

	if (store == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	(void) X509_STORE_set_default_paths(store);
	for (int set = 0; set < (int) lengthof(sets); set++)
		for (int i = 0; i < sk_X509_num(sets[set]); i++)
			if (is_self_signed(sk_X509_value(sets[set], i)))
				(void) X509_STORE_add_cert(store, sk_X509_value(sets[set], i));
	return store;
}

/*
 * Does some path lead from the leaf, through these, to a root that clients trust?
 */
static Verification *
verify_chain(const Identity *identity, X509 *leaf, STACK_OF(X509) *sent)
{
	X509_STORE *store = make_client_store(identity);
	Verification *v = verify_in_store(store, leaf, sent, 0, 0, identity->now);

	X509_STORE_free(store);
	ERR_clear_error();
	return v;
}

/*
 * The chain as OpenSSL puts it together from these certificates, as far as they go.
 */
static void
build_chain(Identity *identity, X509 *leaf, STACK_OF(X509) *certs)
{
	STACK_OF(X509) *chain = X509_build_chain(leaf, certs, NULL, 1, NULL, NULL);

	while (sk_X509_num(identity->chain) > 0)
		(void) sk_X509_pop(identity->chain);
	/* the certificates are those of the text, which keeps them */
	for (int i = 0; i < sk_X509_num(chain); i++)
		sk_X509_push(identity->chain, sk_X509_value(chain, i));
	if (chain == NULL)
		sk_X509_push(identity->chain, leaf);
	sk_X509_pop_free(chain, X509_free);
	ERR_clear_error();
}

/*
 * The refusal of a certificate that has expired, or is not valid yet, and that OpenSSL has
 * found in the way; NULL if there is none.
 */
static Refusal *
judge_culprits(const Identity *identity, const Verification *v)
{
	STACK_OF(X509) *const sets[] = {identity->given, identity->cas};

	for (int set = 0; set < (int) lengthof(sets); set++)
		for (int i = 0; i < sk_X509_num(sets[set]); i++)
		{
			X509	   *cert = sk_X509_value(sets[set], i);
			const char *subject = dn_text(X509_get_subject_name(cert));

			for (int k = 0; subject && k < v->nerrors; k++)
			{
				Refusal    *refusal = strcmp(v->culprits[k], subject) == 0 &&
						(v->errors[k] == X509_V_ERR_CERT_HAS_EXPIRED || v->errors[k] == X509_V_ERR_CERT_NOT_YET_VALID) ?
					judge_validity(cert, identity->now) :
					NULL;

				if (refusal)
					return refusal;
			}
		}
	return NULL;
}

/*
 * Why no path leads to a root that clients trust.
 */
static Refusal *
explain_incomplete_chain(const Identity *identity, X509 *leaf, const Verification *v)
{
	X509	   *last = sk_X509_value(identity->chain, sk_X509_num(identity->chain) - 1);
	Refusal    *refusal = judge_culprits(identity, v);
	char	   *missing;

	/* OpenSSL does not look at the end of the last one if its issuer is missing */
	for (int i = 0; i < sk_X509_num(identity->chain) && refusal == NULL; i++)
		refusal = judge_validity(sk_X509_value(identity->chain, i), identity->now);
	if (refusal)
		return refusal;
	if (!has_verify_error(v, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT) &&
		!has_verify_error(v, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY))
		return make_trust_refusal(psprintf("the chain of certificate %s does not verify", certificate_title(leaf)),
								  psprintf("OpenSSL says: %s.", certificate_string(verification_text(v))), NULL);
	missing = dn_text(X509_get_issuer_name(last));
	return make_trust_refusal(psprintf("the chain is not complete: the certificate of \"%s\" is missing",
									   missing ? certificate_string(missing) : ""),
							  psprintf("It issued %s, and is neither in the text, nor in ssl_ca_file, nor a root that the system trusts.",
									   certificate_title(last)),
							  pstrdup("Append it to the chain."));
}

/*
 * The certificates of the text that are valid now, except one.
 */
static STACK_OF(X509) *
valid_certificates(const Identity *identity, int except)
{
	STACK_OF(X509) *result = sk_X509_new_null();

	for (int i = 0; i < sk_X509_num(identity->given); i++)
		if (i != except && judge_validity(sk_X509_value(identity->given, i), identity->now) == NULL)
			sk_X509_push(result, sk_X509_value(identity->given, i));
	return result;
}

/*
 * Put the chain in order.  OpenSSL decides whether it is complete: it is enough if clients
 * find one path from the leaf, through what the server sends, to a root that they trust.
 * What has expired is left out.  OpenSSL does not go back to try another issuer of the
 * same name: where that would help, the one in the way is left out, too.
 */
static Refusal *
order_chain(Identity *identity, X509 *leaf)
{
	for (int except = -1; except < sk_X509_num(identity->given); except++)
	{
		STACK_OF(X509) *certs = valid_certificates(identity, except);

		CHECK_FOR_INTERRUPTS();
		build_chain(identity, leaf, certs);
		sk_X509_free(certs);
		if (verify_chain(identity, leaf, identity->chain)->ok)
			return NULL;
	}
	/* with everything, to see what is missing, or in the way */
	build_chain(identity, leaf, identity->given);
	return explain_incomplete_chain(identity, leaf, verify_chain(identity, leaf, identity->chain));
}

/*
 * Does a client that trusts the system's roots, and those of ssl_ca_file and among what
 * the server sends, find a path to one of them?
 */
bool
leads_to_root(X509 *leaf, STACK_OF(X509) *sent, STACK_OF(X509) *cas, int64 now)
{
	Identity	identity = {.given = sent, .cas = cas, .now = now};

	return verify_chain(&identity, leaf, sent)->ok;
}

/*
 * Would the server accept its own certificate from a client?  cas are those of
 * ssl_ca_file, sent the intermediates that go with the certificate.
 */
bool
verifies_as_client(X509 *leaf, STACK_OF(X509) *sent, STACK_OF(X509) *cas, int level, int64 now)
{
	X509_STORE *store = X509_STORE_new();
	bool		result;

	if (store == NULL)
		return false;
	for (int i = 0; i < sk_X509_num(cas); i++)
		(void) X509_STORE_add_cert(store, sk_X509_value(cas, i));
	result = verify_in_store(store, leaf, sent, X509_PURPOSE_SSL_CLIENT,
							 level, now)
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
	if (verifies_as_client(leaf, identity->chain, identity->cas, identity->level, identity->now))
		*warnings = lappend(*warnings, psprintf("the server would accept certificate %s from clients, too: have one issued with extendedKeyUsage = serverAuth alone", title));
	if (is_self_signed(leaf))
		*warnings = lappend(*warnings, psprintf("certificate %s is self-signed: clients that verify the server need it as their root certificate", title));
	warn_of_weak_signatures(identity, warnings);
	for (int i = 0; i < sk_X509_num(identity->given); i++)
	{
		X509	   *cert = sk_X509_value(identity->given, i);

		if (!has_certificate(identity->chain, cert))
			*warnings = lappend(*warnings, psprintf("certificate %s %s and is left out", certificate_title(cert), judge_validity(cert, identity->now) ? "is not valid now" : "does not belong to the chain"));
	}
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
