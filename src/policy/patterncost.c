/*-------------------------------------------------------------------------
 *
 * patterncost.c
 *		What a regular expression costs, before anything compiles it.
 *
 * PostgreSQL writes repetitions out when it compiles a regular expression: 26 bytes
 * can take ten seconds and 100 MB, and nothing can cancel that everywhere.  So a
 * pattern is read here first, in time that its length bounds, and what PostgreSQL
 * would build for it is counted: the states, and the arcs between them once the
 * empty ones are gone.  That is what both the compiler's time and the matcher's
 * grow with.
 *
 * This is a reader of PostgreSQL's advanced regular expressions, as regc_lex.c and
 * regcomp.c have them.  What it does not take is not accepted in a policy, so
 * that nothing is compiled whose cost is not known.
 *
 *-------------------------------------------------------------------------
 */
#include "policy/patterncost.h"

#include <ctype.h>
#include <limits.h>

/* ASCII, and one for every other character. */
#define NUM_CHARACTERS	 129
#define OTHER_CHARACTERS 128

/* An arc that is copied to make up for empty ones costs as much as so many others. */
#define MERGE_COST 4

/* What \y costs, of which PostgreSQL makes a part for each kind of character:
 * of those there are many with %u. */
#define WORD_BOUNDARY_COST 1500

/* Nothing is counted beyond this, so that no product overflows. */
#define COST_MAX INT64CONST(1000000000)

/* The largest number in a repetition, as PostgreSQL has it (DUPMAX). */
#define REPETITION_MAX 255
#define NO_END		   (-1)

/* A role's name has up to 63 bytes; in escaped form, \C3, each is three characters. */
#define ROLE_CHARACTERS (63 * 3)

/* ... which are at most so many different ones. */
#define ROLE_COLORS 80

typedef struct CharacterSet
{
	bool		has[NUM_CHARACTERS];
} CharacterSet;

/*
 * A part of a pattern, as the automaton that PostgreSQL makes of it.
 */
typedef struct Part
{
	bool		skippable;		/* it matches the empty text */
	bool		quantifiable;
	bool		constrained;	/* has ^, $, \y, (?=...) or the like */
	int64		size;			/* states and arcs as they are built */
	int64		first;			/* states that it can begin with */
	int64		last;			/* arcs that it can end with */
	int64		direct;			/* ... that lead to its end themselves */
	int64		merged;			/* arcs that are copied to make up for empty ones */
} Part;

typedef struct Reader
{
	const char *pos;
	const char *end;
	bool		ignore_case;
	bool		has_role;		/* it has %u */
	bool		counting;		/* second time: colors are known */
	int			colors;			/* number of them */
	int			color[NUM_CHARACTERS];
	int64		lookarounds;	/* what is compiled apart */
	const char *error;
} Reader;

static Part read_alternatives(Reader *r);

static Part
fail(Reader *r, const char *error)
{
	Part		none = {0};

	if (r->error == NULL)
		r->error = error;
	r->pos = r->end;
	return none;
}

static int64
bounded(int64 cost)
{
	return Min(cost, COST_MAX);
}

static bool
see(const Reader *r, const char *text)
{
	size_t		len = strlen(text);

	return (size_t) (r->end - r->pos) >= len && memcmp(r->pos, text, len) == 0;
}

static bool
eat(Reader *r, const char *text)
{
	if (!see(r, text))
		return false;
	r->pos += strlen(text);
	return true;
}

/*
 * Characters that some set tells apart have colors of their own: split those of
 * which a set has a part.
 */
static void
split_colors(Reader *r, const CharacterSet *set)
{
	int			inside[NUM_CHARACTERS];
	bool		outside[NUM_CHARACTERS] = {false};

	memset(inside, 0, sizeof(inside));
	for (int c = 0; c < NUM_CHARACTERS; c++)
		if (!set->has[c])
			outside[r->color[c]] = true;
	for (int c = 0; c < NUM_CHARACTERS; c++)
	{
		int			old = r->color[c];

		if (!set->has[c] || !outside[old])
			continue;
		if (inside[old] == 0)
			inside[old] = r->colors++;
		r->color[c] = inside[old];
	}
}

/*
 * How many colors a set has.  A role's name may split it further.
 */
static int
colors_of(const Reader *r, const CharacterSet *set)
{
	bool		seen[NUM_CHARACTERS] = {false};
	int			members = 0;
	int			result = 0;

	for (int c = 0; c < NUM_CHARACTERS; c++)
	{
		if (!set->has[c])
			continue;
		members++;
		if (!seen[r->color[c]])
			result++;
		seen[r->color[c]] = true;
	}
	return r->has_role ? Min(members, result + ROLE_COLORS) : result;
}

static Part
one_character(int64 colors)
{
	Part		part = {.quantifiable = true, .size = colors + 2, .first = 1, .last = colors, .direct = colors};

	return part;
}

static Part
one_of(Reader *r, CharacterSet *set)
{
	if (r->ignore_case)
		for (int c = 'a'; c <= 'z'; c++)
			set->has[c] = set->has[toupper(c)] = set->has[c] || set->has[toupper(c)];
	if (!r->counting)
		split_colors(r, set);
	return one_character(colors_of(r, set));
}

static Part
literal(Reader *r, char c)
{
	CharacterSet set = {{false}};

	set.has[(unsigned char) c] = true;
	return one_of(r, &set);
}

static Part
nothing(void)
{
	Part		part = {.skippable = true, .size = 1, .first = 1, .last = 1};

	return part;
}

/*
 * Something that matches a place, not text.
 */
static Part
constraint(int64 size)
{
	Part		part = nothing();

	part.size = size;
	part.constrained = true;
	return part;
}

static Part
concatenate(const Part *a, const Part *b)
{
	Part		part = {.quantifiable = true};

	part.skippable = a->skippable && b->skippable;
	part.constrained = a->constrained || b->constrained;
	part.size = bounded(a->size + b->size);
	part.first = bounded(a->first + (a->skippable ? b->first : 0));
	part.last = bounded(b->last + (b->skippable ? a->last : 0));
	part.direct = b->last > 0 ? b->direct : a->direct;
	part.merged = bounded(a->merged + b->merged + a->last * b->first -
						  (b->first > 0 ? a->direct : 0));
	return part;
}

static Part
either(const Part *a, const Part *b)
{
	Part		part = {.quantifiable = true};

	part.skippable = a->skippable || b->skippable;
	part.constrained = a->constrained || b->constrained;
	part.size = bounded(a->size + b->size);
	part.first = bounded(a->first + b->first);
	part.last = bounded(a->last + b->last);
	part.direct = bounded(a->direct + b->direct);
	part.merged = bounded(a->merged + b->merged);
	return part;
}

/*
 * Written out as PostgreSQL does: x{2,4} is ((x)?x)?xx, x{2,} is x+x.
 */
static Part
repeat(const Part *part, int least, int most)
{
	Part		result = *part;

	if (most == 0)
	{
		/* it is built, and thrown away */
		result = nothing();
		result.size = part->size;
		return result;
	}
	if (most == NO_END)
		result.merged = bounded(result.merged + result.last * result.first);
	else
		for (int i = Max(least, 1); i < most; i++)
		{
			result.skippable = true;
			result = concatenate(&result, part);
		}
	for (int i = 1; i < least; i++)
		result = concatenate(&result, part);
	result.skippable |= least == 0;
	return result;
}

static bool
is_class_member(int class, int c)
{
	switch (class)
	{
		case 'd':
			return isdigit(c);
		case 's':
			return isspace(c);
		default:
			return isalnum(c) || c == '_';
	}
}

/*
 * \d, \s, \w; and in upper case, all other characters.
 */
static void
add_class(CharacterSet *set, char letter)
{
	int			class = tolower((unsigned char) letter);

	for (int c = 0; c < OTHER_CHARACTERS; c++)
		if (is_class_member(class, c) == (letter == class))
			set->has[c] = true;
	if (letter != class)
		set->has[OTHER_CHARACTERS] = true;
}

/*
 * The character that an escape stands for, behind its backslash; -1 if it is none.
 */
static int
escaped_character(Reader *r)
{
	static const char letters[] = "aBbefnrtv";
	static const char meant[] = "\a\\\b\033\f\n\r\t\v";
	const char *letter;
	char		c;

	if (r->pos == r->end)
		return -1;
	c = *r->pos;
	if (!isalnum((unsigned char) c))
	{
		r->pos++;
		return (unsigned char) c;
	}
	letter = strchr(letters, c);
	if (letter == NULL)
		return -1;
	r->pos++;
	return meant[letter - letters];
}

/*
 * [:alpha:] and the like, behind "[:".
 */
static void
read_named_class(Reader *r, CharacterSet *set)
{
	static const struct
	{
		const char *name;
		int			(*is_member)(int);
	} classes[] = {
		{"alnum:]", isalnum}, {"alpha:]", isalpha}, {"blank:]", isblank}, {"cntrl:]", iscntrl}, {"digit:]", isdigit}, {"graph:]", isgraph}, {"lower:]", islower}, {"print:]", isprint}, {"punct:]", ispunct}, {"space:]", isspace}, {"upper:]", isupper}, {"xdigit:]", isxdigit}};

	for (int i = 0; i < (int) lengthof(classes); i++)
		if (eat(r, classes[i].name))
		{
			for (int c = 0; c < OTHER_CHARACTERS; c++)
				set->has[c] |= classes[i].is_member(c) != 0;
			return;
		}
	if (eat(r, "word:]"))
		add_class(set, 'w');
	else if (eat(r, "ascii:]"))
		memset(set->has, true, OTHER_CHARACTERS);
	else
		(void) fail(r, "invalid character class");
}

/*
 * One end of a range; -1 if it is none.
 */
static int
read_range_end(Reader *r)
{
	int			c;

	if (eat(r, "[."))
	{
		c = r->pos < r->end ? (unsigned char) *r->pos++ : -1;
		if (!eat(r, ".]"))
			(void) fail(r, "invalid collating element");
		return c;
	}
	if (eat(r, "\\"))
		return escaped_character(r);
	if (eat(r, "%%"))
		return '%';
	return r->pos < r->end ? (unsigned char) *r->pos++ : -1;
}

/*
 * A bracket expression, behind its "[".
 */
static Part
read_bracket(Reader *r)
{
	CharacterSet set = {{false}};
	bool		complement = eat(r, "^");
	bool		all = false;
	const char *start = r->pos;

	while (r->error == NULL && (r->pos == start || !see(r, "]")))
	{
		int			from;
		int			to;

		if (r->pos == r->end)
			return fail(r, "brackets [] not balanced");
		if (eat(r, "%u"))
		{
			all = true;
			continue;
		}
		if (eat(r, "[:"))
		{
			read_named_class(r, &set);
			continue;
		}
		if (eat(r, "[="))
		{
			if (r->pos < r->end)
				set.has[(unsigned char) *r->pos++] = true;
			if (!eat(r, "=]"))
				return fail(r, "invalid collating element");
			continue;
		}
		if (see(r, "-") && r->pos != start && !see(r, "-]"))
			return fail(r, "invalid character range");
		from = read_range_end(r);
		if (from < 0 && r->pos < r->end && strchr("dDsSwW", *r->pos))
		{
			add_class(&set, *r->pos++);
			continue;
		}
		if (from < 0)
			return fail(r, "invalid escape \\ sequence");
		to = from;
		if (see(r, "-") && !see(r, "-]"))
		{
			r->pos++;
			if (r->pos == r->end || see(r, "%u"))
			{
				all = true;
				continue;
			}
			if (see(r, "[:") || see(r, "[="))
				return fail(r, "invalid character range");
			to = read_range_end(r);
		}
		if (to < from)
			return fail(r, "invalid character range");
		for (int c = from; c <= to; c++)
			set.has[c] = true;
	}
	if (r->error != NULL || !eat(r, "]"))
		return fail(r, "brackets [] not balanced");
	for (int c = 0; c < NUM_CHARACTERS; c++)
		set.has[c] = all || set.has[c] != complement;
	return one_of(r, &set);
}

/*
 * What stands between parentheses, behind the first one.
 */
static Part
read_group(Reader *r)
{
	Part		part;

	part = read_alternatives(r);
	if (!eat(r, ")"))
		return fail(r, "parentheses () not balanced");
	part.size = bounded(part.size + 2);
	part.quantifiable = true;
	return part;
}

static Part
read_lookaround(Reader *r)
{
	Part		inside = read_group(r);

	r->lookarounds = bounded(r->lookarounds + inside.size + MERGE_COST * inside.merged);
	return constraint(1);
}

static Part
read_escape(Reader *r)
{
	CharacterSet set = {{false}};
	int			c = escaped_character(r);

	if (c >= 0)
		return literal(r, (char) c);
	if (r->pos == r->end)
		return fail(r, "invalid escape \\ sequence");
	if (strchr("dDsSwW", *r->pos))
	{
		add_class(&set, *r->pos++);
		return one_of(r, &set);
	}
	if (strchr("AZ", *r->pos))
	{
		r->pos++;
		return constraint(1);
	}
	if (strchr("mMyY", *r->pos))
	{
		r->pos++;
		return constraint(r->has_role ? 4 * WORD_BOUNDARY_COST : WORD_BOUNDARY_COST);
	}
	if (*r->pos >= '1' && *r->pos <= '9')
		return fail(r, "back references are not accepted");
	return fail(r, "invalid escape \\ sequence");
}

static Part
read_atom(Reader *r)
{
	char		c;

	if (eat(r, "(?:"))
		return read_group(r);
	if (eat(r, "(?=") || eat(r, "(?!") || eat(r, "(?<=") || eat(r, "(?<!"))
		return read_lookaround(r);
	if (see(r, "(?"))
		return fail(r, "quantifier operand invalid");
	if (eat(r, "("))
		return read_group(r);
	if (eat(r, "[[:<:]]") || eat(r, "[[:>:]]"))
		return constraint(r->has_role ? 4 * WORD_BOUNDARY_COST : WORD_BOUNDARY_COST);
	if (eat(r, "["))
		return read_bracket(r);
	if (eat(r, "."))
		return one_character(1);
	if (eat(r, "\\"))
		return read_escape(r);
	if (eat(r, "^") || eat(r, "$"))
		return constraint(1);
	if (see(r, "*") || see(r, "+") || see(r, "?"))
		return fail(r, "quantifier operand invalid");
	if (eat(r, "%u"))
	{
		Part		letter = one_character(1);

		return repeat(&letter, ROLE_CHARACTERS, ROLE_CHARACTERS);
	}
	if (eat(r, "%%"))
		return literal(r, '%');
	c = *r->pos++;
	if (c == '{' && r->pos < r->end && (isdigit((unsigned char) *r->pos) || see(r, "%u")))
		return fail(r, "quantifier operand invalid");
	return literal(r, c);
}

static int
read_number(Reader *r)
{
	int			n = 0;

	while (r->pos < r->end && isdigit((unsigned char) *r->pos) && n <= REPETITION_MAX)
		n = n * 10 + *r->pos++ - '0';
	return n;
}

/*
 * A quantifier, if there is one.
 */
static bool
read_quantifier(Reader *r, int *least, int *most)
{
	*least = 0;
	*most = NO_END;
	if (eat(r, "*"))
		return true;
	if (eat(r, "+"))
		*least = 1;
	else if (eat(r, "?"))
		*most = 1;
	else if (see(r, "{") && r->pos + 1 < r->end && isdigit((unsigned char) r->pos[1]))
	{
		r->pos++;
		*least = *most = read_number(r);
		if (eat(r, ","))
			*most = r->pos < r->end && isdigit((unsigned char) *r->pos) ? read_number(r) : NO_END;
		if (r->pos == r->end)
			(void) fail(r, "braces {} not balanced");
		else if (!eat(r, "}") || *least > REPETITION_MAX || *most > REPETITION_MAX || (*most != NO_END && *most < *least))
			(void) fail(r, "invalid repetition count(s)");
	}
	else
		return false;
	return r->error == NULL;
}

static Part
read_branch(Reader *r)
{
	Part		branch = nothing();
	const char *start = r->pos;

	while (r->error == NULL && r->pos < r->end && !see(r, "|") && !see(r, ")"))
	{
		const char *here = r->pos;

		Part		part = read_atom(r);
		int			least;
		int			most;

		if (part.quantifiable && read_quantifier(r, &least, &most))
		{
			(void) eat(r, "?"); /* the shortest match: of no matter here */
			if (part.constrained)
				return fail(r, "constraint within a repetition");
			part = repeat(&part, least, most);
		}
		branch = here == start ? part : concatenate(&branch, &part);
	}
	return branch;
}

static Part
read_alternatives(Reader *r)
{
	Part		part = read_branch(r);

	while (r->error == NULL && eat(r, "|"))
	{
		Part		branch = read_branch(r);

		part = either(&part, &branch);
	}
	return part;
}

/*
 * Read a pattern, anchored, with %u and %%, as a policy has it.  Returns what is wrong
 * with it, or NULL and what it costs.
 */
const char *
pattern_cost(const char *pattern, bool ignore_case, int64 *cost)
{
	Reader		r = {.ignore_case = ignore_case, .colors = 1};
	Part		part = {0};

	r.has_role = strstr(pattern, "%u") != NULL;
	for (int pass = 1; pass <= 2 && r.error == NULL; pass++)
	{
		r.counting = pass == 2;
		r.lookarounds = 0;
		r.pos = pattern + 1;
		r.end = pattern + strlen(pattern) - 1;
		part = read_alternatives(&r);
		if (r.error == NULL && r.pos < r.end)
			r.error = "parentheses () not balanced";
	}
	*cost = bounded(part.size + MERGE_COST * part.merged + r.lookarounds);
	return r.error;
}
