/*-------------------------------------------------------------------------
 *
 * serverkey.c
 *		Makes a private key for the server, and the request for its certificate.
 *
 * OpenSSL makes both; what is ours is how subject and names are written in the
 * call.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "mb/pg_wchar.h"

#include "base/memory.h"
#include "material/serverkey.h"
#include "pki/pem.h"
#include "pki/x509.h"

/* What a request holds: more than any CA issues, and quickly made. */
#define MAX_SUBJECT_BYTES 4096
#define MAX_ATTRIBUTES	  64
#define MAX_NAMES		  1000
#define MAX_NAME_BYTES	  2048

static const struct
{
	const char *name;
	const char *algorithm;
	const char *curve;
	int			bits;
} key_types[] = {
	{"EC P-256", "EC", "P-256", 0},
	{"EC P-384", "EC", "P-384", 0},
	{"EC P-521", "EC", "P-521", 0},
	{"RSA 2048", "RSA", NULL, 2048},
	{"RSA 3072", "RSA", NULL, 3072},
	{"RSA 4096", "RSA", NULL, 4096},
	{"ED25519", "ED25519", NULL, 0},
};

static void
invalid(char *message, char *hint)
{
	ERR_clear_error();
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s", message),
			 hint ? errhint("%s", hint) : 0));
}

static EVP_PKEY *
make_key(const char *type)
{
	StringInfoData accepted;

	initStringInfo(&accepted);
	for (int i = 0; i < (int) lengthof(key_types); i++)
	{
		EVP_PKEY   *key = NULL;

		appendStringInfo(&accepted, "%s%s", i ? ", " : "", key_types[i].name);
		if (pg_strcasecmp(type, key_types[i].name) != 0)
			continue;
		if (key_types[i].curve)
			key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", key_types[i].curve);
		else if (key_types[i].bits)
			key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t) key_types[i].bits);
		else
			key = EVP_PKEY_Q_keygen(NULL, NULL, key_types[i].algorithm);
		if (key == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not make a key: %s", openssl_reason())));
		return key;
	}
	invalid(psprintf("unknown type of key \"%s\"", type),
			psprintf("Accepted is one of: %s.", accepted.data));
	return NULL;				/* not reached */
}

/*
 * Why an attribute cannot be part of the subject, or NULL.
 */
static char *
add_attribute(X509_NAME *name, const DnAttribute *attribute)
{
	if (memchr(attribute->value, '\0', (size_t) attribute->value_len) != NULL)
		return psprintf("the value of \"%s\" has a NUL byte", attribute->type);
	if (!name_add_attribute(name, attribute))
		return psprintf("attribute \"%s\" with value \"%s\": %s",
						attribute->type, attribute->value, openssl_reason());
	return NULL;
}

/*
 * The attributes of the subject, which is written as a DN in policies is.
 */
static Dn *
read_subject(const char *subject)
{
	DnError		error;
	Dn		   *dn = dn_read(subject, &error);

	if (dn == NULL)
		invalid(psprintf("invalid subject \"%s\": %s", subject, error.message),
				psprintf("Write it as CN=db.example.com,O=Acme. %s", error.hint));
	return dn;
}

static X509_NAME *
make_name(const char *subject)
{
	Dn		   *dn;
	X509_NAME  *name;

	if (strlen(subject) > MAX_SUBJECT_BYTES)
		invalid(psprintf("the subject has %zu bytes", strlen(subject)),
				psprintf("At most %d are accepted.", MAX_SUBJECT_BYTES));
	dn = read_subject(subject);
	if (dn->count > MAX_ATTRIBUTES)
		invalid(psprintf("the subject has %d attributes", dn->count),
				psprintf("At most %d are accepted.", MAX_ATTRIBUTES));
	name = X509_NAME_new();

	for (int i = 0; i < dn->count; i++)
	{
		char	   *reason = add_attribute(name, &dn->attributes[i]);

		if (reason != NULL)
		{
			X509_NAME_free(name);
			invalid(psprintf("invalid subject \"%s\": %s", subject, reason),
					pstrdup("Attributes are CN, O, OU, L, ST, C and others that OpenSSL knows; their values are not empty."));
		}
	}
	return name;
}

/*
 * A subject alternative name, spelled as in the key san of policies.
 */
static GENERAL_NAME *
make_general_name(const char *san)
{
	static const struct
	{
		const char *prefix;
		int			type;
	} types[] = {{"dns:", GEN_DNS}, {"ip:", GEN_IPADD}, {"email:", GEN_EMAIL}, {"uri:", GEN_URI}};

	for (int i = 0; i < (int) lengthof(types); i++)
	{
		size_t		len = strlen(types[i].prefix);
		GENERAL_NAME *name;

		if (pg_strncasecmp(san, types[i].prefix, len) != 0)
			continue;
		for (const char *c = san + len; *c; c++)
			if (*c <= ' ' || *c > '~')
				invalid(psprintf("invalid name \"%s\": it has characters outside ASCII, or spaces", san),
						pstrdup("Write international host names in their ASCII form (xn--...)."));
		name = san[len] ? a2i_GENERAL_NAME(NULL, NULL, NULL, types[i].type, san + len, 0) : NULL;
		if (name == NULL)
			invalid(psprintf("invalid name \"%s\"", san), NULL);
		return name;
	}
	invalid(psprintf("invalid name \"%s\": it does not say of which type it is", san),
			pstrdup("Write dns:db.example.com, ip:192.0.2.1, email:... or uri:..."));
	return NULL;				/* not reached */
}

static GENERAL_NAMES *
make_general_names(List *sans)
{
	GENERAL_NAMES *names;
	ListCell   *cell;

	if (list_length(sans) > MAX_NAMES)
		invalid(psprintf("there are %d names", list_length(sans)),
				psprintf("At most %d are accepted.", MAX_NAMES));
	foreach(cell, sans)
		if (strlen(lfirst(cell)) > MAX_NAME_BYTES)
			invalid(psprintf("a name has %zu bytes", strlen(lfirst(cell))),
					psprintf("At most %d are accepted.", MAX_NAME_BYTES));
	names = sk_GENERAL_NAME_new_null();
	foreach(cell, sans)
		sk_GENERAL_NAME_push(names, make_general_name(lfirst(cell)));
	return names;
}

/*
 * Ask for the names, and for a certificate that is good for a server alone: otherwise
 * the server would accept it from clients, too (identity.c).
 */
static bool
add_extensions(X509_REQ *request, GENERAL_NAMES *names)
{
	STACK_OF(X509_EXTENSION) *extensions = NULL;
	X509_EXTENSION *usage = X509V3_EXT_conf_nid(NULL, NULL, NID_ext_key_usage, "serverAuth");
	bool		ok = usage != NULL && X509v3_add_ext(&extensions, usage, -1) != NULL &&
		(sk_GENERAL_NAME_num(names) == 0 ||
		 X509V3_add1_i2d(&extensions, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1) &&
		X509_REQ_add_extensions(request, extensions) == 1;

	X509_EXTENSION_free(usage);
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	return ok;
}

/*
 * A certificate signing request (PKCS #10, RFC 2986) in PEM, and its private
 * key, which the caller wipes.  subject and names are UTF-8.
 */
char *
make_server_key(const char *subject, List *sans, const char *key_type, char **key_pem)
{
	X509_NAME  *name = make_name(subject);
	GENERAL_NAMES *names = make_general_names(sans);
	EVP_PKEY   *key = make_key(key_type);	/* last: nothing is raised after it */
	X509_REQ   *request = X509_REQ_new();
	const EVP_MD *digest = EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();
	StringInfoData csr;
	StringInfo	pem = makeStringInfo();
	bool		ok;

	initStringInfo(&csr);
	wipe_at_reset(pem);
	ok = request != NULL && X509_REQ_set_subject_name(request, name) == 1 &&
		X509_REQ_set_pubkey(request, key) == 1 && add_extensions(request, names) &&
		X509_REQ_sign(request, key, digest) > 0 &&
		append_pem_request(&csr, request) && append_pem_private_key(pem, key);
	X509_REQ_free(request);
	EVP_PKEY_free(key);
	X509_NAME_free(name);
	GENERAL_NAMES_free(names);
	if (!ok)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not make a certificate request: %s", openssl_reason())));
	*key_pem = pem->data;
	return csr.data;
}
