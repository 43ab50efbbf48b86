/*-------------------------------------------------------------------------
 *
 * sendreport.h
 *		Reports to the upstream of a standby what is in force on it and below it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_SENDREPORT_H
#define SSLPOLICY_SENDREPORT_H

extern long report_if_due(void);

#endif							/* SSLPOLICY_SENDREPORT_H */
