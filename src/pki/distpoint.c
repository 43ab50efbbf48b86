/*-------------------------------------------------------------------------
 *
 * distpoint.c
 *		Distribution points: which certificates a CRL covers.
 *
 * A CRL with an issuing distribution point (RFC 5280 section 5.2.5) is complete for some
 * of its issuer's certificates only: those that name the same point (section 4.2.1.13),
 * or those of users, or of CAs.  If we took it for complete, a certificate that another
 * CRL revokes would get in.  OpenSSL has the same rules (crl_crldp_check() in x509_vfy.c).
 *
 * A name of a point is kept as a digest.  Directory names are compared as OpenSSL compares
 * them, in their canonical form, all others byte for byte.
 *
 *-------------------------------------------------------------------------
 */
#include "pki/distpoint.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/escape.h"
#include "pki/canonname.h"
#include "pki/x509.h"

/* Of a certificate, and of a CRL; nobody has as many. */
#define MAX_CERTIFICATE_POINTS 16
#define MAX_CRL_POINTS		   64

/* in the text */
#define MAX_SHOWN 3

static bool
digest_point(int type, const uint8 *bytes, size_t len, uint8 *point)
{
	StringInfoData buf;
	uint8		digest[FINGERPRINT_LEN];
	bool		ok;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, (char) type);
	appendBinaryStringInfo(&buf, (const char *) bytes, (int) len);
	ok = compute_sha256(buf.data, (size_t) buf.len, digest);
	if (ok)
		memcpy(point, digest, POINT_LEN);
	pfree(buf.data);
	return ok;
}

static bool
digest_directory_name(const X509_NAME *name, uint8 *point)
{
	size_t		len;
	uint8	   *canonical = canonical_name(name, &len);
	bool		ok = canonical != NULL && digest_point(GEN_DIRNAME, canonical, len, point);

	if (canonical)
		pfree(canonical);
	return ok;
}

static bool
digest_name(const GENERAL_NAME *name, uint8 *point)
{
	unsigned char *der = NULL;
	int			len;
	bool		ok;

	if (name->type == GEN_DIRNAME)
		return digest_directory_name(name->d.directoryName, point);
	len = i2d_GENERAL_NAME(name, &der);
	ok = len > 0 && digest_point(name->type, der, (size_t) len, point);
	OPENSSL_free(der);
	return ok;
}

/*
 * The names of a point, up to max of them; the rest is left out.  issuer is that of the
 * certificate or the CRL, which a relative name belongs to.  How many there are.
 */
static int
digest_names(DIST_POINT_NAME *names, const X509_NAME *issuer, uint8 *points, int max)
{
	int			count = 0;

	if (names->type == 1)
	{
		if (max > 0 && DIST_POINT_set_dpname(names, issuer) == 1 && names->dpname != NULL &&
			digest_directory_name(names->dpname, points))
			count++;
		return count;
	}
	for (int i = 0; i < sk_GENERAL_NAME_num(names->name.fullname) && count < max; i++)
		if (digest_name(sk_GENERAL_NAME_value(names->name.fullname, i), points + count * POINT_LEN))
			count++;
	return count;
}

/*
 * The points that a certificate names, and whether it is a CA's.  One with reasons or
 * another issuer of its CRLs does not count: such CRLs are not supported.  Where the
 * extension cannot be read there are none, so that only a list of all covers the
 * certificate.
 */
void
read_certificate_points(X509 *cert, CertPoints *points)
{
	CRL_DIST_POINTS *extension = X509_get_ext_d2i(cert, NID_crl_distribution_points, NULL, NULL);

	points->known = true;
	points->is_ca = (X509_get_extension_flags(cert) & EXFLAG_CA) != 0;
	points->count = 0;
	points->digests = palloc(MAX_CERTIFICATE_POINTS * POINT_LEN);
	for (int i = 0; i < sk_DIST_POINT_num(extension); i++)
	{
		const DIST_POINT *point = sk_DIST_POINT_value(extension, i);

		if (point->distpoint && point->reasons == NULL && point->CRLissuer == NULL)
			points->count += digest_names(point->distpoint, X509_get_issuer_name(cert),
										  points->digests + points->count * POINT_LEN,
										  MAX_CERTIFICATE_POINTS - points->count);
	}
	CRL_DIST_POINTS_free(extension);
	ERR_clear_error();
}

static int
compare_points(const void *a, const void *b)
{
	return memcmp(a, b, POINT_LEN);
}

/*
 * In order, and each once, so that a scope does not depend on the order of names.
 */
static void
sort_points(CrlScope *scope)
{
	int			kept = 0;

	qsort(scope->points, (size_t) scope->npoints, POINT_LEN, compare_points);
	for (int i = 0; i < scope->npoints; i++)
		if (kept == 0 ||
			compare_points(scope->points + i * POINT_LEN, scope->points + (kept - 1) * POINT_LEN) != 0)
			memmove(scope->points + kept++ * POINT_LEN, scope->points + i * POINT_LEN, POINT_LEN);
	scope->npoints = kept;
}

static void
append_shown_name(StringInfo buf, const GENERAL_NAME *name)
{
	char	   *text = NULL;

	if (name->type == GEN_URI)
		text = escape_bytes((const char *) ASN1_STRING_get0_data(name->d.uniformResourceIdentifier),
							ASN1_STRING_length(name->d.uniformResourceIdentifier));
	else if (name->type == GEN_DIRNAME)
		text = dn_text(name->d.directoryName);
	appendStringInfo(buf, "%s%s", buf->len ? ", " : "", text ? text : "a name of another type");
}

static char *
describe_scope(const CrlScope *scope, const DIST_POINT_NAME *names)
{
	StringInfoData buf;
	int			count = names && names->type == 0 ? sk_GENERAL_NAME_num(names->name.fullname) : 0;

	initStringInfo(&buf);
	if (names && names->type == 1)
		appendStringInfoString(&buf, "a name relative to the issuer");
	for (int i = 0; i < Min(count, MAX_SHOWN); i++)
		append_shown_name(&buf, sk_GENERAL_NAME_value(names->name.fullname, i));
	if (count > MAX_SHOWN)
		appendStringInfo(&buf, " and %d more", count - MAX_SHOWN);
	if (scope->covers != CRL_COVERS_ALL)
		appendStringInfo(&buf, "%s%s", buf.len ? "; " : "",
						 scope->covers == CRL_COVERS_USERS ? "user certificates only" : "CA certificates only");
	return buf.data;
}

/*
 * Why a CRL with this issuing distribution point cannot be used; NULL if it can.
 */
static const char *
partition(const ISSUING_DIST_POINT *idp)
{
	if (idp->indirectCRL > 0)
		return "it is an indirect CRL";
	if (idp->onlyattr > 0)
		return "it lists attribute certificates only";
	if (idp->onlysomereasons)
		return "it lists revocations for some reasons only";
	if (idp->onlyuser > 0 && idp->onlyCA > 0)
		return "its issuing distribution point contradicts itself";
	if (idp->distpoint == NULL && idp->onlyuser <= 0 && idp->onlyCA <= 0)
		return "its issuing distribution point is empty, which RFC 5280 forbids";
	return NULL;
}

static const char *
read_points(const ISSUING_DIST_POINT *idp, const X509_NAME *issuer, CrlScope *scope)
{
	StringInfoData buf;
	uint8		digest[FINGERPRINT_LEN];

	scope->points = palloc((MAX_CRL_POINTS + 1) * POINT_LEN);
	if (idp->distpoint)
	{
		scope->npoints = digest_names(idp->distpoint, issuer, scope->points, MAX_CRL_POINTS + 1);
		if (scope->npoints == 0)
			return "its issuing distribution point has no name that can be read";
		if (scope->npoints > MAX_CRL_POINTS)
			return "its issuing distribution point has too many names";
		sort_points(scope);
	}
	initStringInfo(&buf);
	appendStringInfoChar(&buf, (char) scope->covers);
	appendBinaryStringInfo(&buf, (const char *) scope->points, scope->npoints * POINT_LEN);
	if (!compute_sha256(buf.data, (size_t) buf.len, digest))
		return "OpenSSL failed to compute a digest";
	memcpy(scope->digest, digest, POINT_LEN);
	pfree(buf.data);
	return NULL;
}

/*
 * Read the scope of a CRL.  Says why the CRL cannot be used because of it; NULL if it can.
 */
const char *
read_crl_scope(X509_CRL *crl, CrlScope *scope)
{
	int			critical;
	ISSUING_DIST_POINT *idp = X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point,
												   &critical, NULL);
	const char *wrong;

	memset(scope, 0, sizeof(CrlScope));
	ERR_clear_error();
	/* -1: no such extension; otherwise it is not readable, or there are two */
	if (idp == NULL)
		return critical == -1 ? NULL : "its issuing distribution point cannot be read";
	scope->limited = true;
	scope->covers = idp->onlyuser > 0 ? CRL_COVERS_USERS :
		idp->onlyCA > 0				  ? CRL_COVERS_CAS :
										CRL_COVERS_ALL;
	wrong = partition(idp);
	if (wrong == NULL)
		wrong = read_points(idp, X509_CRL_get_issuer(crl), scope);
	scope->text = describe_scope(scope, idp->distpoint);
	ISSUING_DIST_POINT_free(idp);
	ERR_clear_error();
	return wrong;
}

/*
 * Does a CRL of this scope cover a certificate of its issuer with these points?
 */
bool
scope_covers(const CrlScope *scope, const CertPoints *points)
{
	if (scope->covers != CRL_COVERS_ALL && points->is_ca != (scope->covers == CRL_COVERS_CAS))
		return false;
	if (scope->npoints == 0)
		return true;
	for (int i = 0; i < points->count; i++)
		for (int k = 0; k < scope->npoints; k++)
			if (compare_points(points->digests + i * POINT_LEN, scope->points + k * POINT_LEN) == 0)
				return true;
	return false;
}
