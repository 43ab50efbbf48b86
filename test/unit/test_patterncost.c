/*-------------------------------------------------------------------------
 *
 * test_patterncost.c
 *		What regular expressions cost, and which are not read at all.
 *
 * That every pattern that is read compiles, and how long that takes by its cost, is
 * tried on PostgreSQL itself (see docs/policy-language.md for the figures).
 *
 *-------------------------------------------------------------------------
 */
#include "policy/patterncost.h"
#include "policy/policy.h"

#include "tap.h"

static void
test_costs(void)
{
	static const struct
	{
		const char *pattern;
		bool		ignore_case;
		int64		cost;
	} cases[] =
		{
			{"^$", false, 1},
			{"^a$", false, 3},
			{"^abc$", false, 9},
			{"^.$", false, 3},
			/* a set costs as much as there are kinds of characters in it */
			{"^[abc]$", false, 3},
			{"^[abc]a$", false, 7},
			{"^[a-z]a|b|c$", false, 15},
			{"^[^a]$", false, 3},
			{"^[^a]a[b-d]$", false, 10},
			/* case counts where it does not matter, too */
			{"^[A-Z]a$", false, 6},
			{"^[A-Z]a$", true, 7},
			/* a role's name can be of all kinds */
			{"^[a-z]$", false, 3},
			{"^%u$", false, 567},
			{"^%%u$", false, 6},
			{"^\\%u$", false, 6},
			{"^[0-9]%u$", false, 579},
			{"^[^/]%u$", false, 650},
			/* repetitions are written out */
			{"^a{10}$", false, 30},
			{"^a{255}$", false, 765},
			{"^(a{10}){10}$", false, 320},
			{"^((a{10}){10}){10}$", false, 3220},
			{"^a{0,10}$", false, 30},
			{"^a{5,10}$", false, 30},
			{"^a{10,}$", false, 34},
			{"^a+$", false, 7},
			{"^a*$", false, 7},
			{"^a*?$", false, 7},
			{"^a?$", false, 3},
			/* what is thrown away is built before */
			{"^(a{255}){0}$", false, 767},
			/* what may be missing has arcs around it */
			{"^a?b?c?$", false, 13},
			{"^(a{0,10}){0,10}$", false, 2084},
			{"^(a?b?c?d?){3}$", false, 262},
			{"^(a|b|c)*$", false, 47},
			/* each place costs as well, and word boundaries much */
			{"^(^a|b$)$", false, 14},
			{"^(?=ab)a$", false, 16},
			{"^\\ma$", false, 1507},
			{"^[[:<:]]a$", false, 1507},
			/* does not overflow */
			{"^((((((((a{255}){255}){255}){255}){255}){255}){255}){255}){255}$", false, 1000000000},
			{"^((((((((a{0,255}){0,255}){0,255}){0,255}){0,255}){0,255}){0,255}){0,255}){0,255}$", false, 1000000000},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		int64		cost = -1;
		const char *error = pattern_cost(cases[i].pattern, cases[i].ignore_case, &cost);

		ok(error == NULL && cost == cases[i].cost, "%s costs " INT64_FORMAT " (" INT64_FORMAT ", %s)",
		   cases[i].pattern, cases[i].cost, cost, error ? error : "valid");
	}
}

static void
test_limit(void)
{
	static const struct
	{
		const char *pattern;
		bool		accepted;
	} cases[] =
		{
			{"^app-[0-9]{1,4}\\.prod\\.example$", true},
			{"^(alice|bob|carol)@(corp|dev)\\.example$", true},
			{"^spiffe://bank/(db|web)/%u$", true},
			{"^spiffe://bank\\.example/ns/[a-z0-9-]+/sa/app$", true},
			{"^[a-z0-9-]{1,63}\\.prod\\.example$", true},
			{"^([a-z0-9-]{1,63}\\.){1,7}example$", true},
			{"^[^/]{1,63}/%u$", true},
			{"^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$", true},
			{"^(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(\\.(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}$", true},
			{"^(?!admin)[a-z]{1,32}(?<!-test)$", true},
			{"^CN=[^,]{1,64},OU=(Ops|Dev),O=Acme$", true},
			{"^.{0,255}$", true},
			{"^.*\\mprod\\M.*$", true},
			{"^((.{0,9}){0,20}){0,20}$", false},
			{"^(.{0,60}){0,60}[0-9]{9}$", false},
			{"^(a{1,200}){1,200}$", false},
			{"^(a{255}){255}$", false},
			{"^(a{200}){10}$", false},
			{"^a{200}a{200}a{200}a{200}a{200}a{200}a{200}a{200}a{200}a{200}$", true},
			{"^a{200}a{200}a{200}a{200}a{200}a{200}a{200}a{200}a{200}a{200}a$", false},
			{"^(a?){100}$", false},
			{"^(a*){100}$", false},
			{"^(){255}(){255}$", false},
			{"^(a{0}){2,255}$", false},
			{"^(?=(.{0,60}){0,60})a$", false},
			{"^([^a][^b][^c][^d][^e][^f][^g][^h]){40}$", true},
			{"^(%u){12}$", false},
			{"^\\y\\y\\y\\y$", false},
			{"^(\\w|h{1,255}xu%u)+$", false},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		int64		cost = -1;
		const char *error = pattern_cost(cases[i].pattern, false, &cost);

		ok(error == NULL && (cost <= REGEX_MAX_COST) == cases[i].accepted, "%s is %s (" INT64_FORMAT ")",
		   cases[i].pattern, cases[i].accepted ? "accepted" : "too much", cost);
	}
}

static void
test_syntax(void)
{
	static const struct
	{
		const char *pattern;
		const char *error;		/* NULL: valid */
	} cases[] =
		{
			{"^[]a]$", NULL},
			{"^[^]a]$", NULL},
			{"^[a-]$", NULL},
			{"^[-a]$", NULL},
			{"^[--a]$", NULL},
			{"^[a\\]b]$", NULL},
			{"^[\\w.-]$", NULL},
			{"^[\\s\\S]$", NULL},
			{"^[[:alpha:][:digit:]_-]$", NULL},
			{"^[[=a=]b]$", NULL},
			{"^[[.a.]-c]$", NULL},
			{"^[a-[.c.]]$", NULL},
			{"^[%u]$", NULL},
			{"^[%%-a]$", NULL},
			{"^[!-%%]$", NULL},
			{"^a{$", NULL},
			{"^a{x$", NULL},
			{"^a{,5}$", NULL},
			{"^a}$", NULL},
			{"^a]$", NULL},
			{"^()$", NULL},
			{"^|$", NULL},
			{"^(|a)$", NULL},
			{"^(?:a)$", NULL},
			{"^a??$", NULL},
			{"^a{2}?$", NULL},
			{"^\\n\\t\\r\\f\\v\\a\\e\\b\\B$", NULL},
			{"^(a$", "parentheses () not balanced"},
			{"^a)$", "parentheses () not balanced"},
			{"^a)|(b$", "parentheses () not balanced"},
			{"^(?=a$", "parentheses () not balanced"},
			{"^[a$", "brackets [] not balanced"},
			{"^[$", "brackets [] not balanced"},
			{"^[]$", "brackets [] not balanced"},
			{"^[a-$", "brackets [] not balanced"},
			{"^[[:alpha:$", "invalid character class"},
			{"^[[:none:]]$", "invalid character class"},
			{"^[[.space.]]$", "invalid collating element"},
			{"^[[.%u.]]$", "invalid collating element"},
			{"^[[=ab=]]$", "invalid collating element"},
			{"^[z-a]$", "invalid character range"},
			{"^[[:alpha:]-z]$", "invalid character range"},
			{"^[a-[:alpha:]]$", "invalid character range"},
			{"^[\\1]$", "invalid escape \\ sequence"},
			{"^[\\$", "invalid escape \\ sequence"},
			{"^*a$", "quantifier operand invalid"},
			{"^a**$", "quantifier operand invalid"},
			{"^a|*$", "quantifier operand invalid"},
			{"^{2}$", "quantifier operand invalid"},
			{"^a{%u}$", "quantifier operand invalid"},
			{"^(?#a)b$", "quantifier operand invalid"},
			{"^(?i)b$", "quantifier operand invalid"},
			{"^(?=a)*$", "quantifier operand invalid"},
			{"^a{2,1}$", "invalid repetition count(s)"},
			{"^a{256}$", "invalid repetition count(s)"},
			{"^a{1,99999999999}$", "invalid repetition count(s)"},
			{"^a{1x}$", "invalid repetition count(s)"},
			{"^a{1%u}$", "invalid repetition count(s)"},
			{"^a{1$", "braces {} not balanced"},
			{"^(a)\\1$", "back references are not accepted"},
			{"^\\x41$", "invalid escape \\ sequence"},
			{"^[\\x00-\\xffff]$", "invalid escape \\ sequence"},
			{"^\\u0041$", "invalid escape \\ sequence"},
			{"^\\U00000041$", "invalid escape \\ sequence"},
			{"^\\0$", "invalid escape \\ sequence"},
			{"^\\ca$", "invalid escape \\ sequence"},
			{"^\\q$", "invalid escape \\ sequence"},
			{"^(^a)*$", "constraint within a repetition"},
			{"^(a\\y)?$", "constraint within a repetition"},
			{"^((?=a)b){2}$", "constraint within a repetition"},
			{"^(a|(b|$))+$", "constraint within a repetition"},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		int64		cost = -1;
		const char *error = pattern_cost(cases[i].pattern, false, &cost);

		is_str(error ? error : "valid", cases[i].error ? cases[i].error : "valid", "%s", cases[i].pattern);
	}
}

/*
 * Any text, also cut in the middle, is read without going beyond its end.
 */
static void
test_any(void)
{
	static const char letters[] = "ab%u(){}[]^$\\|*+?.,-:=09dwxy<>!#";
	unsigned	seed = 1;
	int			read = 0;

	for (int i = 0; i < 200000; i++)
	{
		char		text[64];
		int			len;
		char	   *copy;
		int64		cost;

		seed = seed * 1103515245 + 12345;
		len = (int) (seed >> 16) % 40;
		text[0] = '^';
		for (int c = 0; c < len; c++)
		{
			seed = seed * 1103515245 + 12345;
			text[c + 1] = letters[(seed >> 16) % (sizeof(letters) - 1)];
		}
		text[len + 1] = '$';
		text[len + 2] = '\0';
		/* of its own size, for sanitizers */
		copy = pstrdup(text);
		read += pattern_cost(copy, i % 2, &cost) == NULL && cost >= 0;
		pfree(copy);
	}
	ok(read > 1000, "random texts (%d are patterns)", read);
}

int
main(void)
{
	test_costs();
	test_limit();
	test_syntax();
	test_any();
	return done_testing();
}
