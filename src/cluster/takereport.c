/*-------------------------------------------------------------------------
 *
 * takereport.c
 *		Takes the reports of standbys, which arrive as logins.
 *
 * A report is the application_name of a physical replication connection.  It counts if the
 * login is authenticated, meets its policies, and is that of a role with LOGIN and
 * REPLICATION: core checks that, too, a moment later.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "replication/walsender.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "cluster/orders.h"
#include "cluster/reporttext.h"
#include "cluster/takereport.h"

/*
 * Core refuses other roles, but later.
 */
static bool
may_replicate(Oid role)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	bool		result = false;

	if (HeapTupleIsValid(tuple))
	{
		Form_pg_authid form = (Form_pg_authid) GETSTRUCT(tuple);

		result = form->rolcanlogin && (form->rolsuper || form->rolreplication);
		ReleaseSysCache(tuple);
	}
	return result;
}

void
take_report_of_login(const Port *port, Oid role)
{
	Report	   *report;

	if (!am_walsender || am_db_walsender || port->application_name == NULL ||
		!is_report(port->application_name))
		return;
	if (!may_replicate(role))
		return;
	report = parse_report(port->application_name, GetCurrentTimestamp());
	/* a node is not its own standby */
	if (report == NULL || report->sender.id == own_node_id())
		return;
	take_reports(&report->sender, report->below, report->count, report->first);
	/* pass it on to our own upstream */
	if (RecoveryInProgress())
		wake_applier();
}
