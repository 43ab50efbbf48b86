/*-------------------------------------------------------------------------
 *
 * tlscontext.c
 *		A TLS context as the server would make it, and what one has loaded.
 *
 * build_context() follows be_tls_init() in everything that loads material, so
 * that a set of files can be tried before the server is told to load it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/err.h>

#include "libpq/libpq-be.h"
#include "libpq/libpq.h"
#include "utils/guc.h"

#include "base/compat.h"
#include "base/files.h"
#include "base/memory.h"
#include "base/told.h"
#include "material/tlscontext.h"
#include "pki/crl.h"
#include "pki/pem.h"
#include "pki/x509.h"

/*
 * What a reload makes of a key with a passphrase, which this process does not have; NULL
 * if it could load the key.
 */
static char *
passphrase_problem(const char *key_file, const TlsParameters *parameters)
{
	ERR_clear_error();
	if (parameters->passphrase_set && parameters->passphrase_reload)
		return NULL;
	return psprintf("private key file \"%s\" has a passphrase, and %s", key_file,
					parameters->passphrase_set ?
						"ssl_passphrase_command_supports_reload is off: a reload keeps what the server loaded before, and only a restart loads the files as they are now" :
						"ssl_passphrase_command is not set");
}

static int
note_question(char *buffer, int size, int writing, void *asked)
{
	*(bool *) asked = true;
	return -1;
}

/*
 * Would OpenSSL ask for a passphrase?  Its errors do not tell a wrong one from a damaged
 * file.
 */
static bool
is_encrypted(const char *key_file)
{
	BIO		   *bio = BIO_new_file(key_file, "r");
	bool		asked = false;

	if (bio)
		EVP_PKEY_free(PEM_read_bio_PrivateKey(bio, NULL, note_question, &asked));
	BIO_free(bio);
	ERR_clear_error();
	return asked;
}

/*
 * Other modules may have their say about the passphrase of the key, as when the server
 * itself loads it.  But ssl_passphrase_command is not run here: anybody who may call a
 * function of ours could run it as often as he likes, it can wait for ever, and what it
 * gives may be good for one time only.  The server runs it when it loads the key.  So
 * core's own hook is to think that there is none.
 */
static void
call_tls_hook(SSL_CTX *context)
{
	static char none[] = "";
	char	   *command = ssl_passphrase_command;
	bool		reload = ssl_passphrase_command_supports_reload;

	if (openssl_tls_init_hook == NULL)
		return;
	PG_TRY();
	{
		ssl_passphrase_command = none;
		ssl_passphrase_command_supports_reload = false;
		openssl_tls_init_hook(context, false);
	}
	PG_FINALLY();
	{
		ssl_passphrase_command = command;
		ssl_passphrase_command_supports_reload = reload;
	}
	PG_END_TRY();
}

static char *
could_not_load(const char *what, const char *file)
{
	return psprintf("could not load %s \"%s\": %s", what, file, openssl_reason());
}

/*
 * Certificate and key of the server.  A key whose passphrase the server would ask for at a
 * reload is left out: see key_is_unknown().
 */
static char *
load_identity(SSL_CTX *context, const MaterialFiles *files, const TlsParameters *parameters,
			  AtStart *at_start)
{
	call_tls_hook(context);
	if (SSL_CTX_use_certificate_chain_file(context, files->cert_file) != 1)
		return could_not_load("server certificate file", files->cert_file);
	if (!check_ssl_key_file_permissions(files->key_file, false))
		return psprintf("private key file \"%s\" is not accessible, or has the wrong owner or permissions",
						files->key_file);
	if (SSL_CTX_use_PrivateKey_file(context, files->key_file, SSL_FILETYPE_PEM) != 1)
	{
		char	   *problem = could_not_load("private key file", files->key_file);

		if (!is_encrypted(files->key_file))
			return problem;
		*at_start = parameters->passphrase_set ? START_RUNS_COMMAND : START_ASKS;
		return passphrase_problem(files->key_file, parameters);
	}
	if (SSL_CTX_check_private_key(context) != 1)
		return psprintf("private key file \"%s\" does not fit server certificate file \"%s\": %s",
						files->key_file, files->cert_file, openssl_reason());
	return NULL;
}

static char *
load_trust(SSL_CTX *context, const MaterialFiles *files)
{
	X509_STORE *store = SSL_CTX_get_cert_store(context);

	if (files->ca_file[0])
	{
		STACK_OF(X509_NAME) *names;

		if (SSL_CTX_load_verify_locations(context, files->ca_file, NULL) != 1 ||
			(names = SSL_load_client_CA_file(files->ca_file)) == NULL)
			return could_not_load("root certificate file", files->ca_file);
		SSL_CTX_set_client_CA_list(context, names);
	}
	if (files->crl_file[0] || files->crl_dir[0])
	{
		if (X509_STORE_load_locations(store,
									  files->crl_file[0] ? files->crl_file : NULL,
									  files->crl_dir[0] ? files->crl_dir : NULL) != 1)
			return files->crl_file[0] ?
				could_not_load("certificate revocation list file", files->crl_file) :
				could_not_load("certificate revocation list directory", files->crl_dir);
		X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	}
	return NULL;
}

/*
 * The text if the current user may know what is wrong with the files that the server
 * loads, else one that does not say it.
 */
char *
told_of_tls_files(char *full)
{
	return told(pstrdup("a file of the TLS settings cannot be used"), full);
}

/*
 * Load everything, and return what is wrong with it, or NULL.  Nothing but that text
 * shows whether a file was missing or was something else.
 */
static char *
load_files(SSL_CTX *context, const MaterialFiles *files, const TlsParameters *parameters,
		   AtStart *at_start)
{
	int			before = begin_quiet();
	char *volatile error = NULL;

	PG_TRY();
	{
		if (files->cert_file[0])
			error = load_identity(context, files, parameters, at_start);
		if (error == NULL)
			error = load_trust(context, files);
	}
	PG_FINALLY();
	{
		end_quiet(before);
	}
	PG_END_TRY();
	return error ? told_of_tls_files(error) : NULL;
}

/*
 * By their names: the variables behind them are other ones since 18.
 */
TlsParameters
parameters_in_force(void)
{
	TlsParameters parameters;

	parameters.min_version = GetConfigOption("ssl_min_protocol_version", false, false);
	parameters.max_version = GetConfigOption("ssl_max_protocol_version", false, false);
	parameters.ciphers = GetConfigOption("ssl_ciphers", false, false);
	parameters.groups = GetConfigOption(COMPAT_GROUPS_SETTING, false, false);
	/* since 18 */
	parameters.suites = GetConfigOption("ssl_tls13_ciphers", true, false);
	if (parameters.suites == NULL)
		parameters.suites = "";
	parameters.dh_file = ssl_dh_params_file;
	parameters.server_order = SSLPreferServerCiphers;
	parameters.passphrase_set = ssl_passphrase_command[0] != '\0';
	parameters.passphrase_reload = ssl_passphrase_command_supports_reload;
	return parameters;
}

/*
 * The context that the server would make of these files with the settings in force;
 * NULL, with *error, if it could not.  Without cert_file, one that only verifies clients.
 */
SSL_CTX *
build_context(const MaterialFiles *files, char **error)
{
	TlsParameters parameters = parameters_in_force();

	return build_context_for(files, &parameters, error);
}

/*
 * The same with other settings.  Of these only the ciphers count for what is loaded.
 */
SSL_CTX *
build_context_for(const MaterialFiles *files, const TlsParameters *parameters, char **error)
{
	AtStart		at_start;

	return build_context_or(files, parameters, error, &at_start);
}

/*
 * The same, and what a restart could do if it cannot.
 */
SSL_CTX *
build_context_or(const MaterialFiles *files, const TlsParameters *parameters, char **error,
				 AtStart *at_start)
{
	SSL_CTX    *context = SSL_CTX_new(SSLv23_method());

	*at_start = START_FAILS;

	*error = NULL;
	if (context == NULL)
	{
		*error = psprintf("could not create SSL context: %s", openssl_reason());
		return NULL;
	}
	/* the cipher list can set the security level */
	if (SSL_CTX_set_cipher_list(context, parameters->ciphers) != 1)
		*error = psprintf("could not set the cipher list \"%s\": %s", parameters->ciphers,
						  openssl_reason());
	if (*error == NULL)
		*error = load_files(context, files, parameters, at_start);
	if (*error == NULL)
		return context;
	SSL_CTX_free(context);
	return NULL;
}

/*
 * Was the server's key left out, because the server alone asks for its passphrase?  Then
 * no handshake can be tried, and whether the key fits the certificate only the load shows.
 */
bool
key_is_unknown(SSL_CTX *context)
{
	return SSL_CTX_get0_certificate(context) != NULL && SSL_CTX_get0_privatekey(context) == NULL;
}

/*
 * OpenSSL's security level with these settings: by its configuration, and ssl_ciphers.  A
 * list of ciphers that cannot be set, which the server does not load either, counts for
 * nothing.
 */
int
security_level(const TlsParameters *parameters)
{
	SSL_CTX    *context = SSL_CTX_new(SSLv23_method());
	int			level;

	if (context == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not create SSL context: %s", openssl_reason())));
	(void) SSL_CTX_set_cipher_list(context, parameters->ciphers);
	level = SSL_CTX_get_security_level(context);
	SSL_CTX_free(context);
	ERR_clear_error();
	return level;
}

/*
 * The one in force.
 */
int
server_security_level(void)
{
	TlsParameters parameters = parameters_in_force();

	return security_level(&parameters);
}

static void
add_loaded(LoadedList *list, LoadedKind kind, X509 *cert, X509_CRL *crl)
{
	Loaded	   *item = &list->items[list->count];

	item->kind = (uint8) kind;
	if (cert ? certificate_fingerprint(cert, item->fingerprint) :
			   crl_fingerprint(crl, item->fingerprint))
		list->count++;
}

static int
compare_loaded(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(Loaded));
}

/*
 * Sort a list whose order says nothing, for is_loaded().
 */
void
sort_loaded(LoadedList *list)
{
	qsort(list->items, (size_t) list->count, sizeof(Loaded), compare_loaded);
}

ContextMaterial
context_material(SSL_CTX *context)
{
	ContextMaterial material = {
		.store = SSL_CTX_get_cert_store(context),
		.leaf = SSL_CTX_get0_certificate(context),
	};

	(void) SSL_CTX_get0_chain_certs(context, &material.chain);
	return material;
}

LoadedList *
describe_context(SSL_CTX *context)
{
	ContextMaterial material = context_material(context);

	return describe_materials(&material, 1);
}

/*
 * Everything that contexts have loaded.  The server's chains are in their order,
 * the rest in none.
 */
LoadedList *
describe_materials(const ContextMaterial *materials, int count)
{
	LoadedList *list = palloc0(sizeof(LoadedList));
	int			room = 1;
	int			first;

	for (int m = 0; m < count; m++)
	{
		STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(materials[m].store);

		room += 1 + (materials[m].chain ? sk_X509_num(materials[m].chain) : 0) +
			(objects ? sk_X509_OBJECT_num(objects) : 0);
	}
	list->items = palloc0(sizeof(Loaded) * (Size) room);

	for (int m = 0; m < count; m++)
	{
		int			nchain = materials[m].chain ? sk_X509_num(materials[m].chain) : 0;

		if (materials[m].leaf != NULL)
			add_loaded(list, LOADED_SERVER, materials[m].leaf, NULL);
		for (int i = 0; i < nchain; i++)
			add_loaded(list, LOADED_SERVER, sk_X509_value(materials[m].chain, i), NULL);
	}
	first = list->count;
	for (int m = 0; m < count; m++)
	{
		STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(materials[m].store);
		int			nobjects = objects ? sk_X509_OBJECT_num(objects) : 0;

		for (int i = 0; i < nobjects; i++)
		{
			X509_OBJECT *object = sk_X509_OBJECT_value(objects, i);

			if (X509_OBJECT_get_type(object) == X509_LU_X509)
				add_loaded(list, LOADED_CA, X509_OBJECT_get0_X509(object), NULL);
			else if (X509_OBJECT_get_type(object) == X509_LU_CRL)
				add_loaded(list, LOADED_CRL, NULL, X509_OBJECT_get0_X509_CRL(object));
		}
	}
	qsort(list->items + first, (size_t) (list->count - first), sizeof(Loaded),
		  compare_loaded);
	return list;
}

bool
is_same_loaded(const LoadedList *a, const LoadedList *b)
{
	return a->count == b->count &&
		memcmp(a->items, b->items, sizeof(Loaded) * (size_t) a->count) == 0;
}

/*
 * Behind the server's chains, the list is sorted.
 */
bool
is_loaded(const LoadedList *list, LoadedKind kind, const uint8 *fingerprint)
{
	Loaded		wanted = {.kind = (uint8) kind};
	int			i = 0;

	memcpy(wanted.fingerprint, fingerprint, FINGERPRINT_LEN);
	for (; i < list->count && list->items[i].kind == LOADED_SERVER; i++)
		if (compare_loaded(&list->items[i], &wanted) == 0)
			return true;
	return i < list->count &&
		bsearch(&wanted, list->items + i, (size_t) (list->count - i), sizeof(Loaded), compare_loaded) != NULL;
}

/*
 * Has the server loaded what a context made of its files has?  CRLs of ssl_crl_dir
 * come into its own one by one, in handshakes: it may have more of them.
 */
bool
has_loaded_files(const LoadedList *loaded, const LoadedList *files)
{
	for (int i = 0; i < files->count; i++)
		if (!is_loaded(loaded, (LoadedKind) files->items[i].kind, files->items[i].fingerprint))
			return false;
	for (int i = 0; i < loaded->count; i++)
		if (loaded->items[i].kind == LOADED_CA &&
			!is_loaded(files, LOADED_CA, loaded->items[i].fingerprint))
			return false;
	return true;
}
