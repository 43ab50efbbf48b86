/*-------------------------------------------------------------------------
 *
 * actors.c
 *		Who changes policies and TLS material while processes are killed.
 *
 * Each actor keeps a ledger of what is in force.  When its connection breaks it
 * connects again, asks the server what is stored now, and holds that against the
 * ledger: an acknowledged change must be there, one that was never committed must
 * not, and one whose acknowledgement was lost is there as a whole or not at all.
 *
 *-------------------------------------------------------------------------
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chaos.h"

#define MAX_STATES	 1000000
#define RECONNECT_MS 50
#define MAX_TRIES	 50

Counts		counts;
const char *admin_conninfo;
const char *folder;

#define BIT(kind)  (1 << (kind))
#define WITH_CERT  (BIT(CERT) | BIT(REVOKED) | BIT(SECOND))
#define WITH_TLS13 (BIT(TLS) | WITH_CERT | BIT(FOREIGN))

/* Policies in canonical form, and which clients they admit. */
static const struct
{
	const char *text;
	int			admits;
} policies[] =
	{
		{"", ~0},
		{"sslmode=require", WITH_TLS13 | BIT(TLS12)},
		{"sslmode=verify-ca", WITH_CERT | BIT(FOREIGN)},
		{"sslmode=verify-full", WITH_CERT},
		{"sslmode=disable", BIT(PLAIN)},
		{"sslmode=reject", 0},
		{"sslmode=require min_protocol=TLSv1.3", WITH_TLS13},
};

#define NUM_POLICIES ((int) (sizeof(policies) / sizeof(policies[0])))

/* The objects of a cell, whose number follows, in the order in which they stand in its state. */
static const char *const objects[] = {"ROLE app", "ROLE grp", "DATABASE db"};

#define NUM_OBJECTS 3

int
random_below(int n)
{
	return (int) (random() % n);
}

static int
policy_of(int state, int object)
{
	while (object-- > 0)
		state /= NUM_POLICIES;
	return state % NUM_POLICIES;
}

static int
cell_state(const int policy[NUM_OBJECTS])
{
	return policy[0] + NUM_POLICIES * (policy[1] + NUM_POLICIES * policy[2]);
}

bool
cell_admits(int state, ClientKind kind)
{
	for (int i = 0; i < NUM_OBJECTS; i++)
		if (!(policies[policy_of(state, i)].admits & BIT(kind)))
			return false;
	return true;
}

void
describe_cell(int state, char *text, int size)
{
	snprintf(text, (size_t) size, "%s|%s|%s", policies[policy_of(state, 0)].text,
			 policies[policy_of(state, 1)].text, policies[policy_of(state, 2)].text);
}

static int
current(const Actor *a)
{
	return a->ledger.states[a->ledger.hi];
}

static void
may_be(Actor *a, int state)
{
	if (a->ledger.hi + 1 == MAX_STATES)
		exit(3);
	a->ledger.states[++a->ledger.hi] = state;
}

static void
is_now(Actor *a, int state)
{
	if (a->ledger.lo == a->ledger.hi && current(a) == state)
		return;
	may_be(a, state);
	a->ledger.lo = a->ledger.hi;
}

static void
complain(Actor *a, const char *what)
{
	fprintf(stderr, "actor %d/%d: %s\n", a->kind, a->number, what);
}

/*
 * A file of the folder, which stays in memory.
 */
char *
read_whole(const char *name)
{
	char		path[1000];
	char	   *text = malloc(1 << 20);
	FILE	   *file;
	size_t		len;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "r");
	if (file == NULL || text == NULL)
	{
		perror(path);
		exit(1);
	}
	len = fread(text, 1, (1 << 20) - 1, file);
	text[len] = '\0';
	fclose(file);
	return realloc(text, len + 1);
}

static Step *
add_step(Actor *a, bool decides)
{
	Step	   *s = &a->steps[a->nsteps++];

	s->sql[0] = '\0';
	s->nparams = 0;
	s->decides = decides;
	s->pause = random_below(4) == 0 ? random_below(60) : 0;
	return s;
}

static void
append(Step *s, const char *text)
{
	strncat(s->sql, text, SQL_SIZE - strlen(s->sql) - 1);
}

static void
append_label(Actor *a, Step *s, int object, int policy)
{
	char		name[30];
	char		sql[200];

	snprintf(name, sizeof(name), "%s%d", objects[object], a->number);
	if (policy == 0)
		snprintf(sql, sizeof(sql), "SECURITY LABEL FOR sslpolicy ON %s IS NULL; ", name);
	else
		snprintf(sql, sizeof(sql), "SECURITY LABEL FOR sslpolicy ON %s IS '%s'; ", name,
				 policies[policy].text);
	append(s, sql);
}

static void
append_function(Actor *a, Step *s, int object, int policy)
{
	char		name[30];
	char		sql[200];
	char		value[100];

	snprintf(name, sizeof(name), "%s%d", objects[object], a->number);
	if (policy == 0)
		snprintf(value, sizeof(value), "NULL");
	else
		snprintf(value, sizeof(value), "'%s'", policies[policy].text);
	snprintf(sql, sizeof(sql), "SELECT sslpolicy.set_%s('%s', %s, true)",
			 object == 2 ? "database_policy" : "policy", strchr(name, ' ') + 1, value);
	append(s, sql);
}

/*
 * Another state for a cell.  Groups and databases mostly have no policy, or
 * hardly anybody would be let in.
 */
static void
random_policies(int policy[NUM_OBJECTS])
{
	for (int i = 0; i < NUM_OBJECTS; i++)
		policy[i] = i > 0 && random_below(10) < 7 ? 0 : random_below(NUM_POLICIES);
}

static void
append_all(Actor *a, Step *s, const int policy[NUM_OBJECTS])
{
	for (int i = 0; i < NUM_OBJECTS; i++)
		append_label(a, s, i, policy[i]);
}

static void
append_gid(Actor *a, Step *s, const char *statement)
{
	char		sql[60];

	snprintf(sql, sizeof(sql), "%s 'cell%d'", statement, a->number);
	append(s, sql);
}

/*
 * A change of policies, of one object or of three at once, and what must not
 * become one.
 */
static void
plan_cell(Actor *a)
{
	int			policy[NUM_OBJECTS];
	int			other[NUM_OBJECTS];
	int			object = random_below(NUM_OBJECTS);
	Step	   *s;

	random_policies(policy);
	random_policies(other);
	switch (random_below(9))
	{
		case 0:
		case 1:
			/* one object, by one statement */
			for (int i = 0; i < NUM_OBJECTS; i++)
				if (i != object)
					policy[i] = policy_of(current(a), i);
			s = add_step(a, true);
			if (random_below(2))
				append_label(a, s, object, policy[object]);
			else
				append_function(a, s, object, policy[object]);
			break;
		case 2:
		case 3:
			s = add_step(a, false);
			append(s, "BEGIN; ");
			append_all(a, s, policy);
			append(add_step(a, true), "COMMIT");
			break;
		case 4:
			s = add_step(a, false);
			append(s, "BEGIN; ");
			append_all(a, s, policy);
			append(s, "SAVEPOINT one; ");
			append_all(a, s, other);
			append(add_step(a, false), "ROLLBACK TO one");
			append(add_step(a, true), "COMMIT");
			break;
		case 5:
			s = add_step(a, false);
			append(s, "BEGIN; ");
			append_all(a, s, policy);
			append(add_step(a, false), "ROLLBACK");
			break;
		case 6:
			s = add_step(a, false);
			append(s, "BEGIN; ");
			append_all(a, s, policy);
			a->vanishes = true;
			break;
		default:
			s = add_step(a, false);
			append(s, "BEGIN; ");
			append_all(a, s, policy);
			append_gid(a, add_step(a, false), "PREPARE TRANSACTION");
			if (random_below(3))
				append_gid(a, add_step(a, true), "COMMIT PREPARED");
			else
				append_gid(a, add_step(a, false), "ROLLBACK PREPARED");
	}
	a->new_state = cell_state(policy);
}

static const char *
crl_text(int number)
{
	static char *texts[10000];
	char		name[30];

	if (number >= 10000)
		exit(3);
	if (texts[number] == NULL)
	{
		snprintf(name, sizeof(name), "crl.%d.pem", number);
		texts[number] = read_whole(name);
	}
	return texts[number];
}

static bool
crl_exists(int number)
{
	char		path[1000];
	FILE	   *file;

	snprintf(path, sizeof(path), "%s/crl.%d.pem", folder, number);
	file = fopen(path, "r");
	if (file)
		fclose(file);
	return file != NULL;
}

static void
plan_crl(Actor *a)
{
	Step	   *s;

	if (!crl_exists(current(a) + 1))
		return;
	s = add_step(a, true);
	a->new_state = current(a) + 1;
	append(s, "SELECT installed FROM sslpolicy.install_crl(pem => $1::text, force => true)");
	s->params[s->nparams++] = crl_text(a->new_state);
}

static void
plan_ca(Actor *a)
{
	static char *both,
		*root,
		*second,
		*fingerprint;
	Step	   *s = add_step(a, true);
	bool		whole = random_below(2) != 0;

	if (both == NULL)
	{
		root = read_whole("root.crt");
		second = read_whole("second.crt");
		both = read_whole("both.crt");
		fingerprint = read_whole("second.fingerprint");
	}
	a->new_state = !current(a);
	append(s, whole ? "SELECT installed FROM sslpolicy.install_ca($1, force => true)" : a->new_state ? "SELECT installed FROM sslpolicy.add_ca($1, force => true)" :
																									   "SELECT installed FROM sslpolicy.remove_ca($1, force => true)");
	s->params[s->nparams++] = whole ? (a->new_state ? both : root) :
		a->new_state				? second :
									  fingerprint;
}

static void
plan_server(Actor *a)
{
	static char *certs[2],
		*keys[2];
	Step	   *s = add_step(a, true);

	if (certs[0] == NULL)
	{
		certs[0] = read_whole("server0.crt");
		keys[0] = read_whole("server0.key");
		certs[1] = read_whole("server1.crt");
		keys[1] = read_whole("server1.key");
	}
	a->new_state = !current(a);
	append(s, "SELECT installed FROM sslpolicy.install_server_certificate($1, $2, force => true)");
	s->params[s->nparams++] = certs[a->new_state];
	s->params[s->nparams++] = keys[a->new_state];
}

static void
plan(Actor *a)
{
	a->nsteps = a->step = 0;
	a->sent = a->vanishes = false;
	if (a->kind == CELL)
		plan_cell(a);
	else if (a->kind == CRL)
		plan_crl(a);
	else if (a->kind == CA)
		plan_ca(a);
	else
		plan_server(a);
}

/*
 * The question what is stored now.
 */
static void
plan_question(Actor *a)
{
	Step	   *s;

	a->nsteps = a->step = 0;
	a->sent = a->vanishes = false;
	s = add_step(a, false);
	s->pause = 0;
	if (a->kind == CELL)
		snprintf(s->sql, SQL_SIZE,
				 "SELECT concat_ws('|',"
				 " coalesce((SELECT label FROM pg_shseclabel WHERE provider = 'sslpolicy' AND classoid = 'pg_authid'::regclass AND objoid = 'app%d'::regrole), ''),"
				 " coalesce((SELECT label FROM pg_shseclabel WHERE provider = 'sslpolicy' AND classoid = 'pg_authid'::regclass AND objoid = 'grp%d'::regrole), ''),"
				 " coalesce((SELECT label FROM pg_shseclabel WHERE provider = 'sslpolicy' AND classoid = 'pg_database'::regclass AND objoid = (SELECT oid FROM pg_database WHERE datname = 'db%d')), '')),"
				 " (SELECT count(*) FROM pg_prepared_xacts WHERE gid = 'cell%d')",
				 a->number, a->number, a->number, a->number);
	else if (a->kind == CRL)
		append(s, "SELECT loaded FROM sslpolicy.reload('30s');"
				  " SELECT string_agg(crl_number::text, ','), bool_and(in_force) FROM sslpolicy.crls WHERE file ~ 'own[.]crl$'");
	else if (a->kind == CA)
		append(s, "SELECT loaded FROM sslpolicy.reload('30s');"
				  " SELECT string_agg(subject_dn, ',' ORDER BY position), bool_and(in_force) FROM sslpolicy.certificates WHERE kind = 'ca'");
	else
		append(s, "SELECT loaded FROM sslpolicy.reload('30s');"
				  " SELECT subject_dn, in_force FROM sslpolicy.certificates WHERE kind = 'server' AND position = 1");
}

/*
 * The state that the answer speaks of; -1 if it is none.
 */
static int
answered_state(const Actor *a)
{
	char		text[300];
	const char *answer = a->answer[0];

	switch (a->kind)
	{
		case CRL:
			return answer[0] >= '0' && answer[0] <= '9' && !strchr(answer, ',') ? atoi(answer) : -1;
		case CA:
			return strcmp(answer, "O=Acme,CN=Test Root") == 0		 ? 0 :
				strcmp(answer, "O=Acme,CN=Test Root,CN=second") == 0 ? 1 :
																	   -1;
		case SERVER:
			return strcmp(answer, "CN=server0") == 0 ? 0 :
				strcmp(answer, "CN=server1") == 0	 ? 1 :
													   -1;
		default:
			for (int i = 0; i < NUM_POLICIES * NUM_POLICIES * NUM_POLICIES; i++)
			{
				describe_cell(i, text, sizeof(text));
				if (strcmp(text, answer) == 0)
					return i;
			}
			return -1;
	}
}

static void
pause_for(Actor *a, int ms)
{
	a->due = now_ms() + ms;
}

static void
rest(Actor *a)
{
	a->phase = IDLE;
	pause_for(a, a->kind == CELL ? 20 + random_below(250) : 100 + random_below(1500));
}

/*
 * A transaction is still prepared: end it, this way or that.
 */
static void
finish_prepared(Actor *a)
{
	bool		commit = random_below(2) != 0;

	a->nsteps = a->step = 0;
	a->sent = false;
	append_gid(a, add_step(a, commit), commit ? "COMMIT PREPARED" : "ROLLBACK PREPARED");
	a->phase = RUNNING;
	pause_for(a, random_below(100));
}

/*
 * Hold what the server says against the ledger.
 */
static void
resolve(Actor *a)
{
	int			found = answered_state(a);
	Ledger	   *l = &a->ledger;
	bool		known = false;
	char		text[1000];

	if (a->kind != CELL && strcmp(a->answer[1], "t") != 0 && ++a->tries < MAX_TRIES)
	{
		/* somebody else's installation is under way */
		a->phase = RESOLVING;
		plan_question(a);
		pause_for(a, 200);
		return;
	}
	for (int i = l->lo; i <= l->hi; i++)
		known |= l->states[i] == found;
	counts.resolved++;
	if (l->lo < l->hi && known)
	{
		counts.lost_new += found == current(a);
		counts.lost_old += found != current(a);
	}
	if (!known || (a->kind != CELL && strcmp(a->answer[1], "t") != 0))
	{
		counts.wrong_stored++;
		snprintf(text, sizeof(text), "found \"%s\" %s (state %d), expected %d or %d", a->answer[0],
				 a->answer[1], found, l->states[l->lo], l->states[l->hi]);
		complain(a, text);
	}
	if (found >= 0)
		is_now(a, found);
	a->tries = 0;
	if (a->kind == CELL && a->answer[1][0] == '1')
		finish_prepared(a);
	else
		rest(a);
}

static void
hang_up(Actor *a)
{
	if (a->login.connection)
		end_login(&a->login);
	a->phase = DOWN;
	pause_for(a, RECONNECT_MS);
}

static void
go_on_connecting(Actor *a)
{
	Outcome		outcome;

	if (!go_on_with_login(&a->login))
		return;
	outcome = login_outcome(&a->login);
	if (outcome == LET_IN)
	{
		a->phase = RESOLVING;
		plan_question(a);
		pause_for(a, 0);
		return;
	}
	if (outcome != INTERRUPTED)
	{
		counts.errors++;
		complain(a, PQerrorMessage(a->login.connection));
	}
	hang_up(a);
}

/*
 * The connection is gone, and with it perhaps an acknowledgement.
 */
static void
lose(Actor *a)
{
	const char *message = PQerrorMessage(a->login.connection);

	counts.lost += a->phase == RUNNING;
	if (message[0] && outcome_of_message(message) != INTERRUPTED)
	{
		counts.errors++;
		complain(a, message);
	}
	hang_up(a);
}

static void
send_step(Actor *a)
{
	Step	   *s = &a->steps[a->step];

	a->failed = false;
	if (s->decides)
		may_be(a, a->new_state);
	a->sent = true;
	if (s->nparams == 0 ? !PQsendQuery(a->login.connection, s->sql) :
						  !PQsendQueryParams(a->login.connection, s->sql, s->nparams, NULL,
											 s->params, NULL, NULL, 0))
		lose(a);
}

static void
take_result(Actor *a, PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE)
	{
		const char *message = PQresultErrorMessage(result);

		a->failed = true;
		if (outcome_of_message(message) != INTERRUPTED)
		{
			counts.errors++;
			complain(a, message);
		}
	}
	else if (status == PGRES_TUPLES_OK && PQntuples(result) > 0)
	{
		for (int i = 0; i < 2; i++)
			snprintf(a->answer[i], sizeof(a->answer[i]), "%s",
					 i < PQnfields(result) ? PQgetvalue(result, 0, i) : "");
	}
	PQclear(result);
}

/*
 * A step has been carried out, and the connection still stands.
 */
static void
end_step(Actor *a)
{
	if (a->failed)
	{
		/* errors are complained of; what they have left is asked for */
		hang_up(a);
		return;
	}
	a->sent = false;
	if (a->phase == RESOLVING)
	{
		resolve(a);
		return;
	}
	if (a->steps[a->step].decides)
	{
		if (a->kind != CELL && strcmp(a->answer[0], "t") != 0)
		{
			counts.errors++;
			complain(a, "an installation has returned something else than true");
		}
		a->ledger.lo = a->ledger.hi;
		counts.acknowledged++;
	}
	if (++a->step < a->nsteps)
	{
		pause_for(a, a->steps[a->step].pause);
		return;
	}
	counts.undone += !a->steps[a->nsteps - 1].decides;
	if (a->vanishes)
		hang_up(a);
	else
		rest(a);
}

static void
go_on_running(Actor *a)
{
	if (!a->sent)
	{
		if (now_ms() >= a->due)
			send_step(a);
		return;
	}
	if (!PQconsumeInput(a->login.connection))
	{
		lose(a);
		return;
	}
	while (!PQisBusy(a->login.connection))
	{
		PGresult   *result = PQgetResult(a->login.connection);

		if (result != NULL)
		{
			take_result(a, result);
			continue;
		}
		if (PQstatus(a->login.connection) == CONNECTION_BAD)
			lose(a);
		else
			end_step(a);
		return;
	}
}

void
init_actor(Actor *a, ActorKind kind, int number)
{
	a->kind = kind;
	a->number = number;
	a->ledger.states = malloc(sizeof(int) * MAX_STATES);
	a->ledger.states[0] = kind == CRL ? 1 : 0;
	a->phase = DOWN;
}

/*
 * Let it go on.  stopping: no other change, and nothing may be left undecided.
 */
bool
act(Actor *a, bool stopping)
{
	switch (a->phase)
	{
		case DOWN:
			if (now_ms() < a->due)
				break;
			a->phase = CONNECTING;
			start_login(&a->login, admin_conninfo);
			break;
		case CONNECTING:
			go_on_connecting(a);
			break;
		case IDLE:
			/* an idle connection breaks as well */
			if (!PQconsumeInput(a->login.connection))
				lose(a);
			else if (!stopping && now_ms() >= a->due)
			{
				plan(a);
				if (a->nsteps > 0)
					a->phase = RUNNING;
			}
			break;
		default:
			go_on_running(a);
	}
	return is_settled(a);
}

bool
is_settled(const Actor *a)
{
	return a->phase == IDLE && a->ledger.lo == a->ledger.hi;
}

/*
 * The socket to wait for; -1 if it waits for time to go by.
 */
int
actor_fd(const Actor *a, short *events)
{
	*events = POLLIN;
	if (a->login.connection == NULL)
		return -1;
	if (a->phase == CONNECTING)
		*events = login_events(&a->login);
	return *events ? PQsocket(a->login.connection) : -1;
}
