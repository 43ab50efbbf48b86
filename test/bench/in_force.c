/*-------------------------------------------------------------------------
 *
 * in_force.c
 *		Times how long replicated material takes until every node has it in force.
 *
 * in_force ca|crl FILES CONNINFO_PRIMARY CONNINFO_STANDBY...
 *
 * Sets the text of each file in turn, and then asks each node again and again, each in a
 * session of its own, what it has in force itself, and the primary by wait_for_nodes()
 * when all have said so.  FILES are joined by colons.  The clock starts when the statement
 * has committed.  Prints a line for each file: milliseconds of the statement, until the
 * material was in force on the last node, until wait_for_nodes() returned, and bytes of WAL
 * that the statement has written.
 *
 *-------------------------------------------------------------------------
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libpq-fe.h>

#define MAX_SERVERS		 8
#define POLL_US			 2000
#define LONGEST_S		 120
#define STATE_OF_ITSELF	 "SELECT state, coalesce(wanted, '') FROM sslpolicy.nodes WHERE is_self AND kind = $1"
#define ALL_ACKNOWLEDGED "SELECT bool_and(state = 'in force') AND count(*) = $2 AND count(DISTINCT wanted) = 1 FROM sslpolicy.wait_for_nodes('2min') WHERE kind = $1"

typedef struct Server
{
	PGconn	   *connection;
	char		before[65];		/* what it wanted */
	bool		done;
} Server;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static void fail(const char *what) __attribute__((noreturn));

static void
fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static PGconn *
connect_to(const char *conninfo)
{
	PGconn	   *connection = PQconnectdb(conninfo);

	if (PQstatus(connection) != CONNECTION_OK)
		fail(PQerrorMessage(connection));
	return connection;
}

static PGresult *
checked(PGresult *result)
{
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		fail(PQresultErrorMessage(result));
	return result;
}

static PGresult *
run(PGconn *connection, const char *sql, const char *value)
{
	return checked(PQexecParams(connection, sql, value ? 1 : 0, NULL, &value, NULL, NULL, 0));
}

static char *
read_file(const char *path)
{
	FILE	   *file = fopen(path, "r");
	long		size;
	char	   *text;

	if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0)
		fail(path);
	rewind(file);
	text = calloc(1, (size_t) size + 1);
	if (text == NULL || fread(text, 1, (size_t) size, file) != (size_t) size)
		fail(path);
	fclose(file);
	return text;
}

/*
 * Has the server in force itself what it did not want before?
 */
static bool
has_news_in_force(Server *server, const char *kind)
{
	PGresult   *result = run(server->connection, STATE_OF_ITSELF, kind);
	bool		news = PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 1), server->before) != 0;

	if (news && strcmp(PQgetvalue(result, 0, 0), "failed") == 0)
		fail("a server has failed to apply it");
	news = news && strcmp(PQgetvalue(result, 0, 0), "in force") == 0;
	PQclear(result);
	return news;
}

static void
remember(Server *server, const char *kind)
{
	PGresult   *result = run(server->connection, STATE_OF_ITSELF, kind);

	snprintf(server->before, sizeof(server->before), "%s", PQgetvalue(result, 0, 1));
	server->done = false;
	PQclear(result);
}

static void
time_one(PGconn *setter, Server *servers, int count, const char *kind, const char *path)
{
	char	   *text = read_file(path);
	char		sql[100];
	char		number[12];
	const char *values[2] = {kind, number};
	double		start;
	double		committed;
	double		last = 0;
	double		acknowledged = 0;
	bool		waits = true;
	char		position[32];
	PGresult   *result;
	char		written[32];

	for (int i = 0; i < count; i++)
		remember(&servers[i], kind);
	result = run(setter, "SELECT pg_current_wal_insert_lsn()", NULL);
	snprintf(position, sizeof(position), "%s", PQgetvalue(result, 0, 0));
	PQclear(result);
	snprintf(sql, sizeof(sql), "SELECT warnings FROM sslpolicy.set_%s($1, force => true)", kind);
	snprintf(number, sizeof(number), "%d", count);

	start = now();
	PQclear(run(setter, sql, text));
	committed = now();
	if (PQsendQueryParams(setter, ALL_ACKNOWLEDGED, 2, (const Oid[]){25, 23}, values, NULL, NULL, 0) != 1)
		fail(PQerrorMessage(setter));
	for (int left = count; left > 0 || waits;)
	{
		if (now() - committed > LONGEST_S)
			fail("it is not in force");
		for (int i = 0; i < count; i++)
			if (!servers[i].done && has_news_in_force(&servers[i], kind))
			{
				servers[i].done = true;
				left--;
				last = now();
			}
		if (waits)
		{
			if (PQconsumeInput(setter) != 1)
				fail(PQerrorMessage(setter));
			if (!PQisBusy(setter))
			{
				acknowledged = now();
				waits = false;
				result = checked(PQgetResult(setter));
				if (strcmp(PQgetvalue(result, 0, 0), "t") != 0)
					fail("wait_for_nodes() does not say that all have it in force");
				PQclear(result);
				while ((result = PQgetResult(setter)) != NULL)
					PQclear(result);
			}
		}
		usleep(POLL_US);
	}
	/* what was written after the statement is a few records at most */
	result = run(setter, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1::text::pg_lsn)", position);
	snprintf(written, sizeof(written), "%s", PQgetvalue(result, 0, 0));
	PQclear(result);
	printf("%.1f %.1f %.1f %s\n", (committed - start) * 1e3, (last - committed) * 1e3, (acknowledged - committed) * 1e3, written);
	fflush(stdout);
	free(text);
}

int
main(int argc, char **argv)
{
	Server		servers[MAX_SERVERS] = {{0}};
	int			count = argc - 3;
	PGconn	   *setter;

	if (count < 1 || count > MAX_SERVERS)
	{
		fprintf(stderr, "usage: in_force ca|crl FILE:FILE... CONNINFO_PRIMARY CONNINFO_STANDBY...\n");
		return 2;
	}
	for (int i = 0; i < count; i++)
		servers[i].connection = connect_to(argv[i + 3]);
	setter = connect_to(argv[3]);
	for (char *path = strtok(argv[2], ":"); path; path = strtok(NULL, ":"))
		time_one(setter, servers, count, argv[1], path);
	return 0;
}
