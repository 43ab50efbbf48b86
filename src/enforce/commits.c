/*-------------------------------------------------------------------------
 *
 * commits.c
 *		Wakes the worker when something is committed that live sessions depend on.
 *
 * What has changed comes to the worker by invalidation, which wakes nobody (concern.c).
 * So the statements that change labels, roles and memberships wake it when their
 * transaction commits, and COMMIT PREPARED when it is done, whatever it has committed.
 * That is a hint only: what changes without such a statement is noticed within a second.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"

#include "base/wakeup.h"
#include "enforce/commits.h"

static ProcessUtility_hook_type previous_hook = NULL;

static bool has_changes = false;	/* in the running transaction */

static bool
is_role_or_database(ObjectType type)
{
	return type == OBJECT_ROLE || type == OBJECT_DATABASE;
}

/*
 * Can a statement change what live sessions are judged by?
 */
static bool
changes_policies(const Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_CreateRoleStmt:
		case T_AlterRoleStmt:
		case T_DropRoleStmt:
		case T_GrantRoleStmt:
		case T_DropOwnedStmt:
			return true;
		case T_SecLabelStmt:
			return is_role_or_database(((const SecLabelStmt *) statement)->objtype);
		case T_RenameStmt:
			return is_role_or_database(((const RenameStmt *) statement)->renameType);
		default:
			return false;
	}
}

static bool
commits_prepared(const Node *statement)
{
	return IsA(statement, TransactionStmt) &&
		((const TransactionStmt *) statement)->kind == TRANS_STMT_COMMIT_PREPARED;
}

static void
note_statement(PlannedStmt *pstmt, const char *query, bool read_only_tree,
			   ProcessUtilityContext context, ParamListInfo params,
			   QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	bool		prepared = commits_prepared(pstmt->utilityStmt);

	if (changes_policies(pstmt->utilityStmt))
		has_changes = true;
	(previous_hook ? previous_hook : standard_ProcessUtility)(pstmt, query, read_only_tree, context, params,
															  environment, dest, completion);
	if (prepared)
		wake_worker();
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			if (has_changes)
				wake_worker();
			has_changes = false;
			break;
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_ABORT:
			has_changes = false;
			break;
		default:
			break;
	}
}

void
init_commits(void)
{
	previous_hook = ProcessUtility_hook;
	ProcessUtility_hook = note_statement;
	RegisterXactCallback(at_transaction_end, NULL);
}
