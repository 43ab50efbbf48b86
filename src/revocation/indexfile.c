/*-------------------------------------------------------------------------
 *
 * indexfile.c
 *		The index of revoked certificates as a file.
 *
 * It is read by pread(), never mapped: a file that somebody truncates must not
 * end the process.  A reader goes on with the file that it has opened, even if
 * another one has taken its place.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "storage/fd.h"

#include "base/files.h"
#include "base/fingerprint.h"
#include "base/memory.h"
#include "base/told.h"
#include "material/material.h"
#include "pki/crl.h"
#include "revocation/crlstate.h"
#include "revocation/indexfile.h"
#include "settings/directory.h"
#include "settings/settings.h"

static ssize_t
read_at(void *arg, void *buf, size_t size, uint64 offset)
{
	int			fd = ((IndexFile *) arg)->fd;
	size_t		done = 0;

	while (done < size)
	{
		ssize_t		got = pread(fd, (char *) buf + done, size - done, (off_t) (offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		done += (size_t) got;
	}
	return (ssize_t) done;
}

/*
 * Open an index of sslpolicy.directory, and check its header.  False, with
 * *error, if there is none that can be used.  It is closed at the latest with the
 * current memory context, in which *file must live.
 */
bool
open_index_file(IndexFile *file, const char *name, char **error)
{
	CrlIndexInput input = {read_at, file};

	file->fd = -1;
	(void) free_at_reset(file, close_index_file);
	file->fd = BasicOpenFile(own_file(name), O_RDONLY | PG_BINARY);
	if (file->fd < 0)
	{
		*error = psprintf("could not open file \"%s\": %s", own_file(name), strerror(errno));
		return false;
	}
	if (open_crl_index(&file->index, &input, error))
		return true;
	*error = psprintf("file \"%s\": %s", own_file(name), *error);
	close_index_file(file);
	return false;
}

void
close_index_file(void *arg)
{
	IndexFile  *file = arg;

	if (file->fd >= 0)
		(void) close(file->fd);
	file->fd = -1;
}

/*
 * Of the space that is left only the order of magnitude counts: it changes all the time.
 */
static int
magnitude(uint64 amount)
{
	int			result = 0;

	for (; amount > 0; amount >>= 1)
		result++;
	return result;
}

/*
 * What changes when somebody repairs that an index can be neither read nor written: the
 * file, the rights on its folder, the space that is left.
 */
void
index_surroundings(const char *name, uint8 *digest)
{
	const char *path = own_file(name);
	struct stat st;
	struct statvfs vfs;
	uint8		file[FINGERPRINT_LEN];
	char	   *text;

	files_signature(&path, 1, file);
	if (stat(material_directory(), &st) != 0 || statvfs(material_directory(), &vfs) != 0)
		text = psprintf("%s %d", fingerprint_hex(file), errno);
	else
		text = psprintf("%s %llu %llu %o %u %u %lu %d %d", fingerprint_hex(file),
						(unsigned long long) st.st_dev, (unsigned long long) st.st_ino,
						(unsigned) st.st_mode, (unsigned) st.st_uid, (unsigned) st.st_gid,
						(unsigned long) vfs.f_flag, magnitude((uint64) vfs.f_bavail),
						magnitude((uint64) vfs.f_favail));
	if (!compute_sha256(text, strlen(text), digest))
		elog(ERROR, "could not compute SHA-256");
}

/*
 * What an index says that it was built for: it is of no use for other settings.
 */
void
crl_settings_fingerprint(const char *file, const char *dir, uint8 *digest)
{
	char	   *text = psprintf("%s\n%s", file, dir);

	if (!compute_sha256(text, strlen(text), digest))
		elog(ERROR, "could not compute SHA-256");
}

/*
 * Was an index built for these settings?
 */
bool
is_index_of_settings(const IndexFile *index, const char *file, const char *dir)
{
	uint8		digest[FINGERPRINT_LEN];

	crl_settings_fingerprint(file, dir, digest);
	return memcmp(index->index.label.settings, digest, FINGERPRINT_LEN) == 0;
}

/*
 * Was it built for sslpolicy.crl_file and crl_dir as they are?
 */
bool
is_index_of_own_settings(const IndexFile *index)
{
	const uint8 *digest = crl_settings_digest();

	return digest ? memcmp(index->index.label.settings, digest, FINGERPRINT_LEN) == 0 :
					is_index_of_settings(index, crl_file(), crl_dir());
}

/*
 * CRLs that are in force by sslpolicy's index; *count of them.  NULL, with *error,
 * if there are none.
 */
IndexedCrl *
read_own_crls(int *count, char **error)
{
	IndexFile  *file = palloc0(sizeof(IndexFile));
	IndexedCrl *crls = NULL;

	*count = 0;
	*error = NULL;
	if (!open_index_file(file, OWN_INDEX, error))
		return NULL;
	if (is_index_of_own_settings(file))
		crls = read_indexed_crls(&file->index, count, error);
	else
		*error = pstrdup("they have not been read yet");
	close_index_file(file);
	if (crls == NULL)
		*count = 0;
	if (*error != NULL)
		*error = told_of_crls(crl_file(), crl_dir(), *error);
	return crls;
}

/*
 * Is a CRL in force, or one of its issuer and scope that is not older?
 */
static bool
is_in_force(const CrlFacts *crl, const IndexedCrl *in_force, int count)
{
	for (int i = 0; i < count; i++)
		if (strcmp(crl->issuer_dn, in_force[i].issuer_dn) == 0 &&
			memcmp(crl->scope.digest, in_force[i].scope.digest, POINT_LEN) == 0 &&
			(memcmp(crl->fingerprint, in_force[i].fingerprint, FINGERPRINT_LEN) == 0 ||
			 compare_crl_age(in_force[i].number, in_force[i].this_update, crl->number, crl->this_update) > 0))
			return true;
	return false;
}

/*
 * Are all of these CRLs in force by sslpolicy's index, or superseded by newer ones?
 */
bool
are_crls_in_force(STACK_OF(X509_CRL) *crls)
{
	int			count;
	char	   *error;
	const IndexedCrl *in_force = read_own_crls(&count, &error);

	for (int i = 0; i < sk_X509_CRL_num(crls); i++)
	{
		const CrlFacts *facts = read_crl(sk_X509_CRL_value(crls, i));

		if (facts == NULL || !is_in_force(facts, in_force, count))
			return false;
	}
	return sk_X509_CRL_num(crls) > 0;
}
