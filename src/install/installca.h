/*-------------------------------------------------------------------------
 *
 * installca.h
 *		Installs CAs: those that clients are verified with.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_INSTALLCA_H
#define SSLPOLICY_INSTALLCA_H

#include "install/install.h"

extern Installation *replace_cas(const PemContent *given, InstallMode mode, bool dry_run, bool force);
extern Installation *apply_cas(const PemContent *given);
extern Installation *add_cas(const PemContent *given, bool dry_run, bool force);
extern Installation *remove_ca(const char *fingerprint, bool dry_run, bool force);
extern void judge_earlier_cas(Installation *inst);

#endif							/* SSLPOLICY_INSTALLCA_H */
