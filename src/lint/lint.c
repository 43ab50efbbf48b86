/*-------------------------------------------------------------------------
 *
 * lint.c
 *		What is wrong with the configuration: the checks, and how they are run.
 *
 * Runs all checks, each in a subtransaction of its own: what is broken must be
 * a finding, and hide no other.  It reads, and changes nothing; of the files
 * that it looks into it never shows the contents.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/err.h>
#include <time.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "base/told.h"
#include "lint/lint.h"

typedef struct LintCheck
{
	const char *subject;		/* what could not be checked if it fails */
	void		(*run)(Survey *survey);
} LintCheck;

static const LintCheck checks[] = {
	/* these two first: the others look at what they have read */
	{"policies and roles", survey_policies},
	{"pg_hba.conf", survey_hba},
	{"stored policies", lint_stored_policies},
	{"settings that policies depend on", lint_demands},
	{"policies of predefined roles", lint_predefined_roles},
	{"pg_hba.conf and policies", lint_hba_lines},
	{"policies with sslmode=cert", lint_cert_policies},
	{"the way back in", lint_way_back},
	{"whether pg_hba.conf is loaded", lint_hba_loaded},
	{"names in policies", lint_policy_names},
	{"sslpolicy.reserved_roles", lint_reserved_roles},
	{"policies that bind nobody", lint_groups},
	{"superusers", lint_superusers},
	{"the server's certificate", lint_server_certificate},
	{"permissions of private keys", lint_key_permissions},
	{"CAs", lint_cas},
	{"how many CAs there are", lint_many_cas},
	{"strict clients", lint_strict_clients},
	{"CRLs of ssl_crl_file and ssl_crl_dir", lint_core_crls},
	{"CRLs of sslpolicy.crl_file and crl_dir", lint_own_crls},
	{"whether TLS files are those that were installed", lint_installed},
	{"whether TLS files are in force", lint_in_force},
	{"whether TLS files can be loaded", lint_loadable},
	{"TLS versions", lint_protocols},
	{"ciphers", lint_ciphers},
	{"what is replicated", lint_nodes},
	{"enforcement", lint_enforcement},
	{"the background worker", lint_worker},
	{"logging", lint_logging},
	{"owners of the extension", lint_extension_owners},
	{"objects in schema sslpolicy", lint_extension_schema},
	{"who may create in schema sslpolicy", lint_extension_creators},
	{"functions of the extension", lint_extension_functions},
	{"rights on the extension", lint_extension_grants},
};

/*
 * A check that failed, after its subtransaction was rolled back.
 */
static void
report_failure(Survey *survey, const LintCheck *check, ErrorData *error)
{
	/* whoever wants the statement to end shall have it */
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
		error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN ||
		error->sqlerrcode == ERRCODE_OUT_OF_MEMORY)
		ReThrowError(error);
	add_finding(&survey->findings, SEVERITY_ERROR, "check_failed", check->subject,
				psprintf("This could not be checked: %s.", told(pstrdup("the server log may say why"), error->message)),
				"Mend what the message says, and run lint() again.");
}

static void
run_check(Survey *survey, const LintCheck *check)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		check->run(survey);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		report_failure(survey, check, error);
	}
	PG_END_TRY();
	ERR_clear_error();
}

/*
 * All that is wrong, a Finding each, the most severe first; in the current
 * memory context.
 */
List *
run_lint(void)
{
	Survey	   *survey = palloc0(sizeof(Survey));

	survey->findings.context = CurrentMemoryContext;
	survey->now = (int64) time(NULL);
	for (int i = 0; i < (int) lengthof(checks); i++)
	{
		CHECK_FOR_INTERRUPTS();
		run_check(survey, &checks[i]);
	}
	return findings_by_severity(&survey->findings);
}
