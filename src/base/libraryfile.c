/*-------------------------------------------------------------------------
 *
 * libraryfile.c
 *		The file that this copy of the library was loaded from.
 *
 * After an upgrade of the package the server goes on with what it has loaded,
 * and PostgreSQL does not load a file of the same path a second time.  So the
 * version of the file that lies there now is read from the file.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include "base/files.h"
#include "base/libraryfile.h"

#define VERSION_MARK "sslpolicy library, version "

/* for the other copy to find */
static const char version_mark[] = VERSION_MARK SSLPOLICY_VERSION;

static char path[MAXPGPATH];
static struct stat loaded;		/* the file as it was when it was loaded */

/*
 * Remember the file.  Called when the library is loaded; what the postmaster
 * remembers, its children inherit.
 */
void
note_library_file(void)
{
	Dl_info		info;

	if (dladdr((const void *) version_mark, &info) == 0 || info.dli_fname == NULL ||
		stat(info.dli_fname, &loaded) != 0)
		return;
	strlcpy(path, info.dli_fname, MAXPGPATH);
}

/*
 * The version in a file of the library; NULL if there is none to be found.
 */
static char *
read_version(const char *bytes, size_t len)
{
	size_t		mark = strlen(VERSION_MARK);
	size_t		digits;

	for (size_t i = 0; i + mark < len; i++)
	{
		if (memcmp(bytes + i, version_mark, mark) != 0)
			continue;
		digits = strnlen(bytes + i + mark, Min(len - i - mark, 64));
		return pnstrdup(bytes + i + mark, digits);
	}
	return NULL;
}

/*
 * Is the file still the one that was loaded?  If another one is in its place,
 * *version is that of the other one, NULL if it cannot be told.
 */
LibraryFileState
library_file_state(char **version)
{
	struct stat now;
	char	   *bytes;
	char	   *error;
	size_t		len;

	*version = NULL;
	if (path[0] == '\0')
		return LIBRARY_FILE_UNKNOWN;
	if (stat(path, &now) != 0)
		return LIBRARY_FILE_GONE;
	if (now.st_dev == loaded.st_dev && now.st_ino == loaded.st_ino &&
		now.st_size == loaded.st_size && now.st_mtime == loaded.st_mtime)
		return LIBRARY_FILE_SAME;
	bytes = read_whole_file(path, &len, &error);
	if (bytes)
		*version = read_version(bytes, len);
	return LIBRARY_FILE_REPLACED;
}
