/*-------------------------------------------------------------------------
 *
 * about_sql.c
 *		The SQL functions that are asked before and after an upgrade: which
 *		versions meet here, and whether this library reads every policy.
 *
 * They need no preloading, and no other SQL objects of their own version.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include "catalog/pg_authid.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "funcapi.h"
#include "libpq/libpq.h"
#include "miscadmin.h"
#include "postmaster/postmaster.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/datums.h"
#include "base/preload.h"
#include "base/privileged.h"
#include "base/rows.h"
#include "labels/clusterlabels.h"
#include "labels/labels.h"
#include "material/generation.h"
#include "policy/matcher.h"

PG_FUNCTION_INFO_V1(sslpolicy_version);
PG_FUNCTION_INFO_V1(sslpolicy_check_all);

static void
put_item(FunctionCallInfo fcinfo, const char *item, const char *value, const char *note)
{
	Row			row = {0};

	row_add_text(&row, item);
	row_add_text(&row, value);
	row_add_text(&row, note);
	row_put(fcinfo, &row);
}

/*
 * This library, the one that the server preloaded, and the file on disk.
 */
static void
put_library(FunctionCallInfo fcinfo)
{
	const char *running = preloaded_version();
	char	   *on_disk;

	put_item(fcinfo, "library", SSLPOLICY_VERSION, "the one that answers");
	put_item(fcinfo, "preloaded library", running,
			 is_preloaded()								 ? "the same" :
				 running == NULL						 ? "none: no policy is enforced; add sslpolicy to shared_preload_libraries and restart the server" :
				 strcmp(running, SSLPOLICY_VERSION) == 0 ? "another file of the same version: shared_preload_libraries and the SQL objects name different files" :
														   "another copy: after an upgrade, restart the server");
	switch (library_file_state(&on_disk))
	{
		case LIBRARY_FILE_SAME:
			put_item(fcinfo, "library on disk", SSLPOLICY_VERSION, "the file that was loaded");
			break;
		case LIBRARY_FILE_REPLACED:
			put_item(fcinfo, "library on disk", on_disk, "another file than the one that was loaded: restart the server");
			break;
		case LIBRARY_FILE_GONE:
			put_item(fcinfo, "library on disk", NULL, "the file that was loaded is gone: the server would not start again");
			break;
		case LIBRARY_FILE_UNKNOWN:
			put_item(fcinfo, "library on disk", NULL, "not known");
			break;
	}
}

/*
 * The SQL objects of this database.
 */
static void
put_sql_objects(FunctionCallInfo fcinfo)
{
	QueryResult *result = privileged_query("SELECT e.extversion FROM pg_catalog.pg_extension e"
										   " WHERE e.extname OPERATOR(pg_catalog.=) 'sslpolicy'");
	const char *installed = result->rows > 0 ? result->values[0][0] : NULL;

	put_item(fcinfo, "SQL objects", installed,
			 installed == NULL							   ? "the extension is not in this database: CREATE EXTENSION sslpolicy" :
				 strcmp(installed, SSLPOLICY_VERSION) == 0 ? "they fit this library" :
															 "another version than this library: run ALTER EXTENSION sslpolicy UPDATE, and restart the server if its library is the older one");
}

static void
put_openssl(FunctionCallInfo fcinfo)
{
	const char *running = OpenSSL_version(OPENSSL_VERSION_STRING);

	put_item(fcinfo, "OpenSSL, running", running,
			 strcmp(running, OPENSSL_VERSION_STR) == 0 ? NULL :
				 OPENSSL_version_major() == OPENSSL_VERSION_MAJOR ?
														 "another one than at compile time, of the same major version: they fit" :
														 "another major version than at compile time: compile sslpolicy again");
	put_item(fcinfo, "OpenSSL, compiled with", OPENSSL_VERSION_STR, NULL);
}

/*
 * Can this server do TLS 1.3?
 */
static void
put_tls13(FunctionCallInfo fcinfo)
{
	SSL_CTX    *context = SSL_CTX_new(TLS_method());
	bool		possible = context != NULL &&
		SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1;
	const char *limit = GetConfigOption("ssl_max_protocol_version", true, false);

	SSL_CTX_free(context);
	if (!possible)
		put_item(fcinfo, "TLS 1.3", "no", "OpenSSL was built without it: nobody can satisfy min_protocol=TLSv1.3");
	else if (limit && limit[0] && strcmp(limit, "TLSv1.3") != 0)
		put_item(fcinfo, "TLS 1.3", "no",
				 psprintf("ssl_max_protocol_version = %s: nobody can satisfy min_protocol=TLSv1.3", limit));
	else
		put_item(fcinfo, "TLS 1.3", "yes", NULL);
}

/*
 * How far it can be proved what the server has loaded: see generation.c.
 */
static void
put_proof(FunctionCallInfo fcinfo)
{
	static const char *const item = "proof of loaded material";

	if (!is_preloaded())
		put_item(fcinfo, item, "none", "that needs the preloaded library");
	else if (!EnableSSL)
		put_item(fcinfo, item, "none", "ssl is off: nothing is loaded");
	else if (load_state()->attempt != 0 && compat_certificates_by_host())
		put_item(fcinfo, item, "number",
				 "ssl_sni = on, with hosts in pg_hosts.conf: each load has a number; reload() does not compare what each host was given, and installations are refused");
	else if (load_state()->attempt != 0)
		put_item(fcinfo, item, "number and content",
				 "each load has a number, and a process forked afterwards reports what it finds; without a free background worker (max_worker_processes) the number alone is the proof");
	else
		put_item(fcinfo, item, "none", "another module has replaced openssl_tls_init_hook: list sslpolicy last in shared_preload_libraries");
}

/*
 * sslpolicy.version() returns setof record
 *
 * Columns item, value, note, whatever the version.
 */
Datum
sslpolicy_version(PG_FUNCTION_ARGS)
{
	const char *server = GetConfigOption("server_version", false, false);

	InitMaterializedSRF(fcinfo, 0);
	put_library(fcinfo);
	put_sql_objects(fcinfo);
	put_item(fcinfo, "PostgreSQL, running", server, NULL);
	put_item(fcinfo, "PostgreSQL, compiled for", PG_VERSION, NULL);
	put_openssl(fcinfo);
	put_tls13(fcinfo);
	put_proof(fcinfo);
	put_item(fcinfo, "policies of groups", COMPAT_CONVEYING_GRANTS,
			 "through these grants a NOLOGIN role's policy binds its members");
	put_item(fcinfo, "ALTER SYSTEM", compat_allow_alter_system() ? "yes" : "no",
			 compat_allow_alter_system() ? NULL :
										   "allow_alter_system = off: installations cannot set paths, only replace files");
	return (Datum) 0;
}

/*
 * One policy, read as if it were set now.
 */
static void
put_checked(FunctionCallInfo fcinfo, const char *type, const char *name,
			const char *text, PolicyPlace place)
{
	Row			row = {0};
	PolicyError error;
	Policy	   *policy = parse_policy(text, place, &policy_checks, &error);
	char	   *why = NULL;

	if (policy == NULL)
		why = error.hint ? psprintf("%s. %s", error.message, error.hint) : error.message;
	row_add_text(&row, type);
	row_add(&row, true, label_text(name));
	row_add(&row, true, label_text(text));
	row_add(&row, why != NULL, why ? label_text(why) : (Datum) 0);
	row_put(fcinfo, &row);
}

/*
 * A setting by its name: without preloading it is known to PostgreSQL only if
 * it stands in a configuration file.
 */
static void
put_checked_setting(FunctionCallInfo fcinfo, const char *name, PolicyPlace place)
{
	const char *text = GetConfigOption(name, true, false);

	if (text && text[0])
		put_checked(fcinfo, "setting", name, text, place);
}

static void
put_checked_cluster(FunctionCallInfo fcinfo, ClusterLabel which, PolicyPlace place)
{
	char	   *text = read_cluster_label(which);

	if (text != NULL)
		put_checked(fcinfo, "cluster", cluster_label_name(which), text, place);
}

/*
 * sslpolicy.check_all() returns setof record
 *
 * A row for each stored policy, with what is wrong with it.
 */
Datum
sslpolicy_check_all(PG_FUNCTION_ARGS)
{
	MemoryContext scratch;
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	put_checked_setting(fcinfo, "sslpolicy.default_policy", PLACE_DEFAULT);
	put_checked_setting(fcinfo, "sslpolicy.minimum_policy", PLACE_MINIMUM);
	put_checked_cluster(fcinfo, CLUSTER_DEFAULT, PLACE_DEFAULT);
	put_checked_cluster(fcinfo, CLUSTER_MINIMUM, PLACE_MINIMUM);
	scratch = AllocSetContextCreate(CurrentMemoryContext, "sslpolicy policy", ALLOCSET_DEFAULT_SIZES);
	foreach(cell, all_labels())
	{
		const Label *label = lfirst(cell);
		bool		is_role = label->class == AuthIdRelationId;
		MemoryContext old = MemoryContextSwitchTo(scratch);
		char	   *name = labelled_name(label);

		CHECK_FOR_INTERRUPTS();
		/* dropped since */
		if (name != NULL)
			put_checked(fcinfo, is_role ? "role" : "database", name, label->text,
						is_role ? PLACE_ROLE : PLACE_DATABASE);
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	MemoryContextDelete(scratch);
	return (Datum) 0;
}
