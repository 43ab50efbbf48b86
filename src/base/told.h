/*-------------------------------------------------------------------------
 *
 * told.h
 *		Who learns what about files.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_TOLD_H
#define SSLPOLICY_TOLD_H

#include "base/compat.h"

extern bool files_may_be_told(void);
extern char *told(char *instead, char *full);
extern char *told_of_file(const char *path, char *full);
extern char *full_text(char *text);
extern void log_withheld(char *text);
extern int	told_level(int level);
pg_noreturn extern void refuse_file(void);
extern int	begin_quiet(void);
extern void end_quiet(int before);

#endif							/* SSLPOLICY_TOLD_H */
