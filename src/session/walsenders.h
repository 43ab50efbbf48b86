/*-------------------------------------------------------------------------
 *
 * walsenders.h
 *		The standbys that are connected to this server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_WALSENDERS_H
#define SSLPOLICY_WALSENDERS_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

typedef struct ConnectedStandby
{
	int			pid;			/* of its walsender */
	TimestampTz since;			/* when that was started */
	char		name[NAMEDATALEN];	/* application_name */
} ConnectedStandby;

extern List *connected_standbys(void);
extern const char *standby_of_walsender(int pid);
extern char *missing_standbys_warning(void);

#endif							/* SSLPOLICY_WALSENDERS_H */
