/*-------------------------------------------------------------------------
 *
 * clock.c
 *		A clock that a test can set, for the processes of one server.
 *
 * Preloaded by the dynamic linker.  The time of day is the machine's, plus as many
 * seconds as the file TEST_CLOCK says, in eight bytes, which a test may change at any
 * time.  Clocks that nobody can set are left alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* in place of the C library's, under names of our own in C */
int set_clock_gettime(clockid_t clock, struct timespec *result) __asm__("clock_gettime");
int set_gettimeofday(struct timeval *result, void *zone) __asm__("gettimeofday");
time_t set_time(time_t *result) __asm__("time");

static volatile int64_t *seconds;

__attribute__((constructor)) static void
open_clock(void)
{
	const char *path = getenv("TEST_CLOCK");
	int			fd = path ? open(path, O_RDONLY) : -1;
	void	   *bytes;

	if (fd < 0)
		return;
	bytes = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
	if (bytes != MAP_FAILED)
		seconds = bytes;
	(void) close(fd);
}

int
set_clock_gettime(clockid_t clock, struct timespec *result)
{
	int			failed = (int) syscall(SYS_clock_gettime, clock, result);

	if (!failed && seconds && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		result->tv_sec += *seconds;
	return failed;
}

int
set_gettimeofday(struct timeval *result, void *zone __attribute__((unused)))
{
	struct timespec now;

	(void) clock_gettime(CLOCK_REALTIME, &now);
	result->tv_sec = now.tv_sec;
	result->tv_usec = now.tv_nsec / 1000;
	return 0;
}

time_t
set_time(time_t *result)
{
	struct timespec now;

	(void) clock_gettime(CLOCK_REALTIME, &now);
	if (result != NULL)
		*result = now.tv_sec;
	return now.tv_sec;
}
