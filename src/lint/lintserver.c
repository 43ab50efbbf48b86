/*-------------------------------------------------------------------------
 *
 * lintserver.c
 *		Findings about the running server and its settings.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "libpq/libpq.h"
#include "miscadmin.h"
#include "postmaster/postmaster.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/datums.h"
#include "base/memory.h"
#include "base/privileged.h"
#include "base/told.h"
#include "labels/exceptions.h"
#include "lint/lint.h"
#include "material/configuration.h"
#include "material/generation.h"
#include "material/handshake.h"
#include "material/probe.h"
#include "pki/x509.h"
#include "settings/settings.h"

#define RELOAD_REMEDY "SELECT * FROM sslpolicy.reload(): it checks the files first, loads them, and says whether the server did."

/*
 * The certificates of a file as they would be loaded, sorted.
 */
static LoadedList *
describe_file(const PemFile *file, LoadedKind kind)
{
	LoadedList *list = palloc0(sizeof(LoadedList));
	int			count = sk_X509_num(file->content->certs);

	list->items = palloc0(sizeof(Loaded) * (Size) (count + 1));
	for (int i = 0; i < count; i++)
	{
		list->items[list->count].kind = (uint8) kind;
		if (certificate_fingerprint(sk_X509_value(file->content->certs, i), list->items[list->count].fingerprint))
			list->count++;
	}
	sort_loaded(list);
	return list;
}

static void
compare_file(Survey *survey, const LoadedList *loaded, LoadedKind kind, const char *path)
{
	const PemFile *file = read_once(survey, path);
	LoadedList *in_file = describe_file(file, kind);
	bool		same = true;

	for (int i = 0; i < in_file->count; i++)
		same &= is_loaded(loaded, kind, in_file->items[i].fingerprint);
	/* what is loaded and not in the file any more */
	if (kind == LOADED_CA && file->error == NULL &&
		(files_may_be_told() || sk_X509_num(file->content->certs) > 0))
		for (int i = 0; i < loaded->count && ssl_crl_file[0] == '\0'; i++)
			same &= loaded->items[i].kind != (uint8) LOADED_CA ||
				is_loaded(in_file, LOADED_CA, loaded->items[i].fingerprint);
	if (!same)
		add_finding(&survey->findings, SEVERITY_WARNING, "file_not_in_force", psprintf("file \"%s\"", path),
					"The file has changed since the server loaded it: new connections are still served with what it was.",
					RELOAD_REMEDY);
}

/*
 * Settings of TLS files, as they stand in the configuration and as they are in
 * force.
 */
static void
compare_settings(Survey *survey, const Configuration *configuration)
{
	for (int i = 0; i < NUM_TLS_SETTINGS; i++)
	{
		const char *name = tls_setting_name((TlsSetting) i);

		if (is_setting_in_force(configuration, (TlsSetting) i))
			continue;
		add_finding(&survey->findings, SEVERITY_WARNING, "setting_not_in_force", psprintf("setting %s", name),
					i == SETTING_PASSPHRASE_COMMAND ?
						"The configuration says something else than what is in force: the server has not been told to reload." :
						psprintf("The configuration says \"%s\", and \"%s\" is in force: the server has not been told to reload.",
								 configuration->settings[i].value, GetConfigOption(name, false, false)),
					RELOAD_REMEDY);
	}
}

/*
 * Lines of the configuration files that the server passes over at a reload, with
 * what was before, and at which it stops at a start.  (Those that only want a
 * restart have the same error; and those that depend on the database are checked in
 * this one here, and at a start not at all.)  Not their values: those may be secret.
 */
static void
check_rejected_settings(Survey *survey)
{
	QueryResult *rows = privileged_query(
		"SELECT pg_catalog.concat(f.sourcefile, ', line ', f.sourceline), f.name, "
		"s.name IS NULL "
		"FROM pg_catalog.pg_file_settings f LEFT JOIN pg_catalog.pg_settings s "
		"ON pg_catalog.lower(f.name) OPERATOR(pg_catalog.=) pg_catalog.lower(s.name) "
		"WHERE f.error OPERATOR(pg_catalog.=) 'setting could not be applied' "
		"AND s.pending_restart IS NOT TRUE "
		"AND pg_catalog.lower(f.name) OPERATOR(pg_catalog.<>) ALL (ARRAY["
		"'default_text_search_config', 'default_tablespace', 'temp_tablespaces', "
		"'default_table_access_method', 'client_encoding']) ORDER BY f.seqno");

	for (int row = 0; row < rows->rows; row++)
	{
		char	  **r = rows->values[row];
		bool		unknown = strcmp(r[2], "t") == 0;

		add_finding(&survey->findings, SEVERITY_ERROR, "setting_rejected", r[0],
					unknown ?
						psprintf("There is no setting \"%s\": the line has no effect.", r[1]) :
						psprintf("The value of \"%s\" is not accepted: the server goes on with the one from before, and does not start with this one.", r[1]),
					unknown ?
						psprintf("Mend the line: SELECT name FROM pg_settings WHERE name ~ '^%.*s' shows the settings that there are. Then SELECT pg_reload_conf().",
								 (int) strcspn(r[1], "."), r[1]) :
						"Mend the line: the server log has what is wrong with it. Then SELECT pg_reload_conf().");
	}
}

/*
 * The last load has failed.  What was wrong may have been mended since.
 */
static void
report_failed_load(Survey *survey, const Configuration *configuration, const LoadState *state)
{
	MaterialFiles files = configured_files(configuration);
	TlsParameters parameters = configured_parameters(configuration);
	char	   *error;
	AtStart		at_start;
	SSL_CTX    *context = build_context_or(&files, &parameters, &error, &at_start);
	bool		mended = context != NULL && try_handshakes(context, &parameters)->untried == NULL;

	SSL_CTX_free(context);
	if (mended || at_start == START_RUNS_COMMAND)
		add_finding(&survey->findings, SEVERITY_WARNING, "reload_failed", "TLS files",
					psprintf("The server did not load its TLS files on %s%s%s: it still uses those from before. %s",
							 timestamptz_to_str(state->failed_at), state->error[0] ? ": " : "", state->error,
							 mended ? "As files and settings are now, it could load them." :
									  "As files and settings are now, a restart would load them."),
					mended ? RELOAD_REMEDY : "Restart the server to have them loaded, or set ssl_passphrase_command_supports_reload = on.");
	else
		add_finding(&survey->findings, SEVERITY_ERROR, "reload_failed", "TLS files",
					psprintf("The server did not load its TLS files on %s%s%s: it still uses those from before, and would not start again.",
							 timestamptz_to_str(state->failed_at), state->error[0] ? ": " : "", state->error),
					RELOAD_REMEDY);
}

/*
 * Is what the server serves with what stands in its files?
 */
void
lint_in_force(Survey *survey)
{
	const Configuration *configuration = next_settings(survey);
	LoadState  *state = load_state();
	LoadedList *loaded = EnableSSL ? probe_loaded() : NULL;

	if (configuration->error)
		add_finding(&survey->findings, SEVERITY_ERROR, "configuration_broken", "configuration files",
					psprintf("The server takes no settings from its files, at a reload or a start: %s.", configuration->error),
					"Mend the file; SELECT * FROM pg_file_settings WHERE error IS NOT NULL shows all errors. Then SELECT pg_reload_conf().");
	else
		compare_settings(survey, configuration);
	check_rejected_settings(survey);
	if (EnableSSL && state->failed != 0 && state->failed == state->attempt)
		report_failed_load(survey, configuration, state);
	if (loaded == NULL || compat_certificates_by_host())
		return;
	compare_file(survey, loaded, LOADED_SERVER, ssl_cert_file);
	compare_file(survey, loaded, LOADED_CA, ssl_ca_file);
}

/*
 * restart is what a restart would do, after a comma.
 */
static void
report_unloadable(Survey *survey, const char *error, const char *restart)
{
	add_finding(&survey->findings, SEVERITY_ERROR, "files_not_loadable", "TLS files",
				psprintf("The server could not load its TLS files as they are now: %s. A reload would leave those from before in force, %s.", error, restart),
				"Mend the file or the setting, then " RELOAD_REMEDY);
}

/*
 * Could clients connect with what the server would load now?
 */
static void
check_handshakes(Survey *survey, SSL_CTX *context, const TlsParameters *parameters)
{
	Handshakes *handshakes = try_handshakes(context, parameters);
	char	   *failures = handshake_failures(handshakes);
	bool		any = any_handshake_works(handshakes);

	if (handshakes->untried)
		report_unloadable(survey, handshakes->untried, "and a restart would fail");
	if (failures)
		add_finding(&survey->findings, any ? SEVERITY_WARNING : SEVERITY_ERROR, "handshake_fails", "TLS files and settings",
					psprintf("%s with the TLS files and settings as they are now: %s.",
							 any ? "Ordinary clients cannot connect by one of the TLS versions" : "No ordinary client can connect by TLS",
							 failures),
					"Install a server certificate with a key that clients can use (RSA, EC on P-256, P-384 or P-521, Ed25519), or mend ssl_ciphers, " COMPAT_GROUPS_SETTING ", ssl_min_protocol_version and ssl_max_protocol_version, then " RELOAD_REMEDY);
}

/*
 * What the server would send that is too large for some clients.
 */
static void
check_sizes(Survey *survey, SSL_CTX *context)
{
	char	   *names = ca_names_problem(context);
	char	   *chain = chain_problem(context);

	if (names)
		add_finding(&survey->findings, SEVERITY_WARNING, "ca_names_too_long", "setting ssl_ca_file",
					psprintf("Of ssl_ca_file, %s.", names),
					"Remove CAs that no client needs with sslpolicy.remove_ca(), or put others behind one root.");
	if (chain)
		add_finding(&survey->findings, SEVERITY_WARNING, "server_chain_too_long", "setting ssl_cert_file",
					psprintf("Of ssl_cert_file, %s.", chain),
					"Leave out certificates that clients do not need: the root, and those of other chains.");
}

/*
 * May the current user know that the key has a passphrase?  Everybody may who sees the
 * finding, of a key that the server has loaded; of another file, see told.c.
 */
static bool
key_may_be_told(const MaterialFiles *files)
{
	LoadState  *state = load_state();

	return files_may_be_told() || (strcmp(files->key_file, ssl_key_file) == 0 && state->failed != state->attempt);
}

/*
 * Would the server load its files now, at a reload or a start?
 */
void
lint_loadable(Survey *survey)
{
	const Configuration *configuration = next_settings(survey);
	MaterialFiles files = configured_files(configuration);
	TlsParameters parameters = configured_parameters(configuration);
	char	   *error;
	SSL_CTX    *context;
	AtStart		at_start;

	if (!configuration->ssl)
		return;
	if (compat_certificates_by_host())
	{
		add_finding(&survey->findings, SEVERITY_WARNING, "certificates_by_host", "setting ssl_sni",
					"ssl_sni is on, and the server takes certificates and CAs from pg_hosts.conf: those in ssl_cert_file and ssl_ca_file, of which the other findings speak, are not in force.",
					"Check the files of pg_hosts.conf by hand. Installations need ssl_sni = off, or a pg_hosts.conf without lines.");
		return;
	}
	context = build_context_or(&files, &parameters, &error, &at_start);
	if (context)
	{
		(void) free_at_reset(context, (void (*)(void *)) SSL_CTX_free);
		check_handshakes(survey, context, &parameters);
		check_sizes(survey, context);
	}
	else if (at_start == START_RUNS_COMMAND && key_may_be_told(&files))
		add_finding(&survey->findings, SEVERITY_WARNING, "files_need_restart", "setting ssl_passphrase_command_supports_reload",
					"It is off, and the private key has a passphrase: a reload keeps what the server loaded before, and only a restart loads the files as they are now.",
					"So that renewed certificates, CAs and CRLs can be loaded, set ssl_passphrase_command_supports_reload = on if the command can run without a terminal, or take the passphrase off the key.");
	else
		report_unloadable(survey, error, !files_may_be_told() ? "and a restart can fail" : at_start == START_ASKS ? "and a restart would ask for the passphrase at the terminal" :
																													"and a restart would fail");
}

/*
 * TLS before 1.2.
 */
void
lint_protocols(Survey *survey)
{
	const char *lowest = next_settings(survey)->settings[SETTING_MIN_VERSION].value;

	if (!next_settings(survey)->ssl || pg_strcasecmp(lowest, "TLSv1.2") == 0 || pg_strcasecmp(lowest, "TLSv1.3") == 0)
		return;
	if (lowest[0] == '\0')
	{
		/* then OpenSSL's own configuration has its say */
		SSL_CTX    *context = SSL_CTX_new(TLS_server_method());
		long		version = context ? SSL_CTX_get_min_proto_version(context) : 0;

		SSL_CTX_free(context);
		if (version >= TLS1_2_VERSION)
			return;
	}
	add_finding(&survey->findings, SEVERITY_WARNING, "old_tls_allowed", "setting ssl_min_protocol_version",
				psprintf("It is \"%s\", which allows TLS below 1.2 (forbidden by RFC 8996).", lowest),
				"ALTER SYSTEM SET ssl_min_protocol_version = 'TLSv1.2'; SELECT pg_reload_conf().");
}

static bool
is_null_cipher(const SSL_CIPHER *cipher)
{
	return SSL_CIPHER_get_cipher_nid(cipher) == NID_undef;
}

static bool
is_anonymous_cipher(const SSL_CIPHER *cipher)
{
	return SSL_CIPHER_get_auth_nid(cipher) == NID_auth_null;
}

/*
 * Export ciphers, and others that are broken or forbidden: single and triple
 * DES, RC2, RC4, MD5.
 */
static bool
is_weak_cipher(const SSL_CIPHER *cipher)
{
	int			nid = SSL_CIPHER_get_cipher_nid(cipher);
	int			key_bits = 0;

	/* not the strength, which newer OpenSSL (3.5) puts at 64 for CCM8's short tag */
	(void) SSL_CIPHER_get_bits(cipher, &key_bits);
	return strncmp(SSL_CIPHER_get_name(cipher), "EXP", 3) == 0 ||
		nid == NID_des_cbc || nid == NID_des_ede3_cbc || nid == NID_rc2_cbc ||
		nid == NID_rc4 || SSL_CIPHER_get_digest_nid(cipher) == NID_md5 ||
		(key_bits > 0 && key_bits < 112);
}

static void
find_ciphers(Survey *survey, SSL_CTX *context, bool (*is_bad)(const SSL_CIPHER *),
			 Severity severity, const char *code, const char *text)
{
	STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(context);

	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++)
	{
		const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);

		if (is_bad(cipher))
			add_finding_about(&survey->findings, severity, code, "setting ssl_ciphers", text,
							  "ALTER SYSTEM RESET ssl_ciphers; SELECT pg_reload_conf(); or add \":!aNULL:!eNULL:!EXPORT:!DES:!3DES:!RC4:!MD5\" to it.",
							  "Ciphers", SSL_CIPHER_get_name(cipher));
	}
}

/*
 * What ssl_ciphers amounts to, as OpenSSL reads it.
 */
void
lint_ciphers(Survey *survey)
{
	static const MaterialFiles none = {"", "", "", "", ""};
	TlsParameters parameters = configured_parameters(next_settings(survey));
	char	   *error;
	SSL_CTX    *context = build_context_for(&none, &parameters, &error);

	/* lint_loadable() says why not */
	if (context == NULL)
		return;
	(void) free_at_reset(context, (void (*)(void *)) SSL_CTX_free);
	if (!next_settings(survey)->ssl)
		return;
	find_ciphers(survey, context, is_null_cipher, SEVERITY_ERROR, "null_ciphers",
				 "It allows ciphers that do not encrypt: a connection can count as TLS and be in clear text.");
	find_ciphers(survey, context, is_anonymous_cipher, SEVERITY_ERROR, "anonymous_ciphers",
				 "It allows ciphers without a certificate of the server: anybody on the way can be the server.");
	find_ciphers(survey, context, is_weak_cipher, SEVERITY_WARNING, "weak_ciphers",
				 "It allows export ciphers, or others that are broken.");
}

static bool
ends_on_expiry(const Survey *survey)
{
	ListCell   *cell;

	foreach(cell, survey->policies)
	{
		const Policy *policy = ((StoredPolicy *) lfirst(cell))->policy;

		for (int i = 0; policy && i < policy->nrules; i++)
			if (policy->rules[i].end_on_expiry)
				return true;
	}
	return false;
}

/*
 * Policies are there, and are not, or not fully, enforced.
 */
void
lint_enforcement(Survey *survey)
{
	bool		revokes = crls_configured() || ssl_crl_file[0] || ssl_crl_dir[0] ||
		count_blocked(blocked_certificates()) > 0;

	if (survey->policies != NIL && enforcement() != ENFORCEMENT_ENFORCE)
		add_finding(&survey->findings, enforcement() == ENFORCEMENT_OFF ? SEVERITY_ERROR : SEVERITY_WARNING,
					enforcement() == ENFORCEMENT_OFF ? "enforcement_off" : "enforcement_log",
					"setting sslpolicy.enforcement",
					enforcement() == ENFORCEMENT_OFF ?
						"It is off, and there are policies: nobody looks at them." :
						"It is log, and there are policies: who does not meet them is logged, and let in.",
					"ALTER SYSTEM SET sslpolicy.enforcement = 'enforce'; SELECT pg_reload_conf().");
	if (survey->policies != NIL && enforcement() == ENFORCEMENT_ENFORCE && recheck_policy() != RECHECK_TERMINATE)
		add_finding(&survey->findings, recheck_policy() == RECHECK_OFF && ends_on_expiry(survey) ? SEVERITY_WARNING : SEVERITY_INFO,
					recheck_policy() == RECHECK_OFF ? "recheck_policy_off" : "recheck_policy_log",
					"setting sslpolicy.recheck_policy",
					recheck_policy() == RECHECK_OFF ?
						(ends_on_expiry(survey) ?
							 "It is off: live sessions that their policies would refuse now are left alone, also those whose policy says on_expiry=end." :
							 "It is off: live sessions that their policies would refuse now are left alone, and nobody is told.") :
						"It is log: live sessions that their policies would refuse now are logged, and stay.",
					"ALTER SYSTEM SET sslpolicy.recheck_policy = 'terminate'; SELECT pg_reload_conf().");
	if ((survey->policies != NIL || revokes) && recheck_revoked() != RECHECK_TERMINATE)
		add_finding(&survey->findings, revokes ? SEVERITY_WARNING : SEVERITY_INFO,
					recheck_revoked() == RECHECK_OFF ? "recheck_revoked_off" : "recheck_revoked_log",
					"setting sslpolicy.recheck_revoked",
					psprintf("It is %s: sessions whose certificate is revoked or blocked stay until they end by themselves.",
							 recheck_revoked() == RECHECK_OFF ? "off" : "log"),
					"ALTER SYSTEM SET sslpolicy.recheck_revoked = 'terminate'; SELECT pg_reload_conf().");
}

/*
 * The background worker of sslpolicy.
 */
void
lint_worker(Survey *survey)
{
	QueryResult *rows = privileged_query(
		"SELECT pid FROM pg_catalog.pg_stat_get_activity(NULL) "
		"WHERE backend_type OPERATOR(pg_catalog.=) 'sslpolicy'");

	if (rows->rows == 0)
		add_finding(&survey->findings, SEVERITY_ERROR, "worker_not_running", "background worker sslpolicy",
					"It does not run: live sessions are not rechecked, and changed CRLs and TLS files are not noticed.",
					"It is started again a second after it ends; if it is still missing, the server log says why.");
}

/*
 * Private keys that are given to install_server_certificate() are masked in the
 * log, wherever a statement comes in.  Dumps of parse and plan trees hold them
 * as numbers, one a byte, where nothing can tell them.
 */
void
lint_logging(Survey *survey)
{
	QueryResult *rows;

	if (!installation_allowed())
		return;
	rows = privileged_query(
		"SELECT name FROM (SELECT name, reset_val AS value FROM pg_catalog.pg_settings UNION ALL "
		"SELECT pg_catalog.split_part(c, '=', 1), pg_catalog.split_part(c, '=', 2) "
		"FROM pg_catalog.pg_db_role_setting, pg_catalog.unnest(setconfig) c) s "
		"WHERE name OPERATOR(pg_catalog.=) ANY (ARRAY['debug_print_parse', 'debug_print_rewritten', 'debug_print_plan', 'debug_print_raw_parse']) "
		"AND pg_catalog.lower(value) OPERATOR(pg_catalog.=) ANY (ARRAY['on', 'true', 'yes', '1']) GROUP BY name ORDER BY name");
	for (int i = 0; i < rows->rows; i++)
		add_finding_about(&survey->findings, SEVERITY_WARNING, "log_keeps_keys", "server log",
						  "Parse and plan trees are logged, with all constants of statements as the numbers of their bytes: also a private key that is given to install_server_certificate().",
						  "Turn these settings off, or use sslpolicy.create_server_key(), whose key never leaves the server.",
						  "Settings", rows->values[i][0]);
}
