/*-------------------------------------------------------------------------
 *
 * survey.c
 *		What sslpolicy.lint() looks at, read once.
 *
 * Each catalog is read once, however many roles there are; which policies apply
 * to a role is found as the recheck finds it, by each check that asks: those of all
 * roles at once would take too much memory.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/privileged.h"
#include "labels/clusterlabels.h"
#include "labels/exceptions.h"
#include "labels/labels.h"
#include "lint/survey.h"
#include "policy/matcher.h"
#include "settings/settings.h"

/*
 * Why a policy that can be read would be refused if it were set now.  What it takes to
 * find that out is not kept.
 */
static void
check_spelling(StoredPolicy *stored, PolicyPlace place, const char *text)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "sslpolicy spelling of a policy",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	PolicyError error;
	bool		refused = parse_policy(text, place, &spelling_checks, &error) == NULL;

	MemoryContextSwitchTo(old);
	if (refused)
	{
		stored->misspelt = pstrdup(error.message);
		stored->hint = error.hint ? pstrdup(error.hint) : NULL;
	}
	MemoryContextDelete(scratch);
}

static void
add_policy(Survey *survey, PolicySource source, Oid object, char *title, char *name, const char *text)
{
	StoredPolicy *stored = palloc0(sizeof(StoredPolicy));
	PolicyError error;
	PolicyPlace place;

	stored->title = title;
	stored->name = name;
	stored->source = source;
	stored->object = object;
	place = source == SOURCE_MINIMUM ? PLACE_MINIMUM : source == SOURCE_DEFAULT ? PLACE_DEFAULT :
		source == SOURCE_DATABASE												? PLACE_DATABASE :
																				  PLACE_ROLE;
	stored->policy = parse_policy(text, place, NULL, &error);
	if (stored->policy == NULL)
		stored->error = error.message;
	else
		check_spelling(stored, place, text);
	survey->policies = lappend(survey->policies, stored);
}

static void
add_setting(Survey *survey, PolicySource source, const char *name, const char *text)
{
	if (text[0])
		add_policy(survey, source, InvalidOid, psprintf("setting %s", name), pstrdup(name), text);
}

static void
add_cluster_policy(Survey *survey, PolicySource source, ClusterLabel which)
{
	const char *name = cluster_label_name(which);
	const char *text = read_cluster_label(which);

	if (text == NULL)
		return;
	add_policy(survey, source, InvalidOid, pstrdup(name), pstrdup(name), text);
	((StoredPolicy *) llast(survey->policies))->of_cluster = true;
}

static void
read_logins(Survey *survey)
{
	MemoryContext rows_context = AllocSetContextCreate(CurrentMemoryContext, "sslpolicy login roles",
													   ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(rows_context);
	QueryResult *rows = privileged_query(
		"SELECT oid, rolname, rolsuper, rolreplication FROM pg_catalog.pg_authid "
		"WHERE rolcanlogin ORDER BY rolname");

	MemoryContextSwitchTo(old);
	for (int i = 0; i < rows->rows; i++)
	{
		Login	   *login = palloc0(sizeof(Login));

		CHECK_FOR_INTERRUPTS();
		login->oid = (Oid) strtoul(rows->values[i][0], NULL, 10);
		login->name = pstrdup(rows->values[i][1]);
		login->superuser = rows->values[i][2][0] == 't';
		login->replication = login->superuser || rows->values[i][3][0] == 't';
		login->bound_by_groups = !login->superuser && !is_reserved_role(login->name);
		survey->logins = lappend(survey->logins, login);
	}
	MemoryContextDelete(rows_context);
}

/*
 * The policies that apply to a login role, but those of databases, in the current memory
 * context.
 */
Applicable *
policies_of_login(const Survey *survey, const Login *login)
{
	return find_applicable_in(survey->catalogs, login->oid, login->name, InvalidOid, NULL, NULL);
}

/*
 * The policies of roles and databases.
 */
static void
add_labels(Survey *survey)
{
	MemoryContext labels = AllocSetContextCreate(CurrentMemoryContext, "sslpolicy labels",
												 ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(labels);
	List	   *all = all_labels();
	ListCell   *cell;

	MemoryContextSwitchTo(old);
	foreach(cell, all)
	{
		const Label *label = lfirst(cell);
		bool		is_role = label->class == AuthIdRelationId;
		char	   *name = labelled_name(label);

		CHECK_FOR_INTERRUPTS();
		/* dropped since */
		if (name != NULL)
			add_policy(survey, is_role ? SOURCE_ROLE : SOURCE_DATABASE, label->object,
					   psprintf("%s \"%s\"", is_role ? "role" : "database", name), name, label->text);
	}
	MemoryContextDelete(labels);
}

/*
 * Policies, login roles, and names of databases.
 */
void
survey_policies(Survey *survey)
{
	QueryResult *databases;
	Snapshot	snapshot;

	add_setting(survey, SOURCE_MINIMUM, "sslpolicy.minimum_policy", minimum_policy());
	add_setting(survey, SOURCE_DEFAULT, "sslpolicy.default_policy", default_policy());
	add_cluster_policy(survey, SOURCE_MINIMUM, CLUSTER_MINIMUM);
	add_cluster_policy(survey, SOURCE_DEFAULT, CLUSTER_DEFAULT);
	add_labels(survey);
	databases = privileged_query("SELECT datname FROM pg_catalog.pg_database");
	survey->databases = palloc(sizeof(char *) * (Size) Max(databases->rows, 1));
	for (int i = 0; i < databases->rows; i++)
		survey->databases[survey->ndatabases++] = databases->values[i][0];
	qsort(survey->databases, (size_t) survey->ndatabases, sizeof(char *), pg_qsort_strcmp);
	read_logins(survey);
	snapshot = RegisterSnapshot(GetActiveSnapshot());
	survey->catalogs = copy_catalogs(snapshot);
	UnregisterSnapshot(snapshot);
}

/*
 * pg_hba.conf as it is on disk.
 */
void
survey_hba(Survey *survey)
{
	List	   *errors;
	StringInfoData places;
	ListCell   *cell;

	survey->hba = read_hba_lines(&errors);
	survey->hba_known = errors == NIL;
	if (errors == NIL)
		return;
	/* not what is wrong: that can quote a password that stands in the file */
	initStringInfo(&places);
	foreach(cell, errors)
	{
		if (foreach_current_index(cell) == 5)
		{
			appendStringInfo(&places, " and %d more", list_length(errors) - 5);
			break;
		}
		appendStringInfo(&places, "%s%s", places.len ? "; " : "", (char *) lfirst(cell));
	}
	add_finding(&survey->findings, SEVERITY_ERROR, "hba_broken", "pg_hba.conf",
				psprintf("There are errors in %s: the server goes on with what it had loaded before, and does not start with this file.",
						 places.data),
				"Mend the file; a superuser sees what is wrong with SELECT line_number, error FROM pg_hba_file_rules WHERE error IS NOT NULL. Then SELECT pg_reload_conf().");
}

/*
 * The TLS settings by which lint judges: those that the next reload will find.  What else
 * is in force is a finding of its own.
 */
const Configuration *
next_settings(Survey *survey)
{
	if (survey->configuration == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(survey->findings.context);

		survey->configuration = read_configuration();
		MemoryContextSwitchTo(old);
	}
	return survey->configuration;
}

MaterialFiles
next_files(Survey *survey)
{
	return configured_files(next_settings(survey));
}

/*
 * A file of certificates or CRLs, which can be long: read when it is first asked for.
 */
const PemFile *
read_once(Survey *survey, const char *path)
{
	MemoryContext old;
	PemFile    *file;
	ListCell   *cell;

	foreach(cell, survey->files)
	{
		file = lfirst(cell);
		if (strcmp(file->path, path) == 0)
			return file;
	}
	old = MemoryContextSwitchTo(survey->findings.context);
	file = read_pem_file(pstrdup(path));
	survey->files = lappend(survey->files, file);
	MemoryContextSwitchTo(old);
	return file;
}

STACK_OF(X509) *
next_cas(Survey *survey)
{
	return read_once(survey, next_files(survey).ca_file)->content->certs;
}

int
next_security_level(Survey *survey)
{
	TlsParameters parameters = configured_parameters(next_settings(survey));

	return security_level(&parameters);
}

/*
 * How bad it is if a policy cannot be met.
 */
Severity
refusal_severity(void)
{
	return enforcement() == ENFORCEMENT_ENFORCE ? SEVERITY_ERROR : SEVERITY_WARNING;
}

/*
 * Does the rule refuse whoever has not at least this mode?  One that only logs
 * refuses nobody.
 */
bool
rule_asks_for(const PolicyRule *rule, SslMode least)
{
	return !rule->log_only && rule->sslmode >= least;
}

bool
policy_asks_for(const Policy *policy, SslMode least)
{
	for (int i = 0; policy && i < policy->nrules; i++)
		if (rule_asks_for(&policy->rules[i], least))
			return true;
	return false;
}

/*
 * Where a policy that applies stands, as StoredPolicy has it.
 */
char *
applied_title(const AppliedPolicy *applied)
{
	switch (applied->source)
	{
		case SOURCE_MINIMUM:
			return applied->name ? pstrdup(applied->name) : "setting sslpolicy.minimum_policy";
		case SOURCE_DEFAULT:
			return applied->name ? pstrdup(applied->name) : "setting sslpolicy.default_policy";
		case SOURCE_DATABASE:
			return psprintf("database \"%s\"", applied->name);
		default:
			return psprintf("role \"%s\"", applied->name);
	}
}
