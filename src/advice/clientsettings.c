/*-------------------------------------------------------------------------
 *
 * clientsettings.c
 *		What a client has to set, to satisfy the policies that apply to it and
 *		to verify this server, as rows of setting, value and note.
 *
 * Two things are not the same here: the sslmode of a policy is what the server
 * demands of a session, PGSSLMODE is how far a client verifies the server.  A
 * client is told the strongest one that works.
 *
 * The files have the names under which libpq and pgJDBC look for them in
 * ~/.postgresql, so that nothing but their place needs to be adapted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "libpq/libpq.h"
#include "postmaster/postmaster.h"
#include "utils/guc.h"

#include "advice/clientneeds.h"
#include "advice/clientsettings.h"
#include "advice/clienttext.h"
#include "advice/serverhost.h"
#include "base/compat.h"
#include "base/escape.h"
#include "material/material.h"
#include "material/serverca.h"
#include "pki/x509.h"
#include "session/collect.h"
#include "settings/settings.h"

#define ROOT_FILE		  "root.crt"
#define CERT_FILE		  "postgresql.crt"
#define KEY_FILE		  "postgresql.key"
#define REQUEST_FILE	  "postgresql.csr"
#define JDBC_KEY_FILE	  "postgresql.pk8"
#define OPENSSL_CONF_FILE "openssl.cnf"

/* What the rows are made of. */
typedef struct Plan
{
	const Facts *facts;
	ClientNeeds *needs;
	ServerIdentity *server;
	ServerHost *host;			/* a name in the server's certificate */
	const char *sslmode;		/* of the client */
	const char *sslmode_note;
	TlsVersion	min_protocol;	/* of the client */
	List	   *problems;		/* texts, a row each */
	List	   *rows;			/* ClientSetting */
} Plan;

static void
add_setting(Plan *plan, const char *setting, const char *value, const char *note)
{
	ClientSetting *row = palloc0(sizeof(ClientSetting));

	row->setting = setting;
	row->value = value;
	row->note = note;
	plan->rows = lappend(plan->rows, row);
}

static char *
join(List *texts, const char *separator)
{
	StringInfoData buf;
	ListCell   *cell;

	initStringInfo(&buf);
	foreach(cell, texts)
		appendStringInfo(&buf, "%s%s", buf.len ? separator : "", (char *) lfirst(cell));
	return buf.data;
}

static bool
verifies(const Plan *plan)
{
	return strncmp(plan->sslmode, "verify-", 7) == 0;
}

static bool
uses_tls(const Plan *plan)
{
	return strcmp(plan->sslmode, "disable") != 0;
}

/* Physical replication has no database. */
static bool
is_replication(const Plan *plan)
{
	return plan->facts->database == NULL && !(plan->facts->unknown & UNKNOWN_DATABASE);
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
choose_sslmode(Plan *plan)
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
		plan->sslmode_note = psprintf("with this the client does not verify the server, and is open to whoever can stand between them: with the root certificate of its host as sslrootcert, set verify-full. %s",
									  server->error);
	}
	else if (server->error || server->refusal)
	{
		plan->sslmode = "require";
		plan->sslmode_note = psprintf("the client cannot verify the server, and is open to whoever can stand between them: %s",
									  server->error ? server->error : server->refusal);
	}
	else
	{
		plan->sslmode = plan->host->name ? "verify-full" : "verify-ca";
		plan->sslmode_note = plan->host->name ?
			"how far the client verifies the server, the strongest that works: certificate and host name" :
			"the server's certificate names no host, so the client can verify it, and not that it belongs to this host: any server with a certificate of the same CA would do";
	}
}

static void
choose_protocol(Plan *plan)
{
	TlsVersion	highest = server_protocol("ssl_max_protocol_version", TLS_1_3);

	/* libpq's own default is TLSv1.2 */
	plan->min_protocol = Max(plan->needs->min_protocol, Min(TLS_1_2, highest));
	plan->min_protocol = Max(plan->min_protocol, server_protocol("ssl_min_protocol_version", TLS_1_2));
	if (plan->min_protocol > highest)
		plan->problems = lappend(plan->problems,
								 psprintf("min_protocol=%s is asked for, and ssl_max_protocol_version of the server is %s",
										  tls_version_name(plan->min_protocol), tls_version_name(highest)));
	if (plan->min_protocol > plan->needs->max_protocol)
		plan->problems = lappend(plan->problems,
								 psprintf("the ciphers that are asked for belong to TLSv1.2 or older, and %s is asked for",
										  tls_version_name(plan->min_protocol)));
}

/*
 * What stands in the way on the server's side, whatever the client does.
 */
static void
find_server_problems(Plan *plan)
{
	ClientNeeds *needs = plan->needs;

	if (needs->sslmode == SSLMODE_REJECT)
		plan->problems = lappend(plan->problems, pstrdup("a policy says sslmode=reject: no connection is let in"));
	if (needs->tls && !EnableSSL)
		plan->problems = lappend(plan->problems, pstrdup("TLS is asked for, and ssl is off on the server"));
	if (needs->certificate && ssl_ca_file[0] == '\0')
		plan->problems = lappend(plan->problems, pstrdup("a client certificate is asked for, and ssl_ca_file of the server is empty: it can verify none"));
}

static void
put_summary(Plan *plan)
{
	ClientNeeds *needs = plan->needs;
	StringInfoData note;
	bool		tls = uses_tls(plan) && EnableSSL;

	initStringInfo(&note);
	if (needs->depends != NIL)
		appendStringInfo(&note, "Depends on %s%s%s, and not given here: %s. All of it is taken into account. ",
						 plan->facts->unknown & UNKNOWN_ADDRESS ? "the client's address" : "",
						 (plan->facts->unknown & UNKNOWN_ADDRESS) && (plan->facts->unknown & UNKNOWN_DATABASE) ? " or " : "",
						 plan->facts->unknown & UNKNOWN_DATABASE ? "the database" : "",
						 join(needs->depends, "; "));
	if (plan->facts->unknown & UNKNOWN_DATABASE)
		appendStringInfoString(&note, "The policies of databases are not looked at, because none was given. ");
	if (needs->logged != NIL)
		appendStringInfo(&note, "Rules with action=log ask for more, which is not in force yet: %s. ", join(needs->logged, "; "));
	if (enforcement() != ENFORCEMENT_ENFORCE)
		appendStringInfo(&note, "sslpolicy.enforcement is %s: nobody is refused for a policy. ",
						 enforcement() == ENFORCEMENT_LOG ? "log" : "off");
	appendStringInfoString(&note, "Policies hold for TCP; pg_hba.conf decides how the role authenticates, and may ask for more.");

	for (int i = 0; i < list_length(plan->problems); i++)
		add_setting(plan, "problem", list_nth(plan->problems, i),
					"no setting of the client changes that; the policy or the server must");
	add_setting(plan, "authentication",
				!tls ? "none by TLS" : needs->certificate ? "two-way" :
															"one-way",
				note.data);
	add_setting(plan, "policy_sslmode", sslmode_name(needs->plain_text && !needs->tls ? SSLMODE_DISABLE : needs->sslmode),
				"what the server demands of the session; PGSSLMODE is how far the client verifies the server");
}

static void
put_connection(Plan *plan)
{
	ServerHost *host = plan->host;
	StringInfoData note;

	initStringInfo(&note);
	if (host->name == NULL)
		appendStringInfoString(&note, "name or address of this server");
	else
	{
		appendStringInfo(&note, "%s%s",
						 verifies(plan) ? "the name must be in the server's certificate" : "a name in the server's certificate",
						 host->common_name ? ", of which only the common name can be used: not every driver accepts that" : "");
		if (host->wildcard)
			appendStringInfoString(&note, "; write this server's own label in place of " HOST_PLACEHOLDER);
		if (host->others[0])
			appendStringInfo(&note, "; also there: %s", host->others);
	}
	add_setting(plan, "PGHOST", host->name, note.data);
	add_setting(plan, "PGPORT", psprintf("%d", PostPortNumber), NULL);
	add_setting(plan, "PGDATABASE", plan->facts->database,
				plan->facts->database	 ? NULL :
					is_replication(plan) ? "none: physical replication" :
										   "not given");
	add_setting(plan, "PGUSER", plan->facts->role, NULL);
}

static void
put_tls(Plan *plan)
{
	ClientNeeds *needs = plan->needs;

	add_setting(plan, "PGSSLMODE", plan->sslmode, plan->sslmode_note);
	if (!uses_tls(plan))
		return;
	if (verifies(plan))
	{
		add_setting(plan, "PGSSLROOTCERT", ROOT_FILE,
					"save sslpolicy.server_ca() there: psql -XqAt -c 'SELECT sslpolicy.server_ca()' >" ROOT_FILE ", over a connection that you trust");
		add_setting(plan, "PGSSLCRL", NULL,
					"not needed; with a file of CRLs, of each CA in the chain of the server's certificate, the client refuses the server once its certificate is revoked");
	}
	if (needs->certificate)
	{
		add_setting(plan, "PGSSLCERT", CERT_FILE,
					"PEM: the client certificate, and behind it every intermediate CA that is not in the server's ssl_ca_file");
		add_setting(plan, "PGSSLKEY", KEY_FILE, "PEM: its private key, as \"openssl\" below makes it");
		add_setting(plan, "key_permissions", "0600",
					"chmod 0600 " KEY_FILE "; libpq refuses a key that others may read (0640 if root owns it)");
	}
	add_setting(plan, "PGSSLMINPROTOCOLVERSION", tls_version_name(plan->min_protocol),
				needs->min_protocol == TLS_NONE ? "no policy asks for more" : NULL);
	if (needs->max_protocol < TLS_1_3)
		add_setting(plan, "PGSSLMAXPROTOCOLVERSION", tls_version_name(needs->max_protocol),
					"the ciphers that are asked for are older than TLSv1.3");
	if (needs->tls)
		add_setting(plan, "PGGSSENCMODE", "disable",
					"GSS encryption is not TLS, and libpq would try it first if it has a Kerberos ticket");
}

/*
 * libpq has no setting for ciphers, but OpenSSL reads a file.
 */
static void
put_ciphers(Plan *plan)
{
	List	   *new = NIL;
	List	   *old = NIL;
	StringInfoData buf;
	ListCell   *cell;

	if (!plan->needs->cipher_limited || !uses_tls(plan))
		return;
	foreach(cell, plan->needs->ciphers)
		if (is_tls13_cipher(lfirst(cell)))
			new = lappend(new, lfirst(cell));
		else
			old = lappend(old, lfirst(cell));
	add_setting(plan, "cipher", join(plan->needs->ciphers, ", "),
				"one of these must be in use; which one, the server chooses among those that the client offers (ssl_ciphers), so let the client offer no others");
	initStringInfo(&buf);
	appendStringInfoString(&buf, "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = tls\n[tls]\n");
	if (new != NIL)
		appendStringInfo(&buf, "Ciphersuites = %s\n", join(new, ":"));
	if (old != NIL)
		appendStringInfo(&buf, "CipherString = %s\n", join(old, ":"));
	add_setting(plan, "OPENSSL_CONF", OPENSSL_CONF_FILE,
				"libpq itself has no setting for ciphers, OpenSSL reads this file; for Java set the system property jdk.tls.client.cipherSuites");
	add_setting(plan, "openssl_conf_file", buf.data, "what " OPENSSL_CONF_FILE " holds");
}

static void
put_conninfo(Plan *plan)
{
	ServerHost *host = plan->host;
	StringInfoData buf;
	StringInfoData jdbc;
	const char *jdbc_mode = plan->sslmode;
	const char *name = host->name ? host->name : HOST_PLACEHOLDER;
	const char *note = host->name && !host->wildcard ? "" :
													   "; write the name of this server in place of " HOST_PLACEHOLDER;

	initStringInfo(&buf);
	append_conninfo_setting(&buf, "host", name);
	append_conninfo_setting(&buf, "port", psprintf("%d", PostPortNumber));
	if (plan->facts->database)
		append_conninfo_setting(&buf, "dbname", plan->facts->database);
	if (is_replication(plan))
		append_conninfo_setting(&buf, "replication", "true");
	append_conninfo_setting(&buf, "user", plan->facts->role);
	append_conninfo_setting(&buf, "sslmode", plan->sslmode);

	/* pgJDBC compares no IPv6 address with those of a certificate */
	if (strchr(name, ':') && strcmp(jdbc_mode, "verify-full") == 0)
		jdbc_mode = "verify-ca";
	initStringInfo(&jdbc);
	appendStringInfo(&jdbc, strchr(name, ':') ? "jdbc:postgresql://[%s]:%d/" : "jdbc:postgresql://%s:%d/",
					 name, PostPortNumber);
	if (plan->facts->database)
		append_url_text(&jdbc, plan->facts->database);
	append_url_parameter(&jdbc, "user", plan->facts->role);
	append_url_parameter(&jdbc, "sslmode", jdbc_mode);

	if (verifies(plan))
	{
		append_conninfo_setting(&buf, "sslrootcert", ROOT_FILE);
		append_url_parameter(&jdbc, "sslrootcert", ROOT_FILE);
	}
	if (plan->needs->certificate && uses_tls(plan))
	{
		append_conninfo_setting(&buf, "sslcert", CERT_FILE);
		append_conninfo_setting(&buf, "sslkey", KEY_FILE);
		append_url_parameter(&jdbc, "sslcert", CERT_FILE);
		append_url_parameter(&jdbc, "sslkey", JDBC_KEY_FILE);
	}
	if (uses_tls(plan))
	{
		append_conninfo_setting(&buf, "ssl_min_protocol_version", tls_version_name(plan->min_protocol));
		if (plan->needs->max_protocol < TLS_1_3)
			append_conninfo_setting(&buf, "ssl_max_protocol_version", tls_version_name(plan->needs->max_protocol));
		if (plan->needs->tls)
			append_conninfo_setting(&buf, "gssencmode", "disable");
	}
	add_setting(plan, "conninfo", buf.data,
				psprintf("connection string of libpq, with files where the client runs%s%s",
						 plan->needs->cipher_limited ? "; OPENSSL_CONF above is needed as well" : "", note));
	add_setting(plan, "jdbc_url", jdbc.data,
				psprintf("for pgJDBC, with files where the client runs%s%s%s%s",
						 jdbc_mode == plan->sslmode ? "" :
													  "; verify-ca, because pgJDBC cannot verify a server by an IPv6 address: write a DNS name of its certificate, and verify-full, if it has one",
						 plan->needs->certificate ? "; the key as PKCS#8 in DER (see openssl_pkcs8), or with the certificate in one PKCS#12 file, whose name ends in .p12" : "",
						 plan->needs->min_protocol != TLS_NONE || plan->needs->cipher_limited ?
							 "; protocol versions and ciphers are system properties of Java, jdk.tls.client.protocols and jdk.tls.client.cipherSuites" :
							 "",
						 note));
}

/*
 * The CAs by which the server verifies clients: it tells their names to everybody
 * in the handshake.
 */
static char *
trusted_cas(void)
{
	STACK_OF(X509) *cas = read_pem_file(ssl_ca_file)->content->certs;
	List	   *names = NIL;

	for (int i = 0; i < sk_X509_num(cas); i++)
	{
		char	   *subject = dn_text(X509_get_subject_name(sk_X509_value(cas, i)));

		if (subject)
			names = lappend(names, subject);
	}
	return names == NIL ? NULL : join(names, " or ");
}

/*
 * The certificate: what it must be, and how to ask for it.
 */
static void
put_certificate(Plan *plan)
{
	ClientNeeds *needs = plan->needs;
	CertRequest *request = needs->request;
	Applicable	none = {0};

	if (!needs->certificate || !uses_tls(plan))
		return;
	add_setting(plan, "ca", needs->issuers == NIL ? trusted_cas() : join(needs->issuers, ", and "),
				needs->issuers == NIL ? "who may have issued the certificate, directly or through intermediates: a CA of the server's ssl_ca_file" :
										"who must be in the chain of the certificate, which must end at a CA of the server's ssl_ca_file");
	if (needs->fingerprints != NIL)
		add_setting(plan, "fingerprint", join(needs->fingerprints, ", and "),
					"SHA-256 of the certificate that is asked for: that very one; a new one must be named in the policy first");
	if (needs->max_lifetime > 0)
		add_setting(plan, "max_lifetime", lifetime_text(needs->max_lifetime),
					psprintf("longest time from notBefore to notAfter that the CA may give the certificate; a grace of %s on top is accepted, because CAs back-date notBefore",
							 duration_text(lifetime_grace(needs->max_lifetime))));
	if (needs->end_on_expiry)
		add_setting(plan, "on_expiry", "end", "the session ends when the certificate expires: renew it, and connect again, before that");

	/* without a policy that asks for names, CN = role */
	if (request == NULL)
		request = plan_certificate_request(&none, plan->facts, true);
	if (!request->possible)
	{
		add_setting(plan, "openssl", NULL,
					psprintf("choose a name that meets what the policies ask for: %s", request->wanted));
		return;
	}
	if (request->names.cn)
		add_setting(plan, "common_name", unescape_high_bytes(request->names.cn),
					needs->request == NULL	  ? "any name will do" :
						needs->by_certificate ? "method cert of pg_hba.conf asks for CN = role, unless a map there says otherwise" :
												NULL);
	add_setting(plan, "subject", unescape_high_bytes(request->names.subject_dn), "the whole subject, in RFC 2253 form");
	for (int i = 0; i < request->names.nsans; i++)
		add_setting(plan, "subject_alt_name", unescape_high_bytes(request->names.sans[i]), NULL);
	add_setting(plan, "openssl", certificate_request_command(request, KEY_FILE, REQUEST_FILE),
				"makes the key and the request, which the CA signs as " CERT_FILE "; the key stays with the client");
	add_setting(plan, "openssl_pkcs8",
				"openssl pkcs8 -topk8 -nocrypt -in " KEY_FILE " -outform DER -out " JDBC_KEY_FILE,
				"the same key for pgJDBC; chmod 0600 " JDBC_KEY_FILE);
}

/*
 * The settings of a client, as ClientSetting.
 *
 * facts has the role, and the address and the database as far as they are known;
 * all else is unknown.
 */
List *
client_settings(const Facts *facts)
{
	Plan		plan = {.facts = facts};
	Applicable *applicable = find_applicable(facts->role, facts->database, true);

	plan.needs = client_needs(applicable, facts);
	plan.server = server_identity((int64) time(NULL));
	plan.problems = list_copy(plan.needs->problems);
	choose_sslmode(&plan);
	if (uses_tls(&plan))
		choose_protocol(&plan);
	find_server_problems(&plan);
	put_summary(&plan);
	if (plan.needs->sslmode == SSLMODE_REJECT)
		return plan.rows;
	put_connection(&plan);
	put_tls(&plan);
	put_ciphers(&plan);
	put_conninfo(&plan);
	put_certificate(&plan);
	return plan.rows;
}
