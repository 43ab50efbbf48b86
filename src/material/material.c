/*-------------------------------------------------------------------------
 *
 * material.c
 *		The TLS material in the server's files.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>
#include <openssl/err.h>

#include "storage/fd.h"
#include "utils/memutils.h"

#include "base/files.h"
#include "base/memory.h"
#include "base/told.h"
#include "material/material.h"
#include "pki/chain.h"
#include "pki/crl.h"
#include "pki/x509.h"

static const char *const kind_names[NUM_MATERIAL_KINDS] = {"server", "ca", "crl"};

const char *
material_kind_name(MaterialKind kind)
{
	return kind_names[kind];
}

bool
parse_material_kind(const char *name, MaterialKind *kind)
{
	for (int i = 0; i < NUM_MATERIAL_KINDS; i++)
		if (strcmp(name, kind_names[i]) == 0)
		{
			*kind = (MaterialKind) i;
			return true;
		}
	return false;
}

static List *
add_item(List *items, X509_CRL *crl, char *subject, const uint8 *digest)
{
	MaterialItem *item = palloc(sizeof(MaterialItem));

	item->crl = crl;
	item->subject = subject ? subject : pstrdup("");
	item->fingerprint = fingerprint_hex(digest);
	return lappend(items, item);
}

static List *
certificate_items(STACK_OF(X509) *certs)
{
	List	   *items = NIL;
	uint8		digest[FINGERPRINT_LEN];

	for (int i = 0; i < sk_X509_num(certs); i++)
	{
		X509	   *cert = sk_X509_value(certs, i);

		if (certificate_fingerprint(cert, digest))
			items = add_item(items, NULL, dn_text(X509_get_subject_name(cert)), digest);
	}
	return items;
}

static List *
crl_items(STACK_OF(X509_CRL) *crls)
{
	List	   *items = NIL;
	uint8		digest[FINGERPRINT_LEN];

	for (int i = 0; i < sk_X509_CRL_num(crls); i++)
	{
		X509_CRL   *crl = sk_X509_CRL_value(crls, i);

		if (crl_fingerprint(crl, digest))
			items = add_item(items, crl, dn_text(X509_CRL_get_issuer(crl)), digest);
	}
	return items;
}

/*
 * What a material of this kind consists of: MaterialItems.
 */
List *
material_items(MaterialKind kind, const PemContent *content)
{
	return kind == MATERIAL_CRL ? crl_items(content->crls) : certificate_items(content->certs);
}

/*
 * Read a file of PEM, or say why it cannot be read.
 */
PemFile *
read_pem_file(const char *path)
{
	PemFile    *file = palloc0(sizeof(PemFile));

	file->path = path;
	if (path[0] != '\0')
	{
		file->bytes = read_whole_file(path, &file->len, &file->error);
		if (file->bytes != NULL)
		{
			file->content = read_pem(file->bytes, file->len, &file->error);
			if (file->content == NULL)
				file->error = psprintf("file \"%s\": %s", path, file->error);
		}
		if (file->error != NULL)
			file->error = told_of_file(path, file->error);
	}
	if (file->content == NULL)
		file->content = new_pem_content();
	free_at_reset(file->content, free_pem_content);
	if (file->bytes && mentions_private_key(file->bytes, file->len))
	{
		StringInfo	secret = palloc0(sizeof(StringInfoData));

		secret->data = file->bytes;
		secret->len = (int) file->len;
		wipe_at_reset(secret);
	}
	return file;
}

static void
free_crl(void *crl)
{
	X509_CRL_free(crl);
}

/*
 * The name under which OpenSSL looks for the CRLs of an issuer, from .r0 on
 * (X509_LOOKUP_hash_dir).
 */
static bool
has_lookup_name(const char *name, X509_CRL *crl)
{
	char	   *prefix = psprintf("%08lx.r", X509_NAME_hash_ex(X509_CRL_get_issuer(crl), NULL, NULL, NULL));

	return strncmp(name, prefix, strlen(prefix)) == 0 &&
		strspn(name + strlen(prefix), "0123456789") == strlen(name + strlen(prefix)) &&
		name[strlen(prefix)] != '\0';
}

static DirectoryCrl *
read_directory_crl(const char *directory, const char *name)
{
	DirectoryCrl *entry = palloc0(sizeof(DirectoryCrl));
	PemFile    *file;

	entry->path = psprintf("%s/%s", directory, name);
	file = read_pem_file(entry->path);
	entry->error = file->error;
	if (entry->error == NULL && sk_X509_CRL_num(file->content->crls) == 0)
		entry->error = pstrdup("there is no CRL in the file");
	if (sk_X509_CRL_num(file->content->crls) > 0)
	{
		entry->crl = sk_X509_CRL_value(file->content->crls, 0);
		X509_CRL_up_ref(entry->crl);
		free_at_reset(entry->crl, free_crl);
		if (!has_lookup_name(name, entry->crl))
			entry->error = psprintf("OpenSSL looks for it under the name %08lx.r0, which \"openssl rehash\" makes",
									X509_NAME_hash_ex(X509_CRL_get_issuer(entry->crl), NULL, NULL, NULL));
	}
	return entry;
}

/*
 * Reduce the entries of a folder to what users may know who may not see its files: its
 * CRLs, without the names of their files; and one entry with an error if it holds
 * anything but CRLs, is empty, or does not exist, without saying which.
 */
static List *
without_names(List *entries, const char *path)
{
	List	   *result = NIL;
	bool		all = entries != NIL;
	ListCell   *cell;

	foreach(cell, entries)
	{
		DirectoryCrl *entry = lfirst(cell);

		entry->path = pstrdup(path);
		if (entry->error == NULL)
			result = lappend(result, entry);
		all &= entry->error == NULL;
	}
	if (!all)
	{
		DirectoryCrl *rest = palloc0(sizeof(DirectoryCrl));

		rest->path = pstrdup(path);
		rest->error = pstrdup("a file of this directory cannot be used");
		result = lappend(result, rest);
	}
	return result;
}

static List *
read_directory_crls(const char *path)
{
	List	   *result = NIL;
	DIR		   *dir = AllocateDir(path);
	struct dirent *file;

	if (dir == NULL)
	{
		DirectoryCrl *entry = palloc0(sizeof(DirectoryCrl));

		entry->path = pstrdup(path);
		entry->error = psprintf("could not open directory \"%s\": %s", path, strerror(errno));
		return list_make1(entry);
	}
	while ((file = ReadDirExtended(dir, path, LOG_SERVER_ONLY)) != NULL)
		if (file->d_name[0] != '.')
			result = lappend(result, read_directory_crl(path, file->d_name));
	FreeDir(dir);
	return result;
}

/*
 * Is this a name under which OpenSSL looks for certificates (X509_LOOKUP_hash_dir)?
 */
static bool
is_certificate_name(const char *name)
{
	size_t		digits = strspn(name, "0123456789abcdef");

	return digits == 8 && name[digits] == '.' && name[digits + 1] != '\0' &&
		name[digits + 1 + strspn(name + digits + 1, "0123456789")] == '\0';
}

/*
 * Does ssl_crl_dir hold certificates that OpenSSL may find?
 */
bool
has_directory_certificates(const char *path)
{
	bool		result = false;
	DIR		   *dir = path[0] ? AllocateDir(path) : NULL;
	struct dirent *file;

	if (dir == NULL)
		return false;
	while (!result && (file = ReadDirExtended(dir, path, LOG_SERVER_ONLY)) != NULL)
		result = is_certificate_name(file->d_name);
	FreeDir(dir);
	return result;
}

/*
 * The CRLs of ssl_crl_dir, as DirectoryCrl.  Files of other kinds have an error.
 */
List *
read_crl_directory(const char *path)
{
	List	   *entries;

	if (path[0] == '\0')
		return NIL;
	entries = read_directory_crls(path);
	return files_may_be_told() ? entries : without_names(entries, path);
}

static void
free_trust(void *object)
{
	Trust	   *trust = object;

	sk_X509_pop_free(trust->cas, X509_free);
	sk_X509_CRL_pop_free(trust->crls, X509_CRL_free);
}

/*
 * Everything that the server verifies clients with, from these files and settings.  NULL,
 * with *error, if one of them cannot be read.
 */
Trust *
read_trust(const MaterialFiles *files, const TlsParameters *parameters, int64 now, char **error)
{
	Trust	   *trust = palloc0(sizeof(Trust));
	PemFile    *ca = read_pem_file(files->ca_file);
	PemFile    *crl = read_pem_file(files->crl_file);
	ListCell   *cell;

	*error = ca->error ? ca->error : crl->error;
	if (*error)
	{
		*error = told_of_tls_files(full_text(*error));
		return NULL;
	}
	/* certificates in a CRL file are trusted, too: so does OpenSSL */
	trust->cas = X509_chain_up_ref(ca->content->certs);
	trust->issuers = trust->cas;
	trust->crls = sk_X509_CRL_new_null();
	free_at_reset(trust, free_trust);
	for (int i = 0; i < sk_X509_num(crl->content->certs); i++)
	{
		X509	   *cert = sk_X509_value(crl->content->certs, i);

		X509_up_ref(cert);
		sk_X509_push(trust->cas, cert);
	}
	for (int i = 0; i < sk_X509_CRL_num(crl->content->crls); i++)
	{
		X509_CRL_up_ref(sk_X509_CRL_value(crl->content->crls, i));
		sk_X509_CRL_push(trust->crls, sk_X509_CRL_value(crl->content->crls, i));
	}
	foreach(cell, read_crl_directory(files->crl_dir))
	{
		DirectoryCrl *entry = lfirst(cell);

		if (entry->error)
			continue;
		X509_CRL_up_ref(entry->crl);
		sk_X509_CRL_push(trust->crls, entry->crl);
	}
	trust->use_crls = files->crl_file[0] || files->crl_dir[0];
	trust->level = security_level(parameters);
	trust->now = now;
	return trust;
}
