/*-------------------------------------------------------------------------
 *
 * configuration.h
 *		The server's TLS settings, as the next reload will find them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CONFIGURATION_H
#define SSLPOLICY_CONFIGURATION_H

#include "material/tlscontext.h"

typedef enum TlsSetting
{
	SETTING_SSL,
	SETTING_CERT_FILE,
	SETTING_KEY_FILE,
	SETTING_CA_FILE,
	SETTING_CRL_FILE,
	SETTING_CRL_DIR,
	SETTING_OWN_CRL_FILE,		/* sslpolicy.crl_file */
	SETTING_OWN_CRL_DIR,
	/* from here on, no files */
	SETTING_MIN_VERSION,
	SETTING_MAX_VERSION,
	SETTING_CIPHERS,
	SETTING_SUITES,				/* since PostgreSQL 18; before, always "" */
	SETTING_GROUPS,
	SETTING_DH_FILE,
	SETTING_SERVER_ORDER,
	SETTING_PASSPHRASE_COMMAND, /* a secret */
	SETTING_PASSPHRASE_RELOAD
} TlsSetting;

#define NUM_TLS_SETTINGS (SETTING_PASSPHRASE_RELOAD + 1)

typedef struct ConfiguredSetting
{
	char	   *value;
	bool		fixed;			/* by the command line, which ALTER SYSTEM cannot
								 * override */
	bool		altered;		/* by ALTER SYSTEM */
} ConfiguredSetting;

typedef struct Configuration
{
	bool		ssl;
	ConfiguredSetting settings[NUM_TLS_SETTINGS];
	char	   *error;			/* why the server would not take the configuration
								 * files at a reload; NULL if it would */
} Configuration;

extern const char *tls_setting_name(TlsSetting setting);
extern Configuration *read_configuration(void);
extern bool is_setting_in_force(const Configuration *configuration, TlsSetting setting);
extern MaterialFiles configured_files(const Configuration *configuration);
extern TlsParameters configured_parameters(const Configuration *configuration);
extern void check_alter_tls_setting(const Configuration *configuration,
									TlsSetting setting);
extern void alter_tls_setting(TlsSetting setting, const char *value);

#endif							/* SSLPOLICY_CONFIGURATION_H */
