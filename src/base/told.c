/*-------------------------------------------------------------------------
 *
 * told.c
 *		Who learns what about files.
 *
 * A superuser can delegate settings that name files (GRANT ALTER SYSTEM ON
 * PARAMETER), and the views and functions that say what is wrong with those files.
 * A role that has both could find out about any file of the machine whether it
 * exists and what it is, and list any folder.  So only superusers learn that.  All
 * others learn only that a file cannot be used, in the same words whatever the
 * reason.  The server log has everything.
 *
 * The code that makes a text also chooses it, so that the code that shows a text
 * need not care.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "postmaster/postmaster.h"
#include "utils/memutils.h"

#include "base/told.h"

/* the last text that was withheld, and the text that took its place */
static char *withheld = NULL;
static char *said = NULL;

/*
 * May the current user know what is wrong with a file?  Outside transactions, and
 * during a login, messages go to the log.
 */
bool
files_may_be_told(void)
{
	return !IsTransactionState() || ClientAuthInProgress || superuser();
}

/*
 * The full text if the current user may know it, else the other one.
 */
char *
told(char *instead, char *full)
{
	if (files_may_be_told())
		return full;
	if (withheld != NULL)
	{
		pfree(withheld);
		pfree(said);
		withheld = said = NULL;
	}
	said = MemoryContextStrdup(TopMemoryContext, instead);
	withheld = MemoryContextStrdup(TopMemoryContext, full);
	return instead;
}

/*
 * The same for a file; path is as the setting has it.
 */
char *
told_of_file(const char *path, char *full)
{
	return told(psprintf("file \"%s\" cannot be used", path), full);
}

/*
 * For the server log: the full text in whose place this one was told.
 */
char *
full_text(char *text)
{
	return withheld != NULL && strcmp(text, said) == 0 ? withheld : text;
}

/*
 * Log the full text where no error is raised that could carry it to the log.
 */
void
log_withheld(char *text)
{
	char	   *full = full_text(text);

	if (full != text)
		ereport(LOG_SERVER_ONLY,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("%s", full),
				 errdetail("The caller was told: %s.", text)));
}

/*
 * The level of a message about a file.  If the current user may not know it, an error
 * only goes to the log, and refuse_file() must follow.
 */
int
told_level(int level)
{
	return files_may_be_told() ? level : LOG_SERVER_ONLY;
}

/*
 * The error for users who may not know the reason.
 */
void
refuse_file(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("a file that a setting names cannot be used"),
			 errhint("The server log says why; ask the database administrator.")));
}

/*
 * Core reports problems with files as LOG, and client_min_messages can send that to
 * the client.  Between begin_quiet() and end_quiet() it does not.  Returns the
 * argument for end_quiet().
 */
int
begin_quiet(void)
{
	int			before = client_min_messages;

	if (!files_may_be_told())
		client_min_messages = Max(before, NOTICE);
	return before;
}

void
end_quiet(int before)
{
	client_min_messages = before;
}
