/*-------------------------------------------------------------------------
 *
 * sendreport.h
 *		Reports the state of a standby, and of the nodes below it, to its upstream.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_SENDREPORT_H
#define SSLPOLICY_SENDREPORT_H

extern long report_if_due(void);

#endif							/* SSLPOLICY_SENDREPORT_H */
