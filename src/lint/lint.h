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

/* lintpolicies.c */
extern void check_stored_policies(Survey *survey);
extern void check_demands(Survey *survey);
extern void check_policy_names(Survey *survey);
extern void check_reserved_roles(Survey *survey);
extern void check_groups(Survey *survey);
extern void check_superusers(Survey *survey);

/* linthba.c */
extern void check_lines(Survey *survey);
extern void check_cert_policies(Survey *survey);
extern void check_way_back(Survey *survey);
extern void check_hba_loaded(Survey *survey);

/* lintmaterial.c */
extern void check_server_certificate(Survey *survey);
extern void check_key_permissions(Survey *survey);
extern void check_cas(Survey *survey);
extern void check_core_crls(Survey *survey);
extern void check_own_crls(Survey *survey);

/* lintserver.c */
extern void check_in_force(Survey *survey);
extern void check_loadable(Survey *survey);
extern void check_protocols(Survey *survey);
extern void check_ciphers(Survey *survey);
extern void check_enforcement(Survey *survey);
extern void check_worker(Survey *survey);
extern void check_logging(Survey *survey);

#endif							/* SSLPOLICY_LINT_H */
