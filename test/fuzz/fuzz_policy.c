/*-------------------------------------------------------------------------
 *
 * fuzz_policy.c
 *		Policy text: parse, print, parse again.
 *
 * For any text, in each place where a policy can stand:
 *
 *	1. an error has a message, a hint that is a sentence, and a position within
 *	   the text
 *	2. what is accepted can be printed, the print is a policy, the same one, and
 *	   prints as itself
 *	3. what is accepted when it is set is accepted when it is read again
 *	4. what a database's policy or the minimum may say, a role's may say as well,
 *	   and means the same
 *	5. names with any role put in are in the form that facts have
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#include "policy/policy.h"

#define MAX_TEXT (POLICY_MAX_BYTES + 200)

static const char *const places[] = {
	[PLACE_ROLE] = "role",
	[PLACE_DATABASE] = "database",
	[PLACE_DEFAULT] = "default",
	[PLACE_MINIMUM] = "minimum",
};

/*
 * In place of PostgreSQL's: what it refuses must not depend on more than the
 * pattern.
 */
static char *
check_regex(const char *pattern)
{
	return strstr(pattern, "((") ? pstrdup("two brackets") : NULL;
}

static char *
check_cipher(const char *name)
{
	return name[0] == 'X' ? pstrdup("there is none") : NULL;
}

static const PolicyChecks checks = {check_regex, check_cipher, true};

static bool
same_value(const PolicyValue *a, const PolicyValue *b)
{
	return a->key == b->key && strcmp(a->text, b->text) == 0 &&
		a->keyword == b->keyword && a->regex == b->regex &&
		a->address_len == b->address_len && a->address_bits == b->address_bits &&
		memcmp(a->bytes, b->bytes, FINGERPRINT_LEN) == 0;
}

/*
 * Values of one key are any-of, but keep their order; that of different keys
 * is the printer's.
 */
static bool
same_values(const PolicyRule *a, const PolicyRule *b)
{
	if (a->nvalues != b->nvalues)
		return false;
	for (PolicyKey key = 0; key < NUM_POLICY_KEYS; key++)
		for (int i = 0, k = 0;; i++, k++)
		{
			while (i < a->nvalues && a->values[i].key != key)
				i++;
			while (k < b->nvalues && b->values[k].key != key)
				k++;
			if (i == a->nvalues || k == b->nvalues)
			{
				if (i - a->nvalues != k - b->nvalues)
					return false;
				break;
			}
			if (!same_value(&a->values[i], &b->values[k]))
				return false;
		}
	return true;
}

static bool
same_rule(const PolicyRule *a, const PolicyRule *b)
{
	return a->sslmode == b->sslmode && a->min_protocol == b->min_protocol &&
		a->max_lifetime == b->max_lifetime && a->has_on_expiry == b->has_on_expiry &&
		a->end_on_expiry == b->end_on_expiry && a->log_only == b->log_only &&
		a->has_action == b->has_action && a->has_match == b->has_match &&
		a->has_names == b->has_names && a->has_ignore_case == b->has_ignore_case &&
		a->ignore_case == b->ignore_case && same_values(a, b);
}

static bool
same_policy(const Policy *a, const Policy *b)
{
	if (a->nrules != b->nrules)
		return false;
	for (int i = 0; i < a->nrules; i++)
		if (!same_rule(&a->rules[i], &b->rules[i]))
			return false;
	return true;
}

static void
check_error(const char *text, PolicyPlace place, const PolicyError *error)
{
	size_t		len;

	HOLDS(error->message && error->message[0], "no message, place %s: %s", places[place], text);
	HOLDS(error->offset >= 0 && (size_t) error->offset <= strlen(text),
		  "offset %d of %zu bytes (%s), place %s: %s", error->offset, strlen(text),
		  error->message, places[place], text);
	HOLDS(error->hint, "no hint (%s): %s", error->message, text);
	len = strlen(error->hint);
	HOLDS(len > 1 && error->hint[len - 1] == '.', "hint \"%s\" is no sentence", error->hint);
}

/*
 * Names with a role in them.
 */
static void
check_names(const Policy *policy, const char *role)
{
	for (int r = 0; r < policy->nrules; r++)
		for (int i = 0; i < policy->rules[r].nvalues; i++)
		{
			const PolicyValue *value = &policy->rules[r].values[i];
			char	   *name;

			if (value->key < KEY_CN || value->key > KEY_SAN)
				continue;
			name = value->regex ? name_pattern(value, role) : expand_name(value, role);
			for (const char *c = name; *c; c++)
				HOLDS(*c >= 0x20 && *c <= 0x7E, "\"%s\" with role \"%s\" becomes \"%s\"",
					  value->text, role, name);
			if (value->regex)
				HOLDS(strncmp(name, "^(?:", 4) == 0 && strcmp(name + strlen(name) - 2, ")$") == 0,
					  "\"%s\" becomes \"%s\"", value->text, name);
		}
}

static void
check_place(const char *text, PolicyPlace place)
{
	PolicyError error;
	PolicyError set_error;
	PolicyError again_error;
	Policy	   *policy = parse_policy(text, place, NULL, &error);
	Policy	   *set = parse_policy(text, place, &checks, &set_error);
	Policy	   *again;
	char	   *canonical;

	if (policy == NULL)
		check_error(text, place, &error);
	if (set == NULL)
		check_error(text, place, &set_error);
	HOLDS(set == NULL || policy != NULL, "set but not read again (%s): %s", error.message, text);
	if (policy == NULL)
		return;

	canonical = policy_text(policy);
	again = parse_policy(canonical, place, set ? &checks : NULL, &again_error);
	if (again == NULL && set == NULL && strlen(canonical) > POLICY_MAX_BYTES)
		return;
	HOLDS(again != NULL, "place %s: %s\nprints as: %s\nwhich is refused: %s",
		  places[place], text, canonical, again_error.message);
	HOLDS(same_policy(policy, again), "place %s: %s\nprints as another policy: %s",
		  places[place], text, canonical);
	HOLDS(strcmp(policy_text(again), canonical) == 0, "%s\nprints as %s",
		  canonical, policy_text(again));
	HOLDS(set == NULL || same_policy(policy, set), "checks change the policy: %s", text);

	if (place == PLACE_DATABASE || place == PLACE_MINIMUM)
	{
		Policy	   *of_role = parse_policy(text, PLACE_ROLE, NULL, &error);

		HOLDS(of_role && same_policy(policy, of_role), "place %s only: %s", places[place], text);
	}
	check_names(policy, "app");
	check_names(policy, " #a,\\b\xC3\xA9\n%u$'");
	check_names(policy, canonical);
}

void
fuzz_one(const uint8 *data, size_t size)
{
	char	   *text = pnstrdup((const char *) data, Min(size, MAX_TEXT));

	for (PolicyPlace place = PLACE_ROLE; place <= PLACE_MINIMUM; place++)
		check_place(text, place);
}
