/*-------------------------------------------------------------------------
 *
 * evaluate.c
 *		Which requirements a session meets: the only place that decides.
 *
 * The login hook and the SQL functions all come here.  Pure: everything comes
 * in as an argument, also the time and the regular-expression matcher.  A
 * policy that could not be parsed denies.
 *
 * A session is allowed if it meets every policy that applies to it.  In each
 * policy the first rule whose match keys fit decides; rules with action=log
 * before it are checked as well and only reported.
 *
 *-------------------------------------------------------------------------
 */
#include "evaluate.h"

#include "escape.h"

typedef struct Evaluation
{
	const AppliedPolicy *applied;
	int			napplied;
	const PolicyRule **deciding;	/* for each policy */
	const Facts *facts;
	const CertFacts *cert;		/* only if verified */
	RegexMatcher matches;
	int64		now;
	Verdict    *verdict;
} Evaluation;

static void
add_check(Evaluation *e, const AppliedPolicy *applied, const PolicyRule *rule,
		  PolicyKey key, bool role_cn, bool ok, bool log_only)
{
	Verdict    *v = e->verdict;
	Check	   *check;

	if (v->nchecks == v->capacity)
	{
		v->capacity = v->capacity * 2 + 16;
		v->checks = v->checks ? repalloc(v->checks, sizeof(Check) * (Size) v->capacity) :
			palloc(sizeof(Check) * (Size) v->capacity);
	}
	check = &v->checks[v->nchecks++];
	check->applied = applied;
	check->asks = rule;
	check->rule = rule ? (int) (rule - applied->policy->rules) + 1 : 0;
	check->key = key;
	check->role_cn = role_cn;
	check->ok = ok;
	check->log_only = log_only;
	if (!ok && log_only)
		v->logged = true;
	else if (!ok)
		v->allow = false;
}

static bool
address_fits(const PolicyValue *value, const Facts *facts)
{
	int			whole = value->address_bits / 8;
	int			rest = value->address_bits % 8;

	return facts->address_len == value->address_len &&
		memcmp(value->bytes, facts->address, (size_t) whole) == 0 &&
		(rest == 0 ||
		 ((value->bytes[whole] ^ facts->address[whole]) & (0xFF00 >> rest) & 0xFF) == 0);
}

/*
 * As check_db in PostgreSQL's hba.c: replication means physical replication,
 * and nothing else matches that.
 */
static bool
database_fits(const PolicyValue *value, const Facts *facts)
{
	if (facts->database == NULL)
		return value->keyword;
	return !value->keyword && strcmp(value->text, facts->database) == 0;
}

/*
 * Do the match keys of a rule fit the session?  Of each key, any value will do.
 */
static bool
rule_fits(const PolicyRule *rule, const Facts *facts)
{
	bool		asks_address = false;
	bool		asks_database = false;
	bool		address = false;
	bool		database = false;

	for (int i = 0; i < rule->nvalues; i++)
	{
		const PolicyValue *value = &rule->values[i];

		if (value->key == KEY_ADDRESS)
		{
			asks_address = true;
			address |= address_fits(value, facts);
		}
		else if (value->key == KEY_DATABASE)
		{
			asks_database = true;
			database |= database_fits(value, facts);
		}
	}
	return address == asks_address && database == asks_database;
}

static bool
sslmode_ok(SslMode mode, const Facts *facts)
{
	switch (mode)
	{
		case SSLMODE_REJECT:
			return false;
		case SSLMODE_DISABLE:
			return !facts->ssl;
		case SSLMODE_ALLOW:
		case SSLMODE_PREFER:
			return true;
		case SSLMODE_REQUIRE:
			return facts->ssl;
		case SSLMODE_VERIFY_CA:
		case SSLMODE_VERIFY_FULL:
			return facts->ssl && facts->verified;
		case SSLMODE_CERT:
			return facts->ssl && facts->verified &&
				facts->auth_method && strcmp(facts->auth_method, "cert") == 0;
	}
	return false;
}

/*
 * Does the certificate carry this name?  DNS names compare without case (RFC
 * 4343); a wildcard in a certificate is a literal.
 */
static bool
name_matches(const Evaluation *e, const PolicyValue *name)
{
	bool		dns = name->key == KEY_SAN && strncmp(name->text, "dns:", 4) == 0;
	char	   *wanted = name->regex ? name_pattern(name, e->facts->role) :
		expand_name(name, e->facts->role);
	size_t		type;

	if (name->key != KEY_SAN)
	{
		const char *have = name->key == KEY_DN ? e->cert->subject_dn : e->cert->cn;

		if (have == NULL)
			return false;
		return name->regex ? e->matches(wanted, have, false) :
			strcmp(wanted, have) == 0;
	}

	type = (size_t) (strchr(name->text, ':') - name->text) + 1;
	for (int i = 0; i < e->cert->nsans; i++)
	{
		const char *have = e->cert->sans[i];

		if (strncmp(have, name->text, type) != 0)
			continue;
		if (name->regex ? e->matches(wanted, have + type, dns) :
			dns ? pg_strcasecmp(wanted, have) == 0 : strcmp(wanted, have) == 0)
			return true;
	}
	return false;
}

/*
 * Are these names in the verdict already?  They may be asked for by their own
 * rule and by another's verify-full.
 */
static bool
names_checked(const Evaluation *e, const PolicyRule *rule, bool log_only)
{
	for (int i = 0; i < e->verdict->nchecks; i++)
	{
		const Check *check = &e->verdict->checks[i];

		if (check->key == KEY_CN && check->asks == rule && !check->role_cn &&
			check->log_only == log_only)
			return true;
	}
	return false;
}

/*
 * Does the certificate carry one of the names of this rule?
 */
static bool
names_ok(const Evaluation *e, const PolicyRule *rule)
{
	if (e->cert == NULL)
		return false;
	for (int i = 0; i < rule->nvalues; i++)
	{
		PolicyKey	key = rule->values[i].key;

		if ((key == KEY_CN || key == KEY_DN || key == KEY_SAN) &&
			name_matches(e, &rule->values[i]))
			return true;
	}
	return false;
}

/*
 * CN = role, byte for byte.
 */
static bool
role_cn_ok(const Evaluation *e)
{
	return e->cert != NULL && e->cert->cn != NULL &&
		strcmp(e->cert->cn,
			   escape_bytes(e->facts->role, (int) strlen(e->facts->role))) == 0;
}

/*
 * Which rules give the names that verify-full asks for?  The role's own label;
 * else the group labels that have names; else the default policy.  Returns the
 * source, or false if none gives any.
 */
static bool
names_come_from(const Evaluation *e, PolicySource *source)
{
	static const PolicySource order[] = {SOURCE_ROLE, SOURCE_GROUP, SOURCE_DEFAULT};

	for (int o = 0; o < (int) lengthof(order); o++)
		for (int i = 0; i < e->napplied; i++)
			if (e->applied[i].source == order[o] && e->deciding[i] &&
				e->deciding[i]->has_names)
			{
				*source = order[o];
				return true;
			}
	return false;
}

/*
 * The name requirement of a rule that asks for verify-full: each rule that
 * gives names must hold; without any, CN = role.  An enforced requirement is
 * listed once however many rules ask for it.
 */
static void
check_given_names(Evaluation *e, const AppliedPolicy *asker,
				  const PolicyRule *rule, bool *checked)
{
	PolicySource source;

	if (*checked && !rule->log_only)
		return;
	*checked |= !rule->log_only;

	if (!names_come_from(e, &source))
	{
		add_check(e, asker, rule, KEY_CN, true, role_cn_ok(e), rule->log_only);
		return;
	}
	for (int i = 0; i < e->napplied; i++)
		if (e->applied[i].source == source && e->deciding[i] &&
			e->deciding[i]->has_names &&
			!names_checked(e, e->deciding[i], rule->log_only))
			add_check(e, &e->applied[i], e->deciding[i], KEY_CN, false,
					  names_ok(e, e->deciding[i]), rule->log_only);
}

/*
 * Is any of the values of a key that may repeat met?
 */
static bool
any_value_ok(const Evaluation *e, const PolicyRule *rule, PolicyKey key)
{
	for (int i = 0; i < rule->nvalues; i++)
	{
		const PolicyValue *value = &rule->values[i];

		if (value->key != key)
			continue;
		if (key == KEY_CIPHER)
		{
			if (e->facts->ssl && e->facts->cipher &&
				strcmp(value->text, e->facts->cipher) == 0)
				return true;
			continue;
		}
		if (e->cert == NULL)
			return false;
		if (key == KEY_FINGERPRINT)
		{
			if (memcmp(value->bytes, e->cert->fingerprint, FINGERPRINT_LEN) == 0)
				return true;
			continue;
		}
		for (int c = 0; c < e->cert->ncas; c++)
			if (key == KEY_ISSUER ?
				strcmp(value->text, e->cert->cas[c].subject_dn) == 0 :
				memcmp(value->bytes, e->cert->cas[c].fingerprint, FINGERPRINT_LEN) == 0)
				return true;
	}
	return false;
}

static bool
has_key(const PolicyRule *rule, PolicyKey key)
{
	for (int i = 0; i < rule->nvalues; i++)
		if (rule->values[i].key == key)
			return true;
	return false;
}

static bool
lifetime_ok(const Evaluation *e, const PolicyRule *rule)
{
	int64		span;

	if (e->cert == NULL)
		return false;
	span = e->cert->not_after - e->cert->not_before;
	return span >= 0 && span <= rule->max_lifetime + LIFETIME_GRACE_SECONDS;
}

/*
 * Check everything that one rule asks for.
 */
static void
check_rule(Evaluation *e, const AppliedPolicy *applied, const PolicyRule *rule,
		   bool *given_names)
{
	static const PolicyKey any_of[] = {KEY_CIPHER, KEY_FINGERPRINT, KEY_ISSUER, KEY_CA_FINGERPRINT};
	bool		log_only = rule->log_only;

	add_check(e, applied, rule, KEY_SSLMODE, false,
			  sslmode_ok(rule->sslmode, e->facts), log_only);
	if (rule->min_protocol != TLS_NONE)
		add_check(e, applied, rule, KEY_MIN_PROTOCOL, false,
				  e->facts->ssl && e->facts->tls_version >= rule->min_protocol,
				  log_only);
	for (int i = 0; i < (int) lengthof(any_of); i++)
		if (has_key(rule, any_of[i]))
			add_check(e, applied, rule, any_of[i], false,
					  any_value_ok(e, rule, any_of[i]), log_only);
	if (rule->max_lifetime > 0)
		add_check(e, applied, rule, KEY_MAX_LIFETIME, false,
				  lifetime_ok(e, rule), log_only);
	if (rule->end_on_expiry && e->cert != NULL)
		add_check(e, applied, rule, KEY_ON_EXPIRY, false,
				  e->now <= e->cert->not_after, log_only);

	/*
	 * The names of a rule with sslmode=cert are its own business, and so are
	 * those of a rule that only logs.
	 */
	if (rule->has_names && (rule->sslmode == SSLMODE_CERT || log_only))
	{
		if (!names_checked(e, rule, log_only))
			add_check(e, applied, rule, KEY_CN, false, names_ok(e, rule), log_only);
	}
	else if (rule->sslmode == SSLMODE_VERIFY_FULL)
		check_given_names(e, applied, rule, given_names);
}

/*
 * Judge a session.
 *
 * now is in seconds since 1970 (UTC).  The checks of the result point into
 * applied and are in its order.
 */
Verdict *
evaluate(const AppliedPolicy *applied, int napplied, const Facts *facts,
		 RegexMatcher matches, int64 now)
{
	Evaluation	e = {
		.applied = applied,.napplied = napplied,.facts = facts,
		.cert = facts->ssl && facts->verified ? facts->cert : NULL,
		.matches = matches,.now = now
	};
	bool		given_names = false;

	e.verdict = palloc0(sizeof(Verdict));
	e.verdict->allow = true;
	e.deciding = palloc0(sizeof(PolicyRule *) * (Size) (napplied + 1));

	/* first the deciding rules, because names may come from any of them */
	for (int i = 0; i < napplied; i++)
	{
		const Policy *policy = applied[i].policy;

		for (int r = 0; policy && r < policy->nrules && !e.deciding[i]; r++)
			if (!policy->rules[r].log_only && rule_fits(&policy->rules[r], facts))
				e.deciding[i] = &policy->rules[r];
	}

	for (int i = 0; i < napplied; i++)
	{
		const PolicyRule *deciding = e.deciding[i];

		if (deciding == NULL)
		{
			add_check(&e, &applied[i], NULL, KEY_SSLMODE, false, false, false);
			continue;
		}
		for (const PolicyRule *rule = applied[i].policy->rules; rule < deciding; rule++)
			if (rule->log_only && rule_fits(rule, facts))
				check_rule(&e, &applied[i], rule, &given_names);
		check_rule(&e, &applied[i], deciding, &given_names);
		e.verdict->end_on_expiry |= deciding->end_on_expiry;
	}
	return e.verdict;
}

/*
 * Is the certificate, or a CA of its chain, in a list of fingerprints (each
 * FINGERPRINT_LEN bytes)?
 */
bool
is_blocked(const CertFacts *cert, const uint8 *fingerprints, int nfingerprints)
{
	for (int i = 0; i < nfingerprints; i++)
	{
		const uint8 *blocked = fingerprints + i * FINGERPRINT_LEN;

		if (memcmp(cert->fingerprint, blocked, FINGERPRINT_LEN) == 0)
			return true;
		for (int c = 0; c < cert->ncas; c++)
			if (memcmp(cert->cas[c].fingerprint, blocked, FINGERPRINT_LEN) == 0)
				return true;
	}
	return false;
}

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
	else if (check->role_cn)
		appendStringInfo(&buf, "cn=%s",
						 escape_bytes(role, (int) strlen(role)));
	else if (check->key == KEY_CN)
	{
		append_values(&buf, check->asks, KEY_CN);
		append_values(&buf, check->asks, KEY_DN);
		append_values(&buf, check->asks, KEY_SAN);
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

	if (check->key != KEY_CN || check->role_cn)
		return pstrdup(policy_key_name(check->key));
	initStringInfo(&buf);
	for (PolicyKey key = KEY_CN; key <= KEY_SAN; key++)
		if (has_key(check->asks, key))
			appendStringInfo(&buf, "%s%s", buf.len ? ", " : "", policy_key_name(key));
	return buf.data;
}
