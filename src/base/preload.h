/*-------------------------------------------------------------------------
 *
 * preload.h
 *		Whether this copy of the library is the one that the server preloaded,
 *		and which one background workers run.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_PRELOAD_H
#define SSLPOLICY_PRELOAD_H

extern bool claim_preload(void);
extern bool is_preloaded(void);
extern const char *preloaded_version(void);
extern void require_preload(void);
extern void require_postmaster(void);

/* The file that this copy was loaded from. */
typedef enum LibraryFileState
{
	LIBRARY_FILE_UNKNOWN,
	LIBRARY_FILE_SAME,
	LIBRARY_FILE_REPLACED,		/* there is another file in its place */
	LIBRARY_FILE_GONE
} LibraryFileState;

extern void note_library_file(void);
extern LibraryFileState library_file_state(char **version);

/* Main functions of background workers. */
typedef void (*WorkerMain)(Datum arg);

extern void offer_worker_main(const char *name, WorkerMain function);
extern void run_worker_main(const char *name, Datum arg);
extern const char *worker_library(void);
extern void register_static_worker(const char *name, const char *main_name, int restart_s);

#endif							/* SSLPOLICY_PRELOAD_H */
