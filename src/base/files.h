/*-------------------------------------------------------------------------
 *
 * files.h
 *		Files: reading them, and replacing them durably.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_FILES_H
#define SSLPOLICY_FILES_H

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"

#include "base/fingerprint.h"

/* Longest file that is read: over ten million revoked serials. */
#define MAX_FILE_BYTES (512 * 1024 * 1024)

typedef struct TemporaryFile TemporaryFile;

extern char *resolve_target(const char *path);
extern bool file_exists(const char *path);
extern bool is_readable_path(const char *path, bool folder);
extern bool is_writable_file(const char *path);
extern char *read_whole_file(const char *path, size_t *len, char **error);
extern uint64 file_signature(const char *path);
extern void files_signature(const char *const *paths, int count, uint8 *digest);
extern bool file_fingerprint(const char *path, uint8 *digest);
extern char *bytes_fingerprint(const char *bytes, size_t len);
extern char *temporary_name(const char *target);
extern bool is_temporary_name(const char *name);
extern TemporaryFile *create_temporary_file(const char *target);
extern bool append_temporary_file(TemporaryFile *file, const char *bytes, size_t len);
extern void finish_temporary_file(TemporaryFile *file);
extern void discard_temporary_file(TemporaryFile *file);
extern void write_temporary_file(const char *target, const char *bytes, size_t len);
extern bool link_temporary_file(const char *path, const char *target);
extern void move_temporary_file(const char *target);
extern void replace_file(const char *target, const char *bytes, size_t len);
extern bool save_file(const char *target, const char *bytes, size_t len);
extern void remove_file(const char *path);

#endif							/* SSLPOLICY_FILES_H */
