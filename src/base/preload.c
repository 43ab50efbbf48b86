/*-------------------------------------------------------------------------
 *
 * preload.c
 *		Whether this copy of the library is the one that the server preloaded,
 *		and which one background workers run.
 *
 * There can be several copies in one process: a second entry in
 * shared_preload_libraries under another path, or, after an upgrade of the
 * package without a restart, the new file beside the old one that the server
 * still has.  They find each other by a rendezvous variable, and only the first
 * hooks into the server.
 *
 * After an upgrade of the package the server goes on with what it has loaded,
 * and PostgreSQL does not load a file of the same path a second time.  So the
 * version of the file that lies there now is read from the file.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"

#include "base/files.h"
#include "base/preload.h"

#define VERSION_MARK "sslpolicy library, version "

/* for the other copy to find */
static const char version_mark[] = VERSION_MARK SSLPOLICY_VERSION;

static char library_path[MAXPGPATH];
static struct stat loaded_file; /* the file as it was when it was loaded */

static bool preloaded = false;

/*
 * Called once by each copy when it is loaded.  True if it is the one that may
 * hook into the server.  The rendezvous variable holds the version of that one.
 */
bool
claim_preload(void)
{
	const char **version = (const char **) find_rendezvous_variable("sslpolicy_version");

	if (!process_shared_preload_libraries_in_progress)
		return false;
	if (*version != NULL)
	{
		ereport(WARNING,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("sslpolicy is preloaded twice"),
				 errdetail("Version %s is in force, and this copy (version %s) does nothing.",
						   *version, SSLPOLICY_VERSION),
				 errhint("Remove one of the entries from shared_preload_libraries.")));
		return false;
	}
	*version = SSLPOLICY_VERSION;
	preloaded = true;
	return true;
}

/*
 * Is this copy the preloaded one?
 */
bool
is_preloaded(void)
{
	return preloaded;
}

/*
 * The version of the preloaded copy, this or another; NULL if there is none.
 */
const char *
preloaded_version(void)
{
	return *(const char **) find_rendezvous_variable("sslpolicy_version");
}

/*
 * Raise the error that says how to get what needs preloading.
 */
void
require_preload(void)
{
	const char **version = (const char **) find_rendezvous_variable("sslpolicy_version");

	if (preloaded)
		return;
	if (*version != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the server runs another copy of sslpolicy"),
				 errdetail("Version %s was preloaded, and this function belongs to another file, of version %s.",
						   *version, SSLPOLICY_VERSION),
				 errhint("After an upgrade, restart the server. Otherwise make shared_preload_libraries name the file that the functions use: sslpolicy.")));
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("sslpolicy is not preloaded"),
			 errhint("Add sslpolicy to shared_preload_libraries and restart the server.")));
}

/*
 * In single-user mode there is no server that could load material, and a signal to it
 * would go to the process group.
 */
void
require_postmaster(void)
{
	if (!IsUnderPostmaster)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("TLS material cannot be loaded in single-user mode"),
				 errhint("Start the server, and call the function there.")));
}

/*
 * A background worker is started by the name of a library, which may come to be
 * another copy than the preloaded one, whose variables hold nothing.  So the
 * preloaded one offers its main functions, and every copy runs those.
 */
void
offer_worker_main(const char *name, WorkerMain function)
{
	*find_rendezvous_variable(name) = (void *) function;
}

void
run_worker_main(const char *name, Datum arg)
{
	WorkerMain	function = (WorkerMain) *find_rendezvous_variable(name);

	if (function == NULL)
		ereport(FATAL,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("sslpolicy is not preloaded")));
	function(arg);
}

/*
 * Remember the file.  Called when the library is loaded; what the postmaster
 * remembers, its children inherit.
 */
void
note_library_file(void)
{
	Dl_info		info;

	if (dladdr((const void *) version_mark, &info) == 0 || info.dli_fname == NULL ||
		stat(info.dli_fname, &loaded_file) != 0)
		return;
	strlcpy(library_path, info.dli_fname, MAXPGPATH);
}

/*
 * By which name background workers load the library: that of the file.  It is loaded by that
 * name already, so they find it although dynamic_library_path does not lead to it, and although
 * the package has been removed.  Where there is no room for that, its short name.
 */
const char *
worker_library(void)
{
	BackgroundWorker worker;

	return library_path[0] == '\0' || strlen(library_path) >= sizeof(worker.bgw_library_name) ? "sslpolicy" :
																								library_path;
}

/*
 * The version in a file of the library; NULL if there is none to be found.
 */
static char *
read_version(const char *bytes, size_t len)
{
	size_t		mark = strlen(VERSION_MARK);
	size_t		digits;

	for (size_t i = 0; i + mark < len; i++)
	{
		if (memcmp(bytes + i, version_mark, mark) != 0)
			continue;
		digits = strnlen(bytes + i + mark, Min(len - i - mark, 64));
		return pnstrdup(bytes + i + mark, digits);
	}
	return NULL;
}

/*
 * Is the file still the one that was loaded?  If another one is in its place,
 * *version is that of the other one, NULL if it cannot be told.
 */
LibraryFileState
library_file_state(char **version)
{
	struct stat now;
	char	   *bytes;
	char	   *error;
	size_t		len;

	*version = NULL;
	if (library_path[0] == '\0')
		return LIBRARY_FILE_UNKNOWN;
	if (stat(library_path, &now) != 0)
		return LIBRARY_FILE_GONE;
	if (now.st_dev == loaded_file.st_dev && now.st_ino == loaded_file.st_ino &&
		now.st_size == loaded_file.st_size && now.st_mtime == loaded_file.st_mtime)
		return LIBRARY_FILE_SAME;
	bytes = read_whole_file(library_path, &len, &error);
	if (bytes)
		*version = read_version(bytes, len);
	return LIBRARY_FILE_REPLACED;
}

/*
 * Have the postmaster run a worker from its start on, and again so many seconds after it has
 * ended; not for pg_upgrade.  main_name is the function of this library that it runs.
 */
void
register_static_worker(const char *name, const char *main_name, int restart_s)
{
	BackgroundWorker registration = {0};

	if (IsBinaryUpgrade)
		return;
	registration.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	registration.bgw_start_time = BgWorkerStart_ConsistentState;
	registration.bgw_restart_time = restart_s;
	strlcpy(registration.bgw_name, name, sizeof(registration.bgw_name));
	strlcpy(registration.bgw_type, name, sizeof(registration.bgw_type));
	strlcpy(registration.bgw_library_name, worker_library(), sizeof(registration.bgw_library_name));
	strlcpy(registration.bgw_function_name, main_name, sizeof(registration.bgw_function_name));
	RegisterBackgroundWorker(&registration);
}
