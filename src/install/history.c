/*-------------------------------------------------------------------------
 *
 * history.c
 *		What was installed, by whom, and the versions before.
 *
 * One line of text for each installation, in the file "history" of
 * sslpolicy.directory, fields separated by tabs; all that others have written
 * is in escaped form, which has none.  The file is written anew each time, by
 * rename, so that no half line is ever read.  The versions lie beside it, as
 * ca.3.pem; those of "server" carry the key.
 *
 * An entry is written as "started" before anything is changed.  One that was
 * interrupted is told by the file in place: it is the new one, or it is not.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>

#include "libpq/libpq-be.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/acl.h"
#include "utils/timestamp.h"

#include "base/escape.h"
#include "base/files.h"
#include "base/told.h"
#include "install/history.h"
#include "material/generation.h"
#include "session/collect.h"
#include "settings/directory.h"
#include "settings/settings.h"

#define HISTORY_FILE		"history"
#define HISTORY_MAX_ENTRIES 1000
#define FIXED_FIELDS		8

static const char *const state_names[] = {"started", "installed", "failed"};

static char *
next_field(char **pos)
{
	char	   *start = *pos;
	char	   *tab;

	if (start == NULL)
		return NULL;
	tab = strchr(start, '\t');
	if (tab)
		*tab = '\0';
	*pos = tab ? tab + 1 : NULL;
	return start;
}

/*
 * An entry of a line, which is taken apart.  NULL if it is none.
 */
static HistoryEntry *
parse_entry(char *line)
{
	HistoryEntry *entry = palloc0(sizeof(HistoryEntry));
	char	   *fields[FIXED_FIELDS];
	char	   *pos = line;
	char	   *fingerprint;
	int			capacity = 2;
	bool		known = false;

	for (int i = 0; i < FIXED_FIELDS; i++)
	{
		fields[i] = next_field(&pos);
		if (fields[i] == NULL)
			return NULL;
	}
	if (!parse_material_kind(fields[1], &entry->kind))
		return NULL;
	for (int i = 0; i < (int) lengthof(state_names); i++)
		if (strcmp(fields[7], state_names[i]) == 0)
		{
			entry->state = (InstallState) i;
			known = true;
		}
	if (!known)
		return NULL;
	entry->at = (TimestampTz) strtoll(fields[0], NULL, 10);
	entry->action = fields[2];
	entry->by = fields[3];
	entry->version = atoi(fields[4]);
	entry->parent = atoi(fields[5]);
	entry->sha256 = fields[6];

	for (char *p = pos; p && *p; p++)
		capacity += *p == '\t';
	entry->fingerprints = palloc(sizeof(char *) * (Size) capacity);
	entry->subjects = palloc(sizeof(char *) * (Size) capacity);
	while ((fingerprint = next_field(&pos)) != NULL && pos != NULL)
	{
		entry->fingerprints[entry->count] = fingerprint;
		entry->subjects[entry->count++] = next_field(&pos);
	}
	return entry;
}

/*
 * All entries, oldest first.  A line that is no entry is left out.
 */
List *
read_history(void)
{
	List	   *entries = NIL;
	char	   *path = own_file(HISTORY_FILE);
	char	   *error;
	size_t		len;
	char	   *text;

	if (!file_exists(path))
		return NIL;
	text = read_whole_file(path, &len, &error);
	if (text == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_IO_ERROR),
				 errmsg("the history of TLS material cannot be read"),
				 errdetail("%s", told_of_file(path, error)),
				 errdetail_log("%s", error)));
	while (text && *text)
	{
		char	   *end = strchr(text, '\n');
		HistoryEntry *entry;

		if (end)
			*end = '\0';
		entry = parse_entry(text);
		if (entry)
			entries = lappend(entries, entry);
		text = end ? end + 1 : NULL;
	}
	return entries;
}

/*
 * Write all entries, without the oldest ones of a kind if these have become too
 * many.
 */
void
write_history(List *entries)
{
	StringInfoData buf;
	int			surplus[NUM_MATERIAL_KINDS] = {0};
	ListCell   *cell;

	foreach(cell, entries)
		surplus[((HistoryEntry *) lfirst(cell))->kind]++;
	for (int i = 0; i < NUM_MATERIAL_KINDS; i++)
		surplus[i] -= HISTORY_MAX_ENTRIES;
	initStringInfo(&buf);
	foreach(cell, entries)
	{
		const HistoryEntry *e = lfirst(cell);

		if (surplus[e->kind]-- > 0)
			continue;

		appendStringInfo(&buf, INT64_FORMAT "\t%s\t%s\t%s\t%d\t%d\t%s\t%s",
						 (int64) e->at, material_kind_name(e->kind), e->action, e->by,
						 e->version, e->parent, e->sha256, state_names[e->state]);
		for (int i = 0; i < e->count; i++)
			appendStringInfo(&buf, "\t%s\t%s", e->fingerprints[i], e->subjects[i]);
		appendStringInfoChar(&buf, '\n');
	}
	replace_file(own_file(HISTORY_FILE), buf.data, (size_t) buf.len);
}

/*
 * An entry by the caller, now, of state "started".
 */
HistoryEntry *
new_history_entry(MaterialKind kind, const char *action, int version, int parent,
				  const char *sha256, const PemContent *content)
{
	HistoryEntry *entry = palloc0(sizeof(HistoryEntry));
	List	   *items = material_items(kind, content);
	ListCell   *cell;

	entry->at = GetCurrentTimestamp();
	entry->kind = kind;
	entry->action = pstrdup(action);
	entry->by = caller_for_log(GetUserId());
	entry->version = version;
	entry->parent = parent;
	entry->sha256 = pstrdup(sha256);
	entry->fingerprints = palloc(sizeof(char *) * (Size) (list_length(items) + 1));
	entry->subjects = palloc(sizeof(char *) * (Size) (list_length(items) + 1));
	foreach(cell, items)
	{
		const MaterialItem *item = lfirst(cell);

		entry->fingerprints[entry->count] = item->fingerprint;
		entry->subjects[entry->count++] = item->subject;
	}
	return entry;
}

/*
 * The entry whose file is in place, which has this fingerprint; NULL if
 * something else has been put there.
 */
HistoryEntry *
history_entry_in_place(List *entries, MaterialKind kind, const char *sha256)
{
	for (int i = list_length(entries) - 1; i >= 0; i--)
	{
		HistoryEntry *e = list_nth(entries, i);

		if (e->kind != kind || e->state == STATE_FAILED)
			continue;
		if (strcmp(e->sha256, sha256) == 0)
			return e;
		/* one that was interrupted before it changed anything */
		if (e->state != STATE_STARTED)
			return NULL;
	}
	return NULL;
}

/*
 * The last entry by which a version came to be in place; NULL if it is not
 * known any more.
 */
HistoryEntry *
history_entry_of_version(List *entries, MaterialKind kind, int version)
{
	for (int i = list_length(entries) - 1; i >= 0; i--)
	{
		HistoryEntry *e = list_nth(entries, i);

		if (e->kind == kind && e->version == version && e->state != STATE_FAILED)
			return e;
	}
	return NULL;
}

/*
 * Has the server loaded the file that is in place?  A file of CRLs that is ours the
 * worker reads by itself.
 */
static bool
is_file_loaded(const char *path)
{
	return strcmp(path, crl_file()) == 0 || is_file_in_force(load_state(), path);
}

/*
 * How an installation ended, path being the file of its kind.  One that was
 * interrupted is told by the file: it is the new one, and loaded, or it is not.
 */
const char *
history_entry_outcome(List *entries, const HistoryEntry *entry, const char *path)
{
	uint8		digest[FINGERPRINT_LEN];

	if (entry->state == STATE_INSTALLED ||
		(entry->state == STATE_STARTED && file_fingerprint(path, digest) &&
		 history_entry_in_place(entries, entry->kind, fingerprint_hex(digest)) == entry &&
		 is_file_loaded(path)))
		return "installed";
	return entry->state == STATE_FAILED ? "failed" : "unfinished";
}

/*
 * The last entry whose file is what path names now; one of no file, if there is none.
 * NULL if the history does not know it, or if the file cannot be read.
 */
const HistoryEntry *
history_entry_of_file(List *entries, MaterialKind kind, const char *path)
{
	uint8		digest[FINGERPRINT_LEN];
	const char *sha256 = "";

	if (path[0])
	{
		if (!file_fingerprint(path, digest))
			return NULL;
		sha256 = fingerprint_hex(digest);
	}
	for (int i = list_length(entries) - 1; i >= 0; i--)
	{
		const HistoryEntry *e = list_nth(entries, i);

		if (e->kind == kind && e->state != STATE_FAILED && strcmp(e->sha256, sha256) == 0)
			return e;
	}
	return NULL;
}

/*
 * What was installed last; NULL if nothing was.
 */
const HistoryEntry *
last_history_entry(List *entries, MaterialKind kind)
{
	for (int i = list_length(entries) - 1; i >= 0; i--)
	{
		const HistoryEntry *e = list_nth(entries, i);

		if (e->kind == kind && e->state == STATE_INSTALLED)
			return e;
	}
	return NULL;
}

/*
 * Was the last installation of a kind interrupted, so that the server may not have
 * loaded what it has put in place?
 */
bool
has_interrupted_installation(void)
{
	bool		interrupted[NUM_MATERIAL_KINDS] = {false};
	ListCell   *cell;

	foreach(cell, read_history())
	{
		const HistoryEntry *e = lfirst(cell);

		interrupted[e->kind] = e->state == STATE_STARTED;
	}
	for (int i = 0; i < NUM_MATERIAL_KINDS; i++)
		if (interrupted[i])
			return true;
	return false;
}

int
next_history_version(List *entries, MaterialKind kind)
{
	int			last = 0;
	ListCell   *cell;

	foreach(cell, entries)
	{
		const HistoryEntry *e = lfirst(cell);

		if (e->kind == kind)
			last = Max(last, e->version);
	}
	return last + 1;
}

char *
history_version_file(MaterialKind kind, int version)
{
	return own_file(psprintf("%s.%d.pem", material_kind_name(kind), version));
}

/*
 * Remove the files of versions that are no longer kept: of the server's, which
 * carry keys, all but the one in place and the one before.
 */
void
prune_history_versions(List *entries, MaterialKind kind)
{
	int			keep = kind == MATERIAL_SERVER ? 0 : KEPT_VERSIONS;
	int			next = next_history_version(entries, kind);
	const HistoryEntry *last = NULL;
	ListCell   *cell;
	DIR		   *dir;
	struct dirent *file;

	foreach(cell, entries)
	{
		const HistoryEntry *e = lfirst(cell);

		if (e->kind == kind && e->state == STATE_INSTALLED)
			last = e;
	}
	dir = AllocateDir(material_directory());
	while ((file = ReadDirExtended(dir, material_directory(), LOG_SERVER_ONLY)) != NULL)
	{
		const char *prefix = psprintf("%s.", material_kind_name(kind));
		int			version;

		if (strncmp(file->d_name, prefix, strlen(prefix)) != 0)
			continue;
		version = atoi(file->d_name + strlen(prefix));
		if (version <= 0 || version >= next - keep ||
			(last && (version == last->version || version == last->parent)))
			continue;
		remove_file(history_version_file(kind, version));
	}
	FreeDir(dir);
}
