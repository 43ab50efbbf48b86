/*-------------------------------------------------------------------------
 *
 * faults.c
 *		Says how many pages each backend of a server touched for the first time.
 *
 * Preloaded by the dynamic linker, with sslpolicy and without.  As a process that a
 * client has reached exits, a line with its pid and its minor page faults since the
 * fork goes to the end of the file FAULTS.
 *
 *-------------------------------------------------------------------------
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* of the server; not there in any other program */
extern void *MyProcPort __attribute__((weak));

__attribute__((destructor)) static void
write_faults(void)
{
	const char *path = getenv("FAULTS");
	struct rusage used;
	char		line[64];
	int			length;
	int			fd;

	if (path == NULL || &MyProcPort == NULL || MyProcPort == NULL || getrusage(RUSAGE_SELF, &used) != 0)
		return;
	length = snprintf(line, sizeof(line), "%d %ld\n", (int) getpid(), used.ru_minflt);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
	if (fd < 0 || write(fd, line, (size_t) length) != length)
		_exit(99);
	(void) close(fd);
}
