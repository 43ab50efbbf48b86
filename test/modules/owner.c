/*-------------------------------------------------------------------------
 *
 * owner.c
 *		Files that belong to root, for the processes of one server.
 *
 * Preloaded by the dynamic linker, since only root can give a file away.  A file belongs
 * to root as long as there is a file beside it whose name has ".foreign" at the end.
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
#include <sys/stat.h>
#include <unistd.h>

/* in place of the C library's, under a name of our own in C */
int stat_with_owner(const char *path, struct stat *result) __asm__("stat");

int
stat_with_owner(const char *path, struct stat *result)
{
	int			(*stat_of_library)(const char *, struct stat *);
	char		marker[PATH_MAX];
	int			failed;
	int			error;

	*(void **) &stat_of_library = dlsym(RTLD_NEXT, "stat");
	failed = stat_of_library(path, result);
	error = errno;
	if (!failed && snprintf(marker, sizeof(marker), "%s.foreign", path) < (int) sizeof(marker) &&
		access(marker, F_OK) == 0)
		result->st_uid = 0;
	errno = error;
	return failed;
}
