/*-------------------------------------------------------------------------
 *
 * ownschema.h
 *		Who may create functions in the schema that the extension will have.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_OWNSCHEMA_H
#define SSLPOLICY_OWNSCHEMA_H

extern void init_own_schema(void);

#endif							/* SSLPOLICY_OWNSCHEMA_H */
