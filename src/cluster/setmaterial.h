/*-------------------------------------------------------------------------
 *
 * setmaterial.h
 *		Sets the CAs and CRLs of every node.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_SETMATERIAL_H
#define SSLPOLICY_SETMATERIAL_H

#include "install/install.h"

/*
 * The longest text that is replicated: some 100,000 revoked certificates.  The WAL of one
 * change carries all of it, and so does each pg_dumpall.
 */
#define MAX_REPLICATED_BYTES (5 * 1024 * 1024)

/* What to do with a longer one. */
#define DISTRIBUTE_HINT \
	"Copy the list to every node as a file, and set sslpolicy.crl_file to its name. To block a few certificates on every node at once, use sslpolicy.block_certificate()."

extern Installation *set_cas(const PemContent *given, bool force);
extern Installation *set_crls(const PemContent *given, bool force);
extern Installation *remove_replicated(MaterialKind kind);
extern Installation *roll_back_replicated(MaterialKind kind, bool dry_run, bool force);
extern List *versions_gone_back_from(const char *text);

#endif							/* SSLPOLICY_SETMATERIAL_H */
