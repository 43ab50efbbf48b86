/*-------------------------------------------------------------------------
 *
 * checktext.c
 *		A check of a verdict in words: what was required, and what is.
 *
 * For the server log and for people who may read policies; the client is told
 * the keys alone (see report.c).
 *
 *-------------------------------------------------------------------------
 */
#include "policy/checktext.h"

#include <time.h>

#include "base/escape.h"

/*
 * Append the values of one key of a rule, as "key=value or key=value".
 */
static void
append_values(StringInfo buf, const PolicyRule *rule, PolicyKey key)
{
	for (int i = 0; i < rule->nvalues; i++)
		if (rule->values[i].key == key)
			appendStringInfo(buf, "%s%s=%s", buf->len ? " or " : "",
							 policy_key_name(key), rule->values[i].text);
}

/*
 * What a check requires, for the server log and for people who may read
 * policies; never for the client.
 */
char *
check_required(const Check *check, const char *role)
{
	StringInfoData buf;

	initStringInfo(&buf);
	if (check->asks == NULL)
		appendStringInfo(&buf, "a policy that can be read: %s", check->applied->error);
	else if (check->own_certificate)
		appendStringInfoString(&buf, "from the server's own machine, a certificate other than the server's");
	else if (check->role_cn)
		appendStringInfo(&buf, "cn=%s",
						 escape_bytes(role, (int) strlen(role)));
	else if (check->key == KEY_CN)
	{
		for (PolicyKey key = KEY_CN; key <= KEY_SAN; key++)
			append_values(&buf, check->asks, key);
		if (check->asks->ignore_case)
			appendStringInfoString(&buf, " ignore_case=on");
	}
	else if (check->key == KEY_SSLMODE)
		appendStringInfo(&buf, "sslmode=%s", sslmode_name(check->asks->sslmode));
	else if (check->key == KEY_MIN_PROTOCOL)
		appendStringInfo(&buf, "min_protocol=%s",
						 tls_version_name(check->asks->min_protocol));
	else if (check->key == KEY_MAX_LIFETIME)
		appendStringInfo(&buf, "max_lifetime=%s",
						 lifetime_text(check->asks->max_lifetime));
	else if (check->key == KEY_ON_EXPIRY)
		appendStringInfoString(&buf, "on_expiry=end");
	else
		append_values(&buf, check->asks, check->key);
	return buf.data;
}

/*
 * The keys that a check stands for, such as "sslmode" or "cn, san".
 */
char *
check_keys(const Check *check)
{
	StringInfoData buf;

	if (check->own_certificate)
		return pstrdup("certificate");
	if (check->key != KEY_CN || check->role_cn)
		return pstrdup(policy_key_name(check->key));
	initStringInfo(&buf);
	for (PolicyKey key = KEY_CN; key <= KEY_SAN; key++)
		if (rule_has_key(check->asks, key))
			appendStringInfo(&buf, "%s%s", buf.len ? ", " : "", policy_key_name(key));
	return buf.data;
}

static void
append_item(StringInfo buf, const char *key, const char *value)
{
	appendStringInfo(buf, "%s%s%s", buf->len ? ", " : "", key, value);
}

static bool
asks_upn(const PolicyRule *rule)
{
	for (int i = 0; i < rule->nvalues; i++)
		if (rule->values[i].key == KEY_SAN && strncmp(rule->values[i].text, "upn:", 4) == 0)
			return true;
	return false;
}

static bool
has_bad_san(const CertFacts *cert)
{
	for (int i = 0; i < cert->nsans; i++)
		if (strncmp(cert->sans[i], "bad", 3) == 0)
			return true;
	return false;
}

/*
 * How often the subject has the attribute that a key asks for.
 */
static int
count_of(const CertFacts *cert, PolicyKey key)
{
	int			count;

	(void) subject_values(cert, key, &count);
	return count;
}

/*
 * What keeps names of the kinds that a check of names asks for from being names,
 * such as "several CNs"; "" if nothing does.
 */
static char *
name_flaws(const Check *check, const CertFacts *cert)
{
	bool		cn = check->role_cn || rule_has_key(check->asks, KEY_CN);
	bool		uid = !check->role_cn && rule_has_key(check->asks, KEY_UID);
	bool		email = !check->role_cn && rule_has_key(check->asks, KEY_EMAIL);
	bool		dn = !check->role_cn && rule_has_key(check->asks, KEY_DN);
	bool		san = !check->role_cn && rule_has_key(check->asks, KEY_SAN);
	const struct
	{
		bool		found;
		const char *text;
	} flaws[] = {
		{cn && cert->cn_count > 1, "several CNs"},
		{cn && cert->cn_garbled, "a CN whose bytes do not fit its string type"},
		{cn && cert->cn_count == 1 && cert->cn == NULL && !cert->cn_garbled, "a CN with a NUL in its bytes"},
		{uid && count_of(cert, KEY_UID) > 1, "several UIDs"},
		{email && count_of(cert, KEY_EMAIL) > 1, "several email addresses in the subject"},
		{(dn || uid || email) && cert->subject_garbled, "a subject with an attribute whose bytes do not fit its string type"},
		{san && asks_upn(check->asks) && cert->upn_count > 1, "several UPNs"},
		{san && has_bad_san(cert), "a SAN that is not valid in its type"},
	};
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < (int) lengthof(flaws); i++)
		if (flaws[i].found)
			appendStringInfo(&buf, "%s%s", buf.len ? " and " : "", flaws[i].text);
	return buf.data;
}

/*
 * What the subject has of the attribute that a key asks for.
 */
static void
append_attributes(StringInfo buf, PolicyKey key, const CertFacts *cert)
{
	int			count;
	char	  **values = subject_values(cert, key, &count);
	const char *type = subject_attribute(key);

	for (int i = 0; i < count; i++)
		append_item(buf, psprintf("%s=", policy_key_name(key)), values[i] ? values[i] : "[no text]");
	if (count <= 0)
		append_item(buf, psprintf("no %s", type), count < 0 ? " that is known" : "");
}

/*
 * The names of a certificate, of the types that the check asks for.
 */
static void
append_names(StringInfo buf, const Check *check, const CertFacts *cert)
{
	char	   *flaws = name_flaws(check, cert);

	if (check->role_cn || rule_has_key(check->asks, KEY_CN))
	{
		if (cert->cn)
			append_item(buf, "cn=", cert->cn);
		else if (cert->cn_count == 0)
			append_item(buf, "no CN", "");
	}
	if (!check->role_cn && rule_has_key(check->asks, KEY_UID))
		append_attributes(buf, KEY_UID, cert);
	if (!check->role_cn && rule_has_key(check->asks, KEY_EMAIL))
		append_attributes(buf, KEY_EMAIL, cert);
	if (!check->role_cn && rule_has_key(check->asks, KEY_DN))
		append_item(buf, "dn=", cert->subject_dn);
	if (!check->role_cn && rule_has_key(check->asks, KEY_SAN))
	{
		for (int i = 0; i < cert->nsans; i++)
			append_item(buf, "san=", cert->sans[i]);
		if (cert->nsans == 0)
			append_item(buf, "no SAN", "");
	}
	if (flaws[0] != '\0')
		append_item(buf, flaws, "");
}

static void
append_fingerprint(StringInfo buf, const uint8 *fingerprint)
{
	appendStringInfoString(buf, buf->len ? ", " : "");
	append_hex(buf, fingerprint, FINGERPRINT_LEN);
}

static void
append_chain(StringInfo buf, PolicyKey key, const CertFacts *cert)
{
	for (int i = 0; i < cert->ncas; i++)
	{
		if (key == KEY_ISSUER)
			append_item(buf, "", cert->cas[i].subject_dn);
		else
			append_fingerprint(buf, cert->cas[i].fingerprint);
	}
}

static void
append_utc(StringInfo buf, int64 seconds)
{
	time_t		t = (time_t) seconds;
	struct tm	tm;
	char		text[64];

	if (gmtime_r(&t, &tm) == NULL || strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		strcpy(text, "a time out of range");
	append_item(buf, "valid until ", text);
}

/*
 * From notBefore to notAfter.
 */
static char *
lives(const CertFacts *cert)
{
	return duration_text((int64) ((uint64) cert->not_after - (uint64) cert->not_before));
}

/*
 * How long a certificate lives that lives too long, and how long it may.
 */
static char *
lifetime_reason(const Check *check, const CertFacts *cert)
{
	int64		allowed = check->asks->max_lifetime;

	return psprintf("the certificate is valid for %s, but at most %s plus %s of grace is allowed",
					lives(cert), duration_text(allowed), duration_text(lifetime_grace(allowed)));
}

static void
append_lifetime(StringInfo buf, const Check *check, const CertFacts *cert)
{
	int64		allowed = check->asks->max_lifetime;

	append_item(buf, "", lives(cert));
	if (cert->not_after > cert->not_before &&
		(uint64) cert->not_after - (uint64) cert->not_before > (uint64) allowed)
		append_item(buf, check->outcome == OUTCOME_FAILED ? "beyond the grace of " : "within the grace of ",
					duration_text(lifetime_grace(allowed)));
}

static void
append_certificate_fact(StringInfo buf, const Check *check, const CertFacts *cert)
{
	switch (check->key)
	{
		case KEY_CN:
			append_names(buf, check, cert);
			break;
		case KEY_OU:
		case KEY_O:
			append_attributes(buf, check->key, cert);
			break;
		case KEY_FINGERPRINT:
			append_fingerprint(buf, cert->fingerprint);
			break;
		case KEY_ISSUER:
		case KEY_CA_FINGERPRINT:
			append_chain(buf, check->key, cert);
			break;
		case KEY_MAX_LIFETIME:
			append_lifetime(buf, check, cert);
			break;
		default:
			append_utc(buf, cert->not_after);
			break;
	}
}

static char *
mode_of(const Facts *facts)
{
	if (facts->unknown & UNKNOWN_SSL)
		return NULL;
	if (!facts->ssl)
		return pstrdup("no TLS");
	if (!facts->verified)
		return pstrdup((facts->unknown & UNKNOWN_CERTIFICATE) ? "TLS" :
						   facts->unreadable				  ? "TLS, client certificate that cannot be read" :
																"TLS, no client certificate");
	return psprintf("TLS, verified client certificate%s%s%s",
					facts->anchor_gone ? " of a CA that is not in force any more" : "",
					facts->auth_method ? ", authenticated by " : "",
					facts->auth_method ? facts->auth_method : "");
}

/*
 * Why a check of the certificate has failed, where the certificate itself says more
 * than the check: for the client, too.  NULL if there is nothing to say.
 */
char *
certificate_reason(const Check *check, const Facts *facts)
{
	const char *flaws;

	if (check->asks == NULL || check->own_certificate || check->outcome != OUTCOME_FAILED ||
		!facts->verified || facts->cert == NULL)
		return NULL;
	if (check->key == KEY_MAX_LIFETIME)
		return lifetime_reason(check, facts->cert);
	for (int i = 0; check->key == KEY_ISSUER && i < facts->cert->ncas; i++)
		if (facts->cert->cas[i].garbled)
			return pstrdup("a CA of the certificate has a DN with an attribute whose bytes do not fit its string type");
	flaws = check->key == KEY_CN ? name_flaws(check, facts->cert) : "";
	return flaws[0] ? psprintf("the certificate has %s", flaws) : NULL;
}

/*
 * What a check has found, in the form of check_required(); NULL if it is not known.
 */
char *
check_actual(const Check *check, const Facts *facts)
{
	StringInfoData buf;

	if (check->asks == NULL)
		return NULL;
	if (check->own_certificate)
		return check->outcome == OUTCOME_UNKNOWN ? NULL : pstrdup("a certificate with a key of the server's");
	if (check->key == KEY_SSLMODE)
		return mode_of(facts);
	if (!(facts->unknown & UNKNOWN_SSL) && !facts->ssl)
		return pstrdup("no TLS");
	if (check->key == KEY_MIN_PROTOCOL)
		return facts->version ? pstrdup(facts->version) : NULL;
	if (check->key == KEY_CIPHER)
		return facts->cipher ? pstrdup(facts->cipher) : NULL;
	if (facts->cert == NULL || !facts->verified)
		return (facts->unknown & UNKNOWN_CERTIFICATE) ? NULL : pstrdup("no certificate");
	initStringInfo(&buf);
	append_certificate_fact(&buf, check, facts->cert);
	return buf.data;
}
