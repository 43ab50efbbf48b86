/*-------------------------------------------------------------------------
 *
 * model.c
 *		A second reading of what policies mean.
 *
 * Written from docs/policy-language.md, for sessions of which everything is
 * known, and as plain as can be: yes or no, no reasons, nothing shared with
 * evaluate.c but the data and how a role is put into a name.
 *
 *-------------------------------------------------------------------------
 */
#include "model.h"

typedef struct Session
{
	const Facts *facts;
	const CertFacts *cert;
	RegexMatcher matches;
	int64		now;
} Session;

/*
 * The address in the network?  Bit by bit.
 */
static bool
in_network(const PolicyValue *network, const Facts *facts)
{
	if (facts->address_len != network->address_len)
		return false;
	for (int bit = 0; bit < network->address_bits; bit++)
		if (((facts->address[bit / 8] ^ network->bytes[bit / 8]) << bit % 8) & 0x80)
			return false;
	return true;
}

static bool
fits(const PolicyRule *rule, const Facts *facts)
{
	int			wanted[2] = {0, 0};
	int			met[2] = {0, 0};

	for (int i = 0; i < rule->nvalues; i++)
	{
		const PolicyValue *value = &rule->values[i];

		if (value->key == KEY_ADDRESS)
		{
			wanted[0]++;
			met[0] += in_network(value, facts);
		}
		if (value->key == KEY_DATABASE)
		{
			wanted[1]++;
			met[1] += value->keyword ? facts->database == NULL :
									   facts->database != NULL && strcmp(value->text, facts->database) == 0;
		}
	}
	return (!wanted[0] || met[0]) && (!wanted[1] || met[1]);
}

/*
 * NULL where the policy cannot be read.
 */
static const PolicyRule *
deciding_rule(const AppliedPolicy *applied, const Facts *facts)
{
	if (applied->policy == NULL)
		return NULL;
	for (int i = 0;; i++)
		if (!applied->policy->rules[i].log_only && fits(&applied->policy->rules[i], facts))
			return &applied->policy->rules[i];
}

static bool
has_san(const Session *s, const PolicyValue *value)
{
	bool		dns = strncmp(value->text, "dns:", 4) == 0;
	char	   *name = value->regex ? name_pattern(value, s->facts->role) : expand_name(value, s->facts->role);
	size_t		type = strcspn(value->text, ":") + 1;
	int			upns = 0;

	for (int i = 0; i < s->cert->nsans; i++)
		upns += strncmp(s->cert->sans[i], "upn:", 4) == 0 || strncmp(s->cert->sans[i], "badupn:", 7) == 0;
	if (value->text[0] == 'u' && value->text[1] == 'p' && upns != 1)
		return false;
	for (int i = 0; i < s->cert->nsans; i++)
	{
		const char *san = s->cert->sans[i];
		const char *body = san + type;

		if (strncmp(san, value->text, type) != 0)
			continue;
		if (value->regex ? s->matches(name, &body, 1, dns) :
				dns		 ? pg_strcasecmp(name, san) == 0 :
						   strcmp(name, san) == 0)
			return true;
	}
	return false;
}

/*
 * The value of the first attribute of this type, and how many there are of that type and
 * this value.  The subjects of this world have no escapes but "\\,".
 */
static int
count_attributes(const char *subject, const char *type, const char *wanted, const char **first)
{
	int			count = 0;
	const char *at = subject;

	*first = NULL;
	while (*at)
	{
		const char *end = at;
		char	   *attribute;

		while (*end && !((*end == ',' || *end == '+') && end[-1] != '\\'))
			end++;
		attribute = pnstrdup(at, (Size) (end - at));
		if (strncmp(attribute, type, strlen(type)) == 0 && attribute[strlen(type)] == '=')
		{
			const char *value = attribute + strlen(type) + 1;

			if (*first == NULL && count == 0)
				*first = value;
			if (wanted == NULL || strcmp(value, wanted) == 0)
				count++;
		}
		at = *end ? end + 1 : end;
	}
	return count;
}

/*
 * The one name of this type in the subject.
 */
static const char *
only_name(const CertFacts *cert, const char *type)
{
	const char *name;

	return count_attributes(cert->subject_dn, type, NULL, &name) == 1 && name[0] != '#' ? name : NULL;
}

static char *
lower(const char *text)
{
	char	   *result = pstrdup(text);

	for (char *c = result; *c; c++)
		*c = (char) pg_tolower((unsigned char) *c);
	return result;
}

static bool
has_value(const Session *s, const PolicyRule *rule, const PolicyValue *value)
{
	const char *text;
	char	   *name;
	bool		plain = !value->regex && value->key != KEY_DN;

	if (value->key == KEY_CIPHER)
		return s->facts->ssl && s->facts->cipher && strcmp(s->facts->cipher, value->text) == 0;
	if (s->cert == NULL)
		return false;
	switch (value->key)
	{
		case KEY_CN:
		case KEY_UID:
		case KEY_EMAIL:
		case KEY_DN:
			if (value->key != KEY_CN && s->cert->subject_garbled)
				return false;
			text = value->key == KEY_CN ? s->cert->cn : value->key == KEY_DN ? s->cert->subject_dn :
				value->key == KEY_UID										 ? only_name(s->cert, "UID") :
																			   only_name(s->cert, "emailAddress");
			if (text && plain && rule->ignore_case)
				text = lower(text);
			name = value->regex ? name_pattern(value, s->facts->role) : expand_name(value, s->facts->role);
			return text && (value->regex ? s->matches(name, &text, 1, false) : strcmp(name, text) == 0);
		case KEY_SAN:
			return has_san(s, value);
		case KEY_OU:
		case KEY_O:
			return !s->cert->subject_garbled &&
				count_attributes(s->cert->subject_dn, value->key == KEY_OU ? "OU" : "O", value->text, &text) > 0;
		case KEY_FINGERPRINT:
			return memcmp(value->bytes, s->cert->fingerprint, FINGERPRINT_LEN) == 0;
		default:
			for (int i = 0; i < s->cert->ncas; i++)
				if (value->key == KEY_ISSUER ? !s->cert->cas[i].garbled && strcmp(value->text, s->cert->cas[i].subject_dn) == 0 :
											   memcmp(value->bytes, s->cert->cas[i].fingerprint, FINGERPRINT_LEN) == 0)
					return true;
			return false;
	}
}

/*
 * One of the values of these keys, where there are any.
 */
static bool
has_one_of(const Session *s, const PolicyRule *rule, PolicyKey first, PolicyKey last)
{
	bool		wanted = false;

	for (int i = 0; i < rule->nvalues; i++)
	{
		if (rule->values[i].key < first || rule->values[i].key > last)
			continue;
		if (has_value(s, rule, &rule->values[i]))
			return true;
		wanted = true;
	}
	return !wanted;
}

static bool
mode_holds(SslMode mode, const Facts *facts)
{
	bool		verified = facts->ssl && facts->verified && !facts->anchor_gone;

	return mode == SSLMODE_DISABLE								 ? !facts->ssl :
		mode == SSLMODE_ALLOW || mode == SSLMODE_PREFER			 ? true :
		mode == SSLMODE_REQUIRE									 ? facts->ssl :
		mode == SSLMODE_VERIFY_CA || mode == SSLMODE_VERIFY_FULL ? verified :
		mode == SSLMODE_CERT									 ? verified && facts->auth_method && strcmp(facts->auth_method, "cert") == 0 :
																   false;
}

/*
 * A twentieth, but five minutes where that is less, and 65 where it is more.
 */
static int64
grace(int64 allowed)
{
	if (allowed < 100 * 60)
		return 5 * 60;
	return allowed > 1300 * 60 ? 65 * 60 : allowed / 20;
}

/*
 * All that a rule asks for, but for the names of verify-full.
 */
static bool
rule_holds(const Session *s, const PolicyRule *rule)
{
	int64		span = s->cert ? s->cert->not_after - s->cert->not_before : -1;

	return mode_holds(rule->sslmode, s->facts) &&
		(rule->min_protocol == TLS_NONE || (s->facts->ssl && s->facts->tls_version >= rule->min_protocol)) &&
		has_one_of(s, rule, KEY_CIPHER, KEY_CIPHER) &&
		has_one_of(s, rule, KEY_OU, KEY_OU) && has_one_of(s, rule, KEY_O, KEY_O) &&
		has_one_of(s, rule, KEY_FINGERPRINT, KEY_FINGERPRINT) &&
		has_one_of(s, rule, KEY_ISSUER, KEY_ISSUER) &&
		has_one_of(s, rule, KEY_CA_FINGERPRINT, KEY_CA_FINGERPRINT) &&
		(rule->max_lifetime == 0 || (span >= 0 && span <= rule->max_lifetime + grace(rule->max_lifetime))) &&
		!(rule->end_on_expiry && s->cert && s->now > s->cert->not_after) &&
		(rule->sslmode != SSLMODE_CERT || has_one_of(s, rule, KEY_CN, KEY_SAN));
}

/*
 * Does the certificate name the role?
 */
static bool
names_hold(const Session *s, const AppliedPolicy *applied, int napplied)
{
	static const PolicySource sources[] = {SOURCE_ROLE, SOURCE_GROUP, SOURCE_DEFAULT};

	for (int source = 0; source < 3; source++)
	{
		bool		any = false;

		for (int i = 0; i < napplied; i++)
		{
			const PolicyRule *rule = applied[i].source == sources[source] ? deciding_rule(&applied[i], s->facts) : NULL;

			if (rule == NULL || !rule->has_names)
				continue;
			any = true;
			if (!has_one_of(s, rule, KEY_CN, KEY_SAN))
				return false;
		}
		if (any)
			return true;
	}
	/* the roles of this world have no character that is escaped */
	return s->cert && s->cert->cn && strcmp(s->cert->cn, s->facts->role) == 0;
}

bool
model_admits(const AppliedPolicy *applied, int napplied, const Facts *facts,
			 RegexMatcher matches, int64 now)
{
	Session		s = {facts, facts->ssl && facts->verified ? facts->cert : NULL, matches, now};
	bool		asks_names = false;

	/* the server's own certificate, from its own machine; but for standbys */
	if (facts->ssl && facts->own_certificate && facts->database != NULL && napplied > 0)
		return false;
	for (int i = 0; i < napplied; i++)
	{
		const PolicyRule *rule = deciding_rule(&applied[i], facts);

		if (rule == NULL || !rule_holds(&s, rule))
			return false;
		asks_names |= rule->sslmode == SSLMODE_VERIFY_FULL;
	}
	return !asks_names || names_hold(&s, applied, napplied);
}
