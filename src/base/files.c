/*-------------------------------------------------------------------------
 *
 * files.c
 *		Files: reading them, and replacing them durably.
 *
 * No other file of the library opens one for writing.  One is replaced by writing a
 * temporary one beside it, fsync, and rename: whatever happens, there is the old
 * one or the new one.  The name of the temporary file is fixed, so that what a
 * crash has left can be found (leftovers.c); who writes sees to it that no other
 * process writes the same file at that time.
 *
 * Paths are taken as they are given: whether somebody may read or write there is
 * for the caller to know.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hashfn.h"
#include "libpq/libpq.h"
#include "miscadmin.h"
#include "storage/fd.h"

#include "base/files.h"
#include "base/memory.h"
#include "base/told.h"

#define TEMPORARY_SUFFIX ".sslpolicy.tmp"

/*
 * The file that a path stands for: what symbolic links lead to, so that a
 * replaced file does not replace the link.
 */
char *
resolve_target(const char *path)
{
	char		resolved[PATH_MAX];

	if (realpath(path, resolved) != NULL)
		return pstrdup(resolved);
	return pstrdup(path);
}

bool
file_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

/*
 * Is this a file, or a folder, that may be read?  Sets errno if not.
 */
bool
is_readable_path(const char *path, bool folder)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return false;
	if (folder ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode))
		return access(path, folder ? R_OK | X_OK : R_OK) == 0;
	errno = folder ? ENOTDIR : S_ISDIR(st.st_mode) ? EISDIR :
													 EINVAL;
	return false;
}

/*
 * May this file be written?  Sets errno if not.  durable_rename() opens the file that it
 * is to replace in this way, too.
 */
bool
is_writable_file(const char *path)
{
	int			fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | PG_BINARY);

	if (fd < 0)
		return false;
	(void) close(fd);
	return true;
}

/*
 * The whole of a regular file, zero-terminated.  NULL, with *error, if it
 * cannot be read.
 */
char *
read_whole_file(const char *path, size_t *len, char **error)
{
	int			fd = OpenTransientFile(path, O_RDONLY | O_NONBLOCK | PG_BINARY);
	struct stat st;
	char	   *bytes;
	size_t		done = 0;

	*error = NULL;
	if (fd < 0)
	{
		*error = psprintf("could not open file \"%s\": %s", path, strerror(errno));
		return NULL;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > MAX_FILE_BYTES)
	{
		*error = psprintf("\"%s\" is not a regular file of at most %d MB", path,
						  MAX_FILE_BYTES / 1024 / 1024);
		CloseTransientFile(fd);
		return NULL;
	}
	bytes = palloc((Size) st.st_size + 1);
	while (done < (size_t) st.st_size)
	{
		ssize_t		got = read(fd, bytes + done, (size_t) st.st_size - done);

		if (got < 0)
		{
			*error = psprintf("could not read file \"%s\": %s", path, strerror(errno));
			CloseTransientFile(fd);
			return NULL;
		}
		if (got == 0)
			break;
		done += (size_t) got;
	}
	CloseTransientFile(fd);
	bytes[done] = '\0';
	*len = done;
	return bytes;
}

/*
 * SHA-256 of a file.  False if it cannot be read.
 */
bool
file_fingerprint(const char *path, uint8 *digest)
{
	size_t		len;
	char	   *error;
	char	   *bytes = path[0] ? read_whole_file(path, &len, &error) : NULL;
	bool		ok;

	if (bytes == NULL)
		return false;
	ok = compute_sha256(bytes, len, digest);
	wipe_memory(bytes, len);
	pfree(bytes);
	return ok;
}

/*
 * What tells one file from another and from what it was before, without reading it; 0 if
 * there is none.  No memory is taken and no error raised: the postmaster calls this.
 */
uint64
file_signature(const char *path)
{
	struct stat st;
	uint64		facts[7];

	if (path[0] == '\0' || stat(path, &st) != 0)
		return 0;
	facts[0] = (uint64) st.st_dev;
	facts[1] = (uint64) st.st_ino;
	facts[2] = (uint64) st.st_size;
	facts[3] = (uint64) st.st_mtim.tv_sec;
	facts[4] = (uint64) st.st_mtim.tv_nsec;
	facts[5] = (uint64) st.st_ctim.tv_sec;
	facts[6] = (uint64) st.st_ctim.tv_nsec;
	return hash_bytes_extended((const unsigned char *) facts, sizeof(facts), 0) | 1;
}

static void
append_stat(StringInfo buf, const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		appendStringInfo(buf, "%s -\n", path);
	else
		appendStringInfo(buf, "%s " UINT64_FORMAT " %lld %lld.%09ld %lld.%09ld\n", path,
						 (uint64) st.st_ino, (long long) st.st_size,
						 (long long) st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
						 (long long) st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}

/*
 * What tells that some files may have changed, without reading them; paths are
 * part of it, and files that are not there.
 */
void
files_signature(const char *const *paths, int count, uint8 *digest)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < count; i++)
		append_stat(&buf, paths[i]);
	if (!compute_sha256(buf.data, (size_t) buf.len, digest))
		elog(ERROR, "could not compute SHA-256");
}

/*
 * SHA-256 of some bytes, in lower-case hexadecimal.
 */
char *
bytes_fingerprint(const char *bytes, size_t len)
{
	uint8		digest[FINGERPRINT_LEN];

	if (!compute_sha256(bytes, len, digest))
		elog(ERROR, "could not compute SHA-256");
	return fingerprint_hex(digest);
}

char *
temporary_name(const char *target)
{
	return psprintf("%s" TEMPORARY_SUFFIX, target);
}

bool
is_temporary_name(const char *name)
{
	size_t		len = strlen(name);
	size_t		suffix = strlen(TEMPORARY_SUFFIX);

	return len > suffix && strcmp(name + len - suffix, TEMPORARY_SUFFIX) == 0;
}

struct TemporaryFile
{
	char	   *path;
	int			fd;
};

/*
 * Create a temporary file; fd is negative, with errno, if that fails.
 */
static TemporaryFile *
open_temporary(const char *target)
{
	TemporaryFile *file = palloc(sizeof(TemporaryFile));

	/* one that a crash has left; never write through a link */
	file->path = temporary_name(target);
	(void) unlink(file->path);
	/* not a transient file: those are closed at the end of a transaction */
	file->fd = BasicOpenFilePerm(file->path, O_CREAT | O_EXCL | O_WRONLY | PG_BINARY,
								 S_IRUSR | S_IWUSR);
	return file;
}

/*
 * Create the temporary file that belongs to target, mode 0600.
 */
TemporaryFile *
create_temporary_file(const char *target)
{
	TemporaryFile *file = open_temporary(target);

	if (file->fd < 0)
	{
		bool		full = errno == ENOSPC || errno == EDQUOT;

		ereport(told_level(ERROR),
				(errcode_for_file_access(),
				 errmsg("could not create file \"%s\": %m", file->path),
				 errdetail("A new version of a file is written beside it, and then renamed."),
				 full ? errhint("Make room on that file system.") :
						errhint("Let the server write to that folder.")));
		refuse_file();
	}
	return file;
}

/*
 * False, with errno, if not all could be written.
 */
bool
append_temporary_file(TemporaryFile *file, const char *bytes, size_t len)
{
	size_t		done = 0;

	while (done < len)
	{
		ssize_t		written;

		errno = 0;
		written = write(file->fd, bytes + done, len - done);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
		{
			/* a write that is cut short sets no errno */
			errno = errno ? errno : ENOSPC;
			return false;
		}
		done += (size_t) written;
	}
	return true;
}

/*
 * Close it, and remove it.
 */
void
discard_temporary_file(TemporaryFile *file)
{
	if (file->fd >= 0)
		(void) close(file->fd);
	file->fd = -1;
	(void) unlink(file->path);
}

static void
write_failed(TemporaryFile *file)
{
	int			error = errno;

	discard_temporary_file(file);
	errno = error;
	ereport(told_level(ERROR),
			(errcode_for_file_access(),
			 errmsg("could not write file \"%s\": %m", file->path)));
	refuse_file();
}

/*
 * fsync it, and close it.
 */
void
finish_temporary_file(TemporaryFile *file)
{
	int			fd = file->fd;

	if (fchmod(fd, S_IRUSR | S_IWUSR) != 0 || pg_fsync(fd) != 0)
		write_failed(file);
	file->fd = -1;
	if (close(fd) != 0)
		write_failed(file);
}

/*
 * The whole of a temporary file that belongs to target.
 */
void
write_temporary_file(const char *target, const char *bytes, size_t len)
{
	TemporaryFile *file = create_temporary_file(target);

	if (!append_temporary_file(file, bytes, len))
		write_failed(file);
	finish_temporary_file(file);
}

/*
 * Give a file a second name, under which it stays when it is replaced: the temporary
 * name of target.  False, with errno, where the file system cannot do that.
 */
bool
link_temporary_file(const char *path, const char *target)
{
	(void) unlink(temporary_name(target));
	return link(path, temporary_name(target)) == 0;
}

/*
 * Put the temporary file in the place of target, durably.
 */
void
move_temporary_file(const char *target)
{
	if (durable_rename(temporary_name(target), target, told_level(ERROR)) != 0)
		refuse_file();
}

void
replace_file(const char *target, const char *bytes, size_t len)
{
	write_temporary_file(target, bytes, len);
	move_temporary_file(target);
}

/*
 * The same where there must be no error, such as at the end of the postmaster: one
 * is logged, and the old file stays.
 */
bool
save_file(const char *target, const char *bytes, size_t len)
{
	TemporaryFile *file = open_temporary(target);

	if (file->fd < 0 || !append_temporary_file(file, bytes, len) || pg_fsync(file->fd) != 0)
	{
		ereport(LOG_SERVER_ONLY,
				(errcode_for_file_access(),
				 errmsg("could not write file \"%s\": %m", file->path)));
		discard_temporary_file(file);
		return false;
	}
	(void) close(file->fd);
	return durable_rename(file->path, target, LOG_SERVER_ONLY) == 0;
}

/*
 * Remove a file that may not be there.  A failure is only logged.
 */
void
remove_file(const char *path)
{
	if (unlink(path) != 0 && errno != ENOENT)
		ereport(LOG_SERVER_ONLY,
				(errcode_for_file_access(),
				 errmsg("could not remove file \"%s\": %m", path)));
}
