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
extern SSL_CTX *build_context(const MaterialFiles *files, char **error);
extern int	server_security_level(void);
extern ContextMaterial context_material(SSL_CTX *context);
extern LoadedList *describe_materials(const ContextMaterial *materials, int count);
extern LoadedList *describe_context(SSL_CTX *context);
extern bool is_same_loaded(const LoadedList *a, const LoadedList *b);
extern bool has_loaded_files(const LoadedList *loaded, const LoadedList *files);
extern bool is_loaded(const LoadedList *list, LoadedKind kind,
					  const uint8 *fingerprint);

#endif							/* SSLPOLICY_TLSCONTEXT_H */
