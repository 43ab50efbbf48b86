/*-------------------------------------------------------------------------
 *
 * safereload.h
 *		Has the server load its files as they are now, unless that would lock
 *		clients out.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_SAFERELOAD_H
#define SSLPOLICY_SAFERELOAD_H

#include "material/reload.h"

extern ReloadOutcome *reload_safely(int timeout_ms, bool force);

#endif							/* SSLPOLICY_SAFERELOAD_H */
