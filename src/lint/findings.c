/*-------------------------------------------------------------------------
 *
 * findings.c
 *		What is wrong with the configuration: a list of findings.
 *
 * The same finding about many roles or policies is one, which names the first
 * few and says how many there are.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "utils/memutils.h"

#include "lint/findings.h"

#define MAX_NAMES 3

static const char *const severity_names[] = {"error", "warning", "info"};

const char *
severity_name(Severity severity)
{
	return severity_names[severity];
}

typedef struct FindingKey
{
	const char *code;
	const char *object;
} FindingKey;

/* The first finding of a code about an object. */
typedef struct FirstFinding
{
	FindingKey	key;
	char		status;			/* of simplehash */
	Finding    *finding;
} FirstFinding;

static uint32
hash_text(const char *text)
{
	return hash_bytes((const unsigned char *) text, (int) strlen(text));
}

#define SH_PREFIX			  findings
#define SH_ELEMENT_TYPE		  FirstFinding
#define SH_KEY_TYPE			  FindingKey
#define SH_KEY				  key
#define SH_HASH_KEY(table, k) hash_combine(hash_text((k).object), hash_text((k).code))
#define SH_EQUAL(table, a, b) (strcmp((a).object, (b).object) == 0 && strcmp((a).code, (b).code) == 0)
#define SH_SCOPE			  static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

static Finding *
find_finding(const Findings *findings, const char *code, const char *object)
{
	FindingKey	key = {code, object};
	FirstFinding *first = findings->hash ? findings_lookup(findings->hash, key) : NULL;

	return first ? first->finding : NULL;
}

static Finding *
make_finding(Findings *findings, Severity severity, const char *code,
			 const char *object, const char *text, const char *remedy)
{
	Finding    *finding = palloc0(sizeof(Finding));
	FindingKey	key;
	FirstFinding *first;
	bool		found;

	finding->severity = severity;
	finding->code = code;
	finding->object = pstrdup(object);
	finding->text = pstrdup(text);
	finding->remedy = pstrdup(remedy);
	findings->list = lappend(findings->list, finding);

	if (findings->hash == NULL)
		findings->hash = findings_create(findings->context, 64, NULL);
	key.code = code;
	key.object = finding->object;
	first = findings_insert(findings->hash, key, &found);
	if (!found)
		first->finding = finding;
	return finding;
}

void
add_finding(Findings *findings, Severity severity, const char *code,
			const char *object, const char *text, const char *remedy)
{
	MemoryContext old = MemoryContextSwitchTo(findings->context);

	(void) make_finding(findings, severity, code, object, text, remedy);
	MemoryContextSwitchTo(old);
}

/*
 * A finding that may concern many: with the same code and object it is the
 * same one, and has one more name.  The most severe counts.
 */
void
add_finding_about(Findings *findings, Severity severity, const char *code,
				  const char *object, const char *text, const char *remedy,
				  const char *of_what, const char *name)
{
	MemoryContext old = MemoryContextSwitchTo(findings->context);
	Finding    *finding = find_finding(findings, code, object);

	if (finding == NULL)
		finding = make_finding(findings, severity, code, object, text, remedy);
	finding->severity = Min(finding->severity, severity);
	finding->of_what = of_what;
	if (finding->names == NIL || strcmp(llast(finding->names), name) != 0)
	{
		finding->count++;
		if (list_length(finding->names) < MAX_NAMES)
			finding->names = lappend(finding->names, pstrdup(name));
	}
	MemoryContextSwitchTo(old);
}

/*
 * The sentence, with the names behind it.
 */
char *
finding_text(const Finding *finding)
{
	StringInfoData buf;
	ListCell   *cell;
	int			more = finding->count - list_length(finding->names);

	initStringInfo(&buf);
	appendStringInfoString(&buf, finding->text);
	if (finding->names != NIL)
		appendStringInfo(&buf, " %s: ", finding->of_what);
	foreach(cell, finding->names)
		appendStringInfo(&buf, "%s%s", cell == list_head(finding->names) ? "" : ", ",
						 (char *) lfirst(cell));
	if (more > 0)
		appendStringInfo(&buf, " and %d more", more);
	if (finding->names != NIL)
		appendStringInfoChar(&buf, '.');
	return buf.data;
}

static int
rows_before(List *sorted, const Finding *finding)
{
	int			rows = 0;
	ListCell   *cell;

	foreach(cell, sorted)
		rows += strcmp(((Finding *) lfirst(cell))->code, finding->code) == 0;
	return rows;
}

static int
rows_of_code(const Findings *findings, const char *code)
{
	int			rows = 0;
	ListCell   *cell;

	foreach(cell, findings->list)
		rows += strcmp(((Finding *) lfirst(cell))->code, code) == 0;
	return rows;
}

/*
 * All findings, the most severe first; of one code at most MAX_ROWS_OF_A_CODE,
 * the last of which says how many more there are.
 */
List *
findings_by_severity(const Findings *findings)
{
	List	   *sorted = NIL;
	ListCell   *cell;

	for (Severity severity = SEVERITY_ERROR; severity <= SEVERITY_INFO; severity++)
		foreach(cell, findings->list)
		{
			Finding    *finding = lfirst(cell);
			int			before;

			if (finding->severity != severity)
				continue;
			before = rows_before(sorted, finding);
			if (before == MAX_ROWS_OF_A_CODE - 1)
			{
				int			more = rows_of_code(findings, finding->code) - MAX_ROWS_OF_A_CODE;

				if (more > 0)
					finding->text = psprintf("%s (And %d more like this one.)", finding->text, more);
			}
			if (before < MAX_ROWS_OF_A_CODE)
				sorted = lappend(sorted, finding);
		}
	return sorted;
}
