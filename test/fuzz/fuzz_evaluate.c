/*-------------------------------------------------------------------------
 *
 * fuzz_evaluate.c
 *		Policies and sessions to verdicts.
 *
 * For any policies that can be written and any session:
 *
 *	1. the verdict is that of a second reading of docs/policy-language.md
 *	   (model.c), and is what its checks say
 *	2. a stricter policy never admits more: one with a requirement added or
 *	   raised, a value taken away, a rule that refuses put in front; nor does one
 *	   more policy, unless it is about names; one that cannot be read admits
 *	   nobody.  What is only logged changes nothing
 *	3. what is said of a session of which not everything is known is true of this
 *	   one, which it may be; the same with a certificate that was cut
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#include "model.h"
#include "world.h"

#define SESSIONS 32				/* an input */

static const char *
outcome_name(Outcome result)
{
	return result == OUTCOME_OK ? "allow" : result == OUTCOME_FAILED ? "deny" :
																	   "not known";
}

static Outcome
outcome(const AppliedPolicy *applied, int count, const Facts *facts)
{
	return evaluate(applied, count, facts, simple_match, NOW)->outcome;
}

static const char *
described(const AppliedPolicy *applied, int count)
{
	static const char *const sources[] = {"minimum", "role", "default", "group", "database"};
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < count; i++)
		appendStringInfo(&buf, "\n  %s: %s", sources[applied[i].source],
						 applied[i].policy ? policy_text(applied[i].policy) : "not readable");
	return buf.data;
}

/*
 * 1
 */
static void
check_verdict(const AppliedPolicy *applied, int count, const Facts *facts)
{
	Verdict    *verdict = evaluate(applied, count, facts, simple_match, NOW);
	Outcome		worst = OUTCOME_OK;
	bool		logged = false;

	for (int i = 0; i < verdict->nchecks; i++)
	{
		const Check *check = &verdict->checks[i];

		HOLDS(check->outcome != OUTCOME_UNKNOWN && check->certain, "not known: %s", described(applied, count));
		if (check->log_only)
			logged |= check->outcome == OUTCOME_FAILED;
		else
			worst = Min(worst, check->outcome);
	}
	HOLDS(worst == verdict->outcome && logged == verdict->logged, "verdict %s, checks %s: %s",
		  outcome_name(verdict->outcome), outcome_name(worst), described(applied, count));
	HOLDS((verdict->outcome == OUTCOME_OK) == model_admits(applied, count, facts, simple_match, NOW),
		  "verdict %s: %s", outcome_name(verdict->outcome), described(applied, count));
}

/*
 * A rule of a copy of a policy, to be changed.
 */
static PolicyRule *
copy_to_change(AppliedPolicy *applied, unsigned rule)
{
	Policy	   *copy = palloc(sizeof(Policy));

	copy->nrules = applied->policy->nrules;
	copy->rules = palloc(sizeof(PolicyRule) * (Size) copy->nrules);
	memcpy(copy->rules, applied->policy->rules, sizeof(PolicyRule) * (Size) copy->nrules);
	applied->policy = copy;
	return &copy->rules[rule % (unsigned) copy->nrules];
}

static void
copy_values(PolicyRule *rule)
{
	PolicyValue *values = palloc(sizeof(PolicyValue) * (Size) (rule->nvalues + 1));

	if (rule->nvalues > 0)
		memcpy(values, rule->values, sizeof(PolicyValue) * (Size) rule->nvalues);
	rule->values = values;
}

/*
 * Take one of several values of a requirement away.
 */
static bool
remove_value(PolicyRule *rule, unsigned which)
{
	int			i = rule->nvalues ? (int) (which % (unsigned) rule->nvalues) : 0;
	int			others = 0;
	bool		name;

	if (rule->nvalues == 0 || rule->values[i].key < KEY_CIPHER)
		return false;
	name = rule->values[i].key >= KEY_CN && rule->values[i].key <= KEY_SAN;
	for (int k = 0; k < rule->nvalues; k++)
		others += k != i && (rule->values[k].key == rule->values[i].key || (name && rule->values[k].key >= KEY_CN && rule->values[k].key <= KEY_SAN));
	if (others == 0)
		return false;
	copy_values(rule);
	memmove(&rule->values[i], &rule->values[i + 1], sizeof(PolicyValue) * (Size) (rule->nvalues - i - 1));
	rule->nvalues--;
	return true;
}

/*
 * Ask for a key that the rule does not ask for.
 */
static bool
add_value(PolicyRule *rule, unsigned which)
{
	static const PolicyKey keys[] = {KEY_CIPHER, KEY_FINGERPRINT, KEY_ISSUER, KEY_CA_FINGERPRINT};
	PolicyKey	key = keys[which % lengthof(keys)];

	if (rule_has_key(rule, key))
		return false;
	copy_values(rule);
	rule->values[rule->nvalues] = (PolicyValue){
		.key = key,
		.text = key == KEY_ISSUER ? "CN=Root" : "A",
	};
	memset(rule->values[rule->nvalues++].bytes, key == KEY_FINGERPRINT ? 0x11 : 0x33, FINGERPRINT_LEN);
	return true;
}

/*
 * Does the first of two modes admit nothing that the second does not?  The names
 * of verify-full and cert are not the same.
 */
static bool
is_stricter_mode(SslMode a, SslMode b, bool names)
{
	if (a == SSLMODE_REJECT || (b == SSLMODE_ALLOW || b == SSLMODE_PREFER))
		return true;
	if (b == SSLMODE_REQUIRE)
		return a > SSLMODE_REQUIRE;
	return b == SSLMODE_VERIFY_CA && a > SSLMODE_VERIFY_CA && !names;
}

static bool
make_stricter(Bytes *from, AppliedPolicy *applied, int *count, const char **what)
{
	static const SslMode modes[] = {SSLMODE_REJECT, SSLMODE_DISABLE, SSLMODE_REQUIRE, SSLMODE_VERIFY_CA, SSLMODE_VERIFY_FULL, SSLMODE_CERT};
	AppliedPolicy *one;
	PolicyRule *rule;
	unsigned	arg;

	if (*count == 0 || take_below(from, 4) == 0)
	{
		PolicySource source = take_below(from, 2) ? SOURCE_MINIMUM : SOURCE_DATABASE;

		*what = "another policy";
		applied[*count] = (AppliedPolicy){
			.source = source,
			.name = "name",
			.policy = make_policy(from, place_of(source)),
		};
		(*count)++;
		return true;
	}
	one = &applied[take_below(from, (unsigned) *count)];
	if (one->policy == NULL)
		return false;
	rule = copy_to_change(one, take(from));
	arg = take(from);
	/* what is logged is not stricter, but must not matter */
	switch (take_below(from, 9))
	{
		case 0:
			*what = "a policy that cannot be read";
			one->policy = NULL;
			return true;
		case 1:
			*what = "min_protocol";
			if (rule->min_protocol >= TLS_1_3)
				return false;
			rule->min_protocol++;
			return true;
		case 2:
			*what = "max_lifetime";
			rule->max_lifetime = rule->max_lifetime == 0 ? 90 * 86400 : Max(1, rule->max_lifetime / 2);
			return true;
		case 3:
			*what = "on_expiry";
			rule->has_on_expiry = rule->end_on_expiry = true;
			return true;
		case 4:
			*what = "one value less";
			return remove_value(rule, arg);
		case 5:
			*what = "one key more";
			return add_value(rule, arg);
		case 6:
			*what = "sslmode";
			if (!is_stricter_mode(modes[arg % lengthof(modes)], rule->sslmode, rule->has_names))
				return false;
			rule->sslmode = modes[arg % lengthof(modes)];
			return true;
		case 7:
			*what = "a rule that refuses, in front";
			{
				Policy	   *policy = palloc(sizeof(Policy));
				PolicyError error;
				Policy	   *refusal = parse_policy(arg & 1 ? "address=10.0.0.0/8 sslmode=reject; sslmode=reject" :
															 "address=0.0.0.0/0 sslmode=reject; sslmode=reject",
												   PLACE_DATABASE, NULL, &error);

				policy->nrules = one->policy->nrules + 1;
				policy->rules = palloc(sizeof(PolicyRule) * (Size) policy->nrules);
				policy->rules[0] = refusal->rules[0];
				memcpy(policy->rules + 1, one->policy->rules, sizeof(PolicyRule) * (Size) one->policy->nrules);
				one->policy = policy;
				return true;
			}
		default:
			*what = "the same, twice";
			if (one->source == SOURCE_ROLE || one->source == SOURCE_DEFAULT)
				return false;
			applied[*count] = *one;
			(*count)++;
			return true;
	}
}

/*
 * 2
 */
static void
check_stricter(Bytes *from, const AppliedPolicy *applied, int count, const Facts *facts)
{
	AppliedPolicy *stricter = palloc0(sizeof(AppliedPolicy) * (MAX_APPLIED + 4));
	int			stricter_count = count;
	Outcome		before = outcome(applied, count, facts);
	const char *what = "";

	memcpy(stricter, applied, sizeof(AppliedPolicy) * (Size) count);
	for (int i = 0; i < 3; i++)
	{
		int			try_count = stricter_count;
		AppliedPolicy *try = palloc0(sizeof(AppliedPolicy) * (MAX_APPLIED + 4));

		memcpy(try, stricter, sizeof(AppliedPolicy) * (Size) stricter_count);
		if (!make_stricter(from, try, &try_count, &what))
			continue;
		memcpy(stricter, try, sizeof(AppliedPolicy) * (Size) try_count);
		stricter_count = try_count;
		HOLDS(outcome(stricter, stricter_count, facts) <= before, "stricter (%s) admits more: %s\nbefore: %s",
			  what, described(stricter, stricter_count), described(applied, count));
	}
}

/*
 * 2, what is only logged
 */
static void
check_logged(Bytes *from, const AppliedPolicy *applied, int count, const Facts *facts)
{
	AppliedPolicy *more = palloc0(sizeof(AppliedPolicy) * MAX_APPLIED);
	AppliedPolicy *one;
	Policy	   *policy;
	Policy	   *logged;
	PolicyError error;
	char	   *text;

	if (count == 0)
		return;
	memcpy(more, applied, sizeof(AppliedPolicy) * (Size) count);
	one = &more[take_below(from, (unsigned) count)];
	if (one->policy == NULL)
		return;
	text = make_rule(from, place_of(one->source), true);
	logged = parse_policy(psprintf("%s action=log; sslmode=reject", text), place_of(one->source), NULL, &error);
	HOLDS(logged, "%s: %s", text, error.message);
	policy = palloc(sizeof(Policy));
	policy->nrules = one->policy->nrules + 1;
	policy->rules = palloc(sizeof(PolicyRule) * (Size) policy->nrules);
	policy->rules[0] = logged->rules[0];
	memcpy(policy->rules + 1, one->policy->rules, sizeof(PolicyRule) * (Size) one->policy->nrules);
	one->policy = policy;
	HOLDS(outcome(more, count, facts) == outcome(applied, count, facts), "logging changes the verdict: %s",
		  described(more, count));
}

/*
 * 3
 */
static void
check_unknown(Bytes *from, const AppliedPolicy *applied, int count, const Facts *facts)
{
	Facts		unknown = with_unknowns(from, facts);
	Outcome		said = outcome(applied, count, &unknown);
	Outcome		truth = outcome(applied, count, facts);

	HOLDS(said == OUTCOME_UNKNOWN || said == truth, "unknown %d: said %s, is %s: %s", unknown.unknown,
		  outcome_name(said), outcome_name(truth), described(applied, count));
	if (facts->cert)
	{
		size_t		limit = take(from);
		size_t		size;
		char	   *bytes = pack_cert(facts->cert, limit, &size);
		Facts		cut = *facts;

		cut.cert = unpack_cert(bytes, size);
		said = outcome(applied, count, &cut);
		HOLDS(said == truth || (said == OUTCOME_UNKNOWN && cut.cert->cut), "cut to %zu: said %s, is %s: %s", limit,
			  outcome_name(said), outcome_name(truth), described(applied, count));
	}
}

/*
 * The policies are of the input.  Sessions and changes cost less, so that there
 * are many: out of numbers that follow from the input.
 */
void
fuzz_one(const uint8 *data, size_t size)
{
	Bytes		from = {data, data + size};
	AppliedPolicy *applied = palloc0(sizeof(AppliedPolicy) * MAX_APPLIED);
	int			count = make_applied(&from, applied);
	uint32		state = 2166136261;

	for (size_t i = 0; i < size; i++)
		state = (state ^ data[i]) * 16777619;
	for (int i = 0; i < SESSIONS; i++)
	{
		uint8		bytes[200];
		Bytes		more = {bytes, bytes + sizeof(bytes)};
		Facts		facts;

		for (size_t k = 0; k < sizeof(bytes); k++)
		{
			state = state * 1664525 + 1013904223;
			bytes[k] = (uint8) (state >> 24);
		}
		facts = make_session(&more);
		check_verdict(applied, count, &facts);
		check_unknown(&more, applied, count, &facts);
		if (i % 8 == 0)
			check_logged(&more, applied, count, &facts);
		if (i % 4 == 0)
			check_stricter(&more, applied, count, &facts);
	}
}
