/*-------------------------------------------------------------------------
 *
 * privileged.h
 *		SQL that the server's functions run with more rights than their caller.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_PRIVILEGED_H
#define SSLPOLICY_PRIVILEGED_H

/* Rows of texts; NULL where the value is null. */
typedef struct QueryResult
{
	int			rows;
	int			columns;
	char	 ***values;			/* [row][column] */
} QueryResult;

/* Run code as the bootstrap superuser; an error in it restores the user. */
typedef struct SavedUser
{
	Oid			user;
	int			context;
} SavedUser;

extern SavedUser become_superuser(void);
extern void restore_user(SavedUser saved);
extern void privileged_command(const char *statement);
extern QueryResult *privileged_query(const char *statement);

#endif							/* SSLPOLICY_PRIVILEGED_H */
