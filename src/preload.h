/*-------------------------------------------------------------------------
 *
 * preload.h
 *		Whether this copy of the library is the one that the server preloaded.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_PRELOAD_H
#define SSLPOLICY_PRELOAD_H

extern bool claim_preload(void);
extern void require_preload(void);

#endif							/* SSLPOLICY_PRELOAD_H */
