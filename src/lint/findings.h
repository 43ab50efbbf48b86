/*-------------------------------------------------------------------------
 *
 * findings.h
 *		What is wrong with the configuration: a list of findings.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_FINDINGS_H
#define SSLPOLICY_FINDINGS_H

#include "nodes/pg_list.h"

typedef enum Severity
{
	SEVERITY_ERROR,				/* somebody is locked out, or nothing is protected
								 * although policies say so */
	SEVERITY_WARNING,			/* needs attention */
	SEVERITY_INFO
} Severity;

/* Many of the same kind would hide the rest. */
#define MAX_ROWS_OF_A_CODE 25

typedef struct Finding
{
	Severity	severity;
	const char *code;			/* stable: monitoring goes by it */
	char	   *object;
	char	   *text;			/* a sentence or more */
	char	   *remedy;
	const char *of_what;		/* what the names are: "Roles"; NULL: none */
	List	   *names;			/* the first few that are concerned */
	int			count;			/* of all that are */
} Finding;

typedef struct Findings
{
	MemoryContext context;		/* where all of this is kept */
	List	   *list;
	struct findings_hash *hash; /* the same by code and object */
} Findings;

extern const char *severity_name(Severity severity);
extern void add_finding(Findings *findings, Severity severity, const char *code,
						const char *object, const char *text, const char *remedy);
extern void add_finding_about(Findings *findings, Severity severity, const char *code,
							  const char *object, const char *text, const char *remedy,
							  const char *of_what, const char *name);
extern List *findings_by_severity(const Findings *findings);
extern char *finding_text(const Finding *finding);

#endif							/* SSLPOLICY_FINDINGS_H */
