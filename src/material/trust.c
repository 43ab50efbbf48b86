/*-------------------------------------------------------------------------
 *
 * trust.c
 *		Whether a set of CAs and CRLs lets clients in: what is refused, and what
 *		is worth a warning.
 *
 * Installation and reload ask the same questions here.  OpenSSL verifies; the
 * rules here only say what its answers mean for the DBA.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "base/datums.h"
#include "material/trust.h"
#include "pki/chain.h"
#include "pki/crl.h"
#include "pki/x509.h"

#define MAX_CA_NAMES_BYTES 60000

Refusal *
make_trust_refusal(char *message, char *detail, char *hint)
{
	Refusal    *refusal = palloc0(sizeof(Refusal));

	refusal->message = message;
	refusal->detail = detail;
	refusal->hint = hint;
	return refusal;
}

void
raise_trust_refusal(const Refusal *refusal)
{
	if (refusal == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s", refusal->message),
			 refusal->detail ? errdetail("%s", refusal->detail) : 0,
			 refusal->hint ? errhint("%s", refusal->hint) : 0));
}

/*
 * The subject, as far as it can be shown.
 */
char *
certificate_title(X509 *cert)
{
	char	   *subject = dn_text(X509_get_subject_name(cert));

	return psprintf("\"%s\"", subject ? certificate_string(subject) : "");
}

static char *
issuer_title(const X509_NAME *issuer)
{
	char	   *text = dn_text(issuer);

	return psprintf("\"%s\"", text ? certificate_string(text) : "");
}

char *
unix_time_text(int64 unix_time)
{
	return pstrdup(timestamptz_to_str(timestamp_from_unix(unix_time)));
}

static char *
asn1_time_text(const ASN1_TIME *time)
{
	int64		seconds;

	return read_asn1_time(time, &seconds) ? unix_time_text(seconds) : pstrdup("a time that cannot be read");
}

static bool
is_too_weak(const Verification *v)
{
	return has_verify_error(v, X509_V_ERR_EE_KEY_TOO_SMALL) ||
		has_verify_error(v, X509_V_ERR_CA_KEY_TOO_SMALL) ||
		has_verify_error(v, X509_V_ERR_CA_MD_TOO_WEAK);
}

static bool
lacks_issuer(const Verification *v)
{
	return has_verify_error(v, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY) ||
		has_verify_error(v, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT);
}

/*
 * One CA of the set.  True if it can verify clients; if not, or not for long,
 * why is a warning.  *refusal is set if one that is added cannot be taken.
 */
static bool
judge_ca(const Trust *trust, X509 *ca, bool added,
		 Refusal **refusal, List **warnings)
{
	char	   *title = certificate_title(ca);
	time_t		now = (time_t) trust->now;
	Verification *v;

	if (X509_check_ca(ca) == 0)
	{
		if (added)
			*refusal = make_trust_refusal(psprintf("certificate %s is not a CA", title),
										  pstrdup("Its basic constraints or its key usage do not let it sign certificates."),
										  pstrdup("Give the certificate of the CA that issued it."));
		else
			*warnings = lappend(*warnings, psprintf("%s is not a CA", title));
		return false;
	}

	v = verify_ca(trust->cas, ca, trust->level, trust->now);
	if (is_too_weak(v))
	{
		char	   *reason = psprintf("%s (OpenSSL's security level is %d)",
									  verification_text(v), trust->level);

		if (added)
			*refusal = make_trust_refusal(psprintf("CA %s is too weak", title),
										  psprintf("OpenSSL says: %s.", reason),
										  pstrdup("The server would refuse every certificate that it issued."));
		else
			*warnings = lappend(*warnings, psprintf("CA %s is too weak: %s", title, reason));
		return false;
	}
	if (X509_get_version(ca) == 0)
		*warnings = lappend(*warnings, psprintf("CA %s is an X.509 v1 certificate, which cannot say that it is a CA", title));
	if (has_verify_error(v, X509_V_ERR_CERT_HAS_EXPIRED) &&
		X509_cmp_time(X509_get0_notAfter(ca), &now) < 0)
		*warnings = lappend(*warnings, psprintf("CA %s expired on %s", title, asn1_time_text(X509_get0_notAfter(ca))));
	else if (has_verify_error(v, X509_V_ERR_CERT_NOT_YET_VALID) &&
			 X509_cmp_time(X509_get0_notBefore(ca), &now) > 0)
		*warnings = lappend(*warnings, psprintf("CA %s is not valid before %s", title, asn1_time_text(X509_get0_notBefore(ca))));
	else if (lacks_issuer(v))
		*warnings = lappend(*warnings, psprintf("the issuer of CA %s, %s, is missing: without it no certificate of this CA is accepted", title, issuer_title(X509_get_issuer_name(ca))));
	else if (has_verify_error(v, X509_V_ERR_INVALID_PURPOSE))
		*warnings = lappend(*warnings, psprintf("CA %s verifies no client: its extended key usage, or that of a CA above it, lacks clientAuth", title));
	else if (!v->ok)
		*warnings = lappend(*warnings, psprintf("CA %s verifies nobody: %s", title, verification_text(v)));
	return v->ok;
}

/*
 * The server sends the names of all CAs to every client, in a list whose length
 * is a number of 16 bits (RFC 8446 section 4.2.4): with more, no handshake works
 * at all.
 */
static Refusal *
judge_names(STACK_OF(X509) *cas)
{
	size_t		size = 0;

	for (int i = 0; i < sk_X509_num(cas); i++)
		size += (size_t) i2d_X509_NAME(X509_get_subject_name(sk_X509_value(cas, i)), NULL) + 2;
	if (size <= MAX_CA_NAMES_BYTES)
		return NULL;
	return make_trust_refusal(pstrdup("the names of the CAs are too long"),
							  psprintf("They take %zu bytes; at most %d fit into the message that a server sends to its clients.",
									   size, MAX_CA_NAMES_BYTES),
							  pstrdup("Install fewer CAs, or put others behind one root."));
}

/*
 * The CAs.  added are those of trust->cas that come from the caller.  Refuses a
 * set that lets nobody in.
 */
Refusal *
judge_cas(const Trust *trust, STACK_OF(X509) *added, List **warnings)
{
	Refusal    *refusal = judge_names(trust->cas);
	int			usable = 0;

	for (int i = 0; i < sk_X509_num(trust->cas) && refusal == NULL; i++)
	{
		X509	   *ca = sk_X509_value(trust->cas, i);

		CHECK_FOR_INTERRUPTS();
		if (judge_ca(trust, ca, has_certificate(added, ca), &refusal, warnings))
			usable++;
	}
	if (refusal == NULL && usable == 0)
	{
		StringInfoData why;
		ListCell   *cell;

		initStringInfo(&why);
		foreach(cell, *warnings)
			appendStringInfo(&why, "%s%s", why.len ? "; " : "", (char *) lfirst(cell));
		refusal = make_trust_refusal(pstrdup("no usable CA would remain"),
									 why.len ? psprintf("Because: %s.", why.data) : NULL,
									 pstrdup("With it, every client certificate would be refused."));
	}
	return refusal;
}

bool
is_current_crl(X509_CRL *crl, int64 now)
{
	time_t		at = (time_t) now;
	const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);

	return X509_cmp_time(X509_CRL_get0_lastUpdate(crl), &at) <= 0 &&
		(next == NULL || X509_cmp_time(next, &at) > 0);
}

/*
 * A CRL by itself: would the server take it, and keep letting clients in?  issuers are
 * those that may have signed it.
 */
Refusal *
judge_crl(X509_CRL *crl, STACK_OF(X509) *issuers, int64 now, bool accept_expired)
{
	char	   *title = issuer_title(X509_CRL_get_issuer(crl));
	CrlFacts   *facts = read_crl(crl);

	if (facts == NULL)
		return make_trust_refusal(psprintf("the CRL of %s cannot be read", title), NULL, NULL);
	if (facts->unsupported)
		return make_trust_refusal(psprintf("the CRL of %s cannot be used: %s", title, facts->unsupported),
								  NULL, pstrdup("A CRL must be complete (RFC 5280 section 5): it must list everything that its issuer has revoked, or everything in the scope that its issuing distribution point names."));
	if (crl_issuer(crl, issuers) == NULL)
		return make_trust_refusal(psprintf("the CRL of %s is not signed by a CA in ssl_ca_file", title),
								  pstrdup("A CA of that name, with the key that signed the CRL and the right to sign CRLs, is wanted."),
								  pstrdup("Install the CA first. If it is an intermediate CA that only clients send, give its certificate along with the CRL."));
	if (facts->this_update > now || (!accept_expired && !is_current_crl(crl, now)))
		return make_trust_refusal(facts->this_update > now ?
									  psprintf("the CRL of %s is not valid before %s", title, unix_time_text(facts->this_update)) :
									  psprintf("the CRL of %s expired on %s", title, unix_time_text(facts->next_update)),
								  pstrdup("With it, the server would refuse every certificate of this CA."),
								  pstrdup("Have the CA issue a new CRL."));
	return NULL;
}

/*
 * Why a CRL that the server has been given lets no client in; NULL if it does.
 * facts and issuer, of the CRL, may be NULL.
 */
const char *
crl_problem(X509_CRL *crl, const CrlFacts *facts, const X509 *issuer, int64 now)
{
	if (facts == NULL)
		return "it cannot be read";
	if (facts->unsupported)
		return facts->unsupported;
	if (issuer == NULL)
		return "it is not signed by a CA in ssl_ca_file, nor by one that was given with a CRL";
	if (!is_current_crl(crl, now))
		return "it has expired, or is not valid yet: every certificate of this CA is refused";
	return NULL;
}

static bool
has_same_scope(X509_CRL *a, X509_CRL *b)
{
	CrlScope	x;
	CrlScope	y;

	return read_crl_scope(a, &x) == NULL && read_crl_scope(b, &y) == NULL &&
		memcmp(x.digest, y.digest, POINT_LEN) == 0;
}

/*
 * Is there a CRL that makes the server refuse every certificate of a CA, since
 * it is not current, and no other one is there?  *error says which.
 */
bool
judge_expiry(const Trust *trust, char **error)
{
	for (int i = 0; i < sk_X509_CRL_num(trust->crls); i++)
	{
		X509_CRL   *crl = sk_X509_CRL_value(trust->crls, i);
		X509	   *ca;
		bool		replaced = false;

		if (is_current_crl(crl, trust->now))
			continue;
		ca = crl_issuer(crl, trust->issuers);
		for (int k = 0; ca && k < sk_X509_CRL_num(trust->crls); k++)
			replaced |= is_current_crl(sk_X509_CRL_value(trust->crls, k), trust->now) &&
				is_crl_signed_by(sk_X509_CRL_value(trust->crls, k), ca) &&
				has_same_scope(sk_X509_CRL_value(trust->crls, k), crl);
		if (ca == NULL || replaced)
			continue;
		*error = psprintf("the CRL of %s is not current (this update %s, next update %s): every certificate of this CA would be refused",
						  issuer_title(X509_CRL_get_issuer(crl)),
						  asn1_time_text(X509_CRL_get0_lastUpdate(crl)),
						  X509_CRL_get0_nextUpdate(crl) ? asn1_time_text(X509_CRL_get0_nextUpdate(crl)) : "not given");
		return true;
	}
	return false;
}

/*
 * Why the CRLs of a CA do not do for a certificate of it; NULL if they do.  points are the
 * certificate's; where they are not known, any CRL of the CA does.
 */
char *
crl_scope_gap(const Trust *trust, List *crls, X509 *ca, const CertPoints *points)
{
	bool		any = false;
	bool		covered = false;
	ListCell   *cell;

	foreach(cell, crls)
	{
		CrlScope	scope;

		if (read_crl_scope(lfirst(cell), &scope) != NULL)
			continue;
		any = true;
		if (points && points->known && !scope_covers(&scope, points))
			continue;
		covered = true;
		if (is_current_crl(lfirst(cell), trust->now))
			return NULL;
	}
	if (covered ? trust->accept_expired_crl : trust->accept_missing_crl)
		return NULL;
	return psprintf("%s of CA %s%s",
					covered ? "the CRL has expired" :
						any ? "no CRL" :
							  "there is no CRL",
					certificate_title(ca), any && !covered ? " covers the certificate (different scope)" : "");
}

static List *
crls_of(const Trust *trust, X509 *ca)
{
	List	   *result = NIL;

	for (int i = 0; i < sk_X509_CRL_num(trust->crls); i++)
		if (is_crl_signed_by(sk_X509_CRL_value(trust->crls, i), ca))
			result = lappend(result, sk_X509_CRL_value(trust->crls, i));
	return result;
}

/*
 * Does a root need no CRL for itself, because all that it has are for some certificates?
 * Only where sslpolicy decides; core asks for one.
 */
static bool
needs_no_crl(const Trust *trust, List *crls)
{
	bool		limited = crls != NIL && trust->own_crls;
	ListCell   *cell;

	foreach(cell, crls)
	{
		CrlScope	scope;

		limited = limited && (read_crl_scope(lfirst(cell), &scope) != NULL || scope.limited);
	}
	return limited;
}

/*
 * Which CRL is missing for certificates of this CA to be accepted: each CA from
 * here to the root must have a CRL that is current (core checks all of a chain).
 * NULL if none is.  Which distribution points those certificates name is not known.
 */
char *
crl_gap(const Trust *trust, X509 *ca)
{
	CertPoints	points = {0};

	for (int depth = 0; ca != NULL && depth <= sk_X509_num(trust->cas); depth++)
	{
		List	   *crls = crls_of(trust, ca);
		char	   *gap = crl_scope_gap(trust, crls, ca, &points);

		if (gap)
			return gap;
		read_certificate_points(ca, &points);
		if (is_self_signed(ca))
			return needs_no_crl(trust, crls) ? NULL : crl_scope_gap(trust, crls, ca, &points);
		ca = find_issuer(ca, trust->cas);
	}
	return NULL;
}

/*
 * How many of the CAs that can verify clients are left when CRLs are asked for;
 * -1 if they are not.  What is missing is a warning.
 */
int
judge_revocation(const Trust *trust, List **warnings)
{
	int			usable = 0;

	if (!trust->use_crls)
		return -1;
	for (int i = 0; i < sk_X509_num(trust->cas); i++)
	{
		X509	   *ca = sk_X509_value(trust->cas, i);
		char	   *gap;

		CHECK_FOR_INTERRUPTS();
		if (X509_check_ca(ca) == 0 ||
			!verify_ca(trust->cas, ca, trust->level, trust->now)->ok)
			continue;
		gap = crl_gap(trust, ca);
		if (gap == NULL)
			usable++;
		else
			*warnings = lappend(*warnings, psprintf("certificates of CA %s are refused: %s", certificate_title(ca), gap));
	}
	return usable;
}
