/*-------------------------------------------------------------------------
 *
 * walsenders.c
 *		The standbys that are connected to this server.
 *
 * The same as pg_stat_replication, but without SQL, for processes that are not connected
 * to a database.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "replication/syncrep.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
#include "storage/spin.h"
#include "utils/backend_status.h"

#include "base/compat.h"
#include "session/walsenders.h"

/* The default name of pg_receivewal, which stores WAL, and accepts no logins. */
#define WAL_ARCHIVER "pg_receivewal"

static bool
has_pid(const int *pids, int count, int pid)
{
	for (int i = 0; i < count; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/*
 * Walsenders that stream to a physical standby, as ConnectedStandby.
 */
List *
connected_standbys(void)
{
	int		   *pids = palloc(sizeof(int) * (Size) (max_wal_senders + 1));
	int			count = 0;
	List	   *result = NIL;

	for (int i = 0; i < max_wal_senders; i++)
	{
		WalSnd	   *walsnd = &WalSndCtl->walsnds[i];
		int			pid;
		WalSndState state;

		SpinLockAcquire(&walsnd->mutex);
		pid = walsnd->pid;
		state = walsnd->state;
		SpinLockRelease(&walsnd->mutex);
		if (pid != 0 && (state == WALSNDSTATE_STREAMING || state == WALSNDSTATE_CATCHUP))
			pids[count++] = pid;
	}
	if (count == 0)
		return NIL;
	pgstat_clear_backend_activity_snapshot();
	for (int i = 1; i <= pgstat_fetch_stat_numbackends(); i++)
	{
		const PgBackendStatus *status = &compat_local_backend_status(i)->backendStatus;
		ConnectedStandby *standby;

		/* logical replication has a database */
		if (OidIsValid(status->st_databaseid) || !has_pid(pids, count, status->st_procpid) ||
			strcmp(status->st_appname, WAL_ARCHIVER) == 0)
			continue;
		standby = palloc0(sizeof(ConnectedStandby));
		standby->pid = status->st_procpid;
		standby->since = status->st_proc_start_timestamp;
		strlcpy(standby->name, status->st_appname, sizeof(standby->name));
		result = lappend(result, standby);
	}
	return result;
}

/*
 * The name of the standby that a walsender serves; NULL if it serves none.
 */
const char *
standby_of_walsender(int pid)
{
	ListCell   *cell;

	foreach(cell, connected_standbys())
	{
		const ConnectedStandby *standby = lfirst(cell);

		if (standby->pid == pid)
			return standby->name;
	}
	return NULL;
}

/*
 * How many of the synchronous standbys that COMMIT waits for are not connected.
 */
static int
missing_synchronous_standbys(void)
{
	int			connected = 0;

	if (SyncRepConfig == NULL || SyncRepStandbyNames == NULL || SyncRepStandbyNames[0] == '\0')
		return 0;
	for (int i = 0; i < max_wal_senders; i++)
	{
		WalSnd	   *walsnd = &WalSndCtl->walsnds[i];

		SpinLockAcquire(&walsnd->mutex);
		if (walsnd->pid != 0 && walsnd->state == WALSNDSTATE_STREAMING && walsnd->sync_standby_priority > 0)
			connected++;
		SpinLockRelease(&walsnd->mutex);
	}
	return Max(0, SyncRepConfig->num_sync - connected);
}

/*
 * A warning for callers that change what every node has; NULL if no synchronous standby is
 * missing.
 */
char *
missing_standbys_warning(void)
{
	int			missing = missing_synchronous_standbys();

	if (missing == 0)
		return NULL;
	return psprintf("COMMIT will wait, unless you run SET LOCAL synchronous_commit = local: %d more synchronous %s must be connected", missing, missing == 1 ? "standby" : "standbys");
}
