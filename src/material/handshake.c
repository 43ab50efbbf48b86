/*-------------------------------------------------------------------------
 *
 * handshake.c
 *		Whether ordinary clients could make a TLS handshake with the server.
 *
 * That a server loads a certificate does not mean that a client can use it: the
 * key may be of a kind or on a curve that clients do not have, or ssl_ciphers may
 * not fit it.  So a client in memory tries, once with each TLS version that the
 * settings allow.  It presents no certificate, and verifies nothing.
 *
 * It is no client of this machine: all that a client can choose is written out
 * below, and its algorithms come from a library context of its own, so that
 * openssl.cnf has no say.  For the server's side openssl.cnf counts, as it does for
 * the server itself.
 *
 * Groups and signatures are those that OpenSSL 3, Java 17 and Go have in common:
 * they decide which keys a certificate may have.  Left out are, for example, P-224,
 * secp256k1, the brainpool curves, DSA, Ed448 and RSA keys that are for PSS alone.
 * Ciphers of TLS 1.2 are all that OpenSSL and Java share, because who sets
 * ssl_ciphers may well want one that Go has given up.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "libpq/libpq.h"
#include "miscadmin.h"
#include "postmaster/postmaster.h"

#include "base/compat.h"
#include "base/memory.h"
#include "material/clientcert.h"
#include "material/generation.h"
#include "material/handshake.h"
#include "material/probe.h"
#include "pki/pem.h"
#include "pki/x509.h"

static const struct
{
	int			number;
	const char *name;
} versions[NUM_TRIED_VERSIONS] = {
	{TLS1_2_VERSION, "TLSv1.2"},
	{TLS1_3_VERSION, "TLSv1.3"},
};

/* one by one, because some builds of OpenSSL lack one of them (FIPS) */
static const char *const client_groups[] = {"X25519", "P-256", "P-384", "P-521"};

#define CLIENT_SIGNATURES \
	"ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:" \
	"rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:" \
	"RSA+SHA256:RSA+SHA384:RSA+SHA512"

#define CLIENT_CIPHERS \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:" \
	"DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256:DHE-RSA-CHACHA20-POLY1305:" \
	"ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:" \
	"ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:" \
	"DHE-RSA-AES256-SHA256:DHE-RSA-AES128-SHA256:" \
	"ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA:" \
	"ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:" \
	"DHE-RSA-AES256-SHA:DHE-RSA-AES128-SHA:" \
	"AES256-GCM-SHA384:AES128-GCM-SHA256:AES256-SHA256:AES128-SHA256:AES256-SHA:AES128-SHA"

#define CLIENT_SUITES \
	"TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"

/* OpenSSL's default since 3.2, and that of distributions before */
#define CLIENT_LEVEL 2

/*
 * Java's limits, where jdk.tls.maxHandshakeMessageSize and
 * jdk.tls.maxCertificateChainLength are not set.  What else is in the message with the
 * names of the CAs, or with the chain, takes less than is left for it here.
 */
#define JAVA_MESSAGE_BYTES 32768
#define JAVA_CHAIN_LENGTH  10
#define OTHER_BYTES		   128

/* What travels at once; the largest chain takes some turns. */
#define PIPE_SIZE (64 * 1024)
#define MAX_TURNS 64

/* What one handshake needs, all of which is freed in the end. */
typedef struct Trial
{
	OSSL_LIB_CTX *library;
	SSL_CTX    *client_context;
	SSL		   *client;
	SSL		   *server;
} Trial;

/*
 * The number of a version as settings name it; 0: none is set.
 */
static int
version_number(const char *name)
{
	static const struct
	{
		const char *name;
		int			number;
	} names[] = {
		{"TLSv1", TLS1_VERSION},
		{"TLSv1.1", TLS1_1_VERSION},
		{"TLSv1.2", TLS1_2_VERSION},
		{"TLSv1.3", TLS1_3_VERSION},
	};

	for (int i = 0; i < (int) lengthof(names); i++)
		if (pg_strcasecmp(name, names[i].name) == 0)
			return names[i].number;
	return 0;
}

/*
 * Parameters for DHE, as the server sets them: its own instead of what it cannot read.
 * These are as good as OpenSSL's.  But too short ones it does not load.
 */
static char *
set_dh_parameters(SSL_CTX *context, const char *file)
{
	BIO		   *bio = file[0] ? BIO_new_file(file, "r") : NULL;
	EVP_PKEY   *key = bio ? PEM_read_bio_Parameters(bio, NULL) : NULL;
	char	   *problem = NULL;

	BIO_free(bio);
	if (key && EVP_PKEY_is_a(key, "DH") && SSL_CTX_set0_tmp_dh_pkey(context, key) == 1)
		return NULL;
	if (key && EVP_PKEY_is_a(key, "DH"))
		problem = told_of_tls_files(psprintf("could not set the DH parameters of file \"%s\": %s", file, openssl_reason()));
	EVP_PKEY_free(key);
	ERR_clear_error();
	(void) SSL_CTX_set_dh_auto(context, 1);
	return problem;
}

/*
 * Do with the context what the server does when all files are loaded.  The reason, if
 * the server itself would not take a setting; NULL if it would.
 */
static char *
set_parameters(SSL_CTX *context, const TlsParameters *parameters)
{
	int			lowest = version_number(parameters->min_version);
	int			highest = version_number(parameters->max_version);

	if (lowest && SSL_CTX_set_min_proto_version(context, lowest) != 1)
		return pstrdup("could not set minimum SSL protocol version");
	if (highest && SSL_CTX_set_max_proto_version(context, highest) != 1)
		return pstrdup("could not set maximum SSL protocol version");
	if (lowest && highest && lowest > highest)
		return pstrdup("could not set SSL protocol version range: ssl_min_protocol_version is higher than ssl_max_protocol_version");
	if (!compat_set_groups(context, parameters->groups))
		return psprintf("could not set \"%s\", which is %s", parameters->groups, COMPAT_GROUPS_SETTING);
	if (parameters->suites[0] && SSL_CTX_set_ciphersuites(context, parameters->suites) != 1)
		return psprintf("could not set the TLSv1.3 cipher suites \"%s\"", parameters->suites);
	SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
	(void) SSL_CTX_set_num_tickets(context, 0);
	(void) SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	if (parameters->server_order)
		SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
	/* so that the names of the CAs are sent */
	if (sk_X509_NAME_num(SSL_CTX_get_client_CA_list(context)) > 0)
		SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, NULL);
	return set_dh_parameters(context, parameters->dh_file);
}

/*
 * Do the settings let clients use this version?  openssl.cnf, and whatever else makes
 * the server's context, can forbid it with an option.
 */
static bool
is_allowed(SSL_CTX *context, int version)
{
	long		lowest = SSL_CTX_get_min_proto_version(context);
	long		highest = SSL_CTX_get_max_proto_version(context);
	uint64		forbidden = version == TLS1_2_VERSION ? SSL_OP_NO_TLSv1_2 : SSL_OP_NO_TLSv1_3;

	return (lowest == 0 || lowest <= version) && (highest == 0 || highest >= version) &&
		(SSL_CTX_get_options(context) & forbidden) == 0;
}

static int
verify_nothing(X509_STORE_CTX *store, void *arg)
{
	return 1;
}

static bool
set_client_groups(SSL_CTX *client)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < (int) lengthof(client_groups); i++)
		if (SSL_CTX_set1_groups_list(client, client_groups[i]) == 1)
			appendStringInfo(&list, "%s%s", list.len ? ":" : "", client_groups[i]);
	return SSL_CTX_set1_groups_list(client, list.data) == 1;
}

/*
 * OpenSSL applies its configuration to every context that it makes (system_default):
 * here nothing of that remains.
 */
static bool
set_client_up(SSL_CTX *client, int version)
{
	SSL_CTX_clear_options(client, SSL_CTX_get_options(client));
	SSL_CTX_set_security_level(client, CLIENT_LEVEL);
	SSL_CTX_set_verify(client, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_cert_verify_callback(client, verify_nothing, NULL);
	return SSL_CTX_set_min_proto_version(client, version) == 1 &&
		SSL_CTX_set_max_proto_version(client, version) == 1 &&
		SSL_CTX_set_cipher_list(client, CLIENT_CIPHERS) == 1 &&
		SSL_CTX_set_ciphersuites(client, CLIENT_SUITES) == 1 &&
		SSL_CTX_set1_sigalgs_list(client, CLIENT_SIGNATURES) == 1 &&
		set_client_groups(client);
}

/*
 * Make both sides, and connect them.
 */
static bool
set_up(Trial *trial, SSL_CTX *context, int version)
{
	BIO		   *client_end;
	BIO		   *server_end;

	trial->library = OSSL_LIB_CTX_new();
	if (trial->library)
		trial->client_context = SSL_CTX_new_ex(trial->library, NULL, TLS_client_method());
	if (trial->client_context == NULL || !set_client_up(trial->client_context, version))
		return false;
	trial->client = SSL_new(trial->client_context);
	trial->server = SSL_new(context);
	if (trial->client == NULL || trial->server == NULL ||
		BIO_new_bio_pair(&client_end, PIPE_SIZE, &server_end, PIPE_SIZE) != 1)
		return false;
	SSL_certs_clear(trial->client);
	SSL_set_bio(trial->client, client_end, client_end);
	SSL_set_bio(trial->server, server_end, server_end);
	SSL_set_connect_state(trial->client);
	SSL_set_accept_state(trial->server);
	/*
	 * To look for more of a chain would load CRLs of ssl_crl_dir into the context, which is
	 * compared with the server's afterwards.
	 */
	(void) SSL_set_mode(trial->server, SSL_MODE_NO_AUTO_CHAIN);
	return true;
}

/*
 * Both sides in turn, until both are done.  The reason if one of them gives up; the
 * first to do so knows it.
 */
static char *
shake_hands(const Trial *trial)
{
	for (int turn = 0; turn < MAX_TURNS; turn++)
	{
		SSL		   *side = turn % 2 == 0 ? trial->client : trial->server;
		int			result;
		int			error;

		CHECK_FOR_INTERRUPTS();
		ERR_clear_error();
		result = SSL_do_handshake(side);
		error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(side, result);
		if (error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
			return openssl_reason();
		if (SSL_is_init_finished(trial->client) && SSL_is_init_finished(trial->server))
			return NULL;
	}
	return pstrdup("it does not come to an end");
}

static void
tear_down(const Trial *trial)
{
	SSL_free(trial->client);
	SSL_free(trial->server);
	SSL_CTX_free(trial->client_context);
	OSSL_LIB_CTX_free(trial->library);
	ERR_clear_error();
}

/*
 * Why a client of this version fails; NULL if it does not.
 */
static char *
try_handshake(SSL_CTX *context, int version)
{
	Trial		trial = {0};
	char *volatile failure = NULL;

	ERR_clear_error();
	PG_TRY();
	{
		if (!set_up(&trial, context, version))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not make a client to try the handshake with: %s", openssl_reason())));
		failure = shake_hands(&trial);
	}
	PG_FINALLY();
	{
		tear_down(&trial);
	}
	PG_END_TRY();
	return failure;
}

/*
 * The kind of the server's key, in words.
 */
static char *
key_title(SSL_CTX *context)
{
	EVP_PKEY   *key = X509_get0_pubkey(SSL_CTX_get0_certificate(context));
	const char *type = key ? EVP_PKEY_get0_type_name(key) : NULL;
	char		curve[64];
	size_t		len;
	char	   *title;

	if (type == NULL)
		return pstrdup("of an unknown kind");
	if (EVP_PKEY_get_group_name(key, curve, sizeof(curve), &len) == 1)
		title = psprintf("%s on %s", type, curve);
	else
		title = psprintf("%s with %d bits", type, EVP_PKEY_get_bits(key));
	ERR_clear_error();
	return title;
}

/*
 * Have a client try each version.  The context is one of build_context(), with a
 * server certificate; it is the caller's own, and is made ready here as the server
 * makes its own ready.
 */
Handshakes *
try_handshakes(SSL_CTX *context, const TlsParameters *parameters)
{
	Handshakes *result = palloc0(sizeof(Handshakes));

	result->key = key_title(context);
	result->untried = set_parameters(context, parameters);
	result->key_unknown = key_is_unknown(context);
	ERR_clear_error();
	for (int i = 0; i < NUM_TRIED_VERSIONS && result->untried == NULL && !result->key_unknown; i++)
	{
		result->allowed[i] = is_allowed(context, versions[i].number);
		if (result->allowed[i])
			result->failure[i] = try_handshake(context, versions[i].number);
	}
	return result;
}

/*
 * With what the server has loaded now; NULL if that cannot be told.  Its key stands in
 * the file alone, so that file must still hold the certificate that is loaded.
 */
Handshakes *
try_handshakes_in_force(void)
{
	LoadState  *state = load_state();
	MaterialFiles files = files_of_settings();
	TlsParameters parameters = parameters_in_force();
	LoadedList *loaded;
	uint8		digest[FINGERPRINT_LEN];
	SSL_CTX    *context;
	char	   *error;

	/* a load that failed has left settings that are not those of the context */
	if (!EnableSSL || compat_certificates_by_host() || (state->failed != 0 && state->failed == state->attempt))
		return NULL;
	context = build_context(&files, &error);
	if (context == NULL)
		return NULL;
	(void) free_at_reset(context, (void (*)(void *)) SSL_CTX_free);
	loaded = probe_loaded();
	if (loaded == NULL || !certificate_fingerprint(SSL_CTX_get0_certificate(context), digest) ||
		!is_loaded(loaded, LOADED_SERVER, digest))
		return NULL;
	return try_handshakes(context, &parameters);
}

static bool
works(const Handshakes *handshakes, int i)
{
	return handshakes->allowed[i] && handshakes->failure[i] == NULL;
}

bool
any_handshake_works(const Handshakes *handshakes)
{
	for (int i = 0; i < NUM_TRIED_VERSIONS; i++)
		if (works(handshakes, i))
			return true;
	return false;
}

/*
 * Which versions are allowed and fail, and why; NULL if none does, and at least one
 * is allowed.
 */
char *
handshake_failures(const Handshakes *handshakes)
{
	StringInfoData buf;
	bool		any_allowed = false;

	/* a reload would fail, and say why */
	if (handshakes->untried || handshakes->key_unknown)
		return NULL;
	initStringInfo(&buf);
	for (int i = 0; i < NUM_TRIED_VERSIONS; i++)
	{
		any_allowed |= handshakes->allowed[i];
		if (handshakes->failure[i])
			appendStringInfo(&buf, "%s%s fails (%s)", buf.len ? ", and that of " : "the handshake of ",
							 versions[i].name, handshakes->failure[i]);
	}
	if (!any_allowed)
		return pstrdup("neither TLSv1.2 nor TLSv1.3 is allowed (ssl_min_protocol_version, ssl_max_protocol_version)");
	if (buf.len == 0)
		return NULL;
	appendStringInfo(&buf, "; the key of the server's certificate is %s", handshakes->key);
	return buf.data;
}

/*
 * Would something work no longer that works with what is in force?  in_force is NULL
 * if that is not known.
 */
static bool
is_lost(const Handshakes *after, const Handshakes *in_force)
{
	if (in_force == NULL || in_force->untried || in_force->key_unknown)
		return true;
	for (int i = 0; i < NUM_TRIED_VERSIONS; i++)
		if (works(in_force, i) && !works(after, i) && (after->allowed[i] || !any_handshake_works(after)))
			return true;
	return false;
}

/*
 * What ordinary clients could not do, if that speaks against the material; NULL if
 * nothing does.  What they cannot do now either is a warning, so that it does not stand
 * in the way of other changes; with strict set, only as long as one version works.
 */
char *
judge_handshakes(const Handshakes *after, const Handshakes *in_force, bool strict, List **warnings)
{
	char	   *failures = handshake_failures(after);
	bool		none = !any_handshake_works(after);
	char	   *message;

	if (failures == NULL)
		return NULL;
	message = none ? pstrdup("no ordinary client could connect by TLS") :
					 psprintf("ordinary clients could not connect by %s", versions[after->failure[0] ? 0 : 1].name);
	if ((strict && none) || is_lost(after, in_force))
		return message;
	*warnings = lappend(*warnings, psprintf("%s, as is the case already: %s", message, failures));
	return NULL;
}

/*
 * Why the server should not be told to load what the context is made of; NULL if
 * nothing speaks against it.
 */
char *
handshake_objection(SSL_CTX *context, const TlsParameters *parameters)
{
	Handshakes *handshakes = try_handshakes(context, parameters);
	char	   *failures = handshake_failures(handshakes);
	List	   *warnings = NIL;
	Handshakes *in_force;
	char	   *message;

	if (handshakes->untried)
		return handshakes->untried;
	if (failures == NULL)
		return NULL;
	in_force = try_handshakes_in_force();
	/* a renewal of what one version cannot use must not wait for somebody to force it */
	if (in_force == NULL && any_handshake_works(handshakes))
		return NULL;
	message = judge_handshakes(handshakes, in_force, false, &warnings);
	return message ? psprintf("%s: %s", message, failures) : NULL;
}

/*
 * What speaks against the list of CAs that the server sends to every client, with a
 * certificate or not, as a few words; NULL if nothing does.  Of several CAs with one
 * name it has one.
 */
char *
ca_names_problem(SSL_CTX *context)
{
	STACK_OF(X509_NAME) *names = SSL_CTX_get_client_CA_list(context);
	size_t		size = 0;

	/* each behind its length */
	for (int i = 0; i < sk_X509_NAME_num(names); i++)
		size += (size_t) i2d_X509_NAME(sk_X509_NAME_value(names, i), NULL) + 2;
	if (size <= JAVA_MESSAGE_BYTES - OTHER_BYTES)
		return NULL;
	return psprintf("the names of the CAs take %zu bytes in each handshake: clients in Java refuse messages of more than %d (jdk.tls.maxHandshakeMessageSize), and could not connect",
					size, JAVA_MESSAGE_BYTES);
}

/*
 * The same for the server's chain.
 */
char *
chain_problem(SSL_CTX *context)
{
	X509	   *leaf = SSL_CTX_get0_certificate(context);
	STACK_OF(X509) *chain = NULL;
	size_t		size;

	if (leaf == NULL)
		return NULL;
	(void) SSL_CTX_get0_chain_certs(context, &chain);
	/* each behind its length, and before its extensions */
	size = (size_t) i2d_X509(leaf, NULL) + 5;
	for (int i = 0; i < sk_X509_num(chain); i++)
		size += (size_t) i2d_X509(sk_X509_value(chain, i), NULL) + 5;
	if (size > JAVA_MESSAGE_BYTES - OTHER_BYTES)
		return psprintf("the certificate and its chain take %zu bytes in each handshake: clients in Java refuse messages of more than %d (jdk.tls.maxHandshakeMessageSize), and could not connect",
						size, JAVA_MESSAGE_BYTES);
	if (1 + sk_X509_num(chain) > JAVA_CHAIN_LENGTH)
		return psprintf("the chain has %d certificates: clients in Java refuse more than %d (jdk.tls.maxCertificateChainLength), and could not connect",
						1 + sk_X509_num(chain), JAVA_CHAIN_LENGTH);
	return NULL;
}
