/*-------------------------------------------------------------------------
 *
 * clientbundle.c
 *		A client's settings as a file that a POSIX shell sources: it writes what
 *		verifies the server, and sets the environment.
 *
 * It never contains a key.
 *
 * Any text in the file that is not our own is one quoted word of the shell, and never
 * part of a comment.  A subshell writes the files, so that none of our variables and
 * functions is left over; the environment is set only when all files are there.  A file
 * is named after its content, and linked to that name when it is complete: so an
 * existing file is never overwritten, and two shells may do this at the same time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "libpq/libpq.h"
#include "postmaster/postmaster.h"

#include "advice/clientbundle.h"
#include "advice/clientplan.h"
#include "advice/clienttext.h"
#include "base/escape.h"
#include "base/fingerprint.h"

#define NAME_DIGITS 16

/* Where libpq looks by default; only the names of files that we write are our own. */
#define SHELL_DIRECTORY "\"$HOME/.postgresql/%s\""

static const char head[] =
	"# Settings of a PostgreSQL client: source this file in a shell, as in \". ./file\".\n"
	"# It writes files below ~/.postgresql, with names that begin with sslpolicy-, and\n"
	"# sets environment variables of libpq.  It contains no key.\n";

static const char certificate_hint[] =
	"# The client certificate is expected as ~/.postgresql/postgresql.crt, its key as\n"
	"# ~/.postgresql/postgresql.key, with permissions 0600.\n";

/*
 * sslpolicy_save <name> <content>
 *
 * The names are long so that no alias has them.
 */
static const char save_function[] =
	"  umask 077\n"
	"  sslpolicy_folder=$HOME/.postgresql\n"
	"  sslpolicy_fail() {\n"
	"    printf 'sslpolicy: %s; nothing was set\\n' \"$1\" >&2\n"
	"    exit 1\n"
	"  }\n"
	"  sslpolicy_same() {\n"
	"    [ -f \"$1\" ] && [ ! -L \"$1\" ] && [ \"$(command cat \"$1\" && echo .)\" = \"$2.\" ]\n"
	"  }\n"
	"  sslpolicy_save() {\n"
	"    sslpolicy_file=$sslpolicy_folder/$1\n"
	"    sslpolicy_same \"$sslpolicy_file\" \"$2\" && return\n"
	"    if [ -e \"$sslpolicy_file\" ] || [ -L \"$sslpolicy_file\" ]; then\n"
	"      sslpolicy_fail \"$sslpolicy_file already exists, and is not the file to be written\"\n"
	"    fi\n"
	"    sslpolicy_new=$(command mktemp \"$sslpolicy_folder/sslpolicy-new.XXXXXX\" 2>/dev/null) ||\n"
	"      sslpolicy_fail \"could not write into $sslpolicy_folder\"\n"
	"    printf '%s' \"$2\" >|\"$sslpolicy_new\" && command ln \"$sslpolicy_new\" \"$sslpolicy_file\" 2>/dev/null\n"
	"    command rm -f \"$sslpolicy_new\"\n"
	"    sslpolicy_same \"$sslpolicy_file\" \"$2\" || sslpolicy_fail \"could not write $sslpolicy_file\"\n"
	"  }\n"
	"  [ -d \"$sslpolicy_folder\" ] || command mkdir -m 700 \"$sslpolicy_folder\" 2>/dev/null ||\n"
	"    [ -d \"$sslpolicy_folder\" ] || sslpolicy_fail \"could not create $sslpolicy_folder\"\n";

/* The status of the file; a shell with set -e stops at it. */
static const char failed[] = "false\n";

/*
 * Append one word, alone on what is so far an empty list of words.
 */
static void
append_quoted(StringInfo buf, const char *text)
{
	StringInfoData word;

	initStringInfo(&word);
	append_shell_word(&word, text);
	appendStringInfoString(buf, word.data);
}

/*
 * Set a variable, or, without a value, unset it.
 */
static void
append_export(StringInfo buf, const char *variable, const char *value)
{
	if (value == NULL)
	{
		appendStringInfo(buf, "  unset %s\n", variable);
		return;
	}
	appendStringInfo(buf, "  export %s=", variable);
	append_quoted(buf, value);
	appendStringInfoChar(buf, '\n');
}

static void
append_export_file(StringInfo buf, const char *variable, const char *name)
{
	if (name == NULL)
		append_export(buf, variable, NULL);
	else
		appendStringInfo(buf, "  export %s=" SHELL_DIRECTORY "\n", variable, name);
}

/*
 * Have the shell print text that is not our own.
 */
static void
append_saying(StringInfo buf, const char *text)
{
	appendStringInfoString(buf, "printf 'sslpolicy: %s\\n' ");
	append_quoted(buf, printable_text(text));
	appendStringInfoString(buf, " >&2\n");
}

/*
 * A file's name, made from its content.
 */
static char *
own_name(const char *content, const char *suffix)
{
	uint8		digest[FINGERPRINT_LEN];

	if (!compute_sha256(content, strlen(content), digest))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	return psprintf("sslpolicy-%.*s%s", NAME_DIGITS, fingerprint_hex(digest), suffix);
}

static void
append_save(StringInfo buf, const char *name, const char *content)
{
	appendStringInfo(buf, "  sslpolicy_save %s ", name);
	append_quoted(buf, content);
	appendStringInfoChar(buf, '\n');
}

/*
 * The environment.  Variables that another such file may have set, and that would not fit
 * here, are unset.
 */
static void
append_environment(StringInfo buf, const ClientPlan *plan, const char *root, const char *conf)
{
	bool		certificate = client_presents_certificate(plan);
	bool		tls = client_uses_tls(plan);

	if (plan->host->name && !plan->host->wildcard)
		append_export(buf, "PGHOST", plan->host->name);
	append_export(buf, "PGHOSTADDR", NULL);
	append_export(buf, "PGSERVICE", NULL);
	append_export(buf, "PGSSLCRL", NULL);
	append_export(buf, "PGSSLCRLDIR", NULL);
	append_export(buf, "PGPORT", psprintf("%d", PostPortNumber));
	if (plan->facts->database)
		append_export(buf, "PGDATABASE", plan->facts->database);
	append_export(buf, "PGUSER", plan->facts->role);
	append_export(buf, "PGSSLMODE", plan->sslmode);
	append_export_file(buf, "PGSSLROOTCERT", root);
	append_export_file(buf, "PGSSLCERT", certificate ? CERT_FILE : NULL);
	append_export_file(buf, "PGSSLKEY", certificate ? KEY_FILE : NULL);
	append_export(buf, "PGSSLMINPROTOCOLVERSION", tls ? tls_version_name(plan->min_protocol) : NULL);
	append_export(buf, "PGSSLMAXPROTOCOLVERSION",
				  tls && plan->needs->max_protocol < TLS_1_3 ? tls_version_name(plan->needs->max_protocol) : NULL);
	append_export(buf, "PGGSSENCMODE", plan->needs->tls ? "disable" : NULL);
	if (conf)
		append_export_file(buf, "OPENSSL_CONF", conf);
	else
		appendStringInfoString(buf,
							   "  case ${OPENSSL_CONF:-} in\n"
							   "    */.postgresql/sslpolicy-*) unset OPENSSL_CONF ;;\n"
							   "  esac\n");
}

/*
 * facts has the role, and the address and the database as far as they are known;
 * all else is unknown.  Returns UTF-8.
 */
char *
client_bundle(const Facts *facts)
{
	ClientPlan *plan = plan_client(facts, DEFAULT_CLIENT_DIRECTORY);
	char	   *root_content = client_verifies(plan) ? anchors_pem(plan->server) : NULL;
	char	   *conf_content = client_openssl_conf(plan);
	char	   *root = root_content ? own_name(root_content, ".crt") : NULL;
	char	   *conf = conf_content ? own_name(conf_content, ".cnf") : NULL;
	bool		certificate = client_presents_certificate(plan);
	StringInfoData buf;
	ListCell   *cell;

	initStringInfo(&buf);
	appendStringInfoString(&buf, head);
	if (certificate)
		appendStringInfoString(&buf, certificate_hint);
	foreach(cell, plan->problems)
		append_saying(&buf, psprintf("no client setting can change this: %s", (char *) lfirst(cell)));
	if (plan->needs->sslmode == SSLMODE_REJECT)
	{
		append_saying(&buf, "nothing was set");
		appendStringInfoString(&buf, failed);
		return buf.data;
	}
	if (!client_verifies(plan))
		append_saying(&buf, plan->sslmode_note);
	if (plan->host->name == NULL || plan->host->wildcard)
	{
		const char *domain = plan->host->name ? strchr(plan->host->name, '.') : NULL;

		appendStringInfoString(&buf, "[ -n \"${PGHOST:-}\" ] || ");
		append_saying(&buf, domain ? psprintf("set PGHOST to the name of this server, which ends in %s", domain) : "set PGHOST to the name or the address of this server");
	}

	appendStringInfoString(&buf, "if (\n");
	if (root || conf || certificate)
		appendStringInfoString(&buf,
							   "  case ${HOME:-} in\n"
							   "    /*) ;;\n"
							   "    *) echo 'sslpolicy: HOME is not set to an absolute path; nothing was set' >&2; exit 1 ;;\n"
							   "  esac\n");
	if (root || conf)
		appendStringInfoString(&buf, save_function);
	if (root)
		append_save(&buf, root, root_content);
	if (conf)
		append_save(&buf, conf, conf_content);
	appendStringInfoString(&buf, "  exit 0\n); then\n");
	append_environment(&buf, plan, root, conf);
	appendStringInfoString(&buf, "else\n  ");
	appendStringInfoString(&buf, failed);
	appendStringInfoString(&buf, "fi\n");
	return buf.data;
}
