/*-------------------------------------------------------------------------
 *
 * tap.h
 *		The Test Anything Protocol, as much of it as the unit tests need.
 *
 * Results go to stdout, explanations of failures to stderr.  A test program
 * ends with "return done_testing();", which prints the plan: a program that
 * dies before has none, and the harness counts that as a failure.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_TAP_H
#define SSLPOLICY_TAP_H

#include "base/pure.h"

static int	tap_run = 0;
static int	tap_failed = 0;

/*
 * Print text on one line.  '#' would begin a TAP directive in the description
 * of a test.
 */
static inline void
tap_print(FILE *out, const char *text, bool description)
{
	for (const char *c = text; *c; c++)
	{
		if ((unsigned char) *c < 0x20 || *c == 0x7F)
			fprintf(out, "\\%02X", (unsigned char) *c);
		else if (*c == '#' && description)
			fprintf(out, "\\#");
		else
			fputc(*c, out);
	}
}

static inline bool
tap_result(bool passed, const char *format, va_list args)
{
	char		description[1024];

	vsnprintf(description, sizeof(description), format, args);
	printf("%sok %d - ", passed ? "" : "not ", ++tap_run);
	tap_print(stdout, description, true);
	printf("\n");
	if (!passed)
	{
		tap_failed++;
		fflush(stdout);
		fprintf(stderr, "# failed: ");
		tap_print(stderr, description, false);
		fprintf(stderr, "\n");
	}
	return passed;
}

/* is this so? */
static inline bool __attribute__((format(printf, 2, 3)))
ok(bool passed, const char *format, ...)
{
	va_list		args;

	va_start(args, format);
	tap_result(passed, format, args);
	va_end(args);
	return passed;
}

/* are these strings, or two NULLs, the same? */
static inline bool __attribute__((format(printf, 3, 4)))
is_str(const char *got, const char *expected, const char *format, ...)
{
	bool		passed = got == NULL || expected == NULL ? got == expected :
													strcmp(got, expected) == 0;
	va_list		args;

	va_start(args, format);
	tap_result(passed, format, args);
	va_end(args);
	if (!passed)
	{
		fprintf(stderr, "#      got: ");
		tap_print(stderr, got ? got : "(null)", false);
		fprintf(stderr, "\n# expected: ");
		tap_print(stderr, expected ? expected : "(null)", false);
		fprintf(stderr, "\n");
	}
	return passed;
}

/* are these numbers the same? */
static inline bool __attribute__((format(printf, 3, 4)))
is_int(int64 got, int64 expected, const char *format, ...)
{
	va_list		args;

	va_start(args, format);
	tap_result(got == expected, format, args);
	va_end(args);
	if (got != expected)
		fprintf(stderr, "#      got: %lld\n# expected: %lld\n",
				(long long) got, (long long) expected);
	return got == expected;
}

/* does text, which may be NULL, have this in it? */
static inline bool __attribute__((format(printf, 3, 4)))
has_str(const char *text, const char *part, const char *format, ...)
{
	bool		passed = text != NULL && strstr(text, part) != NULL;
	va_list		args;

	va_start(args, format);
	tap_result(passed, format, args);
	va_end(args);
	if (!passed)
	{
		fprintf(stderr, "#      got: ");
		tap_print(stderr, text ? text : "(null)", false);
		fprintf(stderr, "\n# expected: ");
		tap_print(stderr, part, false);
		fprintf(stderr, "\n");
	}
	return passed;
}

/*
 * Print the plan.  Returns what main() is to return.
 */
static inline int
done_testing(void)
{
	printf("1..%d\n", tap_run);
	return tap_failed || tap_run == 0 ? 1 : 0;
}

#endif							/* SSLPOLICY_TAP_H */
