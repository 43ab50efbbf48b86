/*-------------------------------------------------------------------------
 *
 * files.h
 *		Files of TLS material: reading, and replacing them durably.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_FILES_H
#define SSLPOLICY_FILES_H

#include "lib/stringinfo.h"

#include "policy/facts.h"

typedef struct TemporaryFile TemporaryFile;

extern char *own_file(const char *name);
extern char *resolve_target(const char *path);
extern bool file_exists(const char *path);
extern bool is_readable_path(const char *path, bool folder);
extern char *read_whole_file(const char *path, size_t *len, char **error);
extern void files_signature(const char *const *paths, int count, uint8 *digest);
extern bool file_fingerprint(const char *path, uint8 *digest);
extern char *fingerprint_hex(const uint8 *digest);
extern char *bytes_fingerprint(const char *bytes, size_t len);
extern char *temporary_name(const char *target);
extern bool is_temporary_name(const char *name);
extern void make_own_directory(void);
extern TemporaryFile *create_temporary_file(const char *target);
extern bool append_temporary_file(TemporaryFile *file, const char *bytes, size_t len);
extern void finish_temporary_file(TemporaryFile *file);
extern void discard_temporary_file(TemporaryFile *file);
extern void write_temporary_file(const char *target, const char *bytes, size_t len);
extern void move_temporary_file(const char *target);
extern void replace_file(const char *target, const char *bytes, size_t len);
extern bool save_file(const char *target, const char *bytes, size_t len);
extern void remove_file(const char *path);
extern void remove_leftovers(void);
extern void wipe_memory(void *bytes, size_t len);
extern void stop_point(const char *step);

#endif							/* SSLPOLICY_FILES_H */
