/*-------------------------------------------------------------------------
 *
 * random_logins.c
 *		Times single logins to several servers in random order.
 *
 * random_logins ROUNDS SEED CONNINFO...
 *
 * In each round each server is logged in to once, in a random order, so that no server
 * always meets the backend of the same other one on its way out.  Some rounds before
 * that warm up; ROUNDS = -1 means one round without them, for the very first logins.  Prints for each login the number of the server, from 1, and how long it
 * took to connect, in microseconds.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <libpq-fe.h>

#define WARM_UP		5
#define MAX_SERVERS 10

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec * 1e6 + (double) t.tv_nsec / 1e3;
}

static double
login(const char *conninfo)
{
	double		start = now();
	PGconn	   *connection = PQconnectdb(conninfo);
	double		elapsed = now() - start;

	if (PQstatus(connection) != CONNECTION_OK)
	{
		fprintf(stderr, "%s", PQerrorMessage(connection));
		exit(1);
	}
	PQfinish(connection);
	return elapsed;
}

int
main(int argc, char **argv)
{
	int			rounds = argc > 3 ? atoi(argv[1]) : 0;
	int			warm_up = rounds > 0 ? WARM_UP : 0;
	int			servers = argc - 3;
	int			order[MAX_SERVERS];

	rounds = abs(rounds);
	if (rounds < 1 || servers > MAX_SERVERS)
	{
		fprintf(stderr, "usage: random_logins ROUNDS SEED CONNINFO...\n");
		return 2;
	}
	srandom((unsigned) atoi(argv[2]));
	for (int i = 0; i < servers; i++)
		order[i] = i;
	for (int round = -warm_up; round < rounds; round++)
	{
		for (int i = servers - 1; i > 0; i--)
		{
			int			j = (int) (random() % (i + 1));
			int			other = order[j];

			order[j] = order[i];
			order[i] = other;
		}
		for (int i = 0; i < servers; i++)
		{
			double		elapsed = login(argv[3 + order[i]]);

			if (round >= 0)
				printf("%d %.1f\n", order[i] + 1, elapsed);
		}
	}
	return 0;
}
