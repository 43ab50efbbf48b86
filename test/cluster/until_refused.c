/*-------------------------------------------------------------------------
 *
 * until_refused.c
 *		How long it takes until no node lets somebody in any more.
 *
 * until_refused SECONDS PRIMARY FILE CONNINFO...
 *
 * Logs in again and again with each CONNINFO, of which the first login must be let
 * in. Then runs, on the connection PRIMARY, the SQL in FILE. Goes on until each has
 * been refused as one whose certificate is revoked, blocked or of no known CA, and
 * has been refused ten times more; at longest for so many seconds.
 *
 * Prints "acknowledged MS", the milliseconds from sending the SQL until it was
 * acknowledged; and for each CONNINFO "refused MS let_in N", the milliseconds from
 * the acknowledgement until the first refusal was there, less than 0 if that was
 * before, and how often it was let in after that.
 *
 *-------------------------------------------------------------------------
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../faults/login.h"

#define MAX_NODES	16
#define MORE_LOGINS 10
#define PAUSE_MS	5.0

typedef struct Node
{
	const char *conninfo;
	Login		login;			/* under way, if it has a connection */
	double		next;			/* when another one may begin, ms */
	bool		let_in;			/* once, so that it may begin */
	double		refused;		/* when, ms; 0: not yet */
	int			refused_again;
	int			let_in_again;
} Node;

static Node nodes[MAX_NODES];
static int	nnodes;
static PGconn *primary;
static bool sent = false;
static double sent_at;
static double acknowledged = 0;

static void
fail(const char *what, const char *message)
{
	fprintf(stderr, "%s: %s\n", what, message);
	exit(1);
}

static char *
read_file(const char *path)
{
	FILE	   *file = fopen(path, "rb");
	long		size = -1;
	char	   *text;

	if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0)
		fail(path, "cannot be read");
	rewind(file);
	text = malloc((size_t) size + 1);
	if (text == NULL || fread(text, 1, (size_t) size, file) != (size_t) size)
		fail(path, "cannot be read");
	text[size] = '\0';
	fclose(file);
	return text;
}

static void
judge(Node *node)
{
	Outcome		outcome = login_outcome(&node->login);
	double		now = now_ms();

	switch (outcome)
	{
		case LET_IN:
			node->let_in = true;
			if (node->refused > 0)
				node->let_in_again++;
			break;
		case REFUSED_REVOKED:
		case REFUSED_SINCE:
		case REFUSED_BLOCKED:
		case REFUSED_CA:
			if (!sent)
				fail("refused too early", PQerrorMessage(node->login.connection));
			if (node->refused > 0)
				node->refused_again++;
			else
				node->refused = now;
			break;
		case INTERRUPTED:
			break;
		default:
			fail(outcome_names[outcome], PQerrorMessage(node->login.connection));
	}
	end_login(&node->login);
	node->next = now + PAUSE_MS;
}

static void
read_reply(void)
{
	PGresult   *result;

	if (!PQconsumeInput(primary))
		fail("primary", PQerrorMessage(primary));
	while (acknowledged <= 0 && !PQisBusy(primary))
	{
		result = PQgetResult(primary);
		if (result == NULL)
			acknowledged = now_ms();
		else if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
			fail("primary", PQresultErrorMessage(result));
		PQclear(result);
	}
}

static void
wait_for_something(void)
{
	struct pollfd fds[MAX_NODES + 1];
	nfds_t		n = 0;

	for (int i = 0; i < nnodes; i++)
		if (nodes[i].login.connection && login_events(&nodes[i].login))
		{
			fds[n].fd = PQsocket(nodes[i].login.connection);
			fds[n++].events = login_events(&nodes[i].login);
		}
	if (sent && acknowledged <= 0)
	{
		fds[n].fd = PQsocket(primary);
		fds[n++].events = POLLIN;
	}
	(void) poll(fds, n, (int) PAUSE_MS);
}

/* Have all nodes come so far? */
static bool
all_let_in(void)
{
	for (int i = 0; i < nnodes; i++)
		if (!nodes[i].let_in)
			return false;
	return true;
}

static bool
all_refused(void)
{
	for (int i = 0; i < nnodes; i++)
		if (nodes[i].refused_again + nodes[i].let_in_again < MORE_LOGINS)
			return false;
	return acknowledged > 0;
}

static void
go_on(void)
{
	for (int i = 0; i < nnodes; i++)
	{
		Node	   *node = &nodes[i];

		if (node->login.connection == NULL && now_ms() >= node->next)
			start_login(&node->login, node->conninfo);
		else if (node->login.connection && go_on_with_login(&node->login))
			judge(node);
	}
	if (sent && acknowledged <= 0)
		read_reply();
}

int
main(int argc, char **argv)
{
	double		end;
	char	   *sql;

	signal(SIGPIPE, SIG_IGN);
	nnodes = argc - 4;
	if (nnodes < 1 || nnodes > MAX_NODES)
	{
		fprintf(stderr, "usage: see the comment in until_refused.c\n");
		return 2;
	}
	end = now_ms() + 1e3 * atof(argv[1]);
	primary = PQconnectdb(argv[2]);
	if (PQstatus(primary) != CONNECTION_OK)
		fail("primary", PQerrorMessage(primary));
	sql = read_file(argv[3]);
	for (int i = 0; i < nnodes; i++)
		nodes[i].conninfo = argv[4 + i];

	while (!all_refused())
	{
		if (now_ms() > end)
			fail("too late", sent ? "not all have been refused" : "not all have been let in");
		if (!sent && all_let_in())
		{
			sent = true;
			sent_at = now_ms();
			if (!PQsendQuery(primary, sql))
				fail("primary", PQerrorMessage(primary));
		}
		go_on();
		wait_for_something();
	}
	printf("acknowledged %.0f\n", acknowledged - sent_at);
	for (int i = 0; i < nnodes; i++)
		printf("refused %.0f let_in %d\n", nodes[i].refused - acknowledged, nodes[i].let_in_again);
	PQfinish(primary);
	free(sql);
	return 0;
}
