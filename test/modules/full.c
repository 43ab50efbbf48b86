/*-------------------------------------------------------------------------
 *
 * full.c
 *		Folders without room, for the processes of one server.
 *
 * Preloaded by the dynamic linker, since only root can mount a small file system.  As long
 * as a folder holds a file "full", write() takes no more bytes of any other file in it than
 * that one has: the last write is cut short, and the next one fails.
 *
 *-------------------------------------------------------------------------
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How many bytes a file may have; -1: as many as it likes. */
static off_t
room_beside(int fd)
{
	char		link[64];
	char		path[PATH_MAX];
	char	   *slash;
	ssize_t		len;
	struct stat full;

	(void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - sizeof("/full"));
	if (len <= 0 || path[0] != '/')
		return -1;
	path[len] = '\0';
	slash = strrchr(path, '/');
	memcpy(slash, "/full", sizeof("/full"));
	return stat(path, &full) == 0 ? full.st_size : -1;
}

ssize_t
write(int __fd, const void *__buf, size_t __n)
{
	ssize_t		(*write_of_library)(int, const void *, size_t);
	int			error = errno;
	off_t		room = room_beside(__fd);
	off_t		at = room < 0 ? 0 : lseek(__fd, 0, SEEK_CUR);

	errno = error;
	*(void **) &write_of_library = dlsym(RTLD_NEXT, "write");
	if (room < 0 || at < 0 || __n == 0)
		return write_of_library(__fd, __buf, __n);
	if (at >= room)
	{
		errno = ENOSPC;
		return -1;
	}
	return write_of_library(__fd, __buf, (off_t) __n < room - at ? __n : (size_t) (room - at));
}
