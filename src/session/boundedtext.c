/*-------------------------------------------------------------------------
 *
 * boundedtext.c
 *		Text in pieces of memory of fixed size; what was cut is marked.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "session/boundedtext.h"

/* what replaces the end of a text that is too long */
#define CUT_MARK "[cut]"

/*
 * Copy as much as there is room for.  No character of several bytes is cut in the
 * middle, whatever the encoding: those before the mark are left out.
 */
void
copy_bounded_text(char *to, size_t size, const char *text)
{
	size_t		end;

	if (strlcpy(to, text, size) < size)
		return;
	end = size - sizeof(CUT_MARK);
	while (end > 0 && IS_HIGHBIT_SET(to[end - 1]))
		end--;
	memcpy(to + end, CUT_MARK, sizeof(CUT_MARK));
}

/*
 * Reasons are printable, so a line each.
 */
char *
join_lines(List *lines)
{
	StringInfoData buf;
	ListCell   *cell;

	initStringInfo(&buf);
	foreach(cell, lines)
		appendStringInfo(&buf, "%s%s", buf.len ? "\n" : "", (char *) lfirst(cell));
	return buf.data;
}

List *
split_lines(const char *text)
{
	List	   *lines = NIL;
	char	   *save = NULL;

	for (char *line = strtok_r(pstrdup(text), "\n", &save); line;
		 line = strtok_r(NULL, "\n", &save))
		lines = lappend(lines, line);
	return lines;
}
