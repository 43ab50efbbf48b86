/*-------------------------------------------------------------------------
 *
 * privatekeys.h
 *		Finds private keys in text, and overwrites them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_PRIVATEKEYS_H
#define SSLPOLICY_PRIVATEKEYS_H

#include "base/pure.h"

extern bool has_private_key(const char *text);
extern void mask_private_keys(char *text);

#endif							/* SSLPOLICY_PRIVATEKEYS_H */
