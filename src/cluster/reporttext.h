/*-------------------------------------------------------------------------
 *
 * reporttext.h
 *		What a standby reports, as text.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_REPORTTEXT_H
#define SSLPOLICY_REPORTTEXT_H

#include "cluster/node.h"

/* What a report begins with; the number is the version of the format. */
#define REPORT_MARK "sslpolicy-report/1/"

/* The longest report, below the limit of a startup packet (10,000 bytes). */
#define MAX_REPORT_BYTES 8000

typedef struct Report
{
	bool		first;			/* of several, each of which has the sender */
	ClusterNode sender;
	ClusterNode *below;
	int			count;			/* of those below */
} Report;

extern void begin_report(StringInfo buf, bool first, const ClusterNode *sender, TimestampTz now);
extern void append_report(StringInfo buf, const ClusterNode *node, TimestampTz now);
extern bool is_report(const char *text);
extern Report *parse_report(const char *text, TimestampTz now);

#endif							/* SSLPOLICY_REPORTTEXT_H */
