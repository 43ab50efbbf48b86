/*-------------------------------------------------------------------------
 *
 * target.h
 *		Which file an installation may replace or create.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_TARGET_H
#define SSLPOLICY_TARGET_H

#include "install/install.h"

extern void check_target_file(const Installation *inst, const char *path, const char *target);
extern bool leaves_file_of_others(const char *path, const char *to);

#endif							/* SSLPOLICY_TARGET_H */
