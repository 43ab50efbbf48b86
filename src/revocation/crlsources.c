/*-------------------------------------------------------------------------
 *
 * crlsources.c
 *		Files of CRLs: found, read, and verified.
 *
 * Never judges a CRL: crlchoice.c does.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libpq/libpq.h"
#include "storage/fd.h"

#include "base/files.h"
#include "base/memory.h"
#include "revocation/crlcopies.h"
#include "revocation/crlsources.h"
#include "settings/directory.h"

static int
compare_paths(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/*
 * Does OpenSSL look for a CRL under this name: eight hexadecimal digits, ".r"
 * and a number?
 */
static bool
is_lookup_name(const char *name)
{
	return strspn(name, "0123456789abcdef") == 8 && strncmp(name + 8, ".r", 2) == 0 &&
		name[10] != '\0' && strspn(name + 10, "0123456789") == strlen(name + 10);
}

/*
 * The files of a set, in the order of their names; hidden ones are left out, and
 * those that an installation is about to write.  False, with *error, if the
 * directory cannot be read; then the file is still there.
 */
bool
list_crl_files(const CrlSet *set, List **paths, char **error)
{
	DIR		   *dir = NULL;
	struct dirent *entry;

	*paths = NIL;
	*error = NULL;
	if (set->dir[0] && (dir = opendir(set->dir)) == NULL)
		*error = psprintf("could not open directory \"%s\": %s", set->dir, strerror(errno));
	if (dir)
	{
		while (errno = 0, (entry = readdir(dir)) != NULL)
			if (entry->d_name[0] != '.' && !is_temporary_name(entry->d_name) &&
				(!set->of_core || is_lookup_name(entry->d_name)))
				*paths = lappend(*paths, psprintf("%s/%s", set->dir, entry->d_name));
		if (errno != 0)
			*error = psprintf("could not read directory \"%s\": %s", set->dir, strerror(errno));
		closedir(dir);
		list_sort(*paths, compare_paths);
	}
	if (set->file[0])
		*paths = lcons(pstrdup(set->file), *paths);
	return *error == NULL;
}

/*
 * What tells that the files may have changed: as cheap as it can be, since it is
 * asked all the time.  ssl_crl_file is left out: the server goes on with what it
 * has loaded.
 */
void
crl_signature(const CrlSet *set, uint8 *digest)
{
	List	   *paths;
	const char **all;
	int			count = 0;
	char	   *error;
	ListCell   *cell;

	(void) list_crl_files(set, &paths, &error);
	all = palloc(sizeof(char *) * (Size) (list_length(paths) + 3));
	all[count++] = set->dir;
	if (set->file[0] || set->dir[0])
	{
		all[count++] = ssl_ca_file;
		all[count++] = own_file(INSTALLED_ISSUERS);
	}
	foreach(cell, paths)
		if (!set->of_core || strcmp(lfirst(cell), set->file) != 0)
			all[count++] = lfirst(cell);
	files_signature(all, count, digest);
}

/*
 * What tells that somebody may have touched the index, or the copies of what is in it.
 */
void
index_signature(const CrlSet *set, uint8 *digest)
{
	const char *paths[] = {own_file(set->index), own_file(CRL_COPIES)};

	files_signature(paths, set->of_core ? 1 : 2, digest);
}

static void
close_source(void *arg)
{
	CrlSource  *source = arg;

	if (source->fd >= 0)
		(void) close(source->fd);
	source->fd = -1;
}

/*
 * A file of a set, which is not read yet.
 */
CrlSource *
open_crl_source(const CrlSet *set, const char *path)
{
	CrlSource  *source = palloc0(sizeof(CrlSource));

	source->path = pstrdup(path);
	source->fd = -1;
	if (set->bytes && strcmp(path, set->file) == 0)
		source->bytes = set->bytes;
	return free_at_reset(source, close_source);
}

static ssize_t
read_source(void *arg, char *buf, size_t size)
{
	CrlSource  *source = arg;
	ssize_t		got;

	if (source->bytes)
	{
		got = (ssize_t) Min(size, (size_t) source->bytes->len - source->pos);
		memcpy(buf, source->bytes->data + source->pos, (size_t) got);
		source->pos += (size_t) got;
		return got;
	}
	do
		got = read(source->fd, buf, size);
	while (got < 0 && errno == EINTR);
	return got;
}

/*
 * Open a regular file.  False, with *error.
 */
static bool
open_file(CrlSource *source, char **error)
{
	struct stat st;

	source->pos = 0;
	if (source->bytes)
		return true;
	source->fd = BasicOpenFile(source->path, O_RDONLY | O_NONBLOCK | PG_BINARY);
	if (source->fd < 0)
		*error = psprintf("could not open file \"%s\": %s", source->path, strerror(errno));
	else if (fstat(source->fd, &st) != 0 || !S_ISREG(st.st_mode))
	{
		close_source(source);
		*error = psprintf("\"%s\" is not a regular file", source->path);
	}
	return source->fd >= 0;
}

/*
 * Read a file, without a sink to verify it with some CAs, with one to take its entries.
 * NULL, with *error, if nothing in it can be read.
 */
CrlFile *
read_crl_source(const CrlSet *set, CrlSource *source, const CasByName *cas,
				const CrlSink *sink, char **error)
{
	CrlInput	input = {read_source, source, set->pause};
	CrlReader  *reader;
	CrlFile    *content;

	if (!open_file(source, error))
		return NULL;
	reader = free_at_reset(new_crl_reader(&input), free_crl_reader);
	content = read_crls(reader, sink ? NULL : cas, sink, error);
	close_source(source);
	if (content == NULL)
		*error = psprintf("file \"%s\": %s", source->path, *error);
	return content;
}

static void
free_digest(void *digest)
{
	EVP_MD_CTX_free(digest);
}

/*
 * The SHA-256 of a file of any length.  False if it cannot be read.
 */
bool
crl_file_digest(const CrlSet *set, const char *path, uint8 *sha256)
{
	CrlSource  *source = open_crl_source(set, path);
	EVP_MD_CTX *digest = free_at_reset(EVP_MD_CTX_new(), free_digest);
	char	   *buf = palloc(65536);
	char	   *error;
	ssize_t		got = 0;
	bool		ok = open_file(source, &error) && digest != NULL &&
		EVP_DigestInit_ex(digest, openssl_sha256(), NULL) == 1;

	while (ok && (got = read_source(source, buf, 65536)) > 0)
	{
		ok = EVP_DigestUpdate(digest, buf, (size_t) got) == 1;
		if (set->pause)
			set->pause();
	}
	close_source(source);
	return ok && got == 0 && EVP_DigestFinal_ex(digest, sha256, NULL) == 1;
}
