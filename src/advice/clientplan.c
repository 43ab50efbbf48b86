/*-------------------------------------------------------------------------
 *
 * clientplan.c
 *		What a client must do to satisfy the policies that apply to it, and to
 *		verify this server.
 *
 * Two things must not be confused: the sslmode of a policy is what the server
 * demands of a session, PGSSLMODE is how far a client verifies the server.  We
 * tell the client the strongest PGSSLMODE that works.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "libpq/libpq.h"
#include "postmaster/postmaster.h"
#include "utils/guc.h"

#include "advice/clientplan.h"
#include "base/compat.h"
#include "session/collect.h"

char *
join_texts(List *texts, const char *separator)
{
	StringInfoData buf;
	ListCell   *cell;

	initStringInfo(&buf);
	foreach(cell, texts)
		appendStringInfo(&buf, "%s%s", buf.len ? separator : "", (char *) lfirst(cell));
	return buf.data;
}

bool
client_verifies(const ClientPlan *plan)
{
	return strncmp(plan->sslmode, "verify-", 7) == 0;
}

bool
client_uses_tls(const ClientPlan *plan)
{
	return strcmp(plan->sslmode, "disable") != 0;
}

bool
client_presents_certificate(const ClientPlan *plan)
{
	return plan->needs->certificate && client_uses_tls(plan);
}

/* Physical replication has no database. */
bool
is_physical_replication(const ClientPlan *plan)
{
	return plan->facts->database == NULL && !(plan->facts->unknown & UNKNOWN_DATABASE);
}

/*
 * The name of the server, or a placeholder for it.
 */
const char *
client_host(const ClientPlan *plan)
{
	return plan->host->name ? plan->host->name : HOST_PLACEHOLDER;
}

/*
 * A file in the client's directory, with the separator that the directory has.
 */
char *
client_file(const ClientPlan *plan, const char *name)
{
	bool		backslash = plan->directory[0] != '/' && strchr(plan->directory, '/') == NULL &&
		strchr(plan->directory, '\\') != NULL;

	return psprintf("%s%c%s", plan->directory, backslash ? '\\' : '/', name);
}

/*
 * A version as a setting of the server has it; "" is the highest.
 */
static TlsVersion
server_protocol(const char *setting, TlsVersion otherwise)
{
	const char *text = GetConfigOption(setting, true, false);

	for (TlsVersion v = TLS_1_0; text && v <= TLS_1_3; v++)
		if (strcmp(text, tls_version_name(v)) == 0)
			return v;
	return otherwise;
}

/*
 * The strongest sslmode of a client that works with the certificate that the
 * server has.
 */
static void
choose_sslmode(ClientPlan *plan)
{
	ServerIdentity *server = plan->server;

	plan->host = server->facts == NULL ? palloc0(sizeof(ServerHost)) :
										 server_host(server->facts, plan->facts->address_len ? address_text(plan->facts) : NULL);
	if (plan->needs->plain_text)
	{
		plan->sslmode = "disable";
		plan->sslmode_note = "a policy says sslmode=disable: the server accepts no TLS here";
	}
	else if (!EnableSSL)
	{
		plan->sslmode = "prefer";
		plan->sslmode_note = "ssl is off on the server: the connection is not encrypted";
	}
	else if (compat_certificates_by_host())
	{
		plan->sslmode = "require";
		plan->sslmode_note = psprintf("with this the client does not verify the server, and anybody between them can impersonate it: get the root certificate of its host as sslrootcert, and set verify-full. %s",
									  server->error);
	}
	else if (server->error || server->refusal)
	{
		plan->sslmode = "require";
		plan->sslmode_note = psprintf("the client cannot verify the server, and anybody between them can impersonate it: %s",
									  server->error ? server->error : server->refusal);
	}
	else
	{
		plan->sslmode = plan->host->name ? "verify-full" : "verify-ca";
		plan->sslmode_note = plan->host->name ?
			"how far the client verifies the server, the strongest that works: certificate and host name" :
			"the server's certificate names no host, so the client can verify the certificate, but not that it belongs to this host: any server with a certificate from the same CA would pass";
	}
}

static void
choose_protocol(ClientPlan *plan)
{
	TlsVersion	highest = server_protocol("ssl_max_protocol_version", TLS_1_3);

	/* libpq's own default is TLSv1.2 */
	plan->min_protocol = Max(plan->needs->min_protocol, Min(TLS_1_2, highest));
	plan->min_protocol = Max(plan->min_protocol, server_protocol("ssl_min_protocol_version", TLS_1_2));
	if (plan->min_protocol > highest)
		plan->problems = lappend(plan->problems,
								 psprintf("min_protocol=%s is required, but ssl_max_protocol_version on the server is %s",
										  tls_version_name(plan->min_protocol), tls_version_name(highest)));
	if (plan->min_protocol > plan->needs->max_protocol)
		plan->problems = lappend(plan->problems,
								 psprintf("the required ciphers belong to TLSv1.2 or older, but %s is required",
										  tls_version_name(plan->min_protocol)));
}

/*
 * What prevents a login on the server's side, whatever the client does.
 */
static void
find_server_problems(ClientPlan *plan)
{
	ClientNeeds *needs = plan->needs;

	if (needs->sslmode == SSLMODE_REJECT)
		plan->problems = lappend(plan->problems, pstrdup("a policy says sslmode=reject: no connection is let in"));
	if (needs->tls && !EnableSSL)
		plan->problems = lappend(plan->problems, pstrdup("TLS is required, but ssl is off on the server"));
	if (needs->certificate && ssl_ca_file[0] == '\0')
		plan->problems = lappend(plan->problems, pstrdup("a client certificate is required, but ssl_ca_file on the server is empty, so it cannot verify any"));
}

/*
 * The file that limits the ciphers of any program that uses OpenSSL; NULL if there is
 * nothing to limit.  libpq has no setting for ciphers.  The file also sets the newest
 * version, because a list of ciphers of TLSv1.2 does not limit those of TLSv1.3.
 */
char *
client_openssl_conf(const ClientPlan *plan)
{
	List	   *new = NIL;
	List	   *old = NIL;
	StringInfoData buf;
	ListCell   *cell;

	if (plan->needs->ciphers == NIL || !client_uses_tls(plan))
		return NULL;
	foreach(cell, plan->needs->ciphers)
		if (is_tls13_cipher(lfirst(cell)))
			new = lappend(new, lfirst(cell));
		else
			old = lappend(old, lfirst(cell));
	initStringInfo(&buf);
	appendStringInfoString(&buf, "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = tls\n[tls]\n");
	if (new != NIL)
		appendStringInfo(&buf, "Ciphersuites = %s\n", join_texts(new, ":"));
	else
		appendStringInfo(&buf, "MaxProtocol = %s\n", tls_version_name(plan->needs->max_protocol));
	if (old != NIL)
		appendStringInfo(&buf, "CipherString = %s\n", join_texts(old, ":"));
	return buf.data;
}

/*
 * facts has the role, and the address and the database as far as they are known;
 * all else is unknown.  directory is absolute, and in UTF-8.
 */
ClientPlan *
plan_client(const Facts *facts, const char *directory)
{
	ClientPlan *plan = palloc0(sizeof(ClientPlan));
	Applicable *applicable = find_applicable(facts->role, facts->database, true);

	plan->facts = facts;
	plan->directory = directory;
	plan->needs = client_needs(applicable, facts);
	plan->server = server_identity((int64) time(NULL));
	plan->problems = list_copy(plan->needs->problems);
	choose_sslmode(plan);
	if (client_uses_tls(plan))
		choose_protocol(plan);
	find_server_problems(plan);
	return plan;
}
