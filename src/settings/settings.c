/*-------------------------------------------------------------------------
 *
 * settings.c
 *		The sslpolicy.* settings: definition, checking, and access by getters.
 *
 * All of them are PGC_SIGHUP, or PGC_POSTMASTER where shared memory or files of
 * our own depend on them: they bind the whole server, and GRANT ALTER SYSTEM ON
 * PARAMETER delegates them.  A bad value is refused when it is set and at reload,
 * where the old one stays; at server start it is fatal.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#include "base/compat.h"
#include "base/files.h"
#include "base/fingerprint.h"
#include "policy/matcher.h"
#include "settings/settings.h"

/* names that are also told in errors */
#define DEFAULT_POLICY "sslpolicy.default_policy"
#define MINIMUM_POLICY "sslpolicy.minimum_policy"

typedef struct FingerprintList
{
	int			count;
	uint8		bytes[FLEXIBLE_ARRAY_MEMBER];
} FingerprintList;

static const struct config_enum_entry enforcement_options[] = {
	{"off", ENFORCEMENT_OFF, false},
	{"log", ENFORCEMENT_LOG, false},
	{"enforce", ENFORCEMENT_ENFORCE, false},
	{NULL, 0, false},
};

static const struct config_enum_entry recheck_options[] = {
	{"off", RECHECK_OFF, false},
	{"log", RECHECK_LOG, false},
	{"terminate", RECHECK_TERMINATE, false},
	{NULL, 0, false},
};

static const struct config_enum_entry crl_gap_options[] = {
	{"reject", CRL_GAP_REJECT, false},
	{"accept", CRL_GAP_ACCEPT, false},
	{NULL, 0, false},
};

static int	enforcement_setting = ENFORCEMENT_ENFORCE;
static char *default_policy_setting = NULL;
static char *minimum_policy_setting = NULL;
static char *reserved_roles_setting = NULL;
static char *blocked_fingerprints_setting = NULL;
static FingerprintList *blocked = NULL;
static int	max_certificate_text_setting = 16;
static char *directory_setting = NULL;
static bool install_setting = true;
static int	max_crl_size_setting = 16 * 1024;
static int	recheck_policy_setting = RECHECK_LOG;
static int	recheck_revoked_setting = RECHECK_TERMINATE;
static int	terminate_grace_setting = 30;
static int	recheck_interval_setting = 60;
static bool auto_reload_setting = false;
static char *crl_file_setting = NULL;
static char *crl_dir_setting = NULL;

/* of these two: digest_crl_settings() */
static uint8 crl_digest[FINGERPRINT_LEN];
static bool crl_digest_made = false;
static int	crl_expired_setting = CRL_GAP_REJECT;
static int	crl_missing_setting = CRL_GAP_REJECT;
static int	max_recent_logins_setting = 1000;
static int	max_rejections_setting = 1000;
static int	lint_server_days_setting = 30;
static int	lint_ca_days_setting = 30;
static int	lint_crl_days_setting = 30;

Enforcement
enforcement(void)
{
	return enforcement_setting;
}

/*
 * The policy of roles without a label of their own; "" for none.
 */
const char *
default_policy(void)
{
	return default_policy_setting ? default_policy_setting : "";
}

/*
 * The policy of everybody; "" for none.
 */
const char *
minimum_policy(void)
{
	return minimum_policy_setting ? minimum_policy_setting : "";
}

/*
 * Up to how many bytes of a certificate's text the session table keeps.
 */
size_t
max_certificate_text(void)
{
	return (size_t) max_certificate_text_setting * 1024;
}

/*
 * Where the files of sslpolicy are; relative to the data directory.
 */
const char *
material_directory(void)
{
	return directory_setting;
}

/*
 * May the functions that install TLS material be used?
 */
bool
installation_allowed(void)
{
	return install_setting;
}

/*
 * The largest CRL that is installed, in bytes.
 */
size_t
max_crl_size(void)
{
	return (size_t) max_crl_size_setting * 1024;
}

/*
 * What becomes of a live session that its policies would refuse now.
 */
RecheckAction
recheck_policy(void)
{
	return recheck_policy_setting;
}

/*
 * What becomes of a live session whose certificate is revoked or blocked.
 */
RecheckAction
recheck_revoked(void)
{
	return recheck_revoked_setting;
}

int
terminate_grace_ms(void)
{
	return terminate_grace_setting * 1000;
}

int
recheck_interval_ms(void)
{
	return recheck_interval_setting * 1000;
}

/*
 * Are changed TLS files loaded without being told?
 */
bool
auto_reload(void)
{
	return auto_reload_setting;
}

/*
 * CRLs that sslpolicy itself checks; "" for none.
 */
const char *
crl_file(void)
{
	return crl_file_setting ? crl_file_setting : "";
}

const char *
crl_dir(void)
{
	return crl_dir_setting ? crl_dir_setting : "";
}

bool
crls_configured(void)
{
	return crl_file()[0] || crl_dir()[0];
}

/*
 * SHA-256 of these two settings, joined by a line break, which an index of CRLs holds.  NULL
 * if it could not be made when they were set: by the postmaster for all its processes.
 */
const uint8 *
crl_settings_digest(void)
{
	return crl_digest_made ? crl_digest : NULL;
}

/*
 * This may not fail while a setting is assigned, so it allocates nothing.
 */
static void
digest_crl_settings(const char *file, const char *dir)
{
	char		text[2 * MAXPGPATH];
	int			len = snprintf(text, sizeof(text), "%s\n%s", file, dir);

	crl_digest_made = len < (int) sizeof(text) && compute_sha256(text, (size_t) len, crl_digest);
}

/*
 * May a certificate be used although the CRL of its issuer has expired, or there
 * is none?
 */
bool
accept_expired_crl(void)
{
	return crl_expired_setting == CRL_GAP_ACCEPT;
}

bool
accept_missing_crl(void)
{
	return crl_missing_setting == CRL_GAP_ACCEPT;
}

/*
 * How many rows are kept for the views of these names; 0: none.
 */
int
max_recent_logins(void)
{
	return max_recent_logins_setting;
}

int
max_rejections(void)
{
	return max_rejections_setting;
}

/*
 * How long before the end of its validity sslpolicy.lint() speaks of the server's
 * certificate, a CA, a CRL.
 */
int
lint_server_days(void)
{
	return lint_server_days_setting;
}

int
lint_ca_days(void)
{
	return lint_ca_days_setting;
}

int
lint_crl_days(void)
{
	return lint_crl_days_setting;
}

/*
 * The list of role names as it is written; "" for none.
 */
const char *
reserved_roles(void)
{
	return reserved_roles_setting ? reserved_roles_setting : "";
}

/*
 * The SHA-256 of certificates that are blocked: FINGERPRINT_LEN bytes each.
 */
const uint8 *
blocked_fingerprints(int *count)
{
	*count = blocked ? blocked->count : 0;
	return blocked ? blocked->bytes : NULL;
}

/*
 * The place of an error in policy text, for errdetail: characters, from 1.
 */
static char *
error_place(const char *text, const PolicyError *error)
{
	/*
	 * Where the text is too long, the offset can be inside a character, which
	 * pg_mbstrlen_with_len() would raise an error for.
	 */
	int			whole = pg_mbcliplen(text, (int) strlen(text), error->offset);
	int			position = pg_mbstrlen_with_len(text, whole) + 1;

	if (error->key)
		return psprintf("At character %d, key \"%s\".", position, error->key);
	return psprintf("At character %d.", position);
}

int
policy_errdetail(const char *text, const PolicyError *error)
{
	errdetail("%s", error_place(text, error));
	if (error->hint)
		errhint("%s", error->hint);
	return 0;
}

static bool
check_policy_setting(const char *name, const char *value, const char *current,
					 PolicyPlace place)
{
	PolicyError error;

	/* every process checks every setting at each reload: most are unchanged */
	if (value == NULL || value[0] == '\0' ||
		(current != NULL && strcmp(value, current) == 0))
		return true;
	if (parse_policy(value, place,
					 process_shared_preload_libraries_in_progress ? &stored_setting_checks : &setting_checks,
					 &error) != NULL)
		return true;

	GUC_check_errcode(ERRCODE_INVALID_PARAMETER_VALUE);
	GUC_check_errmsg("invalid value for parameter \"%s\": %s", name, error.message);
	GUC_check_errdetail("%s", error_place(value, &error));
	if (error.hint)
		GUC_check_errhint("%s", error.hint);
	return false;
}

static bool
check_default_policy(char **newval, void **extra, GucSource source)
{
	return check_policy_setting(DEFAULT_POLICY, *newval,
								default_policy_setting, PLACE_DEFAULT);
}

static bool
check_minimum_policy(char **newval, void **extra, GucSource source)
{
	return check_policy_setting(MINIMUM_POLICY, *newval,
								minimum_policy_setting, PLACE_MINIMUM);
}

static bool
check_reserved_roles(char **newval, void **extra, GucSource source)
{
	char	   *copy = pstrdup(*newval ? *newval : "");
	List	   *names;

	if (SplitIdentifierString(copy, ',', &names))
		return true;
	GUC_check_errdetail("The list of role names has a syntax error.");
	GUC_check_errhint("Write a list such as 'alice, \"Bob\"': commas between names, double quotes around those with upper-case letters or special characters.");
	return false;
}

static bool
check_blocked_fingerprints(char **newval, void **extra, GucSource source)
{
	int			count;
	char	   *bad;
	uint8	   *bytes = parse_fingerprints(*newval ? *newval : "", &count, &bad);
	size_t		size;
	FingerprintList *list;

	if (bytes == NULL)
	{
		GUC_check_errdetail("\"%s\" is not a SHA-256 fingerprint.", bad);
		GUC_check_errhint("Write 64 hexadecimal digits, with or without colons, and commas between fingerprints.");
		return false;
	}

	size = (size_t) count * FINGERPRINT_LEN;
	list = compat_guc_malloc(offsetof(FingerprintList, bytes) + size);
	if (list == NULL)
		return false;
	list->count = count;
	memcpy(list->bytes, bytes, size);
	*extra = list;
	return true;
}

static bool
check_directory(char **newval, void **extra, GucSource source)
{
	if (*newval == NULL || (*newval)[0] == '\0')
	{
		GUC_check_errdetail("It must not be empty.");
		return false;
	}
	if (strlen(*newval) > MAXPGPATH - 100)
	{
		GUC_check_errdetail("It is too long.");
		return false;
	}
	canonicalize_path(*newval);
	return true;
}

static bool
check_crl_path(char **newval, void **extra, GucSource source)
{
	if (*newval != NULL && strlen(*newval) > MAXPGPATH - 100)
	{
		GUC_check_errdetail("It is too long.");
		return false;
	}
	if (*newval != NULL && (*newval)[0])
		canonicalize_path(*newval);
	return true;
}

static void
assign_crl_file(const char *newval, void *extra)
{
	digest_crl_settings(newval ? newval : "", crl_dir());
}

static void
assign_crl_dir(const char *newval, void *extra)
{
	digest_crl_settings(crl_file(), newval ? newval : "");
}

static void
assign_blocked_fingerprints(const char *newval, void *extra)
{
	blocked = extra;
}

typedef enum SettingType
{
	SETTING_BOOL,
	SETTING_INT,
	SETTING_ENUM,
	SETTING_STRING
} SettingType;

/*
 * A setting.  All are defined, and insisted on, from the one list of them.
 */
typedef struct Setting
{
	const char *name;
	const char *summary;
	const char *details;
	GucContext	context;
	int			flags;
	SettingType type;
	union
	{
		struct
		{
			bool	   *variable;
		} boolean;
		struct
		{
			int		   *variable;
			int			min;
			int			max;
		} integer;
		struct
		{
			int		   *variable;
			const struct config_enum_entry *options;
		} choice;
		struct
		{
			char	  **variable;
			const char *initially;
			GucStringCheckHook check;
			GucStringAssignHook assign;
		} string;
	} as;
} Setting;

/*
 * A type and what belongs to it.  The default is what the variable is initialized
 * with, so that it stands once; that of a string, which is NULL until it is
 * defined, is given here.
 */
#define BOOL_SETTING(variable) \
	SETTING_BOOL, \
	{ \
		.boolean = { variable } \
	}
#define INT_SETTING(variable, min, max) \
	SETTING_INT, \
	{ \
		.integer = { variable, \
					 min, \
					 max } \
	}
#define ENUM_SETTING(variable, options) \
	SETTING_ENUM, \
	{ \
		.choice = { variable, \
					options } \
	}
#define STRING_SETTING(variable, initially, check, assign) \
	SETTING_STRING, \
	{ \
		.string = { variable, \
					initially, \
					check, \
					assign } \
	}

static const Setting settings[] = {
	{DEFAULT_POLICY,
	 "TLS policy of roles that have no policy of their own.",
	 "Written in the policy language. Empty means none.",
	 PGC_SIGHUP, 0,
	 STRING_SETTING(&default_policy_setting, "", check_default_policy, NULL)},
	{MINIMUM_POLICY,
	 "TLS policy that every TCP connection must meet, whatever the role.",
	 "Written in the policy language, without cn, uid, email, dn and san. Empty means none.",
	 PGC_SIGHUP, 0,
	 STRING_SETTING(&minimum_policy_setting, "", check_minimum_policy, NULL)},
	{"sslpolicy.reserved_roles",
	 "Roles that are bound neither by policies of groups nor of databases, and whose policy only superusers change.",
	 "A comma-separated list of role names.",
	 PGC_SIGHUP, GUC_LIST_INPUT,
	 STRING_SETTING(&reserved_roles_setting, "", check_reserved_roles, NULL)},
	{"sslpolicy.blocked_fingerprints",
	 "Client certificates, and CAs, that are refused.",
	 "A comma-separated list of SHA-256 fingerprints. They are refused whatever sslpolicy.enforcement says.",
	 PGC_SIGHUP, GUC_LIST_INPUT,
	 STRING_SETTING(&blocked_fingerprints_setting, "", check_blocked_fingerprints, assign_blocked_fingerprints)},
	{"sslpolicy.enforcement",
	 "What happens to a connection that does not meet its TLS policies.",
	 "enforce refuses it; log lets it in and logs what would have been refused; off does not look.",
	 PGC_SIGHUP, 0,
	 ENUM_SETTING(&enforcement_setting, enforcement_options)},
	{"sslpolicy.max_certificate_text",
	 "Most text of a client certificate that is kept for sslpolicy.sessions.",
	 "Longer names are cut there, and say so. Policies always see the whole certificate.",
	 PGC_SIGHUP, GUC_UNIT_KB,
	 INT_SETTING(&max_certificate_text_setting, 1, 128)},
	{"sslpolicy.directory",
	 "Directory for TLS material that sslpolicy installs, and for its history.",
	 "Relative to the data directory. It is made when it is needed.",
	 PGC_POSTMASTER, 0,
	 STRING_SETTING(&directory_setting, "sslpolicy", check_directory, NULL)},
	{"sslpolicy.install",
	 "Whether functions may install TLS material.",
	 "Turn it off where another agent owns the files.",
	 PGC_SIGHUP, 0,
	 BOOL_SETTING(&install_setting)},
	{"sslpolicy.max_crl_size",
	 "Largest certificate revocation list that is installed.",
	 "Each connection with TLS walks the whole of ssl_crl_file.",
	 PGC_SIGHUP, GUC_UNIT_KB,
	 INT_SETTING(&max_crl_size_setting, 1, MAX_FILE_BYTES / 1024)},
	{"sslpolicy.recheck_policy",
	 "What happens to a live session that its TLS policies would refuse now.",
	 "terminate ends it, log logs it, off does not look.",
	 PGC_SIGHUP, 0,
	 ENUM_SETTING(&recheck_policy_setting, recheck_options)},
	{"sslpolicy.recheck_revoked",
	 "What happens to a live session whose client certificate is revoked or blocked.",
	 "terminate ends it, log logs it, off does not look.",
	 PGC_SIGHUP, 0,
	 ENUM_SETTING(&recheck_revoked_setting, recheck_options)},
	{"sslpolicy.terminate_grace",
	 "How long sslpolicy.recheck_policy = terminate waits for the end of a session's transaction.",
	 "0 does not wait.",
	 PGC_SIGHUP, GUC_UNIT_S,
	 INT_SETTING(&terminate_grace_setting, 0, 24 * 3600)},
	{"sslpolicy.recheck_interval",
	 "Longest time between two checks of all live sessions.",
	 "Changes of policies, roles, settings and TLS material are noticed at once, whatever it is.",
	 PGC_SIGHUP, GUC_UNIT_S,
	 INT_SETTING(&recheck_interval_setting, 1, 24 * 3600)},
	{"sslpolicy.crl_file",
	 "File of certificate revocation lists that sslpolicy checks, in place of ssl_crl_file.",
	 "PEM or DER, of any number of issuers. Empty means none.",
	 PGC_SIGHUP, 0,
	 STRING_SETTING(&crl_file_setting, "", check_crl_path, assign_crl_file)},
	{"sslpolicy.crl_dir",
	 "Directory of certificate revocation lists that sslpolicy checks, in place of ssl_crl_dir.",
	 "Every file in it must hold CRLs, whatever its name. Empty means none.",
	 PGC_SIGHUP, 0,
	 STRING_SETTING(&crl_dir_setting, "", check_crl_path, assign_crl_dir)},
	{"sslpolicy.crl_expired",
	 "What happens to a client certificate if the CRL of a CA that issued it has expired.",
	 "Only where sslpolicy.crl_file or crl_dir is set.",
	 PGC_SIGHUP, 0,
	 ENUM_SETTING(&crl_expired_setting, crl_gap_options)},
	{"sslpolicy.crl_missing",
	 "What happens to a client certificate if there is no CRL of a CA that issued it.",
	 "Only where sslpolicy.crl_file or crl_dir is set.",
	 PGC_SIGHUP, 0,
	 ENUM_SETTING(&crl_missing_setting, crl_gap_options)},
	{"sslpolicy.auto_reload",
	 "Whether changed files of ssl_cert_file, ssl_key_file, ssl_ca_file and ssl_crl_file are loaded without being told.",
	 "They are checked as sslpolicy.reload() does; bad ones are logged and left alone.",
	 PGC_SIGHUP, 0,
	 BOOL_SETTING(&auto_reload_setting)},
	{"sslpolicy.max_recent_logins",
	 "How many rows sslpolicy.recent_logins has at most.",
	 "0 keeps none. A row takes about 2 kB of shared memory.",
	 PGC_POSTMASTER, 0,
	 INT_SETTING(&max_recent_logins_setting, 0, 10000)},
	{"sslpolicy.max_rejections",
	 "How many rows of roles that exist sslpolicy.rejections has at most.",
	 "0 keeps none. A row takes about 2 kB of shared memory; seven tenths are added for what PostgreSQL itself refuses and for all others.",
	 PGC_POSTMASTER, 0,
	 INT_SETTING(&max_rejections_setting, 0, 10000)},
	{"sslpolicy.lint_server_days",
	 "How many days before the server's certificate expires sslpolicy.lint() says so.",
	 "0 waits until it has expired.",
	 PGC_SIGHUP, 0,
	 INT_SETTING(&lint_server_days_setting, 0, 3650)},
	{"sslpolicy.lint_ca_days",
	 "How many days before a CA in ssl_ca_file expires sslpolicy.lint() says so.",
	 "0 waits until it has expired.",
	 PGC_SIGHUP, 0,
	 INT_SETTING(&lint_ca_days_setting, 0, 3650)},
	{"sslpolicy.lint_crl_days",
	 "How many days before a certificate revocation list expires sslpolicy.lint() says so.",
	 "0 waits until it has expired.",
	 PGC_SIGHUP, 0,
	 INT_SETTING(&lint_crl_days_setting, 0, 3650)},
};

static void
define_setting(const Setting *setting)
{
	switch (setting->type)
	{
		case SETTING_BOOL:
			DefineCustomBoolVariable(setting->name, setting->summary, setting->details,
									 setting->as.boolean.variable, *setting->as.boolean.variable,
									 setting->context, setting->flags, NULL, NULL, NULL);
			break;
		case SETTING_INT:
			DefineCustomIntVariable(setting->name, setting->summary, setting->details,
									setting->as.integer.variable, *setting->as.integer.variable,
									setting->as.integer.min, setting->as.integer.max,
									setting->context, setting->flags, NULL, NULL, NULL);
			break;
		case SETTING_ENUM:
			DefineCustomEnumVariable(setting->name, setting->summary, setting->details,
									 setting->as.choice.variable, *setting->as.choice.variable,
									 setting->as.choice.options,
									 setting->context, setting->flags, NULL, NULL, NULL);
			break;
		case SETTING_STRING:
			DefineCustomStringVariable(setting->name, setting->summary, setting->details,
									   setting->as.string.variable, setting->as.string.initially,
									   setting->context, setting->flags,
									   setting->as.string.check, setting->as.string.assign, NULL);
			break;
	}
}

/*
 * A setting in the configuration file that fails its check when the library
 * defines it would leave only a WARNING and the default behind, that is an
 * empty policy.  Check it again so that it ends the start of the server.
 */
static void
insist(const char *name, const char *value)
{
	if (value != NULL)
		(void) set_config_option(name, value, PGC_SIGHUP, PGC_S_FILE,
								 GUC_ACTION_SET, false, ERROR, false);
}

void
define_settings(void)
{
	char	   *written[lengthof(settings)];

	for (int i = 0; i < (int) lengthof(settings); i++)
	{
		const char *value = GetConfigOption(settings[i].name, true, false);

		written[i] = value ? pstrdup(value) : NULL;
	}

	for (int i = 0; i < (int) lengthof(settings); i++)
		define_setting(&settings[i]);
	MarkGUCPrefixReserved("sslpolicy");

	for (int i = 0; i < (int) lengthof(settings); i++)
		insist(settings[i].name, written[i]);
}
