/*-------------------------------------------------------------------------
 *
 * takereport.h
 *		Takes the reports of standbys, which arrive as logins.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_TAKEREPORT_H
#define SSLPOLICY_TAKEREPORT_H

#include "libpq/libpq-be.h"

extern void take_report_of_login(const Port *port, Oid role);

#endif							/* SSLPOLICY_TAKEREPORT_H */
