/*-------------------------------------------------------------------------
 *
 * objection.c
 *		Why a set of CAs and CRLs does not accept a certificate that was verified
 *		once.
 *
 * For sessions and logins we have no certificates, only facts about them:
 * fingerprints, subjects and serials of the verified chain.  We find its CAs in the set
 * by fingerprint, or else by identity, that is name and key, because a renewed CA
 * verifies what the old one has issued.  A CA whose certificate is not among the known
 * ones was sent by the client, which will send it again.
 *
 * We keep what we find out about a CA: thousands of logins have the same few CAs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/bn.h>
#include <openssl/x509v3.h>

#include "miscadmin.h"

#include "base/datums.h"
#include "base/memory.h"
#include "install/objection.h"
#include "pki/chain.h"
#include "pki/crl.h"
#include "pki/x509.h"
#include "revocation/crlkey.h"

/* A CA of the set. */
typedef struct CaView
{
	X509	   *ca;
	bool		has_identity;
	uint8		identity[CA_IDENTITY_LEN];
	bool		looked;
	bool		verified;		/* up to a root of the set */
	char	   *gap;			/* which CRL is missing; NULL: none */
	List	   *crls;			/* X509_CRL * that it has signed */
	bool		path_known[2];	/* without and with a key identifier */
	char	   *path[2];		/* see find_path_objection() */
} CaView;

struct TrustView
{
	const Trust *trust;
	STACK_OF(X509) *known;
	X509_STORE *store;			/* of the CAs, in their order; NULL: not made yet */
	int			count;
	CaView	   *cas;
	int			nothers;
	CaView	   *others;			/* CAs that only clients send, and of whose CRLs we know */
};

static CaView
view_of(X509 *ca)
{
	CaView		view = {.ca = ca};

	view.has_identity = ca_identity(ca, view.identity);
	return view;
}

/*
 * known has certificates of CAs, including those of the old set.
 */
TrustView *
make_trust_view(const Trust *trust, STACK_OF(X509) *known)
{
	TrustView  *view = palloc0(sizeof(TrustView));

	view->trust = trust;
	view->known = known;
	view->cas = palloc(sizeof(CaView) * (Size) (sk_X509_num(trust->cas) + 1));
	for (int i = 0; i < sk_X509_num(trust->cas); i++)
		view->cas[view->count++] = view_of(sk_X509_value(trust->cas, i));
	view->others = palloc(sizeof(CaView) * (Size) (sk_X509_num(trust->issuers) + 1));
	for (int i = 0; i < sk_X509_num(trust->issuers); i++)
		if (!has_certificate(trust->cas, sk_X509_value(trust->issuers, i)))
			view->others[view->nothers++] = view_of(sk_X509_value(trust->issuers, i));
	return view;
}

static void
look_at_ca(const Trust *trust, CaView *ca)
{
	if (ca->looked)
		return;
	ca->looked = true;
	ca->verified = verify_ca(trust->cas, ca->ca, trust->level, trust->now)->ok;
	if (!trust->use_crls)
		return;
	ca->gap = crl_gap(trust, ca->ca);
	for (int i = 0; i < sk_X509_CRL_num(trust->crls); i++)
	{
		X509_CRL   *crl = sk_X509_CRL_value(trust->crls, i);

		/* the name is compared before a signature is */
		if (is_crl_signed_by(crl, ca->ca))
			ca->crls = lappend(ca->crls, crl);
	}
}

/*
 * The CA of a chain in the set: the very certificate, or another one of the same CA.
 * NULL if there is none.  exactly: only the very certificate will do.
 */
static CaView *
find_ca(TrustView *view, const CaFacts *ca, bool exactly)
{
	const X509 *same = find_certificate_by_fingerprint(view->trust->cas, ca->fingerprint);

	for (int i = 0; i < view->count; i++)
	{
		CaView	   *other = &view->cas[i];

		if (same ? other->ca != same :
				   (exactly || !other->has_identity || memcmp(other->identity, ca->identity, CA_IDENTITY_LEN) != 0))
			continue;
		look_at_ca(view->trust, other);
		return other;
	}
	return NULL;
}

/*
 * The same for a CA that only clients send.
 */
static CaView *
find_other(TrustView *view, const CaFacts *ca)
{
	for (int i = 0; i < view->nothers; i++)
	{
		CaView	   *other = &view->others[i];

		if (!other->has_identity || memcmp(other->identity, ca->identity, CA_IDENTITY_LEN) != 0)
			continue;
		look_at_ca(view->trust, other);
		return other;
	}
	return NULL;
}

/*
 * Is there an entry whose serial has this digest?  Of a chain that had no room for
 * serials.
 */
static bool
has_digest(X509_CRL *crl, const CaFacts *issuer, const uint8 *digest)
{
	STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(crl);

	for (int i = 0; i < sk_X509_REVOKED_num(entries); i++)
	{
		char	   *serial = integer_text(X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(entries, i)));
		uint8		key[CRL_KEY_LEN];

		if (i % 1000 == 0)
			CHECK_FOR_INTERRUPTS();
		if (serial == NULL)
			continue;
		if (decimal_crl_entry_key(issuer->identity, serial, key) && memcmp(key, digest, CRL_KEY_LEN) == 0)
			return true;
		pfree(serial);
	}
	return false;
}

/*
 * Has a CRL of this CA revoked the serial?
 */
static bool
is_revoked(const CaView *issuer, const char *serial)
{
	BIGNUM	   *number = NULL;
	ASN1_INTEGER *asn1 = BN_dec2bn(&number, serial) > 0 ? BN_to_ASN1_INTEGER(number, NULL) : NULL;
	bool		result = false;
	ListCell   *cell;

	foreach(cell, issuer->crls)
	{
		X509_REVOKED *entry = NULL;

		result |= asn1 && X509_CRL_get0_by_serial(lfirst(cell), &entry, asn1) == 1;
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

static bool
is_revoked_ca(const CaView *issuer, const CertFacts *cert, int ca)
{
	const CaFacts *facts = &cert->cas[ca];
	ListCell   *cell;

	if (facts->serial != NULL)
		return is_revoked(issuer, facts->serial);
	foreach(cell, issuer->crls)
		if (has_digest(lfirst(cell), issuer_in_chain(cert, ca), facts->serial_digest))
			return true;
	return false;
}

static char *
find_revocation(const CertFacts *cert, CaView *const *found)
{
	const char *subject = cert->subject_dn;

	for (int i = 0; i < cert->ncas; i++)
	{
		if (found[i] && (i == 0 ? is_revoked(found[i], cert->serial) : is_revoked_ca(found[i], cert, i - 1)))
			return psprintf("certificate %s is revoked", shown(subject));
		subject = cert->cas[i].subject_dn;
	}
	return NULL;
}

/*
 * A revocation anywhere in the chain comes before everything else that is wrong.
 */
Objection
find_trust_objection(TrustView *view, const CertFacts *cert)
{
	Objection	none = {NULL, false};
	CaView	  **found = palloc0(sizeof(CaView *) * (Size) (cert->ncas + 1));
	CaView	  **issuers = palloc0(sizeof(CaView *) * (Size) (cert->ncas + 1));
	char	   *reason;

	for (int i = 0; i < cert->ncas; i++)
		found[i] = find_ca(view, &cert->cas[i],
						   memcmp(cert->cas[i].fingerprint, cert->fingerprint, FINGERPRINT_LEN) == 0);
	for (int i = 0; i < cert->ncas; i++)
		issuers[i] = found[i] ? found[i] : find_other(view, &cert->cas[i]);
	reason = find_revocation(cert, issuers);
	if (reason)
		return (Objection){reason, true};
	if (cert->not_after < view->trust->now)
		return (Objection){psprintf("certificate %s has expired", shown(cert->subject_dn)), false};
	for (int i = 0; i < cert->ncas; i++)
	{
		const CaFacts *ca = &cert->cas[i];
		const CertPoints *points = i == 0 ? &cert->points : &cert->cas[i - 1].points;
		bool		sent = i < cert->ncas - 1 &&
			find_certificate_by_fingerprint(view->known, ca->fingerprint) == NULL;

		if (found[i] == NULL && !sent)
			return (Objection){psprintf("CA %s is missing", shown(ca->subject_dn)), false};
		if (issuers[i] && issuers[i]->gap)
			return (Objection){issuers[i]->gap, false};
		if (issuers[i] && view->trust->use_crls &&
			(reason = crl_scope_gap(view->trust, issuers[i]->crls, issuers[i]->ca, points)) != NULL)
			return (Objection){reason, false};
		if (found[i] && !found[i]->verified)
			return (Objection){psprintf("CA %s is not verified", shown(ca->subject_dn)), false};
	}
	return none;
}

static void
free_store(void *store)
{
	X509_STORE_free(store);
}

/*
 * The store that would serve, without CRLs: these say nothing about the path.
 */
static X509_STORE *
store_of(TrustView *view)
{
	if (view->store == NULL)
	{
		view->store = X509_STORE_new();
		if (view->store == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("out of memory")));
		(void) free_at_reset(view->store, free_store);
		for (int i = 0; i < view->count; i++)
			(void) X509_STORE_add_cert(view->store, view->cas[i].ca);
	}
	return view->store;
}

/*
 * What is wrong with the path that OpenSSL takes from a certificate of this CA; NULL if
 * nothing is.  It takes the first issuer in the store that fits by name, and is valid, and
 * does not come back to try another.
 */
static char *
path_problem(TrustView *view, const CaView *ca, bool with_key_id)
{
	X509	   *client = make_client_of(ca->ca, with_key_id);
	Verification *v;
	char	   *problem = NULL;

	/* a key of a kind that we cannot imitate */
	if (client == NULL)
		return NULL;
	v = verify_in_store(store_of(view), client, NULL, X509_PURPOSE_SSL_CLIENT,
						view->trust->level, view->trust->now);
	X509_free(client);
	for (int i = 0; i < v->nerrors && problem == NULL; i++)
		/* the certificate itself has neither signature nor time of its own */
		if (strcmp(v->culprits[i], "CN=client") != 0)
			problem = psprintf("in this order of the CAs OpenSSL takes a path that fails: %s (%s)",
							   X509_verify_cert_error_string(v->errors[i]), shown(v->culprits[i]));
	if (problem == NULL && v->facts && v->facts->ncas > 0 && ca->has_identity &&
		memcmp(v->facts->cas[0].identity, ca->identity, CA_IDENTITY_LEN) != 0)
		problem = psprintf("in this order of the CAs OpenSSL takes another CA of the name %s for its issuer", certificate_title(ca->ca));
	for (int i = 0; problem == NULL && v->facts && i < v->facts->ncas; i++)
	{
		const CaView *other = find_ca(view, &v->facts->cas[i], true);

		if (other && other->gap)
			problem = other->gap;
	}
	return problem;
}

/*
 * Why OpenSSL would not verify a certificate from a CA of the set, although everything that
 * it needs is there; NULL if it would.  The order of the CAs decides.  We do not have the
 * certificate, so we ask for one like it, once with a key identifier and once without.
 */
char *
find_path_objection(TrustView *view, const CertFacts *cert, bool with_key_id)
{
	/* its own issuer, or the first above it that the client has not sent */
	for (int i = 0; i < cert->ncas; i++)
	{
		CaView	   *ca = memcmp(cert->cas[i].fingerprint, cert->fingerprint, FINGERPRINT_LEN) == 0 ?
			NULL :
			find_ca(view, &cert->cas[i], false);

		if (ca == NULL)
			continue;
		if (!ca->path_known[with_key_id])
			ca->path[with_key_id] = path_problem(view, ca, with_key_id);
		ca->path_known[with_key_id] = true;
		return ca->path[with_key_id];
	}
	return NULL;
}

/*
 * Why a CA lets no client in with the set; NULL if it does, or if another one of the same
 * name and key does.
 */
char *
find_ca_objection(TrustView *view, X509 *ca)
{
	char	   *reason = pstrdup("the CA is missing");

	for (int i = 0; i < view->count; i++)
	{
		CaView	   *other = &view->cas[i];

		if (X509_cmp(other->ca, ca) != 0 && !is_same_ca(other->ca, ca))
			continue;
		look_at_ca(view->trust, other);
		if (X509_check_ca(other->ca) != 0 && other->verified && other->gap == NULL)
			return NULL;
		reason = other->gap ? other->gap : pstrdup("the CA cannot verify clients");
	}
	return reason;
}
