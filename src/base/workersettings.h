/*-------------------------------------------------------------------------
 *
 * workersettings.h
 *		Settings of the server that background workers override.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_WORKERSETTINGS_H
#define SSLPOLICY_WORKERSETTINGS_H

extern void override_settings(void);

#endif							/* SSLPOLICY_WORKERSETTINGS_H */
