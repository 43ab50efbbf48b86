/*-------------------------------------------------------------------------
 *
 * rollback.h
 *		Goes back to the TLS material before.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_ROLLBACK_H
#define SSLPOLICY_ROLLBACK_H

#include "install/install.h"

extern Installation *roll_back(MaterialKind kind, InstallMode mode, bool dry_run, bool force);

#endif							/* SSLPOLICY_ROLLBACK_H */
