/*-------------------------------------------------------------------------
 *
 * install.h
 *		Installs TLS material: atomically, durably, and proved.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_INSTALL_H
#define SSLPOLICY_INSTALL_H

#include "material/configuration.h"
#include "install/history.h"
#include "material/material.h"

/*
 * One installation.  begin_installation() fills what is there; the caller
 * decides on the new material; finish_installation() puts it in place.
 */
typedef struct Installation
{
	MaterialKind kind;
	const char *action;			/* name of the SQL function */
	bool		dry_run;
	bool		force;
	bool		indexed;		/* CRLs that sslpolicy checks itself */

	/* what there is */
	Configuration *configuration;
	MaterialFiles files;
	char	   *old_bytes;		/* NULL: no file */
	size_t		old_len;
	PemContent *old;			/* never NULL */
	List	   *history;

	/* what there shall be */
	StringInfo	bytes;			/* NULL: no file any more */
	PemContent *content;		/* of bytes */
	List	   *warnings;		/* of char * */
	List	   *affected;		/* of AffectedSession * */
	bool		only_own;		/* affected sessions other than the caller's do
								 * not stand in the way */
	int			version;		/* one that is there; 0: a new one */
	int			parent;			/* for version: the one before it */

	/* the result */
	bool		installed;
	uint64		generation;
} Installation;

extern Installation *begin_installation(MaterialKind kind, const char *action,
										bool dry_run, bool force);
extern void finish_installation(Installation *inst);
extern void forbid_transaction_block(const char *action);
extern void require_installation(void);
extern void lock_installation(void);

#endif							/* SSLPOLICY_INSTALL_H */
