/*-------------------------------------------------------------------------
 *
 * installcrl.h
 *		Installs CRLs: those of the server, or sslpolicy's own.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_INSTALLCRL_H
#define SSLPOLICY_INSTALLCRL_H

#include "install/install.h"

extern void check_crl_size(size_t size);
extern Installation *install_crls(const PemContent *given, InstallMode mode, bool dry_run, bool force);
extern Installation *apply_crls(const PemContent *given, List *gone_back_from, char **newer);
extern void check_earlier_crls_allowed(bool force);
extern void judge_earlier_crls(Installation *inst);

#endif							/* SSLPOLICY_INSTALLCRL_H */
