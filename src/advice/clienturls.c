/*-------------------------------------------------------------------------
 *
 * clienturls.c
 *		A client's settings as one string for each kind of client: libpq's own
 *		keywords, a URL that many drivers read, and what some others take.
 *
 * Each row can be pasted unchanged.  The note says what the string of that kind of
 * client cannot express.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "libpq/libpq.h"
#include "postmaster/postmaster.h"

#include "advice/clientsettings.h"
#include "advice/clienttext.h"
#include "advice/clienturls.h"

/*
 * What to write in place of the placeholder of a host name.
 */
static const char *
host_note(const ClientPlan *plan)
{
	return plan->host->name && !plan->host->wildcard ? "" :
													   "; write the name of this server in place of " HOST_PLACEHOLDER;
}

/*
 * The sslmode for drivers that know nothing between disable and require, such as
 * lib/pq: they fail against a server without TLS.
 */
static const char *
portable_sslmode(const ClientPlan *plan)
{
	return EnableSSL ? plan->sslmode : "disable";
}

static bool
is_ip_address(const char *host)
{
	return strchr(host, ':') != NULL || strspn(host, "0123456789.") == strlen(host);
}

/*
 * What libpq is told of TLS besides sslmode.
 */
static void
append_libpq_tls(StringInfo buf, const ClientPlan *plan, bool with_paths)
{
	if (client_verifies(plan) && with_paths)
		append_conninfo_setting(buf, "sslrootcert", client_file(plan, ROOT_FILE));
	if (client_presents_certificate(plan) && with_paths)
	{
		append_conninfo_setting(buf, "sslcert", client_file(plan, CERT_FILE));
		append_conninfo_setting(buf, "sslkey", client_file(plan, KEY_FILE));
	}
	if (client_uses_tls(plan))
	{
		append_conninfo_setting(buf, "ssl_min_protocol_version", tls_version_name(plan->min_protocol));
		if (plan->needs->max_protocol < TLS_1_3)
			append_conninfo_setting(buf, "ssl_max_protocol_version", tls_version_name(plan->needs->max_protocol));
		if (plan->needs->tls)
			append_conninfo_setting(buf, "gssencmode", "disable");
	}
}

static char *
conninfo(const ClientPlan *plan, bool with_paths)
{
	StringInfoData buf;

	initStringInfo(&buf);
	append_conninfo_setting(&buf, "host", client_host(plan));
	append_conninfo_setting(&buf, "port", psprintf("%d", PostPortNumber));
	if (plan->facts->database)
		append_conninfo_setting(&buf, "dbname", plan->facts->database);
	if (is_physical_replication(plan))
		append_conninfo_setting(&buf, "replication", "true");
	append_conninfo_setting(&buf, "user", plan->facts->role);
	append_conninfo_setting(&buf, "sslmode", plan->sslmode);
	append_libpq_tls(&buf, plan, with_paths);
	return buf.data;
}

static void
put_libpq(const ClientPlan *plan, List **rows)
{
	const char *conf_note = plan->needs->ciphers != NIL ? "; OPENSSL_CONF above is needed as well" : "";

	add_client_setting(rows, "conninfo", conninfo(plan, true),
					   psprintf("for libpq and what is built on it: psql, psycopg, DBD::Pg, Ruby's pg, PHP's pgsql; other drivers do not know all of these keywords%s%s",
								conf_note, host_note(plan)));
	add_client_setting(rows, "conninfo_without_paths", conninfo(plan, false),
					   psprintf("the same, for files where libpq looks by default: " ROOT_FILE ", " CERT_FILE " and " KEY_FILE " in ~/.postgresql (on Windows in %%APPDATA%%\\postgresql); libpq does not expand ~ in a value%s%s",
								conf_note, host_note(plan)));
}

/*
 * Everything up to the parameters.  Without a database there is no slash either, because
 * asyncpg would take what follows it as the name.
 */
static void
begin_url(StringInfo buf, const ClientPlan *plan)
{
	initStringInfo(buf);
	appendStringInfoString(buf, "postgresql://");
	append_url_text(buf, plan->facts->role);
	appendStringInfoChar(buf, '@');
	append_url_host(buf, client_host(plan), PostPortNumber);
	if (plan->facts->database)
	{
		appendStringInfoChar(buf, '/');
		append_url_text(buf, plan->facts->database);
	}
}

static void
append_url_files(StringInfo buf, const ClientPlan *plan, const char *key_file)
{
	if (client_verifies(plan))
		append_url_parameter(buf, "sslrootcert", client_file(plan, ROOT_FILE));
	if (client_presents_certificate(plan))
	{
		append_url_parameter(buf, "sslcert", client_file(plan, CERT_FILE));
		append_url_parameter(buf, "sslkey", client_file(plan, key_file));
	}
}

/*
 * The URL for all drivers except pgJDBC.
 */
static char *
url(const ClientPlan *plan, bool with_protocols)
{
	StringInfoData buf;

	begin_url(&buf, plan);
	if (is_physical_replication(plan))
		append_url_parameter(&buf, "replication", "true");
	append_url_parameter(&buf, "sslmode", portable_sslmode(plan));
	append_url_files(&buf, plan, KEY_FILE);
	if (with_protocols && client_uses_tls(plan))
	{
		append_url_parameter(&buf, "ssl_min_protocol_version", tls_version_name(plan->min_protocol));
		if (plan->needs->max_protocol < TLS_1_3)
			append_url_parameter(&buf, "ssl_max_protocol_version", tls_version_name(plan->needs->max_protocol));
	}
	return buf.data;
}

static void
put_jdbc_url(const ClientPlan *plan, List **rows)
{
	StringInfoData buf;
	bool		ipv6 = strchr(client_host(plan), ':') != NULL;
	bool		weaker = ipv6 && strcmp(plan->sslmode, "verify-full") == 0;

	initStringInfo(&buf);
	appendStringInfoString(&buf, "jdbc:postgresql://");
	append_url_host(&buf, client_host(plan), PostPortNumber);
	appendStringInfoChar(&buf, '/');
	if (plan->facts->database)
		append_url_text(&buf, plan->facts->database);
	append_url_parameter(&buf, "user", plan->facts->role);
	/* pgJDBC compares no IPv6 address with those of a certificate */
	append_url_parameter(&buf, "sslmode", weaker ? "verify-ca" : plan->sslmode);
	append_url_files(&buf, plan, JDBC_KEY_FILE);
	add_client_setting(rows, "jdbc_url", buf.data,
					   psprintf("for pgJDBC%s%s%s%s",
								weaker ? "; verify-ca, because pgJDBC cannot verify a server by an IPv6 address: if its certificate has a DNS name, use that name and verify-full" : "",
								client_presents_certificate(plan) ? "; the key as PKCS#8 in DER (see openssl_pkcs8), or with the certificate in one PKCS#12 file, whose name ends in .p12" : "",
								plan->needs->min_protocol != TLS_NONE || plan->needs->cipher_limited ?
									"; protocol versions and ciphers are system properties of Java, java_protocols and java_ciphers" :
									"",
								host_note(plan)));
}

static void
put_python(const ClientPlan *plan, List **rows)
{
	StringInfoData psycopg;
	StringInfoData asyncpg;

	initStringInfo(&psycopg);
	appendStringInfoString(&psycopg, "psycopg.connect(");
	append_program_string(&psycopg, conninfo(plan, true));
	appendStringInfoChar(&psycopg, ')');
	add_client_setting(rows, "psycopg", psycopg.data,
					   psprintf("Python, after import psycopg; psycopg2.connect() takes the same%s%s",
								plan->needs->ciphers != NIL ? "; OPENSSL_CONF above is needed as well" : "",
								host_note(plan)));

	initStringInfo(&asyncpg);
	appendStringInfoString(&asyncpg, "await asyncpg.connect(");
	append_program_string(&asyncpg, url(plan, true));
	appendStringInfoChar(&asyncpg, ')');
	add_client_setting(rows, "asyncpg", asyncpg.data,
					   psprintf("Python, after import asyncpg, in a coroutine%s%s",
								plan->needs->ciphers != NIL ? "; ciphers: see the note of cipher" : "",
								host_note(plan)));
}

static void
append_member(StringInfo buf, const char *name, const char *value)
{
	appendStringInfo(buf, "%s: ", name);
	append_program_string(buf, value);
	appendStringInfoString(buf, ", ");
}

static void
append_file_member(StringInfo buf, const char *name, const char *file)
{
	appendStringInfo(buf, "%s: fs.readFileSync(", name);
	append_program_string(buf, file);
	appendStringInfoString(buf, "), ");
}

/*
 * The ssl member of node-postgres' configuration.
 */
static void
append_node_ssl(StringInfo buf, const ClientPlan *plan)
{
	ClientNeeds *needs = plan->needs;

	if (strcmp(portable_sslmode(plan), "disable") == 0)
	{
		appendStringInfoString(buf, "ssl: false");
		return;
	}
	appendStringInfoString(buf, "ssl: { ");
	if (client_verifies(plan))
		append_file_member(buf, "ca", client_file(plan, ROOT_FILE));
	else
		appendStringInfoString(buf, "rejectUnauthorized: false, ");
	if (strcmp(plan->sslmode, "verify-ca") == 0)
		appendStringInfoString(buf, "checkServerIdentity: () => undefined, ");
	/* without it, older versions compare the certificate with "localhost" */
	else if (is_ip_address(client_host(plan)))
		append_member(buf, "host", client_host(plan));
	if (client_presents_certificate(plan))
	{
		append_file_member(buf, "cert", client_file(plan, CERT_FILE));
		append_file_member(buf, "key", client_file(plan, KEY_FILE));
	}
	if (needs->ciphers != NIL)
		append_member(buf, "ciphers", join_texts(needs->ciphers, ":"));
	if (needs->max_protocol < TLS_1_3)
		append_member(buf, "maxVersion", tls_version_name(needs->max_protocol));
	append_member(buf, "minVersion", tls_version_name(plan->min_protocol));
	buf->len -= 2;
	appendStringInfoString(buf, " }");
}

static void
put_node_postgres(const ClientPlan *plan, List **rows)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoString(&buf, "{ ");
	append_member(&buf, "host", client_host(plan));
	appendStringInfo(&buf, "port: %d, ", PostPortNumber);
	if (plan->facts->database)
		append_member(&buf, "database", plan->facts->database);
	append_member(&buf, "user", plan->facts->role);
	append_node_ssl(&buf, plan);
	appendStringInfoString(&buf, " }");
	add_client_setting(rows, "node_postgres", buf.data,
					   psprintf("JavaScript: what new pg.Client() and new pg.Pool() take, after import fs from 'fs' or const fs = require('fs'); better than a URL, which node-postgres does not decode completely, and whose sslmode it reads in its own way: newer versions warn about require and verify-ca%s",
								host_note(plan)));
}

static void
put_go(const ClientPlan *plan, List **rows)
{
	add_client_setting(rows, "go", url(plan, false),
					   psprintf("for lib/pq and pgx; both offer the newest TLS version%s%s",
								plan->needs->ciphers != NIL ? "; neither takes ciphers in a string: see the note of cipher" : "",
								host_note(plan)));
}

/*
 * psqlODBC takes a value in braces only for Pqopt, which it passes to libpq.  Elsewhere a
 * semicolon ends the value, and braces are part of it.
 */
static bool
is_odbc_value(const char *value)
{
	return value[0] != '\0' && strpbrk(value, ";{}[]()") == NULL && value[0] != ' ' &&
		value[strlen(value) - 1] != ' ';
}

static void
append_odbc_name(StringInfo buf, StringInfo options, const char *attribute, const char *keyword,
				 const char *name)
{
	if (is_odbc_value(name))
		append_odbc_attribute(buf, attribute, name, false);
	else
		append_conninfo_setting(options, keyword, name);
}

static void
put_odbc(const ClientPlan *plan, List **rows)
{
	StringInfoData buf;
	StringInfoData options;

	initStringInfo(&options);
	initStringInfo(&buf);
	append_odbc_attribute(&buf, "Driver", "PostgreSQL Unicode", true);
	append_odbc_attribute(&buf, "Servername", client_host(plan), false);
	append_odbc_attribute(&buf, "Port", psprintf("%d", PostPortNumber), false);
	if (plan->facts->database)
		append_odbc_name(&buf, &options, "Database", "dbname", plan->facts->database);
	append_odbc_name(&buf, &options, "Uid", "user", plan->facts->role);
	append_odbc_attribute(&buf, "SSLmode", plan->sslmode, false);
	append_libpq_tls(&options, plan, true);
	if (options.len > 0)
		append_odbc_attribute(&buf, "Pqopt", options.data, true);
	add_client_setting(rows, "odbc", buf.data,
					   psprintf("connection string for psqlODBC, with the name that the driver has in Debian%s%s",
								plan->needs->ciphers != NIL ? "; OPENSSL_CONF above is needed as well" : "",
								host_note(plan)));
}

/*
 * For physical replication, which only libpq does, only what libpq reads.
 */
void
put_connection_strings(const ClientPlan *plan, List **rows)
{
	put_libpq(plan, rows);
	add_client_setting(rows, "uri", url(plan, false),
					   psprintf("for libpq and for most other drivers: asyncpg, pgx, lib/pq, sqlx, Bun; it has no keywords that only libpq knows%s",
								host_note(plan)));
	if (is_physical_replication(plan))
		return;
	put_jdbc_url(plan, rows);
	put_python(plan, rows);
	put_node_postgres(plan, rows);
	put_go(plan, rows);
	put_odbc(plan, rows);
}
