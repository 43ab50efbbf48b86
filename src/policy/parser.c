/*-------------------------------------------------------------------------
 *
 * parser.c
 *		Policy text to policy: the only parser of the language.
 *
 * The lexical rules are those of libpq's conninfo: key=value pairs between
 * white space, values quoted with '...', a backslash before a character that
 * is meant literally.  A semicolon outside quotes separates rules.
 *
 * Never evaluates anything and raises no error: what is wrong is returned, with
 * the place and with what is accepted.
 *
 *-------------------------------------------------------------------------
 */
#include "policy/parser.h"

/* What there is to know of a key, but how to read its value. */
static const struct
{
	bool		repeats;
	bool		match;
	bool		name;
	SslMode		implies;		/* SSLMODE_ALLOW: implies none */
	const char *accepted;
} keys[NUM_POLICY_KEYS] =
	{
		[KEY_ADDRESS] = {true, true, false, SSLMODE_ALLOW,
						 "an IPv4 or IPv6 address, or a network in CIDR form such as 10.0.0.0/8"},
		[KEY_DATABASE] = {true, true, false, SSLMODE_ALLOW,
						  "the name of a database, or replication for physical replication"},
		[KEY_SSLMODE] = {false, false, false, SSLMODE_ALLOW,
						 "reject, disable, allow, prefer, require, verify-ca, verify-full or cert"},
		[KEY_MIN_PROTOCOL] = {false, false, false, SSLMODE_REQUIRE,
							  "TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3"},
		[KEY_CIPHER] = {true, false, false, SSLMODE_REQUIRE,
						"an OpenSSL cipher name as in pg_stat_ssl.cipher, such as TLS_AES_256_GCM_SHA384"},
		[KEY_CN] = {true, false, true, SSLMODE_VERIFY_FULL,
					"a common name, or a regular expression as /^...$"},
		[KEY_UID] = {true, false, true, SSLMODE_VERIFY_FULL,
					 "a user ID (UID) of the subject, or a regular expression as /^...$"},
		[KEY_EMAIL] = {true, false, true, SSLMODE_VERIFY_FULL,
					   "an emailAddress of the subject, or a regular expression as /^...$"},
		[KEY_DN] = {true, false, true, SSLMODE_VERIFY_FULL,
					"a subject DN in RFC 2253 form such as CN=app,O=Acme, or a regular expression as /^...$"},
		[KEY_SAN] = {true, false, true, SSLMODE_VERIFY_FULL,
					 "dns:, email:, uri:, ip: or upn:, in lower case, and a value (for ip: an address), or a regular expression as dns:/^...$"},
		[KEY_IGNORE_CASE] = {false, false, false, SSLMODE_ALLOW, "on or off"},
		[KEY_OU] = {true, false, false, SSLMODE_VERIFY_CA,
					"an organizational unit (OU) of the subject as it stands there"},
		[KEY_O] = {true, false, false, SSLMODE_VERIFY_CA,
				   "an organization (O) of the subject as it stands there"},
		[KEY_FINGERPRINT] = {true, false, false, SSLMODE_VERIFY_CA,
							 "the SHA-256 fingerprint of a client certificate: 64 hexadecimal digits, with or without colons"},
		[KEY_ISSUER] = {true, false, false, SSLMODE_VERIFY_CA,
						"the DN of a CA in RFC 2253 form such as CN=Acme Root,O=Acme"},
		[KEY_CA_FINGERPRINT] = {true, false, false, SSLMODE_VERIFY_CA,
								"the SHA-256 fingerprint of a CA: 64 hexadecimal digits, with or without colons"},
		[KEY_MAX_LIFETIME] = {false, false, false, SSLMODE_VERIFY_CA,
							  "a whole number with a unit (s, min, h or d), such as 24h or 90d"},
		[KEY_ON_EXPIRY] = {false, false, false, SSLMODE_ALLOW, "keep or end"},
		[KEY_ACTION] = {false, false, false, SSLMODE_ALLOW, "reject or log"},
};

const char *
policy_key_accepted(PolicyKey key)
{
	return keys[key].accepted;
}

/*
 * Report an error at a byte offset.  The caller fills in message; the hint
 * defaults to what the key accepts.  Always returns false.
 */
bool
parse_fail(Parser *p, int offset, int key, char *message, char *hint)
{
	p->error->message = message;
	p->error->key = key >= 0 ? policy_key_name(key) : NULL;
	p->error->offset = offset;
	if (hint == NULL && key >= 0)
		hint = psprintf("Accepted is %s.", keys[key].accepted);
	p->error->hint = hint;
	return false;
}

bool
parse_fail_value(Parser *p, int offset, PolicyKey key, const char *value)
{
	size_t		len = strlen(value);

	return parse_fail(p, offset, key,
					  psprintf("invalid value \"%s\" for key \"%s\"",
							   value, policy_key_name(key)),
					  len > 0 && value[len - 1] == ',' ?
						  psprintf("Separate key=value pairs by spaces. Accepted is %s.", keys[key].accepted) :
						  NULL);
}

#define SPACE " \t\r\n\f\v"

/*
 * One of those.
 */
static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void
skip_space(Parser *p)
{
	while (is_space(*p->pos))
		p->pos++;
}

static int
offset_of(const Parser *p)
{
	return (int) (p->pos - p->text);
}

/*
 * May a policy in this place have the key?
 */
static bool
is_accepted_in(PolicyKey key, PolicyPlace place)
{
	if ((keys[key].name || key == KEY_IGNORE_CASE) && (place == PLACE_DATABASE || place == PLACE_MINIMUM))
		return false;
	return key != KEY_DATABASE || place != PLACE_DATABASE;
}

/*
 * Keys that a policy in this place may have, for hints.
 */
static char *
accepted_keys(PolicyPlace place)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (PolicyKey key = 0; key < NUM_POLICY_KEYS; key++)
	{
		if (is_accepted_in(key, place))
			appendStringInfo(&buf, "%s%s", buf.len ? ", " : "Accepted keys are ",
							 policy_key_name(key));
	}
	appendStringInfoChar(&buf, '.');
	return buf.data;
}

/*
 * Read a key and its equals sign.
 */
static bool
read_key(Parser *p, PolicyKey *key)
{
	const char *start = p->pos;
	int			offset = offset_of(p);
	char	   *word;

	while (*p->pos && *p->pos != '=' && *p->pos != ';' && !is_space(*p->pos))
		p->pos++;
	word = pnstrdup(start, (Size) (p->pos - start));
	skip_space(p);
	if (*p->pos != '=')
		return parse_fail(p, offset, -1,
						  psprintf("missing \"=\" after \"%s\"", word),
						  pstrdup("A policy is written as key=value pairs, such as sslmode=verify-full."));
	p->pos++;

	for (*key = 0; *key < NUM_POLICY_KEYS; (*key)++)
		if (strcmp(word, policy_key_name(*key)) == 0)
			break;
	if (*key == NUM_POLICY_KEYS)
		return parse_fail(p, offset, -1, psprintf("unknown key \"%s\"", word),
						  accepted_keys(p->place));

	if (!is_accepted_in(*key, p->place))
	{
		parse_fail(p, offset, *key,
				   psprintf("key \"%s\" is not accepted in %s", word,
							p->place == PLACE_DATABASE ? "the policy of a database" :
														 "the minimum policy"),
				   accepted_keys(p->place));
		return false;
	}
	if (p->seen[*key] && !keys[*key].repeats)
		return parse_fail(p, offset, *key,
						  psprintf("key \"%s\" is written twice in one rule", word),
						  pstrdup("Write it once; only address, database, cipher, cn, uid, email, dn, san, ou, o, fingerprint, issuer and ca_fingerprint may repeat."));
	p->seen[*key] = true;
	p->offsets[*key] = offset;
	return true;
}

/*
 * Would a character be read differently without the backslash before it?  At the end of
 * the text a backslash stays what it is, but few would know.
 */
static bool
needs_backslash(char c, bool quoted, bool first)
{
	if (c == '\\' || c == '\'')
		return true;
	return !quoted && c != '\0' && (c == ';' || is_space(c) || (first && c == '"'));
}

/*
 * Read a value, with its quotes and escapes resolved.  *offset is where it
 * starts.
 */
static bool
read_value(Parser *p, PolicyKey key, char **value, bool *quoted, int *offset)
{
	char	   *out;

	skip_space(p);
	out = *value = palloc(strlen(p->pos) + 1);
	*offset = offset_of(p);
	*quoted = (*p->pos == '\'');
	p->lone_backslash = -1;
	if (*p->pos == '"' && p->checks != NULL)
		return parse_fail(p, *offset, key,
						  pstrdup("double quote at the beginning of a value"),
						  pstrdup("Values are quoted with single quotes; in these, a double quote may begin one."));
	if (*quoted)
		p->pos++;

	while (*p->pos && (*quoted ? *p->pos != '\'' : (*p->pos != ';' && !is_space(*p->pos))))
	{
		if (!*quoted && *p->pos == '\'')
			return parse_fail(p, offset_of(p), key,
							  pstrdup("quote in the middle of a value"),
							  pstrdup("Put the whole value in quotes, and a backslash before a quote or a backslash in it."));
		if (p->pos[0] == '\\')
		{
			if (p->lone_backslash < 0 && !needs_backslash(p->pos[1], *quoted, out == *value))
				p->lone_backslash = offset_of(p);
			if (p->pos[1] != '\0')
				p->pos++;
		}
		*out++ = *p->pos++;
	}
	*out = '\0';
	if (*quoted)
	{
		if (*p->pos != '\'')
			return parse_fail(p, *offset, key,
							  pstrdup("unterminated quoted value"),
							  pstrdup("End the value with a quote; write \\' for a quote in it."));
		p->pos++;
		if (*p->pos && *p->pos != ';' && !is_space(*p->pos))
			return parse_fail(p, offset_of(p), key,
							  pstrdup("text directly after a quoted value"),
							  pstrdup("Separate key=value pairs by spaces and rules by semicolons."));
	}
	if (out == *value)
		return parse_fail(p, *offset, key,
						  psprintf("key \"%s\" has no value", policy_key_name(key)),
						  NULL);
	return true;
}

/*
 * Keys that hold one of a few words.
 */
static bool
read_word(Parser *p, PolicyKey key, const char *value, int offset,
		  PolicyRule *rule)
{
	if (key == KEY_SSLMODE)
	{
		for (SslMode mode = SSLMODE_REJECT; mode <= SSLMODE_CERT; mode++)
			if (strcmp(value, sslmode_name(mode)) == 0)
			{
				rule->sslmode = mode;
				p->mode_written = true;
				return true;
			}
		if (strcmp(value, "perfer") == 0)
			return parse_fail(p, offset, key,
							  psprintf("invalid value \"%s\" for key \"%s\"", value, "sslmode"),
							  psprintf("Perhaps you meant \"prefer\". Accepted is %s.", keys[key].accepted));
	}
	else if (key == KEY_MIN_PROTOCOL)
	{
		for (TlsVersion version = TLS_1_0; version <= TLS_1_3; version++)
			if (pg_strcasecmp(value, tls_version_name(version)) == 0)
			{
				rule->min_protocol = version;
				return true;
			}
	}
	else if (key == KEY_IGNORE_CASE)
	{
		rule->has_ignore_case = true;
		rule->ignore_case = strcmp(value, "on") == 0;
		if (rule->ignore_case || strcmp(value, "off") == 0)
			return true;
	}
	else if (key == KEY_ON_EXPIRY)
	{
		rule->has_on_expiry = true;
		rule->end_on_expiry = strcmp(value, "end") == 0;
		if (rule->end_on_expiry || strcmp(value, "keep") == 0)
			return true;
	}
	else
	{
		rule->has_action = true;
		rule->log_only = strcmp(value, "log") == 0;
		if (rule->log_only || strcmp(value, "reject") == 0)
			return true;
	}
	return parse_fail_value(p, offset, key, value);
}

/*
 * One key=value pair into the rule.
 */
static bool
read_pair(Parser *p, PolicyRule *rule)
{
	PolicyKey	key = 0;
	PolicyValue out = {0};
	char	   *value = NULL;
	bool		quoted;
	bool		ok;
	int			offset;

	if (!read_key(p, &key) || !read_value(p, key, &value, &quoted, &offset))
		return false;

	/* what is stored already stays what it is */
	if (p->checks != NULL && p->checks->spelling && p->lone_backslash >= 0)
		return parse_fail(p, p->lone_backslash, key,
						  psprintf("single backslash in a value of \"%s\"", policy_key_name(key)),
						  pstrdup("Write it twice, as in cn='CORP\\\\alice' or cn='/^app\\\\.[0-9]+$': a single one is dropped, and only the character after it stays."));

	out.key = key;
	switch (key)
	{
		case KEY_ADDRESS:
			ok = parse_address(p, value, offset, &out);
			break;
		case KEY_DATABASE:
			ok = parse_database(p, value, quoted, offset, &out);
			break;
		case KEY_CIPHER:
			ok = parse_cipher(p, value, offset, &out);
			break;
		case KEY_CN:
		case KEY_UID:
		case KEY_EMAIL:
		case KEY_DN:
		case KEY_SAN:
			ok = parse_name(p, key, value, offset, &out);
			break;
		case KEY_OU:
		case KEY_O:
			ok = parse_attribute(p, key, value, offset, &out);
			break;
		case KEY_FINGERPRINT:
		case KEY_CA_FINGERPRINT:
			ok = parse_fingerprint_value(p, key, value, offset, &out);
			break;
		case KEY_ISSUER:
			ok = parse_dn(p, key, value, offset, &out);
			break;
		case KEY_MAX_LIFETIME:
			ok = parse_lifetime(p, value, offset, &rule->max_lifetime);
			break;
		default:
			ok = read_word(p, key, value, offset, rule);
			break;
	}
	if (!ok)
		return false;

	if (out.text != NULL)
	{
		rule->values = rule->nvalues == 0 ? palloc(sizeof(out)) :
											repalloc(rule->values, sizeof(out) * (Size) (rule->nvalues + 1));
		rule->values[rule->nvalues++] = out;
	}
	rule->has_match |= keys[key].match;
	rule->has_names |= keys[key].name;
	if (keys[key].implies > p->needs_mode)
	{
		p->needs_mode = keys[key].implies;
		p->needs_key = key;
	}
	return true;
}

/*
 * Names whose case ignore_case=on passes over: attributes of the subject, as they stand.
 * An alternative name of type dns has no case anyway, in the others it matters, and a
 * pattern says for itself what it matches.
 */
static bool
check_ignore_case(Parser *p, const PolicyRule *rule)
{
	bool		acts = false;

	for (int i = 0; rule->has_ignore_case && i < rule->nvalues; i++)
	{
		const PolicyValue *value = &rule->values[i];

		if ((value->key != KEY_CN && value->key != KEY_UID && value->key != KEY_EMAIL) || value->regex)
			continue;
		acts = true;
		if (rule->ignore_case && strpbrk(value->text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != NULL)
			return parse_fail(p, p->offsets[KEY_IGNORE_CASE], KEY_IGNORE_CASE,
							  psprintf("with ignore_case=on, %s=%s matches nothing", policy_key_name(value->key), value->text),
							  pstrdup("The name in the certificate is folded to lower case, and must then equal the name in the policy: write that in lower case."));
	}
	if (rule->has_ignore_case && !acts)
		return parse_fail(p, p->offsets[KEY_IGNORE_CASE], KEY_IGNORE_CASE,
						  pstrdup("key \"ignore_case\" has nothing to act upon"),
						  pstrdup("It applies to cn, uid and email in the same rule, such as cn=%u, but not to regular expressions: in those, write both cases, as in [Bb]ob."));
	return true;
}

/*
 * Settle the sslmode of a rule: what is written, or what the other keys imply.
 */
static bool
settle_mode(Parser *p, PolicyRule *rule, int offset)
{
	bool		refuses_tls;

	if (!p->mode_written)
	{
		if (p->needs_mode == SSLMODE_ALLOW)
			return parse_fail(p, offset, -1,
							  pstrdup("the rule asks for nothing"),
							  pstrdup("Add a requirement: sslmode, min_protocol, cipher, cn, uid, email, dn, san, ou, o, fingerprint, issuer, ca_fingerprint or max_lifetime."));
		rule->sslmode = p->needs_mode;
		return true;
	}

	refuses_tls = rule->sslmode == SSLMODE_REJECT || rule->sslmode == SSLMODE_DISABLE;
	if (p->needs_mode > SSLMODE_ALLOW && rule->sslmode < p->needs_mode)
		return parse_fail(p, p->offsets[p->needs_key], p->needs_key,
						  psprintf("key \"%s\" needs sslmode=%s, but sslmode=%s is written",
								   policy_key_name(p->needs_key),
								   sslmode_name(p->needs_mode),
								   sslmode_name(rule->sslmode)),
						  psprintf("Leave sslmode out, or write %s.",
								   p->needs_mode == SSLMODE_VERIFY_FULL ?
									   "verify-full or cert" :
									   p->needs_mode == SSLMODE_VERIFY_CA ?
									   "verify-ca, verify-full or cert" :
									   "require, verify-ca, verify-full or cert"));
	if (refuses_tls && rule->has_on_expiry)
		return parse_fail(p, p->offsets[KEY_ON_EXPIRY], KEY_ON_EXPIRY,
						  psprintf("key \"on_expiry\" means nothing with sslmode=%s",
								   sslmode_name(rule->sslmode)),
						  pstrdup("Leave on_expiry out, or write a stronger sslmode."));
	return true;
}

/*
 * One rule, up to its semicolon or the end.
 */
static bool
read_rule(Parser *p, PolicyRule *rule)
{
	int			offset;

	memset(rule, 0, sizeof(*rule));
	memset(p->seen, 0, sizeof(p->seen));
	p->mode_written = false;
	p->needs_mode = SSLMODE_ALLOW;

	skip_space(p);
	offset = offset_of(p);
	if (*p->pos == '\0' || *p->pos == ';')
		return parse_fail(p, offset, -1, pstrdup("empty rule"),
						  pstrdup("Each semicolon stands between two rules, such as 'address=10.0.0.0/8 sslmode=require; sslmode=verify-full'."));
	while (*p->pos && *p->pos != ';')
	{
		if (!read_pair(p, rule))
			return false;
		skip_space(p);
	}
	return check_ignore_case(p, rule) && settle_mode(p, rule, offset);
}

/*
 * Is the policy, in one form or the other, short enough?  The canonical form may
 * be longer than the text, which an error points into.
 */
static bool
check_length(Parser *p, size_t length, const char *form)
{
	if (length <= POLICY_MAX_BYTES)
		return true;
	return parse_fail(p, (int) Min(strlen(p->text), POLICY_MAX_BYTES), -1, psprintf("the policy has %zu bytes%s", length, form),
					  psprintf("At most %d bytes are accepted. A regular expression, or the label of a group role, often says the same in less.",
							   POLICY_MAX_BYTES));
}

/*
 * Parse a policy.
 *
 * checks may be NULL, and is when a policy that was checked before it was
 * stored is read again.  Returns NULL and fills in *error if the text is not a
 * policy.
 */
Policy *
parse_policy(const char *text, PolicyPlace place, const PolicyChecks *checks,
			 PolicyError *error)
{
	Parser		p = {.text = text, .pos = text, .place = place, .checks = checks, .error = error};
	Policy	   *policy = palloc0(sizeof(Policy));

	memset(error, 0, sizeof(*error));
	if (!check_length(&p, strlen(text), ""))
		return NULL;
	skip_space(&p);
	if (*p.pos == '\0')
	{
		parse_fail(&p, 0, -1, pstrdup("the policy is empty"),
				   pstrdup("Write a requirement such as sslmode=require. To remove the policy of a role or database, use NULL."));
		return NULL;
	}

	for (;;)
	{
		PolicyRule *rule;
		int			offset;

		skip_space(&p);
		offset = offset_of(&p);
		policy->rules = policy->nrules == 0 ? palloc(sizeof(PolicyRule)) :
											  repalloc(policy->rules, sizeof(PolicyRule) * (Size) (policy->nrules + 1));
		rule = &policy->rules[policy->nrules++];
		if (!read_rule(&p, rule))
			return NULL;
		if (*p.pos == '\0')
		{
			if (!rule->has_match && !rule->log_only)
				break;
			parse_fail(&p, rule->log_only ? p.offsets[KEY_ACTION] : offset,
					   rule->log_only ? KEY_ACTION : -1,
					   pstrdup("the last rule must decide for every session"),
					   pstrdup("End with a rule that has neither address nor database nor action=log, such as sslmode=reject."));
			return NULL;
		}
		if (!rule->has_match && !rule->log_only &&
			p.pos[1 + strspn(p.pos + 1, SPACE)] != '\0')
		{
			parse_fail(&p, offset_of(&p), -1,
					   psprintf("rule %d always decides, so the rules behind it are never reached",
								policy->nrules),
					   pstrdup("Put it last, or give it an address, a database or action=log."));
			return NULL;
		}
		p.pos++;				/* the semicolon */
	}

	/* whoever copies the canonical text must be able to set it */
	if (checks && !check_length(&p, strlen(policy_text(policy)), " in canonical form"))
		return NULL;
	return policy;
}
