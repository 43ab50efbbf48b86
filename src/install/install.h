/*-------------------------------------------------------------------------
 *
 * install.h
 *		Installs TLS material: atomically, durably, and proved.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_INSTALL_H
#define SSLPOLICY_INSTALL_H

#include "fmgr.h"

#include "base/compat.h"
#include "install/history.h"
#include "material/configuration.h"
#include "material/material.h"

/* As a parent: whichever version is in place when the installation starts. */
#define VERSION_IN_PLACE (-1)

/* What is done with new material. */
typedef enum InstallMode
{
	INSTALL_HERE,				/* a function puts it in place on this node */
	INSTALL_REPLICATE,			/* it is judged, to become a label that every node applies */
	INSTALL_APPLY				/* the server puts such a label in place on this node */
} InstallMode;

/*
 * One installation.  begin_installation() fills what is there; what installs a
 * kind of material decides on the new one (installca.c, installcrl.c,
 * installserver.c, rollback.c); finish_installation() puts it in place.
 */
typedef struct Installation
{
	MaterialKind kind;
	InstallMode mode;
	const char *action;			/* name of the SQL function */
	bool		dry_run;
	bool		force;
	bool		indexed;		/* CRLs that sslpolicy checks itself */

	/* what there is */
	Configuration *configuration;
	MaterialFiles files;
	char	   *old_bytes;		/* NULL: no file */
	size_t		old_len;
	PemContent *old;			/* never NULL; with INSTALL_REPLICATE, what is replicated
								 * if anything is, not what is in the file */
	STACK_OF(X509) *replicated_cas; /* NULL: CAs are those of the file; only with
									 * INSTALL_REPLICATE, as is the next */
	PemContent *replicated_crls;
	bool		unreadable;		/* the file cannot be read, or holds no CRL */
	List	   *history;

	/* what there shall be */
	StringInfo	bytes;			/* NULL: no file any more */
	PemContent *content;		/* of bytes; never NULL */
	List	   *warnings;		/* of char * */
	List	   *affected;		/* of Affected * */
	bool		goes_back;		/* to an earlier version, or to CRLs without one that
								 * was in force */
	STACK_OF(X509) *crl_issuers;	/* to be kept with these CRLs; NULL: none more */
	int			version;		/* one that is there; 0: a new one */
	int			parent;			/* the version before it */

	/* the result */
	bool		installed;
	uint64		generation;
} Installation;

extern Installation *begin_installation(MaterialKind kind, InstallMode mode, const char *action,
										bool dry_run, bool force);
extern void finish_installation(Installation *inst);
extern void forbid_transaction_block(const char *action);
extern void require_installation(void);
extern void lock_installation(void);
extern void unlock_installation(void);
extern Datum run_installation(FunctionCallInfo fcinfo, PGFunction function);
pg_noreturn extern void refuse_installation(const char *message, const char *detail,
											const char *hint);
extern void check_encoded(bool ok);

#endif							/* SSLPOLICY_INSTALL_H */
