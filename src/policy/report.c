/*-------------------------------------------------------------------------
 *
 * report.c
 *		A verdict in words: for the client, and for the server log.
 *
 * The client learns which keys it has not met, and what to set; never the
 * values that a policy requires, but for max_lifetime, which its CA must know.  The
 * log learns everything.  Both texts are
 * one line, and nothing in them that others have written can break it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/escape.h"
#include "policy/checktext.h"
#include "policy/report.h"

/*
 * Where a policy comes from.
 */
char *
applied_name(const AppliedPolicy *applied)
{
	switch (applied->source)
	{
		case SOURCE_MINIMUM:
			return pstrdup(applied->name ? applied->name : "sslpolicy.minimum_policy");
		case SOURCE_DEFAULT:
			return pstrdup(applied->name ? applied->name : "sslpolicy.default_policy");
		case SOURCE_DATABASE:
			return psprintf("database %s", quoted_name(applied->name));
		default:
			return psprintf("role %s", quoted_name(applied->name));
	}
}

/*
 * Everything about a connection that helps to tell it from others.
 */
char *
facts_for_log(const Facts *facts)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "role=%s database=%s address=%s ",
					 quoted_name(facts->role),
					 facts->database ? quoted_name(facts->database) : "[replication]",
					 address_text(facts));
	if (facts->ssl)
		appendStringInfo(&buf, "tls=%s cipher=%s ",
						 facts->version ? facts->version : "unknown",
						 facts->cipher ? facts->cipher : "unknown");
	else
		appendStringInfoString(&buf, "tls=none ");
	appendStringInfo(&buf, "auth_method=%s ",
					 facts->auth_method ? facts->auth_method : "unknown");
	if (facts->cert)
	{
		appendStringInfo(&buf, "subject=\"%s\" issuer=\"%s\" serial=%s fingerprint=",
						 facts->cert->subject_dn, facts->cert->issuer_dn,
						 facts->cert->serial);
		append_hex(&buf, facts->cert->fingerprint, FINGERPRINT_LEN);
		for (int i = 0; i < facts->cert->nsans; i++)
			appendStringInfo(&buf, "%s%s", i == 0 ? " san=" : ",",
							 quoted_escaped_text(facts->cert->sans[i]));
	}
	else
		appendStringInfo(&buf, "certificate=%s",
						 facts->unreadable ? "unreadable" : "none");
	return buf.data;
}

/*
 * Why a check of sslmode failed; brief for the message, which is one line.
 */
static const char *
sslmode_reason(SslMode asked, const Facts *facts, bool brief)
{
	if (asked == SSLMODE_REJECT)
		return "no connection is accepted";
	if (asked == SSLMODE_DISABLE)
		return "TLS is in use";
	if (!facts->ssl)
		return "TLS is not in use";
	if (facts->unreadable)
		return "the client certificate cannot be read";
	if (!facts->verified)
		return brief ? "no client certificate" : "the client presented no certificate";
	if (facts->anchor_gone)
		return "the CA of the certificate is not in force any more";
	return "not logged in by certificate";
}

/*
 * Why a check failed, as far as the client may know: what it has shown itself.
 */
static const char *
client_reason(const Check *check, const Facts *facts, bool brief)
{
	const char *reason = certificate_reason(check, facts);

	if (check->asks == NULL)
		return "the policy cannot be read";
	if (check->own_certificate)
		return "the certificate is the server's own, and comes from the server's own machine";
	if (check->key == KEY_SSLMODE)
		return sslmode_reason(check->asks->sslmode, facts, brief);
	if (!facts->ssl)
		return "TLS is not in use";
	if (check->key == KEY_MIN_PROTOCOL)
		return "TLS version too old";
	if (check->key == KEY_CIPHER)
		return "cipher not accepted";
	if (!facts->verified)
		return "no client certificate";
	switch (check->key)
	{
		case KEY_CN:
			return reason ? psprintf("%s and does not name the role", reason) :
							"the certificate does not name the role";
		case KEY_ISSUER:
		case KEY_CA_FINGERPRINT:
			return reason ? reason : "the CA of the certificate is not accepted";
		case KEY_ON_EXPIRY:
			return "the certificate has expired";
		default:
			return reason ? reason :
							psprintf("the %s of the certificate is not accepted", policy_key_name(check->key));
	}
}

/*
 * Does the check say more than that TLS or a certificate is missing?  What is missing
 * is said for sslmode, and not repeated for each key.
 */
static bool
says_more(const Check *check, const Facts *facts)
{
	if (check->asks == NULL || check->own_certificate || check->key == KEY_SSLMODE)
		return true;
	if (check->key == KEY_CN)
		return facts->verified;
	return certificate_reason(check, facts) != NULL;
}

/*
 * What a connection lacks.  Of several, the first one listed here comes first, in the
 * message and in the hint: before all, what no setting of the client can change.
 */
typedef enum Lack
{
	LACKS_READABLE_POLICY,
	LACKS_ACCEPTANCE,			/* sslmode=reject */
	LACKS_PLAIN_TEXT,			/* sslmode=disable */
	LACKS_OWN_CERTIFICATE,		/* it has the server's */
	LACKS_TLS,
	LACKS_READABLE_CERTIFICATE,
	LACKS_CERTIFICATE,
	LACKS_LOGIN_BY_CERTIFICATE,
	LACKS_OTHER_CERTIFICATE,
	LACKS_SHORTER_LIFETIME,
	LACKS_NEWER_VERSION,
	LACKS_OTHER_CIPHER
} Lack;

static Lack
lack_of(const Check *check, const Facts *facts)
{
	if (check->asks == NULL)
		return LACKS_READABLE_POLICY;
	if (check->own_certificate)
		return LACKS_OWN_CERTIFICATE;
	if (check->key == KEY_SSLMODE && check->asks->sslmode == SSLMODE_REJECT)
		return LACKS_ACCEPTANCE;
	if (check->key == KEY_SSLMODE && check->asks->sslmode == SSLMODE_DISABLE)
		return LACKS_PLAIN_TEXT;
	if (!facts->ssl)
		return LACKS_TLS;
	if (check->key == KEY_MIN_PROTOCOL)
		return LACKS_NEWER_VERSION;
	if (check->key == KEY_CIPHER)
		return LACKS_OTHER_CIPHER;
	if (facts->unreadable)
		return LACKS_READABLE_CERTIFICATE;
	if (!facts->verified)
		return LACKS_CERTIFICATE;
	if (check->key == KEY_SSLMODE)
		return LACKS_LOGIN_BY_CERTIFICATE;
	return check->key == KEY_MAX_LIFETIME ? LACKS_SHORTER_LIFETIME : LACKS_OTHER_CERTIFICATE;
}

static bool
is_failed(const Check *check)
{
	return check->outcome != OUTCOME_OK && !check->log_only;
}

/*
 * The failed check that comes first.
 */
static const Check *
first_failed(const Verdict *verdict, const Facts *facts)
{
	const Check *first = NULL;

	for (int i = 0; i < verdict->nchecks; i++)
	{
		const Check *check = &verdict->checks[i];

		if (is_failed(check) && (first == NULL || lack_of(check, facts) < lack_of(first, facts)))
			first = check;
	}
	return first;
}

/*
 * The reason that comes first: many clients show no more of an error than its message,
 * where this stands.
 */
const char *
first_reason_for_client(const Verdict *verdict, const Facts *facts)
{
	return client_reason(first_failed(verdict, facts), facts, true);
}

/*
 * The requirements that the client has not met, each once.
 */
char *
failures_for_client(const Verdict *verdict, const Facts *facts)
{
	StringInfoData buf;
	List	   *seen = NIL;

	initStringInfo(&buf);
	for (int i = 0; i < verdict->nchecks; i++)
	{
		const Check *check = &verdict->checks[i];
		char	   *text;
		ListCell   *cell;
		bool		repeated = false;

		if (!is_failed(check))
			continue;
		text = check_keys(check);
		if (says_more(check, facts))
			text = psprintf("%s (%s)", text, client_reason(check, facts, false));
		foreach(cell, seen)
			repeated |= strcmp(lfirst(cell), text) == 0;
		if (repeated)
			continue;
		appendStringInfo(&buf, "%s%s", buf.len ? ", " : "", text);
		seen = lappend(seen, text);
	}
	return buf.data;
}

/*
 * The requirements that were not met, or of which it is not known, with the values
 * required and where they come from; a string for each.
 */
List *
failure_list(const Verdict *verdict, const Facts *facts, bool log_only)
{
	List	   *result = NIL;

	for (int i = 0; i < verdict->nchecks; i++)
	{
		const Check *check = &verdict->checks[i];
		char	   *rule = "";
		const char *why = check->outcome == OUTCOME_UNKNOWN ? "; not known" : "";
		const char *reason = certificate_reason(check, facts);

		if (check->outcome == OUTCOME_OK || check->log_only != log_only)
			continue;
		if (check->rule > 0)
			rule = psprintf(", rule %d", check->rule);
		if (check->key == KEY_SSLMODE && check->asks && check->asks->sslmode >= SSLMODE_VERIFY_CA &&
			facts->verified && facts->anchor_gone)
			why = "; the CA of the certificate is not in force any more";
		else if (check->key == KEY_CN && check->outcome == OUTCOME_FAILED && verdict->regex_skipped)
			why = "; not compared with all regular expressions, which would take too long";
		else if (reason != NULL)
			why = psprintf("; %s", reason);
		result = lappend(result,
						 psprintf("%s (policy of %s%s%s)",
								  printable_text(check_required(check, facts->role)),
								  applied_name(check->applied), rule, why));
	}
	return result;
}

/*
 * The same as one string.
 */
char *
failures_for_log(const Verdict *verdict, const Facts *facts, bool log_only)
{
	StringInfoData buf;
	ListCell   *cell;

	initStringInfo(&buf);
	foreach(cell, failure_list(verdict, facts, log_only))
		appendStringInfo(&buf, "%s%s", buf.len ? ", " : "", (char *) lfirst(cell));
	return buf.data;
}

static bool
lacks(const Verdict *verdict, const Facts *facts, Lack lack)
{
	for (int i = 0; i < verdict->nchecks; i++)
		if (is_failed(&verdict->checks[i]) && lack_of(&verdict->checks[i], facts) == lack)
			return true;
	return false;
}

/*
 * What to set on the client.  libpq with sslmode=prefer or allow comes a second
 * time with or without TLS, and the reason that matters may be the first one.
 *
 * server_asks: does the server ask clients for a certificate at all?
 */
const char *
hint_for_client(const Verdict *verdict, const Facts *facts, bool server_asks)
{
	switch (lack_of(first_failed(verdict, facts), facts))
	{
		case LACKS_READABLE_POLICY:
			return "The server log says why; ask the database administrator.";
		case LACKS_ACCEPTANCE:
			return "No client setting changes this; ask the database administrator.";
		case LACKS_PLAIN_TEXT:
			return "Set sslmode=disable on the client. If it is set to allow, the first attempt may have been refused for another reason, which sslmode=disable shows.";
		case LACKS_OWN_CERTIFICATE:
			return "Give this client a certificate and key of its own, and set sslcert and sslkey to them, or to no certificate if the policy asks for none.";
		case LACKS_TLS:
			return "Set sslmode=require or stronger on the client, and sslcert and sslkey if it has a certificate. If sslmode is set to prefer, the first attempt used TLS and may have been refused for another reason, which sslmode=require shows.";
		case LACKS_READABLE_CERTIFICATE:
			return "Set sslcert and sslkey on the client to another certificate and its key.";
		case LACKS_CERTIFICATE:
			if (!server_asks)
				return "The server asks no client for a certificate, because its ssl_ca_file is empty; ask the database administrator.";
			return "Set sslcert and sslkey on the client to a certificate that this server's CA has issued, and its key. If they are set, the client may have withheld the certificate: Java and Go send one only if its chain ends at a CA that the server names. So check that this server's CA has issued it, and that the client's file has every intermediate CA.";
		case LACKS_LOGIN_BY_CERTIFICATE:
			return "The line of pg_hba.conf that matches this connection must use the method cert; ask the database administrator.";
		case LACKS_OTHER_CERTIFICATE:
			if (lacks(verdict, facts, LACKS_SHORTER_LIFETIME))
				return "Set sslcert and sslkey on the client to a certificate that has been issued for this role and is valid for a shorter time, and to its key.";
			return "Set sslcert and sslkey on the client to a certificate that has been issued for this role, and its key.";
		case LACKS_SHORTER_LIFETIME:
			return "Set sslcert and sslkey on the client to a certificate that is valid for a shorter time, and to its key. How long a certificate is valid, from notBefore to notAfter, is up to the CA.";
		case LACKS_NEWER_VERSION:
			return "Let the client use a newer TLS version (libpq: ssl_max_protocol_version; Java: jdk.tls.client.protocols; Go: MaxVersion of tls.Config; Node.js: maxVersion of ssl), or ask the database administrator.";
		default:
			return "The server chooses among the ciphers that the client offers, so let the client offer only those that the policy accepts; ask the database administrator which. Java: jdk.tls.client.cipherSuites; Node.js: ciphers of ssl; Go: CipherSuites of tls.Config, up to TLSv1.2. libpq has no setting of its own, but reads CipherString and Ciphersuites from the file that OPENSSL_CONF names.";
	}
}
