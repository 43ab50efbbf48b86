/*-------------------------------------------------------------------------
 *
 * clientsettings.c
 *		What a client has to set, to satisfy the policies that apply to it and
 *		to verify this server, as rows of setting, value and note.
 *
 * clientplan.c decides what the client must do; clienturls.c writes the strings that
 * some drivers take.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "libpq/libpq.h"
#include "postmaster/postmaster.h"

#include "advice/clientplan.h"
#include "advice/clientsettings.h"
#include "advice/clienttext.h"
#include "advice/clienturls.h"
#include "base/escape.h"
#include "material/material.h"
#include "pki/x509.h"
#include "policy/matcher.h"
#include "settings/settings.h"

/*
 * Neither value nor note may be NULL: a setting without a value has no row.
 */
void
add_client_setting(List **rows, const char *setting, const char *value, const char *note)
{
	ClientSetting *row = palloc0(sizeof(ClientSetting));

	row->setting = setting;
	row->value = value;
	row->note = note;
	*rows = lappend(*rows, row);
}

static void
put_summary(const ClientPlan *plan, List **rows)
{
	ClientNeeds *needs = plan->needs;
	StringInfoData note;
	bool		tls = client_uses_tls(plan) && EnableSSL;

	initStringInfo(&note);
	if (needs->depends != NIL)
		appendStringInfo(&note, "Depends on %s%s%s, and not given here: %s. All of it is taken into account. ",
						 plan->facts->unknown & UNKNOWN_ADDRESS ? "the client's address" : "",
						 (plan->facts->unknown & UNKNOWN_ADDRESS) && (plan->facts->unknown & UNKNOWN_DATABASE) ? " or " : "",
						 plan->facts->unknown & UNKNOWN_DATABASE ? "the database" : "",
						 join_texts(needs->depends, "; "));
	if (plan->facts->unknown & UNKNOWN_DATABASE)
		appendStringInfoString(&note, "The policies of databases are not looked at, because none was given. ");
	if (needs->logged != NIL)
		appendStringInfo(&note, "Rules with action=log ask for more, which is not in force yet: %s. ", join_texts(needs->logged, "; "));
	if (enforcement() != ENFORCEMENT_ENFORCE)
		appendStringInfo(&note, "sslpolicy.enforcement is %s: nobody is refused for a policy. ",
						 enforcement() == ENFORCEMENT_LOG ? "log" : "off");
	appendStringInfoString(&note, "Policies hold for TCP; pg_hba.conf decides how the role authenticates, and may ask for more.");

	for (int i = 0; i < list_length(plan->problems); i++)
		add_client_setting(rows, "problem", list_nth(plan->problems, i),
						   "no client setting can change this; change the policy or the server");
	add_client_setting(rows, "authentication",
					   !tls ? "none by TLS" : needs->certificate ? "two-way" :
																   "one-way",
					   note.data);
	add_client_setting(rows, "policy_sslmode", sslmode_name(needs->plain_text && !needs->tls ? SSLMODE_DISABLE : needs->sslmode),
					   "what the server demands of the session; PGSSLMODE is how far the client verifies the server");
}

static void
put_connection(const ClientPlan *plan, List **rows)
{
	ServerHost *host = plan->host;
	StringInfoData note;

	initStringInfo(&note);
	if (host->name == NULL)
		appendStringInfoString(&note, "write the name or the address of this server in place of " HOST_PLACEHOLDER);
	else
	{
		appendStringInfo(&note, "%s%s",
						 client_verifies(plan) ? "the name must be in the server's certificate" : "a name in the server's certificate",
						 host->common_name ? ", of which only the common name can be used: not every driver accepts that" : "");
		if (host->wildcard)
			appendStringInfoString(&note, "; write this server's own label in place of " HOST_PLACEHOLDER);
		if (host->others[0])
			appendStringInfo(&note, "; also there: %s", host->others);
	}
	add_client_setting(rows, "PGHOST", client_host(plan), note.data);
	add_client_setting(rows, "PGPORT", psprintf("%d", PostPortNumber), "");
	if (plan->facts->database)
		add_client_setting(rows, "PGDATABASE", plan->facts->database, "");
	add_client_setting(rows, "PGUSER", plan->facts->role, "");
}

static void
put_tls(const ClientPlan *plan, List **rows)
{
	ClientNeeds *needs = plan->needs;

	add_client_setting(rows, "PGSSLMODE", plan->sslmode, plan->sslmode_note);
	if (!client_uses_tls(plan))
		return;
	if (client_verifies(plan))
		add_client_setting(rows, "PGSSLROOTCERT", client_file(plan, ROOT_FILE),
						   "save there the output of psql -XqAt -c 'SELECT sslpolicy.server_ca()', over a connection that you trust; if PGSSLCRL names a file with the CRL of each CA in the chain of the server's certificate, libpq refuses the server once its certificate is revoked");
	if (client_presents_certificate(plan))
	{
		add_client_setting(rows, "PGSSLCERT", client_file(plan, CERT_FILE),
						   "PEM: the client certificate, followed by every intermediate CA that is not in the server's ssl_ca_file");
		add_client_setting(rows, "PGSSLKEY", client_file(plan, KEY_FILE),
						   "PEM: its private key, as \"openssl\" below makes it");
		add_client_setting(rows, "key_permissions", "0600",
						   "chmod 0600 " KEY_FILE "; libpq refuses a key that others may read (0640 if root owns it)");
	}
	add_client_setting(rows, "PGSSLMINPROTOCOLVERSION", tls_version_name(plan->min_protocol),
					   needs->min_protocol == TLS_NONE ? "no policy asks for more" : "");
	if (needs->max_protocol < TLS_1_3)
		add_client_setting(rows, "PGSSLMAXPROTOCOLVERSION", tls_version_name(needs->max_protocol),
						   "the required ciphers are older than TLSv1.3");
	if (needs->tls)
		add_client_setting(rows, "PGGSSENCMODE", "disable",
						   "GSS encryption is not TLS, and libpq would try it first if it has a Kerberos ticket");
}

static void
put_ciphers(const ClientPlan *plan, List **rows)
{
	char	   *conf = client_openssl_conf(plan);

	if (conf == NULL)
		return;
	add_client_setting(rows, "cipher", join_texts(plan->needs->ciphers, ", "),
					   "one of these must be in use; the server chooses (ssl_ciphers) among those that the client offers, so the client must offer only these; libpq and what is built on it: OPENSSL_CONF, since libpq has no setting of its own; Java: java_ciphers; node-postgres: ssl.ciphers, in its row; asyncpg: OPENSSL_CONF too, or ssl.SSLContext.set_ciphers() if Python was built with its own list; pgx: CipherSuites and MaxVersion of its TLSConfig, for ciphers of TLSv1.2 only; lib/pq: not possible");
	add_client_setting(rows, "OPENSSL_CONF", client_file(plan, OPENSSL_CONF_FILE),
					   "a file that OpenSSL reads, in every program that is given this variable");
	add_client_setting(rows, "openssl_conf_file", conf,
					   "what " OPENSSL_CONF_FILE " holds");
}

/*
 * The names of the ciphers that Java knows, joined by commas; NULL if there are none.
 */
static char *
java_ciphers(const ClientPlan *plan)
{
	List	   *names = NIL;
	ListCell   *cell;

	foreach(cell, plan->needs->ciphers)
	{
		const char *name = cipher_standard_name(lfirst(cell));

		if (name)
			names = lappend(names, pstrdup(name));
	}
	return names == NIL ? NULL : join_texts(names, ",");
}

/*
 * pgJDBC has no settings for these, but Java has system properties.
 */
static void
put_java_properties(const ClientPlan *plan, List **rows)
{
	char	   *ciphers = java_ciphers(plan);
	List	   *versions = NIL;

	if (!client_uses_tls(plan))
		return;
	for (TlsVersion v = plan->min_protocol; v <= plan->needs->max_protocol; v++)
		versions = lappend(versions, pstrdup(tls_version_name(v)));
	if (versions != NIL)
		add_client_setting(rows, "java_protocols", join_texts(versions, ","),
						   "for pgJDBC: java -Djdk.tls.client.protocols=<value>");
	if (ciphers)
		add_client_setting(rows, "java_ciphers", ciphers,
						   "for pgJDBC: java -Djdk.tls.client.cipherSuites=<value>; the same ciphers by their names in the RFCs, which Go also uses");
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
	return names == NIL ? NULL : join_texts(names, " or ");
}

/*
 * The certificate: what it must be, and how to ask for it.
 */
static void
put_certificate(const ClientPlan *plan, List **rows)
{
	ClientNeeds *needs = plan->needs;
	CertRequest *request = needs->request;
	Applicable	none = {0};
	char	   *cas;
	char	   *key;
	StringInfoData pkcs8;

	if (!client_presents_certificate(plan))
		return;
	cas = needs->issuers == NIL ? trusted_cas() : join_texts(needs->issuers, ", and ");
	if (cas)
		add_client_setting(rows, "ca", cas,
						   needs->issuers == NIL ? "who may have issued the certificate, directly or through intermediates: a CA of the server's ssl_ca_file" :
												   "who must be in the chain of the certificate, which must end at a CA of the server's ssl_ca_file");
	if (needs->fingerprints != NIL)
		add_client_setting(rows, "fingerprint", join_texts(needs->fingerprints, ", and "),
						   "SHA-256 of the required certificate: exactly this one; before you use a new one, name it in the policy");
	if (needs->max_lifetime > 0)
		add_client_setting(rows, "max_lifetime", lifetime_text(needs->max_lifetime),
						   psprintf("longest time from notBefore to notAfter that the CA may give the certificate; a grace of %s on top is accepted, because CAs back-date notBefore",
									duration_text(lifetime_grace(needs->max_lifetime))));
	if (needs->end_on_expiry)
		add_client_setting(rows, "on_expiry", "end", "the session ends when the certificate expires: renew it and reconnect before then");

	/* without a policy that asks for names, CN = role */
	if (request == NULL)
		request = plan_certificate_request(&none, plan->facts, true);
	if (!request->possible)
	{
		add_client_setting(rows, "names", request->wanted,
						   "what the names in the certificate must meet: choose names, and write the request yourself");
		return;
	}
	if (request->names.cn)
		add_client_setting(rows, "common_name", unescape_high_bytes(request->names.cn),
						   needs->request == NULL	 ? "any name will do" :
							   needs->by_certificate ? "method cert of pg_hba.conf asks for CN = role, unless a map there says otherwise" :
													   "");
	add_client_setting(rows, "subject", unescape_high_bytes(request->names.subject_dn), "the whole subject, in RFC 2253 form");
	for (int i = 0; i < request->names.nsans; i++)
		add_client_setting(rows, "subject_alt_name", unescape_high_bytes(request->names.sans[i]), "");
	key = client_file(plan, KEY_FILE);
	add_client_setting(rows, "openssl", certificate_request_command(request, key, client_file(plan, REQUEST_FILE)),
					   "makes the key and the request, which the CA signs as " CERT_FILE "; the key stays with the client");
	initStringInfo(&pkcs8);
	appendStringInfoString(&pkcs8, "openssl pkcs8 -topk8 -nocrypt -in");
	append_shell_word(&pkcs8, key);
	appendStringInfoString(&pkcs8, " -outform DER -out");
	append_shell_word(&pkcs8, client_file(plan, JDBC_KEY_FILE));
	add_client_setting(rows, "openssl_pkcs8", pkcs8.data, "the same key for pgJDBC; chmod 0600 " JDBC_KEY_FILE);
}

/*
 * The settings of a client, as ClientSetting.
 *
 * facts has the role, and the address and the database as far as they are known;
 * all else is unknown.  directory is where the client has its files: absolute, and in
 * UTF-8.
 */
List *
client_settings(const Facts *facts, const char *directory)
{
	ClientPlan *plan = plan_client(facts, directory);
	List	   *rows = NIL;

	put_summary(plan, &rows);
	if (plan->needs->sslmode == SSLMODE_REJECT)
		return rows;
	put_connection(plan, &rows);
	put_tls(plan, &rows);
	put_ciphers(plan, &rows);
	put_connection_strings(plan, &rows);
	put_java_properties(plan, &rows);
	put_certificate(plan, &rows);
	return rows;
}
