/*-------------------------------------------------------------------------
 *
 * linthba.c
 *		Findings about pg_hba.conf, as it is on disk, against the policies.
 *
 * A line lets sessions in that policies refuse later: after the password.  To
 * find those, sessions are made up that the line would be the first one to
 * match, at the edges of its networks and of those in policies, and judged as a
 * login is: by evaluate().
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>

#include "libpq/libpq.h"
#include "miscadmin.h"
#include "postmaster/postmaster.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "lint/lint.h"
#include "policy/matcher.h"
#include "settings/settings.h"

/* Databases and addresses in policies that are tried for each line. */
#define MAX_PROBES 16

/* A database to make sessions up in. */
typedef struct ProbeDatabase
{
	const char *name;			/* NULL: physical replication */
	AppliedPolicy *policy;		/* its own, NULL if it has none */
} ProbeDatabase;

typedef struct ProbeAddress
{
	uint8		bytes[16];
	int			len;
} ProbeAddress;

typedef struct Probes
{
	List	   *databases;		/* that policies name, or that have one */
	List	   *addresses;		/* that policies name */
} Probes;

/* Of one login role: what it is asked for, and the lines that concern it. */
typedef struct Subject
{
	const Login *login;
	const Applicable *applicable;	/* its policies, but those of databases */
	List	   *lines;
	const HbaEntry *line;		/* that is looked at */
	const char *method;			/* of the sessions that are made up */
	bool		tls;
	bool		certificate;
} Subject;

/* What is wanted of the verdict about a session that is made up. */
typedef bool (*Question)(const Verdict *verdict);

/* in networks that are reserved for documentation (RFC 5737, RFC 3849) */
static const ProbeAddress nowhere[] = {
	{{203, 0, 113, 77}, 4},
	{{0x20, 0x01, 0x0d, 0xb8, [15] = 77}, 16},
};

static const char *const clear_text_methods[] = {"password", "ldap", "pam", "bsd", "radius"};

static ProbeDatabase *
find_database(List *databases, const char *name)
{
	ListCell   *cell;

	foreach(cell, databases)
		if (strcmp(((ProbeDatabase *) lfirst(cell))->name, name) == 0)
			return lfirst(cell);
	return NULL;
}

static void
add_database(Probes *probes, const char *name, const Policy *policy)
{
	ProbeDatabase *probe = find_database(probes->databases, name);

	if (probe == NULL)
	{
		if (list_length(probes->databases) == MAX_PROBES)
			return;
		probe = palloc0(sizeof(ProbeDatabase));
		probe->name = name;
		probes->databases = lappend(probes->databases, probe);
	}
	if (policy == NULL)
		return;
	probe->policy = palloc0(sizeof(AppliedPolicy));
	probe->policy->source = SOURCE_DATABASE;
	probe->policy->name = name;
	probe->policy->policy = policy;
}

static void
add_address(Probes *probes, const PolicyValue *value)
{
	ProbeAddress *probe;
	ListCell   *cell;

	foreach(cell, probes->addresses)
	{
		const ProbeAddress *known = lfirst(cell);

		if (known->len == value->address_len &&
			memcmp(known->bytes, value->bytes, (size_t) known->len) == 0)
			return;
	}
	if (list_length(probes->addresses) == MAX_PROBES)
		return;
	probe = palloc0(sizeof(ProbeAddress));
	probe->len = value->address_len;
	memcpy(probe->bytes, value->bytes, (size_t) probe->len);
	probes->addresses = lappend(probes->addresses, probe);
}

/*
 * Where sessions can differ: databases with policies of their own that can be
 * read first, since those matter most, then what rules match.
 */
static Probes *
collect_probes(Survey *survey)
{
	Probes	   *probes = palloc0(sizeof(Probes));
	ListCell   *cell;

	foreach(cell, survey->policies)
	{
		const StoredPolicy *stored = lfirst(cell);

		if (stored->source == SOURCE_DATABASE && stored->policy)
			add_database(probes, stored->name, stored->policy);
	}
	foreach(cell, survey->policies)
	{
		const StoredPolicy *stored = lfirst(cell);

		for (int r = 0; stored->policy && r < stored->policy->nrules; r++)
			for (int i = 0; i < stored->policy->rules[r].nvalues; i++)
			{
				const PolicyValue *value = &stored->policy->rules[r].values[i];

				if (value->key == KEY_ADDRESS)
					add_address(probes, value);
				else if (value->key == KEY_DATABASE && !value->keyword)
					add_database(probes, value->text, NULL);
			}
	}
	return probes;
}

/*
 * Is the line that is looked at the first one to match such a session?
 */
static bool
is_first_match(const Subject *subject, const char *database, const ProbeAddress *address)
{
	ListCell   *cell;

	foreach(cell, subject->lines)
	{
		const HbaEntry *line = lfirst(cell);

		if ((subject->tls ? line->with_tls : line->without_tls) &&
			hba_takes_address(line, address->bytes, address->len) &&
			hba_takes_database(line, subject->login->oid, subject->login->name, database))
			return line == subject->line;
	}
	return false;
}

static Verdict *
judge_login(const Subject *subject, const ProbeDatabase *database, const ProbeAddress *address)
{
	const Login *login = subject->login;
	int			count = subject->applicable->count;
	AppliedPolicy *policies = palloc(sizeof(AppliedPolicy) * (Size) (count + 1));
	Facts		facts = {
		.role = login->name,
		.database = database->name,
		.ssl = subject->tls,
		.tls_version = subject->tls ? TLS_1_3 : TLS_NONE,
		.verified = subject->certificate,
		.auth_method = subject->method,
		.address_len = address->len,
	};

	memcpy(facts.address, address->bytes, (size_t) address->len);
	if (count > 0)
		memcpy(policies, subject->applicable->policies, sizeof(AppliedPolicy) * (Size) count);
	if (database->policy && login->bound_by_groups)
		policies[count++] = *database->policy;
	return evaluate(policies, count, &facts, regex_matches, 0);
}

static bool
ask_address(const Subject *subject, const ProbeDatabase *database, const ProbeAddress *address,
			Question question)
{
	return is_first_match(subject, database->name, address) &&
		question(judge_login(subject, database, address));
}

/*
 * The first and last address of the line's network, and those of policies.
 */
static bool
ask_addresses(const Subject *subject, const Probes *probes, const ProbeDatabase *database,
			  Question question)
{
	const HbaEntry *line = subject->line;
	ListCell   *cell;

	for (int i = 0; line->any_address && i < (int) lengthof(nowhere); i++)
		if (ask_address(subject, database, &nowhere[i], question))
			return true;
	if (line->address_len > 0)
	{
		ProbeAddress first = {.len = line->address_len};
		ProbeAddress last = first;

		memcpy(first.bytes, line->address, (size_t) first.len);
		for (int i = 0; i < last.len; i++)
			last.bytes[i] = line->address[i] | (uint8) ~line->mask[i];
		if (ask_address(subject, database, &first, question) ||
			ask_address(subject, database, &last, question))
			return true;
	}
	foreach(cell, probes->addresses)
		if (ask_address(subject, database, lfirst(cell), question))
			return true;
	return false;
}

/*
 * Is there a session that the line lets in, and about whose verdict the answer
 * is yes?
 */
static bool
ask_probes(const Subject *subject, const Probes *probes, Question question)
{
	static const ProbeDatabase elsewhere = {"", NULL};
	static const ProbeDatabase replication = {NULL, NULL};
	ListCell   *cell;

	if (ask_addresses(subject, probes, &elsewhere, question))
		return true;
	if (subject->login->replication && ask_addresses(subject, probes, &replication, question))
		return true;
	foreach(cell, probes->databases)
		if (ask_addresses(subject, probes, lfirst(cell), question))
			return true;
	foreach(cell, subject->line->databases)
	{
		ProbeDatabase named = {lfirst(cell), NULL};

		/* those that are all the same to policies: one will do */
		if (hba_is_keyword(named.name) || find_database(probes->databases, named.name))
			continue;
		if (ask_addresses(subject, probes, &named, question))
			return true;
		break;
	}
	return false;
}

static bool
refuses(const Verdict *verdict, SslMode least)
{
	for (int i = 0; i < verdict->nchecks; i++)
	{
		const Check *check = &verdict->checks[i];

		if (check->outcome == OUTCOME_FAILED && !check->log_only && check->key == KEY_SSLMODE &&
			check->asks && check->asks->sslmode >= least)
			return true;
	}
	return false;
}

static bool
wants_tls(const Verdict *verdict)
{
	return refuses(verdict, SSLMODE_REQUIRE);
}

static bool
wants_certificate(const Verdict *verdict)
{
	return refuses(verdict, SSLMODE_VERIFY_CA);
}

/*
 * A rule with sslmode=cert decides, and has its way.
 */
static bool
is_cert_met(const Verdict *verdict)
{
	for (int i = 0; i < verdict->nchecks; i++)
	{
		const Check *check = &verdict->checks[i];

		if (check->outcome == OUTCOME_OK && check->key == KEY_SSLMODE && check->asks &&
			check->asks->sslmode == SSLMODE_CERT)
			return true;
	}
	return false;
}

static bool
is_clear_text(const char *method)
{
	for (int i = 0; i < (int) lengthof(clear_text_methods); i++)
		if (strcmp(method, clear_text_methods[i]) == 0)
			return true;
	return false;
}

/*
 * Lines of pg_hba.conf that concern the role, in their order.
 */
static List *
lines_of(const Survey *survey, const Login *login)
{
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, survey->hba)
		if (hba_names_role(lfirst(cell), login->oid, login->name, false))
			result = lappend(result, lfirst(cell));
	return result;
}

static void
check_line(Survey *survey, const Probes *probes, Subject *subject)
{
	const HbaEntry *line = subject->line;

	if (line->local || strcmp(line->method, "reject") == 0)
		return;
	subject->method = line->method;
	subject->certificate = false;
	subject->tls = false;
	if (line->without_tls && ask_probes(subject, probes, wants_tls))
	{
		add_finding_about(&survey->findings, SEVERITY_WARNING, "hba_without_tls", line->place,
						  psprintf("This line lets in without TLS whom policies then refuse, after the authentication%s.",
								   is_clear_text(line->method) ? psprintf(": with method %s the password has crossed the network in clear text by then", line->method) : ""),
						  line->with_tls ?
							  "Make it a hostssl line, or put a hostnossl line with reject before it for these roles. Then SELECT pg_reload_conf()." :
							  "Put a hostnossl line with reject before it for these roles, or make its method reject. Then SELECT pg_reload_conf().",
						  "Roles", psprintf("\"%s\"", subject->login->name));
		return;
	}
	subject->tls = true;
	if (line->with_tls && !line->asks_certificate && ask_probes(subject, probes, wants_certificate))
		add_finding_about(&survey->findings, SEVERITY_INFO, "hba_without_certificate", line->place,
						  "This line lets in without a client certificate whom policies then refuse, after the authentication: whoever has none can still try passwords.",
						  "Make it a hostssl line with clientcert=verify-ca, or put one before it for these roles. Then SELECT pg_reload_conf().",
						  "Roles", psprintf("\"%s\"", subject->login->name));
}

/*
 * Could any policy of the role, or of a database, refuse for want of TLS?
 */
static bool
is_asked_for_tls(const Subject *subject, const Probes *probes)
{
	ListCell   *cell;

	for (int i = 0; i < subject->applicable->count; i++)
		if (policy_asks_for(subject->applicable->policies[i].policy, SSLMODE_REQUIRE))
			return true;
	foreach(cell, probes->databases)
	{
		const ProbeDatabase *database = lfirst(cell);

		if (subject->login->bound_by_groups && database->policy &&
			policy_asks_for(database->policy->policy, SSLMODE_REQUIRE))
			return true;
	}
	return false;
}

/*
 * Lines that let roles in whom their policies refuse later.
 */
void
lint_hba_lines(Survey *survey)
{
	Probes	   *probes = collect_probes(survey);
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "sslpolicy sessions made up",
												  ALLOCSET_DEFAULT_SIZES);
	ListCell   *cell;
	ListCell   *line;

	/* with ssl off, which is worse and is said, hostssl lines are no help */
	if (!survey->hba_known || !EnableSSL || enforcement() == ENFORCEMENT_OFF)
		return;
	foreach(cell, survey->logins)
	{
		Subject		subject = {.login = lfirst(cell)};
		MemoryContext old = MemoryContextSwitchTo(scratch);

		CHECK_FOR_INTERRUPTS();
		subject.applicable = policies_of_login(survey, subject.login);
		if (is_asked_for_tls(&subject, probes))
			subject.lines = lines_of(survey, subject.login);
		foreach(line, subject.lines)
		{
			CHECK_FOR_INTERRUPTS();
			subject.line = lfirst(line);
			check_line(survey, probes, &subject);
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
}

/*
 * One policy of a role, or of the database.
 */
static void
check_cert_policy(Survey *survey, const Probes *probes, const Login *login,
				  const AppliedPolicy *applied, ProbeDatabase *database)
{
	Applicable	alone = {.role = login->oid, .count = database ? 0 : 1, .policies = (AppliedPolicy *) applied};
	Probes		there = *probes;
	Subject		subject = {.login = login, .applicable = &alone, .method = "cert", .tls = true, .certificate = true};
	ListCell   *cell;

	if (!policy_asks_for(applied->policy, SSLMODE_CERT))
		return;
	if (database)
		there.databases = list_make1(database);
	subject.lines = lines_of(survey, login);
	foreach(cell, subject.lines)
	{
		subject.line = lfirst(cell);
		if (strcmp(subject.line->method, "cert") == 0 && ask_probes(&subject, &there, is_cert_met))
			return;
	}
	add_finding_about(&survey->findings, refusal_severity(), "cert_without_hba_line",
					  applied->source == SOURCE_ROLE ? "policies of roles" : applied_title(applied),
					  "It says sslmode=cert, and no line of pg_hba.conf lets these roles in by method cert: they cannot meet it.",
					  "Put a line like \"hostssl all NAME all cert\" before the lines that match these roles now, and SELECT pg_reload_conf(); or ask for sslmode=verify-full.",
					  "Roles", psprintf("\"%s\"", login->name));
}

/*
 * Policies with sslmode=cert that no line lets anybody meet.
 */
void
lint_cert_policies(Survey *survey)
{
	Probes	   *probes = collect_probes(survey);
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "sslpolicy sessions made up",
												  ALLOCSET_DEFAULT_SIZES);
	ListCell   *cell;
	ListCell   *database;

	if (!survey->hba_known || !EnableSSL || enforcement() == ENFORCEMENT_OFF)
		return;
	foreach(cell, survey->logins)
	{
		const Login *login = lfirst(cell);
		MemoryContext old = MemoryContextSwitchTo(scratch);
		const Applicable *applicable = policies_of_login(survey, login);

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < applicable->count; i++)
			check_cert_policy(survey, probes, login, &applicable->policies[i], NULL);
		foreach(database, probes->databases)
		{
			ProbeDatabase *probe = lfirst(database);

			if (probe->policy && login->bound_by_groups)
				check_cert_policy(survey, probes, login, probe->policy, probe);
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
}

/*
 * Does pg_hba.conf let this role in by a Unix socket, to any database?
 */
static bool
has_way_back(const Survey *survey, const Login *login)
{
	List	   *rejected = NIL; /* of entries that lines before have refused */
	ListCell   *cell;
	ListCell   *entry;

	foreach(cell, survey->hba)
	{
		const HbaEntry *line = lfirst(cell);
		bool		rejects = strcmp(line->method, "reject") == 0;

		if (!line->local || !hba_names_role(line, login->oid, login->name, false))
			continue;
		foreach(entry, line->databases)
		{
			const char *database = lfirst(entry);
			bool		gone = strcmp(database, "replication") == 0;
			ListCell   *before;

			foreach(before, rejected)
				gone |= strcmp(lfirst(before), "all") == 0 || strcmp(lfirst(before), database) == 0;
			if (!gone && !rejects)
				return true;
		}
		if (rejects)
			rejected = list_concat(rejected, line->databases);
	}
	return false;
}

/*
 * Unix sockets, which no policy binds, are the way back in for whoever has
 * locked everybody out.
 */
void
lint_way_back(Survey *survey)
{
	const char *sockets = GetConfigOption("unix_socket_directories", true, false);
	ListCell   *cell;

	if (!survey->hba_known)
		return;
	if (sockets && sockets[0])
		foreach(cell, survey->logins)
		{
			const Login *login = lfirst(cell);

			if (login->superuser && has_way_back(survey, login))
				return;
		}
	add_finding(&survey->findings, SEVERITY_WARNING, "no_way_back",
				sockets && sockets[0] ? "pg_hba.conf" : "setting unix_socket_directories",
				sockets && sockets[0] ?
					"No local line lets a superuser in: after a mistake in a policy nobody may be able to mend it, since policies bind every connection but those by a Unix socket." :
					"The server has no Unix socket: after a mistake in a policy nobody may be able to mend it, since policies bind all other connections.",
				sockets && sockets[0] ?
					"Put \"local all postgres peer\" (the name of a superuser) before other local lines, and SELECT pg_reload_conf()." :
					"Set unix_socket_directories, and restart the server.");
}

/*
 * Has the file changed since the server last read its configuration?
 */
void
lint_hba_loaded(Survey *survey)
{
	struct stat st;
	TimestampTz changed;

	if (!survey->hba_known || stat(HbaFileName, &st) != 0)
		return;
	changed = time_t_to_timestamptz(st.st_mtime);
	if (changed > PgReloadTime)
		add_finding(&survey->findings, SEVERITY_WARNING, "hba_not_loaded", "pg_hba.conf",
					"The file has changed since the server last loaded its configuration: what it says is not in force.",
					"Look whether the change is complete, then SELECT pg_reload_conf().");
}
