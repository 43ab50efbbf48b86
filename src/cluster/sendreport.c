/*-------------------------------------------------------------------------
 *
 * sendreport.c
 *		Reports the state of a standby, and of the nodes below it, to its upstream.
 *
 * Each report is a replication connection with primary_conninfo, whose application_name is
 * the report.  It is closed as soon as it has been opened (takereport.c).  Reports are sent
 * only while WAL is streamed, so as not to take the walsender that streaming needs: after
 * each change, to each new upstream, and once a minute.  A standby passes on the reports of
 * its own standbys.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "replication/walreceiver.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/spin.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/monotonic.h"
#include "cluster/nodes.h"
#include "cluster/reporttext.h"
#include "cluster/sendreport.h"

#define REPORT_EACH_MS 60000
#define LOOK_MS		   1000

#define MAX_LEFT_OVER 20

/* An upstream that does not answer must not keep anything from being applied. */
#define ANSWER_MS 5000

#define FIRST_BACKOFF_MS 100
#define MAX_BACKOFF_MS	 60000

/* What this process, which is restarted now and then, has reported. */
static uint64 reported = 0;		/* own_changes() */
static uint64 reported_states = 0;	/* states_below() */
static int	reported_by = 0;	/* pid of the walreceiver */
static Moment reported_at = 0;
static Moment failed_at = 0;
static uint64 failed_with = 0;	/* own_changes() at that time */
static int	backoff_ms = 0;
static int	left_over = 0;		/* connections that an error has left open */

/*
 * The pid of the walreceiver, and the name of this node on its upstream; 0 if it is not
 * streaming.
 */
static int
find_walreceiver(char *name)
{
	char		conninfo[MAXCONNINFO];
	bool		ready;
	int			pid;
	char	   *start;
	const char *cluster = GetConfigOption("cluster_name", true, false);

	SpinLockAcquire(&WalRcv->mutex);
	pid = (int) WalRcv->pid;
	ready = WalRcv->ready_to_display && WalRcv->walRcvState == WALRCV_STREAMING;
	strlcpy(conninfo, WalRcv->conninfo, sizeof(conninfo));
	SpinLockRelease(&WalRcv->mutex);
	if (pid == 0 || !ready)
		return 0;

	/* libpqrcv_get_conninfo() writes options in libpq's order, without quotes */
	start = strncmp(conninfo, "application_name=", 17) == 0 ? conninfo : strstr(conninfo, " application_name=");
	if (start)
	{
		char	   *end = strstr(start, " fallback_application_name=");

		start = strchr(start, '=') + 1;
		if (end)
			*end = '\0';
	}
	else
		/* as WalReceiverMain() names it */
		start = pstrdup(cluster && cluster[0] ? cluster : "walreceiver");
	strlcpy(name, compat_clean_ascii(start), NAMEDATALEN);
	return pid;
}

static void
stop_waiting(void)
{
	InterruptPending = true;
	QueryCancelPending = true;
	SetLatch(MyLatch);
}

/*
 * The rest of a URI after "scheme://"; NULL if this is not a URI.
 */
static const char *
behind_scheme(const char *conninfo)
{
	static const char *const schemes[] = {"postgresql://", "postgres://"};

	for (size_t i = 0; i < lengthof(schemes); i++)
		if (strncmp(conninfo, schemes[i], strlen(schemes[i])) == 0)
			return conninfo + strlen(schemes[i]);
	return NULL;
}

/*
 * What to put between a URI and another parameter.  As in libpq, what precedes an "@" before
 * any "/" is a user and a password, which may contain a "?", too.
 */
static const char *
parameter_separator(const char *rest)
{
	size_t		user = strcspn(rest, "@/");
	const char *query = strchr(rest[user] == '@' ? rest + user + 1 : rest, '?');

	if (query == NULL)
		return "?";
	return strchr("?&", query[strlen(query) - 1]) ? "" : "&";
}

/*
 * primary_conninfo with an application_name.  If an option is given twice, the last one
 * counts, in conninfo strings and in URIs.
 */
static char *
conninfo_with(const char *report)
{
	const char *rest = behind_scheme(PrimaryConnInfo);
	size_t		len = strlen(PrimaryConnInfo);
	size_t		backslashes = 0;

	if (rest)
		return psprintf("%s%sapplication_name=%s", PrimaryConnInfo, parameter_separator(rest), report);
	/* a trailing backslash is meaningless, but would now escape the space */
	while (backslashes < len && PrimaryConnInfo[len - backslashes - 1] == '\\')
		backslashes++;
	return psprintf("%.*s application_name='%s'", (int) (len - backslashes % 2), PrimaryConnInfo, report);
}

static bool
send_one(const char *report)
{
	char	   *error = NULL;
	WalReceiverConn *connection = compat_connect_walreceiver(conninfo_with(report), "sslpolicy", &error);

	if (connection == NULL)
	{
		ereport(DEBUG1, (errmsg_internal("could not report to the upstream server: %s", error ? error : "?")));
		return false;
	}
	walrcv_disconnect(connection);
	return true;
}

/*
 * All that is known, in as many reports as it takes.
 */
static bool
send_all(void)
{
	List	   *nodes = list_nodes();
	const ClusterNode *self = linitial(nodes);
	TimestampTz now = GetCurrentTimestamp();
	StringInfoData report;
	StringInfoData one;

	initStringInfo(&report);
	initStringInfo(&one);
	begin_report(&report, true, self, now);
	for (int i = 1; i < list_length(nodes); i++)
	{
		resetStringInfo(&one);
		append_report(&one, list_nth(nodes, i), now);
		if (report.len + one.len > MAX_REPORT_BYTES)
		{
			if (!send_one(report.data))
				return false;
			begin_report(&report, false, self, now);
		}
		appendBinaryStringInfo(&report, one.data, one.len);
	}
	return send_one(report.data);
}

/*
 * The same with a timeout, and without raising errors.
 */
static bool
try_to_send(MemoryContext context)
{
	static TimeoutId timeout = MAX_TIMEOUTS;
	volatile bool ok = false;
	volatile bool raised = false;

	if (timeout == MAX_TIMEOUTS)
		timeout = RegisterTimeout(USER_TIMEOUT, stop_waiting);
	enable_timeout_after(timeout, ANSWER_MS);
	PG_TRY();
	{
		ok = send_all();
	}
	PG_CATCH();
	{
		LWLockReleaseAll();
		FlushErrorState();
		raised = true;
	}
	PG_END_TRY();
	disable_timeout(timeout, false);
	QueryCancelPending = false;
	MemoryContextSwitchTo(context);
	/* these connections are closed only with the process */
	if (raised && ++left_over > MAX_LEFT_OVER)
		proc_exit(1);
	return ok;
}

/*
 * A number that changes with the state of any node below, even without a report: a node
 * that is no longer connected sends none.
 */
static uint64
states_below(void)
{
	uint64		result = 0;
	ListCell   *cell;

	foreach(cell, list_below())
	{
		const ClusterNode *node = lfirst(cell);
		uint64		one = node->id;

		for (int kind = 0; kind < NUM_REPLICATED_KINDS; kind++)
			one = one * NUM_NODE_STATES + node->kinds[kind].state;
		result += hash_bytes_extended((const unsigned char *) node->name, (int) strlen(node->name), one);
	}
	return result;
}

/*
 * Send a report if one is due.  Returns after how many milliseconds this must be called
 * again.
 */
long
report_if_due(void)
{
	static MemoryContext own_context = NULL;
	MemoryContext old;
	char		name[NAMEDATALEN];
	uint64		changes = own_changes();
	uint64		states;
	int			walreceiver;
	bool		ok;

	if (!RecoveryInProgress())
		return REPORT_EACH_MS;
	/* a change is not subject to the back-off of earlier failures */
	if (failed_at != 0 && !has_elapsed(failed_at, changes == failed_with ? backoff_ms : Min(backoff_ms, LOOK_MS)))
		return Min(backoff_ms, LOOK_MS);
	if (own_context == NULL)
		own_context = AllocSetContextCreate(TopMemoryContext, "sslpolicy report", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(own_context);
	walreceiver = find_walreceiver(name);
	states = walreceiver == 0 ? 0 : states_below();
	if (walreceiver == 0 || PrimaryConnInfo == NULL || PrimaryConnInfo[0] == '\0' ||
		(changes == reported && states == reported_states && walreceiver == reported_by && !has_elapsed(reported_at, REPORT_EACH_MS)))
	{
		MemoryContextSwitchTo(old);
		MemoryContextReset(own_context);
		return LOOK_MS;
	}
	set_own_name(name);
	if (WalReceiverFunctions == NULL)
		load_file("libpqwalreceiver", false);
	ok = try_to_send(own_context);
	MemoryContextSwitchTo(old);
	MemoryContextReset(own_context);
	if (!ok)
	{
		failed_at = this_moment();
		failed_with = changes;
		backoff_ms = Min(MAX_BACKOFF_MS, backoff_ms ? 2 * backoff_ms : FIRST_BACKOFF_MS);
		return Min(backoff_ms, LOOK_MS);
	}
	failed_at = 0;
	backoff_ms = 0;
	reported = changes;
	reported_states = states;
	reported_by = walreceiver;
	reported_at = this_moment();
	return LOOK_MS;
}
