/*-------------------------------------------------------------------------
 *
 * connect_pairs.c
 *		Times logins to two servers in turn.
 *
 * connect_pairs PAIRS CONNINFO_A CONNINFO_B [refused]
 *
 * PAIRS = -1 means one pair without warming up, for the very first logins; refused,
 * that both servers refuse, which is timed.
 *
 * Opens and closes a connection to A and one to B, then one to B and one to A,
 * and so on: both meet the same machine, and each is as often the one that the
 * other's backend, still on its way out, gets in the way of.  Prints one line: median milliseconds of A and of B, the
 * median of the ratios B/A pair by pair, and the median of the differences
 * B - A in microseconds.
 *
 *-------------------------------------------------------------------------
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libpq-fe.h>

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static bool refused = false;

static double
login(const char *conninfo)
{
	double		start = now();
	PGconn	   *connection = PQconnectdb(conninfo);
	double		elapsed = now() - start;

	if ((PQstatus(connection) != CONNECTION_OK) != refused)
	{
		fprintf(stderr, "%s", PQerrorMessage(connection));
		exit(1);
	}
	PQfinish(connection);
	return elapsed;
}

static int
compare(const void *a, const void *b)
{
	double		left = *(const double *) a;
	double		right = *(const double *) b;

	return (left > right) - (left < right);
}

static double
median(double *values, int count)
{
	qsort(values, (size_t) count, sizeof(double), compare);
	return count % 2 ? values[count / 2] :
					   (values[count / 2 - 1] + values[count / 2]) / 2;
}

int
main(int argc, char **argv)
{
	int			pairs = argc >= 4 ? atoi(argv[1]) : 0;
	int			warm_up = pairs > 0 ? 5 : 0;
	double	   *values[4];

	refused = argc == 5 && strcmp(argv[4], "refused") == 0;
	pairs = abs(pairs);
	if (pairs < 1)
	{
		fprintf(stderr, "usage: connect_pairs PAIRS CONNINFO_A CONNINFO_B [refused]\n");
		return 2;
	}
	for (int i = 0; i < 4; i++)
		values[i] = malloc(sizeof(double) * (size_t) pairs);

	for (int i = -warm_up; i < pairs; i++)
	{
		bool		b_first = i % 2 != 0;
		double		b = b_first ? login(argv[3]) : 0;
		double		a = login(argv[2]);

		if (!b_first)
			b = login(argv[3]);
		if (i < 0)
			continue;			/* warming up */
		values[0][i] = a;
		values[1][i] = b;
		values[2][i] = b / a;
		values[3][i] = b - a;
	}
	printf("a %.3f ms  b %.3f ms  b/a %.4f  b-a %+.0f us\n",
		   median(values[0], pairs) * 1e3, median(values[1], pairs) * 1e3,
		   median(values[2], pairs), median(values[3], pairs) * 1e6);
	return 0;
}
