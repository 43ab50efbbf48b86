/*-------------------------------------------------------------------------
 *
 * configuration.c
 *		The server's TLS settings, as the next reload will find them.
 *
 * A backend's own copy of a setting can lag behind, and says nothing about what
 * stands in the files.  PostgreSQL's own reading of them is pg_file_settings.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "postmaster/postmaster.h"
#include "storage/lwlock.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "base/compat.h"
#include "base/privileged.h"
#include "material/configuration.h"

static const char *const setting_names[NUM_TLS_SETTINGS] = {
	"ssl",
	"ssl_cert_file",
	"ssl_key_file",
	"ssl_ca_file",
	"ssl_crl_file",
	"ssl_crl_dir",
	"sslpolicy.crl_file",
	"sslpolicy.crl_dir",
	"ssl_min_protocol_version",
	"ssl_max_protocol_version",
	"ssl_ciphers",
	"ssl_tls13_ciphers",
	COMPAT_GROUPS_SETTING,
	"ssl_dh_params_file",
	"ssl_prefer_server_ciphers",
	"ssl_passphrase_command",
	"ssl_passphrase_command_supports_reload",
};

const char *
tls_setting_name(TlsSetting setting)
{
	return setting_names[setting];
}

/*
 * The first error that makes the server leave all settings as they are.  One
 * that only concerns a setting which needs a restart does not.
 */
static char *
configuration_error(void)
{
	QueryResult *rows = privileged_query(
		"SELECT pg_catalog.concat('file \"', sourcefile, '\", line ', sourceline, ': ', "
		"CASE WHEN name IS NOT NULL THEN pg_catalog.concat('\"', name, '\": ') END, error) "
		"FROM pg_catalog.pg_file_settings "
		"WHERE error OPERATOR(pg_catalog.<>) 'setting could not be applied' "
		"ORDER BY seqno LIMIT 1");

	return rows->rows > 0 ? rows->values[0][0] : NULL;
}

/*
 * A setting that is on or off, which a file can spell in many ways.
 */
static bool
is_on(const Configuration *configuration, TlsSetting setting)
{
	bool		value;

	return parse_bool(configuration->settings[setting].value, &value) && value;
}

/*
 * Is what stands in the files also in force?
 */
bool
is_setting_in_force(const Configuration *configuration, TlsSetting setting)
{
	/* one that there is not in this version is never set */
	const char *now = GetConfigOption(setting_names[setting], true, false);
	const char *value = configuration->settings[setting].value;
	bool		on;

	switch (setting)
	{
		case SETTING_SSL:
			return configuration->ssl == EnableSSL;
		case SETTING_SERVER_ORDER:
		case SETTING_PASSPHRASE_RELOAD:
			return parse_bool(now, &on) && on == is_on(configuration, setting);
		case SETTING_MIN_VERSION:
		case SETTING_MAX_VERSION:
			/* TLSv1.2 can be written in any case */
			return pg_strcasecmp(value, now) == 0;
		default:
			return now == NULL || strcmp(value, now) == 0;
	}
}

/*
 * Read the configuration files.  With an error in them, the settings are those
 * in force; so is one whose new value the server rejects.
 */
Configuration *
read_configuration(void)
{
	Configuration *result = palloc0(sizeof(Configuration));
	QueryResult *rows;

	result->error = configuration_error();
	/* since 18 a file may still have the name that ssl_groups had before */
	rows = privileged_query(
		"SELECT s.name, s.setting, s.boot_val, s.source OPERATOR(pg_catalog.=) 'command line', "
		"f.setting, f.sourcefile OPERATOR(pg_catalog.~) 'postgresql[.]auto[.]conf$', f.applied "
		"FROM pg_catalog.pg_settings s LEFT JOIN pg_catalog.pg_file_settings f "
		"ON pg_catalog.lower(f.name) OPERATOR(pg_catalog.=) ANY (ARRAY[s.name, "
		"CASE WHEN s.name OPERATOR(pg_catalog.=) 'ssl_groups' THEN 'ssl_ecdh_curve' END]) "
		"AND (f.applied OR f.error OPERATOR(pg_catalog.=) 'setting could not be applied') "
		"WHERE s.name OPERATOR(pg_catalog.=) ANY (ARRAY['ssl', 'ssl_cert_file', 'ssl_key_file', 'ssl_ca_file', 'ssl_crl_file', 'ssl_crl_dir', 'sslpolicy.crl_file', 'sslpolicy.crl_dir', "
		"'ssl_min_protocol_version', 'ssl_max_protocol_version', 'ssl_ciphers', 'ssl_tls13_ciphers', 'ssl_ecdh_curve', 'ssl_groups', "
		"'ssl_dh_params_file', 'ssl_prefer_server_ciphers', 'ssl_passphrase_command', 'ssl_passphrase_command_supports_reload']) ORDER BY f.seqno");
	for (int row = 0; row < rows->rows; row++)
	{
		char	  **r = rows->values[row];

		for (int i = 0; i < NUM_TLS_SETTINGS; i++)
		{
			ConfiguredSetting *setting = &result->settings[i];

			if (strcmp(r[0], setting_names[i]) != 0)
				continue;
			setting->fixed = strcmp(r[3], "t") == 0;
			setting->altered = r[5] && strcmp(r[5], "t") == 0;
			if (setting->fixed || result->error || (r[6] && strcmp(r[6], "f") == 0))
				setting->value = r[1];
			else
				setting->value = r[4] ? r[4] : r[2];
			if (setting->value == NULL)
				setting->value = pstrdup("");
		}
	}
	if (result->settings[SETTING_SUITES].value == NULL)
		result->settings[SETTING_SUITES].value = pstrdup("");
	for (int i = 0; i < NUM_TLS_SETTINGS; i++)
		if (result->settings[i].value == NULL)
			elog(ERROR, "setting \"%s\" was not found", setting_names[i]);
	result->ssl = is_on(result, SETTING_SSL);
	return result;
}

MaterialFiles
configured_files(const Configuration *configuration)
{
	MaterialFiles files;

	files.cert_file = configuration->settings[SETTING_CERT_FILE].value;
	files.key_file = configuration->settings[SETTING_KEY_FILE].value;
	files.ca_file = configuration->settings[SETTING_CA_FILE].value;
	files.crl_file = configuration->settings[SETTING_CRL_FILE].value;
	files.crl_dir = configuration->settings[SETTING_CRL_DIR].value;
	return files;
}

TlsParameters
configured_parameters(const Configuration *configuration)
{
	TlsParameters parameters;

	parameters.min_version = configuration->settings[SETTING_MIN_VERSION].value;
	parameters.max_version = configuration->settings[SETTING_MAX_VERSION].value;
	parameters.ciphers = configuration->settings[SETTING_CIPHERS].value;
	parameters.suites = configuration->settings[SETTING_SUITES].value;
	parameters.groups = configuration->settings[SETTING_GROUPS].value;
	parameters.dh_file = configuration->settings[SETTING_DH_FILE].value;
	parameters.server_order = is_on(configuration, SETTING_SERVER_ORDER);
	parameters.passphrase_set = configuration->settings[SETTING_PASSPHRASE_COMMAND].value[0] != '\0';
	parameters.passphrase_reload = is_on(configuration, SETTING_PASSPHRASE_RELOAD);
	return parameters;
}

/*
 * Would ALTER SYSTEM change this setting?  An error if not.
 */
void
check_alter_tls_setting(const Configuration *configuration, TlsSetting setting)
{
	const ConfiguredSetting *s = &configuration->settings[setting];

	if (!compat_allow_alter_system())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s must be set, and ALTER SYSTEM is not allowed in this environment",
						setting_names[setting]),
				 errdetail("allow_alter_system is off."),
				 errhint("Set %s to the path of a file in the server's configuration, and reload it.",
						 setting_names[setting])));
	if (s->fixed)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%s must be set, and the command line of the server has the last word on it",
						setting_names[setting]),
				 errdetail("It is \"%s\" there.", s->value),
				 errhint("Take %s off the server's command line, or set it to the path of a file there.",
						 setting_names[setting])));
	if (configuration->error)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("%s must be set, and the server would not take its configuration files",
						setting_names[setting]),
				 errdetail("%s", configuration->error),
				 errhint("Mend the file first. The view pg_file_settings shows all errors.")));
}

/*
 * ALTER SYSTEM SET, or RESET with a NULL value, as superuser.  Takes effect at
 * the next reload.  (The statement itself is not allowed in a function.)
 */
void
alter_tls_setting(TlsSetting setting, const char *value)
{
	AlterSystemStmt *statement = makeNode(AlterSystemStmt);
	VariableSetStmt *set = makeNode(VariableSetStmt);
	SavedUser	saved = become_superuser();

	set->kind = value ? VAR_SET_VALUE : VAR_RESET;
	set->name = pstrdup(setting_names[setting]);
	if (value)
	{
		A_Const    *constant = makeNode(A_Const);

		constant->val.sval.type = T_String;
		constant->val.sval.sval = pstrdup(value);
		constant->location = -1;
		set->args = list_make1(constant);
	}
	statement->setstmt = set;
	PG_TRY();
	{
		AlterSystemSetConfigFile(statement);
	}
	PG_CATCH();
	{
		/* whoever undoes what was begun may want to come here again */
		if (LWLockHeldByMe(AutoFileLock))
		{
			/* the error has set the count to 0, from which this takes 1 */
			HOLD_INTERRUPTS();
			LWLockRelease(AutoFileLock);
		}
		restore_user(saved);
		PG_RE_THROW();
	}
	PG_END_TRY();
	restore_user(saved);
}
