/*-------------------------------------------------------------------------
 *
 * test_former_dn.c
 *		Every policy that was accepted is accepted still, and means the same.
 *
 * All policies in the tests, in the documentation and in the corpus of the
 * fuzzers go through the parser with the former reader of distinguished names
 * (former_dn.h), which was part of it, and with the present one.
 *
 *-------------------------------------------------------------------------
 */
#include "policy/dn.h"

#include <glob.h>
#include <sys/stat.h>

#include "former_dn.h"
#include "tap.h"

/*
 * The parser once more, with the former reader.
 */
static char *
former_dn_spelling(const char *value, DnError *error)
{
	error->message = pstrdup("refused");
	error->offset = 0;
	error->hint = "None.";
	return former_spelling(value);
}

#define dn_spelling				former_dn_spelling
#define policy_key_accepted		former_policy_key_accepted
#define parse_fail				former_parse_fail
#define parse_fail_value		former_parse_fail_value
#define parse_address			former_parse_address
#define parse_fingerprint_value former_parse_fingerprint_value
#define parse_dn				former_parse_dn
#define parse_name				former_parse_name
#define parse_attribute			former_parse_attribute
#define parse_database			former_parse_database
#define parse_cipher			former_parse_cipher
#define parse_lifetime			former_parse_lifetime
#define parse_policy			former_parse_policy
#include "policy/policyvalue.c"
#include "policy/parser.c"
#undef dn_spelling
#undef policy_key_accepted
#undef parse_fail
#undef parse_fail_value
#undef parse_address
#undef parse_fingerprint_value
#undef parse_dn
#undef parse_name
#undef parse_attribute
#undef parse_database
#undef parse_cipher
#undef parse_lifetime
#undef parse_policy

extern Policy *parse_policy(const char *text, PolicyPlace place,
							const PolicyChecks *checks, PolicyError *error);

static const char *const sources[] = {
	"test/unit/*.c",
	"test/unit/*.h",
	"test/t/*.pl",
	"test/lib/SSLPolicy/*.pm",
	"test/pgtap/*.sql",
	"test/suites/*.pl",
	"test/bench/*",
	"test/fuzz/*.c",
	"test/fuzz/*.dict",
	"sql/*.sql",
	"expected/*.out",
	"docs/*.md",
	"docs/how-to/*.md",
	"*.md",
	"test/fuzz/seeds/policy/*",
	"test/fuzz/regressions/policy/*",
	"test/fuzz/seeds/dn/*",
};

static int	nsame = 0;
static int	nsame_with_dn = 0;
static int	nnew = 0;
static int	ndifferent = 0;

static bool
has_dn(const Policy *policy)
{
	for (int i = 0; i < policy->nrules; i++)
		if (rule_has_key(&policy->rules[i], KEY_DN) || rule_has_key(&policy->rules[i], KEY_ISSUER))
			return true;
	return false;
}

static char *
no_reason(const char *text)
{
	return NULL;
}

static void
compare(const char *text)
{
	static const PolicyChecks accepts_all = {no_reason, no_reason, false};

	for (PolicyPlace place = PLACE_ROLE; place <= PLACE_MINIMUM; place++)
		for (int set = 0; set < 2; set++)
		{
			PolicyError error;
			const PolicyChecks *checks = set ? &accepts_all : NULL;
			Policy	   *former = former_parse_policy(text, place, checks, &error);
			Policy	   *present = parse_policy(text, place, checks, &error);

			if (former == NULL)
				nnew += present != NULL;
			else if (present != NULL && strcmp(policy_text(former), policy_text(present)) == 0)
			{
				nsame++;
				nsame_with_dn += has_dn(former);
			}
			else
			{
				ndifferent++;
				ok(false, "\"%s\" is %s, and was %s", text,
				   present ? policy_text(present) : error.message, policy_text(former));
			}
		}
}

/*
 * The text with every escape of C, Perl or SQL's '' resolved once.
 */
static char *
unescaped(const char *text)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (const char *c = text; *c; c++)
	{
		int			high = c[0] == '\\' && c[1] == 'x' ? hex_value(c[2]) : -1;

		if (high >= 0 && hex_value(c[3]) >= 0)
		{
			appendStringInfoChar(&buf, (char) (high << 4 | hex_value(c[3])));
			c += 3;
			continue;
		}
		if (c[0] == '\\' && c[1] == 'n')
		{
			appendStringInfoChar(&buf, '\n');
			c++;
			continue;
		}
		if ((c[0] == '\\' || (c[0] == '\'' && c[1] == '\'')) && c[1] != '\0')
			c++;
		appendStringInfoChar(&buf, *c);
	}
	return buf.data;
}

/*
 * What begins here, up to each character that may end a policy in the sources,
 * as it stands and as it would be in the language around it.
 */
static void
compare_all_that_begin(const char *start)
{
	static const char ends[] = "\"'`}|$\n)";
	char		last = '\0';

	for (size_t len = 1; len <= POLICY_MAX_BYTES && last != '\n'; len++)
	{
		char	   *text;

		last = start[len];
		if (last != '\0' && strchr(ends, last) == NULL)
			continue;
		text = pnstrdup(start, len);
		compare(text);
		if (strchr(text, '\\') != NULL || strstr(text, "''") != NULL)
		{
			compare(unescaped(text));
			compare(unescaped(unescaped(text)));
		}
		if (last == '\0')
			break;
	}
}

/*
 * Does a policy begin here: a key, spaces and "="?
 */
static bool
begins(const char *text, const char *here)
{
	if (here > text && ((here[-1] >= 'a' && here[-1] <= 'z') || here[-1] == '_'))
		return false;
	for (PolicyKey key = 0; key < NUM_POLICY_KEYS; key++)
	{
		size_t		len = strlen(policy_key_name(key));

		if (strncmp(here, policy_key_name(key), len) == 0 && here[len + strspn(here + len, " ")] == '=')
			return true;
	}
	return false;
}

static char *
contents(const char *path)
{
	FILE	   *file = fopen(path, "rb");
	struct stat status;
	char	   *text;
	size_t		len;

	if (file == NULL || fstat(fileno(file), &status) != 0)
		return NULL;
	text = palloc((Size) status.st_size + 1);
	len = fread(text, 1, (size_t) status.st_size, file);
	text[len] = '\0';
	fclose(file);
	return text;
}

static void
compare_file(const char *path)
{
	struct stat status;
	char	   *text;

	if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
		return;
	text = contents(path);
	if (text == NULL)
		return;
	if (strlen(text) <= POLICY_MAX_BYTES)
		compare(text);
	for (const char *c = text; *c; c++)
		if (begins(text, c))
			compare_all_that_begin(c);
}

static void
test_sources(const char *top)
{
	int			nfiles = 0;

	for (int i = 0; i < (int) lengthof(sources); i++)
	{
		glob_t		found;

		if (glob(psprintf("%s/%s", top, sources[i]), 0, NULL, &found) != 0)
			continue;
		for (size_t k = 0; k < found.gl_pathc; k++)
			compare_file(found.gl_pathv[k]);
		nfiles += (int) found.gl_pathc;
		globfree(&found);
	}
	is_int(ndifferent, 0, "what was accepted is accepted, and its canonical text is the same");
	printf("# %d files: %d texts the same, %d of them with a DN; %d accepted that were not\n",
		   nfiles, nsame, nsame_with_dn, nnew);
	ok(nfiles > 100, "the sources are there");
	ok(nsame > 5000 && nsame_with_dn > 500, "and have policies");
}

/*
 * Values that no policy of the sources has: every text of a few characters that
 * have a meaning.
 */
static void
test_short_values(void)
{
	static const char letters[] = "a=,+ \\\x80";
	const int	nletters = (int) sizeof(letters) - 1;
	int			count = 0;
	int			naccepted = 0;
	int			nrefused = 0;
	int			nmore = 0;

	for (int total = 1, len = 1; len <= 6; len++)
	{
		total *= nletters;
		for (int number = 0; number < total; number++)
		{
			char		text[8] = "";
			char	   *former;
			char	   *present;
			DnError		error;

			for (int i = 0, rest = number; i < len; i++, rest /= nletters)
				text[i] = letters[rest % nletters];
			former = former_spelling(text);
			present = dn_spelling(text, &error);
			count++;
			naccepted += former != NULL;
			nrefused += present == NULL;
			nmore += former == NULL && present != NULL;
			if (former && (present == NULL || strcmp(former, present) != 0))
				is_str(present, former, "\"%s\"", text);
			if (former == NULL && present && strstr(text, ", ") == NULL)
				ok(false, "\"%s\" is accepted without a space behind a comma", text);
			if (former)
				pfree(former);
			if (present)
				pfree(present);
		}
	}
	printf("# %d values: %d were accepted, %d more are, %d are refused\n", count, naccepted, nmore, nrefused);
	is_int(naccepted + nmore + nrefused, count, "of all short values, those that were accepted still are");
	ok(nmore > 0 && nrefused > 0, "some more are accepted, and some are still refused");
}

int
main(int argc, char **argv)
{
	char	   *slash = strrchr(argv[0], '/');

	/* the sources lie above the folder of this program */
	if (slash == NULL)
		return 1;
	test_sources(psprintf("%.*s/../..", (int) (slash - argv[0]), argv[0]));
	test_short_values();
	return done_testing();
}
