/*-------------------------------------------------------------------------
 *
 * hook.c
 *		Two modules for the benchmarks, both with a ClientAuthentication_hook.
 *
 * With -DFLOOR: what any hook costs that knows who logs in.  It reads the common name,
 * the role, its label and its memberships, and decides nothing.
 *
 * Without: the time that the hooks called before this one take.  Preloaded behind their
 * module, it appends a line with their nanoseconds to the file HOOK_TIMES, a line for
 * each login.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "catalog/pg_authid.h"
#include "commands/seclabel.h"
#include "fmgr.h"
#include "libpq/auth.h"
#include "portability/instr_time.h"
#include "utils/acl.h"
#include "utils/catcache.h"
#include "utils/syscache.h"

PG_MODULE_MAGIC;

void _PG_init(void);

static ClientAuthentication_hook_type previous_hook = NULL;

#ifdef FLOOR

static void
relabel(const ObjectAddress *object, const char *label)
{
}

static void
hook(Port *port, int status)
{
	if (previous_hook)
		previous_hook(port, status);
	if (port->peer_cn != NULL && strcmp(port->peer_cn, port->user_name) == 0)
	{
		ObjectAddress role = {AuthIdRelationId, get_role_oid(port->user_name, true), 0};
		CatCList   *memberships = SearchSysCacheList1(AUTHMEMMEMROLE, ObjectIdGetDatum(role.objectId));

		(void) GetSecurityLabel(&role, "sslpolicy");
		ReleaseCatCacheList(memberships);
	}
}

#else

static void
hook(Port *port, int status)
{
	instr_time	start;
	instr_time	end;
	const char *times = getenv("HOOK_TIMES");
	char		line[64];
	int			length;
	int			fd;

	INSTR_TIME_SET_CURRENT(start);
	if (previous_hook)
		previous_hook(port, status);
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	length = snprintf(line, sizeof(line), "%.0f\n", INSTR_TIME_GET_DOUBLE(end) * 1e9);
	fd = times ? open(times, O_WRONLY | O_APPEND | O_CREAT, 0600) : -1;
	if (fd < 0 || write(fd, line, (size_t) length) != length)
		elog(FATAL, "HOOK_TIMES cannot be written");
	close(fd);
}

#endif

void
_PG_init(void)
{
#ifdef FLOOR
	register_label_provider("sslpolicy", relabel);
#endif
	previous_hook = ClientAuthentication_hook;
	ClientAuthentication_hook = hook;
}
