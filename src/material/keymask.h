/*-------------------------------------------------------------------------
 *
 * keymask.h
 *		Keeps private keys out of the log.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_KEYMASK_H
#define SSLPOLICY_KEYMASK_H

extern void init_key_mask(void);

#endif							/* SSLPOLICY_KEYMASK_H */
