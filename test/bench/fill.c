/*-------------------------------------------------------------------------
 *
 * fill.c
 *		Logs in once as each of many roles, one after another.
 *
 * fill PREFIX COUNT CONNINFO
 *
 * As PREFIX1, PREFIX2, and so on.  Whether they are let in does not matter; prints how
 * many were.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>

#include <libpq-fe.h>

int
main(int argc, char **argv)
{
	int			count = argc == 4 ? atoi(argv[2]) : 0;
	int			let_in = 0;

	if (count < 1)
	{
		fprintf(stderr, "usage: fill PREFIX COUNT CONNINFO\n");
		return 2;
	}
	for (int i = 1; i <= count; i++)
	{
		char		conninfo[2000];
		PGconn	   *connection;

		(void) snprintf(conninfo, sizeof(conninfo), "%s user=%s%d", argv[3], argv[1], i);
		connection = PQconnectdb(conninfo);
		let_in += PQstatus(connection) == CONNECTION_OK;
		PQfinish(connection);
	}
	printf("%d\n", let_in);
	return 0;
}
