/*-------------------------------------------------------------------------
 *
 * crl.c
 *		OpenSSL's certificate revocation lists as plain data.
 *
 * Says what a CRL is, who has signed it, and whether it is a complete list of
 * what its issuer has revoked (RFC 5280 section 5), of all certificates or of those in its
 * scope (distpoint.c).  Delta and indirect CRLs are not, nor those for some reasons only,
 * and OpenSSL takes them only with flags that the server does not set.
 *
 * A file of any length is read by crlreader.c, which has what is left of each CRL
 * read here.
 *
 *-------------------------------------------------------------------------
 */
#include "pki/crl.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "pki/x509.h"

/*
 * A critical extension other than the known ones, which are those that OpenSSL
 * handles; NULL if there is none.
 */
static char *
unknown_critical(const STACK_OF(X509_EXTENSION) *extensions,
				 const int *known, int nknown)
{
	for (int i = 0; i < X509v3_get_ext_count(extensions); i++)
	{
		X509_EXTENSION *extension = X509v3_get_ext(extensions, i);
		const ASN1_OBJECT *oid = X509_EXTENSION_get_object(extension);
		int			nid = OBJ_obj2nid(oid);
		bool		found = false;
		char		text[128];

		if (!X509_EXTENSION_get_critical(extension))
			continue;
		for (int k = 0; k < nknown; k++)
			found |= nid == known[k];
		if (found)
			continue;
		if (OBJ_obj2txt(text, sizeof(text), oid, 1) <= 0)
			text[0] = '\0';
		return psprintf("it has the unknown critical extension %s", text);
	}
	return NULL;
}

static char *
unsupported_entry(X509_CRL *crl)
{
	STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(crl);
	int			count = entries ? sk_X509_REVOKED_num(entries) : 0;

	for (int i = 0; i < count; i++)
	{
		const X509_REVOKED *entry = sk_X509_REVOKED_value(entries, i);
		const STACK_OF(X509_EXTENSION) *extensions = X509_REVOKED_get0_extensions(entry);
		char	   *result;

		if (extensions == NULL)
			continue;
		if (X509v3_get_ext_by_NID(extensions, NID_certificate_issuer, -1) >= 0)
			return pstrdup("it is an indirect CRL");
		result = unknown_critical(extensions, NULL, 0);
		if (result)
			return result;
	}
	return NULL;
}

static char *
unsupported(X509_CRL *crl, CrlScope *scope)
{
	static const int known[] = {NID_authority_key_identifier, NID_issuing_distribution_point};
	const char *partition = read_crl_scope(crl, scope);
	char	   *result = partition ? pstrdup(partition) : NULL;

	if (result == NULL && X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) >= 0)
		result = pstrdup("it is a delta CRL");
	if (result == NULL)
		result = unknown_critical(X509_CRL_get0_extensions(crl), known, lengthof(known));
	return result ? result : unsupported_entry(crl);
}

bool
crl_fingerprint(X509_CRL *crl, uint8 *digest)
{
	unsigned int len = 0;
	unsigned char sha256[EVP_MAX_MD_SIZE];

	if (X509_CRL_digest(crl, openssl_sha256(), sha256, &len) != 1 || len != FINGERPRINT_LEN)
		return false;
	memcpy(digest, sha256, FINGERPRINT_LEN);
	return true;
}

/*
 * Everything that checks and views want to know of a CRL.  NULL if it cannot be
 * read.  OpenSSL's error queue is left empty.
 */
CrlFacts *
read_crl(X509_CRL *crl)
{
	CrlFacts   *facts = palloc0(sizeof(CrlFacts));
	ASN1_INTEGER *number = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
	STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(crl);
	const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
	bool		ok;

	facts->issuer_dn = dn_text(X509_CRL_get_issuer(crl));
	facts->number = number ? integer_text(number) : NULL;
	facts->entries = entries ? sk_X509_REVOKED_num(entries) : 0;
	facts->has_next_update = next != NULL;
	ok = facts->issuer_dn != NULL && (number == NULL || facts->number != NULL) &&
		crl_fingerprint(crl, facts->fingerprint) &&
		read_asn1_time(X509_CRL_get0_lastUpdate(crl), &facts->this_update) &&
		(next == NULL || read_asn1_time(next, &facts->next_update));
	if (ok)
		facts->unsupported = unsupported(crl, &facts->scope);
	ASN1_INTEGER_free(number);
	ERR_clear_error();
	return ok ? facts : NULL;
}

/*
 * -1, 0 or 1 by value, of decimal numbers in their shortest form.
 */
static int
compare_numbers(const char *a, const char *b)
{
	bool		negative = a[0] == '-';
	size_t		a_len = strlen(a);
	size_t		b_len = strlen(b);
	int			order = a_len != b_len ? (a_len < b_len ? -1 : 1) : strcmp(a, b);

	if (negative != (b[0] == '-'))
		return negative ? -1 : 1;
	return negative ? -order : order;
}

/*
 * -1, 0 or 1 as one CRL comes before, with or after another one of its issuer and scope.
 * By number where both have one (RFC 5280 section 5.2.3 wants it to grow), and then, or
 * else, by thisUpdate.
 */
int
compare_crl_age(const char *number, int64 this_update,
				const char *other_number, int64 other_update)
{
	int			order = 0;

	if (number && other_number)
		order = compare_numbers(number, other_number);
	if (order == 0)
		order = this_update < other_update ? -1 : this_update > other_update;
	return order;
}

/*
 * Does crl come before another one of the same issuer and scope?
 */
bool
is_older_crl(const CrlFacts *crl, const CrlFacts *than)
{
	return compare_crl_age(crl->number, crl->this_update, than->number, than->this_update) < 0;
}

/*
 * Are these CRLs, of one issuer, for the same certificates?
 */
bool
is_same_scope(const CrlFacts *a, const CrlFacts *b)
{
	return memcmp(a->scope.digest, b->scope.digest, POINT_LEN) == 0;
}

static int
compare_named_cas(const void *a, const void *b)
{
	const NamedCa *x = a;
	const NamedCa *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->position < y->position ? -1 : x->position > y->position;
}

/*
 * The CAs stay the caller's.
 */
CasByName *
sort_cas_by_name(STACK_OF(X509) *cas)
{
	CasByName  *result = palloc0(sizeof(CasByName));

	result->cas = cas;
	result->count = Max(sk_X509_num(cas), 0);
	result->sorted = palloc(sizeof(NamedCa) * (Size) (result->count + 1));
	for (int i = 0; i < result->count; i++)
	{
		result->sorted[i].hash = X509_NAME_hash_ex(X509_get_subject_name(sk_X509_value(cas, i)), NULL, NULL, NULL);
		result->sorted[i].position = i;
	}
	qsort(result->sorted, (size_t) result->count, sizeof(NamedCa), compare_named_cas);
	ERR_clear_error();
	return result;
}

/*
 * The first in sorted whose name may be this one: all that have it follow, with the same
 * hash.
 */
int
find_cas_by_name(const CasByName *cas, const X509_NAME *name)
{
	NamedCa		wanted = {X509_NAME_hash_ex(name, NULL, NULL, NULL), -1};
	int			low = 0;
	int			high = cas->count;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (compare_named_cas(&cas->sorted[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	ERR_clear_error();
	return low;
}

bool
is_crl_named_after(X509_CRL *crl, X509 *ca)
{
	return X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(ca)) == 0;
}

/*
 * Is this a CA that may have issued the CRL: does it have the name, and a key
 * that may sign CRLs (RFC 5280 section 6.3.3 (f))?
 */
bool
may_issue_crl(X509 *ca, X509_CRL *crl)
{
	return is_crl_named_after(crl, ca) && X509_get0_pubkey(ca) != NULL &&
		(X509_get_key_usage(ca) & KU_CRL_SIGN) != 0;
}

/*
 * Did this CA issue the CRL?
 */
bool
is_crl_signed_by(X509_CRL *crl, X509 *ca)
{
	bool		result = may_issue_crl(ca, crl) &&
		X509_CRL_verify(crl, X509_get0_pubkey(ca)) == 1;

	ERR_clear_error();
	return result;
}

/*
 * A digest that a signature may rest on; NULL for any other.
 */
static const EVP_MD *
signature_digest(int nid)
{
	switch (nid)
	{
		case NID_sha1:
		case NID_sha224:
		case NID_sha256:
		case NID_sha384:
		case NID_sha512:
		case NID_sha512_224:
		case NID_sha512_256:
		case NID_sha3_224:
		case NID_sha3_256:
		case NID_sha3_384:
		case NID_sha3_512:
			return EVP_get_digestbynid(nid);
		default:
			return NULL;
	}
}

/*
 * A digest inside the parameters of RSA-PSS, where none means SHA-1.
 */
static const EVP_MD *
pss_digest(const X509_ALGOR *algorithm)
{
	return signature_digest(algorithm ? OBJ_obj2nid(algorithm->algorithm) : NID_sha1);
}

static const EVP_MD *
pss_mgf1_digest(const X509_ALGOR *mgf1)
{
	X509_ALGOR *inner;
	const EVP_MD *result;

	if (mgf1 == NULL)
		return pss_digest(NULL);
	if (OBJ_obj2nid(mgf1->algorithm) != NID_mgf1)
		return NULL;
	inner = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(X509_ALGOR), mgf1->parameter);
	result = inner ? pss_digest(inner) : NULL;
	X509_ALGOR_free(inner);
	return result;
}

/*
 * The parameters of RSA-PSS (RFC 4055 section 3.1).
 */
static bool
read_pss_parameters(const ASN1_TYPE *parameter, SignatureScheme *scheme)
{
	RSA_PSS_PARAMS *pss = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(RSA_PSS_PARAMS), parameter);
	int64_t		salt_len = 20;
	int64_t		trailer = 1;
	bool		ok;

	if (pss == NULL)
		return false;
	scheme->digest = pss_digest(pss->hashAlgorithm);
	scheme->mgf1 = pss_mgf1_digest(pss->maskGenAlgorithm);
	ok = scheme->digest != NULL && scheme->mgf1 != NULL &&
		(pss->saltLength == NULL || ASN1_INTEGER_get_int64(&salt_len, pss->saltLength) == 1) &&
		(pss->trailerField == NULL || ASN1_INTEGER_get_int64(&trailer, pss->trailerField) == 1) &&
		salt_len >= 0 && salt_len <= EVP_MAX_MD_SIZE && trailer == 1;
	scheme->salt_len = (int) salt_len;
	RSA_PSS_PARAMS_free(pss);
	return ok;
}

/*
 * What has to be done to verify a signature of this algorithm.  False if it is
 * unknown, or weak (MD5).
 */
bool
read_signature_scheme(const X509_ALGOR *algorithm, SignatureScheme *scheme)
{
	int			digest_nid;
	int			key_nid;
	bool		ok;

	memset(scheme, 0, sizeof(SignatureScheme));
	if (!OBJ_find_sigid_algs(OBJ_obj2nid(algorithm->algorithm), &digest_nid, &key_nid))
		return false;
	scheme->key_type = key_nid;
	switch (key_nid)
	{
		case EVP_PKEY_RSA_PSS:
			ok = read_pss_parameters(algorithm->parameter, scheme);
			break;
		case EVP_PKEY_ED25519:
		case EVP_PKEY_ED448:
			ok = true;
			break;
		case EVP_PKEY_RSA:
		case EVP_PKEY_EC:
		case EVP_PKEY_DSA:
			scheme->digest = signature_digest(digest_nid);
			ok = scheme->digest != NULL;
			break;
		default:
			ok = false;
	}
	ERR_clear_error();
	return ok;
}

static bool
verify_digest(EVP_PKEY *key, const SignatureScheme *scheme,
			  const uint8 *signature, size_t signature_len,
			  const uint8 *digest, size_t len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	bool		ok = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1;

	if (ok && scheme->key_type == EVP_PKEY_RSA_PSS)
		ok = EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
			EVP_PKEY_CTX_set_signature_md(ctx, scheme->digest) > 0 &&
			EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, scheme->mgf1) > 0 &&
			EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, scheme->salt_len) > 0;
	else if (ok)
		ok = EVP_PKEY_CTX_set_signature_md(ctx, scheme->digest) > 0;
	ok = ok && EVP_PKEY_verify(ctx, signature, signature_len, digest, len) == 1;
	EVP_PKEY_CTX_free(ctx);
	return ok;
}

static bool
verify_bytes(EVP_PKEY *key, const uint8 *signature, size_t signature_len,
			 const uint8 *bytes, size_t len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool		ok = ctx != NULL &&
		EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
		EVP_DigestVerify(ctx, signature, signature_len, bytes, len) == 1;

	EVP_MD_CTX_free(ctx);
	return ok;
}

/*
 * Is this a signature of the CA's key?  bytes is the digest of what is signed;
 * where the scheme has none, that itself.
 */
bool
has_signed_crl(X509 *ca, const SignatureScheme *scheme,
			   const uint8 *signature, size_t signature_len,
			   const uint8 *bytes, size_t len)
{
	EVP_PKEY   *key = X509_get0_pubkey(ca);
	int			type = key ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE;
	bool		result = false;

	if (type == scheme->key_type ||
		(type == EVP_PKEY_RSA && scheme->key_type == EVP_PKEY_RSA_PSS))
		result = scheme->digest ?
			verify_digest(key, scheme, signature, signature_len, bytes, len) :
			verify_bytes(key, signature, signature_len, bytes, len);
	ERR_clear_error();
	return result;
}

/*
 * The CA, of some, that issued the CRL; NULL if none did.
 */
X509 *
crl_issuer(X509_CRL *crl, STACK_OF(X509) *cas)
{
	for (int i = 0; i < sk_X509_num(cas); i++)
		if (is_crl_signed_by(crl, sk_X509_value(cas, i)))
			return sk_X509_value(cas, i);
	return NULL;
}
