/*-------------------------------------------------------------------------
 *
 * auth.h
 *		The login hook.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_AUTH_H
#define SSLPOLICY_AUTH_H

extern void init_auth(void);

#endif							/* SSLPOLICY_AUTH_H */
