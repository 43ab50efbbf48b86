/*-------------------------------------------------------------------------
 *
 * tablefile.h
 *		Tables that are kept over a restart of the server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_TABLEFILE_H
#define SSLPOLICY_TABLEFILE_H

#include "base/boundedtable.h"

extern void init_table_file(void);
extern void keep_over_restart(BoundedTable *table);

#endif							/* SSLPOLICY_TABLEFILE_H */
