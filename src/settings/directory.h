/*-------------------------------------------------------------------------
 *
 * directory.h
 *		The files of our own, in sslpolicy.directory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_DIRECTORY_H
#define SSLPOLICY_DIRECTORY_H

extern char *own_file(const char *name);
extern void make_own_directory(void);
extern void stop_point(const char *step);

#endif							/* SSLPOLICY_DIRECTORY_H */
