/*-------------------------------------------------------------------------
 *
 * lintmaterial.c
 *		Findings about the files of TLS material.
 *
 * Only with ssl on: what is in the files is of no consequence otherwise.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libpq/libpq.h"
#include "miscadmin.h"
#include "postmaster/postmaster.h"
#include "utils/timestamp.h"

#include "base/datums.h"
#include "base/files.h"
#include "base/told.h"
#include "install/history.h"
#include "lint/lint.h"
#include "material/generation.h"
#include "material/identity.h"
#include "pki/chain.h"
#include "pki/crl.h"
#include "pki/x509.h"
#include "revocation/crlcopies.h"
#include "revocation/crlstate.h"
#include "revocation/indexfile.h"
#include "settings/settings.h"

/* With more, each connection pays for it. */
#define MANY_CRL_ENTRIES 10000

static bool
is_near(const Survey *survey, int64 end, int days)
{
	return end > survey->now && end - survey->now < (int64) days * SECS_PER_DAY;
}

/*
 * A certificate that the server sends to its clients.  bypassed: one of the chain, without
 * which clients find another path to a root.
 */
static void
check_server_dates(Survey *survey, const char *object, const CertFacts *facts, bool bypassed)
{
	static const char *const remedy =
		"Have a new one issued: SELECT sslpolicy.create_server_key(...), then SELECT * FROM sslpolicy.install_server_certificate(...).";

	if (bypassed && facts->not_after <= survey->now)
		add_finding(&survey->findings, SEVERITY_WARNING, "server_certificate_expired", object,
					psprintf("It is sent along, and expired on %s: clients that do not find another path to their root refuse the server.", unix_time_text(facts->not_after)),
					"Install the certificate and its chain without it: SELECT * FROM sslpolicy.install_server_certificate(...).");
	else if (facts->not_after <= survey->now)
		add_finding(&survey->findings, SEVERITY_ERROR, "server_certificate_expired", object,
					psprintf("It expired on %s: clients that verify the server refuse it.", unix_time_text(facts->not_after)), remedy);
	else if (facts->not_before > survey->now)
		add_finding(&survey->findings, SEVERITY_ERROR, "server_certificate_not_yet_valid", object,
					psprintf("It is not valid before %s: clients that verify the server refuse it.", unix_time_text(facts->not_before)),
					"Look at the server's clock, or have another certificate issued.");
	else if (is_near(survey, facts->not_after, lint_server_days()))
		add_finding(&survey->findings, SEVERITY_WARNING, "server_certificate_expiring", object,
					psprintf("It expires on %s, in less than %d days (sslpolicy.lint_server_days).", unix_time_text(facts->not_after), lint_server_days()), remedy);
}

/*
 * Certificates that distributions make at installation, so that a server starts.
 */
static bool
is_distribution_default(const char *path)
{
	char		target[MAXPGPATH];
	const char *name;
	char	   *resolved = realpath(path, NULL);

	strlcpy(target, resolved ? resolved : path, sizeof(target));
	free(resolved);
	name = strrchr(target, '/');
	return strncmp(name ? name + 1 : target, "ssl-cert-snakeoil", 17) == 0 ||
		strcmp(target, "/etc/pki/tls/certs/localhost.crt") == 0;
}

/*
 * Does a line of pg_hba.conf let somebody in over TLS who may have to give a password by
 * SCRAM?  Method md5 uses it where the stored password wants it.
 */
static bool
scram_over_tls(const Survey *survey)
{
	ListCell   *cell;

	foreach(cell, survey->hba)
	{
		const HbaEntry *line = lfirst(cell);

		if (line->with_tls && (strcmp(line->method, "scram-sha-256") == 0 || strcmp(line->method, "md5") == 0))
			return true;
	}
	return false;
}

static void
check_server_leaf(Survey *survey, const char *object, X509 *leaf, STACK_OF(X509) *sent,
				  const CertFacts *facts)
{
	MaterialFiles files = next_files(survey);
	STACK_OF(X509) *cas = next_cas(survey);
	char	   *binding = channel_binding_problem(leaf);
	bool		named = false;

	if (binding)
		add_finding(&survey->findings, scram_over_tls(survey) ? SEVERITY_ERROR : SEVERITY_WARNING, "server_certificate_without_digest", object,
					psprintf("For SCRAM, %s.", binding),
					"Have a certificate issued by a CA with an RSA or EC key. Only the certificate itself counts: further up the chain such a signature does no harm.");
	for (int i = 0; i < facts->nsans; i++)
		named |= strncmp(facts->sans[i], "dns:", 4) == 0 || strncmp(facts->sans[i], "ip:", 3) == 0;
	if (!named)
		add_finding(&survey->findings, SEVERITY_WARNING, "server_certificate_without_san", object,
					"It names no DNS name and no address as a subject alternative name: clients with sslmode=verify-full, of which many do not look at the common name, refuse it.",
					"Have a certificate issued with the names that clients use: SELECT sslpolicy.create_server_key('CN=...', ARRAY['dns:...']).");
	if (is_distribution_default(files.cert_file))
		add_finding(&survey->findings, SEVERITY_WARNING, "server_certificate_default", object,
					"It is the one that the distribution made at installation: no CA has issued it, and other services of the machine share its key.",
					"Have a certificate issued by a CA that clients trust: SELECT sslpolicy.create_server_key(...).");
	else if (is_self_signed(leaf))
		add_finding(&survey->findings, SEVERITY_WARNING, "server_certificate_self_signed", object,
					"It has signed itself: each client needs this very certificate as sslrootcert, and again after each renewal.",
					"Have a certificate issued by a CA that clients trust: SELECT sslpolicy.create_server_key(...).");
	if (X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0) != 1)
		add_finding(&survey->findings, SEVERITY_ERROR, "server_certificate_wrong_purpose", object,
					"It is not meant for a TLS server (extended key usage): clients that verify the server refuse it.",
					"Have a certificate issued for server authentication.");
	if (verifies_as_client(leaf, sent, cas, next_security_level(survey), survey->now))
		add_finding(&survey->findings, SEVERITY_WARNING, "server_certificate_for_clients", object,
					"A CA in ssl_ca_file also verifies it as a client's certificate: whoever gets hold of it and its key, or makes another server use them, has a client's certificate for this server. (From the server's own machine it meets no policy.)",
					"Have a certificate issued with extendedKeyUsage = serverAuth alone, or by a CA that is not in ssl_ca_file.");
}

/*
 * The server's certificate and those that it sends along.  A root among them is
 * not looked at by clients.
 */
void
lint_server_certificate(Survey *survey)
{
	MaterialFiles files = next_files(survey);
	STACK_OF(X509) *certs = read_once(survey, files.cert_file)->content->certs;

	if (!next_settings(survey)->ssl)
		return;
	for (int i = 0; i < sk_X509_num(certs); i++)
	{
		X509	   *cert = sk_X509_value(certs, i);
		CertFacts  *facts = read_certificate(cert, NULL);
		char	   *object = psprintf("server certificate %s", certificate_title(cert));

		if (facts == NULL || (i > 0 && is_self_signed(cert)))
			continue;
		check_server_dates(survey, object, facts,
						   i > 0 && leads_to_root(sk_X509_value(certs, 0), certs, next_cas(survey), survey->now));
		if (i == 0)
			check_server_leaf(survey, object, cert, certs, facts);
	}
}

/*
 * A file with a private key.  The owner's rights alone, or root's file with a
 * group that may read it, is what core accepts when it loads ssl_key_file; later
 * changes, and keys in other files, it does not notice.
 *
 * A user who may not know about files learns only about a file that the server has
 * loaded as its key.
 */
static void
check_key_file(Survey *survey, const char *setting, const char *path, bool is_key_file)
{
	LoadState  *state = load_state();
	struct stat st;
	mode_t		open;

	if (path[0] == '\0' || stat(path, &st) != 0)
		return;
	if (!files_may_be_told() && (!is_key_file || state->failed == state->attempt || strcmp(path, ssl_key_file) != 0))
		return;
	open = st.st_mode & (st.st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO);
	if (open == 0 || (!is_key_file && read_once(survey, path)->content->nkeys == 0))
		return;
	add_finding(&survey->findings, SEVERITY_ERROR, "key_readable_by_others", psprintf("file \"%s\"", path),
				psprintf("%s is this file, which holds a private key, and its permissions (%04o) are open to others than its owner.%s",
						 setting, (unsigned) (st.st_mode & 07777),
						 is_key_file ? " The server does not load it like that." : ""),
				"chmod 0600, and consider whether the key is still a secret: SELECT sslpolicy.create_server_key(...) makes a new one.");
}

void
lint_key_permissions(Survey *survey)
{
	MaterialFiles files = next_files(survey);

	if (!next_settings(survey)->ssl)
		return;
	check_key_file(survey, "ssl_key_file", files.key_file, true);
	if (strcmp(files.cert_file, files.key_file) != 0)
		check_key_file(survey, "ssl_cert_file", files.cert_file, false);
	check_key_file(survey, "ssl_ca_file", files.ca_file, false);
}

/*
 * serving is how many CAs verify clients.
 */
static void
check_ca(Survey *survey, const CasByName *cas, int position, const CertFacts *facts, int serving)
{
	X509	   *ca = sk_X509_value(cas->cas, position);
	char	   *object = psprintf("CA %s", certificate_title(ca));
	char	   *remove = psprintf("SELECT * FROM sslpolicy.remove_ca('%s')", fingerprint_hex(facts->fingerprint));
	bool		renewed = false;
	Verification *v;
	ListCell   *cell;

	/* the same CA with a later end takes over */
	foreach(cell, same_cas(cas, position))
	{
		CertFacts  *other = read_certificate(sk_X509_value(cas->cas, lfirst_int(cell)), NULL);

		renewed |= other && other->not_after > facts->not_after && other->not_before <= survey->now;
	}
	if (X509_check_ca(ca) == 0)
		add_finding(&survey->findings, SEVERITY_WARNING, "ca_is_no_ca", object,
					"It is in ssl_ca_file, and its basic constraints or key usage do not let it sign certificates: it verifies nobody.",
					psprintf("%s, and add the CA that issued it.", remove));
	else if (facts->not_after <= survey->now)
		add_finding(&survey->findings, renewed ? SEVERITY_INFO : expired_ca_severity(ca, serving), "ca_expired", object,
					psprintf("It has expired on %s: %s.", unix_time_text(facts->not_after),
							 renewed ? "its renewed certificate is there, so it only is in the way" : "every client certificate that it has issued is refused"),
					renewed ? psprintf("%s.", remove) : psprintf("Add the CA's new certificate with sslpolicy.add_ca(), then %s.", remove));
	else if (!renewed && is_near(survey, facts->not_after, lint_ca_days()))
		add_finding(&survey->findings, SEVERITY_WARNING, "ca_expiring", object,
					psprintf("It expires on %s, in less than %d days (sslpolicy.lint_ca_days): then every client certificate that it has issued is refused.",
							 unix_time_text(facts->not_after), lint_ca_days()),
					"Add the CA's new certificate beside it: SELECT * FROM sslpolicy.add_ca('-----BEGIN CERTIFICATE-----...').");
	else
	{
		v = verify_ca(cas->cas, ca, next_security_level(survey), survey->now);
		if (!v->ok)
			add_finding(&survey->findings, SEVERITY_WARNING, "ca_verifies_nobody", object,
						psprintf("It is in ssl_ca_file, and verifies nobody: %s.%s", verification_text(v),
								 has_verify_error(v, X509_V_ERR_INVALID_PURPOSE) ? " Its extended key usage, or that of a CA above it, lacks clientAuth." : ""),
						has_verify_error(v, X509_V_ERR_INVALID_PURPOSE) ?
							psprintf("%s, or have its certificate reissued with clientAuth, or without an extended key usage.", remove) :
							"Add what is missing with sslpolicy.add_ca(), or remove it with sslpolicy.remove_ca().");
	}
}

void
lint_cas(Survey *survey)
{
	STACK_OF(X509) *cas = next_cas(survey);
	CasByName  *by_name = sort_cas_by_name(cas);
	int			serving;

	if (!next_settings(survey)->ssl)
		return;
	serving = count_serving_cas(cas, next_security_level(survey), survey->now);
	for (int i = 0; i < sk_X509_num(cas); i++)
	{
		CertFacts  *facts = read_certificate(sk_X509_value(cas, i), NULL);

		CHECK_FOR_INTERRUPTS();
		if (facts != NULL)
			check_ca(survey, by_name, i, facts, serving);
	}
}

static void
check_crl_dates(Survey *survey, const char *object, bool has_end, int64 end, Severity expired)
{
	static const char *const remedy =
		"Have the CA issue a new one: SELECT * FROM sslpolicy.install_crl('-----BEGIN X509 CRL-----...'), or replace the file.";

	if (!has_end)
		return;
	if (end <= survey->now)
		add_finding(&survey->findings, expired, "crl_expired", object,
					psprintf("It has expired on %s%s.", unix_time_text(end),
							 expired == SEVERITY_ERROR ? ": every certificate of this CA is refused" : ", and sslpolicy.crl_expired = accept lets certificates of its CA in all the same"),
					remedy);
	else if (is_near(survey, end, lint_crl_days()))
		add_finding(&survey->findings, SEVERITY_WARNING, "crl_expiring", object,
					psprintf("It expires on %s, in less than %d days (sslpolicy.lint_crl_days): then every certificate of this CA is refused.", unix_time_text(end), lint_crl_days()),
					remedy);
}

static char *
crl_object(const char *issuer_dn, const CrlScope *scope)
{
	return scope->text ? psprintf("CRL of \"%s\" (%s)", certificate_string(issuer_dn), certificate_string(scope->text)) :
						 psprintf("CRL of \"%s\"", certificate_string(issuer_dn));
}

/*
 * A CRL that core checks.  One that has been replaced by a newer one of the same
 * CA may expire.
 */
static void
check_crl(Survey *survey, const Trust *trust, X509_CRL *crl)
{
	CrlFacts   *facts = read_crl(crl);
	X509	   *issuer = crl_issuer(crl, trust->issuers);
	char	   *object;

	if (facts == NULL)
		return;
	object = crl_object(facts->issuer_dn, &facts->scope);
	if (issuer == NULL)
	{
		add_finding(&survey->findings, SEVERITY_INFO, "crl_issuer_unknown", object,
					"No CA in ssl_ca_file has signed it. If an intermediate CA has signed it whose certificate only clients send, the server refuses the certificates in this CRL at login, but sslpolicy cannot verify the CRL, and ends no live sessions because of it. Otherwise the CRL has no effect.",
					"Give the certificate of the CA along with the CRL: SELECT * FROM sslpolicy.install_crl('-----BEGIN CERTIFICATE-----...-----BEGIN X509 CRL-----...'). Leave the CRL in the file as long as clients have certificates of this CA: without the CRL they are refused.");
		return;
	}
	if (facts->unsupported)
		add_finding(&survey->findings, SEVERITY_WARNING, "crl_unusable", object,
					psprintf("It cannot be used: %s.", facts->unsupported),
					"Have the CA issue a complete CRL for all that it has revoked.");
	for (int i = 0; i < sk_X509_CRL_num(trust->crls); i++)
	{
		CrlFacts   *other = is_crl_signed_by(sk_X509_CRL_value(trust->crls, i), issuer) ?
			read_crl(sk_X509_CRL_value(trust->crls, i)) :
			NULL;

		if (other && is_same_scope(facts, other) && facts->has_next_update && (!other->has_next_update || other->next_update > facts->next_update))
			return;
	}
	check_crl_dates(survey, object, facts->has_next_update, facts->next_update, SEVERITY_ERROR);
}

/*
 * CRLs of ssl_crl_file and ssl_crl_dir.
 */
void
lint_core_crls(Survey *survey)
{
	MaterialFiles files = next_files(survey);
	TlsParameters parameters = configured_parameters(next_settings(survey));
	char	   *error;
	Trust	   *trust;
	int64		entries = 0;

	if (!next_settings(survey)->ssl || (files.crl_file[0] == '\0' && files.crl_dir[0] == '\0'))
		return;
	trust = read_trust(&files, &parameters, survey->now, &error);
	/* lint_loadable() reports that, and in the same words a file without CRLs */
	if (trust == NULL ||
		(!files_may_be_told() && files.crl_file[0] &&
		 sk_X509_CRL_num(read_once(survey, files.crl_file)->content->crls) == 0))
		return;
	trust->issuers = known_crl_issuers(trust->cas, NULL);
	for (int i = 0; i < sk_X509_CRL_num(trust->crls); i++)
	{
		CHECK_FOR_INTERRUPTS();
		check_crl(survey, trust, sk_X509_CRL_value(trust->crls, i));
		entries += sk_X509_REVOKED_num(X509_CRL_get_REVOKED(sk_X509_CRL_value(trust->crls, i)));
	}
	for (int i = 0; i < sk_X509_num(trust->cas); i++)
	{
		X509	   *ca = sk_X509_value(trust->cas, i);
		bool		has_crl = false;

		for (int k = 0; k < sk_X509_CRL_num(trust->crls); k++)
			has_crl |= is_crl_signed_by(sk_X509_CRL_value(trust->crls, k), ca);
		if (!has_crl && X509_check_ca(ca) != 0)
			add_finding(&survey->findings, SEVERITY_ERROR, "ca_without_crl", psprintf("CA %s", certificate_title(ca)),
						"CRLs are checked (ssl_crl_file or ssl_crl_dir is set), and there is none of this CA: every certificate that it has issued is refused.",
						"Install its CRL: SELECT * FROM sslpolicy.install_crl('-----BEGIN X509 CRL-----...').");
	}
	if (entries > MANY_CRL_ENTRIES)
		add_finding(&survey->findings, SEVERITY_WARNING, "big_crl_file",
					files.crl_file[0] ? psprintf("file \"%s\"", files.crl_file) : psprintf("directory \"%s\"", files.crl_dir),
					psprintf("It lists " INT64_FORMAT " revoked certificates, which each connection with a client certificate walks through.", entries),
					"Set sslpolicy.crl_file (or crl_dir) to it in place of ssl_crl_file (or ssl_crl_dir): sslpolicy looks certificates up in an index.");
}

/*
 * CRLs of sslpolicy.crl_file and crl_dir.
 */
void
lint_own_crls(Survey *survey)
{
	STACK_OF(X509) *cas = read_once(survey, ssl_ca_file)->content->certs;
	char	   *object = psprintf("setting %s", crl_file()[0] ? "sslpolicy.crl_file" : "sslpolicy.crl_dir");
	CrlState   *state = crl_state();
	IndexedCrl *crls;
	int			count;
	char	   *error;

	if (!EnableSSL || !crls_configured())
		return;
	crls = read_own_crls(&count, &error);
	if (state->error || crls == NULL)
		add_finding(&survey->findings, crls ? SEVERITY_WARNING : SEVERITY_ERROR, "crl_not_in_force", object,
					psprintf("Not all CRLs are in force as the files have them: %s. %s",
							 state->error ? state->error : "they have not been read",
							 crls ? "What was in force before stays so." : "Client certificates are refused until they are."),
					"Mend the files; the worker looks at them again by itself, and at once with SELECT * FROM sslpolicy.reload().");
	for (int i = 0; crls && i < count; i++)
		check_crl_dates(survey, crl_object(crls[i].issuer_dn, &crls[i].scope),
						crls[i].has_next_update, crls[i].next_update,
						accept_expired_crl() ? SEVERITY_WARNING : SEVERITY_ERROR);
	for (int i = 0; crls && i < sk_X509_num(cas) && !accept_missing_crl(); i++)
	{
		X509	   *ca = sk_X509_value(cas, i);
		uint8		identity[CA_IDENTITY_LEN];
		bool		has_crl = X509_check_ca(ca) == 0 || !ca_identity(ca, identity);

		for (int k = 0; k < count && !has_crl; k++)
			has_crl = memcmp(crls[k].identity, identity, CA_IDENTITY_LEN) == 0;
		if (!has_crl)
			add_finding(&survey->findings, SEVERITY_ERROR, "ca_without_crl", psprintf("CA %s", certificate_title(ca)),
						psprintf("CRLs are checked (%s is set), and there is none of this CA: every certificate that it has issued is refused.", crl_file()[0] ? "sslpolicy.crl_file" : "sslpolicy.crl_dir"),
						"Install its CRL: SELECT * FROM sslpolicy.install_crl('-----BEGIN X509 CRL-----...').");
	}
}

/*
 * Is the file of a kind what was installed last?  Another program may look after it, so
 * it is no fault if not.  But if it is an earlier version, somebody has gone back who did
 * not mean to: files were restored without the history, or the history without them.
 */
static void
check_installed(Survey *survey, List *history, MaterialKind kind, const char *setting, const char *path)
{
	const HistoryEntry *last = last_history_entry(history, kind);
	const HistoryEntry *here = history_entry_of_file(history, kind, path);
	const char *name = material_kind_name(kind);
	char	   *object = path[0] ? psprintf("file \"%s\"", path) : psprintf("setting %s", setting);
	bool		earlier = false;
	uint8		digest[FINGERPRINT_LEN];
	ListCell   *cell;

	/* nothing was, or the last thing was to have none; others tell what cannot be read */
	if (last == NULL || last->version == 0 || (path[0] && !file_fingerprint(path, digest)))
		return;
	foreach(cell, history)
	{
		const HistoryEntry *e = lfirst(cell);

		if (e == here)
			earlier = true;
		if (e == last)
			break;
	}
	if (here != NULL && (here == last || !earlier))
		return;
	if (here != NULL && here->version > 0)
		add_finding(&survey->findings, SEVERITY_WARNING, "file_not_as_installed", object,
					psprintf("It is version %d, and version %d was installed last, on %s: something other than sslpolicy has put the earlier one in place, as restoring a backup does.",
							 here->version, last->version, timestamptz_to_str(last->at)),
					psprintf("Install what should be in force; SELECT * FROM sslpolicy.rollback('%s') puts version %d back.", name, last->version));
	else
		add_finding(&survey->findings, SEVERITY_INFO, "file_not_as_installed", object,
					path[0] ? psprintf("It is not what was installed last, version %d on %s: something other than sslpolicy has changed it.",
									   last->version, timestamptz_to_str(last->at)) :
							  psprintf("It names no file, and version %d was installed last, on %s.", last->version, timestamptz_to_str(last->at)),
					path[0] ? psprintf("If another program looks after this file, leave it to that program alone. If not, SELECT * FROM sslpolicy.rollback('%s') puts version %d back.", name, last->version) :
							  "Set it again if there should be such a file; else there is nothing to do.");
}

/*
 * What was put in place by sslpolicy, and is there no longer.
 */
void
lint_installed(Survey *survey)
{
	bool		indexed = crl_file()[0] != '\0';
	List	   *history = EnableSSL ? read_history() : NIL;

	check_installed(survey, history, MATERIAL_SERVER, "ssl_cert_file", ssl_cert_file);
	check_installed(survey, history, MATERIAL_CA, "ssl_ca_file", ssl_ca_file);
	check_installed(survey, history, MATERIAL_CRL, indexed ? "sslpolicy.crl_file" : "ssl_crl_file",
					indexed ? crl_file() : ssl_crl_file);
}
