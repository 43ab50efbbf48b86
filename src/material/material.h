/*-------------------------------------------------------------------------
 *
 * material.h
 *		The TLS material in the server's files.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_MATERIAL_H
#define SSLPOLICY_MATERIAL_H

#include "nodes/pg_list.h"

#include "material/tlscontext.h"
#include "material/trust.h"
#include "pki/pem.h"

typedef enum MaterialKind
{
	MATERIAL_SERVER,			/* server certificate, its chain and its key */
	MATERIAL_CA,
	MATERIAL_CRL
} MaterialKind;

#define NUM_MATERIAL_KINDS (MATERIAL_CRL + 1)

/* A file of PEM. */
typedef struct PemFile
{
	const char *path;			/* "": none is set */
	char	   *bytes;			/* NULL if it cannot be read */
	size_t		len;
	PemContent *content;		/* never NULL; empty if it cannot be read */
	char	   *error;			/* why not, NULL if it can */
} PemFile;

/* A CRL of ssl_crl_dir. */
typedef struct DirectoryCrl
{
	char	   *path;
	X509_CRL   *crl;			/* NULL if it cannot be read */
	char	   *error;			/* why core does not see it, NULL if it does */
} DirectoryCrl;

/* One certificate or CRL of a material. */
typedef struct MaterialItem
{
	X509_CRL   *crl;			/* NULL: it is a certificate */
	char	   *subject;		/* of a CRL: its issuer; in escaped form */
	char	   *fingerprint;	/* SHA-256 in hexadecimal */
} MaterialItem;

extern const char *material_kind_name(MaterialKind kind);
extern bool parse_material_kind(const char *name, MaterialKind *kind);
extern List *material_items(MaterialKind kind, const PemContent *content);
extern PemFile *read_pem_file(const char *path);
extern List *read_crl_directory(const char *path);
extern bool has_directory_certificates(const char *path);
extern Trust *read_trust(const MaterialFiles *files, const TlsParameters *parameters, int64 now,
						 char **error);

#endif							/* SSLPOLICY_MATERIAL_H */
