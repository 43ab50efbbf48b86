/*-------------------------------------------------------------------------
 *
 * reach.h
 *		Which roles a caller can act as, and what that lets the caller do to other
 *		roles.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_REACH_H
#define SSLPOLICY_REACH_H

#include "nodes/pg_list.h"

typedef struct ReachedRole
{
	Oid			oid;
	char	   *name;
	bool		is_superuser;
	bool		can_login;
	bool		can_create_roles;
	bool		can_replicate;
	bool		is_powerful;	/* is a superuser or has equivalent rights */
	bool		acting;			/* the caller can act as it */
	bool		followed;		/* for the use of cabound.c */
} ReachedRole;

typedef struct RoleGrant
{
	int			role;			/* index of roles */
	int			member;
	bool		admin;
} RoleGrant;

typedef struct Reach
{
	int			nroles;
	ReachedRole *roles;
	int			ngrants;
	RoleGrant  *grants;
} Reach;

extern Reach *read_reach(void);
extern int	find_reached_role(const Reach *reach, Oid role);
extern void act_as(Reach *reach, int role);
extern bool can_make_roles(const Reach *reach);
extern bool can_rename(const Reach *reach, int role);
extern bool can_administer(const Reach *reach, int role);
extern bool can_set(const Reach *reach, const char *setting);
extern bool can_put_anybody_into(const Reach *reach, Oid group);
extern bool is_member_of_any(const Reach *reach, int role, bool (*matches)(const char *name));

#endif							/* SSLPOLICY_REACH_H */
