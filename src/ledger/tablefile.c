/*-------------------------------------------------------------------------
 *
 * tablefile.c
 *		Tables that are kept over a restart of the server.
 *
 * The postmaster writes them to a file when it ends, and reads and removes that
 * file when it starts; so a crash forgets them, as it does PostgreSQL's own
 * statistics.  An immediate shutdown looks like a normal end to the postmaster,
 * although it stops processes in the middle of a change; whether the server was
 * shut down cleanly is what pg_control says.
 *
 * The file has a header, the tables, each with its name and the sizes of its key
 * and entries, and a CRC-32C of all that.  A file that does not fit, in whatever,
 * is not read, and the log says so.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_control.h"
#include "common/controldata_utils.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

#include "base/checksum.h"
#include "base/compat.h"
#include "base/files.h"
#include "ledger/tablefile.h"

#define TABLE_FILE PGSTAT_STAT_PERMANENT_DIRECTORY "/sslpolicy.stat"

#define FILE_MAGIC 0x53534c50
#define MAX_TABLES 8

/* what changes with any change of an entry that its size does not show */
#define FILE_FORMAT "sslpolicy " SSLPOLICY_VERSION " 5"

typedef struct FileHeader
{
	uint32		magic;
	uint32		server;			/* major version */
	char		format[40];
	uint32		ntables;
} FileHeader;

typedef struct TableHeader
{
	char		name[32];
	uint32		key_size;
	uint32		entry_size;
	uint32		count;
} TableHeader;

static BoundedTable *tables[MAX_TABLES];
static int	ntables = 0;

static shmem_startup_hook_type previous_startup_hook = NULL;

/*
 * Called while the library is preloaded.
 */
void
keep_over_restart(BoundedTable *table)
{
	if (ntables == MAX_TABLES)
		elog(FATAL, "too many tables");
	tables[ntables++] = table;
}

static FileHeader
file_header(void)
{
	FileHeader	header;

	memset(&header, 0, sizeof(header));
	header.magic = FILE_MAGIC;
	header.server = compat_major_version();
	strlcpy(header.format, FILE_FORMAT, sizeof(header.format));
	header.ntables = (uint32) ntables;
	return header;
}

static TableHeader
table_header(const BoundedTable *table)
{
	TableHeader header;

	memset(&header, 0, sizeof(header));
	strlcpy(header.name, table->name, sizeof(header.name));
	header.key_size = (uint32) table->key_size;
	header.entry_size = (uint32) table->entry_size;
	header.count = (uint32) bounded_table_count(table);
	return header;
}

/*
 * Oldest entry first, so that the order is the same when they are added again.
 */
static void
append_table(StringInfo buf, const BoundedTable *table)
{
	TableHeader header = table_header(table);

	appendBinaryStringInfo(buf, (char *) &header, sizeof(header));
	for (const void *entry = bounded_table_oldest(table); entry; entry = bounded_table_newer(table, entry))
		appendBinaryStringInfo(buf, entry, (int) table->entry_size);
}

static size_t
all_sizes(void)
{
	size_t		size = sizeof(FileHeader) + sizeof(pg_crc32c);

	for (int i = 0; i < ntables; i++)
		size += sizeof(TableHeader) + tables[i]->entry_size * (size_t) bounded_table_count(tables[i]);
	return size;
}

static bool
is_clean_shutdown(void)
{
	bool		crc_ok;
	ControlFileData *control = get_controlfile(DataDir, &crc_ok);

	return crc_ok && (control->state == DB_SHUTDOWNED || control->state == DB_SHUTDOWNED_IN_RECOVERY);
}

/*
 * At the end of the postmaster, when all other processes have ended.  There is
 * nobody left to lock out.
 */
static void
save_tables(int code, Datum arg)
{
	FileHeader	header = file_header();
	StringInfoData buf;
	pg_crc32c	crc;

	if (code != 0 || !is_clean_shutdown())
		return;
	if (all_sizes() >= MaxAllocSize)
	{
		ereport(LOG_SERVER_ONLY, (errmsg("sslpolicy does not keep its tables over the restart: they are too large")));
		return;
	}
	initStringInfo(&buf);
	appendBinaryStringInfo(&buf, (char *) &header, sizeof(header));
	for (int i = 0; i < ntables; i++)
		append_table(&buf, tables[i]);
	crc = checksum(buf.data, (size_t) buf.len);
	appendBinaryStringInfo(&buf, (char *) &crc, sizeof(crc));
	(void) save_file(TABLE_FILE, buf.data, (size_t) buf.len);
	pfree(buf.data);
}

/* What is left to read. */
typedef struct Reading
{
	const char *next;
	size_t		left;
} Reading;

static const char *
take_bytes(Reading *r, size_t len)
{
	const char *bytes = r->next;

	if (len > r->left)
		return NULL;
	r->next += len;
	r->left -= len;
	return bytes;
}

static BoundedTable *
table_called(const char *name)
{
	for (int i = 0; i < ntables; i++)
		if (strncmp(tables[i]->name, name, sizeof(((TableHeader *) NULL)->name)) == 0)
			return tables[i];
	return NULL;
}

static void
add_entry(BoundedTable *table, const char *bytes)
{
	bool		found;
	void	   *entry = bounded_table_find_or_add(table, bytes, &found);

	/* none if the table has been switched off meanwhile */
	if (entry)
		memcpy(entry, bytes, table->entry_size);
}

static const char *
read_table(Reading *r)
{
	const char *bytes = take_bytes(r, sizeof(TableHeader));
	TableHeader header;
	BoundedTable *table;
	char	   *entry;

	if (bytes == NULL)
		return "it is too short";
	memcpy(&header, bytes, sizeof(header));
	table = table_called(header.name);
	if (table == NULL || header.key_size != table->key_size ||
		header.entry_size != table->entry_size)
		return "it has another layout";
	/* the bytes in the file are not aligned */
	entry = palloc(table->entry_size);
	for (uint32 i = 0; i < header.count; i++)
	{
		bytes = take_bytes(r, table->entry_size);
		if (bytes == NULL)
			return "it is too short";
		memcpy(entry, bytes, table->entry_size);
		if (!table->is_valid(entry))
			return "it has an entry that is not valid";
		add_entry(table, entry);
	}
	pfree(entry);
	return NULL;
}

/*
 * Fill the tables from the bytes of a file.  Returns what is wrong with it.
 */
static const char *
read_tables(const char *bytes, size_t len)
{
	FileHeader	header = file_header();
	Reading		r = {bytes, len};
	pg_crc32c	crc;
	const char *error = NULL;

	if (len < sizeof(header) + sizeof(crc))
		return "it is too short";
	r.left -= sizeof(crc);
	memcpy(&crc, bytes + r.left, sizeof(crc));
	if (!EQ_CRC32C(crc, checksum(bytes, r.left)))
		return "its checksum is wrong";
	if (memcmp(take_bytes(&r, sizeof(header)), &header, sizeof(header)) != 0)
		return "another version has written it";
	for (int i = 0; i < ntables && error == NULL; i++)
		error = read_table(&r);
	return error == NULL && r.left != 0 ? "it is too long" : error;
}

static void
load_tables(void)
{
	size_t		len;
	const char *error = NULL;
	char	   *why;
	char	   *bytes;

	if (!file_exists(TABLE_FILE))
		return;
	bytes = read_whole_file(TABLE_FILE, &len, &why);
	if (bytes == NULL)
		error = why;
	else
		error = read_tables(bytes, len);
	if (error != NULL)
	{
		for (int i = 0; i < ntables; i++)
			if (tables[i]->memory)
				bounded_table_clear(tables[i]);
		ereport(LOG_SERVER_ONLY,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("ignoring file \"%s\": %s", TABLE_FILE, error),
				 errdetail_log("sslpolicy.recent_logins, rejections and statistics begin empty.")));
	}
	/* what happens from here on is not in it */
	remove_file(TABLE_FILE);
	if (bytes)
		pfree(bytes);
}

/*
 * After the tables have been made (sharedmem.c), by the postmaster: at the start
 * of the server, and after a crash, when there is no file.
 */
static void
start_tables(void)
{
	if (previous_startup_hook)
		previous_startup_hook();
	if (IsUnderPostmaster || IsBinaryUpgrade)
		return;
	load_tables();
	on_shmem_exit(save_tables, (Datum) 0);
}

void
init_table_file(void)
{
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = start_tables;
}
