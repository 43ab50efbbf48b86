/*-------------------------------------------------------------------------
 *
 * hold_sessions.c
 *		Opens many sessions, and holds them until its input ends.
 *
 * hold_sessions COUNT CONNINFO
 *
 * Prints "ready" when all are open.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>

#include <libpq-fe.h>

int
main(int argc, char **argv)
{
	int			count = argc == 3 ? atoi(argv[1]) : 0;

	if (count < 1)
	{
		fprintf(stderr, "usage: hold_sessions COUNT CONNINFO\n");
		return 2;
	}
	for (int i = 0; i < count; i++)
	{
		PGconn	   *connection = PQconnectdb(argv[2]);

		if (PQstatus(connection) != CONNECTION_OK)
		{
			fprintf(stderr, "%s", PQerrorMessage(connection));
			return 1;
		}
	}
	printf("ready\n");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
