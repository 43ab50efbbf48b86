/*-------------------------------------------------------------------------
 *
 * consent.c
 *		Requires force where new TLS material would lock somebody out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "install/affected.h"
#include "install/consent.h"

/*
 * The first few that count, as a text, and how many there are.
 */
static char *
list_affected(List *affected, bool (*counts)(const Affected *), int *count)
{
	StringInfoData list;
	ListCell   *cell;

	*count = 0;
	initStringInfo(&list);
	foreach(cell, affected)
	{
		if (!counts(lfirst(cell)))
			continue;
		if (++*count <= 5)
			appendStringInfo(&list, "%s%s", list.len ? "; " : "", affected_text(lfirst(cell)));
	}
	return psprintf("Affected: %s%s.", list.data, *count > 5 ? "; and others" : "");
}

static bool
is_protected(const Affected *affected)
{
	return affected->is_protected;
}

/*
 * Everybody who may call the function may pass force.  So force does not override what
 * protects others from the caller.
 */
static void
forbid_force(const Installation *inst)
{
	int			count;
	char	   *list = list_affected(inst->affected, is_protected, &count);

	if (count == 0 || superuser())
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to make a CA unusable by which a superuser or a reserved role logs in"),
			 errdetail("%s", list),
			 errhint("A superuser can install it with force => true.")));
}

static bool
is_session_in_the_way(const Affected *affected)
{
	return affected->kind == AFFECTED_SESSION && affected_wants_force(affected);
}

/*
 * Sessions, logins and CAs that the new material does not accept are an error, unless
 * forced.
 */
void
check_affected(const Installation *inst)
{
	int			own;
	int			sessions;
	int			count;
	char	   *list;

	if (inst->dry_run)
		return;
	if (inst->force)
	{
		forbid_force(inst);
		return;
	}
	(void) list_affected(inst->affected, is_affected_own, &own);
	(void) list_affected(inst->affected, is_session_in_the_way, &sessions);
	list = list_affected(inst->affected, affected_wants_force, &count);
	if (count == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 own == count ?
				 errmsg("with this material your own connection would be refused") :
				 sessions == count ?
				 errmsg_plural("with this material %d live session could not log in again",
							   "with this material %d live sessions could not log in again",
							   (unsigned long) count, count) :
				 errmsg("this material would refuse clients that can log in now"),
			 errdetail("%s", list),
			 inst->mode == INSTALL_REPLICATE ?
				 errhint("Use force => true to set it anyway.") :
				 errhint("dry_run => true shows all of them; force => true installs it all the same.")));
}
