/*-------------------------------------------------------------------------
 *
 * ownschema.h
 *		Who may create functions in the schema of the extension.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_OWNSCHEMA_H
#define SSLPOLICY_OWNSCHEMA_H

extern void init_own_schema(void);

#endif							/* SSLPOLICY_OWNSCHEMA_H */
