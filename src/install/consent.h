/*-------------------------------------------------------------------------
 *
 * consent.h
 *		Requires force where new TLS material would lock somebody out.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CONSENT_H
#define SSLPOLICY_CONSENT_H

#include "install/install.h"

extern void check_affected(const Installation *inst);

#endif							/* SSLPOLICY_CONSENT_H */
