/*-------------------------------------------------------------------------
 *
 * changes.h
 *		Logs changes of policies when they are committed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CHANGES_H
#define SSLPOLICY_CHANGES_H

#include "catalog/objectaddress.h"

extern void remember_change(const ObjectAddress *object, const char *title, Oid user,
							const char *before, const char *after);
extern void init_changes(void);

#endif							/* SSLPOLICY_CHANGES_H */
