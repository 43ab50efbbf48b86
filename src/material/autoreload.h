/*-------------------------------------------------------------------------
 *
 * autoreload.h
 *		Has changed TLS files loaded without being told.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_AUTORELOAD_H
#define SSLPOLICY_AUTORELOAD_H

extern void load_changed_files(void);

#endif							/* SSLPOLICY_AUTORELOAD_H */
