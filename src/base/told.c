/*-------------------------------------------------------------------------
 *
 * told.c
 *		What is told of files, and to whom.
 *
 * Settings that name files can be handed on (GRANT ALTER SYSTEM ON PARAMETER), and
 * so can the views and functions that say what is wrong with those files.  Whoever
 * has both could ask of any file of the machine whether it is there, what it is, and
 * what a folder holds.  So only superusers are told that; everybody else, that a file
 * cannot be used, in the same words whatever the reason.  The server log has all.
 *
 * Texts are chosen where they are made, so that whoever shows one need not think of
 * it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "postmaster/postmaster.h"
#include "utils/memutils.h"

#include "base/told.h"

/* the last text that was withheld, and what was told instead */
static char *withheld = NULL;
static char *said = NULL;

/*
 * May whoever runs the statement know what is the matter with a file?  Without a
 * transaction, and in a login, what is said goes to the log.
 */
bool
files_may_be_told(void)
{
	return !IsTransactionState() || ClientAuthInProgress || superuser();
}

/*
 * The full text, or what is told instead.
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
 * Of a file, by the path that a setting has.
 */
char *
told_of_file(const char *path, char *full)
{
	return told(psprintf("file \"%s\" cannot be used", path), full);
}

/*
 * For the server log: what a text would say that was told instead of it.
 */
char *
full_text(char *text)
{
	return withheld != NULL && strcmp(text, said) == 0 ? withheld : text;
}

/*
 * The same where no error is raised with which it could go there.
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
 * The level of a message about a file.  An error is only logged for those who may
 * not know it; refuse_file() has to follow.
 */
int
told_level(int level)
{
	return files_may_be_told() ? level : LOG_SERVER_ONLY;
}

/*
 * The error for those who may not know what it is.
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
 * Messages of core's about files are LOG, which client_min_messages can send to the
 * client: not between these two.  Returns what end_quiet() is given.
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
