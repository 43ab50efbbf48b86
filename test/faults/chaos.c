/*-------------------------------------------------------------------------
 *
 * chaos.c
 *		Logins, changes of policy and installations, while somebody else kills
 *		processes of the server; and whether each login met what was in force.
 *
 * chaos SEED CLIENTS CELLS FOLDER ADMIN SERVER
 *
 * FOLDER has the certificates, named by crashes.pl.  ADMIN is the connection string
 * of a superuser through the Unix socket, SERVER the host and port for the logins.
 * A cell is a role, a group that it is a member of, and a database, whose
 * policies change.  Goes on until SIGTERM, then lets every change come to its end,
 * has each kind of client log in to each cell once more, and prints one line of
 * numbers and one for each state in the end.
 *
 *-------------------------------------------------------------------------
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chaos.h"

#define MAX_CLIENTS 100
#define MAX_CELLS	20
#define PATIENCE_MS 300000
#define MAX_HOLD_MS 400
#define RETRY_MS	50

/* A client, and the first of the states that it may have met. */
typedef struct Client
{
	Login		login;
	int			cell;
	ClientKind	kind;
	int			cell_lo;
	int			crl_lo;
	int			ca_lo;
	int			server_lo;
	double		leaves;			/* when it is in; 0: it is not */
	double		due;			/* not before this */
} Client;

static volatile sig_atomic_t told_to_stop = 0;

static Client clients[MAX_CLIENTS];
static int	nclients;
static Actor cells[MAX_CELLS];
static int	ncells;
static Actor crl,
	ca,
	server;
static const char *server_conninfo;
static char *conninfos[MAX_CELLS][NUM_KINDS];

static long outcomes[NUM_OUTCOMES];
static long sharp_in,
	sharp_refused,
	wrong_in,
	wrong_refused,
	wrong_server;

static void
stop(int signal)
{
	(void) signal;
	told_to_stop = 1;
}

static char *
make_conninfo(int cell, ClientKind kind)
{
	static const char *const modes[NUM_KINDS] = {
		"sslmode=disable sslcert=invalid",
		"sslmode=verify-full sslcert=invalid",
		"sslmode=verify-full sslcert=invalid ssl_max_protocol_version=TLSv1.2",
		"sslmode=verify-full sslcert=%s/app%d.crt sslkey=%s/app%d.key",
		"sslmode=verify-full sslcert=%s/app%d.crt sslkey=%s/app%d.key",
		"sslmode=verify-full sslcert=%s/rev%d.crt sslkey=%s/rev%d.key",
		"sslmode=verify-full sslcert=%s/sec%d.crt sslkey=%s/sec%d.key",
	};
	int			number = kind == FOREIGN ? (cell + 1) % ncells : cell;
	char		mode[2500];
	char	   *result = malloc(4000);

	/* the first three name no files */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(mode, sizeof(mode), modes[kind], folder, number, folder, number);
#pragma GCC diagnostic pop
	snprintf(result, 4000, "%s user=app%d dbname=db%d sslrootcert=%s/root.crt %s",
			 server_conninfo, cell, cell, folder, mode);
	return result;
}

static void
begin(Client *c, int cell, ClientKind kind)
{
	c->cell = cell;
	c->kind = kind;
	c->cell_lo = cells[cell].ledger.lo;
	c->crl_lo = crl.ledger.lo;
	c->ca_lo = ca.ledger.lo;
	c->server_lo = server.ledger.lo;
	c->leaves = 0;
	start_login(&c->login, conninfos[cell][kind]);
}

/* What may have been so while the client logged in. */
typedef struct Possible
{
	bool		yes;
	bool		no;
} Possible;

static void
note(Possible *p, bool fact)
{
	p->yes |= fact;
	p->no |= !fact;
}

static Possible
policies_admit(const Client *c)
{
	const Ledger *l = &cells[c->cell].ledger;
	Possible	p = {false, false};

	for (int i = c->cell_lo; i <= l->hi; i++)
		note(&p, cell_admits(l->states[i], c->kind));
	return p;
}

static Possible
is_trusted(const Client *c)
{
	Possible	p = {c->kind != SECOND, false};

	for (int i = c->ca_lo; i <= ca.ledger.hi && c->kind == SECOND; i++)
		note(&p, ca.ledger.states[i] == 1);
	return p;
}

static Possible
is_revoked(const Client *c)
{
	Possible	p = {false, c->kind != REVOKED};

	for (int i = c->crl_lo; i <= crl.ledger.hi && c->kind == REVOKED; i++)
		note(&p, crl.ledger.states[i] % 2 == 1);
	return p;
}

static void
report_wrong(const Client *c, Outcome outcome)
{
	const Ledger *l = &cells[c->cell].ledger;
	char		text[300];

	fprintf(stderr, "WRONG: %s\n  client: kind %d, cell %d; crl %d..%d, ca %d..%d; %s",
			outcome_names[outcome], c->kind, c->cell,
			crl.ledger.states[c->crl_lo], crl.ledger.states[crl.ledger.hi],
			ca.ledger.states[c->ca_lo], ca.ledger.states[ca.ledger.hi],
			outcome == LET_IN ? "\n" : PQerrorMessage(c->login.connection));
	for (int i = c->cell_lo; i <= l->hi; i++)
	{
		describe_cell(l->states[i], text, sizeof(text));
		fprintf(stderr, "  possible: %s\n", text);
	}
}

/*
 * Which of the two server certificates was it?
 */
static void
judge_server(const Client *c)
{
	char		cn[50] = "";
	bool		expected = false;

	if (!served_by(&c->login, cn, sizeof(cn)))
	{
		if (c->kind == PLAIN)
			return;
		cn[0] = '\0';
	}
	for (int i = c->server_lo; i <= server.ledger.hi; i++)
		expected |= strcmp(cn, server.ledger.states[i] ? "server1" : "server0") == 0;
	if (!expected)
	{
		wrong_server++;
		fprintf(stderr, "WRONG: served by \"%s\", expected server%d\n", cn,
				server.ledger.states[server.ledger.hi]);
	}
}

/*
 * The login has ended: can what was in force meanwhile explain how?
 */
static Outcome
judge(const Client *c)
{
	Outcome		outcome = login_outcome(&c->login);
	Possible	admitted = policies_admit(c);
	Possible	trusted = is_trusted(c);
	Possible	revoked = is_revoked(c);
	bool		sharp = admitted.yes != admitted.no && trusted.yes != trusted.no &&
		revoked.yes != revoked.no;
	bool		right = true;

	switch (outcome)
	{
		case LET_IN:
			right = trusted.yes && revoked.no && admitted.yes;
			break;
		case REFUSED_POLICY:
			right = trusted.yes && revoked.no && admitted.no;
			break;
		case REFUSED_REVOKED:
			right = trusted.yes && revoked.yes;
			break;
		case REFUSED_SINCE:
			right = trusted.no || revoked.yes;
			break;
		case REFUSED_CA:
			right = trusted.no;
			break;
		case INTERRUPTED:
			sharp = false;
			break;
		default:
			right = false;
	}
	outcomes[outcome]++;
	if (sharp && outcome == LET_IN)
		sharp_in++;
	else if (sharp)
		sharp_refused++;
	if (!right)
	{
		if (outcome == LET_IN)
			wrong_in++;
		else
			wrong_refused++;
		report_wrong(c, outcome);
	}
	if (outcome == LET_IN)
		judge_server(c);
	return outcome;
}

static void
go_on(Client *c, bool stopping)
{
	if (c->login.connection == NULL)
	{
		/* the kind that is let in most often more often than others */
		if (!stopping && now_ms() >= c->due)
			begin(c, random_below(ncells), (ClientKind) (random_below(3) ? random_below(NUM_KINDS) : CERT));
	}
	else if (c->leaves > 0)
	{
		if (stopping || now_ms() >= c->leaves)
			end_login(&c->login);
	}
	else if (go_on_with_login(&c->login))
	{
		Outcome		outcome = judge(c);

		if (outcome == LET_IN)
			c->leaves = now_ms() + random_below(MAX_HOLD_MS);
		else
			end_login(&c->login);
		/* a server that recovers is not helped by storms */
		c->due = outcome == INTERRUPTED ? now_ms() + RETRY_MS : 0;
	}
}

static int
add_fd(struct pollfd *fds, int n, int fd, short events)
{
	if (fd < 0)
		return n;
	fds[n].fd = fd;
	fds[n].events = events;
	return n + 1;
}

static void
wait_for_something(void)
{
	struct pollfd fds[MAX_CLIENTS + MAX_CELLS + 3];
	Actor	   *others[] = {&crl, &ca, &server};
	int			n = 0;
	short		events;

	for (int i = 0; i < nclients; i++)
		if (clients[i].login.connection && clients[i].leaves <= 0)
			n = add_fd(fds, n, login_events(&clients[i].login) ? PQsocket(clients[i].login.connection) : -1, login_events(&clients[i].login));
	for (int i = 0; i < ncells + 3; i++)
	{
		int			fd = actor_fd(i < ncells ? &cells[i] : others[i - ncells], &events);

		n = add_fd(fds, n, fd, events);
	}
	(void) poll(fds, (nfds_t) n, 5);
}

/*
 * One round of everything.  True if nothing is under way.
 */
static bool
go_round(bool stopping)
{
	bool		settled = true;

	for (int i = 0; i < ncells; i++)
		settled &= act(&cells[i], stopping);
	settled &= act(&crl, stopping);
	settled &= act(&ca, stopping);
	settled &= act(&server, stopping);
	for (int i = 0; i < nclients; i++)
	{
		go_on(&clients[i], stopping);
		settled &= clients[i].login.connection == NULL;
	}
	wait_for_something();
	return settled;
}

/*
 * Each kind of client to each cell, when nothing changes any more.  Returns how
 * many had no verdict.
 */
static int
last_round(void)
{
	int			undecided = 0;

	for (int i = 0; i < ncells * NUM_KINDS; i++)
	{
		Client	   *c = &clients[0];
		Outcome		outcome = INTERRUPTED;

		for (int tries = 0; tries < 3 && outcome == INTERRUPTED; tries++)
		{
			begin(c, i / NUM_KINDS, (ClientKind) (i % NUM_KINDS));
			while (!go_on_with_login(&c->login))
				wait_for_something();
			outcome = judge(c);
			end_login(&c->login);
		}
		undecided += outcome == INTERRUPTED;
	}
	return undecided;
}

static void
print_states(void)
{
	char		text[300];

	for (int i = 0; i < ncells; i++)
	{
		describe_cell(cells[i].ledger.states[cells[i].ledger.hi], text, sizeof(text));
		printf("cell %d %s\n", i, text);
	}
	printf("crl %d\nca %d\nserver %d\n", crl.ledger.states[crl.ledger.hi],
		   ca.ledger.states[ca.ledger.hi], server.ledger.states[server.ledger.hi]);
}

int
main(int argc, char **argv)
{
	double		began;
	int			undecided;

	if (argc != 7)
	{
		fprintf(stderr, "usage: see the comment in chaos.c\n");
		return 2;
	}
	srandom((unsigned) strtoul(argv[1], NULL, 10));
	nclients = atoi(argv[2]);
	ncells = atoi(argv[3]);
	if (nclients < 1 || nclients > MAX_CLIENTS || ncells < 2 || ncells > MAX_CELLS)
		return 2;
	folder = argv[4];
	admin_conninfo = argv[5];
	server_conninfo = argv[6];
	signal(SIGTERM, stop);
	signal(SIGPIPE, SIG_IGN);

	for (int i = 0; i < ncells; i++)
	{
		init_actor(&cells[i], CELL, i);
		for (int kind = 0; kind < NUM_KINDS; kind++)
			conninfos[i][kind] = make_conninfo(i, (ClientKind) kind);
	}
	init_actor(&crl, CRL, 0);
	init_actor(&ca, CA, 0);
	init_actor(&server, SERVER, 0);

	while (!told_to_stop)
		(void) go_round(false);
	began = now_ms();
	while (!go_round(true))
		if (now_ms() - began > PATIENCE_MS)
		{
			fprintf(stderr, "changes do not come to their end\n");
			return 1;
		}
	undecided = last_round();
	for (int i = 0; i < NUM_OUTCOMES; i++)
		printf("%s %ld ", outcome_names[i], outcomes[i]);
	printf("sharp_in %ld sharp_refused %ld wrong_in %ld wrong_refused %ld wrong_server %ld "
		   "acknowledged %ld undone %ld lost %ld lost_old %ld lost_new %ld resolved %ld "
		   "wrong_stored %ld errors %ld undecided %d\n",
		   sharp_in, sharp_refused, wrong_in, wrong_refused, wrong_server,
		   counts.acknowledged, counts.undone, counts.lost, counts.lost_old, counts.lost_new,
		   counts.resolved, counts.wrong_stored, counts.errors, undecided);
	print_states();
	return 0;
}
