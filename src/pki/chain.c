/*-------------------------------------------------------------------------
 *
 * chain.c
 *		What certificates are to each other, and whether OpenSSL verifies them.
 *
 *-------------------------------------------------------------------------
 */
#include "pki/chain.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "pki/x509.h"

/*
 * Has the certificate signed itself?  By signature, not by name alone.
 */
bool
is_self_signed(X509 *cert)
{
	bool		result = X509_self_signed(cert, 1) == 1;

	ERR_clear_error();
	return result;
}

/*
 * Did issuer issue cert?  By name, key identifier, key usage and signature.
 */
bool
is_issued_by(X509 *cert, X509 *issuer)
{
	EVP_PKEY   *key = X509_get0_pubkey(issuer);
	bool		result = key != NULL &&
		X509_check_issued(issuer, cert) == X509_V_OK &&
		X509_verify(cert, key) == 1;

	ERR_clear_error();
	return result;
}

/*
 * Are these certificates of one CA, so that what one verifies the other does?
 * A renewed or cross-signed CA has several.
 */
bool
is_same_ca(X509 *a, X509 *b)
{
	EVP_PKEY   *key_a = X509_get0_pubkey(a);
	EVP_PKEY   *key_b = X509_get0_pubkey(b);
	bool		result = key_a != NULL && key_b != NULL &&
		X509_NAME_cmp(X509_get_subject_name(a), X509_get_subject_name(b)) == 0 &&
		EVP_PKEY_eq(key_a, key_b) == 1;

	ERR_clear_error();
	return result;
}

/*
 * The one of the candidates, other than the certificate itself, that issued it;
 * NULL if none did.
 */
X509 *
find_issuer(X509 *cert, STACK_OF(X509) *candidates)
{
	for (int i = 0; i < sk_X509_num(candidates); i++)
	{
		X509	   *candidate = sk_X509_value(candidates, i);

		if (X509_cmp(candidate, cert) != 0 && is_issued_by(cert, candidate))
			return candidate;
	}
	return NULL;
}

/*
 * Is this very certificate among others?
 */
bool
has_certificate(STACK_OF(X509) *certs, X509 *cert)
{
	for (int i = 0; i < sk_X509_num(certs); i++)
		if (X509_cmp(sk_X509_value(certs, i), cert) == 0)
			return true;
	return false;
}

/*
 * The certificate with this SHA-256 fingerprint; NULL if it is not there.
 */
X509 *
find_certificate_by_fingerprint(STACK_OF(X509) *certs, const uint8 *fingerprint)
{
	uint8		digest[FINGERPRINT_LEN];

	for (int i = 0; i < sk_X509_num(certs); i++)
		if (certificate_fingerprint(sk_X509_value(certs, i), digest) &&
			memcmp(digest, fingerprint, FINGERPRINT_LEN) == 0)
			return sk_X509_value(certs, i);
	return NULL;
}

/*
 * The first certificate for this private key; NULL if there is none.
 */
X509 *
find_certificate_by_key(STACK_OF(X509) *certs, EVP_PKEY *key)
{
	X509	   *result = NULL;

	for (int i = 0; i < sk_X509_num(certs) && result == NULL; i++)
		if (X509_check_private_key(sk_X509_value(certs, i), key) == 1)
			result = sk_X509_value(certs, i);
	ERR_clear_error();
	return result;
}

/*
 * The certificate that is no CA for the others: the first one that issued none
 * of them.
 */
X509 *
find_leaf_certificate(STACK_OF(X509) *certs)
{
	for (int i = 0; i < sk_X509_num(certs); i++)
	{
		X509	   *cert = sk_X509_value(certs, i);
		bool		issuer = false;

		for (int k = 0; k < sk_X509_num(certs) && !issuer; k++)
			issuer = k != i && is_issued_by(sk_X509_value(certs, k), cert);
		if (!issuer)
			return cert;
	}
	return sk_X509_value(certs, 0);
}

static void
note_revocation(X509_STORE_CTX *ctx, Verification *v)
{
	X509_CRL   *crl = X509_STORE_CTX_get0_current_crl(ctx);
	X509	   *cert = X509_STORE_CTX_get_current_cert(ctx);
	X509_REVOKED *entry = NULL;

	v->revoked = true;
	if (crl && cert && X509_CRL_get0_by_cert(crl, &entry, cert) == 1)
		(void) read_asn1_time(X509_REVOKED_get0_revocationDate(entry), &v->revoked_since);
}

/*
 * OpenSSL's callback: note what is wrong, and go on to see what else is.
 */
static int
collect_errors(int ok, X509_STORE_CTX *ctx)
{
	Verification *v = X509_STORE_CTX_get_app_data(ctx);
	int			error = X509_STORE_CTX_get_error(ctx);
	X509	   *cert = X509_STORE_CTX_get_current_cert(ctx);
	char	   *culprit;

	if (ok)
		return 1;
	culprit = cert ? dn_text(X509_get_subject_name(cert)) : NULL;
	if (culprit == NULL)
		culprit = pstrdup("");
	v->ok = false;
	if (error == X509_V_ERR_CERT_REVOKED && !v->revoked)
		note_revocation(ctx, v);
	for (int i = 0; i < v->nerrors; i++)
		if (v->errors[i] == error && strcmp(v->culprits[i], culprit) == 0)
			return 1;
	if (v->nerrors < VERIFY_MAX_ERRORS)
	{
		v->culprits[v->nerrors] = culprit;
		v->errors[v->nerrors++] = error;
	}
	return 1;
}

static void
note_chain(X509_STORE_CTX *ctx, X509 *cert, Verification *v)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);
	int			count = chain ? sk_X509_num(chain) : 0;

	v->chain = palloc(sizeof(char *) * (Size) (count + 1));
	for (int i = 0; i < count; i++)
	{
		char	   *subject = dn_text(X509_get_subject_name(sk_X509_value(chain, i)));

		v->chain[v->nchain++] = subject ? subject : pstrdup("");
	}
	v->facts = read_certificate(cert, chain);
}

/*
 * Would OpenSSL take each CA of the chain for one that verifies clients?  One whose
 * extended key usage leaves clientAuth out verifies none.  What is no CA is another
 * matter.
 */
static void
check_client_cas(X509_STORE_CTX *ctx, Verification *v)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);

	for (int i = 0; i < sk_X509_num(chain); i++)
	{
		X509	   *ca = sk_X509_value(chain, i);

		if (X509_check_ca(ca) == 0 || X509_check_purpose(ca, X509_PURPOSE_SSL_CLIENT, 1) != 0)
			continue;
		X509_STORE_CTX_set_error(ctx, X509_V_ERR_INVALID_PURPOSE);
		X509_STORE_CTX_set_current_cert(ctx, ca);
		(void) collect_errors(0, ctx);
	}
}

static Verification *
verify(X509_STORE *store, X509 *cert, STACK_OF(X509) *untrusted,
	   int purpose, bool client_cas, int level, int64 at)
{
	Verification *v = palloc0(sizeof(Verification));
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;

	v->ok = true;
	if (ctx == NULL || X509_STORE_CTX_init(ctx, store, cert, untrusted) != 1 ||
		(purpose != 0 && X509_STORE_CTX_set_purpose(ctx, purpose) != 1))
	{
		v->ok = false;
		v->culprits[0] = pstrdup("");
		v->errors[v->nerrors++] = X509_V_ERR_OUT_OF_MEM;
		X509_STORE_CTX_free(ctx);
		ERR_clear_error();
		return v;
	}
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_auth_level(param, level);
	X509_VERIFY_PARAM_set_time(param, (time_t) at);
	X509_STORE_CTX_set_app_data(ctx, v);
	X509_STORE_CTX_set_verify_cb(ctx, collect_errors);
	if (X509_verify_cert(ctx) != 1 && v->ok)
	{
		/* it gave up without asking the callback */
		v->ok = false;
		v->culprits[v->nerrors] = pstrdup("");
		v->errors[v->nerrors++] = X509_STORE_CTX_get_error(ctx);
	}
	if (client_cas)
		check_client_cas(ctx, v);
	note_chain(ctx, cert, v);
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return v;
}

/*
 * Verify a certificate.
 *
 * purpose is X509_PURPOSE_..., 0 for none; level OpenSSL's security level; at
 * the time to verify for, in seconds since 1970-01-01 UTC.
 */
Verification *
verify_in_store(X509_STORE *store, X509 *cert, STACK_OF(X509) *untrusted,
				int purpose, int level, int64 at)
{
	return verify(store, cert, untrusted, purpose, false, level, at);
}

/* Some of the CAs, by their positions. */
typedef struct Found
{
	STACK_OF(X509) *cas;
	bool	   *is_found;
	int			count;
	int		   *positions;		/* in the order in which they were found */
} Found;

static void
find_named(Found *found, const X509_NAME *name)
{
	for (int i = 0; i < sk_X509_num(found->cas); i++)
		if (!found->is_found[i] && X509_NAME_cmp(X509_get_subject_name(sk_X509_value(found->cas, i)), name) == 0)
		{
			found->is_found[i] = true;
			found->positions[found->count++] = i;
		}
}

/*
 * Add to a store those of the CAs that OpenSSL can come to from one of them, in their
 * order.  It looks for certificates by their subject: that of the CA itself, then that of
 * each issuer.  To add all of thousands would take it far longer than to verify one, since
 * it sorts the store anew for each.
 */
static void
add_ancestors(X509_STORE *store, STACK_OF(X509) *cas, X509 *ca)
{
	Size		room = (Size) Max(sk_X509_num(cas), 1);
	Found		found = {.cas = cas, .is_found = palloc0(room), .positions = palloc(sizeof(int) * room)};

	find_named(&found, X509_get_subject_name(ca));
	find_named(&found, X509_get_issuer_name(ca));
	for (int i = 0; i < found.count; i++)
	{
		X509	   *cert = sk_X509_value(cas, found.positions[i]);

		if (X509_NAME_cmp(X509_get_issuer_name(cert), X509_get_subject_name(cert)) != 0)
			find_named(&found, X509_get_issuer_name(cert));
	}
	for (int i = 0; i < sk_X509_num(cas); i++)
		if (found.is_found[i])
			(void) X509_STORE_add_cert(store, sk_X509_value(cas, i));
	pfree(found.is_found);
	pfree(found.positions);
}

/*
 * Verify a CA among others, as one that verifies clients.
 *
 * A root is verified by itself: among several roots of one name OpenSSL would
 * take any of them for its issuer, and complain.
 */
Verification *
verify_ca(STACK_OF(X509) *cas, X509 *ca, int level, int64 at)
{
	X509_STORE *store = X509_STORE_new();
	Verification *v;

	if (is_self_signed(ca))
		(void) X509_STORE_add_cert(store, ca);
	else
		add_ancestors(store, cas, ca);
	v = verify(store, ca, NULL, 0, true, level, at);
	X509_STORE_free(store);
	return v;
}

/*
 * The algorithm by which a CA with this key signs; OpenSSL looks at no more of it than
 * what kind of key it takes.
 */
static int
signature_of_key(EVP_PKEY *key)
{
	if (EVP_PKEY_is_a(key, "RSA"))
		return NID_sha256WithRSAEncryption;
	if (EVP_PKEY_is_a(key, "EC"))
		return NID_ecdsa_with_SHA256;
	return EVP_PKEY_get_id(key) == EVP_PKEY_RSA_PSS ? NID_rsassaPss : EVP_PKEY_get_id(key);
}

static bool
fill_client(X509 *cert, X509 *ca, bool with_key_id)
{
	EVP_PKEY   *key = X509_get0_pubkey(ca);
	X509_NAME  *name = X509_get_subject_name(cert);
	const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(ca);
	const ASN1_BIT_STRING *signature;
	const X509_ALGOR *outer;
	int			nid = key ? signature_of_key(key) : NID_undef;

	X509_get0_signature(&signature, &outer, cert);
	if (nid == NID_undef ||
		X509_set_version(cert, 2) != 1 ||
		ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) != 1 ||
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *) "client", -1, -1, 0) != 1 ||
		X509_set_issuer_name(cert, X509_get_subject_name(ca)) != 1 ||
		X509_set1_notBefore(cert, X509_get0_notBefore(ca)) != 1 ||
		X509_set1_notAfter(cert, X509_get0_notAfter(ca)) != 1 ||
		X509_set_pubkey(cert, key) != 1 ||
		X509_ALGOR_set0((X509_ALGOR *) X509_get0_tbs_sigalg(cert), OBJ_nid2obj(nid), V_ASN1_UNDEF, NULL) != 1 ||
		X509_ALGOR_set0((X509_ALGOR *) outer, OBJ_nid2obj(nid), V_ASN1_UNDEF, NULL) != 1)
		return false;
	if (with_key_id && id)
	{
		AUTHORITY_KEYID *authority = AUTHORITY_KEYID_new();
		bool		added = authority && (authority->keyid = ASN1_OCTET_STRING_dup(id)) != NULL &&
			X509_add1_ext_i2d(cert, NID_authority_key_identifier, authority, 0, X509V3_ADD_DEFAULT) == 1;

		AUTHORITY_KEYID_free(authority);
		return added;
	}
	return true;
}

/*
 * A certificate as the CA could have issued it to a client, to see which path OpenSSL
 * finds for one that is not at hand.  It is not signed.  with_key_id: it names the key of
 * its issuer, if the CA has an identifier for it; many do not.  NULL if none can be made.
 */
X509 *
make_client_of(X509 *ca, bool with_key_id)
{
	X509	   *made = X509_new();
	X509	   *cert = NULL;
	unsigned char *der = NULL;
	int			len = made && fill_client(made, ca, with_key_id) ? i2d_X509(made, &der) : 0;
	const unsigned char *p = der;

	/* as it comes from outside, so that OpenSSL looks at its extensions anew */
	if (len > 0)
		cert = d2i_X509(NULL, &p, len);
	OPENSSL_free(der);
	X509_free(made);
	ERR_clear_error();
	return cert;
}

bool
has_verify_error(const Verification *v, int error)
{
	for (int i = 0; i < v->nerrors; i++)
		if (v->errors[i] == error)
			return true;
	return false;
}

/*
 * Does this error make all later ones meaningless?
 */
static bool
is_broken_chain(int error)
{
	switch (error)
	{
		case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
		case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
		case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		case X509_V_ERR_CERT_CHAIN_TOO_LONG:
		case X509_V_ERR_CERT_SIGNATURE_FAILURE:
			return true;
		default:
			return false;
	}
}

/*
 * What is wrong, in words: "certificate has expired (CN=app); ...".
 */
char *
verification_text(const Verification *v)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < v->nerrors; i++)
	{
		appendStringInfo(&buf, "%s%s", i > 0 ? "; " : "",
						 X509_verify_cert_error_string(v->errors[i]));
		if (v->culprits[i][0])
			appendStringInfo(&buf, " (%s)", v->culprits[i]);
		if (is_broken_chain(v->errors[i]))
			break;
	}
	return buf.data;
}

/*
 * Add a certificate to a set, which shares it.  False if it is there already.
 */
bool
add_certificate_once(STACK_OF(X509) *set, X509 *cert)
{
	if (has_certificate(set, cert))
		return false;
	X509_up_ref(cert);
	sk_X509_push(set, cert);
	return true;
}
