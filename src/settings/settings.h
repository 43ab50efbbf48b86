/*-------------------------------------------------------------------------
 *
 * settings.h
 *		The sslpolicy.* settings.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_SETTINGS_H
#define SSLPOLICY_SETTINGS_H

#include "policy/evaluate.h"

typedef enum Enforcement
{
	ENFORCEMENT_OFF,
	ENFORCEMENT_LOG,
	ENFORCEMENT_ENFORCE
} Enforcement;

/* What becomes of a live session that a recheck finds wrong. */
typedef enum RecheckAction
{
	RECHECK_OFF,
	RECHECK_LOG,
	RECHECK_TERMINATE
} RecheckAction;

/* What becomes of a login whose revocation cannot be checked. */
typedef enum CrlGapAction
{
	CRL_GAP_REJECT,
	CRL_GAP_ACCEPT
} CrlGapAction;

extern void define_settings(void);
extern RecheckAction recheck_policy(void);
extern RecheckAction recheck_revoked(void);
extern int	terminate_grace_ms(void);
extern int	recheck_interval_ms(void);
extern bool auto_reload(void);
extern const char *crl_file(void);
extern const char *crl_dir(void);
extern bool crls_configured(void);
extern const uint8 *crl_settings_digest(void);
extern bool accept_expired_crl(void);
extern bool accept_missing_crl(void);
extern int	lint_server_days(void);
extern int	lint_ca_days(void);
extern int	lint_crl_days(void);
extern Enforcement enforcement(void);
extern const char *default_policy(void);
extern const char *minimum_policy(void);
extern size_t max_certificate_text(void);
extern const char *material_directory(void);
extern bool installation_allowed(void);
extern size_t max_crl_size(void);
extern int	max_recent_logins(void);
extern int	max_rejections(void);
extern const char *reserved_roles(void);
extern const uint8 *blocked_fingerprints(int *count);

/* What a policy error looks like to whoever set the policy. */
extern int	policy_errdetail(const char *text, const PolicyError *error);

#endif							/* SSLPOLICY_SETTINGS_H */
