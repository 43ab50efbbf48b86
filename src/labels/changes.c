/*-------------------------------------------------------------------------
 *
 * changes.c
 *		Logs changes of policies when, and only when, they are committed.
 *
 * An error at commit or later is a PANIC, and one at PREPARE TRANSACTION loses rows.
 * So the lines are made before, where an error still aborts the transaction, and
 * nothing that writes them may raise one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/escape.h"
#include "base/logline.h"
#include "labels/changes.h"
#include "session/collect.h"

/* A change of the running transaction.  All texts are in TopTransactionContext. */
typedef struct PendingChange
{
	SubTransactionId subxact;
	ObjectAddress object;
	const char *title;			/* NULL: it is the policy of the object */
	char	   *name;			/* when it was changed */
	char	   *caller;
	char	   *was;
	char	   *is;
	char	   *line;			/* NULL until the transaction is about to end */
} PendingChange;

static List *pending = NIL;		/* in TopTransactionContext */

static char *
policy_text(const char *text)
{
	return text ? psprintf("[%s]", printable_text(text)) : pstrdup("none");
}

static char *
object_name(const ObjectAddress *object)
{
	return object->classId == AuthIdRelationId ?
		GetUserNameFromId(object->objectId, true) :
		get_database_name(object->objectId);
}

/*
 * Remember a change until the transaction ends.  NULL as a policy is none.  title, a
 * constant, is what the log calls it if it is not the policy of the object.
 */
void
remember_change(const ObjectAddress *object, const char *title, Oid user, const char *before, const char *after)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	PendingChange *change = palloc0(sizeof(PendingChange));

	change->subxact = GetCurrentSubTransactionId();
	change->object = *object;
	change->title = title;
	change->name = object_name(object);
	change->caller = caller_for_log(user);
	change->was = policy_text(before);
	change->is = policy_text(after);
	pending = lappend(pending, change);
	MemoryContextSwitchTo(old);
}

/*
 * The name is the one under which the change is committed: the transaction may have
 * renamed the object since, and given its name to another.  One that is dropped has
 * the name that it was dropped under.
 */
static void
make_lines(const char *suffix)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	ListCell   *cell;

	foreach(cell, pending)
	{
		PendingChange *change = lfirst(cell);
		const char *kind = change->object.classId == AuthIdRelationId ? "role" : "database";
		char	   *name = object_name(&change->object);

		if (change->title)
		{
			change->line = psprintf("%s changed by %s: was %s, is %s%s", change->title,
									change->caller, change->was, change->is, suffix);
			continue;
		}
		change->line = psprintf("TLS policy of %s %s changed by %s: was %s, is %s (%s OID %u)%s",
								kind, quoted_name(name ? name : change->name), change->caller,
								change->was, change->is, kind, change->object.objectId, suffix);
	}
	MemoryContextSwitchTo(old);
}

static void
log_pending(void)
{
	ListCell   *cell;

	foreach(cell, pending)
		log_line(((PendingChange *) lfirst(cell))->line, NULL);
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			make_lines("");
			break;
		case XACT_EVENT_PRE_PREPARE:
			make_lines(" (in a prepared transaction, effective when that commits)");
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
			log_pending();
			pending = NIL;
			break;
		case XACT_EVENT_ABORT:
			pending = NIL;
			break;
		default:
			break;
	}
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId subxact,
					  SubTransactionId parent, void *arg)
{
	ListCell   *cell;

	foreach(cell, pending)
	{
		PendingChange *change = lfirst(cell);

		if (change->subxact != subxact)
			continue;
		if (event == SUBXACT_EVENT_COMMIT_SUB)
			change->subxact = parent;
		else if (event == SUBXACT_EVENT_ABORT_SUB)
			pending = foreach_delete_current(pending, cell);
	}
}

void
init_changes(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}
