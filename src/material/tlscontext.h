/*-------------------------------------------------------------------------
 *
 * tlscontext.h
 *		A TLS context as the server would make it, and what one has loaded.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_TLSCONTEXT_H
#define SSLPOLICY_TLSCONTEXT_H

#include <openssl/ssl.h>

#include "lib/stringinfo.h"

#include "policy/facts.h"

/* Files that the server loads; "" for none. */
typedef struct MaterialFiles
{
	const char *cert_file;
	const char *key_file;
	const char *ca_file;
	const char *crl_file;
	const char *crl_dir;
} MaterialFiles;

/* Settings of the protocol, as postgresql.conf spells them. */
typedef struct TlsParameters
{
	const char *min_version;	/* "": none is set */
	const char *max_version;
	const char *ciphers;		/* of TLS 1.2 and before */
	const char *suites;			/* of TLS 1.3; "": OpenSSL's own */
	const char *groups;
	const char *dh_file;		/* "": OpenSSL's own parameters */
	bool		server_order;	/* of ciphers, not the client's */
	bool		passphrase_set; /* ssl_passphrase_command is not empty */
	bool		passphrase_reload;	/* and is asked at a reload, too */
} TlsParameters;

/* What a restart could do about files that cannot be loaded at a reload. */
typedef enum AtStart
{
	START_FAILS,
	START_RUNS_COMMAND,			/* ssl_passphrase_command, at a start alone */
	START_ASKS					/* for the passphrase, at the terminal */
} AtStart;

/* One object that a context has loaded. */
typedef enum LoadedKind
{
	LOADED_SERVER,				/* server certificate and its chain, in order */
	LOADED_CA,
	LOADED_CRL
} LoadedKind;

typedef struct Loaded
{
	uint8		kind;			/* LoadedKind */
	uint8		fingerprint[FINGERPRINT_LEN];
} Loaded;

/* What a context has loaded, as OpenSSL keeps it. */
typedef struct ContextMaterial
{
	X509_STORE *store;			/* NULL: there is no context */
	X509	   *leaf;
	STACK_OF(X509) *chain;
} ContextMaterial;

typedef struct LoadedList
{
	int			count;
	Loaded	   *items;
} LoadedList;

extern char *told_of_tls_files(char *full);
extern TlsParameters parameters_in_force(void);
extern SSL_CTX *build_context(const MaterialFiles *files, char **error);
extern SSL_CTX *build_context_for(const MaterialFiles *files, const TlsParameters *parameters,
								  char **error);
extern SSL_CTX *build_context_or(const MaterialFiles *files, const TlsParameters *parameters,
								 char **error, AtStart *at_start);
extern bool key_is_unknown(SSL_CTX *context);
extern int	security_level(const TlsParameters *parameters);
extern int	server_security_level(void);
extern ContextMaterial context_material(SSL_CTX *context);
extern LoadedList *describe_materials(const ContextMaterial *materials, int count);
extern LoadedList *describe_context(SSL_CTX *context);
extern void sort_loaded(LoadedList *list);
extern bool is_same_loaded(const LoadedList *a, const LoadedList *b);
extern bool has_loaded_files(const LoadedList *loaded, const LoadedList *files);
extern bool is_loaded(const LoadedList *list, LoadedKind kind,
					  const uint8 *fingerprint);

#endif							/* SSLPOLICY_TLSCONTEXT_H */
