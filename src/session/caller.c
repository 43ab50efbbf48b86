/*-------------------------------------------------------------------------
 *
 * caller.c
 *		Who is calling, for the log and the history.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "session/caller.h"
#include "session/collect.h"
#include "base/escape.h"

static char *
role_name(Oid role)
{
	char	   *name = GetUserNameFromId(role, true);

	return quoted_name(name ? name : "?");
}

/*
 * The user who acts, the session's where it is another one, and the address:
 * user "team" (session user "bob") from 10.0.0.7.
 */
char *
caller_for_log(Oid user)
{
	Oid			session_user = GetSessionUserId();
	char	   *session = session_user == user ? "" :
		psprintf(" (session user %s)", role_name(session_user));

	return psprintf("user %s%s from %s", role_name(user), session, client_address(MyProcPort));
}
