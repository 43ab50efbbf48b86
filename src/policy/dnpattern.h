/*-------------------------------------------------------------------------
 *
 * dnpattern.h
 *		Can another attribute than the one that is meant match a pattern for a DN?
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_DNPATTERN_H
#define SSLPOLICY_DNPATTERN_H

#include "base/pure.h"

extern bool matches_other_attributes(const char *pattern);

#endif							/* SSLPOLICY_DNPATTERN_H */
