/*-------------------------------------------------------------------------
 *
 * setpolicy.h
 *		Sets the policy of a role or a database, for whoever may.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_SETPOLICY_H
#define SSLPOLICY_SETPOLICY_H

/* text NULL: removes it */
extern void set_role_policy(Oid role, const char *text, bool force);
extern void set_database_policy(const char *name, const char *text, bool force);

#endif							/* SSLPOLICY_SETPOLICY_H */
