/*-------------------------------------------------------------------------
 *
 * evaluate.c
 *		Which requirements a session meets: the only place that decides.
 *
 * The login hook, the recheck of live sessions and the SQL functions all come here.
 * Pure: everything comes in as an argument, also the time and the
 * regular-expression matcher.  A policy that could not be parsed denies.
 *
 * A session is allowed if it meets every policy that applies to it.  In each
 * policy the first rule whose match keys fit decides; rules with action=log
 * before it are checked as well and only reported.
 *
 * Where facts are not known, neither are some outcomes, and perhaps not which
 * rule decides.  Then every rule that may is checked: a policy is met, or not,
 * if all of them say so, whichever it is.
 *
 *-------------------------------------------------------------------------
 */
#include "policy/evaluate.h"

#include "base/escape.h"
#include "policy/dn.h"

/*
 * What a certificate has of an attribute of the subject; see subject_values().  Nothing if
 * its bytes do not fit their string types.
 */
typedef struct Subject
{
	bool		read;
	int			count;
	char	  **values;
} Subject;

typedef struct Evaluation
{
	const AppliedPolicy *applied;
	int			napplied;
	const PolicyRule **deciding;	/* for each policy; NULL: several rules may */
	bool	   *may_give_names; /* for each policy: one of those has names */
	int		   *last_names;		/* for each policy: the last check of its names, or NO_CHECK */
	bool		certain;		/* the rule at hand fits */
	const Facts *facts;
	const CertFacts *cert;		/* only if verified */
	bool		may_have_cert;	/* with cert NULL: it is not known */
	RegexMatcher matches;
	int64		now;
	Subject    *subject;		/* for each key; read when first asked for */
	Verdict    *verdict;
} Evaluation;

/*
 * The outcome of two requirements that must both hold.
 */
static Outcome
both(Outcome a, Outcome b)
{
	return Min(a, b);
}

static Outcome
outcome_of(bool ok)
{
	return ok ? OUTCOME_OK : OUTCOME_FAILED;
}

static void
add_check(Evaluation *e, const AppliedPolicy *applied, const PolicyRule *rule,
		  PolicyKey key, bool role_cn, Outcome outcome, bool log_only)
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
	check->own_certificate = false;
	check->outcome = outcome;
	check->log_only = log_only;
	check->certain = e->certain;
	check->next_names = NO_CHECK;
	if (key == KEY_CN && !role_cn)
	{
		check->next_names = e->last_names[applied - e->applied];
		e->last_names[applied - e->applied] = v->nchecks - 1;
	}
	if (outcome == OUTCOME_FAILED && log_only && e->certain)
		v->logged = true;
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
static Outcome
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
	return both(asks_address && (facts->unknown & UNKNOWN_ADDRESS) ? OUTCOME_UNKNOWN :
																	 outcome_of(address == asks_address),
				asks_database && (facts->unknown & UNKNOWN_DATABASE) ? OUTCOME_UNKNOWN :
																	   outcome_of(database == asks_database));
}

/*
 * Is TLS in use?
 */
static Outcome
uses_tls(const Facts *facts)
{
	return (facts->unknown & UNKNOWN_SSL) ? OUTCOME_UNKNOWN : outcome_of(facts->ssl);
}

/*
 * Has a CA of the server verified a certificate of the client, and is that CA still in
 * force?
 */
static Outcome
is_verified(const Facts *facts)
{
	if (uses_tls(facts) == OUTCOME_FAILED)
		return OUTCOME_FAILED;
	if (!facts->verified && (facts->unknown & UNKNOWN_CERTIFICATE))
		return OUTCOME_UNKNOWN;
	if (facts->verified && facts->anchor_gone)
		return OUTCOME_FAILED;
	if (facts->verified && (facts->unknown & UNKNOWN_ANCHOR))
		return OUTCOME_UNKNOWN;
	return both(uses_tls(facts), outcome_of(facts->verified));
}

static Outcome
sslmode_outcome(SslMode mode, const Facts *facts)
{
	switch (mode)
	{
		case SSLMODE_REJECT:
			return OUTCOME_FAILED;
		case SSLMODE_DISABLE:
			return (facts->unknown & UNKNOWN_SSL) ? OUTCOME_UNKNOWN : outcome_of(!facts->ssl);
		case SSLMODE_ALLOW:
		case SSLMODE_PREFER:
			return OUTCOME_OK;
		case SSLMODE_REQUIRE:
			return uses_tls(facts);
		case SSLMODE_VERIFY_CA:
		case SSLMODE_VERIFY_FULL:
			return is_verified(facts);
		case SSLMODE_CERT:
			return both(is_verified(facts),
						(facts->unknown & UNKNOWN_AUTH_METHOD) ? OUTCOME_UNKNOWN :
																 outcome_of(facts->auth_method && strcmp(facts->auth_method, "cert") == 0));
	}
	return OUTCOME_FAILED;
}

static Outcome
protocol_outcome(TlsVersion wanted, const Facts *facts)
{
	return both(uses_tls(facts),
				(facts->unknown & UNKNOWN_TLS_VERSION) ? OUTCOME_UNKNOWN :
														 outcome_of(facts->tls_version >= wanted));
}

/*
 * The outcome of a check of the certificate, which it has met or not.  One that
 * was looked for in text that may have been cut away is not known.
 */
static Outcome
certificate_outcome(const Evaluation *e, bool met, bool in_text)
{
	if (e->cert == NULL)
		return e->may_have_cert ? OUTCOME_UNKNOWN : OUTCOME_FAILED;
	if (!met)
		return in_text && e->cert->cut ? OUTCOME_UNKNOWN : OUTCOME_FAILED;
	return uses_tls(e->facts);
}

/*
 * Does one of these texts match?  Nothing is tried that would take the whole beyond its
 * limit.  That is counted, and not measured, so that a login and all rechecks of its
 * session say the same.
 */
static bool
regex_fits(const Evaluation *e, const PolicyValue *name, const char *pattern,
		   const char *const *texts, int ntexts, bool ignore_case)
{
	int64		bytes = REGEX_COMPILE_BYTES;

	for (int i = 0; i < ntexts; i++)
		bytes += (int64) strlen(texts[i]);
	if (bytes * name->regex_cost > REGEX_MAX_WORK - e->verdict->regex_work)
	{
		e->verdict->regex_skipped = true;
		return false;
	}
	e->verdict->regex_work += bytes * name->regex_cost;
	return e->matches(pattern, texts, ntexts, ignore_case);
}

/*
 * The values that the subject of a certificate has of the attribute that a key asks for,
 * in escaped form; NULL for one that is no text.  *count is -1 where they are not known:
 * what was cut away may be others.
 */
char **
subject_values(const CertFacts *cert, PolicyKey key, int *count)
{
	if (!is_cut_name(cert, cert->subject_dn))
		return dn_values(cert->subject_dn, subject_attribute(key), count);
	*count = -1;
	return NULL;
}

static const Subject *
read_subject(const Evaluation *e, PolicyKey key)
{
	Subject    *subject = &e->subject[key];

	if (!subject->read && !e->cert->subject_garbled)
		subject->values = subject_values(e->cert, key, &subject->count);
	subject->read = true;
	return subject;
}

/*
 * The name of a certificate that a name of this key is compared with.  NULL if it has
 * none, or several, which name nobody.
 */
static const char *
subject_name(const Evaluation *e, PolicyKey key)
{
	const Subject *subject;

	if (key == KEY_CN)
		return e->cert->cn;
	if (key == KEY_DN)
		return e->cert->subject_garbled ? NULL : e->cert->subject_dn;
	subject = read_subject(e, key);
	return subject->count == 1 ? subject->values[0] : NULL;
}

/*
 * A name in escaped form with its ASCII letters in lower case, but for the digits of
 * escapes.
 */
static char *
fold_name(const char *name)
{
	char	   *folded = pstrdup(name);

	for (char *c = folded; *c; c++)
	{
		if (c[0] == '\\' && c[1] != '\0' && c[2] != '\0')
			c += 2;
		else if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	}
	return folded;
}

/*
 * Does the certificate carry this name?  DNS names compare without case (RFC
 * 4343); a wildcard in a certificate is a literal.  Where ignore_case is asked for, the
 * certificate's name alone is folded, so that it names one role and no other.
 */
static bool
name_matches(const Evaluation *e, const PolicyRule *rule, const PolicyValue *name)
{
	bool		dns = name->key == KEY_SAN && strncmp(name->text, "dns:", 4) == 0;
	char	   *wanted = name->regex ? name_pattern(name, e->facts->role) :
								 expand_name(name, e->facts->role);
	size_t		type;
	const char **candidates;
	int			ncandidates = 0;

	if (name->key != KEY_SAN)
	{
		const char *have = subject_name(e, name->key);

		if (have == NULL)
			return false;
		if (rule->ignore_case && name->key != KEY_DN && !name->regex)
			have = fold_name(have);
		return name->regex ? regex_fits(e, name, wanted, &have, 1, false) :
							 strcmp(wanted, have) == 0;
	}

	/* which of several would be the user's name? */
	if (strncmp(name->text, "upn:", 4) == 0 && e->cert->upn_count != 1)
		return false;
	type = (size_t) (strchr(name->text, ':') - name->text) + 1;
	candidates = palloc(sizeof(char *) * (Size) Max(e->cert->nsans, 1));
	for (int i = 0; i < e->cert->nsans; i++)
	{
		const char *have = e->cert->sans[i];

		if (strncmp(have, name->text, type) != 0)
			continue;
		if (name->regex)
			candidates[ncandidates++] = have + type;
		else if (dns ? pg_strcasecmp(wanted, have) == 0 : strcmp(wanted, have) == 0)
			return true;
	}
	/* all at once: the pattern is compiled once */
	return ncandidates > 0 && regex_fits(e, name, wanted, candidates, ncandidates, dns);
}

/*
 * Are these names in the verdict already, for certain?  They may be asked for by
 * their own rule and by another's verify-full.
 */
static bool
names_checked(const Evaluation *e, const AppliedPolicy *applied, const PolicyRule *rule, bool log_only)
{
	const Check *checks = e->verdict->checks;

	for (int i = e->last_names[applied - e->applied]; i != NO_CHECK; i = checks[i].next_names)
		if (checks[i].asks == rule && checks[i].log_only == log_only && checks[i].certain)
			return true;
	return false;
}

/*
 * Does the certificate carry one of the names of this rule?  Several rules may ask;
 * what is known already is not looked for again.
 */
static Outcome
names_outcome(const Evaluation *e, const AppliedPolicy *applied, const PolicyRule *rule)
{
	const Check *checks = e->verdict->checks;
	bool		met = false;

	for (int i = e->last_names[applied - e->applied]; i != NO_CHECK; i = checks[i].next_names)
		if (checks[i].asks == rule)
			return checks[i].outcome;

	for (int i = 0; i < rule->nvalues && e->cert != NULL && !met; i++)
	{
		PolicyKey	key = rule->values[i].key;

		/* that a part of a name matches a pattern says nothing */
		met = key >= KEY_CN && key <= KEY_SAN &&
			!(rule->values[i].regex && e->cert->cut) &&
			name_matches(e, rule, &rule->values[i]);
	}
	return certificate_outcome(e, met, true);
}

/*
 * CN = role, byte for byte.
 */
static Outcome
role_cn_outcome(const Evaluation *e)
{
	bool		met = e->cert != NULL && e->cert->cn != NULL &&
		strcmp(e->cert->cn,
			   escape_bytes(e->facts->role, (int) strlen(e->facts->role))) == 0;

	return certificate_outcome(e, met, true);
}

/*
 * Do rules give the names that verify-full asks for, and which?  The role's own
 * label; else the group labels that have names; else the default policy.
 */
static Outcome
names_come_from(const Evaluation *e, PolicySource *source)
{
	static const PolicySource order[] = {SOURCE_ROLE, SOURCE_GROUP, SOURCE_DEFAULT};

	for (int o = 0; o < (int) lengthof(order); o++)
	{
		Outcome		given = OUTCOME_FAILED;

		for (int i = 0; i < e->napplied; i++)
		{
			if (e->applied[i].source != order[o])
				continue;
			if (e->deciding[i] && e->deciding[i]->has_names)
				given = OUTCOME_OK;
			else if (e->deciding[i] == NULL && e->may_give_names[i])
				given = Max(given, OUTCOME_UNKNOWN);
		}
		if (given != OUTCOME_FAILED)
		{
			*source = order[o];
			return given;
		}
	}
	return OUTCOME_FAILED;
}

/*
 * The name requirement of a rule that asks for verify-full: each rule that
 * gives names must hold; without any, CN = role.  An enforced requirement is
 * listed once however many rules ask for it, but for those that only may decide:
 * they may give names themselves.
 */
static void
check_given_names(Evaluation *e, const AppliedPolicy *asker,
				  const PolicyRule *rule, bool *checked)
{
	PolicySource source;
	Outcome		given;

	if (*checked && e->certain && !rule->log_only)
		return;
	*checked |= !rule->log_only && e->certain;

	given = names_come_from(e, &source);
	if (given != OUTCOME_OK)
	{
		add_check(e, asker, rule, KEY_CN, true,
				  given == OUTCOME_UNKNOWN ? OUTCOME_UNKNOWN : role_cn_outcome(e), rule->log_only);
		return;
	}
	for (int i = 0; i < e->napplied; i++)
		if (e->applied[i].source == source && e->deciding[i] &&
			e->deciding[i]->has_names &&
			!names_checked(e, &e->applied[i], e->deciding[i], rule->log_only))
			add_check(e, &e->applied[i], e->deciding[i], KEY_CN, false,
					  names_outcome(e, &e->applied[i], e->deciding[i]), rule->log_only);
}

/*
 * Is a value of a key met that is about the certificate and its chain?
 */
static bool
chain_has(const CertFacts *cert, const PolicyValue *value)
{
	if (value->key == KEY_FINGERPRINT)
		return memcmp(value->bytes, cert->fingerprint, FINGERPRINT_LEN) == 0;
	for (int c = 0; c < cert->ncas; c++)
		if (value->key == KEY_ISSUER ?
				!cert->cas[c].garbled && strcmp(value->text, cert->cas[c].subject_dn) == 0 :
				memcmp(value->bytes, cert->cas[c].fingerprint, FINGERPRINT_LEN) == 0)
			return true;
	return false;
}

/*
 * Has the subject this attribute?  It may have others of the same type: a person may
 * belong to several organizational units.
 */
static bool
subject_has(const Evaluation *e, const PolicyValue *value)
{
	const Subject *subject = read_subject(e, value->key);
	char	   *wanted = escape_bytes(value->text, (int) strlen(value->text));

	for (int i = 0; i < subject->count; i++)
		if (subject->values[i] && strcmp(wanted, subject->values[i]) == 0)
			return true;
	return false;
}

/*
 * Is any of the values of a key that may repeat met?
 */
static Outcome
any_value_outcome(const Evaluation *e, const PolicyRule *rule, PolicyKey key)
{
	bool		met = false;

	for (int i = 0; i < rule->nvalues && !met; i++)
	{
		const PolicyValue *value = &rule->values[i];

		if (value->key != key)
			continue;
		if (key == KEY_CIPHER)
			met = e->facts->cipher && strcmp(value->text, e->facts->cipher) == 0;
		else if (key == KEY_OU || key == KEY_O)
			met = e->cert && subject_has(e, value);
		else
			met = e->cert && chain_has(e->cert, value);
	}
	if (key != KEY_CIPHER)
		return certificate_outcome(e, met, key == KEY_ISSUER || key == KEY_OU || key == KEY_O);
	return both(uses_tls(e->facts),
				(e->facts->unknown & UNKNOWN_CIPHER) ? OUTCOME_UNKNOWN : outcome_of(met));
}

/*
 * How much longer than max_lifetime a certificate may live, since CAs back-date
 * notBefore: AD CS by 10 minutes, AWS Private CA by 60.  That is theirs to choose, not
 * the client's; but where hours are allowed, an hour more is much.
 */
int64
lifetime_grace(int64 max_lifetime)
{
	return Max(MIN_LIFETIME_GRACE, Min(max_lifetime / 20, MAX_LIFETIME_GRACE));
}

/*
 * Unsigned, so that no dates, however far apart, overflow.
 */
static Outcome
lifetime_outcome(const Evaluation *e, const PolicyRule *rule)
{
	uint64		allowed = (uint64) rule->max_lifetime + (uint64) lifetime_grace(rule->max_lifetime);
	bool		met = e->cert != NULL && e->cert->not_after >= e->cert->not_before &&
		(uint64) e->cert->not_after - (uint64) e->cert->not_before <= allowed;

	return certificate_outcome(e, met, false);
}

/*
 * Is there no certificate that has expired?  (Where none is used, none has.)
 */
static Outcome
expiry_outcome(const Evaluation *e)
{
	if (e->cert == NULL)
		return OUTCOME_UNKNOWN;
	if (e->now <= e->cert->not_after)
		return OUTCOME_OK;
	return uses_tls(e->facts) == OUTCOME_OK ? OUTCOME_FAILED : OUTCOME_UNKNOWN;
}

/*
 * Does somebody other than the server itself present this certificate?  A role that
 * makes the server connect to itself can name the server's own certificate.  A standby
 * on the same machine may have the same certificate, and must be able to replicate.
 */
static Outcome
own_certificate_outcome(const Facts *facts)
{
	if (!facts->own_certificate || uses_tls(facts) == OUTCOME_FAILED)
		return OUTCOME_OK;
	if (facts->unknown & (UNKNOWN_SSL | UNKNOWN_ADDRESS | UNKNOWN_DATABASE))
		return OUTCOME_UNKNOWN;
	return outcome_of(facts->database == NULL);
}

/*
 * Check everything that one rule asks for.
 */
static void
check_rule(Evaluation *e, const AppliedPolicy *applied, const PolicyRule *rule,
		   bool *given_names)
{
	static const PolicyKey any_of[] = {KEY_CIPHER, KEY_OU, KEY_O, KEY_FINGERPRINT, KEY_ISSUER, KEY_CA_FINGERPRINT};
	bool		log_only = rule->log_only;
	Outcome		own = own_certificate_outcome(e->facts);

	/* whatever the rule asks for */
	if (own != OUTCOME_OK)
	{
		add_check(e, applied, rule, KEY_SSLMODE, false, own, log_only);
		e->verdict->checks[e->verdict->nchecks - 1].own_certificate = true;
	}
	add_check(e, applied, rule, KEY_SSLMODE, false,
			  sslmode_outcome(rule->sslmode, e->facts), log_only);
	if (rule->min_protocol != TLS_NONE)
		add_check(e, applied, rule, KEY_MIN_PROTOCOL, false,
				  protocol_outcome(rule->min_protocol, e->facts), log_only);
	for (int i = 0; i < (int) lengthof(any_of); i++)
		if (rule_has_key(rule, any_of[i]))
			add_check(e, applied, rule, any_of[i], false,
					  any_value_outcome(e, rule, any_of[i]), log_only);
	if (rule->max_lifetime > 0)
		add_check(e, applied, rule, KEY_MAX_LIFETIME, false,
				  lifetime_outcome(e, rule), log_only);
	if (rule->end_on_expiry && (e->cert != NULL || e->may_have_cert))
		add_check(e, applied, rule, KEY_ON_EXPIRY, false,
				  expiry_outcome(e), log_only);

	/*
	 * The names of a rule with sslmode=cert are its own business, and so are
	 * those of a rule that only logs.
	 */
	if (rule->has_names && (rule->sslmode == SSLMODE_CERT || log_only))
	{
		if (!names_checked(e, applied, rule, log_only))
			add_check(e, applied, rule, KEY_CN, false, names_outcome(e, applied, rule), log_only);
	}
	else if (rule->sslmode == SSLMODE_VERIFY_FULL)
		check_given_names(e, applied, rule, given_names);
}

/*
 * Which rule of a policy decides?
 */
static void
find_deciding(Evaluation *e, int i)
{
	const Policy *policy = e->applied[i].policy;
	int			candidates = 0;

	for (int r = 0; policy && r < policy->nrules; r++)
	{
		const PolicyRule *rule = &policy->rules[r];
		Outcome		fits = rule->log_only ? OUTCOME_FAILED : rule_fits(rule, e->facts);

		if (fits == OUTCOME_FAILED)
			continue;
		candidates++;
		e->deciding[i] = candidates == 1 ? rule : NULL;
		e->may_give_names[i] |= rule->has_names;
		if (fits == OUTCOME_OK)
			return;
	}
}

/*
 * The worst outcome of what has been checked from one check on, but for those that
 * are only reported.
 */
static Outcome
worst_outcome(const Verdict *verdict, int from)
{
	Outcome		result = OUTCOME_OK;

	for (int i = from; i < verdict->nchecks; i++)
		if (!verdict->checks[i].log_only)
			result = both(result, verdict->checks[i].outcome);
	return result;
}

/*
 * Check the rules of a policy that fit, or may: those before the first that
 * decides for certain, and that one.
 */
static Outcome
check_policy(Evaluation *e, int i, bool *given_names)
{
	const AppliedPolicy *applied = &e->applied[i];
	const PolicyRule *deciding = e->deciding[i];
	Outcome		result = OUTCOME_FAILED;
	int			candidates = 0;

	for (int r = 0; applied->policy && r < applied->policy->nrules; r++)
	{
		const PolicyRule *rule = &applied->policy->rules[r];
		Outcome		fits = rule_fits(rule, e->facts);
		int			from = e->verdict->nchecks;

		if (fits == OUTCOME_FAILED)
			continue;
		e->certain = fits == OUTCOME_OK && candidates == 0;
		if (rule->log_only)
		{
			check_rule(e, applied, rule, given_names);
			continue;
		}
		/* what other policies ask of names depends on it */
		e->deciding[i] = rule;
		check_rule(e, applied, rule, given_names);
		e->deciding[i] = deciding;
		e->verdict->end_on_expiry |= rule->end_on_expiry;
		if (candidates++ == 0)
			result = worst_outcome(e->verdict, from);
		else if (result != worst_outcome(e->verdict, from))
			result = OUTCOME_UNKNOWN;
		if (fits == OUTCOME_OK)
			return result;
	}

	/* it cannot be read (the last rule of one that can be fits everybody) */
	e->certain = true;
	add_check(e, applied, NULL, KEY_SSLMODE, false, OUTCOME_FAILED, false);
	return OUTCOME_FAILED;
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
		.applied = applied,
		.napplied = napplied,
		.facts = facts,
		.matches = matches,
		.now = now,
	};
	bool		given_names = false;

	if (uses_tls(facts) != OUTCOME_FAILED)
	{
		e.cert = facts->verified ? facts->cert : NULL;
		e.may_have_cert = (facts->unknown & UNKNOWN_CERTIFICATE) != 0;
	}
	e.subject = palloc0(sizeof(Subject) * NUM_POLICY_KEYS);
	e.verdict = palloc0(sizeof(Verdict));
	e.verdict->outcome = OUTCOME_OK;
	e.deciding = palloc0(sizeof(PolicyRule *) * (Size) (napplied + 1));
	e.may_give_names = palloc0(sizeof(bool) * (Size) (napplied + 1));

	e.last_names = palloc(sizeof(int) * (Size) (napplied + 1));
	for (int i = 0; i < napplied; i++)
		e.last_names[i] = NO_CHECK;

	/* first the deciding rules, because names may come from any of them */
	for (int i = 0; i < napplied; i++)
		find_deciding(&e, i);
	for (int i = 0; i < napplied; i++)
		e.verdict->outcome = both(e.verdict->outcome, check_policy(&e, i, &given_names));
	return e.verdict;
}

/*
 * Is the certificate, or a CA of its chain, in a list of parse_fingerprints()?
 */
bool
has_listed_fingerprint(const CertFacts *cert, const uint8 *fingerprints, int nfingerprints)
{
	bool		found = is_fingerprint_listed(cert->fingerprint, fingerprints, nfingerprints);

	for (int i = 0; i < cert->ncas && !found; i++)
		found = is_fingerprint_listed(cert->cas[i].fingerprint, fingerprints, nfingerprints);
	return found;
}
