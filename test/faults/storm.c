/*-------------------------------------------------------------------------
 *
 * storm.c
 *		Many logins from many clients at once, half of which must be refused.
 *
 * storm LOGINS CLIENTS SEED FILE
 *
 * A line of FILE is what must come of a login (see outcome_names in login.c), a
 * space, and its connection string, in which {2000} is a number below 2,000 that each
 * login has anew.  Every other login is one of those that must be
 * let in.  Prints for each line of FILE how many logins there were and how many of
 * them came out as they must, and then how long they took.
 *
 * storm hold CLIENTS CONNINFO
 *
 * So many clients log in and stay, until SIGTERM.  Prints "held" and their number.
 *
 *-------------------------------------------------------------------------
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "login.h"

#define MAX_CLIENTS 1000
#define MAX_KINDS	50

typedef struct Kind
{
	Outcome		expected;
	char		conninfo[4000];
	long		logins;
	long		right;
} Kind;

typedef struct Client
{
	Login		login;
	Kind	   *kind;
} Client;

static Client clients[MAX_CLIENTS];
static int	nclients;
static Kind kinds[MAX_KINDS];
static int	nkinds;
static double *durations;
static long ended = 0;

static void
nothing(int signal)
{
	(void) signal;
}

static void
read_kinds(const char *path)
{
	FILE	   *file = fopen(path, "r");
	char		word[20];

	if (file == NULL)
	{
		perror(path);
		exit(1);
	}
	while (nkinds < MAX_KINDS && fscanf(file, "%19s %3999[^\n]", word, kinds[nkinds].conninfo) == 2)
	{
		int			outcome = 0;

		while (outcome < NUM_OUTCOMES && strcmp(word, outcome_names[outcome]) != 0)
			outcome++;
		if (outcome == NUM_OUTCOMES)
		{
			fprintf(stderr, "what is \"%s\"?\n", word);
			exit(1);
		}
		kinds[nkinds++].expected = (Outcome) outcome;
	}
	fclose(file);
}

static Kind *
choose(bool let_in)
{
	Kind	   *kind;

	do
		kind = &kinds[random() % nkinds];
	while ((kind->expected == LET_IN) != let_in);
	return kind;
}

static void
begin(Client *c)
{
	const char *brace = strchr(c->kind->conninfo, '{');
	char		conninfo[4000];
	int			numbers = 0;
	int			length = 0;

	c->kind->logins++;
	if (brace == NULL || sscanf(brace, "{%d}%n", &numbers, &length) != 1 || length == 0 || numbers < 1)
	{
		start_login(&c->login, c->kind->conninfo);
		return;
	}
	(void) snprintf(conninfo, sizeof(conninfo), "%.*s%ld%s", (int) (brace - c->kind->conninfo), c->kind->conninfo,
					random() % numbers, brace + length);
	start_login(&c->login, conninfo);
}

static void
wait_for_something(void)
{
	struct pollfd fds[MAX_CLIENTS];
	nfds_t		n = 0;

	for (int i = 0; i < nclients; i++)
		if (clients[i].login.connection && login_events(&clients[i].login))
		{
			fds[n].fd = PQsocket(clients[i].login.connection);
			fds[n++].events = login_events(&clients[i].login);
		}
	(void) poll(fds, n, 100);
}

/*
 * The server hangs up on a client whose handshake has failed, and what it has
 * said before may get lost with the connection.
 */
static bool
is_right(const Kind *kind, Outcome outcome)
{
	return outcome == kind->expected || (kind->expected == REFUSED_CA && outcome == INTERRUPTED);
}

static void
judge(Client *c)
{
	Outcome		outcome = login_outcome(&c->login);

	durations[ended++] = now_ms() - c->login.began;
	if (is_right(c->kind, outcome))
		c->kind->right++;
	else
		fprintf(stderr, "WRONG: %s, expected %s: %s\n  %s", outcome_names[outcome],
				outcome_names[c->kind->expected], c->kind->conninfo,
				outcome == LET_IN ? "\n" : PQerrorMessage(c->login.connection));
	end_login(&c->login);
}

static int
compare(const void *a, const void *b)
{
	double		left = *(const double *) a;
	double		right = *(const double *) b;

	return (left > right) - (left < right);
}

static int
storm(long logins)
{
	long		begun = 0;
	double		start = now_ms();

	durations = malloc(sizeof(double) * (size_t) logins);
	while (ended < logins)
	{
		for (int i = 0; i < nclients; i++)
		{
			Client	   *c = &clients[i];

			if (c->login.connection && go_on_with_login(&c->login))
				judge(c);
			if (c->login.connection == NULL && begun < logins)
			{
				c->kind = choose(begun++ % 2 == 0);
				begin(c);
			}
		}
		wait_for_something();
	}
	for (int i = 0; i < nkinds; i++)
		printf("kind %d logins %ld right %ld\n", i, kinds[i].logins, kinds[i].right);
	qsort(durations, (size_t) logins, sizeof(double), compare);
	printf("seconds %.1f median_ms %.0f max_ms %.0f\n", (now_ms() - start) / 1e3,
		   durations[logins / 2], durations[logins - 1]);
	return 0;
}

static int
hold(const char *conninfo)
{
	int			held = 0;

	for (int i = 0; i < nclients; i++)
	{
		start_login(&clients[i].login, conninfo);
		while (!go_on_with_login(&clients[i].login))
			wait_for_something();
		held += login_outcome(&clients[i].login) == LET_IN;
	}
	printf("held %d\n", held);
	fflush(stdout);
	signal(SIGTERM, nothing);
	pause();
	for (int i = 0; i < nclients; i++)
		end_login(&clients[i].login);
	return 0;
}

int
main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	nclients = argc > 2 ? atoi(argv[2]) : 0;
	if (nclients < 1 || nclients > MAX_CLIENTS || argc < 4)
	{
		fprintf(stderr, "usage: see the comment in storm.c\n");
		return 2;
	}
	if (strcmp(argv[1], "hold") == 0)
		return hold(argv[3]);
	srandom((unsigned) strtoul(argv[3], NULL, 10));
	read_kinds(argv[4]);
	return storm(atol(argv[1]));
}
