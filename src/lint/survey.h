/*-------------------------------------------------------------------------
 *
 * survey.h
 *		What sslpolicy.lint() looks at, read once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_SURVEY_H
#define SSLPOLICY_SURVEY_H

#include "install/hbalines.h"
#include "labels/applicable.h"
#include "lint/findings.h"
#include "material/configuration.h"
#include "material/material.h"

/* A policy wherever it stands. */
typedef struct StoredPolicy
{
	char	   *title;			/* role "app" */
	char	   *name;			/* app; of a setting its name */
	PolicySource source;		/* of a role always SOURCE_ROLE */
	Oid			object;			/* InvalidOid: a setting, or of the cluster */
	bool		of_cluster;
	Policy	   *policy;			/* NULL if it cannot be read */
	char	   *error;
	char	   *misspelt;		/* why it would be refused if it were set now; NULL: it
								 * would not */
	char	   *hint;			/* what to write then */
	bool		binds;			/* of a role: a login role; set by lint_groups() */
	bool		passes_over;	/* of a role: a member that its policy does not bind */
} StoredPolicy;

/* A role that may log in. */
typedef struct Login
{
	Oid			oid;
	char	   *name;
	bool		superuser;
	bool		replication;
	bool		bound_by_groups;	/* and by databases */
} Login;

typedef struct Survey
{
	Findings	findings;
	int64		now;
	List	   *policies;		/* of StoredPolicy */
	List	   *logins;			/* of Login, by name */
	char	  **databases;		/* all their names, sorted by bytes */
	int			ndatabases;
	CatalogCopy *catalogs;		/* for policies_of_login() */
	bool		hba_known;
	List	   *hba;			/* of HbaEntry */
	Configuration *configuration;	/* see next_settings() */
	List	   *files;			/* of PemFile: see read_once() */
} Survey;

extern void survey_policies(Survey *survey);
extern void survey_hba(Survey *survey);
extern Applicable *policies_of_login(const Survey *survey, const Login *login);
extern const Configuration *next_settings(Survey *survey);
extern MaterialFiles next_files(Survey *survey);
extern const PemFile *read_once(Survey *survey, const char *path);
extern STACK_OF(X509) *next_cas(Survey *survey);
extern int	next_security_level(Survey *survey);
extern Severity refusal_severity(void);
extern bool rule_asks_for(const PolicyRule *rule, SslMode least);
extern bool policy_asks_for(const Policy *policy, SslMode least);
extern char *applied_title(const AppliedPolicy *applied);

#endif							/* SSLPOLICY_SURVEY_H */
