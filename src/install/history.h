/*-------------------------------------------------------------------------
 *
 * history.h
 *		What was installed, by whom, and the versions before.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_HISTORY_H
#define SSLPOLICY_HISTORY_H

#include "datatype/timestamp.h"

#include "material/material.h"

/* Versions of CA and CRL that are kept, the one in place among them. */
#define KEPT_VERSIONS 10

typedef enum InstallState
{
	STATE_STARTED,				/* under way, or interrupted */
	STATE_INSTALLED,
	STATE_FAILED
} InstallState;

/* One installation.  Texts are in escaped form (escape.h). */
typedef struct HistoryEntry
{
	TimestampTz at;
	MaterialKind kind;
	char	   *action;			/* name of the function; "found" for a file that
								 * something else had put in place */
	char	   *by;				/* as caller_for_log() has it */
	int			version;		/* of its kind, from 1; 0 for no file */
	int			parent;			/* the version that it replaced; 0: none */
	char	   *sha256;			/* of the file; "" for no file */
	InstallState state;
	int			count;
	char	  **fingerprints;	/* of what is in the file */
	char	  **subjects;
} HistoryEntry;

extern List *read_history(void);
extern void write_history(List *entries);
extern HistoryEntry *new_history_entry(MaterialKind kind, const char *action, int version,
									   int parent, const char *sha256,
									   const PemContent *content);
extern HistoryEntry *history_entry_in_place(List *entries, MaterialKind kind,
											const char *sha256);
extern HistoryEntry *history_entry_of_version(List *entries, MaterialKind kind, int version);
extern const char *history_entry_outcome(List *entries, const HistoryEntry *entry,
										 const char *path);
extern const HistoryEntry *history_entry_of_file(List *entries, MaterialKind kind, const char *path);
extern const HistoryEntry *last_history_entry(List *entries, MaterialKind kind);
extern bool has_interrupted_installation(void);
extern int	next_history_version(List *entries, MaterialKind kind);
extern char *history_version_file(MaterialKind kind, int version);
extern void prune_history_versions(List *entries, MaterialKind kind);

#endif							/* SSLPOLICY_HISTORY_H */
