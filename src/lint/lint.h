/*-------------------------------------------------------------------------
 *
 * lint.h
 *		The checks that sslpolicy.lint() makes.
 *
 * Each adds what it finds to survey->findings.  One that fails is a finding
 * itself, and the others are made all the same.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_LINT_H
#define SSLPOLICY_LINT_H

#include "lint/survey.h"
#include "pki/crl.h"

extern List *run_lint(void);

/* lintpolicies.c */
extern void lint_stored_policies(Survey *survey);
extern void lint_demands(Survey *survey);
extern void lint_predefined_roles(Survey *survey);
extern void lint_policy_names(Survey *survey);
extern void lint_reserved_roles(Survey *survey);
extern void lint_groups(Survey *survey);
extern void lint_superusers(Survey *survey);

/* linthba.c */
extern void lint_hba_lines(Survey *survey);
extern void lint_cert_policies(Survey *survey);
extern void lint_way_back(Survey *survey);
extern void lint_hba_loaded(Survey *survey);

/* lintmaterial.c */
extern void lint_server_certificate(Survey *survey);
extern void lint_key_permissions(Survey *survey);
extern void lint_cas(Survey *survey);
extern void lint_core_crls(Survey *survey);
extern void lint_own_crls(Survey *survey);
extern void lint_installed(Survey *survey);

/* lintcas.c */
extern List *same_cas(const CasByName *cas, int position);
extern int	count_serving_cas(STACK_OF(X509) *cas, int level, int64 now);
extern Severity expired_ca_severity(X509 *ca, int serving);
extern void lint_many_cas(Survey *survey);
extern void lint_strict_clients(Survey *survey);

/* lintserver.c */
extern void lint_in_force(Survey *survey);
extern void lint_loadable(Survey *survey);
extern void lint_protocols(Survey *survey);
extern void lint_ciphers(Survey *survey);
extern void lint_enforcement(Survey *survey);
extern void lint_worker(Survey *survey);
extern void lint_logging(Survey *survey);

/* lintnodes.c */
extern void lint_nodes(Survey *survey);

/* lintextension.c */
extern void lint_extension_owners(Survey *survey);
extern void lint_extension_schema(Survey *survey);
extern void lint_extension_creators(Survey *survey);
extern void lint_extension_functions(Survey *survey);
extern void lint_extension_grants(Survey *survey);

#endif							/* SSLPOLICY_LINT_H */
