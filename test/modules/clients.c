/*-------------------------------------------------------------------------
 *
 * clients.c
 *		Many clients at once, whose sessions a change of policy may end.
 *
 * clients hold CONNINFO
 *		One client, which does nothing.  Says what has become of it: "refused" or
 *		"ended", with the server's message, or "alive" after a minute.
 *
 * clients race ROUNDS CLIENTS ADMIN CONNINFO ROLE
 *		A round: while clients log in as the role, the admin's connection gives it
 *		a policy that refuses them.  Then nobody may be left.  Then they log in
 *		again while the policy is taken away; who is let in must stay.
 *
 * clients churn SECONDS CLIENTS ADMIN ROLE FLIPPING [STAYING ...]
 *		Clients come and go while the policy of the role changes every 10 ms.
 *		Those of FLIPPING may be refused or ended, those of the other connection
 *		strings never.  Says "full" when there are about as many as there can be;
 *		the seconds begin then, or after half a minute.
 *
 * Prints one line of numbers in the end.
 *
 *-------------------------------------------------------------------------
 */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libpq-fe.h>

#define MAX_CLIENTS		1000
#define PATIENCE_MS		30000
#define MOST_CONNECTING 20

typedef enum State
{
	NONE,
	CONNECTING,
	LET_IN,
	REFUSED,
	ENDED
} State;

typedef struct Client
{
	PGconn	   *connection;
	State		state;
	PostgresPollingStatusType wants;
	int			kind;			/* which connection string */
	bool		stays;			/* until the end of all */
	char		message[200];
} Client;

static Client clients[MAX_CLIENTS];
static PGconn *admin;

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec * 1e3 + (double) t.tv_nsec / 1e6;
}

/* what the server says to an idle client, before it hangs up */
static void
keep_notice(void *arg, const char *message)
{
	Client	   *c = arg;

	snprintf(c->message, sizeof(c->message), "%s", message);
}

static void
start(Client *c, const char *conninfo)
{
	c->message[0] = '\0';
	c->connection = PQconnectStart(conninfo);
	c->state = CONNECTING;
	c->wants = PGRES_POLLING_WRITING;
	PQsetNoticeProcessor(c->connection, keep_notice, c);
}

static void
leave(Client *c)
{
	if (c->connection)
		PQfinish(c->connection);
	c->connection = NULL;
}

/* Something has happened on the socket of a client. */
static void
go_on(Client *c)
{
	if (c->state == CONNECTING)
	{
		c->wants = PQconnectPoll(c->connection);
		if (c->wants == PGRES_POLLING_OK)
			c->state = LET_IN;
		else if (c->wants == PGRES_POLLING_FAILED)
		{
			c->state = REFUSED;
			snprintf(c->message, sizeof(c->message), "%s", PQerrorMessage(c->connection));
		}
	}
	else
	{
		bool		alive = PQconsumeInput(c->connection) == 1;

		(void) PQisBusy(c->connection);
		if (!alive || PQstatus(c->connection) == CONNECTION_BAD)
			c->state = ENDED;
	}
	if (c->state == REFUSED || c->state == ENDED)
		leave(c);
}

/* Let all clients go on, and wait for that for some ms at most. */
static void
go_on_all(int count, int ms)
{
	static struct pollfd fds[MAX_CLIENTS + 1];
	static Client *of[MAX_CLIENTS];
	nfds_t		n = 0;

	for (int i = 0; i < count; i++)
	{
		Client	   *c = &clients[i];

		if (c->state != CONNECTING && c->state != LET_IN)
			continue;
		of[n] = c;
		fds[n].fd = PQsocket(c->connection);
		fds[n].events = c->state == CONNECTING && c->wants == PGRES_POLLING_WRITING ?
			POLLOUT :
			POLLIN;
		n++;
	}
	fds[n].fd = PQsocket(admin);
	fds[n].events = POLLIN;
	if (poll(fds, admin ? n + 1 : n, ms) <= 0)
		return;
	for (nfds_t i = 0; i < n; i++)
		if (fds[i].revents)
			go_on(of[i]);
}

static int
count_of(int from, int to, State state)
{
	int			result = 0;

	for (int i = from; i < to; i++)
		result += clients[i].state == state;
	return result;
}

static void
connect_admin(const char *conninfo)
{
	admin = PQconnectdb(conninfo);
	if (PQstatus(admin) != CONNECTION_OK)
	{
		fprintf(stderr, "%s", PQerrorMessage(admin));
		exit(1);
	}
}

static void
send_label(const char *role, const char *policy)
{
	char		sql[300];

	snprintf(sql, sizeof(sql), "SECURITY LABEL FOR sslpolicy ON ROLE %s IS %s", role, policy);
	if (!PQsendQuery(admin, sql))
	{
		fprintf(stderr, "%s", PQerrorMessage(admin));
		exit(1);
	}
}

/* True when the statement sent last has ended. */
static bool
label_is_set(void)
{
	PGresult   *result;

	if (!PQconsumeInput(admin))
	{
		fprintf(stderr, "%s", PQerrorMessage(admin));
		exit(1);
	}
	while (!PQisBusy(admin))
	{
		result = PQgetResult(admin);
		if (result == NULL)
			return true;
		if (PQresultStatus(result) != PGRES_COMMAND_OK)
		{
			fprintf(stderr, "%s", PQresultErrorMessage(result));
			exit(1);
		}
		PQclear(result);
	}
	return false;
}

static int
hold(const char *conninfo)
{
	double		end = now_ms() + 60000;

	start(&clients[0], conninfo);
	while (clients[0].state != REFUSED && clients[0].state != ENDED && now_ms() < end)
		go_on_all(1, 100);
	printf("%s %s\n", clients[0].state == REFUSED ? "refused" : clients[0].state == ENDED ? "ended" :
																							"alive",
		   clients[0].message);
	return 0;
}

/*
 * Clients from..to log in, and the policy is sent when some of them, as many as
 * it takes, have been let in or refused.  Returns when all have, and the policy
 * is set.
 */
static void
log_in_meanwhile(int from, int to, int all, int some, const char *conninfo,
				 const char *role, const char *policy)
{
	bool		sent = false;
	bool		set = false;

	for (int i = from; i < to; i++)
		start(&clients[i], conninfo);
	while (!set || count_of(from, to, CONNECTING))
	{
		if (!sent && to - from - count_of(from, to, CONNECTING) >= some)
		{
			send_label(role, policy);
			sent = true;
		}
		go_on_all(all, sent ? 10 : 1);
		set = set || (sent && label_is_set());
	}
}

static int
race(int rounds, int count, const char *conninfo, const char *role)
{
	int			refused = 0,
		ended = 0,
		missed = 0,
		stayed = 0,
		wrong = 0;

	for (int round = 0; round < rounds; round++)
	{
		double		end;

		/* those of the round before are in the second half */
		go_on_all(2 * count, 0);
		stayed += count_of(count, 2 * count, LET_IN);
		wrong += count_of(count, 2 * count, ENDED);
		log_in_meanwhile(0, count, 2 * count, round % count, conninfo, role, "'sslmode=require'");
		end = now_ms() + PATIENCE_MS;
		while (count_of(0, 2 * count, LET_IN) > 0 && now_ms() < end)
			go_on_all(2 * count, 10);
		refused += count_of(0, count, REFUSED);
		ended += count_of(0, count, ENDED);
		missed += count_of(0, 2 * count, LET_IN);
		for (int i = 0; i < 2 * count; i++)
			leave(&clients[i]);
		if (missed)
			break;
		log_in_meanwhile(count, 2 * count, 2 * count, round % count, conninfo, role, "NULL");
	}
	printf("refused %d ended %d missed %d stayed %d wrong %d\n",
		   refused, ended, missed, stayed, wrong);
	return 0;
}

/*
 * Somebody leaves, for others to come.
 */
static void
one_leaves(int count)
{
	for (int tries = 0; tries < 100; tries++)
	{
		Client	   *c = &clients[rand() % count];

		if (c->state != LET_IN || c->stays)
			continue;
		leave(c);
		c->state = NONE;
		return;
	}
}

static int
churn(double seconds, int count, const char *role, int kinds, char **conninfos)
{
	static const char *const policies[] = {"'sslmode=require'", "NULL", "'sslmode=prefer'"};
	double		begin = now_ms();
	double		end = begin + seconds * 1e3 + PATIENCE_MS;
	double		label_at = begin;
	double		now;
	bool		full = false;
	int			labels = 0,
		logins = 0,
		refused = 0,
		ended = 0,
		wrong = 0,
		most = 0;

	for (int i = 0; i < count; i++)
	{
		clients[i].kind = i % kinds;
		clients[i].stays = clients[i].kind > 0 && i % 5 == 0;
	}
	while ((now = now_ms()) < end)
	{
		int			connecting = count_of(0, count, CONNECTING);
		int			live = count_of(0, count, LET_IN);

		if (live > most)
			most = live;
		if (!full && (live > count * 3 / 4 || end - now < seconds * 1e3))
		{
			/* as many as there can be, since some are refused all the time */
			full = true;
			end = now + seconds * 1e3;
			printf("full %d\n", live);
			fflush(stdout);
		}
		if (full && connecting < MOST_CONNECTING)
			one_leaves(count);
		for (int i = 0; i < count; i++)
		{
			Client	   *c = &clients[i];

			if (c->state == REFUSED || c->state == ENDED)
			{
				refused += c->state == REFUSED;
				ended += c->state == ENDED;
				if (c->kind > 0)
				{
					wrong++;
					fprintf(stderr, "%s: %s\n", conninfos[c->kind], c->message);
				}
				c->state = NONE;
			}
		}
		/* begins somewhere else each time, or the first would be served first */
		for (int i = 0, from = rand() % count; i < count && connecting < MOST_CONNECTING; i++)
		{
			Client	   *c = &clients[(from + i) % count];

			if (c->state != NONE)
				continue;
			start(c, conninfos[c->kind]);
			connecting++;
			logins++;
		}
		if (now >= label_at && label_is_set())
		{
			send_label(role, policies[labels++ % 3]);
			label_at = now + 10;
		}
		go_on_all(count, 5);
	}
	while (!label_is_set())
		go_on_all(0, 10);
	for (int i = 0; i < count; i++)
		leave(&clients[i]);
	printf("labels %d logins %d live %d refused %d ended %d wrong %d\n",
		   labels, logins, most, refused, ended, wrong);
	return 0;
}

int
main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	int			count = argc > 3 ? atoi(argv[3]) : 0;

	if (strcmp(mode, "hold") == 0 && argc == 3)
		return hold(argv[2]);
	if (strcmp(mode, "race") == 0 && argc == 7 && count > 0 && 2 * count <= MAX_CLIENTS)
	{
		connect_admin(argv[4]);
		return race(atoi(argv[2]), count, argv[5], argv[6]);
	}
	if (strcmp(mode, "churn") == 0 && argc >= 7 && count > 0 && count <= MAX_CLIENTS)
	{
		connect_admin(argv[4]);
		return churn(atof(argv[2]), count, argv[5], argc - 6, argv + 6);
	}
	fprintf(stderr, "usage: see the comment in clients.c\n");
	return 2;
}
