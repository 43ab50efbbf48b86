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
			return pstrdup("sslpolicy.minimum_policy");
		case SOURCE_DEFAULT:
			return pstrdup("sslpolicy.default_policy");
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
 * Why a check failed, as far as the client may know: what it has shown itself.
 */
static const char *
client_reason(const Check *check, const Facts *facts)
{
	const char *reason = certificate_reason(check, facts);

	if (check->asks == NULL)
		return " (the policy cannot be read)";
	if (check->own_certificate)
		return " (it is the server's own, and comes from the server's own machine)";
	if (check->key == KEY_SSLMODE)
	{
		switch (check->asks->sslmode)
		{
			case SSLMODE_REJECT:
				return " (no connection is accepted)";
			case SSLMODE_DISABLE:
				return " (TLS is in use)";
			default:
				if (!facts->ssl)
					return " (TLS is not in use)";
				if (!facts->verified)
					return " (no verified client certificate)";
				return " (not authenticated by certificate)";
		}
	}
	if (check->key == KEY_CN && facts->verified)
		return psprintf(" (%s not name the role)", reason ? psprintf("%s and does", reason) : "the certificate does");
	return reason ? psprintf(" (%s)", reason) : "";
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

		if (check->outcome == OUTCOME_OK || check->log_only)
			continue;
		text = psprintf("%s%s", check_keys(check), client_reason(check, facts));
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

/*
 * What to set on the client.  libpq with sslmode=prefer or allow comes a second
 * time with or without TLS, and the reason that matters may be the first one.
 */
char *
hint_for_client(const Verdict *verdict, const Facts *facts)
{
	bool		need_tls = false;
	bool		need_plain = false;
	bool		need_cert = false;
	bool		other_cert = false;
	bool		shorter = false;
	bool		own_cert = false;
	bool		unreadable = false;

	for (int i = 0; i < verdict->nchecks; i++)
	{
		const Check *check = &verdict->checks[i];

		if (check->outcome == OUTCOME_OK || check->log_only)
			continue;
		if (check->asks == NULL)
			unreadable = true;
		else if (check->asks->sslmode == SSLMODE_REJECT)
			return pstrdup("No client setting changes this; ask the database administrator.");
		else if (check->asks->sslmode == SSLMODE_DISABLE)
			need_plain = true;
		else if (check->own_certificate)
			own_cert = true;
		else if (!facts->ssl)
			need_tls = true;
		else if (check->asks->sslmode >= SSLMODE_VERIFY_CA && !facts->verified)
			need_cert = true;
		else if (check->key == KEY_MAX_LIFETIME)
			shorter = true;
		else if (check->key != KEY_SSLMODE && check->key != KEY_MIN_PROTOCOL &&
				 check->key != KEY_CIPHER)
			other_cert = true;
	}

	if (unreadable)
		return pstrdup("The server log says why; ask the database administrator.");
	if (need_plain)
		return pstrdup("Set sslmode=disable on the client. If it is set to allow, the first attempt may have been refused for another reason, which sslmode=disable shows.");
	if (own_cert)
		return pstrdup("Give this client a certificate and key of its own, and set sslcert and sslkey to them, or to no certificate if the policy asks for none.");
	if (need_tls)
		return pstrdup("Set sslmode=require or stronger on the client, and sslcert and sslkey if it has a certificate. If sslmode is set to prefer, the first attempt used TLS and may have been refused for another reason, which sslmode=require shows.");
	if (need_cert)
		return pstrdup("Set sslcert and sslkey on the client to a certificate that this server's CA has issued, and its key.");
	if (other_cert && shorter)
		return pstrdup("Set sslcert and sslkey on the client to a certificate that has been issued for this role and is valid for a shorter time, and to its key.");
	if (other_cert)
		return pstrdup("Set sslcert and sslkey on the client to a certificate that has been issued for this role, and its key.");
	if (shorter)
		return pstrdup("Set sslcert and sslkey on the client to a certificate that is valid for a shorter time, and to its key. How long a certificate is valid, from notBefore to notAfter, is up to the CA.");
	return pstrdup("Use a client that offers a newer TLS version and other ciphers (libpq: ssl_max_protocol_version), or ask the database administrator.");
}
