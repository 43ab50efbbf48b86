/*-------------------------------------------------------------------------
 *
 * replaceable.h
 *		May the server replace a file, and could it put back what is there?
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_REPLACEABLE_H
#define SSLPOLICY_REPLACEABLE_H

#include "install/install.h"

/* Of a file that an installation is about to change. */
typedef struct Replacement
{
	bool		begun;			/* it may be no longer what it was */
	uint64		before;			/* file_signature() until then */
} Replacement;

extern void require_replaceable(const Installation *inst, const char *path, const char *target);
extern void require_writable_settings(void);
extern void begin_replacing(Replacement *replacement, const char *target);
extern bool is_replaced(const Replacement *replacement, const char *target);

#endif							/* SSLPOLICY_REPLACEABLE_H */
