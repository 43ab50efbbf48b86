/*-------------------------------------------------------------------------
 *
 * takereport.c
 *		Takes the reports of standbys, which come as logins.
 *
 * A report is the application_name of a connection for physical replication.  It counts
 * once the login is authenticated, meets its policies, and is that of a role that may
 * replicate: core asks for the same, a moment later.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "replication/walsender.h"
#include "utils/acl.h"

#include "cluster/orders.h"
#include "cluster/reporttext.h"
#include "cluster/takereport.h"

void
take_report_of_login(const Port *port, Oid role)
{
	Report	   *report;

	if (!am_walsender || am_db_walsender || port->application_name == NULL ||
		!is_report(port->application_name))
		return;
	if (!superuser_arg(role) && !has_rolreplication(role))
		return;
	report = parse_report(port->application_name);
	/* a node that has this one as its upstream is another one */
	if (report == NULL || report->sender.id == own_node_id())
		return;
	take_reports(&report->sender, report->below, report->first);
	/* it goes further up */
	if (RecoveryInProgress())
		wake_applier();
}
