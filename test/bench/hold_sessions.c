/*-------------------------------------------------------------------------
 *
 * hold_sessions.c
 *		Opens many sessions, and holds them until its input ends.
 *
 * hold_sessions COUNT CONNINFO
 *
 * %d in CONNINFO stands for the number of the session, from 1.  Prints the process
 * id of each session's backend, and "ready" when all are open.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

static PGconn *
login(const char *conninfo, int number)
{
	const char *mark = strstr(conninfo, "%d");
	size_t		size = strlen(conninfo) + 16;
	char	   *own = malloc(size);
	PGconn	   *connection;

	if (mark)
		snprintf(own, size, "%.*s%d%s", (int) (mark - conninfo), conninfo, number, mark + 2);
	else
		snprintf(own, size, "%s", conninfo);
	connection = PQconnectdb(own);
	free(own);
	return connection;
}

int
main(int argc, char **argv)
{
	int			count = argc == 3 ? atoi(argv[1]) : 0;

	if (count < 1)
	{
		fprintf(stderr, "usage: hold_sessions COUNT CONNINFO\n");
		return 2;
	}
	for (int i = 1; i <= count; i++)
	{
		PGconn	   *connection = login(argv[2], i);

		if (PQstatus(connection) != CONNECTION_OK)
		{
			fprintf(stderr, "%s", PQerrorMessage(connection));
			return 1;
		}
		printf("%d\n", PQbackendPID(connection));
	}
	printf("ready\n");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
