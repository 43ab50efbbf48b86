/*-------------------------------------------------------------------------
 *
 * test_distpoint.c
 *		Unit tests of distpoint.c.
 *
 *	1. every kind of distribution point in a certificate, with every kind of issuing
 *	   distribution point in a CRL: covered if, and only if, OpenSSL takes the CRL, but for
 *	   certificates that name a point for some reasons
 *	2. scopes are the same whatever the order of names
 *	3. CRLs that are not supported
 *
 *-------------------------------------------------------------------------
 */
#include "tap.h"

#include <openssl/conf.h>
#include <openssl/x509v3.h>

#include "crls.h"
#include "pki/distpoint.h"

/* sections that the values below name */
static const char config[] =
	"[dn_a]\nCN=Point A\n"
	"[dn_a_again]\nCN=point  a\n"
	"[dn_root]\n0.CN=root\n1.CN=leaf of the tree\n"
	"[rel]\nCN=leaf of the tree\n"
	"[rel_b]\nCN=another\n"
	"[cert_rel]\nrelativename=rel\n"
	"[cert_a]\nfullname=URI:http://a\n"
	"[cert_b_user]\nfullname=URI:http://b\n"
	"[cert_reasons]\nfullname=URI:http://a\nreasons=keyCompromise\n"
	"[cert_issuer]\nfullname=URI:http://a\nCRLissuer=dirName:dn_a\n"
	"[cert_two]\nfullname=URI:http://x,URI:http://b\n"
	"[cert_dn]\nfullname=dirName:dn_a_again\n"
	"[cert_dn_root]\nfullname=dirName:dn_root\n"
	"[idp_a]\nfullname=URI:http://a\n"
	"[idp_ab]\nfullname=URI:http://a,URI:http://b\n"
	"[idp_ba]\nfullname=URI:http://b,URI:http://a,URI:http://b\n"
	"[idp_case]\nfullname=URI:http://A\n"
	"[idp_mail]\nfullname=email:a\n"
	"[idp_dn]\nfullname=dirName:dn_a\n"
	"[idp_rel]\nrelativename=rel\n"
	"[idp_rel_b]\nrelativename=rel_b\n"
	"[idp_user]\nonlyuser=TRUE\n"
	"[idp_ca]\nonlyCA=TRUE\n"
	"[idp_a_user]\nfullname=URI:http://a\nonlyuser=TRUE\n"
	"[idp_a_ca]\nfullname=URI:http://a\nonlyCA=TRUE\n"
	"[idp_attr]\nonlyAA=TRUE\n"
	"[idp_indirect]\nfullname=URI:http://a\nindirectCRL=TRUE\n"
	"[idp_reasons]\nfullname=URI:http://a\nonlysomereasons=keyCompromise\n"
	"[idp_both]\nonlyuser=TRUE\nonlyCA=TRUE\n";

static const char *const cert_points[] = {
	NULL,
	"cert_a",
	"cert_rel",
	"cert_reasons",
	"cert_issuer",
	"cert_two",
	"cert_dn",
	"cert_dn_root",
	"cert_a,cert_two",
	"cert_reasons,cert_b_user",
};

static const char *const crl_points[] = {
	NULL,
	"@idp_a",
	"@idp_ab",
	"@idp_ba",
	"@idp_case",
	"@idp_mail",
	"@idp_dn",
	"@idp_rel",
	"@idp_rel_b",
	"@idp_user",
	"@idp_ca",
	"@idp_a_user",
	"@idp_a_ca",
	"@idp_attr",
	"@idp_indirect",
	"@idp_reasons",
	"@idp_both",
};

static CONF *conf;
static X509 *root;

static X509_EXTENSION *
extension(int nid, const char *value)
{
	X509V3_CTX	ctx;
	X509_EXTENSION *result;

	X509V3_set_ctx(&ctx, NULL, NULL, NULL, NULL, 0);
	X509V3_set_nconf(&ctx, conf);
	result = X509V3_EXT_nconf_nid(conf, &ctx, nid, value);
	must(result != NULL, value);
	return result;
}

static X509 *
certificate(const char *name, X509 *issuer, const char *constraints, const char *points)
{
	Attribute	subject[] = {CN(name), {0}};
	X509	   *cert = new_cert(subject);

	must(X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert)) == 1 &&
			 X509_set_pubkey(cert, test_key()) == 1 &&
			 X509_add_ext(cert, extension(NID_basic_constraints, constraints), -1) == 1 &&
			 (points == NULL || X509_add_ext(cert, extension(NID_crl_distribution_points, points), -1) == 1) &&
			 X509_sign(cert, test_key(), EVP_sha256()) > 0,
		 "make a certificate");
	return as_received(cert);
}

static X509_CRL *
crl_with(X509_EXTENSION *point)
{
	X509_CRL   *crl = new_crl(root);
	Bytes		der;
	const unsigned char *pos;

	must(point == NULL || X509_CRL_add_ext(crl, point, -1) == 1, "add an extension");
	der = signed_der(crl, test_key(), EVP_sha256(), -1);
	pos = (const unsigned char *) der.data;
	X509_CRL_free(crl);
	return d2i_X509_CRL(NULL, &pos, (long) der.len);
}

/*
 * Does OpenSSL check the certificate against this CRL?
 */
static bool
is_covered(X509 *cert, X509_CRL *crl)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int			error;

	must(X509_STORE_add_cert(store, root) == 1 && X509_STORE_add_crl(store, crl) == 1 &&
			 X509_STORE_CTX_init(ctx, store, cert, NULL) == 1,
		 "verify");
	X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_CRL_CHECK);
	X509_STORE_CTX_set_time(ctx, 0, 1736500000);
	(void) X509_verify_cert(ctx);
	error = X509_STORE_CTX_get_error(ctx);
	if (error != X509_V_OK && error != X509_V_ERR_DIFFERENT_CRL_SCOPE && error != X509_V_ERR_UNABLE_TO_GET_CRL)
		printf("# OpenSSL says: %s\n", X509_verify_cert_error_string(error));
	must(error == X509_V_OK || error == X509_V_ERR_DIFFERENT_CRL_SCOPE || error == X509_V_ERR_UNABLE_TO_GET_CRL ||
			 error == X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION,
		 "verify but for the CRL");
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return error == X509_V_OK;
}

static void
test_coverage(void)
{
	for (int is_ca = 0; is_ca < 2; is_ca++)
		for (size_t i = 0; i < lengthof(cert_points); i++)
		{
			X509	   *cert = certificate("leaf", root, is_ca ? "CA:TRUE" : "CA:FALSE", cert_points[i]);
			CertPoints	points;

			read_certificate_points(cert, &points);
			ok(points.known && points.is_ca == (is_ca != 0), "%s: of a %s", cert_points[i] ? cert_points[i] : "none",
			   is_ca ? "CA" : "user");
			for (size_t k = 0; k < lengthof(crl_points); k++)
			{
				X509_CRL   *crl = crl_with(crl_points[k] ? extension(NID_issuing_distribution_point, crl_points[k]) : NULL);
				CrlScope	scope;
				bool		ours = read_crl_scope(crl, &scope) == NULL && scope_covers(&scope, &points);
				bool		theirs = is_covered(cert, crl);

				/* OpenSSL asks for CRLs of the other reasons, too, though this has all */
				if (ours && !theirs && cert_points[i] && strstr(cert_points[i], "reasons"))
					theirs = crl_points[k] == NULL || strstr(crl_points[k], "_ab") ||
						strstr(crl_points[k], "_ba") || scope.npoints == 0;
				ok(ours == theirs, "%s, %s: %s", cert_points[i] ? cert_points[i] : "none",
				   crl_points[k] ? crl_points[k] : "none", theirs ? "covered" : "not covered");
				X509_CRL_free(crl);
			}
		}
}

static CrlScope
scope_of(const char *value)
{
	CrlScope	scope;

	must(read_crl_scope(crl_with(value ? extension(NID_issuing_distribution_point, value) : NULL), &scope) == NULL,
		 "read a scope");
	return scope;
}

static void
test_scopes(void)
{
	CrlScope	none = scope_of(NULL);
	CrlScope	ab = scope_of("@idp_ab");
	CrlScope	ba = scope_of("@idp_ba");
	CrlScope	a = scope_of("@idp_a");
	CrlScope	a_user = scope_of("@idp_a_user");
	uint8		zero[POINT_LEN] = {0};

	ok(!none.limited && none.text == NULL && memcmp(none.digest, zero, POINT_LEN) == 0, "no scope");
	ok(ab.npoints == 2 && ba.npoints == 2 && memcmp(ab.digest, ba.digest, POINT_LEN) == 0,
	   "the order of names, and how often they come, makes no difference");
	ok(memcmp(a.digest, ab.digest, POINT_LEN) != 0 && memcmp(a.digest, a_user.digest, POINT_LEN) != 0,
	   "other names, or certificates, do");
	is_str(ab.text, "http://a, http://b", "names in words");
	is_str(a_user.text, "http://a; user certificates only", "a kind in words");
	is_str(scope_of("@idp_dn").text, "CN=Point A", "a directory name in words");
}

static void
check_refused(X509_EXTENSION *point, const char *expected)
{
	CrlScope	scope;
	const char *why = read_crl_scope(crl_with(point), &scope);

	has_str(why ? why : "", expected, "refused: %s", expected);
}

static void
test_unsupported(void)
{
	ASN1_OCTET_STRING *empty = ASN1_OCTET_STRING_new();
	ASN1_OCTET_STRING *broken = ASN1_OCTET_STRING_new();

	must(ASN1_OCTET_STRING_set(empty, (const unsigned char *) "\x30\x00", 2) == 1 &&
			 ASN1_OCTET_STRING_set(broken, (const unsigned char *) "\x30\x05", 2) == 1,
		 "set bytes");
	check_refused(extension(NID_issuing_distribution_point, "@idp_indirect"), "indirect CRL");
	check_refused(extension(NID_issuing_distribution_point, "@idp_attr"), "attribute certificates only");
	check_refused(extension(NID_issuing_distribution_point, "@idp_reasons"), "some reasons only");
	check_refused(extension(NID_issuing_distribution_point, "@idp_both"), "contradicts itself");
	check_refused(X509_EXTENSION_create_by_NID(NULL, NID_issuing_distribution_point, 1, empty), "is empty");
	check_refused(X509_EXTENSION_create_by_NID(NULL, NID_issuing_distribution_point, 1, broken), "cannot be read");
}

int
main(void)
{
	BIO		   *bio = BIO_new_mem_buf(config, -1);

	conf = NCONF_new(NULL);
	must(NCONF_load_bio(conf, bio, NULL) == 1, "read the configuration");
	root = certificate("root", NULL, "CA:TRUE", NULL);
	test_coverage();
	test_scopes();
	test_unsupported();
	return done_testing();
}
