/*-------------------------------------------------------------------------
 *
 * test_knownca.c
 *		CAs that have been read before: the same as if they were read now.
 *
 *-------------------------------------------------------------------------
 */
#include <openssl/err.h>

#include "certs.h"
#include "pki/knownca.h"
#include "pki/x509.h"
#include "revocation/crlkey.h"
#include "tap.h"

static const Attribute leaf_name[] = {CN("leaf"), {0}};

/* A CA, made odd by one of the functions below. */
typedef struct Case
{
	const char *what;
	Attribute	subject[4];
	void		(*change)(X509 *ca);
	bool		unreadable;
} Case;

static void
set_serial(X509 *ca, const char *decimal)
{
	BIGNUM	   *number = NULL;

	BN_dec2bn(&number, decimal);
	BN_to_ASN1_INTEGER(number, X509_get_serialNumber(ca));
	BN_free(number);
}

static void
long_serial(X509 *ca)
{
	set_serial(ca, "730750818665451459101842416358141509827966271487");
}

static void
negative_serial(X509 *ca)
{
	set_serial(ca, "-32768");
}

static void
serial_too_long(X509 *ca)
{
	uint8		bytes[MAX_SERIAL + 1];

	memset(bytes, 0x5a, sizeof(bytes));
	ASN1_STRING_set(X509_get_serialNumber(ca), bytes, sizeof(bytes));
}

/* a URI, and a CA's basic constraints */
static void
with_points(X509 *ca)
{
	set_der(ca, NID_basic_constraints, "\x30\x03\x01\x01\xff", 5);
	set_der(ca, NID_crl_distribution_points,
			"\x30\x12\x30\x07\xa0\x05\xa0\x03\x86\x01"
			"a\x30\x07\xa0\x05\xa0\x03\x86\x01"
			"b",
			20);
}

static void
points_not_readable(X509 *ca)
{
	set_der(ca, NID_crl_distribution_points, "\x30\x01\x30", 3);
}

static void
key_not_known(X509 *ca)
{
	X509_PUBKEY_set0_param(X509_get_X509_PUBKEY(ca), OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1), V_ASN1_UNDEF, NULL,
						   (unsigned char *) OPENSSL_strdup("key"), 3);
}

static void
as_it_is(X509 *ca)
{
	(void) ca;
}

static const Case cases[] = {
	{"plain", {CN("CA")}, as_it_is, false},
	{"no name", {{0}}, as_it_is, false},
	{"several attributes", {{NID_organizationName, V_ASN1_BMPSTRING, "\0A\0c", 4}, CN("r\nt"), CN("b")}, as_it_is, false},
	{"a name that does not fit its type", {{NID_commonName, V_ASN1_PRINTABLESTRING, "\xC3\xB6", 2}}, as_it_is, false},
	{"a NUL in the name", {{NID_commonName, V_ASN1_UTF8STRING, "a\0b", 3}}, as_it_is, false},
	{"20 bytes of serial", {CN("CA")}, long_serial, false},
	{"a negative serial", {CN("CA")}, negative_serial, false},
	{"distribution points", {CN("CA")}, with_points, false},
	{"distribution points that cannot be read", {CN("CA")}, points_not_readable, false},
	{"a key of no known algorithm", {CN("CA")}, key_not_known, false},
	{"a serial that is too long", {CN("CA")}, serial_too_long, true},
};

static CertFacts *
read_under(X509 *leaf, X509 *ca)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	CertFacts  *facts;

	sk_X509_push(chain, leaf);
	sk_X509_push(chain, ca);
	facts = read_certificate(leaf, chain);
	sk_X509_free(chain);
	return facts;
}

static bool
is_same_ca_facts(const CaFacts *a, const CaFacts *b)
{
	return strcmp(a->subject_dn, b->subject_dn) == 0 && a->garbled == b->garbled &&
		strcmp(a->serial, b->serial) == 0 &&
		memcmp(a->fingerprint, b->fingerprint, FINGERPRINT_LEN) == 0 &&
		memcmp(a->identity, b->identity, CA_IDENTITY_LEN) == 0 &&
		a->points.known == b->points.known && a->points.is_ca == b->points.is_ca &&
		a->points.count == b->points.count &&
		memcmp(a->points.digests, b->points.digests, (size_t) a->points.count * POINT_LEN) == 0;
}

static bool
has_right_keys(const CaFacts *ca)
{
	CrlKeyMaker maker;
	uint8		issuer[CRL_KEY_LEN];
	uint8		root[CRL_KEY_LEN];
	bool		ok;

	init_crl_key_maker(&maker);
	ok = ca->keys.made && make_crl_issuer_key(&maker, ca->identity, issuer) &&
		memcmp(issuer, ca->keys.issuer, CRL_KEY_LEN) == 0 &&
		decimal_crl_entry_key(ca->identity, ca->serial, root) &&
		memcmp(root, ca->keys.root, CRL_KEY_LEN) == 0;
	free_crl_key_maker(&maker);
	return ok;
}

static X509 *
issued_leaf(X509 *ca)
{
	X509	   *leaf = new_cert(leaf_name);

	X509_set_issuer_name(leaf, X509_get_subject_name(ca));
	return as_received(leaf);
}

static void
test_same_as_now(const Case *c)
{
	X509	   *made = new_cert(c->subject);
	X509	   *ca;
	X509	   *leaf;
	CertFacts  *now;
	CertFacts  *then;
	uint8		identity[CA_IDENTITY_LEN];

	c->change(made);
	ca = as_received(made);
	if (!ok(ca != NULL, "%s: OpenSSL takes it", c->what))
		return;
	leaf = issued_leaf(ca);
	now = read_under(leaf, ca);
	ok(known_ca(ca) == NULL, "%s: what was read for a chain is not kept", c->what);

	ok(remember_ca(ca) == !c->unreadable, "%s: %s", c->what, c->unreadable ? "cannot be read" : "is read");
	is_int((int64) ERR_peek_error(), 0, "%s: error queue is empty", c->what);
	ok((known_ca(ca) == NULL) == c->unreadable, "%s: %s", c->what, c->unreadable ? "is not known" : "is known");
	then = read_under(leaf, ca);
	ok((now == NULL) == c->unreadable && (then == NULL) == c->unreadable,
	   "%s: a chain is %s before and after that", c->what, c->unreadable ? "not readable" : "readable");
	if (now != NULL && then != NULL)
	{
		ok(is_same_ca_facts(&now->cas[0], &then->cas[0]), "%s: and the same", c->what);
		ok(is_same_ca_facts(&then->cas[0], known_ca(ca)) && then->cas[0].serial != known_ca(ca)->serial,
		   "%s: in memory of its own", c->what);
		is_str(then->issuer_dn, now->issuer_dn, "%s: issuer", c->what);
		is_str(then->issuer_dn, dn_text(X509_get_issuer_name(leaf)), "%s: as it stands in the certificate", c->what);
		ok(!now->cas[0].keys.made && has_right_keys(&then->cas[0]), "%s: keys, only of one that was read in advance", c->what);
		ok(ca_identity(ca, identity) && memcmp(identity, now->cas[0].identity, CA_IDENTITY_LEN) == 0,
		   "%s: identity", c->what);
	}
	X509_free(leaf);
	X509_free(ca);
}

/*
 * What was read belongs to one object.
 */
static void
test_other_objects(void)
{
	static const Attribute name[] = {CN("CA"), {0}};
	X509	   *ca = as_received(new_cert(name));
	X509	   *copy;
	X509	   *namesake = new_cert(name);
	EVP_PKEY   *key = EVP_EC_gen("P-256");
	X509	   *leaf;
	CertFacts  *facts;
	const CaFacts *known;

	ok(remember_ca(ca), "a CA is read");
	known = known_ca(ca);
	ok(remember_ca(ca) && known_ca(ca) == known, "a second time it is not read again");
	copy = X509_dup(ca);
	ok(known_ca(copy) == NULL, "a copy of it is not known");
	X509_free(copy);
	ok(known_ca(ca) == known && strcmp(known->subject_dn, "CN=CA") == 0, "and takes nothing with it when it is freed");

	X509_set_pubkey(namesake, key);
	EVP_PKEY_free(key);
	namesake = as_received(namesake);
	ok(known_ca(namesake) == NULL, "a CA of the same name with another key is not known");
	leaf = issued_leaf(ca);
	facts = read_under(leaf, namesake);
	ok(facts != NULL && memcmp(facts->cas[0].identity, known->identity, CA_IDENTITY_LEN) != 0 &&
		   memcmp(facts->cas[0].fingerprint, known->fingerprint, FINGERPRINT_LEN) != 0,
	   "and is read as itself");
	X509_free(namesake);
	X509_free(leaf);
	X509_free(ca);
}

/*
 * The issuer's name is that of the certificate, also where the CA writes it otherwise.
 */
static void
test_other_spelling(void)
{
	static const Attribute in_ca[] = {{NID_commonName, V_ASN1_PRINTABLESTRING, "Root  CA", -1}, {0}};
	static const Attribute in_leaf[] = {{NID_commonName, V_ASN1_UTF8STRING, "root ca", -1}, {0}};
	X509	   *ca = as_received(new_cert(in_ca));
	X509	   *leaf = new_cert(leaf_name);
	X509_NAME  *issuer = make_name(in_leaf);
	CertFacts  *facts;

	X509_set_issuer_name(leaf, issuer);
	X509_NAME_free(issuer);
	leaf = as_received(leaf);
	ok(X509_check_issued(ca, leaf) == X509_V_OK, "OpenSSL takes both spellings for the same name");
	(void) remember_ca(ca);
	facts = read_under(leaf, ca);
	is_str(facts ? facts->issuer_dn : NULL, "CN=root ca", "the issuer as the certificate has it");
	is_str(facts ? facts->cas[0].subject_dn : NULL, "CN=Root  CA", "the CA as it has it itself");
	X509_free(leaf);
	X509_free(ca);
}

int
main(void)
{
	X509	   *ca = as_received(new_cert(leaf_name));

	ok(!remember_ca(ca) && known_ca(ca) == NULL, "without a start nothing is kept");
	ok(init_known_cas(make_ca_keys), "start");
	ok(init_known_cas(make_ca_keys), "a second one does no harm");
	ok(known_ca(ca) == NULL, "nothing is known of an object that was there before");
	X509_free(ca);
	for (int i = 0; i < (int) lengthof(cases); i++)
		test_same_as_now(&cases[i]);
	test_other_objects();
	test_other_spelling();
	return done_testing();
}
