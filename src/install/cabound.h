/*-------------------------------------------------------------------------
 *
 * cabound.h
 *		What installing a CA must not let an ordinary role become.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CABOUND_H
#define SSLPOLICY_CABOUND_H

extern void check_ca_bound(void);

#endif							/* SSLPOLICY_CABOUND_H */
