/*-------------------------------------------------------------------------
 *
 * dnpattern.c
 *		Can another attribute than the one that is meant match a pattern for a DN?
 *
 * A comma within a value is printed with a backslash before it: O="x,CN=bob" is
 * O=x\,CN=bob.  If a part of a pattern matches a backslash, as .* and [^,]* do, it can
 * end at that backslash.  Then the rest of the pattern matches within the value.  So a
 * pattern is safe if nothing follows such a part.  An unsafe one is a finding, not an
 * error: perhaps no CA issues such subjects.
 *
 * Reads patterns that are valid (see patterncost.c), and only as far as this needs.
 *
 *-------------------------------------------------------------------------
 */
#include "policy/dnpattern.h"

typedef struct Scan
{
	const char *pos;
	bool		found;			/* something is asked for behind such a part */
} Scan;

/*
 * Read a set such as [^,].  Can it match a backslash?
 */
static bool
read_set(Scan *s)
{
	bool		negated = s->pos[1] == '^';
	bool		has = false;
	const char *first = s->pos + 1 + negated;
	const char *c = first;

	while (*c && (*c != ']' || c == first))
	{
		if (c[0] == '[' && (c[1] == ':' || c[1] == '.' || c[1] == '='))
		{
			const char *end = strchr(c + 2, ']');

			has |= strncmp(c, "[:punct:]", 9) == 0 || strncmp(c, "[:graph:]", 9) == 0 ||
				strncmp(c, "[:print:]", 9) == 0 || strncmp(c, "[:ascii:]", 9) == 0;
			c = end ? end + 1 : c + strlen(c);
			continue;
		}
		if (c[0] == '\\' && c[1] != '\0')
		{
			/* \D and its like; a range that begins with an escape is rare */
			has |= c[1] == '\\' || strchr("DSW", c[1]) != NULL;
			c += 2;
			continue;
		}
		if (c[1] == '-' && c[2] != ']' && c[2] != '\0')
		{
			has |= (unsigned char) c[0] <= '\\' && (unsigned char) c[2] >= '\\';
			c += 3;
			continue;
		}
		c++;
	}
	s->pos = *c ? c + 1 : c;
	return has != negated;
}

/*
 * Read alternatives up to their end, of a group or of the whole.  after: there is a part
 * before them that matches a backslash.  Returns whether there is one behind them.
 */
static bool
read_alternatives(Scan *s, bool after)
{
	bool		result = false;
	bool		here = after;

	while (*s->pos && *s->pos != ')')
	{
		const char *c = s->pos;
		bool		matches = false;

		if (*c == '|')
		{
			result |= here;
			here = after;
			s->pos++;
			continue;
		}
		if (strchr("^$*+?", *c) != NULL)
		{
			s->pos++;
			continue;
		}
		if (*c == '{')
		{
			s->pos += strcspn(c, "}");
			s->pos += *s->pos == '}';
			continue;
		}
		if (*c == '(')
		{
			if (c[1] == '?')
				s->pos += 2 + strspn(c + 2, ":=!<");
			else
				s->pos++;
			here = read_alternatives(s, here);
			s->pos += *s->pos == ')';
			continue;
		}
		/* a backslash of the text, and what it stands before: both are seen */
		if (strncmp(c, "\\\\", 2) == 0)
		{
			s->pos += 2;
			if (*s->pos == '.')
				s->pos++;
			else if (*s->pos == '[')
				(void) read_set(s);
			s->found |= here;
			continue;
		}
		if (*c == '\\' && c[1] != '\0')
		{
			matches = strchr("DSW", c[1]) != NULL;
			s->pos += 2;
		}
		else if (*c == '[')
			matches = read_set(s);
		else
		{
			matches = *c == '.';
			s->pos++;
		}
		/* several such parts in a row are as one */
		s->found |= here && !matches;
		here |= matches;
	}
	return result || here;
}

/*
 * pattern is what stands behind the slash of a dn value.  %u is in it as it was written: it
 * stands for a name in which every comma has its backslash.
 */
bool
matches_other_attributes(const char *pattern)
{
	Scan		s = {.pos = pattern};

	(void) read_alternatives(&s, false);
	return s.found;
}
